#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* No stdio: it may want memory, and _exit() because exit handlers may too. */
void mem_exhausted(void)
{
	static const char text[] = "pointsman: out of memory; stopping. What was accepted is in "
				   "the journal and goes on at the next start.\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);

	(void)ignored;
	_exit(EX_SOFTWARE);
}

void *mem_zero(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		mem_exhausted();
	return p;
}

void *mem_grow(void *old, size_t n, size_t size)
{
	void *p;

	if (size && n > SIZE_MAX / size)
		mem_exhausted();
	p = realloc(old, n * size > 0 ? n * size : 1);
	if (!p)
		mem_exhausted();
	return p;
}

char *mem_slice(const char *text, size_t len)
{
	char *p = mem_grow(NULL, len + 1, 1);

	if (len)
		memcpy(p, text, len);
	p[len] = '\0';
	return p;
}

char *mem_text(const char *text)
{
	return text ? mem_slice(text, strlen(text)) : NULL;
}

char *mem_vformat(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		mem_exhausted();
	return text;
}

char *mem_format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = mem_vformat(fmt, ap);
	va_end(ap);
	return text;
}

void *mem_malloc(size_t size)
{
	return mem_grow(NULL, size, 1);
}

void *mem_calloc(size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		mem_exhausted();
	return mem_zero(n * size);
}

void *mem_realloc(void *old, size_t size)
{
	return mem_grow(old, size, 1);
}
