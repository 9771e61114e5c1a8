#include "aws/sigv4.h"

#include "base/hash.h"
#include "base/mem.h"
#include "http/client.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct pair {
	char *name, *value;
};

struct pairs {
	struct pair *all;
	size_t n, cap;
};

static void add(struct pairs *p, char *name, char *value)
{
	mem_room(p->all, p->n, p->cap);
	p->all[p->n++] = (struct pair){name, value};
}

static void pairs_free(struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->all[i].name);
		free(p->all[i].value);
	}
	free(p->all);
}

static char *encode(const char *text, const char *keep)
{
	struct buf b = {0};

	http_encode(&b, text, strlen(text), keep);
	return buf_take(&b);
}

/* Sorted as encoded, by name and then by value, whatever order the caller had. */
static int by_name_and_value(const void *a, const void *b)
{
	const struct pair *one = a, *two = b;
	int order = strcmp(one->name, two->name);

	return order ? order : strcmp(one->value, two->value);
}

static char *canonical_query(const char *const *query)
{
	struct pairs p = {0};
	struct buf out = {0};

	for (; query && query[0]; query += 2)
		add(&p, encode(query[0], ""), encode(query[1], ""));
	if (p.n)
		qsort(p.all, p.n, sizeof *p.all, by_name_and_value);
	for (size_t i = 0; i < p.n; i++)
		buf_printf(&out, "%s%s=%s", i ? "&" : "", p.all[i].name, p.all[i].value);
	pairs_free(&p);
	return buf_take(&out);
}

/* Without "." and "..", and with one slash where there are several.  `path` begins with
 * a slash. */
static char *without_dots(const char *path)
{
	struct buf out = {0};
	size_t len = 0;
	bool is_open = false; /* the path ends in a slash */

	for (const char *p = path; *p; p += len) {
		p += strspn(p, "/");
		len = strcspn(p, "/");
		is_open = p[len] == '/' || len == 0;
		if (len == 2 && memcmp(p, "..", 2) == 0) {
			char *slash = out.len ? strrchr(out.data, '/') : NULL;

			buf_cut(&out, slash ? (size_t)(slash - out.data) : 0);
		} else if (len > 0 && !(len == 1 && *p == '.')) {
			buf_char(&out, '/');
			buf_add(&out, p, len);
		}
	}
	if (is_open || out.len == 0)
		buf_char(&out, '/');
	return buf_take(&out);
}

/* S3 takes the path as it is on the wire, since a key may hold "." and "//"; all others
 * normalise that and encode it once more. */
static char *canonical_path(const char *wire, bool path_once)
{
	char *flat, *path;

	if (path_once)
		return mem_text(wire);
	flat = without_dots(wire);
	path = encode(flat, "/");
	free(flat);
	return path;
}

static bool is_ours(const char *name)
{
	return strcmp(name, "x-amz-date") == 0 || strcmp(name, "x-amz-security-token") == 0 ||
	       strcmp(name, "x-amz-content-sha256") == 0;
}

static bool is_listed(const char *words, const char *name)
{
	size_t len = strlen(name), n;

	for (; words && *words; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		if (n == len && memcmp(words, name, n) == 0)
			return true;
	}
	return false;
}

static bool is_signed(const char *name)
{
	return strncmp(name, "x-amz-", 6) == 0 || strcmp(name, "content-type") == 0 ||
	       strcmp(name, "if-match") == 0 || strcmp(name, "if-none-match") == 0;
}

static char *lower(const char *text, size_t len)
{
	char *out = mem_slice(text, len);

	for (char *p = out; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return out;
}

/* Trimmed, each run of blanks one blank. */
static char *squeeze(const char *value)
{
	struct buf out = {0};

	for (value += strspn(value, " \t"); *value; value += strspn(value, " \t")) {
		size_t n = strcspn(value, " \t");

		if (out.len)
			buf_char(&out, ' ');
		buf_add(&out, value, n);
		value += n;
	}
	return buf_take(&out);
}

static void add_request_headers(struct pairs *p, const struct sigv4_request *rq)
{
	for (const char *const *h = rq->headers; h && *h; h++) {
		size_t n = strcspn(*h, ":");
		char *name = lower(*h, n);
		bool is_wanted = is_signed(name) || is_listed(rq->also_signed, name);

		if (is_wanted && !is_ours(name) && (*h)[n])
			add(p, name, squeeze(*h + n + 1));
		else
			free(name);
	}
}

/* Values of one name keep their order, so qsort() will not do. */
static void sort_by_name(struct pairs *p)
{
	for (size_t i = 1; i < p->n; i++) {
		struct pair moved = p->all[i];
		size_t at = i;

		for (; at > 0 && strcmp(p->all[at - 1].name, moved.name) > 0; at--)
			p->all[at] = p->all[at - 1];
		p->all[at] = moved;
	}
}

static void list_headers(const struct pairs *p, struct buf *lines, struct buf *names)
{
	for (size_t i = 0; i < p->n; i++) {
		bool again = i > 0 && strcmp(p->all[i - 1].name, p->all[i].name) == 0;

		if (again)
			buf_printf(lines, ",%s", p->all[i].value);
		else
			buf_printf(lines, "%s%s:%s", i ? "\n" : "", p->all[i].name,
				   p->all[i].value);
		if (!again)
			buf_printf(names, "%s%s", i ? ";" : "", p->all[i].name);
	}
	buf_char(lines, '\n');
}

static void derive_key(const char *secret, const char *day, const char *region, const char *service,
		       unsigned char key[32])
{
	char *first = mem_format("AWS4%s", secret);

	hash_hmac_sha256(first, strlen(first), day, strlen(day), key);
	hash_hmac_sha256(key, 32, region, strlen(region), key);
	hash_hmac_sha256(key, 32, service, strlen(service), key);
	hash_hmac_sha256(key, 32, "aws4_request", 12, key);
	explicit_bzero(first, strlen(first));
	free(first);
}

static void hex_digest(const void *data, size_t len, char out[65])
{
	unsigned char digest[32];

	hash_sha256(data ? data : "", len, digest);
	hash_hex(digest, 32, out);
}

static void time_of(int64_t ms, char out[17])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	if (strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm) == 0)
		out[0] = '\0';
}

/* What we add is signed with the rest, and its lines are what the caller sends. */
static void add_own(struct pairs *p, struct buf *sent, const char *name, const char *value)
{
	add(p, lower(name, strlen(name)), mem_text(value));
	buf_printf(sent, "%s: %s\n", name, value);
}

static void authorize(const struct sigv4_request *rq, const struct sigv4_credentials *cr,
		      const char *now, const char *names, struct sigv4_signed *out)
{
	char *day = mem_slice(now, 8);
	char *scope = mem_format("%s/%s/%s/aws4_request", day, rq->region, rq->service);
	unsigned char key[32], mac[32];
	char hex[65];

	hex_digest(out->canonical.data, out->canonical.len, hex);
	buf_printf(&out->to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", now, scope, hex);
	derive_key(cr->secret, day, rq->region, rq->service, key);
	hash_hmac_sha256(key, 32, out->to_sign.data, out->to_sign.len, mac);
	hash_hex(mac, 32, hex);
	buf_printf(&out->headers,
		   "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, "
		   "Signature=%s\n",
		   cr->key_id, scope, names, hex);
	free(scope);
	free(day);
}

void sigv4_sign(const struct sigv4_request *rq, const struct sigv4_credentials *cr,
		struct sigv4_signed *out)
{
	struct buf lines = {0}, names = {0};
	struct pairs headers = {0};
	char *wire = encode(*rq->path ? rq->path : "/", "/");
	char *path = canonical_path(wire, rq->path_once), *query = canonical_query(rq->query);
	char hash[65], now[17];

	*out = (struct sigv4_signed){0};
	time_of(rq->time, now);
	hex_digest(rq->body, rq->body_len, hash);
	add(&headers, mem_text("host"), squeeze(rq->host));
	add_request_headers(&headers, rq);
	add_own(&headers, &out->headers, "X-Amz-Date", now);
	if (cr->token && *cr->token)
		add_own(&headers, &out->headers, "X-Amz-Security-Token", cr->token);
	if (rq->send_body_hash)
		add_own(&headers, &out->headers, "X-Amz-Content-Sha256", hash);
	sort_by_name(&headers);
	list_headers(&headers, &lines, &names);
	buf_printf(&out->target, "%s%s%s", wire, *query ? "?" : "", query);
	buf_printf(&out->canonical, "%s\n%s\n%s\n%s\n%s\n%s", rq->method, path, query, lines.data,
		   names.data, hash);
	authorize(rq, cr, now, names.data, out);
	pairs_free(&headers);
	buf_free(&lines);
	buf_free(&names);
	free(query);
	free(path);
	free(wire);
}

void sigv4_free(struct sigv4_signed *s)
{
	buf_free(&s->target);
	buf_free(&s->headers);
	buf_free(&s->canonical);
	buf_free(&s->to_sign);
}
