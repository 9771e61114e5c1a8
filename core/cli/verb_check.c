#include "cli/cost.h"
#include "cli/resolve.h"
#include "cli/verbs.h"
#include "plugin/check.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void say_good(const struct config *c)
{
	printf("%zu section%s, %zu rule%s, %zu input%s, %zu test%s: ok\n", c->ninstances,
	       c->ninstances == 1 ? "" : "s", c->nrules, c->nrules == 1 ? "" : "s", c->ninputs,
	       c->ninputs == 1 ? "" : "s", c->ntests, c->ntests == 1 ? "" : "s");
}

static void print_json(const struct report *r)
{
	for (size_t n = 0; n < r->n; n++) {
		const struct remark *m = &r->remarks[n];
		struct buf line = {0};

		buf_text_add(&line, "{\"file\":");
		buf_json_string(&line, m->at.file ? m->at.file : "",
				m->at.file ? strlen(m->at.file) : 0);
		buf_printf(&line,
			   ",\"line\":%u,\"column\":%u,\"level\":\"%s\",\"message\":", m->at.line,
			   m->at.column, m->warning ? "warning" : "error");
		buf_json_string(&line, m->text, strlen(m->text));
		buf_text_add(&line, "}\n");
		log_mask(&line);
		fputs(buf_text(&line), stdout);
		buf_free(&line);
	}
}

int verb_check(const struct options *o)
{
	struct report report = {0};
	struct config *c = config_load(o->paths, o->npaths, &report);
	struct loader *loader = loader_new(options_plugins(c));
	struct buf text = {0};
	bool good;

	check_config(c, loader, &report);
	good = report.errors == 0;
	if (good && o->resolve)
		good = resolve_secrets(c, loader, &report);
	report_print(&report, &text);
	if (o->json)
		print_json(&report);
	else
		fputs(buf_text(&text), stderr);
	if (good && o->cost)
		good = cost_print(c, o->json);
	else if (good && !o->json && !o->quiet)
		say_good(c);
	buf_free(&text);
	report_free(&report);
	loader_free(loader);
	config_free(c);
	return good ? EX_OK : EX_CONFIG;
}
