/* file - one line for each event, appended to a file or to standard output. */
#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pointsman/plugin.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct pm_key keys[] = {
	{"path", PM_STRING, PM_REQUIRED, NULL, NULL,
	 "The file, from the root; it is made if there is none.  `-` is standard output."},
	{"line", PM_JSON_TEMPLATE, 0, "{{ event }}", NULL,
	 "What is written for an event; the default is the whole of it, as CloudEvents has it."},
	{"fsync", PM_BOOL, 0, "yes", NULL,
	 "Whether a line must be on the disk, not only with the kernel, to count as delivered."},
	{0},
};

struct file {
	int fd;
	bool torn;  /* its last line has no end: the disk was full, or we were killed */
	bool named; /* its name is on the disk */
};

static bool is_stdout(struct pm_host *h)
{
	return strcmp(h->str(h, "path"), "-") == 0;
}

static bool check(struct pm_host *h)
{
	const char *path = h->str(h, "path");

	if (*path == '/' || strcmp(path, "-") == 0)
		return true;
	h->log(h, PM_ERROR,
	       "path = %s: write it from the root (/var/log/..), or - for standard output", path);
	return false;
}

static bool create(struct pm_host *h)
{
	struct file *f = mem_new(struct file);

	f->fd = -1;
	h->self = f;
	return true;
}

static void close_file(struct file *f)
{
	if (f->fd > STDERR_FILENO)
		close(f->fd);
	f->fd = -1;
}

static void destroy(struct pm_host *h)
{
	close_file(h->self);
	free(h->self);
}

/* Somebody moved the file away, or removed it: what is written now would be lost. */
static bool was_moved(const struct file *f, const char *path)
{
	struct stat open_one, named;

	return fstat(f->fd, &open_one) != 0 || stat(path, &named) != 0 ||
	       open_one.st_dev != named.st_dev || open_one.st_ino != named.st_ino;
}

static bool ends_in_a_line(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char last = '\n';

	if (fd < 0)
		return true;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    pread(fd, &last, 1, st.st_size - 1) != 1)
		last = '\n';
	close(fd);
	return last == '\n';
}

static bool open_file(struct pm_host *h, struct file *f, const char *path)
{
	if (is_stdout(h)) {
		f->fd = STDOUT_FILENO;
		return true;
	}
	if (f->fd >= 0 && !was_moved(f, path))
		return true;
	close_file(f);
	f->named = false;
	f->torn = !ends_in_a_line(path);
	f->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	return f->fd >= 0;
}

/* False with errno set; then part of it may have been written. */
static bool write_all(struct file *f, const struct buf *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(f->fd, b->data + done, b->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			f->torn |= done > 0;
			return false;
		}
		done += (size_t)n;
	}
	f->torn = false;
	return true;
}

/* What cannot be synced, a pipe or a terminal, is as safe as it gets. */
static bool is_as_safe_as_it_gets(int result)
{
	return result == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP;
}

/* The name of a file that may be new is on the disk only with its directory, which need not be
 * ours to read. */
static bool sync_name(struct file *f, const char *path)
{
	char *copy = mem_text(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	f->named = fd < 0 ? errno == EACCES : is_as_safe_as_it_gets(fsync(fd));
	if (fd >= 0)
		close(fd);
	free(copy);
	return f->named;
}

static bool synced(struct pm_host *h, struct file *f, const char *path)
{
	return !h->num(h, "fsync") || (is_as_safe_as_it_gets(fdatasync(f->fd)) &&
				       (f->named || is_stdout(h) || sync_name(f, path)));
}

/* In JSON a raw line break stands between tokens only: a blank says the same. */
static void add_line(struct buf *b, const char *line)
{
	size_t start = b->len;

	buf_text_add(b, line);
	for (size_t i = start; i < b->len; i++) {
		if (b->data[i] == '\n' || b->data[i] == '\r')
			b->data[i] = ' ';
	}
	buf_char(b, '\n');
}

static void not_done(struct pm_host *h, pm_delivery d, const char *what, const char *path)
{
	char *why = mem_format("%s %s: %s", what, path, strerror(errno));

	h->finish(h, d, PM_RETRY, why);
	free(why);
}

static void deliver(struct pm_host *h, pm_delivery d)
{
	const char *path = h->str(h, "path");
	const char *line = h->render(h, d, "line");
	struct file *f = h->self;
	struct buf b = {0};

	if (!line)
		return;
	if (!open_file(h, f, path)) {
		not_done(h, d, "cannot open", path);
		return;
	}
	if (f->torn)
		buf_char(&b, '\n');
	add_line(&b, line);
	if (!write_all(f, &b))
		not_done(h, d, "cannot write to", path);
	else if (!synced(h, f, path))
		not_done(h, d, "cannot sync", path);
	else
		h->finish(h, d, PM_OK, "");
	buf_free(&b);
}

PM_PLUGIN(.kind = PM_SINK | PM_BLOCKING, .name = "file", .version = "1.0",
	  .summary = "Append a line of JSON for each event to a file or standard output.",
	  .keys = keys, .check = check, .create = create, .deliver = deliver, .destroy = destroy);
