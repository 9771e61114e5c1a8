/*
 * operand - the two sides of a comparison.
 *
 * A literal is made ready once, when its rule is compiled; a value of an event is looked
 * at in place, a buffer taking strings that have escapes.
 */
#ifndef POINTSMAN_RULES_OPERAND_H
#define POINTSMAN_RULES_OPERAND_H

#include "rules/expr.h"
#include "rules/iregexp.h"
#include "rules/network.h"
#include "rules/wildcard.h"
#include "json/find.h"

struct operand {
	enum json_kind kind; /* KIND_COUNT has become KIND_NUMBER */
	const char *text;    /* string: plain; others as written */
	size_t len;
	const struct json_value *value; /* of an event; else NULL */
	char digits[24];                /* text of a count */
	/* Of a literal, what its operator needs. */
	struct wildcard like;
	struct network within;
	struct iregexp *matches;
};

/* The expression was parsed, so the literal fits its operator.  It keeps the text. */
void operand_of_literal(const struct expr_value *v, enum expr_op op, struct operand *out);
void operand_free(struct operand *o);
/* For as long as `value` and `plain` stay as they are. */
void operand_of_value(const struct json_value *value, struct buf *plain, struct operand *out);

enum outcome {
	OUTCOME_FALSE,
	OUTCOME_TRUE,
	OUTCOME_TYPE, /* false, because the values are of different types */
};

/* null is equal to null alone, and of no other type than anything. */
enum outcome operand_compare(const struct operand *left, enum expr_op op,
			     const struct operand *right, struct iregexp_memory *memory);

#endif
