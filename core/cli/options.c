#include "cli/options.h"

#include "base/mem.h"
#include "base/units.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum long_only {
	OPT_LOG_FORMAT = 256,
	OPT_WHERE,
	OPT_COUNT,
	OPT_TIME,
	OPT_RESOLVE,
	OPT_COST,
	OPT_ACKNOWLEDGE,
	OPT_UNROUTED,
	OPT_REFUSED,
	OPT_FORCE,
	OPT_ALL,
	OPT_TYPE,
	OPT_SOURCE,
	OPT_SUBJECT,
	OPT_ID,
	OPT_INSTANCE,
	OPT_TARGET,
	OPT_WHY,
	OPT_LIMIT,
	OPT_RULE,
	OPT_THEN,
	OPT_SCHEMA,
	OPT_FROM_EVENTBRIDGE,
	OPT_SINCE,
	OPT_UNTIL,
	OPT_AGAINST,
	OPT_TO,
	OPT_VERDICTS,
	OPT_DRY_RUN,
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{"verbose", no_argument, NULL, 'v'},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{"log-format", required_argument, NULL, OPT_LOG_FORMAT},
	{"where", no_argument, NULL, OPT_WHERE},
	{"count", no_argument, NULL, OPT_COUNT},
	{"time", no_argument, NULL, OPT_TIME},
	{"resolve", no_argument, NULL, OPT_RESOLVE},
	{"cost", no_argument, NULL, OPT_COST},
	{"acknowledge", no_argument, NULL, OPT_ACKNOWLEDGE},
	{"unrouted", no_argument, NULL, OPT_UNROUTED},
	{"refused", no_argument, NULL, OPT_REFUSED},
	{"force", no_argument, NULL, OPT_FORCE},
	{"all", no_argument, NULL, OPT_ALL},
	{"type", required_argument, NULL, OPT_TYPE},
	{"source", required_argument, NULL, OPT_SOURCE},
	{"subject", required_argument, NULL, OPT_SUBJECT},
	{"id", required_argument, NULL, OPT_ID},
	{"instance", required_argument, NULL, OPT_INSTANCE},
	{"target", required_argument, NULL, OPT_TARGET},
	{"why", required_argument, NULL, OPT_WHY},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"rule", required_argument, NULL, OPT_RULE},
	{"then", no_argument, NULL, OPT_THEN},
	{"schema", no_argument, NULL, OPT_SCHEMA},
	{"from-eventbridge", required_argument, NULL, OPT_FROM_EVENTBRIDGE},
	{"output", required_argument, NULL, 'o'},
	{"since", required_argument, NULL, OPT_SINCE},
	{"until", required_argument, NULL, OPT_UNTIL},
	{"against", required_argument, NULL, OPT_AGAINST},
	{"to", required_argument, NULL, OPT_TO},
	{"verdicts", no_argument, NULL, OPT_VERDICTS},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{0},
};

static bool log_format(const char *word, struct options *o)
{
	o->log_json = strcmp(word, "json") == 0;
	if (o->log_json || strcmp(word, "text") == 0)
		return true;
	fprintf(stderr, "pointsman: --log-format is text or json, not %s\n", word);
	return false;
}

static bool limit(const char *word, struct options *o)
{
	int64_t n;

	if (units_integer(word, &n) && n >= 1 && n <= 1000000) {
		o->limit = (long)n;
		return true;
	}
	fprintf(stderr, "pointsman: --limit is a number from 1 to 1000000, not %s\n", word);
	return false;
}

static bool take(int option, struct options *o)
{
	switch (option) {
	case 'c': o->paths[o->npaths++] = optarg; return true;
	case 'j': o->json = true; return true;
	case 'v': o->verbose = true; return true;
	case 'q': o->quiet = true; return true;
	case 'h': o->help = true; return true;
	case OPT_LOG_FORMAT: return log_format(optarg, o);
	case OPT_WHERE: o->where = true; return true;
	case OPT_COUNT: o->count = true; return true;
	case OPT_TIME: o->time = true; return true;
	case OPT_RESOLVE: o->resolve = true; return true;
	case OPT_COST: o->cost = true; return true;
	case OPT_ACKNOWLEDGE: o->acknowledge = true; return true;
	case OPT_UNROUTED: o->unrouted = true; return true;
	case OPT_REFUSED: o->refused = true; return true;
	case OPT_FORCE: o->force = true; return true;
	case OPT_ALL: o->all = true; return true;
	case OPT_TYPE: o->type = optarg; return true;
	case OPT_SOURCE: o->source = optarg; return true;
	case OPT_SUBJECT: o->subject = optarg; return true;
	case OPT_ID: o->id = optarg; return true;
	case OPT_INSTANCE: o->instance = optarg; return true;
	case OPT_TARGET: o->target = optarg; return true;
	case OPT_WHY: o->why = optarg; return true;
	case OPT_LIMIT: return limit(optarg, o);
	case OPT_RULE: o->rule = optarg; return true;
	case OPT_THEN: o->then = true; return true;
	case OPT_SCHEMA: o->schema = true; return true;
	case OPT_FROM_EVENTBRIDGE: o->from_eventbridge = optarg; return true;
	case 'o': o->output = optarg; return true;
	case OPT_SINCE: o->since = optarg; return true;
	case OPT_UNTIL: o->until = optarg; return true;
	case OPT_AGAINST: o->against = optarg; return true;
	case OPT_TO: o->to = optarg; return true;
	case OPT_VERDICTS: o->verdicts = true; return true;
	case OPT_DRY_RUN: o->dry_run = true; return true;
	default: return false; /* getopt has said it */
	}
}

bool options_parse(int argc, char **argv, struct options *o)
{
	int option;

	*o = (struct options){0};
	o->paths = mem_zero(((size_t)argc + 1) * sizeof *o->paths);
	o->words = mem_zero(((size_t)argc + 1) * sizeof *o->words);
	while ((option = getopt_long(argc, argv, "c:o:jvqh", long_options, NULL)) != -1) {
		if (!take(option, o))
			return false;
	}
	while (optind < argc)
		o->words[o->nwords++] = argv[optind++];
	log_setup(o->verbose ? LOG_DEBUG : o->quiet ? LOG_WARN : LOG_INFO, o->log_json);
	return true;
}

void options_free(struct options *o)
{
	free(o->paths);
	free(o->words);
}

struct config *options_config(const struct options *o, bool strict)
{
	struct report report = {0};
	struct config *c = config_load(o->paths, o->npaths, &report);
	struct buf text = {0};

	if (strict && report.errors) {
		report_print(&report, &text);
		fputs(buf_text(&text), stderr);
		config_free(c);
		c = NULL;
	}
	buf_free(&text);
	report_free(&report);
	return c;
}

const char *const *options_plugins(const struct config *c)
{
	static const char *const installed[] = {POINTSMAN_PLUGINDIR, NULL};

	return c && c->plugins && c->plugins[0] ? (const char *const *)c->plugins : installed;
}
