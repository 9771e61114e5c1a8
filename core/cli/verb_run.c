#include "base/mem.h"
#include "cli/admin.h"
#include "cli/health.h"
#include "cli/notify.h"
#include "cli/verbs.h"
#include "plugin/check.h"
#include "plugin/lastcall.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LISTEN_MAX_BODY    (26 * 1024 * 1024) /* GitHub sends up to 25 MB */
#define LISTEN_CONNECTIONS 256
#define HEALTH_CONNECTIONS 16
#define REQUEST_MS         30000
#define DRAIN_MS           10000 /* systemd kills after 90 s */
#define CLOSE_S            10
#define DESCRIPTORS        65536
#define TRIM_MS            10000
#define LOOK_FIRST_MS      2    /* people and systemd wait for readiness: often at first, */
#define LOOK_LAST_MS       1000 /* and seldom when it takes its time */

struct daemon {
	struct service service;
	struct http_client *network;
	struct aws *aws;
	struct loader *loader;
	struct admin *admin;
	struct loop_watch *term, *interrupt, *hangup;
	struct loop_timer *ready, *watchdog, *trim;
	int64_t look_ms;
	uint64_t accepted; /* as last seen by trim() */
	bool trimmed;      /* and nothing came since */
	bool stopping;
};

static void on_failed(int status, const char *why, void *arg)
{
	(void)arg;
	log_error("%s", why);
	_exit(status);
}

static void on_drained(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->service.loop);
}

static void on_stop_signal(void *arg)
{
	struct daemon *d = arg;

	if (d->stopping) {
		log_warn(
			"asked twice to stop: stopping now; what is unfinished goes on at the next "
			"start");
		loop_stop(d->service.loop);
		return;
	}
	d->stopping = true;
	log_info("stopping: sources are quiet from now on, calls under way get %d s",
		 DRAIN_MS / 1000);
	notify("STOPPING=1");
	runtime_stop(d->service.runtime);
	engine_drain(d->service.engine, DRAIN_MS, on_drained, d);
}

/* Says once that all is ready. */
static void look_ready(void *arg)
{
	struct daemon *d = arg;

	if (!runtime_ready(d->service.runtime)) {
		loop_timer_set(d->ready, d->look_ms);
		d->look_ms = d->look_ms * 2 < LOOK_LAST_MS ? d->look_ms * 2 : LOOK_LAST_MS;
		return;
	}
	log_info("ready: %zu sections, generation %u", d->service.config->ninstances,
		 engine_stats(d->service.engine).generation);
	notify("READY=1\nSTATUS=ready");
}

static void feed_watchdog(void *arg)
{
	struct daemon *d = arg;

	notify("WATCHDOG=1");
	loop_timer_set(d->watchdog, notify_watchdog_ms());
}

/* glibc keeps what a burst took.  Large blocks are to be mapped whatever was freed before, or
 * bodies of requests would scatter the heap; and what is free goes back when it is quiet. */
static void set_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
#endif
}

static void trim(void *arg)
{
	struct daemon *d = arg;
	uint64_t accepted = engine_stats(d->service.engine).accepted;

	if (accepted != d->accepted)
		d->trimmed = false;
#ifdef __GLIBC__
	else if (!d->trimmed)
		d->trimmed = malloc_trim(0) >= 0;
#endif
	d->accepted = accepted;
	loop_timer_set(d->trim, TRIM_MS);
}

static void count_refused(int status, const char *path, void *arg)
{
	struct service *s = arg;

	if (status >= 400 && status < 600)
		s->refused[status - 400]++;
	log_debug("listen: %s answered %d", path, status);
}

/* A section that is not ready may not have registered its path. */
static bool awaits_paths(void *arg)
{
	const struct service *s = arg;

	return !s->runtime || !runtime_ready(s->runtime);
}

/* `senders`: those of webhooks use it, rather than the operator. */
static struct http_server *open_server(struct service *s, const char *key, const char *address,
				       int connections, size_t max_body, bool senders)
{
	struct http_server_options o = {
		.address = address,
		.max_body = max_body,
		.max_bodies = (size_t)s->config->max_intake,
		.timeout_ms = REQUEST_MS,
		.max_connections = connections,
		.certificate = senders ? s->config->certificate : NULL,
		.certificate_key = senders ? s->config->certificate_key : NULL,
		.refused = count_refused,
		.awaits_paths = senders ? awaits_paths : NULL,
		.arg = s,
	};
	struct err err = {{0}};
	struct http_server *server = http_server_new(loop_base(s->loop), &o, &err);

	if (server)
		log_info("%s on port %d of %s", key, http_server_port(server), address);
	else
		log_error("%s = %s: %s", key, address, err.text);
	return server;
}

static bool open_servers(struct service *s)
{
	const struct config *c = s->config;

	if (c->listen) {
		s->server = open_server(s, "listen", c->listen, LISTEN_CONNECTIONS, LISTEN_MAX_BODY,
					true);
		if (!s->server)
			return false;
	}
	if (c->metrics) {
		s->health = open_server(s, "metrics", c->metrics, HEALTH_CONNECTIONS, 4096, false);
		if (!s->health)
			return false;
		health_serve(s);
	}
	return true;
}

/* Every call outside takes one, and all targets may hang at once; what programs are started
 * with is a number for those that use select(). */
static void allow_descriptors(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) != 0 || most.rlim_cur >= DESCRIPTORS)
		return;
	most.rlim_cur = most.rlim_max < DESCRIPTORS ? most.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &most);
}

static bool open_network(struct daemon *d)
{
	struct service *s = &d->service;
	struct http_client_options o = {
		.proxy = s->config->proxy,
		.ca = s->config->ca,
		.agent = "pointsman/" POINTSMAN_VERSION,
	};
	struct err err = {{0}};

	d->network = http_client_new(loop_base(s->loop), &o, &err);
	if (!d->network) {
		log_error("the HTTP client: %s", err.text);
		return false;
	}
	s->world->network = d->network;
	d->aws = aws_new(s->world, loop_base(s->loop));
	return true;
}

static bool open_engine(struct daemon *d, int *status)
{
	struct service *s = &d->service;
	struct engine_options o = {.world = s->world,
				   .loop = s->loop,
				   .config = s->config,
				   .failed = on_failed,
				   .arg = d};
	struct err err = {{0}};

	s->engine = engine_new(&o, status, &err);
	if (!s->engine)
		log_error("%s", err.text);
	return s->engine != NULL;
}

static void open_runtime(struct daemon *d)
{
	struct service *s = &d->service;
	struct runtime_options o = {s->world,  s->loop,   s->config, d->loader,
				    s->engine, s->server, d->aws};

	s->runtime = runtime_new(&o);
}

static bool open_admin(struct daemon *d)
{
	struct err err = {{0}};

	if (!d->service.config->admin)
		return true;
	d->admin = admin_new(&d->service, d->service.config->admin, &err);
	if (!d->admin)
		log_error("%s", err.text);
	return d->admin != NULL;
}

static bool open_all(struct daemon *d, int *status)
{
	*status = EX_SOFTWARE;
	allow_descriptors();
	d->service.loop = loop_new();
	if (!d->service.loop || !open_network(d) || !open_engine(d, status))
		return false;
	*status = EX_UNAVAILABLE;
	if (!open_servers(&d->service))
		return false;
	open_runtime(d);
	*status = EX_CANTCREAT;
	return open_admin(d);
}

/* Who sends it expects a daemon to go on, not to be killed by it. */
static void on_hangup(void *arg)
{
	(void)arg;
	log_warn("SIGHUP: the configuration is read at start; restart to change it");
}

/* A plugin that blocks for ever must not keep the process: what was accepted is safe. */
static void leave(int number)
{
	static const char stuck[] = "pointsman: a plugin does not let go; leaving without it\n";
	ssize_t ignored = 0;

	if (number == SIGALRM)
		ignored = write(STDERR_FILENO, stuck, sizeof stuck - 1);
	(void)ignored;
	_exit(EX_OK);
}

/* Somebody has closed what is ours.  Nothing is orderly any more: what is still open may be
 * another file by now. */
static _Noreturn void lost_descriptors(void)
{
	log_error("the loop cannot go on: its descriptors were closed, and not by us; a plugin "
		  "must have done it. Stopping; what was accepted goes on at the next start");
	_exit(EX_SOFTWARE);
}

static void serve(struct daemon *d)
{
	struct loop *loop = d->service.loop;

	lastcall_watch();
	signal(SIGPIPE, SIG_IGN);
	/* What holds again once the loop watches them no more. */
	signal(SIGTERM, leave);
	signal(SIGINT, leave);
	d->term = loop_watch_signal(loop, SIGTERM, on_stop_signal, d);
	d->interrupt = loop_watch_signal(loop, SIGINT, on_stop_signal, d);
	d->hangup = loop_watch_signal(loop, SIGHUP, on_hangup, d);
	d->ready = loop_timer_new(loop, look_ready, d);
	d->watchdog = loop_timer_new(loop, feed_watchdog, d);
	d->trim = loop_timer_new(loop, trim, d);
	loop_timer_set(d->trim, TRIM_MS);
	engine_start(d->service.engine);
	runtime_start(d->service.runtime);
	d->look_ms = LOOK_FIRST_MS;
	look_ready(d);
	if (notify_watchdog_ms())
		feed_watchdog(d);
	if (!loop_run(loop))
		lost_descriptors();
}

/* Plugins first, because they may still say something to the engine; the engine then writes
 * it; nothing is freed that one of them could still reach. */
static void close_all(struct daemon *d)
{
	struct service *s = &d->service;

	loop_watch_free(d->term);
	loop_watch_free(d->interrupt);
	loop_watch_free(d->hangup);
	signal(SIGALRM, leave);
	alarm(CLOSE_S);
	admin_free(d->admin);
	if (s->runtime)
		runtime_close(s->runtime);
	if (s->engine)
		engine_free(s->engine);
	runtime_free(s->runtime);
	if (s->server)
		http_server_free(s->server);
	if (s->health)
		http_server_free(s->health);
	if (d->aws)
		aws_free(d->aws);
	if (d->network)
		d->network->free(d->network);
	loop_timer_free(d->ready);
	loop_timer_free(d->watchdog);
	loop_timer_free(d->trim);
	loop_free(s->loop);
}

/* All mistakes at once, before anything is started. */
static bool check(struct daemon *d, const struct options *o)
{
	struct report report = {0};
	struct config *c = config_load(o->paths, o->npaths, &report);
	struct buf text = {0};
	bool good;

	d->service.config = c;
	d->loader = loader_new(options_plugins(c));
	check_config(c, d->loader, &report);
	report_print(&report, &text);
	fputs(buf_text(&text), stderr);
	good = report.errors == 0;
	if (!good)
		fprintf(stderr,
			"pointsman: %zu mistake%s in the configuration; nothing was started\n",
			report.errors, report.errors == 1 ? "" : "s");
	buf_free(&text);
	report_free(&report);
	return good;
}

static void set_log(const struct options *o, const struct config *c)
{
	enum log_level level = LOG_INFO;
	const char *blank;
	char *word;

	if (o->verbose || o->quiet || !c->log)
		return;
	blank = strchr(c->log, ' ');
	word = mem_slice(c->log, blank ? (size_t)(blank - c->log) : strlen(c->log));
	if (log_level_parse(word, &level))
		log_setup(level, o->log_json || (blank && strstr(blank, "json")));
	free(word);
}

int verb_run(const struct options *o)
{
	struct daemon d = {.service.world = world_real()};
	int status = EX_CONFIG;

	set_memory();
	if (check(&d, o)) {
		set_log(o, d.service.config);
		d.service.started_at = d.service.world->wall(d.service.world);
		if (open_all(&d, &status)) {
			serve(&d);
			status = EX_OK;
		}
		close_all(&d);
		log_info("stopped");
	}
	loader_free(d.loader);
	config_free((struct config *)(uintptr_t)d.service.config);
	return status;
}
