/*
 * document - a JSON document that is read, merged and written again.
 *
 * Numbers keep every digit they came with: "1.50" stays "1.50", and no integer is too long.
 * Members keep their order.  Trees are made for these functions alone: inside them, texts
 * and numbers carry a mark.
 */
#ifndef POINTSMAN_S3_DOCUMENT_H
#define POINTSMAN_S3_DOCUMENT_H

#include "base/err.h"

#include <jansson.h>

/* The caller's; NULL with *err, line and column included, if it is no JSON text. */
json_t *document_read(const char *text, size_t len, struct err *err);
/* Indented, with a final newline; free() it. */
char *document_text(const json_t *document);
/* JSON Merge Patch (RFC 7396): `target` NULL stands for an absent document.  The caller's. */
json_t *document_merge(const json_t *target, const json_t *patch);

#endif
