/*
 * client - how a verb reaches the journal: through the daemon, or by itself.
 *
 * While a daemon runs, a request goes through its admin socket.  With none, the client takes
 * the daemon's own lock and opens the journal through the same modules, without plugins.
 */
#ifndef POINTSMAN_CLI_CLIENT_H
#define POINTSMAN_CLI_CLIENT_H

#include "cli/options.h"

#include <jansson.h>

struct client_connection;

/* NULL after saying on standard error why not, with the exit status in *status. */
struct client_connection *client_open(const struct options *o, int *status);
void client_close(struct client_connection *c);
bool client_has_daemon(const struct client_connection *c);

/* Ask with one line of JSON; `line` gets the bytes of each line of the answer, without its
 * end.  Otherwise as below. */
typedef void client_text_fn(const char *line, size_t len, void *arg);
int client_ask_raw(struct client_connection *c, const char *request, client_text_fn *line,
		   void *arg, uint64_t *next);
/* Ask with one line of JSON; `line` gets each line of the answer as an object (borrowed).
 * The result is an exit status; a problem has been said on standard error.  *next as in
 * service.h. */
typedef void client_line_fn(json_t *object, void *arg);
int client_ask_text(struct client_connection *c, const char *request, client_line_fn *line,
		    void *arg, uint64_t *next);
/* The same with an object, which it takes. */
int client_ask(struct client_connection *c, json_t *request, client_line_fn *line, void *arg,
	       uint64_t *next);

#endif
