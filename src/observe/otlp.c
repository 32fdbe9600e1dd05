#include "observe/otlp.h"

#include "base/check.h"
#include "wire/json.h"

#include <string.h>

#define TEXT_MAX 200                  /* bytes of one text */
#define ATTEMPTS_MAX 16
#define KIND_SERVER 2
#define KIND_CLIENT 3

/* ---- words ---------------------------------------------------------------------- */

struct slice otlp_provider(struct slice authority)
{
	static const struct { struct slice host, provider; } rows[] = {
		{ S_INIT("api.openai.com"), S_INIT("openai") },
		{ S_INIT(".openai.azure.com"), S_INIT("azure.ai.openai") },
		{ S_INIT(".services.ai.azure.com"), S_INIT("azure.ai.inference") },
		{ S_INIT("api.anthropic.com"), S_INIT("anthropic") },
		{ S_INIT("generativelanguage.googleapis.com"), S_INIT("gcp.gemini") },
		{ S_INIT("aiplatform.googleapis.com"), S_INIT("gcp.vertex_ai") },
		{ S_INIT(".amazonaws.com"), S_INIT("aws.bedrock") },
		{ S_INIT("api.mistral.ai"), S_INIT("mistral_ai") },
		{ S_INIT("api.deepseek.com"), S_INIT("deepseek") },
		{ S_INIT("api.x.ai"), S_INIT("x_ai") },
		{ S_INIT("api.groq.com"), S_INIT("groq") },
		{ S_INIT("api.cohere.com"), S_INIT("cohere") },
		{ S_INIT("api.perplexity.ai"), S_INIT("perplexity") },
	};
	struct slice host = authority, port;

	(void)slice_cut(authority, ':', &host, &port);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_ends(host, rows[i].host))
			return rows[i].provider;
	return S("openai_compatible");
}

/* The operation by what was asked for; empty: none that the conventions know. */
static struct slice operation(struct slice path)
{
	static const struct { struct slice end, name; } rows[] = {
		{ S_INIT("/chat/completions"), S_INIT("chat") },
		{ S_INIT("/messages"), S_INIT("chat") },
		{ S_INIT("/responses"), S_INIT("chat") },
		{ S_INIT("/converse"), S_INIT("chat") },
		{ S_INIT("/converse-stream"), S_INIT("chat") },
		{ S_INIT("/chat"), S_INIT("chat") },
		{ S_INIT("/completions"), S_INIT("text_completion") },
		{ S_INIT("/embeddings"), S_INIT("embeddings") },
		{ S_INIT("/embed"), S_INIT("embeddings") },
		{ S_INIT(":embedContent"), S_INIT("embeddings") },
		{ S_INIT(":generateContent"), S_INIT("generate_content") },
		{ S_INIT(":streamGenerateContent"), S_INIT("generate_content") },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_ends(path, rows[i].end))
			return rows[i].name;
	return SLICE_NONE;
}

static bool is_failure(enum fault f)
{
	return f != FAULT_NONE && f != FAULT_CALLER && f != FAULT_CLIENT_GONE && f != FAULT_CONTEXT &&
	       f != FAULT_POLICY && f != FAULT_OUTRUN;
}

bool otlp_wants(const struct exchange_record *r)
{
	return r->trace->sampled || !record_is_calm(r);
}

/* ---- JSON -------------------------------------------------------------------------- */

static void put_text(struct buf *out, struct slice text)
{
	if (text.len > TEXT_MAX) {
		text.len = TEXT_MAX;
		while (text.len && ((unsigned char)text.at[text.len] & 0xc0) == 0x80)
			text.len--;
	}
	json_write_string(out, text);
}

static void put_hex(struct buf *out, const uint8_t *at, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *to = buf_room(out, 2 * bytes + 2);
	size_t n = 0;

	must(to != NULL);
	to[n++] = '"';
	for (size_t i = 0; i < bytes; i++) {
		to[n++] = digits[at[i] >> 4];
		to[n++] = digits[at[i] & 15];
	}
	to[n++] = '"';
	buf_added(out, n);
}

/* A member before others; `name` with its quotes and colon. One is written some
 * sixty times for an exchange, so nothing here goes through a format. */
static void put_nanos(struct buf *out, struct slice name, int64_t wall_ms)
{
	buf_put(out, name);
	buf_puts(out, "\"");
	buf_put_i64(out, wall_ms > 0 ? wall_ms : 0);
	buf_puts(out, "000000\"");
}

/* {"key":"...","value":{ ; the caller closes both. */
static void open_attribute(struct buf *out, const char *key)
{
	struct slice held = buf_slice(out);

	if (held.at[held.len - 1] != '[')
		buf_puts(out, ",");
	buf_puts(out, "{\"key\":\"");
	buf_put(out, slice_of(key));
	buf_puts(out, "\",\"value\":{");
}

static void put_string(struct buf *out, const char *key, struct slice value)
{
	if (!value.len)
		return;
	open_attribute(out, key);
	buf_puts(out, "\"stringValue\":");
	put_text(out, value);
	buf_puts(out, "}}");
}

static void put_int(struct buf *out, const char *key, int64_t value)
{
	open_attribute(out, key);
	buf_puts(out, "\"intValue\":\"");
	buf_put_i64(out, value);
	buf_puts(out, "\"}}");
}

static void put_true(struct buf *out, const char *key, bool value)
{
	if (!value)
		return;
	open_attribute(out, key);
	buf_puts(out, "\"boolValue\":true}}");
}

static void put_seconds(struct buf *out, const char *key, int64_t ms)
{
	open_attribute(out, key);
	buf_puts(out, "\"doubleValue\":");
	buf_put_i64(out, ms / 1000);
	buf_put(out, ms % 1000 < 10 ? S(".00") : ms % 1000 < 100 ? S(".0") : S("."));
	buf_put_i64(out, ms % 1000);
	buf_puts(out, "}}");
}

static void put_texts(struct buf *out, const char *key, struct slice only)
{
	if (!only.len)
		return;
	open_attribute(out, key);
	buf_puts(out, "\"arrayValue\":{\"values\":[{\"stringValue\":");
	put_text(out, only);
	buf_puts(out, "}]}}}");
}

static void put_tokens(struct buf *out, int64_t input, int64_t output, int64_t cached, int64_t reasoning)
{
	put_int(out, "gen_ai.usage.input_tokens", input);
	put_int(out, "gen_ai.usage.output_tokens", output);
	if (cached > 0)
		put_int(out, "gen_ai.usage.cache_read.input_tokens", cached);
	if (reasoning > 0)
		put_int(out, "gen_ai.usage.reasoning.output_tokens", reasoning);
}

static void put_status(struct buf *out, bool error, enum fault fault, struct slice text)
{
	buf_puts(out, ",\"status\":{");
	if (error) {
		buf_puts(out, "\"code\":2,\"message\":");        /* STATUS_CODE_ERROR */
		put_text(out, text.len ? text : slice_of(fault_row(fault)->text));
	}
	buf_puts(out, "}");
}

/* {"traceId":..,"spanId":..,"parentSpanId":..,"name":..,"kind":..,times,"attributes":[ */
static void open_span(struct buf *out, const struct trace_context *t, const uint8_t *span,
		      const uint8_t *parent, int kind)
{
	buf_puts(out, "{\"traceId\":");
	put_hex(out, t->trace_id, TRACE_ID_BYTES);
	buf_puts(out, ",\"spanId\":");
	put_hex(out, span, SPAN_ID_BYTES);
	if (parent) {
		buf_puts(out, ",\"parentSpanId\":");
		put_hex(out, parent, SPAN_ID_BYTES);
	}
	buf_put(out, t->sampled ? S(",\"flags\":1,\"kind\":") : S(",\"flags\":0,\"kind\":"));
	buf_put_i64(out, kind);
	buf_puts(out, ",");
}

static void put_name(struct buf *out, struct slice first, struct slice second)
{
	char joined[2 * TEXT_MAX + 1];
	size_t n = first.len < TEXT_MAX ? first.len : TEXT_MAX;
	size_t m = second.len < TEXT_MAX ? second.len : TEXT_MAX;

	if (n)
		memcpy(joined, first.at, n);
	if (m) {
		joined[n++] = ' ';
		memcpy(joined + n, second.at, m);
	}
	buf_puts(out, "\"name\":");
	put_text(out, (struct slice){ joined, n + m });
	buf_puts(out, ",");
}

/* ---- an attempt --------------------------------------------------------------------------- */

static void put_server(struct buf *out, struct slice authority)
{
	struct slice host = authority, port = SLICE_NONE;
	uint64_t number;

	if (authority.len && authority.at[0] != '[')
		(void)slice_cut(authority, ':', &host, &port);
	put_string(out, "server.address", host);
	if (slice_to_u64(port, &number))
		put_int(out, "server.port", (int64_t)number);
}

static void put_attempt(struct buf *out, const struct exchange_record *r, size_t i)
{
	const struct attempt_record *a = &r->attempts[i];
	struct slice op = operation(r->path);
	int64_t start = r->wall_ms + a->start_ms;
	uint8_t id[SPAN_ID_BYTES];

	trace_attempt_id(r->trace, (unsigned)i, id);
	buf_puts(out, ",");
	open_span(out, r->trace, id, r->trace->span_id, KIND_CLIENT);
	put_name(out, op.len ? op : r->method, op.len ? a->model : SLICE_NONE);
	put_nanos(out, S("\"startTimeUnixNano\":"), start);
	buf_puts(out, ",");
	put_nanos(out, S("\"endTimeUnixNano\":"), start + a->took_ms);
	buf_puts(out, ",\"attributes\":[");
	put_string(out, "gen_ai.operation.name", op);
	put_string(out, "gen_ai.provider.name", otlp_provider(a->authority));
	put_string(out, "gen_ai.request.model", a->model);
	put_true(out, "gen_ai.request.stream", r->stream);
	put_server(out, a->authority);
	if (a->status)
		put_int(out, "http.response.status_code", a->status);
	if (a->first_token_ms >= 0)
		put_seconds(out, "gen_ai.response.time_to_first_chunk", a->first_token_ms);
	if (a->spent.told)
		put_tokens(out, a->spent.input_tokens, a->spent.output_tokens, a->spent.cached_tokens,
			   a->spent.reasoning_tokens);
	if (a->fault != FAULT_NONE)
		put_string(out, "error.type", slice_of(fault_row(a->fault)->name));
	put_string(out, "backstay.target", a->target);
	put_string(out, "backstay.attempt.kind", slice_of(a->kind ? a->kind : ""));
	put_int(out, "backstay.attempt.number", (int64_t)i + 1);
	buf_puts(out, "]");
	put_status(out, is_failure(a->fault), a->fault, a->text);
	buf_puts(out, "}");
}

/* ---- the exchange -------------------------------------------------------------------------- */

static void put_event(struct buf *out, const char *name, int64_t wall_ms, struct slice target,
		      struct slice way)
{
	struct slice held = buf_slice(out);

	if (held.at[held.len - 1] != '[')
		buf_puts(out, ",");
	buf_puts(out, "{");
	put_nanos(out, S("\"timeUnixNano\":"), wall_ms);
	buf_puts(out, ",\"name\":\"");
	buf_put(out, slice_of(name));
	buf_puts(out, "\",\"attributes\":[");
	put_string(out, "backstay.target", target);
	put_string(out, "backstay.resume.way", way);
	buf_puts(out, "]}");
}

/* What befell it, in the order of its attempts; the commit point first, since a
 * resume can only follow it. */
static void put_events(struct buf *out, const struct exchange_record *r)
{
	struct slice first = SLICE_NONE;

	buf_puts(out, ",\"events\":[");
	for (size_t i = 0; i < r->attempt_count && i < ATTEMPTS_MAX; i++) {
		const struct attempt_record *a = &r->attempts[i];

		if (!a->resumes && a->first_token_ms >= 0 && !first.len)
			first = a->target;
		if (a->kind && slice_eq(slice_of(a->kind), S("hedge")))
			put_event(out, "backstay.hedge", r->wall_ms + a->start_ms, a->target, SLICE_NONE);
	}
	if (r->first_token_ms >= 0)
		put_event(out, "backstay.commit", r->wall_ms + r->first_token_ms,
			  r->resumes || !r->target.len ? first : r->target, SLICE_NONE);
	for (size_t i = 0; i < r->attempt_count && i < ATTEMPTS_MAX; i++) {
		const struct attempt_record *a = &r->attempts[i];

		if (a->went_on)
			put_event(out, "backstay.resume", r->wall_ms + a->start_ms +
				  (a->first_token_ms > 0 ? a->first_token_ms : 0), a->target,
				  slice_of(a->kind));
	}
	buf_puts(out, "]");
}

static void put_outcome(struct buf *out, const struct exchange_record *r)
{
	if (r->usage_known)
		put_tokens(out, r->input_tokens, r->output_tokens, r->cached_tokens, r->reasoning_tokens);
	put_texts(out, "gen_ai.response.finish_reasons", r->finish_reason);
	if (r->first_token_ms >= 0)
		put_seconds(out, "gen_ai.response.time_to_first_chunk", r->first_token_ms);
	if (r->fault != FAULT_NONE)
		put_string(out, "error.type", slice_of(fault_row(r->fault)->name));
	put_string(out, "backstay.request_id", r->request_id);
	put_string(out, "backstay.target", r->target);
	put_string(out, "backstay.served_model", r->served_model);
	put_string(out, "backstay.degraded", slice_of(degraded_name(r->degraded)));
	put_string(out, "backstay.cache", slice_of(cache_use_name(r->cache)));
	put_string(out, "backstay.shed", slice_of(shed_name(r->shed)));
	put_string(out, "backstay.key", r->client_key);
	put_int(out, "backstay.attempts", (int64_t)r->attempt_count);
	if (r->resumes)
		put_int(out, "backstay.resumes", r->resumes);
	if (r->queued_ms > 0)
		put_seconds(out, "backstay.queued", r->queued_ms);
}

static void put_exchange(struct buf *out, const struct exchange_record *r)
{
	static const uint8_t none[SPAN_ID_BYTES];
	const struct trace_context *t = r->trace;
	struct slice op = operation(r->path);
	bool orphan = memcmp(t->parent_id, none, sizeof none) == 0;

	open_span(out, t, t->span_id, orphan ? NULL : t->parent_id, KIND_SERVER);
	put_name(out, op.len ? op : r->method, op.len ? r->asked_model : r->path);
	put_nanos(out, S("\"startTimeUnixNano\":"), r->wall_ms);
	buf_puts(out, ",");
	put_nanos(out, S("\"endTimeUnixNano\":"), r->wall_ms + r->duration_ms);
	buf_puts(out, ",\"attributes\":[");
	put_string(out, "http.request.method", r->method);
	put_string(out, "url.path", r->path);
	put_int(out, "http.response.status_code", r->status);
	put_string(out, "gen_ai.operation.name", op);
	put_string(out, "gen_ai.provider.name", S("backstay"));
	put_string(out, "gen_ai.request.model", r->asked_model);
	put_true(out, "gen_ai.request.stream", r->stream);
	if (r->attempt_count && r->attempts[r->attempt_count - 1].fault == FAULT_NONE)
		put_string(out, "gen_ai.response.model", r->attempts[r->attempt_count - 1].model);
	put_outcome(out, r);
	buf_puts(out, "]");
	put_events(out, r);
	put_status(out, is_failure(r->fault), r->fault, SLICE_NONE);
	buf_puts(out, "}");
}

size_t otlp_write_spans(const struct exchange_record *r, struct buf *out)
{
	size_t attempts = r->attempt_count < ATTEMPTS_MAX ? r->attempt_count : ATTEMPTS_MAX;

	if (buf_len(out))
		buf_puts(out, ",");
	put_exchange(out, r);
	for (size_t i = 0; i < attempts; i++)
		put_attempt(out, r, i);
	return 1 + attempts;
}

void otlp_write_head(struct buf *out, struct slice service)
{
	buf_puts(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
	put_string(out, "service.name", service);
	put_string(out, "service.version", S(BACKSTAY_VERSION));
	buf_puts(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"backstay\",\"version\":\"" BACKSTAY_VERSION
		 "\"},\"spans\":[");
}

void otlp_write_tail(struct buf *out)
{
	buf_puts(out, "]}]}]}");
}
