#include "rules/seen.h"

void seen_clear(struct seen *s)
{
	buf_free(&s->value);
	buf_free(&s->other);
	*s = SEEN_NOTHING;
}

void seen_put(struct buf *out, const struct json_value *value)
{
	if (value->kind == KIND_ABSENT)
		return;
	if (out->len)
		buf_text_add(out, ", ");
	if (value->kind == KIND_COUNT)
		buf_printf(out, "%llu", (unsigned long long)value->number);
	else
		buf_add(out, value->text, value->len);
}
