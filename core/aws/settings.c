#include "aws/settings.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct settings {
	struct map env;
	struct profiles *profiles; /* NULL: not read yet */
};

static bool concerns_us(const char *variable)
{
	return strncmp(variable, "AWS_", 4) == 0 || strncmp(variable, "HOME=", 5) == 0;
}

struct settings *settings_new(const char *const *environment)
{
	struct settings *s = mem_new(struct settings);

	for (; environment && *environment; environment++) {
		size_t n = strcspn(*environment, "=");
		char *name;

		if (!concerns_us(*environment) || !(*environment)[n] || !(*environment)[n + 1])
			continue;
		name = mem_slice(*environment, n);
		free(map_put(&s->env, name, mem_text(*environment + n + 1)));
		free(name);
	}
	return s;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	map_free(&s->env, free);
	profiles_free(s->profiles);
	free(s);
}

const char *settings_env(const struct settings *s, const char *name)
{
	return map_get(&s->env, name);
}

static char *path_of(const struct settings *s, const char *variable, const char *name)
{
	const char *path = settings_env(s, variable), *home = settings_env(s, "HOME");

	if (path && strncmp(path, "~/", 2) == 0 && home)
		return mem_format("%s%s", home, path + 1);
	if (path)
		return mem_text(path);
	return home ? mem_format("%s/.aws/%s", home, name) : NULL;
}

bool settings_reload(struct settings *s, struct err *err)
{
	char *config = path_of(s, "AWS_CONFIG_FILE", "config");
	char *credentials = path_of(s, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
	struct profiles *fresh = profiles_read(config, credentials, err);

	if (fresh) {
		profiles_free(s->profiles);
		s->profiles = fresh;
	}
	free(config);
	free(credentials);
	return fresh;
}

const struct profiles *settings_profiles(struct settings *s, struct err *err)
{
	if (!s->profiles)
		settings_reload(s, err);
	return s->profiles;
}

const char *settings_profile(const struct settings *s)
{
	const char *name = settings_env(s, "AWS_PROFILE");

	name = name ? name : settings_env(s, "AWS_DEFAULT_PROFILE");
	return name ? name : "default";
}

/* Files that cannot be read stand in nobody's way who does not need them; whoever looks
 * for credentials there is told. */
const char *settings_get(struct settings *s, const char *env, const char *key)
{
	const char *value = env ? settings_env(s, env) : NULL;
	const struct profiles *p;

	if (value || !key)
		return value;
	p = settings_profiles(s, NULL);
	value = p ? profiles_get(p, settings_profile(s), key) : NULL;
	return value && *value ? value : NULL;
}

bool settings_flag(struct settings *s, const char *env, const char *key)
{
	const char *value = settings_get(s, env, key);

	return value && strcasecmp(value, "true") == 0;
}

const char *settings_region(struct settings *s)
{
	const char *region = settings_env(s, "AWS_REGION");

	return region ? region : settings_get(s, "AWS_DEFAULT_REGION", "region");
}

static const char *services_endpoint(struct settings *s, const char *service)
{
	const char *services = settings_get(s, NULL, "services"), *value;
	char key[64];

	if (!services)
		return NULL;
	snprintf(key, sizeof key, "%s.endpoint_url", service);
	for (char *p = key; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	value = profiles_service(s->profiles, services, key);
	return value && *value ? value : NULL;
}

const char *settings_endpoint(struct settings *s, const char *service)
{
	char variable[64];
	const char *url;

	if (settings_flag(s, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
			  "ignore_configured_endpoint_urls"))
		return NULL;
	snprintf(variable, sizeof variable, "AWS_ENDPOINT_URL_%s", service);
	url = settings_env(s, variable);
	url = url ? url : settings_env(s, "AWS_ENDPOINT_URL");
	url = url ? url : services_endpoint(s, service);
	return url ? url : settings_get(s, NULL, "endpoint_url");
}
