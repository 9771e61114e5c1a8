#include "testhost.h"

#include "base/buf.h"
#include "base/hash.h"

#include <ctype.h>
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
#define API       "https://api.github.com/repos/acme/site/git/matching-refs/"
#define ZERO      "0000000000000000000000000000000000000000"
#define A         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B         "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C         "cccccccccccccccccccccccccccccccccccccccc"
#define MAIN      "refs/heads/main"
#define SWEEP_MS  (10 * 60 * 1000)

static struct testhost *host(const char *const *more)
{
	const char *settings[20] = {"repository", "acme/site"};
	struct testhost *t;

	for (size_t i = 0; more && more[i]; i++)
		settings[2 + i] = more[i];
	t = testhost_new(&pointsman_plugin_v1, "repo", settings);
	assert_non_null(t);
	assert_true(testhost_start(t));
	return t;
}

/* Webhooks alone. */
static struct testhost *hooked(void)
{
	return host(LIST("secret", "old, new"));
}

/* Both; the first sweep finds main at A. */
static struct testhost *swept(void)
{
	struct testhost *t = host(LIST("secret", "new", "sweep", "10m", "branches", "main"));

	testhost_answer(t, 200, LIST("ETag: \"1\""),
			"[{\"ref\":\"" MAIN "\",\"object\":{\"type\":\"commit\",\"sha\":\"" A
			"\"}}]");
	assert_string_equal(testhost_event(t)->id, MAIN ":" ZERO ".." A "#1");
	return t;
}

static int post_as(struct testhost *t, const char *event, const char *delivery, const char *secret,
		   const char *type, const char *body, const char **reply)
{
	char headers[4][200];
	unsigned char mac[32];
	char hex[65];

	hash_hmac_sha256(secret, strlen(secret), body, strlen(body), mac);
	hash_hex(mac, 32, hex);
	snprintf(headers[0], sizeof headers[0], "X-Hub-Signature-256: sha256=%s", hex);
	snprintf(headers[1], sizeof headers[1], "X-GitHub-Event: %s", event);
	snprintf(headers[2], sizeof headers[2], "X-GitHub-Delivery: %s", delivery);
	snprintf(headers[3], sizeof headers[3], "Content-Type: %s", type);
	return testhost_post(t, "/repo", LIST(headers[0], headers[1], headers[2], headers[3]), body,
			     strlen(body), reply);
}

static int post(struct testhost *t, const char *event, const char *delivery, const char *body)
{
	return post_as(t, event, delivery, "new", "application/json", body, NULL);
}

static char *push_body(const char *ref, const char *before, const char *after, const char *more)
{
	static char body[2000];

	snprintf(body, sizeof body,
		 "{\"ref\":\"%s\",\"before\":\"%s\",\"after\":\"%s\",\"created\":false,"
		 "\"repository\":{\"full_name\":\"Acme/Site\"%s},\"head_commit\":{\"id\":\"%s\"},"
		 "\"sender\":{\"login\":\"ann\"}}",
		 ref, before, after, more, after);
	return body;
}

static int push(struct testhost *t, const char *delivery, const char *before, const char *after)
{
	return post(t, "push", delivery, push_body(MAIN, before, after, ""));
}

static void answer_main(struct testhost *t, const char *sha)
{
	char body[300];

	snprintf(body, sizeof body,
		 "[{\"ref\":\"" MAIN "\",\"object\":{\"type\":\"commit\",\"sha\":\"%s\"}},"
		 "{\"ref\":\"" MAIN "-2\",\"object\":{\"type\":\"commit\",\"sha\":\"" C "\"}}]",
		 sha);
	testhost_answer(t, 200, NULL, body);
}

static void expect(struct testhost *t, const char *type, const char *id)
{
	const struct testhost_event *e = testhost_event(t);

	assert_string_equal(e->type, type);
	assert_string_equal(e->id, id);
	assert_string_equal(e->subject, MAIN);
}

static void a_signed_push_is_an_event(void **state)
{
	struct testhost *t = hooked();
	const struct testhost_event *e;

	(void)state;
	assert_int_equal(push(t, "d1", A, B), 202);
	e = testhost_event(t);
	assert_string_equal(e->type, "github.push");
	assert_string_equal(e->subject, MAIN);
	assert_string_equal(e->id, MAIN ":" A ".." B "#1");
	assert_string_equal(e->json, push_body(MAIN, A, B, ""));
	testhost_free(t);
}

static void every_secret_of_the_list_is_good(void **state)
{
	struct testhost *t = hooked();
	const char *body = push_body(MAIN, A, B, "");

	(void)state;
	assert_int_equal(post_as(t, "ping", "d1", "old", "application/json", body, NULL), 200);
	assert_int_equal(post_as(t, "ping", "d1", "new", "application/json", body, NULL), 200);
	assert_int_equal(post_as(t, "ping", "d1", "other", "application/json", body, NULL), 401);
	assert_int_equal(testhost_post(t, "/repo", NULL, "{}", 2, NULL), 401);
	assert_int_equal(
		testhost_post(t, "/repo", LIST("X-Hub-Signature-256: sha256="), "{}", 2, NULL),
		401);
	assert_int_equal(testhost_post(t, "/repo", LIST("X-Hub-Signature: sha1=00"), "{}", 2, NULL),
			 401);
	assert_int_equal(testhost_counted(t, "bad_signature"), 4);
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void a_form_is_read_like_json(void **state)
{
	struct testhost *t = hooked();
	const char *json = push_body(MAIN, A, B, "");
	struct buf form = {0};

	(void)state;
	buf_text_add(&form, "x=1&payload=");
	for (const char *p = json; *p; p++) {
		if (isalnum((unsigned char)*p))
			buf_char(&form, *p);
		else
			buf_printf(&form, *p == ' ' ? "+" : "%%%02x", (unsigned char)*p);
	}
	assert_int_equal(post_as(t, "push", "d1", "new", "application/x-www-form-urlencoded",
				 form.data, NULL),
			 202);
	assert_string_equal(testhost_event(t)->json, json);
	buf_free(&form);
	testhost_free(t);
}

static void what_is_wrong_is_told(void **state)
{
	static const struct {
		const char *event, *body, *word;
		int status;
	} cases[] = {
		{"push", "{\n \"ref\": }", "line 2, column 9", 400},
		{"push", "", "line 1", 400},
		{"issues", "{\"a\":1,\"a\":2}", "duplicate", 400},
		{"push", "{\"repository\":{\"full_name\":\"acme/site\"}}", "ref", 400},
		{"Push!", "{\"repository\":{\"full_name\":\"acme/site\"}}", "X-GitHub-Event", 400},
		{"push", "{\"repository\":{\"full_name\":\"acme/other\"}}", "ignored", 200},
		{"organization", "{\"organization\":{}}", "ignored", 200},
	};
	struct testhost *t = hooked();
	const char *reply;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int status = post_as(t, cases[i].event, "d", "new", "application/json",
				     cases[i].body, &reply);

		assert_int_equal(status, cases[i].status);
		if (!strstr(reply, cases[i].word))
			fail_msg("%s: %s", cases[i].body, reply);
	}
	assert_int_equal(testhost_events(t), 0);
	assert_int_equal(testhost_counted(t, "other_repository"), 2);
	testhost_free(t);
}

#define OURS "\"repository\":{\"full_name\":\"acme/site\"}}"

static void events_have_their_action_and_their_ref(void **state)
{
	static const struct {
		const char *event, *body, *type, *subject;
	} cases[] = {
		{"pull_request", "{\"action\":\"opened\",\"pull_request\":{\"number\":7}," OURS,
		 "github.pull_request.opened", "refs/pull/7/head"},
		{"create", "{\"ref\":\"v1\",\"ref_type\":\"tag\"," OURS, "github.create",
		 "refs/tags/v1"},
		{"delete", "{\"ref\":\"a/b\",\"ref_type\":\"branch\"," OURS, "github.delete",
		 "refs/heads/a/b"},
		{"release", "{\"action\":\"released\",\"release\":{\"tag_name\":\"v1\"}," OURS,
		 "github.release.released", "refs/tags/v1"},
		{"workflow_run",
		 "{\"action\":\"completed\",\"workflow_run\":{\"head_branch\":\"main\"}," OURS,
		 "github.workflow_run.completed", MAIN},
		{"star", "{\"action\":\"created\"," OURS, "github.star.created", NULL},
		{"repository_dispatch", "{\"action\":\"My Deploy\"," OURS,
		 "github.repository_dispatch", NULL},
		{"watch", "{" OURS, "github.watch", NULL},
	};
	struct testhost *t = hooked();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct testhost_event *e;

		assert_int_equal(post(t, cases[i].event, "guid-1", cases[i].body), 202);
		e = testhost_event(t);
		assert_string_equal(e->type, cases[i].type);
		assert_string_equal(e->id, "guid-1");
		if (cases[i].subject)
			assert_string_equal(e->subject, cases[i].subject);
		else
			assert_null(e->subject);
	}
	testhost_free(t);
}

static void without_a_repository_all_that_is_sent_counts(void **state)
{
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "repo", LIST("secret", "new"));
	const struct testhost_event *e;
	char other[2000];

	(void)state;
	assert_true(testhost_start(t));
	assert_int_equal(push(t, "d1", A, B), 202);
	e = testhost_event(t);
	assert_string_equal(e->source, "Acme/Site");
	assert_string_equal(e->id, "Acme/Site " MAIN ":" A ".." B "#1");
	assert_string_equal(e->subject, MAIN);
	snprintf(other, sizeof other, "%s", push_body(MAIN, A, B, ""));
	memcpy(strstr(other, "Acme/Site"), "Acme/Docs", 9);
	assert_int_equal(post(t, "push", "d2", other), 202);
	assert_string_equal(testhost_event(t)->source, "Acme/Docs");
	assert_int_equal(post(t, "organization", "d3", "{\"action\":\"renamed\"}"), 202);
	e = testhost_event(t);
	assert_string_equal(e->type, "github.organization.renamed");
	assert_null(e->source);
	testhost_free(t);
}

static void no_room_is_503_and_the_push_may_come_again(void **state)
{
	struct testhost *t = hooked();

	(void)state;
	testhost_full(t, 1);
	assert_int_equal(push(t, "d1", A, B), 503);
	testhost_resume(t);
	assert_int_equal(push(t, "d1", A, B), 202);
	assert_int_equal(testhost_events(t), 1);
	testhost_free(t);
}

static void a_push_back_is_a_new_event_a_redelivery_none(void **state)
{
	struct testhost *t = hooked();

	(void)state;
	push(t, "d1", A, B);
	push(t, "d2", B, A);
	push(t, "d3", A, B);
	expect(t, "github.push", MAIN ":" A ".." B "#1");
	expect(t, "github.push", MAIN ":" B ".." A "#2");
	expect(t, "github.push", MAIN ":" A ".." B "#3");
	testhost_restart(t);
	assert_int_equal(push(t, "d3", A, B), 202);
	assert_int_equal(push(t, "d2", B, A), 202);
	assert_int_equal(testhost_events(t), 0);
	push(t, "d4", B, A);
	assert_int_equal(push(t, "d1", A, B), 202);
	assert_int_equal(testhost_events(t), 1);
	testhost_free(t);
}

static void an_older_push_that_begins_where_we_stand_is_late(void **state)
{
	struct testhost *t = hooked();

	(void)state;
	post(t, "push", "d1", push_body(MAIN, B, A, ",\"pushed_at\":1700000000"));
	assert_string_equal(testhost_event(t)->time, "1700000000000");
	post(t, "push", "d2", push_body(MAIN, A, B, ",\"pushed_at\":1699999999"));
	assert_int_equal(testhost_events(t), 0);
	post(t, "push", "d3", push_body(MAIN, A, B, ",\"pushed_at\":1700000000"));
	assert_int_equal(testhost_events(t), 1);
	testhost_free(t);
}

static void without_an_api_a_push_is_taken_at_its_word(void **state)
{
	struct testhost *t = hooked();

	(void)state;
	push(t, "d1", A, B);
	push(t, "d2", C, A);
	assert_int_equal(testhost_events(t), 2);
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void a_deleted_branch_is_told_and_may_come_back(void **state)
{
	struct testhost *t = hooked();

	(void)state;
	push(t, "d1", A, B);
	push(t, "d2", B, ZERO);
	push(t, "d2", B, ZERO);
	push(t, "d3", ZERO, B);
	expect(t, "github.push", MAIN ":" A ".." B "#1");
	expect(t, "github.ref.deleted", MAIN ":" B ".." ZERO "#2");
	expect(t, "github.push", MAIN ":" ZERO ".." B "#3");
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void other_branches_are_left_out(void **state)
{
	struct testhost *t =
		host(LIST("secret", "new", "branches", "main, release/*", "tags", "v*.0"));
	static const struct {
		const char *ref;
		int status;
	} cases[] = {
		{"refs/heads/main", 202},        {"refs/heads/main2", 200},
		{"refs/heads/release/1/x", 202}, {"refs/heads/release", 200},
		{"refs/tags/v1.0", 202},         {"refs/tags/v1.1", 200},
		{"refs/tags/main", 200},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(post(t, "push", "d", push_body(cases[i].ref, A, B, "")),
				 cases[i].status);
	assert_int_equal(testhost_events(t), 3);
	testhost_free(t);
}

static void with_branches_alone_tags_do_not_count(void **state)
{
	struct testhost *t = host(LIST("secret", "new", "branches", "*"));

	(void)state;
	assert_int_equal(post(t, "push", "d", push_body("refs/tags/v1", A, B, "")), 200);
	assert_int_equal(post(t, "push", "d", push_body("refs/heads/x/y", A, B, "")), 202);
	testhost_free(t);
	t = host(LIST("secret", "new", "tags", "*"));
	assert_int_equal(post(t, "push", "d", push_body("refs/tags/v1", A, B, "")), 202);
	assert_int_equal(post(t, "push", "d", push_body("refs/heads/x", A, B, "")), 200);
	testhost_free(t);
}

static void the_api_is_asked_politely(void **state)
{
	struct testhost *t =
		host(LIST("sweep", "10m", "branches", "main, release #*", "token", "t0k"));

	(void)state;
	assert_int_equal(testhost_requests(t), 1);
	assert_string_equal(testhost_request(t)->url, API "heads/main?per_page=100");
	assert_string_equal(testhost_request(t)->method, "GET");
	assert_string_equal(testhost_request_header(t, "Authorization"), "Bearer t0k");
	assert_string_equal(testhost_request_header(t, "User-Agent"), "pointsman");
	assert_null(testhost_request_header(t, "If-None-Match"));
	testhost_answer(t, 200, NULL, "[]");
	assert_string_equal(testhost_request(t)->url, API "heads/release%20%23?per_page=100");
	testhost_answer(t, 200, NULL, "[]");
	assert_int_equal(testhost_requests(t), 0);
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

static void the_first_sweep_tells_where_refs_stand(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m", "branches", "main"));
	const struct testhost_event *e;

	(void)state;
	assert_null(testhost_request_header(t, "Authorization"));
	answer_main(t, A);
	e = testhost_event(t);
	assert_string_equal(e->type, "github.push");
	assert_string_equal(e->json, "{\"ref\":\"" MAIN "\",\"before\":\"" ZERO "\",\"after\":\"" A
				     "\",\"created\":true,\"deleted\":false,\"repository\":{"
				     "\"full_name\":\"acme/site\"},\"head_commit\":{\"id\":\"" A
				     "\"},\"first\":true}");
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, SWEEP_MS);
	answer_main(t, B);
	expect(t, "github.push", MAIN ":" A ".." B "#2");
	testhost_free(t);
}

static void a_clock_that_is_set_back_puts_off_no_sweep(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m", "branches", "main"));

	(void)state;
	answer_main(t, A);
	testhost_set_clock(t, -24 * 3600 * 1000);
	testhost_advance(t, SWEEP_MS);
	answer_main(t, B);
	testhost_free(t);
}

static void an_unchanged_answer_is_asked_for(void **state)
{
	struct testhost *t = swept();

	(void)state;
	testhost_advance(t, SWEEP_MS);
	assert_string_equal(testhost_request_header(t, "If-None-Match"), "\"1\"");
	testhost_answer(t, 304, NULL, "");
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void a_push_seen_both_ways_is_one_event(void **state)
{
	struct testhost *t = swept();

	(void)state;
	push(t, "d1", A, B);
	expect(t, "github.push", MAIN ":" A ".." B "#2");
	testhost_advance(t, SWEEP_MS);
	assert_null(testhost_request_header(t, "If-None-Match"));
	answer_main(t, B);
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, SWEEP_MS);
	answer_main(t, C);
	expect(t, "github.push", MAIN ":" B ".." C "#3");
	push(t, "d2", B, C);
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void a_push_that_does_not_fit_is_a_hint(void **state)
{
	struct testhost *t = swept();

	(void)state;
	assert_int_equal(push(t, "d2", B, C), 202);
	assert_int_equal(testhost_events(t), 0);
	assert_string_equal(testhost_request(t)->url, API "heads/main?per_page=100");
	testhost_restart(t);
	answer_main(t, C);
	expect(t, "github.push", MAIN ":" A ".." C "#2");
	assert_null(testhost_saved(t, "ask/heads/main"));
	push(t, "d1", A, B);
	answer_main(t, C);
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static char *big_push(void)
{
	struct buf b = {0};

	buf_printf(&b, "{\"filler\":\"");
	for (int i = 0; i < 1100000; i++)
		buf_char(&b, 'x');
	buf_printf(&b, "\",%s", push_body(MAIN, A, B, "") + 1);
	return buf_take(&b);
}

static void a_payload_too_large_is_a_hint(void **state)
{
	struct testhost *t = swept();
	char *body = big_push();

	(void)state;
	assert_int_equal(post(t, "push", "d1", body), 202);
	answer_main(t, B);
	expect(t, "github.push", MAIN ":" A ".." B "#2");
	testhost_free(t);
	t = hooked();
	assert_int_equal(post(t, "push", "d1", body), 202);
	expect(t, "github.push", MAIN ":" A ".." B "#1");
	testhost_free(t);
	free(body);
}

static void a_webhook_that_overtakes_an_answer_wins(void **state)
{
	struct testhost *t = swept();

	(void)state;
	testhost_advance(t, SWEEP_MS);
	push(t, "d1", A, B);
	expect(t, "github.push", MAIN ":" A ".." B "#2");
	answer_main(t, A);
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, 2000);
	answer_main(t, B);
	assert_int_equal(testhost_events(t), 0);
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void a_step_back_is_believed_when_it_is_said_twice(void **state)
{
	struct testhost *t = swept();

	(void)state;
	testhost_advance(t, SWEEP_MS - 1000);
	push(t, "d1", A, B);
	testhost_event(t);
	testhost_advance(t, 1000);
	answer_main(t, A);
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, 2000);
	answer_main(t, A);
	expect(t, "github.push", MAIN ":" B ".." A "#3");
	testhost_free(t);
}

static void a_ref_that_is_gone_is_deleted(void **state)
{
	struct testhost *t = swept();

	(void)state;
	testhost_advance(t, SWEEP_MS);
	testhost_answer(t, 200, NULL, "[]");
	expect(t, "github.ref.deleted", MAIN ":" A ".." ZERO "#2");
	testhost_advance(t, SWEEP_MS);
	testhost_answer(t, 200, NULL, "[]");
	assert_int_equal(testhost_events(t), 0);
	testhost_advance(t, SWEEP_MS);
	answer_main(t, A);
	expect(t, "github.push", MAIN ":" ZERO ".." A "#3");
	testhost_free(t);
}

static void a_repository_not_seen_deletes_nothing(void **state)
{
	static const int statuses[] = {401, 403, 404, 500, 0};
	struct testhost *t = swept();

	(void)state;
	testhost_advance(t, SWEEP_MS);
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		if (statuses[i])
			testhost_answer(t, statuses[i], NULL, "{\"message\":\"no\"}");
		else
			testhost_no_answer(t, "refused");
		assert_non_null(strstr(testhost_problem(t), API "heads/main"));
		testhost_advance(t, 60 * 1000);
		assert_int_equal(testhost_requests(t), 1);
	}
	testhost_answer(t, 200, NULL, "{\"message\":\"no list\"}");
	testhost_advance(t, 60 * 1000);
	answer_main(t, A);
	assert_string_equal(testhost_problem(t), "");
	assert_int_equal(testhost_events(t), 0);
	testhost_free(t);
}

static void an_empty_repository_has_no_refs(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m", "branches", "main"));

	(void)state;
	testhost_answer(t, 409, NULL, "{\"message\":\"Git Repository is empty.\"}");
	assert_string_equal(testhost_problem(t), "");
	testhost_advance(t, SWEEP_MS);
	answer_main(t, A);
	assert_null(strstr(testhost_event(t)->json, "first"));
	testhost_free(t);
}

#define REF(name, sha)                                                                             \
	"{\"ref\":\"refs/heads/" name "\",\"object\":{\"type\":\"commit\",\"sha\":\"" sha "\"}}"

static void pages_are_followed(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m", "branches", "*"));
	static const char next[] = "Link: <https://api.github.com/x?page=1>; rel=\"prev\", "
				   "<https://api.github.com/x?page=2>; rel=\"next\"";

	(void)state;
	assert_string_equal(testhost_request(t)->url, API "heads/?per_page=100");
	testhost_answer(t, 200, LIST(next, "ETag: \"1\""), "[" REF("a", A) "]");
	assert_int_equal(testhost_events(t), 0);
	assert_string_equal(testhost_request(t)->url, "https://api.github.com/x?page=2");
	testhost_answer(t, 200, NULL, "[" REF("b", B) "]");
	assert_int_equal(testhost_events(t), 2);
	/* A list of two pages may have shifted: the ref itself is asked for. */
	testhost_advance(t, SWEEP_MS);
	assert_null(testhost_request_header(t, "If-None-Match"));
	testhost_answer(t, 200, LIST(next), "[" REF("a", A) "]");
	testhost_answer(t, 200, NULL, "[]");
	assert_int_equal(testhost_events(t), 2);
	assert_string_equal(testhost_request(t)->url, API "heads/b?per_page=100");
	testhost_answer(t, 200, NULL, "[]");
	assert_int_equal(testhost_events(t), 3);
	testhost_free(t);
}

static void the_token_is_taken_to_no_other_host(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m", "branches", "main", "token", "t0k"));

	(void)state;
	testhost_answer(t, 301, LIST("Location: https://api.github.com/repositories/1/x"), "");
	assert_string_equal(testhost_request(t)->url, "https://api.github.com/repositories/1/x");
	assert_string_equal(testhost_request_header(t, "Authorization"), "Bearer t0k");
	testhost_answer(t, 307, LIST("Location: https://api.github.com.evil.example/x"), "");
	assert_non_null(strstr(testhost_problem(t), "another host"));
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, 2000);
	testhost_answer(t, 200,
			LIST("Link: <https://evil.example/x?page=2>; rel=\"next\"", "ETag: \"1\""),
			"[]");
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, SWEEP_MS);
	for (int i = 0; i < 4; i++)
		testhost_answer(t, 301, LIST("Location: https://api.github.com/round"), "");
	assert_non_null(strstr(testhost_problem(t), "for ever"));
	testhost_free(t);
}

static void limits_are_waited_for(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m", "branches", "main"));
	char reset[64];

	(void)state;
	snprintf(reset, sizeof reset, "X-RateLimit-Reset: %lld",
		 (long long)testhost_now(t) / 1000 + 120);
	testhost_answer(t, 403, LIST("X-RateLimit-Remaining: 0", reset), "{}");
	assert_non_null(strstr(testhost_problem(t), "limit"));
	testhost_advance(t, 119 * 1000);
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, 1000);
	testhost_answer(t, 429, LIST("Retry-After: 30"), "{}");
	testhost_advance(t, 29 * 1000);
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, 1000);
	testhost_answer(t, 403, NULL, "{\"message\":\"You have exceeded a secondary rate limit\"}");
	testhost_advance(t, 59 * 1000);
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, 1000);
	answer_main(t, A);
	assert_string_equal(testhost_problem(t), "");
	testhost_free(t);
}

static void the_last_request_of_the_limit_is_noticed(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m", "branches", "main, dev"));
	char reset[64];

	(void)state;
	snprintf(reset, sizeof reset, "X-RateLimit-Reset: %lld",
		 (long long)testhost_now(t) / 1000 + 120);
	testhost_answer(t, 200, LIST("X-RateLimit-Remaining: 0", reset), "[]");
	assert_int_equal(testhost_requests(t), 0);
	testhost_advance(t, 120 * 1000);
	assert_string_equal(testhost_request(t)->url, API "heads/dev?per_page=100");
	testhost_free(t);
}

static void without_room_the_sweep_waits(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m", "branches", "*"));

	(void)state;
	testhost_full(t, 1);
	testhost_answer(t, 200, LIST("ETag: \"1\""), "[" REF("a", A) "," REF("b", B) "]");
	assert_int_equal(testhost_events(t), 0);
	assert_int_equal(testhost_requests(t), 0);
	testhost_resume(t);
	assert_null(testhost_request_header(t, "If-None-Match"));
	testhost_answer(t, 200, LIST("ETag: \"1\""), "[" REF("a", A) "," REF("b", B) "]");
	assert_int_equal(testhost_events(t), 2);
	testhost_free(t);
}

static void all_refs_are_swept_if_none_are_named(void **state)
{
	struct testhost *t = host(LIST("sweep", "10m"));

	(void)state;
	assert_string_equal(testhost_request(t)->url, API "heads/?per_page=100");
	testhost_answer(t, 200, NULL, "[]");
	assert_string_equal(testhost_request(t)->url, API "tags/?per_page=100");
	testhost_answer(t, 200, NULL,
			"[{\"ref\":\"refs/tags/v1\",\"object\":{\"type\":\"tag\",\"sha\":\"" A
			"\"}}]");
	/* The commit of an annotated tag is not known from here. */
	assert_null(strstr(testhost_event(t)->json, "head_commit"));
	testhost_free(t);
}

static void keys_that_make_no_sense_are_refused(void **state)
{
	static const char *const cases[][5] = {
		{"repository", "acme", "secret", "x", NULL},
		{"repository", "acme/site/x", "secret", "x", NULL},
		{"repository", "acme/", "secret", "x", NULL},
		{"repository", "acme/site", NULL},
		{"repository", "acme/site", "sweep", "500ms", NULL},
		{"secret", "x", "sweep", "10m", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_null(testhost_new(&pointsman_plugin_v1, "repo", cases[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_push_is_an_event),
		cmocka_unit_test(every_secret_of_the_list_is_good),
		cmocka_unit_test(a_form_is_read_like_json),
		cmocka_unit_test(what_is_wrong_is_told),
		cmocka_unit_test(events_have_their_action_and_their_ref),
		cmocka_unit_test(without_a_repository_all_that_is_sent_counts),
		cmocka_unit_test(no_room_is_503_and_the_push_may_come_again),
		cmocka_unit_test(a_push_back_is_a_new_event_a_redelivery_none),
		cmocka_unit_test(an_older_push_that_begins_where_we_stand_is_late),
		cmocka_unit_test(without_an_api_a_push_is_taken_at_its_word),
		cmocka_unit_test(a_deleted_branch_is_told_and_may_come_back),
		cmocka_unit_test(other_branches_are_left_out),
		cmocka_unit_test(with_branches_alone_tags_do_not_count),
		cmocka_unit_test(the_api_is_asked_politely),
		cmocka_unit_test(the_first_sweep_tells_where_refs_stand),
		cmocka_unit_test(a_clock_that_is_set_back_puts_off_no_sweep),
		cmocka_unit_test(an_unchanged_answer_is_asked_for),
		cmocka_unit_test(a_push_seen_both_ways_is_one_event),
		cmocka_unit_test(a_push_that_does_not_fit_is_a_hint),
		cmocka_unit_test(a_payload_too_large_is_a_hint),
		cmocka_unit_test(a_webhook_that_overtakes_an_answer_wins),
		cmocka_unit_test(a_step_back_is_believed_when_it_is_said_twice),
		cmocka_unit_test(a_ref_that_is_gone_is_deleted),
		cmocka_unit_test(a_repository_not_seen_deletes_nothing),
		cmocka_unit_test(an_empty_repository_has_no_refs),
		cmocka_unit_test(pages_are_followed),
		cmocka_unit_test(the_token_is_taken_to_no_other_host),
		cmocka_unit_test(limits_are_waited_for),
		cmocka_unit_test(the_last_request_of_the_limit_is_noticed),
		cmocka_unit_test(without_room_the_sweep_waits),
		cmocka_unit_test(all_refs_are_swept_if_none_are_named),
		cmocka_unit_test(keys_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
