#include "event/filter.h"

#include "base/mem.h"
#include "base/units.h"
#include "base/utf8.h"
#include "json/check.h"
#include "json/escape.h"
#include "json/letter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)  (sizeof(a) / sizeof *(a))
#define SHORT     7
#define ELLIPSIS  "\xe2\x80\xa6"
#define MANY_PART 1000000L

enum arguments { NO_ARGUMENT, A_SCALAR, A_TEXT, A_NUMBER, TEXT_AND_NUMBER };

static const struct {
	const char *name;
	enum arguments arguments;
	const char *form;
} filters[] = {
	[FILTER_JSON] = {"json", NO_ARGUMENT, "json"},
	[FILTER_OR] = {"or", A_SCALAR, "or(\"x\")"},
	[FILTER_UPPER] = {"upper", NO_ARGUMENT, "upper"},
	[FILTER_LOWER] = {"lower", NO_ARGUMENT, "lower"},
	[FILTER_SHORT] = {"short", NO_ARGUMENT, "short"},
	[FILTER_CUT] = {"cut", A_NUMBER, "cut(100)"},
	[FILTER_DURATION] = {"duration", NO_ARGUMENT, "duration"},
	[FILTER_PART] = {"part", TEXT_AND_NUMBER, "part(\"/\", 2)"},
	[FILTER_STRIP] = {"strip", A_TEXT, "strip(\"refs/tags/\")"},
};

struct reader {
	const char *text;
	size_t len, at;
};

static void blanks(struct reader *r)
{
	while (r->at < r->len && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at])
		r->at++;
}

static bool take(struct reader *r, char c)
{
	blanks(r);
	if (r->at == r->len || r->text[r->at] != c)
		return false;
	r->at++;
	return true;
}

static bool in_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '-' || c == '.' || c == '_';
}

/* A JSON scalar; how long it is, 0 if there is none. */
static size_t scalar(const struct reader *r)
{
	const char *p = r->text + r->at;
	size_t left = r->len - r->at, n = 0;

	if (left && *p == '"')
		n = json_string_end(p + 1, left - 1) + 2;
	else
		while (n < left && in_word(p[n]))
			n++;
	return n <= left && json_check(p, n, 0, NULL) ? n : 0;
}

static bool take_scalar(struct reader *r, struct filter *f)
{
	size_t n;

	blanks(r);
	n = scalar(r);
	if (!n)
		return false;
	f->text = mem_slice(r->text + r->at, n);
	f->len = n;
	r->at += n;
	return true;
}

static bool take_text(struct reader *r, struct filter *f)
{
	struct buf plain = {0};

	blanks(r);
	if (r->at == r->len || r->text[r->at] != '"' || !take_scalar(r, f))
		return false;
	json_string_plain(f->text + 1, f->len - 2, &plain);
	free(f->text);
	f->len = plain.len;
	f->text = buf_take(&plain);
	return f->len > 0;
}

static bool take_number(struct reader *r, struct filter *f)
{
	bool minus;
	size_t from;

	minus = take(r, '-');
	for (from = r->at; r->at < r->len && r->text[r->at] >= '0' && r->text[r->at] <= '9';
	     r->at++)
		f->n = f->n < MANY_PART ? f->n * 10 + (r->text[r->at] - '0') : MANY_PART;
	f->n = minus ? -f->n : f->n;
	return r->at > from && (f->kind != FILTER_CUT || f->n > 0);
}

static bool take_arguments(struct reader *r, struct filter *f)
{
	switch (filters[f->kind].arguments) {
	case NO_ARGUMENT: return true;
	case A_SCALAR: return take(r, '(') && take_scalar(r, f) && take(r, ')');
	case A_TEXT: return take(r, '(') && take_text(r, f) && take(r, ')');
	case A_NUMBER: return take(r, '(') && take_number(r, f) && take(r, ')');
	case TEXT_AND_NUMBER:
		return take(r, '(') && take_text(r, f) && take(r, ',') && take_number(r, f) &&
		       take(r, ')');
	}
	return false;
}

static void unknown(const char *word, size_t n, struct err *err)
{
	struct buf names = {0};

	for (size_t i = 0; i < COUNT(filters); i++)
		buf_printf(&names, " %s", filters[i].name);
	if (n)
		err_set(err, "there is no filter \"%.*s\"; there are%s", n > 40 ? 40 : (int)n, word,
			buf_text(&names));
	else
		err_set(err, "a filter is missing after |; there are%s", buf_text(&names));
	buf_free(&names);
}

bool filter_parse(const char *text, size_t len, struct filter *out, size_t *used, struct err *err)
{
	struct reader r = {text, len, 0};

	*out = (struct filter){0};
	*used = 0;
	while (r.at < len && in_word(text[r.at]))
		r.at++;
	for (size_t i = 0; i < COUNT(filters); i++) {
		if (strlen(filters[i].name) != r.at || memcmp(filters[i].name, text, r.at) != 0)
			continue;
		out->kind = (enum filter_kind)i;
		if (take_arguments(&r, out)) {
			*used = r.at;
			return true;
		}
		err_set(err, "%s is written %s", filters[i].name, filters[i].form);
		*used = r.at;
		filter_free(out);
		return false;
	}
	unknown(text, r.at, err);
	return false;
}

void filter_free(struct filter *f)
{
	free(f->text);
	*f = (struct filter){0};
}

bool piped_nothing(const struct piped *p)
{
	return !p->made && (p->value.kind == KIND_ABSENT || p->value.kind == KIND_NULL);
}

static void set_text(struct piped *p, struct buf *text)
{
	buf_free(&p->text);
	p->text = *text;
	p->made = true;
	p->json = false;
}

static void to_json(struct piped *p)
{
	struct buf quoted = {0};

	if (p->made && !p->json) {
		buf_json_string(&quoted, buf_text(&p->text), p->text.len);
		set_text(p, &quoted);
	}
	p->json = true;
}

static void or_else(const struct filter *f, struct piped *p)
{
	if (!piped_nothing(p) || p->given)
		return;
	p->value = json_root(f->text, f->len);
	p->given = true;
	p->why = NULL;
}

static void change_case(uint32_t (*change)(uint32_t), struct buf *text)
{
	struct buf out = {0};
	size_t n;

	for (size_t i = 0; i < text->len; i += n) {
		uint32_t cp;

		n = utf8_read(text->data + i, text->len - i, &cp);
		if (n)
			utf8_add(&out, change(cp));
		else
			buf_char(&out, text->data[i + n++]);
	}
	buf_free(text);
	*text = out;
}

static void cut(struct buf *text, long most)
{
	size_t keep = 0, at = 0, n;

	for (long count = 0; at < text->len; count++, at += n) {
		if (count == most - 1)
			keep = at;
		if (count == most) {
			buf_cut(text, keep);
			buf_text_add(text, ELLIPSIS);
			return;
		}
		n = utf8_read(text->data + at, text->len - at, NULL);
		n = n ? n : 1;
	}
}

static bool duration(struct buf *text, struct err *err)
{
	double seconds = 0;
	char shown[64];
	bool number = json_check(buf_text(text), text->len, 0, NULL) &&
		      json_root(buf_text(text), text->len).kind == KIND_NUMBER;

	if (number)
		seconds = strtod(text->data, NULL);
	if (!number || fabs(seconds) > 1e12) {
		err_set(err, "\"%.40s\" is no number of seconds for duration", buf_text(text));
		return false;
	}
	units_duration_text(llround(seconds * 1000), shown, sizeof shown);
	buf_cut(text, 0);
	buf_text_add(text, shown);
	return true;
}

static long occurrences(const struct buf *text, const struct filter *f)
{
	const char *p = buf_text(text), *end = p + text->len;
	long n = 0;

	while ((p = memmem(p, (size_t)(end - p), f->text, f->len))) {
		p += f->len;
		n++;
	}
	return n;
}

static bool part(struct buf *text, const struct filter *f)
{
	long n = f->n < 0 ? occurrences(text, f) + 1 + f->n : f->n;
	const char *p = buf_text(text), *end = p + text->len, *next;
	struct buf out = {0};

	if (n < 0)
		return false;
	while ((next = memmem(p, (size_t)(end - p), f->text, f->len)) && n > 0) {
		p = next + f->len;
		n--;
	}
	if (n > 0)
		return false;
	buf_add(&out, p, (size_t)((next ? next : end) - p));
	buf_free(text);
	*text = out;
	return true;
}

static void strip(struct buf *text, const struct filter *f)
{
	struct buf out = {0};

	if (text->len < f->len || memcmp(buf_text(text), f->text, f->len) != 0)
		return;
	buf_add(&out, text->data + f->len, text->len - f->len);
	buf_free(text);
	*text = out;
}

static bool apply_to_text(const struct filter *f, struct piped *p, struct err *err)
{
	struct buf *text = &p->text;

	switch (f->kind) {
	case FILTER_UPPER: change_case(letter_upper, text); break;
	case FILTER_LOWER: change_case(letter_lower, text); break;
	case FILTER_SHORT:
		if (strspn(buf_text(text), "0123456789abcdefABCDEF") == text->len &&
		    text->len > SHORT)
			buf_cut(text, SHORT);
		break;
	case FILTER_CUT: cut(text, f->n); break;
	case FILTER_DURATION: return duration(text, err);
	case FILTER_PART:
		if (part(text, f))
			break;
		p->made = false;
		p->value = (struct json_value){0};
		p->why = "has no such part";
		break;
	default: strip(text, f); break;
	}
	return true;
}

bool filter_apply(const struct filter *f, struct piped *p, struct err *err)
{
	struct buf text = {0};

	if (f->kind == FILTER_OR) {
		or_else(f, p);
		return true;
	}
	if (piped_nothing(p))
		return true;
	if (f->kind == FILTER_JSON) {
		to_json(p);
		return true;
	}
	piped_text(p, &text);
	set_text(p, &text);
	return apply_to_text(f, p, err);
}

void piped_text(const struct piped *p, struct buf *out)
{
	if (p->made)
		buf_add(out, buf_text(&p->text), p->text.len);
	else if (p->json)
		piped_json(p, out);
	else
		json_text(&p->value, out);
}

void piped_json(const struct piped *p, struct buf *out)
{
	if (p->made && !p->json)
		buf_json_string(out, buf_text(&p->text), p->text.len);
	else if (p->made)
		buf_add(out, buf_text(&p->text), p->text.len);
	else if (p->value.kind == KIND_COUNT)
		json_text(&p->value, out);
	else
		buf_add(out, p->value.text, p->value.len);
}

void piped_free(struct piped *p)
{
	buf_free(&p->text);
	*p = (struct piped){0};
}
