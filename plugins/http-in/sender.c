#include "sender.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Takes as long for a nearly right one as for a wrong one. */
static bool same(const char *given, const char *known)
{
	size_t n = strlen(given);
	unsigned differ = n != strlen(known);

	for (size_t i = 0; *known && i < n; i++)
		differ |= (unsigned)(given[i] ^ known[i % strlen(known)]);
	return !differ;
}

static bool has_token(struct pm_host *h, const struct pm_message *m)
{
	const char *given = m->header(m, "Authorization"), *known;
	bool good = false;

	if (!given || strncasecmp(given, "Bearer ", 7) != 0)
		return false;
	for (uint32_t i = 0; (known = h->nth(h, "token", i)); i++)
		good |= same(given + 7, known);
	return good;
}

static bool is_signed(struct pm_host *h, const struct pm_message *m, const char *header)
{
	const char *mac = m->header(m, header), *prefix = h->str(h, "signature-prefix");

	if (!mac || strncmp(mac, prefix, strlen(prefix)) != 0)
		return false;
	return h->hmac_ok(h, "secret", h->str(h, "signature-how"), m->body, m->body_len,
			  mac + strlen(prefix));
}

/* One of "v1,MAC v1,MAC". */
static bool any_mac_is_good(struct pm_host *h, const char *list, const struct buf *text)
{
	bool good = false;

	while (*list) {
		size_t n = strcspn(list, " ");
		struct buf mac = {0};

		if (n > 3 && strncmp(list, "v1,", 3) == 0) {
			buf_add(&mac, list + 3, n - 3);
			good |= h->hmac_ok(h, "secret", "sha256-base64", text->data, text->len,
					   mac.data);
		}
		buf_free(&mac);
		list += n + strspn(list + n, " ");
	}
	return good;
}

static bool is_fresh(struct pm_host *h, const char *timestamp)
{
	char *end;
	long long seconds = strtoll(timestamp, &end, 10);
	int64_t away = h->now(h) / 1000 - seconds;

	if (end == timestamp || *end)
		return false;
	return (away < 0 ? -away : away) <= h->num(h, "tolerance") / 1000;
}

static bool is_standard(struct pm_host *h, const struct pm_message *m)
{
	const char *id = m->header(m, "webhook-id");
	const char *timestamp = m->header(m, "webhook-timestamp");
	const char *list = m->header(m, "webhook-signature");
	struct buf text = {0};
	bool good;

	if (!id || !timestamp || !list || !is_fresh(h, timestamp))
		return false;
	buf_printf(&text, "%s.%s.", id, timestamp);
	buf_add(&text, m->body, m->body_len);
	good = any_mac_is_good(h, list, &text);
	buf_free(&text);
	return good;
}

const char *sender_refused(struct pm_host *h, const struct pm_message *m)
{
	const char *header = h->str(h, "signature-header");

	if (h->nth(h, "token", 0) && !has_token(h, m)) {
		h->count(h, "bad_token", 1);
		return "the token is missing or wrong\n";
	}
	if (h->nth(h, "secret", 0) && !(*header ? is_signed(h, m, header) : is_standard(h, m))) {
		h->count(h, "bad_signature", 1);
		return "the signature is missing, wrong or too old\n";
	}
	return NULL;
}
