#include "base/log.h"
#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void nothing(void *arg)
{
	(void)arg;
}

static void refused(enum log_level level, const char *line, void *arg)
{
	(void)arg;
	if (level == LOG_ERROR && strstr(line, "does not watch") && strstr(line, "not permitted"))
		_exit(3);
}

/* The system watches no regular file, which is as good as any refusal. */
static int watch_a_file(bool listen)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (listen)
			log_capture(refused, NULL);
		loop_watch_fd(loop_new(), fileno(tmpfile()), nothing, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void a_descriptor_that_is_not_watched_ends_the_process(void **state)
{
	int status = watch_a_file(false);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 71);
}

static void and_it_says_why(void **state)
{
	int status = watch_a_file(true);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_that_is_not_watched_ends_the_process),
		cmocka_unit_test(and_it_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
