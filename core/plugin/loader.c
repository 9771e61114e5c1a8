#include "plugin/loader.h"

#include "base/buf.h"
#include "base/mem.h"
#include "config/report.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYMBOL "pointsman_plugin_v1"

struct found { /* a name in the directories */
	char *name, *file;
	char *problem; /* that the directories alone show, or NULL */
	struct plugin *plugin;
	struct err refusal;
	bool tried;
};

struct loader {
	struct found *found; /* sorted by name */
	size_t n, cap;
	struct buf missing; /* directories that are not there, for messages */
	char **directories;
	size_t ndirectories;
	struct {
		dev_t dev;
		ino_t ino;
	} * seen; /* the directories read, each once */
	size_t nseen;
};

static bool trusted_owner(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Whoever may write the file is whoever may run code as us. */
static bool trusted(const char *path, const struct stat *st, const char *what, struct err *err)
{
	if (st->st_mode & S_IWOTH) {
		err_set(err,
			"%s: the %s is writable by everybody, who could run code as this "
			"user; chmod o-w %s",
			path, what, path);
		return false;
	}
	if (!trusted_owner(st)) {
		err_set(err,
			"%s: the %s belongs to user %u, neither root nor this user (%u), and "
			"could be changed by them; chown root %s",
			path, what, (unsigned)st->st_uid, (unsigned)geteuid(), path);
		return false;
	}
	return true;
}

static struct found *find(struct loader *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->found[i].name, name) == 0)
			return &l->found[i];
	}
	return NULL;
}

static void add_file(struct loader *l, const char *directory, const char *file, const char *problem)
{
	char *name = mem_slice(file, strlen(file) - 3),
	     *path = mem_format("%s/%s", directory, file);
	struct found *other = find(l, name);

	if (other) {
		free(other->problem);
		other->problem = mem_format("two files claim the name: %s and %s; remove one",
					    other->file, path);
		free(name);
		free(path);
		return;
	}
	mem_room(l->found, l->n, l->cap);
	l->found[l->n++] = (struct found){.name = name, .file = path, .problem = mem_text(problem)};
}

static bool read_before(struct loader *l, const struct stat *st)
{
	for (size_t i = 0; i < l->nseen; i++) {
		if (l->seen[i].dev == st->st_dev && l->seen[i].ino == st->st_ino)
			return true;
	}
	l->seen = mem_grow(l->seen, l->nseen + 1, sizeof *l->seen);
	l->seen[l->nseen].dev = st->st_dev;
	l->seen[l->nseen++].ino = st->st_ino;
	return false;
}

static void read_directory(struct loader *l, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	struct err problem = {{0}};
	struct stat st;

	if (!d) {
		buf_printf(&l->missing, "; %s: %s", path, strerror(errno));
		return;
	}
	if (fstat(dirfd(d), &st) == 0 && !read_before(l, &st)) {
		bool good = trusted(path, &st, "directory", &problem);

		while ((e = readdir(d))) {
			size_t n = strlen(e->d_name);

			if (n > 3 && e->d_name[0] != '.' && strcmp(e->d_name + n - 3, ".so") == 0)
				add_file(l, path, e->d_name, good ? NULL : problem.text);
		}
	}
	closedir(d);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

struct loader *loader_new(const char *const *directories)
{
	struct loader *l = mem_new(struct loader);

	for (; directories && *directories; directories++) {
		l->directories = mem_grow(l->directories, l->ndirectories + 1, sizeof(char *));
		l->directories[l->ndirectories++] = mem_text(*directories);
		read_directory(l, *directories);
	}
	if (l->n)
		qsort(l->found, l->n, sizeof *l->found, by_name);
	return l;
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++) {
		plugin_free(l->found[i].plugin);
		free(l->found[i].name);
		free(l->found[i].file);
		free(l->found[i].problem);
	}
	for (size_t i = 0; i < l->ndirectories; i++)
		free(l->directories[i]);
	free(l->directories);
	free(l->found);
	free(l->seen);
	buf_free(&l->missing);
	free(l);
}

const char *loader_name(struct loader *l, size_t i)
{
	return i < l->n ? l->found[i].name : NULL;
}

/* dlopen() with RTLD_NOW names the first symbol that nobody defines. */
static void explain_dlopen(const char *file, struct err *err)
{
	const char *text = dlerror(), *symbol = text ? strstr(text, "undefined symbol: ") : NULL;

	if (symbol) {
		symbol += strlen("undefined symbol: ");
		err_set(err,
			"%s: it uses `%.*s`, which no library it links to defines; add that "
			"library "
			"when it is linked (with -Wl,-z,defs the linker says so itself)",
			file, (int)strcspn(symbol, " ,\t("), symbol);
	} else {
		err_set(err, "cannot be loaded: %s", text ? text : "no reason given");
	}
}

static void explain_missing(const char *file, void *code, struct err *err)
{
	char symbol[32];

	for (int major = 0; major < 100; major++) {
		snprintf(symbol, sizeof symbol, "pointsman_plugin_v%d", major);
		if (dlsym(code, symbol)) {
			err_set(err,
				"%s: it has the symbol %s: it is written for pointsman ABI %d, "
				"this is "
				"ABI 1; install a pointsman for ABI %d, or a plugin for ABI 1",
				file, symbol, major, major);
			return;
		}
	}
	err_set(err,
		"%s: it has no symbol " SYMBOL ": is it a pointsman plugin? PM_PLUGIN() "
		"defines it",
		file);
}

static bool check_file(const struct found *f, struct err *err)
{
	struct stat st;

	if (f->problem) {
		err_set(err, "%s", f->problem);
		return false;
	}
	if (stat(f->file, &st) != 0) {
		err_set(err, "%s: %s", f->file, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(err, "%s: this is no file", f->file);
		return false;
	}
	return trusted(f->file, &st, "file", err);
}

static struct plugin *adopt(const struct found *f, const struct pm_plugin *table, struct err *err)
{
	struct plugin *p = plugin_adopt(table, err);

	if (!p) {
		err_prefix(err, "%s", f->file);
		return NULL;
	}
	if (strcmp(p->table.name, f->name) != 0) {
		err_set(err, "%s: it calls itself `%s`; rename the file to %s.so", f->file,
			p->table.name, p->table.name);
		plugin_free(p);
		return NULL;
	}
	p->file = mem_text(f->file);
	return p;
}

/* Never closed: what a library leaves behind in threads and at exit must stay callable. */
static struct plugin *load(const struct found *f, struct err *err)
{
	const struct pm_plugin *table;
	void *code;

	if (!check_file(f, err))
		return NULL;
	code = dlopen(f->file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!code) {
		explain_dlopen(f->file, err);
		return NULL;
	}
	table = dlsym(code, SYMBOL);
	if (!table) {
		explain_missing(f->file, code, err);
		return NULL;
	}
	return adopt(f, table, err);
}

static const char *nearest(const struct loader *l, const char *name)
{
	const char **names = mem_zero((l->n + 1) * sizeof *names), *near;

	for (size_t i = 0; i < l->n; i++)
		names[i] = l->found[i].name;
	near = report_nearest(name, names, l->n);
	free(names);
	return near;
}

static void say_missing(struct loader *l, const char *name, struct err *err)
{
	const char *near = nearest(l, name);
	struct buf where = {0};

	for (size_t i = 0; i < l->ndirectories; i++)
		buf_printf(&where, "%s%s", i ? ", " : "", l->directories[i]);
	err_set(err, "no %s.so in %s (`plugins` of [pointsman])%s%s%s%s", name, buf_text(&where),
		buf_text(&l->missing), near ? "; did you mean `" : "", near ? near : "",
		near ? "`?" : "");
	buf_free(&where);
}

const struct plugin *loader_get(struct loader *l, const char *name, struct err *err)
{
	struct found *f = find(l, name);

	if (!f) {
		say_missing(l, name, err);
		return NULL;
	}
	if (!f->tried) {
		f->plugin = load(f, &f->refusal);
		f->tried = true;
	}
	if (!f->plugin)
		err_set(err, "%s", f->refusal.text);
	return f->plugin;
}
