/* Any bytes as an event pattern: a message, or a tree that judges an event, the same way
 * explained and not. */
#include "base/mem.h"
#include "fuzz.h"
#include "matcher/ruleset.h"
#include "rules/judge.h"
#include "rules/pattern.h"

#include <stdbool.h>
#include <string.h>

static const char payload[] =
	"{\"s\":\"caf\\u00e9\",\"n\":9007199254740993,\"r\":-2.50,\"ip\":\"10.1.2.3\",\"z\":null,"
	"\"t\":true,\"e\":[],\"o\":{},\"a\":[{\"b\":\"bot\",\"c\":[1,\"x\"]},{\"b\":\"human\"},[[3]"
	"]],"
	"\"\":{\"a.b\":\"docs/1\"},\"$or\":1}";

static void judge(const struct expr *tree)
{
	struct event ev = fuzz_event(payload, sizeof payload - 1);
	struct judge *j = judge_new(tree);
	size_t n = judge_tests(j);
	uint8_t *verdicts = mem_zero(n);
	struct judge_memory memory = {0};
	uint64_t mismatches = 0, explained_mismatches = 0;
	bool holds = judge_event(j, &ev, &memory, NULL, &mismatches);

	PROMISE(judge_event(j, &ev, &memory, verdicts, &explained_mismatches) == holds);
	for (size_t i = 0; i < n; i++)
		PROMISE(verdicts[i] <= VERDICT_TYPE);
	judge_memory_free(&memory);
	judge_free(j);
	free(verdicts);
}

static void read(enum pattern_root root, const char *text, size_t size)
{
	struct arena arena = {0};
	struct err err = {{0}};
	size_t at = 0;
	struct expr *tree = pattern_parse(&arena, root, text, size, &at, &err);

	PROMISE(tree || (*err.text && at <= size));
	if (tree)
		judge(tree);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read(PATTERN_EVENT, (const char *)data, size);
	read(PATTERN_DATA, (const char *)data, size);
	return 0;
}
