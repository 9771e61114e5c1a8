#include "base/buf.h"
#include "cli/eventbridge.h"
#include "cli/given.h"
#include "cli/verbs.h"
#include "json/check.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define LARGEST (1024 * 1024)

static int read_all(const char *name, struct buf *out)
{
	if (!given_bytes(name, LARGEST, out))
		return EX_NOINPUT;
	if (out->len <= LARGEST)
		return EX_OK;
	fprintf(stderr, "pointsman: %s: over 1M, which no rule is\n", name);
	return EX_DATAERR;
}

static int fail(const char *name, const struct buf *text, size_t at, const char *why)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < at && i < text->len; i++) {
		line += text->data[i] == '\n';
		column = text->data[i] == '\n' ? 1 : column + 1;
	}
	fprintf(stderr, "%s:%u:%u: %s\n", name, line, column, why);
	return EX_DATAERR;
}

static int print_section(const char *name, const struct buf *text)
{
	struct json_fault fault;
	struct buf section = {0};
	struct err err;
	size_t at;
	int status = EX_OK;

	if (!json_check_repeats(buf_text(text), text->len, JSON_MAX_DEPTH, &fault))
		return fail(name, text, fault.offset, fault.what);
	if (eventbridge_section(text->data, text->len, &section, &at, &err))
		fputs(buf_text(&section), stdout);
	else
		status = fail(name, text, at, err.text);
	buf_free(&section);
	return status;
}

int verb_init(const struct options *o)
{
	struct buf text = {0};
	int status;

	if (!o->from_eventbridge || o->nwords) {
		fputs("pointsman: init --from-eventbridge RULE.json prints a rule of EventBridge "
		      "as "
		      "a [rule] section; - is standard input\n",
		      stderr);
		return EX_USAGE;
	}
	status = read_all(o->from_eventbridge, &text);
	if (status == EX_OK)
		status = print_section(o->from_eventbridge, &text);
	buf_free(&text);
	return status;
}
