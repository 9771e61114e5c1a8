/* The key table: what a section says, with types and defaults. */
#include "testhost_inside.h"

#include "base/mem.h"
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Keys that the host itself has in every section. */
static const struct pm_key host_keys[] = {
	{"timeout", PM_DURATION, 0, "30s", NULL, ""},
	{"deadline", PM_DURATION, 0, "1h", NULL, ""},
	{"retry", PM_STRING, 0, "1d, 1s..15m", NULL, ""},
	{"concurrency", PM_INT, 0, "8", NULL, ""},
	{"rate", PM_STRING, 0, NULL, NULL, ""},
	{"order-by", PM_STRING, 0, "subject", NULL, ""},
	{"enabled", PM_BOOL, 0, "yes", NULL, ""},
	{0},
};

static bool names(const struct pm_key *key, const char *name)
{
	size_t n = strlen(key->name);

	if (n > 1 && key->name[n - 1] == '*')
		return strncmp(name, key->name, n - 1) == 0 && name[n - 1] != '\0';
	return strcmp(name, key->name) == 0;
}

static const struct pm_key *in_table(const struct pm_key *keys, const char *name)
{
	for (; keys && keys->name; keys++) {
		if (names(keys, name))
			return keys;
	}
	return NULL;
}

const struct pm_key *testhost_key(struct testhost *t, const char *name)
{
	const struct pm_key *key = in_table(t->plugin->keys, name);

	return key ? key : in_table(host_keys, name);
}

const char *testhost_setting(struct testhost *t, const char *name)
{
	const struct pm_key *key = testhost_key(t, name);
	const char *text = map_get(&t->settings, name);

	return text || !key ? text : key->fallback;
}

/* Where `text` stands in "low|high", or -1. */
static int64_t choice(const char *text, const char *limit)
{
	size_t len = strlen(text);
	int64_t index = 0;

	for (const char *p = limit; p && *p; index++) {
		size_t n = strcspn(p, "|");

		if (n == len && strncmp(p, text, n) == 0)
			return index;
		p += n + (p[n] == '|');
	}
	return -1;
}

static bool number_of(const struct pm_key *key, const char *text, int64_t *n)
{
	bool yes = false;

	switch (key->type) {
	case PM_INT: return units_integer(text, n);
	case PM_BOOL:
		if (!units_bool(text, &yes))
			return false;
		*n = yes;
		return true;
	case PM_DURATION: return units_duration(text, n);
	case PM_SIZE: return units_size(text, n);
	case PM_ENUM: *n = choice(text, key->limit); return *n >= 0;
	default: *n = 0; return true;
	}
}

static void check_range(const struct pm_key *key, const char *text, int64_t n)
{
	const char *dots = key->limit ? strstr(key->limit, "..") : NULL;
	int64_t low, high;
	char *from;

	if (!dots || key->type == PM_ENUM)
		return;
	from = mem_slice(key->limit, (size_t)(dots - key->limit));
	if (!number_of(key, from, &low) || !number_of(key, dots + 2, &high))
		fail_msg("key %s: limit \"%s\" does not parse", key->name, key->limit);
	if (n < low || n > high)
		fail_msg("%s = %s is outside %s", key->name, text, key->limit);
	free(from);
}

static void check_template(const struct pm_key *key, const char *text)
{
	static const enum template_kind kinds[] = {
		[PM_TEMPLATE] = TEMPLATE_TEXT,
		[PM_JSON_TEMPLATE] = TEMPLATE_JSON,
		[PM_XML_TEMPLATE] = TEMPLATE_XML,
	};
	struct template *parsed;
	struct err err = {{0}};
	size_t at = 0;

	if (key->type != PM_TEMPLATE && key->type != PM_JSON_TEMPLATE &&
	    key->type != PM_XML_TEMPLATE)
		return;
	parsed = template_parse(kinds[key->type], text, &at, &err);
	if (!parsed)
		fail_msg("%s = %s: at %zu: %s", key->name, text, at, err.text);
	template_free(parsed);
}

static void check_value(const struct pm_key *key, const char *text)
{
	int64_t n = 0;

	check_template(key, text);
	if (key->flags & PM_LIST)
		return;
	if (!number_of(key, text, &n))
		fail_msg("%s = %s: not of its type", key->name, text);
	check_range(key, text, n);
}

static void check_table(struct testhost *t)
{
	for (const struct pm_key *key = t->plugin->keys; key && key->name; key++) {
		if (!key->help || !*key->help)
			fail_msg("key %s has no help", key->name);
		if (key->fallback && key->flags & PM_REQUIRED)
			fail_msg("key %s is required and has a default", key->name);
		if (key->fallback)
			check_value(key, key->fallback);
		if (key->flags & PM_REQUIRED && !map_get(&t->settings, key->name))
			fail_msg("the test does not set key %s, which is required", key->name);
	}
}

static const char *host_str(struct pm_host *h, const char *name)
{
	struct testhost *t = testhost_of(h);
	const char *text = testhost_setting(t, name);

	if (!testhost_key(t, name))
		fail_msg("str(\"%s\"): the plugin does not declare this key", name);
	return scratch_text(&t->scratch, text ? text : "", text ? strlen(text) : 0);
}

static int64_t host_num(struct pm_host *h, const char *name)
{
	struct testhost *t = testhost_of(h);
	const struct pm_key *key = testhost_key(t, name);
	const char *text = testhost_setting(t, name);
	int64_t n = 0;

	if (!key)
		fail_msg("num(\"%s\"): the plugin does not declare this key", name);
	return text && number_of(key, text, &n) ? n : 0;
}

static const char *nth_of_list(struct testhost *t, const char *text, uint32_t i)
{
	const char *blank = " \t";

	while (text && *text) {
		size_t n = strcspn(text, ",");
		const char *item = text + strspn(text, blank);
		size_t len = item > text + n ? 0 : n - (size_t)(item - text);

		while (len > 0 && strchr(blank, item[len - 1]))
			len--;
		if (len > 0 && i-- == 0)
			return scratch_text(&t->scratch, item, len);
		text += n + (text[n] == ',');
	}
	return NULL;
}

static const char *nth_of_family(struct testhost *t, const struct pm_key *key, uint32_t i)
{
	struct map_entry *e;

	for (size_t at = 0; (e = map_next(&t->settings, &at));) {
		if (names(key, e->key) && i-- == 0)
			return scratch_text(&t->scratch, e->key, strlen(e->key));
	}
	return NULL;
}

static const char *host_nth(struct pm_host *h, const char *name, uint32_t i)
{
	struct testhost *t = testhost_of(h);
	const struct pm_key *key = testhost_key(t, name);

	if (!key)
		fail_msg("nth(\"%s\"): the plugin does not declare this key", name);
	if (strcmp(key->name, name) == 0 && name[strlen(name) - 1] == '*')
		return nth_of_family(t, key, i);
	if (!(key->flags & PM_LIST))
		fail_msg("nth(\"%s\"): not a list", name);
	return nth_of_list(t, testhost_setting(t, name), i);
}

const char *testhost_secret(struct testhost *t, const char *name, uint32_t n)
{
	const struct pm_key *key = testhost_key(t, name);
	const char *text = testhost_setting(t, name);

	if (!key)
		fail_msg("hmac: the plugin does not declare key %s", name);
	if (!(key->flags & PM_SECRET))
		fail_msg("hmac: key %s is no secret", name);
	if (key->flags & PM_LIST)
		return nth_of_list(t, text, n);
	return n == 0 && text && *text ? text : NULL;
}

void testhost_keys_fill(struct testhost *t, const char *const *settings)
{
	for (; settings && *settings; settings += 2) {
		const struct pm_key *key = testhost_key(t, settings[0]);

		if (!key)
			fail_msg("the test sets %s, which the plugin does not declare",
				 settings[0]);
		check_value(key, settings[1]);
		free(map_put(&t->settings, settings[0], mem_text(settings[1])));
	}
	check_table(t);
	t->host.str = host_str;
	t->host.num = host_num;
	t->host.nth = host_nth;
}
