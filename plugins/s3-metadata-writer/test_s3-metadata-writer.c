#include "document.h"
#include "testhost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

#define EVENT                                                                                      \
	"{\"type\":\"dynamodb.item.modified\",\"data\":{\"new\":{\"type\":\"in\","                 \
	"\"algorithm\":\"sort\",\"version\":\"2.4.1\"}}}"

static const char *const settings[] = {
	"bucket", "meta",
	"key",    "metadata/{{ data.new.type }}.json",
	"merge",  "{\"active\": {\"{{ data.new.algorithm }}\": \"{{ data.new.version }}\"}}",
	"region", "eu-west-1",
	NULL};

/* A writer that knows already that its server honours conditions. */
static struct testhost *host_with(const char *const *all)
{
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "write", all);
	pm_delivery d;

	assert_non_null(t);
	assert_true(testhost_start(t));
	d = testhost_deliver(t, EVENT);
	testhost_answer(t, 404, NULL, "<Error><Code>NoSuchKey</Code></Error>");
	testhost_answer(t, 412, NULL, "<Error><Code>PreconditionFailed</Code></Error>");
	testhost_answer(t, 403, NULL, "<Error><Code>AccessDenied</Code></Error>");
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	return t;
}

static struct testhost *host(void)
{
	return host_with(settings);
}

static void answer_object(struct testhost *t, const char *etag, const char *body)
{
	char header[80];
	const char *const headers[] = {header, "x-amz-version-id: v1", NULL};

	snprintf(header, sizeof header, "ETag: \"%s\"", etag);
	testhost_answer(t, 200, headers, body);
}

static void answer_absent(struct testhost *t)
{
	testhost_answer(t, 404, NULL, "<Error><Code>NoSuchKey</Code></Error>");
}

static void answer_written(struct testhost *t)
{
	static const char *const headers[] = {"ETag: \"new\"", "x-amz-version-id: v2", NULL};

	testhost_answer(t, 200, headers, "");
}

#define WANTED "{\n  \"active\": {\n    \"sort\": \"2.4.1\"\n  }\n}\n"

/* RFC 7396, appendix A. */
static void merging_is_that_of_the_rfc(void **state)
{
	static const char *const cases[][3] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		 "{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
		{"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
		{"{\"a\":\"foo\"}", "null", "null"},
		{"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
		{"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
		{"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *target = document_read(cases[i][0], strlen(cases[i][0]), NULL);
		json_t *patch = document_read(cases[i][1], strlen(cases[i][1]), NULL);
		json_t *expected = document_read(cases[i][2], strlen(cases[i][2]), NULL);
		json_t *merged = document_merge(target, patch);

		if (!json_equal(merged, expected))
			fail_msg("case %zu: %s with %s", i, cases[i][0], cases[i][1]);
		json_decref(target);
		json_decref(patch);
		json_decref(expected);
		json_decref(merged);
	}
}

static void every_digit_and_letter_is_kept(void **state)
{
	static const char text[] =
		"{\n  \"n\": 1.50,\n  \"long\": 123456789012345678901234567890,\n"
		"  \"e\": -1E-7,\n  \"n1\": \"n1\",\n  \"s\": \"s\\\"\\\\n 1.50\",\n"
		"  \"list\": [\n    0,\n    true,\n    null,\n    \"\"\n  ],\n  \"ü\": "
		"\"ä\\u0000\"\n}\n";
	json_t *document = document_read(text, sizeof text - 1, NULL);
	char *back;

	(void)state;
	assert_non_null(document);
	back = document_text(document);
	assert_string_equal(back, text);
	free(back);
	json_decref(document);
}

static void what_is_no_json_is_told_with_its_place(void **state)
{
	static const char *const broken[] = {"",           "{",   "{\"a\":1,}",        "{\"a\":01}",
					     "{\"a\":1}x", "nul", "{\"a\":1,\"a\":2}", "{\"a\":1.}",
					     "\"\xff\""};

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct err err = {""};

		assert_null(document_read(broken[i], strlen(broken[i]), &err));
		assert_non_null(strstr(err.text, "line 1"));
	}
}

static void a_nul_byte_is_no_end_of_a_document(void **state)
{
	struct err err = {""};

	(void)state;
	assert_null(document_read("{}\0\"", 4, &err));
	assert_string_equal(err.text, "byte 3 is a NUL, which no JSON has");
}

static void a_new_object_is_written_if_there_is_none(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);
	const struct testhost_event *e;

	(void)state;
	assert_string_equal(testhost_request(t)->method, "GET");
	assert_string_equal(testhost_request(t)->url, "/meta/metadata/in.json");
	assert_string_equal(testhost_request(t)->aws, "s3:eu-west-1");
	answer_absent(t);
	assert_string_equal(testhost_request(t)->method, "PUT");
	assert_string_equal(testhost_request(t)->url, "/meta/metadata/in.json");
	assert_string_equal(testhost_request_header(t, "If-None-Match"), "*");
	assert_string_equal(testhost_request_header(t, "Content-Type"), "application/json");
	assert_string_equal(testhost_request(t)->body, WANTED);
	answer_written(t);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	e = testhost_event(t);
	assert_string_equal(e->type, "s3.object.written");
	assert_string_equal(e->subject, "meta/metadata/in.json");
	assert_true(e->cause == d);
	assert_string_equal(e->json,
			    "{\"bucket\":\"meta\",\"key\":\"metadata/in.json\",\"etag\":\"new\","
			    "\"version-id\":\"v2\",\"size\":42}");
	testhost_free(t);
}

static void an_object_is_changed_where_it_must_be(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_object(t, "e1", "{\"x\":1.50,\"active\":{\"sort\":\"2.4.0\",\"find\":\"1\"}}");
	assert_string_equal(testhost_request_header(t, "If-Match"), "\"e1\"");
	assert_string_equal(testhost_request(t)->body,
			    "{\n  \"x\": 1.50,\n  \"active\": {\n    \"sort\": \"2.4.1\",\n"
			    "    \"find\": \"1\"\n  }\n}\n");
	answer_written(t);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void what_is_so_already_is_not_written(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);
	const struct testhost_event *e;

	(void)state;
	answer_object(t, "e1", "{\"active\":{\"sort\":\"2.4.1\"}, \"x\": 1}");
	assert_int_equal(testhost_requests(t), 0);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	e = testhost_event(t);
	assert_string_equal(e->type, "s3.object.unchanged");
	assert_string_equal(e->json,
			    "{\"bucket\":\"meta\",\"key\":\"metadata/in.json\",\"etag\":\"e1\","
			    "\"version-id\":\"v1\",\"size\":35}");
	testhost_free(t);
}

static void a_conflict_is_read_again_and_applied_again(void **state)
{
	static const struct {
		int status;
		const char *body;
	} conflicts[] = {
		{412, "<Error><Code>PreconditionFailed</Code></Error>"},
		{412, ""},
		{409, "<Error><Code>ConditionalRequestConflict</Code></Error>"},
		{404, "<Error><Code>NoSuchKey</Code></Error>"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++) {
		struct testhost *t = host();
		pm_delivery d = testhost_deliver(t, EVENT);

		answer_object(t, "e1", "{\"a\":1}");
		testhost_answer(t, conflicts[i].status, NULL, conflicts[i].body);
		testhost_advance(t, 1000);
		assert_string_equal(testhost_request(t)->method, "GET");
		answer_object(t, "e2", "{\"b\":2}");
		assert_string_equal(testhost_request_header(t, "If-Match"), "\"e2\"");
		assert_non_null(strstr(testhost_request(t)->body, "\"b\": 2"));
		assert_null(strstr(testhost_request(t)->body, "\"a\""));
		answer_written(t);
		assert_int_equal(testhost_end(t, d), TESTHOST_OK);
		testhost_free(t);
	}
}

static void conflicts_without_end_are_given_up_until_later(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);
	int rounds = 0;

	(void)state;
	for (; testhost_requests(t); rounds++) {
		answer_object(t, "e1", "{}");
		testhost_answer(t, 412, NULL, "");
		testhost_advance(t, 5000);
	}
	assert_int_equal(rounds, 8);
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	testhost_free(t);
}

static void a_write_whose_answer_was_lost_is_told_as_written(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_absent(t);
	testhost_no_answer(t, "connection reset");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	testhost_restart(t);
	testhost_again(t, d);
	answer_object(t, "e9", WANTED);
	assert_string_equal(testhost_event(t)->type, "s3.object.written");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	assert_null(testhost_saved(t, "put/key-2"));
	testhost_free(t);
}

static void a_412_to_our_own_write_is_told_as_written(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_object(t, "e1", "{}");
	testhost_answer(t, 412, NULL, ""); /* the host sent it twice */
	testhost_advance(t, 1000);
	answer_object(t, "e2", WANTED);
	assert_string_equal(testhost_event(t)->type, "s3.object.written");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void the_same_by_another_hand_is_unchanged(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_object(t, "e1", "{}");
	testhost_answer(t, 412, NULL, "");
	testhost_advance(t, 1000);
	answer_object(t, "e2", "{\"active\":{\"sort\":\"2.4.1\"}}");
	assert_string_equal(testhost_event(t)->type, "s3.object.unchanged");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void two_deliveries_on_one_object_go_one_after_the_other(void **state)
{
	struct testhost *t = host();
	pm_delivery a = testhost_deliver(t, EVENT), b = testhost_deliver(t, EVENT);

	(void)state;
	assert_int_equal(testhost_requests(t), 1);
	answer_absent(t);
	answer_written(t);
	assert_int_equal(testhost_end(t, a), TESTHOST_OK);
	assert_int_equal(testhost_end(t, b), TESTHOST_OPEN);
	assert_string_equal(testhost_request(t)->method, "GET");
	answer_object(t, "new", WANTED);
	assert_int_equal(testhost_end(t, b), TESTHOST_OK);
	testhost_free(t);
}

static void two_objects_do_not_wait_for_each_other(void **state)
{
	struct testhost *t = host();

	(void)state;
	testhost_deliver(t, EVENT);
	testhost_deliver(t, "{\"data\":{\"new\":{\"type\":\"out\",\"algorithm\":\"a\","
			    "\"version\":\"1\"}}}");
	assert_int_equal(testhost_requests(t), 2);
	testhost_free(t);
}

static void the_first_write_tries_whether_conditions_are_honoured(void **state)
{
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "write", settings);
	pm_delivery d;

	(void)state;
	assert_true(testhost_start(t));
	d = testhost_deliver(t, EVENT);
	answer_object(t, "e1", "{}");
	assert_string_equal(testhost_request_header(t, "If-Match"),
			    "\"00000000000000000000000000000000\"");
	testhost_answer(t, 412, NULL, "");
	assert_string_equal(testhost_request_header(t, "If-Match"), "\"e1\"");
	answer_written(t);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	assert_string_equal(testhost_last_log(t), "");
	testhost_restart(t); /* known now */
	testhost_deliver(t, EVENT);
	answer_object(t, "e2", "{}");
	assert_string_equal(testhost_request_header(t, "If-Match"), "\"e2\"");
	testhost_free(t);
}

static void a_server_that_ignores_conditions_is_told_of_once(void **state)
{
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "write", settings);
	pm_delivery d;

	(void)state;
	assert_true(testhost_start(t));
	d = testhost_deliver(t, EVENT);
	answer_object(t, "e1", "{}");
	answer_written(t); /* to a condition that cannot hold */
	assert_non_null(strstr(testhost_last_log(t), "no CAS"));
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	assert_string_equal(testhost_event(t)->type, "s3.object.written");
	assert_int_equal(testhost_requests(t), 0);
	testhost_deliver(t, EVENT);
	answer_object(t, "e2", "{}");
	assert_string_equal(testhost_request_header(t, "If-Match"), "\"e2\"");
	testhost_free(t);
}

static void a_server_that_knows_no_conditions_is_written_to_without(void **state)
{
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "write", settings);
	pm_delivery d;

	(void)state;
	assert_true(testhost_start(t));
	d = testhost_deliver(t, EVENT);
	answer_object(t, "e1", "{}");
	testhost_answer(t, 501, NULL, "<Error><Code>NotImplemented</Code></Error>");
	assert_null(testhost_request_header(t, "If-Match"));
	answer_written(t);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void what_is_no_json_is_not_overwritten(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_object(t, "e1", "<html>");
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_non_null(strstr(testhost_why(t, d), "s3://meta/metadata/in.json: not overwritten"));
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void an_empty_object_is_filled(void **state)
{
	struct testhost *t = host();

	(void)state;
	testhost_deliver(t, EVENT);
	answer_object(t, "e1", "");
	assert_string_equal(testhost_request_header(t, "If-Match"), "\"e1\"");
	assert_string_equal(testhost_request(t)->body, WANTED);
	answer_written(t);
	testhost_free(t);
}

static void a_body_replaces_all(void **state)
{
	static const char *const whole[] = {"bucket", "meta", "key",
					    "a.json", "body", "{\"v\": \"{{ data.new.version }}\"}",
					    NULL};
	struct testhost *t = host_with(whole);
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_object(t, "e1", "<html>");
	assert_string_equal(testhost_request(t)->body, "{\"v\": \"2.4.1\"}");
	answer_written(t);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	d = testhost_deliver(t, EVENT);
	answer_object(t, "new", "{\"v\":\"2.4.1\"}");
	assert_int_equal(testhost_requests(t), 0);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void other_answers_end_as_they_should(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum testhost_end end;
	} answers[] = {
		{503, "<Error><Code>SlowDown</Code></Error>", TESTHOST_RETRY},
		{404, "<Error><Code>NoSuchBucket</Code></Error>", TESTHOST_REJECT},
		{403, "<Error><Code>AccessDenied</Code></Error>", TESTHOST_REJECT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		for (int writing = 0; writing < 2; writing++) {
			struct testhost *t = host();
			pm_delivery d = testhost_deliver(t, EVENT);

			if (writing)
				answer_absent(t);
			testhost_answer(t, answers[i].status, NULL, answers[i].body);
			assert_int_equal(testhost_end(t, d), answers[i].end);
			assert_int_equal(testhost_events(t), 0);
			testhost_free(t);
		}
	}
}

static void an_absent_value_ends_it_and_the_next_goes_on(void **state)
{
	struct testhost *t = host();
	pm_delivery bad = testhost_deliver(t, "{\"data\":{\"new\":{\"type\":\"in\"}}}");
	pm_delivery good = testhost_deliver(t, EVENT);

	(void)state;
	answer_absent(t);
	assert_int_equal(testhost_end(t, bad), TESTHOST_REJECT);
	answer_absent(t);
	answer_written(t);
	assert_int_equal(testhost_end(t, good), TESTHOST_OK);
	testhost_free(t);
}

static void old_notes_are_dropped(void **state)
{
	struct testhost *t = host();

	(void)state;
	testhost_deliver(t, EVENT);
	answer_absent(t);
	testhost_no_answer(t, "timed out");
	assert_non_null(testhost_saved(t, "put/key-2"));
	testhost_advance(t, INT64_C(15) * 24 * 3600 * 1000);
	testhost_restart(t);
	assert_null(testhost_saved(t, "put/key-2"));
	testhost_free(t);
}

static void bad_settings_are_refused(void **state)
{
	static const char *const bad[][9] = {
		{"bucket", "b", "key", "k", NULL},
		{"bucket", "b", "key", "k", "merge", "{}", "body", "{}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(testhost_new(&pointsman_plugin_v1, "w", bad[i]));
		assert_string_equal(testhost_last_log(NULL), "give either `merge` or `body`");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merging_is_that_of_the_rfc),
		cmocka_unit_test(every_digit_and_letter_is_kept),
		cmocka_unit_test(what_is_no_json_is_told_with_its_place),
		cmocka_unit_test(a_nul_byte_is_no_end_of_a_document),
		cmocka_unit_test(a_new_object_is_written_if_there_is_none),
		cmocka_unit_test(an_object_is_changed_where_it_must_be),
		cmocka_unit_test(what_is_so_already_is_not_written),
		cmocka_unit_test(a_conflict_is_read_again_and_applied_again),
		cmocka_unit_test(conflicts_without_end_are_given_up_until_later),
		cmocka_unit_test(a_write_whose_answer_was_lost_is_told_as_written),
		cmocka_unit_test(a_412_to_our_own_write_is_told_as_written),
		cmocka_unit_test(the_same_by_another_hand_is_unchanged),
		cmocka_unit_test(two_deliveries_on_one_object_go_one_after_the_other),
		cmocka_unit_test(two_objects_do_not_wait_for_each_other),
		cmocka_unit_test(the_first_write_tries_whether_conditions_are_honoured),
		cmocka_unit_test(a_server_that_ignores_conditions_is_told_of_once),
		cmocka_unit_test(a_server_that_knows_no_conditions_is_written_to_without),
		cmocka_unit_test(what_is_no_json_is_not_overwritten),
		cmocka_unit_test(an_empty_object_is_filled),
		cmocka_unit_test(a_body_replaces_all),
		cmocka_unit_test(other_answers_end_as_they_should),
		cmocka_unit_test(an_absent_value_ends_it_and_the_next_goes_on),
		cmocka_unit_test(old_notes_are_dropped),
		cmocka_unit_test(bad_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
