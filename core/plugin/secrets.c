#include "plugin/secrets.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_PAUSE_MS   1000
#define LONGEST_PAUSE_MS 60000
#define REFRESH_MS       60000
#define ANSWER_MS        60000 /* an ask that is not answered by then is repeated */

struct secret {
	struct secrets *owner;
	char *section, *name;
	char *value;      /* or NULL */
	char *why;        /* the last problem */
	uint64_t ask;     /* outstanding, or 0 */
	int64_t asked_at; /* boot time */
	uint32_t pause_ms;
	struct loop_timer *timer; /* asks again */
};

struct secrets {
	struct secrets_options options;
	struct map known; /* "section:name" to struct secret */
	uint64_t last_ask;
};

struct secrets *secrets_new(const struct secrets_options *options)
{
	struct secrets *s = mem_new(struct secrets);

	s->options = *options;
	return s;
}

static void forget(void *value)
{
	struct secret *secret = value;

	loop_timer_free(secret->timer);
	free(secret->section);
	free(secret->name);
	free(secret->value);
	free(secret->why);
	free(secret);
}

void secrets_free(struct secrets *s)
{
	if (!s)
		return;
	map_free(&s->known, forget);
	free(s);
}

static void ask(struct secret *secret)
{
	struct secrets *s = secret->owner;

	secret->ask = ++s->last_ask;
	secret->asked_at = s->options.world->boot(s->options.world);
	loop_timer_set(secret->timer, ANSWER_MS);
	s->options.ask(s->options.arg, secret->section, secret->name, secret->ask);
}

static void ask_again(void *arg)
{
	ask(arg);
}

static struct secret *learn(struct secrets *s, const char *key, const char *section,
			    const char *name)
{
	struct secret *secret = mem_new(struct secret);

	secret->owner = s;
	secret->section = mem_text(section);
	secret->name = mem_text(name);
	secret->why = mem_text("");
	secret->pause_ms = FIRST_PAUSE_MS;
	secret->timer = loop_timer_new(s->options.loop, ask_again, secret);
	map_put(&s->known, key, secret);
	ask(secret);
	return secret;
}

const char *secrets_get(struct secrets *s, const char *section, const char *name, const char **why)
{
	char *key = mem_format("%s:%s", section, name);
	struct secret *secret = map_get(&s->known, key);

	if (!secret)
		secret = learn(s, key, section, name);
	free(key);
	*why = secret->why;
	return secret->value;
}

static struct secret *asked(struct secrets *s, uint64_t number)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->known, &i));) {
		struct secret *secret = e->value;

		if (secret->ask == number)
			return secret;
	}
	return NULL;
}

static void failed(struct secret *secret, const char *why)
{
	free(secret->why);
	secret->why = mem_text(*why ? why : "the secrets plugin gave no reason");
	log_warn("secret ${%s:%s}: %s; asked again in %u s%s", secret->section, secret->name,
		 secret->why, secret->pause_ms / 1000,
		 secret->value ? ", the old value stays in use" : "");
	loop_timer_set(secret->timer, secret->pause_ms);
	secret->pause_ms =
		secret->pause_ms * 2 < LONGEST_PAUSE_MS ? secret->pause_ms * 2 : LONGEST_PAUSE_MS;
}

void secrets_answer(struct secrets *s, uint64_t number, const char *value, uint32_t ttl_ms,
		    const char *why)
{
	struct secret *secret = number ? asked(s, number) : NULL;
	bool same;

	if (!secret)
		return;
	secret->ask = 0;
	if (!value) {
		failed(secret, why);
		if (!secret->value)
			s->options.changed(s->options.arg);
		return;
	}
	same = secret->value && strcmp(secret->value, value) == 0;
	secret->pause_ms = FIRST_PAUSE_MS;
	free(secret->why);
	secret->why = mem_text("");
	loop_timer_stop(secret->timer);
	if (ttl_ms)
		loop_timer_set(secret->timer, ttl_ms);
	if (same)
		return;
	log_secret(value);
	free(secret->value);
	secret->value = mem_text(value);
	s->options.changed(s->options.arg);
}

void secrets_ask_again(struct secrets *s, const char *section)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->known, &i));) {
		struct secret *secret = e->value;

		if (strcmp(secret->section, section) == 0 && !secret->value)
			ask(secret);
	}
}

void secrets_refresh(struct secrets *s, const char *section)
{
	int64_t now = s->options.world->boot(s->options.world);
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->known, &i));) {
		struct secret *secret = e->value;

		if (strcmp(secret->section, section) == 0 && !secret->ask &&
		    now - secret->asked_at >= REFRESH_MS)
			ask(secret);
	}
}
