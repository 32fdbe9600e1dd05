/* Credentials that a token endpoint or a metadata server gives.
 *
 * Google: a claim signed with a service account's key is exchanged for a token
 * (developers.google.com/identity/protocols/oauth2/service-account; RFC 7523),
 * so is the refresh token that gcloud keeps for a person; machines in its cloud
 * ask their metadata server (cloud.google.com/compute/docs/access). Microsoft:
 * client credentials (learn.microsoft.com/entra/identity-platform/
 * v2-oauth2-client-creds-grant-flow), and the metadata server of machines with
 * a managed identity. */
#include "exchange/credentials.h"

#include "base/check.h"
#include "base/sign.h"
#include "wire/json.h"

#define TEXT_MAX ((size_t)64 * 1024)
#define CLAIM_LIVES_S 3600
/* What an answer that does not say is taken to mean. */
#define LIVES_UNSAID_S 300
#define LIVES_MAX_S (24 * 60 * 60)

/* ---- shared ------------------------------------------------------------------------- */

void credential_put_field(struct buf *out, const char *name, struct slice value)
{
	if (buf_len(out))
		buf_puts(out, "&");
	buf_putf(out, "%s=", name);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '.' || c == '_' || c == '~')
			buf_put(out, slice_sub(value, i, i + 1));
		else
			buf_putf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

/* As a number or a string of one (Azure's metadata server). */
static int64_t lives_s(struct credential_fetch *f, struct slice raw)
{
	int64_t s;
	struct slice text = json_string(f->arena, raw);

	if (!json_i64(raw, &s) && !slice_to_i64(text, &s))
		return LIVES_UNSAID_S;
	return s < 0 ? 0 : s > LIVES_MAX_S ? LIVES_MAX_S : s;
}

static enum credential_step refuse(struct credential_fetch *f, int status, struct slice body,
				   const char *who, const char *remedy)
{
	struct slice error = SLICE_NONE, more = SLICE_NONE;

	if (json_validate(body, NULL) == JSON_OK && json_type_of(body) == JSON_OBJECT) {
		error = json_string(f->arena, json_member(body, S("error")));
		more = json_string(f->arena, json_member(body, S("error_description")));
	}
	f->why = arena_printf(f->arena, "%s answered %d %.*s%s%.*s; %s", who, status, SLICE_ARG(error),
			      more.len ? ": " : "", SLICE_ARG(more), remedy);
	/* Asked too often, or in trouble of its own: that says nothing of the key. */
	return status >= 500 || status == 429 || status == 408 ? CREDENTIAL_BROKEN : CREDENTIAL_REFUSED;
}

/* Fit for a header. */
static bool is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= 0x20 || s.at[i] >= 0x7f)
			return false;
	return s.len > 0;
}

enum credential_step credential_read_token(struct credential_fetch *f, int status, struct slice body,
					   const char *who, const char *remedy)
{
	struct slice token;

	if (status != 200)
		return refuse(f, status, body, who, remedy);
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT) {
		f->why = arena_printf(f->arena, "%s answered no JSON", who);
		return CREDENTIAL_BROKEN;
	}
	token = json_string(f->arena, json_member(body, S("access_token")));
	if (!is_token(token)) {
		f->why = arena_printf(f->arena, "%s's answer has no usable access_token", who);
		return CREDENTIAL_BROKEN;
	}
	f->result.token = token;
	f->lives_ms = lives_s(f, json_member(body, S("expires_in"))) * 1000;
	return CREDENTIAL_HAVE;
}

static enum credential_step ask_form(struct credential_fetch *f, struct buf *form)
{
	f->method = S("POST");
	f->path = f->policy->path;
	f->headers = S("Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\n");
	f->body = arena_copy(f->arena, buf_slice(form));
	buf_free(form);
	return CREDENTIAL_ASK;
}

/* ---- Google ----------------------------------------------------------------------------- */

/* {"alg":"RS256",…}.{claims}.signature, each base64url. */
static bool write_claim(const struct credential_fetch *f, const struct sign_key *key, struct buf *out)
{
	const struct credential_policy *p = f->policy;
	long long now = f->wall_ms / 1000;
	struct buf part = BUF_INIT(TEXT_MAX);
	bool good;

	buf_puts(&part, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
	if (p->key_id.len) {
		buf_puts(&part, ",\"kid\":");
		json_write_string(&part, p->key_id);
	}
	buf_puts(&part, "}");
	good = sign_base64url(buf_slice(&part), out) && buf_append(out, S("."));
	buf_clear(&part);
	buf_puts(&part, "{\"iss\":");
	json_write_string(&part, p->account);
	buf_puts(&part, ",\"scope\":");
	json_write_string(&part, p->scope);
	buf_puts(&part, ",\"aud\":");
	json_write_string(&part, p->audience);
	buf_putf(&part, ",\"iat\":%lld,\"exp\":%lld}", now, now + CLAIM_LIVES_S);
	good = good && sign_base64url(buf_slice(&part), out);
	buf_clear(&part);
	good = good && sign_rs256(key, buf_slice(out), &part) && buf_append(out, S(".")) &&
	       buf_append(out, buf_slice(&part));
	buf_free(&part);
	return good;
}

static enum credential_step begin_google_key(struct credential_fetch *f)
{
	struct sign_key *key = sign_key_read(f->policy->secret);
	struct buf claim = BUF_INIT(TEXT_MAX), form = BUF_INIT(4 * TEXT_MAX);
	bool good = key && write_claim(f, key, &claim);

	sign_key_free(key);
	if (good) {
		credential_put_field(&form, "grant_type", S("urn:ietf:params:oauth:grant-type:jwt-bearer"));
		credential_put_field(&form, "assertion", buf_slice(&claim));
	}
	buf_free(&claim);
	if (good)
		return ask_form(f, &form);
	buf_free(&form);
	f->why = S("the private key of the key file cannot sign; make a new key for the service account");
	return CREDENTIAL_REFUSED;
}

static enum credential_step answer_google_key(struct credential_fetch *f, int status, struct slice body)
{
	return credential_read_token(f, status, body, "Google's token endpoint",
				     "check that the service account and its key still exist, and the "
				     "machine's clock");
}

static enum credential_step begin_google_user(struct credential_fetch *f)
{
	struct buf form = BUF_INIT(4 * TEXT_MAX);

	credential_put_field(&form, "grant_type", S("refresh_token"));
	credential_put_field(&form, "client_id", f->policy->account);
	credential_put_field(&form, "client_secret", f->policy->key_id);
	credential_put_field(&form, "refresh_token", f->policy->secret);
	return ask_form(f, &form);
}

static enum credential_step answer_google_user(struct credential_fetch *f, int status,
					       struct slice body)
{
	return credential_read_token(f, status, body, "Google's token endpoint",
				     "log in anew with gcloud auth application-default login");
}

static enum credential_step begin_google_metadata(struct credential_fetch *f)
{
	f->method = S("GET");
	f->path = f->policy->path;
	f->headers = S("Metadata-Flavor: Google\r\n");
	f->body = SLICE_NONE;
	return CREDENTIAL_ASK;
}

static enum credential_step answer_google_metadata(struct credential_fetch *f, int status,
						   struct slice body)
{
	return credential_read_token(f, status, body, "the metadata server",
				     "give the machine a service account with the scope cloud-platform");
}

const struct credential_provider credential_google_key = { begin_google_key, answer_google_key };
const struct credential_provider credential_google_user = { begin_google_user, answer_google_user };
const struct credential_provider credential_google_metadata = {
	begin_google_metadata, answer_google_metadata,
};

/* ---- Microsoft ----------------------------------------------------------------------------- */

static enum credential_step begin_entra(struct credential_fetch *f)
{
	struct buf form = BUF_INIT(4 * TEXT_MAX);

	credential_put_field(&form, "grant_type", S("client_credentials"));
	credential_put_field(&form, "client_id", f->policy->account);
	credential_put_field(&form, "client_secret", f->policy->secret);
	credential_put_field(&form, "scope", f->policy->scope);
	return ask_form(f, &form);
}

static enum credential_step answer_entra(struct credential_fetch *f, int status, struct slice body)
{
	return credential_read_token(f, status, body, "Microsoft Entra",
				     "check tenant, client and secret (it may have expired)");
}

static enum credential_step begin_azure_metadata(struct credential_fetch *f)
{
	f->method = S("GET");
	f->path = f->policy->path;
	f->headers = S("Metadata: true\r\n");
	f->body = SLICE_NONE;
	return CREDENTIAL_ASK;
}

static enum credential_step answer_azure_metadata(struct credential_fetch *f, int status,
						  struct slice body)
{
	return credential_read_token(f, status, body, "the metadata server",
				     "give the machine a managed identity that may use the resource");
}

const struct credential_provider credential_entra = { begin_entra, answer_entra };
const struct credential_provider credential_azure_metadata = {
	begin_azure_metadata, answer_azure_metadata,
};
