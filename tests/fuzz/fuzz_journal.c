/* Lines of a space, a tab, a key, a tab and a value: what a damaged journal may hold.  A sequencer
 * loads it, takes events and routes, or says why not; and what it then holds loads again. */
#include "base/log.h"
#include "base/mem.h"
#include "cli/history.h"
#include "fuzz.h"
#include "journal/journal_file.h"
#include "journal/snapshot.h"
#include "route/sequencer.h"

#include <string.h>

#define NOW       INT64_C(1763946000000)
#define MAX_LINES 32

static const char rules[] =
	"[source src]\nplugin = p\n[sink a]\nplugin = p\n[sink b]\nplugin = p\n"
	"[input x]\non = t.x\n[input y]\non = t.y\n"
	"[rule both]\ninputs = x, y\nreset = 1h\ndo = a\n"
	"[rule window]\non = t.x\ncoalesce = 1m, max 10m\ngroup-by = subject\ndo = b\n"
	"[rule count]\non = t.*\ncount = 2 in 10m\ndo = a, b\n";

static const struct config *config(void)
{
	static struct config *c;
	struct report report = {0};

	if (!c)
		c = config_load_text("f", rules, &report);
	PROMISE(report.errors == 0);
	report_free(&report);
	return c;
}

static void drop_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

/* One for all inputs, because making its statements takes longer than all the rest. */
static struct journal *empty_journal(void)
{
	static struct journal *j;

	j = j ? j : journal_open_in_memory(NULL);
	PROMISE(j && sqlite3_exec(j->db,
				  "DELETE FROM event; DELETE FROM seen; "
				  "DELETE FROM delivery; DELETE FROM value",
				  NULL, NULL, NULL) == SQLITE_OK);
	j->last = j->last_before = 0;
	return j;
}

static void put_line(struct journal *j, const char *line, size_t len)
{
	const char *key = memchr(line, '\t', len);
	const char *value = key ? memchr(key + 1, '\t', len - (size_t)(key + 1 - line)) : NULL;
	char *space, *name;

	if (!value)
		return;
	space = mem_slice(line, (size_t)(key - line));
	name = mem_slice(key + 1, (size_t)(value - key - 1));
	PROMISE(journal_put(j, space, name, value + 1, len - (size_t)(value + 1 - line), NULL) ==
		JOURNAL_OK);
	free(space);
	free(name);
}

static void fill(struct journal *j, const char *text, size_t len)
{
	const char *end = text + len, *next;

	PROMISE(journal_begin(j, NULL) == JOURNAL_OK);
	for (int n = 0; text < end && n < MAX_LINES; text = next + 1, n++) {
		next = memchr(text, '\n', (size_t)(end - text));
		next = next ? next : end;
		put_line(j, text, (size_t)(next - text));
	}
	PROMISE(journal_commit(j, NULL) == JOURNAL_OK);
}

static uint64_t emit(struct sequencer *s, const char *type, const char *id, int64_t now)
{
	struct event ev = fuzz_event("{}", 2);
	struct txn *t = txn_new();
	struct batch out = {0};
	struct event *made;
	uint64_t seq;

	ev.type = type;
	ev.id = id;
	ev.instance = "src";
	made = event_create(&ev);
	txn_emit(t, made);
	event_unref(made);
	PROMISE(sequencer_batch(s, t, now, &out, NULL) == JOURNAL_OK);
	seq = t->changes[0].duplicate ? 0 : t->changes[0].seq;
	for (size_t i = 1; i < out.n; i++)
		PROMISE(out.accepted[i].event->seq > out.accepted[i - 1].event->seq);
	batch_clear(&out);
	txn_free(t);
	return seq;
}

static void look(struct journal *j, struct sequencer *s)
{
	struct history_bounds bounds = {0};
	struct buf out = {0};
	uint64_t next;

	PROMISE(history_range(j, &bounds, &out, NULL));
	PROMISE(history_events(j, 0, 100, &out, &next, NULL));
	history_names(sequencer_names(s), 0, &out, &next);
	buf_free(&out);
}

static void use(struct journal *j, struct sequencer *s)
{
	int64_t due;
	struct batch out = {0};
	uint64_t first = emit(s, "t.x", "1", NOW), second = emit(s, "t.y", "2", NOW + 1000);

	PROMISE(!second || second > first);
	PROMISE(emit(s, "t.x", "1", NOW + 2000) == 0 || !first);
	due = sequencer_next_deadline(s, NOW);
	PROMISE(due > 0);
	PROMISE(sequencer_batch(s, NULL, NOW + 3600000, &out, NULL) == JOURNAL_OK);
	batch_clear(&out);
	look(j, s);
}

/* Ids that are over are forgotten, a run at a time. */
static void forget(struct journal *j)
{
	struct names *names = names_load(j, NULL);
	struct dedupe *d = dedupe_load(j, names, 86400000, 100, NULL);
	uint64_t floor;

	PROMISE(d && journal_begin(j, NULL) == JOURNAL_OK);
	PROMISE(dedupe_trim(d, NOW, &floor, NULL) == JOURNAL_OK);
	PROMISE(journal_commit(j, NULL) == JOURNAL_OK && dedupe_bytes(d) >= 0);
	dedupe_free(d);
	names_free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {{0}};
	struct journal *j = empty_journal();
	struct sequencer *s;

	log_capture(drop_line, NULL);
	fill(j, (const char *)data, size);
	s = sequencer_new(j, config(), &err);
	PROMISE(s || *err.text);
	if (s) {
		use(j, s);
		sequencer_free(s);
		forget(j);
		s = sequencer_new(j, config(), &err);
		PROMISE(s);
		sequencer_free(s);
	}
	return 0;
}
