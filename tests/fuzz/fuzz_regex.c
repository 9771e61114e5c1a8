/* Lines of I-Regexps, an empty line, and any text: a message each, or an expression; and the
 * set of them says what each says alone, however little its cache may hold. */
#include "base/mem.h"
#include "fuzz.h"
#include "rules/regexset.h"

#include <stdbool.h>
#include <string.h>

#define MOST 64

struct asked {
	struct iregexp *res[MOST];
	size_t n;
	const char *text;
	size_t len;
};

static void compile(struct asked *a, const char *line, size_t len)
{
	struct err err = {{0}};
	size_t at = 0;
	struct iregexp *re = iregexp_compile(line, len, &at, &err);

	PROMISE(re || (*err.text && at <= len));
	if (re && a->n < MOST)
		a->res[a->n++] = re;
	else
		iregexp_free(re);
}

static void ask(const struct asked *a, const struct regexset *set, size_t max_bytes)
{
	struct regexset_memory memory = {.max_bytes = max_bytes};
	struct iregexp_memory alone = {0};
	const uint32_t *ids = NULL;
	size_t n = 0, k = 0;

	/* The second time the cache is warm. */
	for (int i = 0; i < 2; i++)
		n = regexset_match(set, &memory, a->text, a->len, &ids);
	for (size_t i = 0; i < a->n; i++) {
		bool reported = k < n && ids[k] == i;

		PROMISE(iregexp_match(a->res[i], &alone, a->text, a->len) == reported);
		k += reported;
	}
	PROMISE(k == n);
	regexset_memory_free(&memory);
	iregexp_memory_free(&alone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t max_bytes[] = {0, 8 * 1024, 1};
	const char *p = (const char *)data, *end = p + size, *line_end = p;
	struct regexset_draft *draft = regexset_draft();
	struct asked a = {.n = 0};
	struct regexset *set;

	for (; p < end && *p != '\n'; p = line_end < end ? line_end + 1 : end) {
		line_end = memchr(p, '\n', (size_t)(end - p));
		line_end = line_end ? line_end : end;
		compile(&a, p, (size_t)(line_end - p));
	}
	a.text = p < end ? p + 1 : end;
	a.len = (size_t)(end - a.text);
	for (size_t i = 0; i < a.n; i++)
		PROMISE(regexset_add(draft, a.res[i], (uint32_t)i));
	set = regexset_build(draft);
	for (size_t i = 0; i < sizeof max_bytes / sizeof *max_bytes; i++)
		ask(&a, set, max_bytes[i]);
	regexset_free(set);
	for (size_t i = 0; i < a.n; i++)
		iregexp_free(a.res[i]);
	return 0;
}
