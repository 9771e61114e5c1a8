/* ssm - secrets from the parameter store of AWS Systems Manager. */
#include "awscall.h"
#include "base/mem.h"

#include <pointsman/plugin.h>
#include <stdlib.h>
#include <string.h>

static const struct pm_key keys[] = {
	{"ttl", PM_DURATION, 0, "5m", "1s..1d",
	 "How long a value is used before it is read again."},
	AWS_KEY_REGION(""),
	AWS_KEY_ENDPOINT,
	{0},
};

struct asked {
	struct asked *next;
	uint64_t ask;
	char *name;
};

struct store {
	struct asked *asked;
};

static struct asked *take(struct pm_host *h, uint64_t ask)
{
	struct store *s = h->self;
	struct asked **at = &s->asked, *a;

	while (*at && (*at)->ask != ask)
		at = &(*at)->next;
	a = *at;
	if (a)
		*at = a->next;
	return a;
}

static void asked_free(struct asked *a)
{
	free(a->name);
	free(a);
}

static const char *value_in(const json_t *body, struct err *why)
{
	const json_t *value = json_object_get(json_object_get(body, "Parameter"), "Value");

	if (!json_is_string(value))
		err_set(why, "HTTP 200, but no Value in the answer");
	else if (strlen(json_string_value(value)) != json_string_length(value))
		err_set(why, "its value holds a NUL byte");
	else
		return json_string_value(value);
	return NULL;
}

static void on_parameter(struct pm_host *h, const struct pm_message *m, uint64_t ask)
{
	struct asked *a = take(h, ask);
	const char *value = NULL;
	struct err why;
	json_t *body;

	if (!a)
		return;
	body = awscall_answer(m, &why);
	if (body)
		value = value_in(body, &why);
	if (!value)
		err_prefix(&why, "parameter %s", a->name);
	h->resolved(h, ask, value, (uint32_t)h->num(h, "ttl"), value ? "" : why.text);
	json_decref(body);
	asked_free(a);
}

static void resolve(struct pm_host *h, uint64_t ask, const char *name)
{
	struct store *s = h->self;
	struct asked *a = mem_new(struct asked);
	json_t *body = json_pack("{s:s, s:b}", "Name", name, "WithDecryption", 1);

	a->ask = ask;
	a->name = mem_text(name);
	a->next = s->asked;
	s->asked = a;
	awscall_json(h,
		     &(struct awscall){.service = "ssm",
				       .target = "AmazonSSM.GetParameter",
				       .protocol = "1.1",
				       .body = body},
		     on_parameter, ask);
}

static bool create(struct pm_host *h)
{
	h->self = mem_new(struct store);
	return true;
}

static void destroy(struct pm_host *h)
{
	struct store *s = h->self;

	while (s->asked)
		asked_free(take(h, s->asked->ask));
	free(s);
}

PM_PLUGIN(.kind = PM_SECRETS, .name = "ssm", .version = "1.0",
	  .summary = "Read secrets from the AWS Systems Manager parameter store.", .keys = keys,
	  .create = create, .resolve = resolve, .destroy = destroy);
