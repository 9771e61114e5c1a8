#include "cli/lines.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define CHUNK ((size_t)256 * 1024)

bool lines_open(struct lines *l, const char *name)
{
	struct stat st;
	bool standard = strcmp(name, "-") == 0;

	*l = (struct lines){.name = name, .start = -1};
	l->fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	if (l->fd == -1 || fstat(l->fd, &st) == -1) {
		fprintf(stderr, "pointsman: %s: %s\n", name, strerror(errno));
		return false;
	}
	if (S_ISDIR(st.st_mode)) {
		fprintf(stderr, "pointsman: %s: is a directory\n", name);
		return false;
	}
	if (S_ISREG(st.st_mode))
		l->start = lseek(l->fd, 0, SEEK_CUR);
	return true;
}

static bool trouble(struct lines *l)
{
	l->trouble = true;
	fprintf(stderr, "pointsman: %s: %s\n", l->name, strerror(errno));
	return false;
}

/* Read more behind what is there.  False at the end, or if that fails. */
static bool fill(struct lines *l)
{
	size_t rest = l->to - l->from;
	ssize_t n;

	if (l->from > 0)
		memmove(l->bytes, l->bytes + l->from, rest);
	l->seen -= l->from;
	l->to = rest;
	l->from = 0;
	if (l->cap - l->to <= CHUNK / 2) {
		l->cap = l->cap ? l->cap * 2 : CHUNK;
		l->bytes = mem_grow(l->bytes, l->cap, 1);
	}
	do
		n = read(l->fd, l->bytes + l->to, l->cap - l->to - 1);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return trouble(l);
	l->to += (size_t)n;
	return n > 0;
}

/* The next line as it stands, without its LF. */
static bool take(struct lines *l, char **text, size_t *len)
{
	char *end = NULL;

	l->overlong = false;
	while (!end) {
		if (l->to > l->seen)
			end = memchr(l->bytes + l->seen, '\n', l->to - l->seen);
		l->seen = l->to;
		if (!end && l->to - l->from > LINES_MAX) {
			l->overlong = true;
			l->from = l->to;
		}
		if (!end && !fill(l)) {
			if (l->trouble || (l->from == l->to && !l->overlong))
				return false;
			end = l->bytes + l->to++;
		}
	}
	*text = l->bytes + l->from;
	*len = (size_t)(end - *text);
	*end = '\0';
	l->from = l->seen = (size_t)(end + 1 - l->bytes);
	return true;
}

bool lines_next(struct lines *l, char **text, size_t *len)
{
	while (take(l, text, len)) {
		if (l->number++ == 0 && *len >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
			*text += 3;
			*len -= 3;
		}
		if (*len > 0 && (*text)[*len - 1] == '\r')
			(*text)[--*len] = '\0';
		if (!l->overlong && *len <= LINES_MAX)
			return true;
		lines_fault(l, 1, "the line is over %d MB long", LINES_MAX / 1024 / 1024);
	}
	return false;
}

bool lines_waiting(const struct lines *l)
{
	return l->to > l->seen && memchr(l->bytes + l->seen, '\n', l->to - l->seen);
}

bool lines_again(const struct lines *l)
{
	return l->start != -1;
}

bool lines_rewind(struct lines *l)
{
	if (lseek(l->fd, l->start, SEEK_SET) == -1)
		return trouble(l);
	l->from = l->seen = l->to = 0;
	l->number = 0;
	return true;
}

void lines_fault(struct lines *l, size_t column, const char *fmt, ...)
{
	va_list ap;

	if (l->faults++ >= LINES_FAULTS)
		return;
	fprintf(stderr, "%s:%" PRIu64 ":%zu: ", l->name, l->number, column);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool lines_good(const struct lines *l)
{
	if (l->faults > LINES_FAULTS)
		fprintf(stderr, "%s: %" PRIu64 " more lines are wrong\n", l->name,
			l->faults - LINES_FAULTS);
	return lines_status(l) == EX_OK;
}

int lines_status(const struct lines *l)
{
	return l->trouble ? EX_IOERR : l->faults ? EX_DATAERR : EX_OK;
}

void lines_close(struct lines *l)
{
	if (l->fd > STDIN_FILENO)
		close(l->fd);
	free(l->bytes);
	*l = (struct lines){.fd = -1};
}
