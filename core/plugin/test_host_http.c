#include "base/mem.h"
#include "plugin/hostfixture.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

/* Asking, being asked, and the secrets that takes. */

#define CONFIG                                                                                     \
	"[source src]\nplugin = puppet-source\n"                                                   \
	"[sink out]\nplugin = puppet-sink\ntimeout = 5m\nretry = 1d, 1s..1s\n"                     \
	"[rule r]\non = item.added\ndo = out\n"
#define SECRET                                                                                     \
	"[secrets vault]\nplugin = puppet-secrets\n"                                               \
	"[source src]\nplugin = puppet-source\n"                                                   \
	"[sink out]\nplugin = puppet-sink\nretry = 1d, 1s..1s\ntoken = ${vault:path/token}\n"      \
	"[rule r]\non = item.added\ndo = out\n"
#define PARENT "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

static struct fixture *f;

static struct {
	int delivered, asked, requests;
	uint64_t ask;
	pm_delivery d;
	char key[64], token[64], name[64], text[256];
} saw;

static int set_up(void **state)
{
	(void)state;
	memset(&saw, 0, sizeof saw);
	f = fixture_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_free(f);
	return 0;
}

static void emit_item(const char *id)
{
	struct pm_emit e =
		PM_EMIT(.type = "item.added", .id = id, .json = "{\"n\":1}", .traceparent = PARENT);

	assert_int_equal(fixture_emit(f, fixture_host(f, "src"), &e), PM_OK);
}

static void see(struct pm_host *h, pm_delivery d)
{
	saw.d = d;
	snprintf(saw.key, sizeof saw.key, "%s", h->get(h, d, "delivery.key"));
	snprintf(saw.token, sizeof saw.token, "%s", h->str(h, "token"));
	saw.delivered++;
}

static void on_answer(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	const char *name = m->header(m, "x-name");

	snprintf(saw.text, sizeof saw.text, "%d [%s] [%s] %.*s %s", m->status, m->error,
		 name ? name : "NULL", (int)m->body_len, (const char *)m->body,
		 m->header(m, "absent") ? "?" : "");
	h->finish_as(h, arg, m);
}

static void send_and_finish_as(struct pm_host *h, pm_delivery d)
{
	static const char *const headers[] = {"X-One: 1", NULL};
	static const char *const query[] = {"a b", "c&d", "e", "", NULL};

	see(h, d);
	h->http(h,
		&PM_HTTP(.url = "http://user@test/path?x=1", .query = query, .headers = headers,
			 .body = "text", .delivery = d),
		on_answer, d);
	h->http(h, &PM_HTTP(.url = "http://test/of-nobody"), on_answer, 0);
}

static void send_and_finish(struct pm_host *h, pm_delivery d)
{
	see(h, d);
	h->finish_by_http(h, d, &PM_HTTP(.url = "http://test/hook", .body = "text"));
}

static void a_request_names_its_delivery_and_trace(void **state)
{
	char part[128];

	(void)state;
	f->sink->deliver = send_and_finish_as;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, f->nrequests == 2);
	snprintf(part, sizeof part, "\nIdempotency-Key: %s\n", saw.key);
	assert_int_equal(strlen(saw.key), 32);
	assert_non_null(strstr(f->requests[0].headers, part));
	assert_non_null(strstr(f->requests[0].headers, "\ntraceparent: " PARENT "\n"));
	assert_non_null(strstr(f->requests[0].headers, "\nX-One: 1\n"));
	assert_string_equal(f->requests[0].url, "http://user@test/path?x=1&a%20b=c%26d&e=");
	assert_string_equal(f->requests[0].method, "POST");
	assert_string_equal(f->requests[0].body, "text");
	assert_string_equal(f->requests[1].headers, "\n");
	assert_string_equal(f->requests[1].method, "GET");
}

static void an_answer_is_shown_and_may_finish_the_delivery(void **state)
{
	(void)state;
	f->sink->deliver = send_and_finish_as;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, f->nrequests == 2);
	fixture_answer(f, &f->requests[0], 404, "X-Name: value\r\n", "nobody here");
	assert_string_equal(saw.text, "404 [] [value] nobody here ");
	UNTIL(f, strstr(fixture_journal(f), "row 1/2 dead: 404 from test: nobody here"));
}

static void an_answer_finishes_what_was_sent_with_finish_by_http(void **state)
{
	(void)state;
	f->sink->deliver = send_and_finish;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, f->nrequests == 1);
	assert_non_null(strstr(f->requests[0].headers, "\nIdempotency-Key: "));
	fixture_answer(f, &f->requests[0], 503, "Retry-After: 2\r\n", "");
	UNTIL(f, fixture_logged(f, "503 from test; attempt 1, next at "));
	assert_int_equal(f->nrequests, 1);
	UNTIL(f, f->nrequests == 2);
	assert_string_equal(f->requests[1].headers, f->requests[0].headers);
	fixture_answer(f, &f->requests[1], 204, "", "");
	UNTIL(f, strstr(fixture_journal(f), "row 1/2 done"));
	assert_int_equal(saw.delivered, 2);
}

static void an_answer_that_comes_too_late_finishes_nothing(void **state)
{
	pm_delivery first;

	(void)state;
	f->sink->deliver = send_and_finish;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, f->nrequests == 1);
	first = saw.d;
	atomic_fetch_add(&f->ahead, 6 * 60 * 1000);
	emit_item("b");
	UNTIL(f, !engine_find(f->engine, first));
	assert_true(f->requests[0].cancelled);
	fixture_answer(f, &f->requests[0], 400, "", "");
	fixture_settle(f);
	assert_int_equal(fixture_counter(f, "out", "late_finish"), 0);
	assert_null(strstr(fixture_journal(f), "dead"));
}

static pm_delivery first;

/* The first is kept, the second stops the journal, the third goes well. */
static void save_and_send(struct pm_host *h, pm_delivery d)
{
	if (saw.delivered == 0) {
		first = d;
		see(h, d);
		return;
	}
	if (saw.delivered == 1)
		fixture_stop_journal(f);
	h->save(h, "key", "value");
	send_and_finish(h, d);
}

static void finish_first(struct pm_host *h)
{
	h->finish(h, first, PM_OK, "");
}

static void what_waits_for_the_disk_never_leaves_once_its_delivery_was_taken_back(void **state)
{
	(void)state;
	f->sink->deliver = save_and_send;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered == 1);
	emit_item("b");
	UNTIL(f, saw.delivered == 2);
	atomic_fetch_add(&f->ahead, 6 * 60 * 1000);
	fixture_call(fixture_host(f, "out"), finish_first); /* the lane looks at its clock */
	UNTIL(f, !engine_find(f->engine, saw.d));
	fixture_let_journal(f);
	UNTIL(f, saw.delivered == 3 && f->nrequests > 0);
	fixture_settle(f);
	assert_int_equal(f->nrequests, 1);
}

static void on_resolve(struct pm_host *h, uint64_t ask, const char *name)
{
	(void)h;
	saw.ask = ask;
	saw.asked++;
	snprintf(saw.name, sizeof saw.name, "%s", name);
}

static const char *value, *why;

static void answer_now(struct pm_host *h)
{
	h->resolved(h, saw.ask, value, 0, why);
}

static void answer(const char *with, const char *because)
{
	value = with;
	why = because;
	fixture_call(fixture_host(f, "vault"), answer_now);
}

static void an_instance_waits_for_its_secret_and_says_so(void **state)
{
	(void)state;
	f->secrets->resolve = on_resolve;
	f->sink->deliver = send_and_finish;
	fixture_begin(f, SECRET);
	UNTIL(f, saw.asked);
	assert_string_equal(saw.name, "path/token");
	assert_string_equal(fixture_problem(f, "out"),
			    "waits for the secret ${vault:path/token} of `token`");
	assert_false(runtime_ready(f->runtime));
	emit_item("a");
	fixture_settle(f);
	assert_int_equal(saw.delivered, 0);
	answer(NULL, "access denied to path/token");
	assert_string_equal(fixture_problem(f, "out"),
			    "waits for the secret ${vault:path/token} of `token`: "
			    "access denied to path/token");
	UNTIL(f, saw.asked == 2);
	answer("the secret token", "");
	UNTIL(f, runtime_ready(f->runtime));
	UNTIL(f, saw.delivered);
	assert_string_equal(saw.token, "the secret token");
}

static void refuse_the_last(void)
{
	fixture_answer(f, fixture_request(f), 401, "", "token revoked");
}

static void a_401_reads_secrets_again_at_most_once_a_minute(void **state)
{
	(void)state;
	f->secrets->resolve = on_resolve;
	f->sink->deliver = send_and_finish;
	fixture_begin(f, SECRET);
	UNTIL(f, saw.asked);
	answer("the first token", "");
	UNTIL(f, runtime_ready(f->runtime));
	emit_item("a");
	UNTIL(f, f->nrequests == 1);
	refuse_the_last();
	assert_int_equal(saw.asked, 1);
	UNTIL(f, f->nrequests == 2);
	assert_string_equal(saw.token, "the first token");
	atomic_fetch_add(&f->ahead, 61 * 1000);
	refuse_the_last();
	assert_int_equal(saw.asked, 2);
	answer("the second token", "");
	UNTIL(f, f->nrequests == 3);
	assert_string_equal(saw.token, "the second token");
	refuse_the_last();
	assert_int_equal(saw.asked, 2);
	assert_null(strstr(fixture_log(f), "the first token"));
}

static int32_t on_request(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct pm_emit e = PM_EMIT(.type = "item.added", .id = "posted");

	assert_int_equal(arg, 5);
	snprintf(saw.text, sizeof saw.text, "%d %s %s %s", m->status, m->method, m->path,
		 m->header(m, "host"));
	e.json = m->body;
	e.json_len = m->body_len;
	saw.requests++;
	if (h->emit(h, &e) == PM_REJECT)
		return 422;
	h->reply(h, "application/json", "{\"ok\":true}", 11);
	return 202;
}

static bool listen_at_start(struct pm_host *h)
{
	return h->listen(h, NULL, on_request, 5);
}

static void an_answer_leaves_only_when_the_event_is_durable(void **state)
{
	struct peer p;

	(void)state;
	f->source->start = listen_at_start;
	fixture_start(f, CONFIG);
	fixture_stop_journal(f);
	peer_post(f, &p, "/src?a=b", "{\"n\":1}");
	UNTIL(f, saw.requests);
	assert_string_equal(saw.text, "0 POST /src?a=b test");
	fixture_settle(f);
	assert_false(peer_answered(&p));
	assert_int_equal(p.got.len, 0);
	fixture_let_journal(f);
	UNTIL(f, peer_answered(&p));
	assert_non_null(strstr(buf_text(&p.got), "HTTP/1.1 202 "));
	assert_non_null(strstr(buf_text(&p.got), "application/json"));
	assert_non_null(strstr(buf_text(&p.got), "\r\n\r\n{\"ok\":true}"));
	assert_non_null(strstr(fixture_journal(f), "item.added id=posted"));
	peer_close(&p);
}

static void a_sender_is_told_why_its_event_was_refused(void **state)
{
	struct peer p;

	(void)state;
	f->source->start = listen_at_start;
	fixture_start(f, CONFIG);
	peer_post(f, &p, "/src", "{\"n\":}");
	UNTIL(f, peer_answered(&p));
	assert_non_null(strstr(buf_text(&p.got), "HTTP/1.1 422 "));
	assert_non_null(strstr(buf_text(&p.got), "payload, line 1 column 6: "));
	assert_int_equal(fixture_counter(f, "src", "refused_422"), 1);
	fixture_settle(f);
	assert_string_equal(fixture_journal(f), "");
	peer_close(&p);
}

static int32_t take_two(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct pm_emit e = PM_EMIT(.type = "item.added", .json = m->body, .json_len = m->body_len);

	(void)arg;
	saw.requests++;
	if (h->emit(h, &e) == PM_RETRY)
		return 503;
	assert_int_equal(h->emit(h, &e), PM_OK); /* a request finds room once */
	return 202;
}

static bool listen_for_two(struct pm_host *h)
{
	return h->listen(h, NULL, take_two, 0);
}

static void post(struct peer *p, const char *path)
{
	int before = saw.requests;

	peer_post(f, p, path, "{\"n\":1}");
	UNTIL(f, saw.requests == before + 1);
	fixture_settle(f);
}

static int64_t refusals(const char *instance)
{
	return fixture_counter(f, instance, "refused_429") +
	       fixture_counter(f, instance, "refused_503");
}

/* Requests until one is refused, which is the last; how many wait for the disk. */
static size_t post_until_refused(struct peer *peers, const char *instance)
{
	char *path = mem_format("/%s", instance);
	size_t n = 0;

	for (post(&peers[0], path); !refusals(instance); post(&peers[n], path)) {
		assert_false(peer_answered(&peers[n]));
		assert_true(++n < 16);
	}
	free(path);
	UNTIL(f, peer_answered(&peers[n]));
	assert_non_null(strstr(buf_text(&peers[n].got), "Retry-After: "));
	return n;
}

static void one_source_over_its_share_hears_429_while_others_get_in(void **state)
{
	struct peer flood[16], calm[16];
	size_t floods, calms;

	(void)state;
	f->source->start = listen_for_two;
	fixture_start(f, "max-intake = 6k\n[source flood]\nplugin = puppet-source\n"
			 "[source calm]\nplugin = puppet-source\n");
	fixture_stop_journal(f);
	floods = post_until_refused(flood, "flood");
	assert_in_range(floods, 1, 8);
	assert_non_null(strstr(buf_text(&flood[floods].got), "HTTP/1.1 429 "));
	assert_int_equal(fixture_counter(f, "flood", "refused_429"), 1);
	calms = post_until_refused(calm, "calm");
	assert_in_range(calms, 1, floods);
	assert_non_null(strstr(buf_text(&calm[calms].got), "HTTP/1.1 "));
	peer_close(&flood[floods]);
	post(&flood[floods], "/flood");
	UNTIL(f, peer_answered(&flood[floods]));
	assert_non_null(strstr(buf_text(&flood[floods].got), "HTTP/1.1 503 "));
	fixture_let_journal(f);
	for (size_t i = 0; i < floods; i++)
		UNTIL(f, peer_answered(&flood[i]));
	for (size_t i = 0; i < calms; i++)
		UNTIL(f, peer_answered(&calm[i]));
	peer_close(&flood[floods]);
	post(&flood[floods], "/flood");
	UNTIL(f, peer_answered(&flood[floods]));
	assert_non_null(strstr(buf_text(&flood[floods].got), "HTTP/1.1 202 "));
	for (size_t i = 0; i <= floods; i++)
		peer_close(&flood[i]);
	for (size_t i = 0; i <= calms; i++)
		peer_close(&calm[i]);
}

static int32_t answer_nonsense(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	(void)h;
	(void)m;
	(void)arg;
	saw.requests++;
	return 42;
}

static bool listen_nonsensically(struct pm_host *h)
{
	return h->listen(h, "/x", answer_nonsense, 0);
}

static void a_status_that_is_none_becomes_500(void **state)
{
	struct peer p;

	(void)state;
	f->source->start = listen_nonsensically;
	fixture_start(f, CONFIG);
	peer_post(f, &p, "/x", "{}");
	UNTIL(f, peer_answered(&p));
	assert_non_null(strstr(buf_text(&p.got), "HTTP/1.1 500 "));
	assert_true(fixture_logged(f, "error src: the plugin answered a request with status 42"));
	peer_close(&p);
}

static void a_path_that_is_taken_keeps_an_instance_from_being_ready(void **state)
{
	(void)state;
	f->source->start = listen_nonsensically;
	fixture_begin(f, "[source one]\nplugin = puppet-source\n"
			 "[source two]\nplugin = puppet-source\n");
	UNTIL(f, strcmp(fixture_problem(f, "two"), "path /x is taken by another section") == 0);
	assert_string_equal(fixture_problem(f, "one"), "");
}

static void what_has_ended_listens_no_more(void **state)
{
	struct peer p;

	(void)state;
	f->source->start = listen_at_start;
	fixture_start(f, CONFIG);
	runtime_stop(f->runtime);
	peer_post(f, &p, "/src", "{}");
	UNTIL(f, peer_answered(&p));
	assert_non_null(strstr(buf_text(&p.got), "HTTP/1.1 503 "));
	peer_close(&p);
	fixture_close_runtime(f);
	peer_post(f, &p, "/src", "{}");
	UNTIL(f, peer_answered(&p));
	assert_non_null(strstr(buf_text(&p.got), "HTTP/1.1 404 "));
	peer_close(&p);
	assert_int_equal(saw.requests, 0);
	fixture_close_engine(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_names_its_delivery_and_trace, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_answer_is_shown_and_may_finish_the_delivery,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_answer_finishes_what_was_sent_with_finish_by_http, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_answer_that_comes_too_late_finishes_nothing,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_waits_for_the_disk_never_leaves_once_its_delivery_was_taken_back,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_instance_waits_for_its_secret_and_says_so,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_401_reads_secrets_again_at_most_once_a_minute,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_answer_leaves_only_when_the_event_is_durable,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_sender_is_told_why_its_event_was_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			one_source_over_its_share_hears_429_while_others_get_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_status_that_is_none_becomes_500, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_path_that_is_taken_keeps_an_instance_from_being_ready, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_has_ended_listens_no_more, set_up, tear_down),
	};

	fixture_plugins(argc > 1 ? argv[1] : ".");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
