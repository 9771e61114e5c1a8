#include "base/mem.h"
#include "plugin/hostfixture.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

/* How an instance begins and ends. */

#define CONFIG                                                                                     \
	"[source src]\nplugin = puppet-source\n"                                                   \
	"[action act]\nplugin = puppet-action\n"                                                   \
	"[rule r]\non = item.added\ndo = act\n"

static struct fixture *f;

/* What the plugin saw. */
static struct {
	int created, started, stopped, destroyed, answered, timed, after_destroy;
	char error[64];
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

static void a_timer(struct pm_host *h, uint64_t arg)
{
	(void)h;
	(void)arg;
	saw.timed++;
}

static void an_answer(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	(void)h;
	(void)arg;
	snprintf(saw.error, sizeof saw.error, "%s", m->error);
	saw.answered++;
}

static bool on_create(struct pm_host *h)
{
	h->self = &saw;
	saw.created++;
	happened("create");
	f->hosts[f->nhosts++] = h;
	return true;
}

static bool on_start(struct pm_host *h)
{
	assert_ptr_equal(h->self, &saw);
	happened("start");
	saw.started++;
	if (saw.started == 1)
		h->log(h, PM_ERROR, "the socket is taken");
	return saw.started > 1;
}

static void on_stop(struct pm_host *h)
{
	(void)h;
	happened("stop");
	saw.stopped++;
}

static void on_destroy(struct pm_host *h)
{
	assert_ptr_equal(h->self, &saw);
	happened("destroy");
	saw.destroyed++;
}

static void live_as_written(struct pm_plugin *strings)
{
	strings->create = on_create;
	strings->start = on_start;
	strings->stop = on_stop;
	strings->destroy = on_destroy;
}

static void a_life_is_create_start_stop_destroy(void **state)
{
	(void)state;
	live_as_written(f->action);
	fixture_begin(f, CONFIG);
	UNTIL(f, saw.started == 1);
	assert_false(runtime_ready(f->runtime));
	assert_string_equal(fixture_problem(f, "act"), "the socket is taken");
	UNTIL(f, runtime_ready(f->runtime));
	fixture_stop(f);
	assert_string_equal(saw.order, "create start start stop destroy ");
}

static bool refuse_to_be_created(struct pm_host *h)
{
	saw.created++;
	h->log(h, PM_ERROR, "no such region");
	return false;
}

static void what_refused_to_be_created_is_not_destroyed(void **state)
{
	(void)state;
	live_as_written(f->action);
	f->action->create = refuse_to_be_created;
	fixture_begin(f, CONFIG);
	UNTIL(f, saw.created);
	assert_string_equal(fixture_problem(f, "act"), "no such region");
	fixture_stop(f);
	assert_null(saw.order);
}

static void an_instance_that_ends_while_it_is_loaded_is_never_created(void **state)
{
	(void)state;
	live_as_written(f->action);
	fixture_begin(f, CONFIG);
	fixture_stop(f);
	assert_null(saw.order);
}

static void an_answer_that_is_noted(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	an_answer(h, m, arg);
	assert_int_equal(m->status, 0);
	happened(m->error);
	h->save(h, "noted", "yes");
}

static void ask_and_wait(struct pm_host *h)
{
	h->http(h, &PM_HTTP(.url = "http://test/"), an_answer_that_is_noted, 0);
	h->after(h, 0, a_timer, 7);
}

static void count_the_dead(struct pm_host *h, pm_delivery d)
{
	(void)h;
	(void)d;
	saw.after_destroy += saw.destroyed;
}

static void before_destroy_requests_are_answered_and_timers_dropped(void **state)
{
	(void)state;
	live_as_written(f->action);
	saw.started = 1;
	fixture_start(f, CONFIG);
	fixture_call(fixture_host(f, "act"), ask_and_wait);
	assert_int_equal(f->nrequests, 1);
	fixture_close_runtime(f);
	assert_string_equal(saw.order, "create start stop cancelled destroy ");
	assert_true(fixture_request(f)->cancelled);
	fixture_settle(f);
	assert_int_equal(saw.timed, 0);
	assert_non_null(strstr(fixture_journal(f), "save noted=yes"));
	fixture_close_engine(f);
}

static void after_destroy_nothing_calls(void **state)
{
	struct pm_host *source;

	(void)state;
	live_as_written(f->action);
	saw.started = 1;
	f->action->deliver = count_the_dead;
	f->action->cancel = count_the_dead;
	fixture_start(f, CONFIG);
	source = fixture_host(f, "src");
	fixture_stop_journal(f);
	fixture_emit(f, source, &PM_EMIT(.type = "item.added", .id = "a", .json = "{}"));
	fixture_close_runtime(f);
	assert_int_equal(saw.destroyed, 1);
	fixture_let_journal(f);
	UNTIL(f, engine_stats(f->engine).last_seq == 1);
	fixture_settle(f);
	fixture_close_engine(f);
	assert_int_equal(saw.after_destroy, 0);
}

static void an_answer_asks_again(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	an_answer(h, m, arg);
	h->http(h, &PM_HTTP(.url = "http://test/"), an_answer_asks_again, 0);
}

static void poll_for_ever(struct pm_host *h)
{
	h->http(h, &PM_HTTP(.url = "http://test/"), an_answer_asks_again, 0);
}

static void a_plugin_that_asks_again_on_every_answer_is_ended_all_the_same(void **state)
{
	(void)state;
	live_as_written(f->action);
	saw.started = 1;
	fixture_start(f, CONFIG);
	fixture_call(fixture_host(f, "act"), poll_for_ever);
	fixture_stop(f);
	assert_int_equal(saw.destroyed, 1);
	assert_string_equal(saw.error, "cancelled");
}

static void hear(struct pm_host *h)
{
	h->alive(h, NULL);
}

static void a_source_that_has_stalled_says_how_long(void **state)
{
	struct instance *i;

	(void)state;
	fixture_start(f, CONFIG);
	i = (struct instance *)(void *)fixture_host(f, "src");
	fixture_call(&i->host, hear);
	f->ahead += 700000;
	assert_string_equal(fixture_problem(f, "src"), "");
	i->stalled = true;
	assert_non_null(strstr(fixture_problem(f, "src"), "nothing heard from upstream for 70"));
	fixture_call(&i->host, hear);
	assert_string_equal(fixture_problem(f, "src"), "");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_life_is_create_start_stop_destroy, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_refused_to_be_created_is_not_destroyed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			an_instance_that_ends_while_it_is_loaded_is_never_created, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			before_destroy_requests_are_answered_and_timers_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_destroy_nothing_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_plugin_that_asks_again_on_every_answer_is_ended_all_the_same, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_source_that_has_stalled_says_how_long, set_up,
						tear_down),
	};

	fixture_plugins(argc > 1 ? argv[1] : ".");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
