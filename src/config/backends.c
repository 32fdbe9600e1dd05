/* backends.c: backends and their origins. */
#include "config/inside.h"

#include "dialect/dialect.h"
#include "exchange/policy.h"
#include "wire/url.h"

#include <string.h>

#define URLS_MAX 64
#define EXTRAS_MAX 32                 /* headers, query parameters */

static const struct choice auths[] = {
	{ "bearer", AUTH_BEARER }, { "api-key", AUTH_API_KEY }, { "x-api-key", AUTH_X_API_KEY },
	{ "x-goog-api-key", AUTH_X_GOOG_API_KEY },
	{ "none", AUTH_NONE }, { NULL, 0 },
};

/* Being set by Backstay itself for each request, or by each connection. */
static const struct slice own_headers[] = {
	S_INIT("host"), S_INIT("content-length"), S_INIT("transfer-encoding"), S_INIT("connection"),
	S_INIT("keep-alive"), S_INIT("proxy-connection"), S_INIT("proxy-authorization"),
	S_INIT("proxy-authenticate"), S_INIT("te"), S_INIT("trailer"), S_INIT("upgrade"),
	S_INIT("expect"), S_INIT("accept-encoding"), S_INIT("content-encoding"),
	S_INIT("content-type"),
};

/* One backend while it is read. */
struct backend_reading {
	struct reader *r;
	struct raw_backend raw;
	struct backend_policy *out;
	struct origin *origins;
	struct io_tls *tls;           /* borrowed from `own_tls` or the reader */
	struct io_tls *own_tls;
	struct slice tls_key;         /* what tells TLS setups apart in origin keys */
};

/* ---- credentials ------------------------------------------------------------------- */

static void read_key(struct backend_reading *b)
{
	struct reader *r = b->r;
	const struct node *n = b->raw.key;
	struct slice text;
	int auth;

	b->out->auth = !n ? AUTH_NONE : b->out->dialect ? (int)b->out->dialect->auth : AUTH_BEARER;
	if (n && b->raw.credential)
		complain_at(r, n, "a backend has both \"key\" and \"credential\"; keep one");
	if (n && scalar_of(r, "key", n, &text)) {
		if (value_is_visible(text))
			b->out->key = arena_copy(r->arena, text);
		else
			complain_at(r, n, "\"key\" holds a space or a byte that is not ASCII; a header "
				    "cannot carry it: check what was copied");
	}
	if (!b->raw.auth || !choice_read(r, "auth", auths, b->raw.auth, &auth))
		return;
	b->out->auth = auth;
	if (auth == AUTH_NONE && n)
		complain_at(r, b->raw.auth, "\"auth\" is none, so \"key\" would never be sent; remove "
			    "one of them");
	if (b->raw.credential)
		complain_at(r, b->raw.auth, "\"credential\" brings its own way to be shown; remove \"auth\"");
	else if (auth != AUTH_NONE && !n)
		complain_at(r, b->raw.auth, "\"auth\" is given without a \"key\"; add the key");
}

static const char *auth_header(int auth)
{
	switch (auth) {
	case AUTH_BEARER: return "authorization";
	case AUTH_API_KEY: return "api-key";
	case AUTH_X_API_KEY: return "x-api-key";
	case AUTH_X_GOOG_API_KEY: return "x-goog-api-key";
	default: return "";
	}
}

/* ---- capabilities ------------------------------------------------------------------- */

static const struct choice capabilities[] = {
	{ "tools", CAN_TOOLS }, { "images", CAN_IMAGES }, { "audio", CAN_AUDIO },
	{ "json_schema", CAN_SCHEMA }, { "stream", CAN_STREAM }, { NULL, 0 },
};

unsigned read_capabilities(struct reader *r, const struct node *n)
{
	unsigned can = 0;

	if (n->kind != NODE_LIST) {
		complain_at(r, n, "\"capabilities\" needs a list, as in capabilities: [tools, stream]");
		return 0;
	}
	for (size_t i = 0; i < n->count; i++) {
		int one = 0;

		if (choice_read(r, "capabilities", capabilities, n->items[i], &one))
			can |= (unsigned)one;
	}
	return CAN_ALL & ~can;
}

/* ---- probes --------------------------------------------------------------------------- */

static void read_probe(struct backend_reading *b)
{
	struct raw_probe raw = { .kind = -1 };
	struct node *n = b->raw.probe;
	bool http;

	if (!n)
		return;
	section_defaults(&section_probe, &raw);
	raw.kind = -1;
	if (!section_read(b->r, &section_probe, n, &raw))
		return;
	http = raw.kind == PROBE_HTTP || (raw.kind < 0 && raw.path.len);
	if (http && (!raw.path.len || raw.path.at[0] != '/' || !value_is_visible(raw.path)))
		complain_at(b->r, n, "an http probe needs a \"path\" that starts with a slash; write "
			    "probe: {path: /health}");
	if (!http && raw.path.len)
		complain_at(b->r, n, "only an http probe has a \"path\"; remove one of the two");
	b->out->probe = (struct probe_policy){
		.kind = http ? PROBE_HTTP : raw.kind < 0 ? PROBE_TCP : (enum probe_kind)raw.kind,
		.path = raw.path,
		.every_ms = raw.every_ms,
		.timeout_ms = raw.timeout_ms,
	};
}

/* ---- headers and query --------------------------------------------------------------- */

static bool is_token(struct slice s)
{
	return value_is_name(s, "!#$%&'*+-.^_`|~", 128);
}

static const char *header_refused(struct backend_reading *b, struct slice name)
{
	if (!is_token(name))
		return "is no header name; use letters, digits and -";
	for (size_t i = 0; i < COUNT_OF(own_headers); i++)
		if (slice_eq_nocase(name, own_headers[i]))
			return "is set by Backstay itself; remove it";
	if (b->raw.key && slice_eq_nocase(name, slice_of(auth_header(b->out->auth))))
		return "is already made from \"key\"; keep one of them";
	if (b->out->credential && slice_eq_nocase(name, S("authorization")))
		return "is already made from \"credential\"; keep one of them";
	return NULL;
}

static void read_headers(struct backend_reading *b)
{
	const struct node *n = b->raw.headers;
	struct header_policy *headers;
	size_t count = 0;

	if (!n)
		return;
	if (n->kind != NODE_MAP || n->count > EXTRAS_MAX) {
		complain_at(b->r, n, "\"headers\" needs a mapping of at most %d headers; write headers: "
			    "{name: value}", EXTRAS_MAX);
		return;
	}
	headers = arena_array(b->r->arena, struct header_policy, n->count);
	for (size_t i = 0; i < n->count; i++) {
		const struct member *m = &n->members[i];
		const char *refused = header_refused(b, m->key);
		struct slice value;

		for (size_t j = 0; j < count && !refused; j++)
			if (slice_eq_nocase(headers[j].name, m->key))
				refused = "stands here twice; keep one of the two";
		if (refused) {
			complain(b->r, m->line, m->column, "the header %s %s", quote(b->r, m->key),
				 refused);
			continue;
		}
		if (!scalar_of(b->r, "headers", m->value, &value))
			continue;
		headers[count].name = arena_copy(b->r->arena, m->key);
		headers[count].value = arena_copy(b->r->arena, slice_trim(value));
		count++;
	}
	b->out->headers = headers;
	b->out->header_count = count;
}

/* RFC 3986 2.3: everything that is not unreserved is percent-encoded. */
static void put_encoded(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		struct slice one = slice_sub(s, i, i + 1);

		if (value_is_name(one, "-._~", 1))
			buf_put(out, one);
		else
			buf_putf(out, "%%%02X", (unsigned)(unsigned char)s.at[i]);
	}
}

static void read_query(struct backend_reading *b)
{
	const struct node *n = b->raw.query;
	struct buf text = BUF_INIT(4 * CONFIG_BYTES_MAX);
	struct slice value;

	if (!n)
		return;
	if (n->kind != NODE_MAP || n->count > EXTRAS_MAX) {
		complain_at(b->r, n, "\"query\" needs a mapping of at most %d parameters; write query: "
			    "{name: value}", EXTRAS_MAX);
		return;
	}
	for (size_t i = 0; i < n->count; i++) {
		const struct member *m = &n->members[i];

		if (!scalar_of(b->r, "query", m->value, &value))
			continue;
		if (m->key.len == 0 || m->key.len > 256 || value.len > 4096) {
			complain(b->r, m->line, m->column, "the query parameter %s is empty or too long; "
				 "at most 256 bytes for the name, 4096 for the value",
				 quote(b->r, m->key));
			continue;
		}
		if (buf_len(&text))
			buf_puts(&text, "&");
		put_encoded(&text, m->key);
		buf_puts(&text, "=");
		put_encoded(&text, value);
	}
	b->out->query = arena_copy(b->r->arena, buf_slice(&text));
	buf_free(&text);
}

/* ---- TLS ----------------------------------------------------------------------------------- */

static const char *tls_path(struct backend_reading *b, const char *key, const struct node *n)
{
	struct slice text;

	return n && scalar_of(b->r, key, n, &text) ? config_path_of(b->r, text).at : NULL;
}

static void read_tls(struct backend_reading *b)
{
	struct raw_tls raw = { 0 };
	struct io_tls_client_options options;
	char why[256] = "";

	if (!b->raw.tls || !section_read(b->r, &section_backend_tls, b->raw.tls, &raw))
		return;
	if (!raw.cert != !raw.key) {
		complain_at(b->r, raw.cert ? raw.cert : raw.key, "a client certificate needs both "
			    "\"cert\" and \"key\"; add the other one");
		return;
	}
	options = (struct io_tls_client_options){
		.ca_file = tls_path(b, "ca", raw.ca),
		.cert_file = tls_path(b, "cert", raw.cert),
		.key_file = tls_path(b, "key", raw.key),
	};
	if (!options.ca_file && !options.cert_file)
		return;
	b->own_tls = io_tls_client(&options, why, sizeof why);
	if (!b->own_tls && config_path_reads(b->r, raw.ca, options.ca_file) &&
	    config_path_reads(b->r, raw.cert, options.cert_file) &&
	    config_path_reads(b->r, raw.key, options.key_file))
		complain_at(b->r, raw.ca ? raw.ca : raw.cert, "the backend's tls cannot be set up: %s; "
			    "check the files", why);
	b->tls = b->own_tls;
	b->tls_key = arena_printf(b->r->arena, " tls %s %s %s", options.ca_file ? options.ca_file : "-",
				  options.cert_file ? options.cert_file : "-",
				  options.key_file ? options.key_file : "-");
}

struct io_tls *origin_system_tls(struct reader *r, const struct node *n)
{
	struct io_tls_client_options options = { 0 };
	char why[256] = "";

	if (r->system_tls)
		return r->system_tls;
	r->system_tls = io_tls_client(&options, why, sizeof why);
	if (!r->system_tls)
		complain_at(r, n, "the system's certificate authorities cannot be loaded: %s; install "
			    "ca-certificates, or name a file in tls: {ca: PATH}", why);
	return r->system_tls;
}

/* ---- URLs ----------------------------------------------------------------------------------- */

static void note_url(struct backend_reading *b, const struct origin *o)
{
	static const struct slice tails[] = {
		S_INIT("/chat/completions"), S_INIT("/completions"), S_INIT("/responses"),
		S_INIT("/embeddings"), S_INIT("/models"), S_INIT("/messages"),
	};

	for (size_t i = 0; i < COUNT_OF(tails); i++)
		if (slice_ends(o->base_path, tails[i])) {
			note(b->r, "backend %.*s: the URL ends in %.*s, which Backstay adds by itself",
			     SLICE_ARG(b->out->name), SLICE_ARG(tails[i]));
			break;
		}
	if (!o->tls && b->out->key.len && !host_is_loopback(o->host))
		note(b->r, "backend %.*s: the key goes to %.*s unencrypted (http)",
		     SLICE_ARG(b->out->name), SLICE_ARG(o->host));
}

/* Of a proxy's password only a digest. */
struct slice origin_key_of(struct reader *r, const struct origin *o, struct slice tls_key)
{
	bool v6 = slice_find(o->host, ':') != SLICE_NOT_FOUND;
	struct slice key = arena_printf(r->arena, "%s://%s%.*s%s:%u", o->tls ? "https" : "http",
					v6 ? "[" : "", SLICE_ARG(o->host), v6 ? "]" : "",
					(unsigned)o->port);
	uint8_t digest[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1];

	if (o->proxy)
		key = arena_printf(r->arena, "%.*s via %.*s:%u", SLICE_ARG(key),
				   SLICE_ARG(o->proxy->host), (unsigned)o->proxy->port);
	if (o->proxy && o->proxy->authorization.len) {
		digest_sha256(o->proxy->authorization, digest);
		digest_to_hex(digest, hex);
		key = arena_printf(r->arena, "%.*s as %.16s", SLICE_ARG(key), hex);
	}
	if (o->tls && tls_key.len)
		key = arena_printf(r->arena, "%.*s%.*s", SLICE_ARG(key), SLICE_ARG(tls_key));
	return key;
}

/* 0.0.0.0 and [::], which include this machine's own addresses. */
static bool is_wildcard(const struct io_addr *at)
{
	static const uint8_t zero[sizeof at->bytes];

	return memcmp(at->bytes, zero, sizeof zero) == 0;
}

/* A backend that is one of our own listeners would ask itself without end. */
static void check_loop(struct reader *r, const struct node *n, const struct origin *o)
{
	const struct config *c = r->config;

	for (size_t i = 0; i < c->listen_count && host_is_loopback(o->host); i++) {
		const struct io_addr *at = &c->listen[i];

		if (at->family == IO_UNIX || at->port != o->port)
			continue;
		if (io_addr_is_loopback(at) || is_wildcard(at)) {
			complain_at(r, n, "%s is where Backstay itself listens; write the address of the "
				    "model server, or change \"listen\"", quote(r, n->written));
			return;
		}
	}
}

static void read_url(struct backend_reading *b, const struct node *n)
{
	struct reader *r = b->r;
	struct origin *o = &b->origins[b->out->origin_count];
	struct io_tls *tls = NULL;
	struct slice text;
	const char *why = "";
	struct url url;

	if (!scalar_of(r, "url", n, &text))
		return;
	if (!url_parse(text, &url, &why)) {
		/* A user and a password are not repeated. */
		complain_at(r, n, "%s is not a backend's URL: %s",
			    slice_find(n->written, '@') == SLICE_NOT_FOUND ? quote(r, n->written) : "this",
			    why);
		return;
	}
	if (url.query.len) {
		complain_at(r, n, "a backend's URL has no query part; move it to \"query\", as in query: "
			    "{api-version: …}");
		return;
	}
	url.host = lower_copy(r->arena, url.host);
	o->host = url.host;
	o->port = url.port;
	o->tls = url.tls;
	o->authority = url_authority(r->arena, &url);
	o->base_path = arena_copy(r->arena, url.path);
	o->connect_ms = b->raw.connect_ms;
	o->idle_ms = b->raw.idle_ms;
	o->idle_max = b->raw.idle_max;
	check_loop(r, n, o);
	o->proxy = proxy_for(r, b->raw.proxy, o->tls, o->host, o->port);
	o->key = origin_key_of(r, o, b->tls_key);
	if (o->tls)
		tls = b->tls ? b->tls : origin_system_tls(r, n);
	for (size_t i = 0; i < b->out->origin_count; i++)
		if (slice_eq(b->origins[i].key, o->key) && slice_eq(b->origins[i].base_path, o->base_path))
			complain_at(r, n, "the URL %s stands here twice; remove one, or give a target a "
				    "larger weight", quote(r, n->written));
	if (tls)
		o->tls_setup = io_tls_take(tls);
	b->out->origin_count++;
	note_url(b, o);
}

static void read_urls(struct backend_reading *b, const struct node *n)
{
	const struct node *urls = b->raw.urls;

	size_t most = urls && urls->kind == NODE_LIST ? urls->count : 1;

	b->origins = arena_array(b->r->arena, struct origin, most < URLS_MAX ? most : URLS_MAX);
	b->out->origins = b->origins;
	if (!b->raw.url == !urls) {
		complain_at(b->r, urls ? urls : n, urls ? "a backend has both \"url\" and \"urls\"; keep one"
							: "a backend lacks its \"url\"; add one");
		return;
	}
	if (!urls) {
		read_url(b, b->raw.url);
		return;
	}
	if (urls->kind != NODE_LIST || urls->count == 0 || urls->count > URLS_MAX) {
		complain_at(b->r, urls, "\"urls\" needs a list of 1 to %d URLs; write urls: "
			    "[http://gpu1:8000/v1, http://gpu2:8000/v1], say", URLS_MAX);
		return;
	}
	for (size_t i = 0; i < urls->count; i++)
		read_url(b, urls->items[i]);
}

/* ---- all of it --------------------------------------------------------------------------------- */

static void note_idle_tls(struct backend_reading *b)
{
	for (size_t i = 0; i < b->out->origin_count; i++)
		if (b->origins[i].tls)
			return;
	if (b->raw.tls && b->out->origin_count)
		note(b->r, "backend %.*s: \"tls\" has no effect, since no URL starts with https://",
		     SLICE_ARG(b->out->name));
}

static struct slice region_of(struct backend_reading *b)
{
	static const char *const names[] = { "AWS_REGION", "AWS_DEFAULT_REGION" };

	if (b->raw.region.len)
		return b->raw.region;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *text = b->r->source->env(b->r->source->owner, names[i]);

		if (text && *text)
			return slice_of(text);
	}
	return SLICE_NONE;
}

/* As if it stood in the file; secrets are not repeated in messages. */
static struct node *text_node(struct reader *r, const struct node *at, struct slice text, struct slice written)
{
	struct node *n = arena_new(r->arena, struct node);

	*n = (struct node){ .kind = NODE_SCALAR, .line = at->line, .column = at->column, .text = text,
			    .written = written };
	return n;
}

/* What is where on AWS follows from the region; without a key requests are signed
 * with what AWS's own tools would find. */
static void read_aws(struct backend_reading *b, struct node *at)
{
	bool bedrock = b->out->dialect && slice_eq(b->out->dialect->name, S("bedrock"));
	const char *bearer = b->r->source->env(b->r->source->owner, "AWS_BEARER_TOKEN_BEDROCK");
	struct slice region = region_of(b), suffix;
	struct dialect_place *place;
	struct reader *r = b->r;

	if (!bedrock) {
		if (b->raw.region.len)
			complain_at(r, at, "\"region\" is for the dialect bedrock; remove it, or add dialect: bedrock");
		return;
	}
	if (!value_is_name(region, "-", 32) || region.len == 0) {
		complain_at(r, at, "a backend of dialect bedrock needs its \"region\", as in region: us-east-1");
		return;
	}
	place = arena_new(r->arena, struct dialect_place);
	place->location = arena_copy(r->arena, region);
	b->out->place = place;
	suffix = slice_starts(region, S("cn-")) ? S(".cn") : S("");
	if (!b->raw.url && !b->raw.urls) {
		struct slice url = arena_printf(r->arena, "https://bedrock-runtime.%.*s.amazonaws.com%.*s",
						SLICE_ARG(region), SLICE_ARG(suffix));

		b->raw.url = text_node(r, at, url, url);
	}
	if (b->raw.key || b->raw.credential || b->raw.auth)
		return;
	if (bearer && *bearer)
		b->raw.key = text_node(r, at, arena_copy(r->arena, slice_of(bearer)), S("AWS_BEARER_TOKEN_BEDROCK"));
	else
		b->out->credential = credential_read_aws(r, at, b->raw.proxy, b->raw.connect_ms);
}

/* ---- Google ------------------------------------------------------------------------- */

#define GEMINI_URL "https://generativelanguage.googleapis.com"

static struct slice env_or(struct backend_reading *b, struct slice given, const char *name,
			   struct slice fallback)
{
	const char *text = b->r->source->env(b->r->source->owner, name);

	if (given.len)
		return given;
	return text && *text ? arena_copy(b->r->arena, slice_of(text)) : fallback;
}

/* cloud.google.com/vertex-ai/docs/reference/rest, "Service endpoint". */
static struct slice vertex_url(struct reader *r, struct slice location)
{
	if (slice_eq(location, S("global")))
		return S("https://aiplatform.googleapis.com");
	if (slice_eq(location, S("us")) || slice_eq(location, S("eu")))
		return arena_printf(r->arena, "https://aiplatform.%.*s.rep.googleapis.com", SLICE_ARG(location));
	return arena_printf(r->arena, "https://%.*s-aiplatform.googleapis.com", SLICE_ARG(location));
}

static void read_vertex(struct backend_reading *b, struct node *at)
{
	struct slice location = env_or(b, b->raw.location, "GOOGLE_CLOUD_LOCATION", S("global")), project;
	struct dialect_place *place = arena_new(b->r->arena, struct dialect_place);
	struct reader *r = b->r;

	if (!b->raw.key && !b->raw.credential && !b->raw.auth)
		b->out->credential = credential_read_google(r, at, b->raw.proxy, b->raw.connect_ms);
	project = env_or(b, b->raw.project, "GOOGLE_CLOUD_PROJECT",
			 b->out->credential ? b->out->credential->project : SLICE_NONE);
	if (!value_is_name(location, "-", 64) || (project.len && !value_is_name(project, "-:._", 128))) {
		complain_at(r, at, "\"project\" and \"location\" of a backend are names such as my-project and "
			    "europe-west4");
		return;
	}
	if (!project.len && !b->raw.key)
		complain_at(r, at, "a backend of dialect vertex needs its \"project\", or a \"key\" of the express "
			    "mode");
	place->project = project;
	place->location = location;
	b->out->place = place;
	if (!b->raw.url && !b->raw.urls)
		b->raw.url = text_node(r, at, vertex_url(r, location), vertex_url(r, location));
}

static void read_google(struct backend_reading *b, struct node *at)
{
	struct slice name = b->out->dialect ? b->out->dialect->name : SLICE_NONE;

	if (slice_eq(name, S("vertex"))) {
		read_vertex(b, at);
		return;
	}
	if (b->raw.project.len || b->raw.location.len)
		complain_at(b->r, at, "\"project\" and \"location\" are for the dialect vertex; remove them, or add "
			    "dialect: vertex");
	if (slice_eq(name, S("gemini")) && !b->raw.url && !b->raw.urls)
		b->raw.url = text_node(b->r, at, S(GEMINI_URL), S(GEMINI_URL));
}

static void read_backend(struct reader *r, const struct raw_top *top, const struct member *m,
			 struct backend_policy *out)
{
	struct backend_reading b = { .r = r, .out = out };

	out->name = arena_copy(r->arena, m->key);
	if (!value_is_name(m->key, "._-", 64))
		complain(r, m->line, m->column, "%s is no name for a backend; use letters, digits and "
			 ". _ -, at most 64", quote(r, m->key));
	section_defaults(&section_backend, &b.raw);
	b.raw.connect_ms = top->defaults.timeouts.connect_ms;
	if (!section_read(r, &section_backend, m->value, &b.raw))
		return;
	out->max_in_flight = b.raw.max_in_flight;
	out->context_window = b.raw.context_window;
	if (b.raw.capabilities) {
		out->lacks = read_capabilities(r, b.raw.capabilities);
		out->lacks_said = true;
	}
	out->min_in_flight = b.raw.min_in_flight;
	out->resume = b.raw.resume;
	if (b.raw.credential)
		out->credential = credential_read(r, b.raw.credential, b.raw.proxy, b.raw.connect_ms);
	read_dialect(r, &b.raw, out);
	read_aws(&b, m->value);
	read_google(&b, m->value);
	read_probe(&b);
	read_key(&b);
	read_headers(&b);
	read_query(&b);
	read_tls(&b);
	read_urls(&b, m->value);
	read_vendor(r, &b.raw, b.origins, out);
	note_idle_tls(&b);
	io_tls_give(b.own_tls);
}

void build_backends(struct reader *r, const struct raw_top *top)
{
	const struct node *n = top->backends;
	struct backend_policy *backends;

	if (!n)
		return;                       /* complained about as a required key */
	if (n->kind != NODE_MAP || n->count == 0) {
		complain_at(r, n, "\"backends\" needs a mapping with at least one backend; write backends: "
			    "{openai: {url: https://api.openai.com/v1, key: \"${OPENAI_API_KEY}\"}}, say");
		return;
	}
	backends = arena_array(r->arena, struct backend_policy, n->count);
	r->config->backends = backends;
	r->config->backend_count = n->count;
	for (size_t i = 0; i < n->count; i++)
		read_backend(r, top, &n->members[i], &backends[i]);
}
