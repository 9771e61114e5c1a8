#include "cli/print.h"

#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long number(json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static bool flag(json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

void print_json(json_t *line)
{
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
}

static void print_daemon(json_t *d)
{
	char uptime[64], size[32];

	units_duration_text(number(d, "uptime_ms"), uptime, sizeof uptime);
	snprintf(size, sizeof size, "%.1f MB", (double)number(d, "journal_bytes") / 1e6);
	if (flag(d, "running"))
		printf("pointsman %s, pid %lld, up %s\n", flag(d, "ready") ? "ready" : "NOT READY",
		       number(d, "pid"), uptime);
	else
		puts("no daemon is running; this is what its journal says");
	printf("journal  %s, last event %lld, generation %lld\n", size, number(d, "last_seq"),
	       number(d, "generation"));
	printf("events   %lld accepted, %lld repeats dropped, %lld refused since start\n",
	       number(d, "accepted"), number(d, "duplicates"), number(d, "refused"));
	if (flag(d, "full"))
		printf("INTAKE HAS STOPPED: %s\n", text(d, "full_because"));
	if (*text(d, "damaged"))
		printf("THE JOURNAL WAS DAMAGED: %s\n", text(d, "damaged"));
}

static void print_lane(json_t *o)
{
	printf("  done %lld", number(o, "done"));
	if (number(o, "waiting") || number(o, "called"))
		printf(", waiting %lld, in a call %lld", number(o, "waiting"), number(o, "called"));
	if (number(o, "held"))
		printf(", held %lld", number(o, "held"));
	if (number(o, "retry"))
		printf(", to be retried %lld", number(o, "retry"));
	if (number(o, "dead"))
		printf(", dead %lld", number(o, "dead"));
	if (flag(o, "breaker_open"))
		printf(", BREAKER OPEN since %s", text(o, "breaker_since"));
}

static void print_rule(json_t *o)
{
	printf("rule     %-24s matched %lld%s", text(o, "rule"), number(o, "matched"),
	       flag(o, "shadow") ? " in the shadow" : "");
	if (number(o, "mismatches"))
		printf(", met values of another type %lld times", number(o, "mismatches"));
	putchar('\n');
}

void print_status(json_t *line)
{
	json_t *daemon = json_object_get(line, "daemon");

	if (daemon) {
		print_daemon(daemon);
		return;
	}
	if (json_object_get(line, "rule")) {
		print_rule(line);
		return;
	}
	printf("%-8s %-24s %s", text(line, "kind"), text(line, "instance"),
	       !json_object_get(line, "ready") ? "         "
	       : flag(line, "ready")           ? "ready    "
					       : "NOT READY");
	if (json_object_get(line, "done"))
		print_lane(line);
	if (*text(line, "problem"))
		printf("  %s", text(line, "problem"));
	putchar('\n');
}

static void print_states(json_t *states)
{
	const char *state;
	json_t *n;
	bool any = false;

	json_object_foreach(states, state, n)
	{
		printf("%s%lld %s", any ? ", " : "", (long long)json_integer_value(n), state);
		any = true;
	}
	if (!any)
		fputs("nobody's duty", stdout);
}

void print_event(json_t *line)
{
	printf("%8lld  %s  %-30s %-30s ", number(line, "seq"), text(line, "at"), text(line, "type"),
	       text(line, "subject"));
	if (flag(line, "refused"))
		fputs("REFUSED", stdout);
	else if (flag(line, "gathered"))
		fputs("gathered by a rule", stdout);
	else
		print_states(json_object_get(line, "deliveries"));
	if (flag(line, "shadow"))
		fputs(", matched in the shadow", stdout);
	putchar('\n');
}

static void print_trail(json_t *trail)
{
	json_t *attempt;
	size_t i;

	json_array_foreach(trail, i, attempt)
	{
		printf("        attempt %zu  %s  %s", i + 1, text(attempt, "at"),
		       text(attempt, "result"));
		if (*text(attempt, "why"))
			printf(": %s", text(attempt, "why"));
		putchar('\n');
	}
}

static void print_delivery(json_t *d)
{
	printf("    -> %-24s %s", text(d, "target"), text(d, "state"));
	if (flag(d, "replay"))
		fputs(", a replay", stdout);
	if (number(d, "attempts"))
		printf(", %lld attempt%s", number(d, "attempts"),
		       number(d, "attempts") == 1 ? "" : "s");
	if (*text(d, "due"))
		printf(", next at %s", text(d, "due"));
	if (*text(d, "ended"))
		printf(", ended %s", text(d, "ended"));
	if (number(d, "by"))
		printf(", by event %lld", number(d, "by"));
	if (*text(d, "rule"))
		printf("  (rule %s)", text(d, "rule"));
	putchar('\n');
	if (*text(d, "held"))
		printf("        held: %s\n", text(d, "held"));
	if (*text(d, "why"))
		printf("        %s\n", text(d, "why"));
	print_trail(json_object_get(d, "trail"));
}

static void print_deliveries(json_t *list, bool gathered)
{
	json_t *d;
	size_t i;

	if (gathered)
		puts("    gathered: its rule's firing has the duties");
	else if (!json_array_size(list))
		puts("    became nobody's duty");
	json_array_foreach(list, i, d)
	{
		print_delivery(d);
	}
}

static void print_names(const char *before, json_t *list)
{
	json_t *name;
	size_t i;

	json_array_foreach(list, i, name)
	{
		printf("%s%s", i ? ", " : before, json_string_value(name));
	}
}

static void print_decided(json_t *list)
{
	json_t *verdict;
	size_t i;

	json_array_foreach(list, i, verdict)
	{
		json_t *failed = json_object_get(verdict, "failed");
		const char *input = text(verdict, "input");

		printf("    rule %-24s%s%s %s", text(verdict, "rule"), *input ? " input " : "",
		       input, flag(verdict, "matched") ? "matched" : "did not match");
		if (failed) {
			fputs(": ", stdout);
			json_dumpf(failed, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		}
		if (json_object_get(verdict, "shadow"))
			fputs(" in the shadow", stdout);
		print_names("; would have been delivered to: ", json_object_get(verdict, "shadow"));
		print_names("; another rule had already: ", json_object_get(verdict, "taken"));
		print_names("; spared, the event is about it: ",
			    json_object_get(verdict, "spared"));
		putchar('\n');
	}
}

static void print_effects(json_t *list)
{
	json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
	{
		printf("    => event %lld  %s  %s\n", number(e, "seq"), text(e, "type"),
		       text(e, "subject"));
	}
}

void print_timeline(json_t *line)
{
	json_t *event = json_object_get(line, "event"), *cause = json_object_get(line, "cause");

	printf("event %lld  %s\n", number(line, "seq"), text(event, "type"));
	printf("    accepted %s from %s, source %s, id %s\n", text(line, "at"),
	       text(event, "instance"), text(event, "source"), text(event, "id"));
	if (*text(event, "subject"))
		printf("    subject %s\n", text(event, "subject"));
	if (json_is_object(cause))
		printf("    follows from event %lld  %s%s%s\n", number(cause, "seq"),
		       text(cause, "type"), *text(line, "caused_by") ? ", made by " : "",
		       text(line, "caused_by"));
	if (number(line, "seen_again"))
		printf("    seen again %lld time%s, last %s\n", number(line, "seen_again"),
		       number(line, "seen_again") == 1 ? "" : "s", text(line, "seen_at"));
	print_decided(json_object_get(line, "decided"));
	if (flag(line, "refused"))
		puts("    REFUSED at intake; kept as a dead letter");
	print_deliveries(json_object_get(line, "deliveries"), flag(line, "gathered"));
	print_effects(json_object_get(line, "effects"));
	fputs("    data ", stdout);
	json_dumpf(json_object_get(event, "data"), stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
}

void print_dead(json_t *line)
{
	printf("%-32s %s  %s %s  %lld attempt%s\n    %s\n", text(line, "id"), text(line, "ended"),
	       text(line, "type"), text(line, "subject"), number(line, "attempts"),
	       number(line, "attempts") == 1 ? "" : "s", text(line, "why"));
}

void print_letter(json_t *line)
{
	json_t *event = json_object_get(line, "event");

	printf("dead letter %s  %s %s\n", text(line, "id"), text(line, "type"),
	       text(line, "subject"));
	print_delivery(line);
	fputs("    event ", stdout);
	json_dumpf(event, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
}
