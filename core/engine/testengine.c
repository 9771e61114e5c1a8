#include "engine/testengine.h"

#include "base/log.h"
#include "base/mem.h"
#include "journal/testdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 10000

static struct bench *bench; /* the one of the test, for the world's functions */
static struct delivery row;
static char data[2000], problem[600];

static int64_t disk_free(struct world *w, const char *path)
{
	(void)w;
	(void)path;
	return bench->free_bytes ? bench->free_bytes : INT64_C(1) << 40;
}

static void each_file(const char *directory,
		      void (*fn)(const char *from, const char *name, void *arg), void *arg)
{
	DIR *d = opendir(directory);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char *path = mem_format("%s/%s", directory, entry->d_name);

		if (entry->d_name[0] != '.')
			fn(path, entry->d_name, arg);
		free(path);
	}
	if (d)
		closedir(d);
}

static void remove_file(const char *from, const char *name, void *arg)
{
	(void)name;
	(void)arg;
	unlink(from);
}

static void copy_file(const char *from, const char *name, void *to)
{
	char *path = mem_format("%s/%s", (const char *)to, name), block[65536];
	FILE *in = fopen(from, "re"), *out = fopen(path, "we");
	size_t n;

	assert_true(in && out);
	while ((n = fread(block, 1, sizeof block, in)) > 0)
		assert_int_equal(fwrite(block, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
	free(path);
}

static struct config *parse(const struct bench *b)
{
	struct report report = {0};
	struct buf said = {0};
	char *text = mem_format("[pointsman]\nstate = %s\n[source in]\nplugin = p\n"
				"[sink a]\nplugin = p\n%s\n[sink b]\nplugin = p\n%s\n"
				"[sink watch]\nplugin = p\n%s",
				b->directory, b->keys, b->keys, b->rules);
	struct config *config = config_load_text("t.ini", text, &report);

	report_print(&report, &said);
	if (report.errors)
		fail_msg("%s", buf_text(&said));
	buf_free(&said);
	report_free(&report);
	free(text);
	return config;
}

static void deliver(void *target, const struct engine_call *call)
{
	struct fake *f = target;

	f->number = call->number;
	f->seqs[f->calls % 4096] = call->event->seq;
	if (f->calls < 64) {
		memcpy(f->keys[f->calls], call->key, 33);
		f->attempts[f->calls] = call->attempt;
	}
	snprintf(f->held, sizeof f->held, "%s", call->held ? call->held : "");
	f->calls++;
	if (f->act)
		f->act(f, call);
}

static void cancel(void *target, uint64_t number)
{
	struct fake *f = target;

	f->cancels++;
	f->number = number;
	if (f->cancel_ends)
		bench_finish(f->bench, number, LANE_OK, false);
}

static void failed(int status, const char *why, void *arg)
{
	struct bench *b = arg;

	b->failed = status;
	snprintf(b->why, sizeof b->why, "%s", why);
}

static void register_fake(struct bench *b, struct fake *f, const char *name)
{
	struct engine_target ops = {.deliver = deliver, .cancel = cancel, .target = f};

	f->bench = b;
	f->name = name;
	engine_register(b->engine, name, &ops);
}

int bench_try(struct bench *b, struct err *err)
{
	struct engine_options options = {.world = &b->world, .failed = failed, .arg = b};
	int status = 0;

	options.loop = b->loop = loop_new();
	options.config = b->config = parse(b);
	options.visiting = b->visiting;
	b->engine = engine_new(&options, &status, err);
	if (!b->engine) {
		loop_free(b->loop);
		config_free(b->config);
		return status;
	}
	register_fake(b, &b->a, "a");
	register_fake(b, &b->b, "b");
	register_fake(b, &b->watch, "watch");
	engine_start(b->engine);
	return 0;
}

void bench_open(struct bench *b)
{
	struct err err = {{0}};
	int status = bench_try(b, &err);

	if (status)
		fail_msg("%d: %s", status, err.text);
}

void bench_ready(struct bench *b)
{
	engine_ready(b->engine, "a", true);
	engine_ready(b->engine, "b", true);
	engine_ready(b->engine, "watch", true);
}

static void no_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

struct bench *bench_new(const char *keys, const char *rules)
{
	struct bench *b = mem_new(struct bench);

	bench = b;
	log_capture(no_line, NULL);
	b->world = *world_real();
	b->world.disk_free = disk_free;
	b->keys = mem_text(keys);
	b->rules = mem_text(rules);
	strcpy(b->directory, "/tmp/test-engine-XXXXXX");
	assert_non_null(mkdtemp(b->directory));
	b->watch.act = fake_ok;
	bench_open(b);
	bench_ready(b);
	return b;
}

struct bench *bench_on_testdisk(const char *keys, const char *rules)
{
	struct bench *b;

	disk_insert();
	b = bench_new(keys, rules);
	bench_stop(b);
	b->world.vfs = DISK_NAME;
	bench_open(b);
	bench_ready(b);
	bench_settle(b);
	return b;
}

void bench_stop(struct bench *b)
{
	engine_free(b->engine);
	loop_free(b->loop);
	config_free(b->config);
	b->engine = NULL;
}

void bench_free(struct bench *b)
{
	if (b->engine)
		bench_stop(b);
	each_file(b->directory, remove_file, NULL);
	rmdir(b->directory);
	delivery_clear(&row);
	row = (struct delivery){0};
	free(b->keys);
	free(b->rules);
	free(b);
	log_capture(NULL, NULL);
}

struct asking {
	struct bench *bench;
	bool done;
	uint64_t seq;
	uint32_t target;
	const char *type;
	size_t count;
	const char *copy_to;
};

static void answered(void *arg)
{
	((struct asking *)arg)->done = true;
}

static void ask(struct bench *b, struct asking *asking,
		void (*job)(struct journal *j, struct sequencer *s, void *arg))
{
	asking->bench = b;
	engine_ask(b->engine, job, answered, asking);
	BENCH_UNTIL(b, asking->done);
}

static void copy_all(struct journal *j, struct sequencer *s, void *arg)
{
	struct asking *asking = arg;

	(void)j;
	(void)s;
	each_file(asking->bench->directory, copy_file, (void *)(uintptr_t)asking->copy_to);
}

void bench_kill(struct bench *b)
{
	char copy[] = "/tmp/test-engine-XXXXXX";
	struct asking asking = {.copy_to = copy};

	assert_non_null(mkdtemp(copy));
	ask(b, &asking, copy_all);
	bench_stop(b);
	each_file(b->directory, remove_file, NULL);
	rmdir(b->directory);
	strcpy(b->directory, copy);
	bench_open(b);
}

static struct event *make(struct bench *b, const char *type, const char *subject)
{
	char id[32];
	struct event ev = {
		.type = type,
		.subject = subject,
		.source = "s",
		.instance = "in",
		.id = id,
		.time = "2026-11-24T01:02:03Z",
		.data = "{\"n\":1}",
		.data_len = 7,
	};

	snprintf(id, sizeof id, "e%llu", (unsigned long long)++b->made);
	return event_create(&ev);
}

static void emit(struct bench *b, struct txn *t, const char *type, const char *subject)
{
	struct event *ev = make(b, type, subject);

	txn_emit(t, ev);
	event_unref(ev);
}

struct landing {
	bool done, failed;
	uint64_t seq;
};

static void landed(struct txn *t, void *arg)
{
	struct landing *l = arg;

	l->done = true;
	l->failed = t->failed;
	l->seq = t->changes[0].seq;
}

uint64_t bench_event(struct bench *b, const char *type, const char *subject)
{
	struct txn *t = txn_new();
	struct landing l = {0};

	emit(b, t, type, subject);
	t->done = landed;
	t->arg = &l;
	engine_submit(b->engine, t);
	BENCH_UNTIL(b, l.done);
	assert_false(l.failed);
	return l.seq;
}

void bench_send(struct bench *b, const char *type, void (*done)(struct txn *t, void *arg),
		void *arg)
{
	struct txn *t = txn_new();

	emit(b, t, type, NULL);
	t->done = done;
	t->arg = arg;
	engine_submit(b->engine, t);
}

void bench_refuse(struct bench *b, const char *reason)
{
	struct txn *t = txn_new();
	char *text = mem_format("{\"reason\":\"%s\"}", reason);
	struct event ev = {
		.type = "pointsman.event.refused",
		.source = "in",
		.instance = "in",
		.id = "refused",
		.time = "2026-11-24T01:02:03Z",
		.data = text,
		.data_len = strlen(text),
	};

	txn_add(t, CHANGE_REFUSE)->event = event_create(&ev);
	free(text);
	engine_submit(b->engine, t);
	bench_settle(b);
}

void bench_finish(struct bench *b, uint64_t number, enum lane_result result, bool unknown)
{
	struct txn *t = txn_new();

	assert_true(engine_finish(b->engine, t, number, result, result == LANE_OK ? "" : "no luck",
				  -1, unknown));
	engine_submit(b->engine, t);
}

void bench_hold(struct bench *b, uint64_t number, int64_t ms, const char *state)
{
	struct txn *t = txn_new();

	assert_true(engine_hold(b->engine, t, number, ms, state));
	engine_submit(b->engine, t);
}

void bench_finish_emitting(struct bench *b, uint64_t number, const char *type)
{
	const struct engine_call *call = engine_find(b->engine, number);
	struct txn *t = txn_new();
	struct buf id = {0};
	struct event ev = {
		.type = type,
		.source = "a",
		.instance = "in",
		.time = "2026-11-24T01:02:03Z",
		.data = "{}",
		.data_len = 2,
		.cause = call->event->seq,
		.caused_by = "a",
		.hops = call->event->hops + 1,
	};
	struct event *made;

	engine_emit_id(b->engine, number, type, &id);
	ev.id = buf_text(&id);
	made = event_create(&ev);
	txn_emit(t, made);
	event_unref(made);
	buf_free(&id);
	assert_true(engine_finish(b->engine, t, number, LANE_OK, "", -1, false));
	engine_submit(b->engine, t);
}

struct word {
	bool done;
};

static void word_back(const char *why, void *arg)
{
	struct word *w = arg;

	w->done = true;
	snprintf(problem, sizeof problem, "%s", why ? why : "");
}

const char *bench_redrive(struct bench *b, uint64_t seq, const char *target, bool force)
{
	struct word w = {0};

	engine_redrive(b->engine, seq, target ? engine_instance(b->engine, target) : 0, force,
		       word_back, &w);
	BENCH_UNTIL(b, w.done);
	return problem;
}

const char *bench_drop(struct bench *b, uint64_t seq, const char *target)
{
	struct word w = {0};

	engine_drop(b->engine, seq, engine_instance(b->engine, target), "no use", word_back, &w);
	BENCH_UNTIL(b, w.done);
	return problem;
}

int64_t bench_patience(struct bench *b)
{
	return b->world.boot(&b->world) + PATIENCE_MS;
}

void bench_turn(struct bench *b, int64_t until, const char *what)
{
	if (b->world.boot(&b->world) > until)
		fail_msg("waited in vain for: %s", what);
	loop_turn(b->loop);
	poll(NULL, 0, 1);
}

void bench_tell(void *arg)
{
	((struct bench *)arg)->told = true;
}

void bench_settle(struct bench *b)
{
	struct txn *t = txn_new();
	struct landing l = {0};

	txn_cursor(t, 0, 0);
	t->done = landed;
	t->arg = &l;
	engine_submit(b->engine, t);
	BENCH_UNTIL(b, l.done);
}

void bench_wait(struct bench *b, int64_t ms)
{
	int64_t until = b->world.boot(&b->world) + ms;

	while (b->world.boot(&b->world) < until)
		bench_turn(b, INT64_MAX, "");
}

static void read_row(struct journal *j, struct sequencer *s, void *arg)
{
	struct asking *asking = arg;

	(void)s;
	delivery_clear(&row);
	if (journal_delivery(j, asking->seq, asking->target, &row, NULL) != JOURNAL_OK)
		row = (struct delivery){.state = DELIVERY_STATES};
}

struct delivery bench_row(struct bench *b, uint64_t seq, const char *target)
{
	struct asking asking = {.seq = seq, .target = engine_instance(b->engine, target)};

	ask(b, &asking, read_row);
	return row;
}

static bool count_one(const struct journal_event *event, void *arg)
{
	struct asking *asking = arg;

	if (strcmp(event->event->type, asking->type) == 0) {
		asking->count++;
		snprintf(data, sizeof data, "%s", event->event->data);
	}
	return true;
}

static void count_events(struct journal *j, struct sequencer *s, void *arg)
{
	(void)s;
	journal_events(j, 0, false, 100000, count_one, arg, NULL);
}

size_t bench_count(struct bench *b, const char *type)
{
	struct asking asking = {.type = type};

	ask(b, &asking, count_events);
	return asking.count;
}

const char *bench_data(struct bench *b, const char *type)
{
	return bench_count(b, type) ? data : NULL;
}

void fake_ok(struct fake *f, const struct engine_call *call)
{
	bench_finish(f->bench, call->number, LANE_OK, false);
}

void fake_down(struct fake *f, const struct engine_call *call)
{
	bench_finish(f->bench, call->number, LANE_DOWN, false);
}

void fake_reject(struct fake *f, const struct engine_call *call)
{
	bench_finish(f->bench, call->number, LANE_REJECT, false);
}
