#include "base/mem.h"
#include "plugin/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

static const char *samples; /* the directory the plugins were built in */

/* What most cases begin with: lines 1 to 9. */
#define PARTS                                                                                      \
	"[source src]\nplugin = source\n[action act]\nplugin = action\n"                           \
	"[sink out]\nplugin = sink\n[rule keep]\nfrom = src\ndo = act, out\n"

static void check_into(const char *text, struct buf *printed)
{
	const char *directories[] = {samples, NULL};
	struct loader *loader = loader_new(directories);
	struct report report = {0};
	struct config *c = config_load_text("f.ini", text, &report);
	struct buf raw = {0};
	const char *rest, *hit;

	check_config(c, loader, &report);
	report_print(&report, &raw);
	for (rest = buf_text(&raw); (hit = strstr(rest, samples)); rest = hit + strlen(samples)) {
		buf_add(printed, rest, (size_t)(hit - rest));
		buf_text_add(printed, "SAMPLES");
	}
	buf_text_add(printed, rest);
	buf_free(&raw);
	report_free(&report);
	config_free(c);
	loader_free(loader);
}

static void says(const char *text, const char *expected)
{
	struct buf printed = {0};

	check_into(text, &printed);
	assert_string_equal(buf_text(&printed), expected);
	buf_free(&printed);
}

/* Said of `text` behind PARTS, with the line counted from there. */
static void also_says(const char *text, const char *expected)
{
	char *all = mem_format("%s%s", PARTS, text);

	says(all, expected);
	free(all);
}

static void a_good_configuration_has_no_remark(void **state)
{
	(void)state;
	says("[secrets vault]\nplugin = secrets\n"
	     "[source src]\nplugin = source\ntable = t\n"
	     "[input a]\non = item.*\nwhere = data.new.k == 1\n"
	     "[input b]\non = repo.push\nfrom = src\nwhere = data.ref == \"x\"\n"
	     "[rule both]\ninputs = a, b\ndo = act\n"
	     "[action act]\nplugin = action\ntext = {{ inputs.a.data.new.v }} {{ "
	     "inputs.b.data.after }}\n"
	     "[rule done]\non = job.done\nfrom = act\ndo = out\n"
	     "[rule failed]\non = job.failed, pointsman.delivery.dead\ndo = broken\n"
	     "[sink out]\nplugin = sink\ntoken = ${vault:x}\n"
	     "text = {{ data.job }} {{ data.seconds | duration }} {{ subject | or(\"-\") }}\n"
	     "[sink broken]\nplugin = sink\ntext = {{ data.job | or(\"?\") }} {{ data.reason }}\n",
	     "");
}

static void files_the_core_opens_at_start_are_there(void **state)
{
	char *text = mem_format("[pointsman]\nlisten = :1\n"
				"certificate = nowhere/c.pem\ncertificate-key = %s\n"
				"ca = nowhere/ca.pem\n" PARTS,
				samples);

	(void)state;
	says(text,
	     "f.ini:3:15: certificate: nowhere/c.pem cannot be read: No such file or directory\n"
	     "f.ini:4:19: certificate-key: SAMPLES cannot be read: it is no file\n"
	     "f.ini:5:6: ca: nowhere/ca.pem cannot be read: No such file or directory\n");
	free(text);
}

static void names_that_do_not_exist_come_with_the_nearest(void **state)
{
	(void)state;
	says("[source src]\nplugin = sorce\n[sink out]\nplugin = sink\n"
	     "[rule r]\nfrom = scr, out\ndo = uot, src\n"
	     "[rule i]\ninputs = repo, reop\ndo = out\n[input repo]\n",
	     "f.ini:2:10: plugin: no sorce.so in SAMPLES (`plugins` of [pointsman]); did you mean "
	     "`source`?\n"
	     "f.ini:6:8: from: no source or action `scr`; did you mean `src`?\n"
	     "f.ini:6:13: from: `out` is a [sink], which emits no events\n"
	     "f.ini:7:6: do: `src` is a [source], which takes no events\n"
	     "f.ini:7:6: do: no action or sink `uot`; did you mean `out`?\n"
	     "f.ini:9:16: inputs: no section [input reop]; did you mean `repo`?\n");
}

static void a_section_of_the_wrong_kind_is_told(void **state)
{
	(void)state;
	says("[sink a]\nplugin = action\n[rule r]\non = pointsman.delivery.dead\ndo = a\n",
	     "f.ini:2:10: plugin action is for [action a], not for [sink a]\n");
}

static void a_plugin_may_refuse_keys_together(void **state)
{
	(void)state;
	says("[source a]\nplugin = source\ntable = t\nstream = s\n"
	     "[source b]\nplugin = source\ntable = x\n"
	     "[source c]\nplugin = source\ntimeout = 5m\n",
	     "f.ini:4:10: stream: not together with `table`\n"
	     "f.ini:5:1: plugin source refuses the keys of [source b] without saying why\n"
	     "f.ini:8:1: warning: a minute is enough\n");
}

static void batch_is_for_plugins_that_take_several(void **state)
{
	(void)state;
	also_says("[sink a]\nplugin = sink\nbatch = 5\n[sink b]\nplugin = sink\nbatch = 1\n"
		  "[rule all]\nfrom = src\ndo = a, b\n",
		  "f.ini:12:9: batch: plugin sink takes one event at a time (it has no "
		  "deliver_many()): remove `batch`\n");
}

static void secrets_sections_must_be_there_and_asked(void **state)
{
	(void)state;
	also_says(
		"[secrets vault]\nplugin = secrets\n[secrets off]\nplugin = secrets\n"
		"enabled = no\n[sink a]\nplugin = sink\ntoken = ${vaullt:x}\n"
		"[sink b]\nplugin = sink\ntoken = ${evn:X}\n"
		"[sink c]\nplugin = sink\ntoken = ${off:x}\n"
		"[rule all]\nfrom = src\ndo = a, b, c\n",
		"f.ini:10:1: warning: no key asks ${vault:..} for a secret\n"
		"f.ini:17:9: token: ${vaullt:..} needs a section [secrets vaullt]; did you mean "
		"`vault`?\n"
		"f.ini:20:9: token: ${evn:..} needs a section [secrets evn]; did you mean `env`?\n"
		"f.ini:23:9: token: ${off:..}: [secrets off] is not enabled, nobody would "
		"answer\n");
}

static void a_rule_nobody_can_trigger_is_an_error(void **state)
{
	(void)state;
	also_says(
		"[rule a]\non = item.chnged, repo.push\ndo = out\n"
		"[rule b]\non = job.done\nfrom = src\ndo = out\n"
		"[rule c]\non = nobody.at.all\ndo = out\n"
		"[rule d]\non = web.anything.goes, web.*, *.push, item.*\ndo = act\n"
		"[rule e]\non = pointsman.deliver.dead\ndo = out\n"
		"[rule f]\non = web\ndo = out\n",
		"f.ini:11:6: on: no source or action here emits `item.chnged`; did you mean "
		"`item.changed`?\n"
		"f.ini:14:6: on: nobody in `from` emits `job.done`\n"
		"f.ini:18:6: on: no source or action here emits `nobody.at.all`\n"
		"f.ini:24:6: on: no source or action here emits `pointsman.deliver.dead`; did you "
		"mean `pointsman.delivery.dead`?\n"
		"f.ini:27:6: on: no source or action here emits `web`\n");
}

static void own_events_must_be_asked_for_by_name(void **state)
{
	(void)state;
	also_says("[rule a]\non = pointsman.*\nfrom = src\ndo = out\n"
		  "[rule b]\non = pointsman.delivery.dead\nfrom = pointsman\ndo = out\n"
		  "[rule c]\nwhere = data.count == 1\nfrom = pointsman\ndo = out\n",
		  "f.ini:11:6: on: nobody in `from` emits `pointsman.*`\n"
		  "f.ini:20:8: rule c: no event can come: nobody who emits one is named\n");
}

static void what_is_sent_by_hand_is_asked_for_by_name_or_alone(void **state)
{
	(void)state;
	says("[sink out]\nplugin = sink\ntext = {{ data.any }}\n[rule all]\non = *\ndo = out\n"
	     "[sink more]\nplugin = sink\n[rule x]\non = x.y\nwhere = data.z == 1\ndo = more\n",
	     "");
	also_says("[rule a]\non = x.y\nfrom = src, send\ndo = out\n"
		  "[rule b]\non = x.y\ndo = act\n",
		  "f.ini:15:6: on: no source or action here emits `x.y`\n");
}

static void a_default_that_always_holds_is_a_warning(void **state)
{
	(void)state;
	says("[source src]\nplugin = source\n[rule a]\non = repo.push\ndo = out\n"
	     "[sink out]\nplugin = sink\ntext = {{ data.nte | or(\"-\") }} {{ data.note }}\n",
	     "f.ini:8:11: warning: text: no event of rule a can have `data.nte`: its default "
	     "always "
	     "holds; did you mean `data.note`?\n");
}

static void a_path_no_event_can_have_is_an_error(void **state)
{
	(void)state;
	also_says("[rule a]\non = repo.push\nwhere = data.ref == \"x\"\n  and data.aftr exists\n"
		  "do = out\n"
		  "[rule b]\non = repo.push\nwhere = data.ref.name == \"x\"\ndo = out\n"
		  "[rule c]\non = item.*\nwhere = data.new.deep.er == 1 or data.oldd.x == 2\n"
		  "do = out\n"
		  "[rule d]\non = web.x\nwhere = data.what.ever == 1\ndo = out\n"
		  "[rule e]\non = repo.push\nchanged = data.new.phase\ndo = out\n"
		  "[rule f]\non = item.added, repo.push\n"
		  "where = data.new.x == 1 and data.ref == \"2\"\ndo = out\n",
		  "f.ini:13:7: where: no event of rule a can have `data.aftr`; did you mean "
		  "`data.after`?\n"
		  "f.ini:17:9: where: no event of rule b can have `data.ref.name`\n"
		  "f.ini:21:34: where: no event of rule c can have `data.oldd.x`; did you mean "
		  "`data.old`?\n"
		  "f.ini:29:11: changed: no event of rule e has both data.new and data.old for "
		  "`data.new.phase`\n"
		  "f.ini:33:9: where: no single event type of rule f has all the fields it asks "
		  "for\n");
}

static void a_name_misspelt_inside_any_is_an_error(void **state)
{
	(void)state;
	also_says("[rule a]\non = job.done\nwhere = any data.sub (x == 1)\ndo = out\n"
		  "[rule b]\non = item.added\nwhere = any data.nwe.list (x.y == 1 and z > 2)\n"
		  "do = out\n"
		  "[rule c]\non = repo.push\nwhere = any data.ref (name == \"x\")\ndo = out\n",
		  "f.ini:12:9: where: no event of rule a can have `data.sub`\n"
		  "f.ini:16:9: where: no event of rule b can have `data.nwe.list`; did you mean "
		  "`data.new`?\n"
		  "f.ini:20:23: where: no event of rule c can have `data.ref.name`\n");
}

static void a_test_against_the_type_of_its_field_is_found(void **state)
{
	(void)state;
	also_says("[rule a]\non = job.done\nwhere = data.seconds == \"5\"\ndo = out\n"
		  "[rule b]\non = job.done\nwhere = data.seconds like \"5*\" or type == 3\n"
		  "do = out\n"
		  "[rule c]\non = job.*\nwhere = data.job in [1, 2] and data.job != 4\n"
		  "do = out\n"
		  "[rule d]\non = job.done\nwhere = data.job == data.seconds\ndo = out\n"
		  "[rule e]\non = item.added\nwhere = data.new == \"x\"\ndo = out\n"
		  "[rule f]\non = job.done\nwhere = not (data.job > 3)\ndo = out\n",
		  "f.ini:12:9: where: `data.seconds == \"5\"` can never be true: `data.seconds` is "
		  "a number\n"
		  "f.ini:16:9: warning: where: `data.seconds like \"5*\"` can never be true: "
		  "`data.seconds` is a number\n"
		  "f.ini:16:35: warning: where: `type == 3` can never be true: `type` is text\n"
		  "f.ini:20:9: where: `data.job in [1, 2]` can never be true: `data.job` is text\n"
		  "f.ini:20:32: warning: where: `data.job != 4` is always true where `data.job` is "
		  "there: it is text\n"
		  "f.ini:24:9: where: `data.job == data.seconds` can never be true: `data.job` is "
		  "text\n"
		  "f.ini:28:9: where: `data.new == \"x\"` can never be true: `data.new` is an "
		  "object\n"
		  "f.ini:32:14: warning: where: `data.job > 3` can never be true: `data.job` is "
		  "text\n");
}

static void a_pattern_against_the_type_of_its_field_is_found_too(void **state)
{
	(void)state;
	also_says(
		"[rule a]\non = job.done\npattern = {\"job\": [\"x\"], \"seconds\": [\"5\"]}\n"
		"pattern-at = data\ndo = out\n",
		"f.ini:12:26: pattern: `\"seconds\": [\"5\"]` can never be true: `data.seconds` is "
		"a number\n");
}

static void what_types_leave_open_is_not_found(void **state)
{
	(void)state;
	also_says("[rule a]\non = item.added\nwhere = data.new.x == 1 and data.new.y == \"1\"\n"
		  "do = out\n"
		  "[rule b]\non = web.x\nwhere = data.x like \"a\" and data.x > 5\ndo = out\n"
		  "[rule c]\non = job.done, job.failed\nwhere = data.job in [1, \"x\", null]\n"
		  "do = out\n"
		  "[rule d]\non = job.done\nwhere = data.job == null and data.seconds > 1 and "
		  "data.seconds <= 2 and data.job in [\"a\", \"b\"] or data.job == \"a\" and "
		  "data.job in [\"a\", \"c\"]\ndo = out\n",
		  "f.ini:24:73: warning: where: `data.job in [\"a\", \"b\"]` can never be true: it "
		  "stands "
		  "with "
		  "`data.job == null`\n");
}

static void tests_that_exclude_each_other_are_found(void **state)
{
	(void)state;
	also_says(
		"[rule a]\non = job.done\nwhere = data.job == \"a\" and data.job == \"b\"\n"
		"do = out\n"
		"[rule b]\non = job.done\nwhere = data.seconds > 5 and (data.job exists and "
		"data.seconds < 3)\ndo = out\n"
		"[rule c]\non = job.done\nwhere = data.seconds > 5 and data.seconds <= 5\n"
		"do = out\n"
		"[rule d]\non = job.done\nwhere = data.seconds in [1, 9] and data.seconds > 1 and "
		"data.seconds < 9\ndo = out\n"
		"[rule e]\non = item.added\nwhere = data.new.x == 1 and data.new.x == 2\n"
		"do = out\n"
		"[rule f]\non = job.done\nwhere = data.seconds >= 5 and data.seconds <= 5 and "
		"data.seconds == 5\ndo = out\n",
		"f.ini:12:29: where: `data.job == \"b\"` can never be true: it stands with "
		"`data.job == \"a\"`\n"
		"f.ini:16:51: where: `data.seconds < 3` can never be true: it stands with "
		"`data.seconds > 5`\n"
		"f.ini:20:30: where: `data.seconds <= 5` can never be true: it stands with "
		"`data.seconds > 5`\n"
		"f.ini:24:57: where: `data.seconds < 9` can never be true: it stands with "
		"`data.seconds in [1, 9]`\n"
		"f.ini:28:29: warning: where: `data.new.x == 2` can never be true: it stands with "
		"`data.new.x == 1`, unless the field is an array\n");
}

static void a_time_that_is_none_is_found(void **state)
{
	(void)state;
	also_says("[rule a]\non = job.done\nwhere = time == \"yesterday\"\ndo = out\n"
		  "[rule b]\non = job.done\nwhere = time > \"yesterday\"\ndo = out\n"
		  "[rule c]\non = job.done\nwhere = time starts \"2026-1\" and time >= "
		  "\"2026-11-24T01:02:03.5Z\"\ndo = out\n",
		  "f.ini:12:9: where: `time == \"yesterday\"` can never be true: a time is like "
		  "2026-11-24T01:02:03Z\n"
		  "f.ini:16:9: warning: where: `time` is compared with what is no beginning of a "
		  "time, like 2026-11-24T01:02:03Z\n");
}

static void a_rule_that_adds_no_delivery_is_a_warning(void **state)
{
	static const char start[] = "[source src]\nplugin = source\n[sink one]\nplugin = sink\n"
				    "[sink two]\nplugin = sink\n";
	static const struct {
		const char *rules, *expected;
	} rows[] = {
		{"[rule a]\non = item.*\ndo = one, two\n"
		 "[rule b]\non = item.added\nwhere = data.new.x == 1\ndo = one then two\n",
		 "f.ini:10:1: warning: rule b: never adds a delivery: rule a (f.ini:7) matches "
		 "whatever it does, and has all its targets\n"},
		{"[rule a]\non = item.added\nwhere = data.new.y == 2 and data.new.x == 1\ndo = "
		 "one\n"
		 "[rule b]\non = item.*\nwhere = data.new.x  ==  1\ndo = one, two\n",
		 "f.ini:7:1: warning: rule a: never adds a delivery: rule b (f.ini:11) matches "
		 "whatever it does, and has all its targets\n"},
		{"[rule a]\non = item.added\nwhere = data.new.x == 1\ndo = one\n"
		 "[rule b]\non = item.added\nwhere = data.new.x == 1\ndo = one\n",
		 "f.ini:11:1: warning: rule b: never adds a delivery: rule a (f.ini:7) matches "
		 "whatever it does, and has all its targets\n"},
		{"[rule a]\non = web.*, item.*\npattern = {\"data\": {\"new\": {\"x\": [1]}}}\n"
		 "from = src\ndo = one\n"
		 "[rule b]\non = item.added\nfrom = src\n"
		 "pattern = {\"subject\": [\"s\"], \"data\": {\"new\": {\"x\": [1]}}}\ndo = one\n",
		 "f.ini:12:1: warning: rule b: never adds a delivery: rule a (f.ini:7) matches "
		 "whatever it does, and has all its targets\n"},
		{"[rule a]\nfrom = src\npattern = {\"data\": {\"new\": {\"x\": [1]}}}\ndo = one\n"
		 "[rule b]\non = item.added\nfrom = src\ndo = one\n",
		 ""},
		{"[rule a]\nfrom = src\ndo = one, two\n"
		 "[rule b]\non = item.*, web.x\nfrom = src\ndo = two\n",
		 "f.ini:10:1: warning: rule b: never adds a delivery: rule a (f.ini:7) matches "
		 "whatever it does, and has all its targets\n"},
		{"[rule a]\non = item.*\nfrom = src\ndo = one\n"
		 "[rule b]\non = item.added\ndo = one\n",
		 ""},
		{"[rule a]\non = item.*\nwhere = data.new.x == 1\ndo = one, two\n"
		 "[rule b]\non = item.added\nwhere = data.new.x == 2\ndo = one\n",
		 ""},
		{"[rule a]\non = item.*\ndo = one, two\ncoalesce = 1m\n"
		 "[rule b]\non = item.added\ndo = one\n",
		 ""},
		{"[rule a]\non = item.*\ndo = one, two\nenabled = no\n"
		 "[rule b]\non = item.added\ndo = one\n",
		 ""},
		{"[rule a]\non = item.added\ndo = one\noverlap = queue\n"
		 "[rule b]\non = item.*\ndo = one, two\n",
		 ""},
		{"[rule a]\non = *.added\nchanged = data.new.x\ndo = one, two\n"
		 "[rule b]\non = item.*\ndo = one\n",
		 ""},
		{"[rule a]\non = *\nwhere = not (data.new.x == 1)\ndo = one, two\n"
		 "[rule b]\non = item.added\nwhere = data.new.x == 1\ndo = one\n",
		 ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *text = mem_format("%s%s[rule end]\non = repo.push\ndo = one, two\n", start,
					rows[i].rules);

		says(text, rows[i].expected);
		free(text);
	}
}

static void an_else_that_is_never_asked_is_a_warning(void **state)
{
	(void)state;
	also_says("[rule a]\non = item.*\nwhere = data.new.x == 1\ndo = act\ncoalesce = 1m\n"
		  "[rule b]\non = item.added\nwhere = data.new.x == 1\nelse = yes\ndo = out\n"
		  "[rule c]\non = item.added\nwhere = data.new.x == 2\nelse = yes\ndo = out\n",
		  "f.ini:15:1: warning: rule b: is never asked: rule a (f.ini:10) matches whatever "
		  "it could, and `else` waits for what no other rule matches\n");
}

static void the_fields_of_a_pattern_are_looked_for_too(void **state)
{
	(void)state;
	also_says(
		"[rule a]\non = repo.push\npattern = {\"data\": {\"ref\": [\"x\"],\n"
		"  \"aftr\": [{\"prefix\": \"y\"}]}}\ndo = out\n"
		"[rule b]\non = repo.push\npattern = {\"ref\": [\"x\"], \"detail\": [1]}\n"
		"pattern-at = data\ndo = out\n"
		"[rule c]\non = item.added, repo.push\n"
		"pattern = {\"new\": {\"x\": [1]}, \"ref\": [\"2\"]}\npattern-at = data\ndo = out\n"
		"[rule d]\non = repo.push\npattern = {\"detail\":\n  {\"a\": [1]}}\ndo = out\n"
		"[rule e]\non = repo.push\npattern = {\"type\": [\"x ;y\"]}\ndo = out\n",
		"f.ini:13:3: pattern: no event of rule a can have `data.aftr`; did you mean "
		"`data.after`?\n"
		"f.ini:17:26: pattern: no event of rule b can have `data.detail`\n"
		"f.ini:22:11: pattern: no single event type of rule c has all the fields it asks "
		"for\n"
		"f.ini:27:12: pattern: \"detail\" is a field of EventBridge's envelope, and a "
		"pattern looks at type, source, subject, time, id and data; if your events carry "
		"that envelope in their data, write pattern-at = data\n"
		"f.ini:32:23: pattern: no JSON: the text ends inside a string (` ;` starts a "
		"comment; a semicolon is `\\;`)\n");
}

static void an_expression_that_does_not_parse_has_an_exact_place(void **state)
{
	struct buf printed = {0};

	(void)state;
	check_into(PARTS "[rule a]\nfrom = src\nwhere = data.x == 1\n    and data.y = 2\ndo = out\n"
			 "[rule b]\nfrom = src\nwhere = data.x == \"a ;b\"\ndo = out\n",
		   &printed);
	assert_non_null(strstr(buf_text(&printed), "f.ini:13:16: where: "));
	assert_non_null(strstr(buf_text(&printed), "f.ini:17:"));
	assert_non_null(
		strstr(buf_text(&printed), "(` ;` starts a comment; a semicolon is `\\;`)"));
	buf_free(&printed);
}

static void a_template_with_a_path_no_event_has_is_an_error(void **state)
{
	(void)state;
	says("[source src]\nplugin = source\n"
	     "[rule a]\non = repo.push\ndo = one, two\n"
	     "[rule b]\non = item.added\ndo = two\n"
	     "[sink one]\nplugin = sink\ntext = {{ data.ref }} {{ data.aftr }} {{ inputs.x.type "
	     "}}\n"
	     "json = {\"a\":\n  \"{{ data.reff }}\"}\n"
	     "[sink two]\nplugin = sink\ntext = {{ data.ref }} {{ data.new.x | or(\"-\") }}\n",
	     "f.ini:11:26: text: no event of rule a can have `data.aftr`; did you mean "
	     "`data.after`?\n"
	     "f.ini:11:42: text: no event of rule a can have `inputs.x.type`; the rule has no "
	     "`inputs`\n"
	     "f.ini:13:7: json: no event of rule a can have `data.reff`; did you mean `data.ref`?\n"
	     "f.ini:16:11: warning: text: the events of rule b have no `data.ref`: their "
	     "deliveries "
	     "would be dead letters; give a default: {{ data.ref | or(\"..\") }}\n");
}

static void where_narrows_what_a_template_may_see(void **state)
{
	(void)state;
	says("[source src]\nplugin = source\n"
	     "[rule a]\non = item.*\nwhere = data.new.x == 1\ndo = one\n"
	     "[rule b]\non = item.*\nwhere = not (data.new.x == 1)\ndo = two\n"
	     "[rule c]\non = item.*\nchanged = data.new.x\ndo = three\n"
	     "[sink one]\nplugin = sink\ntext = {{ data.new.a }}\n"
	     "[sink two]\nplugin = sink\ntext = {{ data.new.a }}\n"
	     "[sink three]\nplugin = sink\ntext = {{ data.new.a }}\n",
	     "f.ini:20:11: warning: text: some events of rule b have no `data.new.a`: their "
	     "deliveries would be dead letters; give a default: {{ data.new.a | or(\"..\") }}\n");
}

static void inputs_and_windows_are_seen_by_their_rules_only(void **state)
{
	(void)state;
	says("[source src]\nplugin = source\n[input repo]\non = repo.push\n"
	     "[rule i]\ninputs = repo\ndo = one\n"
	     "[rule w]\non = repo.push\ncoalesce = 1m\ndo = two\n"
	     "[sink one]\nplugin = sink\n"
	     "text = {{ inputs.repo.data.after }} {{ inputs.reppo.type }} {{ inputs.repo.data.x }} "
	     "{{ data.ref }} {{ delivery.key }} {{ delivery.kay }}\n"
	     "[sink two]\nplugin = sink\n"
	     "text = {{ window.count }} {{ window.events.0.data.x }} {{ window.n }} {{ event }}\n",
	     "f.ini:14:40: text: no event of rule i can have `inputs.reppo.type`; did you mean "
	     "`repo`?\n"
	     "f.ini:14:64: text: no event of rule i can have `inputs.repo.data.x`\n"
	     "f.ini:14:123: text: no event of rule i can have `delivery.kay`\n"
	     "f.ini:17:59: text: no event of rule w can have `window.n`\n");
}

static void a_default_template_is_checked_at_its_section(void **state)
{
	(void)state;
	also_says("[sink n]\nplugin = needy\n"
		  "[rule a]\non = item.changed\ndo = n\n",
		  "f.ini:10:1: the default of `summary`: no event of rule a can have "
		  "`data.summary`\n");
}

static void what_a_target_needs_must_be_there(void **state)
{
	(void)state;
	also_says("[sink n]\nplugin = needy\nsummary = x\n"
		  "[rule a]\non = item.changed\ndo = n\n"
		  "[rule b]\non = item.removed\ndo = out then n\n",
		  "f.ini:18:6: do: `n` needs data.new, which no event of rule b has\n");
}

static void order_by_a_path_no_event_has_is_an_error(void **state)
{
	(void)state;
	also_says("[sink a]\nplugin = sink\norder-by = data.nwe.k\n"
		  "[sink b]\nplugin = sink\norder-by = group\n"
		  "[rule a]\non = item.added\ndo = a, b\n",
		  "f.ini:12:12: order-by: no event of rule a can have `data.nwe.k`; did you mean "
		  "`data.new`?\n"
		  "f.ini:15:12: warning: order-by: no rule that delivers to b has `group-by`\n");
}

static void group_by_needs_a_path_and_something_to_keep_apart(void **state)
{
	struct buf printed = {0};

	(void)state;
	also_says(
		"[rule a]\non = repo.push\ngroup-by = data.ref\ndo = out\n"
		"[rule b]\non = repo.push\ngroup-by = data.rf | lower\ncoalesce = 1m\ndo = out\n"
		"[rule c]\non = repo.push\ngroup-by = type | lower | upper\noverlap = queue\n"
		"do = act\n[rule d]\non = repo.push\ngroup-by = data.ref\ncount = 2 in 1m\n"
		"do = out\n",
		"f.ini:12:12: group-by: there is nothing to keep apart: it is for `inputs`, "
		"`coalesce`, `count`, `overlap`, and targets with `order-by = group` or a rate per "
		"group\n"
		"f.ini:16:12: group-by: no event of rule b can have `data.rf`\n");
	check_into(PARTS "[rule c]\non = repo.push\ngroup-by = data.ref | lwer\ncount = 2 in 1m\n"
			 "do = out\n",
		   &printed);
	assert_ptr_equal(strstr(buf_text(&printed), "f.ini:12:23: group-by: "), buf_text(&printed));
	buf_free(&printed);
}

static void rules_that_feed_each_other_are_found(void **state)
{
	(void)state;
	says("[action a]\nplugin = action\n[action b]\nplugin = action\n"
	     "[rule one]\non = job.done\nfrom = b\ndo = a\n"
	     "[rule two]\non = job.*\nfrom = a\ndo = b\n",
	     "f.ini:5:1: rules feed each other for ever: one -> a emits job.done -> two -> b emits "
	     "job.done -> one; give one of them a `where` or a `from` that leaves this out\n");
	says("[action a]\nplugin = action\n[rule self]\non = job.failed\nwhere = data.reason == "
	     "\"x\"\ndo = a\n",
	     "f.ini:3:1: warning: rules feed each other unless a condition stops them: self -> a "
	     "emits job.failed -> self\n");
	says("[source src]\nplugin = source\n[action a]\nplugin = action\n[sink s]\nplugin = sink\n"
	     "[input i]\non = job.done\n[input j]\non = repo.push\n"
	     "[rule r]\ninputs = i, j\ndo = s then a\n",
	     "f.ini:11:1: rules feed each other for ever: r -> a emits job.done -> r; give one of "
	     "them a `where` or a `from` that leaves this out\n");
	says("[source src]\nplugin = source\n[action a]\nplugin = action\n[action b]\n"
	     "plugin = action\nenabled = no\n[rule r]\non = job.done\nfrom = b\ndo = a\n",
	     "f.ini:8:1: warning: rule r: waits for `b`, which is not enabled\n");
}

static void what_nobody_uses_is_a_warning(void **state)
{
	(void)state;
	also_says("[sink idle]\nplugin = sink\n[input lonely]\nfrom = src\n",
		  "f.ini:10:1: warning: no rule delivers to sink idle\n"
		  "f.ini:12:1: warning: no rule waits for input `lonely`\n");
}

static void disabled_sections_are_told_where_they_matter(void **state)
{
	(void)state;
	says("[source src]\nplugin = source\nenabled = no\n[sink out]\nplugin = sink\n"
	     "enabled = no\n[rule r]\non = repo.push\ndo = out\n",
	     "f.ini:7:1: warning: rule r: waits for `src`, which is not enabled\n"
	     "f.ini:9:6: warning: do: `out` is not enabled: nothing is delivered to it\n");
}

static void a_plugin_that_cannot_be_loaded_hides_no_other_mistake(void **state)
{
	(void)state;
	says("[source src]\nplugin = missing\n[sink out]\nplugin = sink\ntxt = x\n"
	     "[rule r]\non = any.thing\nwhere = data.x.y == 1\ndo = out\n",
	     "f.ini:2:10: plugin: no missing.so in SAMPLES (`plugins` of [pointsman])\n"
	     "f.ini:5:1: unknown key `txt` of plugin sink; did you mean `text`?\n");
}

static void an_old_name_may_not_still_be_there(void **state)
{
	(void)state;
	also_says("[sink new]\nplugin = sink\nwas = out\n[rule n]\nwas = keep\nfrom = src\n"
		  "do = new\n",
		  "f.ini:10:1: was: there is still a section named `out`\n"
		  "f.ini:13:1: was: there is still a rule named `keep`\n");
}

/* The name of a new file; the caller unlinks and frees. */
static char *file_with(const char *text)
{
	char *path = mem_format("/tmp/pointsman-events-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void tests_expect_rules_and_targets_that_exist(void **state)
{
	char *file = file_with("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\","
			       "\"type\":\"a.b\",\"instance\":\"src\"}");
	char *tests = mem_format("[test a]\ngiven = %s\nexpect = keep -> out x2, keep -> act\n"
				 "[test b]\ngiven = %s\nexpect = none\n"
				 "[test c]\ngiven = %s\nexpect = kep -> out\n"
				 "[test d]\ngiven = %s\nexpect = keep -> src\n"
				 "[test e]\ngiven = %s\nexpect = keep -> out\nanswer = oot: down\n",
				 file, file, file, file, file);

	(void)state;
	also_says(tests, "f.ini:18:10: expect: no rule `kep`; did you mean `keep`?\n"
			 "f.ini:21:10: expect: rule keep does not deliver to `src`\n"
			 "f.ini:25:10: answer: no action or sink `oot`; did you mean `out`?\n");
	unlink(file);
	free(tests);
	free(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_configuration_has_no_remark),
		cmocka_unit_test(files_the_core_opens_at_start_are_there),
		cmocka_unit_test(names_that_do_not_exist_come_with_the_nearest),
		cmocka_unit_test(a_section_of_the_wrong_kind_is_told),
		cmocka_unit_test(a_plugin_may_refuse_keys_together),
		cmocka_unit_test(batch_is_for_plugins_that_take_several),
		cmocka_unit_test(secrets_sections_must_be_there_and_asked),
		cmocka_unit_test(a_rule_nobody_can_trigger_is_an_error),
		cmocka_unit_test(own_events_must_be_asked_for_by_name),
		cmocka_unit_test(what_is_sent_by_hand_is_asked_for_by_name_or_alone),
		cmocka_unit_test(a_default_that_always_holds_is_a_warning),
		cmocka_unit_test(a_path_no_event_can_have_is_an_error),
		cmocka_unit_test(a_name_misspelt_inside_any_is_an_error),
		cmocka_unit_test(a_test_against_the_type_of_its_field_is_found),
		cmocka_unit_test(a_pattern_against_the_type_of_its_field_is_found_too),
		cmocka_unit_test(what_types_leave_open_is_not_found),
		cmocka_unit_test(tests_that_exclude_each_other_are_found),
		cmocka_unit_test(a_time_that_is_none_is_found),
		cmocka_unit_test(a_rule_that_adds_no_delivery_is_a_warning),
		cmocka_unit_test(an_else_that_is_never_asked_is_a_warning),
		cmocka_unit_test(the_fields_of_a_pattern_are_looked_for_too),
		cmocka_unit_test(an_expression_that_does_not_parse_has_an_exact_place),
		cmocka_unit_test(a_template_with_a_path_no_event_has_is_an_error),
		cmocka_unit_test(where_narrows_what_a_template_may_see),
		cmocka_unit_test(inputs_and_windows_are_seen_by_their_rules_only),
		cmocka_unit_test(a_default_template_is_checked_at_its_section),
		cmocka_unit_test(what_a_target_needs_must_be_there),
		cmocka_unit_test(order_by_a_path_no_event_has_is_an_error),
		cmocka_unit_test(group_by_needs_a_path_and_something_to_keep_apart),
		cmocka_unit_test(rules_that_feed_each_other_are_found),
		cmocka_unit_test(what_nobody_uses_is_a_warning),
		cmocka_unit_test(disabled_sections_are_told_where_they_matter),
		cmocka_unit_test(a_plugin_that_cannot_be_loaded_hides_no_other_mistake),
		cmocka_unit_test(an_old_name_may_not_still_be_there),
		cmocka_unit_test(tests_expect_rules_and_targets_that_exist),
	};

	samples = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
