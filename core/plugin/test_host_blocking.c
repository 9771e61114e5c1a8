#include "base/mem.h"
#include "plugin/hostfixture.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

/* Plugins that say PM_BLOCKING.  What runs on their thread only notes what it sees: cmocka
 * can be told of a failure by the loop's thread alone. */

#define CONFIG                                                                                     \
	"[source src]\nplugin = puppet-source\n"                                                   \
	"[action slow]\nplugin = puppet-blocking\nretry = 1d, 1s..1s\n"                            \
	"[sink out]\nplugin = puppet-sink\n"                                                       \
	"[rule r]\non = item.added\ndo = slow, out\n"

static struct fixture *f;

static struct {
	atomic_int delivered, done, answered, timed, out, destroyed, walked;
	atomic_int inside, deepest;
	pthread_t threads[16];
	atomic_int nthreads;
	pm_result emitted;
	pm_delivery d;
	struct pm_host *host;
	char text[256];
} saw;

static sem_t go;

static int set_up(void **state)
{
	(void)state;
	memset(&saw, 0, sizeof saw);
	sem_init(&go, 0, 0);
	f = fixture_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_free(f);
	sem_destroy(&go);
	return 0;
}

static void emit_item(const char *id)
{
	struct pm_emit e = PM_EMIT(.type = "item.added", .id = id, .json = "{\"n\":1}");

	assert_int_equal(fixture_emit(f, fixture_host(f, "src"), &e), PM_OK);
}

static void enter(void)
{
	int n = atomic_fetch_add(&saw.inside, 1) + 1;

	if (n > saw.deepest)
		saw.deepest = n;
	saw.threads[saw.nthreads++] = pthread_self();
}

static void leave(void)
{
	atomic_fetch_sub(&saw.inside, 1);
}

static void an_answer(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	(void)arg;
	enter();
	snprintf(saw.text, sizeof saw.text, "%d %s %s", m->status,
		 m->header(m, "X-Name") ? m->header(m, "X-Name") : "NULL",
		 h->find(h, m->body, m->body_len, "a"));
	saw.answered++;
	leave();
}

static void a_timer(struct pm_host *h, uint64_t arg)
{
	(void)h;
	(void)arg;
	enter();
	saw.timed++;
	leave();
}

static bool on_start(struct pm_host *h)
{
	enter();
	h->after(h, 0, a_timer, 0);
	leave();
	return true;
}

static void deliver_and_ask(struct pm_host *h, pm_delivery d)
{
	enter();
	h->http(h, &PM_HTTP(.url = "http://test/"), an_answer, 0);
	h->finish(h, d, PM_OK, "");
	saw.delivered++;
	leave();
}

static void on_destroy(struct pm_host *h)
{
	(void)h;
	enter();
	saw.destroyed++;
	leave();
}

static void its_calls_run_one_at_a_time_on_one_thread_of_its_own(void **state)
{
	(void)state;
	f->blocking->start = on_start;
	f->blocking->deliver = deliver_and_ask;
	f->blocking->destroy = on_destroy;
	fixture_start(f, CONFIG);
	emit_item("a");
	emit_item("b");
	UNTIL(f, f->nrequests == 2 && saw.timed);
	fixture_answer(f, &f->requests[0], 200, "X-Name: value\r\n", "{\"a\":\"b\"}");
	UNTIL(f, saw.answered);
	assert_string_equal(saw.text, "200 value b");
	fixture_stop(f);
	assert_int_equal(saw.answered, 2);
	assert_int_equal(saw.destroyed, 1);
	assert_int_equal(saw.deepest, 1);
	assert_in_range(saw.nthreads, 7, 16);
	for (int n = 0; n < saw.nthreads; n++) {
		assert_true(pthread_equal(saw.threads[n], saw.threads[0]));
		assert_false(pthread_equal(saw.threads[n], pthread_self()));
	}
}

static void deliver_when_told(struct pm_host *h, pm_delivery d)
{
	saw.delivered++;
	sem_wait(&go);
	h->finish(h, d, PM_OK, "");
	saw.done++;
}

static void deliver_at_once(struct pm_host *h, pm_delivery d)
{
	h->finish(h, d, PM_OK, "");
	saw.out++;
}

static void while_it_blocks_all_others_go_on(void **state)
{
	(void)state;
	f->blocking->deliver = deliver_when_told;
	f->sink->deliver = deliver_at_once;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered);
	emit_item("b");
	UNTIL(f, saw.out == 2);
	atomic_fetch_add(&f->ahead, 10000);
	assert_int_equal(saw.delivered, 1);
	assert_int_equal(saw.done, 0);
	sem_post(&go);
	sem_post(&go);
	UNTIL(f, saw.done == 2);
	assert_false(fixture_logged(f, "held the loop"));
}

static void deliver_and_emit(struct pm_host *h, pm_delivery d)
{
	saw.delivered++;
	sem_wait(&go);
	saw.emitted = h->emit(h, &PM_EMIT(.type = "item.done", .json = "{}", .cause = d));
	saw.done++;
	h->finish(h, d, PM_OK, "");
}

static void emit_returns_when_it_is_durable(void **state)
{
	(void)state;
	f->blocking->deliver = deliver_and_emit;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered);
	fixture_stop_journal(f);
	sem_post(&go);
	fixture_settle(f);
	assert_int_equal(saw.done, 0);
	fixture_let_journal(f);
	UNTIL(f, saw.done);
	assert_int_equal(saw.emitted, PM_OK);
	assert_non_null(strstr(fixture_journal(f), "item.done"));
}

static void deliver_and_save(struct pm_host *h, pm_delivery d)
{
	saw.delivered++;
	sem_wait(&go);
	h->save(h, "a key", "a value");
	saw.done++;
	h->finish(h, d, PM_OK, "");
}

static void save_returns_when_it_is_durable(void **state)
{
	(void)state;
	f->blocking->deliver = deliver_and_save;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered);
	fixture_stop_journal(f);
	sem_post(&go);
	fixture_settle(f);
	assert_int_equal(saw.done, 0);
	fixture_let_journal(f);
	UNTIL(f, saw.done);
	assert_non_null(strstr(fixture_journal(f), "save a key=a value"));
}

static void post(void *arg)
{
	sem_post(arg);
}

static void an_emit_that_waits_when_it_is_ended_says_retry(void **state)
{
	(void)state;
	f->blocking->deliver = deliver_and_emit;
	f->blocking->destroy = on_destroy;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered);
	fixture_stop_journal(f);
	loop_soon(f->loop, post, &go);
	fixture_settle(f);
	fixture_close_runtime(f);
	assert_int_equal(saw.destroyed, 1);
	assert_int_equal(saw.done, 1);
	assert_int_equal(saw.emitted, PM_RETRY);
	fixture_close_engine(f);
}

static void what_waited_for_it_when_it_is_ended_comes_again(void **state)
{
	(void)state;
	f->blocking->deliver = deliver_when_told;
	fixture_start(f, CONFIG);
	emit_item("a");
	emit_item("b");
	UNTIL(f, saw.delivered);
	fixture_settle(f);
	sem_post(&go);
	fixture_stop(f);
	assert_int_equal(saw.delivered, 1);
	sem_post(&go);
	fixture_start(f, CONFIG);
	UNTIL(f, saw.done == 2);
}

static void deliver_and_finish_often(struct pm_host *h, pm_delivery d)
{
	for (int n = 0; n < 20; n++)
		h->finish(h, d, PM_OK, "");
	h->log(h, PM_ERROR, "finished %d times", 20);
	h->count(h, "finishes", 20);
	saw.delivered++;
}

/* The loop works while the plugin's thread makes its mistakes: a race, if there is one, is
 * for ThreadSanitizer to see. */
static void its_mistakes_are_counted_without_a_race(void **state)
{
	(void)state;
	f->blocking->deliver = deliver_and_finish_often;
	fixture_start(f, CONFIG);
	for (int n = 0; n < 5; n++) {
		char id[8];

		snprintf(id, sizeof id, "%d", n);
		emit_item(id);
		fixture_problem(f, "slow");
		fixture_counter(f, "slow", "late_finish");
	}
	while (saw.delivered < 5) {
		fixture_problem(f, "slow");
		fixture_counter(f, "slow", "late_finish");
		fixture_turn(f);
	}
	fixture_settle(f);
	assert_int_equal(fixture_counter(f, "slow", "late_finish"), 5 * 19);
	assert_int_equal(fixture_counter(f, "slow", "finishes"), 100);
	assert_true(fixture_logged(f, "error slow: finished 20 times"));
}

static void on_saved(struct pm_host *h, const char *key, const char *value)
{
	h->save(h, key, NULL);
	snprintf(saw.text + strlen(saw.text), sizeof saw.text - strlen(saw.text), "%s=%s ", key,
		 value);
	saw.walked++;
}

static void deliver_and_walk(struct pm_host *h, pm_delivery d)
{
	h->save(h, "a/1", "one");
	h->save(h, "a/2", "two");
	h->save(h, "b", "not this");
	h->each(h, "a/", on_saved);
	h->finish(h, d, PM_OK, "");
	saw.done++;
}

static void a_walk_over_what_it_saved_may_change_it(void **state)
{
	(void)state;
	f->blocking->deliver = deliver_and_walk;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.done);
	assert_string_equal(saw.text, "a/1=one a/2=two ");
	assert_null(strstr(fixture_journal(f), "save a/"));
	assert_non_null(strstr(fixture_journal(f), "save b=not this"));
}

static int32_t on_request(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	pm_result r;

	(void)arg;
	enter();
	h->reply(h, "text/plain", "sorry: ", 7);
	r = h->emit(h, &PM_EMIT(.type = "item.gone", .id = m->header(m, "Host"), .json = "{}"));
	leave();
	return r == PM_REJECT ? 422 : 202;
}

static bool listen_at_start(struct pm_host *h)
{
	return h->listen(h, "/hook", on_request, 0);
}

/* Meanwhile the loop has work of its own, to race with. */
static void a_request_is_answered_from_its_thread(void **state)
{
	struct peer p;
	char id[16];
	int n = 0;

	(void)state;
	f->blocking->start = listen_at_start;
	fixture_start(f, CONFIG);
	peer_post(f, &p, "/hook", "{}");
	while (!peer_answered(&p)) {
		snprintf(id, sizeof id, "item %d", n++);
		emit_item(id);
		fixture_turn(f);
		assert_in_range(n, 0, 10000);
	}
	assert_non_null(strstr(buf_text(&p.got), "HTTP/1.1 422 "));
	assert_non_null(strstr(buf_text(&p.got), "sorry: type item.gone is not declared"));
	assert_int_equal(fixture_counter(f, "slow", "refused_422"), 1);
	assert_false(pthread_equal(saw.threads[0], pthread_self()));
	peer_close(&p);
}

static int32_t on_slow_request(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	(void)h;
	(void)m;
	(void)arg;
	saw.delivered++;
	sem_wait(&go);
	return 200;
}

static bool listen_slowly(struct pm_host *h)
{
	return h->listen(h, NULL, on_slow_request, 0);
}

static void requests_that_wait_when_it_is_ended_get_503(void **state)
{
	struct peer first, second;

	(void)state;
	f->blocking->start = listen_slowly;
	fixture_start(f, CONFIG);
	peer_post(f, &first, "/slow", "{}");
	UNTIL(f, saw.delivered);
	peer_post(f, &second, "/slow", "{}");
	fixture_settle(f);
	sem_post(&go);
	fixture_close_runtime(f);
	UNTIL(f, peer_answered(&second));
	assert_non_null(strstr(buf_text(&second.got), "HTTP/1.1 503 "));
	UNTIL(f, peer_answered(&first));
	assert_int_equal(saw.delivered, 1);
	peer_close(&first);
	peer_close(&second);
	fixture_close_engine(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			its_calls_run_one_at_a_time_on_one_thread_of_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(while_it_blocks_all_others_go_on, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(emit_returns_when_it_is_durable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(save_returns_when_it_is_durable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_emit_that_waits_when_it_is_ended_says_retry,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_waited_for_it_when_it_is_ended_comes_again,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(its_mistakes_are_counted_without_a_race, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_walk_over_what_it_saved_may_change_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_request_is_answered_from_its_thread, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(requests_that_wait_when_it_is_ended_get_503, set_up,
						tear_down),
	};

	fixture_plugins(argc > 1 ? argv[1] : ".");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
