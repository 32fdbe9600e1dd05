/* credential.c: a backend's `credential`: what is to be fetched, from where. */
#include "config/inside.h"

#include "base/sign.h"
#include "exchange/policy.h"
#include "wire/ini.h"
#include "wire/json.h"
#include "wire/url.h"

#include <string.h>

#define KEY_FILE_MAX ((size_t)64 * 1024)
#define GOOGLE_SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define GOOGLE_METADATA "http://metadata.google.internal"
#define ENTRA "https://login.microsoftonline.com"
#define ENTRA_SCOPE "https://cognitiveservices.azure.com/.default"
#define AZURE_METADATA "http://169.254.169.254"
#define AWS_METADATA "http://169.254.169.254"
#define AWS_CONTAINERS "http://169.254.170.2"

/* The `kind` of a config: a Google credential has several of ours. */
enum credential_word { WORD_GOOGLE, WORD_GOOGLE_METADATA, WORD_ENTRA, WORD_AZURE_METADATA, WORD_AWS,
		       WORD_AWS_METADATA };

const struct choice credential_words[] = {
	{ "google", WORD_GOOGLE }, { "google_metadata", WORD_GOOGLE_METADATA },
	{ "entra", WORD_ENTRA }, { "azure_metadata", WORD_AZURE_METADATA }, { "aws", WORD_AWS },
	{ "aws_metadata", WORD_AWS_METADATA }, { NULL, 0 },
};

struct credential_reading {
	struct reader *r;
	struct node *at, *proxy;
	struct raw_credential raw;
	struct credential_policy *out;
	int64_t connect_ms;
};

/* ---- where it is asked for ------------------------------------------------------------ */

/* `text` is a URL with or without a path; *url is its parts. False after a complaint. */
static bool set_origin(struct credential_reading *c, const struct node *at, struct slice text,
		       struct url *url)
{
	struct reader *r = c->r;
	struct origin *o = arena_new(r->arena, struct origin);
	struct io_tls *tls;
	const char *why = "";

	if (!url_parse(text, url, &why)) {
		complain_at(r, at, "%s is no URL to fetch a credential from: %s", quote(r, text), why);
		return false;
	}
	o->host = lower_copy(r->arena, url->host);
	o->port = url->port;
	o->tls = url->tls;
	url->host = o->host;
	o->authority = url_authority(r->arena, url);
	o->base_path = SLICE_NONE;
	o->connect_ms = c->connect_ms;
	o->idle_max = 1;
	/* Metadata servers are the machine's own: nothing stands between. */
	if (o->tls)
		o->proxy = proxy_for(r, c->proxy, o->tls, o->host, o->port);
	o->key = origin_key_of(r, o, SLICE_NONE);
	if (o->tls) {
		tls = origin_system_tls(r, at);
		if (!tls)
			return false;
		o->tls_setup = io_tls_take(tls);
	}
	c->out->origin = o;
	return true;
}

/* The URL of the config, or else where such things are. */
static bool set_base(struct credential_reading *c, struct slice fallback, struct url *url)
{
	struct slice text = fallback;

	if (c->raw.url && !scalar_of(c->r, "url", c->raw.url, &text))
		return false;
	return set_origin(c, c->raw.url ? c->raw.url : c->at, text, url);
}

/* ---- Google ----------------------------------------------------------------------------- */

static struct slice member_of(struct reader *r, struct slice object, struct slice name)
{
	struct slice text = json_string(r->scratch, json_member(object, name));

	return text.len ? arena_copy(r->arena, text) : SLICE_NONE;
}

static bool read_service_account(struct credential_reading *c, const struct node *at, struct slice json)
{
	struct credential_policy *out = c->out;
	struct sign_key *key;
	struct url url;

	out->kind = CREDENTIAL_GOOGLE_KEY;
	out->account = member_of(c->r, json, S("client_email"));
	out->secret = member_of(c->r, json, S("private_key"));
	out->key_id = member_of(c->r, json, S("private_key_id"));
	out->project = member_of(c->r, json, S("project_id"));
	out->audience = member_of(c->r, json, S("token_uri"));
	if (!out->account.len || !out->secret.len || !out->audience.len) {
		complain_at(c->r, at, "the service account's key lacks client_email, private_key or "
			    "token_uri; download it anew from the Google Cloud console");
		return false;
	}
	key = sign_key_read(out->secret);
	if (!key) {
		complain_at(c->r, at, "the private_key of the service account's key is no RSA key in PEM; "
			    "download the key file anew");
		return false;
	}
	sign_key_free(key);
	if (!set_base(c, out->audience, &url))
		return false;
	out->path = url.path.len ? arena_copy(c->r->arena, url.path) : S("/");
	return true;
}

static bool read_user(struct credential_reading *c, const struct node *at, struct slice json)
{
	struct credential_policy *out = c->out;
	struct url url;

	out->kind = CREDENTIAL_GOOGLE_USER;
	out->account = member_of(c->r, json, S("client_id"));
	out->key_id = member_of(c->r, json, S("client_secret"));
	out->secret = member_of(c->r, json, S("refresh_token"));
	out->project = member_of(c->r, json, S("quota_project_id"));
	if (!out->account.len || !out->key_id.len || !out->secret.len) {
		complain_at(c->r, at, "the credentials of a user lack client_id, client_secret or "
			    "refresh_token; run gcloud auth application-default login");
		return false;
	}
	if (!set_base(c, S("https://oauth2.googleapis.com/token"), &url))
		return false;
	out->path = url.path.len ? arena_copy(c->r->arena, url.path) : S("/");
	return true;
}

static bool read_google_json(struct credential_reading *c, const struct node *at, struct slice json)
{
	struct slice type;

	if (json_validate(json, NULL) != JSON_OK || json_type_of(json) != JSON_OBJECT) {
		complain_at(c->r, at, "this is not the JSON of a Google key; give the file that the "
			    "Google Cloud console or gcloud wrote");
		return false;
	}
	type = json_string(c->r->scratch, json_member(json, S("type")));
	if (slice_eq(type, S("service_account")))
		return read_service_account(c, at, json);
	if (slice_eq(type, S("authorized_user")))
		return read_user(c, at, json);
	complain_at(c->r, at, "credentials of type %s are not understood; use the key of a service "
		    "account, gcloud auth application-default login, or kind: google_metadata",
		    quote(c->r, type));
	return false;
}

/* `must_be`: else a file that cannot be read is none. */
static bool read_google_file(struct credential_reading *c, const struct node *at, struct slice path,
			     bool must_be, bool *found)
{
	struct buf content = BUF_INIT(KEY_FILE_MAX), why = BUF_INIT(1024);
	bool good = false;

	*found = c->r->source->read_file(c->r->source->owner, path.at, &content, &why);
	if (*found)
		good = read_google_json(c, at, buf_slice(&content));
	else if (must_be)
		complain_at(c->r, at, "the file %s cannot be read (%.*s); check path and permissions",
			    quote(c->r, path), SLICE_ARG(buf_slice(&why)));
	if (content.bytes)
		explicit_bzero(content.bytes, content.size);
	buf_free(&content);
	buf_free(&why);
	return good;
}

static bool read_google_metadata(struct credential_reading *c)
{
	struct reader *r = c->r;
	const char *host = r->source->env(r->source->owner, "GCE_METADATA_HOST");
	struct slice base = host && *host ? arena_printf(r->arena, "http://%s", host)
					  : S(GOOGLE_METADATA);
	struct slice account = c->raw.client.len ? c->raw.client : S("default");
	struct url url;

	c->out->kind = CREDENTIAL_GOOGLE_METADATA;
	c->out->account = account;
	if (!set_base(c, base, &url))
		return false;
	c->out->path = arena_printf(r->arena,
		"/computeMetadata/v1/instance/service-accounts/%.*s/token%s%.*s", SLICE_ARG(account),
		c->raw.scope.len ? "?scopes=" : "", SLICE_ARG(c->raw.scope));
	return true;
}

/* What Google calls application default credentials: a file that a variable
 * names, gcloud's, or else the machine's own. */
static bool read_google(struct credential_reading *c)
{
	struct reader *r = c->r;
	const char *named = r->source->env(r->source->owner, "GOOGLE_APPLICATION_CREDENTIALS");
	const char *home = r->source->env(r->source->owner, "HOME");
	struct slice text;
	bool found, good;

	c->out->scope = c->raw.scope.len ? c->raw.scope : S(GOOGLE_SCOPE);
	if (c->raw.json && c->raw.file) {
		complain_at(r, c->raw.json, "a credential has both \"file\" and \"json\"; keep one");
		return false;
	}
	if (c->raw.json)
		return scalar_of(r, "json", c->raw.json, &text) && read_google_json(c, c->raw.json, text);
	if (c->raw.file)
		return scalar_of(r, "file", c->raw.file, &text) &&
		       read_google_file(c, c->raw.file, config_path_of(r, text), true, &found);
	if (named && *named)
		return read_google_file(c, c->at, arena_copy(r->arena, slice_of(named)), true, &found);
	if (home && *home) {
		text = arena_printf(r->arena, "%s/.config/gcloud/application_default_credentials.json", home);
		good = read_google_file(c, c->at, text, false, &found);
		if (found)
			return good;
	}
	return read_google_metadata(c);
}

/* ---- Microsoft --------------------------------------------------------------------------- */

static bool read_entra(struct credential_reading *c)
{
	struct reader *r = c->r;
	struct credential_policy *out = c->out;
	struct slice secret = SLICE_NONE;
	struct url url;

	out->kind = CREDENTIAL_ENTRA;
	if (c->raw.secret && !scalar_of(r, "secret", c->raw.secret, &secret))
		return false;
	if (!c->raw.tenant.len || !c->raw.client.len || !secret.len) {
		complain_at(r, c->at, "kind entra needs \"tenant\", \"client\" and \"secret\"; they stand "
			    "in the app's registration in Microsoft Entra");
		return false;
	}
	if (!value_is_name(c->raw.tenant, "-._", 128)) {
		complain_at(r, c->at, "\"tenant\" is the id or the domain of a directory, as in "
			    "contoso.onmicrosoft.com");
		return false;
	}
	out->account = c->raw.client;
	out->secret = arena_copy(r->arena, secret);
	out->scope = c->raw.scope.len ? c->raw.scope : S(ENTRA_SCOPE);
	if (!set_base(c, S(ENTRA), &url))
		return false;
	out->path = arena_printf(r->arena, "%.*s/%.*s/oauth2/v2.0/token", SLICE_ARG(url.path),
				 SLICE_ARG(c->raw.tenant));
	return true;
}

static bool read_azure_metadata(struct credential_reading *c)
{
	struct reader *r = c->r;
	struct slice scope = c->raw.scope.len ? c->raw.scope : S(ENTRA_SCOPE);
	struct url url;

	c->out->kind = CREDENTIAL_AZURE_METADATA;
	c->out->account = c->raw.client;
	if (slice_ends(scope, S("/.default")))
		scope.len -= 9;
	c->out->scope = scope;
	if (!set_base(c, S(AZURE_METADATA), &url))
		return false;
	c->out->path = arena_printf(r->arena,
		"/metadata/identity/oauth2/token?api-version=2018-02-01&resource=%.*s%s%.*s",
		SLICE_ARG(scope), c->raw.client.len ? "&client_id=" : "", SLICE_ARG(c->raw.client));
	return true;
}

/* ---- Amazon ------------------------------------------------------------------------------ */

static struct slice env_of(struct credential_reading *c, const char *name)
{
	const char *text = c->r->source->env(c->r->source->owner, name);

	return text ? slice_trim(slice_of(text)) : SLICE_NONE;
}

/* Becomes part of a header. */
static bool is_key(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= 0x20 || text.at[i] >= 0x7f)
			return false;
	return text.len > 0;
}

static bool set_keys(struct credential_reading *c, struct slice account, struct slice secret,
		     struct slice session)
{
	struct arena *arena = c->r->arena;

	if (!is_key(account) || !is_key(secret) || (session.len && !is_key(session))) {
		complain_at(c->r, c->at, "AWS keys lack one of their parts, or hold a space; \"client\" is the "
			    "access key id, \"secret\" the secret access key, \"token\" the session token");
		return false;
	}
	c->out->kind = CREDENTIAL_AWS_KEYS;
	c->out->account = arena_copy(arena, account);
	c->out->secret = arena_copy(arena, secret);
	c->out->session = arena_copy(arena, session);
	return true;
}

static bool read_written_keys(struct credential_reading *c)
{
	struct slice secret = SLICE_NONE, token = SLICE_NONE;

	if (c->raw.secret && !scalar_of(c->r, "secret", c->raw.secret, &secret))
		return false;
	if (c->raw.token && !scalar_of(c->r, "token", c->raw.token, &token))
		return false;
	return set_keys(c, c->raw.client, secret, token);
}

/* The file that AWS's tools share. `must_be`: else one that is not there, or that
 * has no such profile, is none. */
static bool read_shared_file(struct credential_reading *c, bool must_be, bool *found)
{
	struct buf content = BUF_INIT(KEY_FILE_MAX), why = BUF_INIT(1024);
	struct slice profile = c->raw.profile.len ? c->raw.profile : env_of(c, "AWS_PROFILE");
	struct slice path = env_of(c, "AWS_SHARED_CREDENTIALS_FILE"), home = env_of(c, "HOME"), given;
	struct reader *r = c->r;

	*found = false;
	if (c->raw.file && !scalar_of(r, "file", c->raw.file, &given))
		return false;
	if (c->raw.file)
		path = config_path_of(r, given);
	else if (!path.len)
		path = arena_printf(r->arena, "%.*s/.aws/credentials", SLICE_ARG(home));
	path = arena_copy(r->arena, path);
	profile = arena_copy(r->arena, profile.len ? profile : S("default"));
	if (!r->source->read_file(r->source->owner, path.at, &content, &why)) {
		if (must_be)
			complain_at(r, c->at, "the file %s cannot be read (%.*s); check path and permissions",
				    quote(r, path), SLICE_ARG(buf_slice(&why)));
	} else if (ini_value(buf_slice(&content), profile, S("aws_access_key_id")).len) {
		*found = true;
	} else if (must_be) {
		complain_at(r, c->at, "the file %s has no aws_access_key_id in [%.*s]; profiles that log in or "
			    "take on roles are not read: write the keys there", quote(r, path), SLICE_ARG(profile));
	}
	c->out->kind = CREDENTIAL_AWS_FILE;
	c->out->path = path;
	c->out->scope = profile;
	if (content.bytes)
		explicit_bzero(content.bytes, content.size);
	buf_free(&content);
	buf_free(&why);
	return *found;
}

/* Tokens must not go over the network unencrypted (AWS's own rule). */
static bool is_near(const struct origin *o)
{
	return o->tls || host_is_loopback(o->host) || slice_eq(o->host, S("169.254.170.2")) ||
	       slice_eq(o->host, S("169.254.170.23")) || slice_eq(o->host, S("fd00:ec2::23"));
}

static bool read_container(struct credential_reading *c, struct slice relative, struct slice full)
{
	struct slice token = env_of(c, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct slice file = env_of(c, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	struct reader *r = c->r;
	struct url url;

	c->out->kind = CREDENTIAL_AWS_CONTAINER;
	if (relative.len)
		full = arena_printf(r->arena, AWS_CONTAINERS "%.*s", SLICE_ARG(relative));
	if (!set_origin(c, c->at, arena_copy(r->arena, full), &url))
		return false;
	if (!is_near(c->out->origin)) {
		complain_at(r, c->at, "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or an address of the "
			    "container's own host");
		return false;
	}
	c->out->path = arena_printf(r->arena, "%.*s%s%.*s", SLICE_ARG(url.path.len ? url.path : S("/")),
				    url.query.len ? "?" : "", SLICE_ARG(url.query));
	c->out->secret = arena_copy(r->arena, token);
	c->out->token_file = arena_copy(r->arena, file);
	return true;
}

static bool read_aws_metadata(struct credential_reading *c)
{
	struct slice named = env_of(c, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct url url;

	c->out->kind = CREDENTIAL_AWS_INSTANCE;
	c->out->account = c->raw.client;
	return set_base(c, named.len ? arena_copy(c->r->arena, named) : S(AWS_METADATA), &url);
}

/* In the order of AWS's own tools: what is written here, variables, the shared
 * file, the container's endpoint, the machine's metadata server. */
static bool read_aws(struct credential_reading *c)
{
	struct slice relative = env_of(c, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	struct slice full = env_of(c, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	struct slice account = env_of(c, "AWS_ACCESS_KEY_ID"), secret = env_of(c, "AWS_SECRET_ACCESS_KEY");
	bool found;

	if (c->raw.client.len || c->raw.secret)
		return read_written_keys(c);
	if (c->raw.file || c->raw.profile.len)
		return read_shared_file(c, true, &found);
	if (account.len && secret.len)
		return set_keys(c, account, secret, env_of(c, "AWS_SESSION_TOKEN"));
	if (read_shared_file(c, false, &found))
		return true;
	c->out->scope = c->out->path = SLICE_NONE;
	if (relative.len || full.len)
		return read_container(c, relative, full);
	return read_aws_metadata(c);
}

/* What goes into a path must not change its meaning. */
static bool is_plain(struct credential_reading *c, const char *key, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] > 0x20 && text.at[i] < 0x7f && text.at[i] != '&' && text.at[i] != '#' &&
		    text.at[i] != '?' && text.at[i] != '%')
			continue;
		complain_at(c->r, c->at, "\"%s\" of a credential is no URL or id: %s; check what was "
			    "copied", key, quote(c->r, text));
		return false;
	}
	return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool read_kind(struct credential_reading *c)
{
	switch ((enum credential_word)c->raw.kind) {
	case WORD_GOOGLE:          return read_google(c);
	case WORD_GOOGLE_METADATA: return read_google_metadata(c);
	case WORD_ENTRA:           return read_entra(c);
	case WORD_AZURE_METADATA:  return read_azure_metadata(c);
	case WORD_AWS:
		c->out->signs = true;
		return read_aws(c);
	case WORD_AWS_METADATA:
		c->out->signs = true;
		return read_aws_metadata(c);
	}
	return false;
}

/* Two that are asked for in the same words in the same place are one. */
static void set_key(struct credential_reading *c)
{
	struct credential_policy *out = c->out;
	struct buf all = BUF_INIT(CONFIG_BYTES_MAX);
	uint8_t digest[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1];
	struct slice where = out->origin ? out->origin->key : SLICE_NONE;
	const struct slice parts[] = { out->account, out->secret, out->key_id, out->scope,
				       out->path, out->session, out->token_file, where };

	buf_putf(&all, "%d", (int)out->kind);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		buf_putf(&all, " %zu:%.*s", parts[i].len, SLICE_ARG(parts[i]));
	digest_sha256(buf_slice(&all), digest);
	digest_to_hex(digest, hex);
	out->key = arena_printf(c->r->arena, "%s", hex);
	out->name = out->account.len ? out->account : out->origin ? out->origin->host : out->path;
	explicit_bzero(all.bytes, all.size);
	buf_free(&all);
}

static const struct credential_policy *read_all(struct credential_reading *c)
{
	c->out = arena_new(c->r->arena, struct credential_policy);
	if (!is_plain(c, "scope", c->raw.scope) || !is_plain(c, "client", c->raw.client))
		return NULL;
	if (!read_kind(c)) {
		if (c->out->origin)
			io_tls_give(c->out->origin->tls_setup);
		return NULL;
	}
	set_key(c);
	return c->out;
}

const struct credential_policy *credential_read(struct reader *r, struct node *n, struct node *proxy,
						int64_t connect_ms)
{
	struct credential_reading c = { .r = r, .at = n, .proxy = proxy, .connect_ms = connect_ms };

	section_defaults(&section_credential, &c.raw);
	return section_read(r, &section_credential, n, &c.raw) ? read_all(&c) : NULL;
}

const struct credential_policy *credential_read_aws(struct reader *r, struct node *at, struct node *proxy,
						    int64_t connect_ms)
{
	struct credential_reading c = { .r = r, .at = at, .proxy = proxy, .connect_ms = connect_ms };

	section_defaults(&section_credential, &c.raw);
	c.raw.kind = WORD_AWS;
	return read_all(&c);
}

const struct credential_policy *credential_read_google(struct reader *r, struct node *at,
						       struct node *proxy, int64_t connect_ms)
{
	struct credential_reading c = { .r = r, .at = at, .proxy = proxy, .connect_ms = connect_ms };

	section_defaults(&section_credential, &c.raw);
	c.raw.kind = WORD_GOOGLE;
	return read_all(&c);
}
