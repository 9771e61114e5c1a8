#include "base/mem.h"
#include "plugin/hostfixture.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

/* What instances emit and save, and what becomes of it. */

#define CONFIG                                                                                     \
	"[source src]\nplugin = puppet-source\n"                                                   \
	"[action act]\nplugin = puppet-action\nretry = 1d, 1s..1s\n"                               \
	"[sink out]\nplugin = puppet-sink\ntext = {{ data.who.name }}\n"                           \
	"[rule r]\non = item.added\ndo = act\n"                                                    \
	"[rule s]\non = item.done\ndo = out\n"
#define MB     (1024 * 1024)
#define PARENT "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

static struct fixture *f;

static struct {
	int delivered, resumed, walked;
	pm_result result;
	char key[64], text[256];
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

static pm_result emit(const struct pm_emit *e)
{
	return fixture_emit(f, fixture_host(f, "src"), e);
}

static void emit_item(const char *id)
{
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = id, .json = "{\"n\":1}")),
			 PM_OK);
}

static void in_journal(const char *part)
{
	UNTIL(f, strstr(fixture_journal(f), part));
}

static void not_in_journal(const char *part)
{
	fixture_settle(f);
	assert_null(strstr(fixture_journal(f), part));
}

static void an_undeclared_type_is_kept_as_a_dead_letter(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	assert_int_equal(emit(&PM_EMIT(.type = "item.gone", .id = "a", .json = "{\"n\":1}")),
			 PM_REJECT);
	in_journal("row 1/0 dead");
	in_journal("pointsman.event.refused");
	in_journal("\"reason\":\"type item.gone is not declared by plugin puppet-source\"");
	in_journal("\"id\":\"a\"");
	in_journal("\"bytes\":\"{\\\"n\\\":1}\"");
	UNTIL(f, engine_stats(f->engine).refused == 1);
	assert_true(fixture_logged(f, "warn src: event of type item.gone refused: "));
}

static void a_time_that_is_none_is_kept_as_a_dead_letter(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	assert_int_equal(
		emit(&PM_EMIT(.type = "item.added", .id = "a", .json = "{}", .time = "yesterday")),
		PM_REJECT);
	in_journal("row 1/0 dead");
	in_journal("\"reason\":\"time \\\"yesterday\\\" is neither RFC 3339");
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "b", .json = "{}",
				       .time = "1700000000000")),
			 PM_OK);
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "c", .json = "{}", .time = "")),
			 PM_OK);
	in_journal(" item.added id=c");
}

static void a_payload_that_is_no_json_object_is_kept_as_a_dead_letter(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "a", .json = "{\"n\":}")),
			 PM_REJECT);
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "b", .json = "[]")), PM_REJECT);
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "c")), PM_REJECT);
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "d", .json = "\xff\xfe")),
			 PM_REJECT);
	UNTIL(f, fixture_times(fixture_journal(f), "/0 dead") == 4);
	in_journal("line 1 column 6");
	in_journal("\"reason\":\"it has no payload\"");
	in_journal("\"base64\":\"//4=\"");
	not_in_journal(" item.added ");
}

static void an_event_over_1_mb_is_kept_as_a_dead_letter_cut_short(void **state)
{
	char *json = mem_format("{\"a\":\"%*s\"}", MB, "x");

	(void)state;
	fixture_start(f, CONFIG);
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "a", .json = json)), PM_REJECT);
	in_journal("row 1/0 dead");
	json[MB - 1000] = '"';
	json[MB - 999] = '}';
	json[MB - 998] = '\0';
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "a", .json = json)), PM_OK);
	in_journal(" item.added id=a");
	free(json);
}

static void what_a_source_refuses_itself_is_kept_with_its_reason(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	for (int n = 0; n < 2; n++) {
		assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "a", .json = "not JSON",
					       .refuse = "it has no end")),
				 PM_REJECT);
	}
	in_journal("\"reason\":\"it has no end\"");
	/* A stream read again refuses the same record again. */
	fixture_settle(f);
	assert_int_equal(fixture_times(fixture_journal(f), " pointsman.event.refused "), 1);
}

static void emit_from_a_sink(struct pm_host *h, pm_delivery d)
{
	saw.result = h->emit(h, &PM_EMIT(.type = "item.added", .id = "b", .json = "{}"));
	h->finish(h, d, PM_OK, "");
	saw.delivered++;
}

static void a_sink_may_not_emit(void **state)
{
	(void)state;
	f->sink->deliver = emit_from_a_sink;
	fixture_start(f, CONFIG);
	emit(&PM_EMIT(.type = "item.done", .id = "a", .json = "{}"));
	UNTIL(f, saw.delivered);
	assert_int_equal(saw.result, PM_REJECT);
	assert_true(fixture_logged(f, "puppet-sink is a sink and may not emit()"));
	not_in_journal("event 2");
}

static void a_repeat_is_accepted_and_dropped(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	emit_item("a");
	emit_item("a");
	UNTIL(f, engine_stats(f->engine).duplicates == 1);
	assert_int_equal(fixture_times(fixture_journal(f), " item.added id=a"), 1);
}

static void an_event_gets_what_the_plugin_left_out(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	emit(&PM_EMIT(.type = "item.added", .json = "{\"n\":1}"));
	emit(&PM_EMIT(.type = "item.added", .json = "{\"n\":1}"));
	in_journal("event 2 item.added id=");
	in_journal("cause=0 hops=0");
}

static void emit_twice_and(struct pm_host *h, pm_delivery d, pm_result r)
{
	snprintf(saw.key, sizeof saw.key, "%s", h->get(h, d, "delivery.key"));
	h->emit(h, &PM_EMIT(.type = "item.done", .json = "{\"who\":{\"name\":\"A\"}}", .cause = d));
	h->emit(h, &PM_EMIT(.type = "item.done", .json = "{\"who\":{\"name\":\"B\"}}", .cause = d));
	h->finish(h, d, r, "not yet");
	saw.delivered++;
}

static void emit_twice(struct pm_host *h, pm_delivery d)
{
	emit_twice_and(h, d, saw.delivered ? PM_OK : PM_RETRY);
}

static void see_trace(struct pm_host *h, pm_delivery d)
{
	snprintf(saw.text, sizeof saw.text, "%s", h->get(h, d, "event"));
	h->finish(h, d, PM_OK, "");
	saw.walked++;
}

static void what_an_action_emits_follows_from_its_cause(void **state)
{
	char part[256];

	(void)state;
	f->action->deliver = emit_twice;
	f->sink->deliver = see_trace;
	saw.delivered = 1;
	fixture_start(f, CONFIG);
	emit(&PM_EMIT(.type = "item.added", .id = "a", .json = "{}", .traceparent = PARENT));
	UNTIL(f, saw.walked == 2);
	snprintf(part, sizeof part, "event 2 item.done id=%s/item.done/0 cause=1 hops=1", saw.key);
	in_journal(part);
	snprintf(part, sizeof part, "event 3 item.done id=%s/item.done/1 cause=1 hops=1", saw.key);
	in_journal(part);
	assert_non_null(strstr(saw.text, "\"traceparent\":\"" PARENT "\""));
}

static void a_traceparent_that_is_none_begins_a_trace(void **state)
{
	(void)state;
	f->action->deliver = emit_twice;
	f->sink->deliver = see_trace;
	saw.delivered = 1;
	fixture_start(f, CONFIG);
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "a", .json = "{}",
				       .traceparent = "00-what-is-this")),
			 PM_OK);
	UNTIL(f, saw.walked == 2);
	assert_non_null(strstr(saw.text, "\"traceparent\":\"00-"));
	assert_null(strstr(saw.text, "what-is-this"));
}

static void a_retry_repeats_the_ids_of_what_it_emits(void **state)
{
	(void)state;
	f->action->deliver = emit_twice;
	f->sink->deliver = see_trace;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered == 2);
	UNTIL(f, engine_stats(f->engine).duplicates == 2);
	assert_int_equal(fixture_times(fixture_journal(f), " item.done "), 2);
	assert_int_equal(saw.walked, 2);
}

static void hold_then_finish(struct pm_host *h, pm_delivery d)
{
	h->emit(h, &PM_EMIT(.type = "item.done", .json = "{}", .cause = d));
	saw.delivered++;
	if (h->get(h, d, "delivery.held"))
		h->finish(h, d, PM_OK, "");
	else
		h->hold(h, d, 1, "once");
}

static void a_call_after_a_hold_goes_on_counting(void **state)
{
	(void)state;
	f->action->deliver = hold_then_finish;
	f->sink->deliver = see_trace;
	fixture_start(f, CONFIG);
	emit_item("a");
	in_journal("/item.done/1 ");
	assert_int_equal(saw.delivered, 2);
	assert_int_equal(engine_stats(f->engine).duplicates, 0);
}

static void emit_too_late(struct pm_host *h, pm_delivery d)
{
	h->finish(h, d, PM_OK, "");
	saw.result = h->emit(h, &PM_EMIT(.type = "item.done", .json = "{}", .cause = d));
	saw.delivered++;
}

static void an_event_whose_cause_has_ended_is_refused_and_says_so(void **state)
{
	(void)state;
	f->action->deliver = emit_too_late;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered);
	assert_int_equal(saw.result, PM_REJECT);
	in_journal("its cause, the delivery it follows from, has ended already");
}

static void count_resume(struct pm_host *h)
{
	saw.result = h->emit(h, &PM_EMIT(.type = "item.added", .id = "b", .json = "{\"n\":1}"));
	saw.resumed++;
}

static void emit_though_full(struct pm_host *h, pm_delivery d)
{
	atomic_store(&f->disk, 0);
	atomic_fetch_add(&f->ahead, 2000);
	emit_twice_and(h, d, PM_OK);
}

static void without_room_a_source_waits_and_an_action_goes_on(void **state)
{
	(void)state;
	f->source->resume = count_resume;
	f->action->deliver = emit_though_full;
	fixture_start(f, CONFIG);
	emit_item("a");
	UNTIL(f, saw.delivered);
	in_journal("/item.done/1 ");
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "b", .json = "{}")), PM_RETRY);
	assert_int_equal(emit(&PM_EMIT(.type = "item.added", .id = "c", .json = "{}")), PM_RETRY);
	assert_true(fixture_logged(f, "intake stops: 0 MB are free"));
	not_in_journal("id=b");
	assert_int_equal(saw.resumed, 0);
	f->action->deliver = NULL;
	atomic_store(&f->disk, INT64_C(1) << 40);
	atomic_fetch_add(&f->ahead, 2000);
	UNTIL(f, saw.resumed);
	assert_int_equal(saw.result, PM_OK);
	in_journal("id=b");
	fixture_settle(f);
	assert_int_equal(saw.resumed, 1);
}

static void render_what_is_absent(struct pm_host *h, pm_delivery d)
{
	assert_null(h->render(h, d, "text"));
	assert_null(h->render(h, d, "text"));
	assert_null(h->get(h, d, "type"));
	h->finish_by_http(h, d, &PM_HTTP(.url = "http://test/"));
	saw.delivered++;
}

static void a_template_without_its_value_makes_a_dead_letter_that_names_the_path(void **state)
{
	(void)state;
	f->sink->deliver = render_what_is_absent;
	fixture_start(f, CONFIG);
	emit(&PM_EMIT(.type = "item.done", .id = "a", .json = "{\"who\":{}}"));
	UNTIL(f, saw.delivered);
	in_journal("dead: text: ");
	in_journal("data.who.name");
	assert_int_equal(f->nrequests, 0);
	assert_int_equal(fixture_counter(f, "out", "late_finish"), 0);
}

static void see_saved(struct pm_host *h, const char *key, const char *value)
{
	size_t len = strlen(saw.text);

	snprintf(saw.text + len, sizeof saw.text - len, "%s=%s ", key, value);
	if (strcmp(key, "a/1") == 0) {
		h->save(h, "a/2", NULL);
		h->save(h, "a/4", "new");
	}
}

static void save_some(struct pm_host *h)
{
	h->save(h, "a/1", "one");
	h->save(h, "a/2", "two");
	h->save(h, "a/3", "three");
	h->save(h, "b", "no");
	h->save(h, "a/1", "first");
	assert_null(h->load(h, "absent"));
	assert_string_equal(h->load(h, "a/1"), "first");
	h->each(h, "a/", see_saved);
	assert_null(h->load(h, "a/2"));
}

static void see_all_saved(struct pm_host *h)
{
	saw.text[0] = '\0';
	h->each(h, "", see_saved);
}

static void what_is_saved_is_there_after_a_restart(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	fixture_call(fixture_host(f, "src"), save_some);
	assert_string_equal(saw.text, "a/1=first a/3=three ");
	fixture_stop(f);
	fixture_start(f, CONFIG);
	fixture_call(fixture_host(f, "src"), see_all_saved);
	assert_string_equal(saw.text, "a/1=first a/3=three a/4=new b=no ");
	fixture_call(fixture_host(f, "act"), see_all_saved);
	assert_string_equal(saw.text, "");
}

static void save_too_much(struct pm_host *h)
{
	char *half = mem_format("%*s", MB / 2, "x");

	h->save(h, "a", half);
	h->save(h, "a", half);
	h->save(h, "b", half);
	assert_null(h->load(h, "b"));
	half[MB / 2 - 10] = '\0';
	h->save(h, "b", half);
	assert_non_null(h->load(h, "b"));
	h->save(h, "a", NULL);
	h->save(h, "c", half);
	assert_non_null(h->load(h, "c"));
	free(half);
}

static void an_instance_saves_1_mb_and_no_more(void **state)
{
	(void)state;
	fixture_start(f, CONFIG);
	fixture_call(fixture_host(f, "src"), save_too_much);
	assert_true(fixture_logged(f, "error src: save(\"b\") refused: the saved state would grow "
				      "over 1 MB"));
	in_journal("save c=");
	assert_null(strstr(fixture_journal(f), "save a="));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_undeclared_type_is_kept_as_a_dead_letter, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_time_that_is_none_is_kept_as_a_dead_letter,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_payload_that_is_no_json_object_is_kept_as_a_dead_letter, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			an_event_over_1_mb_is_kept_as_a_dead_letter_cut_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_a_source_refuses_itself_is_kept_with_its_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_sink_may_not_emit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_repeat_is_accepted_and_dropped, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_event_gets_what_the_plugin_left_out, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_an_action_emits_follows_from_its_cause, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_traceparent_that_is_none_begins_a_trace, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_retry_repeats_the_ids_of_what_it_emits, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_call_after_a_hold_goes_on_counting, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			an_event_whose_cause_has_ended_is_refused_and_says_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_room_a_source_waits_and_an_action_goes_on,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_template_without_its_value_makes_a_dead_letter_that_names_the_path,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_saved_is_there_after_a_restart, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_instance_saves_1_mb_and_no_more, set_up,
						tear_down),
	};

	fixture_plugins(argc > 1 ? argv[1] : ".");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
