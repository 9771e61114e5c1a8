#include "xml.h"

#include "base/mem.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const XML_Memory_Handling_Suite memory = {mem_malloc, mem_realloc, free};

struct reading {
	XML_Parser parser;
	struct xml *root, *at;
	size_t depth, elements;
	const char *refused; /* why we stopped, or NULL */
};

static void refuse(struct reading *r, const char *why)
{
	if (!r->refused)
		r->refused = why;
	XML_StopParser(r->parser, XML_FALSE);
}

static void append(struct xml *parent, struct xml *x)
{
	x->parent = parent;
	if (parent->last)
		parent->last->next = x;
	else
		parent->first = x;
	parent->last = x;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *r = arg;
	const char *local = strchr(name, ':');
	struct xml *x;

	(void)attributes;
	if (++r->depth > XML_MAX_DEPTH) {
		refuse(r, "nested too deeply");
		return;
	}
	if (++r->elements > XML_MAX_ELEMENTS) {
		refuse(r, "too many elements");
		return;
	}
	x = mem_new(struct xml);
	x->name = mem_text(local ? local + 1 : name);
	if (r->at)
		append(r->at, x);
	else
		r->root = x;
	r->at = x;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct reading *r = arg;

	(void)name;
	r->depth--;
	r->at = r->at->parent;
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
	struct reading *r = arg;

	if (r->at)
		buf_add(&r->at->text, text, (size_t)len);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid,
			       const XML_Char *pubid, int has_internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has_internal;
	refuse(arg, "it declares a document type, and with it entities, which nobody needs here");
}

static void say_why(const struct reading *r, struct err *err)
{
	if (r->refused)
		err_set(err, "XML refused in line %lu: %s",
			(unsigned long)XML_GetCurrentLineNumber(r->parser), r->refused);
	else
		err_set(err, "not XML in line %lu: %s",
			(unsigned long)XML_GetCurrentLineNumber(r->parser),
			XML_ErrorString(XML_GetErrorCode(r->parser)));
}

struct xml *xml_parse(const void *text, size_t len, struct err *err)
{
	struct reading r = {0};
	enum XML_Status status = XML_STATUS_ERROR;

	if (len > INT_MAX) {
		err_set(err, "XML refused: %zu bytes are too many", len);
		return NULL;
	}
	r.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!r.parser) {
		err_set(err, "the XML reader could not be set up");
		return NULL;
	}
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	status = XML_Parse(r.parser, text, (int)len, 1);
	if (status != XML_STATUS_OK) {
		say_why(&r, err);
		xml_free(r.root);
		r.root = NULL;
	}
	XML_ParserFree(r.parser);
	return r.root;
}

void xml_free(struct xml *x)
{
	struct xml *child, *next;

	if (!x)
		return;
	for (child = x->first; child; child = next) {
		next = child->next;
		xml_free(child);
	}
	buf_free(&x->text);
	free(x->name);
	free(x);
}

static const struct xml *named(const struct xml *x, const char *name, size_t len)
{
	while (x && (strncmp(x->name, name, len) != 0 || x->name[len]))
		x = x->next;
	return x;
}

const struct xml *xml_child(const struct xml *x, const char *name)
{
	return x ? named(x->first, name, strlen(name)) : NULL;
}

const struct xml *xml_again(const struct xml *x)
{
	return named(x->next, x->name, strlen(x->name));
}

const char *xml_text(const struct xml *x, const char *path)
{
	while (x && *path) {
		size_t len = strcspn(path, "/");

		x = named(x->first, path, len);
		path += len;
		path += *path == '/';
	}
	return x ? buf_text(&x->text) : NULL;
}
