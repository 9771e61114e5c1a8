/* events save: fixtures from history. */
#include "base/mem.h"
#include "base/units.h"
#include "cli/client.h"
#include "cli/history.h"
#include "cli/verbs.h"
#include "json/find.h"
#include "json/pretty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

struct saving {
	uint64_t seq;
	struct buf text; /* the fixture */
	char *type;      /* NULL: there is no such event */
};

/* The number it had is the journal's alone. */
static void without_sequence(const char *text, size_t len, struct buf *out)
{
	struct json_value object = json_root(text, len), name, value;

	for (size_t at = 0; json_next(&object, &at, &name, &value);) {
		if (name.len == 10 && strncmp(name.text, "\"sequence\"", 10) == 0)
			continue;
		buf_char(out, out->len ? ',' : '{');
		buf_add(out, name.text, name.len);
		buf_char(out, ':');
		buf_add(out, value.text, value.len);
	}
	buf_char(out, '}');
}

static void take_line(const char *line, size_t len, void *arg)
{
	struct saving *s = arg;
	struct journal_event row;
	struct buf bare = {0};
	const char *object;
	size_t n;

	if (!history_object(line, len, &object, &n) || !history_parse(line, len, &row))
		return;
	if (row.event->seq == s->seq) {
		s->type = mem_text(row.event->type);
		without_sequence(object, n, &bare);
		json_pretty(bare.data, bare.len, &s->text);
		buf_char(&s->text, '\n');
		buf_free(&bare);
	}
	journal_event_clear(&row);
}

static int fetch(struct client_connection *c, struct saving *s)
{
	char request[96];
	int status;

	snprintf(request, sizeof request, "{\"verb\":\"history\",\"after\":%llu,\"limit\":1}",
		 (unsigned long long)s->seq - 1);
	status = client_ask_raw(c, request, take_line, s, NULL);
	if (status == EX_OK && !s->type) {
		fprintf(stderr,
			"pointsman: there is no event %llu: never accepted, or already forgotten "
			"(`keep`)\n",
			(unsigned long long)s->seq);
		return EX_DATAERR;
	}
	return status;
}

static int complain(const char *path, int status)
{
	fprintf(stderr, "pointsman: %s: %s\n", path,
		errno == EEXIST ? "it is there already, and is left as it is" : strerror(errno));
	return status;
}

static int write_file(const char *path, const struct buf *text)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	bool good;

	if (!file)
		return complain(path, EX_CANTCREAT);
	good = fwrite(text->data, 1, text->len, file) == text->len;
	if (fclose(file) != 0 || !good) {
		complain(path, EX_IOERR);
		unlink(path);
		return EX_IOERR;
	}
	puts(path);
	return EX_OK;
}

static int put(const struct saving *s, const char *directory)
{
	char *path;
	int status;

	if (!directory)
		return fwrite(s->text.data, 1, s->text.len, stdout) == s->text.len ? EX_OK
										   : EX_IOERR;
	if (mkdir(directory, 0777) != 0 && errno != EEXIST)
		return complain(directory, EX_CANTCREAT);
	path = mem_format("%s/%llu-%s.json", directory, (unsigned long long)s->seq, s->type);
	status = write_file(path, &s->text);
	free(path);
	return status;
}

static int save_one(struct client_connection *c, uint64_t seq, const char *directory)
{
	struct saving s = {.seq = seq};
	int status = fetch(c, &s);

	if (status == EX_OK)
		status = put(&s, directory);
	buf_free(&s.text);
	free(s.type);
	return status;
}

static bool numbers_good(const struct options *o)
{
	int64_t seq;

	if (o->nwords < 2 || (o->nwords > 2 && !o->output)) {
		fputs("pointsman: events save NUMBER, or several with -o DIR\n", stderr);
		return false;
	}
	for (size_t n = 1; n < o->nwords; n++) {
		if (units_integer(o->words[n], &seq) && seq > 0)
			continue;
		fprintf(stderr,
			"pointsman: %s is no event number; `pointsman events list` shows them\n",
			o->words[n]);
		return false;
	}
	return true;
}

int events_save(const struct options *o)
{
	struct client_connection *c;
	int status;
	int64_t seq;

	if (!numbers_good(o))
		return EX_USAGE;
	c = client_open(o, &status);
	if (!c)
		return status;
	status = EX_OK;
	for (size_t n = 1; n < o->nwords && status == EX_OK; n++) {
		units_integer(o->words[n], &seq);
		status = save_one(c, (uint64_t)seq, o->output);
	}
	client_close(c);
	return status;
}
