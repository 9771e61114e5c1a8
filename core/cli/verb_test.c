#include "base/mem.h"
#include "cli/jsonline.h"
#include "cli/verbs.h"
#include "plugin/check.h"
#include "rehearse/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define EX_FAILED 1

static json_t *lines_json(const struct trial_lines *lines)
{
	json_t *list = json_array();

	for (size_t i = 0; i < lines->n; i++)
		json_array_append_new(list, json_string(lines->list[i]));
	return list;
}

static json_t *keys_json(const struct trial *t, const struct rehearsed *d)
{
	struct scope scope = trial_scope(t, d);
	json_t *keys = json_object();
	struct preview preview;

	preview_make(&scope, &preview);
	for (size_t i = 0; i < preview.n; i++)
		json_object_set_new(keys, preview.keys[i].key, jsonline_text(preview.keys[i].text));
	preview_clear(&preview);
	return keys;
}

static json_t *delivery_json(const struct trial *t, const struct rehearsed *d)
{
	return json_pack("{ss ss s{sI ss ss} sI ss so so}", "rule", d->rule, "target", d->target,
			 "event", "seq", (json_int_t)d->event->seq, "type", d->event->type, "id",
			 d->event->id, "attempts", (json_int_t)d->attempts, "state",
			 delivery_state_name(d->state), "why", jsonline_text(d->why), "keys",
			 keys_json(t, d));
}

static char *place_of(const struct test_config *test)
{
	return mem_format("%s:%u", test->at.file, test->at.line);
}

static void print_json(const struct trial *t)
{
	json_t *deliveries = json_array();
	char *place = place_of(t->test);
	const struct rehearsed *d;
	struct buf line = {0};

	for (size_t i = 0; t->rehearsal && (d = rehearsal_delivery(t->rehearsal, i)); i++)
		json_array_append_new(deliveries, delivery_json(t, d));
	jsonline_add(&line, json_pack("{ss sb ss so so so}", "test", t->test->name, "ok",
				      t->problems.n == 0, "place", place, "problems",
				      lines_json(&t->problems), "reasons", lines_json(&t->reasons),
				      "deliveries", deliveries));
	fputs(buf_text(&line), stdout);
	buf_free(&line);
	free(place);
}

static void print_text(const struct trial *t)
{
	char *place = place_of(t->test);

	if (!t->problems.n) {
		printf("ok      %s\n", t->test->name);
	} else {
		printf("FAILED  %s  %s\n", t->test->name, place);
		for (size_t i = 0; i < t->problems.n; i++)
			printf("    %s\n", t->problems.list[i]);
		for (size_t i = 0; i < t->reasons.n; i++)
			printf("      %s\n", t->reasons.list[i]);
	}
	free(place);
}

static bool is_chosen(const struct options *o, const char *name)
{
	for (size_t i = 0; i < o->nwords; i++) {
		if (strcmp(o->words[i], name) == 0)
			return true;
	}
	return o->nwords == 0;
}

struct tally {
	size_t n, failed;
};

static void print_tally(const struct options *o, struct tally tally)
{
	if (o->json)
		return;
	if (tally.n == 0)
		puts("there are no tests: a section [test NAME] is one");
	else if (tally.failed)
		printf("%zu test%s, %zu failed\n", tally.n, tally.n == 1 ? "" : "s", tally.failed);
	else
		printf("%zu test%s: ok\n", tally.n, tally.n == 1 ? "" : "s");
}

static int run_tests(const struct options *o, const struct config *c, struct loader *loader)
{
	struct trials *trials = trials_new(c, loader);
	struct tally tally = {0};

	for (size_t i = 0; i < c->ntests; i++) {
		struct trial trial;

		if (!is_chosen(o, c->tests[i].name))
			continue;
		trial_run(trials, &c->tests[i], &trial);
		tally.n++;
		tally.failed += trial.problems.n > 0;
		if (o->json)
			print_json(&trial);
		else if (!o->quiet || trial.problems.n)
			print_text(&trial);
		trial_clear(&trial);
	}
	print_tally(o, tally);
	trials_free(trials);
	return tally.failed ? EX_FAILED : EX_OK;
}

static bool knows_names(const struct options *o, const struct config *c)
{
	const char **names = mem_zero((c->ntests + 1) * sizeof *names), *near;
	bool all = true;

	for (size_t i = 0; i < c->ntests; i++)
		names[i] = c->tests[i].name;
	for (size_t i = 0; i < o->nwords; i++) {
		if (map_get(&c->test_names, o->words[i]))
			continue;
		near = report_nearest(o->words[i], names, c->ntests);
		fprintf(stderr, "pointsman: there is no [test %s]%s%s%s\n", o->words[i],
			near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
		all = false;
	}
	free(names);
	return all;
}

static bool lacks_files(const struct config *c)
{
	for (size_t i = 0; i < c->ntests; i++) {
		for (size_t k = 0; k < c->tests[i].nsteps; k++) {
			const char *file = c->tests[i].steps[k].file;

			if (file && access(file, R_OK) != 0)
				return true;
		}
	}
	return false;
}

static void print_mistakes(struct report *report)
{
	struct buf text = {0};

	report_print(report, &text);
	fputs(buf_text(&text), stderr);
	buf_free(&text);
}

int verb_test(const struct options *o)
{
	struct report report = {0};
	struct config *c = config_load(o->paths, o->npaths, &report);
	struct loader *loader = loader_new(options_plugins(c));
	int status = EX_USAGE;

	check_config(c, loader, &report);
	if (report.errors) {
		print_mistakes(&report);
		status = lacks_files(c) ? EX_NOINPUT : EX_CONFIG;
	} else if (knows_names(o, c)) {
		status = run_tests(o, c, loader);
	}
	report_free(&report);
	loader_free(loader);
	config_free(c);
	return status;
}
