#include "rules/operand.h"

#include "event/event.h"
#include "rules/ignorecase.h"
#include "json/same.h"

#include <stdio.h>
#include <string.h>

void operand_of_literal(const struct expr_value *v, enum expr_op op, struct operand *out)
{
	static const enum json_kind kinds[] = {
		[VALUE_STRING] = KIND_STRING, [VALUE_NUMBER] = KIND_NUMBER,
		[VALUE_TRUE] = KIND_TRUE,     [VALUE_FALSE] = KIND_FALSE,
		[VALUE_NULL] = KIND_NULL,
	};

	*out = (struct operand){.kind = kinds[v->kind], .text = v->text, .len = v->len};
	if (op == EXPR_LIKE)
		wildcard_parse(v->text, v->len, &out->like, NULL);
	if (op == EXPR_WITHIN)
		network_parse(v->text, v->len, &out->within, NULL);
	if (op == EXPR_MATCHES)
		out->matches = iregexp_compile(v->text, v->len, NULL, NULL);
}

void operand_free(struct operand *o)
{
	wildcard_free(&o->like);
	iregexp_free(o->matches);
}

void operand_of_value(const struct json_value *value, struct buf *plain, struct operand *out)
{
	out->kind = value->kind;
	out->text = value->text;
	out->len = value->len;
	out->value = value;
	if (value->kind == KIND_COUNT) {
		out->kind = KIND_NUMBER;
		out->len = (size_t)snprintf(out->digits, sizeof out->digits, "%llu",
					    (unsigned long long)value->number);
		out->text = out->digits;
	}
	if (value->kind != KIND_STRING)
		return;
	out->text++;
	out->len -= 2;
	if (memchr(out->text, '\\', out->len)) {
		buf_cut(plain, 0);
		json_text(value, plain);
		out->text = buf_text(plain);
		out->len = plain->len;
	}
}

static enum outcome outcome(bool true_or_false)
{
	return true_or_false ? OUTCOME_TRUE : OUTCOME_FALSE;
}

static bool both(const struct operand *a, const struct operand *b, enum json_kind kind)
{
	return a->kind == kind && b->kind == kind;
}

static bool boolean(const struct operand *o)
{
	return o->kind == KIND_TRUE || o->kind == KIND_FALSE;
}

static bool same_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static enum outcome equal(const struct operand *l, const struct operand *r)
{
	if (l->kind == KIND_NULL || r->kind == KIND_NULL)
		return outcome(l->kind == r->kind);
	if (both(l, r, KIND_STRING))
		return outcome(same_bytes(l->text, l->len, r->text, r->len));
	if (both(l, r, KIND_NUMBER))
		return outcome(json_number_compare(l->text, l->len, r->text, r->len) == 0);
	if (boolean(l) && boolean(r))
		return outcome(l->kind == r->kind);
	if (both(l, r, KIND_OBJECT))
		return outcome(json_same(l->value, r->value));
	return OUTCOME_TYPE;
}

static int text_order(const struct operand *l, const struct operand *r)
{
	int order = memcmp(l->text, r->text, l->len < r->len ? l->len : r->len);

	return order ? order : (l->len > r->len) - (l->len < r->len);
}

static enum outcome ordered(const struct operand *l, enum expr_op op, const struct operand *r)
{
	int order;

	if (l->kind == KIND_NULL || r->kind == KIND_NULL)
		return OUTCOME_FALSE;
	if (both(l, r, KIND_NUMBER))
		order = json_number_compare(l->text, l->len, r->text, r->len);
	else if (both(l, r, KIND_STRING))
		order = text_order(l, r);
	else
		return OUTCOME_TYPE;
	switch (op) {
	case EXPR_LT: return outcome(order < 0);
	case EXPR_LE: return outcome(order <= 0);
	case EXPR_GT: return outcome(order > 0);
	default: return outcome(order >= 0);
	}
}

static bool starts(const struct operand *l, const struct operand *r)
{
	return l->len >= r->len && memcmp(l->text, r->text, r->len) == 0;
}

static bool ends(const struct operand *l, const struct operand *r)
{
	return l->len >= r->len && memcmp(l->text + l->len - r->len, r->text, r->len) == 0;
}

static enum outcome alike(const struct operand *l, enum expr_op op, const struct operand *r,
			  struct iregexp_memory *memory)
{
	if (l->kind == KIND_NULL || r->kind == KIND_NULL)
		return OUTCOME_FALSE;
	if (!both(l, r, KIND_STRING))
		return OUTCOME_TYPE;
	switch (op) {
	case EXPR_IEQ: return outcome(ignorecase_equal(l->text, l->len, r->text, r->len));
	case EXPR_ISTARTS: return outcome(ignorecase_starts(l->text, l->len, r->text, r->len));
	case EXPR_IENDS: return outcome(ignorecase_ends(l->text, l->len, r->text, r->len));
	case EXPR_FITS: return outcome(event_type_fits(r->text, l->text));
	case EXPR_WITHIN: return outcome(network_has(&r->within, l->text, l->len));
	case EXPR_LIKE: return outcome(wildcard_match(&r->like, l->text, l->len));
	case EXPR_CONTAINS: return outcome(memmem(l->text, l->len, r->text, r->len) != NULL);
	case EXPR_STARTS: return outcome(starts(l, r));
	case EXPR_ENDS: return outcome(ends(l, r));
	default: return outcome(iregexp_match(r->matches, memory, l->text, l->len));
	}
}

enum outcome operand_compare(const struct operand *left, enum expr_op op,
			     const struct operand *right, struct iregexp_memory *memory)
{
	switch (op) {
	case EXPR_EQ:
	case EXPR_NE:
	case EXPR_IN:
	case EXPR_VALUE_IN: return equal(left, right);
	case EXPR_LT:
	case EXPR_LE:
	case EXPR_GT:
	case EXPR_GE: return ordered(left, op, right);
	default: return alike(left, op, right, memory);
	}
}
