/* Any bytes as the duties of an event in the journal, as a cell, and as the trail of a delivery:
 * what is read is written as it was read, and nothing else is read. */
#include "base/mem.h"
#include "fuzz.h"
#include "journal/cell.h"
#include "journal/delivery.h"
#include "lane/trail.h"
#include "json/check.h"

#include <string.h>

static void read_duties(const uint8_t *data, size_t size)
{
	struct duty *duties, *again;
	size_t n, m;
	struct buf bytes = {0};

	if (!duties_decode(data, size, &duties, &n)) {
		PROMISE(!duties && n == 0);
		return;
	}
	duties_encode(duties, n, &bytes);
	PROMISE(bytes.len <= size && duties_decode(bytes.data, bytes.len, &again, &m) && m == n);
	for (size_t i = 0; i < n; i++)
		PROMISE(again[i].target == duties[i].target && again[i].rule == duties[i].rule &&
			again[i].then == duties[i].then && again[i].group == duties[i].group &&
			again[i].overlap == duties[i].overlap &&
			again[i].members == duties[i].members);
	free(duties);
	free(again);
	buf_free(&bytes);
}

/* A line for the key, the rest is what was stored. */
static void read_cell(const uint8_t *data, size_t size)
{
	const uint8_t *lf = memchr(data, '\n', size);
	char *key = lf ? mem_slice((const char *)data, (size_t)(lf - data)) : NULL;
	struct cell *cell, *again;
	struct buf text = {0}, twice = {0};

	if (!lf)
		return;
	cell = cell_parse(key, (const char *)lf + 1, size - (size_t)(lf + 1 - data));
	free(key);
	if (!cell)
		return;
	PROMISE(cell->kind > CELL_NONE && cell->kind <= CELL_COUNT);
	key = cell_key(cell->rule, cell->group);
	cell_text(cell, &text);
	again = cell_parse(key, text.data, text.len);
	PROMISE(again && strcmp(again->group, cell->group) == 0 && again->rule == cell->rule);
	cell_text(again, &twice);
	PROMISE(text.len == twice.len && memcmp(text.data, twice.data, text.len) == 0);
	PROMISE(cell_empty(cell) == cell_empty(again));
	cell_free(again);
	cell_free(cell);
	buf_free(&text);
	buf_free(&twice);
	free(key);
}

static void read_trail(const uint8_t *data, size_t size)
{
	char *why = mem_slice((const char *)data, size);
	char *trail = mem_slice((const char *)data, size);

	for (int i = 0; i < 2; i++)
		trail = trail_add(trail, 1, 2, "retry", why);
	PROMISE(trail && json_check(trail, strlen(trail), 5000, NULL));
	free(trail);
	free(why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_duties(data, size);
	read_cell(data, size);
	read_trail(data, size);
	return 0;
}
