/* Any bytes as XML: a tree whose bounds hold and whose texts are found by their paths, or a
 * message; never a document type. */
#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "xml.h"

#include <string.h>

static size_t check(const struct xml *x, size_t depth)
{
	size_t n = 1;

	PROMISE(depth <= XML_MAX_DEPTH && x->name);
	PROMISE(utf8_valid(buf_text(&x->text), x->text.len));
	for (const struct xml *child = x->first; child; child = child->next) {
		PROMISE(child->parent == x && (child->next || child == x->last));
		n += check(child, depth + 1);
	}
	return n;
}

/* Each is found by its name, and behind it those that have the same. */
static void look(const struct xml *x)
{
	for (const struct xml *child = x->first; child; child = child->next) {
		const struct xml *found = xml_child(x, child->name);

		while (found && found != child)
			found = xml_again(found);
		PROMISE(found == child);
		if (*child->name && !strchr(child->name, '/') && xml_child(x, child->name) == child)
			PROMISE(strcmp(xml_text(x, child->name), buf_text(&child->text)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {{0}};
	struct xml *x = xml_parse(data, size, &err);

	PROMISE(x || *err.text);
	if (x) {
		PROMISE(check(x, 1) <= XML_MAX_ELEMENTS);
		PROMISE(size < 9 || memcmp(data, "<!DOCTYPE", 9) != 0);
		look(x);
		xml_text(x, "Error/Code");
	}
	xml_free(x);
	return 0;
}
