#include "base/mem.h"
#include "config/forms.h"
#include "config/read.h"

#include <stdlib.h>
#include <string.h>

#define MOST_DELIVERIES 1000000
#define MOST_ANSWERS    1000

static const char *const words[] = {"down", "again", "reject", NULL};

/* Elements of a list, each with its place. */
struct elements {
	const struct ini_key *key;
	char *text, **list;
	size_t next, at;
};

static struct elements elements_of(const struct section *s, const char *name)
{
	struct elements e = {.key = section_key(s, name), .text = section_text(s, name)};
	size_t empty;

	e.list = e.text ? list_split(e.text, &empty) : NULL;
	if (e.text && !e.list)
		report_error(s->report, config_place(e.key, e.text, empty),
			     "%s: an element is missing here; elements are separated by one comma",
			     name);
	return e;
}

/* NULL after the last. */
static char *next_element(struct elements *e, struct place *at)
{
	char *one = e->list ? e->list[e->next] : NULL;

	if (!one)
		return NULL;
	e->next++;
	e->at = (size_t)(strstr(e->text + e->at, one) - e->text);
	*at = config_place(e->key, e->text, e->at);
	e->at += strlen(one);
	return one;
}

static void elements_free(struct elements *e)
{
	list_free(e->list);
	free(e->text);
}

/* `x3`; not there: 1. */
static bool read_times(const char *word, uint32_t most, uint32_t *times)
{
	*times = 1;
	return !word || (*word == 'x' && form_number(word + 1, 1, most, times, NULL));
}

static void read_step(struct test_config *t, const struct section *s, const char *text,
		      struct place at)
{
	struct test_step step = {.at = at};
	struct err err;

	if (*text != '+') {
		step.file = reference_path(text, s->ini->at.file);
	} else if (!form_duration(text + 1, &step.pass_ms, &err)) {
		report_error(s->report, at, "given: %s; time that passes is written like +10m",
			     err.text);
		return;
	}
	t->steps = mem_grow(t->steps, t->nsteps + 1, sizeof *t->steps);
	t->steps[t->nsteps++] = step;
}

static void read_given(struct test_config *t, const struct section *s)
{
	struct elements e = elements_of(s, "given");
	struct place at;
	char *one;

	while ((one = next_element(&e, &at)))
		read_step(t, s, one, at);
	elements_free(&e);
}

static bool parse_answer(char *text, struct test_answer *out)
{
	char *rest, *target = strtok_r(text, " \t", &rest), *reply = strtok_r(NULL, " \t", &rest);
	char *times = strtok_r(NULL, " \t", &rest);
	size_t len = strlen(target);
	int word = 0;

	if (len < 2 || target[len - 1] != ':' || !reply || strtok_r(NULL, " \t", &rest) ||
	    !read_times(times, MOST_ANSWERS, &out->times))
		return false;
	while (words[word] && strcmp(words[word], reply) != 0)
		word++;
	out->reply = (enum test_reply)word;
	out->target = mem_slice(target, len - 1);
	return words[word] != NULL;
}

static void read_answers(struct test_config *t, const struct section *s)
{
	struct elements e = elements_of(s, "answer");
	struct test_answer one = {0};
	char *text;

	while ((text = next_element(&e, &one.at))) {
		one.target = NULL;
		if (!parse_answer(text, &one)) {
			report_error(s->report, one.at,
				     "answer: TARGET: down, again or reject, and how often up to "
				     "x%d, like slack: down x3",
				     MOST_ANSWERS);
			free(one.target);
			continue;
		}
		t->answers = mem_grow(t->answers, t->nanswers + 1, sizeof *t->answers);
		t->answers[t->nanswers++] = one;
	}
	elements_free(&e);
}

/* `RULE -> TARGET [xN] [dead]` */
static bool parse_expected(char *text, struct test_expected *out)
{
	char *rest, *rule = strtok_r(text, " \t", &rest), *arrow = strtok_r(NULL, " \t", &rest);
	char *target = strtok_r(NULL, " \t", &rest), *word = strtok_r(NULL, " \t", &rest);
	bool counted = word && *word == 'x';

	if (!arrow || strcmp(arrow, "->") != 0 || !target ||
	    !read_times(counted ? word : NULL, MOST_DELIVERIES, &out->times))
		return false;
	if (counted)
		word = strtok_r(NULL, " \t", &rest);
	out->dead = word != NULL;
	if (word && (strcmp(word, "dead") != 0 || strtok_r(NULL, " \t", &rest)))
		return false;
	out->rule = mem_text(rule);
	out->target = mem_text(target);
	return true;
}

static void read_expected(struct test_config *t, const struct section *s)
{
	struct elements e = elements_of(s, "expect");
	struct test_expected one = {0};
	char *text;

	if (e.list && !e.list[1] && strcmp(e.list[0], "none") == 0)
		e.next = 1;
	while ((text = next_element(&e, &one.at))) {
		if (!parse_expected(text, &one)) {
			report_error(s->report, one.at,
				     "expect: `none`, or RULE -> TARGET, or RULE -> TARGET x2, "
				     "with `dead` behind it for dead letters, separated by commas");
			continue;
		}
		t->expected = mem_grow(t->expected, t->nexpected + 1, sizeof *t->expected);
		t->expected[t->nexpected++] = one;
	}
	elements_free(&e);
}

static bool is_value(const struct ini_key *k)
{
	return strncmp(k->name, "expect.", 7) == 0 && k->name[7];
}

static void check_keys(const struct section *s)
{
	static const char *const known[] = {"for", "given", "answer", "expect"};

	for (size_t i = 0; i < s->ini->n; i++) {
		const struct ini_key *k = &s->ini->keys[i];
		bool good = is_value(k);

		for (size_t n = 0; n < sizeof known / sizeof *known; n++)
			good = good || strcmp(k->name, known[n]) == 0;
		if (!good)
			report_error(s->report, k->at,
				     "unknown key `%s` in [test]; there are for, given, answer, "
				     "expect and expect.KEY",
				     k->name);
	}
}

/* What stands in a file is taken as it stands. */
static bool read_value(const struct section *s, const struct ini_key *k, struct setting *out)
{
	char *text;

	if (!section_setting(s, k, k->name + 7, out))
		return false;
	if (out->file)
		return true;
	text = section_text(s, k->name);
	free(out->value);
	out->value = text ? text : mem_text("");
	return true;
}

static void read_values(struct test_config *t, const struct section *s)
{
	struct setting one;

	for (size_t i = 0; i < s->ini->n; i++) {
		const struct ini_key *k = &s->ini->keys[i];

		if (!is_value(k) || !read_value(s, k, &one))
			continue;
		if (k->comment.line)
			report_error(s->report, k->comment,
				     "%s: ` ;` starts a comment; write `\\;` for a semicolon, or "
				     "put the comment on a line of its own",
				     k->name);
		t->values = mem_grow(t->values, t->n + 1, sizeof *t->values);
		t->values[t->n++] = one;
	}
}

void read_test(struct config *c, const struct section *s)
{
	struct test_config t = {.at = s->ini->at};

	t.name = mem_text(s->name);
	check_keys(s);
	read_given(&t, s);
	read_answers(&t, s);
	read_expected(&t, s);
	read_values(&t, s);
	if (!s->ini->broken && (!section_key(s, "given") || !section_key(s, "expect")))
		section_error(s, NULL, "[test %s] lacks `%s`", s->name,
			      section_key(s, "given") ? "expect" : "given");
	mem_room(c->tests, c->ntests, c->tests_cap);
	c->tests[c->ntests++] = t;
}

void test_free(struct test_config *t)
{
	for (size_t i = 0; i < t->nsteps; i++)
		free(t->steps[i].file);
	for (size_t i = 0; i < t->nanswers; i++)
		free(t->answers[i].target);
	for (size_t i = 0; i < t->nexpected; i++) {
		free(t->expected[i].rule);
		free(t->expected[i].target);
	}
	free(t->steps);
	free(t->answers);
	free(t->expected);
	setting_list_free(t->values, t->n);
	free(t->name);
}

static const char *only_target(const struct test_config *t)
{
	for (size_t i = 1; i < t->nexpected; i++) {
		if (strcmp(t->expected[i].target, t->expected[0].target) != 0)
			return NULL;
	}
	return t->nexpected ? t->expected[0].target : NULL;
}

const char *test_value_target(const struct config *c, const struct test_config *t,
			      const struct setting *value, const char **key)
{
	size_t len = strcspn(value->name, ".");
	char *first = mem_slice(value->name, len);
	const struct instance_config *named = value->name[len] ? config_instance(c, first) : NULL;

	free(first);
	*key = named ? value->name + len + 1 : value->name;
	return named ? named->name : only_target(t);
}
