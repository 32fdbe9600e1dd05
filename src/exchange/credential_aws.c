/* credential_aws.c: how AWS's credentials are had. Sources: AWS SDKs and Tools
 * Reference Guide, "Shared config and credentials files", "Container credential
 * provider", "IMDS credential provider"; EC2 User Guide, "Use IMDSv2". */
#include "exchange/credentials.h"

#include "base/check.h"
#include "dialect/dialect.h"
#include "wire/ini.h"
#include "wire/json.h"

/* Keys that do not say when they end may have been changed in their file. */
#define FILE_LIVES_MS (15 * 60 * 1000)
#define TOKEN_TTL "21600"             /* of IMDSv2: seconds, the most there is */
#define ROLES "/latest/meta-data/iam/security-credentials/"

static enum credential_step broken(struct credential_fetch *f, const char *why)
{
	f->why = slice_of(why);
	return CREDENTIAL_BROKEN;
}

static enum credential_step refused(struct credential_fetch *f, const char *why)
{
	f->why = slice_of(why);
	return CREDENTIAL_REFUSED;
}

/* Becomes a header's value or part of a path: nothing may end it early. */
static bool is_visible(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= 0x20 || text.at[i] >= 0x7f)
			return false;
	return text.len > 0;
}

static enum credential_step ask(struct credential_fetch *f, const char *method, struct slice path,
				struct slice headers)
{
	f->method = slice_of(method);
	f->path = path;
	f->headers = headers;
	f->body = SLICE_NONE;
	return CREDENTIAL_ASK;
}

/* ---- keys that are written down ------------------------------------------------------ */

static enum credential_step begin_keys(struct credential_fetch *f)
{
	f->result = (struct credential){
		.account = f->policy->account, .secret = f->policy->secret, .token = f->policy->session,
	};
	f->lives_ms = -1;
	return CREDENTIAL_HAVE;
}

static enum credential_step answer_keys(struct credential_fetch *f, int status, struct slice body)
{
	(void)status;
	(void)body;
	return broken(f, "nobody was asked");
}

const struct credential_provider credential_aws_keys = { begin_keys, answer_keys };

/* ---- the shared file --------------------------------------------------------------------- */

static enum credential_step begin_file(struct credential_fetch *f)
{
	f->path = f->policy->path;
	return CREDENTIAL_FILE;
}

static enum credential_step answer_file(struct credential_fetch *f, int status, struct slice body)
{
	struct slice profile = f->policy->scope;
	struct slice account = ini_value(body, profile, S("aws_access_key_id"));
	struct slice secret = ini_value(body, profile, S("aws_secret_access_key"));
	struct slice token = ini_value(body, profile, S("aws_session_token"));

	if (status != 200)
		return broken(f, "the credentials file cannot be read; check its path and permissions");
	if (!is_visible(account) || !is_visible(secret) || (token.len && !is_visible(token))) {
		f->why = arena_printf(f->arena, "the profile %.*s of the credentials file has no "
				      "aws_access_key_id and aws_secret_access_key; write them there",
				      SLICE_ARG(profile));
		return CREDENTIAL_REFUSED;
	}
	f->result = (struct credential){
		.account = arena_copy(f->arena, account), .secret = arena_copy(f->arena, secret),
		.token = arena_copy(f->arena, token),
	};
	f->lives_ms = FILE_LIVES_MS;
	return CREDENTIAL_HAVE;
}

const struct credential_provider credential_aws_file = { begin_file, answer_file };

/* ---- what endpoints answer ----------------------------------------------------------------- */

/* {"AccessKeyId","SecretAccessKey","Token","Expiration"} */
static enum credential_step read_keys(struct credential_fetch *f, struct slice body)
{
	struct slice account, secret, token, end;
	int64_t end_ms;

	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return broken(f, "its answer is no JSON object");
	account = json_string(f->arena, json_member(body, S("AccessKeyId")));
	secret = json_string(f->arena, json_member(body, S("SecretAccessKey")));
	token = json_string(f->arena, json_member(body, S("Token")));
	end = json_string(f->arena, json_member(body, S("Expiration")));
	if (!is_visible(account) || !is_visible(secret) || (token.len && !is_visible(token)))
		return broken(f, "its answer lacks AccessKeyId or SecretAccessKey");
	f->result = (struct credential){
		.account = arena_copy(f->arena, account), .secret = arena_copy(f->arena, secret),
		.token = arena_copy(f->arena, token),
	};
	f->lives_ms = FILE_LIVES_MS;
	if (dialect_read_date(end, f->wall_ms, &end_ms))
		f->lives_ms = end_ms > f->wall_ms ? end_ms - f->wall_ms : 0;
	return f->lives_ms > 0 ? CREDENTIAL_HAVE : broken(f, "what it gives has ended already; check the "
							  "machine's clock");
}

/* ---- a container's endpoint ------------------------------------------------------------------- */

static enum credential_step ask_container(struct credential_fetch *f, struct slice token)
{
	if (!token.len)
		return ask(f, "GET", f->policy->path, S("Accept: application/json\r\n"));
	if (!is_visible(token))
		return refused(f, "the token to be shown holds a space or a byte that is not ASCII; check "
			       "AWS_CONTAINER_AUTHORIZATION_TOKEN and the file");
	return ask(f, "GET", f->policy->path,
		   arena_printf(f->arena, "Accept: application/json\r\nAuthorization: %.*s\r\n", SLICE_ARG(token)));
}

static enum credential_step begin_container(struct credential_fetch *f)
{
	if (!f->policy->token_file.len) {
		f->own = f;                      /* the token, if any, is known */
		return ask_container(f, f->policy->secret);
	}
	f->path = f->policy->token_file;
	return CREDENTIAL_FILE;
}

static enum credential_step answer_container(struct credential_fetch *f, int status, struct slice body)
{
	if (!f->own) {
		f->own = f;
		if (status != 200)
			return broken(f, "the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read");
		return ask_container(f, arena_copy(f->arena, slice_trim(body)));
	}
	if (status >= 500 || status == 429)
		return broken(f, "the container's endpoint is in trouble");
	if (status != 200)
		return refused(f, "the container's endpoint gives no credentials; check the task's or the "
			       "pod's role");
	return read_keys(f, body);
}

const struct credential_provider credential_aws_container = { begin_container, answer_container };

/* ---- a machine's metadata server ------------------------------------------------------------------ */

/* What has been asked of it so far. */
struct instance {
	struct slice header;         /* that shows the session's token */
	bool knows_role;
};

static enum credential_step begin_instance(struct credential_fetch *f)
{
	return ask(f, "PUT", S("/latest/api/token"),
		   S("X-aws-ec2-metadata-token-ttl-seconds: " TOKEN_TTL "\r\n"));
}

static enum credential_step ask_role(struct credential_fetch *f, struct instance *own, struct slice role)
{
	own->knows_role = true;
	return ask(f, "GET", arena_printf(f->arena, ROLES "%.*s", SLICE_ARG(role)), own->header);
}

static enum credential_step answer_token(struct credential_fetch *f, int status, struct slice token)
{
	struct instance *own = arena_new(f->arena, struct instance);

	if (status != 200 || !is_visible(token))
		return status == 403 || status == 404 || status == 405
			? refused(f, "the metadata server gives no session; allow IMDSv2 on the machine (with "
				  "a hop limit of 2 inside containers)")
			: broken(f, "the metadata server is in trouble");
	own->header = arena_printf(f->arena, "X-aws-ec2-metadata-token: %.*s\r\n", SLICE_ARG(token));
	f->own = own;
	return f->policy->account.len ? ask_role(f, own, f->policy->account)
				      : ask(f, "GET", S(ROLES), own->header);
}

static enum credential_step answer_instance(struct credential_fetch *f, int status, struct slice body)
{
	struct instance *own = f->own;
	struct slice line = slice_trim(body), rest;

	if (!own)
		return answer_token(f, status, line);
	if (status == 404)
		return refused(f, "the machine has no role; attach an instance profile that may use Bedrock");
	if (status != 200)
		return broken(f, "the metadata server is in trouble");
	if (own->knows_role)
		return read_keys(f, body);
	/* One role a line; the first is the machine's. */
	if (slice_cut(line, '\n', &line, &rest))
		line = slice_trim(line);
	if (!is_visible(line))
		return refused(f, "the machine has no role; attach an instance profile that may use Bedrock");
	return ask_role(f, own, arena_copy(f->arena, line));
}

const struct credential_provider credential_aws_instance = { begin_instance, answer_instance };
