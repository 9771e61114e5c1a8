/*
 * intervals - ranges of numbers, and which of them a number lies in.
 *
 * An array sorted by the lower end, which is also a search tree: the middle is the root.
 * Finding k of n takes about k log n steps.
 */
#ifndef POINTSMAN_MATCHER_INTERVALS_H
#define POINTSMAN_MATCHER_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval {
	double low, high; /* both ends in it; infinite: none */
	double reach;     /* the highest end of the tree below */
	uint32_t value;   /* the user's */
};

void intervals_sort(struct interval *list, size_t n);
/* `inside` tells that the number is at neither end. */
typedef void interval_fn(uint32_t value, bool inside, void *arg);
void intervals_find(const struct interval *list, size_t n, double number, interval_fn *fn,
		    void *arg);

#endif
