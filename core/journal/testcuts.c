#include "journal/testcuts.h"

#include "base/map.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NEAR 2 /* operations on both sides of a sync that are never left out */

/* Under a sanitizer all is slower, and it looks for something else. */
#ifdef __has_feature
#define HAS_FEATURE(f) __has_feature(f)
#else
#define HAS_FEATURE(f) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
	HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer)
#define ONE_IN 8
#else
#define ONE_IN 1
#endif

struct remarks {
	uint64_t *list;
	size_t n, cap;
};

static char place[400], outer[300];

const char *cuts_place(void)
{
	return place;
}

static uint32_t given_seeds(void)
{
	const char *text = getenv("POINTSMAN_CUT_SEEDS");

	return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

bool cuts_long(void)
{
	return given_seeds() > 0;
}

uint32_t cuts_seeds(uint32_t few)
{
	return cuts_long() ? given_seeds() : few;
}

void cuts_tell(const struct cuts *c, size_t least)
{
	print_message("%s: %zu cut points, %zu disks left, %zu different\n", c->what, c->points,
		      c->tried, c->looked);
	assert_true(c->looked >= least / ONE_IN);
}

size_t cuts_every(size_t many)
{
	return many / ONE_IN ? many / ONE_IN : 1;
}

static void note(uint64_t remark, void *arg)
{
	struct remarks *r = arg;

	mem_room(r->list, r->n, r->cap);
	r->list[r->n++] = remark;
}

static bool is_near_sync(const struct disk_tape *tape, size_t at)
{
	for (size_t i = at > NEAR ? at - NEAR : 0; i <= at + NEAR; i++) {
		if (disk_tape_syncs(tape, i))
			return true;
	}
	return false;
}

static bool is_new(struct map *seen, uint64_t hash)
{
	char key[24];

	snprintf(key, sizeof key, "%llx", (unsigned long long)hash);
	return map_put(seen, key, seen) == NULL;
}

static void cut(struct cuts *c, struct disk_tape *tape, size_t at, enum disk_loss loss,
		uint32_t seed, struct map *seen)
{
	static const char *const losses[] = {"all", "the latest", "any 512 bytes", "any bytes"};
	struct remarks r = {0};
	char before[sizeof outer];

	disk_play(tape, at, loss, seed);
	disk_tape_marks(tape, at, note, &r);
	c->tried++;
	if (is_new(seen, disk_hash() + r.n)) {
		c->looked++;
		snprintf(before, sizeof before, "%s", outer);
		snprintf(place, sizeof place,
			 "%s%s, cut before operation %zu of %zu, losing %s, "
			 "seed %u",
			 outer, c->what, at, disk_tape_length(tape), losses[loss], seed);
		snprintf(outer, sizeof outer, "%.290s; then ", place);
		c->look(r.list, r.n, c->arg);
		snprintf(outer, sizeof outer, "%s", before);
	}
	free(r.list);
}

static void cut_with_seed(struct cuts *c, struct disk_tape *tape, size_t at, uint32_t seed,
			  struct map *seen)
{
	int turn = DISK_LOSE_LATEST + (int)((at + seed) % (DISK_LOSSES - DISK_LOSE_LATEST));

	for (int loss = DISK_LOSE_LATEST; loss < DISK_LOSSES; loss++) {
		if (!c->one_loss || cuts_long() || loss == turn)
			cut(c, tape, at, (enum disk_loss)loss, seed + (uint32_t)at * 1000, seen);
	}
}

void cuts_run(struct cuts *c, struct disk_tape *tape)
{
	size_t step = c->step && !cuts_long() ? c->step : 1;
	uint32_t seeds = cuts_seeds(c->seeds ? c->seeds : 1);
	struct map seen = {0};

	for (size_t at = 0; at <= disk_tape_length(tape); at++) {
		if ((at % step && !is_near_sync(tape, at)) || at % ONE_IN)
			continue;
		c->points++;
		cut(c, tape, at, DISK_LOSE_ALL, 0, &seen);
		if (!disk_tape_unsynced(tape, false))
			continue;
		/* Names are few, and much hangs on each. */
		uint32_t tries = disk_tape_unsynced(tape, true) ? seeds * 6 : seeds;

		for (uint32_t seed = 1; seed <= tries; seed++)
			cut_with_seed(c, tape, at, seed, &seen);
	}
	map_free(&seen, NULL);
}
