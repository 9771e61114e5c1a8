/* For judge_sigv4.py: signs the requests it reads (a JSON array) and prints what it did. */
#include "aws/sigv4.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>

static const char **texts(const json_t *list)
{
	const char **out = mem_zero((json_array_size(list) + 1) * sizeof *out);

	for (size_t i = 0; i < json_array_size(list); i++)
		out[i] = json_string_value(json_array_get(list, i));
	return out;
}

static json_t *sign(const json_t *in)
{
	const char **query = texts(json_object_get(in, "query"));
	const char **headers = texts(json_object_get(in, "headers"));
	const json_t *body = json_object_get(in, "body");
	const bool s3 = json_is_true(json_object_get(in, "s3"));
	struct sigv4_request rq = {
		.method = json_string_value(json_object_get(in, "method")),
		.host = json_string_value(json_object_get(in, "host")),
		.path = json_string_value(json_object_get(in, "path")),
		.query = query,
		.headers = headers,
		.body = json_string_value(body),
		.body_len = json_string_length(body),
		.service = json_string_value(json_object_get(in, "service")),
		.region = json_string_value(json_object_get(in, "region")),
		.time = json_integer_value(json_object_get(in, "time")),
		.path_once = s3,
		.send_body_hash = s3,
	};
	struct sigv4_credentials cr = {
		"AKIDEXAMPLE", "secret+/=", json_string_value(json_object_get(in, "token"))};
	struct sigv4_signed s;
	json_t *out;

	sigv4_sign(&rq, &cr, &s);
	out = json_pack("{s:s, s:s, s:s}", "target", buf_text(&s.target), "headers",
			buf_text(&s.headers), "canonical", buf_text(&s.canonical));
	sigv4_free(&s);
	free(query);
	free(headers);
	return out;
}

int main(void)
{
	json_t *in = json_loadf(stdin, 0, NULL), *out = json_array();

	for (size_t i = 0; i < json_array_size(in); i++)
		json_array_append_new(out, sign(json_array_get(in, i)));
	json_dumpf(out, stdout, 0);
	json_decref(in);
	json_decref(out);
	return 0;
}
