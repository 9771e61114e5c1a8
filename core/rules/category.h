/*
 * category - the general category of a character, as Unicode 14 has it.
 */
#ifndef POINTSMAN_RULES_CATEGORY_H
#define POINTSMAN_RULES_CATEGORY_H

#include <stddef.h>
#include <stdint.h>

/* The bit of the category of `cp`. */
uint32_t category_of(uint32_t cp);
/* The bits a name stands for: "Lu" is one, "L" all that begin so; 0 if there is none. */
uint32_t category_named(const char *name, size_t len);

#endif
