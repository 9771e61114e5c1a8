#include "base/buf.h"
#include "base/mem.h"
#include "plugin/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *samples; /* the directory they were built in */

struct place {
	char dirs[2][32];
	const char *list[3];
};

static void make_place(struct place *p)
{
	for (int i = 0; i < 2; i++) {
		snprintf(p->dirs[i], sizeof p->dirs[i], "loader-test-XXXXXX");
		assert_non_null(mkdtemp(p->dirs[i]));
		p->list[i] = p->dirs[i];
	}
	p->list[1] = NULL;
	p->list[2] = NULL;
}

static void remove_place(const struct place *p)
{
	for (int i = 0; i < 2; i++) {
		char *command = mem_format("rm -rf %s", p->dirs[i]);

		assert_int_equal(system(command), 0);
		free(command);
	}
}

/* A copy of the sample as `name`; its path, the caller's. */
static char *put(const char *dir, const char *name, const char *sample)
{
	char *from = mem_format("%s/%s.so", samples, sample), part[4096];
	char *to = mem_format("%s/%s.so", dir, name);
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n;

	if (!in)
		fail_msg("no %s", from);
	assert_non_null(out);
	while ((n = fread(part, 1, sizeof part, in)) > 0)
		assert_int_equal(fwrite(part, 1, n, out), n);
	fclose(in);
	fclose(out);
	chmod(to, 0644);
	free(from);
	return to;
}

static void contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("`%s` is not in: %s", part, text);
}

/* The sample is refused under that name, with a sentence that has both parts. */
static void refused(const char *sample, const char *name, const char *why, const char *what_to_do)
{
	struct place p;
	struct loader *l;
	struct err err = {{0}};

	make_place(&p);
	free(put(p.dirs[0], name, sample));
	l = loader_new(p.list);
	assert_null(loader_get(l, name, &err));
	contains(err.text, why);
	contains(err.text, what_to_do);
	assert_string_equal(loader_name(l, 0), name);
	loader_free(l);
	remove_place(&p);
}

static void a_good_plugin_loads_once(void **state)
{
	struct place p;
	struct loader *l;
	const struct plugin *plugin;
	struct err err = {{0}};

	(void)state;
	make_place(&p);
	free(put(p.dirs[0], "good", "good"));
	l = loader_new(p.list);
	plugin = loader_get(l, "good", &err);
	if (!plugin)
		fail_msg("%s", err.text);
	assert_string_equal(plugin->table.name, "good");
	assert_int_equal(plugin->nkeys, 1);
	contains(plugin->file, "/good.so");
	assert_ptr_equal(loader_get(l, "good", NULL), plugin);
	loader_free(l);
	remove_place(&p);
}

static void names_are_sorted(void **state)
{
	struct place p;
	struct loader *l;

	(void)state;
	make_place(&p);
	free(put(p.dirs[0], "b", "good"));
	free(put(p.dirs[0], "a", "nothing"));
	l = loader_new(p.list);
	assert_string_equal(loader_name(l, 0), "a");
	assert_string_equal(loader_name(l, 1), "b");
	assert_null(loader_name(l, 2));
	loader_free(l);
	remove_place(&p);
}

static void a_missing_plugin_is_told_with_where_it_was_looked_for(void **state)
{
	const char *list[] = {"no-such-directory", NULL};
	struct place p;
	struct loader *l = loader_new(list);
	struct err err;

	(void)state;
	assert_null(loader_get(l, "slack", &err));
	assert_string_equal(err.text,
			    "no slack.so in no-such-directory (`plugins` of [pointsman]); "
			    "no-such-directory: No such file or directory");
	loader_free(l);
	make_place(&p);
	free(put(p.dirs[0], "slack", "good"));
	l = loader_new(p.list);
	assert_null(loader_get(l, "slak", &err));
	contains(err.text, "did you mean `slack`?");
	loader_free(l);
	remove_place(&p);
}

static void a_world_writable_file_is_refused(void **state)
{
	struct place p;
	struct loader *l;
	struct err err;
	char *path;

	(void)state;
	make_place(&p);
	path = put(p.dirs[0], "good", "good");
	chmod(path, 0666);
	l = loader_new(p.list);
	assert_null(loader_get(l, "good", &err));
	contains(err.text, "the file is writable by everybody");
	contains(err.text, "chmod o-w ");
	contains(err.text, path);
	loader_free(l);
	free(path);
	remove_place(&p);
}

static void everything_in_a_world_writable_directory_is_refused(void **state)
{
	struct place p;
	struct loader *l;
	struct err err;

	(void)state;
	make_place(&p);
	free(put(p.dirs[0], "good", "good"));
	chmod(p.dirs[0], 01777);
	l = loader_new(p.list);
	assert_null(loader_get(l, "good", &err));
	contains(err.text, "the directory is writable by everybody");
	loader_free(l);
	remove_place(&p);
}

static void a_foreign_owner_is_refused(void **state)
{
	struct place p;
	struct loader *l;
	struct err err;
	char *path;

	(void)state;
	if (geteuid() != 0)
		skip();
	make_place(&p);
	path = put(p.dirs[0], "good", "good");
	assert_int_equal(chown(path, 65534, 65534), 0);
	l = loader_new(p.list);
	assert_null(loader_get(l, "good", &err));
	contains(err.text, "the file belongs to user 65534, neither root nor this user (0)");
	contains(err.text, "chown root");
	loader_free(l);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(p.dirs[0], 65534, 65534), 0);
	l = loader_new(p.list);
	assert_null(loader_get(l, "good", &err));
	contains(err.text, "the directory belongs to user 65534");
	loader_free(l);
	free(path);
	remove_place(&p);
}

static void two_files_of_one_name_are_refused(void **state)
{
	struct place p;
	struct loader *l;
	struct err err = {{0}};

	(void)state;
	make_place(&p);
	free(put(p.dirs[0], "good", "good"));
	free(put(p.dirs[1], "good", "good"));
	p.list[1] = p.dirs[1];
	l = loader_new(p.list);
	assert_null(loader_get(l, "good", &err));
	contains(err.text, "two files claim the name: ");
	contains(err.text, p.dirs[0]);
	contains(err.text, p.dirs[1]);
	loader_free(l);
	p.list[1] = p.dirs[0];
	l = loader_new(p.list); /* the same directory twice is one */
	assert_non_null(loader_get(l, "good", NULL));
	loader_free(l);
	remove_place(&p);
}

static void what_is_no_plugin_is_refused(void **state)
{
	(void)state;
	refused("nothing", "nothing", "it has no symbol pointsman_plugin_v1", "PM_PLUGIN()");
	refused("major", "major", "it is written for pointsman ABI 2, this is ABI 1",
		"a plugin for ABI 1");
	refused("minor", "minor", "it needs pointsman ABI 1.7, this is 1.1",
		"install a newer pointsman");
	refused("undefined", "undefined", "it uses `sample_of_nobody`", "-Wl,-z,defs");
	refused("table", "table", "key `retry` belongs to the host", "rename it");
	refused("good", "other", "it calls itself `good`", "rename the file to good.so");
}

static void a_file_that_is_no_library_is_refused(void **state)
{
	struct place p;
	struct loader *l;
	struct err err;
	char *path;
	FILE *f;

	(void)state;
	make_place(&p);
	path = mem_format("%s/text.so", p.dirs[0]);
	f = fopen(path, "w");
	fputs("not ELF\n", f);
	fclose(f);
	chmod(path, 0644);
	l = loader_new(p.list);
	assert_null(loader_get(l, "text", &err));
	contains(err.text, "cannot be loaded: ");
	contains(err.text, "text.so");
	loader_free(l);
	free(path);
	remove_place(&p);
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	(void)h;
	(void)d;
}

static void resolve(struct pm_host *h, uint64_t ask, const char *name)
{
	(void)h;
	(void)ask;
	(void)name;
}

static struct pm_plugin sink(const struct pm_key *keys)
{
	return (struct pm_plugin){.size = sizeof(struct pm_plugin),
				  .key_size = sizeof(struct pm_key),
				  .type_size = sizeof(struct pm_type),
				  .kind = PM_SINK,
				  .name = "x",
				  .version = "1",
				  .summary = "s",
				  .keys = keys,
				  .deliver = deliver};
}

static void table_refused(const struct pm_plugin *table, const char *why)
{
	struct err err = {{0}};
	struct plugin *p = plugin_adopt(table, &err);

	if (p)
		fail_msg("not refused: %s", why);
	contains(err.text, why);
}

static void keys_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		struct pm_key key;
		const char *why;
	} cases[] = {
		{{"Url", PM_STRING, 0, 0, 0, "h"}, "key `Url`: names are lower-case-with-dashes"},
		{{"a_b", PM_STRING, 0, 0, 0, "h"}, "key `a_b`: names"},
		{{"a.b", PM_STRING, 0, 0, 0, "h"}, "key `a.b`: names"},
		{{"*", PM_STRING, 0, 0, 0, "h"}, "key `*`: names"},
		{{"order-by", PM_STRING, 0, 0, 0, "h"}, "key `order-by` belongs to the host"},
		{{"a", 99, 0, 0, 0, "h"}, "key `a` has an unknown type, 99"},
		{{"a", PM_INT, 1 << 9, 0, 0, "h"}, "key `a` has unknown flags, 0x200"},
		{{"a", PM_INT, 0, 0, 0, 0}, "key `a` has no help"},
		{{"a", PM_INT, PM_REQUIRED, "1", 0, "h"}, "key `a` is required and has a default"},
		{{"a", PM_INT, 0, "x", 0, "h"},
		 "the default of key `a`: `x` is not a whole number"},
		{{"a", PM_INT, 0, "9", "1..5", "h"}, "the default of key `a`: 9 is outside 1..5"},
		{{"a", PM_DURATION, 0, 0, "1..5", "h"},
		 "key `a`: its limit `1..5` should be a range"},
		{{"a", PM_INT, 0, 0, "5..1", "h"}, "key `a`: its limit `5..1` should be a range"},
		{{"a", PM_ENUM, 0, 0, 0, "h"}, "key `a`: its limit `` should be the words"},
		{{"a", PM_ENUM, 0, "c", "a|b", "h"}, "the default of key `a`: `c` is none of a|b"},
		{{"a", PM_STRING, 0, 0, "1..5", "h"},
		 "key `a`: its limit `1..5` should be nothing"},
		{{"a", PM_URL, 0, "http://x.org", 0, "h"}, "the default of key `a`: http://"},
		{{"a", PM_STRING, PM_SECRET, "x", 0, "h"}, "the default of key `a` is a secret"},
		{{"a", PM_TEMPLATE, 0, "{{ x", 0, "h"}, "the default of key `a`, byte"},
		{{"a", PM_JSON_TEMPLATE, 0, "{", 0, "h"}, "the default of key `a`, byte"},
		{{"a", PM_INT, PM_LIST, "1,,2", 0, "h"}, "the default of key `a`: an element"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct pm_key keys[] = {cases[i].key, {0}};
		struct pm_plugin table = sink(keys);

		table_refused(&table, cases[i].why);
	}
}

static void keys_are_unique_and_end(void **state)
{
	static struct pm_key many[300];
	static const struct pm_key twice[] = {
		{"a", PM_INT, 0, 0, 0, "h"}, {"a", PM_INT, 0, 0, 0, "h"}, {0}};
	struct pm_plugin table = sink(twice);

	(void)state;
	table_refused(&table, "key `a` is there twice");
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = twice[0];
	table.keys = many;
	table_refused(&table, "its keys do not end with {0} within 256 rows");
}

static void deliver_many(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	(void)h;
	(void)d;
	(void)n;
}

static void roles_are_checked(void **state)
{
	static const struct pm_type types[] = {{"a.b", "s", "*", "h"}, {0}};
	struct pm_plugin t = sink(NULL);

	(void)state;
	t.kind = PM_SINK | PM_ACTION;
	table_refused(&t, "its kind is 0x6");
	t.kind = PM_BLOCKING;
	table_refused(&t, "its kind is 0x100");
	t.kind = PM_SINK | 1 << 12;
	table_refused(&t, "its kind is 0x1004");
	t = sink(NULL);
	t.deliver = NULL;
	table_refused(&t, "it takes events but has no deliver()");
	t = sink(NULL);
	t.types = types;
	table_refused(&t, "it lists event types, which only sources and actions emit");
	t = sink(NULL);
	t.kind = PM_SECRETS;
	t.deliver = NULL;
	table_refused(&t, "it serves secrets but has no resolve()");
	t.kind = PM_SOURCE;
	table_refused(&t, "it is a source but lists no event type");
	t.types = types;
	t.resolve = resolve;
	table_refused(&t, "it has resolve(), which is for PM_SECRETS");
	t.resolve = NULL;
	t.deliver = deliver;
	table_refused(&t, "it has deliver(), which is for actions and sinks");
	t.deliver = NULL;
	t.deliver_many = deliver_many;
	table_refused(&t, "it has deliver_many() but no deliver()");
	t = sink(NULL);
	t.version = NULL;
	table_refused(&t, "its table lacks a version");
	t = sink(NULL);
	t.needs = "data.new data..old";
	table_refused(&t, "what it needs, `data..old`");
}

static void types_are_checked(void **state)
{
	static const struct {
		struct pm_type type;
		const char *why;
	} cases[] = {
		{{"A.b", "s", "*", "h"}, "event type `A.b`: lower-case words"},
		{{"a..b", "s", "*", "h"}, "event type `a..b`: lower-case words"},
		{{"a.*.b", "s", "*", "h"}, "event type `a.*.b`: lower-case words"},
		{{"", "s", "*", "h"}, "event type ``: lower-case words"},
		{{"pointsman.x", "s", "*", "h"}, "pointsman.* come from the router alone"},
		{{"a.b", "s", 0, "h"}, "event type `a.b` has no fields; `*` means any"},
		{{"a.b", "s", "x:numbre", "h"},
		 "event type `a.b`: field `x` has the type `numbre`"},
		{{"a.b", "s", "x..y", "h"}, "event type `a.b`: `x..y` is no field's name"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct pm_type types[] = {cases[i].type, {0}};
		struct pm_plugin t = sink(NULL);

		t.kind = PM_ACTION;
		t.types = types;
		table_refused(&t, cases[i].why);
	}
}

/* A plugin built with a later header: longer rows, a longer table. */
static void longer_structs_are_read_by_their_stride(void **state)
{
	struct long_key {
		struct pm_key key;
		void *later;
	} keys[] = {{{"a", PM_INT, 0, "1", 0, "h"}, keys},
		    {{"b", PM_INT, 0, "2", 0, "h"}, keys},
		    {{0}, 0}};
	struct {
		struct pm_plugin table;
		void *later;
	} longer = {.table = sink(&keys[0].key)};
	struct err err = {{0}};
	struct plugin *p;

	(void)state;
	longer.table.size = sizeof longer;
	longer.table.key_size = sizeof keys[0];
	p = plugin_adopt(&longer.table, &err);
	if (!p)
		fail_msg("%s", err.text);
	assert_int_equal(p->nkeys, 2);
	assert_string_equal(p->table.keys[1].name, "b");
	assert_null(p->table.keys[2].name);
	plugin_free(p);
	longer.table.size = 16;
	table_refused(&longer.table, "sizes that cannot be");
	longer.table.size = sizeof longer;
	longer.table.key_size = 8;
	table_refused(&longer.table, "sizes that cannot be");
	longer.table.abi_minor = 2;
	table_refused(&longer.table, "it needs pointsman ABI 1.2, this is 1.1");
}

static void a_key_is_found_by_name_or_family(void **state)
{
	static const struct pm_key keys[] = {
		{"env.*", PM_STRING, 0, 0, 0, "h"}, {"url", PM_STRING, 0, 0, 0, "h"}, {0}};
	struct pm_plugin t = sink(keys);
	struct plugin *p = plugin_adopt(&t, NULL);

	(void)state;
	assert_non_null(p);
	assert_string_equal(plugin_key(p, "url")->name, "url");
	assert_string_equal(plugin_key(p, "env.A")->name, "env.*");
	assert_string_equal(plugin_key(p, "env.*")->name, "env.*");
	assert_null(plugin_key(p, "env."));
	assert_null(plugin_key(p, "env"));
	assert_null(plugin_key(p, "urls"));
	plugin_free(p);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_plugin_loads_once),
		cmocka_unit_test(names_are_sorted),
		cmocka_unit_test(a_missing_plugin_is_told_with_where_it_was_looked_for),
		cmocka_unit_test(a_world_writable_file_is_refused),
		cmocka_unit_test(everything_in_a_world_writable_directory_is_refused),
		cmocka_unit_test(a_foreign_owner_is_refused),
		cmocka_unit_test(two_files_of_one_name_are_refused),
		cmocka_unit_test(what_is_no_plugin_is_refused),
		cmocka_unit_test(a_file_that_is_no_library_is_refused),
		cmocka_unit_test(keys_that_make_no_sense_are_refused),
		cmocka_unit_test(keys_are_unique_and_end),
		cmocka_unit_test(roles_are_checked),
		cmocka_unit_test(types_are_checked),
		cmocka_unit_test(longer_structs_are_read_by_their_stride),
		cmocka_unit_test(a_key_is_found_by_name_or_family),
	};

	samples = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
