/*
 * nearest - what a misspelt name was probably meant to be.
 */
#ifndef POINTSMAN_BASE_NEAREST_H
#define POINTSMAN_BASE_NEAREST_H

#include <stddef.h>

/* The candidate nearest to `word` by edit distance, or NULL if none is near. */
const char *nearest_word(const char *word, const char *const *candidates, size_t n);

#endif
