#include "plugin/keytype.h"

#include "base/mem.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const names[] = {
	[PM_STRING] = "text",
	[PM_INT] = "number",
	[PM_BOOL] = "yes/no",
	[PM_DURATION] = "duration",
	[PM_SIZE] = "size",
	[PM_URL] = "URL",
	[PM_ENUM] = "choice",
	[PM_TEMPLATE] = "template",
	[PM_JSON_TEMPLATE] = "JSON template",
	[PM_XML_TEMPLATE] = "XML template",
};

bool keytype_known(int32_t type)
{
	return type >= PM_STRING && type <= PM_XML_TEMPLATE;
}

const char *keytype_name(int32_t type)
{
	return keytype_known(type) ? names[type] : "unknown";
}

bool keytype_is_template(int32_t type, enum template_kind *kind)
{
	switch (type) {
	case PM_TEMPLATE: *kind = TEMPLATE_TEXT; return true;
	case PM_JSON_TEMPLATE: *kind = TEMPLATE_JSON; return true;
	case PM_XML_TEMPLATE: *kind = TEMPLATE_XML; return true;
	default: return false;
	}
}

bool keytype_is_text(int32_t type)
{
	enum template_kind kind;

	return type == PM_STRING || keytype_is_template(type, &kind);
}

static bool measure(int32_t type, const char *text, int64_t *n)
{
	switch (type) {
	case PM_INT: return units_integer(text, n);
	case PM_DURATION: return units_duration(text, n) && *n <= 36525LL * 86400000;
	case PM_SIZE: return units_size(text, n);
	default: return false;
	}
}

static const char *form(int32_t type)
{
	switch (type) {
	case PM_INT: return "a whole number";
	case PM_DURATION: return "a duration like 250ms, 30s, 5m, 1h or 7d";
	default: return "a size like 64k, 10M or 1G";
	}
}

/* "1..500", "1s.." or "..10M" */
static bool bounds(const struct pm_key *key, int64_t *min, int64_t *max)
{
	const char *dots = strstr(key->limit, "..");
	char *low;
	bool ok;

	*min = INT64_MIN;
	*max = INT64_MAX;
	if (!dots)
		return false;
	low = mem_slice(key->limit, (size_t)(dots - key->limit));
	ok = (!*low || measure(key->type, low, min)) &&
	     (!dots[2] || measure(key->type, dots + 2, max)) && *min <= *max;
	free(low);
	return ok;
}

static bool check_amount(const struct pm_key *key, const char *text, int64_t *n, struct err *err)
{
	int64_t min, max;

	if (!measure(key->type, text, n)) {
		err_set(err, "`%s` is not %s", text, form(key->type));
		return false;
	}
	if (key->limit && bounds(key, &min, &max) && (*n < min || *n > max)) {
		err_set(err, "%s is outside %s", text, key->limit);
		return false;
	}
	return true;
}

static bool check_choice(const struct pm_key *key, const char *text, int64_t *n, struct err *err)
{
	size_t len = strlen(text);

	*n = 0;
	for (const char *p = key->limit; *p; ++*n) {
		size_t word = strcspn(p, "|");

		if (word == len && memcmp(p, text, len) == 0)
			return true;
		p += word + (p[word] == '|');
	}
	err_set(err, "`%s` is none of %s", text, key->limit);
	return false;
}

/* The host of `//host:port/path`, its end in *len. */
static bool is_loopback(const char *host, size_t len)
{
	static const char *const names_of_us[] = {"localhost", "[::1]"};

	for (size_t i = 0; i < 2; i++) {
		if (strlen(names_of_us[i]) == len && strncasecmp(host, names_of_us[i], len) == 0)
			return true;
	}
	return len > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") >= len;
}

static size_t host_length(const char *host)
{
	const char *end;

	if (*host == '[') {
		end = strchr(host, ']');
		return end ? (size_t)(end - host) + 1 : 0;
	}
	return strcspn(host, ":/?#");
}

static bool check_url(const struct pm_key *key, const char *text, struct err *err)
{
	bool secure = strncasecmp(text, "https://", 8) == 0;
	const char *host = text + (secure ? 8 : 7);
	size_t len;

	if (!secure && strncasecmp(text, "http://", 7) != 0) {
		err_set(err, "an address begins with https://");
		return false;
	}
	len = host_length(host);
	if (memchr(host, '@', strcspn(host, "/?#"))) {
		err_set(err, "an address holds no user and no password");
		return false;
	}
	if (len == 0 || host[strcspn(host, " \t\"<>\\^`{}|")]) {
		err_set(err, "this is no address like https://host/path");
		return false;
	}
	if (!secure && !is_loopback(host, len) &&
	    !(key->limit && strcmp(key->limit, "http") == 0)) {
		err_set(err, "http:// sends everything readable for all on the way, and is only "
			     "for this machine itself (127.0.0.1, [::1], localhost); use https://");
		return false;
	}
	return true;
}

bool keytype_number(const struct pm_key *key, const char *text, int64_t *number, struct err *err)
{
	bool yes;

	*number = 0;
	switch (key->type) {
	case PM_INT:
	case PM_DURATION:
	case PM_SIZE: return check_amount(key, text, number, err);
	case PM_ENUM: return check_choice(key, text, number, err);
	case PM_URL: return check_url(key, text, err);
	case PM_BOOL:
		if (!units_bool(text, &yes)) {
			err_set(err, "`%s` is neither yes nor no", text);
			return false;
		}
		*number = yes;
		return true;
	default: return true;
	}
}

static bool is_choice(const char *limit)
{
	size_t n = strlen(limit);

	return n > 0 && limit[0] != '|' && limit[n - 1] != '|' && !strstr(limit, "||") &&
	       !strpbrk(limit, " ,");
}

bool keytype_limit(const struct pm_key *key, struct err *err)
{
	const char *want;
	int64_t min, max;
	bool ok;

	switch (key->type) {
	case PM_ENUM:
		ok = key->limit && is_choice(key->limit);
		want = "the words to choose from, like `low|high`";
		break;
	case PM_INT:
	case PM_DURATION:
	case PM_SIZE:
		ok = !key->limit || bounds(key, &min, &max);
		want = "a range like `1..500`, or nothing";
		break;
	case PM_URL:
		ok = !key->limit || strcmp(key->limit, "http") == 0;
		want = "`http`, where plain HTTP is allowed, or nothing";
		break;
	default: ok = !key->limit; want = "nothing";
	}
	if (!ok)
		err_set(err, "key `%s`: its limit `%s` should be %s", key->name,
			key->limit ? key->limit : "", want);
	return ok;
}
