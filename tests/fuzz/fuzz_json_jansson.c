/* Any bytes: the checker accepts what jansson accepts. */
#include "fuzz.h"
#include "json/check.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* Integers as reals: the checker leaves the size of numbers to whoever compares them. */
#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

#define MAX_DEPTH 2000 /* less than jansson's 2,048, more than intake's */

/* jansson ends at what it cannot represent, and says nothing about the text behind it.  RFC 8259
 * leaves such limits to the parser (section 9); ours keeps numbers as they are written and
 * compares names as bytes with a length, so that none of them is needed:
 *
 *   1e400               over the range of a double
 *   {"\u0000":1}        a NUL in a name
 *   [[[..]]]            over 2,048 deep */
static bool limit(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);

	return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
	       code == json_error_stack_overflow;
}

/* A NUL behind the value is to jansson the end of the text, whatever follows; to RFC 8259 (section
 * 2) it is no white space. */
static bool ends_at_nul(const uint8_t *data, size_t size, const struct json_fault *fault)
{
	return fault->offset < size && data[fault->offset] == '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_fault fault = {0};
	json_error_t error;
	json_t *tree = json_loadb((const char *)data, size, FLAGS, &error);
	bool ours = json_check((const char *)data, size, MAX_DEPTH, &fault);
	bool too_deep = !ours && strcmp(fault.what, "nested too deep") == 0;

	if (tree)
		PROMISE(ours || too_deep || ends_at_nul(data, size, &fault));
	else
		PROMISE(!ours || limit(&error));
	json_decref(tree);
	return 0;
}
