#include "plan.h"

#include "base/mem.h"
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct plan plan;
static struct chance chance;

static bool hits(unsigned per_thousand)
{
	return chance_hits(&chance, per_thousand);
}

static unsigned below(unsigned n)
{
	return (unsigned)chance_below(&chance, n);
}

static void key(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void key(const char *name, const char *format, ...)
{
	char value[160];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof value, format, args);
	va_end(args);
	buf_printf(&plan.text, "%s = %s\n", name, value);
}

static void make_feed(unsigned n)
{
	struct plan_feed *f = &plan.feeds[n];

	f->used = n == 0 || hits(500);
	snprintf(f->name, sizeof f->name, n == PLAN_WEB ? "web" : "feed-%u", n);
	f->queue = hits(500);
	f->every_ms = chance_scale(&chance, 2 * SECOND, 4 * MINUTE);
	f->poll_ms = chance_scale(&chance, 200, 30 * SECOND);
	f->subjects = 1 + below(6);
	f->again = hits(300) ? 100 : 5;
	if (!f->used)
		return;
	buf_printf(&plan.text, "[source %s]\n", f->name);
	key("plugin", "%s", n == PLAN_WEB ? "http-in" : "puppet-source");
	if (hits(300))
		key("stalled-after", "%us", 60 + below(1000));
}

static const char *order(const struct plan_target *t)
{
	static const char *const orders[] = {"subject", "subject", "none", "data.k", "group"};

	(void)t;
	return orders[below(5)];
}

static void make_retry(struct plan_target *t)
{
	if (hits(50)) {
		key("retry", "none");
		return;
	}
	t->min_ms = chance_scale(&chance, 100, 5 * SECOND);
	t->max_ms = chance_scale(&chance, t->min_ms, 10 * MINUTE);
	t->for_ms = chance_scale(&chance, 5 * MINUTE, 12 * HOUR);
	key("retry", "%lldms, %lldms..%lldms", (long long)t->for_ms, (long long)t->min_ms,
	    (long long)t->max_ms);
}

static void make_target(unsigned n)
{
	static const char *const plugins[] = {"http", "puppet-sink", "puppet-action"};
	struct plan_target *t = &plan.targets[n];

	snprintf(t->name, sizeof t->name, "t%u", n);
	t->kind = n == 0 || hits(500) ? TARGET_HTTP : hits(500) ? TARGET_SINK : TARGET_ACTION;
	t->concurrency = (uint32_t)chance_scale(&chance, 1, 16);
	t->timeout_ms = chance_scale(&chance, SECOND, 40 * SECOND);
	t->deadline_ms = chance_scale(&chance, 2 * MINUTE, HOUR);
	t->trouble = hits(300) ? 0 : (unsigned)chance_scale(&chance, 1, 400);
	buf_printf(&plan.text, "[%s %s]\n", t->kind == TARGET_ACTION ? "action" : "sink", t->name);
	key("plugin", "%s", plugins[t->kind]);
	if (t->kind == TARGET_HTTP)
		key("url", "http://127.0.0.1:9000/%s\nheader.X-Rule = {{ delivery.rule }}",
		    t->name);
	key("concurrency", "%u", t->concurrency);
	key("timeout", "%lldms", (long long)t->timeout_ms);
	key("deadline", "%lldms", (long long)t->deadline_ms);
	make_retry(t);
	if (hits(800))
		key("order-by", "%s", order(t));
	if (hits(250)) {
		t->rate = (uint32_t)chance_scale(&chance, 4, 120);
		t->burst = 1 + below(t->rate);
		key("rate", "%u/m, burst %u", t->rate, t->burst);
	}
}

/* Whose items a rule is about; adds to what must come of each. */
static void about(unsigned targets, bool table[PLAN_FEEDS][PLAN_KINDS])
{
	int from = hits(300) ? 0 : -1, kind = hits(600) ? (int)below(PLAN_KINDS) : -1;

	key("on", "item.added");
	if (from >= 0)
		key("from", "%s", plan.feeds[from].name);
	if (kind >= 0)
		key("where", "data.kind == \"%c\"", 'a' + kind);
	for (int f = 0; f < PLAN_FEEDS; f++) {
		for (int k = 0; k < PLAN_KINDS; k++) {
			table[f][k] = (from < 0 || from == f) && (kind < 0 || kind == k);
			plan.duties[f][k] |= table[f][k] ? targets : 0;
		}
	}
}

static void gather(struct plan_gathering *g)
{
	unsigned how = below(3);

	g->counts = how == 1;
	switch (how) {
	case 0: key("coalesce", "%us, max %us", 5 + below(60), 65 + below(600)); break;
	case 1: key("count", "%u in %um", 2 + below(4), 1 + below(20)); break;
	default: key("coalesce", "%us", 10 + below(120)); break;
	}
}

static void overlap(void)
{
	static const char *const words[] = {"parallel", "queue", "supersede"};

	if (hits(600))
		key("overlap", "%s", words[below(3)]);
}

static void make_rule(unsigned n)
{
	unsigned target = n < plan.ntargets ? n : below(plan.ntargets);
	unsigned other = below(plan.ntargets), own = 1u << target;
	bool gathers = hits(300), alone = other == target || hits(600), then = hits(500);

	if (!alone && !then)
		own |= 1u << other;
	buf_printf(&plan.text, "[rule r%u]\n", n);
	about(gathers ? 0 : own, plan.gathering[n].about);
	if (hits(400) || gathers)
		key("group-by", "%s", hits(500) ? "subject" : "data.k");
	plan.gathers[n] = gathers;
	if (gathers)
		gather(&plan.gathering[n]);
	overlap();
	if (alone)
		key("do", "%s", plan.targets[target].name);
	else
		key("do", "%s%s%s", plan.targets[target].name, then ? " then " : ", ",
		    plan.targets[other].name);
	plan.targets[other].follows |= !alone && then;
}

static void make_inputs(void)
{
	buf_text_add(&plan.text, "[input a]\non = item.added\nwhere = data.kind == \"a\"\n"
				 "[input b]\non = item.added\nwhere = data.kind == \"b\"\n"
				 "[rule both]\n");
	if (hits(500))
		key("group-by", "subject");
	key("inputs", "a, b");
	if (hits(300))
		key("coalesce", "%us", 5 + below(60));
	overlap();
	key("do", "%s", plan.targets[below(plan.ntargets)].name);
}

static void make_afterwards(void)
{
	for (unsigned n = 0; n < plan.ntargets; n++) {
		if (plan.targets[n].kind == TARGET_ACTION) {
			buf_text_add(&plan.text, "[rule afterwards]\non = item.done\n");
			key("do", "t0");
			break;
		}
	}
	if (hits(500)) {
		buf_text_add(&plan.text, "[rule watch]\non = pointsman.*\n");
		key("do", "%s", plan.targets[below(plan.ntargets)].name);
	}
}

static int64_t often(unsigned per_thousand, int64_t least, int64_t most)
{
	return hits(per_thousand) ? chance_scale(&chance, least, most) : 0;
}

static void make_faults(void)
{
	struct plan_faults *f = &plan.faults;

	if (hits(50))
		return; /* a good day: nothing may come twice */
	f->down_every = often(700, 5 * MINUTE, 2 * HOUR);
	f->down_ms = chance_scale(&chance, 10 * SECOND, 2 * HOUR);
	f->kill_every = often(400, 2 * MINUTE, 2 * HOUR);
	f->cut_every = often(400, 2 * MINUTE, 2 * HOUR);
	f->stop_every = often(300, 5 * MINUTE, 2 * HOUR);
	f->broken_every = often(200, 10 * MINUTE, 2 * HOUR);
	f->full_every = often(300, 10 * MINUTE, 2 * HOUR);
	f->full_ms = chance_scale(&chance, 2 * SECOND, 20 * MINUTE);
	f->clock_every = often(250, 5 * MINUTE, 2 * HOUR);
	f->clock_ms = chance_scale(&chance, SECOND, 3 * HOUR);
	f->slow_ms = often(700, 1, 2 * SECOND);
	f->leaving = hits(300) ? 3000 : 0;
}

void plan_make(void)
{
	plan = (struct plan){0};
	chance_seed(&chance, sim.seed, 3);
	plan.ntargets = 1 + below(PLAN_TARGETS);
	for (unsigned n = 0; n < PLAN_FEEDS; n++)
		make_feed(n);
	for (unsigned n = 0; n < plan.ntargets; n++)
		make_target(n);
	for (unsigned n = 0; n < plan.ntargets + below(4); n++)
		make_rule(n);
	if (hits(300))
		make_inputs();
	make_afterwards();
	make_faults();
}

void plan_clear(void)
{
	buf_free(&plan.text);
}

int plan_target(const char *name)
{
	for (unsigned n = 0; n < plan.ntargets; n++) {
		if (strcmp(plan.targets[n].name, name) == 0)
			return (int)n;
	}
	return -1;
}

char *plan_event(const char *rule, const char *source, const char *id)
{
	unsigned n = 0;
	bool gathers = strcmp(rule, "both") == 0;

	if (sscanf(rule, "r%u", &n) == 1 && n < PLAN_RULES)
		gathers = plan.gathers[n];
	return gathers ? mem_format("%s %s by %s", source, id, rule)
		       : mem_format("%s %s", source, id);
}

int plan_feed(const char *name)
{
	for (int n = 0; n < PLAN_FEEDS; n++) {
		if (strcmp(plan.feeds[n].name, name) == 0)
			return n;
	}
	return -1;
}
