/*
 * fuzz - the entry point that libFuzzer and the replay of a corpus share.
 *
 * Each fuzz_NAME.c has one, which aborts when a promise is broken.  meson test --suite fuzz
 * runs the files of corpus/NAME (replay.c); tests/fuzz/run searches for more.
 */
#ifndef POINTSMAN_TESTS_FUZZ_H
#define POINTSMAN_TESTS_FUZZ_H

#include "event/event.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__,         \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* An event that is fit, with this payload. */
static inline struct event fuzz_event(const char *payload, size_t len)
{
	return (struct event){.id = "1",
			      .source = "s",
			      .type = "a.b",
			      .subject = "main",
			      .time = "2026-11-24T01:02:03Z",
			      .instance = "i",
			      .data = payload,
			      .data_len = len};
}

#endif
