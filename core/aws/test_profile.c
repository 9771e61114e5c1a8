#include "aws/settings.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

struct files {
	char dir[32], config[64], credentials[64];
	char config_variable[96], credentials_variable[128];
};

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	fputs(text, file);
	fclose(file);
}

static int set_up(void **state)
{
	struct files *f = mem_new(struct files);

	snprintf(f->dir, sizeof f->dir, "/tmp/test_profile.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->config, sizeof f->config, "%s/config", f->dir);
	snprintf(f->credentials, sizeof f->credentials, "%s/credentials", f->dir);
	snprintf(f->config_variable, sizeof f->config_variable, "AWS_CONFIG_FILE=%s", f->config);
	snprintf(f->credentials_variable, sizeof f->credentials_variable,
		 "AWS_SHARED_CREDENTIALS_FILE=%s", f->credentials);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct files *f = *state;

	unlink(f->config);
	unlink(f->credentials);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void both_files_make_one_profile(void **state)
{
	struct files *f = *state;
	struct profiles *p;

	put(f->config, "# a comment\n[default]\nregion = eu-west-1 ; here\nKey=v#1\r\n"
		       "aws_secret_access_key = from config\n\n"
		       "[profile  two words]\nregion=\n[profile dev]\nregion = us-east-2\n"
		       "[sso-session x]\nregion = nowhere\n[plain]\nregion = lost\n");
	put(f->credentials, "[default]\naws_access_key_id = AKID\naws_secret_access_key = a=b#c\n"
			    "[plain]\naws_access_key_id = P\n");
	p = profiles_read(f->config, f->credentials, NULL);
	assert_non_null(p);
	assert_string_equal(profiles_get(p, "default", "region"), "eu-west-1");
	assert_string_equal(profiles_get(p, "default", "key"), "v#1");
	assert_string_equal(profiles_get(p, "default", "aws_access_key_id"), "AKID");
	assert_string_equal(profiles_get(p, "default", "aws_secret_access_key"), "a=b#c");
	assert_string_equal(profiles_get(p, "dev", "region"), "us-east-2");
	assert_string_equal(profiles_get(p, "two words", "region"), "");
	assert_null(profiles_get(p, "plain", "region"));
	assert_string_equal(profiles_get(p, "plain", "aws_access_key_id"), "P");
	assert_null(profiles_get(p, "none", "region"));
	assert_true(profiles_has(p, "dev"));
	assert_false(profiles_has(p, "x"));
	profiles_free(p);
}

static void keys_below_an_empty_one_belong_to_it(void **state)
{
	struct files *f = *state;
	struct profiles *p;

	put(f->config, "[default]\nservices = mine\ns3 =\n  addressing_style = path\n"
		       "\tuse_x = yes\nregion = r\n  folded = ignored\n"
		       "[services mine]\nS3 =\n  endpoint_url = http://s3\n"
		       "dynamodb =\n  endpoint_url = http://ddb\n");
	p = profiles_read(f->config, NULL, NULL);
	assert_string_equal(profiles_get(p, "default", "s3.addressing_style"), "path");
	assert_string_equal(profiles_get(p, "default", "s3.use_x"), "yes");
	assert_string_equal(profiles_get(p, "default", "region"), "r");
	assert_null(profiles_get(p, "default", "folded"));
	assert_string_equal(profiles_service(p, "mine", "s3.endpoint_url"), "http://s3");
	assert_string_equal(profiles_service(p, "mine", "dynamodb.endpoint_url"), "http://ddb");
	assert_null(profiles_service(p, "other", "s3.endpoint_url"));
	profiles_free(p);
}

static void absent_files_are_empty(void **state)
{
	struct files *f = *state;
	struct profiles *p = profiles_read(f->config, f->credentials, NULL);

	assert_non_null(p);
	assert_false(profiles_has(p, "default"));
	profiles_free(p);
	p = profiles_read(NULL, NULL, NULL);
	assert_non_null(p);
	profiles_free(p);
	profiles_free(NULL);
}

static void mistakes_name_file_and_line_but_no_secret(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"[default]\nregion = x\nhunter2\n", ":3: neither a section nor key = value"},
		{"[default\nregion = x\n", ":1: not a section: [default"},
		{"\n[a] b\n", ":2: not a section"},
	};
	struct files *f = *state;
	struct err err;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put(f->config, cases[i].text);
		assert_null(profiles_read(f->config, NULL, &err));
		if (!strstr(err.text, cases[i].error) || strstr(err.text, "hunter2"))
			fail_msg("%s", err.text);
		assert_ptr_equal(strstr(err.text, f->config), err.text);
	}
}

/* What stands behind it would be lost without a word. */
static void a_file_with_a_nul_byte_is_refused(void **state)
{
	struct files *f = *state;
	FILE *file = fopen(f->config, "w");
	struct err err;

	fwrite("[a]\n\0\nb = c\n", 1, 12, file);
	fclose(file);
	assert_null(profiles_read(f->config, NULL, &err));
	assert_ptr_equal(strstr(err.text, f->config), err.text);
	assert_non_null(strstr(err.text, ": it has a NUL byte: is it a text file?"));
}

static void a_file_without_end_is_refused(void **state)
{
	struct err err;

	(void)state;
	assert_null(profiles_read("/dev/zero", NULL, &err));
	assert_string_equal(err.text, "/dev/zero cannot be read: it is larger than 1 MB");
	assert_null(profiles_read("/", NULL, &err));
	assert_non_null(strstr(err.text, "/ cannot be read: "));
}

static void the_environment_comes_before_the_profile(void **state)
{
	struct files *f = *state;
	const char *const plain[] = {f->config_variable, f->credentials_variable, NULL};
	const char *const chosen[] = {f->config_variable, "AWS_PROFILE=dev", "AWS_REGION=", NULL};
	const char *const both[] = {f->config_variable, "AWS_DEFAULT_REGION=one", "AWS_REGION=two",
				    "OTHER=x", NULL};
	const char *const second[] = {f->config_variable, "AWS_DEFAULT_REGION=one", NULL};
	static const struct {
		int environment;
		const char *region;
	} cases[] = {{0, "from-default"}, {1, "from-dev"}, {2, "two"}, {3, "one"}};
	const char *const *const environments[] = {plain, chosen, both, second};

	put(f->config, "[default]\nregion = from-default\n[profile dev]\nregion = from-dev\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = settings_new(environments[cases[i].environment]);

		assert_string_equal(settings_region(s), cases[i].region);
		assert_null(settings_env(s, "OTHER"));
		settings_free(s);
	}
}

static void an_endpoint_is_taken_from_the_nearest_place(void **state)
{
	static const struct {
		const char *variables[3];
		const char *s3, *streams;
	} cases[] = {
		{{NULL}, "http://config-s3", "http://config"},
		{{"AWS_ENDPOINT_URL=http://env"}, "http://env", "http://env"},
		{{"AWS_ENDPOINT_URL=http://env", "AWS_ENDPOINT_URL_S3=http://env-s3"},
		 "http://env-s3",
		 "http://env"},
		{{"AWS_ENDPOINT_URL_DYNAMODB_STREAMS=http://s"}, "http://config-s3", "http://s"},
		{{"AWS_ENDPOINT_URL=http://env", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=TRUE"},
		 NULL,
		 NULL},
	};
	struct files *f = *state;

	put(f->config, "[default]\nservices = mine\nendpoint_url = http://config\n"
		       "[services mine]\ns3 =\n  endpoint_url = http://config-s3\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const environment[] = {f->config_variable, cases[i].variables[0],
						   cases[i].variables[1], NULL};
		struct settings *s = settings_new(environment);
		const char *s3 = settings_endpoint(s, "S3");
		const char *streams = settings_endpoint(s, "DYNAMODB_STREAMS");

		if ((!s3 != !cases[i].s3) || (s3 && strcmp(s3, cases[i].s3) != 0))
			fail_msg("case %zu: %s", i, s3);
		if ((!streams != !cases[i].streams) ||
		    (streams && strcmp(streams, cases[i].streams) != 0))
			fail_msg("case %zu: %s", i, streams);
		settings_free(s);
	}
}

static void files_are_found_at_home(void **state)
{
	struct files *f = *state;
	char home[64], dir[64], config[96];
	const char *const environment[] = {home, NULL};
	struct settings *s;

	snprintf(home, sizeof home, "HOME=%s", f->dir);
	snprintf(dir, sizeof dir, "%s/.aws", f->dir);
	snprintf(config, sizeof config, "%s/config", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	put(config, "[default]\nregion = home\n");
	s = settings_new(environment);
	assert_string_equal(settings_region(s), "home");
	settings_free(s);
	unlink(config);
	rmdir(dir);
}

static void a_file_that_breaks_later_leaves_what_was_read(void **state)
{
	struct files *f = *state;
	const char *const environment[] = {f->config_variable, f->credentials_variable, NULL};
	struct settings *s = settings_new(environment);
	struct err err;

	put(f->config, "[default]\nregion = one\n");
	assert_string_equal(settings_region(s), "one");
	put(f->config, "broken\n[default\n");
	assert_false(settings_reload(s, &err));
	assert_string_equal(settings_region(s), "one");
	put(f->config, "[default]\nregion = two\n");
	assert_true(settings_reload(s, &err));
	assert_string_equal(settings_region(s), "two");
	settings_free(s);
	settings_free(NULL);
}

#define with(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(both_files_make_one_profile),
		with(keys_below_an_empty_one_belong_to_it),
		with(absent_files_are_empty),
		with(mistakes_name_file_and_line_but_no_secret),
		with(a_file_with_a_nul_byte_is_refused),
		with(a_file_without_end_is_refused),
		with(the_environment_comes_before_the_profile),
		with(an_endpoint_is_taken_from_the_nearest_place),
		with(files_are_found_at_home),
		with(a_file_that_breaks_later_leaves_what_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
