#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/units.h"
#include "base/utf8.h"
#include "base/world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void a_prefix_goes_in_front_and_a_long_text_is_cut(void **state)
{
	struct err e;
	char big[2000];

	(void)state;
	err_set(&e, "no such file");
	err_prefix(&e, "journal %s", "/x");
	assert_string_equal(e.text, "journal /x: no such file");
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	err_set(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_set(NULL, "nobody listens");
	err_prefix(NULL, "nobody");
}

static void what_an_error_quotes_stays_one_line_of_whole_characters(void **state)
{
	struct err e;
	char big[2000];

	(void)state;
	err_set(&e, "said: %s", "a\r\nb\x1b[2J\x7f caf\xc3\xa9 \xff\xc3.");
	assert_string_equal(e.text, "said: a  b [2J  caf\xc3\xa9 ??.");
	for (size_t i = 0; i < sizeof big - 1; i++)
		big[i] = "\xe2\x82\xac"[i % 3];
	big[sizeof big - 1] = '\0';
	err_set(&e, "%s", big);
	assert_int_equal(strlen(e.text), 510);
	err_prefix(&e, "x");
	assert_int_equal(strlen(e.text), 3 + 300);
	err_prefix(&e, "%s", big);
	assert_true(utf8_valid(e.text, strlen(e.text)));
}

static void each_byte_is_escaped_wherever_it_stands(void **state)
{
	(void)state;
	for (size_t len = 1; len < 20; len++) {
		for (size_t at = 0; at < len; at++) {
			for (int c = 0; c < 256; c++) {
				bool plain = c >= 0x20 && c != '"' && c != '\\';
				struct buf b = {0};
				char text[20];

				memset(text, 'x', sizeof text);
				text[at] = (char)c;
				buf_json_escaped(&b, text, len);
				assert_int_equal(b.len == len, plain);
				assert_int_equal(b.data[at], plain ? (char)c : '\\');
				assert_int_equal(b.data[b.len - 1],
						 at + 1 < len ? 'x' : b.data[b.len - 1]);
				buf_free(&b);
			}
		}
	}
}

static void a_buffer_grows_cuts_and_escapes(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_string_equal(buf_text(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	assert_int_equal(b.len, 3890);
	buf_cut(&b, 4);
	assert_string_equal(buf_text(&b), "0,1,");
	buf_cut(&b, 0);
	buf_json_string(&b, "a\"\\\n\t\x01\xc3\xbc", 8);
	assert_string_equal(buf_text(&b), "\"a\\\"\\\\\\n\\t\\u0001\xc3\xbc\"");
	buf_free(&b);
	buf_free(NULL);
}

static void a_buffer_reads_a_file_and_stops_when_it_is_too_much(void **state)
{
	FILE *file = tmpfile(), *folder = fopen("/", "r");
	struct buf b = {0};

	(void)state;
	assert_non_null(file);
	assert_non_null(folder);
	for (int i = 0; i < 100000; i++)
		fputs("abcd", file);
	rewind(file);
	buf_text_add(&b, "before ");
	assert_true(buf_read(&b, file, 1000));
	assert_true(b.len > 1000 && b.len < 400000);
	assert_true(buf_read(&b, file, 400007));
	assert_int_equal(b.len, 400007);
	assert_memory_equal(b.data, "before abcdabcd", 15);
	assert_string_equal(b.data + 400003, "abcd");
	assert_false(buf_read(&b, folder, 1000000));
	assert_int_equal(errno, EISDIR);
	assert_int_equal(b.len, 400007);
	buf_free(&b);
	fclose(file);
	fclose(folder);
}

static void a_map_keeps_order_and_forgets_what_was_removed(void **state)
{
	struct map m = {0};
	struct map_entry *e;
	char key[16];
	int values[1000], seen = 0;

	(void)state;
	assert_null(map_get(&m, "nothing"));
	assert_null(map_remove(&m, "nothing"));
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_null(map_put(&m, key, &values[i]));
	}
	assert_ptr_equal(map_put(&m, "k7", &values[8]), &values[7]);
	assert_ptr_equal(map_get_n(&m, "k70", 2), &values[8]);
	for (int i = 0; i < 1000; i += 2) {
		snprintf(key, sizeof key, "k%d", i);
		assert_non_null(map_remove(&m, key));
		assert_null(map_get(&m, key));
	}
	assert_int_equal(m.count, 500);
	for (size_t i = 0; (e = map_next(&m, &i)); seen++) {
		snprintf(key, sizeof key, "k%d", 2 * seen + 1);
		assert_string_equal(e->key, key);
	}
	assert_int_equal(seen, 500);
	map_free(&m, NULL);
}

static void digests_are_those_everybody_gets(void **state)
{
	unsigned char d[32];
	char hex[65];

	(void)state;
	hash_sha256("abc", 3, d);
	hash_hex(d, 32, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, d);
	hash_hex(d, 32, hex);
	assert_string_equal(hex,
			    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	hash_hmac_sha1("Jefe", 4, "what do ya want for nothing?", 28, d);
	hash_hex(d, 20, hex);
	assert_string_equal(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

static void the_short_hash_tells_length_seed_and_every_byte(void **state)
{
	char text[40] = {0};
	uint64_t all[80];
	size_t n = 0;

	(void)state;
	for (size_t len = 0; len <= sizeof text; len++)
		all[n++] = hash64(text, len, 0);
	all[n++] = hash64(text, sizeof text, 1);
	for (size_t i = 0; i < 38; i++) {
		text[i] = 1;
		all[n++] = hash64(text, sizeof text, 0);
		text[i] = 0;
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++)
			assert_true(all[i] != all[j]);
	}
}

static void durations_have_a_whole_number_and_a_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = {
		{"0", 0},
		{"250ms", 250},
		{"30s", 30000},
		{"5m", 300000},
		{"1h", 3600000},
		{"7d", 604800000},
		{"0s", 0},
		{"", -1},
		{"5", -1},
		{"1.5s", -1},
		{"-1s", -1},
		{"1 s", -1},
		{"s", -1},
		{"1S", -1},
		{"1sx", -1},
		{"99999999999999999999s", -1},
		{"9223372036854775807d", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = -2;
		bool ok = units_duration(cases[i].text, &ms);

		if (ok != (cases[i].ms >= 0) || (ok && ms != cases[i].ms))
			fail_msg("duration '%s': %d, %lld", cases[i].text, ok, (long long)ms);
	}
}

static void sizes_are_binary(void **state)
{
	int64_t n;

	(void)state;
	assert_true(units_size("12", &n) && n == 12);
	assert_true(units_size("64k", &n) && n == 65536);
	assert_true(units_size("10M", &n) && n == 10485760);
	assert_true(units_size("20G", &n) && n == 21474836480);
	assert_false(units_size("1KB", &n));
	assert_false(units_size("m", &n));
	assert_false(units_size("-1k", &n));
	assert_false(units_size("9223372036854775807k", &n));
}

static void integers_reach_both_ends(void **state)
{
	int64_t n;

	(void)state;
	assert_true(units_integer("9223372036854775807", &n) && n == INT64_MAX);
	assert_true(units_integer("-9223372036854775808", &n) && n == INT64_MIN);
	assert_true(units_integer("-5", &n) && n == -5);
	assert_false(units_integer("9223372036854775808", &n));
	assert_false(units_integer("-9223372036854775809", &n));
	assert_false(units_integer("", &n));
	assert_false(units_integer("-", &n));
	assert_false(units_integer("--1", &n));
	assert_false(units_integer("1x", &n));
}

static void a_bool_is_one_of_four_words(void **state)
{
	bool b;

	(void)state;
	assert_true(units_bool("yes", &b) && b);
	assert_true(units_bool("true", &b) && b);
	assert_true(units_bool("no", &b) && !b);
	assert_true(units_bool("false", &b) && !b);
	assert_false(units_bool("on", &b));
	assert_false(units_bool("", &b));
}

static void people_read_at_most_two_units(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{0, "0s"},          {450, "450ms"},  {1500, "1s 500ms"},  {60000, "1m"},
		{3725000, "1h 2m"}, {3600005, "1h"}, {90000000, "1d 1h"}, {-30000, "-30s"},
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(units_duration_text(cases[i].ms, out, sizeof out),
				    cases[i].text);
	units_duration_text(INT64_MIN, out, sizeof out);
}

static void times_go_there_and_back(void **state)
{
	static const int64_t cases[] = {
		0, 1, -1, 1700000000123, 951782400000, -62135596800000, 253402300799999};
	char text[32];
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		units_time_text(cases[i], text);
		if (!units_time(text, &ms) || ms != cases[i])
			fail_msg("%lld became %s", (long long)cases[i], text);
	}
	assert_string_equal(units_time_text(1700000000123, text), "2023-11-14T22:13:20.123Z");
	assert_string_equal(units_time_text(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
}

static void every_day_is_that_of_the_c_library(void **state)
{
	(void)state;
	/* Days of all months and leap years, a prime number of seconds apart. */
	for (int64_t at = -62135596800; at <= 253402300799; at += 7364897) {
		time_t s = (time_t)at;
		char text[32], expected[80];
		struct tm tm;
		int64_t ms;

		gmtime_r(&s, &tm);
		snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.000Z",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec);
		assert_string_equal(units_time_text(at * 1000, text), expected);
		assert_true(units_time(text, &ms));
		assert_int_equal(ms, at * 1000);
	}
}

static void times_are_read_with_any_offset(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"2023-11-14T22:13:20Z", 1700000000000},
		{"2023-11-14t22:13:20.5z", 1700000000500},
		{"2023-11-14 22:13:20.123456789Z", 1700000000123},
		{"2023-11-15T00:13:20+02:00", 1700000000000},
		{"2023-11-14T16:43:20.001-05:30", 1700000000001},
		{"1700000000123", 1700000000123},
		{"2016-12-31T23:59:60Z", 1483228800000},
	};
	static const char *const bad[] = {
		"",
		"yesterday",
		"2023-11-14",
		"2023-11-14T22:13:20",
		"2023-13-14T22:13:20Z",
		"2023-02-29T00:00:00Z",
		"2023-00-10T00:00:00Z",
		"2023-11-00T00:00:00Z",
		"2023-11-14T24:00:00Z",
		"2023-11-14T22:13:20.Z",
		"2023-11-14T22:13:20+2:00",
		"2023-11-14T22:13:20+02:00x",
		"2023-11-14T22:13:20Zx",
		"-5",
		"99999999999999999999",
		"2023-11-14T22:1",
		"2023-11-14T22:13:20+25:00",
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		if (!units_time(good[i].text, &ms) || ms != good[i].ms)
			fail_msg("%s is not %lld", good[i].text, (long long)good[i].ms);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (units_time(bad[i], &ms))
			fail_msg("'%s' was taken for a time", bad[i]);
	}
}

static void the_real_world_has_time_chance_and_disk(void **state)
{
	struct world *w = world_real();
	int64_t then = w->boot(w);

	(void)state;
	assert_true(w->wall(w) > 1600000000000);
	assert_true(w->boot(w) >= then);
	assert_true(world_random64(w) != world_random64(w));
	assert_true(w->disk_free(w, ".") >= 0);
	assert_int_equal(w->disk_free(w, "/nonexistent/dir"), -1);
}

struct lines {
	int n;
	enum log_level level;
	char last[512];
};

static void keep_line(enum log_level level, const char *line, void *arg)
{
	struct lines *l = arg;

	l->n++;
	l->level = level;
	snprintf(l->last, sizeof l->last, "%s", line);
}

static void a_secret_never_reaches_a_line(void **state)
{
	struct lines l = {0};
	struct buf b = {0};

	(void)state;
	log_capture(keep_line, &l);
	log_secret("hunter22");
	log_secret("hunter22-longer");
	log_secret("say \"friend\"");
	log_secret("abc");
	log_secret(NULL);
	log_warn("tried hunter22-longer, hunter22 and abc");
	assert_string_equal(l.last, "tried ***, *** and abc");
	log_warn("body {\"p\": \"say \\\"friend\\\"\"}");
	assert_string_equal(l.last, "body {\"p\": \"***\"}");
	buf_text_add(&b, "hunter22hunter22");
	log_mask(&b);
	assert_string_equal(buf_text(&b), "******");
	buf_free(&b);
	log_mask(&b);
	log_forget("hunter22-longer");
	log_forget("say \"friend\"");
	log_forget("never known");
	log_forget(NULL);
	log_warn("tried hunter22-longer with \\\"friend\\\"");
	assert_string_equal(l.last, "tried ***-longer with \\\"friend\\\"");
	log_capture(NULL, NULL);
}

static void levels_below_the_least_are_silent(void **state)
{
	struct lines l = {0};
	enum log_level level;

	(void)state;
	log_capture(keep_line, &l);
	log_debug("too fine");
	assert_int_equal(l.n, 0);
	assert_true(log_level_parse("debug", &level));
	log_setup(level, false);
	log_debug("fine");
	assert_int_equal(l.n, 1);
	assert_int_equal(l.level, LOG_DEBUG);
	log_setup(LOG_INFO, false);
	assert_false(log_level_parse("loud", &level));
	log_capture(NULL, NULL);
}

static void a_line_from_outside_stays_one_line(void **state)
{
	struct lines l = {0};

	(void)state;
	log_capture(keep_line, &l);
	log_warn("said %s", "a\nb\x1b[2J\xff\xc3\xbc\xed\xa0\x80\xf0\x9f\x98\x80");
	assert_string_equal(l.last,
			    "said a\\nb\\x1b[2J\\xff\xc3\xbc\\xed\\xa0\\x80\xf0\x9f\x98\x80");
	log_warn("cut %s", "\xe2\x82");
	assert_string_equal(l.last, "cut \\xe2\\x82");
	log_capture(NULL, NULL);
}

static void many_lines_of_one_kind_are_counted(void **state)
{
	struct lines l = {0};
	struct log_limit limit = {0};

	(void)state;
	log_capture(keep_line, &l);
	for (int i = 0; i < LOG_BURST + 7; i++)
		log_limited(&limit, LOG_WARN, "number %d", i);
	assert_int_equal(l.n, LOG_BURST);
	limit.until = 0; /* the minute is over */
	log_limited(&limit, LOG_WARN, "another");
	assert_string_equal(l.last, "another (and before it 7 more of this kind)");
	log_limited(&limit, LOG_WARN, "one more");
	assert_string_equal(l.last, "one more");
	log_capture(NULL, NULL);
	assert_int_equal(l.n, LOG_BURST + 2);
}

static void a_repeated_line_is_said_once(void **state)
{
	struct lines l = {0};

	(void)state;
	log_capture(keep_line, &l);
	for (int i = 0; i < 100; i++)
		log_warn("down again");
	assert_int_equal(l.n, 1);
	log_error("down again");
	assert_int_equal(l.n, 2);
	log_warn("another matter");
	assert_int_equal(l.n, 3);
	log_capture(NULL, NULL);
}

struct note {
	struct letter letter;
	int from, n;
};

struct sender {
	struct mailbox *m;
	int from;
};

static void *send_many(void *arg)
{
	struct sender *s = arg;

	for (int i = 0; i < 1000; i++) {
		struct note *note = mem_new(struct note);

		*note = (struct note){{NULL}, s->from, i};
		mailbox_send(s->m, &note->letter);
	}
	return NULL;
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void letters_of_each_sender_arrive_in_order(void **state)
{
	struct mailbox *m = mailbox_new();
	struct sender senders[3] = {{m, 0}, {m, 1}, {m, 2}};
	pthread_t threads[3];
	int next[3] = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, send_many, &senders[i]);
	while (next[0] + next[1] + next[2] < 3000) {
		struct letter *after;

		world_real()->wait(world_real(), mailbox_fd(m), -1);
		for (struct letter *l = mailbox_take(m); l; l = after) {
			struct note *note = (struct note *)l;

			after = l->next;
			assert_int_equal(note->n, next[note->from]++);
			free(note);
		}
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_null(mailbox_take(m));
	mailbox_free(m);
}

static void readiness_follows_what_is_inside(void **state)
{
	struct mailbox *m = mailbox_new();
	struct note a = {{NULL}, 0, 0}, b = {{NULL}, 0, 1};

	(void)state;
	assert_false(is_readable(mailbox_fd(m)));
	assert_null(mailbox_take(m));
	mailbox_send(m, &a.letter);
	mailbox_send(m, &b.letter);
	assert_true(is_readable(mailbox_fd(m)));
	assert_ptr_equal(mailbox_take(m), &a);
	assert_ptr_equal(a.letter.next, &b);
	assert_null(b.letter.next);
	assert_false(is_readable(mailbox_fd(m)));
	mailbox_free(m);
	mailbox_free(NULL);
}

static void without_a_descriptor_there_is_no_mailbox(void **state)
{
	struct rlimit before, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_null(mailbox_new());
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void what_an_arena_gave_stays_until_it_is_reset(void **state)
{
	struct arena a = {0};
	const char *texts[3000];
	int *list = NULL;
	char text[32];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3000; i++) {
			snprintf(text, sizeof text, "%d", i);
			texts[i] = arena_text(&a, text, strlen(text));
		}
		list = NULL;
		for (int i = 0; i < 3000; i++) {
			list = arena_room(&a, list, (size_t)i, sizeof *list);
			list[i] = i;
		}
		assert_non_null(arena_take(&a, 5 * 1000 * 1000));
		for (int i = 0; i < 3000; i++) {
			assert_int_equal(atoi(texts[i]), i);
			assert_int_equal(list[i], i);
		}
		assert_int_equal((uintptr_t)arena_take(&a, 1) % sizeof(void *), 0);
		assert_int_equal(*(char *)arena_take(&a, 1), 0);
		arena_reset(&a);
	}
	arena_free(&a);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_arena_gave_stays_until_it_is_reset),
		cmocka_unit_test(a_prefix_goes_in_front_and_a_long_text_is_cut),
		cmocka_unit_test(what_an_error_quotes_stays_one_line_of_whole_characters),
		cmocka_unit_test(a_buffer_grows_cuts_and_escapes),
		cmocka_unit_test(each_byte_is_escaped_wherever_it_stands),
		cmocka_unit_test(a_buffer_reads_a_file_and_stops_when_it_is_too_much),
		cmocka_unit_test(a_map_keeps_order_and_forgets_what_was_removed),
		cmocka_unit_test(digests_are_those_everybody_gets),
		cmocka_unit_test(the_short_hash_tells_length_seed_and_every_byte),
		cmocka_unit_test(durations_have_a_whole_number_and_a_unit),
		cmocka_unit_test(sizes_are_binary),
		cmocka_unit_test(integers_reach_both_ends),
		cmocka_unit_test(a_bool_is_one_of_four_words),
		cmocka_unit_test(people_read_at_most_two_units),
		cmocka_unit_test(times_go_there_and_back),
		cmocka_unit_test(times_are_read_with_any_offset),
		cmocka_unit_test(every_day_is_that_of_the_c_library),
		cmocka_unit_test(the_real_world_has_time_chance_and_disk),
		cmocka_unit_test(a_secret_never_reaches_a_line),
		cmocka_unit_test(levels_below_the_least_are_silent),
		cmocka_unit_test(a_line_from_outside_stays_one_line),
		cmocka_unit_test(a_repeated_line_is_said_once),
		cmocka_unit_test(many_lines_of_one_kind_are_counted),
		cmocka_unit_test(letters_of_each_sender_arrive_in_order),
		cmocka_unit_test(readiness_follows_what_is_inside),
		cmocka_unit_test(without_a_descriptor_there_is_no_mailbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
