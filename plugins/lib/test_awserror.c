#include "awserror.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *type_header; /* of the next answer */

static const char *header(const struct pm_message *m, const char *name)
{
	(void)m;
	return strcmp(name, "x-amzn-errortype") == 0 ? type_header : NULL;
}

static struct awserror read_answer(int status, const char *body)
{
	struct pm_message m = {.size = sizeof m,
			       .status = status,
			       .method = "",
			       .path = "",
			       .error = status ? "" : "connection refused by 127.0.0.1:80",
			       .body = body,
			       .body_len = strlen(body),
			       .header = header};
	struct awserror e;

	awserror_read(&m, &e);
	return e;
}

static void every_form_of_an_error_gives_its_name(void **state)
{
	static const struct {
		const char *body, *name, *message;
	} forms[] = {
		{"{\"__type\":\"com.amazonaws.dynamodb.v20120810#ExpiredIteratorException\","
		 "\"message\":\"too old\"}",
		 "ExpiredIteratorException", "too old"},
		{"{\"__type\":\"ThrottlingException:http://internal.amazon.com/\"}",
		 "ThrottlingException", ""},
		{"{\"__type\":\"MissingAuthenticationToken\",\"Message\":\"no header\"}",
		 "MissingAuthenticationToken", "no header"},
		{"{\"code\":\"AccessDenied\"}", "AccessDenied", ""},
		{"<?xml "
		 "version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>gone</Message></Error>",
		 "NoSuchKey", "gone"},
		{"\n<ErrorResponse><Error><Type>Sender</Type><Code>TooManyInvalidationsInProgress"
		 "</Code><Message>wait</Message></Error></ErrorResponse>",
		 "TooManyInvalidationsInProgress", "wait"},
		{"{\"code\":\"A\",\"message\":\"two\\nlines\"}", "A", "two lines"},
		{"", "", ""},
		{"<html>oops", "", ""},
		{"{\"__type\":", "", ""},
		{"{\"__type\":7}", "", ""},
	};

	(void)state;
	type_header = NULL;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct awserror e = read_answer(400, forms[i].body);

		assert_string_equal(e.name, forms[i].name);
		assert_string_equal(e.message, forms[i].message);
	}
}

static void the_header_names_what_the_body_does_not(void **state)
{
	struct awserror e;

	(void)state;
	type_header = "ResourceNotFoundException:http://internal.amazon.com/";
	e = read_answer(400, "");
	assert_true(awserror_is(&e, "ResourceNotFoundException"));
	e = read_answer(400, "{\"__type\":\"x#Other\"}");
	assert_true(awserror_is(&e, "Other"));
}

static void it_is_told_in_words(void **state)
{
	struct awserror e;
	struct err why;

	(void)state;
	type_header = NULL;
	e = read_answer(0, "");
	awserror_text(&e, &why);
	assert_string_equal(why.text, "no answer: connection refused by 127.0.0.1:80");
	e = read_answer(503, "");
	awserror_text(&e, &why);
	assert_string_equal(why.text, "HTTP 503");
	e = read_answer(400, "{\"__type\":\"a#B\"}");
	awserror_text(&e, &why);
	assert_string_equal(why.text, "B (HTTP 400)");
	e = read_answer(400, "{\"__type\":\"a#B\",\"message\":\"c\"}");
	awserror_text(&e, &why);
	assert_string_equal(why.text, "B: c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_an_error_gives_its_name),
		cmocka_unit_test(the_header_names_what_the_body_does_not),
		cmocka_unit_test(it_is_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
