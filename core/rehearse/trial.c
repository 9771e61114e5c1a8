#include "rehearse/trial.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "event/eventfile.h"
#include "route/reason.h"
#include "json/check.h"
#include "json/same.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define START          1767225600000 /* 2026-01-01, if the first event has no time */
#define MOST_EXPLAINED 20            /* events, of one rule */
#define MOST_LINES     100           /* of problems, and of reasons */

struct trials {
	const struct config *config;
	struct values **values; /* by instance; NULL: it is no target */
};

struct trials *trials_new(const struct config *config, struct loader *loader)
{
	struct trials *t = mem_new(struct trials);
	struct report ignored = {0};

	t->config = config;
	t->values = mem_zero(config->ninstances * sizeof *t->values);
	for (size_t i = 0; i < config->ninstances; i++) {
		const struct instance_config *section = &config->instances[i];
		const struct plugin *plugin = loader_get(loader, section->plugin, NULL);

		if (plugin && (section->kind == INSTANCE_ACTION || section->kind == INSTANCE_SINK))
			t->values[i] = values_new(plugin, section, &ignored);
	}
	report_free(&ignored);
	return t;
}

void trials_free(struct trials *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->config->ninstances; i++)
		values_free(t->values[i]);
	free(t->values);
	free(t);
}

static void add_line(struct trial_lines *lines, char *text)
{
	mem_room(lines->list, lines->n, lines->cap);
	lines->list[lines->n++] = text;
}

static void lines_free(struct trial_lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->list[i]);
	free(lines->list);
}

__attribute__((format(printf, 2, 3))) static void say(struct trial_lines *lines, const char *fmt,
						      ...)
{
	struct buf text = {0};
	char *plain;
	va_list ap;

	if (lines->n == MOST_LINES)
		add_line(lines, mem_text("and more"));
	if (lines->n > MOST_LINES)
		return;
	va_start(ap, fmt);
	plain = mem_vformat(fmt, ap);
	va_end(ap);
	buf_text_add(&text, plain);
	log_mask(&text);
	free(plain);
	add_line(lines, buf_take(&text));
}

void trial_clear(struct trial *t)
{
	rehearsal_free(t->rehearsal);
	lines_free(&t->problems);
	lines_free(&t->reasons);
	lines_free(&t->unfit);
	free(t->left);
	*t = (struct trial){0};
}

struct scope trial_scope(const struct trial *t, const struct rehearsed *d)
{
	const struct config *c = t->of->config;

	return (struct scope){
		.values = t->of->values[config_instance(c, d->target) - c->instances],
		.event = d->event,
		.view = d->view,
		.key = d->key,
		.rule = d->rule,
		.attempt = 1,
	};
}

/* "text: data.x is absent; ..", or NULL. */
static char *first_problem(const struct trial *t, const struct rehearsed *d)
{
	struct scope scope = trial_scope(t, d);
	struct preview preview;
	char *found = NULL;

	preview_make(&scope, &preview);
	for (size_t i = 0; i < preview.n && !found; i++) {
		if (preview.keys[i].problem)
			found = mem_format("%s: %s", preview.keys[i].key, preview.keys[i].problem);
	}
	preview_clear(&preview);
	return found;
}

static enum lane_result scripted(struct trial *t, const struct rehearsed *d, struct err *why)
{
	static const struct {
		enum lane_result result;
		const char *why;
	} replies[] = {
		[TEST_DOWN] = {LANE_DOWN, "the test lets the target be down"},
		[TEST_AGAIN] = {LANE_AGAIN, "the test lets the target ask for another attempt"},
		[TEST_REJECT] = {LANE_REJECT, "the test lets the target reject it"},
	};

	for (size_t i = 0; i < t->test->nanswers; i++) {
		const struct test_answer *a = &t->test->answers[i];

		if (!t->left[i] || strcmp(a->target, d->target) != 0)
			continue;
		t->left[i]--;
		err_set(why, "%s", replies[a->reply].why);
		return replies[a->reply].result;
	}
	return LANE_OK;
}

/* A text that cannot be filled in makes a dead letter before anything is sent. */
static enum lane_result deliver(void *arg, const struct rehearsed *d, struct err *why)
{
	struct trial *t = arg;
	char *unfit;

	if (d->attempts == 1) {
		unfit = first_problem(t, d);
		add_line(&t->unfit, unfit);
		if (unfit) {
			err_set(why, "%s", unfit);
			return LANE_REJECT;
		}
	}
	return scripted(t, d, why);
}

static void give(struct trial *t, const struct test_step *step, const struct filed *one)
{
	struct err err = {{0}};

	switch (rehearsal_give(t->rehearsal, one->event, &err)) {
	case REHEARSAL_TAKEN: break;
	case REHEARSAL_KNOWN:
		say(&t->reasons, "%s:%u: its id came before: dropped as a repeat", step->file,
		    one->line);
		break;
	case REHEARSAL_UNFIT:
		say(&t->problems, "%s:%u: %s", step->file, one->line, err.text);
		break;
	}
}

static bool begin(struct trial *t, const struct event *first)
{
	struct rehearsal_options options = {t->of->config, START, deliver, t};
	struct err err = {{0}};

	if (first->time)
		units_time(first->time, &options.start);
	t->rehearsal = rehearsal_new(&options, &err);
	if (!t->rehearsal)
		say(&t->problems, "%s", err.text);
	return t->rehearsal != NULL;
}

static bool give_file(struct trial *t, const struct test_step *step)
{
	struct eventfile_fault fault;
	struct eventfile events;
	bool ok;

	if (!eventfile_read(step->file, "send", &events, &fault)) {
		say(&t->problems, "%s: %s", step->file, fault.why.text);
		return false;
	}
	ok = t->rehearsal || begin(t, events.list[0].event);
	for (size_t i = 0; ok && i < events.n; i++)
		give(t, step, &events.list[i]);
	eventfile_clear(&events);
	return ok;
}

static bool perform(struct trial *t)
{
	for (size_t i = 0; i < t->test->nsteps; i++) {
		const struct test_step *step = &t->test->steps[i];

		if (step->file && !give_file(t, step))
			return false;
		if (!step->file && t->rehearsal)
			rehearsal_pass(t->rehearsal, step->pass_ms);
	}
	if (t->rehearsal)
		rehearsal_finish(t->rehearsal, TRIAL_MOST_MS);
	if (t->rehearsal && rehearsal_trouble(t->rehearsal))
		say(&t->problems, "given up: %s", rehearsal_trouble(t->rehearsal));
	return t->rehearsal != NULL;
}

struct pair { /* what a rule delivers to a target */
	const char *rule, *target;
};

static bool is_pair(struct pair p, const char *rule, const char *target)
{
	return strcmp(p.rule, rule) == 0 && strcmp(p.target, target) == 0;
}

struct tally {
	uint32_t n, dead;
};

static struct tally wanted(const struct trial *t, struct pair p)
{
	struct tally sum = {0};

	for (size_t i = 0; i < t->test->nexpected; i++) {
		const struct test_expected *e = &t->test->expected[i];

		if (!is_pair(p, e->rule, e->target))
			continue;
		sum.n += e->times;
		sum.dead += e->dead ? e->times : 0;
	}
	return sum;
}

static struct tally counted(const struct trial *t, struct pair p)
{
	const struct rehearsed *d;
	struct tally sum = {0};

	for (size_t i = 0; (d = rehearsal_delivery(t->rehearsal, i)); i++) {
		if (!is_pair(p, d->rule, d->target))
			continue;
		sum.n++;
		sum.dead += d->state == DELIVERY_DEAD;
	}
	return sum;
}

/* An own event is known by whom it is about; its id is a number of no meaning. */
static const char *name_of(const struct event *ev)
{
	return event_is_own(ev) && ev->subject ? ev->subject : ev->id;
}

/* The rule that had the event delivered to the target before the pair's own could. */
static const char *taken_by(const struct trial *t, struct pair p, uint64_t seq)
{
	const struct rehearsed *d;

	for (size_t i = 0; (d = rehearsal_delivery(t->rehearsal, i)); i++) {
		if (d->event->seq == seq && strcmp(d->target, p.target) == 0 &&
		    strcmp(d->rule, p.rule) != 0)
			return d->rule;
	}
	return NULL;
}

static bool explain_event(struct trial *t, struct pair p, uint32_t rule, const struct event *ev)
{
	const char *taken;
	struct buf lines = {0};
	bool fits = reason_add(rehearsal_plan(t->rehearsal), rule, ev, &lines);
	char *rest = lines.data, *line;

	while (rest && *(line = strsep(&rest, "\n")))
		say(&t->reasons, "rule %s, event %" PRIu64 " (%s %s): %s", p.rule, ev->seq,
		    ev->type, name_of(ev), line);
	taken = fits ? taken_by(t, p, ev->seq) : NULL;
	if (taken)
		say(&t->reasons,
		    "event %" PRIu64 " was delivered to %s by rule %s; one event makes at most one "
		    "delivery to a target",
		    ev->seq, p.target, taken);
	buf_free(&lines);
	return fits;
}

static void explain_events(struct trial *t, struct pair p, const struct rule_config *r)
{
	uint32_t rule = (uint32_t)(r - t->of->config->rules);
	size_t fit = 0;
	struct event *ev;

	for (uint64_t seq = 1; fit < MOST_EXPLAINED; seq++) {
		ev = rehearsal_event(t->rehearsal, seq);
		if (!ev)
			break;
		fit += explain_event(t, p, rule, ev);
		event_unref(ev);
	}
	if (!fit)
		say(&t->reasons, "rule %s: no event came that fits %s", r->name,
		    r->inputs ? "the `on` of its inputs" : "its `on`");
}

static const char *follows(const struct rule_config *r, const char *target)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->duties[i].then && strcmp(r->duties[i].then, target) == 0)
			return r->duties[i].target;
	}
	return NULL;
}

/* What `then` waited for in vain. */
static void explain_then(struct trial *t, struct pair p, const char *first)
{
	const struct rehearsed *d;

	for (size_t i = 0; (d = rehearsal_delivery(t->rehearsal, i)); i++) {
		if (is_pair((struct pair){p.rule, first}, d->rule, d->target) &&
		    d->state != DELIVERY_DONE)
			say(&t->reasons, "%s follows %s, whose delivery is %s: %s", p.target, first,
			    delivery_state_name(d->state), d->why ? d->why : "no reason given");
	}
}

static void explain_missing(struct trial *t, struct pair p)
{
	const struct rule_config *r = config_rule(t->of->config, p.rule);
	const struct instance_config *target = config_instance(t->of->config, p.target);
	const char *first = follows(r, p.target);

	if (!target->enabled)
		say(&t->reasons, "%s is not enabled: nothing is delivered to it", p.target);
	if (first)
		explain_then(t, p, first);
	if (r->enabled)
		explain_events(t, p, r);
	else
		say(&t->reasons, "rule %s is not enabled", r->name);
}

static bool seen_before(const struct trial *t, size_t i)
{
	const struct test_expected *e = &t->test->expected[i];

	for (size_t k = 0; k < i; k++) {
		if (is_pair((struct pair){e->rule, e->target}, t->test->expected[k].rule,
			    t->test->expected[k].target))
			return true;
	}
	return false;
}

static void judge_expected(struct trial *t, struct pair p)
{
	struct tally want = wanted(t, p), have = counted(t, p);

	if (have.n < want.n)
		explain_missing(t, p);
	if (!have.n)
		say(&t->problems, "missing: %s -> %s x%u", p.rule, p.target, want.n);
	else if (have.n != want.n)
		say(&t->problems, "%s -> %s: expected x%u, came x%u", p.rule, p.target, want.n,
		    have.n);
	else if (want.dead && have.dead != want.dead)
		say(&t->problems, "%s -> %s: expected x%u to end dead, came x%u", p.rule, p.target,
		    want.dead, have.dead);
}

/* Each pair once, at its first delivery. */
static bool is_first(const struct trial *t, size_t at)
{
	const struct rehearsed *d = rehearsal_delivery(t->rehearsal, at), *before;

	for (size_t i = 0; i < at; i++) {
		before = rehearsal_delivery(t->rehearsal, i);
		if (is_pair((struct pair){d->rule, d->target}, before->rule, before->target))
			return false;
	}
	return true;
}

static void judge_delivery(struct trial *t, size_t at)
{
	const struct rehearsed *d = rehearsal_delivery(t->rehearsal, at);
	struct pair p = {d->rule, d->target};
	struct tally want = wanted(t, p);

	if (!want.n && is_first(t, at))
		say(&t->problems, "not expected: %s -> %s x%u, first for event %" PRIu64 " (%s %s)",
		    d->rule, d->target, counted(t, p).n, d->event->seq, d->event->type,
		    name_of(d->event));
	if (t->unfit.list[at] && !want.dead)
		say(&t->problems, "%s -> %s: a dead letter: %s", d->rule, d->target,
		    t->unfit.list[at]);
}

static bool is_json_same(const char *a, const char *b)
{
	struct json_value x, y;

	if (!json_check(a, strlen(a), JSON_MAX_DEPTH, NULL) ||
	    !json_check(b, strlen(b), JSON_MAX_DEPTH, NULL))
		return false;
	x = json_root(a, strlen(a));
	y = json_root(b, strlen(b));
	return (x.kind == KIND_OBJECT || x.kind == KIND_ARRAY) && json_same(&x, &y);
}

static void judge_key(struct trial *t, const struct rehearsed *d, const char *key, const char *text)
{
	struct scope scope = trial_scope(t, d);
	struct buf is = {0}, should = {0};

	buf_text_add(&should, text);
	log_mask(&should);
	if (!preview_key(&scope, key, &is))
		say(&t->problems, "%s.%s: expected `%s`, but %s", d->target, key, buf_text(&should),
		    buf_text(&is));
	else if (strcmp(buf_text(&is), buf_text(&should)) != 0 &&
		 !is_json_same(buf_text(&is), buf_text(&should)))
		say(&t->problems, "%s.%s: expected `%s`, became `%s`", d->target, key,
		    buf_text(&should), buf_text(&is));
	buf_free(&is);
	buf_free(&should);
}

/* Of every delivery that is expected to the target. */
static void judge_value(struct trial *t, const struct setting *value)
{
	const char *key, *target = test_value_target(t->of->config, t->test, value, &key);
	const struct rehearsed *d;

	for (size_t i = 0; (d = rehearsal_delivery(t->rehearsal, i)); i++) {
		if (strcmp(d->target, target) == 0 &&
		    wanted(t, (struct pair){d->rule, d->target}).n)
			judge_key(t, d, key, value->value);
	}
}

static void judge(struct trial *t)
{
	for (size_t i = 0; i < t->test->nexpected; i++) {
		const struct test_expected *e = &t->test->expected[i];

		if (!seen_before(t, i))
			judge_expected(t, (struct pair){e->rule, e->target});
	}
	for (size_t i = 0; rehearsal_delivery(t->rehearsal, i); i++)
		judge_delivery(t, i);
	for (size_t i = 0; i < t->test->n; i++)
		judge_value(t, &t->test->values[i]);
}

void trial_run(struct trials *of, const struct test_config *test, struct trial *out)
{
	*out = (struct trial){.test = test, .of = of};
	out->left = mem_zero(test->nanswers * sizeof *out->left);
	for (size_t i = 0; i < test->nanswers; i++)
		out->left[i] = test->answers[i].times;
	if (perform(out))
		judge(out);
	else if (!out->problems.n)
		say(&out->problems, "it gives no event");
}
