#include "attribute.h"
#include "record.h"
#include "testhost.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

#define ARN  "arn:aws:dynamodb:eu-west-1:1:table/algorithms/stream/2026-01-01T00:00:00.000"
#define ARN2 "arn:aws:dynamodb:eu-west-1:1:table/algorithms/stream/2026-02-02T00:00:00.000"

/* The test clock starts at 1700000000 s. */
#define THEN "1699999000"
#define NOW  "1700000000"

static void answer_table(struct testhost *t, const char *arn)
{
	char body[512];

	snprintf(body, sizeof body,
		 "{\"Table\":{\"TableName\":\"algorithms\",\"LatestStreamArn\":\"%s\"}}", arn);
	testhost_answer(t, 200, NULL, body);
}

/* Shards as "id parent closed"; - for no parent. */
static void answer_shards(struct testhost *t, const char *status, const char *last,
			  const char *const *shards)
{
	char body[4096];
	size_t n = (size_t)snprintf(
		body, sizeof body,
		"{\"StreamDescription\":{\"StreamArn\":\"" ARN "\",\"StreamStatus\":\"%s\","
		"\"StreamViewType\":\"NEW_AND_OLD_IMAGES\",\"TableName\":\"algorithms\","
		"\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"},"
		"{\"AttributeName\":\"rev\",\"KeyType\":\"RANGE\"}],%s%s%s\"Shards\":[",
		status, last ? "\"LastEvaluatedShardId\":\"" : "", last ? last : "",
		last ? "\"," : "");

	for (size_t i = 0; shards && shards[i]; i++) {
		char id[32], parent[64], open[8];

		assert_int_equal(sscanf(shards[i], "%31s %31s %7s", id, parent, open), 3);
		n += (size_t)snprintf(body + n, sizeof body - n,
				      "%s{\"ShardId\":\"%s\",\"SequenceNumberRange\":{"
				      "\"StartingSequenceNumber\":\"1\"%s}%s%s%s}",
				      i ? "," : "", id,
				      strcmp(open, "open") ? ",\"EndingSequenceNumber\":\"9\"" : "",
				      *parent == '-' ? "" : ",\"ParentShardId\":\"",
				      *parent == '-' ? "" : parent, *parent == '-' ? "" : "\"");
	}
	snprintf(body + n, sizeof body - n, "]}}");
	testhost_answer(t, 200, NULL, body);
}

#define RECORD(sequence, value)                                                                    \
	"{\"eventID\":\"e" sequence "\",\"eventName\":\"MODIFY\",\"dynamodb\":{"                   \
	"\"ApproximateCreationDateTime\":" NOW ".5,\"Keys\":{\"id\":{\"S\":\"a\"},\"rev\":{"       \
	"\"N\":\"7\"}},\"NewImage\":{\"n\":{\"N\":\"" value "\"}},\"OldImage\":{\"n\":{\"N\":"     \
	"\"0\"}},\"SequenceNumber\":\"" sequence "\"}}"

/* next NULL: the shard is at its end. */
static void answer_records(struct testhost *t, const char *records, const char *next)
{
	char body[16384];

	snprintf(body, sizeof body, "{\"Records\":[%s]%s%s%s}", records,
		 next ? ",\"NextShardIterator\":\"" : "", next ? next : "", next ? "\"" : "");
	testhost_answer(t, 200, NULL, body);
}

static void answer_error(struct testhost *t, const char *name)
{
	char body[256];

	snprintf(body, sizeof body, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\"}", name);
	testhost_answer(t, 400, NULL, body);
}

static bool asks(struct testhost *t, const char *operation)
{
	const char *target = testhost_request_header(t, "X-Amz-Target");

	return strcmp(strchr(target, '.') + 1, operation) == 0;
}

static const char *member(struct testhost *t, const char *name)
{
	static char value[512];
	json_t *body = json_loads(testhost_request(t)->body, 0, NULL);
	const char *text = json_string_value(json_object_get(body, name));

	snprintf(value, sizeof value, "%s", text ? text : "");
	json_decref(body);
	return value;
}

static void assert_iterator(struct testhost *t, const char *shard, const char *type,
			    const char *after)
{
	assert_true(asks(t, "GetShardIterator"));
	assert_string_equal(member(t, "ShardId"), shard);
	assert_string_equal(member(t, "ShardIteratorType"), type);
	assert_string_equal(member(t, "SequenceNumber"), after);
}

static void answer_iterator(struct testhost *t, const char *shard, const char *type,
			    const char *after)
{
	assert_iterator(t, shard, type, after);
	testhost_answer(t, 200, NULL, "{\"ShardIterator\":\"it|0\"}");
	assert_true(asks(t, "GetRecords"));
	assert_string_equal(member(t, "ShardIterator"), "it|0");
}

static struct testhost *host(const char *start)
{
	const char *const settings[] = {
		"table", "algorithms", "region", "eu-west-1", start ? "start" : NULL, start, NULL};
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "algorithms", settings);

	assert_non_null(t);
	assert_true(testhost_start(t));
	return t;
}

static const char *const one_open[] = {"s1 - open", NULL};

/* Reading shard s1, its first GetRecords waits for an answer. */
static struct testhost *reading(void)
{
	struct testhost *t = host(NULL);

	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, one_open);
	answer_iterator(t, "s1", "TRIM_HORIZON", "");
	return t;
}

static char *plain(const char *value, struct err *err)
{
	json_t *json = json_loads(value, JSON_ALLOW_NUL, NULL);
	struct buf out = {0};
	bool ok = attribute_json(json, &out, err);

	json_decref(json);
	if (ok)
		return buf_take(&out);
	buf_free(&out);
	return NULL;
}

static void every_type_has_its_plain_form(void **state)
{
	static const char *const forms[][2] = {
		{"{\"S\":\"a\\\"\\u0000ü\"}", "\"a\\\"\\u0000ü\""},
		{"{\"S\":\"\"}", "\"\""},
		{"{\"N\":\"1.50\"}", "1.50"},
		{"{\"N\":\"-12345678901234567890123456789012345678\"}",
		 "-12345678901234567890123456789012345678"},
		{"{\"N\":\"1E-130\"}", "1E-130"},
		{"{\"B\":\"AQID\"}", "\"AQID\""},
		{"{\"BOOL\":true}", "true"},
		{"{\"BOOL\":false}", "false"},
		{"{\"NULL\":true}", "null"},
		{"{\"M\":{\"a\":{\"N\":\"1\"},\"b\":{\"L\":[]}}}", "{\"a\":1,\"b\":[]}"},
		{"{\"M\":{}}", "{}"},
		{"{\"L\":[{\"S\":\"x\"},{\"NULL\":true}]}", "[\"x\",null]"},
		{"{\"SS\":[\"b\",\"a\",\"aa\"]}", "[\"a\",\"aa\",\"b\"]"},
		{"{\"BS\":[\"Qg==\",\"QQ==\"]}", "[\"QQ==\",\"Qg==\"]"},
		{"{\"NS\":[\"10\",\"9\",\"-1\",\"-10\",\"1.5\",\"0\",\"1E1000\"]}",
		 "[-10,-1,0,1.5,9,10,1E1000]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct err err = {""};
		char *text = plain(forms[i][0], &err);

		if (!text)
			fail_msg("%s: %s", forms[i][0], err.text);
		assert_string_equal(text, forms[i][1]);
		free(text);
	}
}

static void what_is_no_value_is_told_with_its_place(void **state)
{
	static const char *const forms[][2] = {
		{"{\"X\":\"a\"}", "unknown type \"X\""},
		{"{}", "0 types"},
		{"{\"S\":\"a\",\"N\":\"1\"}", "2 types"},
		{"{\"S\":1}", "no text"},
		{"{\"N\":\"one\"}", "\"one\" is no number"},
		{"{\"N\":\"01\"}", "is no number"},
		{"{\"N\":\".5\"}", "is no number"},
		{"{\"N\":\"1.\"}", "is no number"},
		{"{\"N\":\"1e\"}", "is no number"},
		{"{\"N\":\"\"}", "is no number"},
		{"{\"N\":1}", "is no number"},
		{"{\"NULL\":false}", "NULL"},
		{"{\"BOOL\":\"yes\"}", "BOOL"},
		{"{\"SS\":[]}", "set"},
		{"{\"SS\":[1]}", "no text"},
		{"{\"NS\":[\"x\"]}", "is no number"},
		{"{\"L\":{}}", "list"},
		{"{\"M\":[]}", "map"},
		{"{\"M\":{\"a\":{\"L\":[{\"S\":\"\"},{\"Z\":1}]}}}", "a: 1: unknown type \"Z\""},
		{"[]", "0 types"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct err err = {""};

		assert_null(plain(forms[i][0], &err));
		if (!strstr(err.text, forms[i][1]))
			fail_msg("%s: said \"%s\"", forms[i][0], err.text);
	}
}

static void nesting_is_bounded(void **state)
{
	struct buf text = {0};
	struct err err;

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_text_add(&text, "{\"L\":[");
	buf_text_add(&text, "{\"S\":\"\"}");
	for (int i = 0; i < 100; i++)
		buf_text_add(&text, "]}");
	assert_null(plain(text.data, &err));
	assert_non_null(strstr(err.text, "deep"));
	buf_free(&text);
}

static void numbers_compare_by_value_whatever_their_length(void **state)
{
	static const struct {
		const char *a, *b;
		int sign;
	} pairs[] = {
		{"1", "1.0", 0},
		{"0", "-0.00", 0},
		{"10", "9", 1},
		{"-10", "-9", -1},
		{"1e3", "1000", 0},
		{"0.001", "1E-3", 0},
		{"123456789012345678901", "123456789012345678902", -1},
		{"0.1", "0.09", 1},
		{"-1", "1", -1},
		{"1e-130", "0", 1},
		{"1e99999999999999999999", "1", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		int c = attribute_compare(pairs[i].a, pairs[i].b);
		int back = attribute_compare(pairs[i].b, pairs[i].a);

		assert_int_equal((c > 0) - (c < 0), pairs[i].sign);
		assert_int_equal((back > 0) - (back < 0), -pairs[i].sign);
	}
}

static void a_record_is_an_event(void **state)
{
	struct testhost *t = reading();
	const struct testhost_event *e;

	(void)state;
	answer_records(t, RECORD("000000000000000000042", "1.50"), "it|1");
	e = testhost_event(t);
	assert_string_equal(e->type, "dynamodb.item.modified");
	assert_string_equal(e->id, "e000000000000000000042");
	assert_string_equal(e->subject, "a/7");
	assert_string_equal(e->time, "1700000000500");
	assert_string_equal(
		e->json, "{\"table\":\"algorithms\",\"shard\":\"s1\","
			 "\"sequence\":\"000000000000000000042\",\"keys\":{\"id\":\"a\",\"rev\":7},"
			 "\"new\":{\"n\":1.50},\"old\":{\"n\":0}}");
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

static void an_insert_has_no_old_and_a_removal_no_new(void **state)
{
	struct testhost *t = reading();
	const struct testhost_event *e;

	(void)state;
	answer_records(
		t,
		"{\"eventID\":\"1\",\"eventName\":\"INSERT\",\"dynamodb\":{\"Keys\":{\"id\":{"
		"\"B\":\"QQ==\"}},\"NewImage\":{},\"SequenceNumber\":\"1\"}},"
		"{\"eventID\":\"2\",\"eventName\":\"REMOVE\",\"dynamodb\":{\"Keys\":{\"id\":{"
		"\"S\":\"a\"}},\"OldImage\":{},\"SequenceNumber\":\"2\"},\"userIdentity\":{"
		"\"type\":\"Service\",\"principalId\":\"dynamodb.amazonaws.com\"}}",
		"it|1");
	e = testhost_event(t);
	assert_string_equal(e->type, "dynamodb.item.inserted");
	assert_string_equal(e->subject, "QQ==");
	assert_null(e->time);
	assert_null(strstr(e->json, "\"old\""));
	e = testhost_event(t);
	assert_string_equal(e->type, "dynamodb.item.removed");
	assert_null(strstr(e->json, "\"new\""));
	assert_non_null(strstr(e->json, "\"expired\":true"));
	testhost_free(t);
}

static void a_record_without_id_is_known_by_its_place(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t,
		       "{\"eventName\":\"INSERT\",\"dynamodb\":{\"Keys\":{},\"NewImage\":{},"
		       "\"SequenceNumber\":\"5\"}}",
		       "it|1");
	assert_string_equal(testhost_event(t)->id, ARN "/s1/5");
	testhost_free(t);
}

static void a_record_of_unknown_shape_is_a_dead_letter_and_the_shard_goes_on(void **state)
{
	static const char *const odd[] = {
		"{\"eventName\":\"TRUNCATE\",\"dynamodb\":{\"SequenceNumber\":\"1\"}}",
		"{\"eventName\":\"INSERT\",\"dynamodb\":{\"Keys\":{},\"NewImage\":{\"a\":{\"X\":1}}"
		","
		"\"SequenceNumber\":\"1\"}}",
		("{\"eventName\":\"MODIFY\",\"dynamodb\":{\"Keys\":{},\"NewImage\":{},"
		 "\"SequenceNumber\":\"1\"}}"),
		"{\"eventName\":\"INSERT\",\"dynamodb\":{\"Keys\":{},\"NewImage\":{}}}",
		"7",
		"null",
		"{}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct testhost *t = reading();
		char records[2048];
		const struct testhost_event *e;
		json_t *data;

		snprintf(records, sizeof records, "%s,%s", odd[i], RECORD("2", "1"));
		answer_records(t, records, "it|1");
		e = testhost_event(t);
		assert_string_equal(e->type, "dynamodb.item.unreadable");
		assert_non_null(e->refuse);
		data = json_loads(e->json, 0, NULL);
		assert_string_equal(json_string_value(json_object_get(data, "shard")), "s1");
		assert_string_equal(json_string_value(json_object_get(data, "record")), odd[i]);
		json_decref(data);
		assert_string_equal(testhost_event(t)->type, "dynamodb.item.modified");
		assert_string_equal(testhost_saved(t, "shard/s1"), "{\"after\":\"2\"}");
		assert_string_equal(testhost_problem(t), "");
		testhost_free(t);
	}
}

static void a_page_that_cannot_be_read_is_read_record_by_record(void **state)
{
	struct testhost *t = reading();
	const struct testhost_event *e;

	(void)state;
	/* An attribute with a NUL in its name: fine for DynamoDB, not for our reader. */
	answer_records(t,
		       RECORD("1", "1") ",{\"eventName\":\"INSERT\",\"dynamodb\":{\"Keys\":{},"
					"\"NewImage\":{\"a\\u0000\":{\"S\":\"\"}},"
					"\"SequenceNumber\":\"2\"}}",
		       "it|1");
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, 1000);
	assert_non_null(strstr(testhost_request(t)->body, "\"Limit\":1}"));
	answer_records(t, RECORD("1", "1"), "it|2");
	testhost_event(t);
	testhost_advance(t, 250);
	assert_non_null(strstr(testhost_request(t)->body, "\"Limit\":2}"));
	answer_records(t, "{\"dynamodb\":{\"NewImage\":{\"\\u0000\":1},\"SequenceNumber\":\"2\"}}",
		       "it|3");
	testhost_advance(t, 1000);
	assert_non_null(strstr(testhost_request(t)->body, "\"Limit\":1}"));
	answer_records(t, "{\"dynamodb\":{\"NewImage\":{\"\\u0000\":1},\"SequenceNumber\":\"2\"}}",
		       "it|3");
	e = testhost_event(t);
	assert_string_equal(e->type, "dynamodb.item.unreadable");
	assert_non_null(strstr(e->json, "\"sequence\":\"2\""));
	assert_string_equal(testhost_saved(t, "shard/s1"), "{\"after\":\"2\"}");
	testhost_advance(t, 250);
	assert_string_equal(member(t, "ShardIterator"), "it|3");
	testhost_free(t);
}

static void bytes_that_are_no_text_are_kept_as_base64(void **state)
{
	struct record_place place = {.stream = "st", .table = "t", .shard = "s"};
	struct record r;

	(void)state;
	record_unreadable("\xff\x01", 2, NULL, "odd", &place, &r);
	assert_string_equal(buf_text(&r.data),
			    "{\"table\":\"t\",\"shard\":\"s\",\"reason\":\"odd\","
			    "\"record-base64\":\"/wE=\"}");
	record_free(&r);
}

static void the_table_leads_to_its_stream_and_shards(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	assert_true(asks(t, "DescribeTable"));
	assert_string_equal(testhost_request(t)->aws, "dynamodb:eu-west-1");
	assert_string_equal(testhost_request_header(t, "Content-Type"),
			    "application/x-amz-json-1.0");
	assert_string_equal(testhost_request(t)->body, "{\"TableName\":\"algorithms\"}");
	answer_table(t, ARN);
	assert_true(asks(t, "DescribeStream"));
	assert_string_equal(testhost_request(t)->aws, "streams.dynamodb:eu-west-1");
	assert_string_equal(testhost_request(t)->body, "{\"StreamArn\":\"" ARN "\"}");
	answer_shards(t, "ENABLED", "s1", one_open);
	assert_string_equal(member(t, "ExclusiveStartShardId"), "s1");
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s2 - open", NULL});
	assert_iterator(t, "s1", "TRIM_HORIZON", "");
	assert_int_equal(testhost_requests(t), 2);
	testhost_free(t);
}

static void a_stream_is_read_without_a_table(void **state)
{
	const char *const settings[] = {"stream", ARN, NULL};
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "s", settings);

	(void)state;
	assert_true(testhost_start(t));
	assert_true(asks(t, "DescribeStream"));
	answer_shards(t, "ENABLED", NULL, one_open);
	assert_iterator(t, "s1", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void an_empty_page_keeps_the_iterator(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, "", "it|1");
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, 999);
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, 1);
	assert_true(asks(t, "GetRecords"));
	assert_string_equal(member(t, "ShardIterator"), "it|1");
	testhost_free(t);
}

static void a_full_page_is_followed_at_once_but_not_too_fast(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, RECORD("1", "1"), "it|1");
	testhost_advance(t, 200);
	assert_int_equal(testhost_requests(t), 0); /* five a second are allowed to all readers */
	testhost_advance(t, 50);
	assert_int_equal(testhost_requests(t), 1);
	testhost_free(t);
}

static void reading_goes_on_where_it_was_after_a_restart(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, RECORD("41", "1") "," RECORD("42", "2"), "it|1");
	assert_string_equal(testhost_saved(t, "stream"), ARN);
	assert_string_equal(testhost_saved(t, "shard/s1"), "{\"after\":\"42\"}");
	testhost_restart(t);
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, one_open);
	answer_iterator(t, "s1", "AFTER_SEQUENCE_NUMBER", "42");
	testhost_free(t);
}

static void an_expired_iterator_is_replaced_after_the_last_record(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, RECORD("42", "1"), "it|1");
	testhost_advance(t, 250);
	answer_error(t, "ExpiredIteratorException");
	testhost_advance(t, 250);
	answer_iterator(t, "s1", "AFTER_SEQUENCE_NUMBER", "42");
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

static void throttling_is_waited_out(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_error(t, "ProvisionedThroughputExceededException");
	assert_non_null(strstr(testhost_problem(t), "GetRecords of s1: Provisioned"));
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, 1000);
	assert_string_equal(member(t, "ShardIterator"), "it|0"); /* it is good still */
	answer_records(t, "", "it|1");
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

static void no_answer_asks_for_less(void **state)
{
	struct testhost *t = reading();

	(void)state;
	assert_non_null(strstr(testhost_request(t)->body, "\"Limit\":500}"));
	testhost_no_answer(t, "the answer is larger than 8192 kB");
	testhost_advance(t, 1000);
	assert_non_null(strstr(testhost_request(t)->body, "\"Limit\":250}"));
	testhost_free(t);
}

static void one_shard_in_trouble_is_not_hidden_by_another(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s1 - open", "s2 - open", NULL});
	testhost_answer(t, 503, NULL, "");
	testhost_answer(t, 200, NULL, "{\"ShardIterator\":\"it|0\"}");
	answer_records(t, "", "it|1");
	assert_non_null(strstr(testhost_problem(t), "s1"));
	testhost_free(t);
}

static void without_room_the_page_is_read_again(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, RECORD("1", "1"), "it|1");
	testhost_event(t);
	testhost_advance(t, 250);
	testhost_full(t, 1);
	answer_records(t, RECORD("2", "1") "," RECORD("3", "1"), "it|2");
	assert_int_equal(testhost_events(t), 0);
	assert_string_equal(testhost_saved(t, "shard/s1"), "{\"after\":\"1\"}");
	testhost_advance(t, 30000);
	assert_int_equal(testhost_requests(t), 0);
	testhost_resume(t);
	assert_string_equal(member(t, "ShardIterator"), "it|1");
	answer_records(t, RECORD("2", "1") "," RECORD("3", "1"), "it|2");
	assert_int_equal(testhost_events(t), 2);
	assert_string_equal(testhost_saved(t, "shard/s1"), "{\"after\":\"3\"}");
	testhost_free(t);
}

static void a_parent_is_read_to_its_end_before_its_child(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s2 s1 open", "s1 - closed", NULL});
	assert_int_equal(testhost_requests(t), 1);
	answer_iterator(t, "s1", "TRIM_HORIZON", "");
	answer_records(t, "", "it|1"); /* closed, but not read to its end */
	testhost_advance(t, 250);
	assert_int_equal(testhost_requests(t), 1);
	answer_records(t, RECORD("1", "1"), NULL);
	assert_non_null(strstr(testhost_saved(t, "shard/s1"), "finished"));
	assert_iterator(t, "s2", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void several_shards_are_read_at_once(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL,
		      (const char *const[]){"s1 - open", "s2 - open", "s3 gone open", NULL});
	assert_int_equal(testhost_requests(t), 3); /* a parent not listed was trimmed */
	testhost_free(t);
}

static void the_end_of_a_shard_asks_for_its_children(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, "", NULL);
	testhost_advance(t, 0);
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s1 - closed", NULL});
	assert_int_equal(testhost_requests(t), 0); /* the listing is behind */
	testhost_advance(t, 1000);
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s1 - closed", "s2 s1 open", NULL});
	assert_iterator(t, "s2", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void new_shards_are_looked_for_every_minute(void **state)
{
	struct testhost *t = reading();

	(void)state;
	testhost_advance(t, 60000);
	testhost_answer(t, 200, NULL, "{\"Records\":[],\"NextShardIterator\":\"it|1\"}");
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s1 - open", "s2 - open", NULL});
	assert_iterator(t, "s2", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void a_finished_shard_is_not_read_again_and_forgotten_late(void **state)
{
	struct testhost *t = reading();
	const int64_t day = INT64_C(24) * 3600 * 1000;

	(void)state;
	answer_records(t, "", NULL);
	testhost_restart(t);
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s1 - closed", "s2 s1 open", NULL});
	assert_iterator(t, "s2", "TRIM_HORIZON", "");
	testhost_advance(t, day);
	testhost_restart(t);
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s2 - open", NULL});
	assert_non_null(testhost_saved(t, "shard/s1"));
	testhost_advance(t, day + 1);
	testhost_restart(t);
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s2 - open", NULL});
	assert_null(testhost_saved(t, "shard/s1"));
	testhost_free(t);
}

static void latest_begins_at_the_newest_record_of_open_shards(void **state)
{
	struct testhost *t = host("latest");

	(void)state;
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s1 - closed", "s2 s1 open", NULL});
	assert_int_equal(testhost_requests(t), 1);
	answer_iterator(t, "s2", "LATEST", "");
	answer_records(t, "", NULL);
	testhost_advance(t, 0);
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s3 s2 open", NULL});
	assert_iterator(t, "s3", "TRIM_HORIZON", ""); /* a child has nothing before us */
	testhost_free(t);
}

static void latest_loses_nothing_when_its_iterator_is_lost(void **state)
{
	struct testhost *t = host("latest");

	(void)state;
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, one_open);
	answer_iterator(t, "s1", "LATEST", "");
	answer_records(t, "", "it|1");
	testhost_restart(t);
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, one_open);
	answer_iterator(t, "s1", "TRIM_HORIZON", "");
	answer_records(t,
		       "{\"eventID\":\"old\",\"eventName\":\"INSERT\",\"dynamodb\":{"
		       "\"ApproximateCreationDateTime\":" THEN ",\"Keys\":{},\"NewImage\":{},"
		       "\"SequenceNumber\":\"1\"}}," RECORD("2", "1"),
		       "it|1");
	assert_string_equal(testhost_event(t)->id, "e2");
	assert_int_equal(testhost_counted(t, "skipped_records"), 1);
	testhost_free(t);
}

static void a_time_skips_what_was_before(void **state)
{
	struct testhost *t = host("2023-11-14T22:13:20Z"); /* 1700000000 */

	(void)state;
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, one_open);
	answer_iterator(t, "s1", "TRIM_HORIZON", "");
	answer_records(t,
		       "{\"eventID\":\"old\",\"eventName\":\"INSERT\",\"dynamodb\":{"
		       "\"ApproximateCreationDateTime\":" THEN ",\"Keys\":{},\"NewImage\":{},"
		       "\"SequenceNumber\":\"1\"}}," RECORD("2", "1"),
		       "it|1");
	assert_string_equal(testhost_event(t)->id, "e2");
	testhost_free(t);
}

static void assert_gap(struct testhost *t, const char *id, const char *part)
{
	const struct testhost_event *e = testhost_event(t);

	assert_string_equal(e->type, "dynamodb.stream.gap");
	assert_string_equal(e->id, id);
	assert_non_null(strstr(e->json, part));
	assert_null(e->refuse);
}

/* s1 was read up to 42, and then its records were trimmed. */
static struct testhost *behind(void)
{
	struct testhost *t = reading();

	answer_records(t, RECORD("42", "1"), "it|1");
	testhost_event(t);
	testhost_restart(t);
	answer_table(t, ARN);
	return t;
}

static void trimmed_records_are_a_gap_and_reading_begins_at_the_oldest(void **state)
{
	struct testhost *t = behind();

	(void)state;
	answer_shards(t, "ENABLED", NULL, one_open);
	assert_iterator(t, "s1", "AFTER_SEQUENCE_NUMBER", "42");
	answer_error(t, "TrimmedDataAccessException");
	assert_gap(t, ARN "/s1/gap/42", "\"shard\":\"s1\",\"after\":\"42\"");
	assert_string_equal(testhost_saved(t, "shard/s1"), "{}");
	testhost_advance(t, 1000);
	answer_iterator(t, "s1", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void a_gap_waits_for_room(void **state)
{
	struct testhost *t = behind();

	(void)state;
	answer_shards(t, "ENABLED", NULL, one_open);
	testhost_full(t, 1);
	answer_error(t, "TrimmedDataAccessException");
	assert_int_equal(testhost_events(t), 0);
	assert_string_equal(testhost_saved(t, "shard/s1"), "{\"after\":\"42\"}");
	testhost_resume(t);
	answer_error(t, "TrimmedDataAccessException");
	assert_gap(t, ARN "/s1/gap/42", "TrimmedDataAccessException");
	testhost_free(t);
}

static void a_sequence_number_that_is_refused_is_a_gap(void **state)
{
	struct testhost *t = behind();

	(void)state;
	answer_shards(t, "ENABLED", NULL, one_open);
	answer_error(t, "ValidationException");
	assert_gap(t, ARN "/s1/gap/42", "ValidationException");
	testhost_advance(t, 1000);
	answer_iterator(t, "s1", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void a_shard_that_is_gone_is_a_gap_and_its_child_is_read(void **state)
{
	struct testhost *t = behind();

	(void)state;
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"s2 s1 open", NULL});
	assert_iterator(t, "s1", "AFTER_SEQUENCE_NUMBER", "42");
	answer_error(t, "ResourceNotFoundException");
	assert_gap(t, ARN "/s1/gap/42", "the shard is gone");
	assert_iterator(t, "s2", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void a_shard_that_is_listed_and_not_found_is_asked_for_again(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_error(t, "ResourceNotFoundException");
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, 1000);
	assert_iterator(t, "s1", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void a_fresh_table_that_says_trimmed_at_latest_has_no_gap(void **state)
{
	struct testhost *t = host("latest");

	(void)state;
	answer_table(t, ARN);
	answer_shards(t, "ENABLED", NULL, one_open);
	answer_iterator(t, "s1", "LATEST", "");
	answer_error(t, "TrimmedDataAccessException");
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, 1000);
	answer_iterator(t, "s1", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void a_stream_switched_off_and_on_is_followed(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, RECORD("1", "1"), NULL);
	testhost_event(t);
	testhost_advance(t, 0);
	answer_table(t, ARN2);
	assert_string_equal(member(t, "StreamArn"), ARN); /* the old one first, to its end */
	answer_shards(t, "DISABLED", NULL, (const char *const[]){"s1 - closed", NULL});
	assert_gap(t, ARN "//gap/" ARN2, "\"successor\":\"" ARN2 "\"");
	assert_string_equal(testhost_saved(t, "stream"), ARN2);
	assert_null(testhost_saved(t, "shard/s1"));
	answer_table(t, ARN2);
	assert_string_equal(member(t, "StreamArn"), ARN2);
	answer_shards(t, "ENABLED", NULL, (const char *const[]){"n1 - open", NULL});
	answer_iterator(t, "n1", "TRIM_HORIZON", "");
	testhost_free(t);
}

static void an_old_stream_is_read_to_its_end_before_the_new_one(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, RECORD("1", "1"), "it|1");
	testhost_restart(t);
	answer_table(t, ARN2);
	answer_shards(t, "DISABLED", NULL, (const char *const[]){"s1 - closed", NULL});
	answer_iterator(t, "s1", "AFTER_SEQUENCE_NUMBER", "1");
	answer_records(t, RECORD("2", "1"), NULL);
	assert_int_equal(testhost_events(t), 2);
	assert_string_equal(testhost_saved(t, "stream"), ARN);
	testhost_free(t);
}

static void a_stream_that_is_gone_gives_way_to_the_new_one(void **state)
{
	struct testhost *t = behind(); /* answered: the old stream is the latest */

	(void)state;
	answer_error(t, "ResourceNotFoundException");
	assert_non_null(strstr(testhost_problem(t), "ResourceNotFoundException"));
	testhost_advance(t, 1000);
	answer_table(t, ARN2);
	answer_error(t, "ResourceNotFoundException");
	assert_gap(t, ARN "//gap/" ARN2, "replaced");
	answer_table(t, ARN2);
	assert_string_equal(member(t, "StreamArn"), ARN2);
	testhost_free(t);
}

static void a_stream_without_both_images_is_refused(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	answer_table(t, ARN);
	testhost_answer(t, 200, NULL,
			"{\"StreamDescription\":{\"StreamViewType\":\"KEYS_ONLY\",\"Shards\":[{"
			"\"ShardId\":\"s1\"}]}}");
	assert_non_null(strstr(testhost_problem(t), "holds KEYS_ONLY: refused"));
	assert_int_equal(testhost_requests(t), 0);
	assert_null(testhost_saved(t, "stream"));
	testhost_advance(t, 1000);
	assert_true(asks(t, "DescribeTable"));
	testhost_free(t);
}

static void trouble_in_listing_is_told_and_waited_out(void **state)
{
	static const struct {
		int status;
		const char *body, *problem;
	} answers[] = {
		{400, "{\"__type\":\"ResourceNotFoundException\",\"message\":\"no table\"}",
		 "no table"},
		{200, "{\"Table\":{}}", "it has no stream"},
		{200, "nonsense", "no JSON object"},
		{0, "timed out", "no answer: timed out"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct testhost *t = host(NULL);

		if (answers[i].status)
			testhost_answer(t, answers[i].status, NULL, answers[i].body);
		else
			testhost_no_answer(t, answers[i].body);
		assert_non_null(strstr(testhost_problem(t), "table algorithms: "));
		assert_non_null(strstr(testhost_problem(t), answers[i].problem));
		testhost_advance(t, 1000);
		answer_table(t, ARN);
		answer_shards(t, "ENABLED", NULL, one_open);
		assert_string_equal(testhost_problem(t), "");
		testhost_free(t);
	}
}

static void a_stream_switched_off_is_a_problem_once_it_is_read(void **state)
{
	struct testhost *t = reading();

	(void)state;
	answer_records(t, "", NULL);
	testhost_advance(t, 0);
	answer_table(t, ARN);
	answer_shards(t, "DISABLED", NULL, (const char *const[]){"s1 - closed", NULL});
	assert_non_null(strstr(testhost_problem(t), "switched off and read to its end"));
	testhost_free(t);
}

static void a_table_that_cannot_be_described_does_not_stop_the_stream(void **state)
{
	struct testhost *t = behind(); /* a stream is known */

	(void)state;
	answer_shards(t, "ENABLED", NULL, one_open);
	testhost_restart(t);
	answer_error(t, "AccessDeniedException");
	assert_non_null(strstr(testhost_last_log(t), "going on with " ARN));
	answer_shards(t, "ENABLED", NULL, one_open);
	assert_iterator(t, "s1", "AFTER_SEQUENCE_NUMBER", "42");
	testhost_free(t);
}

static void a_listing_without_end_is_given_up(void **state)
{
	struct testhost *t = host(NULL);
	int pages = 0;

	(void)state;
	answer_table(t, ARN);
	for (; testhost_requests(t); pages++)
		answer_shards(t, "ENABLED", "s1", NULL);
	assert_int_equal(pages, 1000);
	assert_non_null(strstr(testhost_problem(t), "has no end"));
	testhost_free(t);
}

static void bad_settings_are_refused(void **state)
{
	static const char *const bad[][5] = {
		{NULL},
		{"table", "t", "stream", ARN, NULL},
		{"table", "arn:aws:dynamodb:eu-west-1:1:table/algorithms", NULL},
		{"table", "t", "start", "yesterday", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(testhost_new(&pointsman_plugin_v1, "s", bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_its_plain_form),
		cmocka_unit_test(what_is_no_value_is_told_with_its_place),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(numbers_compare_by_value_whatever_their_length),
		cmocka_unit_test(a_record_is_an_event),
		cmocka_unit_test(an_insert_has_no_old_and_a_removal_no_new),
		cmocka_unit_test(a_record_without_id_is_known_by_its_place),
		cmocka_unit_test(a_record_of_unknown_shape_is_a_dead_letter_and_the_shard_goes_on),
		cmocka_unit_test(a_page_that_cannot_be_read_is_read_record_by_record),
		cmocka_unit_test(bytes_that_are_no_text_are_kept_as_base64),
		cmocka_unit_test(the_table_leads_to_its_stream_and_shards),
		cmocka_unit_test(a_stream_is_read_without_a_table),
		cmocka_unit_test(an_empty_page_keeps_the_iterator),
		cmocka_unit_test(a_full_page_is_followed_at_once_but_not_too_fast),
		cmocka_unit_test(reading_goes_on_where_it_was_after_a_restart),
		cmocka_unit_test(an_expired_iterator_is_replaced_after_the_last_record),
		cmocka_unit_test(throttling_is_waited_out),
		cmocka_unit_test(no_answer_asks_for_less),
		cmocka_unit_test(one_shard_in_trouble_is_not_hidden_by_another),
		cmocka_unit_test(without_room_the_page_is_read_again),
		cmocka_unit_test(a_parent_is_read_to_its_end_before_its_child),
		cmocka_unit_test(several_shards_are_read_at_once),
		cmocka_unit_test(the_end_of_a_shard_asks_for_its_children),
		cmocka_unit_test(new_shards_are_looked_for_every_minute),
		cmocka_unit_test(a_finished_shard_is_not_read_again_and_forgotten_late),
		cmocka_unit_test(latest_begins_at_the_newest_record_of_open_shards),
		cmocka_unit_test(latest_loses_nothing_when_its_iterator_is_lost),
		cmocka_unit_test(a_time_skips_what_was_before),
		cmocka_unit_test(trimmed_records_are_a_gap_and_reading_begins_at_the_oldest),
		cmocka_unit_test(a_gap_waits_for_room),
		cmocka_unit_test(a_sequence_number_that_is_refused_is_a_gap),
		cmocka_unit_test(a_shard_that_is_gone_is_a_gap_and_its_child_is_read),
		cmocka_unit_test(a_shard_that_is_listed_and_not_found_is_asked_for_again),
		cmocka_unit_test(a_fresh_table_that_says_trimmed_at_latest_has_no_gap),
		cmocka_unit_test(a_stream_switched_off_and_on_is_followed),
		cmocka_unit_test(an_old_stream_is_read_to_its_end_before_the_new_one),
		cmocka_unit_test(a_stream_that_is_gone_gives_way_to_the_new_one),
		cmocka_unit_test(a_stream_without_both_images_is_refused),
		cmocka_unit_test(trouble_in_listing_is_told_and_waited_out),
		cmocka_unit_test(a_stream_switched_off_is_a_problem_once_it_is_read),
		cmocka_unit_test(a_table_that_cannot_be_described_does_not_stop_the_stream),
		cmocka_unit_test(a_listing_without_end_is_given_up),
		cmocka_unit_test(bad_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
