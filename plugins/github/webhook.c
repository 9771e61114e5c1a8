#include "webhook.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "head.h"
#include "sweep.h"
#include "json/check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Below the 1 MB of an event, attributes and all. */
#define LARGEST (1000 * 1000)

struct delivery { /* GitHub's, not ours */
	const char *event, *id;
	const char *repository; /* it is about; NULL: none */
	const char *source;     /* of its events: NULL, or the repository, if there are many */
	const char *json;       /* NUL-terminated */
	size_t len;
};

static int32_t tell(struct pm_host *h, int32_t status, const char *text)
{
	h->reply(h, "text/plain", text, strlen(text));
	return status;
}

static bool is_signed(struct pm_host *h, const struct pm_message *m)
{
	const char *mac = m->header(m, "X-Hub-Signature-256");

	return mac && strncmp(mac, "sha256=", 7) == 0 &&
	       h->hmac_ok(h, "secret", "sha256-hex", m->body, m->body_len, mac + 7);
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, tolower((unsigned char)c));

	return c && at ? (int)(at - digits) : -1;
}

/* What follows `payload=` in a form. */
static void decode_form(const char *form, struct buf *out)
{
	const char *p = strncmp(form, "payload=", 8) == 0 ? form : strstr(form, "&payload=");

	for (p = p ? strchr(p, '=') + 1 : ""; *p && *p != '&'; p++) {
		int high = *p == '%' ? digit(p[1]) : -1, low = high >= 0 ? digit(p[2]) : -1;

		if (low >= 0) {
			buf_char(out, (char)(high * 16 + low));
			p += 2;
		} else {
			buf_char(out, *p == '+' ? ' ' : *p);
		}
	}
}

static bool is_form(const struct pm_message *m)
{
	const char *type = m->header(m, "Content-Type");
	static const char form[] = "application/x-www-form-urlencoded";

	return type && strncasecmp(type, form, strlen(form)) == 0;
}

/* A payload's text at a path, or NULL. */
static const char *look(struct pm_host *h, const struct delivery *d, const char *path)
{
	return h->find(h, d->json, d->len, path);
}

static int32_t answer(struct pm_host *h, pm_result r)
{
	switch (r) {
	case PM_OK: return 202;
	/* GitHub does not try again; the sweep, or a redelivery by hand, makes up for it. */
	case PM_RETRY: return tell(h, 503, "no room for events just now\n");
	default: return 400;
	}
}

struct push {
	const char *ref, *before, *after;
	char name[512]; /* it is known by */
	int64_t pushed;
	uint64_t mark;
};

static bool name_push(const struct delivery *d, struct push *p)
{
	int n = d->source ? snprintf(p->name, sizeof p->name, "%s %s", d->source, p->ref)
			  : snprintf(p->name, sizeof p->name, "%s", p->ref);

	return n > 0 && (size_t)n < sizeof p->name;
}

static bool read_push(struct pm_host *h, const struct delivery *d, struct push *p)
{
	const char *pushed = look(h, d, "repository.pushed_at");
	struct buf text = {0};

	*p = (struct push){.ref = look(h, d, "ref"),
			   .before = look(h, d, "before"),
			   .after = look(h, d, "after")};
	if (!p->ref || strncmp(p->ref, "refs/", 5) != 0 || !head_is_sha(p->before) ||
	    !head_is_sha(p->after) || !name_push(d, p))
		return false;
	if (pushed && pushed[strspn(pushed, "0123456789")] == '\0')
		p->pushed = strtoll(pushed, NULL, 10);
	buf_printf(&text, "%s %s %s", d->id, p->before, p->after);
	p->mark = hash64(text.data, text.len, 0) | 1;
	buf_free(&text);
	return true;
}

enum verdict { NEWS, KNOWN, HINT };

static bool seen(const struct head *head, uint64_t mark)
{
	for (size_t i = 0; i < HEAD_SEEN; i++) {
		if (head->seen[i] == mark)
			return true;
	}
	return false;
}

/* GitHub sends pushes out of order, and again when somebody asks for it.  What begins where we
 * stand is news, unless an older push happens to begin there, too. */
static enum verdict judge(struct pm_host *h, const struct push *p, const struct head *head)
{
	bool late = p->pushed && p->pushed < head->pushed;

	if (strcmp(p->after, head->sha) == 0 || seen(head, p->mark))
		return KNOWN;
	if (strcmp(p->before, head->sha) == 0 && !late)
		return NEWS;
	if (sweep_can_ask(h))
		return HINT;
	return late ? KNOWN : NEWS;
}

static pm_result emit_push(struct pm_host *h, const struct delivery *d, const struct push *p,
			   struct head *head)
{
	struct move move = {.name = p->name,
			    .source = d->source,
			    .ref = p->ref,
			    .before = p->before,
			    .after = p->after,
			    .json = d->json,
			    .json_len = d->len,
			    .mark = p->mark,
			    .pushed = p->pushed};
	char time[32], *reduced = NULL;
	pm_result r;

	if (p->pushed) {
		snprintf(time, sizeof time, "%lld000", (long long)p->pushed);
		move.time = time;
	}
	if (d->len > LARGEST) {
		reduced = sweep_payload(d->repository ? d->repository : "", p->ref, p->before,
					p->after, look(h, d, "head_commit.id"), false);
		move.json = reduced;
		move.json_len = strlen(reduced);
	}
	r = head_move(h, head, &move);
	free(reduced);
	if (r == PM_OK)
		sweep_overtaken(h, p->ref);
	return r;
}

/* Even a push that is no news tells how late older ones are. */
static void note_time(struct pm_host *h, const struct push *p, struct head *head)
{
	if (!*head->sha || p->pushed <= head->pushed)
		return;
	head->pushed = p->pushed;
	head_save(h, p->name, head);
}

static int32_t on_push(struct pm_host *h, const struct delivery *d)
{
	enum verdict verdict = NEWS;
	struct head head;
	struct push p;

	if (!read_push(h, d, &p))
		return tell(h, 400, "a push without ref, before and after\n");
	if (!head_wanted(h, p.ref))
		return tell(h, 200, "not one of the branches and tags asked for\n");
	if (head_load(h, p.name, &head))
		verdict = judge(h, &p, &head);
	if (verdict == NEWS && d->len > LARGEST && sweep_can_ask(h))
		verdict = HINT;
	if (verdict != NEWS)
		note_time(h, &p, &head);
	switch (verdict) {
	case NEWS: return answer(h, emit_push(h, d, &p, &head));
	case KNOWN: return tell(h, 202, "known already\n");
	default: break;
	}
	sweep_hint(h, p.ref);
	return tell(h, 202, "the API is asked where the ref stands\n");
}

static bool is_word(const char *text)
{
	size_t n = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") : 0;

	return n > 0 && n < 64 && text[n] == '\0';
}

/* The full name of the ref that the payload is about; each form of it where GitHub has it. */
static void add_subject(struct pm_host *h, const struct delivery *d, struct buf *out)
{
	static const struct {
		const char *prefix, *path;
	} places[] = {
		{"refs/heads/", "workflow_run.head_branch"},
		{"refs/heads/", "check_suite.head_branch"},
		{"refs/heads/", "check_run.check_suite.head_branch"},
		{"refs/tags/", "release.tag_name"},
	};
	const char *ref = look(h, d, "ref"), *kind = look(h, d, "ref_type");
	const char *number = look(h, d, "pull_request.number");

	if (ref && kind)
		buf_printf(out, "refs/%s/%s", strcmp(kind, "tag") == 0 ? "tags" : "heads", ref);
	else if (ref && strncmp(ref, "refs/", 5) == 0)
		buf_text_add(out, ref);
	else if (number)
		buf_printf(out, "refs/pull/%s/head", number);
	for (size_t i = 0; !out->len && i < sizeof places / sizeof *places; i++) {
		const char *name = look(h, d, places[i].path);

		if (name)
			buf_printf(out, "%s%s", places[i].prefix, name);
	}
}

static int32_t on_other(struct pm_host *h, const struct delivery *d)
{
	const char *action = look(h, d, "action");
	struct buf subject = {0};
	char type[160];
	pm_result r;

	if (!is_word(d->event))
		return tell(h, 400, "X-GitHub-Event is not the name of an event\n");
	/* A repository_dispatch has an action of the sender's making. */
	snprintf(type, sizeof type, "github.%s%s%s", d->event, is_word(action) ? "." : "",
		 is_word(action) ? action : "");
	add_subject(h, d, &subject);
	r = h->emit(h, &PM_EMIT(.type = type, .id = d->id, .source = d->source, .json = d->json,
				.json_len = d->len, .subject = subject.len ? subject.data : NULL));
	buf_free(&subject);
	return answer(h, r);
}

static int32_t on_json(struct pm_host *h, struct delivery *d)
{
	struct json_fault fault;
	char text[160];

	if (!json_check(d->json, d->len, JSON_MAX_DEPTH, &fault)) {
		snprintf(text, sizeof text, "line %u, column %u: %s\n", fault.line, fault.column,
			 fault.what);
		return tell(h, 400, text);
	}
	if (strcmp(d->event, "ping") == 0)
		return tell(h, 200, "pong\n");
	d->repository = look(h, d, "repository.full_name");
	if (!*h->str(h, "repository")) {
		d->source = d->repository;
	} else if (!d->repository || strcasecmp(d->repository, h->str(h, "repository")) != 0) {
		h->count(h, "other_repository", 1);
		return tell(h, 200, "not about the repository asked for: ignored\n");
	}
	return strcmp(d->event, "push") == 0 ? on_push(h, d) : on_other(h, d);
}

int32_t webhook_received(struct pm_host *h, const struct pm_message *m, uint64_t arg)
{
	struct delivery d = {.event = m->header(m, "X-GitHub-Event"),
			     .id = m->header(m, "X-GitHub-Delivery"),
			     .json = m->body,
			     .len = m->body_len};
	struct buf form = {0};
	int32_t status;

	(void)arg;
	if (!is_signed(h, m)) {
		h->count(h, "bad_signature", 1);
		return tell(h, 401, "X-Hub-Signature-256 is missing or wrong\n");
	}
	if (!d.event || !d.id || !*d.id)
		return tell(h, 400, "X-GitHub-Event and X-GitHub-Delivery are needed\n");
	if (is_form(m)) {
		decode_form(m->body, &form);
		d.json = buf_text(&form);
		d.len = form.len;
	}
	status = on_json(h, &d);
	buf_free(&form);
	return status;
}
