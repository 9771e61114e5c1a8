#include "base/log.h"
#include "base/mem.h"
#include "plugin/preview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void deliver(struct pm_host *h, pm_delivery d)
{
	(void)h;
	(void)d;
}

static const struct pm_key keys[] = {
	{"channel", PM_STRING, 0, "ops", NULL, "Text."},
	{"token", PM_STRING, PM_SECRET, NULL, NULL, "Secret."},
	{"text", PM_TEMPLATE, 0, NULL, NULL, "Template."},
	{"body", PM_JSON_TEMPLATE, 0, NULL, NULL, "JSON."},
	{"key", PM_TEMPLATE, 0, "{{ delivery.key }}", NULL, "Template with a default."},
	{"env.*", PM_TEMPLATE, 0, NULL, NULL, "Family."},
	{0},
};

struct stage {
	struct plugin *plugin;
	struct config *config;
	struct values *values;
	struct event *event;
	struct scope scope;
	struct preview preview;
};

static const struct event built = {
	.id = "1",
	.source = "ci",
	.type = "build.failed",
	.subject = "site",
	.time = "2026-11-24T01:02:03Z",
	.instance = "ci",
	.data = "{\"n\":1.50,\"who\":\"a\\\"b\",\"none\":null}",
	.data_len = 35,
};

static struct stage *open_stage(const char *section, const struct event *ev)
{
	struct stage *s = mem_new(struct stage);
	const struct pm_plugin sink = {.size = sizeof sink,
				       .key_size = sizeof(struct pm_key),
				       .type_size = sizeof(struct pm_type),
				       .kind = PM_SINK,
				       .name = "x",
				       .version = "1",
				       .summary = "s",
				       .keys = keys,
				       .deliver = deliver};
	char *text = mem_format("[sink s]\nplugin = x\n%s", section);
	struct report report = {0};
	struct err err = {{0}};

	s->plugin = plugin_adopt(&sink, &err);
	s->config = config_load_text("f.ini", text, &report);
	s->values = values_new(s->plugin, &s->config->instances[0], &report);
	assert_int_equal(report.errors, 0);
	assert_int_equal(strlen(built.data), built.data_len);
	s->event = event_create(ev);
	s->scope = (struct scope){.values = s->values,
				  .event = s->event,
				  .key = "0123",
				  .rule = "broken",
				  .attempt = 2};
	preview_make(&s->scope, &s->preview);
	report_free(&report);
	free(text);
	return s;
}

static void close_stage(struct stage *s)
{
	preview_clear(&s->preview);
	event_unref(s->event);
	values_free(s->values);
	config_free(s->config);
	plugin_free(s->plugin);
	free(s);
}

static const struct preview_key *find(const struct stage *s, const char *key)
{
	for (size_t i = 0; i < s->preview.n; i++) {
		if (strcmp(s->preview.keys[i].key, key) == 0)
			return &s->preview.keys[i];
	}
	fail_msg("the preview lacks `%s`", key);
	return NULL;
}

static void becomes(const struct stage *s, const char *key, const char *text)
{
	const struct preview_key *k = find(s, key);

	if (k->problem)
		fail_msg("%s: %s", key, k->problem);
	assert_string_equal(k->text, text);
}

static void every_template_key_is_filled_in_and_no_other(void **state)
{
	struct stage *s = open_stage("text = {{ type }} of {{ subject }}: {{ data.n }}\n"
				     "env.A = {{ config.channel }}\n",
				     &built);

	(void)state;
	assert_int_equal(s->preview.n, 3);
	becomes(s, "text", "build.failed of site: 1.50");
	becomes(s, "env.A", "ops");
	becomes(s, "key", "0123");
	close_stage(s);
}

static void values_are_escaped_for_where_they_land(void **state)
{
	struct stage *s =
		open_stage("body = {\"who\": \"{{ data.who }}\", \"n\": {{ data.n }}}\n", &built);

	(void)state;
	becomes(s, "body", "{\"who\": \"a\\\"b\", \"n\": 1.50}");
	close_stage(s);
}

static void a_delivery_has_its_rule_and_attempt(void **state)
{
	struct stage *s = open_stage("text = {{ delivery.rule }} {{ delivery.attempt }} "
				     "{{ delivery.held | or(\"fresh\") }}\n",
				     &built);

	(void)state;
	becomes(s, "text", "broken 2 fresh");
	close_stage(s);
}

static void an_absent_value_is_a_problem_that_names_the_path(void **state)
{
	struct stage *s = open_stage("text = {{ data.missing }}\nenv.A = {{ data.none }}\n"
				     "env.B = {{ data.missing | or(\"-\") }}\n",
				     &built);

	(void)state;
	assert_null(find(s, "text")->text);
	assert_string_equal(find(s, "text")->problem,
			    "data.missing is absent; a default is given with | or(\"..\")");
	assert_non_null(strstr(find(s, "env.A")->problem, "data.none is null"));
	becomes(s, "env.B", "-");
	close_stage(s);
}

static void an_empty_result_is_a_text_all_the_same(void **state)
{
	struct stage *s = open_stage("text = {{ data.missing | or(\"\") }}\n", &built);

	(void)state;
	becomes(s, "text", "");
	close_stage(s);
}

static void a_firing_shows_its_members_to_the_rule_that_fired(void **state)
{
	static const char data[] =
		"{\"rule\":\"r\",\"group\":\"\",\"window\":{\"count\":2,\"events\":["
		"{\"type\":\"a.b\",\"data\":{\"x\":\"old\"}},"
		"{\"type\":\"a.b\",\"data\":{\"x\":\"new\"}}]},\"newest\":1}";
	struct event fired = built;
	struct stage *s;
	struct buf text = {0};

	(void)state;
	fired.type = EVENT_FIRED;
	fired.data = data;
	fired.data_len = sizeof data - 1;
	s = open_stage("text = {{ window.count }} {{ window.events.0.data.x }} {{ data.x }}\n",
		       &fired);
	assert_non_null(find(s, "text")->problem);
	s->scope.view = EVENT_MEMBERS;
	assert_true(preview_key(&s->scope, "text", &text));
	assert_string_equal(buf_text(&text), "2 old new");
	buf_free(&text);
	close_stage(s);
}

static void a_secret_is_never_shown(void **state)
{
	struct stage *s;
	struct buf text = {0};

	(void)state;
	setenv("PM_TEST_TOKEN", "hush-hush-token", 1);
	s = open_stage("token = ${env:PM_TEST_TOKEN}\n"
		       "text = {{ config.token }}: {{ data.who }}\n",
		       &built);
	becomes(s, "text", "***: a\"b");
	assert_true(preview_key(&s->scope, "token", &text));
	assert_string_equal(buf_text(&text), "***");
	buf_free(&text);
	close_stage(s);
}

static void one_key_may_be_no_template_but_must_be_declared(void **state)
{
	struct stage *s = open_stage("", &built);
	struct buf text = {0};

	(void)state;
	assert_true(preview_key(&s->scope, "channel", &text));
	assert_string_equal(buf_text(&text), "ops");
	buf_cut(&text, 0);
	assert_false(preview_key(&s->scope, "chanel", &text));
	assert_string_equal(buf_text(&text), "there is no key `chanel`");
	buf_free(&text);
	close_stage(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_template_key_is_filled_in_and_no_other),
		cmocka_unit_test(values_are_escaped_for_where_they_land),
		cmocka_unit_test(a_delivery_has_its_rule_and_attempt),
		cmocka_unit_test(an_absent_value_is_a_problem_that_names_the_path),
		cmocka_unit_test(an_empty_result_is_a_text_all_the_same),
		cmocka_unit_test(a_firing_shows_its_members_to_the_rule_that_fired),
		cmocka_unit_test(a_secret_is_never_shown),
		cmocka_unit_test(one_key_may_be_no_template_but_must_be_declared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
