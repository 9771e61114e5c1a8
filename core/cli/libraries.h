/*
 * libraries - the memory of the libraries below runs out as ours does, see mem.h.
 *
 * libevent, OpenSSL, jansson and SQLite tell their caller when there is none, in hundreds of
 * places and in as many ways; each would be half an operation of ours.  (libcurl is told by
 * http/client.c, where it is set up.)
 */
#ifndef POINTSMAN_CLI_LIBRARIES_H
#define POINTSMAN_CLI_LIBRARIES_H

/* Before any of them is used. */
void libraries_share_memory(void);

#endif
