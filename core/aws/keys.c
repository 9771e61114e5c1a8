#include "aws/keys.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/units.h"

#include <expat.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const XML_Memory_Handling_Suite memory = {mem_malloc, mem_realloc, free};

#define MAX_FIELD 16384 /* session tokens have no documented limit; seen: 2 kB */

void keys_copy(struct keys *to, const struct keys *from)
{
	*to = (struct keys){mem_text(from->id), mem_text(from->secret), mem_text(from->token),
			    from->expires};
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void keys_free(struct keys *k)
{
	free(k->id);
	wipe(k->secret);
	wipe(k->token);
	*k = (struct keys){0};
}

static bool complete(struct keys *k, const char *expiration, struct err *err)
{
	const char *missing = !k->id       ? "AccessKeyId"
			      : !k->secret ? "SecretAccessKey"
			      : !k->token  ? "session token"
					   : NULL;

	if (missing)
		err_set(err, "the answer has no %s", missing);
	else if (!expiration || !units_time(expiration, &k->expires) || k->expires <= 0)
		err_set(err, "the answer has no usable Expiration");
	else
		return true;
	keys_free(k);
	return false;
}

static char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? mem_text(text) : NULL;
}

/* Instance metadata answers 200 with another Code when the role has a problem. */
bool keys_from_json(const char *body, size_t len, struct keys *k, struct err *err)
{
	json_error_t mistake;
	json_t *json = json_loadb(body, len, 0, &mistake);
	const char *code = json_string_value(json_object_get(json, "Code"));
	const char *why = json_string_value(json_object_get(json, "Message"));
	bool ok = false;

	*k = (struct keys){0};
	if (!json) {
		err_set(err, "the answer is not JSON: %s", mistake.text);
	} else if (code && strcmp(code, "Success") != 0) {
		err_set(err, "%.100s: %.200s", code, why ? why : "no reason given");
	} else {
		k->id = text_of(json, "AccessKeyId");
		k->secret = text_of(json, "SecretAccessKey");
		k->token = text_of(json, "Token");
		ok = complete(k, json_string_value(json_object_get(json, "Expiration")), err);
	}
	json_decref(json);
	return ok;
}

struct reading {
	XML_Parser parser;
	int depth, credentials_depth;
	struct buf text;
	struct keys *keys;
	char *expiration;
};

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct reading *r = arg;

	(void)attributes;
	r->depth++;
	if (!r->credentials_depth && strcmp(name, "Credentials") == 0)
		r->credentials_depth = r->depth;
	buf_cut(&r->text, 0);
}

static void on_text(void *arg, const char *text, int len)
{
	struct reading *r = arg;

	if (r->text.len < MAX_FIELD)
		buf_add(&r->text, text, (size_t)len);
}

static void on_end(void *arg, const char *name)
{
	static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "SessionToken",
					    "Expiration"};
	struct reading *r = arg;
	char **fields[] = {&r->keys->id, &r->keys->secret, &r->keys->token, &r->expiration};
	bool is_inside = r->credentials_depth && r->depth == r->credentials_depth + 1;

	for (size_t i = 0; is_inside && i < sizeof names / sizeof *names; i++) {
		if (strcmp(name, names[i]) == 0 && !*fields[i] && r->text.len)
			*fields[i] = mem_text(r->text.data);
	}
	r->depth--;
}

static void on_doctype(void *arg, const char *name, const char *system, const char *public,
		       int has_internal)
{
	struct reading *r = arg;

	(void)name;
	(void)system;
	(void)public;
	(void)has_internal;
	XML_StopParser(r->parser, XML_FALSE);
}

bool keys_from_xml(const char *body, size_t len, struct keys *k, struct err *err)
{
	struct reading r = {.keys = k};
	bool ok;

	*k = (struct keys){0};
	r.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	ok = XML_Parse(r.parser, body, (int)len, 1) == XML_STATUS_OK;
	if (ok) {
		ok = complete(k, r.expiration, err);
	} else {
		err_set(err, "the answer is not XML: %s",
			XML_ErrorString(XML_GetErrorCode(r.parser)));
		keys_free(k);
	}
	XML_ParserFree(r.parser);
	if (r.text.data)
		explicit_bzero(r.text.data, r.text.cap);
	buf_free(&r.text);
	free(r.expiration);
	return ok;
}
