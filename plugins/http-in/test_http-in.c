#include "testhost.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

#define LIST(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define STRUCTURED "Content-Type: application/cloudevents+json; charset=utf-8"
#define BATCH      "Content-Type: application/cloudevents-batch+json"
#define LINES      "Content-Type: application/x-ndjson"
#define JSON       "Content-Type: application/json"
#define EVENT(id)                                                                                  \
	"{\"specversion\":\"1.0\",\"id\":\"" id                                                    \
	"\",\"source\":\"shop\",\"type\":\"order.placed\",\"data\":{\"n\":1.50}}"

static struct testhost *host(const char *const *settings)
{
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "in", settings);

	assert_non_null(t);
	assert_true(testhost_start(t));
	return t;
}

static int post(struct testhost *t, const char *const *headers, const char *body,
		const char **reply)
{
	return testhost_post(t, "/in", headers, body, strlen(body), reply);
}

static void assert_next(struct testhost *t, const char *id)
{
	assert_string_equal(testhost_event(t)->id, id);
}

static void one_event_is_taken_as_it_is(void **state)
{
	struct testhost *t = host(NULL);
	const struct testhost_event *e;
	const char *reply;

	(void)state;
	assert_int_equal(post(t, LIST(STRUCTURED),
			      "{\"specversion\":\"1.0\",\"id\":\"\\u0031\",\"source\":\"shop\","
			      "\"type\":\"order.placed\",\"subject\":\"o/1\",\"extension\":7,"
			      "\"time\":\"2024-05-01T12:00:00Z\",\"data\":{\"n\":1.50}}",
			      &reply),
			 202);
	assert_string_equal(reply, "{\"accepted\":1}\n");
	e = testhost_event(t);
	assert_string_equal(e->id, "1");
	assert_string_equal(e->source, "shop");
	assert_string_equal(e->type, "order.placed");
	assert_string_equal(e->subject, "o/1");
	assert_string_equal(e->time, "2024-05-01T12:00:00Z");
	assert_string_equal(e->json, "{\"n\":1.50}");
	testhost_free(t);
}

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define OTHER  "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

static void an_event_without_a_trace_takes_that_of_its_request(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	assert_int_equal(post(t, LIST(STRUCTURED, "traceparent: " PARENT), EVENT("1"), NULL), 202);
	assert_string_equal(testhost_event(t)->traceparent, PARENT);
	assert_int_equal(post(t,
			      LIST(JSON, "ce-specversion: 1.0", "ce-id: 2", "ce-source: s",
				   "ce-type: order.placed", "traceparent: " PARENT),
			      "{}", NULL),
			 202);
	assert_string_equal(testhost_event(t)->traceparent, PARENT);
	assert_int_equal(post(t,
			      LIST(JSON, "ce-specversion: 1.0", "ce-id: 3", "ce-source: s",
				   "ce-type: order.placed", "traceparent: " PARENT,
				   "ce-traceparent: " OTHER),
			      "{}", NULL),
			 202);
	assert_string_equal(testhost_event(t)->traceparent, OTHER);
	testhost_free(t);
}

static void a_time_that_is_none_is_400_and_named(void **state)
{
	static const char *const times[] = {"yesterday", "1700000000000", "2024-05-01",
					    "2024-13-01T00:00:00Z"};
	struct testhost *t = host(NULL);
	const char *reply;

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		char *body = mem_format("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
					"\"type\":\"order.placed\",\"time\":\"%s\"}",
					times[i]);
		char *header = mem_format("ce-time: %s", times[i]);

		assert_int_equal(post(t, LIST(STRUCTURED), body, &reply), 400);
		assert_non_null(strstr(reply, "time \""));
		assert_non_null(strstr(reply, times[i]));
		assert_int_equal(post(t,
				      LIST(JSON, "ce-specversion: 1.0", "ce-id: 1", "ce-source: s",
					   "ce-type: order.placed", header),
				      "{}", &reply),
				 400);
		assert_non_null(strstr(reply, "time \""));
		free(body);
		free(header);
	}
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void an_absent_payload_is_empty(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	assert_int_equal(
		post(t, LIST(STRUCTURED),
		     "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"a\","
		     "\"subject\":null,\"data\":null}",
		     NULL),
		202);
	assert_string_equal(testhost_event(t)->json, "{}");
	testhost_free(t);
}

static void a_payload_in_base64_is_read(void **state)
{
	struct testhost *t = host(NULL);
	static const char before[] =
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"a\","
		"\"data_base64\":\"";
	static const struct {
		const char *base64;
		int status;
	} cases[] = {{"eyJuIjoxfQ==", 202}, {"W10=", 400}, {"e30", 400},
		     {"????", 400},         {"", 400},     {"bm8=", 400}};
	char body[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(body, sizeof body, "%s%s\"}", before, cases[i].base64);
		assert_int_equal(post(t, LIST(STRUCTURED), body, NULL), cases[i].status);
	}
	assert_string_equal(testhost_event(t)->json, "{\"n\":1}");
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void what_is_no_event_is_400_and_says_why(void **state)
{
	static const struct {
		const char *body, *word;
	} cases[] = {
		{"", "line 1"},
		{"{\"specversion\": \"1.0\",\n \"id\": }", "line 2, column 8"},
		{"[]", "object"},
		{"{\"specversion\":\"0.3\"}", "specversion"},
		{"{\"specversion\":\"1.0\",\"source\":\"s\",\"type\":\"a\"}", "no id"},
		{"{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"s\",\"type\":\"a\"}", "no id"},
		{"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"a\"}", "no source"},
		{"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\"}", "no type"},
		{"{\"specversion\":\"1.0\",\"id\":1,\"source\":\"s\",\"type\":\"a\"}", "id is not"},
		{"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"a\","
		 "\"data\":\"x\"}",
		 "data is not"},
		{"{\"id\":\"1\",\"id\":\"2\"}", "duplicate member name, at \"id\""},
		{"{\"id\":\"\xff\"}", "UTF-8"},
	};
	struct testhost *t = host(NULL);
	const char *reply;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(post(t, LIST(STRUCTURED), cases[i].body, &reply), 400);
		if (!strstr(reply, cases[i].word))
			fail_msg("%s: %s", cases[i].body, reply);
	}
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void a_type_of_the_routers_own_is_refused(void **state)
{
	struct testhost *t = host(NULL);
	const char *reply;

	(void)state;
	assert_int_equal(post(t, LIST(STRUCTURED),
			      "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
			      "\"type\":\"pointsman.rule.fired\"}",
			      &reply),
			 400);
	assert_non_null(strstr(reply, "pointsman.rule.fired"));
	testhost_free(t);
}

static void a_batch_is_taken_in_order(void **state)
{
	struct testhost *t = host(NULL);
	const char *reply;

	(void)state;
	assert_int_equal(post(t, LIST(BATCH), "[" EVENT("1") " ,\n" EVENT("2") "]", &reply), 202);
	assert_string_equal(reply, "{\"accepted\":2}\n");
	assert_next(t, "1");
	assert_next(t, "2");
	assert_int_equal(post(t, LIST(BATCH), "[]", NULL), 202);
	assert_int_equal(post(t, LIST(BATCH), EVENT("1"), NULL), 400);
	testhost_free(t);
}

static void a_batch_with_a_bad_item_is_refused_whole(void **state)
{
	struct testhost *t = host(NULL);
	const char *reply;

	(void)state;
	assert_int_equal(post(t, LIST(BATCH), "[" EVENT("1") "," EVENT("") "]", &reply), 400);
	assert_string_equal(reply, "item 2: it has no id\n");
	assert_int_equal(post(t, LIST(BATCH), "[" EVENT("1") ",\n{]", &reply), 400);
	assert_non_null(strstr(reply, "line 2, column 2"));
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void an_item_only_the_host_refuses_is_named(void **state)
{
	struct testhost *t = host(NULL);
	const char *reply;

	(void)state;
	assert_int_equal(post(t, LIST(BATCH),
			      "[" EVENT("1") ",{\"specversion\":\"1.0\",\"id\":\"2\","
					     "\"source\":\"s\",\"type\":\"pointsman.x\"}]",
			      &reply),
			 400);
	assert_non_null(strstr(reply, "item 2: (the 1 before it are accepted) type pointsman.x"));
	assert_int_equal(testhost_events(t), 1);
	testhost_free(t);
}

static void lines_are_events(void **state)
{
	struct testhost *t = host(NULL);
	const char *reply;

	(void)state;
	assert_int_equal(post(t, LIST(LINES), EVENT("1") "\r\n\n" EVENT("2"), NULL), 202);
	assert_next(t, "1");
	assert_next(t, "2");
	assert_int_equal(post(t, LIST(LINES), EVENT("3") "\n{\"x\" 1}\n", &reply), 400);
	assert_non_null(strstr(reply, "item 2: line 1, column 6"));
	assert_int_equal(testhost_events(t), 0);
	assert_int_equal(testhost_post(t, "/in", LIST(LINES), EVENT("4") "\n\0\n",
				       sizeof EVENT("4") "\n\0\n" - 1, &reply),
			 400);
	assert_non_null(strstr(reply, "item 2"));
	testhost_free(t);
}

static void binary_mode_reads_headers(void **state)
{
	struct testhost *t = host(NULL);
	const struct testhost_event *e;
	const char *const *headers =
		LIST(JSON, "ce-specversion: 1.0", "ce-id: 7", "ce-source: /shop",
		     "ce-type: order.placed", "ce-subject: caf%C3%A9%20100%25");

	(void)state;
	assert_int_equal(post(t, headers, "{\"n\":1}", NULL), 202);
	e = testhost_event(t);
	assert_string_equal(e->id, "7");
	assert_string_equal(e->source, "/shop");
	assert_string_equal(e->subject, "caf\xc3\xa9 100%");
	assert_string_equal(e->json, "{\"n\":1}");
	assert_int_equal(post(t, headers, "", NULL), 202);
	assert_string_equal(testhost_event(t)->json, "{}");
	assert_int_equal(post(t, headers, "[]", NULL), 400);
	assert_int_equal(post(t, headers, "{", NULL), 400);
	testhost_free(t);
}

/* Or two events would have one id, and the second would be dropped as known. */
static void a_nul_in_a_header_does_not_end_it(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	assert_int_equal(post(t,
			      LIST(JSON, "ce-specversion: 1.0", "ce-id: a%00b", "ce-source: s",
				   "ce-type: order.placed"),
			      "{}", NULL),
			 202);
	assert_string_equal(testhost_event(t)->id, "a%00b");
	testhost_free(t);
}

static void plain_json_needs_a_type(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	assert_int_equal(post(t, LIST(JSON), "{}", NULL), 415);
	assert_int_equal(post(t, LIST("Content-Type: text/plain"), "{}", NULL), 415);
	testhost_free(t);
	t = host(LIST("type", "ci.finished", "id", "run.id", "subject", "run.branch"));
	assert_int_equal(post(t, LIST(JSON), "{\"run\":{\"id\":7,\"branch\":\"main\"}}", NULL),
			 202);
	assert_string_equal(testhost_event(t)->subject, "main");
	assert_int_equal(post(t, LIST("Content-Type: application/vnd.ci+json"),
			      "{\"run\":{\"id\":8}}", NULL),
			 202);
	assert_next(t, "8");
	assert_int_equal(post(t, LIST(JSON), "{\"run\":{}}", NULL), 400);
	assert_int_equal(post(t, LIST(JSON), "[]", NULL), 400);
	testhost_free(t);
}

static void plain_json_is_known_by_a_header_or_is_new(void **state)
{
	struct testhost *t = host(LIST("type", "ci.finished"));
	char first[64];

	(void)state;
	assert_int_equal(post(t, LIST(JSON, "Idempotency-Key: k1"), "{}", NULL), 202);
	assert_next(t, "k1");
	assert_int_equal(post(t, LIST(JSON), "{}", NULL), 202);
	snprintf(first, sizeof first, "%s", testhost_event(t)->id);
	assert_int_equal(post(t, LIST(JSON), "{}", NULL), 202);
	assert_string_not_equal(testhost_event(t)->id, first);
	testhost_free(t);
}

static void no_room_is_503(void **state)
{
	struct testhost *t = host(NULL);

	(void)state;
	testhost_full(t, 1);
	assert_int_equal(post(t, LIST(STRUCTURED), EVENT("1"), NULL), 503);
	testhost_resume(t);
	assert_int_equal(post(t, LIST(STRUCTURED), EVENT("1"), NULL), 202);
	testhost_free(t);
}

static void a_request_that_holds_too_much_is_413(void **state)
{
	struct testhost *t = host(NULL);
	struct buf body = {0};

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_printf(&body,
			   "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"s\","
			   "\"type\":\"t\"}\n",
			   i);
	assert_int_equal(post(t, LIST(LINES), body.data, NULL), 202);
	assert_int_equal(testhost_events(t), 10000);
	buf_text_add(&body, EVENT("1"));
	assert_int_equal(post(t, LIST(LINES), body.data, NULL), 413);
	assert_int_equal(testhost_events(t), 10000);
	buf_printf(&body, "%*s", 4 * 1024 * 1024, " ");
	assert_int_equal(post(t, LIST(STRUCTURED), body.data, NULL), 413);
	buf_free(&body);
	testhost_free(t);
}

static void a_token_is_asked_for(void **state)
{
	struct testhost *t = host(LIST("token", "one, two"));

	(void)state;
	assert_int_equal(post(t, LIST(STRUCTURED), EVENT("1"), NULL), 401);
	assert_int_equal(post(t, LIST(STRUCTURED, "Authorization: Bearer on"), EVENT("1"), NULL),
			 401);
	assert_int_equal(post(t, LIST(STRUCTURED, "Authorization: Bearer one1"), EVENT("1"), NULL),
			 401);
	assert_int_equal(post(t, LIST(STRUCTURED, "Authorization: Bearer "), EVENT("1"), NULL),
			 401);
	assert_int_equal(testhost_counted(t, "bad_token"), 4);
	assert_int_equal(post(t, LIST(STRUCTURED, "Authorization: bearer two"), EVENT("1"), NULL),
			 202);
	testhost_free(t);
}

static const char *standard_signature(const char *secret, const char *id, long long seconds,
				      const char *body)
{
	static char header[128];
	unsigned char mac[32];
	char text[2048], base64[64];

	snprintf(text, sizeof text, "%s.%lld.%s", id, seconds, body);
	hash_hmac_sha256(secret, strlen(secret), text, strlen(text), mac);
	EVP_EncodeBlock((unsigned char *)base64, mac, 32);
	snprintf(header, sizeof header, "webhook-signature: v1a,xx v1,AAAA v1,%s", base64);
	return header;
}

static int post_signed(struct testhost *t, const char *secret, long long seconds, const char *body)
{
	char timestamp[64];

	snprintf(timestamp, sizeof timestamp, "webhook-timestamp: %lld", seconds);
	return post(t,
		    LIST(STRUCTURED, "webhook-id: msg-1", timestamp,
			 standard_signature(secret, "msg-1", seconds, EVENT("1"))),
		    body, NULL);
}

static void a_standard_webhook_is_verified(void **state)
{
	struct testhost *t = host(LIST("secret", "one, whsec_dHdv"));
	long long now = testhost_now(t) / 1000;

	(void)state;
	assert_int_equal(post(t, LIST(STRUCTURED), EVENT("1"), NULL), 401);
	assert_int_equal(post_signed(t, "three", now, EVENT("1")), 401);
	assert_int_equal(post_signed(t, "one", now, EVENT("2")), 401);
	assert_int_equal(post_signed(t, "one", now - 301, EVENT("1")), 401);
	assert_int_equal(post_signed(t, "one", now + 301, EVENT("1")), 401);
	assert_int_equal(testhost_counted(t, "bad_signature"), 5);
	assert_int_equal(post_signed(t, "one", now - 300, EVENT("1")), 202);
	assert_int_equal(post_signed(t, "two", now, EVENT("1")), 202);
	testhost_free(t);
}

static void a_signature_may_be_in_a_header_of_ones_choice(void **state)
{
	struct testhost *t = host(
		LIST("secret", "one", "signature-header", "X-Sig", "signature-prefix", "sha256="));
	unsigned char mac[32];
	char header[100] = "x-sig: sha256=";

	(void)state;
	hash_hmac_sha256("one", 3, EVENT("1"), strlen(EVENT("1")), mac);
	hash_hex(mac, 32, header + strlen(header));
	assert_int_equal(post(t, LIST(STRUCTURED, header), EVENT("1"), NULL), 202);
	assert_int_equal(post(t, LIST(STRUCTURED, header), EVENT("2"), NULL), 401);
	assert_int_equal(post(t, LIST(STRUCTURED, "x-sig: "), EVENT("1"), NULL), 401);
	assert_int_equal(post(t, LIST(STRUCTURED), EVENT("1"), NULL), 401);
	testhost_free(t);
}

static void keys_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	assert_null(testhost_new(&pointsman_plugin_v1, "in", LIST("path", "hooks")));
	assert_null(testhost_new(&pointsman_plugin_v1, "in", LIST("type", "Order.Placed")));
	assert_null(testhost_new(&pointsman_plugin_v1, "in", LIST("type", "order.")));
	assert_null(testhost_new(&pointsman_plugin_v1, "in", LIST("id", "run.id")));
	assert_null(testhost_new(&pointsman_plugin_v1, "in", LIST("signature-header", "X")));
	assert_non_null(strstr(testhost_last_log(NULL), "secret"));
}

static void another_path_may_be_named(void **state)
{
	struct testhost *t = host(LIST("path", "/hooks/x"));

	(void)state;
	assert_int_equal(testhost_post(t, "/hooks/x?a=1", LIST(STRUCTURED), EVENT("1"),
				       strlen(EVENT("1")), NULL),
			 202);
	testhost_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_event_is_taken_as_it_is),
		cmocka_unit_test(an_event_without_a_trace_takes_that_of_its_request),
		cmocka_unit_test(a_time_that_is_none_is_400_and_named),
		cmocka_unit_test(an_absent_payload_is_empty),
		cmocka_unit_test(a_payload_in_base64_is_read),
		cmocka_unit_test(what_is_no_event_is_400_and_says_why),
		cmocka_unit_test(a_type_of_the_routers_own_is_refused),
		cmocka_unit_test(a_batch_is_taken_in_order),
		cmocka_unit_test(a_batch_with_a_bad_item_is_refused_whole),
		cmocka_unit_test(an_item_only_the_host_refuses_is_named),
		cmocka_unit_test(lines_are_events),
		cmocka_unit_test(binary_mode_reads_headers),
		cmocka_unit_test(a_nul_in_a_header_does_not_end_it),
		cmocka_unit_test(plain_json_needs_a_type),
		cmocka_unit_test(plain_json_is_known_by_a_header_or_is_new),
		cmocka_unit_test(no_room_is_503),
		cmocka_unit_test(a_request_that_holds_too_much_is_413),
		cmocka_unit_test(a_token_is_asked_for),
		cmocka_unit_test(a_standard_webhook_is_verified),
		cmocka_unit_test(a_signature_may_be_in_a_header_of_ones_choice),
		cmocka_unit_test(keys_that_make_no_sense_are_refused),
		cmocka_unit_test(another_path_may_be_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
