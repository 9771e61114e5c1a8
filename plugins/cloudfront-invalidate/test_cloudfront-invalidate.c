#include "batch.h"
#include "origin.h"
#include "testhost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

#define EVENT "{\"type\":\"build.succeeded\",\"data\":{\"build\":\"b:1\",\"dir\":\"a b\"}}"

static struct testhost *host(const char *key, const char *value, const char *key2,
			     const char *value2)
{
	const char *const settings[] = {key, value, key2, value2, NULL};
	struct testhost *t = testhost_new(&pointsman_plugin_v1, "cdn", settings);

	assert_non_null(t);
	return t;
}

/* One page of ListDistributions: each distribution is "ID origin enabled staging". */
static const char *page(char *out, size_t size, const char *marker, const char *const *all)
{
	size_t n = (size_t)snprintf(out, size,
				    "<?xml version=\"1.0\"?><DistributionList xmlns=\"http://"
				    "cloudfront.amazonaws.com/doc/2020-05-31/\"><IsTruncated>%s"
				    "</IsTruncated><NextMarker>%s</NextMarker><Items>",
				    marker ? "true" : "false", marker ? marker : "");

	for (; all && *all; all++) {
		char id[32], origin[128], enabled[8], staging[8];

		assert_int_equal(sscanf(*all, "%31s %127s %7s %7s", id, origin, enabled, staging),
				 4);
		n += (size_t)snprintf(
			out + n, size - n,
			"<DistributionSummary><Id>%s</Id><Origins><Quantity>2"
			"</Quantity><Items><Origin><Id>o</Id><DomainName>api.example.com"
			"</DomainName></Origin><Origin><DomainName>%s</DomainName>"
			"</Origin></Items></Origins><Enabled>%s</Enabled>"
			"<Staging>%s</Staging></DistributionSummary>",
			id, origin, enabled, staging);
	}
	snprintf(out + n, size - n, "</Items></DistributionList>");
	return out;
}

static void answer_page(struct testhost *t, const char *marker, const char *const *all)
{
	char body[8192];

	testhost_answer(t, 200, NULL, page(body, sizeof body, marker, all));
}

static void answer_made(struct testhost *t, const char *id)
{
	char body[256];

	snprintf(body, sizeof body,
		 "<Invalidation><Id>%s</Id><Status>InProgress</Status></Invalidation>", id);
	testhost_answer(t, 201, NULL, body);
}

static void answer_status(struct testhost *t, const char *status)
{
	char body[256];

	snprintf(body, sizeof body, "<Invalidation><Id>I</Id><Status>%s</Status></Invalidation>",
		 status);
	testhost_answer(t, 200, NULL, body);
}

static void every_name_of_a_bucket_is_known(void **state)
{
	static const char *const names[] = {
		"site.s3.amazonaws.com",
		"site.s3.eu-west-1.amazonaws.com",
		"site.s3-eu-west-1.amazonaws.com",
		"site.s3-website-eu-west-1.amazonaws.com",
		"site.s3-website.eu-central-1.amazonaws.com",
		"site.s3.dualstack.eu-west-1.amazonaws.com",
		"site.s3.cn-north-1.amazonaws.com.cn",
		"SITE.S3.AMAZONAWS.COM",
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!origin_is_bucket(names[i], "site"))
			fail_msg("%s is not taken for the bucket", names[i]);
	}
	assert_true(origin_is_bucket("www.site.org.s3.amazonaws.com", "www.site.org"));
}

static void other_names_are_not(void **state)
{
	static const char *const names[] = {
		"site-old.s3.amazonaws.com",
		"old-site.s3.amazonaws.com",
		"www.site.s3.amazonaws.com",
		"site.s3.amazonaws.com.example.org",
		"site.s3..amazonaws.com",
		"site.s3.a.b.amazonaws.com",
		"site.example.com",
		"site",
		"site.s3.amazonaws.comx",
		"sites3.amazonaws.com",
		"site.s3-website.amazonaws.com.",
		"",
		"s3.amazonaws.com",
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (origin_is_bucket(names[i], "site"))
			fail_msg("%s is taken for the bucket", names[i]);
	}
	assert_false(origin_is_bucket(".s3.amazonaws.com", ""));
}

static void paths_are_encoded_and_judged(void **state)
{
	static const struct {
		const char *path, *encoded; /* NULL: refused */
	} paths[] = {
		{"/*", "/*"},
		{"/a b/ü.html", "/a%20b/%C3%BC.html"},
		{"/a%20b", "/a%20b"},
		{"/a?b=c&d", "/a?b=c&d"},
		{"/<a>\"", "/%3Ca%3E%22"},
		{"index.html", NULL},
		{"", NULL},
		{"/*/a", NULL},
		{"/**", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct buf out = {0};
		struct err err;
		bool ok = batch_path(paths[i].path, &out, &err);

		assert_int_equal(ok, paths[i].encoded != NULL);
		if (ok)
			assert_string_equal(buf_text(&out), paths[i].encoded);
		buf_free(&out);
	}
}

static char *reference(const char *key, const char *const *paths)
{
	struct buf out = {0};
	char *start, *copy;

	batch_xml(key, paths, &out);
	start = strstr(out.data, "<CallerReference>");
	copy = strdup(start);
	buf_free(&out);
	return copy;
}

static void the_reference_goes_by_key_and_paths(void **state)
{
	const char *const one[] = {"/a", NULL}, *const two[] = {"/a", "/b", NULL};
	char *a = reference("k", one), *same = reference("k", one), *b = reference("k", two),
	     *c = reference("l", one);

	(void)state;
	assert_string_equal(a, same);
	assert_string_not_equal(a, b);
	assert_string_not_equal(a, c);
	free(a);
	free(same);
	free(b);
	free(c);
}

static void a_named_distribution_is_invalidated_at_once(void **state)
{
	struct testhost *t = host("distribution", "E1", "paths", "/*, /{{ data.dir }}/x?a=1&b=2");
	pm_delivery d = testhost_deliver(t, EVENT);
	const struct testhost_request *rq = testhost_request(t);

	(void)state;
	assert_string_equal(rq->method, "POST");
	assert_string_equal(rq->url, "/2020-05-31/distribution/E1/invalidation");
	assert_string_equal(rq->aws, "cloudfront:us-east-1");
	assert_string_equal(testhost_request_header(t, "Content-Type"), "application/xml");
	assert_non_null(strstr(rq->body,
			       "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws."
			       "com/doc/2020-05-31/\"><Paths><Quantity>2</Quantity><Items>"
			       "<Path>/*</Path><Path>/a%20b/x?a=1&amp;b=2</Path></Items>"
			       "</Paths><CallerReference>"));
	answer_made(t, "I1");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void a_retry_repeats_the_reference(void **state)
{
	struct testhost *t = host("distribution", "E1", NULL, NULL);
	pm_delivery d = testhost_deliver(t, EVENT);
	char *first = strdup(testhost_request(t)->body);

	(void)state;
	testhost_no_answer(t, "timed out");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	testhost_again(t, d);
	assert_string_equal(testhost_request(t)->body, first);
	answer_made(t, "I1");
	free(first);
	testhost_free(t);
}

static void the_bucket_is_looked_for_on_every_page(void **state)
{
	const char *const first[] = {"E1 site-old.s3.amazonaws.com true false",
				     "E2 other.example.com true false", NULL};
	const char *const second[] = {"E3 site.s3.eu-west-1.amazonaws.com true false", NULL};
	struct testhost *t = host("bucket", "site", NULL, NULL);
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	assert_string_equal(testhost_request(t)->method, "GET");
	assert_string_equal(testhost_request(t)->url, "/2020-05-31/distribution");
	assert_string_equal(testhost_request_query(t, "MaxItems"), "100");
	assert_null(testhost_request_query(t, "Marker"));
	answer_page(t, "M 1", first);
	assert_string_equal(testhost_request_query(t, "Marker"), "M 1");
	answer_page(t, NULL, second);
	assert_string_equal(testhost_request(t)->url, "/2020-05-31/distribution/E3/invalidation");
	answer_made(t, "I1");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void nothing_found_is_an_error(void **state)
{
	const char *const none[] = {NULL};
	const char *const off[] = {"E1 site.s3.amazonaws.com false false",
				   "E2 site.s3.amazonaws.com true true", NULL};
	struct testhost *t = host("bucket", "site", NULL, NULL);
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_page(t, NULL, none);
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_string_equal(testhost_why(t, d), "no distribution has bucket site behind an origin");
	d = testhost_deliver(t, EVENT);
	answer_page(t, NULL, off);
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_non_null(strstr(testhost_why(t, d), "disabled"));
	testhost_free(t);
}

static void an_empty_list_has_no_items(void **state)
{
	struct testhost *t = host("bucket", "site", NULL, NULL);
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	testhost_answer(t, 200, NULL,
			"<DistributionList><IsTruncated>false</IsTruncated><Quantity>0</Quantity>"
			"</DistributionList>");
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	testhost_free(t);
}

static const char *const both[] = {"E1 site.s3.amazonaws.com true false",
				   "E2 site.s3-website-us-east-1.amazonaws.com true false", NULL};

static void several_are_all_invalidated_and_said(void **state)
{
	struct testhost *t = host("bucket", "site", NULL, NULL);
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_page(t, NULL, both);
	assert_string_equal(testhost_last_log(t),
			    "2 distributions have bucket site behind them: E1, E2");
	assert_string_equal(testhost_request(t)->url, "/2020-05-31/distribution/E1/invalidation");
	answer_made(t, "I1");
	assert_int_equal(testhost_end(t, d), TESTHOST_OPEN);
	assert_string_equal(testhost_request(t)->url, "/2020-05-31/distribution/E2/invalidation");
	answer_made(t, "I2");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void several_are_refused_where_asked(void **state)
{
	struct testhost *t = host("bucket", "site", "several", "refuse");
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_page(t, NULL, both);
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_non_null(strstr(testhost_why(t, d), "(E1, E2)"));
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void too_many_in_progress_waits_though_it_is_a_400(void **state)
{
	struct testhost *t = host("distribution", "E1", NULL, NULL);
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	testhost_answer(t, 400, NULL,
			"<ErrorResponse><Error><Code>TooManyInvalidationsInProgress</Code>"
			"</Error></ErrorResponse>");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	testhost_again(t, d);
	testhost_answer(t, 404, NULL,
			"<ErrorResponse><Error><Code>NoSuchDistribution</Code></Error>"
			"</ErrorResponse>");
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	testhost_free(t);
}

static void wait_holds_until_all_are_completed(void **state)
{
	struct testhost *t = host("bucket", "site", "wait", "yes");
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	answer_page(t, NULL, both);
	answer_made(t, "I1");
	answer_made(t, "I2");
	assert_int_equal(testhost_end(t, d), TESTHOST_HELD);
	assert_string_equal(testhost_held(t, d), "E1/I1 E2/I2");
	testhost_restart(t);
	testhost_again(t, d);
	assert_string_equal(testhost_request(t)->url,
			    "/2020-05-31/distribution/E1/invalidation/I1");
	answer_status(t, "Completed");
	assert_string_equal(testhost_request(t)->url,
			    "/2020-05-31/distribution/E2/invalidation/I2");
	answer_status(t, "InProgress");
	assert_string_equal(testhost_held(t, d), "E2/I2");
	testhost_again(t, d);
	testhost_answer(t, 503, NULL, "");
	assert_string_equal(testhost_held(t, d), "E2/I2");
	testhost_again(t, d);
	answer_status(t, "Completed");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void an_answer_without_sense_is_asked_for_again(void **state)
{
	static const char *const bodies[] = {
		"", "<html>",
		"<!DOCTYPE a [<!ENTITY b \"c\">]><Invalidation><Id>&b;</Id></Invalidation>",
		"<Invalidation/>", "{\"Id\":\"I\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct testhost *t = host("distribution", "E1", NULL, NULL);
		pm_delivery d = testhost_deliver(t, EVENT);

		testhost_answer(t, 201, NULL, bodies[i]);
		assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
		testhost_free(t);
	}
}

static void a_path_that_comes_out_wrong_is_refused(void **state)
{
	struct testhost *t = host("distribution", "E1", "paths", "{{ data.build }}");
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_non_null(strstr(testhost_why(t, d), "b:1"));
	testhost_free(t);
}

static void an_absent_value_ends_it(void **state)
{
	struct testhost *t = host("distribution", "E1", "paths", "/{{ data.nothing }}");
	pm_delivery d = testhost_deliver(t, EVENT);

	(void)state;
	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_int_equal(testhost_requests(t), 0);
	testhost_free(t);
}

static void bad_settings_are_refused(void **state)
{
	static const char *const settings[][5] = {
		{NULL},
		{"bucket", "site", "distribution", "E1", NULL},
		{"bucket", "site", "paths", "index.html", NULL},
		{"bucket", "site", "paths", "/a*b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		assert_null(testhost_new(&pointsman_plugin_v1, "cdn", settings[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_of_a_bucket_is_known),
		cmocka_unit_test(other_names_are_not),
		cmocka_unit_test(paths_are_encoded_and_judged),
		cmocka_unit_test(the_reference_goes_by_key_and_paths),
		cmocka_unit_test(a_named_distribution_is_invalidated_at_once),
		cmocka_unit_test(a_retry_repeats_the_reference),
		cmocka_unit_test(the_bucket_is_looked_for_on_every_page),
		cmocka_unit_test(nothing_found_is_an_error),
		cmocka_unit_test(an_empty_list_has_no_items),
		cmocka_unit_test(several_are_all_invalidated_and_said),
		cmocka_unit_test(several_are_refused_where_asked),
		cmocka_unit_test(too_many_in_progress_waits_though_it_is_a_400),
		cmocka_unit_test(wait_holds_until_all_are_completed),
		cmocka_unit_test(an_answer_without_sense_is_asked_for_again),
		cmocka_unit_test(a_path_that_comes_out_wrong_is_refused),
		cmocka_unit_test(an_absent_value_ends_it),
		cmocka_unit_test(bad_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
