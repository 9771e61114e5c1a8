#include "base/mem.h"
#include "config/section.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_VALUE 65536 /* variables inside variables grow fast */

enum state { RAW, BUSY, DONE };

struct var {
	const struct ini_key *key;
	char *text; /* once DONE: only `${each}` and references are left inside */
	enum state state;
};

/* The name in a `${name}` at p: its length, 0 if this is none. */
static size_t name_at(const char *p)
{
	size_t n = 0;

	if (p[0] != '$' || p[1] != '{')
		return 0;
	while (p[2 + n] && strchr("${}:", p[2 + n]) == NULL)
		n++;
	return p[2 + n] == '}' ? n : 0;
}

static void say_unknown(const struct vars *vars, const char *name, struct err *err)
{
	const char **names = mem_zero((vars->values.count + 1) * sizeof *names), *near;
	struct map_entry *e;
	size_t n = 0;

	for (size_t i = 0; (e = map_next(&vars->values, &i));)
		names[n++] = e->key;
	near = report_nearest(name, names, n);
	if (near)
		err_set(err, "no variable `%s` in [vars]; did you mean `${%s}`?", name, near);
	else
		err_set(err, "no variable `%s` in [vars]; a reference has a colon: `${env:%s}`",
			name, name);
	free(names);
}

static bool add_named(const struct vars *vars, const char *name, const char *each, struct buf *out,
		      struct err *err)
{
	struct var *v = map_get(&vars->values, name);
	char *text;
	size_t at;

	if (strcmp(name, "each") == 0) {
		if (!each) {
			err_set(err, "`${each}` stands for a word of `for`, which this section "
				     "does not have");
			return false;
		}
		buf_text_add(out, each);
		return true;
	}
	if (!v) {
		say_unknown(vars, name, err);
		return false;
	}
	text = vars_fill(vars, v->text ? v->text : "", each, &at, err);
	if (text)
		buf_text_add(out, text);
	free(text);
	return text != NULL;
}

char *vars_fill(const struct vars *vars, const char *text, const char *each, size_t *at,
		struct err *err)
{
	struct buf out = {0};
	const char *p = text;

	while (*p) {
		size_t n = name_at(p);
		char *name;
		bool ok;

		if (n == 0) {
			buf_char(&out, *p++);
			continue;
		}
		name = mem_slice(p + 2, n);
		ok = add_named(vars, name, each, &out, err);
		free(name);
		if (!ok) {
			*at = (size_t)(p - text);
			buf_free(&out);
			return NULL;
		}
		p += n + 3;
	}
	return out.data ? buf_take(&out) : mem_text("");
}

static void settle(struct vars *vars, struct var *v, struct report *report);

/* The variable `name` inside the value of `user`, settled; NULL after reporting. */
static const char *inner(struct vars *vars, const char *name, const struct var *user, size_t at,
			 struct report *report)
{
	struct var *v = map_get(&vars->values, name);
	struct err err;

	if (!v) {
		say_unknown(vars, name, &err);
		report_error(report, ini_place(user->key, at), "%s: %s", user->key->name, err.text);
		return NULL;
	}
	if (v->state == BUSY) {
		report_error(report, ini_place(user->key, at), "%s: `${%s}` comes back to itself",
			     user->key->name, name);
		return NULL;
	}
	settle(vars, v, report);
	return v->text;
}

static void settle(struct vars *vars, struct var *v, struct report *report)
{
	struct buf out = {0};
	const char *p = v->key->value;

	if (v->state == DONE)
		return;
	v->state = BUSY;
	while (*p) {
		size_t n = name_at(p);
		char *name = mem_slice(p + (n ? 2 : 0), n);

		if (n == 0 || strcmp(name, "each") == 0) {
			buf_char(&out, *p++);
		} else {
			const char *text =
				inner(vars, name, v, (size_t)(p - v->key->value), report);

			buf_text_add(&out, text && out.len < LONGEST_VALUE ? text : "");
			p += n + 3;
		}
		free(name);
	}
	if (out.len > LONGEST_VALUE) {
		report_error(report, ini_place(v->key, 0), "%s: over 64k when filled in",
			     v->key->name);
		buf_cut(&out, 0);
	}
	v->text = out.data ? buf_take(&out) : mem_text("");
	v->state = DONE;
}

static void add_var(struct vars *vars, const struct ini_key *k, struct report *report)
{
	struct var *v;

	if (strcmp(k->name, "each") == 0 || !is_word(k->name)) {
		report_error(report, k->at,
			     strcmp(k->name, "each") == 0
				     ? "`%s` is the word of a section's `for`; choose another name"
				     : "`%s`: a variable's name has letters, digits, `-` and `_` "
				       "only",
			     k->name);
		return;
	}
	if (k->continued.line)
		report_error(report, k->continued, "a variable is written on one line");
	if (k->comment.line)
		report_error(report, k->comment,
			     "%s: ` ;` starts a comment; write `\\;` for a semicolon, or put the "
			     "comment on a line of its own",
			     k->name);
	if (map_get(&vars->values, k->name))
		return;
	v = mem_new(struct var);
	v->key = k;
	map_put(&vars->values, k->name, v);
}

void vars_read(struct vars *vars, const struct ini_section *s, struct report *report)
{
	struct map_entry *e;

	for (size_t i = 0; s && i < s->n; i++)
		add_var(vars, &s->keys[i], report);
	for (size_t i = 0; (e = map_next(&vars->values, &i));)
		settle(vars, e->value, report);
}

static void var_free(void *value)
{
	struct var *v = value;

	free(v->text);
	free(v);
}

void vars_free(struct vars *vars)
{
	map_free(&vars->values, var_free);
}
