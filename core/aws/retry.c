#include "aws/retry.h"

#include "aws/error.h"

#include <stddef.h>
#include <string.h>

#define FULL       500
#define LONGEST_MS 20000

void retry_fill(struct retry_bucket *b)
{
	b->tokens = FULL;
}

bool retry_take(struct retry_bucket *b)
{
	if (b->tokens < RETRY_COST)
		return false;
	b->tokens -= RETRY_COST;
	return true;
}

void retry_give_back(struct retry_bucket *b, bool had_retry)
{
	b->tokens += had_retry ? RETRY_COST : 1;
	if (b->tokens > FULL)
		b->tokens = FULL;
}

bool retry_is_worth(int status, const char *name)
{
	static const char *const transient[] = {"RequestTimeout", "RequestTimeoutException",
						"PriorRequestNotComplete",
						"TransactionInProgressException"};

	for (size_t i = 0; i < sizeof transient / sizeof *transient; i++) {
		if (strcmp(name, transient[i]) == 0)
			return true;
	}
	return status == 0 || status == 429 || status == 500 || (status >= 502 && status <= 504) ||
	       aws_error_is_throttling(name);
}

int64_t retry_delay(struct world *w, int attempt)
{
	int64_t most = LONGEST_MS;

	if (attempt <= 5 && ((int64_t)1000 << (attempt - 1)) < most)
		most = (int64_t)1000 << (attempt - 1);
	return (int64_t)(world_random64(w) % (uint64_t)(most + 1));
}
