#include "cli/eventbridge.h"

#include "base/arena.h"
#include "config/section.h"
#include "rules/pattern.h"
#include "json/find.h"

#include <string.h>

#define LONGEST_LINE 199 /* of a configuration file */
#define WIDTH        100 /* of the lines of a pattern, where its texts allow it */
#define LONGEST_NAME 44  /* of a rule: its heading has 49 bytes */

struct rule {
	struct json_value name, pattern, state, description, schedule, targets;
	struct buf text; /* of the pattern, if it stood in a string */
	bool bare;       /* there is the pattern alone */
};

static bool is(const struct json_value *name, const char *text)
{
	return name->len == strlen(text) + 2 && memcmp(name->text + 1, text, name->len - 2) == 0;
}

static struct json_value member(const struct json_value *object, const char *wanted)
{
	struct json_value name, value, found = {0};

	for (size_t at = 0; json_next(object, &at, &name, &value);) {
		if (is(&name, wanted))
			found = value;
	}
	return found;
}

static void find_parts(struct json_value whole, struct rule *r)
{
	struct json_value properties = member(&whole, "Properties");

	if (properties.kind == KIND_OBJECT)
		whole = properties;
	r->pattern = member(&whole, "EventPattern");
	r->schedule = member(&whole, "ScheduleExpression");
	if (r->pattern.kind == KIND_ABSENT && r->schedule.kind == KIND_ABSENT) {
		r->pattern = whole;
		r->bare = true;
		return;
	}
	r->name = member(&whole, "Name");
	r->state = member(&whole, "State");
	r->description = member(&whole, "Description");
	r->targets = member(&whole, "Targets");
}

static bool refuse_others(const struct json_value *whole, const struct rule *r, size_t *at,
			  struct err *err)
{
	*at = 0;
	if (r->schedule.kind == KIND_STRING && r->schedule.len > 2) {
		*at = (size_t)(r->schedule.text - whole->text);
		err_set(err,
			"this rule is a schedule, %.*s: pointsman runs by events, not by the "
			"clock; "
			"let cron or a systemd timer call `pointsman send`",
			r->schedule.len > 100 ? 100 : (int)r->schedule.len, r->schedule.text);
		return false;
	}
	if (member(whole, "Resources").kind == KIND_OBJECT) {
		err_set(err, "this is a whole template; give one resource of it: jq "
			     "'.Resources.NAME'");
		return false;
	}
	if (member(whole, "Rules").kind == KIND_ARRAY) {
		err_set(err, "this is a list of rules; give one of them: jq '.Rules[0]'");
		return false;
	}
	if (r->pattern.kind == KIND_STRING || r->pattern.kind == KIND_OBJECT)
		return true;
	err_set(err,
		"there is no rule of EventBridge here: no EventPattern, and no pattern itself");
	return false;
}

/* Is the pattern one?  Its place is exact where it does not stand in a string. */
static bool check_pattern(const struct rule *r, size_t *at, struct err *err)
{
	struct arena arena = {0};
	const char *text = r->pattern.text;
	size_t len = r->pattern.len, where = 0;
	bool inside = r->pattern.kind == KIND_STRING, ok;

	if (inside) {
		text = buf_text(&r->text);
		len = r->text.len;
	}
	ok = pattern_parse(&arena, PATTERN_DATA, text, len, &where, err) != NULL;
	*at += inside ? 0 : where;
	if (!ok && inside)
		err_prefix(err, "EventPattern, byte %zu", where + 1);
	arena_free(&arena);
	return ok;
}

/* Text of others, as comment: whatever it holds, it stays one. */
static void add_comment(struct buf *out, const char *text, size_t len)
{
	buf_text_add(out, "; ");
	for (size_t i = 0; i < len; i++) {
		bool control = (unsigned char)text[i] < 0x20 || text[i] == 0x7f;

		if (text[i] == '\n' && i + 1 < len)
			buf_text_add(out, "\n; ");
		else
			buf_char(out, control ? ' ' : text[i]);
	}
	buf_char(out, '\n');
}

/* Letters, digits, `-` and `_`: others become `-`.  True if it is as it was. */
static bool add_word(struct buf *out, const char *text, size_t len, size_t most)
{
	bool same = len <= most;

	for (size_t i = 0; i < len && i < most; i++) {
		char c[2] = {text[i], '\0'};

		same = same && is_word(c);
		buf_char(out, is_word(c) ? text[i] : '-');
	}
	return same;
}

/* The heading, and what it was called there if that is no name here. */
static void add_heading(struct buf *out, const struct rule *r)
{
	struct buf name = {0}, word = {0};

	if (r->name.kind == KIND_STRING && r->name.len > 2)
		json_text(&r->name, &name);
	else
		buf_text_add(&name, "from-eventbridge");
	if (!add_word(&word, name.data, name.len, LONGEST_NAME)) {
		buf_text_add(out, "; There its name was:\n");
		add_comment(out, name.data, name.len);
	}
	buf_printf(out, "[rule %s]\n", buf_text(&word));
	buf_free(&name);
	buf_free(&word);
}

static void add_target(struct buf *out, const struct json_value *target, struct buf *names)
{
	static const char *const shaped[] = {"Input", "InputPath", "InputTransformer"};
	struct json_value id = member(target, "Id"), arn = member(target, "Arn");
	struct buf said = {0};

	if (id.kind != KIND_STRING || id.len <= 2)
		return;
	buf_text_add(&said, "target ");
	json_text(&id, &said);
	buf_text_add(&said, ": ");
	json_text(&arn, &said);
	for (size_t i = 0; i < sizeof shaped / sizeof *shaped; i++) {
		if (member(target, shaped[i]).kind != KIND_ABSENT)
			buf_printf(&said, "; its %s becomes a template of the sink", shaped[i]);
	}
	add_comment(out, said.data, said.len);
	buf_free(&said);
	if (names->len)
		buf_text_add(names, ", ");
	add_word(names, id.text + 1, id.len - 2, LONGEST_LINE);
}

static void add_comments(struct buf *out, const struct rule *r, struct buf *names)
{
	struct json_value none, target;
	struct buf text = {0};

	json_text(&r->description, &text);
	if (r->description.kind == KIND_STRING && text.len)
		add_comment(out, text.data, text.len);
	for (size_t at = 0; json_next(&r->targets, &at, &none, &target);)
		add_target(out, &target, names);
	buf_free(&text);
}

/* What the reader of configurations would take for something else is escaped. */
static void add_string(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == ';')
			buf_text_add(out, "\\;");
		else if (text[i] == '$' && i + 1 < len && text[i + 1] == '{')
			buf_text_add(out, "\\u0024");
		else if (text[i] == 0x7f)
			buf_text_add(out, "\\u007f");
		else
			buf_char(out, text[i]);
	}
}

struct lines { /* JSON being written token by token */
	struct buf *out;
	size_t used;    /* of the last line */
	size_t longest; /* line */
};

static void add_token(struct lines *l, const char *text, size_t len)
{
	struct buf token = {0};

	add_string(&token, text, len);
	if (l->used + token.len > WIDTH) {
		buf_text_add(l->out, "\n ");
		l->used = 1;
	}
	if (l->out->len && strchr("=,:\n ", l->out->data[l->out->len - 1])) {
		buf_char(l->out, ' ');
		l->used++;
	}
	buf_add(l->out, token.data, token.len);
	l->used += token.len;
	l->longest = l->used > l->longest ? l->used : l->longest;
	buf_free(&token);
}

static void add_sign(struct lines *l, char sign)
{
	buf_char(l->out, sign);
	l->used++;
	l->longest = l->used > l->longest ? l->used : l->longest;
}

static void add_json(struct lines *l, const struct json_value *v)
{
	struct json_value name, value;
	bool object = v->kind == KIND_OBJECT;
	size_t n = 0;

	if (!object && v->kind != KIND_ARRAY) {
		add_token(l, v->text, v->len);
		return;
	}
	add_token(l, object ? "{" : "[", 1);
	for (size_t at = 0; json_next(v, &at, &name, &value); n++) {
		if (n)
			add_sign(l, ',');
		if (object) {
			add_token(l, name.text, name.len);
			add_sign(l, ':');
		}
		add_json(l, &value);
	}
	add_sign(l, object ? '}' : ']');
}

/* `pattern = {..}`; or, if a text in it is too long for a line, `pattern = @FILE` and above
 * it what the file shall hold. */
static void add_pattern(struct buf *out, const struct rule *r)
{
	struct json_value root = r->pattern;
	struct buf text = {0}, written = {0};
	struct lines l = {.out = &written};

	if (root.kind == KIND_STRING)
		root = json_root(buf_text(&r->text), r->text.len);
	buf_text_add(&written, "pattern =");
	l.used = written.len;
	add_json(&l, &root);
	if (l.longest <= LONGEST_LINE) {
		buf_add(out, written.data, written.len);
		buf_char(out, '\n');
	} else {
		for (size_t i = 0; i < root.len; i++)
			buf_char(&text, root.text[i] == '\n' ? ' ' : root.text[i]);
		buf_text_add(
			out,
			"; A text of the pattern is too long for a line of 199 bytes: save the "
			"next line, without\n; the semicolon, beside this file as "
			"pattern.json.\n");
		add_comment(out, text.data, text.len);
		buf_text_add(out, "pattern = @pattern.json\n");
	}
	buf_free(&text);
	buf_free(&written);
}

static void add_section(struct buf *out, const struct rule *r)
{
	struct buf names = {0};

	add_comments(out, r, &names);
	add_heading(out, r);
	if (r->state.kind == KIND_STRING && is(&r->state, "DISABLED"))
		buf_text_add(out, "enabled = no\n");
	buf_text_add(out,
		     "; The pattern looks at EventBridge's envelope, which must be what the events "
		     "carry as their data.\npattern-at = data\n");
	add_pattern(out, r);
	buf_printf(out,
		   "; Each name needs a section that says how it is told: [sink NAME] or [action "
		   "NAME].\ndo = %s\n",
		   names.len ? buf_text(&names) : "out");
	buf_free(&names);
}

bool eventbridge_section(const char *text, size_t len, struct buf *out, size_t *at, struct err *err)
{
	struct json_value whole = json_root(text, len);
	struct rule r = {0};
	bool ok;

	find_parts(whole, &r);
	ok = refuse_others(&whole, &r, at, err);
	if (ok) {
		*at = (size_t)(r.pattern.text - text);
		if (r.pattern.kind == KIND_STRING)
			json_text(&r.pattern, &r.text);
		ok = check_pattern(&r, at, err);
	}
	if (ok)
		add_section(out, &r);
	buf_free(&r.text);
	return ok;
}
