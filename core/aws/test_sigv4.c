/*
 * The requests and signatures are AWS's published ones: "aws-sig-v4-test-suite" (as kept in
 * botocore, tests/unit/auth/aws4_testsuite, Apache-2.0), named as there, and the examples of
 * "Authenticating Requests: Using the Authorization Header" in the S3 API reference.
 * post-sts-header-after (a token sent unsigned) is left out: we sign it.
 */
#include "aws/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SUITE_TIME 1440938160000 /* 20150830T123600Z */
#define S3_TIME    1369353600000 /* 20130524T000000Z */
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define TOKEN                                                                                      \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRX"   \
	"mxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy" \
	"0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lI" \
	"ZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

struct vector {
	const char *name, *method, *path;
	const char *query[7], *headers[5];
	const char *body, *token;
	bool path_once;
	const char *signed_headers, *signature;
};

static const struct vector suite[] = {
	{.name = "get-vanilla",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-unreserved",
	 .path = "/" UNRESERVED,
	 .signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{.name = "get-utf8",
	 .path = "/\xe1\x88\xb4",
	 .path_once = true,
	 .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{.name = "get-vanilla-empty-query-key",
	 .query = {"Param1", "value1"},
	 .signature = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{.name = "get-vanilla-query-order-key",
	 .query = {"Param1", "value2", "Param1", "Value1"},
	 .signature = "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
	{.name = "get-vanilla-query-order-key-case",
	 .query = {"Param2", "value2", "Param1", "value1"},
	 .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{.name = "get-vanilla-query-order-value",
	 .query = {"Param1", "value2", "Param1", "value1"},
	 .signature = "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
	{.name = "get-vanilla-query-order-encoded",
	 .query = {"Param-3", "Value3", "Param", "Value2", "\xe1\x88\xb4", "Value1"},
	 .signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{.name = "get-vanilla-query-unreserved",
	 .query = {UNRESERVED, UNRESERVED},
	 .signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{.name = "get-vanilla-utf8-query",
	 .query = {"\xe1\x88\xb4", "bar"},
	 .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{.name = "get-vanilla-with-session-token",
	 .token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
	 .signed_headers = "host;x-amz-date;x-amz-security-token",
	 .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{.name = "get-header-key-duplicate",
	 .headers = {"My-Header1:value2", "My-Header1:value2", "My-Header1:value1"},
	 .signed_headers = "host;my-header1;x-amz-date",
	 .signature = "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{.name = "get-header-value-order",
	 .headers = {"My-Header1:value4", "My-Header1:value1", "My-Header1:value3",
		     "My-Header1:value2"},
	 .signed_headers = "host;my-header1;x-amz-date",
	 .signature = "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{.name = "get-header-value-trim",
	 .headers = {"My-Header1: value1", "My-Header2: \"a   b   c\""},
	 .signed_headers = "host;my-header1;my-header2;x-amz-date",
	 .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{.name = "post-vanilla",
	 .method = "POST",
	 .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{.name = "post-vanilla-query",
	 .method = "POST",
	 .query = {"Param1", "value1"},
	 .signature = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{.name = "post-header-key-sort",
	 .method = "POST",
	 .headers = {"My-Header1:value1"},
	 .signed_headers = "host;my-header1;x-amz-date",
	 .signature = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{.name = "post-header-value-case",
	 .method = "POST",
	 .headers = {"My-Header1:VALUE1"},
	 .signed_headers = "host;my-header1;x-amz-date",
	 .signature = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{.name = "post-sts-header-before",
	 .method = "POST",
	 .token = TOKEN,
	 .signed_headers = "host;x-amz-date;x-amz-security-token",
	 .signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{.name = "post-x-www-form-urlencoded",
	 .method = "POST",
	 .headers = {"Content-Type:application/x-www-form-urlencoded"},
	 .body = "Param1=value1",
	 .signed_headers = "content-type;host;x-amz-date",
	 .signature = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	{.name = "post-x-www-form-urlencoded-parameters",
	 .method = "POST",
	 .headers = {"Content-Type:application/x-www-form-urlencoded; charset=utf8"},
	 .body = "Param1=value1",
	 .signed_headers = "content-type;host;x-amz-date",
	 .signature = "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
	{.name = "get-relative",
	 .path = "/example/..",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-relative-relative",
	 .path = "/example1/example2/../..",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-slash",
	 .path = "//",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-slash-dot-slash",
	 .path = "/./",
	 .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.name = "get-slash-pointless-dot",
	 .path = "/./example",
	 .signature = "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
	{.name = "get-slashes",
	 .path = "//example//",
	 .signature = "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{.name = "get-space",
	 .path = "/example space/",
	 .path_once = true,
	 .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{.name = "get-special-character",
	 .path = "/example/$delete",
	 .path_once = true,
	 .signature = "a853c9b21b528b19643d00910d35b83a10c366a10833ceefb45edd6c80e40f27"},
};

#define BASIC "host;x-amz-content-sha256;x-amz-date"

static const struct vector s3_examples[] = {
	{.name = "GET Object",
	 .path = "/test.txt",
	 .headers = {"Range: bytes=0-9"},
	 .signed_headers = "host;range;x-amz-content-sha256;x-amz-date",
	 .signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
	{.name = "PUT Object",
	 .method = "PUT",
	 .path = "/test$file.text",
	 .headers = {"Date: Fri, 24 May 2013 00:00:00 GMT",
		     "x-amz-storage-class: REDUCED_REDUNDANCY"},
	 .body = "Welcome to Amazon S3.",
	 .signed_headers = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	 .signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
	{.name = "GET Bucket Lifecycle",
	 .query = {"lifecycle", ""},
	 .signed_headers = BASIC,
	 .signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
	{.name = "Get Bucket (List Objects)",
	 .query = {"prefix", "J", "max-keys", "2"},
	 .signed_headers = BASIC,
	 .signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static void check(const struct vector *v, struct sigv4_request rq, struct sigv4_credentials cr)
{
	const char *names = v->signed_headers ? v->signed_headers : "host;x-amz-date", *list, *mac;
	struct sigv4_signed s;

	cr.token = v->token;
	rq.method = v->method ? v->method : "GET";
	rq.path = v->path ? v->path : "/";
	rq.query = v->query;
	rq.headers = v->headers;
	rq.body = v->body;
	rq.body_len = v->body ? strlen(v->body) : 0;
	rq.region = "us-east-1";
	sigv4_sign(&rq, &cr, &s);
	list = strstr(s.headers.data, "SignedHeaders=");
	mac = strstr(s.headers.data, "Signature=");
	if (strncmp(list + 14, names, strlen(names)) != 0 || list[14 + strlen(names)] != ',')
		fail_msg("%s: %s", v->name, list);
	if (strncmp(mac + 10, v->signature, 64) != 0 || mac[74] != '\n')
		fail_msg("%s: %s\n%s", v->name, mac, s.canonical.data);
	sigv4_free(&s);
}

static void the_published_suite_is_met(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof suite / sizeof *suite; i++)
		check(&suite[i],
		      (struct sigv4_request){.host = "example.amazonaws.com",
					     .service = "service",
					     .also_signed = "my-header2 my-header1",
					     .path_once = suite[i].path_once,
					     .time = SUITE_TIME},
		      (struct sigv4_credentials){
			      .key_id = "AKIDEXAMPLE",
			      .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"});
}

static void the_examples_of_s3_are_met(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof s3_examples / sizeof *s3_examples; i++)
		check(&s3_examples[i],
		      (struct sigv4_request){.host = "examplebucket.s3.amazonaws.com",
					     .service = "s3",
					     .also_signed = "range date",
					     .path_once = true,
					     .send_body_hash = true,
					     .time = S3_TIME},
		      (struct sigv4_credentials){
			      .key_id = "AKIAIOSFODNN7EXAMPLE",
			      .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"});
}

static const struct sigv4_credentials anyone = {"A", "B", NULL};

static void what_is_sent_is_what_was_signed(void **state)
{
	static const char *const query[] = {"b", "x y", "a/", "\xc3\xbc=&", NULL};
	struct sigv4_request rq = {.method = "GET",
				   .host = "h:1",
				   .path = "/a b/../\xc3\xbc+=*'~//:",
				   .query = query,
				   .service = "s3",
				   .region = "r",
				   .path_once = true};
	struct sigv4_signed s;

	(void)state;
	sigv4_sign(&rq, &anyone, &s);
	assert_string_equal(buf_text(&s.target),
			    "/a%20b/../%C3%BC%2B%3D%2A%27~//%3A?a%2F=%C3%BC%3D%26&b=x%20y");
	assert_non_null(strstr(s.canonical.data, "GET\n/a%20b/../%C3%BC%2B%3D%2A%27~//%3A\n"
						 "a%2F=%C3%BC%3D%26&b=x%20y\nhost:h:1\n"));
	sigv4_free(&s);
	rq.path_once = false;
	sigv4_sign(&rq, &anyone, &s);
	assert_non_null(strstr(s.canonical.data, "GET\n/%25C3%25BC%252B%253D%252A%2527~/%253A\n"));
	assert_ptr_equal(strstr(s.target.data, "/a%20b/../"), s.target.data);
	sigv4_free(&s);
}

static void only_what_matters_is_signed(void **state)
{
	static const char *const headers[] = {"User-Agent: x",
					      "Expect:",
					      "Accept: y",
					      "Connection: z",
					      "If-Match: \"e\"",
					      "if-none-match: *",
					      "X-Amz-Target: T",
					      "x-amz-meta-a-b: 1",
					      "x-amz-meta-a: 2",
					      "X-Amz-Date: forged",
					      "x-amz-security-token: forged",
					      "Content-Type: text/plain",
					      NULL};
	struct sigv4_request rq = {.method = "PUT",
				   .host = "h",
				   .path = "/",
				   .headers = headers,
				   .service = "s",
				   .region = "r",
				   .time = SUITE_TIME};
	struct sigv4_signed s;

	(void)state;
	sigv4_sign(&rq, &anyone, &s);
	assert_non_null(strstr(s.headers.data,
			       "SignedHeaders=content-type;host;if-match;if-none-match;x-amz-date;"
			       "x-amz-meta-a;x-amz-meta-a-b;x-amz-target,"));
	assert_null(strstr(s.canonical.data, "forged"));
	assert_non_null(strstr(s.headers.data, "X-Amz-Date: 20150830T123600Z\n"));
	assert_null(strstr(s.headers.data, "Security-Token"));
	sigv4_free(&s);
}

static void an_empty_path_is_the_root(void **state)
{
	struct sigv4_request rq = {
		.method = "GET", .host = "h", .path = "", .service = "s", .region = "r"};
	struct sigv4_signed s;

	(void)state;
	sigv4_sign(&rq, &anyone, &s);
	assert_string_equal(buf_text(&s.target), "/");
	assert_ptr_equal(strstr(s.canonical.data, "GET\n/\n\nhost:h\n"), s.canonical.data);
	sigv4_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_suite_is_met),
		cmocka_unit_test(the_examples_of_s3_are_met),
		cmocka_unit_test(what_is_sent_is_what_was_signed),
		cmocka_unit_test(only_what_matters_is_signed),
		cmocka_unit_test(an_empty_path_is_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
