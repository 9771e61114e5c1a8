#include "cli/libraries.h"
#include "cli/verbs.h"
#include "config/report.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct {
	const char *name;
	int (*run)(const struct options *o);
	const char *usage, *help;
} verbs[] = {
	{"run", verb_run, "", "check the configuration and run"},
	{"check", verb_check, "[--resolve] [--cost]",
	 "report all mistakes of the configuration; --cost: and what each rule costs"},
	{"explain", verb_explain,
	 "[--rule NAME] [--type T --instance I ..] EVENT.json|- | [--rule NAME] [--then] NUMBER",
	 "what each condition of each rule met, and what would be delivered; --then: as it was "
	 "decided then"},
	{"types", verb_types, "[--schema] [TYPE..]", "the types of events there may be"},
	{"match", verb_match, "[--where] [--count] [--time] PATTERNS EVENTS",
	 "which patterns, one a line, match which events, one a line; - is standard input; "
	 "--where: "
	 "expressions instead of patterns"},
	{"init", verb_init, "--from-eventbridge RULE.json",
	 "print a rule of EventBridge as a [rule] section; - is standard input"},
	{"test", verb_test, "[NAME..]", "run the [test NAME] sections of the configuration"},
	{"send", verb_send, "[--type T --subject S --id ID --source S] FILE|-",
	 "accept one event: a CloudEvents object, or the payload of one"},
	{"status", verb_status, "[--acknowledge]",
	 "how the daemon, its sources and its targets are; --acknowledge: the damage it tells of "
	 "is "
	 "known"},
	{"events", verb_events,
	 "list [--unrouted --refused --type T --instance I --limit N] | show N.. | save N.. [-o "
	 "DIR]",
	 "history, one event's timeline, and fixtures from it"},
	{"replay", verb_replay,
	 "--since 24h|TIME|NUMBER [--until ..] --against FILE|DIR [--verdicts] | --to TARGET "
	 "[--rule R] [--dry-run]",
	 "what another configuration would change of history; or deliver it again"},
	{"dlq", verb_dlq,
	 "list | show ID.. | retry [--force] ID..|--target T|--all | drop [--why W] ..",
	 "dead letters"},
	{"plugins", verb_plugins, "list | describe NAME..", "what can be configured"},
};

#define NVERBS (sizeof verbs / sizeof *verbs)

static int usage(FILE *to)
{
	fputs("usage: pointsman VERB [-c FILE|DIR].. [--json] [-v|-q] [--log-format text|json] "
	      "..\n\n",
	      to);
	for (size_t n = 0; n < NVERBS; n++)
		fprintf(to, "  %-8s %s%s%s\n", verbs[n].name, verbs[n].usage,
			*verbs[n].usage ? "\n           " : "", verbs[n].help);
	fputs("  version  which one this is\n\nexit status: 0, 1 a test or check of yours failed, "
	      "64 usage, 65 bad input, 66 no such "
	      "file, "
	      "69 unavailable, 70 internal, 71 refused by the system, 73 74 files, 75 try again, "
	      "78 configuration\n",
	      to);
	return to == stdout ? EX_OK : EX_USAGE;
}

static int unknown(const char *word)
{
	const char *names[NVERBS], *near;

	for (size_t n = 0; n < NVERBS; n++)
		names[n] = verbs[n].name;
	near = report_nearest(word, names, NVERBS);
	fprintf(stderr, "pointsman: no verb `%s`%s%s%s; `pointsman --help` lists them\n", word,
		near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
	return EX_USAGE;
}

static int run(int (*verb)(const struct options *o), int argc, char **argv)
{
	struct options options;
	int status = EX_USAGE;

	if (options_parse(argc, argv, &options))
		status = options.help ? usage(stdout) : verb(&options);
	options_free(&options);
	return status;
}

static bool is(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
	libraries_share_memory();
	if (argc < 2)
		return usage(stderr);
	if (is(argv[1], "--help", "-h") || is(argv[1], "help", "help"))
		return usage(stdout);
	if (is(argv[1], "version", "--version") || is(argv[1], "-V", "-V")) {
		puts("pointsman " POINTSMAN_VERSION);
		return EX_OK;
	}
	for (size_t n = 0; n < NVERBS; n++) {
		if (strcmp(argv[1], verbs[n].name) == 0)
			return run(verbs[n].run, argc - 1, argv + 1);
	}
	return unknown(argv[1]);
}
