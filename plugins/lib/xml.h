/*
 * xml - an XML answer as a small tree.
 *
 * Read by expat, with everything dangerous off: a document type declaration (and with it
 * every entity of the sender's making) is refused, depth and number of elements are
 * bounded.  Prefixes of names are dropped, attributes are not kept.
 */
#ifndef POINTSMAN_LIB_XML_H
#define POINTSMAN_LIB_XML_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

#define XML_MAX_DEPTH    64
#define XML_MAX_ELEMENTS 200000

struct xml {
	char *name;
	struct buf text; /* its own text, not its children's */
	struct xml *parent, *first, *last, *next;
};

/* The document's element; the caller's.  NULL with *err if it is not XML, or refused. */
struct xml *xml_parse(const void *text, size_t len, struct err *err);
void xml_free(struct xml *x); /* NULL is fine */

/* The first child of that name, or NULL; `x` may be NULL. */
const struct xml *xml_child(const struct xml *x, const char *name);
/* The next of its parent's children with the same name, or NULL. */
const struct xml *xml_again(const struct xml *x);
/* The text of the element at a path of names below `x`, "Error/Code"; NULL if there is none. */
const char *xml_text(const struct xml *x, const char *path);

#endif
