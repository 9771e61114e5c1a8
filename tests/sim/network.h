/*
 * network - the router's HTTP client, and who is asked by it.
 *
 * http://127.0.0.1:9000/tN is the target N; http://127.0.0.1:9000/ack?feed-1/17 takes an
 * item from a queue.  What each answers is the weather's.
 */
#ifndef POINTSMAN_SIM_NETWORK_H
#define POINTSMAN_SIM_NETWORK_H

struct http_client;

struct http_client *network_client(void);
/* The process is gone: what it asked is still under way, and nobody hears the answers. */
void network_forget(void);

#endif
