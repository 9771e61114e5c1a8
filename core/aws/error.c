#include "aws/error.h"

#include "base/buf.h"
#include "base/mem.h"

#include <expat.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const XML_Memory_Handling_Suite memory = {mem_malloc, mem_realloc, free};

/* Errors are a few hundred bytes; what is larger is not one of AWS's. */
#define MAX_BODY (256 << 10)

static bool is_one_of(const char *const *names, const char *name)
{
	for (; *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

bool aws_error_is_throttling(const char *name)
{
	static const char *const names[] = {
		"Throttling",
		"ThrottlingException",
		"ThrottledException",
		"RequestThrottled",
		"RequestThrottledException",
		"TooManyRequestsException",
		"ProvisionedThroughputExceededException",
		"RequestLimitExceeded",
		"BandwidthLimitExceeded",
		"LimitExceededException",
		"SlowDown",
		"EC2ThrottledException",
		NULL,
	};

	return is_one_of(names, name);
}

bool aws_error_is_expiry(const char *name)
{
	static const char *const names[] = {"ExpiredToken", "ExpiredTokenException",
					    "TokenRefreshRequired", NULL};

	return is_one_of(names, name);
}

bool aws_error_is_credentials(const char *name)
{
	static const char *const names[] = {
		"InvalidClientTokenId",
		"UnrecognizedClientException",
		"InvalidAccessKeyId",
		"InvalidToken",
		"AuthFailure",
		"SignatureDoesNotMatch",
		"InvalidSignatureException",
		"IncompleteSignature",
		"IncompleteSignatureException",
		"MissingAuthenticationToken",
		"MissingAuthenticationTokenException",
		NULL,
	};

	return aws_error_is_expiry(name) || is_one_of(names, name);
}

bool aws_error_is_clock(const char *name)
{
	static const char *const names[] = {
		"RequestTimeTooSkewed",
		"RequestExpired",
		"RequestInTheFuture",
		"InvalidSignatureException",
		"SignatureDoesNotMatch",
		"AuthFailure",
		NULL,
	};

	return is_one_of(names, name);
}

static bool is_worth_another_try(const char *name)
{
	static const char *const names[] = {
		"RequestTimeout",
		"RequestTimeoutException",
		"PriorRequestNotComplete",
		"TransactionInProgressException",
		"ConditionalRequestConflict",
		"OperationAborted",
		"TemporaryRedirect",
		"RequestTimeTooSkewed",
		"RequestExpired",
		"RequestInTheFuture",
		NULL,
	};

	return is_one_of(names, name);
}

static bool is_outage(const char *name)
{
	static const char *const names[] = {
		"InternalError",
		"InternalFailure",
		"InternalServerError",
		"InternalServerException",
		"ServiceUnavailable",
		"ServiceUnavailableException",
		NULL,
	};

	return is_one_of(names, name) || aws_error_is_throttling(name) ||
	       aws_error_is_credentials(name);
}

/* Of a word that AWS makes names from. */
static int word_length(const char *text)
{
	int n = 0;

	while (text[n] > ' ' && text[n] < 0x7f && text[n] != ':' && text[n] != ';')
		n++;
	return n;
}

/* "com.amazonaws.dynamodb.v20120810#Name:http://.." and "Code;Sender" are Name and Code. */
static void set_name(struct aws_error *e, const char *text)
{
	const char *hash = text ? strchr(text, '#') : NULL;

	if (!text || e->name[0])
		return;
	text = hash ? hash + 1 : text;
	text += strspn(text, " \t");
	snprintf(e->name, sizeof e->name, "%.*s", word_length(text), text);
}

/* One line of whole characters: it goes into logs and timelines. */
static void set_message(struct aws_error *e, const char *text)
{
	size_t n;

	if (!text || e->message[0])
		return;
	snprintf(e->message, sizeof e->message, "%s", text);
	n = strlen(e->message);
	if (n == sizeof e->message - 1 && (text[n] & 0xc0) == 0x80) {
		while (n > 0 && (e->message[n - 1] & 0xc0) == 0x80)
			n--;
		e->message[n > 0 ? n - 1 : 0] = '\0';
	}
	for (char *p = e->message; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
}

static void read_json(const struct aws_reply *reply, struct aws_error *e)
{
	json_t *body = json_loadb(reply->body, reply->body_len, JSON_DISABLE_EOF_CHECK, NULL);
	const json_t *inner = json_object_get(body, "Error");
	const json_t *from = json_is_object(inner) ? inner : body;

	set_name(e, json_string_value(json_object_get(from, "__type")));
	set_name(e, json_string_value(json_object_get(from, "code")));
	set_name(e, json_string_value(json_object_get(from, "Code")));
	set_message(e, json_string_value(json_object_get(from, "message")));
	set_message(e, json_string_value(json_object_get(from, "Message")));
	json_decref(body);
}

struct reading {
	XML_Parser parser;
	struct aws_error *error;
	int depth, error_depth;    /* of the element `Error` we are in; 0: none */
	bool only_error, is_error; /* stop unless the root says that it is an error */
	struct buf text;           /* of the element being read, bounded */
};

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct reading *r = arg;

	(void)attributes;
	r->depth++;
	if (r->depth == 1)
		r->is_error = strcmp(name, "Error") == 0 || strcmp(name, "ErrorResponse") == 0;
	if (r->depth == 1 && r->only_error && !r->is_error)
		XML_StopParser(r->parser, XML_FALSE);
	if (r->error_depth == 0 && strcmp(name, "Error") == 0)
		r->error_depth = r->depth;
	buf_cut(&r->text, 0);
}

static void on_text(void *arg, const char *text, int len)
{
	struct reading *r = arg;

	if (r->text.len < 2 * sizeof r->error->message)
		buf_add(&r->text, text, (size_t)len);
}

static void on_end(void *arg, const char *name)
{
	struct reading *r = arg;

	if (r->error_depth && r->depth == r->error_depth + 1) {
		if (strcmp(name, "Code") == 0)
			set_name(r->error, buf_text(&r->text));
		else if (strcmp(name, "Message") == 0)
			set_message(r->error, buf_text(&r->text));
		else if (strcmp(name, "Region") == 0)
			snprintf(r->error->region, sizeof r->error->region, "%.*s",
				 word_length(buf_text(&r->text)), buf_text(&r->text));
	}
	if (r->depth == r->error_depth)
		XML_StopParser(r->parser, XML_FALSE);
	r->depth--;
}

/* AWS sends no document type; what does has entities in mind. */
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

/* A document that breaks off after its code has still said it. */
static bool read_xml(const struct aws_reply *reply, struct aws_error *e, bool only_error)
{
	struct reading r = {.error = e, .only_error = only_error};
	size_t len = reply->body_len < MAX_BODY ? reply->body_len : MAX_BODY;

	r.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!r.parser)
		return false;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	XML_Parse(r.parser, reply->body, (int)len, 1);
	XML_ParserFree(r.parser);
	buf_free(&r.text);
	return r.is_error;
}

static char first_character(const struct aws_reply *reply)
{
	const char *text = reply->body;

	for (size_t i = 0; i < reply->body_len; i++) {
		if (!strchr(" \t\r\n\xef\xbb\xbf", text[i]))
			return text[i];
	}
	return '\0';
}

static enum aws_verdict again(struct aws_error *e, bool down)
{
	e->down = down;
	return AWS_AGAIN;
}

static enum aws_verdict judge(int status, struct aws_error *e)
{
	if (is_outage(e->name) || status >= 500 || status == 429)
		return again(e, true);
	if (is_worth_another_try(e->name) || status == 408 || status == 425)
		return again(e, false);
	return AWS_NEVER;
}

/* An error inside a 2xx, as S3 gives when a copy fails half-way, is one of the server's. */
enum aws_verdict aws_error_read(const struct aws_reply *reply, struct aws_error *error)
{
	struct aws_error none, *e = error ? error : &none;
	char first = first_character(reply);

	*e = (struct aws_error){0};
	if (reply->status == 0)
		return again(e, true);
	if (reply->status / 100 == 2) {
		if (first != '<' || !read_xml(reply, e, true))
			return AWS_OK;
		return judge(500, e);
	}
	set_name(e, reply->error_type);
	if (first == '<')
		read_xml(reply, e, false);
	else if (first == '{' && reply->body_len <= MAX_BODY)
		read_json(reply, e);
	set_name(e, reply->query_error);
	return judge(reply->status, e);
}
