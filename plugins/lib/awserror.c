#include "awserror.h"

#include "xml.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* "com.amazonaws.x#Name:http://..": the name stands between # and :. */
static void set_name(struct awserror *e, const char *type)
{
	const char *hash = strchr(type, '#');

	if (hash)
		type = hash + 1;
	snprintf(e->name, sizeof e->name, "%.*s", (int)strcspn(type, ": \t"), type);
}

static const char *first_string(const json_t *object, const char *a, const char *b)
{
	const char *text = json_string_value(json_object_get(object, a));

	return text ? text : json_string_value(json_object_get(object, b));
}

static void read_json(const struct pm_message *m, struct awserror *e)
{
	json_t *body = json_loadb(m->body, m->body_len, JSON_ALLOW_NUL, NULL);
	const char *type = first_string(body, "__type", "code");
	const char *message = first_string(body, "message", "Message");

	if (type)
		set_name(e, type);
	if (message)
		snprintf(e->message, sizeof e->message, "%s", message);
	json_decref(body);
}

static void read_xml(const struct pm_message *m, struct awserror *e)
{
	struct xml *body = xml_parse(m->body, m->body_len, NULL);
	const struct xml *inner = xml_child(body, "Error");
	const char *name = xml_text(inner ? inner : body, "Code");
	const char *message = xml_text(inner ? inner : body, "Message");

	if (name)
		set_name(e, name);
	if (message)
		snprintf(e->message, sizeof e->message, "%s", message);
	xml_free(body);
}

void awserror_read(const struct pm_message *m, struct awserror *e)
{
	const char *body = m->body ? m->body : "";
	const char *header;

	memset(e, 0, sizeof *e);
	e->status = m->status;
	if (!m->status) {
		snprintf(e->message, sizeof e->message, "%s", m->error);
		return;
	}
	body += strspn(body, " \t\r\n");
	if (*body == '{')
		read_json(m, e);
	else if (*body == '<')
		read_xml(m, e);
	header = m->header(m, "x-amzn-errortype");
	if (!e->name[0] && header)
		set_name(e, header);
}

bool awserror_is(const struct awserror *e, const char *name)
{
	return strcmp(e->name, name) == 0;
}

void awserror_text(const struct awserror *e, struct err *why)
{
	if (!e->status)
		err_set(why, "no answer: %s", e->message);
	else if (!e->name[0])
		err_set(why, "HTTP %d", (int)e->status);
	else if (!e->message[0])
		err_set(why, "%s (HTTP %d)", e->name, (int)e->status);
	else
		err_set(why, "%s: %s", e->name, e->message);
}

void awserror_why(const struct pm_message *m, const char *what, struct err *why)
{
	struct awserror e;

	awserror_read(m, &e);
	awserror_text(&e, why);
	err_prefix(why, "%s", what);
}
