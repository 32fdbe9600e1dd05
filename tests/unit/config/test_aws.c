/* Backends at AWS: where they are, and which keys requests are signed with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "dialect/dialect.h"
#include "exchange/policy.h"
#include "fake_world.h"

#define FILE_TEXT "[default]\naws_access_key_id=A\naws_secret_access_key=s\n[work]\naws_access_key_id=W\n"
#define M "\nmodels: {m: [o/x]}\n"
#define ENV_MAX 6

static const struct {
	const char *backend;
	struct fake_pair env[ENV_MAX], files[2];
	const char *origin, *region;
	enum credential_kind kind;    /* CREDENTIAL_KIND_COUNT: none */
	const char *account, *path, *token_file;
} rows[] = {
	{ "dialect: bedrock, region: eu-west-1", { { NULL, NULL } }, { { NULL, NULL } },
	  "https://bedrock-runtime.eu-west-1.amazonaws.com", "eu-west-1", CREDENTIAL_AWS_INSTANCE, "", "", "" },
	{ "dialect: bedrock, region: cn-north-1", { { NULL, NULL } }, { { NULL, NULL } },
	  "https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1", CREDENTIAL_AWS_INSTANCE, "", "", "" },
	{ "dialect: bedrock", { { "AWS_DEFAULT_REGION", "us-west-2" }, { "AWS_ACCESS_KEY_ID", "A" },
	    { "AWS_SECRET_ACCESS_KEY", "s" } }, { { NULL, NULL } },
	  "https://bedrock-runtime.us-west-2.amazonaws.com", "us-west-2", CREDENTIAL_AWS_KEYS, "A", "", "" },
	{ "dialect: bedrock, region: x, url: 'http://h/'", { { "AWS_BEARER_TOKEN_BEDROCK", "b" } }, { { NULL, NULL } },
	  "http://h", "x", CREDENTIAL_KIND_COUNT, NULL, NULL, NULL },
	{ "dialect: bedrock, region: x, auth: none", { { NULL, NULL } }, { { NULL, NULL } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_KIND_COUNT, NULL, NULL, NULL },
	{ "dialect: bedrock, region: x", { { "HOME", "/h" } }, { { "/h/.aws/credentials", FILE_TEXT } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_AWS_FILE, "", "/h/.aws/credentials", "" },
	{ "dialect: bedrock, region: x", { { "AWS_SHARED_CREDENTIALS_FILE", "/c" }, { "AWS_PROFILE", "work" } },
	  { { "/c", FILE_TEXT } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_AWS_FILE, "", "/c", "" },
	{ "dialect: bedrock, region: x", { { "AWS_SHARED_CREDENTIALS_FILE", "/c" }, { "AWS_PROFILE", "none" } },
	  { { "/c", FILE_TEXT } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_AWS_INSTANCE, "", "", "" },
	{ "dialect: bedrock, region: x, credential: {kind: aws, profile: work, file: /c}",
	  { { "AWS_ACCESS_KEY_ID", "A" }, { "AWS_SECRET_ACCESS_KEY", "s" } }, { { "/c", FILE_TEXT } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_AWS_FILE, "", "/c", "" },
	{ "dialect: bedrock, region: x, credential: {kind: aws, client: C, secret: s, token: t}", { { NULL, NULL } },
	  { { NULL, NULL } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_AWS_KEYS, "C", "", "" },
	{ "dialect: bedrock, region: x", { { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/c?a=b" } }, { { NULL, NULL } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_AWS_CONTAINER, "", "/v2/c?a=b", "" },
	{ "dialect: bedrock, region: x", { { "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/c" },
	    { "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t" } }, { { NULL, NULL } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_AWS_CONTAINER, "", "/v1/c", "/t" },
	{ "dialect: bedrock, region: x, credential: {kind: aws_metadata, client: role}", { { "AWS_ACCESS_KEY_ID", "A" } },
	  { { NULL, NULL } },
	  "https://bedrock-runtime.x.amazonaws.com", "x", CREDENTIAL_AWS_INSTANCE, "role", "", "" },
};

static bool is_text(struct slice got, const char *expected)
{
	return slice_eq(got, expected ? slice_of(expected) : SLICE_NONE);
}

static struct config *parse(const char *backend, const struct fake_world *world, struct buf *errors)
{
	struct config_source source = fake_source(world);
	struct buf text = BUF_INIT(4096);
	struct config *c;

	buf_putf(&text, "backends: {o: {%s}}" M, backend);
	c = config_parse(S("/etc/backstay/b.yaml"), buf_slice(&text), &source, errors);
	buf_free(&text);
	return c;
}

static void finds_place_and_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fake_world world = { rows[i].env, rows[i].files };
		struct buf errors = BUF_INIT(65536), url = BUF_INIT(4096);
		struct config *c = parse(rows[i].backend, &world, &errors);
		const struct backend_policy *b;

		if (!c)
			fail_msg("%s: %.*s", rows[i].backend, SLICE_ARG(buf_slice(&errors)));
		b = &c->backends[0];
		buf_putf(&url, "%s://%.*s%.*s", b->origins[0].tls ? "https" : "http", SLICE_ARG(b->origins[0].authority),
			 SLICE_ARG(b->origins[0].base_path));
		if (!is_text(buf_slice(&url), rows[i].origin) || !is_text(b->place->location, rows[i].region))
			fail_msg("%s: %.*s", rows[i].backend, SLICE_ARG(buf_slice(&url)));
		if (!b->credential != (rows[i].kind == CREDENTIAL_KIND_COUNT))
			fail_msg("%s: a credential, or none", rows[i].backend);
		if (b->credential && (b->credential->kind != rows[i].kind || !b->credential->signs ||
				      !is_text(b->credential->account, rows[i].account) ||
				      !is_text(b->credential->path, rows[i].path) ||
				      !is_text(b->credential->token_file, rows[i].token_file)))
			fail_msg("%s: kind %d %.*s", rows[i].backend, (int)b->credential->kind,
				 SLICE_ARG(b->credential->path));
		config_give(c);
		assert_int_equal(fake_tls_alive(), 0);
		buf_free(&errors);
		buf_free(&url);
	}
}

static const struct {
	const char *backend;
	struct fake_pair env[ENV_MAX];
	const char *says;
} mistakes[] = {
	{ "dialect: bedrock", { { NULL, NULL } }, "needs its \"region\", as in region: us-east-1" },
	{ "dialect: bedrock, region: 'a/b'", { { NULL, NULL } }, "needs its \"region\"" },
	{ "url: 'http://h', region: x", { { NULL, NULL } }, "are for the dialect bedrock" },
	{ "dialect: bedrock, region: x, guardrail: 'a b'", { { NULL, NULL } }, "\"guardrail\" is the id" },
	{ "dialect: bedrock, region: x, credential: {kind: aws, client: A}", { { NULL, NULL } }, "AWS keys lack" },
	{ "dialect: bedrock, region: x, credential: {kind: aws, client: A, secret: 'a b'}", { { NULL, NULL } },
	  "or hold a space" },
	{ "dialect: bedrock, region: x, credential: {kind: aws, file: /none}", { { NULL, NULL } }, "cannot be read" },
	{ "dialect: bedrock, region: x", { { "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://far.test/x" } },
	  "must be https, or an address of the container's own host" },
	{ "dialect: bedrock, region: x, key: k, credential: {kind: aws}", { { NULL, NULL } }, "keep one" },
};

static void says_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		static const struct fake_pair none[] = { { NULL, NULL } };
		struct fake_world world = { mistakes[i].env, none };
		struct buf errors = BUF_INIT(65536);

		assert_null(parse(mistakes[i].backend, &world, &errors));
		if (slice_find_slice(buf_slice(&errors), slice_of(mistakes[i].says)) == SLICE_NOT_FOUND)
			fail_msg("%s: %.*s", mistakes[i].backend, SLICE_ARG(buf_slice(&errors)));
		assert_int_equal(fake_tls_alive(), 0);
		buf_free(&errors);
	}
}

static void tells_converse_what_is_always_wanted(void **state)
{
	static const struct { const char *backend, *members; } wanted[] = {
		{ "dialect: bedrock, region: x", "" },
		{ "dialect: bedrock, region: x, guardrail: gr1",
		  "\"guardrailConfig\":{\"guardrailIdentifier\":\"gr1\",\"guardrailVersion\":\"DRAFT\"}" },
		{ "dialect: bedrock, region: x, guardrail: 'arn:aws:bedrock:x:1:guardrail/gr1:12', latency: optimized",
		  "\"guardrailConfig\":{\"guardrailIdentifier\":\"arn:aws:bedrock:x:1:guardrail/gr1\","
		  "\"guardrailVersion\":\"12\"},\"performanceConfig\":{\"latency\":\"optimized\"}" },
		{ "dialect: bedrock, region: x, latency: optimized", "\"performanceConfig\":{\"latency\":\"optimized\"}" },
	};
	static const struct fake_pair none[] = { { NULL, NULL } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		struct fake_world world = { none, none };
		struct buf errors = BUF_INIT(65536);
		struct config *c = parse(wanted[i].backend, &world, &errors);

		assert_non_null(c);
		if (!is_text(c->backends[0].more_members, wanted[i].members))
			fail_msg("%s: %.*s", wanted[i].backend, SLICE_ARG(c->backends[0].more_members));
		config_give(c);
		buf_free(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_place_and_keys),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(tells_converse_what_is_always_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
