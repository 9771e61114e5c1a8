#include "aws/chain.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#define ENV_KEYS       "AWS_ACCESS_KEY_ID=E", "AWS_SECRET_ACCESS_KEY=ES"
#define WEB_ENV        "AWS_WEB_IDENTITY_TOKEN_FILE=/token", "AWS_ROLE_ARN=arn:web"
#define KEYS           "aws_access_key_id = K\naws_secret_access_key = KS\n"
#define CONTAINER(url) "AWS_CONTAINER_CREDENTIALS_FULL_URI=" url

struct choice {
	const char *name;
	const char *environment[4];
	const char *config;
	enum chain_source source;
	const char *where, *detail; /* the key id, the url or the token file */
	const char *roles;          /* "arn/session/external-id/seconds" each, blanks between */
	const char *error;
};

static const struct choice choices[] = {
	{.name = "environment",
	 .environment = {ENV_KEYS, "AWS_SESSION_TOKEN=T"},
	 .config = "[default]\n" KEYS,
	 .where = "the environment",
	 .detail = "E"},
	{.name = "environment beats a chosen profile",
	 .environment = {ENV_KEYS, "AWS_PROFILE=dev"},
	 .config = "[profile dev]\n" KEYS,
	 .where = "the environment",
	 .detail = "E"},
	{.name = "half an environment: no secret",
	 .environment = {"AWS_ACCESS_KEY_ID=E"},
	 .config = "[default]\n" KEYS,
	 .error = "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not"},
	{.name = "half an environment: no id",
	 .environment = {"AWS_SECRET_ACCESS_KEY=ES"},
	 .error = "AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not"},
	{.name = "profile default",
	 .config = "[default]\n" KEYS,
	 .where = "profile default",
	 .detail = "K"},
	{.name = "profile chosen",
	 .environment = {"AWS_PROFILE=dev"},
	 .config = "[default]\n[profile dev]\n" KEYS,
	 .where = "profile dev",
	 .detail = "K"},
	{.name = "profile that is not there",
	 .environment = {"AWS_PROFILE=dev"},
	 .config = "[default]\n" KEYS,
	 .error = "there is no profile dev"},
	{.name = "half a profile",
	 .config = "[default]\naws_access_key_id = K\n",
	 .error = "profile default has aws_access_key_id but not aws_secret_access_key"},
	{.name = "role of a profile with keys",
	 .environment = {"AWS_PROFILE=dev", WEB_ENV},
	 .config = "[default]\n" KEYS "[profile dev]\nrole_arn = arn:a\nsource_profile = default\n"
		   "external_id = x\nrole_session_name = me\nduration_seconds = 1200\n",
	 .where = "profile default",
	 .detail = "K",
	 .roles = "arn:a/me/x/1200"},
	{.name = "roles in a row, the first one first",
	 .environment = {"AWS_PROFILE=c"},
	 .config = "[profile a]\n" KEYS "[profile b]\nrole_arn = arn:b\nsource_profile = a\n"
		   "[profile c]\nrole_arn = arn:c\nsource_profile = b\n",
	 .where = "profile a",
	 .detail = "K",
	 .roles = "arn:b/pointsman/-/0 arn:c/pointsman/-/0"},
	{.name = "a role with the profile's own keys",
	 .config = "[default]\nrole_arn = arn:a\nsource_profile = default\n" KEYS,
	 .where = "profile default",
	 .detail = "K",
	 .roles = "arn:a/pointsman/-/0"},
	{.name = "role with the environment's keys",
	 .environment = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", "AWS_PROFILE=dev"},
	 .config = "[profile dev]\nrole_arn = arn:a\ncredential_source = EcsContainer\n",
	 .source = CHAIN_CONTAINER,
	 .where = "the container endpoint",
	 .detail = "http://169.254.170.2/x",
	 .roles = "arn:a/pointsman/-/0"},
	{.name = "role with the instance's",
	 .config = "[default]\nrole_arn = arn:a\ncredential_source = Ec2InstanceMetadata\n",
	 .source = CHAIN_INSTANCE,
	 .where = "the instance metadata service",
	 .detail = "http://169.254.169.254",
	 .roles = "arn:a/pointsman/-/0"},
	{.name = "role with the environment's, which has none",
	 .config = "[default]\nrole_arn = arn:a\ncredential_source = Environment\n",
	 .error = "takes its credentials from Environment, where there are none"},
	{.name = "role from nowhere",
	 .config = "[default]\nrole_arn = arn:a\ncredential_source = Thin air\n",
	 .error = "credential_source = Thin air is none of"},
	{.name = "role without a source",
	 .config = "[default]\nrole_arn = arn:a\n",
	 .error = "role_arn, but neither source_profile and credential_source"},
	{.name = "role with two sources",
	 .config = "[default]\nrole_arn = a\ncredential_source = Environment\nsource_profile = x\n",
	 .error = "role_arn, but both source_profile and credential_source"},
	{.name = "role whose source is not there",
	 .config = "[default]\nrole_arn = arn:a\nsource_profile = gone\n",
	 .error = "there is no profile gone (source_profile)"},
	{.name = "role whose source is empty",
	 .config = "[default]\nrole_arn = arn:a\nsource_profile = x\n[profile x]\nregion = r\n",
	 .error = "profile x (source_profile) has no credentials"},
	{.name = "roles in a circle",
	 .config = "[default]\nrole_arn = arn:a\nsource_profile = x\n"
		   "[profile x]\nrole_arn = arn:b\nsource_profile = default\n",
	 .error = "a circle of source_profile"},
	{.name = "a code to be typed",
	 .config = "[default]\nrole_arn = arn:a\nsource_profile = default\nmfa_serial = m\n" KEYS,
	 .error = "needs an MFA code (mfa_serial)"},
	{.name = "a duration that is none",
	 .config = "[default]\nrole_arn = a\nsource_profile = default\nduration_seconds = "
		   "long\n" KEYS,
	 .error = "duration_seconds = long is not a number"},
	{.name = "a session name too short for STS",
	 .config =
		 "[default]\nrole_arn = a\nsource_profile = default\nrole_session_name = x\n" KEYS,
	 .error = "at least two characters"},
	{.name = "web identity",
	 .environment = {WEB_ENV, "AWS_ROLE_SESSION_NAME=pod"},
	 .config = "[default]\n" KEYS,
	 .source = CHAIN_WEB,
	 .where = "AWS_WEB_IDENTITY_TOKEN_FILE",
	 .detail = "/token",
	 .roles = "arn:web/pod/-/0"},
	{.name = "web identity without a role",
	 .environment = {"AWS_WEB_IDENTITY_TOKEN_FILE=/token"},
	 .error = "names a web identity token but no role"},
	{.name = "web identity of a profile",
	 .config = "[default]\nweb_identity_token_file = /t\nrole_arn = arn:w\n",
	 .source = CHAIN_WEB,
	 .where = "profile default",
	 .detail = "/t",
	 .roles = "arn:w/pointsman/-/0"},
	{.name = "a role on top of a web identity",
	 .config = "[default]\nrole_arn = arn:a\nsource_profile = w\n"
		   "[profile w]\nweb_identity_token_file = /t\nrole_arn = arn:w\n",
	 .source = CHAIN_WEB,
	 .where = "profile w",
	 .detail = "/t",
	 .roles = "arn:w/pointsman/-/0 arn:a/pointsman/-/0"},
	{.name = "single sign-on",
	 .config = "[default]\nsso_session = corp\n",
	 .error = "profile default signs in by SSO, which is not built in"},
	{.name = "the older single sign-on",
	 .config = "[default]\nsso_start_url = https://x\n",
	 .error = "signs in by SSO, which is not built in"},
	{.name = "a program",
	 .config = "[default]\ncredential_process = /bin/true\n",
	 .error = "asks for a credential_process, which is not built in"},
	{.name = "keys before a program",
	 .config = "[default]\ncredential_process = /bin/true\n" KEYS,
	 .where = "profile default",
	 .detail = "K"},
	{.name = "container, relative",
	 .environment = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x"},
	 .source = CHAIN_CONTAINER,
	 .where = "the container endpoint",
	 .detail = "http://169.254.170.2/v2/x"},
	{.name = "container, this machine",
	 .environment = {CONTAINER("http://127.1.2.3:80/x")},
	 .source = CHAIN_CONTAINER,
	 .where = "the container endpoint",
	 .detail = "http://127.1.2.3:80/x"},
	{.name = "container, by name",
	 .environment = {CONTAINER("http://LocalHost/x")},
	 .source = CHAIN_CONTAINER,
	 .where = "the container endpoint",
	 .detail = "http://LocalHost/x"},
	{.name = "container, IPv6",
	 .environment = {CONTAINER("http://[fd00:ec2::23]/v1")},
	 .source = CHAIN_CONTAINER,
	 .where = "the container endpoint",
	 .detail = "http://[fd00:ec2::23]/v1"},
	{.name = "container, EKS",
	 .environment = {CONTAINER("http://169.254.170.23/v1/credentials")},
	 .source = CHAIN_CONTAINER,
	 .where = "the container endpoint",
	 .detail = "http://169.254.170.23/v1/credentials"},
	{.name = "container, elsewhere over TLS",
	 .environment = {CONTAINER("https://keys.example/x")},
	 .source = CHAIN_CONTAINER,
	 .where = "the container endpoint",
	 .detail = "https://keys.example/x"},
	{.name = "container, elsewhere in clear",
	 .environment = {CONTAINER("http://keys.example/x")},
	 .error = "http is only for this machine"},
	{.name = "container, elsewhere in disguise",
	 .environment = {CONTAINER("http://127.0.0.1@keys.example/x")},
	 .error = "http is only for this machine"},
	{.name = "container, nearly this machine",
	 .environment = {CONTAINER("http://127.0.0.1.example/x")},
	 .error = "http is only for this machine"},
	{.name = "container, no address",
	 .environment = {CONTAINER("file:///x")},
	 .error = "is not an http address"},
	{.name = "instance",
	 .source = CHAIN_INSTANCE,
	 .where = "the instance metadata service",
	 .detail = "http://169.254.169.254"},
	{.name = "instance, IPv6",
	 .environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6"},
	 .source = CHAIN_INSTANCE,
	 .where = "the instance metadata service",
	 .detail = "http://[fd00:ec2::254]"},
	{.name = "instance, elsewhere",
	 .environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1/"},
	 .source = CHAIN_INSTANCE,
	 .where = "the instance metadata service",
	 .detail = "http://127.0.0.1:1"},
	{.name = "nothing at all",
	 .environment = {"AWS_EC2_METADATA_DISABLED=true"},
	 .error = "nothing in the environment (AWS_ACCESS_KEY_ID), in profile default"},
	{.name = "a broken file", .config = "[default\n", .error = "no credentials for AWS: /tmp/"},
	{.name = "a broken file nobody needs",
	 .environment = {ENV_KEYS},
	 .config = "[default\n",
	 .where = "the environment",
	 .detail = "E"},
};

static void describe_role(struct buf *out, const struct chain_role *r)
{
	buf_printf(out, "%s%s/%s/%s/%lld", out->len ? " " : "", r->arn, r->session,
		   r->external_id ? r->external_id : "-", (long long)r->seconds);
}

static void compare(const struct choice *choice, const struct chain *c)
{
	const char *detail = c->source == CHAIN_KEYS  ? c->key_id
			     : c->source == CHAIN_WEB ? c->token_file
						      : c->url;
	struct buf roles = {0};

	if (c->source == CHAIN_WEB)
		describe_role(&roles, &c->web);
	for (size_t i = 0; i < c->nroles; i++)
		describe_role(&roles, &c->roles[i]);
	if (c->source != choice->source || strcmp(c->where, choice->where) != 0 ||
	    strcmp(detail, choice->detail) != 0 ||
	    strcmp(buf_text(&roles), choice->roles ? choice->roles : "") != 0)
		fail_msg("%s: %d %s %s [%s]", choice->name, c->source, c->where, detail,
			 buf_text(&roles));
	buf_free(&roles);
}

static void the_first_that_is_configured_is_taken(void **state)
{
	char path[] = "/tmp/test_chain.XXXXXX";
	char variable[64];

	(void)state;
	close(mkstemp(path));
	snprintf(variable, sizeof variable, "AWS_CONFIG_FILE=%s", path);
	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
		const struct choice *choice = &choices[i];
		const char *const environment[] = {variable,
						   choice->environment[0],
						   choice->environment[1],
						   choice->environment[2],
						   choice->environment[3],
						   NULL};
		struct settings *s = settings_new(environment);
		FILE *file = fopen(path, "w");
		struct chain c;
		struct err err;
		bool ok;

		fputs(choice->config ? choice->config : "", file);
		fclose(file);
		ok = chain_find(s, &c, &err);
		if (ok == (choice->error != NULL))
			fail_msg("%s: %s", choice->name, ok ? c.where : err.text);
		if (ok)
			compare(choice, &c);
		else if (!strstr(err.text, choice->error) ||
			 strstr(err.text, "no credentials for AWS: ") != err.text)
			fail_msg("%s: %s", choice->name, err.text);
		chain_free(&c);
		settings_free(s);
	}
	unlink(path);
}

static void the_authorization_of_a_container_is_a_file_first(void **state)
{
	const char *const environment[] = {CONTAINER("http://127.0.0.1/x"),
					   "AWS_CONTAINER_AUTHORIZATION_TOKEN=inline",
					   "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/file", NULL};
	struct settings *s = settings_new(environment);
	struct chain c;

	(void)state;
	assert_true(chain_find(s, &c, NULL));
	assert_string_equal(c.token_file, "/file");
	assert_null(c.authorization);
	chain_free(&c);
	settings_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_is_configured_is_taken),
		cmocka_unit_test(the_authorization_of_a_container_is_a_file_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
