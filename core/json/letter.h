/*
 * letter - the other case of a character.
 *
 * Unicode 14's simple mappings, one character to one: what has no single other form (ß
 * upwards) stays as it is.  The same on every machine, whatever the locale.
 */
#ifndef POINTSMAN_JSON_LETTER_H
#define POINTSMAN_JSON_LETTER_H

#include <stdint.h>

uint32_t letter_lower(uint32_t cp);
uint32_t letter_upper(uint32_t cp);

#endif
