#include "config/section.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "config/forms.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool is_word(const char *text)
{
	return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
					  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] == '\0';
}

void list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

size_t list_length(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

char **list_split(const char *text, size_t *empty_at)
{
	char **list = mem_zero(sizeof *list);
	size_t n = 0;
	const char *p = text;

	for (;;) {
		size_t len;

		p += strspn(p, " \t");
		len = strcspn(p, ",");
		while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
			len--;
		if (len == 0) {
			*empty_at = (size_t)(p - text);
			list_free(list);
			return NULL;
		}
		list = mem_grow(list, n + 2, sizeof *list);
		list[n++] = mem_slice(p, len);
		list[n] = NULL;
		p += strcspn(p, ",");
		if (!*p++)
			return list;
	}
}

const struct ini_key *section_key(const struct section *s, const char *name)
{
	for (size_t i = 0; i < s->ini->n; i++) {
		if (strcmp(s->ini->keys[i].name, name) == 0)
			return &s->ini->keys[i];
	}
	return NULL;
}

void section_error(const struct section *s, const char *key, const char *fmt, ...)
{
	const struct ini_key *k = key ? section_key(s, key) : NULL;
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = mem_vformat(fmt, ap);
	va_end(ap);
	report_error(s->report, k ? ini_place(k, 0) : s->ini->at, "%s%s%s", key ? key : "",
		     key ? ": " : "", text);
	free(text);
}

static void join_print(const struct section *s, const char *name, const char *value)
{
	*s->print = hash64(name, strlen(name) + 1, *s->print);
	*s->print = hash64(value, strlen(value) + 1, *s->print);
}

char *section_filled(const struct section *s, const struct ini_key *key)
{
	struct err err;
	size_t at;
	char *text;

	if (!key)
		return NULL;
	text = vars_fill(s->vars, key->value, s->each, &at, &err);
	if (!text) {
		report_error(s->report, ini_place(key, at), "%s: %s", key->name, err.text);
		return NULL;
	}
	join_print(s, key->name, text);
	return text;
}

static bool resolve(const struct reference *piece, struct buf *out, struct err *err)
{
	struct buf value = {0};
	bool ok;

	if (piece->kind == REFERENCE_REMOTE) {
		err_set(err,
			"${%s:%s}: what the core itself reads may only come from env, file "
			"and credential",
			piece->section, piece->text);
		return false;
	}
	ok = reference_resolve(piece, &value, err);
	if (ok && piece->kind == REFERENCE_CREDENTIAL)
		log_secret(buf_text(&value));
	buf_text_add(out, buf_text(&value));
	buf_free(&value);
	return ok;
}

static char *resolve_all(const struct section *s, const struct ini_key *key, const char *filled)
{
	struct references refs;
	struct buf out = {0};
	struct err err;
	size_t at;

	if (!references_parse(filled, &refs, &at, &err)) {
		report_error(s->report, config_place(key, filled, at), "%s: %s", key->name,
			     err.text);
		return NULL;
	}
	references_relative_to(&refs, key->at.file);
	for (size_t i = 0; i < refs.n; i++) {
		if (resolve(&refs.pieces[i], &out, &err))
			continue;
		report_error(s->report, config_place(key, filled, refs.pieces[i].at), "%s: %s",
			     key->name, err.text);
		buf_free(&out);
		references_free(&refs);
		return NULL;
	}
	references_free(&refs);
	if (out.len)
		return buf_take(&out);
	buf_free(&out);
	return NULL;
}

char *section_text(const struct section *s, const char *name)
{
	const struct ini_key *key = section_key(s, name);
	char *filled = section_filled(s, key), *text;

	if (!filled)
		return NULL;
	text = resolve_all(s, key, filled);
	if (text)
		join_print(s, name, text);
	free(filled);
	return text;
}

char **section_list(const struct section *s, const char *name)
{
	char *text = section_text(s, name), **list;
	size_t at;

	if (!text)
		return NULL;
	list = list_split(text, &at);
	if (!list)
		report_error(s->report, config_place(section_key(s, name), text, at),
			     "%s: an element is missing here; elements are separated by one comma",
			     name);
	free(text);
	return list;
}

char *section_path(const struct section *s, const char *name)
{
	char *text = section_text(s, name), *path;

	if (!text)
		return NULL;
	path = reference_path(text, section_key(s, name)->at.file);
	free(text);
	return path;
}

void section_bool(const struct section *s, const char *name, bool *out)
{
	char *text = section_text(s, name);
	struct err err;

	if (text && !form_bool(text, out, &err))
		section_error(s, name, "%s", err.text);
	free(text);
}

void section_duration(const struct section *s, const char *name, int64_t *ms)
{
	char *text = section_text(s, name);
	struct err err;

	if (text && !form_duration(text, ms, &err))
		section_error(s, name, "%s", err.text);
	free(text);
}

void section_size(const struct section *s, const char *name, int64_t *bytes)
{
	char *text = section_text(s, name);
	struct err err;

	if (text && !form_size(text, bytes, &err))
		section_error(s, name, "%s", err.text);
	free(text);
}

void section_number(const struct section *s, const char *name, uint32_t min, uint32_t max,
		    uint32_t *out)
{
	char *text = section_text(s, name);
	struct err err;

	if (text && !form_number(text, min, max, out, &err))
		section_error(s, name, "%s", err.text);
	free(text);
}

static bool find_word(const char *const *words, const char *text, int *out)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

void section_word(const struct section *s, const char *name, const char *const *words, int *out)
{
	char *text = section_text(s, name);
	struct buf all = {0};

	if (text && !find_word(words, text, out)) {
		for (; *words; words++)
			buf_printf(&all, "%s%s", all.len ? ", " : "", *words);
		section_error(s, name, "`%s` is none of: %s", text, buf_text(&all));
	}
	buf_free(&all);
	free(text);
}

/* `@body.json`, but not Slack's `@here`: a file's name has a dot or a slash. */
static bool names_file(const char *value)
{
	return value[0] == '@' && value[1] && !strpbrk(value, " \t,") && strpbrk(value, "./");
}

bool section_setting(const struct section *s, const struct ini_key *key, const char *name,
		     struct setting *out)
{
	char *value = section_filled(s, key);
	struct buf text = {0};
	struct err err;

	if (!value)
		return false;
	*out = (struct setting){.name = mem_text(name), .value = value, .key = key};
	if (!names_file(value))
		return true;
	out->file = reference_path(value + 1, key->at.file);
	if (!reference_read(out->file, &text, &err)) {
		section_error(s, key->name, "%s: %s", value, err.text);
		buf_free(&text);
		free(out->name);
		free(out->value);
		free(out->file);
		return false;
	}
	free(out->value);
	out->value = text.data ? buf_take(&text) : mem_text("");
	join_print(s, name, out->value);
	return true;
}

static bool among(const char *const *words, const char *word)
{
	for (; *words; words++) {
		if (strcmp(*words, word) == 0)
			return true;
	}
	return false;
}

void section_check_keys(const struct section *s, const char *const *known,
			const char *const *several, bool others)
{
	size_t n = 0;

	while (known[n])
		n++;
	for (size_t i = 0; i < s->ini->n; i++) {
		const struct ini_key *k = &s->ini->keys[i];
		const char *near;

		if (!among(known, k->name)) {
			near = report_nearest(k->name, known, n);
			if (!others)
				report_error(s->report, k->at, "unknown key `%s` in [%s]%s%s%s",
					     k->name, s->ini->kind, near ? "; did you mean `" : "",
					     near ? near : "", near ? "`?" : "");
		} else if (k->continued.line && !among(several, k->name)) {
			report_error(s->report, k->continued,
				     "`%s` is written on one line; if this is a key of its own, "
				     "remove the blanks before it",
				     k->name);
		}
	}
}
