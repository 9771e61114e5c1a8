#include "config/reference.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_piece(struct references *r, struct reference piece)
{
	r->pieces = mem_grow(r->pieces, r->n + 1, sizeof *r->pieces);
	r->pieces[r->n++] = piece;
}

static void add_text(struct references *r, const char *value, size_t from, size_t to)
{
	if (to > from)
		add_piece(r, (struct reference){.kind = REFERENCE_TEXT,
						.at = from,
						.text = mem_slice(value + from, to - from)});
}

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!word_char(text[i]))
			return false;
	}
	return len > 0;
}

static bool env_piece(const char *text, size_t len, struct reference *piece, struct err *err)
{
	const char *sign = memmem(text, len, ":-", 2);
	size_t name = sign ? (size_t)(sign - text) : len;

	if (!is_word(text, name)) {
		err_set(err,
			"`${env:%.*s}` names no environment variable; like "
			"`${env:NAME}` or `${env:NAME:-default}`",
			(int)len, text);
		return false;
	}
	piece->kind = REFERENCE_ENV;
	piece->text = mem_slice(text, name);
	piece->fallback = sign ? mem_slice(sign + 2, len - name - 2) : NULL;
	return true;
}

static bool credential_piece(const char *text, size_t len, struct reference *piece, struct err *err)
{
	if (memchr(text, '/', len) || text[0] == '.') {
		err_set(err,
			"`${credential:%.*s}`: a credential's name has no `/` and begins "
			"with no dot; a path is written `${file:PATH}`",
			(int)len, text);
		return false;
	}
	piece->kind = REFERENCE_CREDENTIAL;
	piece->text = mem_slice(text, len);
	return true;
}

/* What stands between `${` and `}`. */
static bool parse_inside(const char *inside, size_t len, struct reference *piece, struct err *err)
{
	const char *colon = memchr(inside, ':', len), *text = colon ? colon + 1 : inside + len;
	size_t kind = colon ? (size_t)(colon - inside) : len, rest = len - (size_t)(text - inside);

	if (!colon || !is_word(inside, kind)) {
		err_set(err,
			"`${%.*s}` is neither a variable of [vars] nor a reference like "
			"`${env:NAME}`, `${file:PATH}`, `${credential:NAME}`",
			(int)len, inside);
		return false;
	}
	if (rest == 0) {
		err_set(err, "`${%.*s}` names nothing after the colon", (int)len, inside);
		return false;
	}
	if (kind == 3 && memcmp(inside, "env", 3) == 0)
		return env_piece(text, rest, piece, err);
	if (kind == 10 && memcmp(inside, "credential", 10) == 0)
		return credential_piece(text, rest, piece, err);
	piece->text = mem_slice(text, rest);
	piece->kind =
		kind == 4 && memcmp(inside, "file", 4) == 0 ? REFERENCE_FILE : REFERENCE_REMOTE;
	if (piece->kind == REFERENCE_REMOTE)
		piece->section = mem_slice(inside, kind);
	return true;
}

bool references_parse(const char *value, struct references *out, size_t *at, struct err *err)
{
	size_t done = 0;
	const char *start, *end;

	*out = (struct references){0};
	while ((start = strstr(value + done, "${"))) {
		struct reference piece = {.at = (size_t)(start - value)};

		*at = piece.at;
		end = strchr(start, '}');
		if (!end) {
			err_set(err, "`${` without its `}`");
			goto failed;
		}
		if (!parse_inside(start + 2, (size_t)(end - start) - 2, &piece, err))
			goto failed;
		add_text(out, value, done, piece.at);
		add_piece(out, piece);
		done = (size_t)(end - value) + 1;
	}
	add_text(out, value, done, strlen(value));
	return true;
failed:
	references_free(out);
	return false;
}

void references_free(struct references *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free(r->pieces[i].section);
		free(r->pieces[i].text);
		free(r->pieces[i].fallback);
	}
	free(r->pieces);
	*r = (struct references){0};
}

bool references_any(const struct references *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->pieces[i].kind != REFERENCE_TEXT)
			return true;
	}
	return false;
}

bool references_remote(const struct references *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->pieces[i].kind == REFERENCE_REMOTE)
			return true;
	}
	return false;
}

char *reference_path(const char *path, const char *file)
{
	const char *slash = file ? strrchr(file, '/') : NULL;

	if (*path == '/' || !slash)
		return mem_text(path);
	return mem_format("%.*s/%s", (int)(slash - file), file, path);
}

void references_relative_to(struct references *r, const char *file)
{
	for (size_t i = 0; i < r->n; i++) {
		struct reference *piece = &r->pieces[i];
		char *path;

		if (piece->kind != REFERENCE_FILE)
			continue;
		path = reference_path(piece->text, file);
		free(piece->text);
		piece->text = path;
	}
}

static bool is_text(const struct buf *b, const char *path, struct err *err)
{
	if (b->len > REFERENCE_MAX_BYTES)
		err_set(err, "%s is over 1M", path);
	else if (b->len && memchr(b->data, 0, b->len))
		err_set(err, "%s has a NUL byte: is it a text file?", path);
	else if (!utf8_valid(buf_text(b), b->len))
		err_set(err, "%s is no UTF-8 text", path);
	else
		return true;
	return false;
}

bool reference_read(const char *path, struct buf *out, struct err *err)
{
	FILE *f = fopen(path, "re");
	struct buf all = {0};
	bool ok;

	if (!f) {
		err_set(err, "cannot open %s: %s", path, strerror(errno));
		return false;
	}
	ok = buf_read(&all, f, REFERENCE_MAX_BYTES);
	if (!ok)
		err_set(err, "cannot read %s: %s", path, strerror(errno));
	ok = ok && is_text(&all, path, err);
	fclose(f);
	if (ok && all.len && all.data[all.len - 1] == '\n')
		buf_cut(&all, all.len - 1);
	if (ok)
		buf_add(out, buf_text(&all), all.len);
	buf_free(&all);
	return ok;
}

static bool resolve_env(const struct reference *r, struct buf *out, struct err *err)
{
	const char *value = getenv(r->text);

	if (!value || !*value)
		value = r->fallback ? r->fallback : value;
	if (!value) {
		err_set(err,
			"environment variable %s is not set; set it where pointsman is started, or "
			"write another value",
			r->text);
		return false;
	}
	if (!utf8_valid(value, strlen(value))) {
		err_set(err, "environment variable %s is no UTF-8 text", r->text);
		return false;
	}
	buf_text_add(out, value);
	return true;
}

static bool resolve_credential(const struct reference *r, struct buf *out, struct err *err)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char *path;
	bool ok;

	if (!directory || !*directory) {
		err_set(err,
			"credential %s: CREDENTIALS_DIRECTORY is not set; systemd sets it for "
			"a unit with LoadCredential=%s:PATH, elsewhere set it to a directory "
			"that holds a file %s",
			r->text, r->text, r->text);
		return false;
	}
	path = mem_format("%s/%s", directory, r->text);
	ok = reference_read(path, out, err);
	if (!ok)
		err_prefix(err, "credential %s", r->text);
	free(path);
	return ok;
}

bool reference_resolve(const struct reference *r, struct buf *out, struct err *err)
{
	switch (r->kind) {
	case REFERENCE_TEXT: buf_text_add(out, r->text); return true;
	case REFERENCE_ENV: return resolve_env(r, out, err);
	case REFERENCE_FILE: return reference_read(r->text, out, err);
	case REFERENCE_CREDENTIAL: return resolve_credential(r, out, err);
	case REFERENCE_REMOTE: break;
	}
	err_set(err, "${%s:%s} is asked of a secrets plugin", r->section, r->text);
	return false;
}
