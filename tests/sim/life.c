#include "life.h"

#include "audit.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "faults.h"
#include "feeds.h"
#include "http/client.h"
#include "http/server.h"
#include "journal/testdisk.h"
#include "ledger.h"
#include "network.h"
#include "plan.h"
#include "plugin/runtime.h"
#include "powerdisk.h"
#include "sim.h"
#include "targets.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_MS (10 * SECOND)

static struct {
	unsigned number;
	bool alive, stopped, failed;
	char *directory, *text;
	struct loop *loop;
	struct config *config;
	struct loader *loader;
	struct engine *engine;
	struct runtime *runtime;
	struct http_server *server;
} life;

unsigned life_number(void)
{
	return life.number;
}

struct engine *life_engine(void)
{
	return life.alive ? life.engine : NULL;
}

struct http_server *life_server(void)
{
	return life.alive ? life.server : NULL;
}

bool life_stopped(void)
{
	return life.stopped;
}

bool life_failed(void)
{
	return life.failed;
}

static void on_line(enum log_level level, const char *line, void *arg)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};

	(void)arg;
	trace("%s: %s", names[level], line);
}

static void use_functions(const char *plugin, struct pm_plugin functions)
{
	struct err err = {{0}};
	const struct plugin *p = loader_get(life.loader, plugin, &err);
	struct pm_plugin *puppet;
	void *code;

	expect(p != NULL, "plugin %s expected, found: %s", plugin, err.text);
	code = dlopen(p->file, RTLD_NOW | RTLD_NOLOAD);
	puppet = dlsym(code, "puppet");
	*puppet = functions;
	dlclose(code);
}

void life_prepare(const char *const *plugins)
{
	struct pm_plugin target = {.deliver = targets_deliver, .cancel = targets_cancel};
	char name[] = "/dev/shm/pointsman-sim-XXXXXX", other[] = "/tmp/pointsman-sim-XXXXXX";
	const char *made = mkdtemp(name);

	/* Relative from here on, so that no path of this run is in any text. */
	life.directory = mem_text(made ? made : mkdtemp(other));
	expect(life.directory && chdir(life.directory) == 0, "a directory expected, found none");
	life.loader = loader_new(plugins);
	use_functions("puppet-source",
		      (struct pm_plugin){.start = feeds_start, .resume = feeds_resume});
	use_functions("puppet-sink", target);
	use_functions("puppet-action", target);
	log_capture(on_line, NULL);
	life.text = mem_format("[pointsman]\nstate = .\nlisten = 127.0.0.1:0\n%s",
			       buf_text(&plan.text));
	sim.world.vfs = POWERDISK_NAME;
	sim.world.network = network_client();
}

struct config *life_config(void)
{
	struct report report = {0};
	struct buf said = {0};
	struct config *config = config_load_text("sim.ini", life.text, &report);

	report_print(&report, &said);
	expect(!report.errors, "a configuration that is good expected, found:\n%s\n%s",
	       buf_text(&said), life.text);
	buf_free(&said);
	report_free(&report);
	return config;
}

static void on_failed(int status, const char *why, void *arg)
{
	(void)arg;
	if (life.alive)
		trace("failed, status %d: %s", status, why);
	life.failed = true;
}

static bool open_engine(void)
{
	struct engine_options options = {.world = &sim.world, .failed = on_failed};
	struct err err = {{0}};
	int status = 0;

	options.loop = life.loop;
	options.config = life.config;
	life.engine = engine_new(&options, &status, &err);
	if (!life.engine)
		trace("cannot start, status %d: %s", status, err.text);
	return life.engine != NULL;
}

static void open_rest(void)
{
	struct http_server_options listening = {.address = "127.0.0.1:0"};
	struct runtime_options running = {.world = &sim.world,
					  .loop = life.loop,
					  .config = life.config,
					  .loader = life.loader,
					  .engine = life.engine};
	struct err err = {{0}};

	life.server = running.server = http_server_new(loop_base(life.loop), &listening, &err);
	expect(life.server != NULL, "an HTTP server expected, found: %s", err.text);
	life.runtime = runtime_new(&running);
}

bool life_begin(void)
{
	if (!audit_restart())
		return false;
	life.number++;
	trace("life %u begins", life.number);
	life.stopped = life.failed = false;
	life.loop = loop_new_in(&sim.world);
	life.config = life_config();
	if (!open_engine()) {
		loop_free(life.loop);
		config_free(life.config);
		return false;
	}
	open_rest();
	sim_loop(life.loop);
	life.alive = true;
	ledger_life_begins();
	engine_start(life.engine);
	runtime_start(life.runtime);
	return true;
}

static void on_drained(void *arg)
{
	(void)arg;
	life.stopped = true;
}

void life_stop(void)
{
	trace("life %u is asked to stop", life.number);
	runtime_stop(life.runtime);
	engine_drain(life.engine, DRAIN_MS, on_drained, NULL);
}

static void close_all(void)
{
	runtime_stop(life.runtime);
	runtime_close(life.runtime);
	engine_free(life.engine);
	runtime_free(life.runtime);
	http_server_free(life.server);
	network_client()->free(network_client());
	sim_loop(NULL);
	loop_free(life.loop);
	config_free(life.config);
	life.engine = NULL;
}

/* A process that is killed does not close anything.  Here it does, but what it does then
 * reaches neither disk nor network. */
void life_end(enum death how)
{
	static const char *const words[] = {"stops", "is killed", "loses power"};

	trace("life %u %s", life.number, words[how]);
	ledger_life_over();
	network_forget();
	feeds_life_over();
	targets_life_over();
	if (how != DEATH_STOP)
		powerdisk_stop(0);
	life.alive = false;
	close_all();
	disk_fail(DISK_GOOD, 0);
	if (how == DEATH_POWER)
		disk_power_cut((uint32_t)chance_below(&sim.chance, 1000));
	powerdisk_go();
	/* A disk in trouble may not take the mark of an orderly stop. */
	audit_death(how, how != DEATH_STOP || faults_disk_is_well());
}

static void remove_directory(void)
{
	DIR *d = opendir(life.directory);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char *path = mem_format("%s/%s", life.directory, entry->d_name);

		unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
	rmdir(life.directory);
}

void life_free(void)
{
	log_capture(NULL, NULL);
	loader_free(life.loader);
	remove_directory();
	free(life.directory);
	free(life.text);
	memset(&life, 0, sizeof life);
}
