#include "base/mem.h"
#include "config/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct read {
	struct ini ini;
	struct report report;
	struct buf printed;
};

static struct read *read_bytes(const char *text, size_t len)
{
	struct read *r = mem_new(struct read);

	ini_read_bytes(&r->ini, "f.ini", text, len, &r->report);
	report_print(&r->report, &r->printed);
	return r;
}

static struct read *read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void read_free(struct read *r)
{
	ini_free(&r->ini);
	report_free(&r->report);
	buf_free(&r->printed);
	free(r);
}

/* What the report says of `text`, in full. */
static void says(const char *text, const char *expected)
{
	struct read *r = read_text(text);

	assert_string_equal(buf_text(&r->printed), expected);
	read_free(r);
}

static const struct ini_key *key_of(const struct read *r, const char *kind, const char *name)
{
	for (size_t i = 0; i < r->ini.n; i++) {
		const struct ini_section *s = &r->ini.sections[i];

		for (size_t k = 0; strcmp(s->kind, kind) == 0 && k < s->n; k++) {
			if (strcmp(s->keys[k].name, name) == 0)
				return &s->keys[k];
		}
	}
	fail_msg("no key %s in [%s]: %s", name, kind, buf_text(&r->printed));
	return NULL;
}

static void value_is(const char *text, const char *expected)
{
	struct read *r = read_text(text);

	assert_string_equal(buf_text(&r->printed), "");
	assert_string_equal(key_of(r, "rule", "k")->value, expected);
	read_free(r);
}

static void place_is(struct place at, uint32_t line, uint32_t column)
{
	assert_string_equal(at.file, "f.ini");
	assert_int_equal(at.line, line);
	assert_int_equal(at.column, column);
}

static void sections_and_keys_have_their_places(void **state)
{
	struct read *r = read_text("# first\n\n[rule a-b]\n  ; comment\nk   =  v w\t \n");
	const struct ini_key *k;

	(void)state;
	assert_string_equal(buf_text(&r->printed), "");
	assert_int_equal(r->ini.n, 1);
	assert_string_equal(r->ini.sections[0].kind, "rule");
	assert_string_equal(r->ini.sections[0].name, "a-b");
	place_is(r->ini.sections[0].at, 3, 1);
	k = key_of(r, "rule", "k");
	assert_string_equal(k->value, "v w");
	place_is(k->at, 5, 1);
	place_is(ini_place(k, 2), 5, 10);
	read_free(r);
}

static void values_keep_what_is_no_comment(void **state)
{
	(void)state;
	value_is("[rule a]\nk = a;b # c\n", "a;b # c");
	value_is("[rule a]\nk = a = b : c\n", "a = b : c");
	value_is("[rule a]\nk =\n", "");
	value_is("[rule a]\nk=v", "v");
	value_is("[rule a]\r\nk = v\r\n", "v");
	value_is("\xef\xbb\xbf[rule a]\nk = v\n", "v");
	value_is("[rule a]\nk = gr\xc3\xbc\xc3\x9f\n", "gr\xc3\xbc\xc3\x9f");
}

static void an_empty_section_exists(void **state)
{
	struct read *r = read_text("[source a]\n[rule b]\n");

	(void)state;
	assert_string_equal(buf_text(&r->printed), "");
	assert_int_equal(r->ini.n, 2);
	assert_string_equal(r->ini.sections[1].name, "b");
	read_free(r);
}

static void a_blank_and_a_semicolon_start_a_comment_that_is_known(void **state)
{
	struct read *r = read_text("[rule a]\nk = v w ; comment ; more\n");
	const struct ini_key *k = key_of(r, "rule", "k");

	(void)state;
	assert_string_equal(k->value, "v w");
	place_is(k->comment, 2, 9);
	read_free(r);
	r = read_text("[rule a]\nk = v;w\n");
	assert_int_equal(key_of(r, "rule", "k")->comment.line, 0);
	read_free(r);
}

static void an_escaped_semicolon_is_one_and_places_stay_exact(void **state)
{
	struct read *r = read_text("[rule a]\nk = a \\; b \\;; c ; d\n");
	const struct ini_key *k = key_of(r, "rule", "k");

	(void)state;
	assert_string_equal(buf_text(&r->printed), "");
	assert_string_equal(k->value, "a ; b ;; c");
	place_is(ini_place(k, 0), 2, 5);
	place_is(ini_place(k, 4), 2, 10);
	place_is(ini_place(k, 9), 2, 16);
	place_is(k->comment, 2, 18);
	read_free(r);
}

static void continuations_join_with_a_blank_and_places_stay_exact(void **state)
{
	struct read *r = read_text("[rule a]\nk = one\n    and two ; why\n\n"
				   "  # a comment\n\tand three\nj = x\n");
	const struct ini_key *k = key_of(r, "rule", "k");

	(void)state;
	assert_string_equal(buf_text(&r->printed), "");
	assert_string_equal(k->value, "one and two and three");
	place_is(ini_place(k, 1), 2, 6);
	place_is(ini_place(k, 8), 3, 9);
	place_is(ini_place(k, 16), 6, 6);
	place_is(k->continued, 3, 5);
	place_is(k->comment, 3, 13);
	assert_string_equal(key_of(r, "rule", "j")->value, "x");
	assert_int_equal(key_of(r, "rule", "j")->continued.line, 0);
	read_free(r);
	value_is("[rule a]\nk =\n  {\"a\":\n  1}\n", "{\"a\": 1}");
}

/* inih: every further line becomes another value of the first key. */
static void keys_indented_under_a_section_are_refused(void **state)
{
	(void)state;
	says("[source a]\n  plugin = x\n  table = y\n",
	     "f.ini:2:3: an indented `key = value` would become part of the value above; remove "
	     "the "
	     "blanks before it, or, if it is part of that value, write it at the end of the line "
	     "above\n"
	     "f.ini:3:3: an indented `key = value` would become part of the value above; remove "
	     "the "
	     "blanks before it, or, if it is part of that value, write it at the end of the line "
	     "above\n");
	says("[rule a]\n  just text\n",
	     "f.ini:2:3: an indented line continues the value above, but there is none; remove the "
	     "blanks before it\n");
	says("[rule a]\nk = v\n [rule b]\nk = v\n",
	     "f.ini:3:2: an indented heading would become part of the value above; remove the "
	     "blanks before it\n");
}

/* inih: cut at 49 bytes, so that two long names become one. */
static void a_long_heading_is_refused(void **state)
{
	char text[128], name[64];

	(void)state;
	memset(name, 'n', sizeof name);
	snprintf(text, sizeof text, "[rule %.44s]\n", name);
	says(text, "");
	snprintf(text, sizeof text, "[rule %.45s]\n", name);
	says(text, "f.ini:1:2: the section's heading is over 49 bytes long: inih would cut it, and "
		   "two long names would become one; shorten it\n");
}

static void a_long_key_is_refused(void **state)
{
	char text[128], name[64];

	(void)state;
	memset(name, 'n', sizeof name);
	snprintf(text, sizeof text, "[rule a]\n%.49s = v\n", name);
	says(text, "");
	snprintf(text, sizeof text, "[rule a]\n%.50s = v\n", name);
	says(text,
	     "f.ini:2:1: the key's name is over 49 bytes long: inih would cut it; shorten it\n");
}

static void a_bracket_inside_a_heading_is_refused(void **state)
{
	(void)state;
	says("[rule a]b]\n", "f.ini:1:8: `]` inside a section's name\n");
	says("[rule a] b\n",
	     "f.ini:1:8: only a comment may follow the `]` of a section's heading\n");
	says("[rule a\n", "f.ini:1:1: `]` is missing at the end of the section's heading\n");
	says("[rule a.b]\n", "f.ini:1:8: a section's name has letters, digits, `-` and `_` only\n");
	says("[rule a] ; comment\n", "");
}

/* inih: the handler is called again, nothing is merged. */
static void repeats_are_refused_with_the_place_of_the_first(void **state)
{
	struct read *r = read_text("[rule a]\nk = 1\nj = 2\nk = 3\n\n[rule a]\nk = 4\n");

	(void)state;
	assert_string_equal(buf_text(&r->printed),
			    "f.ini:4:1: `k` repeats line 2; one of the two would be lost\n"
			    "f.ini:6:1: section [rule a] repeats the one at f.ini:1; nothing would "
			    "be merged, so join the two or rename one\n");
	assert_false(r->ini.sections[0].ignored);
	assert_true(r->ini.sections[1].ignored);
	read_free(r);
}

/* inih: the handler gets the cut value. */
static void a_long_line_is_refused(void **state)
{
	char text[512], value[256];

	(void)state;
	memset(value, 'v', sizeof value);
	snprintf(text, sizeof text, "[rule a]\nk = %.195s\n", value);
	says(text, "");
	snprintf(text, sizeof text, "[rule a]\nk = %.195s\r\n", value);
	says(text, "");
	snprintf(text, sizeof text, "[rule a]\nk = %.196s\n", value);
	says(text, "f.ini:2:200: the line is 200 bytes long, 199 are read; shorten it: lists, "
		   "expressions and JSON may go on in indented lines, text may live in a file: key "
		   "= @file\n");
	snprintf(text, sizeof text, "# %.250s\n[rule a]\nk = v\n", value);
	says(text, "");
}

static void a_line_of_full_length_arrives_whole(void **state)
{
	char text[512], value[256];

	(void)state;
	memset(value, 'v', sizeof value);
	value[195] = '\0';
	snprintf(text, sizeof text, "[rule a]\nk = %s\n", value);
	value_is(text, value);
}

/* inih: key `data.phase`, value `= "A"`. */
static void an_expression_outside_a_value_is_refused(void **state)
{
	static const char *const lines[] = {"data.phase == \"A\"", "data.n != 3", "data.n <= 3",
					    "and data.x exists", "or data.x = 1"};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		char *text = mem_format("[rule a]\nk = v\n%s\n", lines[i]);

		says(text, "f.ini:3:1: an expression outside a value: it belongs behind `where =`, "
			   "or, if it continues the line above, it must be indented\n");
		free(text);
	}
}

static void a_colon_for_an_equals_sign_is_refused_and_understood(void **state)
{
	struct read *r = read_text("[rule a]\nk : v\n");

	(void)state;
	assert_string_equal(buf_text(&r->printed),
			    "f.ini:2:1: `key : value` is written `key = value`\n");
	assert_string_equal(key_of(r, "rule", "k")->value, "v");
	read_free(r);
}

static void a_line_that_is_nothing_is_refused(void **state)
{
	(void)state;
	says("[rule a]\nwhat\n",
	     "f.ini:2:1: this is no section, no `key = value` and no comment\n");
	says("[rule a]\nwhat for = 1\n",
	     "f.ini:2:1: a key's name has letters, digits, `-`, `_` and `.` only\n");
	says("[rule a]\n= 1\n", "f.ini:2:1: a key's name is missing before `=`\n");
	says("k = v\n", "f.ini:1:1: a key before the first section; write a heading like "
			"[pointsman] above it\n");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char nul[] = "[rule a]\nk = v\0w\n";
	struct read *r = read_bytes(nul, sizeof nul - 1);

	(void)state;
	assert_string_equal(buf_text(&r->printed),
			    "f.ini:2:6: NUL byte (0x00); is this a text file in UTF-8?\n");
	read_free(r);
	says("[rule a]\nk = \xff\n", "f.ini:2:5: byte 0xff is no UTF-8; save the file as UTF-8\n");
	says("[rule a]\nk = a\x01"
	     "b\n",
	     "f.ini:2:6: control character 0x01; remove it\n");
	says("[rule a]\nk = a\rb\n", "f.ini:2:6: control character 0x0d; remove it\n");
}

static void all_mistakes_are_told_at_once(void **state)
{
	struct read *r = read_text("[rule a\nk : v\n\xff\n[x]\nwhat\n  indented\nk = v\nk = w\n");

	(void)state;
	assert_int_equal(r->report.errors, 4 + 1);
	assert_true(r->ini.sections[1].broken);
	read_free(r);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char *path = mem_format("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

static void a_directory_is_read_in_the_order_of_bytes(void **state)
{
	static const char *const names[] = {"b.ini", "Z.ini", "a.ini", ".hidden.ini", "c.txt"};
	char dir[] = "ini-test-XXXXXX", text[64];
	struct report report = {0};
	struct ini ini = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(text, sizeof text, "[rule r%zu]\n", i);
		write_file(dir, names[i], text);
	}
	assert_true(ini_read(&ini, dir, &report));
	assert_int_equal(ini.n, 3);
	assert_string_equal(ini.sections[0].name, "r1");
	assert_string_equal(ini.sections[1].name, "r2");
	assert_string_equal(ini.sections[2].name, "r0");
	assert_false(ini_read(&ini, "no-such-file.ini", &report));
	assert_int_equal(report.errors, 1);
	for (size_t i = 0; i < COUNT(names); i++) {
		char *path = mem_format("%s/%s", dir, names[i]);

		unlink(path);
		free(path);
	}
	rmdir(dir);
	ini_free(&ini);
	report_free(&report);
}

static void the_nearest_word_is_near(void **state)
{
	static const char *const words[] = {"table", "bucket", "where", "on"};

	(void)state;
	assert_string_equal(report_nearest("tabel", words, COUNT(words)), "table");
	assert_string_equal(report_nearest("bukcet", words, COUNT(words)), "bucket");
	assert_string_equal(report_nearest("onn", words, COUNT(words)), "on");
	assert_null(report_nearest("distribution", words, COUNT(words)));
	assert_null(report_nearest("x", words, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_and_keys_have_their_places),
		cmocka_unit_test(values_keep_what_is_no_comment),
		cmocka_unit_test(an_empty_section_exists),
		cmocka_unit_test(a_blank_and_a_semicolon_start_a_comment_that_is_known),
		cmocka_unit_test(an_escaped_semicolon_is_one_and_places_stay_exact),
		cmocka_unit_test(continuations_join_with_a_blank_and_places_stay_exact),
		cmocka_unit_test(keys_indented_under_a_section_are_refused),
		cmocka_unit_test(a_long_heading_is_refused),
		cmocka_unit_test(a_long_key_is_refused),
		cmocka_unit_test(a_bracket_inside_a_heading_is_refused),
		cmocka_unit_test(repeats_are_refused_with_the_place_of_the_first),
		cmocka_unit_test(a_long_line_is_refused),
		cmocka_unit_test(a_line_of_full_length_arrives_whole),
		cmocka_unit_test(an_expression_outside_a_value_is_refused),
		cmocka_unit_test(a_colon_for_an_equals_sign_is_refused_and_understood),
		cmocka_unit_test(a_line_that_is_nothing_is_refused),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(a_directory_is_read_in_the_order_of_bytes),
		cmocka_unit_test(the_nearest_word_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
