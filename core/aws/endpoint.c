#include "aws/endpoint.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct partition {
	const char *prefix; /* of its regions; the last one is everybody else's */
	const char *suffix, *dual_suffix;
	const char *global_region; /* where services without regions sign */
};

static const struct partition partitions[] = {
	{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-northwest-1"},
	{"us-gov-", "amazonaws.com", "api.aws", "us-gov-west-1"},
	{"us-iso-", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1"},
	{"us-isob-", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1"},
	{"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1"},
	{"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1"},
	{"eusc-", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1"},
	{"", "amazonaws.com", "api.aws", "us-east-1"},
};

static const struct partition *partition_of(const char *region)
{
	const struct partition *p = partitions;

	while (strncmp(region, p->prefix, strlen(p->prefix)) != 0)
		p++;
	return p;
}

static bool is_label(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-')
			return false;
	}
	return *text;
}

void endpoint_variable(const char *service, char *out, size_t size)
{
	if (strcmp(service, "streams.dynamodb") == 0)
		service = "dynamodb_streams";
	snprintf(out, size, "%s", service);
	for (; *out; out++)
		*out = *out == '-' || *out == '.' ? '_' : (char)toupper((unsigned char)*out);
}

/* GovCloud's plain hosts are FIPS ones for these. */
static bool is_fips_anyway(const struct endpoint_question *q, const struct partition *p)
{
	static const char *const services[] = {"dynamodb", "streams.dynamodb", "ssm", "sqs", "sts"};

	if (strcmp(p->prefix, "us-gov-") != 0 || q->dual_stack)
		return false;
	for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
		if (strcmp(services[i], q->service) == 0)
			return true;
	}
	return false;
}

static char *cloudfront_host(const struct endpoint_question *q, const struct partition *p)
{
	const char *fips = q->fips ? "-fips" : "";

	if (strcmp(p->prefix, "cn-") == 0 && !q->dual_stack)
		return mem_format("cloudfront%s.cn-northwest-1.amazonaws.com.cn", fips);
	if (!*p->prefix && q->dual_stack)
		return mem_format("cloudfront%s.global.api.aws", fips);
	return mem_format("cloudfront%s.%s", fips, q->dual_stack ? p->dual_suffix : p->suffix);
}

static char *own_host(const struct endpoint_question *q, const struct partition *p)
{
	const char *service = q->service, *suffix = q->dual_stack ? p->dual_suffix : p->suffix;
	const char *fips = q->fips && !is_fips_anyway(q, p) ? "-fips" : "";

	if (strcmp(service, "cloudfront") == 0)
		return cloudfront_host(q, p);
	if (strcmp(service, "s3") == 0)
		return mem_format("s3%s%s.%s.%s", fips, q->dual_stack ? ".dualstack" : "",
				  q->region, p->suffix);
	if (strcmp(service, "streams.dynamodb") == 0 && q->dual_stack)
		service = "streams-dynamodb";
	return mem_format("%s%s.%s.%s", service, fips, q->region, suffix);
}

/* A bucket may stand in the host's name if that makes one label of it: a certificate for
 * *.s3.. covers no more, and upper case would be lost. */
static bool fits_host(const char *bucket)
{
	size_t n = strlen(bucket);

	for (const char *p = bucket; *p; p++) {
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '-')
			return false;
	}
	return n >= 3 && n <= 63 && bucket[0] != '-' && bucket[n - 1] != '-';
}

static bool is_virtual(const struct endpoint_question *q, const char *bucket)
{
	if (q->s3_style && strcmp(q->s3_style, "path") == 0)
		return false;
	if (q->override && !(q->s3_style && strcmp(q->s3_style, "virtual") == 0))
		return false;
	return fits_host(bucket);
}

static void place_bucket(const struct endpoint_question *q, struct endpoint *e)
{
	size_t n = strcspn(e->path + 1, "/");
	char *key, *host;

	e->bucket = mem_slice(e->path + 1, n);
	if (!*e->bucket || !is_virtual(q, e->bucket))
		return;
	key = mem_text(e->path[1 + n] ? e->path + 1 + n : "/");
	host = mem_format("%s.%s", e->bucket, e->host);
	free(e->path);
	free(e->host);
	e->path = key;
	e->host = host;
}

/* Splits "scheme://host[:port][/prefix]"; the host's port is left out where it is the
 * scheme's own, as curl does in the Host header. */
static bool use_override(const struct endpoint_question *q, struct endpoint *e, const char **scheme,
			 char **prefix, struct err *err)
{
	const char *url = q->override, *host = NULL, *port = ":443";
	size_t n, cut;

	if (strncasecmp(url, "https://", 8) == 0) {
		*scheme = "https";
		host = url + 8;
	} else if (strncasecmp(url, "http://", 7) == 0) {
		*scheme = "http";
		host = url + 7;
		port = ":80";
	}
	n = host ? strcspn(host, "/?#") : 0;
	if (n == 0 || strpbrk(host, "?#@ ")) {
		err_set(err,
			"the endpoint configured for %s is not an address like "
			"https://host:port",
			q->service);
		return false;
	}
	e->is_custom = true;
	*prefix = mem_text(host + n);
	e->host = mem_slice(host, n);
	for (char *p = e->host; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	cut = strlen(port);
	if (n > cut && strcmp(e->host + n - cut, port) == 0)
		e->host[n - cut] = '\0';
	return true;
}

static bool use_own(const struct endpoint_question *q, struct endpoint *e, const char *region,
		    struct err *err)
{
	const struct partition *p = partition_of(region);

	if (q->fips && strcmp(q->service, "s3") == 0 && strcmp(p->prefix, "cn-") == 0) {
		err_set(err, "S3 has no FIPS endpoint in %s: unset AWS_USE_FIPS_ENDPOINT", region);
		return false;
	}
	e->host = own_host(q, p);
	return true;
}

static bool has_no_regions(const char *service)
{
	return strcmp(service, "cloudfront") == 0;
}

/* The region of the scope; the one asked for also chooses the partition. */
static const char *scope_region(const struct endpoint_question *q)
{
	const char *region = q->region ? q->region : "";

	return has_no_regions(q->service) ? partition_of(region)->global_region : region;
}

static char *join(const char *prefix, const char *path)
{
	size_t n = strlen(prefix);

	while (n > 0 && prefix[n - 1] == '/')
		n--;
	return mem_format("%.*s%s%s", (int)n, prefix, *path == '/' ? "" : "/", path);
}

bool endpoint_find(const struct endpoint_question *q, struct endpoint *e, struct err *err)
{
	const char *region = scope_region(q), *scheme = "https";
	char *prefix = NULL, *path;
	bool ok;

	*e = (struct endpoint){0};
	if (!*region)
		err_set(err, "no region: set AWS_REGION, or name one in the configuration");
	else if (!is_label(region))
		err_set(err, "'%s' is not a region of AWS", region);
	if (!is_label(region))
		return false;
	ok = q->override ? use_override(q, e, &scheme, &prefix, err) : use_own(q, e, region, err);
	if (!ok)
		return false;
	e->path = join("", q->path);
	e->region = mem_text(region);
	e->service =
		mem_text(strcmp(q->service, "streams.dynamodb") == 0 ? "dynamodb" : q->service);
	if (strcmp(q->service, "s3") == 0)
		place_bucket(q, e);
	path = join(prefix ? prefix : "", e->path);
	free(e->path);
	e->path = path;
	e->base = mem_format("%s://%s", scheme, e->host);
	free(prefix);
	return true;
}

void endpoint_free(struct endpoint *e)
{
	free(e->base);
	free(e->host);
	free(e->path);
	free(e->service);
	free(e->region);
	free(e->bucket);
	*e = (struct endpoint){0};
}
