#define PM_ABI_MINOR 1 /* as the plugin */
#include "testhost.h"

#include "base/hash.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

#define URL "https://x.example.com/in"
#define HOST(...)                                                                                  \
	testhost_new(&pointsman_plugin_v1, "out", (const char *const[]){"url", URL, __VA_ARGS__})

static const char event[] =
	"{\"type\":\"a.b\",\"id\":\"7\",\"source\":\"shop\",\"subject\":\"caf\xc3\xa9 100%\","
	"\"data\":{\"n\":1.50,\"bad\":\"x\\r\\ny\"}}";

static void an_event_is_sent_whole(void **state)
{
	struct testhost *t = HOST(NULL);
	pm_delivery d = testhost_deliver(t, event);

	(void)state;
	assert_string_equal(testhost_request(t)->url, URL);
	assert_string_equal(testhost_request(t)->method, "POST");
	assert_string_equal(testhost_request_header(t, "Content-Type"),
			    "application/cloudevents+json");
	assert_non_null(strstr(testhost_request(t)->body, "\"type\":\"a.b\""));
	assert_non_null(strstr(testhost_request(t)->body, "\"n\":1.50"));
	assert_int_equal(testhost_request(t)->delivery, d);
	assert_null(testhost_request_header(t, "Authorization"));
	assert_null(testhost_request_header(t, "webhook-id"));
	testhost_answer(t, 204, NULL, "");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void binary_puts_attributes_into_headers(void **state)
{
	struct testhost *t = HOST("mode", "binary", "method", "PUT", NULL);

	(void)state;
	testhost_deliver(t, event);
	assert_string_equal(testhost_request(t)->method, "PUT");
	assert_string_equal(testhost_request_header(t, "Content-Type"), "application/json");
	assert_string_equal(testhost_request_header(t, "ce-specversion"), "1.0");
	assert_string_equal(testhost_request_header(t, "ce-id"), "7");
	assert_string_equal(testhost_request_header(t, "ce-source"), "shop");
	assert_string_equal(testhost_request_header(t, "ce-type"), "a.b");
	assert_string_equal(testhost_request_header(t, "ce-subject"), "caf%C3%A9%20100%25");
	assert_non_null(testhost_request_header(t, "ce-time"));
	assert_string_equal(testhost_request(t)->body, "{\"n\":1.50,\"bad\":\"x\\r\\ny\"}");
	testhost_answer(t, 200, NULL, "");
	testhost_free(t);
}

static void an_absent_attribute_has_no_header(void **state)
{
	struct testhost *t = HOST("mode", "binary", NULL);

	(void)state;
	testhost_deliver(t, "{}");
	assert_null(testhost_request_header(t, "ce-subject"));
	testhost_answer(t, 200, NULL, "");
	testhost_free(t);
}

static void a_body_of_ones_own_is_sent(void **state)
{
	struct testhost *t = HOST("body", "{\"n\": {{ data.n }}}", "header.X-N", "n={{ data.n }}",
				  "token", "t0ken", NULL);

	(void)state;
	testhost_deliver(t, event);
	assert_string_equal(testhost_request(t)->body, "{\"n\": 1.50}");
	assert_string_equal(testhost_request_header(t, "Content-Type"), "application/json");
	assert_string_equal(testhost_request_header(t, "X-N"), "n=1.50");
	assert_string_equal(testhost_request_header(t, "Authorization"), "Bearer t0ken");
	testhost_answer(t, 200, NULL, "");
	testhost_free(t);
}

/* As a receiver would compute it, from what was sent. */
static void signature(struct testhost *t, const char *key, size_t key_len, char out[64])
{
	unsigned char mac[32];
	char text[2048];

	snprintf(text, sizeof text, "%s.%s.%s", testhost_request_header(t, "webhook-id"),
		 testhost_request_header(t, "webhook-timestamp"), testhost_request(t)->body);
	hash_hmac_sha256(key, key_len, text, strlen(text), mac);
	EVP_EncodeBlock((unsigned char *)out, mac, 32);
}

static void each_secret_signs(void **state)
{
	struct testhost *t = HOST("secret", "plain, whsec_dHdv", NULL);
	char first[64], second[64], both[160], seconds[32];

	(void)state;
	testhost_deliver(t, event);
	signature(t, "plain", 5, first);
	signature(t, "two", 3, second);
	snprintf(both, sizeof both, "v1,%s v1,%s", first, second);
	snprintf(seconds, sizeof seconds, "%lld", (long long)testhost_now(t) / 1000);
	assert_string_equal(testhost_request_header(t, "webhook-signature"), both);
	assert_string_equal(testhost_request_header(t, "webhook-timestamp"), seconds);
	assert_string_equal(testhost_request_header(t, "webhook-id"), "key-1");
	testhost_answer(t, 200, NULL, "");
	testhost_free(t);
}

static void a_retry_has_the_same_id_and_a_new_time(void **state)
{
	struct testhost *t = HOST("secret", "plain", NULL);
	char first[32];
	pm_delivery d = testhost_deliver(t, event);

	(void)state;
	strcpy(first, testhost_request_header(t, "webhook-timestamp"));
	testhost_answer(t, 503, (const char *const[]){"Retry-After: 5", NULL}, "");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	assert_int_equal(testhost_retry_after(t, d), 5000);
	testhost_advance(t, 5000);
	testhost_again(t, d);
	assert_string_not_equal(testhost_request_header(t, "webhook-timestamp"), first);
	assert_string_equal(testhost_request_header(t, "webhook-id"), "key-1");
	testhost_answer(t, 200, NULL, "");
	testhost_free(t);
}

static void gone_and_moved_are_final(void **state)
{
	static const int statuses[] = {301, 400, 404, 410, 422};

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct testhost *t = HOST(NULL);
		pm_delivery d = testhost_deliver(t, event);

		testhost_answer(t, statuses[i], NULL, "no");
		assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
		testhost_free(t);
	}
}

static void what_passes_is_tried_again(void **state)
{
	static const int statuses[] = {0, 408, 425, 429, 500, 502, 503, 504};

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct testhost *t = HOST(NULL);
		pm_delivery d = testhost_deliver(t, event);

		if (statuses[i])
			testhost_answer(t, statuses[i], NULL, "");
		else
			testhost_no_answer(t, "connection refused");
		assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
		testhost_free(t);
	}
}

static void a_line_break_in_a_header_is_refused(void **state)
{
	struct testhost *t = HOST("header.X-Bad", "{{ data.bad }}", NULL);
	pm_delivery d = testhost_deliver(t, event);

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_non_null(strstr(testhost_why(t, d), "header.X-Bad"));
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void an_absent_value_sends_nothing(void **state)
{
	struct testhost *t = HOST("body", "{\"n\": {{ data.gone }}}", NULL);
	pm_delivery d = testhost_deliver(t, event);

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
	t = HOST("header.X-N", "{{ data.gone }}", NULL);
	d = testhost_deliver(t, event);
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void body_and_mode_must_agree(void **state)
{
	(void)state;
	assert_null(HOST("mode", "binary", "body", "{}", NULL));
	assert_non_null(strstr(testhost_last_log(NULL), "mode = body"));
	assert_null(HOST("mode", "body", NULL));
	assert_non_null(strstr(testhost_last_log(NULL), "`body`"));
}

static const char *const three[] = {"{\"id\":\"a\"}", "{\"id\":\"b\"}", "{\"id\":\"c\"}"};

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void several_events_are_one_array_and_end_by_one_answer(void **state)
{
	struct testhost *t = HOST("batch", "10", NULL);
	const char *body;
	pm_delivery d[3];

	(void)state;
	testhost_deliver_many(t, three, 3, d);
	assert_int_equal(testhost_requests(t), 1);
	assert_int_equal(testhost_request(t)->nmany, 3);
	assert_string_equal(testhost_request_header(t, "Content-Type"),
			    "application/cloudevents-batch+json");
	body = testhost_request(t)->body;
	assert_true(begins(body, "[{\"idempotencykey\":\"key-1\",\"specversion\":\"1.0\","));
	assert_non_null(strstr(body, "},{\"idempotencykey\":\"key-2\","));
	assert_non_null(strstr(body, "},{\"idempotencykey\":\"key-3\","));
	assert_string_equal(body + strlen(body) - 2, "}]");
	testhost_answer(t, 200, NULL, "");
	for (int i = 0; i < 3; i++)
		assert_int_equal(testhost_end(t, d[i]), TESTHOST_OK);
	testhost_free(t);
}

static void a_batch_of_one_is_an_array_too_and_names_its_delivery(void **state)
{
	struct testhost *t = HOST("batch", "10", NULL);
	pm_delivery d;

	(void)state;
	testhost_deliver_many(t, three, 1, &d);
	assert_int_equal(testhost_request(t)->delivery, d);
	assert_int_equal(testhost_request(t)->body[0], '[');
	testhost_answer(t, 400, NULL, "no");
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	testhost_free(t);
}

static void lines_hold_an_event_each(void **state)
{
	struct testhost *t = HOST("mode", "ndjson", "batch", "2", NULL);
	const char *body, *second;
	pm_delivery d[2];

	(void)state;
	testhost_deliver_many(t, three, 2, d);
	assert_string_equal(testhost_request_header(t, "Content-Type"), "application/x-ndjson");
	body = testhost_request(t)->body;
	second = strchr(body, '\n') + 1;
	assert_true(begins(body, "{\"idempotencykey\":\"key-1\","));
	assert_true(begins(second, "{\"idempotencykey\":\"key-2\","));
	assert_string_equal(strchr(second, '\n'), "\n");
	testhost_answer(t, 200, NULL, "");
	testhost_free(t);
	t = HOST("mode", "ndjson", NULL);
	d[0] = testhost_deliver(t, event);
	assert_non_null(strchr(testhost_request(t)->body, '\n'));
	testhost_answer(t, 200, NULL, "");
	assert_int_equal(testhost_end(t, d[0]), TESTHOST_OK);
	testhost_free(t);
}

static void what_is_refused_together_is_split_and_keeps_its_keys(void **state)
{
	static const int statuses[] = {400, 413, 422, 404};
	pm_delivery d[3];

	(void)state;
	for (size_t s = 0; s < sizeof statuses / sizeof *statuses; s++) {
		struct testhost *t = HOST("batch", "10", NULL);

		testhost_deliver_many(t, three, 3, d);
		testhost_answer(t, statuses[s], NULL, "no");
		for (int i = 0; i < 3; i++)
			assert_int_equal(testhost_end(t, d[i]), TESTHOST_SPLIT);
		testhost_again_many(t, d, 2);
		testhost_again_many(t, d + 2, 1);
		assert_non_null(strstr(testhost_request(t)->body, "\"key-1\""));
		testhost_answer(t, 200, NULL, "");
		assert_non_null(strstr(testhost_request(t)->body, "\"key-3\""));
		testhost_answer(t, statuses[s], NULL, "no");
		assert_int_equal(testhost_end(t, d[0]), TESTHOST_OK);
		assert_int_equal(testhost_end(t, d[1]), TESTHOST_OK);
		assert_int_equal(testhost_end(t, d[2]), TESTHOST_REJECT);
		testhost_free(t);
	}
}

static void what_passes_is_tried_again_together(void **state)
{
	struct testhost *t = HOST("batch", "10", NULL);
	pm_delivery d[3];

	(void)state;
	testhost_deliver_many(t, three, 3, d);
	testhost_answer(t, 503, (const char *const[]){"Retry-After: 7", NULL}, "");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(testhost_end(t, d[i]), TESTHOST_RETRY);
		assert_int_equal(testhost_retry_after(t, d[i]), 7000);
	}
	testhost_free(t);
}

static void a_signed_batch_has_the_same_id_for_the_same_events(void **state)
{
	struct testhost *t = HOST("batch", "10", "secret", "plain", NULL);
	char id[40], mac[64], line[80];
	pm_delivery d[3];

	(void)state;
	testhost_deliver_many(t, three, 3, d);
	snprintf(id, sizeof id, "%s", testhost_request_header(t, "webhook-id"));
	signature(t, "plain", 5, mac);
	snprintf(line, sizeof line, "v1,%s", mac);
	assert_string_equal(testhost_request_header(t, "webhook-signature"), line);
	testhost_answer(t, 503, NULL, "");
	testhost_again_many(t, d, 3);
	assert_string_equal(testhost_request_header(t, "webhook-id"), id);
	testhost_answer(t, 503, NULL, "");
	testhost_again_many(t, d, 2);
	assert_string_not_equal(testhost_request_header(t, "webhook-id"), id);
	testhost_answer(t, 200, NULL, "");
	testhost_free(t);
}

static void what_is_of_one_event_does_not_go_with_a_batch(void **state)
{
	(void)state;
	assert_null(HOST("batch", "2", "mode", "binary", NULL));
	assert_non_null(strstr(testhost_last_log(NULL), "`batch` needs mode"));
	assert_null(HOST("batch", "2", "body", "{}", NULL));
	assert_null(HOST("batch", "2", "header.X-N", "{{ data.n }}", NULL));
	assert_non_null(strstr(testhost_last_log(NULL), "header.X-N"));
	testhost_free(HOST("batch", "2", "header.X-Team", "blue", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_sent_whole),
		cmocka_unit_test(binary_puts_attributes_into_headers),
		cmocka_unit_test(an_absent_attribute_has_no_header),
		cmocka_unit_test(a_body_of_ones_own_is_sent),
		cmocka_unit_test(each_secret_signs),
		cmocka_unit_test(a_retry_has_the_same_id_and_a_new_time),
		cmocka_unit_test(gone_and_moved_are_final),
		cmocka_unit_test(what_passes_is_tried_again),
		cmocka_unit_test(a_line_break_in_a_header_is_refused),
		cmocka_unit_test(an_absent_value_sends_nothing),
		cmocka_unit_test(body_and_mode_must_agree),
		cmocka_unit_test(several_events_are_one_array_and_end_by_one_answer),
		cmocka_unit_test(a_batch_of_one_is_an_array_too_and_names_its_delivery),
		cmocka_unit_test(lines_hold_an_event_each),
		cmocka_unit_test(what_is_refused_together_is_split_and_keeps_its_keys),
		cmocka_unit_test(what_passes_is_tried_again_together),
		cmocka_unit_test(a_signed_batch_has_the_same_id_for_the_same_events),
		cmocka_unit_test(what_is_of_one_event_does_not_go_with_a_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
