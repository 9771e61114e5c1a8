/* s3-metadata-writer - change a JSON object in a bucket: read, modify, write if unchanged. */
#include "document.h"

#include "awscall.h"
#include "awserror.h"
#include "base/hash.h"
#include "base/mem.h"
#include "s3answer.h"

#include <pointsman/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KB     4096
#define MAX_ROUNDS 8
#define PAUSE_MS   50
#define MARKER_MS  (14 * 24 * 3600 * 1000LL)

static const struct pm_key keys[] = {
	{"bucket", PM_STRING, PM_REQUIRED, NULL, NULL, "The bucket."},
	{"key", PM_TEMPLATE, PM_REQUIRED, NULL, NULL, "The object's key in it."},
	{"merge", PM_JSON_TEMPLATE, 0, NULL, NULL,
	 "Merged into the object (JSON Merge Patch, RFC 7396); a null removes a member."},
	{"body", PM_JSON_TEMPLATE, 0, NULL, NULL, "The whole object, instead of `merge`."},
	AWS_KEY_REGION(""),
	AWS_KEY_ENDPOINT,
	{0},
};

static const struct pm_type types[] = {
	{"s3.object.written", "bucket/key", "bucket key ?etag ?version-id size:number",
	 "The object was written."},
	{"s3.object.unchanged", "bucket/key", "bucket key ?etag ?version-id size:number",
	 "The object was as it should be already; nothing was written."},
	{0},
};

/* An ETag no object has.  A PUT that asks for it must fail; where it does not, conditions
 * are ignored, and the PUT was the write it would have been anyway. */
#define NO_ETAG "\"00000000000000000000000000000000\""

enum conditions {
	UNTRIED,
	HONOURED,
	IGNORED,
	UNSUPPORTED, /* an error: leave them out */
};

struct job { /* one delivery */
	struct job *next;
	uint64_t number;
	pm_delivery d;
	char *key;
	bool waiting; /* for an earlier one on the same object */
	bool exists;  /* as last read */
	char *etag;   /* as last read, or NULL */
	char *text;   /* what is to be there */
	unsigned rounds;
};

struct writer {
	struct job *jobs; /* oldest first */
	uint64_t last;    /* number given out */
	enum conditions conditions;
};

static void read_object(struct pm_host *h, struct job *job);
static void write_object(struct pm_host *h, struct job *job);

static struct job *job_at(struct pm_host *h, uint64_t number)
{
	struct writer *w = h->self;
	struct job *job = w->jobs;

	while (job && job->number != number)
		job = job->next;
	return job;
}

static struct job *job_on(struct pm_host *h, const char *key)
{
	struct writer *w = h->self;
	struct job *job = w->jobs;

	while (job && strcmp(job->key, key) != 0)
		job = job->next;
	return job;
}

static struct job *job_add(struct pm_host *h, pm_delivery d, const char *key)
{
	struct writer *w = h->self;
	struct job **at = &w->jobs, *job = mem_new(struct job);

	job->waiting = job_on(h, key) != NULL;
	job->number = ++w->last;
	job->d = d;
	job->key = mem_text(key);
	while (*at)
		at = &(*at)->next;
	*at = job;
	return job;
}

static void job_free(struct job *job)
{
	free(job->key);
	free(job->etag);
	free(job->text);
	free(job);
}

/* The delivery is finished, one way or another: let the next one of its object begin. */
static void job_end(struct pm_host *h, struct job *job)
{
	struct writer *w = h->self;
	struct job **at = &w->jobs, *heir;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	heir = job_on(h, job->key);
	job_free(job);
	if (heir && heir->waiting) {
		heir->waiting = false;
		read_object(h, heir);
	}
}

static void set(char **at, const char *text)
{
	char *copy = mem_text(text);

	free(*at);
	*at = copy;
}

/* What a delivery is about to write is noted before the request leaves: after a lost answer
 * or a crash, finding that very text in the bucket means that it was us who wrote it. */
static char *marker_key(struct pm_host *h, const struct job *job)
{
	const char *key = h->get(h, job->d, "delivery.key");

	return mem_format("put/%s", key ? key : "");
}

static void digest(const char *text, size_t len, char out[65])
{
	unsigned char bytes[32];

	hash_sha256(text, len, bytes);
	hash_hex(bytes, sizeof bytes, out);
}

static void note_write(struct pm_host *h, const struct job *job)
{
	char *key = marker_key(h, job), value[128], hex[65];

	digest(job->text, strlen(job->text), hex);
	snprintf(value, sizeof value, "%lld %s", (long long)h->now(h), hex);
	h->save(h, key, value);
	free(key);
}

static bool written_by_us(struct pm_host *h, const struct job *job, const char *text, size_t len)
{
	char *key = marker_key(h, job), hex[65];
	const char *value = h->load(h, key);
	const char *noted = value ? strchr(value, ' ') : NULL;

	digest(text, len, hex);
	free(key);
	return noted && strcmp(noted + 1, hex) == 0;
}

static void forget_write(struct pm_host *h, const struct job *job)
{
	char *key = marker_key(h, job);

	if (h->load(h, key))
		h->save(h, key, NULL);
	free(key);
}

static void reject(struct pm_host *h, struct job *job, const char *what, const struct err *err)
{
	struct err why;

	err_set(&why, "s3://%s/%s: %s: %s", h->str(h, "bucket"), job->key, what, err->text);
	forget_write(h, job);
	h->finish(h, job->d, PM_REJECT, why.text);
	job_end(h, job);
}

static void finish_as(struct pm_host *h, struct job *job, const struct pm_message *m)
{
	h->finish_as(h, job->d, m);
	job_end(h, job);
}

/* Tell what is there now, and be done. */
static void finish(struct pm_host *h, struct job *job, const char *type, const struct pm_message *m,
		   size_t size)
{
	char etag[256];
	json_t *data = json_pack("{s:s, s:s, s:s*, s:s*, s:I}", "bucket", h->str(h, "bucket"),
				 "key", job->key, "etag", s3answer_etag(m, etag, sizeof etag),
				 "version-id", s3answer_version(m), "size", (json_int_t)size);
	char *json = json_dumps(data, JSON_COMPACT);
	char *subject = mem_format("%s/%s", h->str(h, "bucket"), job->key);

	h->emit(h, &PM_EMIT(.type = type, .subject = subject, .json = json, .cause = job->d));
	forget_write(h, job);
	h->finish(h, job->d, PM_OK, "");
	free(subject);
	free(json);
	json_decref(data);
	job_end(h, job);
}

static void on_pause(struct pm_host *h, uint64_t number)
{
	struct job *job = job_at(h, number);

	if (job)
		read_object(h, job);
}

/* Somebody else wrote in between: read again, apply again. */
static void again(struct pm_host *h, struct job *job)
{
	struct err why;

	if (++job->rounds < MAX_ROUNDS) {
		h->count(h, "conflicts", 1);
		h->after(h, awscall_pause(h, job->rounds, PAUSE_MS, 1000), on_pause, job->number);
		return;
	}
	err_set(&why, "s3://%s/%s: changed by others %d times between reading and writing",
		h->str(h, "bucket"), job->key, MAX_ROUNDS);
	h->finish(h, job->d, PM_RETRY, why.text);
	job_end(h, job);
}

static void conditions_found(struct pm_host *h, enum conditions conditions)
{
	struct writer *w = h->self;

	w->conditions = conditions;
	if (conditions == HONOURED)
		h->save(h, "conditions-honoured", h->str(h, "bucket"));
	else
		h->log(h, PM_WARN,
		       "the server of bucket %s %s: no CAS, two writers of one object can lose "
		       "each other's changes",
		       h->str(h, "bucket"),
		       conditions == IGNORED ? "ignores If-Match" : "does not know If-Match");
}

/* The answer to the write that had to fail. */
static void tried(struct pm_host *h, struct job *job, const struct pm_message *m)
{
	struct awserror e;

	awserror_read(m, &e);
	if (m->status == 200) {
		conditions_found(h, IGNORED);
		finish(h, job, "s3.object.written", m, strlen(job->text));
	} else if (m->status == 412 || m->status == 409 ||
		   (m->status == 404 && !awserror_is(&e, "NoSuchBucket"))) {
		conditions_found(h, HONOURED);
		write_object(h, job);
	} else if (m->status == 501) {
		conditions_found(h, UNSUPPORTED);
		write_object(h, job);
	} else {
		finish_as(h, job, m);
	}
}

static void on_written(struct pm_host *h, const struct pm_message *m, uint64_t number)
{
	const struct writer *w = h->self;
	struct job *job = job_at(h, number);
	struct awserror e;

	if (!job)
		return;
	awserror_read(m, &e);
	if (w->conditions == UNTRIED)
		tried(h, job, m);
	else if (m->status == 200)
		finish(h, job, "s3.object.written", m, strlen(job->text));
	else if (m->status == 412 || awserror_is(&e, "ConditionalRequestConflict") ||
		 (job->etag && awserror_is(&e, "NoSuchKey")))
		again(h, job);
	else
		finish_as(h, job, m);
}

static void write_object(struct pm_host *h, struct job *job)
{
	const struct writer *w = h->self;
	char service[128], *path = mem_format("/%s/%s", h->str(h, "bucket"), job->key);
	char *condition = NULL;
	const char *headers[] = {"Content-Type: application/json", NULL, NULL};

	if (w->conditions == UNTRIED)
		condition = mem_text("If-Match: " NO_ETAG);
	else if (w->conditions != UNSUPPORTED && job->etag)
		condition = mem_format("If-Match: %s", job->etag);
	else if (w->conditions != UNSUPPORTED && !job->exists)
		condition = mem_text("If-None-Match: *");
	headers[1] = condition;
	note_write(h, job);
	h->http(h,
		&PM_HTTP(.url = path, .aws = awscall_service(h, "s3", service), .method = "PUT",
			 .headers = headers, .body = job->text, .delivery = job->d),
		on_written, job->number);
	free(condition);
	free(path);
}

/* Is the object as it should be?  Else job->text is what to write.  False: it ended. */
static bool apply_merge(struct pm_host *h, struct job *job, const char *old, size_t len, bool *same)
{
	const char *template = h->render(h, job->d, "merge");
	struct err err;
	json_t *patch, *document = NULL, *merged;

	if (!template) {
		job_end(h, job);
		return false;
	}
	patch = document_read(template, strlen(template), &err);
	if (!patch) {
		reject(h, job, "`merge` is no JSON", &err);
		return false;
	}
	if (len)
		document = document_read(old, len, &err);
	if (len && !document) {
		json_decref(patch);
		reject(h, job, "not overwritten, what is there is no JSON", &err);
		return false;
	}
	merged = document_merge(document, patch);
	*same = document && json_equal(document, merged);
	free(job->text);
	job->text = document_text(merged);
	json_decref(patch);
	json_decref(document);
	json_decref(merged);
	return true;
}

static bool apply_body(struct pm_host *h, struct job *job, const char *old, size_t len, bool *same)
{
	const char *text = h->render(h, job->d, "body");
	json_t *is, *should;

	if (!text) {
		job_end(h, job);
		return false;
	}
	set(&job->text, text);
	is = document_read(old, len, NULL);
	should = document_read(text, strlen(text), NULL);
	*same = is && should && json_equal(is, should);
	json_decref(is);
	json_decref(should);
	return true;
}

static void apply(struct pm_host *h, struct job *job, const struct pm_message *m)
{
	const char *old = job->exists ? m->body : "";
	size_t len = job->exists ? m->body_len : 0;
	bool same = false;

	if (*h->str(h, "body") ? !apply_body(h, job, old, len, &same)
			       : !apply_merge(h, job, old, len, &same))
		return;
	if (!same)
		write_object(h, job);
	else if (written_by_us(h, job, old, len))
		finish(h, job, "s3.object.written", m, len);
	else
		finish(h, job, "s3.object.unchanged", m, len);
}

static void on_read(struct pm_host *h, const struct pm_message *m, uint64_t number)
{
	struct job *job = job_at(h, number);
	struct awserror e;

	if (!job)
		return;
	awserror_read(m, &e);
	job->exists = m->status == 200;
	set(&job->etag, job->exists ? m->header(m, "ETag") : NULL);
	if (job->exists || (m->status == 404 && !awserror_is(&e, "NoSuchBucket")))
		apply(h, job, m);
	else
		finish_as(h, job, m);
}

static void read_object(struct pm_host *h, struct job *job)
{
	char service[128], *path = mem_format("/%s/%s", h->str(h, "bucket"), job->key);

	h->http(h,
		&PM_HTTP(.url = path, .aws = awscall_service(h, "s3", service), .max_kb = MAX_KB,
			 .delivery = job->d),
		on_read, job->number);
	free(path);
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	const char *key = h->render(h, d, "key");
	struct job *job;

	if (!key)
		return;
	if (!*key) {
		h->finish(h, d, PM_REJECT, "`key` came out empty: there is no object to write");
		return;
	}
	job = job_add(h, d, key);
	if (!job->waiting)
		read_object(h, job);
}

static bool check(struct pm_host *h)
{
	bool merge = *h->str(h, "merge"), body = *h->str(h, "body");

	if (merge == body)
		h->log(h, PM_ERROR, "give either `merge` or `body`");
	return merge != body;
}

static bool create(struct pm_host *h)
{
	const char *honoured = h->load(h, "conditions-honoured");
	struct writer *w = mem_new(struct writer);

	if (honoured && strcmp(honoured, h->str(h, "bucket")) == 0)
		w->conditions = HONOURED;
	h->self = w;
	return true;
}

/* Of a delivery that ended elsewhere, by its deadline for one. */
static void drop_old_marker(struct pm_host *h, const char *key, const char *value)
{
	if (h->now(h) - strtoll(value, NULL, 10) > MARKER_MS)
		h->save(h, key, NULL);
}

static bool start(struct pm_host *h)
{
	h->each(h, "put/", drop_old_marker);
	return true;
}

static void destroy(struct pm_host *h)
{
	struct writer *w = h->self;

	while (w->jobs) {
		struct job *next = w->jobs->next;

		job_free(w->jobs);
		w->jobs = next;
	}
	free(w);
}

PM_PLUGIN(.kind = PM_ACTION, .name = "s3-metadata-writer", .version = "1.0",
	  .summary = "Change a JSON object in an S3 bucket, safely beside other writers.",
	  .keys = keys, .types = types, .check = check, .create = create, .start = start,
	  .deliver = deliver, .destroy = destroy);
