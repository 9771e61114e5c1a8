/* What may happen, and what it may hold. */
#include "base/mem.h"
#include "event/event.h"
#include "plugin/survey.h"

#include <stdlib.h>
#include <string.h>

static const struct pm_type own[] = {
	{EVENT_FIRED, "the group, where there is one",
	 "rule group newest:any ?inputs:object ?window:object",
	 "A rule with inputs, a window or a count fired."},
	{"pointsman.delivery.dead", "the target", "target count:number reason event:any",
	 "Deliveries to a target were given up."},
	{"pointsman.breaker.opened", "the target", "target reason",
	 "A target is taken to be down; it gets one probe at a time."},
	{"pointsman.breaker.closed", "the target", "target reason", "A target answers again."},
	{"pointsman.source.stalled", "the source", "instance seconds:number reason",
	 "Nothing was heard from upstream of a source for `stalled-after`."},
	{"pointsman.group.dropped", "the rule", "rule group",
	 "A rule had over `groups` groups and gave one up."},
	{"pointsman.journal.damaged", "none", "*", "The journal was damaged: what was lost."},
};

const struct pm_type *survey_own(size_t *n)
{
	*n = sizeof own / sizeof *own;
	return own;
}

static void add_row(struct survey *s, struct row row)
{
	s->rows = mem_grow(s->rows, s->nrows + 1, sizeof *s->rows);
	s->rows[s->nrows++] = row;
}

static void add_part(struct survey *s, const struct part *p)
{
	const char *name = p->section->name;

	for (size_t t = 0; p->plugin && t < p->plugin->ntypes; t++)
		add_row(s, (struct row){p->plugin->types[t].name, p->plugin->types[t].fields, name,
					p->section, false});
	if (!p->plugin)
		add_row(s, (struct row){"*", "*", name, p->section, false});
}

/* `pointsman send` may bring anything.  Rules that wait for it say so, or stand in a
 * configuration that has nothing else: else no misspelt type would ever be found. */
void survey_rows(struct survey *s)
{
	for (size_t i = 0; i < s->config->ninstances; i++) {
		if (is_emitter(s->parts[i].section))
			add_part(s, &s->parts[i]);
	}
	add_row(s, (struct row){"*", "*", "send", NULL, s->nrows > 0});
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		add_row(s, (struct row){own[i].name, own[i].fields, "pointsman", NULL, false});
}

static bool is_own(const char *type)
{
	return strncmp(type, "pointsman.", 10) == 0;
}

static bool is_last(const char *word)
{
	return word[strcspn(word, ".")] == '\0';
}

static bool is_star(const char *word)
{
	return word[0] == '*' && (word[1] == '.' || !word[1]);
}

bool row_fits(const char *pattern, const char *type)
{
	if (is_own(type) != is_own(pattern))
		return false; /* pointsman.* is only what is written so */
	for (;;) {
		size_t a = strcspn(pattern, "."), b = strcspn(type, ".");

		if ((is_star(pattern) && is_last(pattern)) || (is_star(type) && is_last(type)))
			return true;
		if (!is_star(pattern) && !is_star(type) &&
		    (a != b || memcmp(pattern, type, a) != 0))
			return false;
		if (is_last(pattern) || is_last(type))
			return is_last(pattern) && is_last(type);
		pattern += a + 1;
		type += b + 1;
	}
}

static bool among(char *const *list, const char *word)
{
	for (; *list; list++) {
		if (strcmp(*list, word) == 0)
			return true;
	}
	return false;
}

bool row_may_come(const struct row *row, const struct selector_config *select)
{
	if (select->from ? !among(select->from, row->instance) : row->if_named)
		return false;
	if (!select->on)
		return row_fits("*", row->type);
	for (char **on = select->on; *on; on++) {
		if (row_fits(*on, row->type))
			return true;
	}
	return false;
}

static bool step_is(const struct path *path, size_t i, const char *name)
{
	return i < path->n && strcmp(path->steps[i].name, name) == 0;
}

enum field row_find(const struct row *row, const struct path *path, size_t from)
{
	static const char *const attributes[] = {"type", "source", "subject",
						 "time", "id",     "instance"};

	if (step_is(path, from, "data"))
		return fields_find(row->fields, path, from + 1);
	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
		if (path->n == from + 1 && step_is(path, from, attributes[i]))
			return i == 2 ? FIELD_OPTIONAL : FIELD_THERE;
	}
	return FIELD_ABSENT;
}

enum field feed_find(const struct feed *feed, const struct path *path, size_t from, bool *all)
{
	enum field best = FIELD_ABSENT, found;

	*all = true;
	for (size_t i = 0; i < feed->n; i++) {
		found = row_find(feed->rows[i], path, from);
		*all = *all && found != FIELD_ABSENT;
		if (found > best)
			best = found;
	}
	return best;
}

static enum field_type row_type(const struct row *row, const struct path *path, size_t from)
{
	if (step_is(path, from, "data"))
		return fields_type(row->fields, path, from + 1);
	return path->n == from + 1 ? FIELD_TEXT : FIELD_ANY;
}

enum field_type feed_type(const struct feed *feed, const struct path *path, size_t from)
{
	enum field_type type = FIELD_ANY, one;
	bool any = false;

	for (size_t i = 0; i < feed->n; i++) {
		if (row_find(feed->rows[i], path, from) == FIELD_ABSENT)
			continue;
		one = row_type(feed->rows[i], path, from);
		if (one == FIELD_ANY || (any && one != type))
			return FIELD_ANY;
		type = one;
		any = true;
	}
	return type;
}

struct names {
	char **list;
	size_t n;
};

static void add_name(const char *name, void *arg)
{
	struct names *n = arg;

	n->list = mem_grow(n->list, n->n + 1, sizeof *n->list);
	n->list[n->n++] = mem_text(name);
}

char *feed_nearest(const struct feed *feed, const struct path *path, size_t from)
{
	static const char *const roots[] = {"data", "type", "source",  "subject",
					    "time", "id",   "instance"};
	struct names names = {0};
	const char *near;
	char *text = NULL;

	if (!step_is(path, from, "data")) {
		near = report_nearest(path->steps[from].name, roots, sizeof roots / sizeof *roots);
		return mem_text(near);
	}
	for (size_t i = 0; path->n > from + 1 && i < feed->n; i++)
		fields_each(feed->rows[i]->fields, add_name, &names);
	near = names.n ? report_nearest(path->steps[from + 1].name, (const char *const *)names.list,
					names.n)
		       : NULL;
	if (near && strcmp(near, path->steps[from + 1].name) != 0)
		text = mem_format("data.%s", near);
	for (size_t i = 0; i < names.n; i++)
		free(names.list[i]);
	free(names.list);
	return text;
}

/* What may reach a rule through its inputs. */
struct feed feed_join(const struct survey *s, char *const *inputs)
{
	struct feed all = {0};

	for (; inputs && *inputs; inputs++) {
		const struct input_config *input = config_input(s->config, *inputs);
		const struct feed *one = input ? &s->inputs[input - s->config->inputs] : NULL;

		for (size_t i = 0; one && i < one->n; i++) {
			all.rows = mem_grow(all.rows, all.n + 1, sizeof *all.rows);
			all.rows[all.n++] = one->rows[i];
		}
	}
	return all;
}
