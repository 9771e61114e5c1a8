#include "aws/crc32.h"
#include "aws/keys.h"
#include "aws/retry.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void keys_are_read_from_json(void **state)
{
	static const char good[] =
		"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":"
		"\"S\",\"Token\":\"T\",\"Expiration\":\"2023-11-14T22:13:20Z\"}";
	struct keys k;

	(void)state;
	assert_true(keys_from_json(good, strlen(good), &k, NULL));
	assert_string_equal(k.id, "A");
	assert_string_equal(k.secret, "S");
	assert_string_equal(k.token, "T");
	assert_int_equal(k.expires, 1700000000000);
	keys_free(&k);
}

#define STS(inside)                                                                                \
	"<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"                 \
	"<AssumeRoleResult><AssumedRoleUser><Arn>x</Arn></AssumedRoleUser><Credentials>" inside    \
	"</Credentials></AssumeRoleResult></AssumeRoleResponse>"
#define SECRET "<SecretAccessKey>S/+=</SecretAccessKey>"
#define REST   "<SessionToken>T&amp;</SessionToken><Expiration>2023-11-14T22:13:20.5Z</Expiration>"

static void keys_are_read_from_xml(void **state)
{
	static const char good[] = STS("\n <AccessKeyId>A</AccessKeyId>" SECRET REST);
	struct keys k, copy;

	(void)state;
	assert_true(keys_from_xml(good, strlen(good), &k, NULL));
	keys_copy(&copy, &k);
	keys_free(&k);
	assert_string_equal(copy.id, "A");
	assert_string_equal(copy.secret, "S/+=");
	assert_string_equal(copy.token, "T&");
	assert_int_equal(copy.expires, 1700000000500);
	keys_free(&copy);
}

static void what_is_missing_is_named(void **state)
{
	static const struct {
		const char *body, *error;
	} cases[] = {
		{"", "not JSON"},
		{"nonsense", "not JSON"},
		{"{}", "no AccessKeyId"},
		{"{\"AccessKeyId\":\"A\"}", "no SecretAccessKey"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"}", "no session token"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}", "Expiration"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\","
		 "\"Expiration\":\"soon\"}",
		 "Expiration"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\","
		 "\"Expiration\":\"0\"}",
		 "Expiration"},
		{"{\"AccessKeyId\":7,\"SecretAccessKey\":\"S\"}", "no AccessKeyId"},
		{"{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"m\"}",
		 "AssumeRoleUnauthorizedAccess: m"},
		{"<a/>", "no AccessKeyId"},
		{"<a>", "not XML"},
		{STS("<AccessKeyId>A</AccessKeyId>" REST), "no SecretAccessKey"},
		{STS("<Deep><AccessKeyId>A</AccessKeyId></Deep>" SECRET REST), "no AccessKeyId"},
		{"<AccessKeyId>A</AccessKeyId>", "no AccessKeyId"},
		{"<!DOCTYPE a [<!ENTITY x \"y\">]>" STS(
			 "<AccessKeyId>&x;</AccessKeyId>" SECRET REST),
		 "not XML"},
	};
	struct keys k;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *body = cases[i].body;
		bool ok = *body == '<' ? keys_from_xml(body, strlen(body), &k, &err)
				       : keys_from_json(body, strlen(body), &k, &err);

		assert_false(ok);
		assert_null(k.id);
		if (!strstr(err.text, cases[i].error))
			fail_msg("%s: %s", body, err.text);
	}
}

static void the_checksum_is_everybodys(void **state)
{
	(void)state;
	assert_int_equal(crc32_of("", 0), 0);
	assert_int_equal(crc32_of("123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_of("\0\xff\0", 3), 0x6c652460);
}

static void the_bucket_runs_dry_and_fills_with_success(void **state)
{
	struct retry_bucket b;

	(void)state;
	retry_fill(&b);
	for (int i = 0; i < 100; i++)
		assert_true(retry_take(&b));
	assert_false(retry_take(&b));
	for (int i = 0; i < 4; i++)
		retry_give_back(&b, false);
	assert_false(retry_take(&b));
	retry_give_back(&b, false);
	assert_true(retry_take(&b));
	retry_give_back(&b, true);
	assert_true(retry_take(&b));
	retry_fill(&b);
	retry_give_back(&b, true);
	assert_int_equal(b.tokens, 500);
}

static void what_passes_by_itself_is_tried_again(void **state)
{
	static const struct {
		int status;
		const char *name;
		bool again;
	} cases[] = {
		{0, "", true},
		{429, "", true},
		{500, "", true},
		{501, "", false},
		{502, "", true},
		{503, "SlowDown", true},
		{504, "", true},
		{505, "", false},
		{400, "ThrottlingException", true},
		{400, "ProvisionedThroughputExceededException", true},
		{400, "RequestTimeout", true},
		{400, "TransactionInProgressException", true},
		{400, "PriorRequestNotComplete", true},
		{400, "ValidationException", false},
		{409, "ConditionalRequestConflict", false},
		{412, "PreconditionFailed", false},
		{403, "ExpiredToken", false},
		{404, "", false},
		{304, "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (retry_is_worth(cases[i].status, cases[i].name) != cases[i].again)
			fail_msg("%d %s", cases[i].status, cases[i].name);
	}
}

static void most(struct world *w, void *out, size_t len)
{
	(void)w;
	memset(out, 0xff, len);
}

static void pauses_double_and_are_drawn_by_lot(void **state)
{
	static const int64_t longest[] = {1000, 2000, 4000, 8000, 16000, 20000, 20000};
	struct world w = {.random = most};

	(void)state;
	for (int i = 0; i < 7; i++) {
		int64_t expected = (int64_t)(UINT64_MAX % (uint64_t)(longest[i] + 1));
		bool varies = false;

		assert_int_equal(retry_delay(&w, i + 1), expected);
		for (int n = 0; n < 200; n++) {
			int64_t delay = retry_delay(world_real(), i + 1);

			assert_in_range(delay, 0, longest[i]);
			varies |= delay != expected;
		}
		assert_true(varies);
	}
	assert_in_range(retry_delay(world_real(), 1000), 0, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_read_from_json),
		cmocka_unit_test(keys_are_read_from_xml),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(the_checksum_is_everybodys),
		cmocka_unit_test(the_bucket_runs_dry_and_fills_with_success),
		cmocka_unit_test(what_passes_by_itself_is_tried_again),
		cmocka_unit_test(pauses_double_and_are_drawn_by_lot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
