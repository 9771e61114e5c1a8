/* Any text as a value with references: pieces that put together are the text again, or a message
 * with its place; those of the environment resolve or say why not. */
#include "base/mem.h"
#include "base/utf8.h"
#include "config/reference.h"
#include "fuzz.h"

#include <string.h>

static void add_piece(const struct reference *piece, struct buf *out)
{
	switch (piece->kind) {
	case REFERENCE_TEXT: buf_text_add(out, piece->text); break;
	case REFERENCE_ENV:
		buf_printf(out, "${env:%s%s%s}", piece->text, piece->fallback ? ":-" : "",
			   piece->fallback ? piece->fallback : "");
		break;
	case REFERENCE_FILE: buf_printf(out, "${file:%s}", piece->text); break;
	case REFERENCE_CREDENTIAL: buf_printf(out, "${credential:%s}", piece->text); break;
	case REFERENCE_REMOTE: buf_printf(out, "${%s:%s}", piece->section, piece->text); break;
	}
}

/* Files are left alone: some of them block. */
static void resolve(const struct reference *piece)
{
	struct buf out = {0};
	struct err err = {{0}};

	if (piece->kind == REFERENCE_FILE)
		return;
	PROMISE(reference_resolve(piece, &out, &err) || *err.text);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_slice((const char *)data, size);
	struct references r;
	struct err err = {{0}};
	struct buf again = {0};
	size_t at = 0;

	if (references_parse(text, &r, &at, &err)) {
		for (size_t i = 0; i < r.n; i++) {
			PROMISE(r.pieces[i].at == again.len);
			add_piece(&r.pieces[i], &again);
			resolve(&r.pieces[i]);
		}
		PROMISE(strcmp(buf_text(&again), text) == 0);
		references_relative_to(&r, "/etc/x.ini");
	} else {
		PROMISE(*err.text && strncmp(text + at, "${", 2) == 0 && r.n == 0);
	}
	references_free(&r);
	buf_free(&again);
	free(text);
	return 0;
}
