/* codebuild-trigger - start a CodeBuild build and follow it to its end. */
#include "trigger.h"

#include "awscall.h"
#include "awserror.h"
#include "base/hash.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CodeBuild remembers a token for five minutes; a minute of that is for the way. */
#define TOKEN_MS  (4 * 60 * 1000)
#define MARKER_MS (14 * 24 * 3600 * 1000LL)

#define MAX_SECONDARY 12

static const struct pm_key keys[] = {
	{"project", PM_TEMPLATE, PM_REQUIRED, NULL, NULL, "The CodeBuild project."},
	{"source-version", PM_TEMPLATE, 0, NULL, NULL,
	 "Version of the primary source: a commit, a branch, an object's version id."},
	{"secondary-version.*", PM_TEMPLATE, 0, NULL, NULL,
	 "Version of the secondary source with that identifier."},
	{"env.*", PM_TEMPLATE, 0, NULL, NULL, "An environment variable of the build."},
	{"buildspec", PM_STRING, 0, NULL, NULL, "Buildspec to use instead of the project's."},
	{"image", PM_TEMPLATE, 0, NULL, NULL, "Image to build in instead of the project's."},
	{"poll", PM_DURATION, 0, "10s", "100ms..10m", "How often to look at running builds."},
	AWS_KEY_REGION(""),
	AWS_KEY_ENDPOINT,
	{0},
};

#define STARTED_FIELDS "project build ?number:number ?version ?log"
#define ENDED_FIELDS   STARTED_FIELDS " status seconds:number phases:array"

static const struct pm_type types[] = {
	{"build.started", "the project", STARTED_FIELDS, "The build runs, or waits in the queue."},
	{"build.succeeded", "the project", ENDED_FIELDS, "It ended well."},
	{"build.failed", "the project", ENDED_FIELDS " reason", "It ended badly."},
	{"build.stopped", "the project", ENDED_FIELDS " reason",
	 "Somebody stopped it, or we did at the deadline."},
	{"build.timed-out", "the project", ENDED_FIELDS " reason", "The project's time was over."},
	{0},
};

void trigger_ask(struct pm_host *h, const char *operation, json_t *body, pm_delivery d,
		 uint32_t max_kb, pm_done_fn *done, uint64_t arg)
{
	char target[64];

	snprintf(target, sizeof target, "CodeBuild_20161006.%s", operation);
	awscall_json(h,
		     &(struct awscall){.service = "codebuild",
				       .target = target,
				       .protocol = "1.1",
				       .body = body,
				       .delivery = d,
				       .max_kb = max_kb},
		     done, arg);
}

/* False: a value is absent, and the delivery dead-lettered. */
static bool set_rendered(struct pm_host *h, pm_delivery d, json_t *body, const char *member,
			 const char *key)
{
	const char *text = h->render(h, d, key);

	if (text)
		json_object_set_new(body, member, json_string(text));
	return text != NULL;
}

static bool add_variables(struct pm_host *h, pm_delivery d, json_t *body)
{
	json_t *all = json_array();
	const char *key, *value;

	json_object_set_new(body, "environmentVariablesOverride", all);
	for (uint32_t i = 0; (key = h->nth(h, "env.*", i)); i++) {
		value = h->render(h, d, key);
		if (!value)
			return false;
		json_array_append_new(all,
				      json_pack("{s:s, s:s, s:s}", "name", key + strlen("env."),
						"value", value, "type", "PLAINTEXT"));
	}
	json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "name", TRIGGER_MARKER, "value",
					     h->get(h, d, "delivery.key"), "type", "PLAINTEXT"));
	return true;
}

static bool add_secondary(struct pm_host *h, pm_delivery d, json_t *body)
{
	json_t *all = json_array();
	const char *key, *value = "";

	for (uint32_t i = 0; value && (key = h->nth(h, "secondary-version.*", i)); i++) {
		value = h->render(h, d, key);
		json_array_append_new(all, json_pack("{s:s, s:s*}", "sourceIdentifier",
						     key + strlen("secondary-version."),
						     "sourceVersion", value));
	}
	if (json_array_size(all))
		json_object_set(body, "secondarySourcesVersionOverride", all);
	json_decref(all);
	return value != NULL;
}

/* The request, without its token.  NULL: the delivery is dead-lettered already. */
static json_t *start_body(struct pm_host *h, pm_delivery d)
{
	json_t *body = json_object();
	bool ok = set_rendered(h, d, body, "projectName", "project");

	if (ok && *h->str(h, "source-version"))
		ok = set_rendered(h, d, body, "sourceVersion", "source-version");
	if (ok && *h->str(h, "image"))
		ok = set_rendered(h, d, body, "imageOverride", "image");
	if (ok && *h->str(h, "buildspec"))
		json_object_set_new(body, "buildspecOverride", json_string(h->str(h, "buildspec")));
	if (ok && add_secondary(h, d, body) && add_variables(h, d, body))
		return body;
	json_decref(body);
	return NULL;
}

/* The same for the same delivery and request.  The delivery's key is in the request. */
static void token_of(const json_t *body, char hex[65])
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	unsigned char digest[32];

	hash_sha256(text, strlen(text), digest);
	hash_hex(digest, sizeof digest, hex);
	free(text);
}

static char *start_key(struct pm_host *h, pm_delivery d)
{
	const char *key = h->get(h, d, "delivery.key");

	return mem_format("start/%s", key ? key : "");
}

void trigger_adopt(struct pm_host *h, pm_delivery d, const json_t *build)
{
	char *key = start_key(h, d);

	report_started(h, d, build);
	h->save(h, key, NULL);
	h->hold(h, d, follow_pause(h), json_string_value(json_object_get(build, "id")));
	free(key);
}

static void on_started(struct pm_host *h, const struct pm_message *m, uint64_t d)
{
	struct awserror e;
	struct err why;
	json_t *body = awscall_answer(m, &why);
	const json_t *build = json_object_get(body, "build");

	awserror_read(m, &e);
	if (json_is_string(json_object_get(build, "id"))) {
		trigger_adopt(h, d, build);
	} else if (m->status == 200) {
		h->finish(h, d, PM_RETRY, "StartBuild: HTTP 200, but no build in the answer");
	} else if (awserror_is(&e, "AccountLimitExceededException")) {
		err_prefix(&why, "StartBuild waits, too many builds run");
		h->finish(h, d, PM_RETRY, why.text);
	} else {
		h->finish_as(h, d, m);
	}
	json_decref(body);
}

static void send_start(struct pm_host *h, pm_delivery d, json_t *body, const char *token)
{
	json_object_set_new(body, "idempotencyToken", json_string(token));
	trigger_ask(h, "StartBuild", json_incref(body), d, 0, on_started, d);
}

/* Note when, so that a later attempt knows how long the token holds; the note is durable
 * before the request leaves. */
static void start_anew(struct pm_host *h, pm_delivery d, json_t *body, const char *token)
{
	char *key = start_key(h, d), note[128];

	snprintf(note, sizeof note, "%lld %s", (long long)h->now(h), token);
	h->save(h, key, note);
	send_start(h, d, body, token);
	free(key);
}

void trigger_start(struct pm_host *h, pm_delivery d)
{
	json_t *body = start_body(h, d);
	char token[65];

	if (!body)
		return;
	token_of(body, token);
	start_anew(h, d, body, token);
	json_decref(body);
}

/* A note of the future was made before the clock was set back: how old it is nobody knows. */
static void begin(struct pm_host *h, pm_delivery d)
{
	json_t *body = start_body(h, d);
	char token[65], *key = start_key(h, d);
	const char *note = h->load(h, key), *noted = note ? strchr(note, ' ') : NULL;
	int64_t since = noted ? strtoll(note, NULL, 10) : 0, age = h->now(h) - since;

	if (body)
		token_of(body, token);
	if (body && !noted)
		start_anew(h, d, body, token);
	else if (body && age >= 0 && age < TOKEN_MS && strcmp(noted + 1, token) == 0)
		send_start(h, d, body, token);
	else if (body)
		search_begin(h, d, age >= 0 ? since : 0);
	json_decref(body);
	free(key);
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	const char *build = h->get(h, d, "delivery.held");

	if (build)
		follow_build(h, d, build);
	else
		begin(h, d);
}

static bool is_identifier(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n && n < 128 && !text[n];
}

static bool check_secondary(struct pm_host *h)
{
	const char *key;
	uint32_t i;

	for (i = 0; (key = h->nth(h, "secondary-version.*", i)); i++) {
		if (!is_identifier(key + strlen("secondary-version."))) {
			h->log(h, PM_ERROR, "%s: a source identifier is letters, digits and _",
			       key);
			return false;
		}
	}
	if (i > MAX_SECONDARY)
		h->log(h, PM_ERROR, "secondary-version: %u are too many, CodeBuild takes %d", i,
		       MAX_SECONDARY);
	return i <= MAX_SECONDARY;
}

static bool check(struct pm_host *h)
{
	const char *key;

	for (uint32_t i = 0; (key = h->nth(h, "env.*", i)); i++) {
		const char *name = key + strlen("env.");

		if (!is_identifier(name) || strcmp(name, TRIGGER_MARKER) == 0) {
			h->log(h, PM_ERROR, "%s: not a name for a variable%s", key,
			       is_identifier(name) ? ", pointsman sets it itself" : "");
			return false;
		}
	}
	return check_secondary(h);
}

static bool create(struct pm_host *h)
{
	h->self = mem_new(struct trigger);
	return true;
}

/* Of a delivery that ended elsewhere. */
static void drop_old_note(struct pm_host *h, const char *key, const char *value)
{
	if (h->now(h) - strtoll(value, NULL, 10) > MARKER_MS)
		h->save(h, key, NULL);
}

static bool start(struct pm_host *h)
{
	h->each(h, "start/", drop_old_note);
	return true;
}

static void destroy(struct pm_host *h)
{
	struct trigger *t = trigger_of(h);

	follow_free(t);
	search_free(t);
	free(t);
}

PM_PLUGIN(.kind = PM_ACTION, .name = "codebuild-trigger", .version = "1.0",
	  .summary = "Start a CodeBuild build and follow it to its end.", .keys = keys,
	  .types = types, .check = check, .create = create, .start = start, .deliver = deliver,
	  .cancel = follow_stop, .destroy = destroy);
