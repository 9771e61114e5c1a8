/*
 * object - an object in a bucket as events tell of it.
 */
#ifndef POINTSMAN_S3_OBJECT_H
#define POINTSMAN_S3_OBJECT_H

#include <pointsman/plugin.h>
#include <stdbool.h>
#include <stdint.h>

struct object { /* texts belong to others; NULL: not known */
	const char *bucket, *key;
	const char *etag;      /* without quotes */
	const char *version;   /* NULL in a bucket without versions */
	const char *modified;  /* RFC 3339 */
	const char *sequencer; /* of a notification */
	int64_t size;          /* -1: not known */
};

/* `first`: it was there when the source first looked. */
pm_result object_changed(struct pm_host *h, const struct object *o, bool first);
/* `o` is what was last known of it. */
pm_result object_removed(struct pm_host *h, const struct object *o);

/* "Wed, 21 Oct 2015 07:28:00 GMT" as RFC 3339.  Returns out; NULL if it is no such date. */
const char *object_http_time(const char *text, char out[32]);
/* A key as forms encode it, decoded; free() it. */
char *object_decoded_key(const char *text);

#endif
