#include "journal/names.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_NUMBER 65535 /* a delivery's row key has 16 bits for its target */

struct name {
	uint32_t number;
	enum name_kind kind;
	char *text, *first;
};

struct names {
	struct name **numbers; /* by number; [0] is NULL */
	size_t n, cap;
	struct map by_name; /* "kind name" */
};

static void free_name(struct name *name)
{
	if (!name)
		return;
	free(name->text);
	free(name->first);
	free(name);
}

static void clear(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free_name(n->numbers[i]);
	free(n->numbers);
	map_free(&n->by_name, NULL);
	*n = (struct names){0};
}

void names_free(struct names *n)
{
	if (!n)
		return;
	clear(n);
	free(n);
}

static char *map_key(enum name_kind kind, const char *text)
{
	return mem_format("%d %s", (int)kind, text);
}

static struct name *find(const struct names *n, enum name_kind kind, const char *text)
{
	char *key = map_key(kind, text);
	struct name *name = map_get(&n->by_name, key);

	free(key);
	return name;
}

static void index_name(struct names *n, struct name *name)
{
	char *key = map_key(name->kind, name->text);

	map_put(&n->by_name, key, name);
	free(key);
}

static const struct name *by_number(const struct names *n, uint32_t number)
{
	return number < n->n ? n->numbers[number] : NULL;
}

static void put_name(struct names *n, struct name *name)
{
	while (n->n <= name->number) {
		mem_room(n->numbers, n->n, n->cap);
		n->numbers[n->n++] = NULL;
	}
	n->numbers[name->number] = name;
	index_name(n, name);
}

/* "kind TAB name TAB first name": names of sections hold no tabs. */
static bool load_one(const char *key, const void *value, size_t len, void *arg)
{
	char *text = mem_slice(value, len), *rest = text;
	char *kind = strsep(&rest, "\t"), *name = strsep(&rest, "\t");
	unsigned long number = strtoul(key, NULL, 10);
	struct name *loaded;

	if (name && rest && number > 0 && number <= LAST_NUMBER &&
	    !by_number(arg, (uint32_t)number)) {
		loaded = mem_new(struct name);
		loaded->number = (uint32_t)number;
		loaded->kind = (enum name_kind)strtol(kind, NULL, 10);
		loaded->text = mem_text(name);
		loaded->first = mem_text(rest);
		put_name(arg, loaded);
	}
	free(text);
	return true;
}

enum journal_status names_reload(struct names *n, struct journal *j, struct err *err)
{
	clear(n);
	return journal_values(j, "name", "", load_one, n, err);
}

struct names *names_load(struct journal *j, struct err *err)
{
	struct names *n = mem_new(struct names);

	if (names_reload(n, j, err) == JOURNAL_OK)
		return n;
	names_free(n);
	return NULL;
}

static bool save(struct journal *j, const struct name *name, struct err *err)
{
	char key[16], *value = mem_format("%d\t%s\t%s", (int)name->kind, name->text, name->first);
	enum journal_status status;

	snprintf(key, sizeof key, "%05u", name->number);
	status = journal_put(j, "name", key, value, strlen(value), err);
	free(value);
	return status == JOURNAL_OK;
}

static void rename_to(struct names *n, struct name *name, const char *text)
{
	char *key = map_key(name->kind, name->text);

	map_remove(&n->by_name, key);
	free(key);
	free(name->text);
	name->text = mem_text(text);
	index_name(n, name);
}

static struct name *make(struct names *n, enum name_kind kind, const char *text, struct err *err)
{
	struct name *name;
	uint32_t number = n->n ? (uint32_t)n->n : 1;

	if (number > LAST_NUMBER) {
		err_set(err,
			"section %s: this state directory has known %d sections, and has numbers "
			"for no more; start with a new one",
			text, LAST_NUMBER);
		return NULL;
	}
	name = mem_new(struct name);
	name->number = number;
	name->kind = kind;
	name->text = mem_text(text);
	name->first = mem_text(text);
	put_name(n, name);
	return name;
}

uint32_t names_number(struct names *n, struct journal *j, enum name_kind kind, const char *name,
		      const char *was, struct err *err)
{
	struct name *known = find(n, kind, name);

	if (known)
		return known->number;
	known = was ? find(n, kind, was) : NULL;
	if (known)
		rename_to(n, known, name);
	else
		known = make(n, kind, name, err);
	return known && save(j, known, err) ? known->number : 0;
}

uint32_t names_find(const struct names *n, enum name_kind kind, const char *name)
{
	const struct name *known = find(n, kind, name);

	return known ? known->number : 0;
}

uint32_t names_next(const struct names *n, uint32_t after, enum name_kind *kind, const char **name)
{
	for (size_t i = (size_t)after + 1; i < n->n; i++) {
		if (!n->numbers[i])
			continue;
		*kind = n->numbers[i]->kind;
		*name = n->numbers[i]->text;
		return (uint32_t)i;
	}
	return 0;
}

const char *names_text(const struct names *n, uint32_t number)
{
	const struct name *known = by_number(n, number);

	return known ? known->text : "?";
}

const char *names_first(const struct names *n, uint32_t number)
{
	const struct name *known = by_number(n, number);

	return known ? known->first : "?";
}
