/* Where AWS's keys are had: what is asked, and what answers mean. */
#include "base/check.h"
#include "exchange/credentials.h"

#include "../base/cm.h"

#define WALL_MS 1767225600000         /* 2026-01-01 */
#define KEYS "{\"Code\":\"Success\",\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":\"s/e+c\",\"Token\":\"t==\"," \
	"\"Expiration\":\"2026-01-01T01:00:00Z\"}"

static const struct credential_policy keys = {
	.kind = CREDENTIAL_AWS_KEYS, .account = S_INIT("AKID"), .secret = S_INIT("s"), .session = S_INIT("t"),
};
static const struct credential_policy file = {
	.kind = CREDENTIAL_AWS_FILE, .path = S_INIT("/home/x/.aws/credentials"), .scope = S_INIT("work"),
};
static const struct credential_policy plain_container = {
	.kind = CREDENTIAL_AWS_CONTAINER, .path = S_INIT("/v2/credentials/1?x"),
};
static const struct credential_policy token_container = {
	.kind = CREDENTIAL_AWS_CONTAINER, .path = S_INIT("/keys"), .secret = S_INIT("Basic abc"),
};
static const struct credential_policy good_container = {
	.kind = CREDENTIAL_AWS_CONTAINER, .path = S_INIT("/keys"), .secret = S_INIT("abc"),
};
static const struct credential_policy file_container = {
	.kind = CREDENTIAL_AWS_CONTAINER, .path = S_INIT("/keys"), .token_file = S_INIT("/run/token"),
};
static const struct credential_policy machine = { .kind = CREDENTIAL_AWS_INSTANCE };
static const struct credential_policy known_role = {
	.kind = CREDENTIAL_AWS_INSTANCE, .account = S_INIT("r"),
};

/* What each step asks, as "METHOD PATH HEADERS" or "file PATH", and the answer it
 * gets: STATUS and text. The last step says how it ended. */
struct step { const char *asks; int status; const char *answer; };

static const struct {
	const struct credential_provider *provider;
	const struct credential_policy *policy;
	struct step steps[5];
	const char *end;              /* "AKID s/e+c t== 3600000", or "refused ..." */
} fetches[] = {
	{ &credential_aws_keys, &keys, { { NULL, 0, NULL } }, "AKID s t -1" },

	{ &credential_aws_file, &file, { { "file /home/x/.aws/credentials", 200,
	    "[default]\naws_access_key_id=no\n[work]\naws_access_key_id = AKID\naws_secret_access_key = s\n"
	    "aws_session_token=t\n" } }, "AKID s t 900000" },
	{ &credential_aws_file, &file, { { "file /home/x/.aws/credentials", 404, "" } }, "broken the credentials file" },
	{ &credential_aws_file, &file, { { "file /home/x/.aws/credentials", 200, "[work]\nrole_arn = x\n" } },
	  "refused the profile work of the credentials file has no aws_access_key_id" },

	{ &credential_aws_container, &plain_container, { { "GET /v2/credentials/1?x Accept: application/json\r\n", 200,
	    KEYS } }, "AKID s/e+c t== 3600000" },
	{ &credential_aws_container, &good_container, { { "GET /keys Accept: application/json\r\nAuthorization: abc\r\n",
	    200, KEYS } }, "AKID s/e+c t== 3600000" },
	{ &credential_aws_container, &token_container, { { NULL, 0, NULL } }, "refused the token to be shown" },
	{ &credential_aws_container, &file_container, { { "file /run/token", 200, "tok\n" },
	    { "GET /keys Accept: application/json\r\nAuthorization: tok\r\n", 200, KEYS } }, "AKID s/e+c t== 3600000" },
	{ &credential_aws_container, &file_container, { { "file /run/token", 404, "" } }, "broken the file of" },
	{ &credential_aws_container, &plain_container, { { "GET /v2/credentials/1?x Accept: application/json\r\n", 404,
	    "" } }, "refused the container's endpoint gives no credentials" },
	{ &credential_aws_container, &plain_container, { { "GET /v2/credentials/1?x Accept: application/json\r\n", 500,
	    "" } }, "broken the container's endpoint is in trouble" },
	{ &credential_aws_container, &plain_container, { { "GET /v2/credentials/1?x Accept: application/json\r\n", 200,
	    "<html>" } }, "broken its answer is no JSON" },
	{ &credential_aws_container, &plain_container, { { "GET /v2/credentials/1?x Accept: application/json\r\n", 200,
	    "{\"AccessKeyId\":\"A\"}" } }, "broken its answer lacks" },
	{ &credential_aws_container, &plain_container, { { "GET /v2/credentials/1?x Accept: application/json\r\n", 200,
	    "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Expiration\":\"2025-12-31T23:59:59Z\"}" } },
	  "broken what it gives has ended already" },
	{ &credential_aws_container, &plain_container, { { "GET /v2/credentials/1?x Accept: application/json\r\n", 200,
	    "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}" } }, "A s  900000" },

	{ &credential_aws_instance, &machine, {
	    { "PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", 200, "tok==" },
	    { "GET /latest/meta-data/iam/security-credentials/ X-aws-ec2-metadata-token: tok==\r\n", 200, "role\nother\n" },
	    { "GET /latest/meta-data/iam/security-credentials/role X-aws-ec2-metadata-token: tok==\r\n", 200, KEYS } },
	  "AKID s/e+c t== 3600000" },
	{ &credential_aws_instance, &known_role, {
	    { "PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", 200, "tok" },
	    { "GET /latest/meta-data/iam/security-credentials/r X-aws-ec2-metadata-token: tok\r\n", 200, KEYS } },
	  "AKID s/e+c t== 3600000" },
	{ &credential_aws_instance, &machine, {
	    { "PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", 403, "" } },
	  "refused the metadata server gives no session" },
	{ &credential_aws_instance, &machine, {
	    { "PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", 200, "bad\ntoken" } },
	  "broken the metadata server is in trouble" },
	{ &credential_aws_instance, &machine, {
	    { "PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", 200, "tok" },
	    { "GET /latest/meta-data/iam/security-credentials/ X-aws-ec2-metadata-token: tok\r\n", 404, "" } },
	  "refused the machine has no role" },
	{ &credential_aws_instance, &machine, {
	    { "PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", 200, "tok" },
	    { "GET /latest/meta-data/iam/security-credentials/ X-aws-ec2-metadata-token: tok\r\n", 200, "a role" } },
	  "refused the machine has no role" },
};

static struct slice asked(struct credential_fetch *f, enum credential_step step)
{
	if (step == CREDENTIAL_FILE)
		return arena_printf(f->arena, "file %.*s", SLICE_ARG(f->path));
	assert_int_equal(f->body.len, 0);
	return arena_printf(f->arena, "%.*s %.*s %.*s", SLICE_ARG(f->method), SLICE_ARG(f->path), SLICE_ARG(f->headers));
}

static struct slice ended(struct credential_fetch *f, enum credential_step step)
{
	if (step == CREDENTIAL_HAVE)
		return arena_printf(f->arena, "%.*s %.*s %.*s %lld", SLICE_ARG(f->result.account),
				    SLICE_ARG(f->result.secret), SLICE_ARG(f->result.token), (long long)f->lives_ms);
	return arena_printf(f->arena, "%s %.*s", step == CREDENTIAL_REFUSED ? "refused" : "broken", SLICE_ARG(f->why));
}

static void fetches_as_aws_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(fetches); i++) {
		struct credential_fetch f = { .policy = fetches[i].policy, .arena = arena_create(0), .wall_ms = WALL_MS,
					      .lives_ms = -1 };
		enum credential_step step = fetches[i].provider->begin(&f);

		for (const struct step *s = fetches[i].steps; s->asks; s++) {
			row_holds(step == CREDENTIAL_ASK || step == CREDENTIAL_FILE, s->asks);
			row_holds(slice_eq(asked(&f, step), slice_of(s->asks)), s->asks);
			step = fetches[i].provider->answer(&f, s->status, slice_of(s->answer));
		}
		row_holds(step != CREDENTIAL_ASK && step != CREDENTIAL_FILE, fetches[i].end);
		row_holds(slice_starts(ended(&f, step), slice_of(fetches[i].end)), fetches[i].end);
		arena_free(f.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fetches_as_aws_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
