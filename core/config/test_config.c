#include "base/mem.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define DAY 86400000LL

static struct config *load(const char *text, struct buf *printed)
{
	struct report report = {0};
	struct config *c = config_load_text("dir/f.ini", text, &report);

	report_print(&report, printed);
	report_free(&report);
	return c;
}

/* Loads without a remark. */
static struct config *good(const char *text)
{
	struct buf printed = {0};
	struct config *c = load(text, &printed);

	assert_string_equal(buf_text(&printed), "");
	buf_free(&printed);
	return c;
}

/* What the report says of `text`, in full. */
static void says(const char *text, const char *expected)
{
	struct buf printed = {0};

	config_free(load(text, &printed));
	assert_string_equal(buf_text(&printed), expected);
	buf_free(&printed);
}

/* The report mentions it. */
static void mentions(const char *text, const char *part)
{
	struct buf printed = {0};

	config_free(load(text, &printed));
	if (!strstr(buf_text(&printed), part))
		fail_msg("`%s` is not in: %s", part, buf_text(&printed));
	buf_free(&printed);
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct config *c = good("[sink s]\nplugin = x\n[rule r]\ndo = s\n");
	const struct instance_config *s = config_instance(c, "s");

	(void)state;
	assert_string_equal(c->state, "/var/lib/pointsman");
	assert_string_equal(c->admin, "/run/pointsman/admin.sock");
	assert_non_null(c->plugins[0]);
	assert_null(c->plugins[1]);
	assert_null(c->listen);
	assert_true(c->keep_ms == 7 * DAY && c->keep_bytes == 1LL << 30);
	assert_true(c->keep_dead_ms == 90 * DAY && c->keep_dead_count == 100000);
	assert_true(c->dedupe_ms == 7 * DAY && c->dedupe_count == 5000000);
	assert_true(c->max_journal == 20LL << 30 && c->min_free == 256LL << 20);
	assert_true(s->enabled && s->timeout_ms == 30000 && s->deadline_ms == 3600000);
	assert_true(s->retry.for_ms == DAY && s->retry.min_ms == 1000 &&
		    s->retry.max_ms == 900000 && !s->retry.none);
	assert_int_equal(s->concurrency, 8);
	assert_int_equal(s->batch, 1);
	assert_int_equal(s->rate.events, 0);
	assert_int_equal(s->order_by, ORDER_SUBJECT);
	assert_int_equal(c->rules[0].overlap, OVERLAP_PARALLEL);
	assert_int_equal(c->rules[0].groups, 1000);
	assert_null(c->rules[0].select.on);
	config_free(c);
}

static void the_core_section_is_typed(void **state)
{
	struct config *c = good("[pointsman]\n"
				"state = st\nplugins = p, /q\nadmin = unix:/run/a\n"
				"listen = 127.0.0.1:0\nmetrics = [::1]:9464\n"
				"keep = 3d, max 2G\nkeep-dead = 1d, max 2k\ndedupe = 2d, max 3M\n"
				"max-journal = 1G\nmin-free = 1M\nlog = debug json\n"
				"certificate = c.pem\ncertificate-key = /k.pem\nca = ca.pem\n");

	(void)state;
	assert_string_equal(c->state, "dir/st");
	assert_string_equal(c->plugins[0], "dir/p");
	assert_string_equal(c->plugins[1], "/q");
	assert_string_equal(c->admin, "/run/a");
	assert_true(c->keep_ms == 3 * DAY && c->keep_bytes == 2LL << 30);
	assert_true(c->keep_dead_count == 2000 && c->dedupe_count == 3000000);
	assert_string_equal(c->log, "debug json");
	assert_string_equal(c->certificate, "dir/c.pem");
	assert_string_equal(c->certificate_key, "/k.pem");
	assert_string_equal(c->ca, "dir/ca.pem");
	config_free(c);
}

static void host_keys_are_typed_and_kept_as_written(void **state)
{
	struct config *c = good("[sink s]\nplugin = x\nwas = old\nenabled = no\ntimeout = 5s\n"
				"deadline = 45m\nretry = 2h, 2s..1m\nconcurrency = 3\n"
				"rate = 5/s, burst 10 per group\norder-by = data.new.a\n"
				"url = https://x\n[source o]\nplugin = y\nstalled-after = 1h\n");
	const struct instance_config *s = config_instance(c, "s");

	(void)state;
	assert_string_equal(s->was, "old");
	assert_false(s->enabled);
	assert_true(s->timeout_ms == 5000 && s->deadline_ms == 2700000);
	assert_true(s->retry.for_ms == 7200000 && s->retry.min_ms == 2000 &&
		    s->retry.max_ms == 60000);
	assert_int_equal(s->concurrency, 3);
	assert_true(s->rate.events == 5 && s->rate.per_ms == 1000 && s->rate.burst == 10 &&
		    s->rate.per_group);
	assert_int_equal(s->order_by, ORDER_PATH);
	assert_string_equal(s->order_path, "data.new.a");
	assert_int_equal(s->n, 1);
	assert_string_equal(s->settings[0].name, "url");
	for (size_t i = 0; i < s->nhost; i++) {
		if (strcmp(s->host_settings[i].name, "deadline") == 0)
			assert_string_equal(s->host_settings[i].value, "45m");
	}
	assert_true(config_instance(c, "o")->stalled_ms == 3600000);
	assert_true(config_is_host_key("retry") && !config_is_host_key("url"));
	config_free(c);
}

static void rules_are_typed(void **state)
{
	struct config *c =
		good("[rule r]\non = a.b, c.*\nfrom = s\nwhere = data.x == 1\n"
		     "  and data.y exists\nchanged = data.new.p\ngroup-by = data.g | lower\n"
		     "groups = 5\ncoalesce = 90s, max 10m\noverlap = queue\nelse = yes\n"
		     "do = a, b then c\n"
		     "[rule i]\ninputs = x, y\nreset = 24h\ndo = a\n"
		     "[rule n]\ncount = 3 in 10m\ndo = a\n"
		     "[rule q]\ncoalesce = 1m\ndo = a\n");
	const struct rule_config *r = config_rule(c, "r");

	(void)state;
	assert_string_equal(r->select.on[1], "c.*");
	assert_string_equal(r->select.where, "data.x == 1 and data.y exists");
	assert_string_equal(r->group_by, "data.g | lower");
	assert_int_equal(r->groups, 5);
	assert_true(r->quiet_ms == 90000 && r->quiet_max_ms == 600000);
	assert_int_equal(r->overlap, OVERLAP_QUEUE);
	assert_true(r->otherwise);
	assert_int_equal(r->n, 2);
	assert_null(r->duties[0].then);
	assert_string_equal(r->duties[1].target, "b");
	assert_string_equal(r->duties[1].then, "c");
	assert_int_equal(config_rule(c, "i")->overlap, OVERLAP_SUPERSEDE);
	assert_true(config_rule(c, "i")->reset_ms == DAY);
	assert_true(config_rule(c, "n")->count == 3 && config_rule(c, "n")->count_ms == 600000);
	assert_true(config_rule(c, "q")->quiet_max_ms == 600000);
	config_free(c);
}

static void a_pattern_goes_over_several_lines_or_lives_in_a_file(void **state)
{
	struct config *c = good("[vars]\nstate = running\n"
				"[rule r]\npattern = {\"a\":\n  [\"${state}\"],\n  \"$or\": [1]}\n"
				"pattern-at = data\ndo = a\n"
				"[rule e]\npattern = {}\npattern-at = event\ndo = a\n"
				"[input i]\npattern = {}\n"
				"[rule n]\ndo = a\n");

	(void)state;
	assert_string_equal(config_rule(c, "r")->select.pattern->value,
			    "{\"a\": [\"running\"], \"$or\": [1]}");
	assert_true(config_rule(c, "r")->select.pattern_data);
	assert_string_equal(config_rule(c, "e")->select.pattern->value, "{}");
	assert_false(config_rule(c, "e")->select.pattern_data);
	assert_non_null(config_input(c, "i")->select.pattern);
	assert_null(config_rule(c, "n")->select.pattern);
	config_free(c);
	says("[rule r]\npattern = @no.json\ndo = a\n",
	     "dir/f.ini:2:11: pattern: @no.json: cannot open dir/no.json: No such file or "
	     "directory\n");
	says("[rule r]\npattern = {}\npattern-at = detail\ndo = a\n",
	     "dir/f.ini:3:14: pattern-at: `detail` is none of: event, data\n");
	says("[rule r]\npattern-at = data\ndo = a\n",
	     "dir/f.ini:2:14: pattern-at: there is no `pattern` to look at it\n");
	mentions("[rule r]\ninputs = a\npattern = {}\ndo = a\n",
		 "pattern: a rule with `inputs` takes its events through them");
}

static void a_section_with_for_is_read_once_per_word(void **state)
{
	struct config *c = good("[vars]\nwho = bot-${each}\n"
				"[sink slack-${each}]\nfor = one, two\nplugin = x\n"
				"url = ${env:URL_${each}}\ntext = ${who}\nwas = old-${each}\n"
				"[rule r-${each}]\nfor = one, two\ndo = slack-${each}\n");
	const struct instance_config *two = config_instance(c, "slack-two");

	(void)state;
	assert_int_equal(c->ninstances, 2);
	assert_string_equal(two->settings[0].value, "${env:URL_two}");
	assert_string_equal(two->settings[1].value, "bot-two");
	assert_string_equal(two->was, "old-two");
	assert_string_equal(config_rule(c, "r-one")->duties[0].target, "slack-one");
	config_free(c);
	says("[sink s]\nfor = a, b\nplugin = x\n", "dir/f.ini:2:7: for: the section's name needs "
						   "`${each}`, or all would have one name\n");
	says("[sink s]\nplugin = x\ntext = ${each}\n",
	     "dir/f.ini:3:8: text: `${each}` stands for a word of `for`, which this section does "
	     "not have\n");
	mentions("[sink s-${each}]\nfor = a b\nplugin = x\n", "dir/f.ini:2:7: for: `a b`: a word");
}

static void variables_fill_in_each_other_in_any_order(void **state)
{
	struct config *c = good("[sink s]\nplugin = x\ntext = ${a}\n"
				"[vars]\na = <${b}>\nb = ${env:X:-${d}}\nd = e\n");

	(void)state;
	assert_string_equal(c->instances[0].settings[0].value, "<${env:X:-e}>");
	config_free(c);
	says("[vars]\nbucket = b\n[sink s]\nplugin = x\ntext = on ${buckte}\n",
	     "dir/f.ini:5:11: text: no variable `buckte` in [vars]; did you mean `${bucket}`?\n");
	says("[vars]\na = ${b}\nb = ${a}\n", "dir/f.ini:3:5: b: `${a}` comes back to itself\n");
	mentions("[vars]\na = b ; c\n", "dir/f.ini:2:7: a: ` ;` starts a comment");
	mentions("[vars]\neach = b\n", "`each` is the word of a section's `for`");
}

static void variables_cannot_grow_without_end(void **state)
{
	struct buf text = {0};

	(void)state;
	buf_text_add(&text, "[vars]\nv0 = 0123456789\n");
	for (int i = 1; i < 20; i++)
		buf_printf(&text, "v%d = ${v%d}${v%d}${v%d}${v%d}${v%d}${v%d}${v%d}${v%d}\n", i,
			   i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	mentions(buf_text(&text), "over 64k when filled in");
	buf_free(&text);
}

static void core_keys_resolve_local_references_at_load(void **state)
{
	struct config *c;

	(void)state;
	setenv("PM_TEST_WAIT", "5s", 1);
	unsetenv("PM_TEST_NONE");
	c = good("[pointsman]\nstate = ${env:PM_TEST_NONE:-/var/x}\n"
		 "listen = ${env:PM_TEST_NONE:-}\n"
		 "[rule r]\ncoalesce = ${env:PM_TEST_WAIT:-30s}, max 5m\ndo = a\n");
	assert_string_equal(c->state, "/var/x");
	assert_null(c->listen);
	assert_true(c->rules[0].quiet_ms == 5000);
	config_free(c);
	mentions("[pointsman]\nstate = ${env:PM_TEST_NONE}\n",
		 "dir/f.ini:2:9: state: environment variable PM_TEST_NONE is not set");
	mentions("[pointsman]\nstate = /a/${ssm:x}\n",
		 "dir/f.ini:2:12: state: ${ssm:x}: what the core itself reads may only come from "
		 "env, file and credential");
}

static void a_file_is_a_value_by_itself_and_here_is_text(void **state)
{
	char dir[] = "config-test-XXXXXX", *path, *text;
	struct report report = {0};
	struct config *c;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = mem_format("%s/body.json", dir);
	text = mem_format("%s/f.ini", dir);
	f = fopen(path, "w");
	fputs("{\n  \"a\": ${x}\n}\n", f);
	fclose(f);
	c = config_load_text(text,
			     "[sink s]\nplugin = x\nbody = @body.json\ntext = @here\n"
			     "more = @here is @body.json\nnone = @no.json\n",
			     &report);
	assert_int_equal(report.errors, 1);
	assert_non_null(strstr(report.remarks[0].text, "@no.json: cannot open"));
	assert_string_equal(c->instances[0].settings[0].value, "{\n  \"a\": ${x}\n}");
	assert_string_equal(setting_place(&c->instances[0].settings[0], 9).file, path);
	assert_int_equal(setting_place(&c->instances[0].settings[0], 9).line, 2);
	assert_int_equal(setting_place(&c->instances[0].settings[0], 9).column, 8);
	assert_string_equal(c->instances[0].settings[1].value, "@here");
	assert_string_equal(c->instances[0].settings[2].value, "@here is @body.json");
	report_free(&report);
	config_free(c);
	unlink(path);
	rmdir(dir);
	free(path);
	free(text);
}

static void unknown_words_come_with_the_nearest(void **state)
{
	(void)state;
	says("[sinc s]\n", "dir/f.ini:1:1: unknown section [sinc]; did you mean [sink]?\n");
	says("[pointsman]\nstat = x\n",
	     "dir/f.ini:2:1: unknown key `stat` in [pointsman]; did you mean `state`?\n");
	says("[rule r]\nwehre = x\ndo = a\n",
	     "dir/f.ini:2:1: unknown key `wehre` in [rule]; did you mean `where`?\n");
	says("[rule r]\npatern = {}\nschedule = x\ndo = a\n",
	     "dir/f.ini:2:1: unknown key `patern` in [rule]; did you mean `pattern`?\n"
	     "dir/f.ini:3:1: unknown key `schedule` in [rule]\n");
	says("[rule r]\noverlap = paralel\ndo = a\n",
	     "dir/f.ini:2:11: overlap: `paralel` is none of: parallel, supersede, queue\n");
}

static void names_are_unique_together(void **state)
{
	(void)state;
	says("[sink a]\nplugin = x\n[source a]\nplugin = y\n",
	     "dir/f.ini:3:1: the name `a` is taken by the section at dir/f.ini:1; names of "
	     "sources, "
	     "actions, sinks and secrets are unique together\n");
	says("[rule r-${each}]\nfor = a, b\ndo = x\n[rule r-b]\ndo = x\n",
	     "dir/f.ini:4:1: the name `r-b` is taken by the section at dir/f.ini:1\n");
	mentions("[secrets env]\nplugin = x\n", "`${env:..}` means something already");
	mentions("[sink pointsman]\nplugin = x\n", "choose another name");
	mentions("[sink]\nplugin = x\n", "[sink] needs a name: [sink NAME]");
	mentions("[vars x]\n", "[vars] takes no name");
	mentions("[sink a]\nplugin = x\nwas = o\n[sink b]\nplugin = x\nwas = o\n",
		 "dir/f.ini:6:7: was: two sections would take over what `o` owned");
	config_free(good("[sink a]\nplugin = x\n[rule a]\ndo = a\n[input a]\n"));
}

static void keys_of_one_line_refuse_a_second(void **state)
{
	(void)state;
	says("[rule r]\ncoalesce = 5s\n  more\ndo = a\n",
	     "dir/f.ini:2:12: coalesce: `5s more` is no quiet period like `90s, max 10m`, the "
	     "second not below the first\n"
	     "dir/f.ini:3:3: `coalesce` is written on one line; if this is a key of its own, "
	     "remove "
	     "the blanks before it\n");
	config_free(
		good("[rule r]\non = a,\n  b\ndo = x,\n  y then z\n[input i]\nfrom = s,\n t\n"));
}

static void what_cannot_be_together_is_refused(void **state)
{
	(void)state;
	mentions("[rule r]\ninputs = i\non = a\ndo = x\n",
		 "dir/f.ini:3:6: on: a rule with `inputs`");
	mentions("[rule r]\ninputs = i\ncount = 3 in 1m\ndo = x\n", "exclude each other");
	mentions("[rule r]\ncoalesce = 1s\ncount = 3 in 1m\ndo = x\n", "exclude each other");
	mentions("[rule r]\nreset = 1h\ndo = x\n", "nothing to empty without `inputs`");
	mentions("[rule r]\ngroups = 10\ndo = x\n", "nothing to limit without `group-by`");
	mentions("[rule r]\non = a\n", "dir/f.ini:1:1: [rule r] lacks `do`");
	mentions("[sink s]\n", "dir/f.ini:1:1: [sink s] lacks `plugin`");
	mentions("[rule r]\ndo = a, a\n", "`a` is named twice");
	mentions("[rule r]\ndo = a then b then c\n", "there are no longer chains");
	mentions("[rule r]\ndo = a b\n", "targets are separated by commas");
	mentions("[rule r]\ndo = a,,b\n", "dir/f.ini:2:8: do: an element is missing here");
	mentions("[rule r]\non = A.b\ndo = x\n", "`A.b` is no event type");
	mentions("[rule r]\non = a.b*\ndo = x\n", "`a.b*` is no event type");
	mentions("[rule r]\nchanged = data.phase\ndo = x\n", "is not below data.new");
	mentions("[pointsman]\ncertificate = x\nlisten = :1\n", "come together");
}

static void wrong_values_say_what_the_form_is(void **state)
{
	static const char *const cases[][2] = {
		{"[sink s]\nplugin = x\nretry = 8\n", "retry: `8` does not say how to retry"},
		{"[sink s]\nplugin = x\nretry = 1d, 5m..1s\n", "retry: `1d, 5m..1s` does not"},
		{"[sink s]\nplugin = x\nrate = 5\n", "rate: `5` is no rate like `5/s`"},
		{"[sink s]\nplugin = x\nrate = 5/s burst 3\n", "is no rate like"},
		{"[sink s]\nplugin = x\nrate = 5/0s\n", "is no rate like"},
		{"[sink s]\nplugin = x\nrate = 5/00000sec\n", "is no rate like"},
		{"[sink s]\nplugin = x\ntimeout = 30\n", "timeout: `30` is no duration"},
		{"[sink s]\nplugin = x\ntimeout = 0\n", "timeout: `0` is no duration"},
		{"[sink s]\nplugin = x\nconcurrency = 0\n", "`0` is no number from 1 to 512"},
		{"[sink s]\nplugin = x\nbatch = 0\n", "`0` is no number from 1 to 1000"},
		{"[sink s]\nplugin = x\nbatch = 501\n", "501 events in each of 8 calls at once"},
		{"[sink s]\nplugin = x\nenabled = on\n", "enabled: `on` is neither yes nor no"},
		{"[sink s]\nplugin = x\norder-by = a b\n", "order-by: `a b` is neither"},
		{"[rule r]\ncount = 3\ndo = a\n", "count: `3` is no count"},
		{"[rule r]\ncoalesce = 10m, max 1m\ndo = a\n", "coalesce: `10m, max 1m` is no"},
		{"[pointsman]\nkeep = 7\n", "keep: `7` is no time with a size"},
		{"[pointsman]\nkeep-dead = 7d, max 1G\n", "is no time with a number"},
		{"[pointsman]\nlisten = 8080\n", "listen: `8080` is no address"},
		{"[pointsman]\nlisten = ::1:80\n", "listen: `::1:80` is no address"},
		{"[pointsman]\nlisten = 999.1.1.1:80\n", "listen: `999.1.1.1:80` is no address"},
		{"[pointsman]\nlisten = [zz]:80\n", "listen: `[zz]:80` is no address"},
		{"[pointsman]\nmetrics = a b:80\n", "metrics: `a b:80` is no address"},
		{"[pointsman]\nlisten = :80\nmetrics = :80\n",
		 "3:11: metrics: `:80` is what `listen` has"},
		{"[pointsman]\nproxy = http://\n", "f.ini:2:9: proxy: it is no address of a proxy"},
		{"[pointsman]\nproxy = ftp://a:1\n", "proxy: it is no address"},
		{"[pointsman]\nproxy = http://a:port\n", "proxy: it is no address"},
		{"[pointsman]\nproxy = http://a:0\n", "proxy: it is no address"},
		{"[pointsman]\nproxy = http://a b:1\n", "proxy: it is no address"},
		{"[pointsman]\nproxy = http://a:1/path\n", "proxy: it is no address"},
		{"[pointsman]\nproxy = http://[::g]:1\n", "proxy: it is no address"},
		{"[pointsman]\nlog = loud\n", "log: `loud` is neither a level"},
		{"[pointsman]\nmax-journal = 0\n", "max-journal: `0` is no size"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		mentions(cases[i][0], cases[i][1]);
}

static void a_proxy_may_be_written_in_many_ways(void **state)
{
	static const char *const proxies[] = {"http://proxy.example:3128",
					      "proxy.example:3128",
					      "proxy",
					      "HTTPS://p:443/",
					      "socks5h://[::1]:1080",
					      "http://user:p@ss:word@10.0.0.1:8080",
					      "http://[::1]"};

	(void)state;
	for (size_t i = 0; i < COUNT(proxies); i++) {
		char *text = mem_format("[pointsman]\nproxy = %s\n", proxies[i]);
		struct config *c = good(text);

		assert_string_equal(c->proxy, proxies[i]);
		config_free(c);
		free(text);
	}
}

static void rates_and_retries_have_all_their_forms(void **state)
{
	struct config *c = good("[sink a]\nplugin = x\nrate = 5/s per group\nretry = none\n"
				"[sink b]\nplugin = x\nrate = 2/10m\nretry = 1h\n"
				"[sink c]\nplugin = x\nrate = 2/h, burst 1\norder-by = group\n");

	(void)state;
	assert_true(c->instances[0].rate.per_group && c->instances[0].rate.burst == 5);
	assert_true(c->instances[0].retry.none);
	assert_true(c->instances[1].rate.per_ms == 600000 && !c->instances[1].rate.per_group);
	assert_true(c->instances[1].retry.for_ms == 3600000 &&
		    c->instances[1].retry.max_ms == 900000);
	assert_true(c->instances[2].rate.per_ms == 3600000 && c->instances[2].rate.burst == 1);
	assert_int_equal(c->instances[2].order_by, ORDER_GROUP);
	config_free(c);
}

static void a_section_with_an_unreadable_line_misses_nothing(void **state)
{
	(void)state;
	says("[sink s]\nplugin \xff= x\n",
	     "dir/f.ini:2:8: byte 0xff is no UTF-8; save the file as UTF-8\n");
}

static void tests_name_files_beside_the_configuration(void **state)
{
	struct config *c = good("[test t]\ngiven = events/a.json, /b.json\nexpect = r -> a x1\n"
				"expect.key = metadata/in.json\n");
	const struct test_config *t = &c->tests[0];

	(void)state;
	assert_int_equal(t->nsteps, 2);
	assert_string_equal(t->steps[0].file, "dir/events/a.json");
	assert_string_equal(t->steps[1].file, "/b.json");
	assert_string_equal(t->values[0].name, "key");
	assert_string_equal(t->values[0].value, "metadata/in.json");
	config_free(c);
	mentions("[test t]\ngiven = a\n", "lacks `expect`");
	mentions("[test t]\ngiven = a\nexpect = none\nshadow = x\n",
		 "unknown key `shadow` in [test]");
}

static void tests_say_what_passes_answers_and_comes_of_it(void **state)
{
	struct config *c = good("[test t]\ngiven = a.json, +10m, +1h, a.json\n"
				"answer = s: down x3, s: reject, other: again\n"
				"expect = r -> s x2 dead, r -> a, q -> a x4, b -> s dead\n"
				"[test u]\ngiven = a.json\nexpect = none\n");
	const struct test_config *t = &c->tests[0];

	(void)state;
	assert_int_equal(t->nsteps, 4);
	assert_null(t->steps[1].file);
	assert_int_equal(t->steps[1].pass_ms, 600000);
	assert_int_equal(t->steps[1].at.column, 17);
	assert_int_equal(t->nanswers, 3);
	assert_string_equal(t->answers[0].target, "s");
	assert_int_equal(t->answers[0].reply, TEST_DOWN);
	assert_int_equal(t->answers[0].times, 3);
	assert_int_equal(t->answers[1].reply, TEST_REJECT);
	assert_int_equal(t->answers[1].times, 1);
	assert_int_equal(t->answers[2].reply, TEST_AGAIN);
	assert_int_equal(t->nexpected, 4);
	assert_string_equal(t->expected[0].rule, "r");
	assert_string_equal(t->expected[0].target, "s");
	assert_int_equal(t->expected[0].times, 2);
	assert_true(t->expected[0].dead);
	assert_int_equal(t->expected[1].times, 1);
	assert_false(t->expected[1].dead);
	assert_int_equal(t->expected[2].times, 4);
	assert_true(t->expected[3].dead);
	assert_int_equal(c->tests[1].nexpected, 0);
	config_free(c);
}

static void what_a_test_cannot_say_is_told_where_it_stands(void **state)
{
	static const char given[] = "[test t]\ngiven = a.json\n";
	static const char *const cases[][2] = {
		{"expect = r s\n", "f.ini:3:10: expect: `none`, or RULE -> TARGET"},
		{"expect = r -> s x0\n", "f.ini:3:10: expect: `none`"},
		{"expect = r -> s, r -> s alive\n", "f.ini:3:18: expect: `none`"},
		{"expect = none, r -> s\n", "f.ini:3:10: expect: `none`"},
		{"expect = r -> s,, r -> t\n", "f.ini:3:17: expect: an element is missing here"},
		{"expect = none\nanswer = s: broken\n", "f.ini:4:10: answer: TARGET: down, again"},
		{"expect = none\nanswer = s down\n", "f.ini:4:10: answer: TARGET: down, again"},
		{"expect = none\nanswer = s: down 3\n", "f.ini:4:10: answer: TARGET: down, again"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = mem_format("%s%s", given, cases[i][0]);

		mentions(text, cases[i][1]);
		free(text);
	}
	mentions("[test t]\ngiven = a.json, +10\nexpect = none\n", "f.ini:2:17: given: ");
}

static void an_expected_key_belongs_to_one_target(void **state)
{
	struct config *c =
		good("[sink s]\nplugin = x\n[sink env]\nplugin = x\n"
		     "[test one]\ngiven = a\nexpect = r -> s, q -> s\nexpect.env2.A = x\n"
		     "[test two]\ngiven = a\nexpect = r -> s, q -> env\n"
		     "expect.env.A.B = x\nexpect.text = y\n");
	const char *key;

	(void)state;
	assert_string_equal(test_value_target(c, &c->tests[0], &c->tests[0].values[0], &key), "s");
	assert_string_equal(key, "env2.A");
	assert_string_equal(test_value_target(c, &c->tests[1], &c->tests[1].values[0], &key),
			    "env");
	assert_string_equal(key, "A.B");
	assert_null(test_value_target(c, &c->tests[1], &c->tests[1].values[1], &key));
	config_free(c);
}

static void the_fingerprint_follows_what_is_said(void **state)
{
	static const char *const texts[] = {
		"[sink s]\nplugin = x\nurl = a\n",
		"[sink s]\nplugin = x\nurl = b\n",
		"[sink t]\nplugin = x\nurl = a\n",
		"[sink s]\nplugin = y\nurl = a\n",
		"[action s]\nplugin = x\nurl = a\n",
		"[sink s]\nplugin = x\nurl = a\n[rule r]\ndo = s\n",
		"[pointsman]\nlog = debug\n[sink s]\nplugin = x\nurl = a\n",
	};
	uint64_t seen[COUNT(texts)];
	struct config *c;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		c = good(texts[i]);
		seen[i] = config_fingerprint(c);
		config_free(c);
		for (size_t j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
	}
	c = good("# comment\n[sink s]\nplugin = x ; why\n\nurl    = a\n");
	assert_true(config_fingerprint(c) == seen[0]);
	config_free(c);
	setenv("PM_TEST_WAIT", "1s", 1);
	c = good("[rule r]\ncoalesce = ${env:PM_TEST_WAIT}\ndo = a\n");
	seen[0] = config_fingerprint(c);
	config_free(c);
	setenv("PM_TEST_WAIT", "2s", 1);
	c = good("[rule r]\ncoalesce = ${env:PM_TEST_WAIT}\ndo = a\n");
	assert_true(config_fingerprint(c) != seen[0]);
	config_free(c);
}

static void remarks_are_sorted_and_said_once(void **state)
{
	(void)state;
	says("[sink b-${each}]\nfor = x, y\nplugin = p\ntimeout = 1\n[rule r]\ndo = ,\n[sink a]\n",
	     "dir/f.ini:4:11: timeout: `1` is no duration above 0, like 250ms, 30s, 5m, 1h or 7d\n"
	     "dir/f.ini:6:6: do: an element is missing here; elements are separated by one comma\n"
	     "dir/f.ini:7:1: [sink a] lacks `plugin`: which one is it?\n");
}

static void directories_without_configuration_are_told(void **state)
{
	char dir[] = "config-test-XXXXXX";
	const char *paths[] = {dir, "no-such.ini"};
	struct report report = {0};
	struct buf printed = {0};
	struct config *c;
	char *expected;

	(void)state;
	assert_non_null(mkdtemp(dir));
	c = config_load(paths, 2, &report);
	report_print(&report, &printed);
	expected = mem_format("%s: the directory has no *.ini file\n"
			      "no-such.ini: cannot open: No such file or directory\n",
			      dir);
	assert_string_equal(buf_text(&printed), expected);
	free(expected);
	buf_free(&printed);
	report_free(&report);
	config_free(c);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(the_core_section_is_typed),
		cmocka_unit_test(host_keys_are_typed_and_kept_as_written),
		cmocka_unit_test(rules_are_typed),
		cmocka_unit_test(a_pattern_goes_over_several_lines_or_lives_in_a_file),
		cmocka_unit_test(a_section_with_for_is_read_once_per_word),
		cmocka_unit_test(variables_fill_in_each_other_in_any_order),
		cmocka_unit_test(variables_cannot_grow_without_end),
		cmocka_unit_test(core_keys_resolve_local_references_at_load),
		cmocka_unit_test(a_file_is_a_value_by_itself_and_here_is_text),
		cmocka_unit_test(unknown_words_come_with_the_nearest),
		cmocka_unit_test(names_are_unique_together),
		cmocka_unit_test(keys_of_one_line_refuse_a_second),
		cmocka_unit_test(what_cannot_be_together_is_refused),
		cmocka_unit_test(wrong_values_say_what_the_form_is),
		cmocka_unit_test(a_proxy_may_be_written_in_many_ways),
		cmocka_unit_test(rates_and_retries_have_all_their_forms),
		cmocka_unit_test(a_section_with_an_unreadable_line_misses_nothing),
		cmocka_unit_test(tests_name_files_beside_the_configuration),
		cmocka_unit_test(tests_say_what_passes_answers_and_comes_of_it),
		cmocka_unit_test(what_a_test_cannot_say_is_told_where_it_stands),
		cmocka_unit_test(an_expected_key_belongs_to_one_target),
		cmocka_unit_test(the_fingerprint_follows_what_is_said),
		cmocka_unit_test(remarks_are_sorted_and_said_once),
		cmocka_unit_test(directories_without_configuration_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
