#include "journal/cell.h"

#include "base/mem.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"none", "inputs", "window", "count"};

struct cell *cell_new(enum cell_kind kind, uint32_t rule, const char *group, size_t nslots)
{
	struct cell *c = mem_new(struct cell);

	c->kind = kind;
	c->rule = rule;
	c->group = mem_text(group);
	c->slots = mem_zero(nslots * sizeof *c->slots);
	c->nslots = nslots;
	return c;
}

struct cell *cell_copy(const struct cell *from)
{
	struct cell *c = mem_new(struct cell);

	*c = *from;
	c->by_due = c->by_use = (struct heap_node){0};
	c->group = mem_text(from->group);
	c->slots = mem_zero(from->nslots * sizeof *c->slots);
	memcpy(c->slots, from->slots, from->nslots * sizeof *c->slots);
	c->cap = from->n;
	c->members = NULL;
	if (from->n) {
		c->members = mem_grow(NULL, from->n, sizeof *c->members);
		memcpy(c->members, from->members, from->n * sizeof *c->members);
	}
	return c;
}

void cell_free(struct cell *c)
{
	if (!c)
		return;
	heap_remove(&c->by_due);
	heap_remove(&c->by_use);
	free(c->group);
	free(c->slots);
	free(c->members);
	free(c);
}

void cell_add(struct cell *c, uint64_t seq, int64_t at)
{
	mem_room(c->members, c->n, c->cap);
	c->members[c->n++] = (struct cell_member){seq, at};
}

void cell_forget(struct cell *c, size_t n)
{
	if (!n)
		return;
	c->n -= n;
	memmove(c->members, c->members + n, c->n * sizeof *c->members);
}

bool cell_empty(const struct cell *c)
{
	for (size_t i = 0; i < c->nslots; i++) {
		if (c->slots[i].seq)
			return false;
	}
	return c->n == 0;
}

char *cell_key(uint32_t rule, const char *group)
{
	return mem_format("%05u %s", rule, group);
}

void cell_text(const struct cell *c, struct buf *out)
{
	buf_printf(out,
		   "{\"kind\":\"%s\",\"used\":%lld,\"open\":%s,\"opened\":%lld,\"last\":%lld,"
		   "\"bytes\":%llu,\"slots\":[",
		   kinds[c->kind], (long long)c->used, c->open ? "true" : "false",
		   (long long)c->opened, (long long)c->last, (unsigned long long)c->bytes);
	for (size_t i = 0; i < c->nslots; i++) {
		const struct cell_slot *s = &c->slots[i];

		/* The hash as text: JSON's numbers are no 64-bit integers to everyone. */
		buf_printf(out,
			   "%s{\"input\":%u,\"text\":\"%016llx\",\"seq\":%llu,\"at\":%lld,"
			   "\"new\":%s}",
			   i ? "," : "", s->input, (unsigned long long)s->text,
			   (unsigned long long)s->seq, (long long)s->at,
			   s->fresh ? "true" : "false");
	}
	buf_text_add(out, "],\"members\":[");
	for (size_t i = 0; i < c->n; i++)
		buf_printf(out, "%s[%llu,%lld]", i ? "," : "",
			   (unsigned long long)c->members[i].seq, (long long)c->members[i].at);
	buf_text_add(out, "]}");
}

/* Times that a clock may have shown: what is added to them has room. */
static bool is_time(json_int_t ms)
{
	return ms >= 0 && ms <= INT64_MAX / 4;
}

static bool parse_slot(json_t *json, struct cell_slot *s)
{
	json_int_t input, seq, at;
	const char *text;
	int fresh;

	if (json_unpack(json, "{s:I, s:s, s:I, s:I, s:b}", "input", &input, "text", &text, "seq",
			&seq, "at", &at, "new", &fresh) != 0)
		return false;
	if (input < 0 || input > UINT32_MAX || seq < 0 || !is_time(at))
		return false;
	*s = (struct cell_slot){.input = (uint32_t)input,
				.text = strtoull(text, NULL, 16),
				.seq = (uint64_t)seq,
				.at = at,
				.fresh = fresh != 0};
	return true;
}

static bool parse_lists(struct cell *c, json_t *slots, json_t *members)
{
	json_int_t seq, at;
	json_t *one;
	size_t i;

	c->nslots = json_array_size(slots);
	c->slots = mem_zero(c->nslots * sizeof *c->slots);
	json_array_foreach(slots, i, one)
	{
		if (!parse_slot(one, &c->slots[i]))
			return false;
	}
	json_array_foreach(members, i, one)
	{
		if (json_unpack(one, "[I, I]", &seq, &at) != 0 || seq < 0 || !is_time(at))
			return false;
		cell_add(c, (uint64_t)seq, at);
	}
	return true;
}

static bool parse_members(struct cell *c, json_t *json)
{
	json_int_t used, opened, last, bytes;
	json_t *slots, *members;
	const char *kind;
	int open;

	if (json_unpack(json, "{s:s, s:I, s:b, s:I, s:I, s:I, s:o, s:o}", "kind", &kind, "used",
			&used, "open", &open, "opened", &opened, "last", &last, "bytes", &bytes,
			"slots", &slots, "members", &members) != 0)
		return false;
	if (!is_time(used) || !is_time(opened) || !is_time(last) || bytes < 0)
		return false;
	for (int k = CELL_INPUTS; k <= CELL_COUNT; k++) {
		if (strcmp(kind, kinds[k]) == 0)
			c->kind = (enum cell_kind)k;
	}
	c->used = used;
	c->open = open != 0;
	c->opened = opened;
	c->last = last;
	c->bytes = (uint64_t)bytes;
	return c->kind != CELL_NONE && parse_lists(c, slots, members);
}

struct cell *cell_parse(const char *key, const char *text, size_t len)
{
	char *end;
	unsigned long rule = strtoul(key, &end, 10);
	json_t *json = json_loadb(text, len, 0, NULL);
	struct cell *c = mem_new(struct cell);
	bool good = json && isdigit((unsigned char)*key) && rule <= UINT32_MAX && *end == ' ';

	c->rule = (uint32_t)rule;
	if (good) {
		c->group = mem_text(end + 1);
		good = parse_members(c, json);
	}
	json_decref(json);
	if (good)
		return c;
	cell_free(c);
	return NULL;
}
