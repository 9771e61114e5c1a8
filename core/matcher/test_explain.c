#include "matcher/ruleset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)  (sizeof(a) / sizeof *(a))
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct event *event_of(const char *data)
{
	return event_create(&(struct event){.id = "1",
					    .source = "s",
					    .type = "a.b",
					    .subject = "sub",
					    .time = "2026-11-24T01:02:03Z",
					    .instance = "src",
					    .data = data,
					    .data_len = strlen(data)});
}

static void say_condition(struct buf *out, const struct condition *c, const struct seen *seen)
{
	static const char *const verdicts[] = {
		[VERDICT_UNASKED] = "unasked", [VERDICT_PASS] = "pass", [VERDICT_FAIL] = "fail",
		[VERDICT_ABSENT] = "absent",   [VERDICT_TYPE] = "type",
	};

	buf_printf(out, "%s%.*s: %s", c->turned ? "turned " : "", (int)c->len, c->text,
		   verdicts[seen->verdict]);
	if (c->any)
		buf_printf(out, ", any %s %ld", c->any->text, seen->any);
	if (seen->value.len)
		buf_printf(out, ", saw %s", buf_text(&seen->value));
	if (seen->more)
		buf_printf(out, " and %zu", seen->more);
	if (seen->element >= 0)
		buf_printf(out, ", element %ld", seen->element);
	if (seen->other.len)
		buf_printf(out, ", other %s", buf_text(&seen->other));
	buf_char(out, '\n');
}

/* What explaining says, condition by condition; that it and matching agree. */
static void explains(const struct selector *s, const char *data, const char *expected)
{
	struct err err = {{0}};
	struct ruleset *set = ruleset_compile(s, 1, NULL, NULL, &err);
	struct event *ev = event_of(data);
	struct seen seen[16];
	struct match m = {0};
	struct buf out = {0};
	bool hit;

	if (!set)
		fail_msg("%s", err.text);
	hit = ruleset_explain(set, 0, ev, seen);
	ruleset_match(set, ev, false, &m);
	assert_int_equal(hit, m.nhits);
	buf_text_add(&out, hit ? "YES\n" : "NO\n");
	for (size_t c = 0; c < ruleset_conditions(set, 0); c++) {
		struct condition condition = ruleset_condition(set, 0, c);

		if (c > 0)
			say_condition(&out, &condition, &seen[c]);
		seen_clear(&seen[c]);
	}
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
	match_free(&m);
	event_unref(ev);
	ruleset_free(set);
}

static void where_says(const char *where, const char *data, const char *expected)
{
	explains(&(struct selector){.where = where}, data, expected);
}

static void every_condition_is_asked_and_tells_its_value(void **state)
{
	(void)state;
	where_says("data.a == \"x\" and data.b in [1, 2] and data.c exists",
		   "{\"a\":\"y\",\"b\":2,\"c\":{\"d\":1}}",
		   "NO\ndata.a == \"x\": fail, saw \"y\"\ndata.b in [1, 2]: pass, saw 2\n"
		   "data.c exists: pass, saw {\"d\":1}\n");
	where_says("data.a == 1 or data.b == 2", "{\"a\":1,\"b\":3}",
		   "YES\ndata.a == 1: pass, saw 1\ndata.b == 2: fail, saw 3\n");
	where_says("subject == \"sub\" and type like \"a.*\"", "{}",
		   "YES\nsubject == \"sub\": pass, saw \"sub\"\n"
		   "type like \"a.*\": pass, saw \"a.b\"\n");
}

static void an_absent_field_and_another_type_are_told_apart(void **state)
{
	(void)state;
	where_says("data.a == 1 and data.b == 1 and data.c == null", "{\"b\":\"1\",\"c\":null}",
		   "NO\ndata.a == 1: absent\ndata.b == 1: type, saw \"1\"\n"
		   "data.c == null: pass, saw null\n");
	where_says("not (data.a == 1)", "{}", "YES\nturned data.a == 1: absent\n");
}

static void the_element_that_decided_is_named(void **state)
{
	(void)state;
	where_says("data.a.n == 2", "{\"a\":[{\"n\":1},{\"n\":2},{\"n\":2}]}",
		   "YES\ndata.a.n == 2: pass, saw 2, element 1\n");
	where_says("data.a.n == 9", "{\"a\":[{\"n\":1},{\"n\":2}]}",
		   "NO\ndata.a.n == 9: fail, saw 1, 2\n");
	where_says("data.a != 2", "{\"a\":[1,2]}", "NO\ndata.a != 2: fail, saw 2, element 1\n");
	where_says("data.a != 3", "{\"a\":[1,2]}", "YES\ndata.a != 3: pass, saw 1, 2\n");
	where_says("data.a == 1", "{\"a\":[1]}", "YES\ndata.a == 1: pass, saw 1\n");
	where_says("data.a == 1", "{\"a\":[]}", "NO\ndata.a == 1: fail\n");
	where_says("data.a == 0", "{\"a\":[1,2,3,4,5,6,7,8,9,10]}",
		   "NO\ndata.a == 0: fail, saw 1, 2, 3, 4, 5, 6, 7, 8 and 2\n");
	where_says("data.a == 10", "{\"a\":[1,2,3,4,5,6,7,8,9,10]}",
		   "YES\ndata.a == 10: pass, saw 10, element 9\n");
	where_says("data.a.count > 1", "{\"a\":[1,2]}", "YES\ndata.a.count > 1: pass, saw 2\n");
}

static void any_names_its_element(void **state)
{
	static const char where[] = "any data.c (who == \"bot\" and n > 1)";

	(void)state;
	where_says(where, "{\"c\":[{\"who\":\"bot\",\"n\":1},{\"who\":\"bot\",\"n\":2},{}]}",
		   "YES\nwho == \"bot\": pass, any data.c 1, saw \"bot\"\n"
		   "n > 1: pass, any data.c 1, saw 2\n");
	where_says(where, "{\"c\":[{\"who\":\"bot\",\"n\":1},{\"who\":\"me\",\"n\":2}]}",
		   "NO\nwho == \"bot\": pass, any data.c 0, saw \"bot\"\n"
		   "n > 1: pass, any data.c 1, saw 2\n");
	where_says(where, "{\"c\":[]}",
		   "NO\nwho == \"bot\": unasked, any data.c -1\nn > 1: unasked, any data.c -1\n");
	where_says(where, "{}",
		   "NO\nwho == \"bot\": absent, any data.c -1\nn > 1: absent, any data.c -1\n");
	where_says("any data.c (any d (e == 1))",
		   "{\"c\":[{\"d\":[{\"e\":2}]},{\"d\":[{},{\"e\":1}]}]}",
		   "YES\ne == 1: pass, any data.c.d 1, saw 1\n");
}

static void the_right_side_is_told_too(void **state)
{
	(void)state;
	where_says("data.a == data.b", "{\"a\":1,\"b\":[2,3]}",
		   "NO\ndata.a == data.b: fail, saw 1, other 2, 3\n");
	where_says("data.a == data.b", "{\"a\":1}", "NO\ndata.a == data.b: absent, saw 1\n");
}

static void a_pattern_tells_what_it_met_like_where(void **state)
{
	const struct selector s = {.where = "data.n > 1",
				   .pattern =
					   "{\"t\": [\"x\", \"y\"], \"m\": [{\"exists\": false}]}",
				   .pattern_data = true};

	(void)state;
	explains(&s, "{\"n\":2,\"t\":[\"a\",\"y\"]}",
		 "YES\ndata.n > 1: pass, saw 2\n"
		 "\"m\": [{\"exists\": false}]: pass\n"
		 "\"t\": [\"x\", \"y\"]: pass, saw \"y\", element 1\n");
}

static void changed_tells_both_values(void **state)
{
	const struct selector s = {.from = LIST("src"), .changed = "data.new.p"};

	(void)state;
	explains(&s, "{\"new\":{\"p\":\"B\"},\"old\":{\"p\":\"A\"}}",
		 "YES\nsrc: pass, saw \"src\"\ndata.new.p: pass, saw \"B\", other \"A\"\n");
	explains(&s, "{\"new\":{\"p\":\"A\"},\"old\":{\"p\":\"A\"}}",
		 "NO\nsrc: pass, saw \"src\"\ndata.new.p: fail, saw \"A\", other \"A\"\n");
	explains(&s, "{}", "NO\nsrc: pass, saw \"src\"\ndata.new.p: absent\n");
}

static void an_event_of_another_type_or_instance_is_told_so(void **state)
{
	struct selector s = {.on = LIST("x.y"), .where = "data.a == 1"};

	(void)state;
	explains(&s, "{\"a\":1}", "NO\ndata.a == 1: unasked\n");
	s = (struct selector){.from = LIST("p", "q"), .where = "data.a == 1"};
	explains(&s, "{\"a\":1}", "NO\np, q: fail, saw \"src\"\ndata.a == 1: pass, saw 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_condition_is_asked_and_tells_its_value),
		cmocka_unit_test(an_absent_field_and_another_type_are_told_apart),
		cmocka_unit_test(the_element_that_decided_is_named),
		cmocka_unit_test(any_names_its_element),
		cmocka_unit_test(the_right_side_is_told_too),
		cmocka_unit_test(a_pattern_tells_what_it_met_like_where),
		cmocka_unit_test(changed_tells_both_values),
		cmocka_unit_test(an_event_of_another_type_or_instance_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
