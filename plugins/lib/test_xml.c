#include "xml.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct xml *parse(const char *text, struct err *err)
{
	return xml_parse(text, strlen(text), err);
}

static void text_is_found_by_its_path(void **state)
{
	struct xml *x = parse(
		"<?xml version=\"1.0\"?>\n<a xmlns=\"u\"><b><c>one &amp; two</c></b></a>", NULL);

	(void)state;
	assert_non_null(x);
	assert_string_equal(xml_text(x, "b/c"), "one & two");
	assert_null(xml_text(x, "b/d"));
	assert_null(xml_text(x, "c"));
	xml_free(x);
}

static void prefixes_do_not_matter(void **state)
{
	struct xml *x = parse("<s:a xmlns:s=\"u\"><s:b>t</s:b></s:a>", NULL);

	(void)state;
	assert_string_equal(x->name, "a");
	assert_string_equal(xml_text(x, "b"), "t");
	xml_free(x);
}

static void an_empty_element_has_empty_text(void **state)
{
	struct xml *x = parse("<a><b/></a>", NULL);

	(void)state;
	assert_string_equal(xml_text(x, "b"), "");
	xml_free(x);
}

static void repeated_elements_come_one_after_the_other(void **state)
{
	struct xml *x = parse("<a><i>1</i><other/><i>2</i></a>", NULL);
	const struct xml *i = xml_child(x, "i");

	(void)state;
	assert_string_equal(buf_text(&i->text), "1");
	i = xml_again(i);
	assert_string_equal(buf_text(&i->text), "2");
	assert_null(xml_again(i));
	xml_free(x);
}

static void absent_elements_are_null_all_the_way(void **state)
{
	(void)state;
	assert_null(xml_child(NULL, "a"));
	assert_null(xml_text(NULL, "a/b"));
}

static void entities_of_the_senders_making_are_refused(void **state)
{
	static const char *const bombs[] = {
		"<!DOCTYPE a [<!ENTITY x \"xxxxxxxx\"><!ENTITY y \"&x;&x;&x;\">]><a>&y;</a>",
		"<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
		"<!DOCTYPE a SYSTEM \"http://127.0.0.1/a.dtd\"><a/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
		struct err err = {""};

		assert_null(parse(bombs[i], &err));
		assert_non_null(strstr(err.text, "document type"));
	}
}

static void what_is_not_xml_is_told_with_its_line(void **state)
{
	static const char *const broken[] = {"<a>\n<b></a>", "<a>\n", "\nnot at all", "",
					     "<a/>\n<b/>"};

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct err err = {""};

		assert_null(parse(broken[i], &err));
		assert_non_null(strstr(err.text, i == 3 ? "line 1" : "line 2"));
	}
}

static void every_cut_of_a_document_is_refused(void **state)
{
	static const char text[] = "<a><b>one</b><c>&lt;</c></a>";

	(void)state;
	for (size_t len = 0; len < sizeof text - 1; len++)
		assert_null(xml_parse(text, len, NULL));
}

static void depth_is_bounded(void **state)
{
	struct buf text = {0};
	struct err err;

	(void)state;
	for (int i = 0; i < XML_MAX_DEPTH + 1; i++)
		buf_text_add(&text, "<a>");
	for (int i = 0; i < XML_MAX_DEPTH + 1; i++)
		buf_text_add(&text, "</a>");
	assert_null(xml_parse(text.data, text.len, &err));
	assert_non_null(strstr(err.text, "deep"));
	buf_free(&text);
}

static void the_number_of_elements_is_bounded(void **state)
{
	struct buf text = {0};
	struct err err;

	(void)state;
	buf_text_add(&text, "<r>");
	for (int i = 0; i < XML_MAX_ELEMENTS; i++)
		buf_text_add(&text, "<a/>");
	buf_text_add(&text, "</r>");
	assert_null(xml_parse(text.data, text.len, &err));
	assert_non_null(strstr(err.text, "too many"));
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_found_by_its_path),
		cmocka_unit_test(prefixes_do_not_matter),
		cmocka_unit_test(an_empty_element_has_empty_text),
		cmocka_unit_test(repeated_elements_come_one_after_the_other),
		cmocka_unit_test(absent_elements_are_null_all_the_way),
		cmocka_unit_test(entities_of_the_senders_making_are_refused),
		cmocka_unit_test(what_is_not_xml_is_told_with_its_line),
		cmocka_unit_test(every_cut_of_a_document_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(the_number_of_elements_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
