/*
 * testhost - a host for one plugin instance, in a unit test.
 *
 * Load a plugin's table, set its configuration, hand it events, script the answers to its
 * requests, move the clock, read what it did.  No network, no disk, no threads; time moves
 * only when told.  Paths, templates and key tables are read by the core's own code.
 * What the plugin does wrong (a second finish, a forgotten one at testhost_free(), an
 * undeclared key or event type, a bad payload) fails the running cmocka test.
 */
#ifndef POINTSMAN_TESTHOST_H
#define POINTSMAN_TESTHOST_H

#include <pointsman/plugin.h>

struct testhost;

/* name, value, .., NULL: the section's keys, host keys among them; secrets in clear, they are
 * put where only a reference reaches them.  Fails the test if the table or a value is wrong.
 * Runs check() and create(): NULL if one of them refuses (testhost_last_log(NULL) says why). */
struct testhost *testhost_new(const struct pm_plugin *plugin, const char *instance,
			      const char *const *settings);
/* From now on what it is sent may be any lie: an event that is unfit is buried, as a daemon does,
 * and nobody looks whether an event has the fields of its type. */
void testhost_lied_to(struct testhost *t);
/* stop() and destroy(). */
void testhost_free(struct testhost *t);
/* Destroy and create the instance again, as a restart does: saved state and held
 * deliveries stay, outstanding requests are answered "cancelled". */
void testhost_restart(struct testhost *t);
bool testhost_start(struct testhost *t);
const char *testhost_last_log(struct testhost *t); /* "" if nothing was logged */

/* An event as JSON: {"type","subject","source","id","data":{..}}, optionally "inputs" and
 * "window".  Calls deliver(); the number names the delivery (its key is "key-<number>"). */
pm_delivery testhost_deliver(struct testhost *t, const char *event_json);
/* Call deliver() again: after a hold or a retry.  Keeps key, counts attempts. */
void testhost_again(struct testhost *t, pm_delivery d);
/* n events in one call of deliver_many(); their numbers in `out`. */
void testhost_deliver_many(struct testhost *t, const char *const *events, uint32_t n,
			   pm_delivery *out);
/* The same after a retry, or after a split. */
void testhost_again_many(struct testhost *t, const pm_delivery *d, uint32_t n);
void testhost_cancel(struct testhost *t, pm_delivery d);

enum testhost_end {
	TESTHOST_OPEN,
	TESTHOST_OK,
	TESTHOST_RETRY,
	TESTHOST_REJECT,
	TESTHOST_HELD,
	TESTHOST_SPLIT, /* rejected together with others: again, in calls of half as many */
};
enum testhost_end testhost_end(struct testhost *t, pm_delivery d);
const char *testhost_why(struct testhost *t, pm_delivery d);     /* of finish() */
const char *testhost_held(struct testhost *t, pm_delivery d);    /* the state of hold(), or NULL */
int64_t testhost_retry_after(struct testhost *t, pm_delivery d); /* ms, -1 if none */

/* Requests wait in order until answered. */
struct testhost_request {
	const char *method, *url, *body; /* body: NUL follows */
	size_t body_len;
	const char *aws;            /* or "" */
	const char *const *headers; /* as the plugin gave them, NULL-terminated */
	const char *const *query;   /* likewise */
	pm_delivery delivery;       /* 0 of one for many */
	const pm_delivery *many;    /* those of finish_many_by_http() */
	uint32_t nmany;
};
int testhost_requests(struct testhost *t);                                 /* how many wait */
const struct testhost_request *testhost_request(struct testhost *t);       /* the oldest waiting;
								  fails the test if there is none */
const char *testhost_request_header(struct testhost *t, const char *name); /* of it, or NULL */
const char *testhost_request_query(struct testhost *t, const char *name);  /* of it, or NULL */
/* Answer the oldest.  headers: "Name: value", .., NULL; or NULL. */
void testhost_answer(struct testhost *t, int status, const char *const *headers, const char *body);
void testhost_no_answer(struct testhost *t, const char *error);

/* Emitted events wait in order until taken. */
struct testhost_event {
	const char *type, *id, *source, *subject, *time, *traceparent,
		*json;      /* NULL where the plugin gave none */
	const char *refuse; /* why it cannot be used, or NULL */
	pm_delivery cause;
};
int testhost_events(struct testhost *t);
const struct testhost_event *testhost_event(struct testhost *t); /* take the oldest; fails the
								    test if there is none */
/* The next n calls of emit() without a cause answer PM_RETRY; then resume() is called by
 * testhost_resume(). */
void testhost_full(struct testhost *t, int n);
void testhost_resume(struct testhost *t);

/* A request at listen(); the status the plugin answers.  Body of reply() in *reply. */
int testhost_post(struct testhost *t, const char *path, const char *const *headers,
		  const void *body, size_t len, const char **reply);

int64_t testhost_now(struct testhost *t);
void testhost_set_clock(struct testhost *t, int64_t by); /* what now() says jumps; timers wait
							    as long as before */
void testhost_advance(struct testhost *t, int64_t ms);   /* runs the timers that come due; held
							    and retried deliveries are not */
const char *testhost_saved(struct testhost *t, const char *key); /* or NULL */
int64_t testhost_counted(struct testhost *t, const char *metric);
const char *testhost_problem(struct testhost *t); /* of the last alive(): "" or why not */
/* Secrets plugins: ask, read the answer when it has come.  NULL: none, or failed. */
uint64_t testhost_resolve(struct testhost *t, const char *name);
const char *testhost_resolved(struct testhost *t, uint64_t ask, const char **why);

#endif
