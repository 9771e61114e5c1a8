#include "matcher/intervals.h"

#include <math.h>
#include <stdlib.h>

static int by_low(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

static double set_reach(struct interval *list, size_t n)
{
	size_t middle = n / 2;
	double reach;

	if (n == 0)
		return -INFINITY;
	reach = fmax(set_reach(list, middle), set_reach(list + middle + 1, n - middle - 1));
	list[middle].reach = fmax(reach, list[middle].high);
	return list[middle].reach;
}

void intervals_sort(struct interval *list, size_t n)
{
	if (n)
		qsort(list, n, sizeof *list, by_low);
	set_reach(list, n);
}

void intervals_find(const struct interval *list, size_t n, double number, interval_fn *fn,
		    void *arg)
{
	while (n > 0 && list[n / 2].reach >= number) {
		const struct interval *middle = &list[n / 2];

		intervals_find(list, n / 2, number, fn, arg);
		if (middle->low > number)
			return;
		if (middle->high >= number)
			fn(middle->value, middle->low < number && number < middle->high, arg);
		list = middle + 1;
		n -= n / 2 + 1;
	}
}
