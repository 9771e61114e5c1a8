#include "base/mem.h"
#include "plugin/hostfixture.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

/* The sentences of pointsman/plugin.h on threads, time, memory, delivery, order and failure,
 * as far as one process can prove them; those on life and end are test_host_life.c's. */

#define CONFIG                                                                                     \
	"[source src]\nplugin = puppet-source\n"                                                   \
	"[action act]\nplugin = puppet-action\ntimeout = 5m\ndeadline = 1d\n"                      \
	"retry = 1d, 1s..1s\n"                                                                     \
	"[rule r]\non = item.added\ndo = act\n"

static struct fixture *f;

/* What the plugin saw. */
static struct {
	pm_delivery d, before; /* the last two */
	int delivered, answered, timed, inside, deepest;
	char key[64], attempt[16], held[64];
	const char *stale;
	char *order; /* of what happened */
} saw;

static void happened(const char *what)
{
	char *before = saw.order;

	saw.order = mem_format("%s%s ", before ? before : "", what);
	free(before);
}

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
	free(saw.order);
	saw.order = NULL;
	return 0;
}

static void emit_item(const char *id)
{
	struct pm_emit e = PM_EMIT(.type = "item.added", .id = id, .json = "{\"n\":1}");

	assert_int_equal(fixture_emit(f, fixture_host(f, "src"), &e), PM_OK);
}

static void keep(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "NULL");
}

static void see(struct pm_host *h, pm_delivery d)
{
	saw.before = saw.d;
	saw.d = d;
	keep(saw.key, sizeof saw.key, h->get(h, d, "delivery.key"));
	keep(saw.attempt, sizeof saw.attempt, h->get(h, d, "delivery.attempt"));
	keep(saw.held, sizeof saw.held, h->get(h, d, "delivery.held"));
	saw.delivered++;
}

static void deliver_nothing(struct pm_host *h, pm_delivery d)
{
	see(h, d);
}

static void deliver_and_finish(struct pm_host *h, pm_delivery d)
{
	see(h, d);
	h->finish(h, d, PM_OK, "");
}

static void enter(void)
{
	saw.inside++;
	if (saw.inside > saw.deepest)
		saw.deepest = saw.inside;
}

static void a_timer(struct pm_host *h, uint64_t arg)
{
	(void)h;
	enter();
	assert_int_equal(arg, 7);
	saw.timed++;
	saw.inside--;
}

static void an_answer(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	(void)h;
	(void)m;
	(void)arg;
	enter();
	saw.answered++;
	saw.inside--;
}

static void another_call(struct pm_host *h)
{
	(void)h;
	enter();
	happened("call");
	saw.inside--;
}

static void deliver_everything_at_once(struct pm_host *h, pm_delivery d)
{
	enter();
	see(h, d);
	h->http(h, &PM_HTTP(.url = "http://test/"), an_answer, 0);
	h->after(h, 0, a_timer, 7);
	fixture_call(h, another_call);
	assert_int_equal(saw.answered + saw.timed, 0);
	h->finish(h, d, PM_OK, "");
	happened("delivered");
	saw.inside--;
}

static void calls_into_an_instance_come_one_at_a_time(void **state)
{
	(void)state;
	f->action->deliver = deliver_everything_at_once;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.timed && f->nrequests);
	fixture_answer(f, fixture_request(f), 200, "", "");
	UNTIL(f, saw.answered);
	assert_string_equal(saw.order, "delivered call ");
	assert_int_equal(saw.deepest, 1);
}

static int64_t slow_ms;

static void deliver_slowly(struct pm_host *h, pm_delivery d)
{
	atomic_fetch_add(&f->ahead, slow_ms);
	deliver_and_finish(h, d);
}

static void a_call_over_100_ms_is_named_in_a_warning(void **state)
{
	(void)state;
	f->action->deliver = deliver_slowly;
	fixture_start(f, CONFIG);
	atomic_store(&f->frozen, fixture_clock());
	slow_ms = 100;
	emit_item("a");
	UNTIL(f, saw.delivered == 1);
	assert_false(fixture_logged(f, "held the loop"));
	slow_ms = 101;
	emit_item("b");
	UNTIL(f, fixture_logged(f, "warn act: plugin puppet-action held the loop for 101 ms in "
				   "deliver(); a plugin that blocks has to say PM_BLOCKING"));
}

static char *wiped; /* all that was overwritten, one line each */

void __real_explicit_bzero(void *p, size_t n);
void __wrap_explicit_bzero(void *p, size_t n);
void __wrap_explicit_bzero(void *p, size_t n)
{
	char *before = wiped;

	wiped = mem_format("%s[%.*s]", before ? before : "", (int)n, (const char *)p);
	free(before);
	__real_explicit_bzero(p, n);
}

static void get_strings(struct pm_host *h, pm_delivery d)
{
	const char *subject = h->get(h, d, "subject");

	free(wiped);
	wiped = NULL;
	assert_string_equal(subject, "the subject");
	assert_string_equal(h->str(h, "token"), "a secret token");
	assert_string_equal(h->render(h, d, "text"), "1");
	assert_string_equal(h->find(h, "{\"a\":\"found\"}", 0, "a"), "found");
	assert_string_equal(subject, "the subject");
	h->save(h, "k", "loaded");
	assert_string_equal(h->load(h, "k"), "loaded");
	assert_null(wiped);
	h->finish(h, d, PM_OK, "");
	saw.delivered++;
}

static void what_a_plugin_was_lent_is_overwritten_when_the_call_ends(void **state)
{
	static const char *const lent[] = {"[the subject]", "[a secret token]", "[1]", "[found]",
					   "[loaded]"};
	struct pm_emit e = PM_EMIT(.type = "item.added", .id = "a", .subject = "the subject",
				   .json = "{\"n\":1}");

	(void)state;
	setenv("HOST_TEST_TOKEN", "a secret token", 1);
	f->action->deliver = get_strings;
	fixture_start(f, "[source src]\nplugin = puppet-source\n"
			 "[action act]\nplugin = puppet-action\ntoken = ${env:HOST_TEST_TOKEN}\n"
			 "[rule r]\non = item.added\ndo = act\n");
	fixture_emit(f, fixture_host(f, "src"), &e);
	UNTIL(f, saw.delivered && wiped);
	for (size_t n = 0; n < sizeof lent / sizeof *lent; n++) {
		if (!strstr(wiped, lent[n]))
			fail_msg("%s was not overwritten, only %s", lent[n], wiped);
	}
}

static void deliver_from_a_buffer(struct pm_host *h, pm_delivery d)
{
	char json[] = "{\"n\":2}", id[] = "mine", url[] = "http://test/x", body[] = "body";

	h->emit(h, &PM_EMIT(.type = "item.done", .id = id, .json = json, .cause = d));
	h->http(h, &PM_HTTP(.url = url, .body = body), an_answer, 0);
	h->finish(h, d, PM_OK, "");
	memset(json, 'x', sizeof json - 1);
	memset(id, 'x', sizeof id - 1);
	memset(url, 'x', sizeof url - 1);
	memset(body, 'x', sizeof body - 1);
}

static void what_a_plugin_gives_is_copied(void **state)
{
	(void)state;
	f->action->deliver = deliver_from_a_buffer;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, f->nrequests == 1);
	assert_string_equal(fixture_request(f)->url, "http://test/x");
	assert_string_equal(fixture_request(f)->body, "body");
	assert_non_null(strstr(fixture_journal(f), "item.done id=mine"));
	assert_non_null(strstr(fixture_journal(f), "{\"n\":2}"));
}

static void deliver_and_finish_twice(struct pm_host *h, pm_delivery d)
{
	see(h, d);
	h->finish(h, d, PM_OK, "");
	h->finish(h, d, PM_REJECT, "changed its mind");
	h->hold(h, d, 1, "once more");
}

static void a_second_finish_is_counted_logged_and_ignored(void **state)
{
	(void)state;
	f->action->deliver = deliver_and_finish_twice;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered);
	fixture_settle(f);
	assert_int_equal(fixture_counter(f, "act", "late_finish"), 2);
	assert_true(fixture_logged(f, "warn act: finish() on a delivery that has ended already; "
				      "ignored"));
	assert_true(fixture_logged(f, "warn act: hold() on a delivery that has ended already; "
				      "ignored"));
	assert_null(strstr(fixture_journal(f), "changed its mind"));
	assert_int_equal(saw.delivered, 1);
}

/* The lane looks at the clock when something happens. */
static void pass(int64_t ms)
{
	static int n;
	char id[32];

	atomic_fetch_add(&f->ahead, ms);
	snprintf(id, sizeof id, "tick %d", ++n);
	fixture_emit(f, fixture_host(f, "src"),
		     &PM_EMIT(.type = "item.done", .id = id, .json = "{}"));
}

static void a_forgotten_delivery_is_retried_at_its_timeout(void **state)
{
	char key[64];

	(void)state;
	f->action->deliver = deliver_nothing;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered == 1);
	memcpy(key, saw.key, sizeof key);
	pass(4 * 60 * 1000);
	fixture_settle(f);
	assert_int_equal(saw.delivered, 1);
	assert_non_null(engine_find(f->engine, saw.d));
	pass(61 * 1000);
	UNTIL(f, fixture_logged(f, "the plugin did not finish within 5m"));
	assert_null(engine_find(f->engine, saw.d));
	UNTIL(f, saw.delivered == 2);
	assert_string_equal(saw.attempt, "2");
	assert_string_equal(saw.key, key);
	assert_int_not_equal(saw.d, saw.before);
}

static void finish_the_one_before(struct pm_host *h)
{
	saw.stale = h->get(h, saw.before, "type");
	h->finish(h, saw.before, PM_OK, "");
	h->finish(h, 0, PM_OK, "");
	h->finish(h, UINT64_MAX, PM_OK, "");
}

static void a_late_finish_does_nothing_to_the_attempt_that_followed(void **state)
{
	(void)state;
	f->action->deliver = deliver_nothing;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered == 1);
	pass(6 * 60 * 1000);
	UNTIL(f, saw.delivered == 2);
	fixture_call(fixture_host(f, "act"), finish_the_one_before);
	assert_int_equal(fixture_counter(f, "act", "late_finish"), 3);
	assert_non_null(engine_find(f->engine, saw.d));
	assert_null(saw.stale);
}

static char *halfway; /* the state directory in the middle of a call */

static void copy_halfway(struct journal *j, struct sequencer *s, void *arg)
{
	(void)j;
	(void)s;
	halfway = fixture_copy(arg);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void deliver_in_steps(struct pm_host *h, pm_delivery d)
{
	see(h, d);
	assert_int_equal(h->emit(h, &PM_EMIT(.type = "item.done", .json = "{}", .cause = d)),
			 PM_OK);
	h->save(h, "last", "a");
	engine_ask(f->engine, copy_halfway, nothing, f);
	h->finish(h, d, PM_REJECT, "no use");
}

static void what_one_call_asks_for_is_one_transaction(void **state)
{
	char *text;

	(void)state;
	f->action->deliver = deliver_in_steps;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered && engine_stats(f->engine).last_seq >= 2);
	text = fixture_journal_of(f, halfway);
	assert_non_null(strstr(text, "item.added id=a"));
	assert_null(strstr(text, "item.done"));
	assert_null(strstr(text, "save"));
	assert_null(strstr(text, "no use"));
	free(text);
	assert_non_null(strstr(fixture_journal(f), "item.done"));
	assert_non_null(strstr(fixture_journal(f), "save last=a"));
	assert_non_null(strstr(fixture_journal(f), "dead: no use"));
	fixture_take(f, halfway);
}

static void do_all_for_the_last(struct pm_host *h)
{
	h->emit(h, &PM_EMIT(.type = "item.done", .json = "{}", .cause = saw.d));
	h->save(h, "last", "a");
	h->finish(h, saw.d, PM_OK, "");
}

static void a_kill_before_the_commit_leaves_nothing_of_a_call(void **state)
{
	char key[64];

	(void)state;
	f->action->deliver = deliver_nothing;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered == 1);
	memcpy(key, saw.key, sizeof key);
	fixture_stop_journal(f);
	fixture_call(fixture_host(f, "act"), do_all_for_the_last);
	fixture_settle(f);
	fixture_take(f, fixture_copy(f));
	f->action->deliver = deliver_and_finish;
	fixture_start(f, CONFIG);
	UNTIL(f, saw.delivered == 2);
	assert_string_equal(saw.key, key);
	assert_null(strstr(fixture_journal(f), "item.done"));
	assert_null(strstr(fixture_journal(f), "save"));
}

static void save_and_ask(struct pm_host *h)
{
	h->save(h, "cursor", "42");
	h->http(h, &PM_HTTP(.url = "http://test/", .method = "DELETE"), an_answer, 0);
}

static void a_request_leaves_only_when_what_was_asked_before_is_durable(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	fixture_stop_journal(f);
	fixture_call(fixture_host(f, "act"), save_and_ask);
	fixture_settle(f);
	assert_int_equal(f->nrequests, 0);
	fixture_let_journal(f);
	UNTIL(f, f->nrequests == 1);
	assert_string_equal(fixture_request(f)->method, "DELETE");
	assert_non_null(strstr(fixture_journal(f), "save cursor=42"));
}

static void ask_again(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	an_answer(h, m, arg);
	h->http(h, &PM_HTTP(.url = "http://test/second"), an_answer, 0);
}

static void ask_first(struct pm_host *h)
{
	h->http(h, &PM_HTTP(.url = "http://test/first"), ask_again, 0);
}

static void save_something(struct pm_host *h)
{
	h->save(h, "cursor", "43");
}

static void a_request_of_a_later_call_waits_for_the_transactions_of_earlier_ones(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	fixture_call(fixture_host(f, "act"), ask_first);
	UNTIL(f, f->nrequests == 1);
	fixture_stop_journal(f);
	fixture_call(fixture_host(f, "act"), save_something);
	fixture_answer(f, fixture_request(f), 200, "", "");
	fixture_settle(f);
	assert_int_equal(saw.answered, 1);
	assert_int_equal(f->nrequests, 1);
	fixture_let_journal(f);
	UNTIL(f, f->nrequests == 2);
}

static void deliver_and_hold(struct pm_host *h, pm_delivery d)
{
	see(h, d);
	if (strcmp(saw.held, "step 2") == 0)
		h->finish(h, d, PM_OK, "");
	else
		h->hold(h, d, 3600 * 1000, "step 2");
}

static void a_held_delivery_comes_again_with_its_state_and_key(void **state)
{
	char key[64];

	(void)state;
	f->action->deliver = deliver_and_hold;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered == 1);
	assert_string_equal(saw.held, "NULL");
	assert_null(engine_find(f->engine, saw.d));
	memcpy(key, saw.key, sizeof key);
	pass(59 * 60 * 1000);
	fixture_settle(f);
	assert_int_equal(saw.delivered, 1);
	pass(60 * 1000);
	UNTIL(f, saw.delivered == 2);
	assert_string_equal(saw.held, "step 2");
	assert_string_equal(saw.key, key);
	assert_string_equal(saw.attempt, "1");
	assert_int_not_equal(saw.d, saw.before);
}

static void a_held_delivery_outlives_a_kill(void **state)
{
	char key[64];

	(void)state;
	f->action->deliver = deliver_and_hold;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, strstr(fixture_journal(f), "held=step 2"));
	memcpy(key, saw.key, sizeof key);
	fixture_stop_journal(f);
	fixture_take(f, fixture_copy(f));
	fixture_start(f, CONFIG);
	fixture_settle(f);
	assert_int_equal(saw.delivered, 1);
	pass(2 * 3600 * 1000);
	UNTIL(f, saw.delivered == 2);
	assert_string_equal(saw.held, "step 2");
	assert_string_equal(saw.key, key);
	UNTIL(f, !strstr(fixture_journal(f), "held=step 2"));
}

static void open_deliveries_come_again_with_the_same_key(void **state)
{
	char key[64];

	(void)state;
	f->action->deliver = deliver_nothing;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered == 1);
	memcpy(key, saw.key, sizeof key);
	fixture_stop(f);
	f->action->deliver = deliver_and_finish;
	fixture_start(f, CONFIG);
	UNTIL(f, saw.delivered == 2);
	assert_string_equal(saw.key, key);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls_into_an_instance_come_one_at_a_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_call_over_100_ms_is_named_in_a_warning, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			what_a_plugin_was_lent_is_overwritten_when_the_call_ends, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(what_a_plugin_gives_is_copied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_finish_is_counted_logged_and_ignored,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_forgotten_delivery_is_retried_at_its_timeout,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_late_finish_does_nothing_to_the_attempt_that_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_one_call_asks_for_is_one_transaction, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_kill_before_the_commit_leaves_nothing_of_a_call,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_request_leaves_only_when_what_was_asked_before_is_durable, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_request_of_a_later_call_waits_for_the_transactions_of_earlier_ones,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_held_delivery_comes_again_with_its_state_and_key,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_held_delivery_outlives_a_kill, set_up, tear_down),
		cmocka_unit_test_setup_teardown(open_deliveries_come_again_with_the_same_key,
						set_up, tear_down),
	};

	fixture_plugins(argc > 1 ? argv[1] : ".");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
