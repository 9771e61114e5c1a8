#include "cli/health.h"

#include <inttypes.h>
#include <string.h>

static void answer(struct http_exchange *x, int status, const char *type, const char *body)
{
	const char *headers[] = {type, "Cache-Control: no-store", NULL};

	http_reply(x, status, headers, body, strlen(body));
}

static void healthz(struct http_exchange *x, void *arg)
{
	(void)arg;
	answer(x, 200, "Content-Type: text/plain", "ok\n");
}

static void readyz(struct http_exchange *x, void *arg)
{
	struct buf reasons = {0};

	service_reasons(arg, &reasons);
	if (strcmp(buf_text(&reasons), "[]") == 0) {
		answer(x, 200, "Content-Type: text/plain", "ready\n");
	} else {
		buf_char(&reasons, '\n');
		answer(x, 503, "Content-Type: application/json", buf_text(&reasons));
	}
	buf_free(&reasons);
}

struct metrics {
	struct service *service;
	struct buf *out;
};

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP pointsman_%s %s\n# TYPE pointsman_%s %s\n", name, help, name, type);
}

static void single(struct buf *out, const char *name, const char *type, const char *help,
		   uint64_t n)
{
	head(out, name, type, help);
	buf_printf(out, "pointsman_%s %" PRIu64 "\n", name, n);
}

static void engine_metrics(struct service *s, struct buf *out)
{
	struct engine_stats e = engine_stats(s->engine);

	head(out, "build_info", "gauge", "The version that runs.");
	buf_text_add(out, "pointsman_build_info{version=\"" POINTSMAN_VERSION "\"} 1\n");
	single(out, "events_accepted_total", "counter", "Events accepted since start.", e.accepted);
	single(out, "events_duplicate_total", "counter", "Repeats dropped since start.",
	       e.duplicates);
	single(out, "events_refused_total", "counter", "Events kept as dead letters at intake.",
	       e.refused);
	single(out, "journal_bytes", "gauge", "Size of the journal's files.",
	       (uint64_t)e.journal_bytes);
	single(out, "journal_full", "gauge", "1 while intake has stopped for want of room.",
	       e.full);
	single(out, "config_generation", "gauge", "Generation of the rules in use.", e.generation);
}

static const struct {
	const char *name, *type, *help;
} lane_metrics[] = {
	{"queue_events", "gauge", "Deliveries in memory or with a row that have not ended."},
	{"deliveries_done_total", "counter", "Deliveries that succeeded since start."},
	{"deliveries_dead_total", "counter", "Deliveries that became dead letters since start."},
	{"delivery_attempts_total", "counter", "Attempts since start."},
	{"breaker_open", "gauge", "1 while nothing but probes is sent to the target."},
};

static uint64_t lane_metric(const struct lane_stats *l, size_t which)
{
	switch (which) {
	case 0: return l->waiting + l->called + l->held + l->retry;
	case 1: return l->done;
	case 2: return l->dead;
	case 3: return l->attempts;
	default: return l->open;
	}
}

static void all_lanes(struct service *s, struct buf *out)
{
	struct lane_stats lane;

	for (size_t m = 0; m < sizeof lane_metrics / sizeof *lane_metrics; m++) {
		head(out, lane_metrics[m].name, lane_metrics[m].type, lane_metrics[m].help);
		for (size_t n = 0; n < s->config->ninstances; n++) {
			const char *name = s->config->instances[n].name;

			if (engine_lane_stats(s->engine, name, &lane))
				buf_printf(out, "pointsman_%s{target=\"%s\"} %" PRIu64 "\n",
					   lane_metrics[m].name, name, lane_metric(&lane, m));
		}
	}
}

static void add_source(const struct instance_config *section, const char *problem,
		       int64_t silent_ms, void *arg)
{
	(void)problem;
	if (section->kind == INSTANCE_SOURCE)
		buf_printf(arg, "pointsman_source_last_success_seconds{source=\"%s\"} %.3f\n",
			   section->name, (double)silent_ms / 1000);
}

static void add_ready(const struct instance_config *section, const char *problem, int64_t silent_ms,
		      void *arg)
{
	(void)silent_ms;
	buf_printf(arg, "pointsman_instance_ready{instance=\"%s\"} %d\n", section->name, !*problem);
}

static void add_counter(const char *instance, const char *metric, int64_t value, void *arg)
{
	buf_printf(arg, "pointsman_plugin_total{instance=\"%s\",what=\"%s\"} %" PRId64 "\n",
		   instance, metric, value);
}

static void all_refused(const struct service *s, struct buf *out)
{
	head(out, "http_refused_total", "counter", "Requests refused before any plugin saw them.");
	for (size_t n = 0; n < sizeof s->refused / sizeof *s->refused; n++) {
		if (s->refused[n])
			buf_printf(out,
				   "pointsman_http_refused_total{status=\"%zu\"} %" PRIu64 "\n",
				   400 + n, s->refused[n]);
	}
}

static void metrics(struct http_exchange *x, void *arg)
{
	struct service *s = arg;
	struct buf out = {0};

	engine_metrics(s, &out);
	all_lanes(s, &out);
	head(&out, "source_last_success_seconds", "gauge", "Since upstream was heard last.");
	runtime_each(s->runtime, add_source, &out);
	head(&out, "instance_ready", "gauge", "1 when the section's plugin is ready.");
	runtime_each(s->runtime, add_ready, &out);
	head(&out, "plugin_total", "counter", "What plugins count.");
	runtime_counters(s->runtime, add_counter, &out);
	all_refused(s, &out);
	answer(x, 200, "Content-Type: text/plain; version=0.0.4", buf_text(&out));
	buf_free(&out);
}

void health_serve(struct service *s)
{
	http_server_route(s->health, "/healthz", "GET,HEAD", healthz, s);
	http_server_route(s->health, "/readyz", "GET,HEAD", readyz, s);
	http_server_route(s->health, "/metrics", "GET,HEAD", metrics, s);
}
