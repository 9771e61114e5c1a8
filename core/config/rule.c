#include "base/mem.h"
#include "config/forms.h"
#include "config/read.h"
#include "json/path.h"

#include <stdlib.h>
#include <string.h>

static const char *const input_keys[] = {"for",     "was",        "on",      "from", "where",
					 "pattern", "pattern-at", "changed", NULL};
static const char *const rule_keys[] = {"for",     "was",      "enabled",    "on",       "from",
					"where",   "pattern",  "pattern-at", "changed",  "inputs",
					"reset",   "coalesce", "count",      "group-by", "groups",
					"overlap", "else",     "shadow",     "do",       NULL};
static const char *const several[] = {"for",     "on",     "from", "where",
				      "pattern", "inputs", "do",   NULL};

static bool type_word(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", p[i]))
			return false;
	}
	return len > 0;
}

/* Words joined by dots, any of them `*`. */
static bool type_pattern(const char *text)
{
	for (;;) {
		size_t len = strcspn(text, ".");

		if (!(len == 1 && *text == '*') && !type_word(text, len))
			return false;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

static void check_patterns(const struct section *s, char *const *on)
{
	for (; on && *on; on++) {
		if (!type_pattern(*on))
			section_error(s, "on",
				      "`%s` is no event type: lower-case words joined by dots, `*` "
				      "for a whole word, at the end for one or more, like "
				      "dynamodb.item.*",
				      *on);
	}
}

static void read_changed(struct selector_config *out, const struct section *s)
{
	struct path path = {0};
	struct err err;
	size_t used;

	out->changed = section_text(s, "changed");
	if (!out->changed)
		return;
	if (!path_parse(out->changed, strlen(out->changed), &path, &used, &err))
		report_error(s->report, config_place(out->changed_key, out->changed, used),
			     "changed: %s", err.text);
	else if (out->changed[used])
		report_error(s->report, config_place(out->changed_key, out->changed, used),
			     "changed: a single path like data.new.phase");
	else if (path.n < 3 || strcmp(path.steps[0].name, "data") != 0 ||
		 strcmp(path.steps[1].name, "new") != 0)
		section_error(s, "changed",
			      "`%s` is not below data.new; it is compared with the same path below "
			      "data.old",
			      out->changed);
	path_free(&path);
}

/* `@FILE`, or as it stands, with references resolved. */
static struct setting *read_pattern_text(const struct section *s)
{
	const struct ini_key *key = section_key(s, "pattern");
	struct setting one = {.key = key};

	if (!key || !*key->value)
		return NULL;
	if (*key->value == '@') {
		if (!section_setting(s, key, "pattern", &one))
			return NULL;
	} else {
		one.value = section_text(s, "pattern");
		if (!one.value)
			return NULL;
		one.name = mem_text("pattern");
	}
	return memcpy(mem_new(struct setting), &one, sizeof one);
}

static void read_pattern(struct selector_config *out, const struct section *s)
{
	static const char *const places[] = {"event", "data", NULL};
	int at = 0;

	out->pattern = read_pattern_text(s);
	section_word(s, "pattern-at", places, &at);
	out->pattern_data = at == 1;
	if (section_key(s, "pattern-at") && !section_key(s, "pattern"))
		section_error(s, "pattern-at", "there is no `pattern` to look at it");
}

static void read_selector(struct selector_config *out, const struct section *s)
{
	out->on_key = section_key(s, "on");
	out->from_key = section_key(s, "from");
	out->where_key = section_key(s, "where");
	out->changed_key = section_key(s, "changed");
	out->on = section_list(s, "on");
	out->from = section_list(s, "from");
	out->where = section_text(s, "where");
	read_pattern(out, s);
	check_patterns(s, out->on);
	read_changed(out, s);
}

static void selector_free(struct selector_config *s)
{
	list_free(s->on);
	list_free(s->from);
	free(s->where);
	free(s->changed);
	if (s->pattern)
		setting_list_free(s->pattern, 1);
}

void read_input(struct config *c, const struct section *s)
{
	struct input_config i = {.at = s->ini->at};

	i.name = mem_text(s->name);
	i.was = section_text(s, "was");
	section_check_keys(s, input_keys, several, false);
	read_selector(&i.select, s);
	mem_room(c->inputs, c->ninputs, c->inputs_cap);
	c->inputs[c->ninputs++] = i;
}

void input_free(struct input_config *i)
{
	selector_free(&i->select);
	free(i->name);
	free(i->was);
}

/* `a` or `a then b` */
static bool read_duty(const struct section *s, char *text, struct duty_config *out)
{
	char *rest = NULL, *target = strtok_r(text, " \t", &rest);
	char *then = strtok_r(NULL, " \t", &rest), *second = strtok_r(NULL, " \t", &rest);

	*out = (struct duty_config){0};
	if (then && (strcmp(then, "then") != 0 || !second)) {
		section_error(s, "do",
			      "`%s %s`: targets are separated by commas; `a then b` begins b "
			      "once a is done",
			      target, then);
		return false;
	}
	if (strtok_r(NULL, " \t", &rest)) {
		section_error(s, "do", "`%s then %s` cannot go on: there are no longer chains",
			      target, second);
		return false;
	}
	out->target = mem_text(target);
	out->then = mem_text(second);
	return true;
}

static void check_twice(const struct section *s, const struct rule_config *r, const char *target)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->duties[i].target, target) == 0 ||
		    (r->duties[i].then && strcmp(r->duties[i].then, target) == 0))
			section_error(s, "do",
				      "`%s` is named twice; one event makes one delivery to "
				      "a target",
				      target);
	}
}

static void read_duties(struct rule_config *r, const struct section *s)
{
	char **list = section_list(s, "do");
	struct duty_config duty;

	r->do_key = section_key(s, "do");
	if (!s->ini->broken && (!r->do_key || !*r->do_key->value))
		section_error(s, NULL, "[rule %s] lacks `do`: which actions or sinks?", s->name);
	for (size_t i = 0; list && list[i]; i++) {
		if (!read_duty(s, list[i], &duty))
			continue;
		check_twice(s, r, duty.target);
		r->duties = mem_grow(r->duties, r->n + 1, sizeof *r->duties);
		r->duties[r->n++] = duty;
		if (duty.then && strcmp(duty.then, duty.target) == 0)
			section_error(s, "do", "`%s then %s` names one target twice", duty.target,
				      duty.then);
	}
	list_free(list);
}

static void read_window(struct rule_config *r, const struct section *s)
{
	char *coalesce = section_text(s, "coalesce"), *count = section_text(s, "count");
	struct err err;

	if (coalesce && !form_coalesce(coalesce, &r->quiet_ms, &r->quiet_max_ms, &err))
		section_error(s, "coalesce", "%s", err.text);
	if (count && !form_count(count, &r->count, &r->count_ms, &err))
		section_error(s, "count", "%s", err.text);
	free(coalesce);
	free(count);
}

static void read_overlap(struct rule_config *r, const struct section *s)
{
	static const char *const modes[] = {"parallel", "supersede", "queue", NULL};
	int mode = r->inputs ? OVERLAP_SUPERSEDE : OVERLAP_PARALLEL;

	section_word(s, "overlap", modes, &mode);
	r->overlap = (enum overlap)mode;
}

static void check_together(const struct rule_config *r, const struct section *s)
{
	static const char *const of_inputs[] = {"on",      "from",       "where",
						"pattern", "pattern-at", "changed"};

	for (size_t i = 0; r->inputs_key && i < sizeof of_inputs / sizeof *of_inputs; i++) {
		if (section_key(s, of_inputs[i]))
			section_error(s, of_inputs[i],
				      "a rule with `inputs` takes its events through them; write "
				      "this into the [input] sections");
	}
	if (section_key(s, "count") && section_key(s, "inputs"))
		section_error(s, "count", "`count` and `inputs` exclude each other");
	if (section_key(s, "count") && section_key(s, "coalesce"))
		section_error(s, "count", "`count` and `coalesce` exclude each other");
	if (section_key(s, "reset") && !section_key(s, "inputs"))
		section_error(s, "reset", "nothing to empty without `inputs`");
	if (section_key(s, "groups") && !section_key(s, "group-by"))
		section_error(s, "groups", "nothing to limit without `group-by`");
}

void read_rule(struct config *c, const struct section *s)
{
	struct rule_config r = {.at = s->ini->at, .enabled = true, .groups = 1000};

	r.name = mem_text(s->name);
	r.was = section_text(s, "was");
	section_check_keys(s, rule_keys, several, false);
	section_bool(s, "enabled", &r.enabled);
	section_bool(s, "else", &r.otherwise);
	section_bool(s, "shadow", &r.shadow);
	read_selector(&r.select, s);
	r.inputs_key = section_key(s, "inputs");
	r.inputs = section_list(s, "inputs");
	section_duration(s, "reset", &r.reset_ms);
	read_window(&r, s);
	r.group_key = section_key(s, "group-by");
	r.group_by = section_text(s, "group-by");
	section_number(s, "groups", 1, 1000000, &r.groups);
	read_overlap(&r, s);
	read_duties(&r, s);
	check_together(&r, s);
	mem_room(c->rules, c->nrules, c->rules_cap);
	c->rules[c->nrules++] = r;
}

void rule_free(struct rule_config *r)
{
	selector_free(&r->select);
	for (size_t i = 0; i < r->n; i++) {
		free(r->duties[i].target);
		free(r->duties[i].then);
	}
	free(r->duties);
	list_free(r->inputs);
	free(r->group_by);
	free(r->name);
	free(r->was);
}
