#include "rules/judge.h"

#include "base/mem.h"
#include "rules/operand.h"

#include <stdlib.h>

#define KEEP_VALUES 4096 /* a larger list is given back after the event */

struct test {
	const struct expr *e;
	struct operand *operands; /* literals; none if the right side is a path */
	size_t n;
	bool turned;            /* inside `not ( .. )` */
	const struct path *any; /* around it, or NULL */
};

struct judge {
	const struct expr *expr;
	struct test *tests; /* by number */
	size_t n, cap;
};

static void add_test(struct judge *j, const struct expr *e, bool turned, const struct path *any)
{
	const struct expr_value *v = &e->value;
	struct test t = {.e = e, .turned = turned, .any = any};

	if (v->kind == VALUE_LIST) {
		t.n = v->n;
		v = v->items;
	} else if (v->kind != VALUE_NONE && v->kind != VALUE_PATH) {
		t.n = 1;
	}
	t.operands = mem_zero(t.n * sizeof *t.operands);
	for (size_t i = 0; i < t.n; i++)
		operand_of_literal(&v[i], e->op, &t.operands[i]);
	mem_room(j->tests, j->n, j->cap);
	j->tests[j->n++] = t;
}

static void add_tests(struct judge *j, const struct expr *e, bool turned, const struct path *any)
{
	if (e->kind == EXPR_TEST)
		add_test(j, e, turned, any);
	for (size_t i = 0; i < e->nparts; i++)
		add_tests(j, e->parts[i], turned || e->kind == EXPR_NOT,
			  e->kind == EXPR_ANY ? &e->whole : any);
}

struct judge *judge_new(const struct expr *e)
{
	struct judge *j = mem_new(struct judge);

	j->expr = e;
	add_tests(j, e, false, NULL);
	return j;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n; i++) {
		for (size_t k = 0; k < j->tests[i].n; k++)
			operand_free(&j->tests[i].operands[k]);
		free(j->tests[i].operands);
	}
	free(j->tests);
	free(j);
}

size_t judge_tests(const struct judge *j)
{
	return j->n;
}

const struct expr *judge_test(const struct judge *j, size_t i)
{
	return j->tests[i].e;
}

bool judge_turned(const struct judge *j, size_t i)
{
	return j->tests[i].turned;
}

const struct path *judge_any(const struct judge *j, size_t i)
{
	return j->tests[i].any;
}

struct trial {
	const struct judge *judge;
	const struct event *ev;
	const struct json_value *element; /* of the innermost `any`; NULL: the event itself */
	struct judge_memory *m;
	uint8_t *verdicts;
	uint64_t *mismatches;
	struct seen *seen; /* NULL: nobody wants to know */
	long number;       /* of the element; -1 */
};

static bool holds(struct trial *t, const struct expr *e);

static void each(struct trial *t, const struct path *path, struct buf *scratch, json_each_fn *fn,
		 void *arg)
{
	if (!t->element)
		event_each(t->ev, EVENT_ITSELF, path, scratch, fn, arg);
	else if (t->element->text)
		json_each(t->element->text, t->element->len, path, 0, fn, arg);
}

static struct json_value first(struct trial *t, const struct path *path)
{
	if (!t->element)
		return event_find(t->ev, EVENT_ITSELF, path, &t->m->find_left);
	return t->element->text ? json_find(t->element->text, t->element->len, path, 0)
				: (struct json_value){.kind = KIND_ABSENT};
}

static bool there(struct trial *t, const struct path *path)
{
	return first(t, path).kind != KIND_ABSENT;
}

static bool keep(const struct json_value *value, void *arg)
{
	struct judge_memory *m = arg;

	mem_room(m->values, m->nvalues, m->cap);
	m->values[m->nvalues++] = *value;
	return true;
}

/* Verdicts from the one that says least to the one that says most. */
static int rank(enum verdict v)
{
	static const int ranks[] = {
		[VERDICT_UNASKED] = 0, [VERDICT_ABSENT] = 1, [VERDICT_TYPE] = 2,
		[VERDICT_FAIL] = 3,    [VERDICT_PASS] = 4,
	};

	return ranks[v];
}

static enum verdict better(enum verdict a, enum verdict b)
{
	return rank(a) > rank(b) ? a : b;
}

struct probe {
	struct trial *trial;
	const struct test *test;
	enum verdict best;
	size_t pairs;
	struct seen *seen; /* or NULL */
	size_t count;      /* values looked at */
};

static enum verdict verdict_of(enum outcome outcome)
{
	static const enum verdict verdicts[] = {
		[OUTCOME_FALSE] = VERDICT_FAIL,
		[OUTCOME_TRUE] = VERDICT_PASS,
		[OUTCOME_TYPE] = VERDICT_TYPE,
	};

	return verdicts[outcome];
}

/* Both ends at once, so that one element has to lie between them. */
static enum verdict compare_range(const struct test *t, const struct operand *left)
{
	enum expr_op low = t->e->above ? EXPR_GT : EXPR_GE, high = t->e->below ? EXPR_LT : EXPR_LE;
	enum outcome o = operand_compare(left, low, &t->operands[0], NULL);

	return verdict_of(o == OUTCOME_TRUE ? operand_compare(left, high, &t->operands[1], NULL)
					    : o);
}

static enum verdict compare_literals(struct probe *p, const struct operand *left)
{
	enum verdict best = VERDICT_UNASKED;

	if (p->test->e->op == EXPR_RANGE)
		return compare_range(p->test, left);

	for (size_t i = 0; best != VERDICT_PASS && i < p->test->n; i++)
		best = better(best, verdict_of(operand_compare(left, p->test->e->op,
							       &p->test->operands[i],
							       &p->trial->m->iregexp)));
	return best;
}

static enum verdict compare_values(struct probe *p, const struct operand *left)
{
	struct judge_memory *m = p->trial->m;
	enum verdict best = m->nvalues ? VERDICT_UNASKED : VERDICT_ABSENT;

	for (size_t i = 0; best != VERDICT_PASS && i < m->nvalues; i++) {
		struct operand right = {0};

		operand_of_value(&m->values[i], &m->right, &right);
		best = better(best, verdict_of(operand_compare(left, p->test->e->op, &right,
							       &m->iregexp)));
	}
	p->pairs += m->nvalues;
	return best;
}

/* Is there a leaf, or one unlike the literals? */
static enum verdict leaf_verdict(struct probe *p, const struct json_value *value)
{
	struct operand left = {0};

	if (value->kind == KIND_OBJECT)
		return VERDICT_ABSENT;
	if (p->test->e->op == EXPR_LEAF)
		return VERDICT_PASS;
	operand_of_value(value, &p->trial->m->left, &left);
	return compare_literals(p, &left) == VERDICT_PASS ? VERDICT_FAIL : VERDICT_PASS;
}

static enum verdict value_verdict(struct probe *p, const struct json_value *value)
{
	const struct expr *e = p->test->e;
	struct operand left = {0};

	if (e->op == EXPR_LEAF || e->but)
		return leaf_verdict(p, value);
	operand_of_value(value, &p->trial->m->left, &left);
	return e->value.kind == VALUE_PATH ? compare_values(p, &left) : compare_literals(p, &left);
}

/* The one that passes has decided; where none does, all have. */
static void see(struct probe *p, const struct json_value *value, enum verdict v)
{
	struct seen *s = p->seen;

	if (v == VERDICT_PASS) {
		buf_cut(&s->value, 0);
		s->more = 0;
		s->element = (long)p->count;
	}
	if (v == VERDICT_PASS || p->count < SEEN_VALUES)
		seen_put(&s->value, value);
	else
		s->more++;
	p->count++;
}

static bool probe_value(const struct json_value *value, void *arg)
{
	struct probe *p = arg;
	enum verdict v = value_verdict(p, value);

	p->best = better(p->best, v);
	if (p->seen)
		see(p, value, v);
	if (p->best != VERDICT_PASS && p->pairs > JUDGE_MAX_PAIRS) {
		p->best = VERDICT_TYPE;
		return false;
	}
	return p->best != VERDICT_PASS;
}

static bool count_value(const struct json_value *value, void *arg)
{
	size_t *n = arg;

	(void)value;
	(*n)++;
	return true;
}

/* Which of several it was says nothing where there is but one. */
static void see_around(struct trial *t, const struct expr *e, struct seen *seen)
{
	size_t n = 0;

	for (size_t i = 0; i < t->m->nvalues && i < SEEN_VALUES; i++)
		seen_put(&seen->other, &t->m->values[i]);
	each(t, &e->path, &t->m->find_left, count_value, &n);
	if (n < 2)
		seen->element = -1;
}

static enum verdict exists_verdict(struct trial *t, const struct expr *e, struct seen *seen)
{
	struct json_value value = first(t, &e->path);

	if (seen)
		seen_put(&seen->value, &value);
	return value.kind != KIND_ABSENT ? VERDICT_PASS : VERDICT_ABSENT;
}

/* The test without its `not`. */
static enum verdict plain_verdict(struct trial *t, const struct test *test, struct seen *seen)
{
	const struct expr *e = test->e;
	struct probe p = {.trial = t, .test = test, .seen = seen};

	if (e->op == EXPR_EXISTS)
		return exists_verdict(t, e, seen);
	t->m->nvalues = 0;
	if (e->value.kind == VALUE_PATH)
		each(t, &e->value.path, &t->m->find_right, keep, t->m);
	each(t, &e->path, &t->m->find_left, probe_value, &p);
	if (seen)
		see_around(t, e, seen);
	if (p.best == VERDICT_UNASKED && (e->op == EXPR_LEAF || e->but))
		return VERDICT_ABSENT;
	if (p.best == VERDICT_UNASKED) /* no value: nothing there, or an empty array */
		return there(t, &e->path) ? VERDICT_FAIL : VERDICT_ABSENT;
	return p.best;
}

/* `!=` and `not like` are true where the plain form is false and the field exists: also
 * where it is another type, or has nothing on the right to compare with. */
static enum verdict turned(struct trial *t, const struct expr *e, enum verdict plain)
{
	if (plain == VERDICT_PASS)
		return VERDICT_FAIL;
	if (plain == VERDICT_ABSENT && !there(t, &e->path))
		return VERDICT_ABSENT;
	return VERDICT_PASS;
}

/* Of the elements of an `any`, the last of the best: the one that made it true, if one did. */
static void keep_seen(struct trial *t, const struct expr *e, enum verdict v, struct seen *seen)
{
	struct seen *kept = &t->seen[e->number];

	if (rank(v) < rank((enum verdict)t->verdicts[e->number])) {
		seen_clear(seen);
		return;
	}
	seen_clear(kept);
	*kept = *seen;
}

static bool test_holds(struct trial *t, const struct expr *e)
{
	struct seen seen = {.element = -1, .any = t->number};
	enum verdict v = plain_verdict(t, &t->judge->tests[e->number], t->seen ? &seen : NULL);

	*t->mismatches += v == VERDICT_TYPE;
	if (e->negated || e->op == EXPR_NE)
		v = turned(t, e, v);
	if (t->seen)
		keep_seen(t, e, v, &seen);
	if (t->verdicts)
		t->verdicts[e->number] = (uint8_t)better(v, (enum verdict)t->verdicts[e->number]);
	return v == VERDICT_PASS;
}

struct any {
	struct trial *trial;
	const struct expr *part;
	bool found;
	long count;
};

static bool try_element(const struct json_value *value, void *arg)
{
	struct any *a = arg;
	const struct json_value *around = a->trial->element;
	long number = a->trial->number;

	a->trial->element = value;
	a->trial->number = a->count++;
	a->found = holds(a->trial, a->part);
	a->trial->element = around;
	a->trial->number = number;
	return !a->found;
}

/* Tests about elements that are not there. */
static void mark_absent(struct trial *t, const struct expr *e)
{
	if (e->kind == EXPR_TEST && t->verdicts[e->number] == VERDICT_UNASKED)
		t->verdicts[e->number] = VERDICT_ABSENT;
	for (size_t i = 0; i < e->nparts; i++)
		mark_absent(t, e->parts[i]);
}

static bool any_holds(struct trial *t, const struct expr *e)
{
	struct any a = {t, e->parts[0], false, 0};

	each(t, &e->path, &t->m->find_left, try_element, &a);
	if (!a.found && t->verdicts && !there(t, &e->path))
		mark_absent(t, e);
	return a.found;
}

static bool parts_hold(struct trial *t, const struct expr *e)
{
	bool wanted = e->kind == EXPR_OR, decided = false;

	for (size_t i = 0; i < e->nparts && (t->seen || !decided); i++)
		decided = holds(t, e->parts[i]) == wanted || decided;
	return decided == wanted;
}

static bool holds(struct trial *t, const struct expr *e)
{
	switch (e->kind) {
	case EXPR_TEST: return test_holds(t, e);
	case EXPR_NOT: return !holds(t, e->parts[0]);
	case EXPR_ANY: return any_holds(t, e);
	case EXPR_OR:
	case EXPR_AND: break;
	}
	return parts_hold(t, e);
}

static bool ask(struct trial *t)
{
	bool result = holds(t, t->judge->expr);
	struct judge_memory *m = t->m;

	if (m->cap > KEEP_VALUES) {
		free(m->values);
		m->values = NULL;
		m->cap = 0;
	}
	return result;
}

bool judge_event(const struct judge *j, const struct event *ev, struct judge_memory *m,
		 uint8_t *verdicts, uint64_t *mismatches)
{
	struct trial t = {.judge = j,
			  .ev = ev,
			  .m = m,
			  .verdicts = verdicts,
			  .mismatches = mismatches,
			  .number = -1};

	return ask(&t);
}

bool judge_explain(const struct judge *j, const struct event *ev, struct judge_memory *m,
		   struct seen *seen)
{
	uint8_t *verdicts = mem_zero(j->n);
	uint64_t mismatches = 0;
	struct trial t = {.judge = j,
			  .ev = ev,
			  .m = m,
			  .verdicts = verdicts,
			  .mismatches = &mismatches,
			  .seen = seen,
			  .number = -1};
	bool result;

	for (size_t i = 0; i < j->n; i++)
		seen[i] = SEEN_NOTHING;
	result = ask(&t);
	for (size_t i = 0; i < j->n; i++)
		seen[i].verdict = (enum verdict)verdicts[i];
	free(verdicts);
	return result;
}

void judge_memory_free(struct judge_memory *m)
{
	buf_free(&m->left);
	buf_free(&m->right);
	buf_free(&m->find_left);
	buf_free(&m->find_right);
	free(m->values);
	iregexp_memory_free(&m->iregexp);
	*m = (struct judge_memory){0};
}
