/* status, events and dlq: what reads, or changes by an operator's word, the journal. */
#include "base/units.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define PAGE         500
#define LIMIT_PEOPLE 50

struct listing {
	client_line_fn *fn;
	void *arg;
	long left; /* lines still wanted; -1: all */
};

static void one_line(json_t *object, void *arg)
{
	struct listing *l = arg;

	if (l->left == 0)
		return;
	if (l->left > 0)
		l->left--;
	l->fn(object, l->arg);
}

struct printing {
	const struct options *options;
	void (*print)(json_t *line);
};

static void print_line(json_t *object, void *arg)
{
	struct printing *p = arg;

	if (p->options->json)
		print_json(object);
	else
		p->print(object);
}

/* Ask page by page until all that is wanted was seen. */
static int walk(struct client_connection *c, json_t *request, const char *page_key,
		struct listing *l)
{
	uint64_t next = 0;
	int status;

	json_object_set_new(request, "limit", json_integer(PAGE));
	do {
		status = client_ask(c, json_deep_copy(request), one_line, l, &next);
		json_object_set_new(request, page_key, json_integer((json_int_t)next));
	} while (status == EX_OK && next && l->left);
	json_decref(request);
	return status;
}

static int ask_once(const struct options *o, json_t *request, void (*print)(json_t *line))
{
	struct printing p = {o, print};
	int status;
	struct client_connection *c = client_open(o, &status);

	if (c) {
		status = client_ask(c, request, print_line, &p, NULL);
		client_close(c);
	} else {
		json_decref(request);
	}
	return status;
}

int verb_status(const struct options *o)
{
	if (o->acknowledge)
		return ask_once(o, json_pack("{ss}", "verb", "acknowledge"), print_json);
	return ask_once(o, json_pack("{ss}", "verb", "status"), print_status);
}

static void set_text(json_t *request, const char *key, const char *value)
{
	if (value)
		json_object_set_new(request, key, json_string(value));
}

static int list(const struct options *o, json_t *request, const char *page_key,
		void (*print)(json_t *line), long limit)
{
	struct printing p = {o, print};
	struct listing l = {print_line, &p, o->limit ? o->limit : limit};
	int status;
	struct client_connection *c = client_open(o, &status);

	if (!c) {
		json_decref(request);
		return status;
	}
	status = walk(c, request, page_key, &l);
	client_close(c);
	return status;
}

static int events_list(const struct options *o)
{
	json_t *request = json_pack("{ss sb sb}", "verb", "events", "unrouted", (int)o->unrouted,
				    "refused", (int)o->refused);

	set_text(request, "type", o->type);
	set_text(request, "instance", o->instance);
	return list(o, request, "before", print_event, LIMIT_PEOPLE);
}

static bool sequence(const char *word, int64_t *seq)
{
	if (units_integer(word, seq) && *seq > 0)
		return true;
	fprintf(stderr, "pointsman: %s is no event number; `pointsman events list` shows them\n",
		word);
	return false;
}

static int events_show(const struct options *o)
{
	int status = EX_USAGE;
	int64_t seq;

	if (o->nwords < 2)
		fputs("pointsman: events show NUMBER..\n", stderr);
	for (size_t n = 1; n < o->nwords; n++) {
		if (!sequence(o->words[n], &seq))
			return EX_USAGE;
		status = ask_once(o, json_pack("{ss sI}", "verb", "event", "seq", (json_int_t)seq),
				  print_timeline);
		if (status != EX_OK)
			break;
	}
	return status;
}

static int unknown(const char *verb, const struct options *o, const char *choices)
{
	fprintf(stderr, "pointsman: %s: %s%s; there is %s\n", verb, o->nwords ? "unknown: " : "",
		o->nwords ? o->words[0] : "say what", choices);
	return EX_USAGE;
}

int verb_events(const struct options *o)
{
	if (o->nwords && strcmp(o->words[0], "list") == 0)
		return events_list(o);
	if (o->nwords && strcmp(o->words[0], "show") == 0)
		return events_show(o);
	if (o->nwords && strcmp(o->words[0], "save") == 0)
		return events_save(o);
	return unknown("events", o, "list, show NUMBER, save NUMBER");
}

static int dlq_list(const struct options *o)
{
	json_t *request = json_pack("{ss}", "verb", "dead");

	set_text(request, "target", o->target);
	return list(o, request, "after", print_dead, -1);
}

/* "17/slack-ok" */
static bool letter_id(const char *word, int64_t *seq, const char **target)
{
	const char *slash = strchr(word, '/');
	char digits[24] = "";

	if (slash && (size_t)(slash - word) < sizeof digits) {
		memcpy(digits, word, (size_t)(slash - word));
		*target = slash + 1;
		if (units_integer(digits, seq) && *seq > 0 && **target)
			return true;
	}
	fprintf(stderr,
		"pointsman: %s is no dead letter; `pointsman dlq list` shows them as "
		"NUMBER/TARGET\n",
		word);
	return false;
}

static json_t *letter_request(const struct options *o, const char *verb, int64_t seq,
			      const char *target)
{
	json_t *request = json_pack("{ss sI ss sb}", "verb", verb, "seq", (json_int_t)seq, "target",
				    target, "force", (int)o->force);

	set_text(request, "why", o->why);
	return request;
}

static void ignore(json_t *line)
{
	(void)line;
}

/* One verb on each letter named. */
static int each_word(const struct options *o, const char *verb, void (*print)(json_t *line))
{
	int status = EX_OK;

	for (size_t n = 1; n < o->nwords; n++) {
		const char *target;
		int64_t seq;
		int one;

		if (!letter_id(o->words[n], &seq, &target))
			return EX_USAGE;
		one = ask_once(o, letter_request(o, verb, seq, target), print);
		if (one != EX_OK)
			status = one;
	}
	return status;
}

struct letters {
	json_t *ids; /* of {"seq","target"} */
};

static void gather(json_t *object, void *arg)
{
	struct letters *l = arg;

	json_array_append(l->ids, object);
}

static int act_on(struct client_connection *c, const struct options *o, const char *verb,
		  json_t *letter)
{
	struct listing nothing = {NULL, NULL, 0};

	return client_ask(c,
			  letter_request(o, verb,
					 json_integer_value(json_object_get(letter, "seq")),
					 json_string_value(json_object_get(letter, "target"))),
			  one_line, &nothing, NULL);
}

/* The list first: what is retried leaves it while it is walked. */
static int each_dead(const struct options *o, const char *verb)
{
	struct letters letters = {json_array()};
	struct listing l = {gather, &letters, -1};
	json_t *request = json_pack("{ss}", "verb", "dead");
	int status, done = 0;
	struct client_connection *c = client_open(o, &status);
	size_t i;

	set_text(request, "target", o->target);
	if (c)
		status = walk(c, request, "after", &l);
	else
		json_decref(request);
	for (i = 0; c && i < json_array_size(letters.ids); i++) {
		int one = act_on(c, o, verb, json_array_get(letters.ids, i));

		if (one == EX_OK)
			done++;
		else
			status = one;
	}
	if (c) {
		printf("%d of %zu dead letters: %s\n", done, json_array_size(letters.ids), verb);
		client_close(c);
	}
	json_decref(letters.ids);
	return status;
}

static int dlq_act(const struct options *o, const char *verb)
{
	if (o->nwords > 1)
		return each_word(o, verb, ignore);
	if (o->all || o->target)
		return each_dead(o, verb);
	fprintf(stderr, "pointsman: dlq %s NUMBER/TARGET.., or --target TARGET, or --all\n", verb);
	return EX_USAGE;
}

int verb_dlq(const struct options *o)
{
	const char *word = o->nwords ? o->words[0] : "";

	if (strcmp(word, "list") == 0)
		return dlq_list(o);
	if (strcmp(word, "show") == 0)
		return each_word(o, "letter", print_letter);
	if (strcmp(word, "retry") == 0 || strcmp(word, "drop") == 0)
		return dlq_act(o, word);
	return unknown("dlq", o, "list, show, retry, drop");
}
