#include "testhost.h"

#include "base/buf.h"
#include "message.h"
#include "posted.h"
#include "wording.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define URL       "https://hooks.slack.com/services/T/B/x"
#define API       "https://slack.com/api/"
#define HOOK(...) testhost_new(&pointsman_plugin_v1, "ops", LIST("url", URL, __VA_ARGS__))
#define APP(...)                                                                                   \
	testhost_new(&pointsman_plugin_v1, "ops",                                                  \
		     LIST("token", "xoxb-1", "channel", "#site", __VA_ARGS__))

static const char started[] = "{\"type\":\"build.started\",\"subject\":\"site\",\"data\":{"
			      "\"project\":\"site\",\"build\":\"site:1\",\"version\":\"main\"}}";
static const char failed[] =
	"{\"type\":\"build.failed\",\"subject\":\"site\",\"data\":{\"project\":\"site\","
	"\"build\":\"site:1\",\"version\":\"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c\","
	"\"seconds\":125.4,\"reason\":\"a < b && c\",\"log\":\"https://x/?a=1&b=2\"}}";
static const char posted[] = "{\"ok\":true,\"channel\":\"C1\",\"ts\":\"1700000000.000100\"}";

/* The value of a member of the oldest request's body. */
static const char *sent(struct testhost *t, const char *name)
{
	static char text[50000];
	json_t *body = json_loads(testhost_request(t)->body, JSON_REJECT_DUPLICATES, NULL);
	json_t *value = json_object_get(body, name);

	assert_non_null(body);
	if (json_is_string(value))
		snprintf(text, sizeof text, "%s", json_string_value(value));
	else
		snprintf(text, sizeof text, "%zu", json_array_size(value));
	json_decref(body);
	return value ? text : NULL;
}

static void a_webhook_gets_the_text(void **state)
{
	struct testhost *t = HOOK("text", "*{{ data.project }}* {{ data.reason }}");
	pm_delivery d = testhost_deliver(t, failed);

	(void)state;
	assert_string_equal(testhost_request(t)->url, URL);
	assert_null(testhost_request_header(t, "Authorization"));
	assert_string_equal(sent(t, "text"), "*site* a &lt; b &amp;&amp; c");
	assert_null(sent(t, "blocks"));
	assert_null(sent(t, "channel"));
	testhost_answer(t, 200, NULL, "ok");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void a_webhooks_answers_are_understood(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum testhost_end end;
	} cases[] = {
		{200, "no_service", TESTHOST_REJECT},
		{200, "<html>welcome to the hotel</html>", TESTHOST_RETRY},
		{200, "", TESTHOST_RETRY},
		{400, "invalid_payload", TESTHOST_REJECT},
		{403, "invalid_token", TESTHOST_RETRY},
		{404, "channel_not_found", TESTHOST_REJECT},
		{410, "channel_is_archived", TESTHOST_REJECT},
		{500, "rollup_error", TESTHOST_RETRY},
		{503, "", TESTHOST_RETRY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct testhost *t = HOOK("text", "x");
		pm_delivery d = testhost_deliver(t, started);

		testhost_answer(t, cases[i].status, NULL, cases[i].body);
		if (testhost_end(t, d) != cases[i].end)
			fail_msg("%d %s: %d", cases[i].status, cases[i].body, testhost_end(t, d));
		if (*cases[i].body && !strstr(testhost_why(t, d), cases[i].body))
			fail_msg("%s is not in: %s", cases[i].body, testhost_why(t, d));
		testhost_free(t);
	}
}

static void too_many_messages_wait_as_long_as_slack_says(void **state)
{
	struct testhost *t = HOOK("text", "x");
	pm_delivery d = testhost_deliver(t, started);

	(void)state;
	testhost_answer(t, 429, LIST("Retry-After: 30"), "");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	assert_int_equal(testhost_retry_after(t, d), 30000);
	testhost_free(t);
}

static void an_app_posts_to_its_channel(void **state)
{
	struct testhost *t = APP("text", "x");
	pm_delivery d = testhost_deliver(t, "{}");

	(void)state;
	assert_string_equal(testhost_request(t)->url, API "chat.postMessage");
	assert_string_equal(testhost_request_header(t, "Authorization"), "Bearer xoxb-1");
	assert_string_equal(sent(t, "channel"), "#site");
	testhost_answer(t, 200, NULL, posted);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	assert_null(testhost_saved(t, "message/"));
	testhost_free(t);
}

static void a_result_updates_the_message_of_its_build(void **state)
{
	struct testhost *t = APP("text", "{{ type }}");
	pm_delivery d = testhost_deliver(t, started);

	(void)state;
	testhost_answer(t, 200, NULL, posted);
	assert_string_equal(testhost_saved(t, "message/site:1"), "C1 1700000000.000100");
	testhost_restart(t);
	d = testhost_deliver(t, failed);
	assert_string_equal(testhost_request(t)->url, API "chat.update");
	assert_string_equal(sent(t, "channel"), "C1");
	assert_string_equal(sent(t, "ts"), "1700000000.000100");
	assert_string_equal(sent(t, "text"), "build.failed");
	assert_string_equal(sent(t, "blocks"), "0");
	testhost_answer(t, 200, NULL, posted);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void a_message_that_is_gone_is_posted_anew(void **state)
{
	struct testhost *t = APP("text", "x");
	pm_delivery d;

	(void)state;
	testhost_deliver(t, started);
	testhost_answer(t, 200, NULL, posted);
	d = testhost_deliver(t, failed);
	testhost_answer(t, 200, NULL, "{\"ok\":false,\"error\":\"message_not_found\"}");
	assert_string_equal(testhost_request(t)->url, API "chat.postMessage");
	testhost_answer(t, 200, NULL, "{\"ok\":true,\"channel\":\"C1\",\"ts\":\"1700000001.2\"}");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	assert_string_equal(testhost_saved(t, "message/site:1"), "C1 1700000001.2");
	testhost_free(t);
}

static void an_apps_errors_are_final_or_pass(void **state)
{
	static const struct {
		const char *body;
		enum testhost_end end;
	} cases[] = {
		{"{\"ok\":false,\"error\":\"channel_not_found\"}", TESTHOST_REJECT},
		{"{\"ok\":false,\"error\":\"not_in_channel\"}", TESTHOST_REJECT},
		{"{\"ok\":false,\"error\":\"is_archived\"}", TESTHOST_REJECT},
		{"{\"ok\":false,\"error\":\"ratelimited\"}", TESTHOST_RETRY},
		{"{\"ok\":false,\"error\":\"internal_error\"}", TESTHOST_RETRY},
		{"{\"ok\":false,\"error\":\"service_unavailable\"}", TESTHOST_RETRY},
		{"{\"ok\":false,\"error\":\"invalid_auth\"}", TESTHOST_RETRY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct testhost *t = APP("text", "x");
		pm_delivery d = testhost_deliver(t, started);

		testhost_answer(t, 200, NULL, cases[i].body);
		if (testhost_end(t, d) != cases[i].end)
			fail_msg("%s: %d", cases[i].body, testhost_end(t, d));
		assert_null(testhost_saved(t, "message/site:1"));
		testhost_free(t);
	}
}

static void no_answer_is_tried_again(void **state)
{
	struct testhost *t = APP("text", "x");
	pm_delivery d = testhost_deliver(t, started);

	(void)state;
	testhost_no_answer(t, "timed out");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	testhost_free(t);
}

static void blocks_go_with_the_text(void **state)
{
	struct testhost *t = HOOK("text", "x", "blocks",
				  "[{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":"
				  "\"{{ data.reason }}\"}}]");

	(void)state;
	testhost_deliver(t, failed);
	assert_string_equal(sent(t, "text"), "x");
	assert_string_equal(sent(t, "blocks"), "1");
	testhost_answer(t, 200, NULL, "ok");
	testhost_free(t);
}

static void blocks_that_are_too_long_leave_the_text(void **state)
{
	struct testhost *t = HOOK("text", "x", "blocks", "[]");
	pm_delivery d = testhost_deliver(t, failed);

	(void)state;
	testhost_answer(t, 400, NULL, "msg_blocks_too_long");
	assert_null(sent(t, "blocks"));
	testhost_answer(t, 200, NULL, "ok");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
	t = APP("text", "x", "blocks", "[]");
	d = testhost_deliver(t, started);
	testhost_answer(t, 200, NULL, "{\"ok\":false,\"error\":\"msg_blocks_too_long\"}");
	testhost_answer(t, 200, NULL, posted);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	d = testhost_deliver(t, failed);
	testhost_answer(t, 200, NULL, "{\"ok\":false,\"error\":\"msg_blocks_too_long\"}");
	assert_string_equal(testhost_request(t)->url, API "chat.update");
	testhost_answer(t, 200, NULL, "{\"ok\":false,\"error\":\"msg_blocks_too_long\"}");
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	testhost_free(t);
}

static void what_is_no_list_of_blocks_is_refused(void **state)
{
	struct testhost *t = HOOK("blocks", "{}");
	pm_delivery d = testhost_deliver(t, failed);

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_non_null(strstr(testhost_why(t, d), "blocks"));
	testhost_free(t);
}

static void more_blocks_than_slack_takes_are_left_off(void **state)
{
	struct buf blocks = {0};
	struct testhost *t;

	(void)state;
	buf_text_add(&blocks, "[{\"type\":\"divider\"}");
	for (int i = 0; i < 60; i++)
		buf_text_add(&blocks, ",{\"type\":\"divider\"}");
	buf_char(&blocks, ']');
	t = HOOK("blocks", blocks.data);
	testhost_deliver(t, failed);
	assert_string_equal(sent(t, "blocks"), "50");
	testhost_answer(t, 200, NULL, "ok");
	testhost_free(t);
	buf_free(&blocks);
}

static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void long_texts_are_cut_at_a_character(void **state)
{
	struct buf long_one = {0};
	struct testhost *t;

	(void)state;
	for (int i = 0; i < 21000; i++)
		buf_text_add(&long_one, "\xc3\xa9\xe2\x82\xac");
	t = HOOK("text", long_one.data, "blocks",
		 "[{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"text\":\"{{ data.long "
		 "}}\"}},"
		 "{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"{{ data.long "
		 "}}\"}}]");
	char *event = malloc(long_one.len + 100);
	sprintf(event, "{\"data\":{\"long\":\"%s\"}}", long_one.data);
	testhost_deliver(t, event);
	json_t *body = json_loads(testhost_request(t)->body, 0, NULL);
	json_t *blocks = json_object_get(body, "blocks");
	const char *header, *section;

	assert_non_null(body);
	assert_int_equal(characters(json_string_value(json_object_get(body, "text"))), SLACK_TEXT);
	assert_int_equal(json_unpack(blocks, "[{s:{s:s}},{s:{s:s}}]", "text", "text", &header,
				     "text", "text", &section),
			 0);
	assert_int_equal(characters(header), SLACK_HEADER);
	assert_int_equal(characters(section), SLACK_SECTION);
	json_decref(body);
	free(event);
	buf_free(&long_one);
	testhost_answer(t, 200, NULL, "ok");
	testhost_free(t);
}

static void assert_cut(const char *text, size_t most, const char *expected)
{
	char *cut = message_cut(text, most);

	assert_string_equal(cut, expected);
	free(cut);
}

static void no_entity_is_cut_in_two(void **state)
{
	(void)state;
	assert_cut("abc &amp; def", 7, "abc \xe2\x80\xa6");
	assert_cut("abc &amp; def", 8, "abc \xe2\x80\xa6");
	assert_cut("abc &amp; def", 10, "abc &amp;\xe2\x80\xa6");
	assert_cut("abc &amp; def", 13, "abc &amp; def");
	assert_cut("abc: ", 13, "abc");
	assert_cut("", 13, "");
}

static const char *default_text(const char *event)
{
	static char text[1000];
	struct testhost *t = HOOK("timeout", "30s");
	pm_delivery d = testhost_deliver(t, event);

	if (testhost_end(t, d) != TESTHOST_OPEN)
		fail_msg("%s: %s", event, testhost_why(t, d));
	snprintf(text, sizeof text, "%s", sent(t, "text"));
	testhost_answer(t, 200, NULL, "ok");
	testhost_free(t);
	return text;
}

static void every_type_has_words_of_its_own(void **state)
{
	static const char *const types[] = {"build.started",
					    "build.succeeded",
					    "build.failed",
					    "build.stopped",
					    "build.timed-out",
					    "s3.object.changed",
					    "s3.object.removed",
					    "s3.object.written",
					    "s3.object.unchanged",
					    "dynamodb.item.inserted",
					    "dynamodb.item.modified",
					    "dynamodb.item.removed",
					    "dynamodb.stream.gap",
					    "github.push",
					    "github.ref.deleted",
					    "github.pull_request.opened",
					    "github.release.released",
					    "github.issues.opened",
					    "pointsman.delivery.dead",
					    "pointsman.breaker.opened",
					    "pointsman.breaker.closed",
					    "pointsman.source.stalled",
					    "pointsman.group.dropped",
					    "pointsman.journal.damaged",
					    "pointsman.rule.fired"};
	char event[100];

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (strcmp(wording_for(types[i]), wording_for("order.placed")) == 0)
			fail_msg("%s has no words of its own", types[i]);
		/* None may need a value: an absent one would make a dead letter. */
		snprintf(event, sizeof event, "{\"type\":\"%s\"}", types[i]);
		assert_true(strlen(default_text(event)) > 3);
	}
}

static void defaults_say_what_matters(void **state)
{
	(void)state;
	assert_string_equal(default_text(failed),
			    ":x: *site* failed after 2m 5s: a &lt; b &amp;&amp; c "
			    "https://x/?a=1&amp;b=2");
	assert_string_equal(default_text(started),
			    ":hourglass_flowing_sand: *site* is building main");
	assert_string_equal(
		default_text("{\"type\":\"github.push\",\"data\":{\"ref\":\"refs/heads/main\","
			     "\"after\":\"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c\","
			     "\"repository\":{\"full_name\":\"acme/site\"},"
			     "\"head_commit\":{\"message\":\"Fix it\\n\\nReally\"}}}"),
		":arrow_up: *acme/site* main is now 0d1a26e: Fix it");
	assert_string_equal(default_text("{\"type\":\"order.placed\",\"subject\":\"o/1\"}"),
			    "*order.placed* o/1");
	assert_string_equal(default_text("{\"type\":\"order.placed\"}"), "*order.placed*");
}

static void an_absent_value_sends_nothing(void **state)
{
	struct testhost *t = HOOK("text", "{{ data.gone }}");
	pm_delivery d = testhost_deliver(t, failed);

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
	t = APP("update-by", "{{ data.gone }}", "text", "x");
	d = testhost_deliver(t, failed);
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void old_messages_are_forgotten(void **state)
{
	struct testhost *t = APP("text", "x", "update-by", "{{ subject }}");
	char event[100], answer[100], key[40];

	(void)state;
	for (int i = 0; i < POSTED_MOST + 3; i++) {
		snprintf(event, sizeof event, "{\"subject\":\"%d\"}", i);
		snprintf(answer, sizeof answer,
			 "{\"ok\":true,\"channel\":\"C1\",\"ts\":\"%lld.1\"}",
			 (long long)testhost_now(t) / 1000 + i);
		testhost_deliver(t, event);
		testhost_answer(t, 200, NULL, answer);
	}
	assert_null(testhost_saved(t, "message/2"));
	assert_non_null(testhost_saved(t, "message/3"));
	testhost_advance(t, INT64_C(8) * 24 * 3600 * 1000);
	testhost_deliver(t, "{\"subject\":\"last\"}");
	snprintf(answer, sizeof answer, "{\"ok\":true,\"channel\":\"C1\",\"ts\":\"%lld.1\"}",
		 (long long)testhost_now(t) / 1000);
	testhost_answer(t, 200, NULL, answer);
	snprintf(key, sizeof key, "message/%d", POSTED_MOST + 2);
	assert_null(testhost_saved(t, key));
	assert_non_null(testhost_saved(t, "message/last"));
	testhost_free(t);
}

static void keys_must_agree(void **state)
{
	(void)state;
	assert_null(testhost_new(&pointsman_plugin_v1, "s", NULL));
	assert_null(testhost_new(&pointsman_plugin_v1, "s", LIST("token", "x")));
	assert_non_null(strstr(testhost_last_log(NULL), "channel"));
	assert_null(testhost_new(&pointsman_plugin_v1, "s", LIST("url", URL, "token", "x")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_webhook_gets_the_text),
		cmocka_unit_test(a_webhooks_answers_are_understood),
		cmocka_unit_test(too_many_messages_wait_as_long_as_slack_says),
		cmocka_unit_test(an_app_posts_to_its_channel),
		cmocka_unit_test(a_result_updates_the_message_of_its_build),
		cmocka_unit_test(a_message_that_is_gone_is_posted_anew),
		cmocka_unit_test(an_apps_errors_are_final_or_pass),
		cmocka_unit_test(no_answer_is_tried_again),
		cmocka_unit_test(blocks_go_with_the_text),
		cmocka_unit_test(blocks_that_are_too_long_leave_the_text),
		cmocka_unit_test(what_is_no_list_of_blocks_is_refused),
		cmocka_unit_test(more_blocks_than_slack_takes_are_left_off),
		cmocka_unit_test(long_texts_are_cut_at_a_character),
		cmocka_unit_test(no_entity_is_cut_in_two),
		cmocka_unit_test(every_type_has_words_of_its_own),
		cmocka_unit_test(defaults_say_what_matters),
		cmocka_unit_test(an_absent_value_sends_nothing),
		cmocka_unit_test(old_messages_are_forgotten),
		cmocka_unit_test(keys_must_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
