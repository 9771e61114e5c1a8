#include "journal/snapshot.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES (256 * 1024)
#define MOST_PIECES 1024 /* far beyond SNAPSHOT_MAX_BYTES */
#define SPACE       "snapshot"

struct key {
	char text[40];
};

static struct key head_key(uint64_t seq)
{
	struct key k;

	snprintf(k.text, sizeof k.text, "%020" PRIu64, seq);
	return k;
}

static struct key piece_key(uint32_t n)
{
	struct key k;

	snprintf(k.text, sizeof k.text, "%05" PRIu32, n);
	return k;
}

static struct key space_of(uint64_t seq)
{
	struct key k;

	snprintf(k.text, sizeof k.text, SPACE "/%" PRIu64, seq);
	return k;
}

/* The length of the first piece of what is left: whole lines, at least one. */
static size_t piece_length(const char *text, size_t len)
{
	const char *end = text + len;

	if (len > PIECE_BYTES)
		end = memchr(text + PIECE_BYTES, '\n', len - PIECE_BYTES);
	return end && end < text + len ? (size_t)(end + 1 - text) : len;
}

static enum journal_status put_pieces(struct journal *j, struct snapshot *s,
				      const struct buf *lines, struct err *err)
{
	struct key space = space_of(s->seq);
	enum journal_status status = JOURNAL_OK;

	for (size_t at = 0, n; at < lines->len && status == JOURNAL_OK; at += n) {
		n = piece_length(lines->data + at, lines->len - at);
		status = journal_put(j, space.text, piece_key(s->pieces++).text, lines->data + at,
				     n, err);
	}
	return status;
}

static enum journal_status put_head(struct journal *j, const struct snapshot *s, struct err *err)
{
	char text[128];
	int len = snprintf(text, sizeof text, "%" PRId64 " %" PRIu32 " %" PRIu32 " %" PRId64, s->at,
			   s->generation, s->pieces, s->bytes);

	return journal_put(j, SPACE, head_key(s->seq).text, text, (size_t)len, err);
}

struct list { /* ascending */
	struct snapshot *all;
	size_t n, cap;
};

static bool list_head(const char *key, const void *value, size_t len, void *arg)
{
	struct list *l = arg;
	struct snapshot s = {.seq = strtoull(key, NULL, 10)};
	char *text = mem_slice(value, len);

	if (sscanf(text, "%" SCNd64 " %" SCNu32 " %" SCNu32 " %" SCNd64, &s.at, &s.generation,
		   &s.pieces, &s.bytes) == 4 &&
	    s.pieces <= MOST_PIECES && s.bytes >= 0 && s.bytes <= UINT32_MAX) {
		mem_room(l->all, l->n, l->cap);
		l->all[l->n++] = s;
	}
	free(text);
	return true;
}

static enum journal_status drop(struct journal *j, const struct snapshot *s, struct err *err)
{
	struct key space = space_of(s->seq);
	enum journal_status status = JOURNAL_OK;

	for (uint32_t n = 0; n < s->pieces && status == JOURNAL_OK; n++)
		status = journal_put(j, space.text, piece_key(n).text, NULL, 0, err);
	if (status == JOURNAL_OK)
		status = journal_put(j, SPACE, head_key(s->seq).text, NULL, 0, err);
	return status;
}

enum journal_status snapshot_put(struct journal *j, struct snapshot *s, const struct buf *lines,
				 struct err *err)
{
	struct snapshot old;
	enum journal_status status = snapshot_find(j, s->seq, &old, err);

	if (status == JOURNAL_OK && old.seq == s->seq)
		status = drop(j, &old, err);
	if (status != JOURNAL_OK && status != JOURNAL_ABSENT)
		return status;
	s->pieces = 0;
	s->bytes = (int64_t)lines->len;
	status = put_pieces(j, s, lines, err);
	return status == JOURNAL_OK ? put_head(j, s, err) : status;
}

enum journal_status snapshot_find(struct journal *j, uint64_t seq, struct snapshot *out,
				  struct err *err)
{
	struct list list = {0};
	enum journal_status status = journal_values(j, SPACE, "", list_head, &list, err);
	size_t n = list.n;

	while (n && list.all[n - 1].seq > seq)
		n--;
	if (status == JOURNAL_OK && n)
		*out = list.all[n - 1];
	else if (status == JOURNAL_OK)
		status = JOURNAL_ABSENT;
	free(list.all);
	return status;
}

enum journal_status snapshot_piece(struct journal *j, uint64_t seq, uint32_t n, struct buf *out,
				   struct err *err)
{
	return journal_get(j, space_of(seq).text, piece_key(n).text, out, err);
}

enum journal_status snapshot_prune(struct journal *j, uint64_t first, int64_t *bytes,
				   struct err *err)
{
	struct list list = {0};
	enum journal_status status = journal_values(j, SPACE, "", list_head, &list, err);

	*bytes = 0;
	for (size_t i = 0; i < list.n; i++)
		*bytes += list.all[i].bytes;
	for (size_t i = 0; i + 1 < list.n && status == JOURNAL_OK; i++) {
		bool useless = list.all[i + 1].seq < first;

		if (!useless && *bytes <= SNAPSHOTS_BYTES && list.n - i <= SNAPSHOTS_MOST)
			break;
		status = drop(j, &list.all[i], err);
		*bytes -= list.all[i].bytes;
	}
	free(list.all);
	return status;
}
