/*
 * feeds - what happens upstream, and the source plugins that tell of it.
 *
 * feed-N is a puppet-source.  One with a cursor saves it with what it emits, and reads again
 * from there; a queue keeps each item until it is acknowledged.  `web` posts to the real plugin
 * http-in until it is answered 202.
 */
#ifndef POINTSMAN_SIM_FEEDS_H
#define POINTSMAN_SIM_FEEDS_H

#include <stdbool.h>
#include <stddef.h>

struct pm_host;

#define FEEDS_MOST_ITEMS 500

struct item {
	char kind;
	unsigned subject, k;
	bool promised; /* upstream was told that it is safe: it must never be lost */
	bool acknowledged;
	bool sent_again;
	long long hidden_until; /* of a queue */
	unsigned post;          /* of the web: the number of the try under way; 0: none */
};

void feeds_begin(void);
void feeds_end(void);     /* nothing more happens upstream */
bool feeds_drained(void); /* all that happened was taken */
size_t feeds_size(int feed);
const struct item *feeds_item(int feed, size_t n);

/* A request of a queue's plugin, "ack?feed-1/17", has left; it has arrived. */
void feeds_left(const char *path);
void feeds_acknowledged(const char *path);

/* The plugin's functions. */
bool feeds_start(struct pm_host *h);
void feeds_resume(struct pm_host *h);
/* The router is gone: open connections are closed. */
void feeds_life_over(void);
void feeds_free(void);

#endif
