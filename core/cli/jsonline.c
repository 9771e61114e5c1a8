#include "cli/jsonline.h"

#include "base/mem.h"
#include "base/units.h"
#include "json/find.h"
#include "json/skip.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void jsonline_add(struct buf *out, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	if (text) {
		buf_text_add(out, text);
		buf_char(out, '\n');
	}
	free(text);
	json_decref(object);
}

json_t *jsonline_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *jsonline_time(int64_t ms)
{
	char text[32];

	return ms ? json_string(units_time_text(ms, text)) : json_null();
}

static bool fits_integer(const char *text)
{
	char *end;

	errno = 0;
	strtoll(text, &end, 10);
	return errno == 0 && !*end;
}

static bool fits_tree(const char *number, size_t len)
{
	char *text = mem_slice(number, len);
	bool fits;

	if (strpbrk(text, ".eE"))
		fits = isfinite(json_number_double(text, len));
	else
		fits = fits_integer(text);
	free(text);
	return fits;
}

/* With quotes around the numbers that do not fit. */
static void quote_numbers(const char *text, size_t len, struct buf *out)
{
	const char *end = text + len, *behind;

	for (const char *p = text; p < end; p = behind) {
		bool number = *p == '-' || (*p >= '0' && *p <= '9');
		bool quoted;

		behind = *p == '"' ? skip_string(p, end) : number ? skip_bare(p, end) : p + 1;
		quoted = number && !fits_tree(p, (size_t)(behind - p));
		buf_text_add(out, quoted ? "\"" : "");
		buf_add(out, p, (size_t)(behind - p));
		buf_text_add(out, quoted ? "\"" : "");
	}
}

json_t *jsonline_json(const char *text, size_t len)
{
	json_t *tree = json_loadb(text, len, 0, NULL);
	struct buf mended = {0};

	if (tree)
		return tree;
	quote_numbers(text, len, &mended);
	tree = json_loadb(buf_text(&mended), mended.len, 0, NULL);
	buf_free(&mended);
	return tree;
}
