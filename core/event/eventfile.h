/*
 * eventfile - events kept in a file: one CloudEvents object, an array of them, or one a line.
 */
#ifndef POINTSMAN_EVENT_EVENTFILE_H
#define POINTSMAN_EVENT_EVENTFILE_H

#include "event/event.h"

#define EVENTFILE_MAX_BYTES (64 * 1024 * 1024)

struct eventfile { /* zero is empty */
	struct filed {
		struct event *event; /* as event_parse() gives it */
		uint32_t line;       /* where it begins, from 1 */
	} * list;
	size_t n, cap;
};

struct eventfile_fault {
	uint32_t line, column; /* from 1; 0: the file cannot be read at all */
	struct err why;
};

/* At least one event, or false with *fault and nothing in `out`.  `instance` is that of events
 * that name none. */
bool eventfile_parse(const char *text, size_t len, const char *instance, struct eventfile *out,
		     struct eventfile_fault *fault);
bool eventfile_read(const char *path, const char *instance, struct eventfile *out,
		    struct eventfile_fault *fault);
void eventfile_clear(struct eventfile *f);

#endif
