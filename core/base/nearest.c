#include "base/nearest.h"

#include <string.h>

#define LONGEST_WORD 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edit distance in which two neighbours changing places are one edit. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t row[3][LONGEST_WORD + 1], *before = row[0], *last = row[1], *now = row[2], *spare;

	for (size_t j = 0; j <= m; j++)
		last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]),
				       least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word), nearest = (len + 2) / 3 + 1;
	const char *found = NULL;

	if (len > LONGEST_WORD)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t other = strlen(candidates[i]), d;

		if (other > LONGEST_WORD)
			continue;
		d = distance(word, len, candidates[i], other);
		if (d < nearest) {
			nearest = d;
			found = candidates[i];
		}
	}
	return found;
}
