#include "engine/journal_thread.h"

#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_EVENTS   512
#define BATCH_BYTES    (1024 * 1024)
#define FULL_PAUSE_MS  1000
#define PRUNE_EVERY_MS 10000

/* What travels: to the thread a txn or a job, back to the loop a batch, a job or a failure. */
struct task {
	struct letter letter;
	struct txn *txn;
	journal_job_fn *job;
	void (*done)(void *arg);
	void *arg;
	struct txn *txns; /* of a batch, linked by letter.next */
	struct batch batch;
	char *failure;
	enum { NO_NEWS, IS_FULL, HAS_ROOM } room;
};

struct journal_thread {
	struct journal_thread_options options;
	struct world_thread *thread;
	struct mailbox *in, *out;
	struct loop_watch *watch;
	struct task *waiting; /* taken from the mailbox, not yet worked on; oldest first */
	size_t in_hand;       /* the loop's: bytes of txns that have not come back */
	atomic_bool ending, full;
	atomic_llong bytes, used;
	atomic_ullong floor;
	bool failed; /* the thread's own */
	bool reserve_spent;
	int64_t pruned_at; /* boot time */
	bool more_to_prune;
};

static struct task *task_of(struct letter *l)
{
	return (struct task *)(void *)l; /* `letter` is its first member */
}

static void report_failure(struct journal_thread *t, const char *why)
{
	struct task *task = mem_new(struct task);

	t->failed = true;
	task->failure = mem_text(why);
	mailbox_send(t->out, &task->letter);
}

static size_t events_in(const struct txn *txn)
{
	size_t n = 0;

	for (size_t i = 0; i < txn->n; i++)
		n += txn->changes[i].event != NULL;
	return n;
}

/* The longest run of txns at the head of what waits that makes one batch. */
static struct txn *next_batch(struct journal_thread *t)
{
	struct txn *first = NULL, *last = NULL;
	size_t events = 0, bytes = 0;

	while (t->waiting && t->waiting->txn && events < BATCH_EVENTS && bytes < BATCH_BYTES) {
		struct task *task = t->waiting;

		t->waiting = task->letter.next ? task_of(task->letter.next) : NULL;
		task->txn->letter.next = NULL;
		if (last)
			last->letter.next = &task->txn->letter;
		else
			first = task->txn;
		last = task->txn;
		events += events_in(task->txn);
		bytes += task->txn->weight;
		free(task);
	}
	return first;
}

static void report_room(struct journal_thread *t, bool full)
{
	struct task *task = mem_new(struct task);

	task->room = full ? IS_FULL : HAS_ROOM;
	mailbox_send(t->out, &task->letter);
}

/* Intake has stopped by now; what is in hand finishes what was begun, so the reserve is for
 * it. */
static bool make_room(struct journal_thread *t, const char *why)
{
	if (!atomic_exchange(&t->full, true)) {
		log_error("%s; intake stops, the same batch is tried again every second", why);
		report_room(t, true);
	}
	if (!t->reserve_spent) {
		t->reserve_spent = true;
		if (journal_spend_reserve(t->options.journal))
			return true;
	}
	if (atomic_load(&t->ending))
		return false;
	t->options.world->wait(t->options.world, -1, FULL_PAUSE_MS);
	return true;
}

static void not_full(struct journal_thread *t)
{
	if (atomic_exchange(&t->full, false)) {
		log_info("the journal has room again");
		report_room(t, false);
	}
	t->reserve_spent = false;
}

static void send_batch(struct journal_thread *t, struct txn *txns, struct batch *batch)
{
	struct task *task = mem_new(struct task);

	task->txns = txns;
	task->batch = *batch;
	mailbox_send(t->out, &task->letter);
}

static void give_up(struct journal_thread *t, struct txn *txns)
{
	struct batch none = {0};

	for (struct txn *x = txns; x; x = (struct txn *)(void *)x->letter.next)
		x->failed = true;
	none.from = none.to = journal_last_seq(t->options.journal);
	send_batch(t, txns, &none);
}

static void measure(struct journal_thread *t)
{
	atomic_store(&t->bytes, journal_bytes(t->options.journal));
	atomic_store(&t->used, journal_used(t->options.journal));
}

static void run_batch(struct journal_thread *t, struct txn *txns)
{
	struct world *w = t->options.world;
	struct batch batch = {0};
	enum journal_status status;
	struct err err = {{0}};

	if (t->failed) {
		give_up(t, txns);
		return;
	}
	while ((status = sequencer_batch(t->options.sequencer, txns, w->wall(w), &batch, &err)) ==
	       JOURNAL_FULL) {
		if (!make_room(t, err.text)) {
			give_up(t, txns);
			return;
		}
	}
	if (status != JOURNAL_OK) {
		give_up(t, txns);
		report_failure(t, err.text);
		return;
	}
	not_full(t);
	measure(t);
	send_batch(t, txns, &batch);
}

static void run_job(struct journal_thread *t)
{
	struct task *task = t->waiting;

	t->waiting = task->letter.next ? task_of(task->letter.next) : NULL;
	task->letter.next = NULL;
	task->job(t->options.journal, t->options.sequencer, task->arg);
	mailbox_send(t->out, &task->letter);
}

static void prune(struct journal_thread *t)
{
	struct world *w = t->options.world;
	struct err err = {{0}};
	enum journal_status status;

	t->pruned_at = w->boot(w);
	status = sequencer_prune(t->options.sequencer, w->wall(w), atomic_load(&t->floor),
				 &t->more_to_prune, &err);
	if (status == JOURNAL_FAILED)
		report_failure(t, err.text);
	measure(t);
}

static bool deadline_due(struct journal_thread *t)
{
	struct world *w = t->options.world;
	int64_t now = w->wall(w);

	return sequencer_next_deadline(t->options.sequencer, now) <= now;
}

/* How long there is nothing to do but wait for letters. */
static int64_t patience(struct journal_thread *t)
{
	struct world *w = t->options.world;
	int64_t prune_in = t->pruned_at + PRUNE_EVERY_MS - w->boot(w);
	int64_t now = w->wall(w);
	int64_t deadline = sequencer_next_deadline(t->options.sequencer, now);
	int64_t wait = t->more_to_prune ? 0 : prune_in;

	if (deadline != INT64_MAX && deadline - now < wait)
		wait = deadline - now;
	return wait > 0 ? wait : 0;
}

static void take_letters(struct journal_thread *t)
{
	struct world *w = t->options.world;
	struct letter *l;

	if (t->waiting)
		return;
	l = mailbox_take(t->in);
	if (!l && !atomic_load(&t->ending)) {
		w->wait(w, mailbox_fd(t->in), patience(t));
		l = mailbox_take(t->in);
	}
	t->waiting = l ? task_of(l) : NULL;
}

static void turn(struct journal_thread *t)
{
	if (t->waiting && t->waiting->job)
		run_job(t);
	else if (t->waiting)
		run_batch(t, next_batch(t));
	else if (!t->failed && deadline_due(t))
		run_batch(t, NULL);
}

static void work(void *arg)
{
	struct journal_thread *t = arg;
	bool ending = false;

	/* Once more to the mailbox after the end was asked for, so that nothing sent before is
	 * left.  While something waits, the mailbox is not looked into. */
	while (!ending || t->waiting) {
		ending = !t->waiting && atomic_load(&t->ending);
		take_letters(t);
		turn(t);
		if (!t->failed && !t->waiting &&
		    (t->more_to_prune ||
		     t->options.world->boot(t->options.world) - t->pruned_at >= PRUNE_EVERY_MS))
			prune(t);
	}
}

static void deliver_batch(struct journal_thread *t, struct task *task)
{
	size_t bytes = 0;

	for (const struct txn *x = task->txns; x; x = (const void *)x->letter.next)
		bytes += x->weight;
	t->options.durable(task->txns, &task->batch, t->options.arg);
	t->in_hand -= bytes;
}

static void deliver(struct journal_thread *t, struct task *task)
{
	if (task->failure)
		t->options.failed(task->failure, t->options.arg);
	else if (task->room)
		t->options.full(task->room == IS_FULL, t->options.arg);
	else if (task->job)
		task->done(task->arg);
	else
		deliver_batch(t, task);
	free(task->failure);
	free(task);
}

static void on_results(void *arg)
{
	struct journal_thread *t = arg;
	struct letter *l = mailbox_take(t->out);

	while (l) {
		struct letter *next = l->next;

		deliver(t, task_of(l));
		l = next;
	}
}

struct journal_thread *journal_thread_start(const struct journal_thread_options *options,
					    struct err *err)
{
	struct journal_thread *t = mem_new(struct journal_thread);

	t->options = *options;
	t->in = mailbox_new();
	t->out = mailbox_new();
	t->pruned_at = options->world->boot(options->world);
	measure(t);
	t->thread = t->in && t->out ? options->world->start(options->world, work, t) : NULL;
	if (!t->thread) {
		err_set(err, "no thread for the journal: the system refuses one (%s)",
			strerror(errno));
		mailbox_free(t->in);
		mailbox_free(t->out);
		free(t);
		return NULL;
	}
	t->watch = loop_watch_fd(options->loop, mailbox_fd(t->out), on_results, t);
	return t;
}

static void knock(struct journal *j, struct sequencer *s, void *arg)
{
	(void)j;
	(void)s;
	(void)arg;
}

static void nothing(void *arg)
{
	(void)arg;
}

void journal_thread_end(struct journal_thread *t)
{
	if (!t)
		return;
	atomic_store(&t->ending, true);
	journal_thread_ask(t, knock, nothing, NULL); /* wakes it */
	t->options.world->join(t->options.world, t->thread);
	free(mailbox_take(t->in)); /* the knock, if the thread had seen the flag before it */
	on_results(t);
	loop_watch_free(t->watch);
	mailbox_free(t->in);
	mailbox_free(t->out);
	free(t);
}

void journal_thread_submit(struct journal_thread *t, struct txn *txn)
{
	struct task *task = mem_new(struct task);

	task->txn = txn;
	t->in_hand += txn->weight;
	mailbox_send(t->in, &task->letter);
}

void journal_thread_ask(struct journal_thread *t, journal_job_fn *job, void (*done)(void *arg),
			void *arg)
{
	struct task *task = mem_new(struct task);

	task->job = job;
	task->done = done;
	task->arg = arg;
	mailbox_send(t->in, &task->letter);
}

size_t journal_thread_in_hand(const struct journal_thread *t)
{
	return t->in_hand;
}

bool journal_thread_disk_full(struct journal_thread *t)
{
	return atomic_load(&t->full);
}

int64_t journal_thread_bytes(struct journal_thread *t)
{
	return (int64_t)atomic_load(&t->bytes);
}

int64_t journal_thread_used(struct journal_thread *t)
{
	return (int64_t)atomic_load(&t->used);
}

void journal_thread_floor(struct journal_thread *t, uint64_t seq)
{
	atomic_store(&t->floor, seq);
}
