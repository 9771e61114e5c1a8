#include "aws/aws.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>
#include <unistd.h>

#define NOW       1700000000000 /* 2023-11-14T22:13:20Z */
#define MINUTES   60000
#define MAX_ASKED 400

struct step { /* what the server answers next; without steps: 200, empty */
	int status;
	const char *header, *body;
	bool holds;
};

struct asked { /* what the server was asked */
	char method[8], target[256], key[64], region[32], service[32], date[32];
	char token[64], authorization[300], body[600];
};

struct fixture {
	struct world world;
	int64_t wall;
	uint64_t luck; /* what chance gives, in eight bytes */
	struct event_base *loop;
	struct http_server *server;
	struct aws *aws;
	const struct step *steps;
	size_t nsteps, step;
	struct asked asked[MAX_ASKED];
	int n;
	struct http_exchange *held;
	int creds;          /* handed out so far */
	int64_t creds_last; /* how long the next ones are good for */
	bool creds_fail;
	char file[32];
};

struct got {
	int times, status;
	bool sent;
	char error[512], body[64];
};

static int64_t fake_wall(struct world *w)
{
	return ((struct fixture *)w)->wall;
}

static int64_t real_boot(struct world *w)
{
	(void)w;
	return world_real()->boot(world_real());
}

static void fake_random(struct world *w, void *out, size_t len)
{
	memset(out, 0, len);
	memcpy(out, &((struct fixture *)w)->luck, len < 8 ? len : 8);
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static struct asked *record(struct fixture *f, struct http_exchange *x)
{
	struct asked *a = &f->asked[f->n++];
	const char *body = http_exchange_body(x, NULL);

	assert_in_range(f->n, 1, MAX_ASKED - 1);
	*a = (struct asked){{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}};
	copy(a->method, sizeof a->method, http_exchange_method(x));
	copy(a->target, sizeof a->target, http_exchange_target(x));
	copy(a->date, sizeof a->date, http_exchange_header(x, "x-amz-date"));
	copy(a->token, sizeof a->token, http_exchange_header(x, "x-amz-security-token"));
	copy(a->authorization, sizeof a->authorization, http_exchange_header(x, "authorization"));
	copy(a->body, sizeof a->body, body);
	sscanf(a->authorization, "AWS4-HMAC-SHA256 Credential=%63[^/]/%*[^/]/%31[^/]/%31[^/]/",
	       a->key, a->region, a->service);
	return a;
}

static void on_request(struct http_exchange *x, void *arg)
{
	static const struct step fine = {200, NULL, "", false};
	struct fixture *f = arg;
	const struct step *s = f->step < f->nsteps ? &f->steps[f->step++] : &fine;
	const char *const headers[] = {s->header, NULL};

	record(f, x);
	if (s->holds)
		f->held = x;
	else
		http_reply(x, s->status, headers, s->body, s->body ? strlen(s->body) : 0);
}

/* Container and instance endpoint, and STS: keys C1, C2, .. as they are asked for. */
static void on_credentials(struct http_exchange *x, void *arg)
{
	struct fixture *f = arg;
	char until[32], json[400];

	record(f, x);
	if (f->creds_fail) {
		http_reply(x, 500, NULL, "out of order", 12);
		return;
	}
	f->creds++;
	units_time_text(f->wall + f->creds_last, until);
	snprintf(
		json, sizeof json,
		"{\"AccessKeyId\":\"C%d\",\"SecretAccessKey\":\"secret-%d\",\"Token\":\"token-%d\","
		"\"Expiration\":\"%s\"}",
		f->creds, f->creds, f->creds, until);
	http_reply(x, 200, NULL, json, strlen(json));
}

static void on_sts(struct http_exchange *x, void *arg)
{
	struct fixture *f = arg;
	char until[32], xml[600];

	record(f, x);
	f->creds++;
	units_time_text(f->wall + f->creds_last, until);
	snprintf(
		xml, sizeof xml,
		"<R><Credentials><AccessKeyId>C%d</AccessKeyId><SecretAccessKey>secret-%d"
		"</SecretAccessKey><SessionToken>token-%d</SessionToken><Expiration>%s</Expiration>"
		"</Credentials></R>",
		f->creds, f->creds, f->creds, until);
	http_reply(x, 200, NULL, xml, strlen(xml));
}

static void on_instance_token(struct http_exchange *x, void *arg)
{
	struct fixture *f = arg;

	record(f, x);
	assert_string_equal(http_exchange_header(x, "x-aws-ec2-metadata-token-ttl-seconds"),
			    "21600");
	http_reply(x, f->creds_fail ? 403 : 200, NULL, "imds-token\n", 11);
}

static void on_instance_role(struct http_exchange *x, void *arg)
{
	record(arg, x);
	assert_string_equal(http_exchange_header(x, "x-aws-ec2-metadata-token"), "imds-token");
	http_reply(x, 200, NULL, "my role\n", 8);
}

static void set_url(struct fixture *f, const char *variable, const char *path)
{
	char url[128];

	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", http_server_port(f->server), path);
	setenv(variable, url, 1);
}

static void restart(struct fixture *f)
{
	aws_free(f->aws);
	f->aws = aws_new(&f->world, f->loop);
}

static int set_up(void **state)
{
	const struct http_server_options o = {.address = "127.0.0.1:0"};
	struct fixture *f = mem_new(struct fixture);

	f->world = (struct world){.wall = fake_wall, .boot = real_boot, .random = fake_random};
	f->wall = NOW;
	f->creds_last = 60 * MINUTES;
	f->loop = event_base_new();
	f->world.network = http_client_new(f->loop, &(struct http_client_options){0}, NULL);
	f->server = http_server_new(f->loop, &o, NULL);
	http_server_route(f->server, "/", "GET,POST,PUT", on_request, f);
	http_server_route(f->server, "/b/k", "GET,PUT,HEAD", on_request, f);
	http_server_route(f->server, "/creds", "GET", on_credentials, f);
	http_server_route(f->server, "/sts/", "POST", on_sts, f);
	http_server_route(f->server, "/latest/api/token", "PUT", on_instance_token, f);
	http_server_route(f->server, "/latest/meta-data/iam/security-credentials/", "GET",
			  on_instance_role, f);
	http_server_route(f->server, "/latest/meta-data/iam/security-credentials/my%20role", "GET",
			  on_credentials, f);
	clearenv();
	setenv("HOME", "/nonexistent", 1);
	setenv("AWS_REGION", "eu-west-1", 1);
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "SECRET", 1);
	set_url(f, "AWS_ENDPOINT_URL", "");
	snprintf(f->file, sizeof f->file, "/tmp/test_aws.XXXXXX");
	close(mkstemp(f->file));
	f->aws = aws_new(&f->world, f->loop);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	aws_free(f->aws);
	f->world.network->free(f->world.network);
	http_server_free(f->server);
	event_base_free(f->loop);
	unlink(f->file);
	free(f);
	return 0;
}

static void use_container(struct fixture *f)
{
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	set_url(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/creds");
	restart(f);
}

static void write_file(struct fixture *f, const char *text)
{
	FILE *file = fopen(f->file, "w");

	fputs(text, file);
	fclose(file);
}

static void on_done(const struct http_answer *a, void *arg)
{
	struct got *g = arg;

	g->times++;
	g->status = a->status;
	g->sent = a->sent;
	copy(g->error, sizeof g->error, a->error);
	copy(g->body, sizeof g->body, a->body);
}

static const struct aws_request ssm = {.service = "ssm", .body = "{}", .body_len = 2};
static const struct aws_request s3 = {.service = "s3", .path = "/b/k"};

static void wait_for(struct fixture *f, const int *times, int n)
{
	while (*times < n)
		event_base_loop(f->loop, EVLOOP_ONCE);
}

static void ask(struct fixture *f, const struct aws_request *rq, struct got *g)
{
	*g = (struct got){0};
	aws_send(f->aws, rq, on_done, g);
	assert_int_equal(g->times, 0);
	wait_for(f, &g->times, 1);
}

static void script(struct fixture *f, const struct step *steps, size_t n)
{
	f->steps = steps;
	f->nsteps = n;
	f->step = 0;
	f->n = 0;
}

#define SCRIPT(f, ...)                                                                             \
	static const struct step steps[] = {__VA_ARGS__};                                          \
	script(f, steps, sizeof steps / sizeof *steps)

static void a_request_arrives_signed(void **state)
{
	static const char *const query[] = {"b", "x y", "a", "\xc3\xbc", NULL};
	static const char *const headers[] = {"X-Amz-Target: T", "Authorization: forged",
					      "x-amz-date: forged", "X-Plain: y", NULL};
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {200, NULL, "fine", false});

	ask(f,
	    &(struct aws_request){.service = "streams.dynamodb",
				  .path = "/",
				  .query = query,
				  .headers = headers,
				  .body = "{}",
				  .body_len = 2},
	    &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(g.body, "fine");
	assert_int_equal(f->n, 1);
	assert_string_equal(f->asked[0].method, "POST");
	assert_string_equal(f->asked[0].target, "/?a=%C3%BC&b=x%20y");
	assert_string_equal(f->asked[0].key, "AKID");
	assert_string_equal(f->asked[0].region, "eu-west-1");
	assert_string_equal(f->asked[0].service, "dynamodb");
	assert_string_equal(f->asked[0].date, "20231114T221320Z");
	assert_string_equal(f->asked[0].body, "{}");
	assert_non_null(
		strstr(f->asked[0].authorization, "SignedHeaders=host;x-amz-date;x-amz-target, "));
}

static void region_and_endpoint_of_the_request_come_first(void **state)
{
	struct fixture *f = *state;
	char url[64];
	struct got g;

	snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(f->server));
	setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
	restart(f);
	ask(f,
	    &(struct aws_request){
		    .service = "s3", .region = "cn-north-1", .endpoint = url, .path = "/b/k"},
	    &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(f->asked[0].region, "cn-north-1");
}

static void what_is_not_configured_is_said(void **state)
{
	struct fixture *f = *state;
	struct got g;

	unsetenv("AWS_REGION");
	restart(f);
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 0);
	assert_false(g.sent);
	assert_string_equal(g.error,
			    "ssm of AWS cannot be asked: no region: set AWS_REGION, or name "
			    "one in the configuration");
	setenv("AWS_REGION", "r", 1);
	unsetenv("AWS_SECRET_ACCESS_KEY");
	restart(f);
	ask(f, &ssm, &g);
	assert_string_equal(g.error, "no credentials for AWS: AWS_ACCESS_KEY_ID is set but "
				     "AWS_SECRET_ACCESS_KEY is not: set both, or neither");
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	restart(f);
	ask(f, &ssm, &g);
	assert_non_null(strstr(g.error, "instance metadata is switched off"));
	assert_int_equal(f->n, 0);
}

static void what_passes_is_tried_three_times(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {500, NULL, "", false},
	       {400, NULL, "{\"__type\":\"ThrottlingException\"}", false},
	       {200, NULL, "at last", false});

	ask(f, &ssm, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(g.body, "at last");
	assert_int_equal(f->n, 3);
}

static void after_three_attempts_the_last_answer_counts(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {500, NULL, "one", false}, {503, NULL, "two", false},
	       {502, NULL, "three", false});

	ask(f, &ssm, &g);
	assert_int_equal(g.status, 502);
	assert_string_equal(g.body, "three");
	assert_int_equal(f->n, 3);
}

static void what_stays_wrong_is_not_tried_again(void **state)
{
	static const struct step wrong[] = {
		{400, NULL, "{\"__type\":\"ValidationException\"}", false},
		{403, NULL, "<Error><Code>AccessDenied</Code></Error>", false},
		{404, NULL, "", false},
		{409, NULL, "<Error><Code>ConditionalRequestConflict</Code></Error>", false},
		{412, NULL, "", false},
		{304, NULL, NULL, false},
	};
	struct fixture *f = *state;
	struct got g;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		script(f, &wrong[i], 1);
		ask(f, &ssm, &g);
		assert_int_equal(g.status, wrong[i].status);
		assert_int_equal(f->n, 1);
	}
}

static void an_error_inside_200_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {200, NULL, "<Error><Code>InternalError</Code></Error>", false},
	       {200, NULL, "<CopyObjectResult/>", false});

	ask(f, &s3, &g);
	assert_string_equal(g.body, "<CopyObjectResult/>");
	assert_int_equal(f->n, 2);
}

static void a_refused_connection_is_tried_again_and_was_not_sent(void **state)
{
	struct fixture *f = *state;
	struct got g;

	setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
	restart(f);
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 0);
	assert_string_equal(g.error, "connection refused by 127.0.0.1:1");
	assert_false(g.sent);
}

static void an_outage_empties_the_bucket(void **state)
{
	struct fixture *f = *state;
	struct step down[160];
	struct got g;

	for (size_t i = 0; i < 160; i++)
		down[i] = (struct step){500, NULL, "", false};
	script(f, down, 160);
	for (int i = 0; i < 50; i++)
		ask(f, &ssm, &g);
	assert_int_equal(f->n, 150);
	ask(f, &ssm, &g);
	assert_int_equal(f->n, 151);
}

static void a_pause_beyond_the_timeout_is_not_made(void **state)
{
	struct fixture *f = *state;
	struct aws_request rq = ssm;
	struct got g;
	SCRIPT(f, {500, NULL, "", false});

	rq.timeout_ms = 300;
	f->luck = 1000;
	ask(f, &rq, &g);
	assert_int_equal(g.status, 500);
	assert_int_equal(f->n, 1);
}

static void a_damaged_answer_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {200, "x-amz-crc32: 1", "123456789", false},
	       {200, "x-amz-crc32: 3421780262", "123456789", false},
	       {200, "x-amz-crc32: 1", "x", false}, {200, "x-amz-crc32: 2", "x", false},
	       {200, "x-amz-crc32: 3", "x", false});

	ask(f, &ssm, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(f->n, 2);
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 0);
	assert_true(g.sent);
	assert_non_null(strstr(g.error, "arrived damaged (x-amz-crc32)"));
	assert_int_equal(f->n, 5);
}

static void a_bucket_elsewhere_is_asked_there_and_remembered(void **state)
{
	static const struct step elsewhere[][2] = {
		{{301, "x-amz-bucket-region: us-west-2",
		  "<Error><Code>PermanentRedirect</Code></Error>", false}},
		{{307, "x-amz-bucket-region: us-west-2", "", false}},
		{{400, NULL,
		  "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-west-2</Region></"
		  "Error>",
		  false}},
	};
	struct fixture *f = *state;
	struct got g;

	for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
		restart(f);
		script(f, elsewhere[i], 1);
		ask(f, &s3, &g);
		assert_int_equal(g.status, 200);
		assert_int_equal(f->n, 2);
		assert_string_equal(f->asked[0].region, "eu-west-1");
		assert_string_equal(f->asked[1].region, "us-west-2");
		ask(f, &s3, &g);
		assert_int_equal(f->n, 3);
		assert_string_equal(f->asked[2].region, "us-west-2");
	}
}

static void a_bucket_that_moves_about_is_followed_once(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {301, "x-amz-bucket-region: us-west-2", "", false},
	       {301, "x-amz-bucket-region: us-west-1", "", false});

	ask(f, &s3, &g);
	assert_int_equal(g.status, 301);
	assert_int_equal(f->n, 2);
}

static void a_region_that_is_none_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {301, "x-amz-bucket-region: evil.example/", "", false});

	ask(f, &s3, &g);
	assert_int_equal(g.status, 301);
	assert_int_equal(f->n, 1);
}

static void a_wrong_clock_is_corrected_once(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f,
	       {403, "Date: Tue, 14 Nov 2023 23:13:20 GMT",
		"<Error><Code>RequestTimeTooSkewed</Code></Error>", false},
	       {200, NULL, "", false}, {200, NULL, "", false},
	       {400, "Date: Tue, 14 Nov 2023 20:13:20 GMT",
		"{\"__type\":\"InvalidSignatureException\"}", false},
	       {400, "Date: Tue, 14 Nov 2023 18:13:20 GMT",
		"{\"__type\":\"InvalidSignatureException\"}", false});

	ask(f, &s3, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(f->asked[0].date, "20231114T221320Z");
	assert_string_equal(f->asked[1].date, "20231114T231320Z");
	ask(f, &s3, &g);
	assert_string_equal(f->asked[2].date, "20231114T231320Z");
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 400);
	assert_int_equal(f->n, 5);
	assert_string_equal(f->asked[4].date, "20231114T201320Z");
}

static void a_wrong_signature_at_the_right_time_is_final(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {403, "Date: Tue, 14 Nov 2023 22:14:20 GMT",
		   "<Error><Code>SignatureDoesNotMatch</Code></Error>", false});

	ask(f, &s3, &g);
	assert_int_equal(g.status, 403);
	assert_int_equal(f->n, 1);
}

static void one_renewal_serves_all_who_wait(void **state)
{
	struct fixture *f = *state;
	struct got g[5] = {{0}};

	use_container(f);
	for (int i = 0; i < 5; i++)
		aws_send(f->aws, &ssm, on_done, &g[i]);
	for (int i = 0; i < 5; i++) {
		wait_for(f, &g[i].times, 1);
		assert_int_equal(g[i].status, 200);
	}
	assert_int_equal(f->creds, 1);
	assert_int_equal(f->n, 6);
	assert_string_equal(f->asked[5].key, "C1");
	assert_string_equal(f->asked[5].token, "token-1");
}

static void keys_are_renewed_before_they_expire(void **state)
{
	static const struct {
		int64_t minutes; /* to the end of the first keys */
		const char *key; /* the request is signed with */
		int creds;       /* handed out when it is over and all is quiet */
	} cases[] = {{16, "C1", 1}, {14, "C1", 2}, {9, "C2", 2}, {-1, "C2", 2}};
	struct fixture *f = *state;
	struct got g;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		f->wall = NOW;
		f->creds = f->n = 0;
		use_container(f);
		ask(f, &ssm, &g);
		assert_int_equal(f->creds, 1);
		f->wall = NOW + (60 - cases[i].minutes) * MINUTES;
		f->n = 0;
		ask(f, &ssm, &g);
		assert_int_equal(g.status, 200);
		for (int n = 0; n < 50 && f->creds < cases[i].creds; n++)
			event_base_loop(f->loop, EVLOOP_ONCE);
		assert_int_equal(f->creds, cases[i].creds);
		for (int n = 0; n < f->n; n++) {
			if (*f->asked[n].key)
				assert_string_equal(f->asked[n].key, cases[i].key);
		}
	}
}

static void old_keys_serve_while_new_ones_are_not_to_be_had(void **state)
{
	struct fixture *f = *state;
	struct got g;

	use_container(f);
	ask(f, &ssm, &g);
	f->creds_fail = true;
	f->wall = NOW + 55 * MINUTES;
	f->n = 0;
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(f->asked[0].target, "/creds");
	assert_string_equal(f->asked[1].key, "C1");
	ask(f, &ssm, &g);
	assert_int_equal(f->n, 3);
	f->wall = NOW + 61 * MINUTES;
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 0);
	assert_string_equal(g.error, "no credentials for AWS: the container endpoint: status 500: "
				     "out of order");
}

static void a_failure_is_remembered_for_a_moment(void **state)
{
	struct fixture *f = *state;
	struct got g;

	f->creds_fail = true;
	use_container(f);
	for (int i = 0; i < 3; i++) {
		ask(f, &ssm, &g);
		assert_int_equal(g.status, 0);
	}
	assert_int_equal(f->n, 1);
}

static void keys_that_have_expired_on_arrival_are_refused(void **state)
{
	struct fixture *f = *state;
	struct got g;

	f->creds_last = -MINUTES;
	use_container(f);
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 0);
	assert_non_null(strstr(g.error, "expired at 2023-11-14T22:12:20.000Z; is the clock"));
}

static void expired_keys_are_renewed_once(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {400, NULL, "{\"__type\":\"ExpiredTokenException\"}", false},
	       {200, NULL, "", false},
	       {403, NULL, "<Error><Code>ExpiredToken</Code></Error>", false},
	       {403, NULL, "<Error><Code>ExpiredToken</Code></Error>", false});

	use_container(f);
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(f->n, 4);
	assert_string_equal(f->asked[1].key, "C1");
	assert_string_equal(f->asked[3].key, "C2");
	ask(f, &s3, &g);
	assert_int_equal(g.status, 403);
	assert_int_equal(f->creds, 3);
}

static void the_container_endpoint_gets_its_authorization(void **state)
{
	struct fixture *f = *state;
	struct got g;

	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "inline", 1);
	use_container(f);
	ask(f, &ssm, &g);
	assert_string_equal(f->asked[0].authorization, "inline");
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", f->file, 1);
	write_file(f, "first\n");
	restart(f);
	f->n = 0;
	ask(f, &ssm, &g);
	assert_string_equal(f->asked[0].authorization, "first");
	write_file(f, "second\n");
	f->wall += 55 * MINUTES;
	f->n = 0;
	ask(f, &ssm, &g);
	assert_string_equal(f->asked[0].authorization, "second");
	write_file(f, "");
	f->wall += 61 * MINUTES;
	ask(f, &ssm, &g);
	assert_non_null(strstr(g.error, "no credentials for AWS: the container endpoint: /tmp/"));
	assert_non_null(strstr(g.error, " is empty"));
}

static void instance_metadata_is_asked_with_a_session(void **state)
{
	struct fixture *f = *state;
	struct got g;

	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	set_url(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "/");
	restart(f);
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(f->asked[0].method, "PUT");
	assert_string_equal(f->asked[0].target, "/latest/api/token");
	assert_string_equal(f->asked[2].target,
			    "/latest/meta-data/iam/security-credentials/my%20role");
	assert_string_equal(f->asked[3].key, "C1");
	f->creds_fail = true;
	restart(f);
	ask(f, &ssm, &g);
	assert_non_null(strstr(g.error,
			       "none in the environment, the shared files, web identity or "
			       "container variables, and none from: the instance metadata "
			       "service: status 403"));
}

static void use_sts(struct fixture *f)
{
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	set_url(f, "AWS_ENDPOINT_URL_STS", "/sts/");
	restart(f);
}

static void a_web_identity_is_read_anew_and_sent_unsigned(void **state)
{
	struct fixture *f = *state;
	struct got g;

	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", f->file, 1);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
	write_file(f, "identity+one\n");
	use_sts(f);
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(f->asked[0].authorization, "");
	assert_string_equal(f->asked[0].body,
			    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
			    "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=pointsman&"
			    "WebIdentityToken=identity%2Bone");
	assert_string_equal(f->asked[1].key, "C1");
	write_file(f, "identity-two\n");
	f->wall += 55 * MINUTES;
	f->n = 0;
	ask(f, &ssm, &g);
	assert_non_null(strstr(f->asked[0].body, "WebIdentityToken=identity-two"));
	assert_string_equal(f->asked[1].key, "C2");
	unlink(f->file);
	restart(f);
	ask(f, &ssm, &g);
	assert_non_null(strstr(g.error, "AWS_WEB_IDENTITY_TOKEN_FILE: /tmp/"));
	assert_non_null(strstr(g.error, "cannot be read: No such file or directory"));
}

static void roles_are_assumed_one_after_the_other(void **state)
{
	struct fixture *f = *state;
	struct got g;

	write_file(f, "[default]\nrole_arn = arn:two\nsource_profile = one\nexternal_id = x&y\n"
		      "duration_seconds = 900\n"
		      "[profile one]\nrole_arn = arn:one\nsource_profile = base\n"
		      "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = s\n");
	setenv("AWS_CONFIG_FILE", f->file, 1);
	use_sts(f);
	ask(f, &ssm, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(f->n, 3);
	assert_string_equal(f->asked[0].key, "BASE");
	assert_string_equal(f->asked[0].service, "sts");
	assert_non_null(strstr(f->asked[0].body, "RoleArn=arn%3Aone&"));
	assert_string_equal(f->asked[1].key, "C1");
	assert_string_equal(f->asked[1].token, "token-1");
	assert_non_null(strstr(f->asked[1].body, "RoleArn=arn%3Atwo&RoleSessionName=pointsman&"
						 "ExternalId=x%26y&DurationSeconds=900"));
	assert_string_equal(f->asked[2].key, "C2");
}

static void a_role_that_is_refused_is_named(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f,
	       {403, NULL,
		"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
		"</ErrorResponse>",
		false});

	write_file(f, "[default]\nrole_arn = arn:r\nsource_profile = default\n"
		      "aws_access_key_id = BASE\naws_secret_access_key = s\n");
	setenv("AWS_CONFIG_FILE", f->file, 1);
	use_sts(f);
	set_url(f, "AWS_ENDPOINT_URL_STS", "/");
	restart(f);
	ask(f, &ssm, &g);
	assert_string_equal(g.error,
			    "no credentials for AWS: STS did not give the role arn:r (profile "
			    "default): AccessDenied: not you");
}

static void a_rotated_file_is_read_when_the_old_keys_are_refused(void **state)
{
	struct fixture *f = *state;
	struct got g;
	SCRIPT(f, {200, NULL, "", false},
	       {403, NULL, "<Error><Code>ExpiredToken</Code></Error>", false});

	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	write_file(f, "[default]\naws_access_key_id = OLD\naws_secret_access_key = s\n");
	setenv("AWS_SHARED_CREDENTIALS_FILE", f->file, 1);
	restart(f);
	ask(f, &s3, &g);
	write_file(f, "[default]\naws_access_key_id = NEW\naws_secret_access_key = s\n");
	ask(f, &s3, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(f->asked[1].key, "OLD");
	assert_string_equal(f->asked[2].key, "NEW");
}

static void a_request_may_be_given_up_in_any_state(void **state)
{
	static const struct step held[] = {{0, NULL, NULL, true}};
	struct fixture *f = *state;
	struct got g = {0};
	uint64_t n;

	script(f, held, 1);
	n = aws_send(f->aws, &ssm, on_done, &g);
	wait_for(f, &f->n, 1);
	aws_cancel(f->aws, n);
	aws_cancel(f->aws, n);
	assert_int_equal(g.times, 0);
	wait_for(f, &g.times, 1);
	assert_string_equal(g.error, "cancelled");
	assert_true(g.sent);
	aws_cancel(f->aws, n);
	http_reply(f->held, 200, NULL, NULL, 0);

	SCRIPT(f, {500, NULL, "", false});
	f->luck = 1000;
	g = (struct got){0};
	n = aws_send(f->aws, &ssm, on_done, &g);
	wait_for(f, &f->n, 1);
	for (int i = 0; i < 20; i++)
		event_base_loop(f->loop, EVLOOP_NONBLOCK);
	aws_cancel(f->aws, n);
	wait_for(f, &g.times, 1);
	assert_string_equal(g.error, "cancelled");
	assert_int_equal(f->n, 1);

	use_container(f);
	g = (struct got){0};
	n = aws_send(f->aws, &ssm, on_done, &g);
	aws_cancel(f->aws, n);
	wait_for(f, &g.times, 1);
	assert_string_equal(g.error, "cancelled");
	assert_false(g.sent);
	for (int i = 0; i < 20; i++)
		event_base_loop(f->loop, EVLOOP_NONBLOCK);
	assert_int_equal(g.times, 1);
}

static void waiting_for_credentials_ends_at_the_timeout(void **state)
{
	struct fixture *f = *state;
	struct aws_request rq = ssm;
	struct got g;
	static const struct step held[] = {{0, NULL, NULL, true}};

	script(f, held, 1);
	use_container(f);
	set_url(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/");
	restart(f);
	rq.timeout_ms = 50;
	ask(f, &rq, &g);
	assert_string_equal(g.error, "no credentials for AWS within 50ms");
	http_reply(f->held, 500, NULL, NULL, 0);
}

static void ending_answers_everything(void **state)
{
	static const struct step held[] = {{0, NULL, NULL, true}};
	struct fixture *f = *state;
	struct got a = {0}, b = {0};

	script(f, held, 1);
	aws_send(f->aws, &ssm, on_done, &a);
	wait_for(f, &f->n, 1);
	aws_free(f->aws);
	assert_int_equal(a.times, 1);
	assert_string_equal(a.error, "cancelled");
	f->aws = NULL;
	use_container(f);
	aws_send(f->aws, &ssm, on_done, &b);
	aws_free(f->aws);
	f->aws = NULL;
	assert_int_equal(b.times, 1);
	http_reply(f->held, 200, NULL, NULL, 0);
	for (int i = 0; i < 20; i++)
		event_base_loop(f->loop, EVLOOP_NONBLOCK);
	aws_free(NULL);
}

static void keep_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	copy(arg, 256, line);
}

static void fetched_secrets_are_masked_until_they_are_replaced(void **state)
{
	struct fixture *f = *state;
	char line[256];
	struct got g;

	use_container(f);
	ask(f, &ssm, &g);
	log_capture(keep_line, line);
	log_warn("secret-1 and token-1");
	assert_string_equal(line, "*** and ***");
	f->wall += 55 * MINUTES;
	ask(f, &ssm, &g);
	log_warn("secret-1, now secret-2");
	assert_string_equal(line, "secret-1, now ***");
	log_capture(NULL, NULL);
}

static void an_answer_is_read_with_its_headers(void **state)
{
	struct http_answer a = {.status = 400,
				.error = "",
				.body = "{\"message\":\"m\"}",
				.body_len = 15,
				.headers = "X-Amzn-ErrorType: NotFound:http://x\r\n"};
	struct aws_error e;

	(void)state;
	assert_int_equal(aws_read(&a, &e), AWS_NEVER);
	assert_string_equal(e.name, "NotFound");
	assert_string_equal(e.message, "m");
	a.headers = "x-amzn-query-error: AWS.Old;Sender\r\n";
	aws_read(&a, &e);
	assert_string_equal(e.name, "AWS.Old");
}

#define with(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_read_with_its_headers),
		with(a_request_arrives_signed),
		with(region_and_endpoint_of_the_request_come_first),
		with(what_is_not_configured_is_said),
		with(what_passes_is_tried_three_times),
		with(after_three_attempts_the_last_answer_counts),
		with(what_stays_wrong_is_not_tried_again),
		with(an_error_inside_200_is_tried_again),
		with(a_refused_connection_is_tried_again_and_was_not_sent),
		with(an_outage_empties_the_bucket),
		with(a_pause_beyond_the_timeout_is_not_made),
		with(a_damaged_answer_is_asked_for_again),
		with(a_bucket_elsewhere_is_asked_there_and_remembered),
		with(a_bucket_that_moves_about_is_followed_once),
		with(a_region_that_is_none_is_not_followed),
		with(a_wrong_clock_is_corrected_once),
		with(a_wrong_signature_at_the_right_time_is_final),
		with(one_renewal_serves_all_who_wait),
		with(keys_are_renewed_before_they_expire),
		with(old_keys_serve_while_new_ones_are_not_to_be_had),
		with(a_failure_is_remembered_for_a_moment),
		with(keys_that_have_expired_on_arrival_are_refused),
		with(expired_keys_are_renewed_once),
		with(the_container_endpoint_gets_its_authorization),
		with(instance_metadata_is_asked_with_a_session),
		with(a_web_identity_is_read_anew_and_sent_unsigned),
		with(roles_are_assumed_one_after_the_other),
		with(a_role_that_is_refused_is_named),
		with(a_rotated_file_is_read_when_the_old_keys_are_refused),
		with(a_request_may_be_given_up_in_any_state),
		with(waiting_for_credentials_ends_at_the_timeout),
		with(ending_answers_everything),
		with(fetched_secrets_are_masked_until_they_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
