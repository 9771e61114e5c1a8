#include "cli/numbering.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void put(struct numbering *n, uint32_t number, enum name_kind kind, const char *name)
{
	char *key = mem_format("%d %s", (int)kind, name);

	if (number >= n->n) {
		n->names = mem_grow(n->names, (size_t)number + 1, sizeof *n->names);
		memset(n->names + n->n, 0, (number + 1 - n->n) * sizeof *n->names);
		n->n = (size_t)number + 1;
	}
	free(n->names[number]);
	n->names[number] = mem_text(name);
	map_put(&n->numbers, key, (void *)(uintptr_t)number);
	free(key);
}

static void take_name(json_t *line, void *arg)
{
	json_int_t number, kind;
	const char *name;

	if (json_unpack(line, "{s:I s:I s:s}", "number", &number, "kind", &kind, "name", &name) ==
	    0)
		put(arg, (uint32_t)number, (enum name_kind)kind, name);
}

int numbering_load(struct numbering *n, struct client_connection *c)
{
	uint64_t next = 0;
	int status;

	do {
		status = client_ask(
			c, json_pack("{ss sI}", "verb", "names", "after", (json_int_t)next),
			take_name, n, &next);
	} while (status == EX_OK && next);
	return status;
}

void numbering_free(struct numbering *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->names[i]);
	free(n->names);
	map_free(&n->numbers, NULL);
}

uint32_t numbering_find(const struct numbering *n, enum name_kind kind, const char *name)
{
	char *key = mem_format("%d %s", (int)kind, name);
	uint32_t number = (uint32_t)(uintptr_t)map_get(&n->numbers, key);

	free(key);
	return number;
}

const char *numbering_name(const struct numbering *n, uint32_t number)
{
	return number < n->n && n->names[number] ? n->names[number] : "?";
}

static uint32_t number_of(void *arg, int kind, const char *name, const char *was)
{
	struct numbering *n = arg;
	uint32_t number = numbering_find(n, (enum name_kind)kind, name);

	if (!number && was)
		number = numbering_find(n, (enum name_kind)kind, was);
	if (number)
		return number;
	number = n->n ? (uint32_t)n->n : 1;
	put(n, number, (enum name_kind)kind, name);
	return number;
}

struct plan_numbers numbering_for_plan(struct numbering *n)
{
	return (struct plan_numbers){number_of, n};
}
