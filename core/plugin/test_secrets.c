#include "plugin/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct world world;
	struct loop *loop;
	struct secrets *secrets;
	int64_t now;
	int asked, changed;
	uint64_t last_ask;
	const char *why;
};

static struct fixture *current;

static int64_t boot(struct world *w)
{
	(void)w;
	return current->now;
}

static void on_ask(void *arg, const char *section, const char *name, uint64_t ask)
{
	struct fixture *f = arg;

	assert_string_equal(section, "ssm");
	assert_string_equal(name, "/site/token");
	f->asked++;
	f->last_ask = ask;
}

static void on_changed(void *arg)
{
	((struct fixture *)arg)->changed++;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	current = f;
	f->now = 1000;
	f->world.boot = boot;
	f->loop = loop_new();
	f->secrets =
		secrets_new(&(struct secrets_options){&f->world, f->loop, on_ask, on_changed, f});
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	secrets_free(f->secrets);
	loop_free(f->loop);
	free(f);
	return 0;
}

static const char *get(struct fixture *f)
{
	return secrets_get(f->secrets, "ssm", "/site/token", &f->why);
}

static void a_secret_is_asked_for_once_and_then_known(void **state)
{
	struct fixture *f = *state;

	assert_null(get(f));
	assert_null(get(f));
	assert_int_equal(f->asked, 1);
	secrets_answer(f->secrets, f->last_ask, "abc123", 0, "");
	assert_string_equal(get(f), "abc123");
	assert_int_equal(f->changed, 1);
	assert_int_equal(f->asked, 1);
}

static void a_failure_is_told_and_the_old_value_stays(void **state)
{
	struct fixture *f = *state;

	get(f);
	secrets_answer(f->secrets, f->last_ask, NULL, 0, "ParameterNotFound");
	assert_null(get(f));
	assert_string_equal(f->why, "ParameterNotFound");
	secrets_ask_again(f->secrets, "ssm");
	secrets_answer(f->secrets, f->last_ask, "abc123", 0, "");
	f->now += 60000;
	secrets_refresh(f->secrets, "ssm");
	secrets_answer(f->secrets, f->last_ask, NULL, 0, "throttled");
	assert_string_equal(get(f), "abc123");
}

static void the_same_value_again_changes_nothing(void **state)
{
	struct fixture *f = *state;

	get(f);
	secrets_answer(f->secrets, f->last_ask, "abc123", 0, "");
	f->now += 60000;
	secrets_refresh(f->secrets, "ssm");
	secrets_answer(f->secrets, f->last_ask, "abc123", 0, "");
	assert_int_equal(f->changed, 1);
	f->now += 60000;
	secrets_refresh(f->secrets, "ssm");
	secrets_answer(f->secrets, f->last_ask, "def456", 0, "");
	assert_int_equal(f->changed, 2);
}

static void refused_credentials_ask_again_once_a_minute_at_most(void **state)
{
	struct fixture *f = *state;

	get(f);
	secrets_answer(f->secrets, f->last_ask, "abc123", 0, "");
	f->now += 59999;
	secrets_refresh(f->secrets, "ssm");
	assert_int_equal(f->asked, 1);
	f->now += 1;
	secrets_refresh(f->secrets, "ssm");
	assert_int_equal(f->asked, 2);
	secrets_refresh(f->secrets, "other");
	assert_int_equal(f->asked, 2);
}

static void a_late_or_unknown_answer_is_ignored(void **state)
{
	struct fixture *f = *state;
	uint64_t first;

	get(f);
	first = f->last_ask;
	secrets_ask_again(f->secrets, "ssm");
	secrets_answer(f->secrets, first, "stale", 0, "");
	secrets_answer(f->secrets, 0, "nobody's", 0, "");
	assert_null(get(f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_secret_is_asked_for_once_and_then_known, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_failure_is_told_and_the_old_value_stays, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_same_value_again_changes_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(refused_credentials_ask_again_once_a_minute_at_most,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_late_or_unknown_answer_is_ignored, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
