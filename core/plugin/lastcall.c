#include "plugin/lastcall.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static __thread const struct lastcall *current;

/* A stack of its own, so that one that overflowed can be told of.  The thread of the loop
 * alone has it. */
static char stack[32 << 10];

static const struct {
	int number;
	const char *name;
} crashes[] = {
	{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
	{SIGILL, "SIGILL"},   {SIGABRT, "SIGABRT"},
};

struct line {
	char text[400];
	size_t len;
};

/* In a signal handler there is no printf(). */
static void add(struct line *l, const char *text)
{
	size_t n = strlen(text), room = sizeof l->text - 1 - l->len;

	n = n < room ? n : room;
	memcpy(l->text + l->len, text, n);
	l->len += n;
}

static void say(const char *what)
{
	const struct lastcall *c = current;
	struct line l = {.len = 0};
	ssize_t ignored;

	add(&l, "pointsman: ");
	add(&l, what);
	if (c) {
		add(&l, " in ");
		add(&l, c->call);
		add(&l, " of plugin ");
		add(&l, c->plugin);
		add(&l, ", section ");
		add(&l, c->section);
	} else {
		add(&l, ", not in a call of a plugin");
	}
	add(&l, ". What was accepted is in the journal and goes on at the next start.");
	l.text[l.len++] = '\n';
	ignored = write(STDERR_FILENO, l.text, l.len);
	(void)ignored;
}

/* The handler is reset when it runs, so that the second signal ends us as it should. */
static void on_crash(int number)
{
	struct line what = {.len = 0};

	add(&what, "killed by ");
	for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
		if (crashes[i].number == number)
			add(&what, crashes[i].name);
	}
	say(what.text);
	raise(number);
}

/* The other threads still work: no more of the handlers that would take away what they
 * use. */
static void on_exit_called(void)
{
	if (!current)
		return;
	say("exit() was called, which no plugin may,");
	_exit(EX_SOFTWARE);
}

void lastcall_watch(void)
{
	struct sigaction mine = {.sa_handler = on_crash,
				 .sa_flags = SA_ONSTACK | (int)SA_RESETHAND};
	struct sigaction before;
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};

	for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
		if (sigaction(crashes[i].number, NULL, &before) == 0 &&
		    before.sa_handler == SIG_DFL)
			sigaction(crashes[i].number, &mine, NULL);
	}
	sigaltstack(&alternate, NULL);
	atexit(on_exit_called);
}

void lastcall_enter(struct lastcall *c)
{
	c->outer = current;
	current = c;
}

void lastcall_leave(struct lastcall *c)
{
	current = c->outer;
}
