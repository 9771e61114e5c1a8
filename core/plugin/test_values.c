#include "base/log.h"
#include "base/mem.h"
#include "plugin/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void deliver(struct pm_host *h, pm_delivery d)
{
	(void)h;
	(void)d;
}

static const struct pm_key keys[] = {
	{"text", PM_STRING, 0, "plain", NULL, "Text."},
	{"bare", PM_STRING, 0, NULL, NULL, "Text without a default."},
	{"number", PM_INT, 0, "5", "1..500", "Number."},
	{"flag", PM_BOOL, 0, "no", NULL, "Flag."},
	{"poll", PM_DURATION, 0, "10s", "1s..10m", "Duration."},
	{"size", PM_SIZE, 0, "64k", NULL, "Size."},
	{"mode", PM_ENUM, 0, "low", "low|high", "Choice."},
	{"url", PM_URL, 0, NULL, NULL, "Address."},
	{"any-url", PM_URL, 0, NULL, "http", "Address."},
	{"token", PM_STRING, PM_SECRET, NULL, NULL, "Secret."},
	{"secrets", PM_STRING, PM_SECRET | PM_LIST, NULL, NULL, "Secrets."},
	{"list", PM_STRING, PM_LIST, NULL, NULL, "List."},
	{"numbers", PM_INT, PM_LIST, NULL, "1..9", "Numbers."},
	{"body", PM_JSON_TEMPLATE, 0, NULL, NULL, "JSON."},
	{"message", PM_TEMPLATE, 0, "{{ type }}", NULL, "Template."},
	{"paths", PM_TEMPLATE, PM_LIST, NULL, NULL, "Templates."},
	{"env.*", PM_TEMPLATE, 0, NULL, NULL, "Family."},
	{"old", PM_STRING, PM_DEPRECATED, NULL, NULL, "Use text."},
	{0},
};

struct world {
	struct plugin *plugin;
	struct config *config;
	struct values *values;
	struct report report;
	struct buf printed;
};

static struct world *open_keys(const struct pm_key *table, const char *text)
{
	struct world *w = mem_new(struct world);
	const struct pm_plugin sink = {.size = sizeof sink,
				       .key_size = sizeof(struct pm_key),
				       .type_size = sizeof(struct pm_type),
				       .kind = PM_SINK,
				       .name = "x",
				       .version = "1",
				       .summary = "s",
				       .keys = table,
				       .deliver = deliver};
	struct err err = {{0}};
	char *section = mem_format("[sink s]\nplugin = x\n%s", text);

	w->plugin = plugin_adopt(&sink, &err);
	if (!w->plugin)
		fail_msg("%s", err.text);
	w->config = config_load_text("f.ini", section, &w->report);
	w->values = values_new(w->plugin, &w->config->instances[0], &w->report);
	report_print(&w->report, &w->printed);
	free(section);
	return w;
}

static struct world *open_values(const char *text)
{
	return open_keys(keys, text);
}

static void close_values(struct world *w)
{
	values_free(w->values);
	config_free(w->config);
	plugin_free(w->plugin);
	report_free(&w->report);
	buf_free(&w->printed);
	free(w);
}

static struct world *good(const char *text)
{
	struct world *w = open_values(text);

	assert_string_equal(buf_text(&w->printed), "");
	assert_non_null(w->values);
	return w;
}

static void mentions(const char *text, const char *part)
{
	struct world *w = open_values(text);

	if (!strstr(buf_text(&w->printed), part))
		fail_msg("`%s` is not in: %s", part, buf_text(&w->printed));
	assert_null(w->values);
	close_values(w);
}

static void values_are_typed_and_kept_as_written(void **state)
{
	struct world *w = good("number = 7\nflag = yes\npoll = 2m\nsize = 1M\nmode = high\n"
			       "url = https://x.org/a?b=c\nbare = b c\n");

	(void)state;
	assert_int_equal(values_num(w->values, "number", NULL), 7);
	assert_int_equal(values_num(w->values, "flag", NULL), 1);
	assert_int_equal(values_num(w->values, "poll", NULL), 120000);
	assert_string_equal(values_str(w->values, "poll", NULL), "2m");
	assert_int_equal(values_num(w->values, "size", NULL), 1 << 20);
	assert_int_equal(values_num(w->values, "mode", NULL), 1);
	assert_string_equal(values_str(w->values, "mode", NULL), "high");
	assert_string_equal(values_str(w->values, "url", NULL), "https://x.org/a?b=c");
	assert_string_equal(values_str(w->values, "bare", NULL), "b c");
	close_values(w);
}

static void defaults_hold_for_what_is_absent_or_empty(void **state)
{
	struct world *w =
		good("number =\ntext = ${env:PM_TEST_NONE:-}\nurl = ${env:PM_TEST_NONE:-}\n");
	bool declared = false;

	(void)state;
	assert_int_equal(values_num(w->values, "number", NULL), 5);
	assert_string_equal(values_str(w->values, "text", NULL), "plain");
	assert_string_equal(values_str(w->values, "url", &declared), "");
	assert_true(declared);
	assert_int_equal(values_num(w->values, "poll", NULL), 10000);
	assert_int_equal(values_num(w->values, "mode", NULL), 0);
	assert_non_null(values_template(w->values, "message"));
	assert_null(values_template(w->values, "body"));
	assert_null(values_nth(w->values, "list", 0, &declared));
	assert_true(declared);
	close_values(w);
}

static void undeclared_keys_are_told_apart(void **state)
{
	struct world *w = good("");
	bool declared = true;

	(void)state;
	assert_string_equal(values_str(w->values, "nothing", &declared), "");
	assert_false(declared);
	assert_int_equal(values_num(w->values, "nothing", &declared), 0);
	assert_false(declared);
	assert_null(values_nth(w->values, "nothing", 0, &declared));
	assert_false(declared);
	assert_string_equal(values_str(w->values, "stalled-after", &declared), "");
	assert_false(declared); /* of sources */
	close_values(w);
}

static void host_keys_are_served_too(void **state)
{
	struct world *w = good("deadline = 45m\nconcurrency = 2\n");
	bool declared = false;

	(void)state;
	assert_string_equal(values_str(w->values, "deadline", &declared), "45m");
	assert_true(declared);
	assert_int_equal(values_num(w->values, "deadline", NULL), 2700000);
	assert_int_equal(values_num(w->values, "concurrency", NULL), 2);
	assert_int_equal(values_num(w->values, "timeout", NULL), 30000);
	assert_string_equal(values_str(w->values, "retry", NULL), "1d, 1s..15m");
	assert_int_equal(values_num(w->values, "enabled", NULL), 1);
	assert_string_equal(values_str(w->values, "plugin", NULL), "x");
	close_values(w);
}

static void lists_split_at_commas_outside_braces(void **state)
{
	struct world *w = good("list = a, b c ,\n  d\\,e\nnumbers = 1, 2\n"
			       "paths = /{{ data.k | part(\"/\", 1) }}, /*\n");

	(void)state;
	assert_string_equal(values_nth(w->values, "list", 0, NULL), "a");
	assert_string_equal(values_nth(w->values, "list", 1, NULL), "b c");
	assert_string_equal(values_nth(w->values, "list", 2, NULL), "d,e");
	assert_null(values_nth(w->values, "list", 3, NULL));
	assert_string_equal(values_str(w->values, "list.1", NULL), "b c");
	assert_string_equal(values_nth(w->values, "paths", 0, NULL),
			    "/{{ data.k | part(\"/\", 1) }}");
	assert_string_equal(values_nth(w->values, "paths", 1, NULL), "/*");
	assert_non_null(values_template(w->values, "paths"));
	close_values(w);
	mentions("list = a,,b\n", "f.ini:3:10: list: an element is missing here");
	mentions("numbers = 1, 12\n", "numbers: 12 is outside 1..9");
}

static void an_environment_variable_may_hold_a_list(void **state)
{
	struct world *w;

	(void)state;
	setenv("PM_TEST_LIST", "x, y", 1);
	w = good("list = ${env:PM_TEST_LIST}, z\n");
	assert_string_equal(values_nth(w->values, "list", 1, NULL), "y");
	assert_string_equal(values_nth(w->values, "list", 2, NULL), "z");
	close_values(w);
}

static void a_family_lists_its_names_in_order(void **state)
{
	struct world *w = good("env.B = {{ data.b }}\nenv.A = a\n");

	(void)state;
	assert_string_equal(values_nth(w->values, "env.*", 0, NULL), "env.B");
	assert_string_equal(values_nth(w->values, "env.*", 1, NULL), "env.A");
	assert_null(values_nth(w->values, "env.*", 2, NULL));
	assert_string_equal(values_str(w->values, "env.A", NULL), "a");
	assert_non_null(values_template(w->values, "env.B"));
	close_values(w);
}

static void a_wrong_value_says_what_would_be_right(void **state)
{
	static const char *const cases[][2] = {
		{"number = x\n", "f.ini:3:10: number: `x` is not a whole number"},
		{"number = 501\n", "f.ini:3:10: number: 501 is outside 1..500"},
		{"flag = on\n", "flag: `on` is neither yes nor no"},
		{"poll = 30\n", "poll: `30` is not a duration like 250ms"},
		{"poll = 1h\n", "poll: 1h is outside 1s..10m"},
		{"size = 1x\n", "size: `1x` is not a size like 64k"},
		{"mode = mid\n", "mode: `mid` is none of low|high"},
		{"url = x.org\n", "url: an address begins with https://"},
		{"url = https://\n", "url: this is no address like https://host/path"},
		{"url = https://a b\n", "url: this is no address"},
		{"url = https://u:p@x.org\n", "url: an address holds no user and no password"},
		{"url = http://x.org\n", "url: http:// sends everything readable"},
		{"url = http://127.0.0.1.x.org/\n", "url: http:// sends everything readable"},
		{"url = http://127.0.0.1:80@x.org/\n", "holds no user and no password"},
		{"text = {{ type }}\n", "f.ini:3:8: text: `{{` in a text, which is no template"},
		{"message = a {{ data. }}\n", "f.ini:3:"},
		{"body = {\"a\": {{ type }\n", "f.ini:3:"},
		{"bucket = a\n", "f.ini:3:1: unknown key `bucket` of plugin x"},
		{"txet = a\n", "f.ini:3:1: unknown key `txet` of plugin x; did you mean `text`?"},
		{"timout = 5s\n", "did you mean `timeout`?"},
		{"stalled-after = 5s\n", "`stalled-after` has no meaning in a [sink]"},
		{"text = a ; b\n", "f.ini:3:10: text: ` ;` starts a comment; write `\\;`"},
		{"message = a ; b\n", "f.ini:3:13: message: ` ;` starts a comment"},
		{"text = a\n  b\n", "f.ini:4:3: `text` is written on one line"},
		{"message = a\n  b\n", "text of several lines lives in a file: message = @file"},
		{"text = ${env:PM_TEST_NONE}\n",
		 "f.ini:3:8: text: environment variable PM_TEST_NONE"},
		{"text = a${x:}\n", "f.ini:3:9: text: `${x:}` names nothing"},
	};

	(void)state;
	unsetenv("PM_TEST_NONE");
	for (size_t i = 0; i < COUNT(cases); i++)
		mentions(cases[i][0], cases[i][1]);
}

static void plain_http_is_for_this_machine_or_where_it_is_allowed(void **state)
{
	static const char *const urls[] = {"http://127.0.0.1:8080/x", "http://127.8.9.1",
					   "http://localhost/",       "http://[::1]:1/",
					   "HTTPS://x.org",           "https://[2001:db8::1]/"};

	(void)state;
	for (size_t i = 0; i < COUNT(urls); i++) {
		char *text = mem_format("url = %s\nany-url = http://x.org/\n", urls[i]);

		close_values(good(text));
		free(text);
	}
}

static void comments_are_fine_where_no_text_is_lost(void **state)
{
	struct world *w = good("number = 7 ; seven\npoll = 5s ; often\ntext = a \\; b\n"
			       "url = https://x.org ; there\n");

	(void)state;
	assert_int_equal(values_num(w->values, "number", NULL), 7);
	assert_string_equal(values_str(w->values, "text", NULL), "a ; b");
	assert_string_equal(values_str(w->values, "url", NULL), "https://x.org");
	close_values(w);
}

static void json_may_go_on_and_its_mistakes_have_exact_places(void **state)
{
	struct world *w = good("body = {\"a\":\n  \"{{ data.x }}\",\n  \"b\": {{ data.y }}}\n");
	struct template_use use;

	(void)state;
	assert_string_equal(values_str(w->values, "body", NULL),
			    "{\"a\": \"{{ data.x }}\", \"b\": {{ data.y }}}");
	assert_true(values_template_use(w->values, 0, &use));
	assert_string_equal(use.key, "body");
	assert_int_equal(use.setting->key->at.line, 3);
	assert_true(values_template_use(w->values, 1, &use));
	assert_string_equal(use.key, "message");
	assert_null(use.setting);
	assert_false(values_template_use(w->values, 2, &use));
	close_values(w);
	mentions("body = {\"a\":\n  \"{{ data.x | uper }}\"}\n", "f.ini:4:");
}

static void missing_keys_are_told_at_the_section(void **state)
{
	static const struct pm_key table[] = {
		{"url", PM_URL, PM_REQUIRED, NULL, NULL, "Where to."},
		{"env.*", PM_STRING, PM_REQUIRED, NULL, NULL, "One at least."},
		{0},
	};
	struct world *w = open_keys(table, "");

	(void)state;
	assert_string_equal(buf_text(&w->printed),
			    "f.ini:1:1: [sink s] lacks `env.*`: One at least.\n"
			    "f.ini:1:1: [sink s] lacks `url`: Where to.\n");
	close_values(w);
	w = open_keys(table, "url = x\nenv.A = b\n"); /* wrong, but not missing */
	assert_int_equal(w->report.n, 1);
	close_values(w);
	w = open_keys(table, "url = ${env:PM_TEST_NONE:-}\nenv.A = b\n");
	assert_non_null(strstr(buf_text(&w->printed), "lacks `url`"));
	close_values(w);
}

static void a_deprecated_key_is_a_warning(void **state)
{
	struct world *w = open_values("old = x\n");

	(void)state;
	assert_string_equal(buf_text(&w->printed),
			    "f.ini:3:1: warning: `old` is deprecated: Use text.\n");
	assert_string_equal(values_str(w->values, "old", NULL), "x");
	close_values(w);
}

static void a_secret_in_clear_is_refused(void **state)
{
	const char *remedy =
		"a secret written in clear; write a reference like `${credential:NAME}`";

	(void)state;
	mentions("token = hunter2\n", "f.ini:3:9: token: a secret written in clear");
	mentions("token = hunter2\n", remedy);
	setenv("PM_TEST_SECRET", "s3cr3t-value", 1);
	mentions("secrets = ${env:PM_TEST_SECRET}, hunter2\n",
		 "f.ini:3:34: secrets: a secret written");
	mentions("token = ${env:PM_TEST_NONE:-hunter2}\n", "is a secret written in clear");
}

static char masked[256];

static void capture(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	snprintf(masked, sizeof masked, "%s", line);
}

static void is_masked(const char *text)
{
	log_capture(capture, NULL);
	log_info("<%s>", text);
	assert_string_equal(masked, "<***>");
	log_capture(NULL, NULL);
}

static void secrets_are_masked_and_keep_their_commas(void **state)
{
	struct world *w;

	(void)state;
	setenv("PM_TEST_ONE", "first,one", 1);
	setenv("PM_TEST_TWO", "second-two", 1);
	w = good("token = Bearer ${env:PM_TEST_TWO}\nsecrets = ${env:PM_TEST_ONE},\n"
		 "  ${env:PM_TEST_TWO}\n");
	assert_string_equal(values_str(w->values, "token", NULL), "Bearer second-two");
	assert_string_equal(values_nth(w->values, "secrets", 0, NULL), "first,one");
	assert_string_equal(values_nth(w->values, "secrets", 1, NULL), "second-two");
	assert_null(values_nth(w->values, "secrets", 2, NULL));
	assert_true(values_has_secrets(w->values));
	is_masked("first,one");
	is_masked("Bearer second-two");
	close_values(w);
	w = good("");
	assert_false(values_has_secrets(w->values));
	close_values(w);
}

static void remote_secrets_are_asked_for_and_given(void **state)
{
	struct world *w = good("token = ${ssm:/a/b}\nmessage = x ${vault:c} {{ type }}\n");
	const struct values_secret *s = values_secret(w->values, 0);

	(void)state;
	assert_string_equal(s->section, "ssm");
	assert_string_equal(s->name, "/a/b");
	assert_string_equal(s->key, "token");
	assert_int_equal(s->at.line, 3);
	assert_int_equal(s->at.column, 9);
	assert_string_equal(values_secret(w->values, 1)->section, "vault");
	assert_null(values_secret(w->values, 2));
	assert_false(values_resolved(w->values));
	assert_string_equal(values_str(w->values, "token", NULL), "${ssm:/a/b}");
	values_resolve(w->values, 0, "remote-secret");
	assert_false(values_resolved(w->values));
	values_resolve(w->values, 1, "greeting");
	assert_true(values_resolved(w->values));
	assert_string_equal(values_str(w->values, "token", NULL), "remote-secret");
	assert_string_equal(values_str(w->values, "message", NULL), "x greeting {{ type }}");
	is_masked("remote-secret");
	values_resolve(w->values, 0, "rotated");
	assert_string_equal(values_str(w->values, "token", NULL), "rotated");
	close_values(w);
}

static void a_remote_value_that_does_not_fit_is_not_taken(void **state)
{
	struct world *w = good("number = ${ssm:n}\n");

	(void)state;
	log_capture(capture, NULL);
	values_resolve(w->values, 0, "many");
	assert_false(values_resolved(w->values));
	assert_non_null(strstr(masked, "sink s: the new value of `number` cannot be used"));
	values_resolve(w->values, 0, "17");
	assert_true(values_resolved(w->values));
	values_resolve(w->values, 0, "9999");
	assert_int_equal(values_num(w->values, "number", NULL), 17);
	log_capture(NULL, NULL);
	close_values(w);
}

static void references_are_escaped_inside_json(void **state)
{
	struct world *w;
	struct buf out = {0};
	struct template_source nothing = {0};

	(void)state;
	setenv("PM_TEST_QUOTE", "say \"hi\"", 1);
	w = good("body = {\"a\": \"${env:PM_TEST_QUOTE}\", \"b\": \"${ssm:x}\"}\n");
	assert_non_null(values_template(w->values, "body"));
	values_resolve(w->values, 0, "a\"b");
	assert_true(template_render(values_template(w->values, "body"), &nothing, &out, NULL));
	assert_string_equal(buf_text(&out), "{\"a\": \"say \\\"hi\\\"\", \"b\": \"a\\\"b\"}");
	buf_free(&out);
	close_values(w);
	setenv("PM_TEST_JSON", "{\"whole\": 1}", 1);
	w = good("body = ${env:PM_TEST_JSON}\n");
	assert_string_equal(values_str(w->values, "body", NULL), "{\"whole\": 1}");
	close_values(w);
}

static void a_secrets_section_may_not_ask_another(void **state)
{
	static const struct pm_plugin vault = {.size = sizeof vault,
					       .key_size = sizeof(struct pm_key),
					       .kind = PM_SINK,
					       .name = "x",
					       .version = "1",
					       .summary = "s",
					       .keys = keys,
					       .deliver = deliver};
	struct plugin *p = plugin_adopt(&vault, NULL);
	struct report report = {0};
	struct config *c =
		config_load_text("f.ini", "[secrets s]\nplugin = x\ntoken = ${ssm:a}\n", &report);

	(void)state;
	assert_null(values_new(p, &c->instances[0], &report));
	assert_non_null(strstr(report.remarks[0].text,
			       "a secrets section itself may only use env, file and credential"));
	config_free(c);
	plugin_free(p);
	report_free(&report);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void files_are_read_again(void **state)
{
	char dir[] = "values-test-XXXXXX", *path, *text;
	struct world *w;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = mem_format("%s/token", dir);
	write_file(path, "first-token\n");
	text = mem_format("token = ${file:%s}\n", path);
	w = good(text);
	assert_string_equal(values_str(w->values, "token", NULL), "first-token");
	assert_false(values_reread(w->values));
	write_file(path, "second-token\n");
	assert_true(values_reread(w->values));
	assert_string_equal(values_str(w->values, "token", NULL), "second-token");
	is_masked("second-token");
	unlink(path);
	log_capture(capture, NULL);
	assert_false(values_reread(w->values));
	log_capture(NULL, NULL);
	assert_string_equal(values_str(w->values, "token", NULL), "second-token");
	close_values(w);
	rmdir(dir);
	free(path);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_typed_and_kept_as_written),
		cmocka_unit_test(defaults_hold_for_what_is_absent_or_empty),
		cmocka_unit_test(undeclared_keys_are_told_apart),
		cmocka_unit_test(host_keys_are_served_too),
		cmocka_unit_test(lists_split_at_commas_outside_braces),
		cmocka_unit_test(an_environment_variable_may_hold_a_list),
		cmocka_unit_test(a_family_lists_its_names_in_order),
		cmocka_unit_test(a_wrong_value_says_what_would_be_right),
		cmocka_unit_test(plain_http_is_for_this_machine_or_where_it_is_allowed),
		cmocka_unit_test(comments_are_fine_where_no_text_is_lost),
		cmocka_unit_test(json_may_go_on_and_its_mistakes_have_exact_places),
		cmocka_unit_test(missing_keys_are_told_at_the_section),
		cmocka_unit_test(a_deprecated_key_is_a_warning),
		cmocka_unit_test(a_secret_in_clear_is_refused),
		cmocka_unit_test(secrets_are_masked_and_keep_their_commas),
		cmocka_unit_test(remote_secrets_are_asked_for_and_given),
		cmocka_unit_test(a_remote_value_that_does_not_fit_is_not_taken),
		cmocka_unit_test(references_are_escaped_inside_json),
		cmocka_unit_test(a_secrets_section_may_not_ask_another),
		cmocka_unit_test(files_are_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
