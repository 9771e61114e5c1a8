/*
 * admin - the unix socket on which a running daemon answers verbs.
 *
 * A client sends one JSON object a line (service.h says which) and gets JSON lines, the last
 * of which is {"end":true,"status":0,"problem":"","next":0}.  Several requests may follow
 * each other on one connection.  The socket is the owner's and the group's (0660).
 * Loop thread only.
 */
#ifndef POINTSMAN_CLI_ADMIN_H
#define POINTSMAN_CLI_ADMIN_H

#include "cli/service.h"

#define ADMIN_MAX_REQUEST (2 * 1024 * 1024) /* an event and its envelope */
#define ADMIN_MAX_CLIENTS 32
#define ADMIN_MAX_HELD    (8 * 1024 * 1024) /* of all clients together; more is hung up on */

struct admin;

struct admin *admin_new(struct service *s, const char *path, struct err *err);
void admin_free(struct admin *a); /* NULL is fine; the socket file goes */

#endif
