/*
 * testcuts - cut the power at every operation of a recorded run, for tests.
 *
 * Before each operation of the tape, and behind the last, the disk is left in as many ways as
 * there are losses (testdisk.h) and seeds; `look` opens what is there and judges it.  What
 * leaves the same bytes and the same acknowledgements as before is not looked at again.
 *
 * POINTSMAN_CUT_SEEDS=N, from the environment, tries N seeds where a test by itself tries few,
 * and every operation where it leaves some out.  Under a sanitizer few of all are tried.
 */
#ifndef POINTSMAN_JOURNAL_TESTCUTS_H
#define POINTSMAN_JOURNAL_TESTCUTS_H

#include "journal/testdisk.h"

struct cuts {
	const char *what; /* of the run, for messages */
	uint32_t seeds;   /* for each loss; 0: 1 */
	size_t step;      /* one operation in so many, and all around a sync; 0: each */
	bool one_loss;    /* beside that of all, one in turn at each operation */
	/* The disk is inserted and closed.  `acknowledged`: the remarks made before the cut. */
	void (*look)(const uint64_t *acknowledged, size_t n, void *arg);
	void *arg;
	/* Afterwards: */
	size_t points; /* operations before which power was cut */
	size_t tried;  /* disks left by a cut: points, losses and seeds */
	size_t looked; /* of them, those that differ */
};

void cuts_run(struct cuts *c, struct disk_tape *tape);
/* Where the power was cut, for failures: "salvage, cut before operation 17 of 40 .." */
const char *cuts_place(void);
/* One line for people, on standard output; fails if fewer than `least` were looked at. */
void cuts_tell(const struct cuts *c, size_t least);
/* `few`, or what the environment says. */
uint32_t cuts_seeds(uint32_t few);
bool cuts_long(void);
/* One in `many`, where many are tried: for what takes longer. */
size_t cuts_every(size_t many);

#endif
