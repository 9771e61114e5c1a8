/*
 * network - what `within` compares with: a range of addresses.
 *
 * `10.0.0.0/8`, `2001:db8::/32`, or an address alone, which is a range of one.  Bits
 * behind the prefix do not matter.  IPv4 and IPv6 are never within each other.
 */
#ifndef POINTSMAN_RULES_NETWORK_H
#define POINTSMAN_RULES_NETWORK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct network {
	int family;
	unsigned char address[16];
	unsigned bits;
};

bool network_parse(const char *text, size_t len, struct network *out, struct err *err);
/* Text that is no address is within nothing. */
bool network_has(const struct network *n, const char *text, size_t len);

/* For tables: text as an address of as many bits as its family has; false if it is none. */
bool network_address(const char *text, size_t len, struct network *out);
/* What all addresses have in common whose first `bits` bits are those of `n`: 2 + 16 bytes
 * at most, begun by the family and the bits.  Returns how many bytes. */
size_t network_key(const struct network *n, unsigned bits, char *out);

#endif
