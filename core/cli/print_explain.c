#include "cli/print_explain.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

#define VALUE_BYTES 60 /* more of a value says nothing to people */

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long number(json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static bool is(json_t *o, const char *key, const char *word)
{
	return strcmp(text(o, key), word) == 0;
}

static bool given(json_t *o, const char *key)
{
	json_t *value = json_object_get(o, key);

	return value && !json_is_null(value);
}

/* Not cut within a character. */
static void print_value(const char *value)
{
	size_t len = strlen(value);

	if (len <= VALUE_BYTES) {
		fputs(value, stdout);
		return;
	}
	for (len = VALUE_BYTES; ((unsigned char)value[len] & 0xc0) == 0x80;)
		len--;
	printf("%.*s..", (int)len, value);
}

static void print_duration(long long ms)
{
	char words[64];

	units_duration_text(ms, words, sizeof words);
	fputs(words, stdout);
}

static void print_where_from(json_t *c)
{
	if (given(c, "element"))
		printf(" (element %lld)", number(c, "element"));
	if (given(c, "any_element"))
		printf(" in element %lld of %s", number(c, "any_element"), text(c, "any"));
	if (number(c, "more"))
		printf(" and %lld more", number(c, "more"));
}

static void print_change(json_t *c)
{
	fputs("   was ", stdout);
	print_value(given(c, "other") ? text(c, "other") : "absent");
	fputs(", is ", stdout);
	print_value(given(c, "value") ? text(c, "value") : "absent");
}

static void print_seen(json_t *c)
{
	if (is(c, "verdict", "unasked")) {
		printf("   %s has no elements", text(c, "any"));
		return;
	}
	if (!given(c, "value")) {
		fputs(is(c, "verdict", "fail") ? "   nothing in it" : "   absent", stdout);
		return;
	}
	fputs("   was ", stdout);
	print_value(text(c, "value"));
	print_where_from(c);
	if (is(c, "verdict", "type"))
		fputs(", of another type", stdout);
	if (given(c, "other")) {
		fputs("; the right side was ", stdout);
		print_value(text(c, "other"));
	}
}

/* On one line: a pattern from a file has several. */
static void print_joined(const char *words)
{
	for (; *words; words++) {
		if (*words == '\n' || *words == '\r' || *words == '\t')
			putchar(' ');
		else
			putchar(*words);
	}
}

static void print_condition(json_t *c, const char *indent)
{
	bool pass = is(c, "verdict", "pass"), named = is(c, "kind", "on") || is(c, "kind", "from");

	printf("%s%s %-8s", indent,
	       pass                          ? "PASS"
	       : is(c, "verdict", "unasked") ? "----"
					     : "FAIL",
	       text(c, "kind"));
	print_joined(text(c, "text"));
	if (is(c, "kind", "changed"))
		print_change(c);
	else if (!named || !pass)
		print_seen(c);
	if (json_is_true(json_object_get(c, "not")))
		fputs(", inside not (..)", stdout);
	putchar('\n');
}

/* Of an event of another type only that is told. */
static void print_conditions(json_t *conditions, const char *indent)
{
	json_t *c;
	size_t i;

	json_array_foreach(conditions, i, c)
	{
		print_condition(c, indent);
		if (is(c, "kind", "on") && !is(c, "verdict", "pass"))
			return;
	}
}

/* Each test may be true of another element. */
static bool passes_by_pieces(json_t *ask)
{
	json_t *c;
	size_t i;
	bool any = false;

	json_array_foreach(json_object_get(ask, "conditions"), i, c)
	{
		if (!is(c, "verdict", "pass") || json_is_true(json_object_get(c, "not")))
			return false;
		any = any || given(c, "any");
	}
	return any && !json_is_true(json_object_get(ask, "matched"));
}

static void print_asks(json_t *asks)
{
	json_t *ask;
	size_t i;

	json_array_foreach(asks, i, ask)
	{
		bool input = given(ask, "input");

		if (input)
			printf("  input %-10s %s\n", text(ask, "input"),
			       json_is_true(json_object_get(ask, "matched")) ? "YES" : "NO");
		print_conditions(json_object_get(ask, "conditions"), input ? "    " : "  ");
		if (passes_by_pieces(ask))
			puts("  FAIL any     no one element passes all of it");
	}
}

static void print_inputs(json_t *holds)
{
	json_t *filled;
	const char *name, *separator = "  fills        ";

	json_object_foreach(json_object_get(holds, "inputs"), name, filled)
	{
		if (json_is_true(filled)) {
			printf("%s%s", separator, name);
			separator = ", ";
		}
	}
	separator = "; waits for ";
	json_object_foreach(json_object_get(holds, "inputs"), name, filled)
	{
		if (!json_is_true(filled)) {
			printf("%s%s", separator, name);
			separator = ", ";
		}
	}
}

static void print_targets(json_t *targets)
{
	json_t *t;
	size_t i;

	json_array_foreach(targets, i, t)
	{
		printf("%s%s%s%s", i ? ", " : "  then         -> ", text(t, "target"),
		       given(t, "then") ? " then " : "", text(t, "then"));
	}
	putchar('\n');
}

static void print_holds(json_t *holds)
{
	if (json_object_get(holds, "inputs")) {
		print_inputs(holds);
	} else if (json_object_get(holds, "count")) {
		printf("  counts       %lld of %lld within ", number(holds, "events"),
		       number(holds, "count"));
		print_duration(number(holds, "within_ms"));
	} else {
		fputs("  gathers      until nothing came for ", stdout);
		print_duration(number(holds, "quiet_ms"));
		fputs(", at the latest after ", stdout);
		print_duration(number(holds, "max_ms"));
	}
	if (json_is_true(json_object_get(holds, "open"))) {
		fputs("; fires once nothing came for ", stdout);
		print_duration(number(holds, "quiet_ms"));
	}
	puts(" (if nothing is held before it)");
}

/* What the journal says that the rule holds by now, the event perhaps among it. */
static void print_now(json_t *now)
{
	const char *name, *separator = "";
	json_t *slot;

	fputs("  now holds    ", stdout);
	if (!json_object_size(json_object_get(now, "inputs")))
		printf("%lld event%s", number(now, "events"),
		       number(now, "events") == 1 ? "" : "s");
	json_object_foreach(json_object_get(now, "inputs"), name, slot)
	{
		if (json_is_object(slot))
			printf("%s%s: event %lld%s", separator, name, number(slot, "seq"),
			       json_is_true(json_object_get(slot, "new")) ? " (new)" : "");
		else
			printf("%s%s: nothing", separator, name);
		separator = ", ";
	}
	putchar('\n');
}

static void print_target(json_t *d, const char *arrow)
{
	json_t *key;
	size_t i;

	printf("  %-12s %s\n", arrow, text(d, "target"));
	if (given(d, "problem"))
		printf("     its keys are not known here: %s\n", text(d, "problem"));
	json_array_foreach(json_object_get(d, "keys"), i, key)
	{
		if (given(key, "problem"))
			printf("     %-9s A DEAD LETTER: %s\n", text(key, "key"),
			       text(key, "problem"));
		else if (*text(key, "text"))
			printf("     %-9s %s\n", text(key, "key"), text(key, "text"));
	}
}

static void print_deliveries(json_t *deliveries)
{
	json_t *d;
	size_t i;

	json_array_foreach(deliveries, i, d)
	{
		print_target(d, "->");
		if (given(d, "then"))
			print_target(json_object_get(d, "then"), "   then ->");
	}
}

static void print_names(const char *before, json_t *names)
{
	json_t *name;
	size_t i;

	if (json_array_size(names))
		fputs(before, stdout);
	json_array_foreach(names, i, name)
	{
		printf("%s%s", i ? ", " : "", json_string_value(name));
	}
	if (json_array_size(names))
		putchar('\n');
}

static const char *verdict_word(json_t *rule)
{
	static const char *const words[][2] = {
		{"matched", "YES"},
		{"not matched", "NO"},
		{"fired", "FIRED: the event is its firing"},
		{"disabled", "OFF: enabled = no"},
		{"not asked", "NO: `else`, and another rule matched"},
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (is(rule, "verdict", words[i][0]))
			return words[i][1];
	}
	return text(rule, "verdict");
}

void print_explained(json_t *rule)
{
	json_t *holds = json_object_get(rule, "holds");

	printf("rule %s   %s\n", text(rule, "rule"), verdict_word(rule));
	print_asks(json_object_get(rule, "asks"));
	if (*text(rule, "group"))
		printf("  group        %s\n", text(rule, "group"));
	if (json_is_object(holds)) {
		print_holds(holds);
		if (given(rule, "now"))
			print_now(json_object_get(rule, "now"));
		print_targets(json_object_get(rule, "do"));
	}
	if (json_is_true(json_object_get(rule, "fires")))
		puts("  fires        at once");
	print_deliveries(json_object_get(rule, "deliveries"));
	print_names("  not again    ", json_object_get(rule, "taken"));
	print_names("  spared       ", json_object_get(rule, "spared"));
}

static bool fails_on(json_t *ask)
{
	return !is(json_array_get(json_object_get(ask, "conditions"), 0), "verdict", "pass");
}

bool explained_is_foreign(json_t *rule)
{
	json_t *asks = json_object_get(rule, "asks"), *ask;
	size_t i;

	json_array_foreach(asks, i, ask)
	{
		if (!fails_on(ask))
			return false;
	}
	return json_array_size(asks) > 0;
}

/* ["where", 2, "absent"]: the third test of `where`, its field was not there. */
static void print_failed(json_t *failed)
{
	json_t *leaf = json_array_get(failed, 1);
	const char *why = json_string_value(json_array_get(failed, json_array_size(failed) - 1));

	printf(": %s", json_string_value(json_array_get(failed, 0)));
	if (json_is_integer(leaf))
		printf(", test %lld", (long long)json_integer_value(leaf) + 1);
	if (json_array_size(failed) > 1 && why)
		printf(", %s", strcmp(why, "type") == 0 ? "a value of another type" : why);
}

static void print_verdict(json_t *verdict)
{
	json_t *failed = json_object_get(verdict, "failed");

	printf("rule %s%s%s   %s", text(verdict, "rule"), given(verdict, "input") ? " input " : "",
	       text(verdict, "input"),
	       json_is_true(json_object_get(verdict, "matched")) ? "YES" : "NO");
	if (failed)
		print_failed(failed);
	putchar('\n');
	if (*text(verdict, "group"))
		printf("  group        %s\n", text(verdict, "group"));
	print_names("  not again    ", json_object_get(verdict, "taken"));
	print_names("  spared       ", json_object_get(verdict, "spared"));
}

void print_decision(json_t *line)
{
	json_t *one;
	size_t i;

	printf("decided %s, rules of generation %lld\n\n", text(line, "at"),
	       number(line, "generation"));
	json_array_foreach(json_object_get(line, "decided"), i, one)
	{
		print_verdict(one);
	}
	json_array_foreach(json_object_get(line, "duties"), i, one)
	{
		printf("  ->           %s (rule %s)\n", text(one, "target"), text(one, "rule"));
	}
	if (json_is_true(json_object_get(line, "refused")))
		puts("refused at intake: no rule was asked");
	else if (!json_array_size(json_object_get(line, "decided")))
		puts("no verdicts were kept: no rule was about such an event, or too many were");
}
