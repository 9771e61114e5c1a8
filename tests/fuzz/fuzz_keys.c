/* Any bytes as the answer of who hands out AWS credentials: whole keys, or a message and none. */
#include "aws/keys.h"
#include "fuzz.h"

#include <string.h>

static void check(bool got, const struct keys *k, const struct err *err)
{
	if (got) {
		PROMISE(k->id && *k->id && k->secret && *k->secret && k->token && *k->token);
		PROMISE(k->expires != 0);
	} else {
		PROMISE(*err->text && !k->id && !k->secret && !k->token);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keys json, xml;
	struct err json_err = {{0}}, xml_err = {{0}};
	bool is_json = keys_from_json((const char *)data, size, &json, &json_err);
	bool is_xml = keys_from_xml((const char *)data, size, &xml, &xml_err);

	check(is_json, &json, &json_err);
	check(is_xml, &xml, &xml_err);
	PROMISE(!is_json || !is_xml);
	keys_free(&json);
	keys_free(&xml);
	return 0;
}
