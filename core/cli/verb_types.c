/* types: what `on` may name, and what paths below `data` then may. */
#include "cli/types.h"

#include "base/mem.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "plugin/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void print_type(const struct emitted *e)
{
	const struct pm_type *t = e->type;

	printf("%-30s ", t->name);
	for (size_t i = 0; i < e->n; i++)
		printf("%s%s", i ? ", " : "from ", e->sections[i]);
	if (!e->plugin)
		fputs("from the router", stdout);
	else if (!e->n)
		printf("by plugin %s", e->plugin);
	printf("\n    %s\n    subject: %s\n    data: %s\n", t->help ? t->help : "",
	       t->subject ? t->subject : "none", t->fields ? t->fields : "nothing");
}

static void say(const struct options *o, const struct emitted *e)
{
	json_t *line;

	if (!o->json && !o->schema) {
		print_type(e);
		return;
	}
	line = o->schema ? types_schema(e) : types_json(e);
	print_json(line);
	json_decref(line);
}

static int unknown(const struct types *t, const char *word)
{
	const char **names = mem_zero((t->n + 1) * sizeof *names);
	const char *near;

	for (size_t i = 0; i < t->n; i++)
		names[i] = t->list[i].type->name;
	near = report_nearest(word, names, t->n);
	fprintf(stderr, "pointsman: nobody here emits `%s`%s%s%s; `pointsman types` lists all\n",
		word, near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
	free(names);
	return EX_USAGE;
}

static int say_fitting(const struct options *o, const struct types *t, const char *word)
{
	bool any = false;

	for (size_t i = 0; i < t->n; i++) {
		if (!row_fits(word, t->list[i].type->name))
			continue;
		say(o, &t->list[i]);
		any = true;
	}
	return any ? EX_OK : unknown(t, word);
}

int verb_types(const struct options *o)
{
	struct config *c = options_config(o, false);
	struct loader *loader = loader_new(options_plugins(c));
	struct types types;
	int status = types_gather(c, loader, &types) ? EX_OK : EX_UNAVAILABLE;

	for (size_t i = 0; !o->nwords && i < types.n; i++)
		say(o, &types.list[i]);
	for (size_t i = 0; i < o->nwords; i++) {
		int one = say_fitting(o, &types, o->words[i]);

		status = one == EX_OK ? status : one;
	}
	types_clear(&types);
	loader_free(loader);
	config_free(c);
	return status;
}
