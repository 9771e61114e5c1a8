#include "base/mem.h"
#include "cli/lines.h"
#include "cli/patterns.h"
#include "cli/speed.h"
#include "cli/verbs.h"
#include "json/check.h"
#include "json/unique.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define WRITE_AT ((size_t)64 * 1024)

struct run {
	const struct options *o;
	struct lines events;
	struct matcher *matcher;
	struct matching matching;
	uint64_t *counts;  /* by pattern */
	struct texts kept; /* the events, if their matching is to be timed */
	struct buf unique, out;
	bool broken; /* nobody takes what we print */
};

static void output_fails(struct run *r)
{
	r->broken = true;
	if (errno != EPIPE)
		fprintf(stderr, "pointsman: standard output: %s\n", strerror(errno));
}

static void write_out(struct run *r)
{
	const char *from = buf_text(&r->out), *end = from + r->out.len;

	while (from < end && !r->broken) {
		ssize_t n = write(STDOUT_FILENO, from, (size_t)(end - from));

		if (n >= 0)
			from += n;
		else if (errno != EINTR)
			output_fails(r);
	}
	buf_cut(&r->out, 0);
}

static void add_number(struct buf *out, uint64_t n)
{
	char digits[20];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(out, digits + i, sizeof digits - i);
}

static void add_hits(struct run *r)
{
	struct buf *out = &r->out;

	if (r->o->json)
		buf_printf(out, "{\"event\":%" PRIu64 ",\"patterns\":[", r->events.number);
	for (size_t i = 0; i < r->matching.nhits; i++) {
		if (i > 0)
			buf_char(out, r->o->json ? ',' : ' ');
		add_number(out, (uint64_t)r->matching.hits[i] + 1);
	}
	buf_text_add(out, r->o->json ? "]}\n" : "\n");
}

static void add_counts(struct run *r)
{
	const char *form =
		r->o->json ? "{\"pattern\":%zu,\"events\":%" PRIu64 "}\n" : "%zu\t%" PRIu64 "\n";

	for (size_t i = 0; i < matcher_rules(r->matcher); i++)
		buf_printf(&r->out, form, i + 1, r->counts[i]);
}

/* Is the line an event?  If a member comes twice, the last one counts, and *text becomes the
 * event without the others. */
static bool fit(struct run *r, char **text, size_t *len)
{
	struct json_fault fault = {.column = 1, .what = "the line is empty; each holds one event"};
	bool ok = *len > 0 && json_check(*text, *len, JSON_MAX_DEPTH, NULL);

	if (!ok && *len > 0 && json_check_repeats(*text, *len, JSON_MAX_DEPTH, &fault)) {
		buf_cut(&r->unique, 0);
		json_unique(*text, *len, &r->unique);
		*text = r->unique.data;
		*len = r->unique.len;
		ok = true;
	}
	if (ok && json_root(*text, *len).kind != KIND_OBJECT) {
		fault = (struct json_fault){.column = 1, .what = "an event is an object"};
		ok = false;
	}
	if (!ok)
		lines_fault(&r->events, fault.column, "%s", fault.what);
	return ok;
}

static void match(struct run *r, const char *text, size_t len)
{
	struct event ev = {.id = "",
			   .source = "",
			   .type = "",
			   .time = "",
			   .instance = "",
			   .data = text,
			   .data_len = len};

	matcher_match(r->matcher, &ev, &r->matching);
	if (!r->o->count)
		add_hits(r);
	for (size_t i = 0; i < r->matching.nhits; i++)
		r->counts[r->matching.hits[i]]++;
	if (r->o->time)
		texts_add(&r->kept, text, len);
}

/* A list of what comes through a pipe is printed as it comes, and before we wait for more. */
static void pass_on(struct run *r)
{
	if (!r->o->time && (r->out.len >= WRITE_AT || !lines_waiting(&r->events)))
		write_out(r);
}

static void match_all(struct run *r)
{
	char *text;
	size_t len;

	while (!r->broken && lines_next(&r->events, &text, &len)) {
		if (!fit(r, &text, &len) || r->events.faults)
			continue;
		match(r, text, len);
		pass_on(r);
	}
}

/* Go through the file once beforehand, so that nothing is printed if some line is not fit. */
static bool check_all(struct run *r)
{
	char *text;
	size_t len;

	while (lines_next(&r->events, &text, &len))
		fit(r, &text, &len);
	return lines_status(&r->events) == EX_OK && lines_rewind(&r->events);
}

static void print_speed(const struct run *r, const struct patterns *p)
{
	struct speed s = speed_measure(p, &r->kept);

	if (r->o->json)
		fprintf(stderr,
			"{\"events_per_second\":%.0f,\"event_bytes_per_second\":%.0f,"
			"\"rules_per_second\":%.0f,\"compiled_bytes\":%zu}\n",
			s.events, s.event_bytes, s.rules, s.bytes);
	else
		fprintf(stderr, "match: %.0f events/s, %.0f MB/s; compile: %.0f rules/s, %zu kB\n",
			s.events, s.event_bytes / 1e6, s.rules, (s.bytes + 999) / 1000);
}

static int match_events(struct run *r, const struct patterns *p)
{
	bool list = !r->o->count && !r->o->time;

	if (!list || !lines_again(&r->events) || check_all(r))
		match_all(r);
	if (!lines_good(&r->events)) {
		if (list)
			write_out(r);
		return lines_status(&r->events);
	}
	if (r->o->count)
		add_counts(r);
	write_out(r);
	if (r->o->time && !r->broken)
		print_speed(r, p);
	return r->broken ? EX_IOERR : EX_OK;
}

static void run_free(struct run *r)
{
	lines_close(&r->events);
	matching_free(&r->matching);
	matcher_free(r->matcher);
	free(r->counts);
	texts_free(&r->kept);
	buf_free(&r->unique);
	buf_free(&r->out);
}

static int run(const struct options *o, const struct patterns *p)
{
	struct run r = {.o = o};
	int status = EX_NOINPUT;

	if (lines_open(&r.events, o->words[1])) {
		r.matcher = patterns_compile(p);
		r.counts = mem_zero(p->texts.n * sizeof *r.counts);
		status = match_events(&r, p);
	}
	run_free(&r);
	return status;
}

static bool words_fit(const struct options *o)
{
	if (o->nwords != 2)
		fprintf(stderr, "usage: pointsman match [--where] [--count] [--time] [--json] "
				"PATTERNS EVENTS\n");
	else if (strcmp(o->words[0], "-") == 0 && strcmp(o->words[1], "-") == 0)
		fprintf(stderr, "pointsman: match: only one of PATTERNS and EVENTS can be - , "
				"standard input\n");
	else
		return true;
	return false;
}

int verb_match(const struct options *o)
{
	struct patterns patterns = {.where = o->where};
	struct lines lines;
	int status = EX_NOINPUT;

	if (!words_fit(o))
		return EX_USAGE;
	if (lines_open(&lines, o->words[0])) {
		patterns_read(&patterns, &lines);
		status = lines_good(&lines) ? run(o, &patterns) : lines_status(&lines);
		lines_close(&lines);
	}
	patterns_free(&patterns);
	return status;
}
