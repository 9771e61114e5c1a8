#include "plugin/hostfixture.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

/* Several deliveries in one call. */

#define CONFIG(plugin, keys)                                                                       \
	"[source src]\nplugin = puppet-source\n"                                                   \
	"[action out]\nplugin = " plugin "\nretry = 1d, 1s..1s\n" keys                             \
	"[rule r]\non = item.added\ndo = out\n"
#define OF_TEN CONFIG("puppet-action", "batch = 10\n")

static struct fixture *f;

static struct {
	unsigned calls, sizes[32];
	pm_delivery first;
	char keys[32][33], ids[32][8]; /* of each delivery, in the order they came */
	unsigned n;
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

static int to_emit;

static void emit_items(struct pm_host *h)
{
	for (int i = 1; i <= to_emit; i++) {
		char id[16];

		snprintf(id, sizeof id, "e%d", i);
		h->emit(h, &PM_EMIT(.type = "item.added", .id = id, .json = "{\"n\":1}"));
	}
}

/* In one transaction, so that they are ready together. */
static void emit(int n)
{
	to_emit = n;
	fixture_call(fixture_host(f, "src"), emit_items);
}

static void see(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	saw.first = d[0];
	saw.sizes[saw.calls++ % 32] = n;
	for (uint32_t i = 0; i < n; i++, saw.n++) {
		snprintf(saw.keys[saw.n % 32], 33, "%s", h->get(h, d[i], "delivery.key"));
		snprintf(saw.ids[saw.n % 32], 8, "%s", h->get(h, d[i], "id"));
	}
}

static void send(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	see(h, d, n);
	h->finish_many_by_http(h, d, n, &PM_HTTP(.url = "http://test/many", .body = "text"));
}

static void end_each_differently(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	see(h, d, n);
	h->finish(h, d[0], PM_OK, "");
	if (n < 3)
		return;
	h->finish(h, d[1], PM_REJECT, "not this one");
	h->hold(h, d[2], 3600000, "job");
}

static void finish_one_and_send(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	see(h, d, n);
	h->finish(h, d[1], PM_REJECT, "not fit");
	h->finish_many_by_http(h, d, n, &PM_HTTP(.url = "http://test/many", .body = "text"));
}

static void finish_all_and_send(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	see(h, d, n);
	for (uint32_t i = 0; i < n; i++)
		h->finish(h, d[i], PM_OK, "");
	h->finish_many_by_http(h, d, n, &PM_HTTP(.url = "http://test/many", .body = "text"));
}

static void one_answer_finishes_all(void **state)
{
	(void)state;
	f->action->deliver_many = send;
	fixture_start(f, OF_TEN);
	emit(3);
	UNTIL(f, f->nrequests == 1);
	assert_int_equal(saw.calls, 1);
	assert_int_equal(saw.sizes[0], 3);
	assert_string_not_equal(saw.keys[0], saw.keys[1]);
	assert_string_equal(saw.ids[2], "e3");
	assert_null(strstr(f->requests[0].headers, "Idempotency-Key"));
	fixture_answer(f, &f->requests[0], 200, "", "");
	UNTIL(f, fixture_times(fixture_journal(f), " done") == 3);
}

static void no_call_has_more_than_batch(void **state)
{
	(void)state;
	f->action->deliver_many = send;
	fixture_start(f, CONFIG("puppet-action", "batch = 4\nconcurrency = 2\n"));
	emit(10);
	UNTIL(f, f->nrequests == 2);
	fixture_settle(f);
	assert_int_equal(f->nrequests, 2);
	assert_true(saw.sizes[0] == 4 && saw.sizes[1] == 4);
	fixture_answer(f, &f->requests[0], 200, "", "");
	UNTIL(f, f->nrequests == 3);
	assert_int_equal(saw.sizes[2], 2);
}

static void what_fails_is_tried_again_with_the_same_keys(void **state)
{
	char keys[3][33];

	(void)state;
	f->action->deliver_many = send;
	fixture_start(f, OF_TEN);
	emit(3);
	UNTIL(f, f->nrequests == 1);
	memcpy(keys, saw.keys, sizeof keys);
	fixture_answer(f, &f->requests[0], 503, "", "");
	UNTIL(f, fixture_times(fixture_journal(f), " retry: 503 from test") == 3);
	f->ahead += 2000;
	UNTIL(f, saw.n == 6);
	assert_int_equal(saw.calls, 2);
	for (int i = 0; i < 3; i++)
		assert_string_equal(saw.keys[3 + i], keys[i]);
	fixture_answer(f, fixture_request(f), 200, "", "");
	UNTIL(f, fixture_times(fixture_journal(f), " done") == 3);
}

/* As a server does that refuses whatever has e6 in it. */
static void answer_all(void)
{
	static unsigned seen;

	for (seen = 0; fixture_times(fixture_journal(f), "row ") < 8;) {
		UNTIL(f, seen < f->nrequests || fixture_times(fixture_journal(f), "row ") == 8);
		for (; seen < f->nrequests; seen++) {
			struct request *rq = &f->requests[seen];

			fixture_answer(f, rq, strstr(rq->body, "e6 ") ? 400 : 200, "", "no");
		}
	}
}

static void send_ids(struct pm_host *h, const pm_delivery *d, uint32_t n)
{
	struct buf ids = {0};

	see(h, d, n);
	for (uint32_t i = 0; i < n; i++)
		buf_printf(&ids, "%s ", h->get(h, d[i], "id"));
	h->finish_many_by_http(h, d, n,
			       &PM_HTTP(.url = "http://test/many", .body = buf_text(&ids)));
	buf_free(&ids);
}

static void a_refused_call_is_halved_until_the_bad_one_is_alone(void **state)
{
	(void)state;
	f->action->deliver_many = send_ids;
	fixture_start(f, OF_TEN);
	emit(8);
	answer_all();
	assert_int_equal(fixture_times(fixture_journal(f), " done"), 7);
	assert_non_null(strstr(fixture_journal(f), "row 6/2 dead: 400 from test: no"));
	assert_int_equal(saw.calls, 7);
}

static void each_delivery_may_end_by_itself(void **state)
{
	(void)state;
	f->action->deliver_many = end_each_differently;
	fixture_start(f, OF_TEN);
	emit(3);
	UNTIL(f, fixture_times(fixture_journal(f), "row ") == 3);
	assert_non_null(strstr(fixture_journal(f), "row 1/2 done"));
	assert_non_null(strstr(fixture_journal(f), "row 2/2 dead: not this one"));
	assert_non_null(strstr(fixture_journal(f), "row 3/2 held"));
}

static void what_has_ended_is_not_sent_for(void **state)
{
	(void)state;
	f->action->deliver_many = finish_one_and_send;
	fixture_start(f, OF_TEN);
	emit(3);
	UNTIL(f, f->nrequests == 1);
	fixture_answer(f, &f->requests[0], 200, "", "");
	UNTIL(f, fixture_times(fixture_journal(f), "row ") == 3);
	assert_non_null(strstr(fixture_journal(f), "row 2/2 dead: not fit"));
	assert_int_equal(fixture_times(fixture_journal(f), " done"), 2);
	assert_int_equal(fixture_counter(f, "out", "late_finish"), 0);
}

static void nothing_is_sent_for_none(void **state)
{
	(void)state;
	f->action->deliver_many = finish_all_and_send;
	fixture_start(f, OF_TEN);
	emit(3);
	UNTIL(f, fixture_times(fixture_journal(f), " done") == 3);
	fixture_settle(f);
	assert_int_equal(f->nrequests, 0);
}

static void without_batch_deliver_is_called(void **state)
{
	(void)state;
	f->action->deliver_many = send;
	fixture_start(f, CONFIG("puppet-action", ""));
	emit(3);
	UNTIL(f, fixture_times(fixture_journal(f), " done") == 3);
	assert_int_equal(saw.calls, 0);
}

static void a_request_that_was_cancelled_comes_again_whole(void **state)
{
	(void)state;
	f->action->deliver_many = send;
	fixture_start(f, OF_TEN);
	emit(3);
	UNTIL(f, f->nrequests == 1);
	fixture_stop(f);
	fixture_begin(f, OF_TEN);
	UNTIL(f, saw.n >= 6);
	for (int i = 0; i < 3; i++)
		assert_string_equal(saw.keys[3 + i], saw.keys[i]);
}

static void a_blocking_plugin_sends_several_too(void **state)
{
	(void)state;
	f->blocking->deliver_many = send;
	fixture_start(f, CONFIG("puppet-blocking", "batch = 10\n"));
	emit(3);
	UNTIL(f, f->nrequests == 1);
	assert_int_equal(saw.sizes[0], 3);
	fixture_answer(f, &f->requests[0], 200, "", "");
	UNTIL(f, fixture_times(fixture_journal(f), " done") == 3);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		FACT(one_answer_finishes_all),
		FACT(no_call_has_more_than_batch),
		FACT(what_fails_is_tried_again_with_the_same_keys),
		FACT(a_refused_call_is_halved_until_the_bad_one_is_alone),
		FACT(each_delivery_may_end_by_itself),
		FACT(what_has_ended_is_not_sent_for),
		FACT(nothing_is_sent_for_none),
		FACT(without_batch_deliver_is_called),
		FACT(a_request_that_was_cancelled_comes_again_whole),
		FACT(a_blocking_plugin_sends_several_too),
	};

	fixture_plugins(argc > 1 ? argv[1] : ".");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
