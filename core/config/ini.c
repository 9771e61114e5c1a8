#include "config/ini.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST_LINE 199 /* of inih as it is packaged */
#define LONGEST_NAME 49  /* likewise, both of sections and of keys */
#define LARGEST_FILE (16 * 1024 * 1024)

/* Stands for a `;` that is no comment on the way through inih, which would cut there.
 * Control characters are refused in files, so none is lost. */
#define SEMICOLON '\x01'

enum line { LINE_SKIP, LINE_SECTION, LINE_KEY, LINE_MORE };

struct reader {
	struct ini *ini;
	struct report *report;
	const char *file, *rest, *end;
	uint32_t line;
	bool inside; /* behind a section's heading */
	bool open;   /* the section's last key may be continued */
	bool lost;   /* a bad line may be continued too; what does is not read */

	/* The line being read, without comment and line end. */
	enum line kind;
	char text[LONGEST_LINE + 1];
	uint32_t columns[LONGEST_LINE + 1]; /* where each byte of it stood */
	size_t len;
	uint32_t comment; /* column, 0: none */
	bool handed;      /* to inih, which has yet to hand it back */
};

static struct place here(const struct reader *r, uint32_t column)
{
	return (struct place){r->file, r->line, column};
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static size_t skip_blanks(const char *text, size_t len, size_t i)
{
	while (i < len && blank(text[i]))
		i++;
	return i;
}

static struct ini_section *section_now(const struct reader *r)
{
	return &r->ini->sections[r->ini->n - 1];
}

/* The line is told of and left out. */
static enum line drop_line(struct reader *r)
{
	if (r->inside)
		section_now(r)->broken = true;
	r->open = false;
	r->lost = true;
	return LINE_SKIP;
}

static bool bytes_are_text(struct reader *r, const char *raw, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t column = (uint32_t)i + 1;

		n = utf8_read(raw + i, len - i, NULL);
		if (n == 0) {
			report_error(r->report, here(r, column),
				     "byte 0x%02x is no UTF-8; save the file as UTF-8",
				     (unsigned char)raw[i]);
			return false;
		}
		if (((unsigned char)raw[i] < 0x20 && raw[i] != '\t') || raw[i] == 0x7f) {
			report_error(r->report, here(r, column),
				     raw[i] ? "control character 0x%02x; remove it"
					    : "NUL byte (0x%02x); is this a text file in UTF-8?",
				     (unsigned char)raw[i]);
			return false;
		}
	}
	return true;
}

static void keep(struct reader *r, char c, size_t at)
{
	r->columns[r->len] = (uint32_t)at + 1;
	r->text[r->len++] = c;
}

/* Take the raw line over without its comment; `\;` is a semicolon that starts none. */
static void clean(struct reader *r, const char *raw, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (raw[i] == ';' && i > 0 && blank(raw[i - 1])) {
			r->comment = (uint32_t)i + 1;
			break;
		}
		if (raw[i] == '\\' && i + 1 < len && raw[i + 1] == ';')
			keep(r, SEMICOLON, i++);
		else
			keep(r, raw[i] == ';' ? SEMICOLON : raw[i], i);
	}
	while (r->len && blank(r->text[r->len - 1]))
		r->len--;
	r->text[r->len] = '\0';
}

static struct ini_section *add_section(struct reader *r, const char *kind, size_t kind_len,
				       const char *name, size_t name_len, uint32_t column)
{
	struct ini *ini = r->ini;

	mem_room(ini->sections, ini->n, ini->cap);
	ini->sections[ini->n] = (struct ini_section){.kind = mem_slice(kind, kind_len),
						     .name = mem_slice(name, name_len),
						     .at = here(r, column)};
	r->inside = true;
	r->open = r->lost = false;
	return &ini->sections[ini->n++];
}

static void remember_section(struct reader *r, struct ini_section *s)
{
	char *full = mem_format("%s %s", s->kind, s->name);
	uintptr_t first = (uintptr_t)map_get(&r->ini->seen, full);

	if (first) {
		const struct place *at = &r->ini->sections[first - 1].at;

		report_error(r->report, s->at,
			     "section [%s%s%s] repeats the one at %s:%u; nothing would be merged, "
			     "so join the two or rename one",
			     s->kind, *s->name ? " " : "", s->name, at->file, at->line);
		s->ignored = true;
	} else {
		map_put(&r->ini->seen, full, (void *)(uintptr_t)r->ini->n);
	}
	free(full);
}

/* `${..}` stands for word characters; what it holds is judged when it is filled in. */
static size_t bad_name_char(const char *name, size_t len)
{
	size_t i = 0;

	while (i < len && (word_char(name[i]) || strchr("${}", name[i])))
		i++;
	return i;
}

/* What is wrong with the heading between `[` at `from` and `]` at `to`, or NULL. */
static const char *heading_fault(const struct reader *r, size_t from, size_t to, size_t *at)
{
	*at = to;
	if (to == r->len)
		return "`]` is missing at the end of the section's heading";
	if (to + 1 < r->len)
		return memchr(r->text + to + 1, ']', r->len - to - 1)
			       ? "`]` inside a section's name"
			       : "only a comment may follow the `]` of a section's heading";
	*at = from + 1;
	return to - from - 1 > LONGEST_NAME
		       ? "the section's heading is over 49 bytes long: inih would cut it, and two "
			 "long names would become one; shorten it"
		       : NULL;
}

static enum line read_heading(struct reader *r, size_t from)
{
	const char *end = memchr(r->text + from, ']', r->len - from);
	size_t to = end ? (size_t)(end - r->text) : r->len, kind, kind_end, name, name_end, at;
	const char *fault = heading_fault(r, from, to, &at);
	struct ini_section *s;

	kind = skip_blanks(r->text, to, from + 1);
	for (kind_end = kind; kind_end < to && !blank(r->text[kind_end]);)
		kind_end++;
	name = skip_blanks(r->text, to, kind_end);
	for (name_end = to; name_end > name && blank(r->text[name_end - 1]);)
		name_end--;
	s = add_section(r, r->text + kind, kind_end - kind, r->text + name, name_end - name,
			r->columns[from]);
	at = fault ? at : name + bad_name_char(r->text + name, name_end - name);
	if (!fault && at < name_end)
		fault = "a section's name has letters, digits, `-` and `_` only";
	if (fault) {
		report_error(r->report, here(r, at < r->len ? r->columns[at] : s->at.column), "%s",
			     fault);
		s->ignored = s->broken = true;
		return LINE_SKIP;
	}
	remember_section(r, s);
	return LINE_SECTION;
}

/* The end of the key's name at `from`, which may have no character. */
static size_t name_end(const struct reader *r, size_t from)
{
	size_t i = from;

	while (i < r->len && (word_char(r->text[i]) || r->text[i] == '.'))
		i++;
	return i;
}

static bool starts_with_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	return strncmp(text, word, n) == 0 && !word_char(text[n]);
}

/* `data.phase == "A"` would be the key `data.phase`, and `and x != 1` the key `and x !`. */
static bool is_expression(const struct reader *r, size_t from)
{
	const char *text = r->text + from, *equals = strchr(text, '=');

	return starts_with_word(text, "and") || starts_with_word(text, "or") ||
	       starts_with_word(text, "not") ||
	       (equals &&
		(equals[1] == '=' || (equals > text && strchr("!<>", equals[-1]) != NULL)));
}

static const char *key_fault(const struct reader *r, size_t from, size_t end, size_t sign)
{
	if (sign < r->len && r->text[sign] == ':' && end > from)
		return "`key : value` is written `key = value`";
	if (is_expression(r, from))
		return "an expression outside a value: it belongs behind `where =`, or, if it "
		       "continues the line above, it must be indented";
	if (sign == r->len || r->text[sign] != '=')
		return strchr(r->text + from, '=')
			       ? "a key's name has letters, digits, `-`, `_` and `.` only"
			       : "this is no section, no `key = value` and no comment";
	if (end == from)
		return "a key's name is missing before `=`";
	if (end - from > LONGEST_NAME)
		return "the key's name is over 49 bytes long: inih would cut it; shorten it";
	return NULL;
}

/* inih has the first spelling only after `start`, and with `=`. */
static void mend(struct reader *r, size_t from, size_t sign)
{
	r->text[sign] = '=';
	memmove(r->text, r->text + from, r->len - from + 1);
	memmove(r->columns, r->columns + from, (r->len - from) * sizeof *r->columns);
	r->len -= from;
}

static enum line read_key(struct reader *r, size_t from)
{
	size_t end = name_end(r, from), sign = skip_blanks(r->text, r->len, end);
	const char *fault = key_fault(r, from, end, sign);

	if (fault)
		report_error(r->report, here(r, r->columns[from]), "%s", fault);
	if (!r->inside) {
		if (!fault)
			report_error(r->report, here(r, r->columns[from]),
				     "a key before the first section; write a heading like "
				     "[pointsman] above it");
		return drop_line(r);
	}
	if (fault && (sign == r->len || r->text[sign] != ':' || end == from))
		return drop_line(r);
	mend(r, from, sign);
	return LINE_KEY;
}

static bool looks_like_key(const struct reader *r, size_t from)
{
	size_t end = name_end(r, from), sign = skip_blanks(r->text, r->len, end);

	return end > from && sign < r->len && r->text[sign] == '=' && r->text[sign + 1] != '=';
}

static bool looks_like_heading(const struct reader *r, size_t from)
{
	static const char *const kinds[] = {"pointsman", "vars",  "secrets", "source", "action",
					    "sink",      "input", "rule",    "test"};

	for (size_t i = 0; r->text[from] == '[' && i < sizeof kinds / sizeof *kinds; i++) {
		const char *behind = r->text + from + 1 + strlen(kinds[i]);

		if (starts_with_word(r->text + from + 1, kinds[i]) && strchr(" \t]", *behind))
			return true;
	}
	return false;
}

static enum line read_indented(struct reader *r, size_t from)
{
	struct place at = here(r, r->columns[from]);

	if (looks_like_heading(r, from)) {
		report_error(r->report, at,
			     "an indented heading would become part of the value above; remove the "
			     "blanks before it");
		return read_heading(r, from);
	}
	if (looks_like_key(r, from)) {
		report_error(r->report, at,
			     "an indented `key = value` would become part of the value above; "
			     "remove the blanks before it, or, if it is part of that value, write "
			     "it at the end of the line above");
		return read_key(r, from);
	}
	if (r->lost)
		return LINE_SKIP;
	if (r->open)
		return LINE_MORE;
	report_error(r->report, at,
		     "an indented line continues the value above, but there is none; remove the "
		     "blanks before it");
	return drop_line(r);
}

static enum line read_raw(struct reader *r, const char *raw, size_t len)
{
	size_t from = skip_blanks(raw, len, 0);

	r->len = r->comment = 0;
	if (!bytes_are_text(r, raw, len))
		return drop_line(r);
	if (from == len || raw[from] == ';' || raw[from] == '#')
		return LINE_SKIP;
	if (len > LONGEST_LINE) {
		report_error(r->report, here(r, LONGEST_LINE + 1),
			     "the line is %zu bytes long, %d are read; shorten it: lists, "
			     "expressions and JSON may go on in indented lines, text may live in "
			     "a file: key = @file",
			     len, LONGEST_LINE);
		return drop_line(r);
	}
	clean(r, raw, len);
	if (from > 0)
		return read_indented(r, from);
	return raw[0] == '[' ? read_heading(r, 0) : read_key(r, 0);
}

static bool next_raw(struct reader *r, const char **raw, size_t *len)
{
	const char *stop;

	if (r->rest == r->end)
		return false;
	stop = memchr(r->rest, '\n', (size_t)(r->end - r->rest));
	*raw = r->rest;
	*len = (size_t)((stop ? stop : r->end) - r->rest);
	r->rest = stop ? stop + 1 : r->end;
	if (*len && (*raw)[*len - 1] == '\r')
		--*len;
	r->line++;
	return true;
}

static void miss_handed(struct reader *r)
{
	if (r->handed)
		report_error(r->report, here(r, 1), "inih lost this line; write it differently");
	r->handed = false;
}

/* An ini_reader: called by inih for each line. */
static char *give_line(char *str, int num, void *stream)
{
	struct reader *r = stream;
	const char *raw;
	size_t len;

	miss_handed(r);
	if (!next_raw(r, &raw, &len))
		return NULL;
	r->kind = read_raw(r, raw, len);
	if (r->kind == LINE_SKIP || (int)r->len >= num)
		r->len = 0;
	memcpy(str, r->text, r->len);
	str[r->len] = '\0';
	r->handed = r->kind == LINE_KEY || r->kind == LINE_MORE;
	return str;
}

static void add_pieces(struct ini_key *k, const struct reader *r, size_t from, size_t offset)
{
	for (size_t i = from; i < r->len || i == from; i++) {
		if (i > from && r->columns[i] == r->columns[i - 1] + 1)
			continue;
		k->lines = mem_grow(k->lines, k->nlines + 1, sizeof *k->lines);
		k->lines[k->nlines++] =
			(struct ini_line){offset + (i - from), r->line,
					  i < r->len ? r->columns[i] : r->columns[r->len - 1] + 1};
	}
}

static void append_value(struct ini_key *k, const struct reader *r, const char *value, size_t from)
{
	struct buf joined = {0};

	if (k->value && *k->value)
		buf_printf(&joined, "%s ", k->value);
	add_pieces(k, r, from, joined.len);
	for (; *value; value++)
		buf_char(&joined, *value == SEMICOLON ? ';' : *value);
	free(k->value);
	k->value = joined.data ? buf_take(&joined) : mem_text("");
	if (r->comment && !k->comment.line)
		k->comment = here(r, r->comment);
}

static void refuse_repeated_key(struct reader *r, struct ini_section *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->keys[i].name, name) == 0) {
			report_error(r->report, here(r, r->columns[0]),
				     "`%s` repeats line %u; one of the two would be lost", name,
				     s->keys[i].at.line);
			return;
		}
	}
}

static void add_key(struct reader *r, const char *name, const char *value)
{
	struct ini_section *s = section_now(r);
	size_t from = skip_blanks(r->text, r->len, strcspn(r->text, "=") + 1);
	struct ini_key *k;

	refuse_repeated_key(r, s, name);
	mem_room(s->keys, s->n, s->cap);
	k = &s->keys[s->n++];
	*k = (struct ini_key){.name = mem_text(name), .at = here(r, r->columns[0])};
	append_value(k, r, value, from);
	r->open = true;
	r->lost = false;
}

static void continue_key(struct reader *r, const char *value)
{
	struct ini_section *s = section_now(r);
	struct ini_key *k = &s->keys[s->n - 1];
	size_t from = skip_blanks(r->text, r->len, 0);

	if (!k->continued.line)
		k->continued = here(r, r->columns[from]);
	append_value(k, r, value, from);
}

/* An ini_handler: called by inih for each key and continuation. */
static int take_line(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;

	(void)section;
	if (r->handed && r->kind == LINE_KEY)
		add_key(r, name, value);
	else if (r->handed && r->kind == LINE_MORE)
		continue_key(r, value);
	r->handed = false;
	return 1;
}

static const char *file_name(struct ini *ini, const char *name)
{
	ini->files = mem_grow(ini->files, ini->nfiles + 1, sizeof *ini->files);
	ini->files[ini->nfiles] = mem_text(name);
	return ini->files[ini->nfiles++];
}

static void read_bytes(struct ini *ini, const char *file, const char *text, size_t len,
		       struct report *report)
{
	struct reader r = {.ini = ini, .report = report, .file = file};

	r.rest = text;
	r.end = text + len;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.rest += 3;
	if (ini_parse_stream(give_line, &r, take_line, &r) != 0)
		report_error(report, here(&r, 0), "inih could not read the file");
	miss_handed(&r);
}

void ini_read_bytes(struct ini *ini, const char *name, const char *text, size_t len,
		    struct report *report)
{
	read_bytes(ini, file_name(ini, name), text, len, report);
}

void ini_read_text(struct ini *ini, const char *name, const char *text, struct report *report)
{
	ini_read_bytes(ini, name, text, strlen(text), report);
}

static bool read_file(struct ini *ini, const char *path, struct report *report)
{
	const char *file = file_name(ini, path);
	FILE *f = fopen(path, "re");
	struct buf all = {0};
	bool read, ok;

	if (!f) {
		report_error(report, (struct place){.file = file}, "cannot open: %s",
			     strerror(errno));
		return false;
	}
	read = buf_read(&all, f, LARGEST_FILE);
	ok = read && all.len <= LARGEST_FILE;
	if (ok)
		read_bytes(ini, file, buf_text(&all), all.len, report);
	else
		report_error(report, (struct place){.file = file}, "cannot be read: %s",
			     !read ? strerror(errno) : "it is over 16M");
	fclose(f);
	buf_free(&all);
	return ok;
}

static int is_ini(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 4 && strcmp(e->d_name + n - 4, ".ini") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool read_directory(struct ini *ini, const char *path, struct report *report)
{
	size_t len = strlen(path);
	struct dirent **entries;
	int n = scandir(path, &entries, is_ini, by_bytes);
	bool ok = true;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (n < 0) {
		report_error(report, (struct place){.file = file_name(ini, path)},
			     "cannot open the directory: %s", strerror(errno));
		return false;
	}
	for (int i = 0; i < n; i++) {
		char *file = mem_format("%.*s/%s", (int)len, path, entries[i]->d_name);

		ok = read_file(ini, file, report) && ok;
		free(file);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

bool ini_read(struct ini *ini, const char *path, struct report *report)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return read_directory(ini, path, report);
	return read_file(ini, path, report);
}

void ini_free(struct ini *ini)
{
	if (!ini)
		return;
	for (size_t i = 0; i < ini->n; i++) {
		struct ini_section *s = &ini->sections[i];

		for (size_t j = 0; j < s->n; j++) {
			free(s->keys[j].name);
			free(s->keys[j].value);
			free(s->keys[j].lines);
		}
		free(s->keys);
		free(s->kind);
		free(s->name);
	}
	for (size_t i = 0; i < ini->nfiles; i++)
		free(ini->files[i]);
	free(ini->sections);
	free(ini->files);
	map_free(&ini->seen, NULL);
	*ini = (struct ini){0};
}

struct place ini_place(const struct ini_key *key, size_t offset)
{
	const struct ini_line *l = key->lines;

	for (size_t i = 1; i < key->nlines && key->lines[i].offset <= offset; i++)
		l = &key->lines[i];
	return (struct place){key->at.file, l->line, l->column + (uint32_t)(offset - l->offset)};
}
