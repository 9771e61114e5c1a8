#include "batch.h"

#include "base/hash.h"

#include <string.h>

bool batch_path(const char *path, struct buf *out, struct err *err)
{
	const char *star = strchr(path, '*');

	if (*path != '/') {
		err_set(err, "path \"%s\" does not begin with /", path);
		return false;
	}
	if (star && star[1]) {
		err_set(err, "path \"%s\" has a * that is not at its end", path);
		return false;
	}
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		/* A % is left alone: the path may come encoded. */
		if (c > ' ' && c < 0x7F && !strchr("\"<>\\^`{|}", c))
			buf_char(out, *path);
		else
			buf_printf(out, "%%%02X", c);
	}
	return true;
}

static void add_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			buf_text_add(out, "&amp;");
		else if (*text == '<')
			buf_text_add(out, "&lt;");
		else if (*text == '>')
			buf_text_add(out, "&gt;");
		else
			buf_char(out, *text);
	}
}

static void add_reference(struct buf *out, const char *key, const char *const *paths)
{
	struct buf all = {0};
	unsigned char digest[32];
	char hex[65];

	buf_text_add(&all, key);
	for (; *paths; paths++)
		buf_printf(&all, "\n%s", *paths);
	hash_sha256(all.data, all.len, digest);
	hash_hex(digest, sizeof digest, hex);
	buf_text_add(out, hex);
	buf_free(&all);
}

void batch_xml(const char *key, const char *const *paths, struct buf *out)
{
	size_t n = 0;

	while (paths[n])
		n++;
	buf_printf(out,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		   "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">"
		   "<Paths><Quantity>%zu</Quantity><Items>",
		   n);
	for (size_t i = 0; i < n; i++) {
		buf_text_add(out, "<Path>");
		add_text(out, paths[i]);
		buf_text_add(out, "</Path>");
	}
	buf_text_add(out, "</Items></Paths><CallerReference>");
	add_reference(out, key, paths);
	buf_text_add(out, "</CallerReference></InvalidationBatch>");
}
