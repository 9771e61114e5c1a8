#include "origin.h"

#include <string.h>
#include <strings.h>

/* "eu-west-1": one label of letters, digits and dashes. */
static size_t region(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
}

static bool is_amazon(const char *rest)
{
	return strcasecmp(rest, ".amazonaws.com") == 0 ||
	       strcasecmp(rest, ".amazonaws.com.cn") == 0;
}

bool origin_is_bucket(const char *host, const char *bucket)
{
	static const char *const services[] = {".s3.dualstack.", ".s3-website.", ".s3-website-",
					       ".s3.",           ".s3-",         ".s3"};
	size_t n = strlen(bucket);
	const char *rest = host + n;

	if (!n || strncasecmp(host, bucket, n) != 0)
		return false;
	for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
		size_t len = strlen(services[i]);
		bool regional = services[i][len - 1] == '.' || services[i][len - 1] == '-';

		if (strncasecmp(rest, services[i], len) != 0)
			continue;
		if (!regional && is_amazon(rest + len))
			return true;
		if (regional && region(rest + len) && is_amazon(rest + len + region(rest + len)))
			return true;
	}
	return false;
}
