#include "testhost.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

#define EVENT                                                                                      \
	"{\"type\":\"pointsman.rule.fired\",\"inputs\":{\"repo\":{\"data\":{\"after\":\"abc123\"}" \
	"},"                                                                                       \
	"\"in\":{\"data\":{\"version-id\":\"v-in\"}}}}"

#define MINUTE (60 * 1000)

static const char *const settings[] = {"project",
				       "site",
				       "source-version",
				       "{{ inputs.repo.data.after }}",
				       "env.IN_VERSION",
				       "{{ inputs.in.data.version-id }}",
				       "secondary-version.meta",
				       "{{ inputs.in.data.version-id }}",
				       "image",
				       "builder:2",
				       "buildspec",
				       "version: 0.2",
				       "region",
				       "eu-west-1",
				       NULL};

static struct testhost *host(void)
{
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "build-site", settings);

	assert_non_null(t);
	assert_true(testhost_start(t));
	return t;
}

static json_t *asked(struct testhost *t, const char *operation)
{
	char target[64];
	json_t *body = json_loads(testhost_request(t)->body, 0, NULL);

	snprintf(target, sizeof target, "CodeBuild_20161006.%s", operation);
	assert_string_equal(testhost_request_header(t, "X-Amz-Target"), target);
	assert_non_null(body);
	return body;
}

static void assert_asked(struct testhost *t, const char *operation)
{
	json_decref(asked(t, operation));
}

static void answer_build(struct testhost *t, const char *id, const char *status)
{
	char body[512];

	snprintf(body, sizeof body,
		 "{\"build\":{\"id\":\"%s\",\"projectName\":\"site\",\"buildNumber\":7,"
		 "\"buildStatus\":\"%s\",\"sourceVersion\":\"abc123\",\"startTime\":1700000000.5,"
		 "\"logs\":{\"deepLink\":\"https://logs/1\"}}}",
		 id, status);
	testhost_answer(t, 200, NULL, body);
}

/* Deliver, and have the build started. */
static pm_delivery begin(struct testhost *t, const char *id)
{
	pm_delivery d = testhost_deliver(t, EVENT);

	answer_build(t, id, "IN_PROGRESS");
	assert_string_equal(testhost_event(t)->type, "build.started");
	assert_string_equal(testhost_held(t, d), id);
	return d;
}

/* Come back from being held, up to the BatchGetBuilds. */
static void look(struct testhost *t, pm_delivery d)
{
	testhost_again(t, d);
	testhost_advance(t, 100);
	assert_asked(t, "BatchGetBuilds");
}

static json_t *event_data(const struct testhost_event *e)
{
	json_t *data = json_loads(e->json, 0, NULL);

	assert_non_null(data);
	return data;
}

static const char *text(const json_t *data, const char *name)
{
	return json_string_value(json_object_get(data, name));
}

static void the_request_has_all_that_was_configured(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);
	json_t *body = asked(t, "StartBuild"), *env, *secondary;

	(void)state;
	assert_string_equal(testhost_request(t)->aws, "codebuild:eu-west-1");
	assert_string_equal(testhost_request_header(t, "Content-Type"),
			    "application/x-amz-json-1.1");
	assert_string_equal(text(body, "projectName"), "site");
	assert_string_equal(text(body, "sourceVersion"), "abc123");
	assert_string_equal(text(body, "imageOverride"), "builder:2");
	assert_string_equal(text(body, "buildspecOverride"), "version: 0.2");
	assert_int_equal(strlen(text(body, "idempotencyToken")), 64);
	secondary = json_array_get(json_object_get(body, "secondarySourcesVersionOverride"), 0);
	assert_string_equal(text(secondary, "sourceIdentifier"), "meta");
	assert_string_equal(text(secondary, "sourceVersion"), "v-in");
	env = json_object_get(body, "environmentVariablesOverride");
	assert_int_equal(json_array_size(env), 2);
	assert_string_equal(text(json_array_get(env, 0), "name"), "IN_VERSION");
	assert_string_equal(text(json_array_get(env, 0), "value"), "v-in");
	assert_string_equal(text(json_array_get(env, 0), "type"), "PLAINTEXT");
	assert_string_equal(text(json_array_get(env, 1), "name"), "POINTSMAN_DELIVERY");
	assert_string_equal(text(json_array_get(env, 1), "value"), "key-1");
	json_decref(body);
	answer_build(t, "site:1", "IN_PROGRESS");
	assert_int_equal(testhost_end(t, d), TESTHOST_HELD);
	testhost_free(t);
}

static void what_is_not_configured_is_not_sent(void **state)
{
	static const char *const least[] = {"project", "site", NULL};
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "b", least);
	json_t *body;

	(void)state;
	testhost_deliver(t, EVENT);
	body = asked(t, "StartBuild");
	assert_int_equal(json_object_size(body), 3); /* project, marker, token */
	json_decref(body);
	testhost_free(t);
}

static void a_build_is_told_when_it_starts(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);
	const struct testhost_event *e;
	json_t *data;

	(void)state;
	answer_build(t, "site:1", "IN_PROGRESS");
	e = testhost_event(t);
	assert_string_equal(e->type, "build.started");
	assert_string_equal(e->subject, "site");
	assert_true(e->cause == d);
	data = event_data(e);
	assert_string_equal(text(data, "build"), "site:1");
	assert_string_equal(text(data, "version"), "abc123");
	assert_string_equal(text(data, "log"), "https://logs/1");
	assert_int_equal(json_integer_value(json_object_get(data, "number")), 7);
	json_decref(data);
	testhost_free(t);
}

/* Nothing that an event must have is left to the answer. */
static void a_build_that_names_no_project_has_it_in_its_id(void **state)
{
	struct testhost *t = host();
	const struct testhost_event *e;
	json_t *data;

	(void)state;
	testhost_deliver(t, EVENT);
	testhost_answer(t, 200, NULL, "{\"build\":{\"id\":\"site:1\",\"startTime\":1e300}}");
	e = testhost_event(t);
	assert_string_equal(e->subject, "site");
	data = event_data(e);
	assert_string_equal(text(data, "project"), "site");
	json_decref(data);
	testhost_free(t);
}

#define DONE                                                                                       \
	"{\"builds\":[{\"id\":\"site:1\",\"projectName\":\"site\",\"buildStatus\":\"%s\","         \
	"\"sourceVersion\":\"main\",\"resolvedSourceVersion\":\"abc123\","                         \
	"\"startTime\":1700000000.25,\"endTime\":1700000125.5,\"phases\":["                        \
	"{\"phaseType\":\"QUEUED\",\"phaseStatus\":\"SUCCEEDED\",\"durationInSeconds\":3},"        \
	"{\"phaseType\":\"BUILD\",\"phaseStatus\":\"%s\",\"durationInSeconds\":120,\"contexts\":[" \
	"{\"statusCode\":\"COMMAND_EXECUTION_ERROR\",\"message\":\"make: exit status 2\"}]},"      \
	"{\"phaseType\":\"COMPLETED\"}],\"logs\":{\"deepLink\":\"https://logs/1\"}}]}"

static void finish_build(struct testhost *t, const char *status, const char *phase)
{
	char body[2048];

	snprintf(body, sizeof body, DONE, status, phase);
	testhost_answer(t, 200, NULL, body);
}

static void each_end_of_a_build_is_an_event_and_the_duty_is_done(void **state)
{
	static const struct {
		const char *status, *type;
	} ends[] = {
		{"SUCCEEDED", "build.succeeded"}, {"FAILED", "build.failed"},
		{"FAULT", "build.failed"},        {"STOPPED", "build.stopped"},
		{"TIMED_OUT", "build.timed-out"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct testhost *t = host();
		pm_delivery d = begin(t, "site:1");
		const struct testhost_event *e;

		look(t, d);
		finish_build(t, ends[i].status, "FAILED");
		e = testhost_event(t);
		assert_string_equal(e->type, ends[i].type);
		assert_true(e->cause == d);
		assert_string_equal(e->time, "1700000125500");
		assert_int_equal(testhost_end(t, d), TESTHOST_OK);
		testhost_free(t);
	}
}

static void the_end_tells_phases_reason_and_time(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");
	json_t *data, *phases;

	(void)state;
	look(t, d);
	finish_build(t, "FAILED", "FAILED");
	data = event_data(testhost_event(t));
	assert_string_equal(text(data, "project"), "site");
	assert_string_equal(text(data, "version"), "abc123");
	assert_string_equal(text(data, "status"), "FAILED");
	assert_string_equal(text(data, "reason"),
			    "BUILD: COMMAND_EXECUTION_ERROR: make: exit status 2");
	assert_int_equal(json_integer_value(json_object_get(data, "seconds")), 125);
	phases = json_object_get(data, "phases");
	assert_int_equal(json_array_size(phases), 3);
	assert_string_equal(text(json_array_get(phases, 1), "name"), "BUILD");
	assert_string_equal(text(json_array_get(phases, 1), "status"), "FAILED");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(phases, 1), "seconds")),
			 120);
	json_decref(data);
	testhost_free(t);
}

static void a_success_has_no_reason(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");
	json_t *data;

	(void)state;
	look(t, d);
	finish_build(t, "SUCCEEDED", "SUCCEEDED");
	data = event_data(testhost_event(t));
	assert_null(json_object_get(data, "reason"));
	json_decref(data);
	testhost_free(t);
}

static void a_failure_without_words_still_has_a_reason(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");
	json_t *data;

	(void)state;
	look(t, d);
	testhost_answer(t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:1\",\"projectName\":\"site\","
			"\"buildStatus\":\"FAULT\"}]}");
	data = event_data(testhost_event(t));
	assert_string_equal(text(data, "reason"), "FAULT");
	json_decref(data);
	testhost_free(t);
}

static void a_running_build_is_held_on(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");

	(void)state;
	for (int i = 0; i < 3; i++) {
		look(t, d);
		testhost_answer(
			t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:1\",\"buildStatus\":\"IN_PROGRESS\"}]}");
		assert_string_equal(testhost_held(t, d), "site:1");
		assert_in_range(testhost_retry_after(t, d), 8000, 12000);
	}
	testhost_free(t);
}

static void a_clock_that_is_set_back_puts_off_no_look(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");

	(void)state;
	testhost_set_clock(t, -24 * 60 * MINUTE);
	look(t, d);
	testhost_answer(t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:1\",\"buildStatus\":\"IN_PROGRESS\"}]}");
	assert_in_range(testhost_retry_after(t, d), 8000, 12000);
	testhost_free(t);
}

static void an_unknown_status_is_not_an_end(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");

	(void)state;
	look(t, d);
	testhost_answer(t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:1\",\"buildStatus\":\"HIBERNATING\"}]}");
	assert_int_equal(testhost_end(t, d), TESTHOST_HELD);
	assert_non_null(strstr(testhost_last_log(t), "HIBERNATING"));
	testhost_free(t);
}

static void all_live_builds_are_asked_for_in_one_call(void **state)
{
	struct testhost *t = host();
	pm_delivery a = begin(t, "site:1"), b = begin(t, "site:2");
	json_t *body, *ids;

	(void)state;
	assert_true(testhost_retry_after(t, a) == testhost_retry_after(t, b));
	testhost_again(t, a);
	testhost_again(t, b);
	testhost_advance(t, 100);
	assert_int_equal(testhost_requests(t), 1);
	body = asked(t, "BatchGetBuilds");
	ids = json_object_get(body, "ids");
	assert_int_equal(json_array_size(ids), 2);
	json_decref(body);
	testhost_answer(t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:2\",\"projectName\":\"site\","
			"\"buildStatus\":\"SUCCEEDED\"},{\"id\":\"site:1\","
			"\"buildStatus\":\"IN_PROGRESS\"}]}");
	assert_int_equal(testhost_end(t, a), TESTHOST_HELD);
	assert_int_equal(testhost_end(t, b), TESTHOST_OK);
	testhost_free(t);
}

static void more_than_a_hundred_take_two_calls(void **state)
{
	struct testhost *t = host();
	pm_delivery all[101];
	char id[24];

	(void)state;
	for (int i = 0; i < 101; i++) {
		snprintf(id, sizeof id, "site:%d", i);
		all[i] = begin(t, id);
	}
	for (int i = 0; i < 101; i++)
		testhost_again(t, all[i]);
	testhost_advance(t, 100);
	assert_int_equal(testhost_requests(t), 2);
	testhost_answer(t, 200, NULL, "{\"builds\":[]}");
	testhost_answer(t, 200, NULL, "{\"builds\":[]}");
	for (int i = 0; i < 101; i++)
		assert_int_equal(testhost_end(t, all[i]), TESTHOST_HELD);
	testhost_free(t);
}

static void trouble_in_asking_starts_no_second_build(void **state)
{
	static const struct {
		int status;
		const char *body;
	} answers[] = {
		{0, "timed out"},
		{503, ""},
		{400, "{\"__type\":\"ThrottlingException\"}"},
		{403, "{\"__type\":\"AccessDeniedException\"}"},
		{200, "not json"},
		{200, "{}"},
		{200, "{\"builds\":[{\"id\":7}],\"buildsNotFound\":[7]}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct testhost *t = host();
		pm_delivery d = begin(t, "site:1");

		look(t, d);
		if (answers[i].status)
			testhost_answer(t, answers[i].status, NULL, answers[i].body);
		else
			testhost_no_answer(t, answers[i].body);
		assert_string_equal(testhost_held(t, d), "site:1");
		testhost_free(t);
	}
}

static void a_build_nobody_knows_is_refused(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");

	(void)state;
	look(t, d);
	testhost_answer(t, 200, NULL, "{\"builds\":[],\"buildsNotFound\":[\"site:1\"]}");
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_string_equal(testhost_why(t, d),
			    "build site:1 is not known to CodeBuild (any more)");
	testhost_free(t);
}

static void following_goes_on_after_a_restart(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");

	(void)state;
	testhost_restart(t);
	look(t, d);
	finish_build(t, "SUCCEEDED", "SUCCEEDED");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static char *token(struct testhost *t)
{
	json_t *body = asked(t, "StartBuild");
	char *copy = strdup(text(body, "idempotencyToken"));

	json_decref(body);
	return copy;
}

static void within_five_minutes_the_token_makes_a_retry_safe(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);
	char *first = token(t), *second;

	(void)state;
	testhost_no_answer(t, "timed out");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	testhost_advance(t, MINUTE);
	testhost_restart(t);
	testhost_again(t, d);
	second = token(t);
	assert_string_equal(first, second);
	answer_build(t, "site:1", "IN_PROGRESS");
	assert_null(testhost_saved(t, "start/key-1"));
	free(first);
	free(second);
	testhost_free(t);
}

/* A StartBuild whose answer was lost, and the next attempt ten minutes later. */
static pm_delivery lost(struct testhost *t)
{
	pm_delivery d = testhost_deliver(t, EVENT);

	testhost_no_answer(t, "timed out");
	testhost_advance(t, 10 * MINUTE);
	testhost_again(t, d);
	return d;
}

static void after_five_minutes_our_own_build_is_looked_for(void **state)
{
	struct testhost *t = host();
	pm_delivery d = lost(t);
	json_t *body = asked(t, "ListBuildsForProject");

	(void)state;
	assert_string_equal(text(body, "projectName"), "site");
	assert_string_equal(text(body, "sortOrder"), "DESCENDING");
	json_decref(body);
	testhost_answer(t, 200, NULL, "{\"ids\":[\"site:9\",\"site:8\"],\"nextToken\":\"n\"}");
	assert_asked(t, "BatchGetBuilds");
	testhost_answer(t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:9\",\"startTime\":1700000300,\"environment\":{"
			"\"environmentVariables\":[{\"name\":\"POINTSMAN_DELIVERY\",\"value\":"
			"\"key-2\"}]}},"
			"{\"id\":\"site:8\",\"projectName\":\"site\",\"startTime\":1700000001,"
			"\"environment\":{"
			"\"environmentVariables\":[{\"name\":\"A\",\"value\":\"key-1\"},"
			"{\"name\":\"POINTSMAN_DELIVERY\",\"value\":\"key-1\"}]}}]}");
	assert_string_equal(testhost_held(t, d), "site:8");
	assert_string_equal(testhost_event(t)->type, "build.started");
	testhost_free(t);
}

static void after_the_clock_was_set_back_our_own_build_is_looked_for(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	testhost_no_answer(t, "timed out");
	testhost_set_clock(t, -60 * MINUTE);
	testhost_again(t, d);
	assert_asked(t, "ListBuildsForProject");
	testhost_answer(t, 200, NULL, "{\"ids\":[\"site:9\"]}");
	assert_asked(t, "BatchGetBuilds");
	testhost_answer(
		t, 200, NULL,
		"{\"builds\":[{\"id\":\"site:9\",\"projectName\":\"site\",\"startTime\":1600000000,"
		"\"environment\":{\"environmentVariables\":["
		"{\"name\":\"POINTSMAN_DELIVERY\",\"value\":\"key-1\"}]}}]}");
	assert_string_equal(testhost_held(t, d), "site:9");
	testhost_free(t);
}

static void a_build_that_never_was_is_started(void **state)
{
	struct testhost *t = host();
	pm_delivery d = lost(t);

	(void)state;
	testhost_answer(t, 200, NULL, "{\"ids\":[\"site:9\"],\"nextToken\":\"n\"}");
	testhost_answer(t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:9\",\"startTime\":1700000300}]}");
	assert_asked(t, "ListBuildsForProject"); /* the next page */
	assert_non_null(strstr(testhost_request(t)->body, "\"nextToken\":\"n\""));
	testhost_answer(t, 200, NULL, "{\"ids\":[\"site:1\"],\"nextToken\":\"m\"}");
	/* older than any that could be ours: no further page */
	testhost_answer(t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:1\",\"startTime\":1699990000}]}");
	assert_asked(t, "StartBuild");
	answer_build(t, "site:10", "IN_PROGRESS");
	assert_string_equal(testhost_held(t, d), "site:10");
	testhost_free(t);
}

static void a_project_without_builds_has_none_of_ours(void **state)
{
	struct testhost *t = host();

	(void)state;
	lost(t);
	testhost_answer(t, 200, NULL, "{\"ids\":[]}");
	assert_asked(t, "StartBuild");
	testhost_free(t);
}

static void trouble_in_looking_starts_nothing(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum testhost_end end;
	} answers[] = {
		{503, "", TESTHOST_RETRY},
		{200, "no json", TESTHOST_RETRY},
		{400, "{\"__type\":\"InvalidInputException\"}", TESTHOST_REJECT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		for (int second = 0; second < 2; second++) {
			struct testhost *t = host();
			pm_delivery d = lost(t);

			if (second)
				testhost_answer(t, 200, NULL, "{\"ids\":[\"site:9\"]}");
			testhost_answer(t, answers[i].status, NULL, answers[i].body);
			assert_int_equal(testhost_end(t, d), answers[i].end);
			assert_int_equal(testhost_requests(t), 0);
			testhost_free(t);
		}
	}
}

static void the_note_of_the_first_try_is_kept_over_a_kill(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	testhost_restart(t); /* the answer never came */
	testhost_advance(t, 10 * MINUTE);
	testhost_again(t, d);
	assert_asked(t, "ListBuildsForProject");
	testhost_free(t);
}

static void old_notes_are_dropped(void **state)
{
	struct testhost *t = host();

	(void)state;
	testhost_deliver(t, EVENT);
	testhost_no_answer(t, "timed out");
	testhost_advance(t, 15 * 24 * 60 * MINUTE);
	assert_non_null(testhost_saved(t, "start/key-1"));
	testhost_restart(t);
	assert_null(testhost_saved(t, "start/key-1"));
	testhost_free(t);
}

static void answers_to_start_build_end_as_they_should(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum testhost_end end;
	} answers[] = {
		{400, "{\"__type\":\"AccountLimitExceededException\",\"message\":\"too many\"}",
		 TESTHOST_RETRY},
		{400, "{\"__type\":\"ThrottlingException\"}", TESTHOST_RETRY},
		{500, "", TESTHOST_RETRY},
		{200, "{}", TESTHOST_RETRY},
		{200, "<html>", TESTHOST_RETRY},
		{400, "{\"__type\":\"InvalidInputException\"}", TESTHOST_REJECT},
		{400, "{\"__type\":\"ResourceNotFoundException\"}", TESTHOST_REJECT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct testhost *t = host();
		pm_delivery d = testhost_deliver(t, EVENT);

		testhost_answer(t, answers[i].status, NULL, answers[i].body);
		assert_int_equal(testhost_end(t, d), answers[i].end);
		assert_int_equal(testhost_events(t), 0);
		testhost_free(t);
	}
}

static void at_its_deadline_the_build_is_stopped(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");
	const struct testhost_event *e;
	json_t *data;

	(void)state;
	testhost_cancel(t, d);
	assert_string_equal(testhost_request(t)->body, "{\"id\":\"site:1\"}");
	assert_asked(t, "StopBuild");
	answer_build(t, "site:1", "STOPPED");
	e = testhost_event(t);
	assert_string_equal(e->type, "build.stopped");
	data = event_data(e);
	assert_string_equal(text(data, "reason"),
			    "stopped by pointsman: its deadline of 1h was over");
	json_decref(data);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void a_build_that_ended_before_it_was_stopped_keeps_its_end(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");

	(void)state;
	testhost_cancel(t, d);
	testhost_answer(t, 400, NULL, "{\"__type\":\"InvalidInputException\"}");
	testhost_advance(t, 100);
	finish_build(t, "SUCCEEDED", "SUCCEEDED");
	assert_string_equal(testhost_event(t)->type, "build.succeeded");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void a_build_that_cannot_be_stopped_is_told_of(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");

	(void)state;
	testhost_cancel(t, d);
	testhost_no_answer(t, "timed out");
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_non_null(strstr(testhost_why(t, d), "site:1"));
	assert_non_null(strstr(testhost_why(t, d), "may still run"));
	testhost_free(t);
}

static void stopping_while_it_is_asked_for_does_not_hold_it_again(void **state)
{
	struct testhost *t = host();
	pm_delivery d = begin(t, "site:1");

	(void)state;
	look(t, d);
	testhost_cancel(t, d);
	testhost_answer(t, 200, NULL,
			"{\"builds\":[{\"id\":\"site:1\",\"buildStatus\":\"IN_PROGRESS\"}]}");
	assert_int_equal(testhost_end(t, d), TESTHOST_OPEN);
	answer_build(t, "site:1", "STOPPED");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void an_absent_value_starts_nothing(void **state)
{
	struct testhost *t = host();
	pm_delivery d = testhost_deliver(t, "{\"inputs\":{\"repo\":{\"data\":{\"after\":\"a\"}}}}");

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void bad_settings_are_refused(void **state)
{
	static const char *const bad[][5] = {
		{"project", "p", "env.A-B", "x", NULL},
		{"project", "p", "env.POINTSMAN_DELIVERY", "x", NULL},
		{"project", "p", "secondary-version.a-b", "x", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(testhost_new(&pointsman_plugin_v1, "b", bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_has_all_that_was_configured),
		cmocka_unit_test(what_is_not_configured_is_not_sent),
		cmocka_unit_test(a_build_is_told_when_it_starts),
		cmocka_unit_test(a_build_that_names_no_project_has_it_in_its_id),
		cmocka_unit_test(each_end_of_a_build_is_an_event_and_the_duty_is_done),
		cmocka_unit_test(the_end_tells_phases_reason_and_time),
		cmocka_unit_test(a_success_has_no_reason),
		cmocka_unit_test(a_failure_without_words_still_has_a_reason),
		cmocka_unit_test(a_running_build_is_held_on),
		cmocka_unit_test(a_clock_that_is_set_back_puts_off_no_look),
		cmocka_unit_test(an_unknown_status_is_not_an_end),
		cmocka_unit_test(all_live_builds_are_asked_for_in_one_call),
		cmocka_unit_test(more_than_a_hundred_take_two_calls),
		cmocka_unit_test(trouble_in_asking_starts_no_second_build),
		cmocka_unit_test(a_build_nobody_knows_is_refused),
		cmocka_unit_test(following_goes_on_after_a_restart),
		cmocka_unit_test(within_five_minutes_the_token_makes_a_retry_safe),
		cmocka_unit_test(after_five_minutes_our_own_build_is_looked_for),
		cmocka_unit_test(after_the_clock_was_set_back_our_own_build_is_looked_for),
		cmocka_unit_test(a_build_that_never_was_is_started),
		cmocka_unit_test(a_project_without_builds_has_none_of_ours),
		cmocka_unit_test(trouble_in_looking_starts_nothing),
		cmocka_unit_test(the_note_of_the_first_try_is_kept_over_a_kill),
		cmocka_unit_test(old_notes_are_dropped),
		cmocka_unit_test(answers_to_start_build_end_as_they_should),
		cmocka_unit_test(at_its_deadline_the_build_is_stopped),
		cmocka_unit_test(a_build_that_ended_before_it_was_stopped_keeps_its_end),
		cmocka_unit_test(a_build_that_cannot_be_stopped_is_told_of),
		cmocka_unit_test(stopping_while_it_is_asked_for_does_not_hold_it_again),
		cmocka_unit_test(an_absent_value_starts_nothing),
		cmocka_unit_test(bad_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
