/*
 * awscall - asking an AWS service that speaks JSON, and what every AWS plugin has in common.
 */
#ifndef POINTSMAN_LIB_AWSCALL_H
#define POINTSMAN_LIB_AWSCALL_H

#include "base/err.h"

#include <jansson.h>
#include <pointsman/plugin.h>

/* Rows of the key table. */
#define AWS_KEY_REGION(fallback)                                                                   \
	{                                                                                          \
		"region", PM_STRING, 0, fallback, NULL,                                            \
			"AWS region; empty: AWS_REGION, AWS_DEFAULT_REGION or the profile's."      \
	}
#define AWS_KEY_ENDPOINT                                                                           \
	{                                                                                          \
		"endpoint", PM_URL, 0, NULL, NULL,                                                 \
			"Address to send to instead of AWS's own, which AWS_ENDPOINT_URL and "     \
			"AWS_ENDPOINT_URL_<SERVICE> may change as well."                           \
	}

/* "s3:eu-west-1", as pm_http.aws wants it, with the instance's key `region`.  Returns out. */
const char *awscall_service(struct pm_host *h, const char *service, char out[128]);

struct awscall {
	const char *service;  /* "codebuild" */
	const char *target;   /* "CodeBuild_20161006.StartBuild" */
	const char *protocol; /* of AWS JSON: "1.0" or "1.1" */
	json_t *body;         /* taken */
	pm_delivery delivery;
	uint32_t timeout_ms, max_kb; /* as in pm_http */
};
void awscall_json(struct pm_host *h, const struct awscall *call, pm_done_fn *done, uint64_t arg);

/* The JSON object in a good answer; the caller's.  NULL with *err if there is none. */
json_t *awscall_answer(const struct pm_message *m, struct err *err);

/* A pause after the n-th failure in a row (from 1): doubling from `base` to `most`, the
 * upper half of it at random, so that many who failed together do not come back together. */
uint32_t awscall_pause(struct pm_host *h, unsigned n, uint32_t base_ms, uint32_t most_ms);

#endif
