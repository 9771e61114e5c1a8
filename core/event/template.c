#include "event/template.h"

#include "base/mem.h"
#include "event/insertion.h"
#include "json/check.h"

#include <stdlib.h>
#include <string.h>

/* A stretch of the text as written, then (but for the last piece) an insertion. */
struct piece {
	size_t at, len; /* in `text` */
	bool has_insertion;
	bool quoted; /* it lands inside a JSON string */
	struct insertion insertion;
};

struct template
{
	enum template_kind kind;
	char *text;
	struct piece *pieces;
	size_t n, cap;
};

static const char *braces(const char *text, size_t len)
{
	return memmem(text, len, "{{", 2);
}

/* Does a stretch of JSON end inside a string, given how it began? */
static bool quoted_after(const char *text, size_t len, bool quoted)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && quoted)
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
	}
	return quoted;
}

/* or(null) is a value only where a bare JSON value stands. */
static bool null_fits(const struct template *t, const struct piece *p, struct err *err)
{
	if (t->kind == TEMPLATE_JSON && !p->quoted)
		return true;
	for (size_t i = 0; i < p->insertion.nfilters; i++) {
		const struct filter *f = &p->insertion.filters[i];

		if (f->kind == FILTER_OR && strcmp(f->text, "null") == 0) {
			err_set(err, "or(null) gives no text; write or(\"\") for none");
			return false;
		}
	}
	return true;
}

/* At the braces; *at moves behind the closing ones, or to the mistake. */
static bool parse_insertion(const struct template *t, struct piece *p, size_t *at, struct err *err)
{
	size_t len = strlen(t->text), open = *at, used;
	bool ok;

	*at += 2;
	ok = insertion_parse(t->text + *at, len - *at, true, &p->insertion, &used, err);
	*at += used;
	if (!ok)
		return false;
	p->has_insertion = true;
	if (strncmp(t->text + *at, "}}", 2) != 0) {
		if (*at == len) {
			*at = open;
			err_set(err, "{{ is not closed; for two braces as text write "
				     "{{ \"{{\" }}");
		} else {
			err_set(err, "}} or | was expected after %s",
				p->insertion.text ? p->insertion.text : p->insertion.path.text);
		}
		return false;
	}
	if (!null_fits(t, p, err)) {
		*at = open;
		return false;
	}
	*at += 2;
	return true;
}

static bool parse_pieces(struct template *t, size_t *at, struct err *err)
{
	size_t len = strlen(t->text), from = 0;
	bool quoted = false;

	for (;;) {
		const char *open = braces(t->text + from, len - from);
		size_t end = open ? (size_t)(open - t->text) : len;
		struct piece *p;

		mem_room(t->pieces, t->n, t->cap);
		p = &t->pieces[t->n++];
		quoted = quoted_after(t->text + from, end - from, quoted);
		*p = (struct piece){.at = from, .len = end - from, .quoted = quoted};
		*at = end;
		if (!open)
			return true;
		if (!parse_insertion(t, p, at, err))
			return false;
		from = *at;
	}
}

/* What stands for the values: `null`, or inside quotes {{0}}, {{1}}, .., which nothing in
 * the text can equal, so that two filled-in member names do not look like duplicates. */
static void fill_sample(const struct template *t, struct buf *sample, size_t *starts)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct piece *p = &t->pieces[i];

		starts[i] = sample->len;
		buf_add(sample, t->text + p->at, p->len);
		if (!p->has_insertion)
			continue;
		if (p->quoted)
			buf_printf(sample, "{{%zu}}", i);
		else
			buf_text_add(sample, "null");
	}
}

static bool check_json(const struct template *t, size_t *at, struct err *err)
{
	size_t *starts = mem_zero(t->n * sizeof *starts), i = t->n - 1, inside;
	struct buf sample = {0};
	struct json_fault fault;
	bool ok;

	fill_sample(t, &sample, starts);
	ok = json_check(buf_text(&sample), sample.len, JSON_MAX_DEPTH, &fault);
	if (!ok) {
		while (starts[i] > fault.offset)
			i--;
		inside = fault.offset - starts[i];
		*at = t->pieces[i].at + (inside < t->pieces[i].len ? inside : t->pieces[i].len);
		err_set(err, "not JSON whatever the values are: %s", fault.what);
	}
	free(starts);
	buf_free(&sample);
	return ok;
}

struct template *template_parse(enum template_kind kind, const char *text, size_t *at,
				struct err *err)
{
	struct template *t = mem_new(struct template);
	size_t ignored;

	at = at ? at : &ignored;
	t->kind = kind;
	t->text = mem_text(text);
	if (parse_pieces(t, at, err) && (kind != TEMPLATE_JSON || check_json(t, at, err)))
		return t;
	template_free(t);
	return NULL;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		insertion_free(&t->pieces[i].insertion);
	free(t->pieces);
	free(t->text);
	free(t);
}

size_t template_paths(const struct template *t, size_t i, const struct path **path,
		      bool *has_default)
{
	size_t n = 0;

	for (size_t k = 0; k < t->n; k++) {
		const struct insertion *in = &t->pieces[k].insertion;

		if (!in->path.n || n++ != i)
			continue;
		if (path)
			*path = &in->path;
		if (has_default)
			*has_default = insertion_has_default(in);
	}
	return n;
}

static void add_url(const char *text, size_t len, struct buf *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";

	for (size_t i = 0; i < len; i++) {
		if (text[i] && strchr(plain, text[i]))
			buf_char(out, text[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)text[i]);
	}
}

static void add_xml(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '&': buf_text_add(out, "&amp;"); break;
		case '<': buf_text_add(out, "&lt;"); break;
		case '>': buf_text_add(out, "&gt;"); break;
		default: buf_char(out, text[i]);
		}
	}
}

static bool add_escaped(enum template_kind kind, const struct buf *text, struct buf *out)
{
	const char *bytes = buf_text(text);
	bool nul = memchr(bytes, '\0', text->len) != NULL;

	switch (kind) {
	case TEMPLATE_JSON: buf_json_escaped(out, bytes, text->len); return true;
	case TEMPLATE_URL: add_url(bytes, text->len, out); return true;
	case TEMPLATE_XML: add_xml(bytes, text->len, out); return !nul;
	case TEMPLATE_TEXT: buf_add(out, bytes, text->len); return !nul;
	}
	return false;
}

/* The operator's own text is inserted as it stands. */
static bool is_config(const struct piece *p)
{
	const struct path *path = &p->insertion.path;

	return path->n == 2 && strcmp(path->steps[0].name, "config") == 0;
}

static bool add_value(const struct template *t, const struct piece *p, const struct piped *v,
		      struct buf *out, struct err *err)
{
	const char *name = p->insertion.text ? p->insertion.text : p->insertion.path.text;
	struct buf text = {0};
	bool ok;

	if (piped_nothing(v) && !v->given) {
		err_set(err, "%s %s; a default is given with | or(\"..\")", name,
			v->why                       ? v->why
			: v->value.kind == KIND_NULL ? "is null"
						     : "is absent");
		return false;
	}
	if (t->kind == TEMPLATE_JSON && !p->quoted) {
		piped_json(v, out);
		return true;
	}
	piped_text(v, &text);
	ok = add_escaped(is_config(p) && t->kind != TEMPLATE_JSON ? TEMPLATE_TEXT : t->kind, &text,
			 out);
	if (!ok)
		err_set(err, "%s has a NUL character in it", name);
	buf_free(&text);
	return ok;
}

static bool add_piece(const struct template *t, const struct piece *p,
		      const struct template_source *from, struct buf *scratch, struct buf *out,
		      struct err *err)
{
	struct piped value;
	bool ok;

	buf_add(out, t->text + p->at, p->len);
	if (!p->has_insertion)
		return true;
	ok = insertion_fill(&p->insertion, from, scratch, &value, err) &&
	     add_value(t, p, &value, out, err);
	piped_free(&value);
	return ok;
}

bool template_render(const struct template *t, const struct template_source *from, struct buf *out,
		     struct err *err)
{
	size_t start = out->len;
	struct buf scratch = {0};
	bool ok = true;

	for (size_t i = 0; ok && i < t->n; i++) {
		ok = add_piece(t, &t->pieces[i], from, &scratch, out, err);
		if (ok && out->len - start > TEMPLATE_MAX_BYTES) {
			err_set(err, "filled in, the text has more than %d MB",
				TEMPLATE_MAX_BYTES >> 20);
			ok = false;
		}
	}
	if (!ok)
		buf_cut(out, start);
	buf_free(&scratch);
	return ok;
}

bool template_get(const char *path_and_filters, const struct template_source *from, struct buf *out,
		  struct err *err)
{
	struct buf scratch = {0};
	struct insertion in;
	bool ok;

	if (!insertion_whole(path_and_filters, &in, err))
		return false;
	ok = insertion_text(&in, from, &scratch, out, err);
	insertion_free(&in);
	buf_free(&scratch);
	return ok;
}
