#include "cargo.h"
#include "items.h"
#include "latency.h"
#include "message.h"
#include "wire.h"

#include "json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add_item(void *arg, const struct item *item)
{
	struct buf *out = arg;

	buf_printf(out, "%.*s@%lld", item->id ? (int)item->id_len : 1, item->id ? item->id : "-",
		   (long long)item->sent_us);
	if (item->key)
		buf_printf(out, "#%.*s", (int)item->key_len, item->key);
	buf_char(out, ' ');
}

static void has_items(const char *body, const char *expected)
{
	struct buf out = {0};

	items_each(body, strlen(body), add_item, &out);
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void events_are_found_in_objects_arrays_and_lines(void **state)
{
	(void)state;
	has_items("{\"id\":\"a-1\",\"data\":{\"id\":\"no\",\"sent\":17}}", "a-1@17 ");
	has_items("[{\"id\":\"1\",\"data\":{}},\n {\"data\":[{\"id\":\"no\"}], \"id\" : \"2\"}]",
		  "1@0 2@0 ");
	has_items("{\"sent\":5}\n{\"text\":\"}{\\\"\\\\\",\"id\":\"x\\\"y\"}\n", "-@5 x\\\"y@0 ");
	has_items("{\"idempotencykey\":\"k\",\"id\":\"1\",\"data\":{\"idempotencykey\":\"no\"}}",
		  "1@0#k ");
	has_items("[]", "");
	has_items("", "");
}

static void a_message_ends_where_its_length_says(void **state)
{
	static const char text[] = "POST / HTTP/1.1\r\nX: 1\r\ncontent-length: 3\r\n\r\nabcPOST";
	size_t whole = sizeof text - 1 - 4, head = whole - 3;
	struct message m;

	(void)state;
	for (size_t n = 0; n < whole; n++) {
		char *part = malloc(n + 1);

		memcpy(part, text, n);
		part[n] = '\0';
		assert_int_equal(message_read(part, n, &m), MESSAGE_PART);
		assert_int_equal(m.head_len, n < head ? 0 : head);
		free(part);
	}
	assert_int_equal(message_read(text, sizeof text - 1, &m), MESSAGE_WHOLE);
	assert_int_equal(m.body_len, 3);
	assert_memory_equal(m.body, "abc", 3);
	assert_true(message_header_is(&m, "x", "1"));
	assert_false(message_header_is(&m, "abcPOST", ""));
	assert_int_equal(message_read("A\r\nTransfer-Encoding: chunked\r\n\r\n", 33, &m),
			 MESSAGE_BAD);
}

static void percentiles_are_within_two_percent(void **state)
{
	struct latency *l = calloc(1, sizeof *l);

	(void)state;
	assert_true(latency_ms(l, 0.5) == 0);
	for (int64_t us = 1; us <= 100000; us++)
		latency_add(l, us);
	latency_add(l, -5);
	assert_float_equal(latency_ms(l, 0.5), 50, 1);
	assert_float_equal(latency_ms(l, 0.99), 99, 2);
	assert_float_equal(latency_ms(l, 1), 100, 2);
	assert_int_equal(l->max, 100000);
	latency_add(l, INT64_MAX);
	assert_int_equal(l->max, INT64_MAX);
	free(l);
}

static void what_is_sent_is_json_of_about_the_size_that_was_asked_for(void **state)
{
	static const size_t sizes[] = {0, 150, 200, 1000, 5000};
	struct cargo c;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct buf out = {0};
		struct json_fault fault;

		cargo_init(&c, "p", 2, sizes[i]);
		cargo_add(&c, 17, 1764313200000000, &out);
		assert_true(json_check(out.data, out.len, JSON_MAX_DEPTH, &fault));
		if (sizes[i] >= 150)
			assert_in_range(out.len, sizes[i] - 20, sizes[i] + 20);
		has_items(out.data, "p-17@1764313200000000 ");
		buf_free(&out);
		cargo_free(&c);
	}
}

static void routes_go_on_behind_z(void **state)
{
	struct buf out = {0};
	struct cargo c;

	(void)state;
	cargo_init(&c, "p", 800, 0);
	cargo_add(&c, 25, 0, &out);
	cargo_add(&c, 26, 0, &out);
	cargo_add(&c, 26 + 26 * 26, 0, &out);
	assert_non_null(strstr(out.data, "\"route\":\"z\""));
	assert_non_null(strstr(out.data, "\"route\":\"aa\""));
	assert_non_null(strstr(out.data, "\"route\":\"aaa\""));
	buf_free(&out);
	cargo_free(&c);
}

static void every_frame_of_relp_must_be_answered(void **state)
{
	static const char text[] = "2 rsp 6 200 OK\n3 rsp 6 200 OK\n";
	struct request two = {.count = 2};
	bool keep = true;

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++)
		assert_int_equal(wire_relp.answer(&two, text, n, &keep), 0);
	assert_int_equal(wire_relp.answer(&two, text, sizeof text - 1, &keep), 200);
	assert_int_equal(
		wire_relp.answer(&(struct request){.count = 1}, "2 rsp 6 500 no\n", 15, &keep),
		500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_found_in_objects_arrays_and_lines),
		cmocka_unit_test(a_message_ends_where_its_length_says),
		cmocka_unit_test(percentiles_are_within_two_percent),
		cmocka_unit_test(what_is_sent_is_json_of_about_the_size_that_was_asked_for),
		cmocka_unit_test(routes_go_on_behind_z),
		cmocka_unit_test(every_frame_of_relp_must_be_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
