#include "matcher/draft.h"

bool asks_text(const struct asked *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->literals[i].kind != KIND_STRING)
			return false;
	}
	return a->n > 0;
}

bool asks_equality(const struct asked *a)
{
	return a->op == EXPR_EQ || a->op == EXPR_IN || a->op == EXPR_VALUE_IN;
}

bool asks_order(const struct asked *a)
{
	return a->op >= EXPR_LT && a->op <= EXPR_GE;
}

bool asks_lazily(const struct asked *a)
{
	return a->other != NONE || a->op == EXPR_CHANGED;
}
