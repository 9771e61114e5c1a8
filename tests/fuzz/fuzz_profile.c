/* Any bytes as AWS's configuration file, those behind an empty line with a `%` as the credentials
 * file: profiles that are found again, or a message that names the file and the line; and the
 * chain of credentials that begins there. */
#include "aws/chain.h"
#include "base/mem.h"
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory; its path never changes. */
struct file {
	int fd;
	char path[64];
};

static void write_file(struct file *f, const uint8_t *data, size_t size)
{
	if (!f->path[0]) {
		f->fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
	}
	PROMISE(ftruncate(f->fd, 0) == 0);
	PROMISE(pwrite(f->fd, data, size, 0) == (ssize_t)size);
}

static bool names_place(const char *text, const char *path)
{
	const char *at = strstr(text, path);

	return at && at[strlen(path)] == ':';
}

static void check_chain(const struct file *config, const struct file *credentials)
{
	char *environment[] = {mem_format("AWS_CONFIG_FILE=%s", config->path),
			       mem_format("AWS_SHARED_CREDENTIALS_FILE=%s", credentials->path),
			       mem_text("AWS_PROFILE=p"), mem_text("HOME=/nonexistent"), NULL};
	struct settings *s = settings_new((const char *const *)environment);
	struct chain c = {0};
	struct err err = {{0}};

	if (chain_find(s, &c, &err)) {
		PROMISE(c.where && *c.where);
		PROMISE(c.source != CHAIN_KEYS || (c.key_id && c.secret));
		PROMISE(c.source != CHAIN_WEB || (c.token_file && c.web.arn));
		PROMISE(c.source < CHAIN_CONTAINER || c.url);
		for (size_t i = 0; i < c.nroles; i++)
			PROMISE(c.roles[i].arn && strlen(c.roles[i].session) >= 2);
	} else {
		PROMISE(*err.text);
	}
	chain_free(&c);
	settings_region(s);
	settings_endpoint(s, "S3");
	settings_free(s);
	for (size_t i = 0; environment[i]; i++)
		free(environment[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct file config, credentials;
	const uint8_t *cut = memmem(data, size, "\n%\n", 3);
	size_t first = cut ? (size_t)(cut + 1 - data) : size, second = cut ? first + 2 : size;
	struct err err = {{0}};
	struct profiles *p;

	write_file(&config, data, first);
	write_file(&credentials, data + second, size - second);
	p = profiles_read(config.path, credentials.path, &err);
	if (p) {
		PROMISE(!memchr(data, 0, size));
		PROMISE(profiles_has(p, "p") || !profiles_get(p, "p", "region"));
	} else {
		PROMISE(names_place(err.text, config.path) ||
			names_place(err.text, credentials.path));
	}
	profiles_free(p);
	check_chain(&config, &credentials);
	return 0;
}
