#include "event/template.h"

#include "base/mem.h"
#include "event/event.h"
#include "event/getter.h"
#include "json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char doc[] =
	"{\"data\":{\"n\":12345678901234567890.10,\"s\":\"a\\\"b\\\\c<&>\\u00e9 /\",\"null\":null,"
	"\"t\":true,\"o\":{\"k\": "
	"[1]},\"list\":[\"x\",\"y\"],\"ref\":\"refs/tags/v1.2\",\"sec\":250,"
	"\"half\":0.45,\"sha\":\"c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00\",\"name\":"
	"\"Gr\xc3\xbc\xc3\x9f"
	" dich\",\"empty\":\"\",\"nul\":\"a\\u0000b\",\"text\":\"12\"},\"type\":\"build.failed\"}";

static struct json_value find(void *arg, const struct path *path, struct buf *scratch)
{
	(void)arg;
	(void)scratch;
	return json_find(doc, sizeof doc - 1, path, 0);
}

static const struct template_source source = {find, NULL};

static void expect(enum template_kind kind, const char *text, const char *expected)
{
	struct err err = {{0}};
	size_t at = 0;
	struct template *t = template_parse(kind, text, &at, &err);
	struct buf out = {0};

	if (!t)
		fail_msg("%s: at %zu: %s", text, at, err.text);
	buf_text_add(&out, "before ");
	if (!template_render(t, &source, &out, &err))
		fail_msg("%s: %s", text, err.text);
	if (strcmp(buf_text(&out) + strlen("before "), expected) != 0)
		fail_msg("%s: gave %s", text, buf_text(&out));
	if (kind == TEMPLATE_JSON)
		assert_true(json_check(out.data + 7, out.len - 7, JSON_MAX_DEPTH, NULL));
	template_free(t);
	buf_free(&out);
}

struct row {
	const char *text, *expected;
};

static void text_is_copied_and_values_inserted(void **state)
{
	static const struct row rows[] = {
		{"", ""},
		{"plain } }} { text", "plain } }} { text"},
		{"{{ type }}", "build.failed"},
		{"{{type}}", "build.failed"},
		{"a {{\n type\t}} b", "a build.failed b"},
		{"{{ type }}{{ type }}", "build.failedbuild.failed"},
		{"{{ data.n }}", "12345678901234567890.10"},
		{"{{ data.t }}", "true"},
		{"{{ data.o }}", "{\"k\": [1]}"},
		{"{{ data.list }}", "[\"x\",\"y\"]"},
		{"{{ data.list.1 }}", "y"},
		{"{{ data.list.count }}", "2"},
		{"{{ data.empty }}", ""},
		{"{{ \"{{\" }} and {{ \"\\u00e9\" | upper }}", "{{ and \xc3\x89"},
		{"{{ data.s }}", "a\"b\\c<&>\xc3\xa9 /"},
		{"{{ type }}}", "build.failed}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		expect(TEMPLATE_TEXT, rows[i].text, rows[i].expected);
}

static void filters_apply_from_left_to_right(void **state)
{
	static const struct row rows[] = {
		{"{{ data.x | or(\"?\") }}", "?"},
		{"{{ data.null | or(\"?\") }}", "?"},
		{"{{ data.empty | or(\"?\") }}", ""},
		{"{{ data.x|or(5) }}", "5"},
		{"{{ data.x | or(true) | upper }}", "TRUE"},
		{"{{ data.x | or(\"abcdef0123456789\") | short }}", "abcdef0"},
		{"{{ data.x | upper | or(\"a\") }}", "a"},
		{"{{ data.x | or(\"a\") | or(\"b\") }}", "a"},
		{"{{ data.x | or ( \"a\\\"b)\" ) }}", "a\"b)"},
		{"{{ data.s | json }}", "\"a\\\"b\\\\c<&>\\u00e9 /\""},
		{"{{ data.n | json }}", "12345678901234567890.10"},
		{"{{ data.o | json }}", "{\"k\": [1]}"},
		{"{{ data.ref | upper | json }}", "\"REFS/TAGS/V1.2\""},
		{"{{ data.ref | json | json }}", "\"refs/tags/v1.2\""},
		{"{{ data.name | upper }}", "GR\xc3\x9c\xc3\x9f DICH"},
		{"{{ data.name | lower }}", "gr\xc3\xbc\xc3\x9f dich"},
		{"{{ data.sha | short }}", "c0ffee0"},
		{"{{ data.ref | short }}", "refs/tags/v1.2"},
		{"{{ data.name | cut(9) }}", "Gr\xc3\xbc\xc3\x9f dich"},
		{"{{ data.name | cut(8) }}", "Gr\xc3\xbc\xc3\x9f di\xe2\x80\xa6"},
		{"{{ data.name | cut(4) }}", "Gr\xc3\xbc\xe2\x80\xa6"},
		{"{{ data.name | cut(1) }}", "\xe2\x80\xa6"},
		{"{{ data.empty | cut(1) }}", ""},
		{"{{ data.sec | duration }}", "4m 10s"},
		{"{{ data.half | duration }}", "450ms"},
		{"{{ data.text | duration }}", "12s"},
		{"{{ data.ref | strip(\"refs/tags/\") }}", "v1.2"},
		{"{{ data.ref | strip(\"refs/heads/\") }}", "refs/tags/v1.2"},
		{"{{ data.ref | part(\"/\", 0) }}", "refs"},
		{"{{ data.ref | part(\"/\",2) }}", "v1.2"},
		{"{{ data.ref | part(\"/\", -1) }}", "v1.2"},
		{"{{ data.ref | part(\"/\", -3) }}", "refs"},
		{"{{ data.ref | part(\"s/\", 1) }}", "tag"},
		{"{{ data.ref | part(\"tags\", 0) }}", "refs/"},
		{"{{ data.empty | part(\"/\", 0) }}", ""},
		{"{{ data.ref | part(\"/\", 3) | or(\"none\") | upper }}", "NONE"},
		{"{{ data.ref | part(\"/\", -4) | or(\"none\") }}", "none"},
		{"{{ data.sec | cut(2) }}", "2\xe2\x80\xa6"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		expect(TEMPLATE_TEXT, rows[i].text, rows[i].expected);
}

static void values_are_escaped_for_json(void **state)
{
	static const struct row rows[] = {
		{"{\"a\": \"{{ data.s }}\"}", "{\"a\": \"a\\\"b\\\\c<&>\xc3\xa9 /\"}"},
		{"{\"a\": {{ data.s }}}", "{\"a\": \"a\\\"b\\\\c<&>\\u00e9 /\"}"},
		{"{\"a\": {{ data.n }}}", "{\"a\": 12345678901234567890.10}"},
		{"{\"a\": \"{{ data.n }}\"}", "{\"a\": \"12345678901234567890.10\"}"},
		{"[{{ data.o }},{{data.t}}]", "[{\"k\": [1]},true]"},
		{"\"{{ data.o }}\"", "\"{\\\"k\\\": [1]}\""},
		{"{{ data.list.count }}", "2"},
		{"{\"{{ data.ref }}\": 1, \"{{ type }}\": 2}",
		 "{\"refs/tags/v1.2\": 1, \"build.failed\": 2}"},
		{"{{ data.ref | upper }}", "\"REFS/TAGS/V1.2\""},
		{"{{ data.ref | json }}", "\"refs/tags/v1.2\""},
		{"\"{{ data.ref | json }}\"", "\"\\\"refs/tags/v1.2\\\"\""},
		{"{{ data.ref | upper | json }}", "\"REFS/TAGS/V1.2\""},
		{"{{ data.x | or(null) }}", "null"},
		{"{{ data.x | or(null) | upper }}", "null"},
		{"{{ data.null | or(7) }}", "7"},
		{"{{ data.x | or(\"a\") }}", "\"a\""},
		{"\"{{ data.nul }}\"", "\"a\\u0000b\""},
		{"\"\\\"{{ type }}\\\\\"", "\"\\\"build.failed\\\\\""},
		{"[\"\\\\\", {{ data.sec }}]", "[\"\\\\\", 250]"},
		{" [ ] ", " [ ] "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		expect(TEMPLATE_JSON, rows[i].text, rows[i].expected);
}

static void values_are_escaped_for_urls_and_xml(void **state)
{
	(void)state;
	expect(TEMPLATE_URL, "http://h/{{ data.s }}?q={{ data.ref }}",
	       "http://h/a%22b%5Cc%3C%26%3E%C3%A9%20%2F?q=refs%2Ftags%2Fv1.2");
	expect(TEMPLATE_URL, "{{ data.nul }}", "a%00b");
	expect(TEMPLATE_XML, "<a>{{ data.s }}</a>", "<a>a\"b\\c&lt;&amp;&gt;\xc3\xa9 /</a>");
}

struct mistake {
	enum template_kind kind;
	const char *text;
	size_t at;
	const char *why;
};

static void a_mistake_is_found_when_parsed(void **state)
{
	static const struct mistake rows[] = {
		{TEMPLATE_TEXT, "ab {{ type", 3, "not closed"},
		{TEMPLATE_TEXT, "ab {{", 5, "a path is missing"},
		{TEMPLATE_TEXT, "{{ }}", 3, "a path is missing"},
		{TEMPLATE_TEXT, "{{ .x }}", 3, "a path is missing"},
		{TEMPLATE_TEXT, "{{ data. }}", 8, "after the dot"},
		{TEMPLATE_TEXT, "{{ data.x y }}", 10, "}} or | was expected after data.x"},
		{TEMPLATE_TEXT, "{{ data.x }", 10, "}} or | was expected"},
		{TEMPLATE_TEXT, "{{ data.x | }}", 12, "a filter is missing"},
		{TEMPLATE_TEXT, "{{ data.x | uper }}", 12, "no filter \"uper\""},
		{TEMPLATE_TEXT, "{{ data.x | or }}", 15, "or is written or(\"x\")"},
		{TEMPLATE_TEXT, "{{ data.x | or('x') }}", 15, "or is written"},
		{TEMPLATE_TEXT, "{{ data.x | or([1]) }}", 15, "or is written"},
		{TEMPLATE_TEXT, "{{ data.x | or(x) }}", 15, "or is written"},
		{TEMPLATE_TEXT, "{{ data.x | or(null) }}", 0, "or(null)"},
		{TEMPLATE_TEXT, "{{ data.x | cut }}", 16, "cut is written"},
		{TEMPLATE_TEXT, "{{ data.x | cut(0) }}", 17, "cut is written"},
		{TEMPLATE_TEXT, "{{ data.x | cut(-1) }}", 18, "cut is written"},
		{TEMPLATE_TEXT, "{{ data.x | cut(\"1\") }}", 16, "cut is written"},
		{TEMPLATE_TEXT, "{{ data.x | part(\"/\") }}", 20, "part is written"},
		{TEMPLATE_TEXT, "{{ data.x | part(\"\", 1) }}", 19, "part is written"},
		{TEMPLATE_TEXT, "{{ data.x | strip(5) }}", 18, "strip is written"},
		{TEMPLATE_TEXT, "{{ data.x | upper(1) }}", 17, "}} or |"},
		{TEMPLATE_JSON, "", 0, "ends where a value"},
		{TEMPLATE_JSON, "{\"a\": {{ data.x }}", 18, "comma or }"},
		{TEMPLATE_JSON, "{{{ data.x }}: 1}", 2, "path is missing"},
		{TEMPLATE_JSON, "{ {{ data.x }}: 1}", 2, "member name"},
		{TEMPLATE_JSON, "[1{{ data.x }}]", 2, "comma or ]"},
		{TEMPLATE_JSON, "[{{ data.x }}2]", 13, "comma or ]"},
		{TEMPLATE_JSON, "[{{ data.x }}{{ data.x }}]", 13, "comma or ]"},
		{TEMPLATE_JSON, "\"\\{{ data.x }}\"", 1, "escape"},
		{TEMPLATE_JSON, "\"\\u00{{ data.x }}\"", 1, "escape"},
		{TEMPLATE_JSON, "{\"a\": 1, \"a\": \"{{ data.x }}\"}", 9, "duplicate"},
		{TEMPLATE_JSON, "\"{{ data.x | or(null) }}\"", 1, "or(null)"},
		{TEMPLATE_JSON, "{\"a\": \"{{ data.x }}}", 20, "ends inside a string"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};
		size_t at = 999;
		struct template *t = template_parse(rows[i].kind, rows[i].text, &at, &err);

		if (t || at != rows[i].at || !strstr(err.text, rows[i].why))
			fail_msg("%s: at %zu: %s", rows[i].text, at, err.text);
	}
}

static void an_absent_value_is_named(void **state)
{
	static const struct row rows[] = {
		{"a {{ data.x }}", "data.x is absent; a default"},
		{"{{ data.null }}", "data.null is null; a default"},
		{"{{ data.x | upper }}", "data.x is absent"},
		{"{{ data.ref | part(\"/\", 9) }}", "data.ref has no such part"},
		{"{{ data.name | duration }}",
		 "data.name: \"Gr\xc3\xbc\xc3\x9f dich\" is no number"},
		{"{{ data.nul }}", "data.nul has a NUL character"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct template *t = template_parse(TEMPLATE_TEXT, rows[i].text, NULL, NULL);
		struct buf out = {0};
		struct err err = {{0}};

		buf_text_add(&out, "kept");
		assert_non_null(t);
		assert_false(template_render(t, &source, &out, &err));
		assert_string_equal(buf_text(&out), "kept");
		if (!strstr(err.text, rows[i].expected))
			fail_msg("%s: said %s", rows[i].text, err.text);
		template_free(t);
		buf_free(&out);
	}
}

static struct json_value find_large(void *arg, const struct path *path, struct buf *scratch)
{
	(void)path;
	(void)scratch;
	return json_root(arg, strlen(arg));
}

static void what_is_filled_in_is_bounded(void **state)
{
	size_t len = TEMPLATE_MAX_BYTES / 2;
	char *large = malloc(len + 1);
	struct template_source from = {find_large, large};
	struct template *t = template_parse(TEMPLATE_TEXT, "{{ a }}{{ b }}", NULL, NULL);
	struct buf out = {0};
	struct err err;

	(void)state;
	memset(large, '1', len);
	large[len] = '\0';
	assert_true(template_render(t, &from, &out, &err));
	template_free(t);
	t = template_parse(TEMPLATE_TEXT, "{{ a }}.{{ b }}", NULL, NULL);
	buf_cut(&out, 0);
	assert_false(template_render(t, &from, &out, &err));
	assert_non_null(strstr(err.text, "16 MB"));
	assert_int_equal(out.len, 0);
	template_free(t);
	buf_free(&out);
	free(large);
}

static void its_paths_can_be_listed(void **state)
{
	struct template *t = template_parse(
		TEMPLATE_TEXT, "{{ data.a | or(\"\") }} {{ \"x\" }} {{ inputs.b.id | upper }}",
		NULL, NULL);
	const struct path *path;
	bool has_default;

	(void)state;
	assert_int_equal(template_paths(t, 0, &path, &has_default), 2);
	assert_string_equal(path->text, "data.a");
	assert_true(has_default);
	assert_int_equal(template_paths(t, 1, &path, &has_default), 2);
	assert_string_equal(path->text, "inputs.b.id");
	assert_false(has_default);
	assert_int_equal(template_paths(t, 2, NULL, NULL), 2);
	template_free(t);
}

static void get_takes_a_path_with_filters(void **state)
{
	static const struct {
		const char *text, *expected, *why;
	} rows[] = {
		{"data.n | json", "12345678901234567890.10", NULL},
		{" data.ref | part(\"/\", -1) | upper ", "V1.2", NULL},
		{"data.s", "a\"b\\c<&>\xc3\xa9 /", NULL},
		{"data.nul | json", "\"a\\u0000b\"", NULL},
		{"\"data\".list.0", "x", NULL},
		{"\"type\"", "build.failed", NULL},
		{"data.x", NULL, ""},
		{"data.null", NULL, ""},
		{"data.x y", NULL, "written after |"},
		{"data.x }}", NULL, "written after |"},
		{"data.x | foo", NULL, "no filter"},
		{"", NULL, "path is missing"},
	};

	struct getter getter = {0};

	(void)state;
	for (size_t i = 0; i < 3 * COUNT(rows); i++) {
		struct buf out = {0};
		struct err err = {{0}};
		const char *text = rows[i % COUNT(rows)].text;
		bool found = i < COUNT(rows) ? template_get(text, &source, &out, &err)
					     : getter_get(&getter, text, &source, &out, &err);

		if (found != !rows[i % COUNT(rows)].why ||
		    strcmp(buf_text(&out), found ? rows[i % COUNT(rows)].expected : "") ||
		    (!found && (!*err.text != !*rows[i % COUNT(rows)].why ||
				!strstr(err.text, rows[i % COUNT(rows)].why))))
			fail_msg("%s: %s %s", rows[i % COUNT(rows)].text, buf_text(&out), err.text);
		buf_free(&out);
	}
	assert_int_equal(getter.parsed.count, 8);
	getter_free(&getter);
}

static void a_getter_keeps_so_many_paths_and_finds_the_others_too(void **state)
{
	struct getter getter = {0};

	(void)state;
	for (int i = 0; i < 2 * GETTER_MOST; i++) {
		char *text = mem_format("data.list.0 | or(\"%d\")", i);
		struct buf out = {0};

		assert_true(getter_get(&getter, text, &source, &out, NULL));
		assert_string_equal(buf_text(&out), "x");
		buf_free(&out);
		free(text);
	}
	assert_int_equal(getter.parsed.count, GETTER_MOST);
	getter_free(&getter);
}

static struct json_value find_in_event(void *arg, const struct path *path, struct buf *scratch)
{
	return event_find(arg, EVENT_ITSELF, path, scratch);
}

static void an_event_fills_a_template(void **state)
{
	struct event ev = {.id = "1",
			   .source = "s",
			   .type = "t",
			   .time = "2026-11-24T01:02:03Z",
			   .instance = "i",
			   .data = "{\"a\":1}",
			   .data_len = 7};
	struct template_source from = {find_in_event, &ev};
	struct template *t = template_parse(TEMPLATE_JSON,
					    "[{{ event }}, \"{{ id }} {{ data.a }}\"]", NULL, NULL);
	struct buf out = {0};

	(void)state;
	assert_true(template_render(t, &from, &out, NULL));
	assert_string_equal(
		buf_text(&out),
		"[{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\","
		"\"time\":\"2026-11-24T01:02:03Z\",\"datacontenttype\":\"application/"
		"json\",\"instance\":\"i\",\"data\":{\"a\":1}}, \"1 1\"]");
	template_free(t);
	buf_free(&out);
}

static struct json_value find_config(void *arg, const struct path *path, struct buf *scratch)
{
	(void)arg;
	(void)path;
	(void)scratch;
	return (struct json_value){KIND_STRING, "\"https://x/?a=b&c\"", 18, 0};
}

static void the_operators_own_text_is_inserted_as_it_stands(void **state)
{
	static const struct {
		enum template_kind kind;
		const char *text, *expected;
	} rows[] = {
		{TEMPLATE_URL, "{{ config.url }}/{{ data.url }}",
		 "https://x/?a=b&c/https%3A%2F%2Fx%2F%3Fa%3Db%26c"},
		{TEMPLATE_XML, "{{ config.url }} {{ data.url }}",
		 "https://x/?a=b&c https://x/?a=b&amp;c"},
		{TEMPLATE_JSON, "\"{{ config.url }}\"", "\"https://x/?a=b&c\""},
	};
	struct template_source from = {find_config, NULL};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct template *t = template_parse(rows[i].kind, rows[i].text, NULL, NULL);
		struct buf out = {0};

		assert_true(template_render(t, &from, &out, NULL));
		assert_string_equal(buf_text(&out), rows[i].expected);
		template_free(t);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_copied_and_values_inserted),
		cmocka_unit_test(filters_apply_from_left_to_right),
		cmocka_unit_test(values_are_escaped_for_json),
		cmocka_unit_test(values_are_escaped_for_urls_and_xml),
		cmocka_unit_test(a_mistake_is_found_when_parsed),
		cmocka_unit_test(an_absent_value_is_named),
		cmocka_unit_test(what_is_filled_in_is_bounded),
		cmocka_unit_test(its_paths_can_be_listed),
		cmocka_unit_test(get_takes_a_path_with_filters),
		cmocka_unit_test(a_getter_keeps_so_many_paths_and_finds_the_others_too),
		cmocka_unit_test(an_event_fills_a_template),
		cmocka_unit_test(the_operators_own_text_is_inserted_as_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
