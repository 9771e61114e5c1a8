#include "aws/error.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum aws_verdict read_body(int status, const char *body, struct aws_error *e)
{
	return aws_error_read(&(struct aws_reply){.status = status,
						  .body = body,
						  .body_len = body ? strlen(body) : 0},
			      e);
}

static void the_name_is_found_in_every_form(void **state)
{
	static const struct {
		const char *type, *query, *body, *name, *message;
	} cases[] = {
		{NULL, NULL,
		 "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\","
		 "\"message\":\"no table\"}",
		 "ResourceNotFoundException", "no table"},
		{NULL, NULL, "{\"__type\":\"X#Name:http://internal/\",\"Message\":\"m\"}", "Name",
		 "m"},
		{NULL, NULL, "{\"code\":\"Lower\",\"message\":\"a\\nb\"}", "Lower", "a b"},
		{NULL, NULL, " {\"Code\":\"Upper\"}", "Upper", ""},
		{NULL, NULL,
		 "{\"Error\":{\"Code\":\"Inner\",\"Message\":\"x\"},\"code\":\"Outer\"}", "Inner",
		 "x"},
		{"FromHeader:http://x/", NULL, "{\"__type\":\"Other\",\"message\":\"m\"}",
		 "FromHeader", "m"},
		{NULL, "AWS.SimpleQueueService.NonExistentQueue;Sender", "{}",
		 "AWS.SimpleQueueService.NonExistentQueue", ""},
		{NULL, "Legacy;Sender", "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}",
		 "QueueDoesNotExist", ""},
		{NULL, NULL,
		 "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>The key &amp; "
		 "more</Message><Resource/></Error>",
		 "NoSuchKey", "The key & more"},
		{NULL, NULL,
		 "\xef\xbb\xbf<ErrorResponse xmlns=\"http://x/\"><Error><Type>Sender</Type>"
		 "<Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
		 "AccessDenied", "no"},
		{NULL, NULL,
		 "<Response><Errors><Error><Code>A</Code></Error><Error><Code>B</Code></Error>"
		 "</Errors></Response>",
		 "A", ""},
		{NULL, NULL, "<Error><Code>Broken</Code><Mess", "Broken", ""},
		{NULL, NULL, "<Error><Deep><Code>No</Code></Deep><Code>Yes</Code></Error>", "Yes",
		 ""},
		{NULL, NULL, "{\"__type\":\"A\\u0001b\",\"message\":\"a\\u0007b\"}", "A", "a b"},
		{NULL, NULL, "{\"__type\":\"caf\xc3\xa9\"}", "caf", ""},
		{NULL, NULL, "<html><body>Bad gateway", "", ""},
		{NULL, NULL, "{\"__type\": 12, \"message\": [1]}", "", ""},
		{NULL, NULL, "{broken", "", ""},
		{NULL, NULL, "[\"__type\"]", "", ""},
		{NULL, NULL, "", "", ""},
		{NULL, NULL, NULL, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct aws_reply reply = {400, cases[i].type, cases[i].query, cases[i].body,
					  cases[i].body ? strlen(cases[i].body) : 0};
		struct aws_error e;

		assert_int_equal(aws_error_read(&reply, &e), AWS_NEVER);
		if (strcmp(e.name, cases[i].name) != 0 || strcmp(e.message, cases[i].message) != 0)
			fail_msg("%s: '%s' '%s'", cases[i].body, e.name, e.message);
	}
}

static void the_verdict_follows_name_and_status(void **state)
{
	static const struct {
		int status;
		const char *name;
		enum aws_verdict verdict;
		bool down;
	} cases[] = {
		{400, "ThrottlingException", AWS_AGAIN, true},
		{400, "Throttling", AWS_AGAIN, true},
		{400, "ThrottledException", AWS_AGAIN, true},
		{400, "RequestThrottled", AWS_AGAIN, true},
		{400, "RequestThrottledException", AWS_AGAIN, true},
		{400, "TooManyRequestsException", AWS_AGAIN, true},
		{400, "ProvisionedThroughputExceededException", AWS_AGAIN, true},
		{400, "RequestLimitExceeded", AWS_AGAIN, true},
		{400, "BandwidthLimitExceeded", AWS_AGAIN, true},
		{400, "LimitExceededException", AWS_AGAIN, true},
		{503, "SlowDown", AWS_AGAIN, true},
		{400, "EC2ThrottledException", AWS_AGAIN, true},
		{400, "TransactionInProgressException", AWS_AGAIN, false},
		{400, "RequestTimeout", AWS_AGAIN, false},
		{400, "RequestTimeoutException", AWS_AGAIN, false},
		{400, "PriorRequestNotComplete", AWS_AGAIN, false},
		{409, "ConditionalRequestConflict", AWS_AGAIN, false},
		{403, "RequestTimeTooSkewed", AWS_AGAIN, false},
		{403, "ExpiredToken", AWS_AGAIN, true},
		{400, "ExpiredTokenException", AWS_AGAIN, true},
		{400, "UnrecognizedClientException", AWS_AGAIN, true},
		{403, "SignatureDoesNotMatch", AWS_AGAIN, true},
		{500, "", AWS_AGAIN, true},
		{502, "", AWS_AGAIN, true},
		{503, "", AWS_AGAIN, true},
		{504, "", AWS_AGAIN, true},
		{429, "", AWS_AGAIN, true},
		{408, "", AWS_AGAIN, false},
		{0, "", AWS_AGAIN, true},
		{200, "", AWS_OK, false},
		{204, "", AWS_OK, false},
		{400, "ConditionalCheckFailedException", AWS_NEVER, false},
		{403, "AccessDenied", AWS_NEVER, false},
		{404, "NoSuchKey", AWS_NEVER, false},
		{412, "PreconditionFailed", AWS_NEVER, false},
		{301, "PermanentRedirect", AWS_NEVER, false},
		{304, "", AWS_NEVER, false},
		{400, "", AWS_NEVER, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct aws_reply reply = {.status = cases[i].status, .error_type = cases[i].name};
		struct aws_error e;

		if (aws_error_read(&reply, &e) != cases[i].verdict || e.down != cases[i].down)
			fail_msg("%d %s: down %d", cases[i].status, cases[i].name, e.down);
		assert_int_equal(aws_error_read(&reply, NULL), cases[i].verdict);
	}
}

static void an_error_inside_200_is_one_of_the_server(void **state)
{
	struct aws_error e;

	(void)state;
	assert_int_equal(read_body(200, "<Error><Code>InternalError</Code></Error>", &e),
			 AWS_AGAIN);
	assert_string_equal(e.name, "InternalError");
	assert_true(e.down);
	assert_int_equal(read_body(200, "<ListBucketResult><Error><Code>X</Code></Error>", &e),
			 AWS_OK);
	assert_string_equal(e.name, "");
	assert_int_equal(read_body(200, "{\"__type\":\"X\"}", &e), AWS_OK);
}

static void the_region_of_a_bucket_is_told(void **state)
{
	struct aws_error e;

	(void)state;
	read_body(400,
		  "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></"
		  "Error>",
		  &e);
	assert_string_equal(e.region, "eu-west-1");
}

static void an_entity_bomb_is_not_unfolded(void **state)
{
	static const char bomb[] =
		"<!DOCTYPE Error [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b "
		"\"&a;&a;&a;&a;&a;&a;&a;&a;\">"
		"<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><Error><Code>&c;</Code></Error>";
	struct aws_error e;

	(void)state;
	assert_int_equal(read_body(400, bomb, &e), AWS_NEVER);
	assert_string_equal(e.name, "");
	assert_int_equal(read_body(200, bomb, &e), AWS_OK);
}

static void huge_names_and_messages_are_cut_between_characters(void **state)
{
	struct aws_error e;
	struct buf b = {0};

	(void)state;
	buf_text_add(&b, "<Error><Code>");
	for (int i = 0; i < 10000; i++)
		buf_text_add(&b, "Name");
	buf_text_add(&b, "</Code><Message>");
	for (int i = 0; i < 10000; i++)
		buf_text_add(&b, "\xe2\x82\xac");
	buf_text_add(&b, "</Message></Error>");
	read_body(400, b.data, &e);
	assert_int_equal(strlen(e.name), sizeof e.name - 1);
	assert_int_equal(strlen(e.message), 255 / 3 * 3);
	buf_cut(&b, 0);
	buf_text_add(&b, "{\"__type\":\"N\",\"message\":\"x");
	for (int i = 0; i < 1000; i++)
		buf_text_add(&b, "\xe2\x82\xac");
	buf_text_add(&b, "\"}");
	read_body(400, b.data, &e);
	assert_int_equal(strlen(e.message), 1 + 254 / 3 * 3);
	buf_free(&b);
}

static void depth_and_size_are_bounded(void **state)
{
	struct aws_error e;
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_text_add(&b, "<a>");
	assert_int_equal(read_body(400, b.data, &e), AWS_NEVER);
	buf_cut(&b, 0);
	for (int i = 0; i < 100000; i++)
		buf_text_add(&b, "{\"a\":");
	assert_int_equal(read_body(400, b.data, &e), AWS_NEVER);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_is_found_in_every_form),
		cmocka_unit_test(the_verdict_follows_name_and_status),
		cmocka_unit_test(an_error_inside_200_is_one_of_the_server),
		cmocka_unit_test(the_region_of_a_bucket_is_told),
		cmocka_unit_test(an_entity_bomb_is_not_unfolded),
		cmocka_unit_test(huge_names_and_messages_are_cut_between_characters),
		cmocka_unit_test(depth_and_size_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
