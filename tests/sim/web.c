#include "web.h"

#include "base/buf.h"
#include "base/mem.h"
#include "faults.h"
#include "feeds.h"
#include "http/server.h"
#include "life.h"
#include "plan.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS     20
#define PATIENCE_MS (20 * SECOND)

struct post {
	struct post *next;
	int fd;
	size_t item;
	int64_t since;
	struct buf sent, got;
	size_t written; /* of `sent` */
};

static struct post *posts;

static void forget(struct post *p)
{
	struct post **at = &posts;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	close(p->fd);
	buf_free(&p->sent);
	buf_free(&p->got);
	free(p);
}

static void post_again(uint64_t item)
{
	web_post((size_t)item);
}

static void give_up(struct post *p)
{
	sim_at(chance_between(&sim.chance, 100, 10 * SECOND), post_again, p->item);
	forget(p);
}

static void compose(struct post *p)
{
	const struct item *item = feeds_item(PLAN_WEB, p->item);
	char *body = mem_format("{\"specversion\":\"1.0\",\"id\":\"web/%zu\",\"source\":\"web\","
				"\"type\":\"item.added\",\"subject\":\"s%u\","
				"\"data\":{\"n\":%zu,\"kind\":\"%c\",\"k\":\"k%u\"}}",
				p->item, item->subject, p->item, item->kind, item->k);

	buf_printf(&p->sent,
		   "POST /web HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		   "Content-Type: application/cloudevents+json\r\nContent-Length: %zu\r\n\r\n%s",
		   strlen(body), body);
	free(body);
}

/* In pieces, as networks have it. */
static void write_some(struct post *p)
{
	size_t left = p->sent.len - p->written;
	size_t n =
		chance_hits(&sim.chance, 900) ? left : (size_t)chance_below(&sim.chance, left) + 1;
	ssize_t written = send(p->fd, p->sent.data + p->written, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	p->written += written > 0 ? (size_t)written : 0;
}

/* False: the other side has hung up. */
static bool read_some(struct post *p)
{
	char part[1024];
	ssize_t n;

	while ((n = recv(p->fd, part, sizeof part, MSG_DONTWAIT)) > 0)
		buf_add(&p->got, part, (size_t)n);
	return n != 0;
}

static void take_answer(struct post *p)
{
	int status = 0;

	sscanf(buf_text(&p->got), "HTTP/1.1 %d", &status);
	trace("web: item %zu answered %d", p->item, status);
	expect(status == 202 || status == 503 || status == 404 || status == 0,
	       "web: 202, 503 or 404 expected for item %zu, found %s", p->item, buf_text(&p->got));
	if (status != 202) {
		give_up(p);
		return;
	}
	feeds_promised(p->item);
	forget(p);
	faults_something_left();
}

static void look(uint64_t item)
{
	struct post *p = posts;

	while (p && p->item != item)
		p = p->next;
	if (!p)
		return;
	if (p->written < p->sent.len)
		write_some(p);
	if (!read_some(p))
		take_answer(p);
	else if (sim.boot - p->since > PATIENCE_MS)
		give_up(p);
	else
		sim_at(LOOK_MS, look, item);
}

void web_post(size_t item)
{
	int ends[2];
	struct post *p;

	if (!life_server()) {
		sim_at(chance_between(&sim.chance, 100, 10 * SECOND), post_again, item);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
		abort();
	p = mem_new(struct post);
	p->fd = ends[0];
	p->item = item;
	p->since = sim.boot;
	p->next = posts;
	posts = p;
	compose(p);
	http_server_take(life_server(), ends[1], "127.0.0.1");
	look(item);
}

/* What was answered was answered. */
void web_life_over(void)
{
	while (posts) {
		struct post *p = posts;

		if (p->written == p->sent.len && !read_some(p))
			take_answer(p);
		else
			give_up(p);
	}
}

void web_free(void)
{
	while (posts)
		forget(posts);
}
