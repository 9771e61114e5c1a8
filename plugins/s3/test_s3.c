#include "message.h"
#include "testhost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

#define DATE "Wed, 21 Oct 2015 07:28:00 GMT"
#define ISO  "2015-10-21T07:28:00.000Z"

static const char *const two_keys[] = {"bucket", "meta",      "keys", "in.json, out.json",
				       "region", "eu-west-1", NULL};
static const char *const prefix[] = {"bucket", "meta", "prefix", "m/", NULL};
static const char *const queue[] = {"queue", "http://sqs/1/q", "bucket", "meta", NULL};

static struct testhost *host(const char *const *settings)
{
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "metadata", settings);

	assert_non_null(t);
	assert_true(testhost_start(t));
	return t;
}

/* An object with an entity tag and, unless NULL, a version. */
static void answer_object(struct testhost *t, int status, const char *etag, const char *version)
{
	char tag[64], id[64];
	const char *const headers[] = {tag, "Content-Length: 12", "Last-Modified: " DATE,
				       version ? id : NULL, NULL};

	snprintf(tag, sizeof tag, "ETag: \"%s\"", etag);
	snprintf(id, sizeof id, "x-amz-version-id: %s", version ? version : "");
	testhost_answer(t, status, headers, "");
}

static void assert_event(struct testhost *t, const char *type, const char *id, const char *json)
{
	const struct testhost_event *e = testhost_event(t);

	assert_string_equal(e->type, type);
	assert_string_equal(e->id, id);
	assert_string_equal(e->json, json);
}

static void a_date_has_no_more_digits_than_dates_have(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(object_http_time(DATE, out), ISO);
	assert_null(object_http_time("Wed, 21 Oct 292277026596 07:28:00 GMT", out));
	assert_null(object_http_time("Wed, 21 Oct -2147483648 99999999:28:00 GMT", out));
	assert_null(object_http_time("yesterday", out));
	assert_null(object_http_time(NULL, out));
}

static void keys_are_looked_at_with_head(void **state)
{
	struct testhost *t = host(two_keys);

	(void)state;
	assert_int_equal(testhost_requests(t), 2);
	assert_string_equal(testhost_request(t)->method, "HEAD");
	assert_string_equal(testhost_request(t)->url, "/meta/in.json");
	assert_string_equal(testhost_request(t)->aws, "s3:eu-west-1");
	assert_null(testhost_request_header(t, "If-None-Match"));
	answer_object(t, 200, "e1", "v1");
	assert_event(
		t, "s3.object.changed", "meta/in.json/v1",
		"{\"bucket\":\"meta\",\"key\":\"in.json\",\"etag\":\"e1\",\"version-id\":\"v1\","
		"\"size\":12,\"modified\":\"" ISO "\",\"first\":true}");
	answer_object(t, 200, "e2", "v2");
	assert_string_equal(testhost_event(t)->subject, "meta/out.json");
	assert_int_equal(testhost_requests(t), 0);
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

/* A server that is none of S3's may say anything. */
static void a_tag_of_other_bytes_is_none(void **state)
{
	struct testhost *t = host(two_keys);

	(void)state;
	answer_object(t, 200, "e\xff", "v\x01");
	assert_event(t, "s3.object.changed", "meta/in.json//" ISO,
		     "{\"bucket\":\"meta\",\"key\":\"in.json\",\"size\":12,\"modified\":\"" ISO
		     "\",\"first\":true}");
	answer_object(t, 404, "", NULL);
	testhost_free(t);
}

/* Both objects are known, at e1/v1 and e2/v2, and it is time to look again. */
static struct testhost *settled(void)
{
	struct testhost *t = host(two_keys);

	answer_object(t, 200, "e1", "v1");
	answer_object(t, 200, "e2", "v2");
	testhost_event(t);
	testhost_event(t);
	testhost_advance(t, 15000);
	assert_int_equal(testhost_requests(t), 2);
	return t;
}

static void what_is_known_is_asked_for_conditionally(void **state)
{
	struct testhost *t = settled();

	(void)state;
	assert_string_equal(testhost_request_header(t, "If-None-Match"), "\"e1\"");
	testhost_answer(t, 304, NULL, "");
	testhost_answer(t, 304, NULL, "");
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, 15000);
	assert_int_equal(testhost_requests(t), 2);
	testhost_free(t);
}

static void a_change_is_told_and_is_not_the_first(void **state)
{
	struct testhost *t = settled();

	(void)state;
	answer_object(t, 200, "e3", "v3");
	assert_event(
		t, "s3.object.changed", "meta/in.json/v3",
		"{\"bucket\":\"meta\",\"key\":\"in.json\",\"etag\":\"e3\",\"version-id\":\"v3\","
		"\"size\":12,\"modified\":\"" ISO "\",\"first\":false}");
	testhost_free(t);
}

static void the_same_content_in_a_new_version_is_a_change(void **state)
{
	struct testhost *t = settled();

	(void)state;
	answer_object(t, 304, "e1", "v9");
	assert_event(
		t, "s3.object.changed", "meta/in.json/v9",
		"{\"bucket\":\"meta\",\"key\":\"in.json\",\"etag\":\"e1\",\"version-id\":\"v9\","
		"\"modified\":\"" ISO "\",\"first\":false}");
	answer_object(t, 200, "e2", "v9"); /* and so if the server ignores the condition */
	assert_int_equal(testhost_events(t), 1);
	testhost_free(t);
}

static void what_was_seen_is_known_after_a_restart(void **state)
{
	struct testhost *t = settled();

	(void)state;
	testhost_restart(t);
	assert_string_equal(testhost_request_header(t, "If-None-Match"), "\"e1\"");
	answer_object(t, 200, "e1", "v1");
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void an_object_that_goes_is_removed_once(void **state)
{
	struct testhost *t = settled();

	(void)state;
	testhost_answer(t, 404, NULL, "");
	assert_event(
		t, "s3.object.removed", "meta/in.json/removed/v1",
		"{\"bucket\":\"meta\",\"key\":\"in.json\",\"etag\":\"e1\",\"version-id\":\"v1\"}");
	testhost_answer(t, 304, NULL, "");
	testhost_advance(t, 15000);
	testhost_answer(t, 404, NULL, "");
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void an_absent_object_is_nothing_and_its_coming_a_change(void **state)
{
	struct testhost *t = host(two_keys);

	(void)state;
	testhost_answer(t, 404, NULL, "");
	testhost_answer(t, 404, NULL, "");
	assert_int_equal(testhost_events(t), 0);
	testhost_restart(t);
	answer_object(t, 200, "e1", NULL);
	assert_event(t, "s3.object.changed", "meta/in.json/e1/" ISO,
		     "{\"bucket\":\"meta\",\"key\":\"in.json\",\"etag\":\"e1\",\"size\":12,"
		     "\"modified\":\"" ISO "\",\"first\":false}");
	testhost_free(t);
}

static void without_versions_there_is_no_version_id(void **state)
{
	struct testhost *t = host(two_keys);

	(void)state;
	answer_object(t, 200, "e1", "null");
	assert_null(strstr(testhost_event(t)->json, "version"));
	testhost_free(t);
}

static void trouble_is_a_problem_until_it_is_over(void **state)
{
	struct testhost *t = host(two_keys);

	(void)state;
	testhost_answer(t, 403, NULL, "");
	answer_object(t, 200, "e2", NULL);
	assert_non_null(strstr(testhost_problem(t), "HEAD s3://meta/in.json"));
	assert_non_null(strstr(testhost_problem(t), "s3:ListBucket"));
	testhost_advance(t, 15000);
	testhost_no_answer(t, "timed out");
	testhost_answer(t, 304, NULL, "");
	assert_non_null(strstr(testhost_problem(t), "timed out"));
	testhost_advance(t, 15000);
	answer_object(t, 200, "e1", NULL);
	testhost_answer(t, 304, NULL, "");
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

static void without_room_it_is_looked_at_again(void **state)
{
	struct testhost *t = host(two_keys);

	(void)state;
	testhost_full(t, 1);
	answer_object(t, 200, "e1", NULL);
	answer_object(t, 200, "e2", NULL); /* of the round that was given up */
	assert_int_equal(testhost_events(t), 0);
	assert_null(testhost_saved(t, "object/in.json"));
	testhost_advance(t, 60000);
	assert_int_equal(testhost_requests(t), 0);
	testhost_resume(t);
	assert_int_equal(testhost_requests(t), 2);
	answer_object(t, 200, "e1", NULL);
	assert_non_null(strstr(testhost_event(t)->json, "\"first\":true"));
	testhost_free(t);
}

static void answer_page(struct testhost *t, const char *next, const char *contents)
{
	char body[2048];

	snprintf(body, sizeof body,
		 "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/"
		 "2006-03-01/\"><EncodingType>url</EncodingType><IsTruncated>%s</IsTruncated>"
		 "<NextContinuationToken>%s</NextContinuationToken>%s</ListBucketResult>",
		 next ? "true" : "false", next ? next : "", contents);
	testhost_answer(t, 200, NULL, body);
}

#define ENTRY(key, etag)                                                                           \
	"<Contents><Key>" key "</Key><LastModified>" ISO "</LastModified><ETag>&quot;" etag        \
	"&quot;</ETag><Size>12</Size></Contents>"

static void a_prefix_is_listed_page_by_page(void **state)
{
	struct testhost *t = host(prefix);

	(void)state;
	assert_string_equal(testhost_request(t)->method, "GET");
	assert_string_equal(testhost_request(t)->url, "/meta/");
	assert_string_equal(testhost_request_query(t, "list-type"), "2");
	assert_string_equal(testhost_request_query(t, "prefix"), "m/");
	answer_page(t, "tok en", ENTRY("m/a+b%2Bc", "e1"));
	assert_string_equal(testhost_request(t)->method, "HEAD");
	assert_string_equal(testhost_request(t)->url, "/meta/m/a b+c");
	answer_object(t, 200, "e1", "v1");
	assert_string_equal(testhost_event(t)->id, "meta/m/a b+c/v1");
	assert_string_equal(testhost_request_query(t, "continuation-token"), "tok en");
	answer_page(t, NULL, ENTRY("m/d", "e2"));
	answer_object(t, 200, "e2", NULL);
	assert_non_null(strstr(testhost_event(t)->json, "\"first\":true"));
	assert_int_equal(testhost_requests(t), 0);
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

/* Below the prefix there are m/a and m/b, both known. */
static struct testhost *listed(void)
{
	struct testhost *t = host(prefix);

	answer_page(t, NULL, ENTRY("m/a", "e1") ENTRY("m/b", "e2"));
	answer_object(t, 200, "e1", NULL);
	answer_object(t, 200, "e2", NULL);
	testhost_event(t);
	testhost_event(t);
	testhost_advance(t, 15000);
	return t;
}

static void only_what_is_new_in_a_listing_is_looked_at(void **state)
{
	struct testhost *t = listed();

	(void)state;
	answer_page(t, NULL, ENTRY("m/a", "e1") ENTRY("m/b", "e9") ENTRY("m/c", "e3"));
	assert_string_equal(testhost_request(t)->url, "/meta/m/b");
	answer_object(t, 200, "e9", NULL);
	assert_string_equal(testhost_request(t)->url, "/meta/m/c");
	answer_object(t, 200, "e3", NULL);
	assert_non_null(strstr(testhost_event(t)->json, "\"first\":false"));
	assert_non_null(strstr(testhost_event(t)->json, "\"first\":false"));
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void what_is_listed_no_more_is_removed(void **state)
{
	struct testhost *t = listed();

	(void)state;
	testhost_restart(t);
	answer_page(t, NULL, ENTRY("m/b", "e2"));
	assert_event(t, "s3.object.removed", "meta/m/a/removed/e1/" ISO,
		     "{\"bucket\":\"meta\",\"key\":\"m/a\",\"etag\":\"e1\"}");
	assert_null(testhost_saved(t, "object/m/a"));
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void half_a_listing_removes_nothing(void **state)
{
	struct testhost *t = listed();

	(void)state;
	answer_page(t, "more", ENTRY("m/b", "e2"));
	testhost_answer(t, 503, NULL, "<Error><Code>SlowDown</Code></Error>");
	assert_int_equal(testhost_events(t), 0);
	assert_non_null(strstr(testhost_problem(t), "SlowDown"));
	testhost_advance(t, 15000);
	assert_int_equal(testhost_requests(t), 1);
	testhost_free(t);
}

static void a_listing_that_is_no_xml_is_a_problem(void **state)
{
	struct testhost *t = host(prefix);

	(void)state;
	testhost_answer(t, 200, NULL, "<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult/>");
	assert_non_null(strstr(testhost_problem(t), "XML refused"));
	testhost_free(t);
}

static void an_object_that_goes_while_it_is_looked_at_is_left_out(void **state)
{
	struct testhost *t = host(prefix);

	(void)state;
	answer_page(t, NULL, ENTRY("m/a", "e1"));
	testhost_answer(t, 404, NULL, "");
	assert_int_equal(testhost_events(t), 0);
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

static void a_listing_without_room_begins_anew(void **state)
{
	struct testhost *t = listed();

	(void)state;
	testhost_full(t, 1);
	answer_page(t, NULL, ""); /* all gone: the first removal finds no room */
	assert_int_equal(testhost_events(t), 0);
	testhost_resume(t);
	answer_page(t, NULL, "");
	assert_int_equal(testhost_events(t), 2);
	testhost_free(t);
}

static void receive(struct testhost *t)
{
	assert_string_equal(testhost_request_header(t, "X-Amz-Target"), "AmazonSQS.ReceiveMessage");
}

/* One message with this body, as a JSON text. */
static void answer_message(struct testhost *t, const char *body)
{
	char answer[4096];

	snprintf(answer, sizeof answer,
		 "{\"Messages\":[{\"MessageId\":\"m1\",\"ReceiptHandle\":\"r1\",\"Body\":%s}]}",
		 body);
	testhost_answer(t, 200, NULL, answer);
}

/* A notification as S3 writes it, inside a JSON text. */
#define S3_FORM(event, key, sequencer)                                                             \
	"\"{\\\"Records\\\":[{\\\"eventSource\\\":\\\"aws:s3\\\",\\\"eventName\\\":\\\"" event     \
	"\\\",\\\"eventTime\\\":\\\"2026-01-02T03:04:05.678Z\\\",\\\"s3\\\":{\\\"bucket\\\":{"     \
	"\\\"name\\\":\\\"meta\\\"},\\\"object\\\":{\\\"key\\\":\\\"" key                          \
	"\\\",\\\"size\\\":7,\\\"eTag\\\":\\\"e1\\\",\\\"versionId\\\":\\\"v" sequencer            \
	"\\\",\\\"sequencer\\\":\\\"" sequencer "\\\"}}}]}\""

static void the_queue_is_asked_for_long(void **state)
{
	struct testhost *t = host(queue);

	(void)state;
	receive(t);
	assert_string_equal(testhost_request_header(t, "Content-Type"),
			    "application/x-amz-json-1.0");
	assert_string_equal(testhost_request(t)->body,
			    "{\"MaxNumberOfMessages\":10,\"WaitTimeSeconds\":20,"
			    "\"QueueUrl\":\"http://sqs/1/q\"}");
	testhost_answer(t, 200, NULL, "{}");
	receive(t);
	testhost_answer(t, 200, NULL, "{\"Messages\":[]}");
	receive(t);
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

static void a_notification_is_told_then_deleted(void **state)
{
	struct testhost *t = host(queue);
	const struct testhost_event *e;

	(void)state;
	answer_message(t, S3_FORM("ObjectCreated:Put", "m/a+b%2B%C3%BC", "0A"));
	e = testhost_event(t);
	assert_string_equal(e->time, "2026-01-02T03:04:05.678Z");
	assert_string_equal(e->subject, "meta/m/a b+ü");
	assert_string_equal(e->id, "meta/m/a b+ü/v0A");
	assert_string_equal(e->json, "{\"bucket\":\"meta\",\"key\":\"m/a b+ü\",\"etag\":\"e1\","
				     "\"version-id\":\"v0A\",\"size\":7,\"modified\":"
				     "\"2026-01-02T03:04:05.678Z\",\"first\":false}");
	assert_string_equal(testhost_request_header(t, "X-Amz-Target"),
			    "AmazonSQS.DeleteMessageBatch");
	assert_string_equal(testhost_request(t)->body,
			    "{\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":\"r1\"}],"
			    "\"QueueUrl\":\"http://sqs/1/q\"}");
	testhost_answer(t, 200, NULL, "{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":[]}");
	receive(t);
	testhost_free(t);
}

static void a_removal_is_told(void **state)
{
	struct testhost *t = host(queue);

	(void)state;
	answer_message(t, S3_FORM("ObjectRemoved:DeleteMarkerCreated", "a", "1"));
	assert_string_equal(testhost_event(t)->type, "s3.object.removed");
	testhost_free(t);
}

static void late_and_repeated_notifications_are_dropped(void **state)
{
	struct testhost *t = host(queue);

	(void)state;
	answer_message(t, S3_FORM("ObjectCreated:Put", "a", "00B0"));
	testhost_answer(t, 200, NULL, "{}"); /* deleted */
	answer_message(t, S3_FORM("ObjectCreated:Put", "a", "00A1"));
	testhost_answer(t, 200, NULL, "{}");
	testhost_restart(t);
	answer_message(t, S3_FORM("ObjectCreated:Put", "a", "00B"));
	testhost_answer(t, 200, NULL, "{}");
	assert_int_equal(testhost_events(t), 1);
	assert_int_equal(testhost_counted(t, "stale_notifications"), 2);
	answer_message(t, S3_FORM("ObjectCreated:Put", "b", "0001"));
	assert_int_equal(testhost_events(t), 2);
	testhost_free(t);
}

static void sequencers_compare_as_numbers_of_any_length(void **state)
{
	(void)state;
	assert_true(message_compare("0055AED6", "0055AED6DCD90281E5") < 0);
	assert_int_equal(message_compare("0055", "005500"), 0);
	assert_int_equal(message_compare("00ab", "00AB"), 0);
	assert_true(message_compare("B", "A1") > 0);
}

static void every_form_of_a_notification_is_read(void **state)
{
	static const struct {
		const char *body;
		size_t changes, ignored;
		const char *key;
	} forms[] = {
		{"{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}", 0, 1,
		 NULL},
		{"{\"Records\":[{\"eventName\":\"s3:ObjectCreated:Copy\",\"s3\":{\"bucket\":{"
		 "\"name\":"
		 "\"b\"},\"object\":{\"key\":\"a%20b\"}}}]}",
		 1, 0, "a b"},
		{"{\"Records\":[{\"eventName\":\"ObjectTagging:Put\",\"s3\":{}}]}", 0, 1, NULL},
		{"{\"version\":\"0\",\"source\":\"aws.s3\",\"detail-type\":\"Object Created\","
		 "\"time\":\"2026-01-02T03:04:05Z\",\"detail\":{\"bucket\":{\"name\":\"b\"},"
		 "\"object\":{\"key\":\"a+b%20\",\"size\":5,\"etag\":\"e\",\"version-id\":\"v\","
		 "\"sequencer\":\"1\"}}}",
		 1, 0, "a+b%20"},
		{"{\"source\":\"aws.s3\",\"detail-type\":\"Object Restore "
		 "Completed\",\"detail\":{}}",
		 0, 1, NULL},
		{"{\"Type\":\"Notification\",\"Message\":\"{\\\"Records\\\":[{\\\"eventName\\\":"
		 "\\\"ObjectCreated:Put\\\",\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"b\\\"},"
		 "\\\"object\\\":{\\\"key\\\":\\\"k\\\"}}}]}\"}",
		 1, 0, "k"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct message m;
		struct err err = {""};

		if (!message_read(forms[i].body, &m, &err))
			fail_msg("form %zu: %s", i, err.text);
		assert_int_equal(m.n, forms[i].changes);
		assert_int_equal(m.ignored, forms[i].ignored);
		if (m.n)
			assert_string_equal(m.changes[0].object.key, forms[i].key);
		message_free(&m);
	}
}

static void what_is_no_notification_becomes_a_dead_letter_and_goes(void **state)
{
	static const char *const bodies[] = {
		"\"not json\"",
		"\"[]\"",
		"\"{}\"",
		"\"{\\\"Records\\\":[7]}\"",
		"\"{\\\"Records\\\":[{\\\"eventName\\\":\\\"ObjectCreated:Put\\\",\\\"s3\\\":{}}]}"
		"\"",
		"\"{\\\"Type\\\":\\\"SubscriptionConfirmation\\\"}\"",
		"\"{\\\"Type\\\":\\\"Notification\\\",\\\"Message\\\":\\\"{\\\\\\\"Type\\\\\\\":"
		"\\\\\\\"Notification\\\\\\\"}\\\"}\"",
		"7",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct testhost *t = host(queue);
		const struct testhost_event *e;

		answer_message(t, bodies[i]);
		e = testhost_event(t);
		assert_string_equal(e->type, "s3.message.unreadable");
		assert_non_null(e->refuse);
		assert_string_equal(e->id, "unreadable/m1");
		assert_string_equal(testhost_request_header(t, "X-Amz-Target"),
				    "AmazonSQS.DeleteMessageBatch");
		testhost_free(t);
	}
}

static void without_room_nothing_is_deleted_until_there_is(void **state)
{
	struct testhost *t = host(queue);

	(void)state;
	testhost_full(t, 1);
	answer_message(t, S3_FORM("ObjectCreated:Put", "a", "1"));
	assert_int_equal(testhost_requests(t), 0);
	assert_null(testhost_saved(t, "sequence/x"));
	testhost_resume(t);
	assert_int_equal(testhost_events(t), 1);
	assert_string_equal(testhost_request_header(t, "X-Amz-Target"),
			    "AmazonSQS.DeleteMessageBatch");
	testhost_free(t);
}

static void notifications_of_others_are_deleted_untold(void **state)
{
	static const char *const other[] = {"queue", "http://q/", "bucket", "else", NULL};
	static const char *const below[] = {"queue", "http://q/", "prefix", "n/", NULL};
	const char *const *all[] = {other, below};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct testhost *t = host(all[i]);

		answer_message(t, S3_FORM("ObjectCreated:Put", "m/a", "1"));
		assert_int_equal(testhost_events(t), 0);
		assert_int_equal(testhost_counted(t, "ignored_notifications"), 1);
		assert_int_equal(testhost_requests(t), 2);
		testhost_free(t);
	}
}

static void trouble_with_the_queue_is_waited_out(void **state)
{
	static const struct {
		int status;
		const char *body;
	} answers[] = {
		{0, "timed out"},
		{400, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}"},
		{200, "no json"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct testhost *t = host(queue);

		if (answers[i].status)
			testhost_answer(t, answers[i].status, NULL, answers[i].body);
		else
			testhost_no_answer(t, answers[i].body);
		assert_non_null(strstr(testhost_problem(t), "ReceiveMessage of http://sqs/1/q"));
		assert_int_equal(testhost_requests(t), 0);
		testhost_advance(t, 1000);
		receive(t);
		testhost_answer(t, 200, NULL, "{}");
		assert_string_equal(testhost_problem(t), "");
		testhost_free(t);
	}
}

/* Saved numbers must not grow without end: the host allows 1 MB. */
static void numbers_of_old_keys_are_forgotten(void **state)
{
	struct testhost *t = host(queue);
	char body[1024];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(body, sizeof body,
			 "\"{\\\"Records\\\":[{\\\"eventName\\\":\\\"ObjectCreated:Put\\\","
			 "\\\"s3\\\":"
			 "{\\\"bucket\\\":{\\\"name\\\":\\\"meta\\\"},\\\"object\\\":{\\\"key\\\":"
			 "\\\"k%d\\\",\\\"sequencer\\\":\\\"1\\\"}}}]}\"",
			 i);
		answer_message(t, body);
		testhost_answer(t, 200, NULL, "{}");
		testhost_event(t);
		testhost_advance(t, 1);
	}
	answer_message(t, body); /* the last is remembered */
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void a_bucket_too_large_to_remember_is_a_problem(void **state)
{
	static const char *const whole[] = {"bucket", "meta", NULL};
	struct testhost *t = host(whole);
	char *body = malloc(2500 * 1100 + 200), *at = body;

	(void)state;
	at += sprintf(at, "<ListBucketResult><IsTruncated>false</IsTruncated>");
	for (int i = 0; i < 2500; i++)
		at += sprintf(at, "<Contents><Key>%0900d</Key><ETag>e</ETag></Contents>", i);
	sprintf(at, "</ListBucketResult>");
	testhost_answer(t, 200, NULL, body);
	while (testhost_requests(t))
		answer_object(t, 200, "e", NULL);
	assert_in_range(testhost_events(t), 900, 1100);
	assert_non_null(strstr(testhost_problem(t), "use `queue`"));
	testhost_advance(t, 15000);
	testhost_answer(t, 200, NULL, body);
	assert_int_equal(testhost_requests(t), 0); /* the rest is not looked at for nothing */
	free(body);
	testhost_free(t);
}

static void saved_state_is_short_and_names_what_it_is_of(void **state)
{
	struct testhost *t = settled();

	(void)state;
	assert_string_equal(testhost_saved(t, "object/in.json"), "e1 v1 " ISO);
	assert_string_equal(testhost_saved(t, "watching"), "keys meta/");
	testhost_free(t);
}

static void bad_settings_are_refused(void **state)
{
	static const char *const bad[][7] = {
		{"keys", "a", NULL},
		{"bucket", "b", "keys", "a", "prefix", "p", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(testhost_new(&pointsman_plugin_v1, "s", bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_date_has_no_more_digits_than_dates_have),
		cmocka_unit_test(keys_are_looked_at_with_head),
		cmocka_unit_test(a_tag_of_other_bytes_is_none),
		cmocka_unit_test(what_is_known_is_asked_for_conditionally),
		cmocka_unit_test(a_change_is_told_and_is_not_the_first),
		cmocka_unit_test(the_same_content_in_a_new_version_is_a_change),
		cmocka_unit_test(what_was_seen_is_known_after_a_restart),
		cmocka_unit_test(an_object_that_goes_is_removed_once),
		cmocka_unit_test(an_absent_object_is_nothing_and_its_coming_a_change),
		cmocka_unit_test(without_versions_there_is_no_version_id),
		cmocka_unit_test(trouble_is_a_problem_until_it_is_over),
		cmocka_unit_test(without_room_it_is_looked_at_again),
		cmocka_unit_test(a_prefix_is_listed_page_by_page),
		cmocka_unit_test(only_what_is_new_in_a_listing_is_looked_at),
		cmocka_unit_test(what_is_listed_no_more_is_removed),
		cmocka_unit_test(half_a_listing_removes_nothing),
		cmocka_unit_test(a_listing_that_is_no_xml_is_a_problem),
		cmocka_unit_test(an_object_that_goes_while_it_is_looked_at_is_left_out),
		cmocka_unit_test(a_listing_without_room_begins_anew),
		cmocka_unit_test(the_queue_is_asked_for_long),
		cmocka_unit_test(a_notification_is_told_then_deleted),
		cmocka_unit_test(a_removal_is_told),
		cmocka_unit_test(late_and_repeated_notifications_are_dropped),
		cmocka_unit_test(sequencers_compare_as_numbers_of_any_length),
		cmocka_unit_test(every_form_of_a_notification_is_read),
		cmocka_unit_test(what_is_no_notification_becomes_a_dead_letter_and_goes),
		cmocka_unit_test(without_room_nothing_is_deleted_until_there_is),
		cmocka_unit_test(notifications_of_others_are_deleted_untold),
		cmocka_unit_test(trouble_with_the_queue_is_waited_out),
		cmocka_unit_test(numbers_of_old_keys_are_forgotten),
		cmocka_unit_test(a_bucket_too_large_to_remember_is_a_problem),
		cmocka_unit_test(saved_state_is_short_and_names_what_it_is_of),
		cmocka_unit_test(bad_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
