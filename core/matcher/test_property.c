/*
 * The compiled set against judge.h, rule by rule, on random rules and events.
 *
 *   test_matcher_property [--pairs N] [--seed S]
 *
 * A disagreement is made as small as it gets, and printed with the seed of its set.  Each set
 * is tried in a process of its own, so that a crash is a disagreement, too.
 */
#include "base/mem.h"
#include "matcher/matcher.h"
#include "matcher/testrules.h"
#include "rules/judge.h"
#include "json/check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define OPS      (EXPR_RANGE + 1)
#define PATIENCE 60 /* seconds, for one set */

enum language { EXPRESSION, PATTERN_OF_EVENT, PATTERN_OF_DATA };

struct rule {
	enum language language;
	struct buf text;
};

static const char *const attributes[] = {"type", "source", "subject", "time", "id", "instance"};

struct sample { /* an event */
	struct buf data;
	struct buf attributes[COUNT(attributes)];
};

/* Rules, and events that are matched one after the other. */
struct trial {
	struct rule *rules;
	size_t nrules, rules_made, rules_cap;
	struct sample *events;
	size_t nevents, events_made, events_cap;
};

/* Of how many rules with an operator the answer was false, and true; in memory that all
 * processes share. */
static uint64_t (*answers)[2];

static struct expr *parse(struct arena *a, const struct rule *r)
{
	const char *text = buf_text(&r->text);
	size_t at;

	if (strlen(text) != r->text.len)
		return NULL;
	if (r->language == EXPRESSION)
		return expr_parse(a, text, &at, NULL);
	return pattern_parse(a, r->language == PATTERN_OF_EVENT ? PATTERN_EVENT : PATTERN_DATA,
			     text, r->text.len, &at, NULL);
}

/* Both sides of the comparison. */
struct sides {
	struct arena trees;
	struct expr **exprs;
	struct judge **judges;
	size_t n;
	struct matcher *matcher;
	struct judge_memory memory;
	struct matching matching;
};

/* The matcher's trees are gone when it is compiled. */
static struct matcher *compile(const struct trial *t)
{
	struct matcher_draft *draft = matcher_draft();

	for (size_t i = 0; i < t->nrules; i++) {
		struct arena a = {0};

		matcher_add(draft, parse(&a, &t->rules[i]));
		arena_free(&a);
	}
	return matcher_compile(draft);
}

static void sides_make(struct sides *s, const struct trial *t)
{
	*s = (struct sides){.n = t->nrules};
	s->exprs = mem_zero(t->nrules * sizeof *s->exprs);
	s->judges = mem_zero(t->nrules * sizeof *s->judges);
	for (size_t i = 0; i < t->nrules; i++) {
		s->exprs[i] = parse(&s->trees, &t->rules[i]);
		s->judges[i] = judge_new(s->exprs[i]);
	}
	s->matcher = compile(t);
}

static void sides_free(struct sides *s)
{
	for (size_t i = 0; i < s->n; i++)
		judge_free(s->judges[i]);
	free(s->judges);
	free(s->exprs);
	judge_memory_free(&s->memory);
	matching_free(&s->matching);
	matcher_free(s->matcher);
	arena_free(&s->trees);
}

static struct event *event_of(const struct sample *s)
{
	const struct buf *a = s->attributes;
	struct event ev = {.type = buf_text(&a[0]),
			   .source = buf_text(&a[1]),
			   .subject = a[2].len ? buf_text(&a[2]) : NULL,
			   .time = buf_text(&a[3]),
			   .id = buf_text(&a[4]),
			   .instance = buf_text(&a[5]),
			   .data = buf_text(&s->data),
			   .data_len = s->data.len};

	return event_create(&ev);
}

static void count_answer(const struct expr *e, bool answer)
{
	if (e->kind == EXPR_TEST)
		answers[e->op][answer]++;
	for (size_t i = 0; i < e->nparts; i++)
		count_answer(e->parts[i], answer);
}

/* The rule about which they disagree, or the number of rules. */
static size_t disagreement(struct sides *s, const struct sample *sample)
{
	struct event *ev = event_of(sample);
	size_t hit = 0, i = 0;
	uint64_t mismatches = 0;

	matcher_match(s->matcher, ev, &s->matching);
	for (; i < s->n; i++) {
		bool holds = judge_event(s->judges[i], ev, &s->memory, NULL, &mismatches);
		bool matched = hit < s->matching.nhits && s->matching.hits[hit] == i;

		if (matched != holds)
			break;
		hit += matched;
		count_answer(s->exprs[i], holds);
	}
	event_unref(ev);
	if (i < s->n)
		fprintf(stderr, "  rule %zu: %s by the judge, not by the matcher\n", i,
			hit < s->matching.nhits && s->matching.hits[hit] == i ? "false" : "true");
	else if (hit < s->matching.nhits)
		i = s->n - 1;
	return i;
}

/* The event at which they disagree first, or the number of events. */
static size_t first_disagreement(const struct trial *t)
{
	struct sides sides;
	size_t i = 0;

	sides_make(&sides, t);
	while (i < t->nevents && disagreement(&sides, &t->events[i]) == sides.n)
		i++;
	sides_free(&sides);
	return i;
}

/* Do they disagree, crash, leak or take for ever? */
static bool wrong(const struct trial *t, bool quiet)
{
	pid_t child;
	int status = 0;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		alarm(PATIENCE);
		if (quiet)
			dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		exit(first_disagreement(t) < t->nevents);
	}
	return child == -1 || waitpid(child, &status, 0) == -1 || status != 0;
}

static bool rules_fit(const struct trial *t)
{
	struct arena a = {0};
	bool fit = true;

	for (size_t i = 0; i < t->nrules; i++)
		fit = fit && parse(&a, &t->rules[i]);
	arena_free(&a);
	return fit;
}

static bool still_wrong(const struct trial *t)
{
	for (size_t i = 0; i < t->nevents; i++) {
		const struct buf *data = &t->events[i].data;

		if (!json_check(buf_text(data), data->len, JSON_MAX_DEPTH, NULL) ||
		    json_root(data->data, data->len).kind != KIND_OBJECT)
			return false;
	}
	return rules_fit(t) && wrong(t, true);
}

/* Leave out as many pieces of an array as can be, the large ones first.  What is left out
 * moves behind the rest. */
static void shrink(struct trial *t, void *array, size_t *n, size_t size)
{
	char *items = array, *before = mem_zero(*n * size);

	for (size_t piece = *n; piece > 0; piece /= 2) {
		for (size_t at = 0; at + piece <= *n;) {
			size_t rest = *n - at - piece;

			memcpy(before, items, *n * size);
			memcpy(items + at * size, before + (at + piece) * size, rest * size);
			memcpy(items + (at + rest) * size, before + at * size, piece * size);
			*n -= piece;
			if (still_wrong(t))
				continue;
			*n += piece;
			memcpy(items, before, *n * size);
			at += piece;
		}
	}
	free(before);
}

/* With a NUL behind, as buf.h promises. */
static void shrink_text(struct trial *t, struct buf *text)
{
	struct buf whole = *text;

	for (size_t piece = whole.len; piece > 0; piece /= 2) {
		for (size_t at = 0; at + piece <= whole.len;) {
			struct buf less = {0};

			buf_add(&less, buf_text(&whole), at);
			buf_add(&less, buf_text(&whole) + at + piece, whole.len - at - piece);
			*text = less;
			if (still_wrong(t)) {
				buf_free(&whole);
				whole = less;
			} else {
				buf_free(&less);
				at += piece;
			}
		}
	}
	*text = whole;
}

static void print(const struct trial *t, uint64_t seed)
{
	static const char *const languages[] = {"expression", "pattern of an event",
						"pattern of data"};

	fprintf(stderr, "disagreement in the set of seed %" PRIu64 ":\n", seed);
	for (size_t i = 0; i < t->nrules; i++)
		fprintf(stderr, "  rule %zu, %s: %s\n", i, languages[t->rules[i].language],
			buf_text(&t->rules[i].text));
	for (size_t i = 0; i < t->nevents; i++) {
		fprintf(stderr, "  event %zu: %s\n", i, buf_text(&t->events[i].data));
		for (size_t k = 0; k < COUNT(t->events[i].attributes); k++)
			fprintf(stderr, "    %s: \"%s\"\n", attributes[k],
				buf_text(&t->events[i].attributes[k]));
	}
	if (wrong(t, false))
		fprintf(stderr, "  so it is.\n");
}

static void report(struct trial *t, uint64_t seed)
{
	shrink(t, t->events, &t->nevents, sizeof *t->events);
	shrink(t, t->rules, &t->nrules, sizeof *t->rules);
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < t->nrules; i++)
			shrink_text(t, &t->rules[i].text);
		for (size_t i = 0; i < t->nevents; i++)
			shrink_text(t, &t->events[i].data);
	}
	print(t, seed);
}

static void add_rule(struct trial *t, struct testrules *random)
{
	struct rule r = {.language = testrules_pick(random, 3)};
	struct arena a = {0};

	if (t->nrules > 0 && testrules_pick(random, 8) == 0) {
		const struct rule *again = &t->rules[testrules_pick(random, (unsigned)t->nrules)];

		r.language = again->language;
		buf_add(&r.text, again->text.data, again->text.len);
	} else if (r.language == EXPRESSION) {
		testrules_expression(random, &r.text);
	} else {
		testrules_pattern(random,
				  r.language == PATTERN_OF_DATA ? PATTERN_DATA : PATTERN_EVENT,
				  &r.text);
	}
	if (parse(&a, &r)) {
		mem_room(t->rules, t->nrules, t->rules_cap);
		t->rules[t->nrules++] = r;
		t->rules_made++;
	} else {
		buf_free(&r.text);
	}
	arena_free(&a);
}

static void add_event(struct trial *t, struct testrules *random)
{
	struct sample s = {0};

	testrules_event(random, &s.data);
	for (size_t i = 0; i < COUNT(s.attributes); i++)
		buf_add(&s.attributes[i], random->attributes[i].data, random->attributes[i].len);
	mem_room(t->events, t->nevents, t->events_cap);
	t->events[t->nevents++] = s;
	t->events_made++;
}

static void trial_free(struct trial *t)
{
	for (size_t i = 0; i < t->rules_made; i++)
		buf_free(&t->rules[i].text);
	for (size_t i = 0; i < t->events_made; i++) {
		buf_free(&t->events[i].data);
		for (size_t k = 0; k < COUNT(t->events[i].attributes); k++)
			buf_free(&t->events[i].attributes[k]);
	}
	free(t->rules);
	free(t->events);
}

/* One set; how many pairs it made, 0 if they disagree. */
static size_t try_set(uint64_t seed)
{
	static const size_t sizes[] = {1, 1, 2, 2, 5, 20, 20, 100, 500, 3000};
	struct testrules random = {0};
	struct trial t = {0};
	size_t rules, events, pairs;

	testrules_begin(&random, seed);
	rules = sizes[testrules_pick(&random, COUNT(sizes))];
	events = rules < 100 ? 50 : 10;
	for (size_t i = 0; i < rules || t.nrules == 0; i++)
		add_rule(&t, &random);
	for (size_t i = 0; i < events; i++)
		add_event(&t, &random);
	pairs = t.nrules * t.nevents;
	if (wrong(&t, false)) {
		report(&t, seed);
		pairs = 0;
	}
	trial_free(&t);
	testrules_end(&random);
	return pairs;
}

/* A test that never sees an operator hold, or fail, would not see it go wrong. */
static bool all_operators_seen(void)
{
	bool all = true;

	for (size_t op = 0; op < OPS; op++) {
		for (int answer = 0; answer < 2; answer++) {
			if (answers[op][answer] > 0)
				continue;
			fprintf(stderr, "no rule with operator %zu was %s\n", op,
				answer ? "true" : "false");
			all = false;
		}
	}
	return all;
}

int main(int argc, char **argv)
{
	uint64_t wanted = 300000, seed = 1, pairs = 0, sets = 0, failed = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--pairs") == 0)
			wanted = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
	}
	if (argc % 2 == 0 || !wanted) {
		fprintf(stderr, "usage: %s [--pairs N] [--seed S]\n", argv[0]);
		return EX_USAGE;
	}
	answers = mmap(NULL, OPS * sizeof *answers, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (; pairs < wanted && failed < 5; sets++) {
		size_t n = try_set(seed + sets);

		pairs += n;
		failed += n == 0;
	}
	printf("%" PRIu64 " pairs of rule and event in %" PRIu64 " sets, from seed %" PRIu64 "\n",
	       pairs, sets, seed);
	return failed || (wanted >= 100000 && !all_operators_seen()) ? 1 : 0;
}
