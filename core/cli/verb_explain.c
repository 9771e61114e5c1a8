/* explain: an event, given or from history, against the rules of the configuration. */
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "base/world.h"
#include "cli/client.h"
#include "cli/explaining.h"
#include "cli/given.h"
#include "cli/print.h"
#include "cli/print_explain.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define NO_NUMBER 1 /* routing wants one of what is not in the journal */

struct wanted { /* the event to explain */
	struct event *ev;
	bool refused;
	struct client_connection *history; /* NULL: it was given */
};

/* A file may have a number for its name; then it is written ./12. */
static bool is_number(const char *word, int64_t *seq)
{
	return units_integer(word, seq) && *seq > 0;
}

static void take_original(json_t *line, void *arg)
{
	struct wanted *w = arg;
	json_t *text = json_object_get(line, "event");
	struct event *parsed =
		event_parse(json_string_value(text), json_string_length(text), "pointsman", NULL);
	struct event ev;

	if (!parsed)
		return;
	ev = *parsed;
	ev.at = json_integer_value(json_object_get(line, "at"));
	ev.cause = (uint64_t)json_integer_value(json_object_get(line, "cause"));
	ev.caused_by = json_string_value(json_object_get(line, "caused_by"));
	ev.origin = (uint64_t)json_integer_value(json_object_get(line, "origin"));
	ev.hops = (uint32_t)json_integer_value(json_object_get(line, "hops"));
	w->ev = event_create(&ev);
	w->refused = json_is_true(json_object_get(line, "refused"));
	event_unref(parsed);
}

static int ask(struct client_connection *c, const char *verb, int64_t seq, client_line_fn *line,
	       void *arg)
{
	return client_ask(c, json_pack("{ss sI}", "verb", verb, "seq", (json_int_t)seq), line, arg,
			  NULL);
}

static int recall(struct wanted *w, int64_t seq)
{
	int status = ask(w->history, "original", seq, take_original, w);

	if (status == EX_OK && !w->ev) {
		fprintf(stderr, "pointsman: event %lld cannot be read back\n", (long long)seq);
		status = EX_SOFTWARE;
	}
	return status;
}

static void take_cell(json_t *line, void *arg)
{
	json_object_set(arg, "now", line);
}

/* What a rule that would gather the event holds by now. */
static void add_now(const struct wanted *w, json_t *rule)
{
	json_t *group = json_object_get(rule, "group");

	if (!w->history || !json_is_object(json_object_get(rule, "holds")))
		return;
	client_ask(w->history,
		   json_pack("{ss sO sO}", "verb", "cell", "rule", json_object_get(rule, "rule"),
			     "group", group),
		   take_cell, rule, NULL);
}

/* As though it were accepted now. */
static struct event *accepted_now(const struct event *parsed, const char *instance)
{
	struct event ev = *parsed;

	if (instance)
		ev.instance = instance;
	ev.seq = NO_NUMBER;
	ev.at = world_real()->wall(world_real());
	return event_create(&ev);
}

static int take_given(const struct options *o, const char *name, struct wanted *w)
{
	struct buf text = {0};
	struct err err = {{0}};
	struct event *parsed = NULL;
	int status = given_event(o, name, &text);

	if (status == EX_OK) {
		parsed = event_parse(text.data, text.len, "send", &err);
		if (parsed && event_check(parsed, &err)) {
			w->ev = accepted_now(parsed, o->instance);
		} else {
			fprintf(stderr, "pointsman: %s: %s\n", name, err.text);
			status = EX_DATAERR;
		}
	}
	event_unref(parsed);
	buf_free(&text);
	return status;
}

static void print_masked(json_t *line)
{
	struct buf text = {0};
	char *dumped = json_dumps(line, JSON_COMPACT);

	buf_text_add(&text, dumped);
	log_mask(&text);
	puts(buf_text(&text));
	buf_free(&text);
	free(dumped);
}

static void print_event_of(const struct options *o, const struct wanted *w)
{
	struct event shown = *w->ev;
	const struct event *ev = &shown;
	bool recalled = w->history != NULL;
	struct buf head = {0};

	if (!recalled)
		shown.seq = 0;
	if (o->json) {
		buf_text_add(&head, "{\"event\":");
		event_json(ev, &head);
		buf_printf(&head, ",\"recalled\":%s,\"refused\":%s}\n", recalled ? "true" : "false",
			   w->refused ? "true" : "false");
	} else {
		buf_text_add(&head, "event ");
		if (recalled)
			buf_printf(&head, "%llu  ", (unsigned long long)ev->seq);
		buf_printf(&head, "%s  %s%sfrom %s\n", ev->type, ev->subject ? ev->subject : "",
			   ev->subject ? "  " : "", ev->instance);
		if (w->refused)
			buf_text_add(&head,
				     "it was refused at intake, so no rule was asked then\n");
		buf_char(&head, '\n');
	}
	log_mask(&head);
	fputs(buf_text(&head), stdout);
	buf_free(&head);
}

static bool chosen(const struct options *o, json_t *rule, size_t *foreign)
{
	const char *name = json_string_value(json_object_get(rule, "rule"));

	if (o->rule)
		return strcmp(o->rule, name) == 0;
	if (o->json || o->verbose || !explained_is_foreign(rule))
		return true;
	++*foreign;
	return false;
}

static void print_rules(const struct options *o, const struct wanted *w, const struct explaining *x)
{
	size_t foreign = 0;
	json_t *rule;

	for (size_t i = 0; (rule = explaining_rule(x, i)); i++) {
		if (chosen(o, rule, &foreign)) {
			add_now(w, rule);
			if (o->json)
				print_masked(rule);
			else
				print_explained(rule);
		}
		json_decref(rule);
	}
	if (foreign)
		printf("%zu rule%s about other types of events (-v shows %s)\n", foreign,
		       foreign == 1 ? " is" : "s are", foreign == 1 ? "it" : "them");
}

static bool rule_is_known(const struct options *o, const struct config *c)
{
	const char **names;
	const char *near;

	if (!o->rule || config_rule(c, o->rule))
		return true;
	names = mem_zero((c->nrules + 1) * sizeof *names);
	for (size_t i = 0; i < c->nrules; i++)
		names[i] = c->rules[i].name;
	near = report_nearest(o->rule, names, c->nrules);
	fprintf(stderr, "pointsman: there is no rule `%s`%s%s%s\n", o->rule,
		near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
	free(names);
	return false;
}

static int explain(const struct options *o, const struct config *c, const struct wanted *w)
{
	struct loader *loader = loader_new(options_plugins(c));
	struct err err = {{0}};
	struct explaining *x = explaining_new(c, loader, w->ev, &err);

	if (x) {
		print_event_of(o, w);
		print_rules(o, w, x);
	} else {
		fprintf(stderr, "pointsman: %s\n", err.text);
	}
	explaining_free(x);
	loader_free(loader);
	return x ? EX_OK : EX_CONFIG;
}

static bool is_of(const struct options *o, json_t *verdict)
{
	return !o->rule ||
	       strcmp(o->rule, json_string_value(json_object_get(verdict, "rule"))) == 0;
}

static json_t *of_rule(const struct options *o, json_t *list)
{
	json_t *kept = json_array(), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (is_of(o, one))
			json_array_append(kept, one);
	}
	return kept;
}

/* `deliveries` as they were decided: how they went is `events show`'s to tell. */
static json_t *duties(const struct options *o, json_t *deliveries)
{
	json_t *list = json_array(), *d, *mine = of_rule(o, deliveries);
	size_t i;

	json_array_foreach(mine, i, d)
	{
		json_array_append_new(list,
				      json_pack("{sO sO}", "target", json_object_get(d, "target"),
						"rule", json_object_get(d, "rule")));
	}
	json_decref(mine);
	return list;
}

static void print_then(json_t *line, void *arg)
{
	const struct options *o = arg;
	json_t *then = json_pack("{sO sO sO sO so so}", "seq", json_object_get(line, "seq"), "at",
				 json_object_get(line, "at"), "generation",
				 json_object_get(line, "generation"), "refused",
				 json_object_get(line, "refused"), "decided",
				 of_rule(o, json_object_get(line, "decided")), "duties",
				 duties(o, json_object_get(line, "deliveries")));

	if (o->json)
		print_masked(then);
	else
		print_decision(then);
	json_decref(then);
}

static int explain_known(const struct options *o, const struct config *c, int64_t seq)
{
	struct wanted w = {0};
	int status;

	if (!rule_is_known(o, c))
		return EX_USAGE;
	if (seq)
		w.history = client_open(o, &status);
	if (seq && !w.history)
		return status;
	status = seq ? recall(&w, seq) : take_given(o, o->words[0], &w);
	if (status == EX_OK)
		status = explain(o, c, &w);
	if (w.history)
		client_close(w.history);
	event_unref(w.ev);
	return status;
}

static int explain_now(const struct options *o, int64_t seq)
{
	struct config *c = options_config(o, true);
	int status = c ? explain_known(o, c, seq) : EX_CONFIG;

	config_free(c);
	return status;
}

static int explain_then(const struct options *o, int64_t seq)
{
	int status;
	struct client_connection *c = client_open(o, &status);

	if (!c)
		return status;
	status = ask(c, "event", seq, print_then, (void *)(uintptr_t)o);
	client_close(c);
	return status;
}

int verb_explain(const struct options *o)
{
	int64_t seq = 0;

	if (o->nwords == 1 && !is_number(o->words[0], &seq))
		seq = 0;
	if (o->nwords != 1 || (o->then && !seq)) {
		fputs("pointsman: explain EVENT.json|-|NUMBER; --then takes a NUMBER\n", stderr);
		return EX_USAGE;
	}
	return o->then ? explain_then(o, seq) : explain_now(o, seq);
}
