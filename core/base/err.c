#include "base/err.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* What it quotes may come from outside.  A character that was cut off goes, one that is none
 * becomes a question mark. */
static void mend(char *text, bool cut)
{
	size_t len = strlen(text);

	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		n = utf8_read(text + i, len - i, NULL);
		if (n == 0)
			text[i] = cut && len - i < 4 ? '\0' : '?';
		else if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	}
}

void err_vset(struct err *e, const char *fmt, va_list ap)
{
	int n;

	if (!e)
		return;
	n = vsnprintf(e->text, sizeof e->text, fmt, ap);
	mend(e->text, n >= (int)sizeof e->text);
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
	mend(e->text, strlen(tail) > 300);
}
