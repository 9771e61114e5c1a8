#include "plugin/entry.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/section.h"
#include "plugin/keytype.h"

#include <stdlib.h>
#include <string.h>

static void meaning_free(struct meaning *m)
{
	free(m->text);
	list_free(m->items);
	template_free(m->template);
	*m = (struct meaning){0};
}

static void part_free(struct part *p)
{
	for (size_t i = 0; i < p->refs.n; i++)
		free(p->got[i]);
	free(p->got);
	references_free(&p->refs);
}

void entry_free(void *entry)
{
	struct entry *e = entry;

	if (!e)
		return;
	for (size_t i = 0; i < e->nparts; i++)
		part_free(&e->parts[i]);
	free(e->parts);
	meaning_free(&e->now);
	free(e->name);
	free(e);
}

/* The comma that ends the element at p: none inside `${..}` or `{{..}}`, none escaped. */
static size_t element_length(const char *p)
{
	const char *start = p, *close;

	for (; *p && *p != ','; p++) {
		if (p[0] == '\\' && p[1] == ',') {
			p++;
		} else if ((p[0] == '$' || p[0] == '{') && p[1] == '{') {
			close = strstr(p, *p == '$' ? "}" : "}}");
			p = close ? close : p;
		}
	}
	return (size_t)(p - start);
}

/* Trim blanks off p[0..len): where what is left starts. */
static size_t trim(const char *p, size_t *len)
{
	size_t from = 0;

	while (from < *len && (p[from] == ' ' || p[from] == '\t' || p[from] == '\n'))
		from++;
	while (*len > from && strchr(" \t\n", p[*len - 1]))
		--*len;
	*len -= from;
	return from;
}

static char *without_escapes(const char *p, size_t len)
{
	struct buf out = {0};

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\\' && i + 1 < len && p[i + 1] == ',')
			i++;
		buf_char(&out, p[i]);
	}
	return buf_take(&out);
}

static char **split_list(const char *text, size_t *at, struct err *err)
{
	char **list = mem_zero(sizeof *list);
	const char *p = text;
	size_t n = 0;

	for (;; p++) {
		size_t whole = element_length(p), len = whole, from = trim(p, &len);

		if (len == 0) {
			*at = (size_t)(p - text) + from;
			err_set(err, "an element is missing here; elements are separated by one "
				     "comma");
			list_free(list);
			return NULL;
		}
		list = mem_grow(list, n + 2, sizeof *list);
		list[n++] = without_escapes(p + from, len);
		list[n] = NULL;
		p += whole;
		if (!*p)
			return list;
	}
}

/* The value with its references filled in; those not known yet stay as written, or become
 * a digit, which fits into any template. */
static char *compose(const struct entry *e, bool for_template)
{
	struct buf out = {0};

	for (size_t i = 0; i < e->nparts; i++) {
		const struct part *p = &e->parts[i];

		if (i)
			buf_text_add(&out, ", ");
		for (size_t k = 0; k < p->refs.n; k++) {
			const struct reference *r = &p->refs.pieces[k];

			if (!p->got[k] && for_template)
				buf_char(&out, '0');
			else if (!p->got[k])
				buf_printf(&out, "${%s:%s}", r->section, r->text);
			else if (e->key->type == PM_JSON_TEMPLATE && p->refs.n > 1 &&
				 r->kind != REFERENCE_TEXT)
				buf_json_escaped(&out, p->got[k], strlen(p->got[k]));
			else
				buf_text_add(&out, p->got[k]);
		}
	}
	return out.data ? buf_take(&out) : mem_text("");
}

static bool is_known(const struct entry *e)
{
	for (size_t i = 0; i < e->nparts; i++) {
		for (size_t k = 0; k < e->parts[i].refs.n; k++) {
			if (!e->parts[i].got[k])
				return false;
		}
	}
	return true;
}

/* The elements of a list of secrets are its parts: a comma inside a secret is its own. */
static char **secret_items(const struct entry *e)
{
	char **list = mem_zero((e->nparts + 1) * sizeof *list);

	for (size_t i = 0; i < e->nparts; i++) {
		struct entry one = {.key = e->key, .parts = &e->parts[i], .nparts = 1};

		list[i] = compose(&one, false);
	}
	return list;
}

static bool check_values(const struct entry *e, struct meaning *m, struct err *err)
{
	int64_t number;

	if (!(e->key->flags & PM_LIST))
		return keytype_number(e->key, m->text, &m->number, err);
	for (size_t i = 0; m->items[i]; i++) {
		if (!keytype_number(e->key, m->items[i], &number, err))
			return false;
	}
	return true;
}

static bool parse_template(const struct entry *e, enum template_kind kind, struct meaning *m,
			   size_t *at, struct err *err)
{
	char *text = compose(e, true);

	m->template = template_parse(kind, text, at, err);
	free(text);
	return m->template != NULL;
}

/* What the entry means with what is known of its references. */
static bool understand(const struct entry *e, struct meaning *m, size_t *at, struct err *err)
{
	const uint32_t flags = e->key->flags;
	enum template_kind kind;

	*at = 0;
	*m = (struct meaning){.text = compose(e, false)};
	if (!*m->text)
		return true;
	if (flags & PM_LIST)
		m->items = flags & PM_SECRET ? secret_items(e) : split_list(m->text, at, err);
	if ((flags & PM_LIST && !m->items) ||
	    (keytype_is_template(e->key->type, &kind) ? !parse_template(e, kind, m, at, err)
						      : is_known(e) && !check_values(e, m, err))) {
		meaning_free(m);
		return false;
	}
	return true;
}

static void tell_secrets(const struct entry *e)
{
	if (!(e->key->flags & PM_SECRET) || !is_known(e))
		return;
	log_secret(e->now.text);
	for (size_t i = 0; e->now.items && e->now.items[i]; i++)
		log_secret(e->now.items[i]);
}

static bool is_secret(const struct entry *e, const struct reference *r)
{
	return r->kind == REFERENCE_CREDENTIAL || r->kind == REFERENCE_REMOTE ||
	       (e->key->flags & PM_SECRET && r->kind != REFERENCE_TEXT);
}

char *entry_resolve(const struct entry *e, const struct reference *r, struct err *err)
{
	struct buf out = {0};

	if (!reference_resolve(r, &out, err)) {
		buf_free(&out);
		return NULL;
	}
	if (is_secret(e, r))
		log_secret(buf_text(&out));
	return out.data ? buf_take(&out) : mem_text("");
}

struct place entry_place(const struct entry *e, size_t at)
{
	return e->setting ? setting_place(e->setting, at) : e->section->at;
}

static void complain(struct report *r, const struct entry *e, size_t at, const struct err *err)
{
	report_error(r, entry_place(e, at), "%s%s%s: %s", e->setting ? "" : "the default of `",
		     e->name, e->setting ? "" : "`", err->text);
}

static struct part *add_part(struct entry *e)
{
	e->parts = mem_grow(e->parts, e->nparts + 1, sizeof *e->parts);
	e->parts[e->nparts] = (struct part){0};
	return &e->parts[e->nparts++];
}

/* Split text[0..len), which stands at `offset` of the value, into its pieces. */
static bool read_part(struct report *r, struct entry *e, const char *text, size_t len,
		      size_t offset)
{
	struct part *p = add_part(e);
	char *slice = mem_slice(text, len);
	struct err err;
	size_t at;
	bool ok = references_parse(slice, &p->refs, &at, &err);

	free(slice);
	if (!ok) {
		complain(r, e, offset + at, &err);
		return false;
	}
	references_relative_to(&p->refs, e->setting ? e->setting->key->at.file : NULL);
	p->got = mem_zero((p->refs.n + 1) * sizeof *p->got);
	for (size_t i = 0; i < p->refs.n; i++) {
		struct reference *piece = &p->refs.pieces[i];

		piece->at += offset;
		if (piece->kind == REFERENCE_REMOTE)
			continue;
		p->got[i] = entry_resolve(e, piece, &err);
		if (p->got[i])
			continue;
		complain(r, e, piece->at, &err);
		ok = false;
	}
	return ok;
}

static bool read_secret_list(struct report *r, struct entry *e, const char *text)
{
	bool ok = true;

	for (const char *p = text;; p++) {
		size_t whole = element_length(p), len = whole, from = trim(p, &len);

		if (len > 0)
			ok = read_part(r, e, p + from, len, (size_t)(p - text) + from) && ok;
		p += whole;
		if (!*p)
			return ok;
	}
}

/* The text of a file is taken as it stands. */
static bool read_literal(struct entry *e, const char *text)
{
	struct part *p = add_part(e);

	p->refs.pieces = mem_zero(sizeof *p->refs.pieces);
	p->refs.pieces[0].text = mem_text(text);
	p->refs.n = 1;
	p->got = mem_zero(2 * sizeof *p->got);
	p->got[0] = mem_text(text);
	return true;
}

static bool read_parts(struct report *r, struct entry *e, const char *text)
{
	if (e->setting && e->setting->file)
		return read_literal(e, text);
	if (e->key->flags & PM_LIST && e->key->flags & PM_SECRET)
		return read_secret_list(r, e, text);
	return read_part(r, e, text, strlen(text), 0);
}

static bool check_piece(struct report *r, const struct entry *e, const struct reference *p)
{
	struct err err;

	if (p->kind == REFERENCE_REMOTE && e->section->kind == INSTANCE_SECRETS) {
		err_set(&err,
			"${%s:%s}: a secrets section itself may only use env, file and "
			"credential",
			p->section, p->text);
		complain(r, e, p->at, &err);
		return false;
	}
	if (e->key->flags & PM_SECRET && p->kind == REFERENCE_ENV && p->fallback && *p->fallback) {
		err_set(&err,
			"the default in `${env:%s:-..}` is a secret written in clear; leave it "
			"out, or use `${credential:NAME}`",
			p->text);
		complain(r, e, p->at, &err);
		return false;
	}
	return true;
}

static bool check_parts(struct report *r, const struct entry *e)
{
	struct err err;
	bool ok = true;

	for (size_t i = 0; i < e->nparts; i++) {
		const struct references *refs = &e->parts[i].refs;

		for (size_t k = 0; k < refs->n; k++)
			ok = check_piece(r, e, &refs->pieces[k]) && ok;
		if (!(e->key->flags & PM_SECRET) || refs->n == 0 || references_any(refs))
			continue;
		err_set(&err, e->setting && e->setting->file
				      ? "a secret's file is named by a reference: ${file:PATH}"
				      : "a secret written in clear; write a reference like "
					"`${credential:NAME}`, `${file:PATH}` or `${env:NAME}`");
		complain(r, e, refs->pieces[0].at, &err);
		ok = false;
	}
	return ok;
}

/* How it was written, which the INI reader leaves to us. */
void entry_check_writing(const struct entry *e, struct report *r)
{
	const struct ini_key *k = e->setting->key;
	const struct pm_key *key = e->key;
	const char *braces = strstr(e->setting->value, "{{");
	enum template_kind kind;

	if (k->continued.line && !(key->flags & PM_LIST) && key->type != PM_JSON_TEMPLATE)
		report_error(r, k->continued,
			     "`%s` is written on one line; if this is a key of its own, remove the "
			     "blanks before it; text of several lines lives in a file: %s = @file",
			     e->name, e->name);
	if (k->comment.line && keytype_is_text(key->type) && !e->setting->file)
		report_error(r, k->comment,
			     "%s: ` ;` starts a comment; write `\\;` for a semicolon, or put the "
			     "comment on a line of its own",
			     e->name);
	if (braces && !keytype_is_template(key->type, &kind))
		report_error(r, setting_place(e->setting, (size_t)(braces - e->setting->value)),
			     "%s: `{{` in a %s, which is no template: it would stay as it stands",
			     e->name, keytype_name(key->type));
	if (key->flags & PM_DEPRECATED)
		report_warning(r, k->at, "`%s` is deprecated: %s", e->name, key->help);
}

static bool is_exact(const struct entry *e)
{
	return e->nparts == 1 && e->parts[0].refs.n == 1;
}

bool entry_take(struct entry *e, const char *text, struct report *r)
{
	struct err err;
	size_t at;

	if (!read_parts(r, e, text) || !check_parts(r, e))
		return false;
	if (!understand(e, &e->now, &at, &err)) {
		complain(r, e, is_exact(e) ? at : 0, &err);
		return false;
	}
	tell_secrets(e);
	return *e->now.text != '\0';
}

bool entry_exchange(struct entry *e, char **piece, char *text, struct err *err)
{
	struct meaning m;
	char *old = *piece;
	size_t at;

	*piece = text;
	if (!understand(e, &m, &at, err)) {
		*piece = old;
		free(text);
		return false;
	}
	free(old);
	meaning_free(&e->now);
	e->now = m;
	tell_secrets(e);
	return true;
}

struct entry *entry_new(const char *name, const struct pm_key *key,
			const struct instance_config *section, const struct setting *setting)
{
	struct entry *e = mem_new(struct entry);

	e->name = mem_text(name);
	e->key = key;
	e->section = section;
	e->setting = setting;
	return e;
}
