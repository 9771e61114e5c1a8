#include "plugin/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ending read_plain(int status, const char *headers, const char *body,
				const struct asked *asked)
{
	struct http_answer answer = {.status = status,
				     .error = "",
				     .body = body,
				     .body_len = strlen(body),
				     .headers = headers};

	return answer_read(&answer, asked, 1000000);
}

static struct asked plain(void)
{
	return (struct asked){.peer = (char *)(uintptr_t) "hooks.example"};
}

static void the_status_decides(void **state)
{
	static const struct {
		int status;
		enum lane_result result;
	} rows[] = {
		{200, LANE_OK},     {201, LANE_OK},     {204, LANE_OK},     {299, LANE_OK},
		{301, LANE_REJECT}, {304, LANE_REJECT}, {400, LANE_REJECT}, {401, LANE_REJECT},
		{403, LANE_REJECT}, {404, LANE_REJECT}, {408, LANE_DOWN},   {410, LANE_REJECT},
		{425, LANE_DOWN},   {429, LANE_DOWN},   {500, LANE_DOWN},   {503, LANE_DOWN},
	};
	struct asked asked = plain();

	(void)state;
	for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
		struct ending e = read_plain(rows[n].status, "", "", &asked);

		if (e.result != rows[n].result)
			fail_msg("%d gave %d, not %d", rows[n].status, (int)e.result,
				 (int)rows[n].result);
	}
}

static void refused_credentials_may_mend_themselves_where_there_are_secrets(void **state)
{
	struct asked asked = plain();
	struct ending e;

	(void)state;
	asked.has_secrets = true;
	e = read_plain(401, "", "", &asked);
	assert_int_equal(e.result, LANE_DOWN);
	assert_true(e.credentials);
	assert_int_equal(read_plain(403, "", "", &asked).result, LANE_DOWN);
}

static void retry_after_is_read(void **state)
{
	struct asked asked = plain();
	struct ending e = read_plain(429, "Retry-After: 7\r\n", "", &asked);

	(void)state;
	assert_int_equal(e.after_ms, 7000);
	assert_int_equal(read_plain(503, "", "", &asked).after_ms, -1);
}

/* Ours says 1970; without theirs there is none but ours. */
static void retry_after_as_a_date_is_by_their_clock(void **state)
{
	struct asked asked = plain();

	(void)state;
	assert_int_equal(read_plain(503,
				    "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
				    "Retry-After: Tue, 14 Nov 2023 22:14:20 GMT\r\n",
				    "", &asked)
				 .after_ms,
			 60000);
	assert_int_equal(
		read_plain(503, "Retry-After: Thu, 01 Jan 1970 00:17:00 GMT\r\n", "", &asked)
			.after_ms,
		20000);
}

static void the_reason_names_peer_status_and_first_words(void **state)
{
	struct asked asked = plain();
	struct ending e = read_plain(503, "", "over\n  capacity\t!", &asked);

	(void)state;
	assert_string_equal(e.why.text, "503 from hooks.example: over capacity !");
	assert_string_equal(read_plain(500, "", "", &asked).why.text, "500 from hooks.example");
}

static void no_answer_is_a_target_that_is_down(void **state)
{
	struct asked asked = plain();
	struct http_answer answer = {.error = "connection refused", .body = "", .headers = ""};
	struct ending e = answer_read(&answer, &asked, 0);

	(void)state;
	assert_int_equal(e.result, LANE_DOWN);
	assert_false(e.unknown);
	assert_string_equal(e.why.text, "no answer from hooks.example: connection refused");
}

static void a_request_that_was_sent_and_not_answered_has_an_unknown_outcome(void **state)
{
	struct asked asked = plain();
	struct http_answer answer = {.error = "timed out", .sent = true, .body = "", .headers = ""};

	(void)state;
	assert_true(answer_read(&answer, &asked, 0).unknown);
}

static void ok_must_be_true_in_the_answer(void **state)
{
	struct asked asked = plain();
	struct ending e;

	(void)state;
	asked.ok = (char *)(uintptr_t) "ok";
	asked.again = (char *)(uintptr_t) "ratelimited internal_error";
	assert_int_equal(read_plain(200, "", "{\"ok\":true}", &asked).result, LANE_OK);
	e = read_plain(200, "", "{\"ok\":false,\"error\":\"channel_not_found\"}", &asked);
	assert_int_equal(e.result, LANE_REJECT);
	assert_non_null(strstr(e.why.text, "channel_not_found"));
	assert_int_equal(
		read_plain(200, "", "{\"ok\":false,\"error\":\"ratelimited\"}", &asked).result,
		LANE_DOWN);
}

static void an_answer_that_is_cut_or_no_json_is_tried_again(void **state)
{
	struct asked asked = plain();

	(void)state;
	asked.ok = (char *)(uintptr_t) "ok";
	assert_int_equal(read_plain(200, "", "{\"ok\":tr", &asked).result, LANE_AGAIN);
	assert_int_equal(read_plain(200, "", "<html>", &asked).result, LANE_AGAIN);
	assert_int_equal(read_plain(200, "", "", &asked).result, LANE_AGAIN);
}

static void an_aws_error_is_read_by_name_before_status(void **state)
{
	struct asked asked = plain();
	struct ending e;

	(void)state;
	asked.aws = true;
	e = read_plain(400, "", "{\"__type\":\"x#ThrottlingException\",\"message\":\"slow\"}",
		       &asked);
	assert_int_not_equal(e.result, LANE_REJECT);
	assert_non_null(strstr(e.why.text, "ThrottlingException"));
	e = read_plain(400, "", "{\"__type\":\"ValidationException\",\"message\":\"no\"}", &asked);
	assert_int_equal(e.result, LANE_REJECT);
	asked.again = (char *)(uintptr_t) "TooManyInvalidationsInProgress ValidationException";
	e = read_plain(400, "", "{\"__type\":\"ValidationException\",\"message\":\"no\"}", &asked);
	assert_int_not_equal(e.result, LANE_REJECT);
}

static void what_a_plugin_was_lent_is_overwritten(void **state)
{
	struct scratch s = {0};
	struct buf b = {0};

	(void)state;
	assert_string_equal(scratch_text(&s, "secret words", 6), "secret");
	buf_text_add(&b, "more");
	assert_string_equal(scratch_take(&s, &b), "more");
	assert_int_equal(b.len, 0);
	scratch_clear(&s);
	assert_null(s.pieces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_status_decides),
		cmocka_unit_test(refused_credentials_may_mend_themselves_where_there_are_secrets),
		cmocka_unit_test(retry_after_is_read),
		cmocka_unit_test(retry_after_as_a_date_is_by_their_clock),
		cmocka_unit_test(the_reason_names_peer_status_and_first_words),
		cmocka_unit_test(no_answer_is_a_target_that_is_down),
		cmocka_unit_test(a_request_that_was_sent_and_not_answered_has_an_unknown_outcome),
		cmocka_unit_test(ok_must_be_true_in_the_answer),
		cmocka_unit_test(an_answer_that_is_cut_or_no_json_is_tried_again),
		cmocka_unit_test(an_aws_error_is_read_by_name_before_status),
		cmocka_unit_test(what_a_plugin_was_lent_is_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
