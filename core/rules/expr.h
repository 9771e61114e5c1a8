/*
 * expr - what a rule asks of an event, as a tree; and the language of `where`.
 *
 * EventBridge patterns become the same tree (pattern.h).  A tree lives in the arena it was
 * parsed into.
 *
 *   where = or ;   or = and { "or" and } ;   and = not { "and" not } ;
 *   not   = "not" not | "(" or ")" | "any" path "(" or ")" | test ;
 *   test  = path "exists" | path op value | value "in" path ;
 *   op    = "==" | "!=" | "<" | "<=" | ">" | ">=" | "ieq" | "istarts" | "iends" | "within" |
 *           [ "not" ] ( "in" | "like" | "contains" | "starts" | "ends" | "matches" ) ;
 *   value = string | number | "true" | "false" | "null" | "[" value { "," value } "]" | path ;
 *
 * Paths begin with type, source, subject, time, id, instance or data; inside any (..) they
 * begin at the element.  A list stands to the right of `in`, and of the operators on text
 * (like contains starts ends matches ieq istarts iends within), where any of its members will do;
 * like, matches and within take no path.  A bracket, `not` and `any` nest 64 deep, and an
 * expression has at most 1,024 tests.
 *
 * Parsing gives a tree; what evaluates it is ruleset.h.
 */
#ifndef POINTSMAN_RULES_EXPR_H
#define POINTSMAN_RULES_EXPR_H

#include "base/arena.h"
#include "base/err.h"
#include "json/path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum expr_kind { EXPR_OR, EXPR_AND, EXPR_NOT, EXPR_ANY, EXPR_TEST };

enum expr_op {
	EXPR_EXISTS,
	EXPR_EQ,
	EXPR_NE,
	EXPR_LT,
	EXPR_LE,
	EXPR_GT,
	EXPR_GE,
	EXPR_IEQ,
	EXPR_WITHIN,
	EXPR_IN,
	EXPR_LIKE,
	EXPR_CONTAINS,
	EXPR_STARTS,
	EXPR_ENDS,
	EXPR_MATCHES,
	EXPR_VALUE_IN, /* value "in" path */
	EXPR_ISTARTS,
	EXPR_IENDS,
	EXPR_LEAF,    /* patterns: a value that is neither object nor array, nor an empty array */
	EXPR_RANGE,   /* patterns: a number between two, items[0] and items[1] */
	EXPR_FITS,    /* `on`: a type that fits one with stars in it, as event_type_fits() says */
	EXPR_CHANGED, /* `changed` */
};

struct change;

struct expr_value { /* a literal, a list of them, or a path */
	enum {
		VALUE_NONE,
		VALUE_STRING,
		VALUE_NUMBER,
		VALUE_TRUE,
		VALUE_FALSE,
		VALUE_NULL,
		VALUE_LIST,
		VALUE_PATH
	} kind;
	char *text; /* string: unescaped; number: as written */
	size_t len;
	struct expr_value *items;
	size_t n;
	struct path path;
};

struct expr {
	enum expr_kind kind;
	size_t at, end;      /* where in the source text this condition stands */
	struct expr **parts; /* of OR, AND, NOT (one), ANY (one) */
	size_t nparts;
	struct path path;  /* of ANY and TEST */
	struct path whole; /* of ANY: from the top, through the `any` around it */
	enum expr_op op;
	bool negated; /* "not like": not (like) and the field exists */
	/* Patterns, anything-but: some leaf value of the path of which the test is not true. */
	bool but;
	bool above, below; /* of RANGE: the lower, the upper end is not in it */
	struct expr_value value;
	const struct change *change; /* of CHANGED; `path` is that of the new value */
	uint32_t number;             /* conditions (leaves) are numbered from 0 in reading order */
};

/* NULL with *err saying what is wrong and what would be right, and the offset in *at. */
struct expr *expr_parse(struct arena *a, const char *text, size_t *at, struct err *err);

/* For parsers: a zeroed node, one more part of `e`, a copy of a path. */
struct expr *expr_new(struct arena *a, enum expr_kind kind);
void expr_adopt(struct arena *a, struct expr *e, struct expr *part);
struct path expr_path(struct arena *a, const struct path *path);

/* Every path used: those tested, with operator and literal, for type checks; those on the
 * right side and after `any`, as if asked whether they exist.  Returns how many there are
 * and fills in the i-th, whose memory is that of `e`. */
struct expr_use {
	const struct path *prefix; /* the whole path of the enclosing `any`, or NULL */
	const struct path *path;
	enum expr_op op;
	const struct expr_value *value; /* or NULL */
	size_t at;                      /* of the test or `any` it stands in */
};
size_t expr_uses(const struct expr *e, size_t i, struct expr_use *use);

#endif
