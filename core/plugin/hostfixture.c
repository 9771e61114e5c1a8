#include "plugin/hostfixture.h"

#include "base/log.h"
#include "base/mem.h"
#include "plugin/blocking.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LATE_MS 20000

static const char *plugins;
static struct fixture *current; /* what clocks and client belong to */

void fixture_plugins(const char *directory)
{
	plugins = directory;
}

static int64_t wall(struct world *w)
{
	(void)w;
	return world_real()->wall(world_real()) + atomic_load(&current->ahead);
}

static int64_t boot(struct world *w)
{
	int64_t frozen = atomic_load(&current->frozen);
	int64_t now = frozen ? frozen : world_real()->boot(world_real());

	(void)w;
	return now + atomic_load(&current->ahead);
}

static int64_t disk_free(struct world *w, const char *path)
{
	(void)w;
	(void)path;
	return atomic_load(&current->disk);
}

static char *join(const char *const *headers)
{
	struct buf all = {0};

	buf_char(&all, '\n');
	for (; headers && *headers; headers++)
		buf_printf(&all, "%s\n", *headers);
	return buf_take(&all);
}

static uint64_t client_send(struct http_client *c, const struct http_request *rq,
			    http_done_fn *done, void *arg)
{
	struct fixture *f = current;
	struct request *r;

	(void)c;
	mem_room(f->requests, f->nrequests, f->requests_cap);
	r = &f->requests[f->nrequests++];
	*r = (struct request){
		.number = f->nrequests,
		.method = mem_text(rq->method ? rq->method
				   : rq->body ? "POST"
					      : "GET"),
		.url = mem_text(rq->url),
		.body = mem_slice(rq->body ? rq->body : "", rq->body_len),
		.headers = join(rq->headers),
		.done = done,
		.arg = arg,
		.open = true,
	};
	return r->number;
}

/* The answer comes when the client is freed: as late as the real one may give it. */
static void client_cancel(struct http_client *c, uint64_t number)
{
	(void)c;
	assert_in_range(number, 1, current->nrequests);
	current->requests[number - 1].cancelled = true;
}

static void give_answer(struct request *r, const struct http_answer *answer)
{
	assert_true(r->open);
	r->open = false;
	r->done(answer, r->arg);
}

static void client_free(struct http_client *c)
{
	struct http_answer cancelled = {.error = "cancelled", .body = "", .headers = ""};
	struct fixture *f = current;

	(void)c;
	for (size_t n = 0; n < f->nrequests; n++) {
		if (f->requests[n].open)
			give_answer(&f->requests[n], &cancelled);
	}
}

static void forget_requests(struct fixture *f)
{
	for (size_t n = 0; n < f->nrequests; n++) {
		free(f->requests[n].method);
		free(f->requests[n].url);
		free(f->requests[n].body);
		free(f->requests[n].headers);
	}
	f->nrequests = 0;
}

static void on_line(enum log_level level, const char *line, void *arg)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	struct fixture *f = arg;

	pthread_mutex_lock(&f->log_lock);
	buf_printf(&f->log, "%s %s\n", names[level], line);
	pthread_mutex_unlock(&f->log_lock);
}

static char *new_directory(void)
{
	char *name = mem_text("host-test-XXXXXX");

	assert_non_null(mkdtemp(name));
	return name;
}

static void run(const char *command, const char *a, const char *b)
{
	char *line = mem_format("%s %s %s", command, a, b);

	assert_int_equal(system(line), 0);
	free(line);
}

static bool know(struct pm_host *h)
{
	current->hosts[current->nhosts++] = h;
	return true;
}

struct pm_host *fixture_host(struct fixture *f, const char *instance)
{
	for (size_t n = 0; n < f->nhosts; n++) {
		if (strcmp(f->hosts[n]->instance, instance) == 0)
			return f->hosts[n];
	}
	fail_msg("%s was not created", instance);
	return NULL;
}

static struct pm_plugin *strings_of(struct fixture *f, const char *name)
{
	struct err err = {{0}};
	const struct plugin *p = loader_get(f->loader, name, &err);
	struct pm_plugin *strings;
	void *code;

	if (!p)
		fail_msg("%s", err.text);
	code = dlopen(p->file, RTLD_NOW | RTLD_NOLOAD);
	assert_non_null(code);
	strings = dlsym(code, "puppet");
	assert_non_null(strings);
	dlclose(code);
	*strings = (struct pm_plugin){.create = know};
	return strings;
}

struct fixture *fixture_new(void)
{
	const char *directories[] = {plugins, NULL};
	struct fixture *f = mem_new(struct fixture);

	current = f;
	f->world = *world_real();
	f->world.wall = wall;
	f->world.boot = boot;
	f->world.disk_free = disk_free;
	f->world.network = &f->network;
	f->network = (struct http_client){client_send, client_cancel, client_free};
	atomic_store(&f->disk, INT64_C(1) << 40);
	pthread_mutex_init(&f->log_lock, NULL);
	sem_init(&f->stopped, 0, 0);
	sem_init(&f->go, 0, 0);
	f->directory = new_directory();
	f->loader = loader_new(directories);
	f->source = strings_of(f, "puppet-source");
	f->action = strings_of(f, "puppet-action");
	f->sink = strings_of(f, "puppet-sink");
	f->secrets = strings_of(f, "puppet-secrets");
	f->blocking = strings_of(f, "puppet-blocking");
	log_capture(on_line, f);
	return f;
}

static void load_config(struct fixture *f, const char *text)
{
	char *all = mem_format("[pointsman]\nstate = %s\n%s", f->directory, text);
	struct report report = {0};
	struct buf remarks = {0};

	f->config = config_load_text("test.ini", all, &report);
	report_print(&report, &remarks);
	if (report.errors)
		fail_msg("%s", buf_text(&remarks));
	buf_free(&remarks);
	report_free(&report);
	free(all);
}

static void on_failed(int status, const char *why, void *arg)
{
	(void)arg;
	fail_msg("the engine failed, %d: %s", status, why);
}

void fixture_begin(struct fixture *f, const char *config)
{
	struct http_server_options listening = {.address = "127.0.0.1:0"};
	struct engine_options options = {.world = &f->world, .failed = on_failed};
	struct runtime_options running = {.world = &f->world, .loader = f->loader};
	struct err err = {{0}};
	int status;

	load_config(f, config);
	f->loop = loop_new();
	options.loop = running.loop = f->loop;
	options.config = running.config = f->config;
	f->engine = running.engine = engine_new(&options, &status, &err);
	if (!f->engine)
		fail_msg("%s", err.text);
	f->server = running.server = http_server_new(loop_base(f->loop), &listening, &err);
	if (!f->server)
		fail_msg("%s", err.text);
	f->runtime = runtime_new(&running);
	engine_start(f->engine);
	runtime_start(f->runtime);
}

void fixture_start(struct fixture *f, const char *config)
{
	fixture_begin(f, config);
	UNTIL(f, runtime_ready(f->runtime));
}

void fixture_close_runtime(struct fixture *f)
{
	runtime_stop(f->runtime);
	runtime_close(f->runtime);
}

void fixture_close_engine(struct fixture *f)
{
	if (f->journal_stopped)
		fixture_let_journal(f);
	engine_free(f->engine);
	runtime_free(f->runtime);
	http_server_free(f->server);
	f->network.free(&f->network);
	loop_free(f->loop);
	config_free(f->config);
	forget_requests(f);
	f->nhosts = 0;
	f->engine = NULL;
	f->runtime = NULL;
	f->server = NULL;
	f->loop = NULL;
	f->config = NULL;
}

void fixture_stop(struct fixture *f)
{
	fixture_close_runtime(f);
	fixture_close_engine(f);
}

void fixture_free(struct fixture *f)
{
	if (f->engine)
		fixture_stop(f);
	log_capture(NULL, NULL);
	run("rm -rf", f->directory, "");
	loader_free(f->loader);
	free(f->directory);
	free(f->requests);
	free(f->journal);
	buf_free(&f->log);
	pthread_mutex_destroy(&f->log_lock);
	sem_destroy(&f->stopped);
	sem_destroy(&f->go);
	free(f);
	current = NULL;
}

/* A breath for the other threads. */
void fixture_turn(struct fixture *f)
{
	struct timespec breath = {0, 300000};

	loop_turn(f->loop);
	nanosleep(&breath, NULL);
}

int64_t fixture_clock(void)
{
	return world_real()->boot(world_real());
}

bool fixture_late(int64_t since)
{
	return fixture_clock() - since > LATE_MS;
}

struct inside {
	void (*fn)(struct pm_host *h);
	bool *done;
};

static void call_inside(struct instance *i, void *arg)
{
	struct inside *in = arg;

	blocking_release(i);
	in->fn(&i->host);
	blocking_take(i);
	if (in->done)
		*in->done = true;
	free(in);
}

static void call(struct pm_host *h, void (*fn)(struct pm_host *h), bool *done)
{
	struct inside *in = mem_new(struct inside);

	in->fn = fn;
	in->done = done;
	instance_run((struct instance *)(void *)h, "a test", call_inside, free, in);
}

void fixture_call(struct pm_host *h, void (*fn)(struct pm_host *h))
{
	call(h, fn, NULL);
}

static const struct pm_emit *to_emit;
static pm_result emitted;

static void emit_it(struct pm_host *h)
{
	emitted = h->emit(h, to_emit);
}

pm_result fixture_emit(struct fixture *f, struct pm_host *h, const struct pm_emit *e)
{
	bool done = false;

	to_emit = e;
	call(h, emit_it, &done);
	UNTIL(f, done);
	return emitted;
}

static void stop_here(struct journal *j, struct sequencer *s, void *arg)
{
	struct fixture *f = arg;

	(void)j;
	(void)s;
	sem_post(&f->stopped);
	sem_wait(&f->go);
}

static void nothing(void *arg)
{
	(void)arg;
}

void fixture_stop_journal(struct fixture *f)
{
	f->journal_stopped = true;
	engine_ask(f->engine, stop_here, nothing, f);
	sem_wait(&f->stopped);
}

void fixture_let_journal(struct fixture *f)
{
	f->journal_stopped = false;
	sem_post(&f->go);
}

struct question {
	struct fixture *fixture;
	void (*job)(struct journal *j, struct fixture *f);
	bool answered;
};

static void ask_job(struct journal *j, struct sequencer *s, void *arg)
{
	struct question *q = arg;

	(void)s;
	if (q->job)
		q->job(j, q->fixture);
}

static void ask_done(void *arg)
{
	((struct question *)arg)->answered = true;
}

static void ask(struct fixture *f, void (*job)(struct journal *j, struct fixture *f))
{
	struct question q = {f, job, false};

	engine_ask(f->engine, ask_job, ask_done, &q);
	UNTIL(f, q.answered);
}

void fixture_settle(struct fixture *f)
{
	for (int n = 0; n < 20; n++)
		fixture_turn(f);
	for (int n = 0; n < 5 && !f->journal_stopped; n++) {
		ask(f, NULL);
		fixture_turn(f);
	}
}

char *fixture_copy(struct fixture *f)
{
	char *copy = new_directory(), *from = mem_format("%s/.", f->directory);

	run("cp -a", from, copy);
	free(from);
	return copy;
}

void fixture_take(struct fixture *f, char *directory)
{
	fixture_stop(f);
	run("rm -rf", f->directory, "");
	free(f->directory);
	f->directory = directory;
}

struct telling {
	struct journal *journal;
	struct buf out;
};

static bool tell_row(const struct delivery *d, void *arg)
{
	struct telling *t = arg;

	buf_printf(&t->out, "row %llu/%u %s", (unsigned long long)d->seq, d->duty.target,
		   delivery_state_name(d->state));
	if (d->held)
		buf_printf(&t->out, " held=%s", d->held);
	buf_printf(&t->out, ": %s\n", d->why ? d->why : "-");
	return true;
}

static bool tell_event(const struct journal_event *row, void *arg)
{
	struct telling *t = arg;
	const struct event *e = row->event;

	buf_printf(&t->out,
		   "event %llu %s id=%s cause=%llu hops=%u subject=%s refused=%d %.2000s\n",
		   (unsigned long long)e->seq, e->type, e->id, (unsigned long long)e->cause,
		   e->hops, e->subject ? e->subject : "-", row->refused, e->data);
	journal_deliveries(t->journal, e->seq, tell_row, t, NULL);
	return true;
}

static bool tell_saved(const char *key, const void *value, size_t len, void *arg)
{
	struct telling *t = arg;

	buf_printf(&t->out, "save %s=%.*s\n", key, (int)(len < 100 ? len : 100),
		   (const char *)value);
	return true;
}

static char *tell(struct journal *j)
{
	struct telling t = {.journal = j};
	char space[32];

	journal_events(j, 0, false, 10000, tell_event, &t, NULL);
	for (uint32_t number = 1; number < 10; number++) {
		journal_saved_space(number, space, sizeof space);
		journal_values(j, space, "", tell_saved, &t, NULL);
	}
	return buf_take(&t.out);
}

static void tell_journal(struct journal *j, struct fixture *f)
{
	free(f->journal);
	f->journal = tell(j);
}

const char *fixture_journal(struct fixture *f)
{
	ask(f, tell_journal);
	return f->journal ? f->journal : "";
}

char *fixture_journal_of(struct fixture *f, const char *directory)
{
	struct journal_opened found;
	struct err err = {{0}};
	struct journal *j = journal_open(&f->world, directory, &found, &err);
	char *text;

	if (!j)
		fail_msg("%s", err.text);
	free(found.damaged);
	text = tell(j);
	journal_leave(j);
	return text ? text : mem_text("");
}

const char *fixture_log(struct fixture *f)
{
	const char *text;

	pthread_mutex_lock(&f->log_lock);
	text = buf_text(&f->log);
	pthread_mutex_unlock(&f->log_lock);
	return text;
}

size_t fixture_times(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

bool fixture_logged(struct fixture *f, const char *part)
{
	bool found;

	pthread_mutex_lock(&f->log_lock);
	found = strstr(buf_text(&f->log), part) != NULL;
	pthread_mutex_unlock(&f->log_lock);
	return found;
}

struct request *fixture_request(struct fixture *f)
{
	assert_true(f->nrequests > 0);
	return &f->requests[f->nrequests - 1];
}

void fixture_answer(struct fixture *f, struct request *rq, int status, const char *headers,
		    const char *body)
{
	struct http_answer answer = {.status = status,
				     .error = status ? "" : "connection refused",
				     .body = body,
				     .body_len = strlen(body),
				     .headers = headers};

	(void)f;
	give_answer(rq, &answer);
}

struct looking {
	const char *instance, *metric;
	int64_t value;
	struct err problem;
};

static void see_counter(const char *instance, const char *metric, int64_t value, void *arg)
{
	struct looking *l = arg;

	if (strcmp(instance, l->instance) == 0 && strcmp(metric, l->metric) == 0)
		l->value = value;
}

int64_t fixture_counter(struct fixture *f, const char *instance, const char *metric)
{
	struct looking l = {.instance = instance, .metric = metric};

	runtime_counters(f->runtime, see_counter, &l);
	return l.value;
}

static void see_problem(const struct instance_config *section, const char *problem,
			int64_t silent_ms, void *arg)
{
	struct looking *l = arg;

	(void)silent_ms;
	if (strcmp(section->name, l->instance) == 0)
		err_set(&l->problem, "%s", problem);
}

const char *fixture_problem(struct fixture *f, const char *instance)
{
	static struct looking l;

	l = (struct looking){.instance = instance};
	err_set(&l.problem, "no such instance");
	runtime_each(f->runtime, see_problem, &l);
	return l.problem.text;
}

void peer_post(struct fixture *f, struct peer *p, const char *path, const char *body)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)http_server_port(f->server)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char *text = mem_format("POST %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
				"Content-Length: %zu\r\n\r\n%s",
				path, strlen(body), body);

	*p = (struct peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_int_equal(connect(p->fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(write(p->fd, text, strlen(text)), strlen(text));
	free(text);
}

bool peer_answered(struct peer *p)
{
	char part[4096];
	ssize_t n;

	while ((n = recv(p->fd, part, sizeof part, MSG_DONTWAIT)) > 0)
		buf_add(&p->got, part, (size_t)n);
	return n == 0;
}

void peer_close(struct peer *p)
{
	close(p->fd);
	buf_free(&p->got);
}
