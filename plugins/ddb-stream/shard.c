#include "shard.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void shard_free(void *arg)
{
	struct shard *shard = arg;

	free(shard->id);
	free(shard->parent);
	free(shard->after);
	free(shard->iterator);
	free(shard);
}

struct shard *shards_get(const struct shards *s, const char *id)
{
	return map_get(&s->by_id, id);
}

struct shard *shards_at(const struct shards *s, uint32_t number)
{
	return number < s->n ? s->all[number] : NULL;
}

static uint32_t free_number(struct shards *s)
{
	size_t i = s->by_id.count == s->n ? s->n : 0; /* as many: no holes */

	while (i < s->n && s->all[i])
		i++;
	if (i == s->n) {
		mem_room(s->all, s->n, s->cap);
		s->n++;
	}
	return (uint32_t)i;
}

struct shard *shards_add(struct shards *s, const char *id)
{
	struct shard *shard = shards_get(s, id);

	if (shard)
		return shard;
	shard = mem_new(struct shard);
	shard->id = mem_text(id);
	shard->limit = SHARD_PAGE;
	shard->number = free_number(s);
	s->all[shard->number] = shard;
	map_put(&s->by_id, id, shard);
	return shard;
}

void shards_remove(struct shards *s, struct shard *shard)
{
	s->all[shard->number] = NULL;
	map_remove(&s->by_id, shard->id);
	shard_free(shard);
}

void shards_free(struct shards *s)
{
	map_free(&s->by_id, shard_free);
	free(s->all);
	*s = (struct shards){0};
}

struct shard *shards_next(const struct shards *s, size_t *i)
{
	while (*i < s->n && !s->all[*i])
		++*i;
	return *i < s->n ? s->all[(*i)++] : NULL;
}

bool shards_ready(const struct shards *s, const struct shard *shard)
{
	const struct shard *parent = shard->parent ? shards_get(s, shard->parent) : NULL;

	return !shard->finished && !shard->busy && !shard->paused && (!parent || parent->finished);
}

bool shards_drained(const struct shards *s)
{
	const struct shard *shard;

	for (size_t i = 0; (shard = shards_next(s, &i));) {
		if (!shard->finished)
			return false;
	}
	return true;
}

void shard_place(const struct shard *shard, struct buf *out)
{
	const char *comma = "";

	buf_char(out, '{');
	if (shard->finished) {
		buf_printf(out, "\"finished\":%lld", (long long)shard->finished);
	} else {
		if (shard->after) {
			buf_text_add(out, "\"after\":");
			buf_json_string(out, shard->after, strlen(shard->after));
			comma = ",";
		}
		if (shard->from)
			buf_printf(out, "%s\"from\":%lld", comma, (long long)shard->from);
	}
	buf_char(out, '}');
}

void shard_resume(struct shard *shard, const char *place)
{
	json_t *json = json_loads(place, 0, NULL);

	shard_handled(shard, json_string_value(json_object_get(json, "after")));
	shard->from = json_integer_value(json_object_get(json, "from"));
	shard->finished = json_integer_value(json_object_get(json, "finished"));
	json_decref(json);
}

static void set(char **at, const char *text)
{
	char *copy = mem_text(text);

	free(*at);
	*at = copy;
}

void shard_parent(struct shard *shard, const char *parent)
{
	set(&shard->parent, parent);
}

void shard_iterator(struct shard *shard, const char *iterator)
{
	set(&shard->iterator, iterator);
}

void shard_handled(struct shard *shard, const char *sequence)
{
	set(&shard->after, sequence);
}
