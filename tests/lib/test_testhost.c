/* The host that tests plugins, tested with plugins that do it right and wrong. */
#include "testhost.h"

#include "base/hash.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

static const struct pm_key keys[] = {
	{"url", PM_URL, PM_REQUIRED, NULL, NULL, "Where to."},
	{"body", PM_JSON_TEMPLATE, 0, "{\"is\": \"{{ data.n }}\"}", NULL, "What."},
	{"wait", PM_DURATION, 0, "10s", "1s..1m", "How long."},
	{"names", PM_STRING, PM_LIST, "a, b ,c", NULL, "Who."},
	{"env.*", PM_STRING, 0, NULL, NULL, "A family."},
	{"secret", PM_STRING, PM_SECRET | PM_LIST, NULL, NULL, "Signs."},
	{0},
};

static const struct pm_type types[] = {
	{"job.done", "the job", "job seconds:number ?note", "It ended."},
	{0},
};

static void send(struct pm_host *h, pm_delivery d)
{
	h->finish_by_http(h, d, &PM_HTTP(.url = h->str(h, "url"), .body = h->render(h, d, "body")));
}

static const struct pm_plugin sink = {.size = sizeof sink,
				      .key_size = sizeof(struct pm_key),
				      .type_size = sizeof(struct pm_type),
				      .version = "1",
				      .summary = "For tests.",
				      .kind = PM_SINK,
				      .name = "sink",
				      .keys = keys,
				      .deliver = send};

static const char *const settings[] = {"url", "https://x/", "env.A",           "1", "env.B",
				       "2",   "secret",     "one, whsec_dHdv", NULL};

static void looked(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	const char *state = h->find(h, m->body, m->body_len, "state");

	if (!state) {
		h->finish_as(h, d, m);
		return;
	}
	h->emit(h, &PM_EMIT(.type = "job.done", .cause = d, .subject = state,
			    .json = "{\"job\": \"j\", \"seconds\": 1}"));
	h->finish(h, d, PM_OK, "");
}

static void follow(struct pm_host *h, pm_delivery d)
{
	if (h->get(h, d, "delivery.held"))
		h->http(h, &PM_HTTP(.url = h->str(h, "url"), .delivery = d), looked, d);
	else
		h->hold(h, d, (uint32_t)h->num(h, "wait"), h->get(h, d, "data.n"));
}

static const struct pm_plugin action = {.size = sizeof action,
					.key_size = sizeof(struct pm_key),
					.type_size = sizeof(struct pm_type),
					.version = "1",
					.summary = "For tests.",
					.kind = PM_ACTION,
					.name = "action",
					.keys = keys,
					.types = types,
					.deliver = follow};

static void a_sink_sends_and_is_finished_by_the_answer(void **state)
{
	struct testhost *t = testhost_new(&sink, "s", settings);
	pm_delivery d = testhost_deliver(t, "{\"data\": {\"n\": 1.50}}");

	(void)state;
	assert_string_equal(testhost_request(t)->url, "https://x/");
	assert_string_equal(testhost_request(t)->body, "{\"is\": \"1.50\"}");
	assert_int_equal(testhost_end(t, d), TESTHOST_OPEN);
	testhost_answer(t, 503, (const char *const[]){"Retry-After: 7", NULL}, "over");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	assert_int_equal(testhost_retry_after(t, d), 7000);
	testhost_again(t, d);
	testhost_answer(t, 200, NULL, "");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void an_absent_value_is_a_dead_letter(void **state)
{
	struct testhost *t = testhost_new(&sink, "s", settings);
	pm_delivery d = testhost_deliver(t, "{\"data\": {}}");

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_non_null(strstr(testhost_why(t, d), "data.n"));
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void a_held_delivery_survives_a_restart(void **state)
{
	struct testhost *t = testhost_new(&action, "a", settings);
	pm_delivery d = testhost_deliver(t, "{\"data\": {\"n\": \"job-7\"}}");

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_HELD);
	assert_string_equal(testhost_held(t, d), "job-7");
	testhost_restart(t);
	testhost_again(t, d);
	testhost_answer(t, 200, NULL, "{\"state\": \"up\"}");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	assert_string_equal(testhost_event(t)->subject, "up");
	testhost_free(t);
}

static void a_request_is_cancelled_by_a_restart(void **state)
{
	struct testhost *t = testhost_new(&action, "a", settings);
	pm_delivery d = testhost_deliver(t, "{\"data\": {\"n\": \"job-7\"}}");

	(void)state;
	testhost_again(t, d);
	testhost_restart(t);
	assert_int_equal(testhost_requests(t), 0);
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	assert_non_null(strstr(testhost_why(t, d), "cancelled"));
	testhost_free(t);
}

static bool read_keys(struct pm_host *h)
{
	assert_int_equal(h->num(h, "wait"), 10000);
	assert_string_equal(h->nth(h, "names", 1), "b");
	assert_null(h->nth(h, "names", 3));
	assert_string_equal(h->nth(h, "env.*", 1), "env.B");
	assert_null(h->nth(h, "env.*", 2));
	assert_string_equal(h->str(h, "env.B"), "2");
	assert_int_equal(h->num(h, "timeout"), 30000);
	return true;
}

static void keys_have_types_defaults_and_lists(void **state)
{
	struct pm_plugin p = sink;

	(void)state;
	p.check = read_keys;
	testhost_free(testhost_new(&p, "s", settings));
}

static void two_finishes(struct pm_host *h, pm_delivery d)
{
	h->finish(h, d, PM_OK, "");
	h->finish(h, d, PM_OK, "");
}

static void finish_none(struct pm_host *h, pm_delivery d)
{
	(void)h;
	(void)d;
}

static void undeclared_key(struct pm_host *h, pm_delivery d)
{
	h->finish(h, d, PM_REJECT, h->str(h, "urls"));
}

static void emit_as(struct pm_host *h, pm_delivery d, const char *type, const char *json)
{
	h->emit(h, &PM_EMIT(.type = type, .json = json, .cause = d));
	h->finish(h, d, PM_OK, "");
}

static void undeclared_type(struct pm_host *h, pm_delivery d)
{
	emit_as(h, d, "job.gone", "{}");
}

static void no_object(struct pm_host *h, pm_delivery d)
{
	emit_as(h, d, "job.done", "[]");
}

static void broken_payload(struct pm_host *h, pm_delivery d)
{
	emit_as(h, d, "job.done", "{\"job\": }");
}

static void missing_field(struct pm_host *h, pm_delivery d)
{
	emit_as(h, d, "job.done", "{\"job\": \"1\"}");
}

static void unlisted_field(struct pm_host *h, pm_delivery d)
{
	emit_as(h, d, "job.done", "{\"job\": \"1\", \"seconds\": 1, \"more\": 1}");
}

static void field_of_another_type(struct pm_host *h, pm_delivery d)
{
	emit_as(h, d, "job.done", "{\"job\": \"1\", \"seconds\": \"1\"}");
}

static void no_reason(struct pm_host *h, pm_delivery d)
{
	h->finish(h, d, PM_RETRY, "");
}

static void emit_once(struct pm_host *h, pm_delivery d)
{
	emit_as(h, d, "job.done", "{\"job\": \"1\", \"seconds\": 1}");
}

static const char *kept;

static void keep_pointer(struct pm_host *h, pm_delivery d)
{
	if (!kept)
		kept = h->str(h, "url");
	h->finish(h, d, *kept == 'h' ? PM_OK : PM_REJECT, "gone");
}

struct trial {
	const struct pm_plugin *base;
	void (*deliver)(struct pm_host *h, pm_delivery d);
};

static void run_trial(void **state)
{
	const struct trial *trial = *state;
	struct pm_plugin p = *trial->base;
	struct testhost *t;

	p.deliver = trial->deliver;
	t = testhost_new(&p, "x", settings);
	testhost_deliver(t, "{}");
	testhost_free(t);
}

/* In a child, as a test of its own: does it fail? */
static bool fails(const struct pm_plugin *base, void (*deliver)(struct pm_host *h, pm_delivery d))
{
	struct trial trial = {base, deliver};
	const struct CMUnitTest tests[] = {{"trial", run_trial, NULL, NULL, &trial}};
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(null, 2);
		_exit(cmocka_run_group_tests(tests, NULL, NULL));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 1;
}

static void what_a_plugin_does_wrong_fails_the_test(void **state)
{
	(void)state;
	assert_false(fails(&action, emit_once));
	assert_true(fails(&action, two_finishes));
	assert_true(fails(&action, finish_none));
	assert_true(fails(&action, undeclared_key));
	assert_true(fails(&action, undeclared_type));
	assert_true(fails(&action, no_object));
	assert_true(fails(&action, broken_payload));
	assert_true(fails(&action, missing_field));
	assert_true(fails(&action, unlisted_field));
	assert_true(fails(&action, field_of_another_type));
	assert_true(fails(&action, no_reason));
	assert_true(fails(&sink, emit_once));
}

static void what_was_lent_is_freed_after_the_call(void **state)
{
	struct pm_plugin p = sink;
	struct testhost *t;

	(void)state;
	p.deliver = keep_pointer;
	t = testhost_new(&p, "x", settings);
	testhost_deliver(t, "{}");
#ifdef __SANITIZE_ADDRESS__
	assert_true(__asan_address_is_poisoned(kept));
#else
	assert_int_equal(testhost_end(t, 1), TESTHOST_OK);
#endif
	testhost_free(t);
}

static int32_t on_post(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	const char *mac = m->header(m, "x-sig");

	assert_int_equal(arg, 5);
	if (!mac || !h->hmac_ok(h, "secret", "sha256-hex", m->body, m->body_len, mac))
		return 401;
	switch (h->emit(h, &PM_EMIT(.type = "job.done", .id = "1", .json = m->body,
				    .json_len = m->body_len))) {
	case PM_OK: h->reply(h, "text/plain", "ok", 2); return 202;
	case PM_RETRY: return 503;
	default: return 400;
	}
}

static bool listen_now(struct pm_host *h)
{
	return h->listen(h, NULL, on_post, 5);
}

static const struct pm_plugin source = {.size = sizeof source,
					.key_size = sizeof(struct pm_key),
					.type_size = sizeof(struct pm_type),
					.version = "1",
					.summary = "For tests.",
					.kind = PM_SOURCE,
					.name = "source",
					.keys = keys,
					.types = types,
					.start = listen_now};

static const char *mac_of(const char *body)
{
	static char hex[65];
	unsigned char mac[32];

	hash_hmac_sha256("two", 3, body, strlen(body), mac);
	hash_hex(mac, 32, hex);
	return hex;
}

static int post(struct testhost *t, const char *body, const char **reply)
{
	char line[100];

	snprintf(line, sizeof line, "X-Sig: %s", mac_of(body));
	return testhost_post(t, "/src?x=1", (const char *const[]){line, NULL}, body, strlen(body),
			     reply);
}

static void a_source_is_asked_and_answers(void **state)
{
	struct testhost *t = testhost_new(&source, "src", settings);
	const char *good = "{\"job\": \"1\", \"seconds\": 2}", *reply;

	(void)state;
	assert_true(testhost_start(t));
	assert_int_equal(testhost_post(t, "/src", NULL, "{}", 2, NULL), 401);
	assert_int_equal(post(t, good, &reply), 202);
	assert_string_equal(reply, "ok");
	assert_string_equal(testhost_event(t)->json, good);
	assert_int_equal(post(t, "{\"job\": ]}", &reply), 400);
	assert_non_null(strstr(reply, "line 1"));
	testhost_full(t, 1);
	assert_int_equal(post(t, good, &reply), 503);
	assert_int_equal(testhost_events(t), 0);
	testhost_resume(t);
	testhost_free(t);
}

static void tick(struct pm_host *h, uint64_t left)
{
	char now[32];

	snprintf(now, sizeof now, "%lld", (long long)h->now(h));
	h->save(h, "tick", now);
	h->count(h, "ticks", 1);
	if (left > 0)
		h->after(h, 1000, tick, left - 1);
}

static bool start_ticking(struct pm_host *h)
{
	h->after(h, 1000, tick, 2);
	return true;
}

static void time_moves_only_when_told(void **state)
{
	struct pm_plugin p = source;
	struct testhost *t;
	char expected[32];

	(void)state;
	p.start = start_ticking;
	t = testhost_new(&p, "src", settings);
	assert_true(testhost_start(t));
	snprintf(expected, sizeof expected, "%lld", (long long)testhost_now(t) + 2000);
	testhost_advance(t, 2500);
	assert_string_equal(testhost_saved(t, "tick"), expected);
	assert_int_equal(testhost_counted(t, "ticks"), 2);
	testhost_restart(t);
	testhost_advance(t, 500);
	assert_int_equal(testhost_counted(t, "ticks"), 2);
	testhost_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sink_sends_and_is_finished_by_the_answer),
		cmocka_unit_test(an_absent_value_is_a_dead_letter),
		cmocka_unit_test(a_held_delivery_survives_a_restart),
		cmocka_unit_test(a_request_is_cancelled_by_a_restart),
		cmocka_unit_test(keys_have_types_defaults_and_lists),
		cmocka_unit_test(what_a_plugin_does_wrong_fails_the_test),
		cmocka_unit_test(what_was_lent_is_freed_after_the_call),
		cmocka_unit_test(a_source_is_asked_and_answers),
		cmocka_unit_test(time_moves_only_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
