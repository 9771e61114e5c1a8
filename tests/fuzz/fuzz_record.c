/* Any JSON as a record of a DynamoDB stream: an event whose payload is strict JSON, or a message
 * and the event of one that could not be read; and a line with two numbers, whose order is
 * that of their values. */
#include "attribute.h"
#include "base/mem.h"
#include "fuzz.h"
#include "record.h"
#include "json/check.h"
#include "json/find.h"

#include <math.h>
#include <string.h>

static const struct record_place place = {
	.stream = "arn", .table = "t", .shard = "s1", .hash = "id", .range = "at"};

static void check_event(const struct record *r)
{
	struct json_fault fault;

	PROMISE(r->type && r->id && *r->id);
	PROMISE(json_check(r->data.data, r->data.len, JSON_MAX_DEPTH, &fault));
	PROMISE(json_root(r->data.data, r->data.len).kind == KIND_OBJECT);
}

static void read_record(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
	struct record r;
	struct err err = {{0}};

	if (json) {
		bool good = record_read(json, &place, &r, &err);

		PROMISE(good || *err.text);
		if (good)
			check_event(&r);
		record_free(&r);
		PROMISE(record_time(json) >= 0);
		json_decref(json);
	}
	record_unreadable((const char *)data, size, NULL, "why", &place, &r);
	check_event(&r);
	record_free(&r);
}

static void compare_numbers(const uint8_t *data, size_t size)
{
	char *a = mem_slice((const char *)data, size), *b = strchr(a, '\n');

	if (b)
		*b++ = '\0';
	PROMISE(!attribute_is_number(a) || json_check(a, strlen(a), 0, NULL));
	if (b && attribute_is_number(a) && attribute_is_number(b)) {
		int order = attribute_compare(a, b);
		double x = strtod(a, NULL), y = strtod(b, NULL);

		PROMISE(attribute_compare(b, a) == -order || order * attribute_compare(b, a) < 0);
		PROMISE(attribute_compare(a, a) == 0 && attribute_compare(b, b) == 0);
		if (isfinite(x) && isfinite(y) && x != y)
			PROMISE((order < 0) == (x < y));
	}
	free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_record(data, size);
	compare_numbers(data, size);
	return 0;
}
