#include "base/err.h"

#include <stdio.h>
#include <string.h>

void err_vset(struct err *e, const char *fmt, va_list ap)
{
	if (e)
		vsnprintf(e->text, sizeof e->text, fmt, ap);
}

void err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, fmt, ap);
	va_end(ap);
}

void err_prefix(struct err *e, const char *fmt, ...)
{
	char front[sizeof e->text], tail[sizeof e->text];
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	vsnprintf(front, sizeof front, fmt, ap);
	va_end(ap);
	memcpy(tail, e->text, sizeof tail);
	snprintf(e->text, sizeof e->text, "%.200s: %.300s", front, tail);
}
