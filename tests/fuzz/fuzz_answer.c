/* Three bytes for the status and how it is to be read, then the headers of an answer, an empty
 * line, and its body: an end for the delivery that says why, on one line, and pauses that are
 * none or not negative. */
#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "plugin/answer.h"

#include <string.h>

#define NOW 1763946000000

static void check_headers(const struct http_answer *answer)
{
	static const char *const names[] = {"Retry-After", "Date", "ETag", "x-amzn-errortype"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char value[64];
		int64_t after, date;

		if (!http_answer_header(answer, names[i], value, sizeof value))
			continue;
		PROMISE(strlen(value) < sizeof value && !strstr(value, "\r\n"));
		PROMISE(strstr(answer->headers, value));
		after = http_retry_after(value, NOW);
		date = http_date(value);
		PROMISE(after >= -1 && date >= -1 && date % 1000 == (date < 0 ? -1 : 0));
	}
}

static bool one_line(const char *text)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	}
	return true;
}

static void check_end(const struct http_answer *answer, const struct asked *asked)
{
	struct ending e = answer_read(answer, asked, NOW);

	PROMISE(e.result == LANE_OK || e.result == LANE_AGAIN || e.result == LANE_DOWN ||
		e.result == LANE_REJECT);
	PROMISE((e.result == LANE_OK) == !*e.why.text);
	PROMISE(one_line(e.why.text) && utf8_valid(e.why.text, strlen(e.why.text)));
	PROMISE(e.after_ms >= -1);
	if (answer->status / 100 != 2)
		PROMISE(e.result != LANE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct asked asked = {.peer = "peer", .again = "slow busy"};
	const uint8_t *behind;
	char *headers, *body;
	struct http_answer answer;

	if (size < 3)
		return 0;
	asked.aws = data[0] & 1;
	asked.has_secrets = data[0] & 2;
	asked.ok = data[0] & 4 ? "ok" : NULL;
	behind = memmem(data + 3, size - 3, "\r\n\r\n", 4);
	behind = behind ? behind + 2 : data + size;
	headers = mem_slice((const char *)data + 3, (size_t)(behind - (data + 3)));
	behind += behind < data + size ? 2 : 0;
	body = mem_slice((const char *)behind, (size_t)(data + size - behind));
	answer = (struct http_answer){.status = (data[1] & 7) == 0 ? 200
								   : (data[1] << 8 | data[2]) % 600,
				      .error = "",
				      .headers = headers,
				      .body = body,
				      .body_len = (size_t)(data + size - behind)};
	if (answer.status == 0)
		answer.error = "connection refused";
	check_headers(&answer);
	check_end(&answer, &asked);
	free(headers);
	free(body);
	return 0;
}
