#include "config/report.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_place(const struct place *a, const struct place *b)
{
	return a->line == b->line && a->column == b->column &&
	       strcmp(a->file ? a->file : "", b->file ? b->file : "") == 0;
}

/* A section read once per word of its `for` has each of its mistakes as often. */
static bool said_before(const struct report *r, const struct remark *m)
{
	for (size_t i = 0; i < r->n; i++) {
		if (same_place(&r->remarks[i].at, &m->at) &&
		    strcmp(r->remarks[i].text, m->text) == 0)
			return true;
	}
	return false;
}

static void add(struct report *r, bool warning, struct place at, const char *fmt, va_list ap)
{
	struct remark m = {at, warning, mem_vformat(fmt, ap)};

	if (said_before(r, &m)) {
		free(m.text);
		return;
	}
	m.at.file = mem_text(at.file);
	mem_room(r->remarks, r->n, r->cap);
	r->remarks[r->n++] = m;
	r->errors += !warning;
}

void report_error(struct report *r, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, false, at, fmt, ap);
	va_end(ap);
}

void report_warning(struct report *r, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, true, at, fmt, ap);
	va_end(ap);
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = &((const struct remark *)a)->at;
	const struct place *y = &((const struct remark *)b)->at;
	int files = strcmp(x->file ? x->file : "", y->file ? y->file : "");

	if (files != 0)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(((const struct remark *)a)->text, ((const struct remark *)b)->text);
}

static void print_place(const struct place *at, struct buf *out)
{
	if (!at->file)
		return;
	buf_text_add(out, at->file);
	if (at->line)
		buf_printf(out, ":%u", at->line);
	if (at->column)
		buf_printf(out, ":%u", at->column);
	buf_text_add(out, ": ");
}

void report_print(struct report *r, struct buf *out)
{
	struct buf lines = {0};

	if (r->n)
		qsort(r->remarks, r->n, sizeof *r->remarks, by_place);
	for (size_t i = 0; i < r->n; i++) {
		print_place(&r->remarks[i].at, &lines);
		buf_printf(&lines, "%s%s\n", r->remarks[i].warning ? "warning: " : "",
			   r->remarks[i].text);
	}
	log_mask(&lines);
	buf_add(out, buf_text(&lines), lines.len);
	buf_free(&lines);
}

void report_free(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->remarks[i].text);
		free((char *)r->remarks[i].at.file);
	}
	free(r->remarks);
	*r = (struct report){0};
}

const char *report_nearest(const char *word, const char *const *candidates, size_t n)
{
	return nearest_word(word, candidates, n);
}
