#include "cli/client.h"

#include "base/mem.h"
#include "cli/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

struct client_connection {
	FILE *daemon; /* NULL: by itself */
	struct config *config;
	struct service service;
};

static void close_quietly(int fd)
{
	int why = errno;

	close(fd);
	errno = why;
}

/* NULL with errno. */
static FILE *connect_daemon(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	FILE *file;
	int fd;

	errno = ENAMETOOLONG;
	if (!path || strlen(path) >= sizeof address.sun_path)
		return NULL;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
		file = fdopen(fd, "r+");
		if (!file)
			mem_exhausted();
		return file;
	}
	if (fd >= 0)
		close_quietly(fd);
	return NULL;
}

static void on_failed(int status, const char *why, void *arg)
{
	(void)arg;
	fprintf(stderr, "pointsman: %s\n", why);
	_exit(status);
}

/* `why`: what kept us from asking the daemon. */
static bool open_journal(struct client_connection *c, int why, int *status)
{
	struct service *s = &c->service;
	struct engine_options options = {
		.config = c->config, .failed = on_failed, .visiting = true};
	struct err err = {{0}};

	s->world = world_real();
	s->loop = loop_new();
	s->config = c->config;
	options.world = s->world;
	options.loop = s->loop;
	s->engine = s->loop ? engine_new(&options, status, &err) : NULL;
	if (!s->engine) {
		fprintf(stderr, "pointsman: no daemon answers on %s (%s), and %s\n",
			c->config->admin ? c->config->admin : "the admin socket",
			c->config->admin ? strerror(why) : "none is configured", err.text);
		return false;
	}
	engine_start(s->engine);
	return true;
}

struct client_connection *client_open(const struct options *o, int *status)
{
	struct client_connection *c = mem_new(struct client_connection);
	int why;

	*status = EX_CONFIG;
	c->config = options_config(o, false);
	c->daemon = connect_daemon(c->config->admin);
	if (c->daemon)
		return c;
	why = errno;
	/* Without the daemon the configuration is needed in full. */
	config_free(c->config);
	c->config = options_config(o, true);
	if (!c->config || !open_journal(c, why, status)) {
		client_close(c);
		return NULL;
	}
	return c;
}

bool client_has_daemon(const struct client_connection *c)
{
	return c->daemon != NULL;
}

void client_close(struct client_connection *c)
{
	if (c->daemon)
		fclose(c->daemon);
	if (c->service.engine)
		engine_free(c->service.engine);
	loop_free(c->service.loop);
	config_free(c->config);
	free(c);
}

struct answer {
	struct loop *loop;
	client_text_fn *line;
	void *arg;
	int status;
	uint64_t next;
};

static void take_lines(void *arg, const char *lines, size_t len)
{
	struct answer *a = arg;

	while (len > 0) {
		const char *end = memchr(lines, '\n', len);
		size_t n = end ? (size_t)(end - lines) : len;

		a->line(lines, n, a->arg);
		n += end != NULL;
		lines += n;
		len -= n;
	}
}

static void take_end(void *arg, int status, const char *problem, uint64_t next)
{
	struct answer *a = arg;

	if (*problem)
		fprintf(stderr, "pointsman: %s\n", problem);
	a->status = status;
	a->next = next;
	if (a->loop)
		loop_stop(a->loop);
}

static bool is_end(struct answer *a, const char *line)
{
	json_t *object;

	if (strncmp(line, "{\"end\":true,", 12) != 0)
		return false;
	object = json_loads(line, 0, NULL);
	take_end(a, (int)json_integer_value(json_object_get(object, "status")),
		 json_string_value(json_object_get(object, "problem")),
		 (uint64_t)json_integer_value(json_object_get(object, "next")));
	json_decref(object);
	return true;
}

static void ask_daemon(struct client_connection *c, const char *request, struct answer *a)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	bool ended = false;

	fprintf(c->daemon, "%s\n", request);
	fflush(c->daemon);
	errno = 0;
	while (!ended && (len = getline(&line, &cap, c->daemon)) > 0) {
		ended = is_end(a, line);
		if (!ended)
			a->line(line, (size_t)len - (line[len - 1] == '\n'), a->arg);
	}
	free(line);
	if (!ended && errno == ENOMEM)
		mem_exhausted();
	if (!ended) {
		fprintf(stderr, "pointsman: the daemon hung up in mid-answer: it has stopped or "
				"was killed; ask again\n");
		a->status = EX_UNAVAILABLE;
	}
}

struct asking {
	struct client_connection *client;
	const char *request;
	struct reply reply;
};

static void ask_self(void *arg)
{
	struct asking *a = arg;

	service_request(&a->client->service, a->request, strlen(a->request), &a->reply);
}

int client_ask_raw(struct client_connection *c, const char *request, client_text_fn *line,
		   void *arg, uint64_t *next)
{
	struct answer answer = {c->service.loop, line, arg, EX_OK, 0};
	struct asking asking = {c, request, {take_lines, take_end, &answer}};

	if (c->daemon) {
		ask_daemon(c, request, &answer);
	} else {
		loop_soon(c->service.loop, ask_self, &asking);
		loop_run(c->service.loop);
	}
	if (next)
		*next = answer.next;
	return answer.status;
}

struct parsing {
	client_line_fn *line;
	void *arg;
};

static void parse_line(const char *line, size_t len, void *arg)
{
	struct parsing *p = arg;
	json_t *object = json_loadb(line, len, 0, NULL);

	if (object)
		p->line(object, p->arg);
	json_decref(object);
}

int client_ask_text(struct client_connection *c, const char *request, client_line_fn *line,
		    void *arg, uint64_t *next)
{
	struct parsing p = {line, arg};

	return client_ask_raw(c, request, parse_line, &p, next);
}

int client_ask(struct client_connection *c, json_t *request, client_line_fn *line, void *arg,
	       uint64_t *next)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int status = client_ask_text(c, text, line, arg, next);

	free(text);
	json_decref(request);
	return status;
}
