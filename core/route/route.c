#include "base/hash.h"
#include "base/mem.h"
#include "event/template.h"
#include "route/router_state.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_BYTES 256 /* a longer value goes by its digest */

struct routing {
	const struct plan *plan;
	const struct router_state *state;
	const struct event *ev; /* NULL: a deadline */
	int64_t at;
	struct outcome *out;
};

void outcome_clear(struct outcome *o)
{
	for (size_t i = 0; i < o->nfirings; i++) {
		free(o->firings[i].group);
		free(o->firings[i].members);
	}
	for (size_t i = 0; i < o->nchanges; i++) {
		free(o->changes[i].key);
		cell_free(o->changes[i].cell);
	}
	for (size_t i = 0; i < o->ndropped; i++)
		free(o->dropped[i].group);
	free(o->firings);
	free(o->changes);
	free(o->dropped);
	free(o->duties);
	buf_free(&o->decided);
	*o = (struct outcome){0};
}

static struct json_value find_in_event(void *arg, const struct path *path, struct buf *scratch)
{
	return event_find(arg, EVENT_ITSELF, path, scratch);
}

/* The caller frees. */
static char *group_of(const struct rule_config *r, const struct event *ev)
{
	struct template_source from = {find_in_event, (void *)(uintptr_t)ev};
	unsigned char digest[32];
	char hex[65];
	struct buf value = {0};

	if (!r->group_by || !template_get(r->group_by, &from, &value, NULL))
		buf_cut(&value, 0);
	if (value.len <= GROUP_BYTES)
		return buf_take(&value);
	hash_sha256(value.data, value.len, digest);
	hash_hex(digest, 32, hex);
	buf_free(&value);
	return mem_format("sha256:%s", hex);
}

static uint64_t group_hash(const char *group)
{
	uint64_t hash;

	if (!*group)
		return 0;
	hash = hash64(group, strlen(group), 0);
	return hash ? hash : 1;
}

static void open_list(struct buf *b)
{
	buf_char(b, b->len ? ',' : '[');
}

static void say(struct buf *b, const char *begin, const char *value)
{
	buf_text_add(b, begin);
	buf_json_string(b, value, strlen(value));
}

/* docs/behaviour.md, loops: an own event is not told to the target it is about. */
static bool is_about(const struct event *ev, const char *target)
{
	if (!event_is_own(ev))
		return false;
	return (ev->subject && strcmp(ev->subject, target) == 0) ||
	       (ev->caused_by && strcmp(ev->caused_by, target) == 0);
}

static bool has_duty(const struct outcome *o, uint32_t target)
{
	for (size_t i = 0; i < o->nduties; i++) {
		if (o->duties[i].target == target)
			return true;
	}
	return false;
}

static void add_duty(struct outcome *o, struct duty duty)
{
	o->duties = mem_grow(o->duties, o->nduties + 1, sizeof *o->duties);
	o->duties[o->nduties++] = duty;
}

static void say_list(struct buf *out, const char *begin, const struct buf *list)
{
	buf_text_add(out, begin);
	buf_text_add(out, list->len ? list->data : "[");
	buf_char(out, ']');
}

static void say_names(struct buf *out, const char *begin, const struct buf *list)
{
	if (list->len)
		say_list(out, begin, list);
}

static void say_shadow(struct routing *r, const struct buf *list)
{
	say_list(&r->out->decided, ",\"shadow\":", list);
}

static void list_name(struct buf *list, const char *name)
{
	open_list(list);
	buf_json_string(list, name, strlen(name));
}

static void add_duties(struct routing *r, const struct plan_rule *rule, const char *group,
		       bool members)
{
	struct buf taken = {0}, spared = {0}, shadow = {0};

	for (size_t i = 0; i < rule->config->n; i++) {
		const struct plan_duty *d = &rule->duties[i];
		bool about = is_about(r->ev, d->name);

		if (about || has_duty(r->out, d->target)) {
			list_name(about ? &spared : &taken, d->name);
			continue;
		}
		if (rule->config->shadow) {
			list_name(&shadow, d->name);
			continue;
		}
		add_duty(r->out,
			 (struct duty){
				 .target = d->target,
				 .rule = rule->number,
				 .then = d->then && !is_about(r->ev, d->then_name) ? d->then : 0,
				 .group = group_hash(group),
				 .overlap = (uint8_t)rule->config->overlap,
				 .members = members,
			 });
	}
	say_names(&r->out->decided, ",\"taken\":", &taken);
	say_names(&r->out->decided, ",\"spared\":", &spared);
	if (rule->config->shadow)
		say_shadow(r, &shadow);
	buf_free(&taken);
	buf_free(&spared);
	buf_free(&shadow);
}

/* One delivery a target: what is asked for by itself does not wait for another's end. */
static void settle_thens(struct outcome *o)
{
	for (size_t i = 0; i < o->nduties; i++) {
		if (o->duties[i].then && has_duty(o, o->duties[i].then))
			o->duties[i].then = 0;
	}
}

static void add_member(struct firing *f, const char *input, uint64_t seq)
{
	f->members[f->n++] = (struct member){input, seq};
	if (seq > f->newest)
		f->newest = seq;
}

/* Says what the cell fires with, and leaves in it what stays afterwards. */
static void fire(struct routing *r, const struct plan_rule *rule, struct cell *c)
{
	struct outcome *o = r->out;
	struct firing f = {.rule = (uint32_t)(rule - r->plan->rules), .group = mem_text(c->group)};

	f.members = mem_zero((c->nslots + c->n) * sizeof *f.members);
	for (size_t i = 0; i < c->nslots; i++) {
		add_member(&f, rule->slots[i].name, c->slots[i].seq);
		c->slots[i].fresh = false;
	}
	for (size_t i = 0; i < c->n; i++)
		add_member(&f, NULL, c->members[i].seq);
	f.number = f.newest;
	cell_forget(c, c->n);
	c->bytes = 0;
	c->open = false;
	o->firings = mem_grow(o->firings, o->nfirings + 1, sizeof *o->firings);
	o->firings[o->nfirings++] = f;
}

static void begin_quiet(struct routing *r, struct cell *c)
{
	if (!c->open)
		c->opened = r->at;
	c->open = true;
	c->last = r->at;
}

static void empty_old_slots(const struct routing *r, const struct rule_config *rule, struct cell *c)
{
	for (size_t i = 0; rule->reset_ms && i < c->nslots; i++) {
		struct cell_slot *s = &c->slots[i];

		if (s->seq && r->at - s->at > rule->reset_ms) {
			s->seq = 0;
			s->fresh = false;
		}
	}
}

/* All filled, and one new. */
static bool slots_ready(const struct cell *c)
{
	bool fresh = false;

	for (size_t i = 0; i < c->nslots; i++) {
		if (!c->slots[i].seq)
			return false;
		fresh = fresh || c->slots[i].fresh;
	}
	return fresh;
}

static void forget_old(const struct routing *r, const struct rule_config *rule, struct cell *c)
{
	size_t old = 0;

	while (old < c->n && r->at - c->members[old].at > rule->count_ms)
		old++;
	cell_forget(c, old);
}

static bool quiet_is_over(const struct routing *r, const struct plan_rule *rule,
			  const struct cell *c)
{
	return c->open && r->at >= cell_due(c, rule->config);
}

/* What time alone brings about. */
static void judge_time(struct routing *r, const struct plan_rule *rule, struct cell *c)
{
	if (rule->kind == CELL_COUNT)
		forget_old(r, rule->config, c);
	if (rule->kind == CELL_INPUTS) {
		empty_old_slots(r, rule->config, c);
		c->open = c->open && slots_ready(c);
	}
	if (quiet_is_over(r, rule, c))
		fire(r, rule, c);
}

/* What the event that was just entered brings about. */
static void judge_event(struct routing *r, const struct plan_rule *rule, struct cell *c)
{
	const struct rule_config *config = rule->config;
	bool full = c->n >= FIRING_MAX_EVENTS || c->bytes >= FIRING_MAX_WINDOW;

	if (rule->kind == CELL_INPUTS && !slots_ready(c))
		return;
	if (rule->kind == CELL_COUNT ? c->n >= config->count : full || !config->quiet_ms)
		fire(r, rule, c);
	else if (rule->kind != CELL_COUNT)
		begin_quiet(r, c);
}

static struct cell_change *add_change(struct outcome *o, char *key, struct cell *c)
{
	o->changes = mem_grow(o->changes, o->nchanges + 1, sizeof *o->changes);
	o->changes[o->nchanges] = (struct cell_change){key, c};
	return &o->changes[o->nchanges++];
}

/* Takes both over. */
static void keep(struct outcome *o, const struct plan_rule *rule, char *key, struct cell *c)
{
	if (cell_empty(c)) {
		cell_free(c);
		c = NULL;
	}
	if (c)
		c->due = cell_due(c, rule->config);
	add_change(o, key, c);
}

static void make_room(struct routing *r, const struct plan_rule *rule)
{
	struct outcome *o = r->out;
	size_t n;
	const struct cell *idlest = router_idlest(r->state, rule->number, &n);

	if (!idlest || n < rule->config->groups)
		return;
	o->dropped = mem_grow(o->dropped, o->ndropped + 1, sizeof *o->dropped);
	o->dropped[o->ndropped++] =
		(struct group_dropped){(uint32_t)(rule - r->plan->rules), mem_text(idlest->group)};
	add_change(o, cell_key(idlest->rule, idlest->group), NULL);
}

static struct cell *new_cell(const struct plan_rule *rule, const char *group)
{
	struct cell *c = cell_new(rule->kind, rule->number, group, rule->nslots);

	for (size_t i = 0; i < rule->nslots; i++) {
		c->slots[i].input = rule->slots[i].number;
		c->slots[i].text = rule->slots[i].text;
	}
	return c;
}

static void enter(const struct routing *r, const struct plan_rule *rule, struct cell *c,
		  const uint32_t *hits, size_t nhits)
{
	c->used = r->at;
	if (rule->kind == CELL_INPUTS) {
		for (size_t i = 0; i < nhits; i++) {
			struct cell_slot *s = &c->slots[r->plan->selectors[hits[i]].slot];

			s->seq = r->ev->seq;
			s->at = r->at;
			s->fresh = true;
		}
		return;
	}
	cell_add(c, r->ev->seq, r->at);
	c->bytes += event_size(r->ev);
}

static void collect(struct routing *r, const struct plan_rule *rule, const char *group,
		    const uint32_t *hits, size_t nhits)
{
	char *key = cell_key(rule->number, group);
	const struct cell *old = map_get(&r->state->cells, key);
	struct cell *c = old ? cell_copy(old) : new_cell(rule, group);

	if (old)
		judge_time(r, rule, c);
	else
		make_room(r, rule);
	enter(r, rule, c, hits, nhits);
	judge_event(r, rule, c);
	keep(r->out, rule, key, c);
}

static void say_matched(struct routing *r, const struct plan_rule *rule, const char *group,
			const uint32_t *hits, size_t nhits)
{
	struct buf *b = &r->out->decided;

	open_list(b);
	say(b, "{\"rule\":", rule->config->name);
	if (rule->nslots && nhits)
		say(b, ",\"input\":", rule->slots[r->plan->selectors[hits[0]].slot].name);
	if (*group)
		say(b, ",\"group\":", group);
	buf_text_add(b, ",\"matched\":true");
}

static void match_rule(struct routing *r, uint32_t index, const uint32_t *hits, size_t nhits)
{
	const struct plan_rule *rule = &r->plan->rules[index];
	char *group = group_of(rule->config, r->ev);

	say_matched(r, rule, group, hits, nhits);
	if (rule->kind == CELL_NONE)
		add_duties(r, rule, group, false);
	else
		collect(r, rule, group, hits, nhits);
	if (rule->kind != CELL_NONE && rule->config->shadow)
		say_shadow(r, &(struct buf){0});
	buf_char(&r->out->decided, '}');
	free(group);
}

/* Rules in the order of the configuration, their hits together; `else` rules only if
 * nothing else matched, for which a rule that is only tried does not count. */
static bool match_rules(struct routing *r, const struct match *m, bool otherwise)
{
	bool any = false;

	for (size_t i = 0, n; i < m->nhits; i += n) {
		uint32_t index = r->plan->selectors[m->hits[i]].rule;

		for (n = 1; i + n < m->nhits; n++) {
			if (r->plan->selectors[m->hits[i + n]].rule != index)
				break;
		}
		if (r->plan->rules[index].config->otherwise != otherwise)
			continue;
		match_rule(r, index, m->hits + i, n);
		any = any || !r->plan->rules[index].config->shadow;
	}
	return any;
}

/* The first condition that failed; false if the selector is about other events. */
static bool say_failed(struct buf *b, const struct ruleset *set, size_t selector,
		       const uint8_t *verdicts)
{
	size_t n = ruleset_conditions(set, selector), where = 0, pattern = 0;

	for (size_t c = 0; c < n; c++) {
		struct condition condition = ruleset_condition(set, selector, c);
		uint8_t verdict = verdicts[c];
		bool failed = verdict != VERDICT_PASS && verdict != VERDICT_UNASKED;

		if (condition.kind == CONDITION_ON || condition.kind == CONDITION_FROM) {
			if (failed)
				return false;
			continue;
		}
		if (failed && condition.kind == CONDITION_WHERE)
			buf_printf(b, ",\"failed\":[\"where\",%zu", where);
		else if (failed && condition.kind == CONDITION_PATTERN)
			buf_printf(b, ",\"failed\":[\"pattern\",%zu", pattern);
		else if (failed)
			buf_text_add(b, ",\"failed\":[\"changed\"");
		if (failed) {
			buf_text_add(b, verdict == VERDICT_ABSENT ? ",\"absent\"]"
					: verdict == VERDICT_TYPE ? ",\"type\"]"
								  : "]");
			return true;
		}
		where += condition.kind == CONDITION_WHERE;
		pattern += condition.kind == CONDITION_PATTERN;
	}
	return false;
}

static void say_near_misses(struct routing *r, const struct match *m)
{
	const struct plan *p = r->plan;
	struct buf *b = &r->out->decided;

	for (size_t k = 0; k < m->nnear; k++) {
		const struct plan_selector *selector = &p->selectors[m->near[k]];
		const struct plan_rule *rule = &p->rules[selector->rule];
		struct buf failed = {0};

		if (say_failed(&failed, p->set, m->near[k], m->near_verdicts + m->near_first[k])) {
			open_list(b);
			say(b, "{\"rule\":", rule->config->name);
			if (rule->nslots)
				say(b, ",\"input\":", rule->slots[selector->slot].name);
			buf_add(b, failed.data, failed.len);
			buf_char(b, '}');
		}
		buf_free(&failed);
	}
}

static void route_fired(struct routing *r, const struct firing *fired)
{
	const struct plan_rule *rule = &r->plan->rules[fired->rule];

	say_matched(r, rule, fired->group, NULL, 0);
	add_duties(r, rule, fired->group, true);
	buf_char(&r->out->decided, '}');
}

void route_event(const struct plan *p, const struct router_state *s, const struct event *ev,
		 const struct firing *fired, struct outcome *out)
{
	struct routing r = {.plan = p, .state = s, .ev = ev, .at = ev->at, .out = out};
	struct match *m = s->scratch;

	*out = (struct outcome){0};
	if (fired)
		route_fired(&r, fired);
	ruleset_match(p->set, ev, false, m);
	if (!match_rules(&r, m, false) && !fired)
		match_rules(&r, m, true);
	settle_thens(out);
	ruleset_near(p->set, ev, m);
	say_near_misses(&r, m);
	if (out->decided.len)
		buf_char(&out->decided, ']');
}

struct due {
	struct due_cell {
		const struct cell *cell;
		char *key;
	} * list;
	size_t n, cap;
};

static int by_due(const void *a, const void *b)
{
	const struct due_cell *x = a, *y = b;

	if (x->cell->due != y->cell->due)
		return x->cell->due < y->cell->due ? -1 : 1;
	return strcmp(x->key, y->key);
}

static void gather_due(const struct heap *h, size_t i, int64_t at, struct due *due)
{
	const struct cell *c;

	if (i >= h->n || h->list[i]->rank > at)
		return;
	c = HEAP_OWNER(h->list[i], struct cell, by_due);
	mem_room(due->list, due->n, due->cap);
	due->list[due->n++] = (struct due_cell){c, cell_key(c->rule, c->group)};
	gather_due(h, 2 * i + 1, at, due);
	gather_due(h, 2 * i + 2, at, due);
}

/* In an order that does not depend on when the cells were made: it is the same when what
 * happened is routed again. */
void route_deadline(const struct plan *p, struct router_state *s, int64_t at, struct outcome *out)
{
	struct routing r = {.plan = p, .state = s, .at = at, .out = out};
	struct due due = {0};

	*out = (struct outcome){0};
	if (router_next_deadline(p, s) > at)
		return;
	gather_due(&s->due, 0, at, &due);
	qsort(due.list, due.n, sizeof *due.list, by_due);
	for (size_t i = 0; i < due.n; i++) {
		const struct plan_rule *rule = plan_rule_numbered(p, due.list[i].cell->rule);
		struct cell *c;

		if (out->nfirings >= ROUTER_FIRINGS) {
			free(due.list[i].key);
			continue;
		}
		c = cell_copy(due.list[i].cell);
		judge_time(&r, rule, c);
		keep(out, rule, due.list[i].key, c);
	}
	free(due.list);
}
