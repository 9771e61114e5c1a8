#include "awscall.h"

#include "awserror.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *awscall_service(struct pm_host *h, const char *service, char out[128])
{
	snprintf(out, 128, "%s:%s", service, h->str(h, "region"));
	return out;
}

void awscall_json(struct pm_host *h, const struct awscall *call, pm_done_fn *done, uint64_t arg)
{
	char service[128], type[64], target[160];
	const char *headers[] = {type, target, NULL};
	char *body = json_dumps(call->body, JSON_COMPACT);

	json_decref(call->body);
	snprintf(type, sizeof type, "Content-Type: application/x-amz-json-%s", call->protocol);
	snprintf(target, sizeof target, "X-Amz-Target: %s", call->target);
	h->http(h,
		&PM_HTTP(.url = "/", .aws = awscall_service(h, call->service, service),
			 .method = "POST", .headers = headers, .body = body,
			 .delivery = call->delivery, .timeout_ms = call->timeout_ms,
			 .max_kb = call->max_kb),
		done, arg);
	free(body);
}

json_t *awscall_answer(const struct pm_message *m, struct err *err)
{
	json_error_t fault;
	struct awserror e;
	json_t *body;

	if (m->status != 200) {
		awserror_read(m, &e);
		awserror_text(&e, err);
		return NULL;
	}
	body = json_loadb(m->body, m->body_len, JSON_ALLOW_NUL, &fault);
	if (!json_is_object(body)) {
		err_set(err, "HTTP 200, but the answer is no JSON object: %s",
			body ? "it is something else" : fault.text);
		json_decref(body);
		return NULL;
	}
	return body;
}

uint32_t awscall_pause(struct pm_host *h, unsigned n, uint32_t base_ms, uint32_t most_ms)
{
	uint64_t pause = (uint64_t)base_ms << (n > 16 ? 15 : n ? n - 1 : 0);

	if (pause > most_ms)
		pause = most_ms;
	return (uint32_t)(pause / 2 + h->random(h) % (pause / 2 + 1));
}
