#include "cli/service.h"

#include "base/mem.h"
#include "base/units.h"
#include "cli/history.h"
#include "cli/request.h"
#include "cli/status.h"
#include "cli/view.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    1000

struct request {
	struct service *service;
	struct reply reply;
	json_t *ask;
	struct buf event; /* of `send`: its bytes as they came */
	struct buf out;
	struct err err;
	uint64_t next;
	uint32_t target, rule;
	int status;
};

static void end(struct request *r)
{
	if (r->out.len)
		r->reply.lines(r->reply.arg, r->out.data, r->out.len);
	r->reply.end(r->reply.arg, r->status, r->err.text, r->next);
	json_decref(r->ask);
	buf_free(&r->event);
	buf_free(&r->out);
	free(r);
}

static void end_later(void *arg)
{
	end(arg);
}

static void fail(struct request *r, int status, const char *why)
{
	r->status = status;
	err_set(&r->err, "%s", why);
	end(r);
}

static uint64_t number(const struct request *r, const char *key)
{
	return request_number(r->ask, key);
}

static const char *text(const struct request *r, const char *key)
{
	return json_string_value(json_object_get(r->ask, key)); /* NULL if absent */
}

static bool flag(const struct request *r, const char *key)
{
	return json_is_true(json_object_get(r->ask, key));
}

static size_t page_size(const struct request *r)
{
	uint64_t n = number(r, "limit");

	return n == 0 ? LIMIT_DEFAULT : n > LIMIT_MOST ? LIMIT_MOST : (size_t)n;
}

static void settle(struct request *r, bool good)
{
	r->status = good ? EX_OK : EX_DATAERR;
}

static void read_events(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;
	struct view_query q = {
		.before = number(r, "before"),
		.limit = page_size(r),
		.unrouted = flag(r, "unrouted"),
		.refused = flag(r, "refused"),
		.type = text(r, "type"),
		.instance = text(r, "instance"),
	};

	settle(r, view_events(j, sequencer_names(s), &q, &r->out, &r->next, &r->err));
}

static void read_event(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;

	settle(r, view_event(j, sequencer_names(s), number(r, "seq"), &r->out, &r->err));
}

static void read_original(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;

	(void)s;
	settle(r, view_original(j, number(r, "seq"), &r->out, &r->err));
}

static void read_cell(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;
	const char *rule = text(r, "rule"), *group = text(r, "group");

	(void)j;
	view_cell(sequencer_cell(s, rule ? rule : "", group ? group : ""), sequencer_names(s),
		  &r->out);
}

/* The target a request names: false with r->err for one nobody knows. */
static bool target_number(struct request *r, struct sequencer *s, uint32_t *target)
{
	const char *name = text(r, "target");

	*target = UINT32_MAX;
	if (!name)
		return true;
	*target = strcmp(name, "intake") == 0 ? DELIVERY_INTAKE
					      : names_find(sequencer_names(s), NAME_INSTANCE, name);
	if (*target || strcmp(name, "intake") == 0)
		return true;
	err_set(&r->err, "there is no target %s, now or before", name);
	return false;
}

static void read_dead(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;
	uint32_t target;

	settle(r, target_number(r, s, &target) &&
			  view_dead(j, sequencer_names(s), target, number(r, "after"), page_size(r),
				    &r->out, &r->next, &r->err));
}

static void read_letter(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;
	uint32_t target;

	settle(r,
	       target_number(r, s, &target) && view_letter(j, sequencer_names(s), number(r, "seq"),
							   target, &r->out, &r->err));
}

static void read_range(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;
	struct history_bounds b = {number(r, "first"), number(r, "last"),
				   (int64_t)number(r, "since"), (int64_t)number(r, "until")};

	(void)s;
	settle(r, history_range(j, &b, &r->out, &r->err));
}

static void read_history(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;

	(void)s;
	settle(r, history_events(j, number(r, "after"), page_size(r), &r->out, &r->next, &r->err));
}

static void read_snapshot(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;

	(void)s;
	settle(r, history_snapshot(j, number(r, "seq"), (uint32_t)number(r, "piece"), &r->out,
				   &r->err));
}

static void read_names(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;

	(void)j;
	history_names(sequencer_names(s), (uint32_t)number(r, "after"), &r->out, &r->next);
}

static void on_answer(const char *problem, void *arg)
{
	struct request *r = arg;

	r->status = problem ? EX_DATAERR : EX_OK;
	if (problem)
		err_set(&r->err, "%s", problem);
	/* From the loop: the engine may be in the middle of something. */
	loop_soon(r->service->loop, end_later, r);
}

static void find_target(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;

	(void)j;
	settle(r, target_number(r, s, &r->target));
}

static void retry_found(void *arg)
{
	struct request *r = arg;

	if (*r->err.text)
		end(r);
	else
		engine_redrive(r->service->engine, number(r, "seq"), r->target, flag(r, "force"),
			       on_answer, r);
}

static void drop_found(void *arg)
{
	struct request *r = arg;
	const char *why = text(r, "why");

	if (*r->err.text)
		end(r);
	else
		engine_drop(r->service->engine, number(r, "seq"), r->target,
			    why ? why : "dropped by an operator", on_answer, r);
}

/* Dead letters may be of a target that the configuration has no more: the journal knows it. */
static void act(struct request *r, void (*found)(void *arg))
{
	if (text(r, "target"))
		engine_ask(r->service->engine, find_target, found, r);
	else
		fail(r, EX_USAGE, "no target was named");
}

static void do_retry(struct request *r)
{
	act(r, retry_found);
}

static void do_drop(struct request *r)
{
	act(r, drop_found);
}

static void on_again(const struct engine_again_result *result, void *arg)
{
	static const char *const what[] = {[AGAIN_BEGUN] = "begun",
					   [AGAIN_LIVE] = "live",
					   [AGAIN_NO_DUTY] = "no duty",
					   [AGAIN_NO_EVENT] = "no event"};
	struct request *r = arg;

	if (result->busy)
		buf_text_add(&r->out, "{\"busy\":true}\n");
	else if (result->problem)
		err_set(&r->err, "%s", result->problem);
	r->status = result->problem && !result->busy ? EX_DATAERR : EX_OK;
	for (size_t i = 0; !result->problem && i < result->n; i++)
		buf_printf(&r->out, "{\"seq\":%llu,\"what\":\"%s\"}\n",
			   (unsigned long long)result->events[i].seq, what[result->events[i].what]);
	loop_soon(r->service->loop, end_later, r);
}

static void again_found(void *arg)
{
	struct request *r = arg;
	uint64_t seqs[ENGINE_AGAIN_MOST];
	struct engine_again ask = {
		.target = r->target, .rule = r->rule, .seqs = seqs, .dry = flag(r, "dry")};
	json_t *list = json_object_get(r->ask, "seqs"), *one;
	size_t i;

	if (*r->err.text) {
		end(r);
		return;
	}
	json_array_foreach(list, i, one)
	{
		if (ask.n < ENGINE_AGAIN_MOST)
			seqs[ask.n++] = (uint64_t)json_integer_value(one);
	}
	engine_again(r->service->engine, &ask, on_again, r);
}

static void find_target_and_rule(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;
	const char *rule = text(r, "rule");

	find_target(j, s, arg);
	r->rule = rule ? names_find(sequencer_names(s), NAME_RULE, rule) : 0;
	if (rule && !r->rule && !*r->err.text) {
		err_set(&r->err, "there is no rule %s, now or before", rule);
		r->status = EX_DATAERR;
	}
}

static bool delivers(const struct instance_config *i)
{
	return i && (i->kind == INSTANCE_ACTION || i->kind == INSTANCE_SINK);
}

/* Only what is configured can be delivered to. */
static bool knows_target(struct request *r)
{
	const struct config *c = r->service->config;
	const char *wanted = text(r, "target") ? text(r, "target") : "", *near;
	const char **names;
	size_t n = 0;

	if (delivers(config_instance(c, wanted)))
		return true;
	names = mem_zero((c->ninstances + 1) * sizeof *names);
	for (size_t i = 0; i < c->ninstances; i++) {
		if (delivers(&c->instances[i]))
			names[n++] = c->instances[i].name;
	}
	near = report_nearest(wanted, names, n);
	err_set(&r->err, "there is no action or sink %s%s%s%s", wanted,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	free(names);
	return false;
}

static void do_again(struct request *r)
{
	if (knows_target(r)) {
		engine_ask(r->service->engine, find_target_and_rule, again_found, r);
		return;
	}
	r->status = EX_DATAERR;
	end(r);
}

static void sent(struct txn *t, void *arg)
{
	struct request *r = arg;

	if (t->failed) {
		r->status = EX_IOERR;
		err_set(&r->err, "the journal could not be written: nothing was accepted");
	} else {
		buf_printf(&r->out, "{\"seq\":%llu,\"duplicate\":%s}\n",
			   (unsigned long long)t->changes[0].seq,
			   t->changes[0].duplicate ? "true" : "false");
	}
	loop_soon(r->service->loop, end_later, r);
}

static bool fit(const struct event *ev, struct err *err)
{
	if (strncmp(ev->type, "pointsman.", 10) == 0) {
		err_set(err, "type %s: pointsman.* is for the router's own events", ev->type);
		return false;
	}
	return event_check(ev, err);
}

static void do_send(struct request *r)
{
	struct event *ev = event_parse(buf_text(&r->event), r->event.len, "send", &r->err);
	const char *why = "";
	struct txn *t;

	if (!ev || !fit(ev, &r->err)) {
		event_unref(ev);
		r->status = EX_DATAERR;
		end(r);
		return;
	}
	if (!engine_has_room(r->service->engine, &why)) {
		event_unref(ev);
		fail(r, EX_TEMPFAIL, why);
		return;
	}
	t = txn_new();
	txn_emit(t, ev);
	event_unref(ev);
	t->done = sent;
	t->arg = r;
	engine_submit(r->service->engine, t);
}

static void read_rules(struct journal *j, struct sequencer *s, void *arg)
{
	struct request *r = arg;

	(void)j;
	view_rules(sequencer_plan(s), &r->out);
}

static void rules_read(void *arg)
{
	struct request *r = arg;
	struct buf rules = r->out;

	r->out = (struct buf){0};
	status_lines(r->service, &r->out);
	buf_add(&r->out, buf_text(&rules), rules.len);
	buf_free(&rules);
	end(r);
}

static void do_status(struct request *r)
{
	engine_ask(r->service->engine, read_rules, rules_read, r);
}

static void do_acknowledge(struct request *r)
{
	engine_acknowledge(r->service->engine);
	end(r);
}

typedef void job_fn(struct journal *j, struct sequencer *s, void *arg);

static const struct verb {
	const char *name;
	job_fn *job;                    /* reads, on the journal thread */
	void (*run)(struct request *r); /* or acts, here */
} verbs[] = {
	{"status", NULL, do_status},
	{"events", read_events, NULL},
	{"event", read_event, NULL},
	{"original", read_original, NULL},
	{"cell", read_cell, NULL},
	{"dead", read_dead, NULL},
	{"letter", read_letter, NULL},
	{"retry", NULL, do_retry},
	{"drop", NULL, do_drop},
	{"send", NULL, do_send},
	{"acknowledge", NULL, do_acknowledge},
	{"range", read_range, NULL},
	{"history", read_history, NULL},
	{"snapshot", read_snapshot, NULL},
	{"names", read_names, NULL},
	{"again", NULL, do_again},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; name && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

void service_request(struct service *s, const char *request, size_t len, const struct reply *reply)
{
	struct request *r = mem_new(struct request);
	const struct verb *verb;

	r->service = s;
	r->reply = *reply;
	r->ask = request_read(request, len, &r->event);
	verb = find_verb(text(r, "verb"));
	if (!verb)
		fail(r, EX_USAGE, r->ask ? "no such verb" : "the request is not one JSON object");
	else if (verb->job)
		engine_ask(s->engine, verb->job, end_later, r);
	else
		verb->run(r);
}
