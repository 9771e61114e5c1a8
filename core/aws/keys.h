/*
 * keys - one set of credentials, and how services hand them out.
 */
#ifndef POINTSMAN_AWS_KEYS_H
#define POINTSMAN_AWS_KEYS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keys {
	char *id, *secret;
	char *token;     /* NULL: lasting keys */
	int64_t expires; /* ms since 1970 UTC; 0: never */
};

void keys_copy(struct keys *to, const struct keys *from);
void keys_free(struct keys *k); /* also wipes them */

/* As container and instance endpoints answer: {"AccessKeyId", .., "Expiration"}. */
bool keys_from_json(const char *body, size_t len, struct keys *k, struct err *err);
/* As STS answers: <Credentials> anywhere in the document. */
bool keys_from_xml(const char *body, size_t len, struct keys *k, struct err *err);

#endif
