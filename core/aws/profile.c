#include "aws/profile.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE (1 << 20)

struct profiles {
	struct map sections; /* "profile x" or "services x" -> struct map of text */
};

struct reading {
	struct profiles *profiles;
	const char *path;
	bool is_credentials;
	int line;
	struct map *section; /* NULL: one that does not concern us */
	char *parent;        /* the key above, if it was empty */
	struct err *err;
};

static void section_free(void *arg)
{
	map_free(arg, free);
	free(arg);
}

static char *trim(char *text)
{
	size_t n;

	text += strspn(text, " \t\r");
	for (n = strlen(text); n > 0 && strchr(" \t\r", text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

/* A comment begins at the start of a line, or after a blank. */
static void cut_comment(char *text)
{
	for (char *p = text; *p; p++) {
		if ((*p == '#' || *p == ';') && (p == text || isblank((unsigned char)p[-1]))) {
			*p = '\0';
			return;
		}
	}
}

static struct map *section_of(struct profiles *p, const char *kind, const char *name)
{
	char *key = mem_format("%s %s", kind, name);
	struct map *section = map_get(&p->sections, key);

	if (!section) {
		section = mem_new(struct map);
		map_put(&p->sections, key, section);
	}
	free(key);
	return section;
}

/* "profile x" in one file and "x" in the other mean the same. */
static bool open_section(struct reading *r, char *line)
{
	char *end = strchr(line, ']'), *name, *kind = line + 1;
	size_t n;

	if (!end || trim(end + 1)[0]) {
		err_set(r->err, "%s:%d: not a section: %s", r->path, r->line, line);
		return false;
	}
	*end = '\0';
	kind = trim(kind);
	n = strcspn(kind, " \t");
	name = trim(kind + n);
	r->section = NULL;
	if (r->is_credentials || strcmp(kind, "default") == 0)
		r->section = section_of(r->profiles, "profile", kind);
	else if (n == 7 && memcmp(kind, "profile", 7) == 0 && *name)
		r->section = section_of(r->profiles, "profile", name);
	else if (n == 8 && memcmp(kind, "services", 8) == 0 && *name)
		r->section = section_of(r->profiles, "services", name);
	return true;
}

static void set(struct reading *r, const char *parent, const char *key, const char *value)
{
	char *name = parent ? mem_format("%s.%s", parent, key) : mem_text(key);

	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	free(map_put(r->section, name, mem_text(value)));
	free(name);
}

static bool read_setting(struct reading *r, char *line, bool is_indented)
{
	char *equals = strchr(line, '='), *key, *value;

	if (is_indented && !r->parent)
		return true; /* goes on with a value that we do not use */
	if (!equals) {
		err_set(r->err, "%s:%d: neither a section nor key = value", r->path, r->line);
		return false;
	}
	*equals = '\0';
	key = trim(line);
	value = trim(equals + 1);
	set(r, is_indented ? r->parent : NULL, key, value);
	if (!is_indented) {
		free(r->parent);
		r->parent = *value ? NULL : mem_text(key);
	}
	return true;
}

static bool read_line(struct reading *r, char *line)
{
	bool is_indented = isblank((unsigned char)*line);
	char *text;

	cut_comment(line);
	text = trim(line);
	if (!*text)
		return true;
	if (*text == '[' && !is_indented) {
		free(r->parent);
		r->parent = NULL;
		return open_section(r, text);
	}
	return r->section ? read_setting(r, text, is_indented) : true;
}

static bool read_text(struct reading *r, char *text)
{
	char *next;

	for (char *line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r->line++;
		if (!read_line(r, line))
			return false;
	}
	return true;
}

/* 1: read, 0: not there, -1: *err says why. */
static int load(const char *path, struct buf *text, struct err *err)
{
	FILE *file = fopen(path, "re");
	bool read;

	if (!file && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!file) {
		err_set(err, "%s cannot be read: %s", path, strerror(errno));
		return -1;
	}
	read = buf_read(text, file, MAX_FILE);
	if (!read || text->len > MAX_FILE)
		err_set(err, "%s cannot be read: %s", path,
			!read ? strerror(errno) : "it is larger than 1 MB");
	fclose(file);
	return read && text->len <= MAX_FILE ? 1 : -1;
}

static bool read_file(struct profiles *p, const char *path, bool is_credentials, struct err *err)
{
	struct reading r = {p, path, is_credentials, 0, NULL, NULL, err};
	struct buf text = {0};
	int found = path ? load(path, &text, err) : 0;
	bool ok = found >= 0;

	if (found > 0 && text.len > 0 && memchr(text.data, 0, text.len)) {
		err_set(err, "%s: it has a NUL byte: is it a text file?", path);
		ok = false;
	} else if (found > 0 && text.len > 0) {
		ok = read_text(&r, text.data);
	}
	free(r.parent);
	buf_free(&text);
	return ok;
}

struct profiles *profiles_read(const char *config_path, const char *credentials_path,
			       struct err *err)
{
	struct profiles *p = mem_new(struct profiles);

	if (read_file(p, config_path, false, err) && read_file(p, credentials_path, true, err))
		return p;
	profiles_free(p);
	return NULL;
}

void profiles_free(struct profiles *p)
{
	if (!p)
		return;
	map_free(&p->sections, section_free);
	free(p);
}

static const struct map *find(const struct profiles *p, const char *kind, const char *name)
{
	char *key = mem_format("%s %s", kind, name);
	const struct map *section = map_get(&p->sections, key);

	free(key);
	return section;
}

bool profiles_has(const struct profiles *p, const char *profile)
{
	return find(p, "profile", profile) != NULL;
}

const char *profiles_get(const struct profiles *p, const char *profile, const char *key)
{
	const struct map *section = find(p, "profile", profile);

	return section ? map_get(section, key) : NULL;
}

const char *profiles_service(const struct profiles *p, const char *services, const char *key)
{
	const struct map *section = find(p, "services", services);

	return section ? map_get(section, key) : NULL;
}
