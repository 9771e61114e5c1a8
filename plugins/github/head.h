/*
 * head - where each ref stands, as far as we know, kept in the instance's saved state.
 *
 * A ref that was deleted stands at zeros.  Every move has a running number: with it the
 * event of a push back to an earlier commit has an id of its own, and a push seen both by
 * webhook and by sweep has one.  A ref is kept under a name: the full ref itself, or, where
 * the instance is for many repositories, theirs and the ref.
 */
#ifndef GITHUB_HEAD_H
#define GITHUB_HEAD_H

#include <pointsman/plugin.h>

#define HEAD_SHA  65 /* room for a SHA-256 */
#define HEAD_SEEN 8  /* deliveries remembered for each ref */

struct head {
	char sha[HEAD_SHA], previous[HEAD_SHA];
	int64_t at;     /* when it moved, by our clock */
	uint64_t moves; /* so far */
	int64_t pushed; /* GitHub's time of the newest push that came by webhook, seconds */
	uint64_t seen[HEAD_SEEN]; /* marks of deliveries, newest first; 0: none */
};

bool head_is_sha(const char *text); /* or NULL */
bool head_is_zero(const char *sha);
const char *head_zero(const char *sha); /* zeros as long as that one */

bool head_load(struct pm_host *h, const char *name, struct head *head); /* false: unknown */
void head_save(struct pm_host *h, const char *name, const struct head *head);

/* The ref moved to `after` (zeros: it was deleted): emit the payload as github.push or
 * github.ref.deleted and, if it was accepted, save where the ref stands now.  `head` is
 * zeroed for an unknown ref; `before` is what the event says. */
struct move {
	const char *name, *ref, *before, *after;
	const char *source; /* or NULL: the instance */
	const char *json;
	size_t json_len;
	const char *time; /* or NULL */
	uint64_t mark;    /* of the delivery, or 0 */
	int64_t pushed;   /* or 0 */
};
pm_result head_move(struct pm_host *h, struct head *head, const struct move *move);

/* Is the ref one of those the keys `branches` and `tags` name? */
bool head_wanted(struct pm_host *h, const char *ref);

#endif
