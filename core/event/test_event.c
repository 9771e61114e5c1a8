#include "event/event.h"

#include "json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char payload[] = "{\"n\":1,\n \"list\":[{\"k\":\"a\"},{\"k\":\"b\"}]}";

static struct event sample(void)
{
	return (struct event){.id = "e-1",
			      .source = "/here",
			      .type = "build.failed",
			      .subject = "a \"quoted\" \xc3\xa9",
			      .time = "2026-11-24T01:02:03Z",
			      .instance = "build-site",
			      .data = payload,
			      .data_len = sizeof payload - 1};
}

static struct path path_of(const char *text)
{
	struct path p;
	size_t used;

	assert_true(path_parse(text, strlen(text), &p, &used, NULL));
	assert_int_equal(used, strlen(text));
	return p;
}

static void expect_found(const struct event *ev, enum event_view view, const char *at,
			 const char *expected)
{
	struct path p = path_of(at);
	struct buf scratch = {0}, text = {0};
	struct json_value v = event_find(ev, view, &p, &scratch);

	json_text(&v, &text);
	if (!expected && v.kind != KIND_ABSENT)
		fail_msg("%s is %s, not absent", at, buf_text(&text));
	if (expected && (v.kind == KIND_ABSENT || strcmp(buf_text(&text), expected) != 0))
		fail_msg("%s is %s, not %s", at, buf_text(&text), expected);
	buf_free(&scratch);
	buf_free(&text);
	path_free(&p);
}

static void a_copy_outlives_what_it_was_made_from(void **state)
{
	char *type = strdup("build.failed"), *data = strdup("{\"a\":1}");
	struct event from = sample(), *ev;

	(void)state;
	from.type = type;
	from.data = data;
	from.data_len = strlen(data);
	ev = event_create(&from);
	memset(type, 'x', strlen(type));
	memset(data, 'x', strlen(data));
	free(type);
	free(data);
	assert_string_equal(ev->type, "build.failed");
	assert_string_equal(ev->data, "{\"a\":1}");
	assert_null(ev->traceparent);
	assert_null(ev->caused_by);
	assert_string_equal(ev->subject, "a \"quoted\" \xc3\xa9");
	event_unref(ev);
	event_unref(NULL);
}

static void acceptance_numbers_the_event_nobody_else_holds(void **state)
{
	struct event from = sample(), *ev = event_create(&from), *accepted;

	(void)state;
	accepted = event_accepted(ev, 7, 1000);
	assert_ptr_equal(accepted, ev);
	event_unref(ev);
	assert_int_equal(accepted->seq, 7);
	assert_int_equal(accepted->at, 1000);
	event_unref(accepted);
}

static void acceptance_makes_another_of_one_that_is_shared(void **state)
{
	struct event from = sample(), *ev = event_create(&from), *other = event_ref(ev), *accepted;

	(void)state;
	accepted = event_accepted(ev, 7, 1000);
	assert_int_equal(ev->seq, 0);
	event_unref(other);
	event_unref(ev);
	assert_int_equal(accepted->seq, 7);
	assert_int_equal(accepted->at, 1000);
	expect_found(accepted, EVENT_ITSELF, "subject", "a \"quoted\" \xc3\xa9");
	event_unref(accepted);
}

static void *take_and_drop(void *arg)
{
	for (int i = 0; i < 10000; i++)
		event_unref(event_ref(arg));
	return NULL;
}

static void threads_share_an_event(void **state)
{
	struct event from = sample(), *ev = event_create(&from);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, take_and_drop, ev), 0);
	take_and_drop(ev);
	pthread_join(thread, NULL);
	assert_string_equal(ev->id, "e-1");
	event_unref(ev);
}

static void size_is_attributes_and_payload(void **state)
{
	struct event ev = {.id = "1",
			   .source = "22",
			   .type = "333",
			   .instance = "4",
			   .data = "{}",
			   .data_len = 2};

	(void)state;
	assert_int_equal(event_size(&ev), 9);
}

static void paths_reach_attributes_and_payload(void **state)
{
	struct event from = sample(), *ev = event_create(&from);
	const struct event *both[] = {ev, &from};

	(void)state;
	for (size_t i = 0; i < COUNT(both); i++) {
		expect_found(both[i], EVENT_ITSELF, "type", "build.failed");
		expect_found(both[i], EVENT_ITSELF, "source", "/here");
		expect_found(both[i], EVENT_ITSELF, "subject", "a \"quoted\" \xc3\xa9");
		expect_found(both[i], EVENT_ITSELF, "time", "2026-11-24T01:02:03Z");
		expect_found(both[i], EVENT_ITSELF, "id", "e-1");
		expect_found(both[i], EVENT_ITSELF, "instance", "build-site");
		expect_found(both[i], EVENT_MEMBERS, "instance", "build-site");
		expect_found(both[i], EVENT_ITSELF, "data", payload);
		expect_found(both[i], EVENT_ITSELF, "data.list.1.k", "b");
		expect_found(both[i], EVENT_ITSELF, "data.list.count", "2");
		expect_found(both[i], EVENT_ITSELF, "event.subject", "a \"quoted\" \xc3\xa9");
		expect_found(both[i], EVENT_ITSELF, "data.x", NULL);
		expect_found(both[i], EVENT_ITSELF, "type.x", NULL);
		expect_found(both[i], EVENT_ITSELF, "Type", NULL);
		expect_found(both[i], EVENT_ITSELF, "inputs.a", NULL);
		expect_found(both[i], EVENT_MEMBERS, "window.count", NULL);
		expect_found(both[i], EVENT_ITSELF, "traceparent", NULL);
	}
	event_unref(ev);
}

static void an_absent_subject_is_absent(void **state)
{
	struct event from = sample(), *ev;

	(void)state;
	from.subject = NULL;
	ev = event_create(&from);
	expect_found(ev, EVENT_ITSELF, "subject", NULL);
	expect_found(ev, EVENT_ITSELF, "time", "2026-11-24T01:02:03Z");
	event_unref(ev);
}

static bool gather(const struct json_value *v, void *arg)
{
	json_text(v, arg);
	buf_char(arg, ' ');
	return true;
}

static void each_goes_through_arrays(void **state)
{
	struct event ev = sample();
	struct path list = path_of("data.list.k"), type = path_of("type"), none = path_of("nope");
	struct buf scratch = {0}, seen = {0};

	(void)state;
	assert_true(event_each(&ev, EVENT_ITSELF, &list, &scratch, gather, &seen));
	assert_true(event_each(&ev, EVENT_ITSELF, &type, &scratch, gather, &seen));
	assert_true(event_each(&ev, EVENT_ITSELF, &none, &scratch, gather, &seen));
	assert_string_equal(buf_text(&seen), "a b build.failed ");
	buf_free(&scratch);
	buf_free(&seen);
	path_free(&list);
	path_free(&type);
	path_free(&none);
}

/* A firing as the router makes it: members in their JSON form. */
static struct event *firing(const char *before, const char *newest, const char *after)
{
	struct event first = sample(), second = sample(), ev = sample(), *made;
	struct buf b = {0};

	first.id = "first";
	second.id = "second";
	second.type = "github.push";
	second.data = "{\"after\":\"c0ffee\"}";
	second.data_len = strlen(second.data);
	buf_printf(&b, "{\"rule\":\"release\",\"group\":\"g\",%s", before);
	event_json(&first, &b);
	buf_printf(&b, ",%s", after);
	event_json(&second, &b);
	buf_text_add(&b, newest);
	ev.type = EVENT_FIRED;
	ev.data = b.data;
	ev.data_len = b.len;
	assert_true(json_check(b.data, b.len, JSON_MAX_DEPTH, NULL));
	made = event_create(&ev);
	buf_free(&b);
	return made;
}

static void a_firing_shows_its_newest_input(void **state)
{
	struct event *ev = firing("\"inputs\":{\"in\":", "},\"newest\":\"repo\"}", "\"repo\":");

	(void)state;
	expect_found(ev, EVENT_MEMBERS, "type", "github.push");
	expect_found(ev, EVENT_MEMBERS, "id", "second");
	expect_found(ev, EVENT_MEMBERS, "data.after", "c0ffee");
	expect_found(ev, EVENT_MEMBERS, "instance", "build-site");
	expect_found(ev, EVENT_MEMBERS, "inputs.repo.data.after", "c0ffee");
	expect_found(ev, EVENT_MEMBERS, "inputs.in.id", "first");
	expect_found(ev, EVENT_MEMBERS, "inputs.out.id", NULL);
	expect_found(ev, EVENT_MEMBERS, "specversion", NULL);
	expect_found(ev, EVENT_MEMBERS, "event.data.rule", "release");
	expect_found(ev, EVENT_ITSELF, "type", EVENT_FIRED);
	expect_found(ev, EVENT_ITSELF, "data.rule", "release");
	expect_found(ev, EVENT_ITSELF, "inputs.in.id", NULL);
	event_unref(ev);
}

static void a_firing_shows_its_newest_in_the_window(void **state)
{
	struct event *ev = firing("\"window\":{\"count\":2,\"events\":[", "]},\"newest\":1}", "");

	(void)state;
	expect_found(ev, EVENT_MEMBERS, "type", "github.push");
	expect_found(ev, EVENT_MEMBERS, "data.after", "c0ffee");
	expect_found(ev, EVENT_MEMBERS, "window.count", "2");
	expect_found(ev, EVENT_MEMBERS, "window.events.count", "2");
	expect_found(ev, EVENT_MEMBERS, "window.events.0.id", "first");
	event_unref(ev);
	ev = firing("\"window\":{\"count\":2,\"events\":[", "]},\"newest\":0}", "");
	expect_found(ev, EVENT_MEMBERS, "id", "first");
	event_unref(ev);
	ev = firing("\"window\":{\"count\":2,\"events\":[", "]},\"newest\":99}", "");
	expect_found(ev, EVENT_MEMBERS, "id", NULL);
	event_unref(ev);
}

static void the_json_form_is_one_line(void **state)
{
	struct event ev = sample();
	struct buf out = {0};

	(void)state;
	ev.seq = 12;
	ev.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	event_json(&ev, &out);
	assert_string_equal(
		buf_text(&out),
		"{\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/here\",\"type\":\"build."
		"failed\",\"subject\":\"a \\\"quoted\\\" "
		"\xc3\xa9\",\"time\":\"2026-11-24T01:02:03Z\","
		"\"datacontenttype\":\"application/json\",\"traceparent\":"
		"\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\",\"instance\":"
		"\"build-site\",\"sequence\":\"12\",\"data\":{\"n\":1,  "
		"\"list\":[{\"k\":\"a\"},{\"k\":\"b\"}]}}");
	assert_true(json_check(out.data, out.len, JSON_MAX_DEPTH, NULL));
	buf_free(&out);
}

static void what_was_written_can_be_read(void **state)
{
	struct event from = sample(), *ev;
	struct buf first = {0}, second = {0};
	struct err err;

	(void)state;
	from.seq = 12;
	event_json(&from, &first);
	ev = event_parse(first.data, first.len, "other", &err);
	assert_non_null(ev);
	assert_int_equal(ev->seq, 12);
	assert_string_equal(ev->instance, "build-site");
	event_json(ev, &second);
	assert_string_equal(buf_text(&first), buf_text(&second));
	event_unref(ev);
	buf_free(&first);
	buf_free(&second);
}

static void defaults_fill_a_small_event(void **state)
{
	static const char text[] = "{\"id\":\"1\",\"source\":\"s\",\"type\":\"a.b\","
				   "\"specversion\":\"1.0\",\"subject\":null,"
				   "\"myext\":true,\"sequence\":\"abc\"}";
	struct event *ev = event_parse(text, sizeof text - 1, "cli", NULL);

	(void)state;
	assert_non_null(ev);
	assert_string_equal(ev->instance, "cli");
	assert_string_equal(ev->data, "{}");
	assert_null(ev->time);
	assert_null(ev->subject);
	assert_int_equal(ev->seq, 0);
	event_unref(ev);
}

static void a_bad_form_is_refused_with_the_reason(void **state)
{
#define FRONT "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\""
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "line 1 column 1"},
		{"[]", "CloudEvents 1.0 object"},
		{"{\"id\":\"1\",\n\"id\":\"2\"}", "line 2 column 1: duplicate"},
		{"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\"}", "source is missing"},
		{"{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"}",
		 "specversion"},
		{"{\"specversion\":\"1.0\",\"id\":1,\"source\":\"s\",\"type\":\"t\"}",
		 "id is not text"},
		{FRONT ",\"data\":[]}", "data is not a JSON object"},
		{FRONT ",\"data\":\"x\"}", "data is not a JSON object"},
		{FRONT ",\"data_base64\":\"eA==\"}", "data_base64"},
		{FRONT ",\"datacontenttype\":\"text/xml\"}", "text/xml"},
		{FRONT ",\"subject\":\"a\\u0000b\"}", "NUL"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = {{0}};

		assert_null(event_parse(rows[i].text, strlen(rows[i].text), "x", &err));
		if (!strstr(err.text, rows[i].why))
			fail_msg("%s: said \"%s\"", rows[i].text, err.text);
	}
}

static void json_content_types_are_taken(void **state)
{
	static const char *const rows[] = {"application/json", "application/json; charset=utf-8",
					   "Application/JSON", "application/vnd.x+json"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = {0};
		struct event *ev;

		buf_printf(&b, FRONT ",\"datacontenttype\":\"%s\",\"data\":{}}", rows[i]);
		ev = event_parse(b.data, b.len, "x", NULL);
		assert_non_null(ev);
		event_unref(ev);
		buf_free(&b);
	}
}

static void a_fit_event_passes_the_check(void **state)
{
	struct event ev = sample();
	struct err err = {{0}};

	(void)state;
	assert_true(event_check(&ev, &err));
	ev.type = "a-b_c.0.timed-out";
	ev.subject = NULL;
	ev.time = "2026-11-24T01:02:03.123456+01:00";
	ev.traceparent = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
	assert_true(event_check(&ev, &err));
}

/* Change one thing of a good event and look at what is said. */
static void an_unfit_event_is_refused_with_the_reason(void **state)
{
	static const struct {
		size_t offset;
		const char *text, *why;
	} rows[] = {
		{offsetof(struct event, type), "", "no type"},
		{offsetof(struct event, type), NULL, "no type"},
		{offsetof(struct event, type), "Build", "lower-case words"},
		{offsetof(struct event, type), "a..b", "lower-case words"},
		{offsetof(struct event, type), ".a", "lower-case words"},
		{offsetof(struct event, type), "a.", "lower-case words"},
		{offsetof(struct event, type), "a.*", "lower-case words"},
		{offsetof(struct event, id), "", "no id"},
		{offsetof(struct event, id), "\xff", "id is not UTF-8"},
		{offsetof(struct event, source), "", "no source"},
		{offsetof(struct event, subject), "\xc3", "subject is not UTF-8"},
		{offsetof(struct event, time), NULL, "no time"},
		{offsetof(struct event, time), "yesterday", "RFC 3339"},
		{offsetof(struct event, time), "1700000000000", "RFC 3339"},
		{offsetof(struct event, time), "2026-02-30T00:00:00Z", "RFC 3339"},
		{offsetof(struct event, traceparent), "00-x", "traceparent"},
		{offsetof(struct event, traceparent),
		 "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "traceparent"},
		{offsetof(struct event, traceparent),
		 "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "traceparent"},
		{offsetof(struct event, traceparent),
		 "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "traceparent"},
		{offsetof(struct event, traceparent),
		 "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", "traceparent"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct event ev = sample();
		struct err err = {{0}};

		memcpy((char *)&ev + rows[i].offset, &rows[i].text, sizeof rows[i].text);
		if (event_check(&ev, &err) || !strstr(err.text, rows[i].why))
			fail_msg("row %zu: said \"%s\"", i, err.text);
	}
}

static void a_payload_must_be_a_strict_object(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "line 1 column 1"},
		{"[]", "not a JSON object"},
		{"{\"a\":1,\n \"a\":2}", "line 2 column 2: duplicate"},
		{"{\"a\":\"\xff\"}", "column 7: broken UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct event ev = sample();
		struct err err = {{0}};

		ev.data = rows[i].text;
		ev.data_len = strlen(rows[i].text);
		if (event_check(&ev, &err) || !strstr(err.text, rows[i].why))
			fail_msg("%s: said \"%s\"", rows[i].text, err.text);
	}
}

static void an_event_has_at_most_a_megabyte(void **state)
{
	size_t len = EVENT_MAX_BYTES;
	char *data = malloc(len + 1);
	struct event ev = sample();
	struct err err;

	(void)state;
	memset(data, ' ', len + 1);
	data[0] = '{';
	data[1] = '}';
	ev.data = data;
	ev.data_len = 0;
	ev.data_len = len - event_size(&ev);
	assert_true(event_check(&ev, &err));
	ev.data_len++;
	assert_false(event_check(&ev, &err));
	assert_non_null(strstr(err.text, "1048577 bytes"));
	free(data);
}

static void a_star_stands_for_words(void **state)
{
	static const struct {
		const char *pattern, *type;
		bool fits;
	} rows[] = {
		{"a.b", "a.b", true},
		{"a.b", "a.bc", false},
		{"a.b", "a", false},
		{"a.b", "a.b.c", false},
		{"a.*", "a.b", true},
		{"a.*", "a.b.c", true},
		{"a.*", "a", false},
		{"a.*", "ab.c", false},
		{"*", "a", true},
		{"*", "a.b.c", true},
		{"*", "pointsman.rule.fired", false},
		{"*.rule.fired", "pointsman.rule.fired", false},
		{"*.rule.fired", "x.rule.fired", true},
		{"pointsman.*", "pointsman.rule.fired", true},
		{"pointsman.*.fired", "pointsman.rule.fired", true},
		{"pointsman.rule.fired", "pointsman.rule.fired", true},
		{"a.*.c", "a.b.c", true},
		{"a.*.c", "a.b.b.c", false},
		{"a.*.c", "a.c", false},
		{"*.b", "a.b", true},
		{"*.*", "a.b", true},
		{"*.*", "a.b.c", true},
		{"*.*", "a", false},
		{"pointsmanx", "pointsmanx", true},
		{"*", "pointsmanx.y", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (event_type_fits(rows[i].pattern, rows[i].type) != rows[i].fits)
			fail_msg("%s against %s", rows[i].pattern, rows[i].type);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_outlives_what_it_was_made_from),
		cmocka_unit_test(acceptance_numbers_the_event_nobody_else_holds),
		cmocka_unit_test(acceptance_makes_another_of_one_that_is_shared),
		cmocka_unit_test(threads_share_an_event),
		cmocka_unit_test(size_is_attributes_and_payload),
		cmocka_unit_test(paths_reach_attributes_and_payload),
		cmocka_unit_test(an_absent_subject_is_absent),
		cmocka_unit_test(each_goes_through_arrays),
		cmocka_unit_test(a_firing_shows_its_newest_input),
		cmocka_unit_test(a_firing_shows_its_newest_in_the_window),
		cmocka_unit_test(the_json_form_is_one_line),
		cmocka_unit_test(what_was_written_can_be_read),
		cmocka_unit_test(defaults_fill_a_small_event),
		cmocka_unit_test(a_bad_form_is_refused_with_the_reason),
		cmocka_unit_test(json_content_types_are_taken),
		cmocka_unit_test(a_fit_event_passes_the_check),
		cmocka_unit_test(an_unfit_event_is_refused_with_the_reason),
		cmocka_unit_test(a_payload_must_be_a_strict_object),
		cmocka_unit_test(an_event_has_at_most_a_megabyte),
		cmocka_unit_test(a_star_stands_for_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
