#include "http/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Feed `text` in pieces of `step` bytes; returns what is left unread. */
static const char *feed(struct http_reader *r, const char *text, size_t step,
			enum http_reading *last)
{
	size_t len = strlen(text), at = 0, used = 0;

	*last = HTTP_MORE;
	while (at < len && *last != HTTP_WHOLE && *last != HTTP_REFUSED) {
		size_t n = len - at < step ? len - at : step;

		*last = http_reader_feed(r, text + at, n, &used);
		at += used;
	}
	return text + at;
}

static struct http_reader fresh(void)
{
	return (struct http_reader){.max_head = 1000, .max_body = 100};
}

static void a_request_reads_the_same_in_any_pieces(void **state)
{
	static const char text[] = "POST /in?x=1 HTTP/1.1\r\nHost: a\r\nX-One: 1 \r\n"
				   "Content-Length: 5\r\n\r\nhelloGET";

	(void)state;
	for (size_t step = 1; step < sizeof text; step++) {
		struct http_reader r = fresh();
		enum http_reading last;
		const char *rest = feed(&r, text, step, &last);

		assert_int_equal(last, HTTP_WHOLE);
		assert_string_equal(rest, "GET");
		assert_string_equal(r.method, "POST");
		assert_string_equal(r.path, "/in");
		assert_string_equal(r.target, "/in?x=1");
		assert_string_equal(http_reader_field(&r, "x-one"), "1");
		assert_null(http_reader_field(&r, "x-two"));
		assert_string_equal(buf_text(&r.body), "hello");
		assert_true(r.keep_alive);
		http_reader_clear(&r);
	}
}

static void chunks_are_joined_and_trailers_dropped(void **state)
{
	static const char text[] =
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-Late: 1\r\n\r\n";

	(void)state;
	for (size_t step = 1; step < sizeof text; step++) {
		struct http_reader r = fresh();
		enum http_reading last;

		feed(&r, text, step, &last);
		assert_int_equal(last, HTTP_WHOLE);
		assert_string_equal(buf_text(&r.body), "abc0123456789");
		assert_null(http_reader_field(&r, "x-late"));
		http_reader_clear(&r);
	}
}

#define HOST "Host: a\r\n"

static void what_is_doubtful_is_refused(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{"nonsense\r\n", 400},
		{"GET\r\n", 400},
		{"GET /\r\n", 400},
		{"GET / HTTP/1.1 x\r\n", 505},
		{"GET / HTTP/2.0\r\n", 505},
		{"GET / FTP/1.1\r\n", 400},
		{"G(T / HTTP/1.1\r\n", 400},
		{" / HTTP/1.1\r\n", 400},
		{"GET x HTTP/1.1\r\n", 400},
		{"GET ftp://a/ HTTP/1.1\r\n", 400},
		{"GET /\x01 HTTP/1.1\r\n", 400},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST "no colon\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST "Name : x\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST ": x\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST "A: b\r\n folded\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n", 413},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n", 501},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
		 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
		 400},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		 "ffffffffffffffffffff\r\n",
		 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n65\r\n", 413},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t step = 1; step < 2000; step += 1998) {
			struct http_reader r = fresh();
			enum http_reading last;

			feed(&r, cases[i].text, step, &last);
			if (last != HTTP_REFUSED || r.refusal != cases[i].status)
				fail_msg("%s: %d %d, not %d", cases[i].text, last, r.refusal,
					 cases[i].status);
			http_reader_clear(&r);
		}
	}
}

static void a_nul_byte_in_the_head_is_refused(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nA: b\0c\r\n";
	struct http_reader r = fresh();
	size_t used;

	(void)state;
	assert_int_equal(http_reader_feed(&r, text, sizeof text - 1, &used), HTTP_REFUSED);
	assert_int_equal(r.refusal, 400);
	http_reader_clear(&r);
}

static void chunks_may_not_add_up_to_more_than_the_limit(void **state)
{
	struct http_reader r = fresh();
	enum http_reading last;

	(void)state;
	feed(&r, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 100, &last);
	for (int i = 0; i < 50; i++) {
		feed(&r, "2\r\nab\r\n", 100, &last);
		assert_int_equal(last, HTTP_MORE);
	}
	feed(&r, "1\r\n", 100, &last);
	assert_int_equal(last, HTTP_REFUSED);
	assert_int_equal(r.refusal, 413);
	http_reader_clear(&r);
}

static void a_head_without_end_is_refused_at_its_limit(void **state)
{
	struct http_reader r = fresh();
	enum http_reading last;
	size_t used, n = 0;

	(void)state;
	feed(&r, "GET / HTTP/1.1\r\n", 100, &last);
	for (; last == HTTP_MORE; n++)
		last = http_reader_feed(&r, "a", 1, &used);
	assert_int_equal(r.refusal, 431);
	assert_int_equal(n, 1000 - 16 + 1);
	http_reader_clear(&r);
}

static void a_sender_that_asks_first_is_told_to_go_on(void **state)
{
	struct http_reader r = fresh();
	enum http_reading last;

	(void)state;
	feed(&r, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
	     200, &last);
	assert_int_equal(last, HTTP_BODY);
	assert_true(r.wants_continue);
	assert_int_equal(r.left, 2);
	feed(&r, "ok", 1, &last);
	assert_int_equal(last, HTTP_WHOLE);
	http_reader_clear(&r);
}

static void keeping_the_connection_follows_version_and_wish(void **state)
{
	static const struct {
		const char *text;
		bool keeps;
	} cases[] = {
		{"GET / HTTP/1.1\r\n" HOST "\r\n", true},
		{"GET / HTTP/1.1\n" HOST "\n", true},
		{"GET / HTTP/1.1\r\n" HOST "Connection: TE, Close\r\n\r\n", false},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"\r\nGET http://x:1/ HTTP/1.1\r\n" HOST "\r\n", true},
		{"GET http://x HTTP/1.1\r\n" HOST "\r\n", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_reader r = fresh();
		enum http_reading last;

		assert_false(http_reader_began(&r));
		feed(&r, cases[i].text, 1, &last);
		assert_int_equal(last, HTTP_WHOLE);
		assert_true(http_reader_began(&r));
		assert_string_equal(r.path, "/");
		assert_int_equal(r.keep_alive, cases[i].keeps);
		http_reader_clear(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_reads_the_same_in_any_pieces),
		cmocka_unit_test(chunks_are_joined_and_trailers_dropped),
		cmocka_unit_test(what_is_doubtful_is_refused),
		cmocka_unit_test(a_nul_byte_in_the_head_is_refused),
		cmocka_unit_test(chunks_may_not_add_up_to_more_than_the_limit),
		cmocka_unit_test(a_head_without_end_is_refused_at_its_limit),
		cmocka_unit_test(a_sender_that_asks_first_is_told_to_go_on),
		cmocka_unit_test(keeping_the_connection_follows_version_and_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
