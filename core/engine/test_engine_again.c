#include "engine/engine_inside.h"
#include "engine/testengine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TO_A "[rule r]\non = t.*\ndo = a\n[rule q]\non = u.*\nshadow = yes\ndo = b\n"

static struct bench *b;

static int set_up(void **state)
{
	(void)state;
	b = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (b)
		bench_free(b);
	return 0;
}

struct answer {
	bool done, busy;
	char text[256]; /* "1 begun, 2 live", or the problem */
};

static void on_answer(const struct engine_again_result *r, void *arg)
{
	static const char *const what[] = {"begun", "live", "no duty", "no event"};
	struct answer *a = arg;
	size_t used = 0;

	a->done = true;
	a->busy = r->busy;
	snprintf(a->text, sizeof a->text, "%s", r->problem ? r->problem : "");
	for (size_t i = 0; !r->problem && i < r->n && used < sizeof a->text; i++)
		used += (size_t)snprintf(a->text + used, sizeof a->text - used, "%s%llu %s",
					 i ? ", " : "", (unsigned long long)r->events[i].seq,
					 what[r->events[i].what]);
}

/* Good until the next. */
static const char *again(struct engine_again ask, const char *target)
{
	static struct answer a;

	a = (struct answer){0};
	ask.target = engine_instance(b->engine, target);
	engine_again(b->engine, &ask, on_answer, &a);
	BENCH_UNTIL(b, a.done);
	return a.text;
}

/* docs/behaviour.md, replay: the next round, whatever the last one came to. */
static void what_ended_is_delivered_again_under_a_new_key_and_marked(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_ok;
	seq = bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_settle(b);
	assert_string_equal(again((struct engine_again){.seqs = &seq, .n = 1}, "a"), "1 begun");
	BENCH_UNTIL(b, b->a.calls == 2);
	bench_settle(b);
	assert_string_not_equal(b->a.keys[0], b->a.keys[1]);
	assert_int_equal(b->a.attempts[1], 1);
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DONE);
	assert_int_equal(bench_row(b, seq, "a").round, 1);
	assert_true(bench_row(b, seq, "a").replay);
	assert_non_null(strstr(bench_row(b, seq, "a").trail, "replayed"));
}

static void a_dry_run_does_nothing(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_ok;
	seq = bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_settle(b);
	assert_string_equal(again((struct engine_again){.seqs = &seq, .n = 1, .dry = true}, "a"),
			    "1 begun");
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "a").round, 0);
	assert_int_equal(b->a.calls, 1);
}

static void what_has_not_ended_is_left_alone(void **state)
{
	uint64_t seqs[3];

	(void)state;
	b = bench_new("concurrency = 1\n", TO_A);
	seqs[0] = bench_event(b, "t.x", NULL);
	seqs[1] = bench_event(b, "t.x", NULL);
	seqs[2] = 99;
	BENCH_UNTIL(b, b->a.calls == 1);
	assert_string_equal(again((struct engine_again){.seqs = seqs, .n = 3}, "a"),
			    "1 live, 2 live, 99 no event");
	b->a.act = fake_ok;
	bench_finish(b, b->a.number, LANE_OK, false);
	BENCH_UNTIL(b, b->a.calls == 2);
}

static void without_a_duty_it_takes_a_rule(void **state)
{
	uint64_t seq;
	uint32_t rule;

	(void)state;
	b = bench_new("", TO_A);
	b->b.act = fake_ok;
	seq = bench_event(b, "u.x", NULL);
	assert_string_equal(again((struct engine_again){.seqs = &seq, .n = 1}, "b"), "1 no duty");
	for (rule = 1; strcmp(engine_rule(b->engine, rule), "q") != 0;)
		rule++;
	assert_string_equal(again((struct engine_again){.seqs = &seq, .n = 1, .rule = rule}, "b"),
			    "1 begun");
	BENCH_UNTIL(b, b->b.calls == 1);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "b").duty.rule, rule);
	assert_int_equal(bench_row(b, seq, "b").state, DELIVERY_DONE);
}

static void a_dead_letter_goes_again_and_is_dead_no_more(void **state)
{
	uint64_t seq;

	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_reject;
	seq = bench_event(b, "t.x", "s");
	BENCH_UNTIL(b, b->a.calls == 1);
	bench_settle(b);
	b->a.act = fake_ok;
	assert_string_equal(again((struct engine_again){.seqs = &seq, .n = 1}, "a"), "1 begun");
	BENCH_UNTIL(b, b->a.calls == 2);
	bench_settle(b);
	assert_int_equal(bench_row(b, seq, "a").state, DELIVERY_DONE);
}

static void a_target_with_much_to_do_is_busy(void **state)
{
	uint64_t first, seqs[ENGINE_AGAIN_MOST];
	const char *said = "";
	int rounds = 0;

	(void)state;
	b = bench_new("", TO_A);
	b->a.act = fake_ok;
	first = bench_event(b, "t.x", NULL);
	for (int n = 1; n < 1100; n++)
		bench_send(b, "t.x", NULL, NULL);
	BENCH_UNTIL(b, b->a.calls == 1100);
	bench_settle(b);
	b->a.act = NULL;
	for (; !strstr(said, "too much"); rounds++) {
		assert_true(rounds < 11);
		for (size_t i = 0; i < ENGINE_AGAIN_MOST; i++)
			seqs[i] = first + (uint64_t)rounds * ENGINE_AGAIN_MOST + i;
		said = again((struct engine_again){.seqs = seqs, .n = ENGINE_AGAIN_MOST}, "a");
		bench_settle(b);
	}
	assert_int_equal(rounds, 1 + ENGINE_AGAIN_BACKLOG / ENGINE_AGAIN_MOST);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(what_ended_is_delivered_again_under_a_new_key_and_marked),
		FACT(a_dry_run_does_nothing),
		FACT(what_has_not_ended_is_left_alone),
		FACT(without_a_duty_it_takes_a_rule),
		FACT(a_dead_letter_goes_again_and_is_dead_no_more),
		FACT(a_target_with_much_to_do_is_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
