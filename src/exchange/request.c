/* What goes to a backend. */
#include "exchange/exchange.h"

#include "base/check.h"
#include "wire/url.h"
#include "exchange/translate.h"
#include "observe/trace.h"

#include <string.h>

/* ---- headers ------------------------------------------------------------------- */

/* Never passed on: credentials (the client's own provider key must not reach a
 * backend, catalogue C09), what conn/ writes itself, what tells of the client's
 * network, cookies. organization and project go with OpenAI's credential. */
static const struct slice withheld[] = {
	S_INIT("authorization"), S_INIT("x-api-key"), S_INIT("api-key"), S_INIT("x-goog-api-key"),
	S_INIT("openai-organization"), S_INIT("openai-project"), S_INIT("cookie"),
	S_INIT("host"), S_INIT("content-length"), S_INIT("accept-encoding"), S_INIT("expect"),
	S_INIT("forwarded"), S_INIT("via"), S_INIT("x-real-ip"), S_INIT("cf-connecting-ip"),
	S_INIT("true-client-ip"), S_INIT("x-request-id"), S_INIT("x-request-timeout"),
};

static const struct slice withheld_prefixes[] = {
	S_INIT("x-backstay-"), S_INIT("x-forwarded-"), S_INIT("proxy-"),
};

static bool is_withheld(const struct h1_head *head, struct slice name, uint64_t withheld_bits)
{
	if (h1_is_among(name, withheld, COUNT_OF(withheld), withheld_bits))
		return true;
	for (size_t i = 0; i < COUNT_OF(withheld_prefixes); i++)
		if (slice_starts_nocase(name, withheld_prefixes[i]))
			return true;
	return h1_is_hop_by_hop(head, name);
}

/* Where we take part in a trace we say ourselves which span asks; what else goes
 * with it belongs to a traceparent that can be gone on from, or is not passed on. */
static bool is_trace_withheld(const struct exchange *x, const struct h1_head *head, struct slice name)
{
	bool goes_on = x->config->tracing.propagate && trace_parent_is_good(h1_get(head, S("traceparent")));

	if (slice_eq_nocase(name, S("traceparent")))
		return true;
	return !goes_on && (slice_eq_nocase(name, S("tracestate")) || slice_eq_nocase(name, S("baggage")));
}

/* As they stand: the lines go upstream in one piece where no backend's header
 * takes the place of one. */
void request_keep_headers(struct exchange *x, const struct h1_head *head)
{
	const uint64_t withheld_bits = h1_name_bits(withheld, COUNT_OF(withheld));
	struct h1_header kept[H1_HEADERS_MAX];
	size_t count = 0;

	for (unsigned i = 0; i < head->header_count; i++) {
		const struct h1_header *h = &head->headers[i];

		if (!is_withheld(head, h->name, withheld_bits) && !(x->trace && is_trace_withheld(x, head, h->name)))
			kept[count++] = *h;
	}
	x->client_lines = header_lines(x->arena, kept, count);
}

static bool backend_sets(const struct backend_policy *backend, struct slice name)
{
	for (size_t i = 0; i < backend->header_count; i++)
		if (slice_eq_nocase(backend->headers[i].name, name))
			return true;
	return false;
}

static void write_key(struct buf *b, int auth, struct slice key)
{
	switch ((enum auth_scheme)auth) {
	case AUTH_BEARER:
		buf_puts(b, "Authorization: Bearer ");
		buf_put(b, key);
		buf_puts(b, "\r\n");
		break;
	case AUTH_API_KEY:
		h1_write_header(b, S("api-key"), key);
		break;
	case AUTH_X_API_KEY:
		h1_write_header(b, S("x-api-key"), key);
		break;
	case AUTH_X_GOOG_API_KEY:
		h1_write_header(b, S("x-goog-api-key"), key);
		break;
	case AUTH_NONE:
		break;
	}
}

/* All that another vendor's backend is told of the client's headers: who calls,
 * and which trace it belongs to. */
static bool crosses_dialects(struct slice name)
{
	static const struct slice names[] = {
		S_INIT("user-agent"), S_INIT("traceparent"), S_INIT("tracestate"), S_INIT("baggage"),
	};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_eq_nocase(name, names[i]))
			return true;
	return false;
}

static bool is_foreign(const struct attempt *a)
{
	return a->translation && a->translation->foreign;
}

static bool client_sends(const struct attempt *a, struct slice name)
{
	struct slice lines = a->x->client_lines;
	struct h1_header h;

	while (header_lines_next(&lines, &h))
		if (slice_eq_nocase(h.name, name))
			return !is_foreign(a) || crosses_dialects(name);
	return false;
}

/* `a`: whose client may tell it anyway; NULL: nobody does. */
static void fixed_headers(struct buf *out, const struct backend_policy *backend, const struct attempt *a)
{
	struct slice rest = backend->dialect->fixed_headers, line, name, value;

	while (slice_cut(rest, '\n', &line, &rest)) {
		if (!slice_cut(slice_trim(line), ':', &name, &value))
			continue;
		if (!backend_sets(backend, name) && !(a && client_sends(a, name)))
			h1_write_header(out, name, slice_trim(value));
	}
}

void request_fixed_headers(struct buf *out, const struct backend_policy *backend)
{
	fixed_headers(out, backend, NULL);
}

static void write_fixed_headers(struct attempt *a)
{
	fixed_headers(&a->asking->headers, a->pick.target->backend, a);
	if (is_foreign(a))
		h1_write_header(&a->asking->headers, S("content-type"), S("application/json"));
}

bool request_credential(struct exchanges *all, struct config *config,
			const struct backend_policy *backend, const struct origin *origin,
			const struct upstream_request *request, struct buf *b)
{
	struct credential fetched;

	if (!backend->credential) {
		if (backend->key.len)
			write_key(b, backend->auth, backend->key);
		return true;
	}
	if (!credentials_now(all->credentials, config, backend->credential, &fetched))
		return false;
	if (backend->credential->signs) {
		struct request_signer signer = {
			.credential = &fetched, .authority = origin->authority,
			.region = backend->place ? backend->place->location : SLICE_NONE,
			.wall_ms = io_wall_ms(all->setup.io),
		};

		return request_sign(request, &signer, b);
	}
	write_key(b, AUTH_BEARER, fetched.token);
	return true;
}

static void write_headers(struct attempt *a)
{
	const struct exchange *x = a->x;
	const struct backend_policy *backend = a->pick.target->backend;
	struct buf *headers = &a->asking->headers;
	char traceparent[TRACE_PARENT_MAX];
	bool unchanged = !backend->header_count && !is_foreign(a);
	struct slice lines = x->client_lines;
	struct h1_header h;

	if (unchanged)
		buf_put(headers, lines);
	while (!unchanged && header_lines_next(&lines, &h))
		if (!backend_sets(backend, h.name) && (!is_foreign(a) || crosses_dialects(h.name)))
			h1_write_header(headers, h.name, h.value);
	write_fixed_headers(a);
	for (size_t i = 0; i < backend->header_count; i++)
		h1_write_header(headers, backend->headers[i].name, backend->headers[i].value);
	h1_write_header(headers, S("x-request-id"), x->id);
	if (x->trace && x->config->tracing.propagate)
		h1_write_header(headers, S("traceparent"),
				slice_of(trace_write_parent(x->trace, a->number, traceparent)));
}

/* ---- target ----------------------------------------------------------------------- */

static struct slice path_of(const struct attempt *a)
{
	const struct exchange *x = a->x;
	const struct backend_policy *backend = a->pick.target->backend;
	const struct dialect_ask ask = {
		.endpoint = x->endpoint,
		.path = x->path,
		.codec = a->translation ? a->translation->up : NULL,
		.model = a->pick.upstream_model,
		.stream = x->facts.stream || a->as_stream,
		.vendor = backend->vendor,
		.place = backend->place,
	};

	return dialect_ask_path(x->arena, backend->dialect, &ask);
}

/* A query of the client's means something in the client's dialect only. */
static struct slice target_text(const struct attempt *a)
{
	const struct exchange *x = a->x;
	struct slice path = path_of(a), own = a->pick.target->backend->query;
	struct slice query = is_foreign(a) ? SLICE_NONE : x->query;
	bool asked = slice_find(path, '?') != SLICE_NOT_FOUND;
	const struct slice parts[] = {
		a->pick.target->origin->base_path, path,
		query.len ? (asked ? S("&") : S("?")) : SLICE_NONE, query,
		own.len ? (asked || query.len ? S("&") : S("?")) : SLICE_NONE, own,
	};

	return arena_join(x->arena, parts, COUNT_OF(parts));
}

/* Answers this long come soon enough whole. */
#define SHORT_ANSWER_TOKENS 256

bool request_wants_stream(const struct exchange *x)
{
	bool known = x->endpoint->kind == ENDPOINT_CHAT || x->endpoint->kind == ENDPOINT_COMPLETIONS;

	if (x->facts.stream || !known || x->whole_upstream || x->facts.model_place == MODEL_IN_MULTIPART)
		return false;
	switch (x->model->stream_upstream) {
	case STREAM_UPSTREAM_OFF:
		return false;
	case STREAM_UPSTREAM_ON:
		return true;
	case STREAM_UPSTREAM_AUTO:
		break;
	}
	return x->pick.target->backend->known_to_stream &&
	       (x->facts.max_tokens < 0 || x->facts.max_tokens > SHORT_ANSWER_TOKENS);
}

/* The body's parts; 0: it cannot be said that way. */
static size_t write_body(struct attempt *a)
{
	struct exchange *x = a->x;
	struct asking *asking = a->asking;
	bool rest_only = a->way != RESUME_NONE && a->way != RESUME_REPLAY;
	struct request_changes changes = {
		.model = a->pick.upstream_model,
		.as_stream = a->as_stream,
		.way = a->way,
		.sent = rest_only ? ledger_plain_text(&x->ledger) : SLICE_NONE,
		.tokens_sent = x->ledger.tokens,
	};

	if (a->translation && !a->translation->as_it_is) {
		if (!translate_request(a))
			return 0;
		asking->parts[0] = buf_slice(&asking->room);
		return 1;
	}
	/* Where the path names the model, only the dialect knows what is inside. */
	if (!a->as_stream && !rest_only && !(x->facts.model_place == MODEL_IN_PATH && x->endpoint->codec))
		return dialect_splice_model(x->arena, &x->facts, buf_slice(&x->body), changes.model,
					    asking->parts);
	return a->pick.target->backend->dialect->change_request(&x->facts, buf_slice(&x->body), &changes,
							       &asking->room, asking->parts);
}

bool request_build(struct attempt *a)
{
	struct exchange *x = a->x;
	bool may_lack = slice_eq(x->method, S("GET")) || slice_eq(x->method, S("HEAD")) ||
			(slice_eq(x->method, S("DELETE")) && buf_len(&x->body) == 0);
	bool has_body = a->translation || !may_lack;

	write_headers(a);
	a->asking->request = (struct upstream_request){
		.method = a->translation ? S("POST") : x->method,
		.target = target_text(a),
		.headers = buf_slice(&a->asking->headers),
		.body = a->asking->parts,
		.body_parts = has_body ? write_body(a) : 0,
		.has_body = has_body,
		.fresh = !x->endpoint->may_retry,
		.body_max = UINT64_MAX,
	};
	return !has_body || a->asking->request.body_parts > 0;
}

bool request_authorize(struct attempt *a)
{
	struct exchange *x = a->x;
	const struct backend_policy *backend = a->pick.target->backend;
	struct credential fetched;

	if (!request_credential(x->all, x->config, backend, a->pick.target->origin, &a->asking->request,
				&a->asking->headers))
		return false;
	if (backend->credential && credentials_now(x->all->credentials, x->config, backend->credential, &fetched))
		a->credential_number = fetched.number;
	a->asking->request.headers = buf_slice(&a->asking->headers);
	return true;
}

/* ---- whose is it? ------------------------------------------------------------------- */

static struct slice key_in_query(struct arena *arena, const struct h1_head *head)
{
	const struct dialect *dialect;
	const struct endpoint *e;
	struct client_query q = { .key = SLICE_NONE };
	struct slice path, query;
	const char *allow;

	if (slice_find_slice(head->target, S("key=")) == SLICE_NOT_FOUND ||
	    !url_split_target(head->target, &path, &query))
		return SLICE_NONE;
	e = dialect_endpoint(head->method, path, &dialect, &allow);
	if (e && dialect->read_query)
		dialect->read_query(arena, e, query, &q);
	return q.key;
}

struct slice request_presented_key(struct arena *arena, const struct h1_head *head)
{
	struct slice key = admit_presented_key(h1_get(head, S("authorization")),
					       h1_get(head, S("x-api-key")));

	if (!key.len)
		key = slice_trim(h1_get(head, S("x-goog-api-key")));
	if (!key.len)
		key = slice_trim(h1_get(head, S("api-key")));
	return key.len ? key : key_in_query(arena, head);
}
