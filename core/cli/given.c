#include "cli/given.h"

#include "base/units.h"
#include "base/world.h"
#include "event/event.h"
#include "json/check.h"
#include "json/find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

bool given_bytes(const char *name, size_t most, struct buf *out)
{
	FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
	bool read = file && buf_read(out, file, most);

	if (!read)
		fprintf(stderr, "pointsman: %s: %s\n", name, strerror(errno));
	if (file && file != stdin)
		fclose(file);
	return read;
}

/* Does the object have this member? */
static bool has(const char *text, size_t len, const char *name)
{
	struct json_value object = json_root(text, len), member, value;
	size_t at = 0;

	while (json_next(&object, &at, &member, &value)) {
		if (member.len == strlen(name) + 2 &&
		    strncmp(member.text + 1, name, member.len - 2) == 0)
			return true;
	}
	return false;
}

static void add(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\"%s\":", name);
	buf_json_string(out, value, strlen(value));
	buf_char(out, ',');
}

static void add_missing(struct buf *out, const struct buf *given, const char *name,
			const char *option, const char *fallback)
{
	if (!has(buf_text(given), given->len, name) && (option || fallback))
		add(out, name, option ? option : fallback);
}

static void random_id(char out[33])
{
	struct world *w = world_real();

	snprintf(out, 33, "%016llx%016llx", (unsigned long long)world_random64(w),
		 (unsigned long long)world_random64(w));
}

/* A CloudEvents object with what it lacks; with --type, what was read may also be the payload
 * alone.  The bytes of the payload stay as they are.  False: it is neither. */
static bool as_event(struct buf *given, const struct options *o, struct buf *out)
{
	struct json_value object;
	char now[32], id[33];
	struct buf whole = {0};

	if (!has(buf_text(given), given->len, "specversion")) {
		if (!o->type)
			return false;
		buf_printf(&whole, "{\"specversion\":\"1.0\",\"data\":%s}", buf_text(given));
		buf_free(given);
		*given = whole;
	}
	units_time_text(world_real()->wall(world_real()), now);
	random_id(id);
	buf_char(out, '{');
	add_missing(out, given, "type", o->type, NULL);
	add_missing(out, given, "subject", o->subject, NULL);
	add_missing(out, given, "id", o->id, id);
	add_missing(out, given, "source", o->source, "send");
	add_missing(out, given, "time", NULL, now);
	object = json_root(given->data, given->len);
	buf_add(out, object.text + 1, object.len - 1);
	return true;
}

int given_event(const struct options *o, const char *name, struct buf *event)
{
	struct buf text = {0};
	struct json_fault fault;
	int status = EX_NOINPUT;

	if (given_bytes(name, EVENT_MAX_BYTES, &text)) {
		status = EX_DATAERR;
		if (!json_check(buf_text(&text), text.len, JSON_MAX_DEPTH, &fault))
			fprintf(stderr, "%s:%u:%u: %s\n", name, fault.line, fault.column,
				fault.what);
		else if (!as_event(&text, o, event))
			fprintf(stderr,
				"pointsman: %s holds no CloudEvents object; to take it as the "
				"payload of one, say --type TYPE\n",
				name);
		else
			status = EX_OK;
	}
	buf_free(&text);
	return status;
}
