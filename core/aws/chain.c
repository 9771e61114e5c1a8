#include "aws/chain.h"

#include "base/mem.h"
#include "base/units.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_ROLES 8
#define SESSION   "pointsman"

enum found { FOUND, NOTHING, BROKEN };

struct search {
	struct settings *settings;
	const struct profiles *profiles;
	struct chain *chain;
	struct err *err;
};

static enum found broken(struct search *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static enum found broken(struct search *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(s->err, fmt, ap);
	va_end(ap);
	return BROKEN;
}

static const char *env(const struct search *s, const char *name)
{
	return settings_env(s->settings, name);
}

static const char *get(const struct search *s, const char *profile, const char *key)
{
	const char *value = profiles_get(s->profiles, profile, key);

	return value && *value ? value : NULL;
}

static enum found from_environment(struct search *s)
{
	const char *id = env(s, "AWS_ACCESS_KEY_ID"), *secret = env(s, "AWS_SECRET_ACCESS_KEY");
	struct chain *c = s->chain;

	if (!id && !secret)
		return NOTHING;
	if (!id || !secret)
		return broken(s, "%s is set but %s is not: set both, or neither",
			      id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
			      id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	c->source = CHAIN_KEYS;
	c->where = mem_text("the environment");
	c->key_id = mem_text(id);
	c->secret = mem_text(secret);
	c->token = mem_text(env(s, "AWS_SESSION_TOKEN"));
	return FOUND;
}

static enum found set_role(struct search *s, struct chain_role *role, const char *arn,
			   const char *session, const char *where)
{
	role->arn = mem_text(arn);
	role->session = mem_text(session ? session : SESSION);
	if (strlen(role->session) < 2)
		return broken(s, "%s: a role's session name has at least two characters", where);
	return FOUND;
}

static enum found from_web(struct search *s, const char *file, const char *arn, const char *session,
			   char *where)
{
	struct chain *c = s->chain;

	c->source = CHAIN_WEB;
	c->where = where;
	c->token_file = mem_text(file);
	if (!arn)
		return broken(s,
			      "%s names a web identity token but no role: set AWS_ROLE_ARN or "
			      "role_arn",
			      where);
	return set_role(s, &c->web, arn, session, where);
}

static enum found from_web_environment(struct search *s)
{
	const char *file = env(s, "AWS_WEB_IDENTITY_TOKEN_FILE");

	if (!file)
		return NOTHING;
	return from_web(s, file, env(s, "AWS_ROLE_ARN"), env(s, "AWS_ROLE_SESSION_NAME"),
			mem_text("AWS_WEB_IDENTITY_TOKEN_FILE"));
}

static bool is_on_this_machine(const char *host)
{
	static const char *const known[] = {"localhost", "[::1]", "169.254.170.2", "169.254.170.23",
					    "[fd00:ec2::23]"};
	struct in_addr at;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcasecmp(host, known[i]) == 0)
			return true;
	}
	return inet_pton(AF_INET, host, &at) == 1 && ntohl(at.s_addr) >> 24 == 127;
}

/* Whoever can set the variable must not be able to send the machine's credentials' request,
 * with its authorization, over the network in clear. */
static enum found check_container_url(struct search *s, const char *url)
{
	const char *host = url + 7;
	char *name;
	bool ok;

	if (strncasecmp(url, "https://", 8) == 0)
		return FOUND;
	if (strncasecmp(url, "http://", 7) != 0)
		return broken(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI is not an http address");
	name = mem_slice(host, *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#@"));
	ok = is_on_this_machine(name) && host[strlen(name)] != '@';
	free(name);
	return ok ? FOUND
		  : broken(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI: http is only for this machine "
			      "(127.0.0.1, localhost, 169.254.170.2, 169.254.170.23); use https");
}

static enum found from_container(struct search *s)
{
	const char *relative = env(s, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = env(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *file = env(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	struct chain *c = s->chain;

	if (!relative && !full)
		return NOTHING;
	c->source = CHAIN_CONTAINER;
	c->where = mem_text("the container endpoint");
	c->token_file = mem_text(file);
	c->authorization = file ? NULL : mem_text(env(s, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
	if (relative) {
		c->url = mem_format("http://169.254.170.2%s%s", *relative == '/' ? "" : "/",
				    relative);
		return FOUND;
	}
	c->url = mem_text(full);
	return check_container_url(s, full);
}

static enum found from_instance(struct search *s)
{
	const char *url = settings_get(s->settings, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
				       "ec2_metadata_service_endpoint");
	const char *mode = settings_get(s->settings, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
					"ec2_metadata_service_endpoint_mode");
	bool is_ipv6 = mode && strcasecmp(mode, "ipv6") == 0;
	size_t n;

	if (settings_flag(s->settings, "AWS_EC2_METADATA_DISABLED", NULL))
		return NOTHING;
	if (!url)
		url = is_ipv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
	for (n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
		;
	s->chain->source = CHAIN_INSTANCE;
	s->chain->where = mem_text("the instance metadata service");
	s->chain->url = mem_slice(url, n);
	return FOUND;
}

static enum found from_keys_of(struct search *s, const char *profile)
{
	const char *id = get(s, profile, "aws_access_key_id");
	const char *secret = get(s, profile, "aws_secret_access_key");
	struct chain *c = s->chain;

	if (!id && !secret)
		return NOTHING;
	if (!id || !secret)
		return broken(s, "profile %s has %s but not %s", profile,
			      id ? "aws_access_key_id" : "aws_secret_access_key",
			      id ? "aws_secret_access_key" : "aws_access_key_id");
	c->source = CHAIN_KEYS;
	c->where = mem_format("profile %s", profile);
	c->key_id = mem_text(id);
	c->secret = mem_text(secret);
	c->token = mem_text(get(s, profile, "aws_session_token"));
	return FOUND;
}

static enum found refuse_what_we_lack(struct search *s, const char *profile)
{
	if (get(s, profile, "sso_start_url") || get(s, profile, "sso_session"))
		return broken(s,
			      "profile %s signs in by SSO, which is not built in: use keys, a role "
			      "or web identity",
			      profile);
	if (get(s, profile, "credential_process"))
		return broken(
			s,
			"profile %s asks for a credential_process, which is not built in: use "
			"keys, a role or web identity",
			profile);
	return NOTHING;
}

static enum found from_named_source(struct search *s, const char *profile, const char *source)
{
	enum found found;

	if (strcasecmp(source, "Environment") == 0)
		found = from_environment(s);
	else if (strcasecmp(source, "EcsContainer") == 0)
		found = from_container(s);
	else if (strcasecmp(source, "Ec2InstanceMetadata") == 0)
		found = from_instance(s);
	else
		return broken(s,
			      "profile %s: credential_source = %s is none of Environment, "
			      "EcsContainer, Ec2InstanceMetadata",
			      profile, source);
	if (found == NOTHING)
		return broken(s, "profile %s takes its credentials from %s, where there are none",
			      profile, source);
	return found;
}

static enum found add_role(struct search *s, const char *profile)
{
	struct chain *c = s->chain;
	const char *seconds = get(s, profile, "duration_seconds");
	struct chain_role *role;

	if (get(s, profile, "mfa_serial"))
		return broken(s,
			      "profile %s needs an MFA code (mfa_serial), which nobody can type "
			      "here",
			      profile);
	if (c->nroles == MAX_ROLES)
		return broken(s,
			      "profile %s: more than %d roles in a row, or a circle of "
			      "source_profile",
			      profile, MAX_ROLES);
	c->roles = mem_grow(c->roles, c->nroles + 1, sizeof *c->roles);
	role = &c->roles[c->nroles++];
	*role = (struct chain_role){.external_id = mem_text(get(s, profile, "external_id"))};
	if (seconds && !units_integer(seconds, &role->seconds))
		return broken(s, "profile %s: duration_seconds = %s is not a number", profile,
			      seconds);
	return set_role(s, role, get(s, profile, "role_arn"), get(s, profile, "role_session_name"),
			profile);
}

static enum found from_profile(struct search *s, const char *profile);

/* A profile that names itself as its source means its own keys. */
static enum found from_role_of(struct search *s, const char *profile)
{
	const char *source = get(s, profile, "source_profile");
	const char *named = get(s, profile, "credential_source");
	enum found found = add_role(s, profile);

	if (found != FOUND)
		return found;
	if (!source == !named)
		return broken(s,
			      "profile %s has role_arn, but %s source_profile and "
			      "credential_source",
			      profile, source ? "both" : "neither");
	if (named)
		return from_named_source(s, profile, named);
	if (!profiles_has(s->profiles, source))
		return broken(s, "profile %s: there is no profile %s (source_profile)", profile,
			      source);
	found = strcmp(source, profile) == 0 ? from_keys_of(s, source) : from_profile(s, source);
	if (found == NOTHING)
		return broken(s, "profile %s: profile %s (source_profile) has no credentials",
			      profile, source);
	return found;
}

static enum found from_profile(struct search *s, const char *profile)
{
	const char *web = get(s, profile, "web_identity_token_file");
	enum found found;

	if (web)
		return from_web(s, web, get(s, profile, "role_arn"),
				get(s, profile, "role_session_name"),
				mem_format("profile %s", profile));
	if (get(s, profile, "role_arn"))
		return from_role_of(s, profile);
	found = from_keys_of(s, profile);
	return found == NOTHING ? refuse_what_we_lack(s, profile) : found;
}

static enum found from_chosen_profile(struct search *s)
{
	const char *profile = settings_profile(s->settings);

	if (profiles_has(s->profiles, profile))
		return from_profile(s, profile);
	if (env(s, "AWS_PROFILE") || env(s, "AWS_DEFAULT_PROFILE"))
		return broken(s,
			      "there is no profile %s in the configuration and credentials files",
			      profile);
	return NOTHING;
}

static bool assumes_role(const struct search *s)
{
	return get(s, settings_profile(s->settings), "role_arn") != NULL;
}

static enum found search(struct search *s)
{
	enum found found = from_environment(s);

	if (found != NOTHING)
		return found;
	s->profiles = settings_profiles(s->settings, s->err);
	if (!s->profiles)
		return BROKEN;
	if (assumes_role(s))
		return from_chosen_profile(s);
	found = from_web_environment(s);
	found = found == NOTHING ? from_chosen_profile(s) : found;
	found = found == NOTHING ? from_container(s) : found;
	found = found == NOTHING ? from_instance(s) : found;
	if (found == NOTHING)
		err_set(s->err,
			"nothing in the environment (AWS_ACCESS_KEY_ID), in profile %s, in web "
			"identity "
			"and container variables; instance metadata is switched off",
			settings_profile(s->settings));
	return found;
}

/* Roles were found from the last to the first. */
static void reverse_roles(struct chain *c)
{
	for (size_t i = 0; i < c->nroles / 2; i++) {
		struct chain_role moved = c->roles[i];

		c->roles[i] = c->roles[c->nroles - 1 - i];
		c->roles[c->nroles - 1 - i] = moved;
	}
}

bool chain_find(struct settings *settings, struct chain *c, struct err *err)
{
	struct search s = {.settings = settings, .chain = c, .err = err};

	*c = (struct chain){0};
	if (search(&s) != FOUND) {
		err_prefix(err, "no credentials for AWS");
		return false;
	}
	reverse_roles(c);
	return true;
}

static void role_free(struct chain_role *role)
{
	free(role->arn);
	free(role->session);
	free(role->external_id);
}

static void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void chain_free(struct chain *c)
{
	for (size_t i = 0; i < c->nroles; i++)
		role_free(&c->roles[i]);
	free(c->roles);
	role_free(&c->web);
	free(c->where);
	free(c->key_id);
	secret_free(c->secret);
	secret_free(c->token);
	free(c->token_file);
	secret_free(c->authorization);
	free(c->url);
	*c = (struct chain){0};
}
