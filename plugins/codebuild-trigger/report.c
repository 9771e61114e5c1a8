/* A build as events. */
#include "trigger.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REASON 2000

static const struct {
	const char *status, *type;
} ends[] = {
	{"SUCCEEDED", "build.succeeded"}, {"FAILED", "build.failed"},
	{"FAULT", "build.failed"},        {"STOPPED", "build.stopped"},
	{"TIMED_OUT", "build.timed-out"},
};

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static const char *end_of(const json_t *build)
{
	const char *status = text(build, "buildStatus");

	for (size_t i = 0; status && i < sizeof ends / sizeof *ends; i++) {
		if (strcmp(status, ends[i].status) == 0)
			return ends[i].type;
	}
	return NULL;
}

bool report_ended(struct pm_host *h, const json_t *build)
{
	const char *status = text(build, "buildStatus");

	if (end_of(build))
		return true;
	if ((!status || strcmp(status, "IN_PROGRESS") != 0) && !trigger_of(h)->odd) {
		trigger_of(h)->odd = true;
		h->log(h, PM_WARN, "build %s has the unknown status \"%s\": taken for running",
		       text(build, "id"), status ? status : "");
	}
	return false;
}

static void cut(struct buf *b, size_t len)
{
	if (b->len <= len)
		return;
	while (len && ((unsigned char)b->data[len] & 0xC0) == 0x80)
		len--; /* not within a letter */
	buf_cut(b, len);
}

static void add_contexts(struct buf *out, const json_t *phase)
{
	const json_t *contexts = json_object_get(phase, "contexts");
	size_t i;
	json_t *context;

	json_array_foreach((json_t *)contexts, i, context)
	{
		const char *code = text(context, "statusCode"), *message = text(context, "message");

		if (code && *code)
			buf_printf(out, ": %s", code);
		if (message && *message)
			buf_printf(out, ": %s", message);
	}
}

/* "BUILD: COMMAND_EXECUTION_ERROR: .. exit status 1", of every phase that did not succeed. */
static void add_reason(struct buf *out, const json_t *build)
{
	const json_t *phases = json_object_get(build, "phases");
	size_t i;
	json_t *phase;

	json_array_foreach((json_t *)phases, i, phase)
	{
		const char *status = text(phase, "phaseStatus");

		if (!status || strcmp(status, "SUCCEEDED") == 0)
			continue;
		if (out->len)
			buf_text_add(out, "; ");
		buf_text_add(out, text(phase, "phaseType") ? text(phase, "phaseType") : "?");
		add_contexts(out, phase);
	}
	if (!out->len)
		buf_text_add(out, text(build, "buildStatus") ? text(build, "buildStatus") : "?");
	cut(out, MAX_REASON);
}

static json_t *phases_of(const json_t *build)
{
	const json_t *phases = json_object_get(build, "phases");
	json_t *all = json_array(), *phase;
	size_t i;

	json_array_foreach((json_t *)phases, i, phase)
	{
		json_t *seconds = json_object_get(phase, "durationInSeconds");

		json_array_append_new(all, json_pack("{s:s*, s:s*, s:O*}", "name",
						     text(phase, "phaseType"), "status",
						     text(phase, "phaseStatus"), "seconds",
						     json_is_number(seconds) ? seconds : NULL));
	}
	return all;
}

static double time_of(const json_t *build, const char *name)
{
	double seconds = json_number_value(json_object_get(build, name));

	return seconds > 0 && seconds < 1e12 ? seconds : 0;
}

static json_int_t seconds_of(struct pm_host *h, const json_t *build)
{
	double start = time_of(build, "startTime"), end = time_of(build, "endTime");

	if (end <= 0)
		end = (double)h->now(h) / 1000;
	return start > 0 && end > start ? (json_int_t)(end - start + 0.5) : 0;
}

/* Also the first part of the build's id. */
static char *project_of(const json_t *build)
{
	const char *name = text(build, "projectName"), *id = text(build, "id");

	return name ? mem_text(name) : mem_slice(id, strcspn(id, ":"));
}

/* What every event of a build has. */
static json_t *data_of(const json_t *build)
{
	json_t *number = json_object_get(build, "buildNumber"), *data;
	const char *version = text(build, "resolvedSourceVersion");
	char *project = project_of(build);

	data = json_pack("{s:s, s:s*, s:O*, s:s*, s:s*}", "project", project, "build",
			 text(build, "id"), "number", json_is_integer(number) ? number : NULL,
			 "version", version ? version : text(build, "sourceVersion"), "log",
			 text(json_object_get(build, "logs"), "deepLink"));
	free(project);
	return data;
}

static void emit(struct pm_host *h, pm_delivery d, const char *type, const json_t *build,
		 const char *time, json_t *data)
{
	char *json = json_dumps(data, JSON_COMPACT), *project = project_of(build);

	h->emit(h,
		&PM_EMIT(.type = type, .subject = project, .json = json, .time = time, .cause = d));
	free(project);
	free(json);
	json_decref(data);
}

void report_started(struct pm_host *h, pm_delivery d, const json_t *build)
{
	emit(h, d, "build.started", build, NULL, data_of(build));
}

void report_end(struct pm_host *h, pm_delivery d, const json_t *build, const char *reason)
{
	const char *type = end_of(build);
	json_t *data = data_of(build);
	struct buf why = {0};
	char time[32];
	double end = time_of(build, "endTime");

	if (!type)
		type = "build.stopped"; /* as it was just told to */
	if (reason)
		buf_text_add(&why, reason);
	else
		add_reason(&why, build);
	if (strcmp(type, "build.succeeded") != 0)
		json_object_set_new(data, "reason", json_string(buf_text(&why)));
	json_object_set(data, "status", json_object_get(build, "buildStatus"));
	json_object_set_new(data, "seconds", json_integer(seconds_of(h, build)));
	json_object_set_new(data, "phases", phases_of(build));
	snprintf(time, sizeof time, "%lld", (long long)(end * 1000));
	emit(h, d, type, build, end > 0 ? time : NULL, data);
	buf_free(&why);
}
