#include "cli/admin.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

struct client {
	struct client *next;
	struct admin *admin;
	int fd; /* -1: hung up while a request was being worked on */
	struct loop_watch *watch;
	struct buf in;
	bool busy;
};

struct admin {
	struct service *service;
	int fd;
	char *path;
	struct loop_watch *watch;
	struct client *clients;
	int n;
	size_t held; /* bytes of requests that have not ended in a line */
};

static void hang_up(struct client *c)
{
	loop_watch_free(c->watch);
	c->watch = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void client_free(struct client *c)
{
	struct client **at = &c->admin->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->admin->n--;
	hang_up(c);
	c->admin->held -= c->in.len;
	buf_free(&c->in);
	free(c);
}

/* Answers are a page at most; a client that does not read them for 5 s is given up, which
 * the socket's own send timeout sees to. */
static void send_all(struct client *c, const char *data, size_t len)
{
	while (c->fd >= 0 && len > 0) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			hang_up(c);
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

static void on_lines(void *arg, const char *lines, size_t len)
{
	send_all(arg, lines, len);
}

static void serve(struct client *c);

static void on_end(void *arg, int status, const char *problem, uint64_t next)
{
	struct client *c = arg;
	struct buf line = {0};

	buf_printf(&line, "{\"end\":true,\"status\":%d,\"problem\":", status);
	buf_json_string(&line, problem, strlen(problem));
	buf_printf(&line, ",\"next\":%llu}\n", (unsigned long long)next);
	send_all(c, line.data, line.len);
	buf_free(&line);
	c->busy = false;
	if (c->fd < 0)
		client_free(c);
	else
		serve(c);
}

/* One request at a time for each client. */
static void serve(struct client *c)
{
	struct reply reply = {on_lines, on_end, c};
	const char *end = c->in.len ? memchr(c->in.data, '\n', c->in.len) : NULL;
	struct buf rest = {0};
	size_t len;

	if (!end || c->busy)
		return;
	len = (size_t)(end - c->in.data);
	buf_add(&rest, end + 1, c->in.len - len - 1);
	c->busy = true;
	struct buf line = c->in;

	c->in = rest;
	c->admin->held -= len + 1;
	service_request(c->admin->service, line.data, len, &reply);
	buf_free(&line);
}

static void on_readable(void *arg)
{
	struct client *c = arg;
	char bytes[65536];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && c->in.len + (size_t)n <= ADMIN_MAX_REQUEST &&
	    c->admin->held + (size_t)n <= ADMIN_MAX_HELD) {
		buf_add(&c->in, bytes, (size_t)n);
		c->admin->held += (size_t)n;
		serve(c);
		return;
	}
	if (c->busy)
		hang_up(c);
	else
		client_free(c);
}

static void on_connect(void *arg)
{
	struct admin *a = arg;
	struct timeval patience = {5, 0};
	int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	if (a->n >= ADMIN_MAX_CLIENTS) {
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	c = mem_new(struct client);
	c->admin = a;
	c->fd = fd;
	c->watch = loop_watch_fd(a->service->loop, fd, on_readable, c);
	c->next = a->clients;
	a->clients = c;
	a->n++;
}

/* A socket nobody answers on is what a killed daemon left; the journal's lock has already
 * made sure that there is no other daemon. */
static int open_socket(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		err_set(err, "admin socket %s: the path is longer than %zu bytes", path,
			sizeof address.sun_path - 1);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    chmod(path, 0660) < 0 || listen(fd, 16) < 0) {
		err_set(err, "admin socket %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

struct admin *admin_new(struct service *s, const char *path, struct err *err)
{
	mode_t mask = umask(0117);
	int fd = open_socket(path, err);
	struct admin *a;

	umask(mask);
	if (fd < 0)
		return NULL;
	a = mem_new(struct admin);
	a->service = s;
	a->fd = fd;
	a->path = mem_text(path);
	a->watch = loop_watch_fd(s->loop, fd, on_connect, a);
	return a;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	while (a->clients)
		client_free(a->clients);
	loop_watch_free(a->watch);
	close(a->fd);
	unlink(a->path);
	free(a->path);
	free(a);
}
