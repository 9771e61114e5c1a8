#include "head.h"

#include "base/buf.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool head_is_sha(const char *text)
{
	size_t n = text ? strspn(text, "0123456789abcdef") : 0;

	return (n == 40 || n == 64) && text[n] == '\0';
}

bool head_is_zero(const char *sha)
{
	return sha[strspn(sha, "0")] == '\0';
}

const char *head_zero(const char *sha)
{
	static const char zeros[] =
		"0000000000000000000000000000000000000000000000000000000000000000";

	return zeros + sizeof zeros - 1 - (strlen(sha) == 64 ? 64 : 40);
}

static char *state_key(const char *name)
{
	return mem_format("ref/%s", name);
}

bool head_load(struct pm_host *h, const char *name, struct head *head)
{
	char *key = state_key(name);
	const char *text = h->load(h, key);
	int used = 0;

	free(key);
	*head = (struct head){0};
	if (!text || sscanf(text, "%64s %64s %" SCNd64 " %" SCNu64 " %" SCNd64 "%n", head->sha,
			    head->previous, &head->at, &head->moves, &head->pushed, &used) != 5)
		return false;
	text += used;
	for (size_t i = 0; i < HEAD_SEEN && *text == ' '; i++)
		head->seen[i] = strtoull(text + 1, (char **)&text, 16);
	return true;
}

void head_save(struct pm_host *h, const char *name, const struct head *head)
{
	char *key = state_key(name);
	struct buf b = {0};

	buf_printf(&b, "%s %s %" PRId64 " %" PRIu64 " %" PRId64, head->sha, head->previous,
		   head->at, head->moves, head->pushed);
	for (size_t i = 0; i < HEAD_SEEN && head->seen[i]; i++)
		buf_printf(&b, " %" PRIx64, head->seen[i]);
	h->save(h, key, buf_text(&b));
	buf_free(&b);
	free(key);
}

static void remember(struct head *head, uint64_t mark)
{
	if (!mark)
		return;
	memmove(head->seen + 1, head->seen, sizeof head->seen - sizeof *head->seen);
	head->seen[0] = mark;
}

static void step(struct pm_host *h, struct head *head, const struct move *move)
{
	const char *from = *head->sha ? head->sha : move->before;

	snprintf(head->previous, sizeof head->previous, "%s", from);
	snprintf(head->sha, sizeof head->sha, "%s", move->after);
	head->at = h->now(h);
	head->moves++;
	if (move->pushed > head->pushed)
		head->pushed = move->pushed;
	remember(head, move->mark);
}

pm_result head_move(struct pm_host *h, struct head *head, const struct move *move)
{
	bool deleted = head_is_zero(move->after);
	char *id = mem_format("%s:%s..%s#%" PRIu64, move->name, move->before, move->after,
			      head->moves + 1);
	pm_result r = h->emit(h, &PM_EMIT(.type = deleted ? "github.ref.deleted" : "github.push",
					  .id = id, .source = move->source, .subject = move->ref,
					  .time = move->time, .json = move->json,
					  .json_len = move->json_len));

	free(id);
	if (r != PM_OK)
		return r;
	step(h, head, move);
	head_save(h, move->name, head);
	return PM_OK;
}

/* `*` is any run, also across `/`. */
static bool like(const char *text, const char *pattern)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool in_list(struct pm_host *h, const char *key, const char *name)
{
	const char *pattern;

	for (uint32_t i = 0; (pattern = h->nth(h, key, i)); i++) {
		if (like(name, pattern))
			return true;
	}
	return false;
}

bool head_wanted(struct pm_host *h, const char *ref)
{
	bool branches = h->nth(h, "branches", 0), tags = h->nth(h, "tags", 0);

	if (strncmp(ref, "refs/heads/", 11) == 0)
		return branches ? in_list(h, "branches", ref + 11) : !tags;
	if (strncmp(ref, "refs/tags/", 10) == 0)
		return tags ? in_list(h, "tags", ref + 10) : !branches;
	return !branches && !tags;
}
