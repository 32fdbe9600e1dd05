/* What goes to the client when things go well, and before they begin. */
#include "exchange/exchange.h"

#include "base/check.h"
#include "exchange/answer.h"
#include "exchange/translate.h"
#include "wire/json.h"

/* ---- an upstream's headers ------------------------------------------------------- */

/* Framing is ours, the rest tells of one backend's edge or account. */
static const struct slice withheld[] = {
	S_INIT("content-length"), S_INIT("date"), S_INIT("server"), S_INIT("set-cookie"),
	S_INIT("alt-svc"), S_INIT("strict-transport-security"), S_INIT("report-to"), S_INIT("nel"),
	S_INIT("openai-organization"), S_INIT("openai-project"), S_INIT("anthropic-organization-id"),
	S_INIT("retry-after"), S_INIT("retry-after-ms"), S_INIT("x-should-retry"),
	S_INIT("access-control-allow-origin"), S_INIT("location"), S_INIT("www-authenticate"),
	S_INIT("content-encoding"),   /* a body that came compressed has been decoded on the way */
};

static bool is_withheld(const struct h1_head *head, struct slice name, uint64_t withheld_bits)
{
	return h1_is_among(name, withheld, COUNT_OF(withheld), withheld_bits) ||
	       slice_starts_nocase(name, S("x-backstay-")) || h1_is_hop_by_hop(head, name);
}

void answer_keep_headers(struct attempt *a, const struct h1_head *head)
{
	const uint64_t withheld_bits = h1_name_bits(withheld, COUNT_OF(withheld));
	struct h1_header kept[H1_HEADERS_MAX];
	size_t count = 0;

	for (unsigned i = 0; i < head->header_count; i++) {
		const struct h1_header *h = &head->headers[i];
		bool is_id = slice_eq_nocase(h->name, S("x-request-id")) ||
			     slice_eq_nocase(h->name, a->x->dialect->id_header);

		if (is_withheld(head, h->name, withheld_bits))
			continue;
		kept[count] = *h;
		if (is_id)
			kept[count].name = S("x-backstay-upstream-request-id");
		count++;
	}
	a->answer_lines = header_lines(a->x->arena, kept, count);
}

/* ---- our own headers ----------------------------------------------------------------- */

static struct slice target_of(const struct exchange *x)
{
	if (x->lead || x->served_target.len)
		return x->served_target;
	return x->attempts ? x->records[x->attempts - 1].target : SLICE_NONE;
}

/* Why the answer is less than a model's own; empty: it is not. */
static struct slice degraded_of(const struct exchange *x)
{
	if (x->degraded_by)
		return slice_of(degraded_name(x->degraded_by));
	if (x->resorted && x->lead)
		return slice_of(degraded_name(DEGRADED_LAST_RESORT));
	if ((x->lead || x->cache == CACHE_USE_JOINED) && x->served_fallback)
		return slice_of(degraded_name(DEGRADED_FALLBACK));
	return SLICE_NONE;
}

size_t answer_own_headers(struct exchange *x, struct h1_header out[static ANSWER_OWN_HEADERS])
{
	struct slice target = target_of(x), degraded = degraded_of(x);
	const struct translation *t = x->lead ? x->lead->translation : NULL;
	uint64_t dropped = t ? t->unsaid | t->less : 0;
	char room[20];
	size_t n = 0;

	out[n++] = (struct h1_header){ S("x-request-id"), x->id };
	if (x->dialect->id_header.len)
		out[n++] = (struct h1_header){ x->dialect->id_header, x->id };
	out[n++] = (struct h1_header){ S("x-backstay-attempts"),
				       arena_copy(x->arena, slice_of_u64(x->attempts, room)) };
	if (target.len)
		out[n++] = (struct h1_header){ S("x-backstay-target"), target };
	if (degraded.len)
		out[n++] = (struct h1_header){ S("x-backstay-degraded"), degraded };
	if (x->degraded_why != FAULT_NONE)
		out[n++] = (struct h1_header){ S("x-backstay-degraded-why"),
					       slice_of(fault_row(x->degraded_why)->name) };
	if (x->budget)
		out[n++] = (struct h1_header){ S("x-backstay-budget-spent"), x->budget->name };
	if (x->cache)
		out[n++] = (struct h1_header){ S("x-backstay-cache"), slice_of(cache_use_name(x->cache)) };
	if (x->cache == CACHE_USE_NEAR)
		out[n++] = (struct h1_header){ S("x-backstay-similarity"),
					       arena_printf(x->arena, "%.2f", x->similarity) };
	if (cache_use_gives(x->cache) && x->cache != CACHE_USE_JOINED)
		out[n++] = (struct h1_header){ S("age"), arena_printf(x->arena, "%lld",
			(long long)(x->cache_age_ms / 1000)) };
	if (dropped)
		out[n++] = (struct h1_header){ S("x-backstay-dropped"), canon_feature_names(x->arena, dropped) };
	if (x->explains)
		out[n++] = (struct h1_header){ S("x-backstay-explain"), explain_text(x) };
	must(n <= ANSWER_OWN_HEADERS);
	return n;
}

/* Answers told anew have another content type than the upstream's. */
static void fix_content_type(const struct attempt *a, struct h1_header *headers, size_t count)
{
	if (!a->answer_retold && !a->translation && !(a->x->array && a->is_sse))
		return;
	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(headers[i].name, S("content-type")))
			headers[i].value = framing_type(a->x);
}

void answer_head(struct exchange *x, const struct attempt *a)
{
	/* Not from the arena: it would stay there as long as the stream. */
	struct h1_header headers[H1_HEADERS_MAX + ANSWER_OWN_HEADERS];
	struct slice lines = a->answer_lines;
	size_t n = 0;

	while (n < H1_HEADERS_MAX && header_lines_next(&lines, &headers[n]))
		n++;
	fix_content_type(a, headers, n);
	n += answer_own_headers(x, headers + n);
	x->status_sent = a->status;
	client_respond_head(x->client, a->status, headers, n, a->answer_length);
}

/* ---- refusals ---------------------------------------------------------------------------- */

void answer_refuse(struct client_conn *c, const struct dialect *dialect,
		   const struct error_answer *e, const char *allow)
{
	struct buf body = BUF_INIT(64 * 1024);
	struct h1_header headers[] = {
		{ S("content-type"), S("application/json") },
		{ S("x-request-id"), e->request_id },
		{ S("x-should-retry"), S("false") },
		{ S(""), SLICE_NONE }, { S(""), SLICE_NONE },
	};
	size_t n = 3;

	if (allow)
		headers[n++] = (struct h1_header){ S("allow"), slice_of(allow) };
	if (dialect->id_header.len)
		headers[n++] = (struct h1_header){ dialect->id_header, e->request_id };
	dialect->write_error(e, &body);
	client_respond_whole(c, dialect_error_status(dialect, e), headers, n, buf_slice(&body));
	buf_free(&body);
}

/* ---- /v1/models -------------------------------------------------------------------------- */

/* The names that can be asked for; patterns are none. */
static size_t model_names(const struct exchange *x, struct slice **names)
{
	size_t count = 0;

	*names = arena_array(x->arena, struct slice, x->config->model_count);
	for (size_t i = 0; i < x->config->model_count; i++)
		if (!x->config->models[i].is_pattern)
			(*names)[count++] = x->config->models[i].name;
	return count;
}

/* The id in /v1/models/{id}; empty for the list. */
static struct slice model_in_path(const struct exchange *x)
{
	struct slice prefix = S("/v1/models/");

	return slice_starts(x->path, prefix) ? slice_from(x->path, prefix.len) : SLICE_NONE;
}

void answer_models(struct exchange *x)
{
	struct slice id = model_in_path(x), star, *names;
	struct buf out = BUF_INIT(4 * 1024 * 1024);
	struct h1_header headers[1 + ANSWER_OWN_HEADERS] = { { S("content-type"), S("application/json") } };
	size_t n = 1 + answer_own_headers(x, headers + 1);

	if (id.len && !config_model(x->config, id, &star)) {
		struct error_answer e;

		answer_unknown_model(x, id, &e);
		answer_error(x, &e, SLICE_NONE);
		return;
	}
	if (id.len) {
		x->dialect->write_models(&id, 1, true, x->wall_ms / 1000, &out);
	} else {
		size_t count = model_names(x, &names);

		x->dialect->write_models(names, count, false, x->wall_ms / 1000, &out);
	}
	x->status_sent = 200;
	x->bytes_out = buf_len(&out);
	client_respond_whole(x->client, 200, headers, n, buf_slice(&out));
	x->client = NULL;
	buf_free(&out);
}
