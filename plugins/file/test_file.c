#include "testhost.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct pm_plugin pointsman_plugin_v1;

/* In place of the system's: how often was the folder synced? */
int fsync(int fd);
static int folder_syncs;

int fsync(int fd)
{
	struct stat st;

	folder_syncs += fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	return 0;
}

struct place {
	char folder[64], path[80];
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	strcpy(p->folder, "/tmp/pointsman-file-XXXXXX");
	if (!mkdtemp(p->folder))
		return -1;
	snprintf(p->path, sizeof p->path, "%s/out", p->folder);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char moved[90];

	snprintf(moved, sizeof moved, "%s.1", p->path);
	unlink(moved);
	unlink(p->path);
	rmdir(p->path);
	rmdir(p->folder);
	free(p);
	return 0;
}

static struct testhost *host(const char *path, const char *line)
{
	const char *settings[] = {"path", path, "line", line, NULL};

	if (!line)
		settings[2] = NULL;
	return testhost_new(&pointsman_plugin_v1, "f", settings);
}

static char *content(const char *path)
{
	static char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof text - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void each_event_is_a_line(void **state)
{
	struct place *p = *state;
	struct testhost *t = host(p->path, "{\"n\": \"{{ data.n }}\"}");
	pm_delivery d;

	testhost_deliver(t, "{\"data\": {\"n\": 1}}");
	d = testhost_deliver(t, "{\"data\": {\"n\": \"a\\nb\"}}");
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	assert_string_equal(content(p->path), "{\"n\": \"1\"}\n{\"n\": \"a\\nb\"}\n");
	testhost_free(t);
}

static void a_payload_written_over_several_lines_is_one(void **state)
{
	struct place *p = *state;
	struct testhost *t = host(p->path, NULL);
	const char *text;

	testhost_deliver(t, "{\n\"data\": {\r\n\"n\": 1}}");
	text = content(p->path);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_null(strchr(text, '\r'));
	assert_non_null(strstr(text, "\"n\": 1"));
	testhost_free(t);
}

static void a_moved_file_is_made_anew(void **state)
{
	struct place *p = *state;
	struct testhost *t = host(p->path, "\"{{ id }}\"");
	char moved[90];

	snprintf(moved, sizeof moved, "%s.1", p->path);
	testhost_deliver(t, "{\"id\": \"1\"}");
	assert_int_equal(rename(p->path, moved), 0);
	testhost_deliver(t, "{\"id\": \"2\"}");
	assert_string_equal(content(moved), "\"1\"\n");
	assert_string_equal(content(p->path), "\"2\"\n");
	testhost_free(t);
}

static void a_file_there_already_is_kept(void **state)
{
	struct place *p = *state;
	struct testhost *t;

	put(p->path, "old\n");
	t = host(p->path, "\"{{ id }}\"");
	testhost_deliver(t, "{\"id\": \"1\"}");
	assert_string_equal(content(p->path), "old\n\"1\"\n");
	testhost_free(t);
}

static void a_torn_line_keeps_a_line_of_its_own(void **state)
{
	struct place *p = *state;
	struct testhost *t;

	put(p->path, "{\"half");
	t = host(p->path, "\"{{ id }}\"");
	testhost_deliver(t, "{\"id\": \"1\"}");
	testhost_deliver(t, "{\"id\": \"2\"}");
	assert_string_equal(content(p->path), "{\"half\n\"1\"\n\"2\"\n");
	testhost_free(t);
}

static void what_cannot_be_opened_is_tried_again(void **state)
{
	struct place *p = *state;
	struct testhost *t = host(p->path, NULL);
	pm_delivery d;

	assert_int_equal(mkdir(p->path, 0700), 0);
	d = testhost_deliver(t, "{}");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	assert_non_null(strstr(testhost_why(t, d), p->path));
	assert_non_null(strstr(testhost_why(t, d), "directory"));
	rmdir(p->path);
	testhost_again(t, d);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	testhost_free(t);
}

static void a_full_disk_is_tried_again(void **state)
{
	struct testhost *t;
	pm_delivery d;

	(void)state;
	t = host("/dev/full", NULL);
	d = testhost_deliver(t, "{}");
	assert_int_equal(testhost_end(t, d), TESTHOST_RETRY);
	assert_non_null(strstr(testhost_why(t, d), "No space left"));
	testhost_free(t);
}

static void the_name_of_a_new_file_is_synced_with_its_first_line(void **state)
{
	struct place *p = *state;
	struct testhost *t = host(p->path, NULL);
	char moved[90];

	folder_syncs = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(testhost_end(t, testhost_deliver(t, "{}")), TESTHOST_OK);
	assert_int_equal(folder_syncs, 1);
	snprintf(moved, sizeof moved, "%s.1", p->path);
	assert_int_equal(rename(p->path, moved), 0);
	assert_int_equal(testhost_end(t, testhost_deliver(t, "{}")), TESTHOST_OK);
	assert_int_equal(folder_syncs, 2);
	testhost_free(t);
}

static void what_cannot_be_synced_is_written_all_the_same(void **state)
{
	struct testhost *t = host("/dev/null", NULL);

	(void)state;
	assert_int_equal(testhost_end(t, testhost_deliver(t, "{}")), TESTHOST_OK);
	testhost_free(t);
}

static void an_absent_value_writes_nothing(void **state)
{
	struct place *p = *state;
	struct testhost *t = host(p->path, "\"{{ data.n }}\"");
	pm_delivery d = testhost_deliver(t, "{}");

	assert_int_equal(testhost_end(t, d), TESTHOST_REJECT);
	assert_int_equal(access(p->path, F_OK), -1);
	testhost_free(t);
}

static void a_relative_path_is_refused(void **state)
{
	(void)state;
	assert_null(host("events.jsonl", NULL));
	assert_non_null(strstr(testhost_last_log(NULL), "from the root"));
	testhost_free(host("-", NULL));
}

static void standard_output_is_written_to(void **state)
{
	struct testhost *t = host("-", "\"{{ id }}\"");
	struct place *p = *state;
	int out = dup(1), fd = open(p->path, O_WRONLY | O_CREAT, 0600);
	pm_delivery d;

	fflush(stdout);
	dup2(fd, 1);
	d = testhost_deliver(t, "{\"id\": \"1\"}");
	dup2(out, 1);
	close(out);
	close(fd);
	assert_int_equal(testhost_end(t, d), TESTHOST_OK);
	assert_string_equal(content(p->path), "\"1\"\n");
	testhost_free(t);
}

#define in_a_folder(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_folder(each_event_is_a_line),
		in_a_folder(a_payload_written_over_several_lines_is_one),
		in_a_folder(a_moved_file_is_made_anew),
		in_a_folder(a_file_there_already_is_kept),
		in_a_folder(a_torn_line_keeps_a_line_of_its_own),
		in_a_folder(what_cannot_be_opened_is_tried_again),
		in_a_folder(a_full_disk_is_tried_again),
		in_a_folder(the_name_of_a_new_file_is_synced_with_its_first_line),
		in_a_folder(what_cannot_be_synced_is_written_all_the_same),
		in_a_folder(an_absent_value_writes_nothing),
		in_a_folder(a_relative_path_is_refused),
		in_a_folder(standard_output_is_written_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
