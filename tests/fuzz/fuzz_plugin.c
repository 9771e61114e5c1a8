/* A plugin and a world that answers as it likes.  A byte chooses the configuration; then come
 * answers with a line of three bytes between them, "\n--": a status, headers, an empty line
 * and a body; or "POST", which goes to its port, with a signature.
 *
 * The host of unit tests watches: every delivery ends once and none is forgotten, no key is
 * unknown, no type undeclared.  Whatever comes, some time later nothing is left to ask. */
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "fuzz.h"
#include "testhost.h"

#include <string.h>

#define MOST_ANSWERS 24
#define MINUTE       60000
#define SECRET       "s"

extern const struct pm_plugin pointsman_plugin_v1;

static const struct {
	const char *plugin;
	const char *settings[14];
} sections[] = {
	{"s3", {"bucket", "b", "keys", "in.json, out.json", "region", "eu-west-1"}},
	{"s3", {"bucket", "b", "prefix", "m/", "region", "eu-west-1"}},
	{"s3", {"queue", "http://sqs/1/q", "bucket", "b", "region", "eu-west-1"}},
	{"ddb-stream", {"table", "t", "region", "eu-west-1"}},
	{"ddb-stream",
	 {"stream", "arn:aws:dynamodb:eu-west-1:1:table/t/stream/l", "start", "latest"}},
	{"github", {"secret", SECRET}},
	{"github",
	 {"repository", "acme/site", "secret", SECRET, "sweep", "10m", "branches", "main"}},
	{"http-in",
	 {"secret", SECRET, "signature-header", "X-Hub-Signature-256", "signature-prefix",
	  "sha256="}},
	{"http-in", {"type", "x.y", "id", "id", "subject", "a.b"}},
	{"codebuild-trigger", {"project", "site", "region", "eu-west-1"}},
	{"cloudfront-invalidate", {"distribution", "E1", "paths", "/a"}},
	{"cloudfront-invalidate", {"bucket", "b", "paths", "/a", "wait", "yes"}},
	{"s3-metadata-writer",
	 {"bucket", "b", "key", "k.json", "merge", "{\"a\":{\"x\":1.50}}", "region", "eu-west-1"}},
	{"slack", {"token", "xoxb-1", "channel", "#c", "text", "hello"}},
	{"ssm", {"region", "eu-west-1"}},
};

static const char event[] = "{\"type\":\"a.b\",\"subject\":\"s\",\"data\":{\"n\":1}}";

/* The chosen one of those for this plugin. */
static const char *const *choose(unsigned choice)
{
	const char *const *fit[4];
	unsigned n = 0;

	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
		if (strcmp(sections[i].plugin, pointsman_plugin_v1.name) == 0)
			fit[n++] = sections[i].settings;
	}
	PROMISE(n > 0);
	return fit[choice % n];
}

/* Lines up to an empty one; each ends with a NUL then.  *body: what is behind. */
static void split(char *text, const char *headers[], size_t most, char **body)
{
	size_t n = 0;

	while (*text && *text != '\n') {
		char *end = strchr(text, '\n');

		if (n < most)
			headers[n++] = text;
		if (end)
			*end = '\0';
		text = end ? end + 1 : text + strlen(text);
	}
	headers[n] = NULL;
	*body = *text ? text + 1 : text;
}

static void post(struct testhost *t, const char *const *headers, const char *body)
{
	const char *all[12], *reply;
	unsigned char mac[32];
	char hex[65], *signature;
	int n = 0;

	hash_hmac_sha256(SECRET, strlen(SECRET), body, strlen(body), mac);
	hash_hex(mac, sizeof mac, hex);
	signature = mem_format("X-Hub-Signature-256: sha256=%s", hex);
	all[n++] = signature;
	for (; headers[n - 1] && n < 11; n++)
		all[n] = headers[n - 1];
	all[n] = NULL;
	n = testhost_post(t, "/i", all, body, strlen(body), &reply);
	PROMISE(n >= 200 && n < 600);
	free(signature);
}

static void take_events(struct testhost *t)
{
	while (testhost_events(t) > 0)
		PROMISE(testhost_event(t)->type);
}

/* Held deliveries are looked at again, failed ones tried again. */
static void go_on(struct testhost *t, pm_delivery d)
{
	enum testhost_end end = d ? testhost_end(t, d) : TESTHOST_OPEN;

	if (end == TESTHOST_HELD || end == TESTHOST_RETRY)
		testhost_again(t, d);
	if (end == TESTHOST_RETRY || end == TESTHOST_REJECT)
		PROMISE(*testhost_why(t, d));
	if (testhost_requests(t) == 0)
		testhost_advance(t, 16 * MINUTE);
	take_events(t);
}

static bool listens(void)
{
	return strcmp(pointsman_plugin_v1.name, "github") == 0 ||
	       strcmp(pointsman_plugin_v1.name, "http-in") == 0;
}

static void answer(struct testhost *t, char *text)
{
	const char *headers[10] = {0};
	char *body;
	int status = atoi(text);

	split(text, headers, 9, &body);
	if (headers[0] && strcmp(headers[0], "POST") == 0) {
		if (listens())
			post(t, headers + 1, body);
	} else if (testhost_requests(t) > 0) {
		if (status >= 100 && status < 600)
			testhost_answer(t, status, headers + 1, body);
		else
			testhost_no_answer(t, "connection refused");
	}
	take_events(t);
}

static void play(struct testhost *t, char *text)
{
	pm_delivery d = pointsman_plugin_v1.deliver ? testhost_deliver(t, event) : 0;

	if (pointsman_plugin_v1.resolve)
		testhost_resolve(t, "/name");
	for (int n = 0; text && n < MOST_ANSWERS; n++) {
		char *next = strstr(text, "\n--\n");

		if (next)
			*next = '\0';
		answer(t, text);
		go_on(t, d);
		text = next ? next + 4 : NULL;
	}
	for (int n = 0; testhost_requests(t) > 0; n++) {
		PROMISE(n < 1000);
		testhost_no_answer(t, "cancelled");
		take_events(t);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct testhost *t;
	char *text;

	if (size < 2)
		return 0;
	text = mem_slice((const char *)data + 1, size - 1);
	t = testhost_new(&pointsman_plugin_v1, "i", choose(data[0]));
	PROMISE(t);
	testhost_lied_to(t);
	if (pointsman_plugin_v1.start)
		testhost_start(t);
	play(t, text);
	testhost_free(t);
	free(text);
	return 0;
}
