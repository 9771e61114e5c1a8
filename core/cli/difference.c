#include "cli/difference.h"

#include "base/mem.h"
#include "cli/jsonline.h"
#include "route/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
	const struct replay_result *r;
	const struct plan *plan;
	const struct numbering *names;
	json_t *now; /* the verdicts, or NULL */
};

static json_t *verdicts_of(const char *decided)
{
	json_t *list = decided ? json_loads(decided, 0, NULL) : NULL;

	return list ? list : json_array();
}

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Of the same rule, and of the same input of it. */
static json_t *find_verdict(json_t *list, const char *rule, const char *input)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (strcmp(text(v, "rule"), rule) == 0 &&
		    (!input || strcmp(text(v, "input"), input) == 0))
			return v;
	}
	return NULL;
}

static json_t *place_json(struct place at)
{
	return at.file ? json_sprintf("%s:%u", at.file, at.line) : json_null();
}

static struct place key_place(const struct rule_config *rule, const struct ini_key *key)
{
	return key ? key->at : rule->at;
}

/* ["where",0,"absent"], ["changed"]: which key, which of its tests, and what is wrong with the
 * value. */
static char *failed_because(json_t *failed, const struct rule_config *rule, struct place *at)
{
	const char *key = json_string_value(json_array_get(failed, 0));
	const char *value = json_string_value(json_array_get(failed, json_array_size(failed) - 1));
	const char *trouble = json_array_size(failed) < 2 || !value ? ""
			      : strcmp(value, "type") == 0          ? ": a value of another type"
								    : ": the value is absent";

	if (key && strcmp(key, "where") == 0)
		*at = key_place(rule, rule->select.where_key);
	else if (key && strcmp(key, "changed") == 0)
		*at = key_place(rule, rule->select.changed_key);
	return mem_format("its `%s` fails%s", key ? key : "?", trouble);
}

static char *unasked_because(const struct rule_config *rule, struct place *at)
{
	*at = key_place(rule, rule->select.on_key);
	return mem_text(rule->otherwise ? "another rule matches, or it asks for other events"
					: "it asks for other events");
}

/* Why a rule no longer gives the event to a target of its; the caller frees. */
static char *lost_because(const struct comparison *c, const struct plan_rule *rule,
			  struct place *at)
{
	const struct rule_config *config = rule ? rule->config : NULL;
	bool fired = strcmp(c->r->event->type, EVENT_FIRED) == 0;
	json_t *verdict, *failed;

	if (!rule)
		return mem_text("the rule is not there");
	*at = config->at;
	if (!config->enabled)
		return mem_text("it is switched off");
	if (!c->r->now)
		return mem_text("it does not fire");
	verdict = find_verdict(c->now, config->name, NULL);
	failed = json_object_get(verdict, "failed");
	if (failed)
		return failed_because(failed, config, at);
	if (!verdict)
		return unasked_because(config, at);
	if (config->shadow)
		return mem_text("it is a shadow");
	if (rule->kind != CELL_NONE && !fired)
		return mem_text("it gathers the event");
	*at = key_place(config, config->do_key);
	return mem_text("its `do` does not name the target");
}

static void add_lost(const struct comparison *c, json_t *list, uint32_t target, uint32_t number)
{
	const struct plan_rule *rule = plan_rule_numbered(c->plan, number);
	struct place at = {0};
	char *why = lost_because(c, rule, &at);

	json_array_append_new(list,
			      json_pack("{ss ss so ss}", "target", numbering_name(c->names, target),
					"rule", numbering_name(c->names, number), "place",
					place_json(at), "why", why));
	free(why);
}

static void add_gained(const struct comparison *c, json_t *list, uint32_t target, uint32_t number)
{
	const struct plan_rule *rule = plan_rule_numbered(c->plan, number);

	json_array_append_new(
		list, json_pack("{ss ss so}", "target", numbering_name(c->names, target), "rule",
				rule->config->name, "place", place_json(rule->config->at)));
}

static bool is_target(const struct duty *duties, size_t n, uint32_t target)
{
	for (size_t i = 0; i < n; i++) {
		if (duties[i].target == target || duties[i].then == target)
			return true;
	}
	return false;
}

/* What of the one is not in the other, a `then` as well as what comes first. */
static json_t *only_in(const struct comparison *c, const struct duty *one, size_t n,
		       const struct duty *other, size_t nother,
		       void (*add)(const struct comparison *c, json_t *list, uint32_t target,
				   uint32_t rule))
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		if (!is_target(other, nother, one[i].target))
			add(c, list, one[i].target, one[i].rule);
		if (one[i].then && !is_target(other, nother, one[i].then))
			add(c, list, one[i].then, one[i].rule);
	}
	return list;
}

static void add_verdict(json_t *out, json_t *of, json_t *was, json_t *now)
{
	json_array_append_new(out, json_pack("{ss ss sO? sO?}", "rule", text(of, "rule"), "input",
					     text(of, "input"), "was", was, "now", now));
}

static json_t *compare_verdicts(json_t *before, json_t *after)
{
	json_t *out = json_array(), *v, *other;
	size_t i;

	json_array_foreach(before, i, v)
	{
		other = find_verdict(after, text(v, "rule"), text(v, "input"));
		if (!other || !json_equal(v, other))
			add_verdict(out, v, v, other);
	}
	json_array_foreach(after, i, v)
	{
		if (!find_verdict(before, text(v, "rule"), text(v, "input")))
			add_verdict(out, v, NULL, v);
	}
	return out;
}

static json_t *verdicts_between(const struct comparison *c)
{
	json_t *was = verdicts_of(c->r->was ? c->r->was->decided : NULL);
	json_t *list = compare_verdicts(was, c->now);

	json_decref(was);
	return list;
}

static const char *firing_of(const struct replay_result *r)
{
	return !r->was ? "new" : !r->now ? "lost" : r->other_members ? "other events" : NULL;
}

static json_t *head_of(const struct replay_result *r)
{
	const struct event *ev = r->event;

	return json_pack("{so so ss so ss}", "seq",
			 r->was ? json_integer((json_int_t)ev->seq) : json_null(), "at",
			 jsonline_time(ev->at), "type", ev->type, "subject",
			 jsonline_text(ev->subject), "source", ev->source);
}

static json_t *compare(const struct comparison *c, bool verdicts)
{
	const struct journal_event *was = c->r->was;
	const struct outcome *now = c->r->now;
	const struct duty *before = was ? was->duties : NULL, *after = now ? now->duties : NULL;
	size_t n = was ? was->nduties : 0, m = now ? now->nduties : 0;
	json_t *out = head_of(c->r), *gained = only_in(c, after, m, before, n, add_gained),
	       *lost = only_in(c, before, n, after, m, add_lost),
	       *other = verdicts ? verdicts_between(c) : json_array();
	const char *firing = firing_of(c->r);

	if (!json_array_size(gained) && !json_array_size(lost) && !json_array_size(other) &&
	    !firing) {
		json_decref(out);
		out = NULL;
	}
	if (out) {
		json_object_set(out, "gained", gained);
		json_object_set(out, "lost", lost);
	}
	if (out && firing)
		json_object_set_new(out, "firing", json_string(firing));
	if (out && verdicts)
		json_object_set(out, "verdicts", other);
	json_decref(gained);
	json_decref(lost);
	json_decref(other);
	return out;
}

json_t *difference_of(const struct replay_result *r, const struct plan *plan,
		      const struct numbering *names, bool verdicts)
{
	struct comparison c = {r, plan, names, NULL};
	json_t *out;

	if (r->unknown)
		return NULL;
	c.now = verdicts_of(r->now && r->now->decided.len ? r->now->decided.data : NULL);
	out = compare(&c, verdicts);
	json_decref(c.now);
	return out;
}

static void print_targets(json_t *list, char sign)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		printf("    %c %-24s rule %s", sign, text(one, "target"), text(one, "rule"));
		if (*text(one, "place"))
			printf("  %s", text(one, "place"));
		if (*text(one, "why"))
			printf("  %s", text(one, "why"));
		putchar('\n');
	}
}

static void print_verdict(const char *name, json_t *verdict)
{
	printf("  %s ", name);
	if (json_is_object(verdict))
		json_dumpf(verdict, stdout, JSON_COMPACT);
	else
		fputs("nothing", stdout);
}

static void print_verdicts(json_t *list)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		printf("    rule %s", text(one, "rule"));
		print_verdict("was", json_object_get(one, "was"));
		print_verdict("would be", json_object_get(one, "now"));
		putchar('\n');
	}
}

static void print_firing(const char *firing, const char *rule)
{
	if (strcmp(firing, "new") == 0)
		printf("    rule %s would fire\n", rule);
	else if (strcmp(firing, "lost") == 0)
		printf("    rule %s would not fire\n", rule);
	else
		printf("    rule %s would fire with other events\n", rule);
}

void difference_print(json_t *d)
{
	if (json_is_integer(json_object_get(d, "seq")))
		printf("event %lld", (long long)json_integer_value(json_object_get(d, "seq")));
	else
		fputs("no event so far", stdout);
	printf("  %s  %s  %s\n", text(d, "at"), text(d, "type"), text(d, "subject"));
	if (*text(d, "firing"))
		print_firing(text(d, "firing"), text(d, "source"));
	print_targets(json_object_get(d, "gained"), '+');
	print_targets(json_object_get(d, "lost"), '-');
	print_verdicts(json_object_get(d, "verdicts"));
}
