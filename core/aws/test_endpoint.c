#include "aws/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void own_hosts_follow_service_region_and_variant(void **state)
{
	static const struct {
		const char *service, *region;
		bool dual_stack, fips;
		const char *base, *scope_service, *scope_region;
	} cases[] = {
		{"dynamodb", "eu-west-1", false, false, "https://dynamodb.eu-west-1.amazonaws.com",
		 "dynamodb", "eu-west-1"},
		{"streams.dynamodb", "us-east-1", false, false,
		 "https://streams.dynamodb.us-east-1.amazonaws.com", "dynamodb", "us-east-1"},
		{"streams.dynamodb", "us-east-1", true, false,
		 "https://streams-dynamodb.us-east-1.api.aws", "dynamodb", "us-east-1"},
		{"streams.dynamodb", "us-east-1", false, true,
		 "https://streams.dynamodb-fips.us-east-1.amazonaws.com", "dynamodb", "us-east-1"},
		{"streams.dynamodb", "us-gov-west-1", false, true,
		 "https://streams.dynamodb.us-gov-west-1.amazonaws.com", "dynamodb",
		 "us-gov-west-1"},
		{"codebuild", "cn-north-1", false, false,
		 "https://codebuild.cn-north-1.amazonaws.com.cn", "codebuild", "cn-north-1"},
		{"codebuild", "us-gov-east-1", false, true,
		 "https://codebuild-fips.us-gov-east-1.amazonaws.com", "codebuild",
		 "us-gov-east-1"},
		{"codebuild", "us-east-2", true, true, "https://codebuild-fips.us-east-2.api.aws",
		 "codebuild", "us-east-2"},
		{"ssm", "cn-north-1", true, false,
		 "https://ssm.cn-north-1.api.amazonwebservices.com.cn", "ssm", "cn-north-1"},
		{"sqs", "us-gov-west-1", false, true, "https://sqs.us-gov-west-1.amazonaws.com",
		 "sqs", "us-gov-west-1"},
		{"sts", "ap-south-1", false, false, "https://sts.ap-south-1.amazonaws.com", "sts",
		 "ap-south-1"},
		{"s3", "us-east-1", false, false, "https://s3.us-east-1.amazonaws.com", "s3",
		 "us-east-1"},
		{"s3", "us-east-1", true, false, "https://s3.dualstack.us-east-1.amazonaws.com",
		 "s3", "us-east-1"},
		{"s3", "us-east-1", true, true, "https://s3-fips.dualstack.us-east-1.amazonaws.com",
		 "s3", "us-east-1"},
		{"s3", "us-gov-west-1", false, true, "https://s3-fips.us-gov-west-1.amazonaws.com",
		 "s3", "us-gov-west-1"},
		{"cloudfront", NULL, false, false, "https://cloudfront.amazonaws.com", "cloudfront",
		 "us-east-1"},
		{"cloudfront", "eu-west-1", false, false, "https://cloudfront.amazonaws.com",
		 "cloudfront", "us-east-1"},
		{"cloudfront", "cn-north-1", false, false,
		 "https://cloudfront.cn-northwest-1.amazonaws.com.cn", "cloudfront",
		 "cn-northwest-1"},
		{"cloudfront", "us-east-1", true, false, "https://cloudfront.global.api.aws",
		 "cloudfront", "us-east-1"},
		{"cloudfront", "us-east-1", false, true, "https://cloudfront-fips.amazonaws.com",
		 "cloudfront", "us-east-1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct endpoint_question q = {.service = cases[i].service,
					      .region = cases[i].region,
					      .path = "/",
					      .dual_stack = cases[i].dual_stack,
					      .fips = cases[i].fips};
		struct endpoint e;

		assert_true(endpoint_find(&q, &e, NULL));
		if (strcmp(e.base, cases[i].base) != 0)
			fail_msg("%s, not %s", e.base, cases[i].base);
		assert_string_equal(e.host, cases[i].base + 8);
		assert_string_equal(e.service, cases[i].scope_service);
		assert_string_equal(e.region, cases[i].scope_region);
		assert_string_equal(e.path, "/");
		assert_false(e.is_custom);
		endpoint_free(&e);
	}
}

static void a_bucket_stands_in_the_host_where_it_fits(void **state)
{
	static const struct {
		const char *path, *override, *style;
		const char *base, *signed_path, *bucket;
	} cases[] = {
		{"/my-bucket/a b/c", NULL, NULL, "https://my-bucket.s3.eu-west-1.amazonaws.com",
		 "/a b/c", "my-bucket"},
		{"/my-bucket", NULL, NULL, "https://my-bucket.s3.eu-west-1.amazonaws.com", "/",
		 "my-bucket"},
		{"/my-bucket/", NULL, NULL, "https://my-bucket.s3.eu-west-1.amazonaws.com", "/",
		 "my-bucket"},
		{"/my-bucket//x/../y", NULL, NULL, "https://my-bucket.s3.eu-west-1.amazonaws.com",
		 "//x/../y", "my-bucket"},
		{"/with.dots/k", NULL, NULL, "https://s3.eu-west-1.amazonaws.com", "/with.dots/k",
		 "with.dots"},
		{"/Upper/k", NULL, NULL, "https://s3.eu-west-1.amazonaws.com", "/Upper/k", "Upper"},
		{"/my-bucket/k", NULL, "path", "https://s3.eu-west-1.amazonaws.com", "/my-bucket/k",
		 "my-bucket"},
		{"/", NULL, NULL, "https://s3.eu-west-1.amazonaws.com", "/", ""},
		{"/my-bucket/k", "http://127.0.0.1:9000", NULL, "http://127.0.0.1:9000",
		 "/my-bucket/k", "my-bucket"},
		{"/my-bucket/k", "http://s3.local:9000", "virtual",
		 "http://my-bucket.s3.local:9000", "/k", "my-bucket"},
		{"/my-bucket/k", "https://gw/s3/", NULL, "https://gw", "/s3/my-bucket/k",
		 "my-bucket"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct endpoint_question q = {.service = "s3",
					      .region = "eu-west-1",
					      .path = cases[i].path,
					      .override = cases[i].override,
					      .s3_style = cases[i].style};
		struct endpoint e;

		assert_true(endpoint_find(&q, &e, NULL));
		if (strcmp(e.base, cases[i].base) != 0 || strcmp(e.path, cases[i].signed_path) != 0)
			fail_msg("%s: %s %s", cases[i].path, e.base, e.path);
		assert_string_equal(e.bucket, cases[i].bucket);
		endpoint_free(&e);
	}
}

static void a_configured_address_is_used_as_it_is(void **state)
{
	static const struct {
		const char *override, *base, *host, *path;
	} cases[] = {
		{"http://127.0.0.1:8100", "http://127.0.0.1:8100", "127.0.0.1:8100", "/p"},
		{"http://127.0.0.1:80/", "http://127.0.0.1", "127.0.0.1", "/p"},
		{"HTTPS://Host:443", "https://host", "host", "/p"},
		{"https://host:4430", "https://host:4430", "host:4430", "/p"},
		{"http://host:443/a/b//", "http://host:443", "host:443", "/a/b/p"},
		{"http://[::1]:8000", "http://[::1]:8000", "[::1]:8000", "/p"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct endpoint_question q = {.service = "ssm",
					      .region = "eu-west-1",
					      .path = "/p",
					      .override = cases[i].override,
					      .fips = true};
		struct endpoint e;

		assert_true(endpoint_find(&q, &e, NULL));
		assert_string_equal(e.base, cases[i].base);
		assert_string_equal(e.host, cases[i].host);
		assert_string_equal(e.path, cases[i].path);
		assert_null(e.bucket);
		assert_true(e.is_custom);
		endpoint_free(&e);
	}
}

static void what_does_not_exist_is_refused(void **state)
{
	static const struct {
		struct endpoint_question q;
		const char *error;
	} cases[] = {
		{{.service = "ssm", .path = "/"}, "no region: set AWS_REGION"},
		{{.service = "ssm", .path = "/", .region = ""}, "no region"},
		{{.service = "ssm", .path = "/", .region = "eu/west"}, "'eu/west' is not a region"},
		{{.service = "s3", .path = "/", .region = "cn-north-1", .fips = true},
		 "S3 has no FIPS endpoint in cn-north-1"},
		{{.service = "ssm", .path = "/", .region = "r", .override = "host:80"},
		 "the endpoint configured for ssm"},
		{{.service = "ssm", .path = "/", .region = "r", .override = "http://"},
		 "configured"},
		{{.service = "ssm", .path = "/", .region = "r", .override = "http://a@b"},
		 "configured"},
		{{.service = "ssm", .path = "/", .region = "r", .override = "http://a?b"},
		 "configured"},
		{{.service = "ssm", .path = "/", .override = "http://a"}, "no region"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct endpoint e;
		struct err err;

		assert_false(endpoint_find(&cases[i].q, &e, &err));
		if (!strstr(err.text, cases[i].error))
			fail_msg("%s", err.text);
		endpoint_free(&e);
	}
}

static void services_have_their_names_in_variables(void **state)
{
	char name[32];

	(void)state;
	endpoint_variable("streams.dynamodb", name, sizeof name);
	assert_string_equal(name, "DYNAMODB_STREAMS");
	endpoint_variable("s3", name, sizeof name);
	assert_string_equal(name, "S3");
	endpoint_variable("codebuild", name, sizeof name);
	assert_string_equal(name, "CODEBUILD");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_hosts_follow_service_region_and_variant),
		cmocka_unit_test(a_bucket_stands_in_the_host_where_it_fits),
		cmocka_unit_test(a_configured_address_is_used_as_it_is),
		cmocka_unit_test(what_does_not_exist_is_refused),
		cmocka_unit_test(services_have_their_names_in_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
