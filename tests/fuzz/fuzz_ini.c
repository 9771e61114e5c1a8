/* Any bytes as a configuration file: remarks, or keys whose values stand, byte for byte,
 * where their places say; and a typed configuration that can be freed. */
#include "base/mem.h"
#include "config/config.h"
#include "fuzz.h"

#include <string.h>

struct text {
	const char *bytes;
	size_t size;
};

/* The byte at a place; 0 behind the end of a line. */
static char byte_at(const struct text *t, struct place at)
{
	const char *p = t->bytes, *end = t->bytes + t->size, *line_end;

	if (t->size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	for (uint32_t line = 1; line < at.line; line++) {
		p = memchr(p, '\n', (size_t)(end - p));
		PROMISE(p);
		p++;
	}
	line_end = memchr(p, '\n', (size_t)(end - p));
	line_end = line_end ? line_end : end;
	PROMISE(at.column >= 1 && at.column <= (size_t)(line_end - p) + 1);
	return p + at.column - 1 < line_end ? p[at.column - 1] : '\0';
}

/* Lines are joined by a blank that stands nowhere. */
static bool is_joint(const struct ini_key *k, size_t offset)
{
	for (size_t i = 1; k->value[offset] == ' ' && i < k->nlines; i++) {
		if (k->lines[i].offset == offset + 1)
			return true;
	}
	return false;
}

static void check_key(const struct text *t, const struct ini_key *k)
{
	PROMISE(k->nlines > 0 && k->at.line > 0);
	PROMISE(byte_at(t, k->at) == k->name[0]);
	for (size_t i = 0; k->value[i]; i++) {
		char c = byte_at(t, ini_place(k, i));

		PROMISE(is_joint(k, i) || c == k->value[i] || (c == '\\' && k->value[i] == ';'));
	}
}

static void check_ini(const struct text *t)
{
	struct report report = {0};
	struct ini ini = {0};
	struct buf printed = {0};

	ini_read_bytes(&ini, "f", t->bytes, t->size, &report);
	for (size_t i = 0; i < ini.n; i++) {
		for (size_t k = 0; k < ini.sections[i].n; k++)
			check_key(t, &ini.sections[i].keys[k]);
	}
	report_print(&report, &printed);
	PROMISE(report.n == 0 || printed.len > 0);
	buf_free(&printed);
	ini_free(&ini);
	report_free(&report);
}

/* Files that a value names are left alone: some of them block. */
static void check_config(const char *text)
{
	struct report report = {0};
	struct config *c;

	if (strstr(text, "file:") || strchr(text, '@'))
		return;
	c = config_load_text("f", text, &report);
	for (size_t i = 0; i < c->ninstances; i++)
		PROMISE(config_instance(c, c->instances[i].name) == &c->instances[i]);
	for (size_t i = 0; i < c->nrules; i++)
		PROMISE(report.errors > 0 || c->rules[i].n > 0);
	config_free(c);
	report_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct text t = {(const char *)data, size};
	char *text = mem_slice((const char *)data, size);

	check_ini(&t);
	check_config(text);
	free(text);
	return 0;
}
