/* github - receive GitHub webhooks. */
#include <pointsman/plugin.h>

#include <stdio.h>
#include <string.h>

static const struct pm_key keys[] = {
	{"secret", PM_STRING, PM_REQUIRED | PM_SECRET | PM_LIST, NULL, NULL,
	 "Webhook secrets; any verifies."},
	{0},
};

static const struct pm_type types[] = {
	{"github.*", "the full ref, where there is one", "repository:object sender:object *",
	 "A GitHub event."},
	{0},
};

static int32_t on_post(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	const char *mac = m->header(m, "X-Hub-Signature-256");
	const char *id = m->header(m, "X-GitHub-Delivery");
	const char *event = m->header(m, "X-GitHub-Event");
	char type[64];

	(void)arg;
	if (!mac || strncmp(mac, "sha256=", 7) != 0 ||
	    !h->hmac_ok(h, "secret", "sha256-hex", m->body, m->body_len, mac + 7)) {
		h->count(h, "bad_signature", 1);
		return 401;
	}
	if (!id || !event || (size_t)snprintf(type, sizeof type, "github.%s", event) >= sizeof type)
		return 400;
	switch (h->emit(h,
			&PM_EMIT(.type = type, .id = id, .json = m->body, .json_len = m->body_len,
				 .subject = h->find(h, m->body, m->body_len, "ref")))) {
	case PM_OK: return 202;
	case PM_RETRY: return 503; /* GitHub lists it as failed; it can be redelivered */
	default: return 400;
	}
}

static bool start(struct pm_host *h)
{
	return h->listen(h, NULL, on_post, 0);
}

PM_PLUGIN(.kind = PM_SOURCE, .name = "github", .version = "1.0",
	  .summary = "Receive GitHub webhooks.", .keys = keys, .types = types, .start = start);
