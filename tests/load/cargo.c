#include "cargo.h"

#include <string.h>

/* What an event takes without its filler, with a number of some digits. */
#define BARE 122

void cargo_init(struct cargo *c, const char *prefix, unsigned routes, size_t size)
{
	size_t bare = BARE + strlen(prefix);

	*c = (struct cargo){.prefix = prefix, .routes = routes};
	for (unsigned i = 0; bare + c->filler.len + 64 < size; i++)
		buf_printf(&c->filler, ",\"f%02u\":\"%.52s\"", i,
			   "some text that nobody asks for, as events have much of");
	if (bare + c->filler.len + 10 < size)
		buf_printf(&c->filler, ",\"f\":\"%0*d\"", (int)(size - bare - c->filler.len - 7),
			   0);
}

void cargo_free(struct cargo *c)
{
	buf_free(&c->filler);
}

static void add_route(struct buf *out, uint64_t n)
{
	if (n >= 26)
		add_route(out, n / 26 - 1);
	buf_char(out, (char)('a' + n % 26));
}

void cargo_add(const struct cargo *c, uint64_t n, int64_t sent_us, struct buf *out)
{
	buf_printf(out,
		   "{\"specversion\":\"1.0\",\"id\":\"%s-%llu\",\"source\":\"/load\","
		   "\"type\":\"load.event\",\"data\":{\"n\":%llu,\"route\":\"",
		   c->prefix, (unsigned long long)n, (unsigned long long)n);
	add_route(out, n % c->routes);
	buf_printf(out, "\",\"sent\":%lld", (long long)sent_us);
	buf_add(out, c->filler.data, c->filler.len);
	buf_add(out, "}}", 2);
}

void cargo_add_id(const struct cargo *c, uint64_t n, struct buf *out)
{
	buf_printf(out, "%s-%llu", c->prefix, (unsigned long long)n);
}
