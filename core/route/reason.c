#include "route/reason.h"

#include "route/plan.h"

static const char *word_of(enum condition_kind kind)
{
	switch (kind) {
	case CONDITION_ON: return "on ";
	case CONDITION_FROM: return "from ";
	case CONDITION_WHERE: return "where ";
	case CONDITION_PATTERN: return "pattern ";
	case CONDITION_CHANGED: return "changed ";
	}
	return "";
}

static void add_failed(const struct condition *c, enum verdict verdict, struct buf *out)
{
	buf_text_add(out, word_of(c->kind));
	buf_add(out, c->text, c->len);
	if (verdict == VERDICT_ABSENT && c->path)
		buf_printf(out, ": %s is absent", c->path->text);
	else if (verdict == VERDICT_TYPE && c->path)
		buf_printf(out, ": %s is of another type", c->path->text);
	else
		buf_text_add(out, ": not so");
}

/* A test behind a `not` passed where it is the reason. */
static void add_verdicts(const struct plan *p, size_t selector, const struct match *m,
			 struct buf *out)
{
	size_t n = ruleset_conditions(p->set, selector), start = out->len;

	for (size_t i = 0; i < n; i++) {
		struct condition c = ruleset_condition(p->set, selector, i);
		enum verdict verdict = m->verdicts[m->first[selector] + i];

		if (verdict == VERDICT_PASS || verdict == VERDICT_UNASKED)
			continue;
		buf_text_add(out, out->len > start ? "; " : "");
		add_failed(&c, verdict, out);
	}
	if (out->len == start)
		buf_text_add(out, "what stands behind a `not` is so");
}

static void add_selector(const struct plan *p, size_t selector, const struct match *m,
			 struct buf *out)
{
	const struct plan_selector *s = &p->selectors[selector];
	const struct plan_rule *rule = &p->rules[s->rule];

	if (m->verdicts[m->first[selector]] != VERDICT_PASS)
		return; /* `on`, which is asked first */
	if (rule->nslots)
		buf_printf(out, "input %s: ", rule->slots[s->slot].name);
	if (match_has(m, selector))
		buf_text_add(out, "matches");
	else
		add_verdicts(p, selector, m, out);
	buf_char(out, '\n');
}

bool reason_add(const struct plan *p, uint32_t rule, const struct event *ev, struct buf *out)
{
	struct match m = {0};
	size_t before = out->len;

	ruleset_match(p->set, ev, true, &m);
	for (size_t i = 0; i < p->nselectors; i++) {
		if (p->selectors[i].rule == rule)
			add_selector(p, i, &m, out);
	}
	match_free(&m);
	return out->len > before;
}
