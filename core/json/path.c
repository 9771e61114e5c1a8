#include "json/path.h"

#include "base/mem.h"
#include "json/check.h"
#include "json/escape.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 64

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static long index_of(const char *name, size_t len)
{
	long n = 0;

	if (len == 5 && memcmp(name, "count", 5) == 0)
		return PATH_COUNT;
	if (len > 9 || (len > 1 && name[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n;
}

bool path_name_bare(const char *name, size_t len)
{
	size_t n = 0;

	while (n < len && name_char(name[n]))
		n++;
	return n && n == len && index_of(name, len) == -1;
}

static size_t bare_name(const char *text, size_t len, struct path_step *step)
{
	size_t n = 0;

	while (n < len && name_char(text[n]))
		n++;
	if (!n)
		return 0;
	*step = (struct path_step){mem_slice(text, n), n, index_of(text, n)};
	return n;
}

static size_t quoted_name(const char *text, size_t len, struct path_step *step)
{
	size_t inside = json_string_end(text + 1, len - 1);
	struct buf plain = {0};

	if (inside == len - 1 || !json_check(text, inside + 2, 1, NULL))
		return 0;
	json_string_plain(text + 1, inside, &plain);
	step->len = plain.len;
	step->name = buf_take(&plain);
	step->index = -1;
	return inside + 2;
}

/* Appends the name at `text`; its length, or 0 after saying what is wrong. */
static size_t add_step(struct path *p, const char *text, size_t len, struct err *err)
{
	struct path_step step = {0};
	size_t n;

	if (p->n == MAX_STEPS) {
		err_set(err, "a path has at most %d names", MAX_STEPS);
		return 0;
	}
	if (len && text[0] == '"')
		n = quoted_name(text, len, &step);
	else
		n = bare_name(text, len, &step);
	if (!n) {
		err_set(err, len && text[0] == '"'
				     ? "the quoted name is no JSON string; like data.\"a.b\""
			     : p->n ? "a name is missing after the dot; names have a-z A-Z "
				      "0-9 _ -, others are quoted: data.\"a.b\""
				    : "a path is missing here, like data.new.phase");
		return 0;
	}
	p->steps = mem_grow(p->steps, p->n + 1, sizeof *p->steps);
	p->steps[p->n++] = step;
	return n;
}

bool path_parse(const char *text, size_t len, struct path *out, size_t *used, struct err *err)
{
	size_t n;

	*out = (struct path){0};
	*used = 0;
	for (;;) {
		n = add_step(out, text + *used, len - *used, err);
		if (!n) {
			path_free(out);
			return false;
		}
		*used += n;
		if (*used == len || text[*used] != '.')
			break;
		*used += 1;
	}
	out->text = mem_slice(text, *used);
	return true;
}

void path_free(struct path *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->steps[i].name);
	free(p->steps);
	free(p->text);
	*p = (struct path){0};
}

static void add_steps(struct path *out, const struct path *from)
{
	for (size_t i = 0; i < from->n; i++) {
		out->steps[out->n] = from->steps[i];
		out->steps[out->n++].name = mem_slice(from->steps[i].name, from->steps[i].len);
	}
}

void path_join(const struct path *a, const struct path *b, struct path *out)
{
	*out = (struct path){.text = mem_format("%s.%s", a->text, b->text),
			     .steps = mem_zero((a->n + b->n) * sizeof *out->steps)};
	add_steps(out, a);
	add_steps(out, b);
}
