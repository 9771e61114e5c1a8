/* The section's keys: read by the core as it reads them from a file. */
#include "testhost_inside.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A setting as if it stood in a file; no line of a file could hold some values of tests. */
struct written {
	struct ini_key key;
	struct ini_line line;
	struct written *next;
};

static const char *kind_of(const struct pm_plugin *p)
{
	return p->kind & PM_SOURCE   ? "source"
	       : p->kind & PM_ACTION ? "action"
	       : p->kind & PM_SINK   ? "sink"
				     : "secrets";
}

/* A secret may only be referred to: each value goes through the environment. */
static void add_reference(struct buf *b, const char *value, size_t len)
{
	static unsigned number;
	char *name = mem_format("TESTHOST_SECRET_%u", number++), *text = mem_slice(value, len);

	setenv(name, text, 1);
	buf_printf(b, "${env:%s}", name);
	free(text);
	free(name);
}

static char *referred(const struct pm_key *key, const char *value)
{
	struct buf b = {0};

	if (!(key->flags & PM_LIST)) {
		add_reference(&b, value, strlen(value));
		return buf_take(&b);
	}
	for (const char *p = value;;) {
		size_t n = strcspn(p, ",");

		add_reference(&b, p, n);
		p += n;
		if (!*p)
			return buf_take(&b);
		p += strspn(p, ", ");
		buf_text_add(&b, ", ");
	}
}

static void add_setting(struct testhost *t, struct instance_config *section, const char *name,
			const char *value)
{
	const struct pm_key *key = plugin_key(t->plugin, name);
	struct written *w = mem_new(struct written);

	w->line = (struct ini_line){0, 1, 1};
	w->key = (struct ini_key){
		.name = mem_text(name), .at = {"test", 1, 1}, .lines = &w->line, .nlines = 1};
	w->key.value =
		key && key->flags & PM_SECRET && *value ? referred(key, value) : mem_text(value);
	w->next = t->written;
	t->written = w;
	section->settings = mem_grow(section->settings, section->n + 1, sizeof *section->settings);
	section->settings[section->n++] = (struct setting){
		.name = mem_text(name), .value = mem_text(w->key.value), .key = &w->key};
}

static void fail_with(struct report *report)
{
	struct buf text = {0};

	report_print(report, &text);
	fail_msg("the section is wrong:\n%s", buf_text(&text));
}

static bool is_hosts(const struct testhost *t, const char *name)
{
	return !plugin_key(t->plugin, name) && config_is_host_key(name);
}

/* The host's own keys as lines of a file, the plugin's behind them. */
void testhost_keys_read(struct testhost *t, const char *instance, const char *const *settings)
{
	struct buf text = {0};
	struct report report = {0};

	buf_printf(&text, "[%s %s]\nplugin = %s\n", kind_of(&t->plugin->table), instance,
		   t->plugin->table.name);
	for (const char *const *s = settings; s && *s; s += 2) {
		if (is_hosts(t, s[0]))
			buf_printf(&text, "%s = %s\n", s[0], s[1]);
	}
	t->config = config_load_text("test", text.data, &report);
	buf_free(&text);
	if (report.errors || t->config->ninstances != 1)
		fail_with(&report);
	for (const char *const *s = settings; s && *s; s += 2) {
		if (!is_hosts(t, s[0]))
			add_setting(t, &t->config->instances[0], s[0], s[1]);
	}
	t->values = values_new(t->plugin, &t->config->instances[0], &report);
	if (!t->values)
		fail_with(&report);
	report_free(&report);
}

void testhost_keys_free(struct testhost *t)
{
	values_free(t->values);
	config_free(t->config);
	while (t->written) {
		struct written *w = t->written;

		t->written = w->next;
		free(w->key.name);
		free(w->key.value);
		free(w);
	}
}

static const char *host_str(struct pm_host *h, const char *name)
{
	struct testhost *t = testhost_of(h);
	bool declared;
	const char *text = values_str(t->values, name, &declared);

	if (!declared)
		fail_msg("str(\"%s\"): the plugin does not declare this key", name);
	return scratch_text(&t->scratch, text, strlen(text));
}

static int64_t host_num(struct pm_host *h, const char *name)
{
	bool declared;
	int64_t n = values_num(testhost_of(h)->values, name, &declared);

	if (!declared)
		fail_msg("num(\"%s\"): the plugin does not declare this key", name);
	return n;
}

static const char *host_nth(struct pm_host *h, const char *name, uint32_t i)
{
	struct testhost *t = testhost_of(h);
	bool declared;
	const char *text = values_nth(t->values, name, i, &declared);

	if (!declared)
		fail_msg("nth(\"%s\"): the plugin does not declare this key", name);
	return text ? scratch_text(&t->scratch, text, strlen(text)) : NULL;
}

void testhost_keys_fill(struct testhost *t)
{
	t->host.str = host_str;
	t->host.num = host_num;
	t->host.nth = host_nth;
}
