/*
 * disk_tape - all that happened to a platter, played up to any moment of it.
 *
 * The inside of testdisk; testdisk.h has what tests may ask of a tape.
 */
#ifndef POINTSMAN_JOURNAL_DISK_TAPE_H
#define POINTSMAN_JOURNAL_DISK_TAPE_H

#include "journal/platter.h"

struct disk_tape *disk_tape_new(const struct platter *start);
/* Keeps a reference. */
void disk_tape_record(struct disk_tape *t, struct disk_op *op);
/* What a power cut before operation `at` leaves; the caller's. */
struct platter *disk_tape_left(struct disk_tape *t, size_t at, enum disk_loss loss, uint32_t seed);

#endif
