/*
 * answer - an HTTP answer as a plugin sees it, and as a delivery's end.
 */
#ifndef POINTSMAN_PLUGIN_ANSWER_H
#define POINTSMAN_PLUGIN_ANSWER_H

#include "base/err.h"
#include "http/client.h"
#include "lane/lane.h"
#include "plugin/abi.h"
#include "plugin/scratch.h"

struct asked {             /* what the request said about how to read its answer */
	const char *peer;  /* host asked, for messages: "hooks.slack.com" */
	const char *ok;    /* or NULL */
	const char *again; /* or NULL */
	bool aws;
	bool has_secrets; /* of the instance: 401 and 403 may mend themselves */
};

struct answer_message { /* a pm_message with what the host knows besides */
	struct pm_message public;
	const struct http_answer *answer;
	const struct asked *asked;
	struct scratch *scratch;
};
void answer_message(struct answer_message *out, const struct http_answer *answer,
		    const struct asked *asked, struct scratch *scratch);

struct ending { /* how a delivery ends by it */
	enum lane_result result;
	int64_t after_ms; /* Retry-After, or -1 */
	bool unknown;     /* sent, and no answer came */
	bool credentials; /* they were refused: read secrets again */
	struct err why;   /* "503 from hooks.slack.com: over capacity" */
};
/* The usual reading, as plugin.h has it at finish_by_http(). */
struct ending answer_read(const struct http_answer *answer, const struct asked *asked,
			  int64_t wall);

#endif
