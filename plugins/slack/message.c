#include "message.h"

#include "base/buf.h"
#include "base/mem.h"
#include "wording.h"

#include <stdlib.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

/* Where the n-th character (from 0) begins, or the end. */
static size_t character(const char *text, size_t n)
{
	size_t at = 0;

	while (text[at] && n > 0) {
		at++;
		while (((unsigned char)text[at] & 0xc0) == 0x80)
			at++;
		n--;
	}
	return at;
}

/* The longest entity is &amp; : one that begins in the last four bytes may be cut in two. */
static size_t before_entity(const char *text, size_t len)
{
	for (size_t back = 1; back <= 4 && back <= len; back++) {
		if (text[len - back] == ';')
			break;
		if (text[len - back] == '&')
			return len - back;
	}
	return len;
}

char *message_cut(const char *text, size_t most)
{
	size_t len = strlen(text);
	struct buf b = {0};

	while (len > 0 && strchr(" :\n\t", text[len - 1]))
		len--;
	if (character(text, most) >= len)
		return mem_slice(text, len);
	buf_add(&b, text, before_entity(text, character(text, most - 1)));
	buf_text_add(&b, ELLIPSIS);
	return buf_take(&b);
}

static void cut_member(json_t *object, const char *name, size_t most)
{
	json_t *value = json_object_get(object, name);
	char *cut;

	if (!json_is_string(value))
		return;
	cut = message_cut(json_string_value(value), most);
	json_object_set_new(object, name, json_string(cut));
	free(cut);
}

static void cut_block(json_t *block)
{
	const char *type = json_string_value(json_object_get(block, "type"));
	json_t *field;
	size_t i;

	if (!type)
		return;
	if (strcmp(type, "header") == 0)
		cut_member(json_object_get(block, "text"), "text", SLACK_HEADER);
	else if (strcmp(type, "section") == 0)
		cut_member(json_object_get(block, "text"), "text", SLACK_SECTION);
	json_array_foreach(json_object_get(block, "fields"), i, field)
		cut_member(field, "text", SLACK_SECTION * 2 / 3);
	json_array_foreach(json_object_get(block, "elements"), i, field)
		cut_member(field, "text", SLACK_SECTION);
}

static json_t *blocks_of(struct pm_host *h, pm_delivery d)
{
	const char *text = h->render(h, d, "blocks");
	json_t *blocks, *block;
	size_t i;

	if (!text)
		return NULL;
	blocks = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_array(blocks)) {
		json_decref(blocks);
		h->finish(h, d, PM_REJECT, "`blocks` is not a list of blocks");
		return NULL;
	}
	if (json_array_size(blocks) > SLACK_BLOCKS)
		h->log(h, PM_WARN, "%zu blocks, Slack takes %d: the first are sent",
		       json_array_size(blocks), SLACK_BLOCKS);
	while (json_array_size(blocks) > SLACK_BLOCKS)
		json_array_remove(blocks, SLACK_BLOCKS);
	json_array_foreach(blocks, i, block) cut_block(block);
	return blocks;
}

static const char *text_of(struct pm_host *h, pm_delivery d)
{
	const char *type;

	if (*h->str(h, "text"))
		return h->render(h, d, "text");
	type = h->get(h, d, "type");
	return h->fill(h, d, PM_XML_TEMPLATE, wording_for(type ? type : ""), NULL);
}

json_t *message_new(struct pm_host *h, pm_delivery d, bool with_blocks)
{
	const char *text = text_of(h, d);
	json_t *message = json_object(), *blocks;
	char *cut;

	if (!text)
		goto ended;
	cut = message_cut(text, SLACK_TEXT);
	json_object_set_new(message, "text", json_string(cut));
	free(cut);
	if (with_blocks && *h->str(h, "blocks")) {
		blocks = blocks_of(h, d);
		if (!blocks)
			goto ended;
		json_object_set_new(message, "blocks", blocks);
	}
	return message;
ended:
	json_decref(message);
	return NULL;
}
