/* mock_misc.c: the smaller endpoints, just enough that clients accept them. */
#include "mock/mock_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* A transparent PNG of one pixel. */
#define TINY_PNG "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

static void write_moderation(struct mock *mock, const struct mock_request *r)
{
	static const char *const kinds[] = { "harassment", "hate", "illicit", "self-harm", "sexual", "violence" };
	struct buf *out = &mock->body.bytes;
	char id[64];

	buf_putf(out, "{\"id\":\"%s\",\"model\":", mock_id(mock, "modr-", id));
	json_write_string(out, r->model);
	buf_puts(out, ",\"results\":[{\"flagged\":false,\"categories\":{");
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		buf_putf(out, "%s\"%s\":false", i ? "," : "", kinds[i]);
	buf_puts(out, "},\"category_scores\":{");
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		buf_putf(out, "%s\"%s\":0.0001", i ? "," : "", kinds[i]);
	buf_puts(out, "},\"category_applied_input_types\":{");
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		buf_putf(out, "%s\"%s\":[\"text\"]", i ? "," : "", kinds[i]);
	buf_puts(out, "}}]}");
}

/* The shape that Cohere, Jina and vLLM share: best first. */
static void write_rerank(struct mock *mock, const struct mock_request *r)
{
	struct buf *out = &mock->body.bytes;
	struct slice documents = r->documents, one;
	unsigned count = 0;
	char id[64];

	buf_putf(out, "{\"id\":\"%s\",\"model\":", mock_id(mock, "rerank-", id));
	json_write_string(out, r->model);
	buf_puts(out, ",\"results\":[");
	while (documents.len && json_type_of(r->documents) == JSON_ARRAY && count < 1000 &&
	       json_next(&documents, NULL, &one)) {
		buf_putf(out, "%s{\"index\":%u,\"relevance_score\":%.4f}", count ? "," : "", count,
			 1.0 / (1.0 + count));
		count++;
	}
	buf_putf(out, "],\"usage\":{\"total_tokens\":%zu},\"meta\":{\"billed_units\":{\"search_units\":1}}}",
		 r->body.len / 4 + 1);
}

static void write_images(struct mock *mock, const struct mock_request *r)
{
	struct buf *out = &mock->body.bytes;

	buf_putf(out, "{\"created\":%" PRId64 ",\"data\":[", mock_wall_s(mock));
	for (unsigned i = 0; i < r->n; i++)
		buf_putf(out, "%s{\"b64_json\":\"" TINY_PNG "\"}", i ? "," : "");
	buf_puts(out, "],\"size\":\"1024x1024\",\"quality\":\"low\",\"output_format\":\"png\","
		 "\"usage\":{\"input_tokens\":10,\"output_tokens\":20,\"total_tokens\":30,"
		 "\"input_tokens_details\":{\"text_tokens\":10,\"image_tokens\":0}}}");
}

static void write_file(struct mock *mock, struct buf *out, const char *id, size_t bytes)
{
	buf_putf(out, "{\"id\":\"%s\",\"object\":\"file\",\"bytes\":%zu,\"created_at\":%" PRId64
		 ",\"filename\":\"upload.jsonl\",\"purpose\":\"batch\",\"status\":\"processed\"}", id, bytes,
		 mock_wall_s(mock));
}

static void write_batch(struct mock *mock, struct buf *out, const char *id)
{
	buf_putf(out, "{\"id\":\"%s\",\"object\":\"batch\",\"endpoint\":\"/v1/chat/completions\","
		 "\"errors\":null,\"input_file_id\":\"file-mock\",\"completion_window\":\"24h\","
		 "\"status\":\"validating\",\"output_file_id\":null,\"error_file_id\":null,\"created_at\":%" PRId64
		 ",\"request_counts\":{\"total\":0,\"completed\":0,\"failed\":0},\"metadata\":null}", id,
		 mock_wall_s(mock));
}

/* /v1/files and /v1/batches: POST makes one, GET of a name shows it, GET lists
 * none, DELETE agrees. */
static void write_stored(struct mock *mock, const struct mock_request *r)
{
	bool files = r->endpoint == MOCK_FILES;
	struct slice rest = slice_from(r->path, files ? sizeof "/v1/files" - 1 : sizeof "/v1/batches" - 1);
	struct buf *out = &mock->body.bytes;
	char id[64];

	if (slice_eq(r->method, S("DELETE"))) {
		buf_puts(out, "{\"id\":\"file-mock\",\"object\":\"file\",\"deleted\":true}");
		return;
	}
	if (!slice_eq(r->method, S("POST")) && rest.len <= 1) {
		buf_puts(out, "{\"object\":\"list\",\"data\":[],\"first_id\":null,\"last_id\":null,"
			 "\"has_more\":false}");
		return;
	}
	if (files)
		write_file(mock, out, mock_id(mock, "file-", id), r->body.len);
	else
		write_batch(mock, out, mock_id(mock, "batch_", id));
}

/* A second of silence at 8 kHz would be long; this is a valid WAV head and 64 samples. */
static void write_speech(struct buf *out)
{
	static const unsigned char head[44] = {
		'R', 'I', 'F', 'F', 100, 0, 0, 0, 'W', 'A', 'V', 'E', 'f', 'm', 't', ' ', 16, 0, 0, 0, 1, 0, 1, 0,
		0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0, 'd', 'a', 't', 'a', 64, 0, 0, 0,
	};

	buf_put(out, (struct slice){ (const char *)head, sizeof head });
	for (int i = 0; i < 64; i++)
		buf_puts(out, "\x80");
}

void mock_answer_misc(struct mock *mock, const struct mock_request *r,
		      const struct mock_behaviour *b, struct mock_answer *a)
{
	struct buf *out = &mock->body.bytes;

	a->wait_ms = b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms;
	mock_script_begin(&mock->body);
	switch (r->endpoint) {
	case MOCK_MODERATIONS:
		write_moderation(mock, r);
		break;
	case MOCK_RERANK:
		write_rerank(mock, r);
		break;
	case MOCK_IMAGES:
		write_images(mock, r);
		break;
	case MOCK_TRANSCRIPTIONS:
		buf_putf(out, "{\"text\":\"A recording of %zu bytes in which somebody speaks.\","
			 "\"usage\":{\"type\":\"duration\",\"seconds\":1}}", r->body.len);
		break;
	case MOCK_SPEECH:
		a->content_type = "audio/wav";
		write_speech(out);
		break;
	case MOCK_FILES:
	case MOCK_BATCHES:
		write_stored(mock, r);
		break;
	case MOCK_HEALTH:
		buf_puts(out, "{\"status\":\"ok\"}");
		a->wait_ms = 0;
		break;
	default:
		never("an endpoint with an answer of its own");
	}
	mock_script_end(&mock->body);
	mock_spoil_whole(mock, b, a);
}

static void write_model(struct mock *mock, struct buf *out, struct slice name)
{
	if (mock->speaks == SPEAKS_ANTHROPIC) {
		buf_puts(out, "{\"type\":\"model\",\"id\":");
		json_write_string(out, name);
		buf_puts(out, ",\"display_name\":");
		json_write_string(out, name);
		buf_puts(out, ",\"created_at\":\"2025-02-19T00:00:00Z\"}");
		return;
	}
	buf_puts(out, "{\"id\":");
	json_write_string(out, name);
	buf_puts(out, ",\"object\":\"model\",\"created\":1700000000,\"owned_by\":");
	json_write_string(out, slice_of(mock->name));
	buf_puts(out, "}");
}

void mock_answer_models(struct mock *mock, const struct mock_request *r, struct mock_answer *a)
{
	struct buf *out = &mock->body.bytes;
	struct slice wanted = slice_from(r->path, sizeof "/v1/models" - 1);
	bool found = false;

	mock_script_begin(&mock->body);
	if (wanted.len > 1) {
		wanted = slice_from(wanted, 1);
		for (unsigned i = 0; i < mock->options.model_count; i++)
			found |= slice_eq(mock->options.models[i], wanted);
		if (found || !mock->options.model_count)
			write_model(mock, out, wanted);
		else
			mock_refuse(mock, a, 404, NULL, "model_not_found", "The model does not exist.");
	} else {
		buf_puts(out, "{\"object\":\"list\",\"data\":[");
		for (unsigned i = 0; i < mock->options.model_count; i++) {
			if (i)
				buf_puts(out, ",");
			write_model(mock, out, mock->options.models[i]);
		}
		if (!mock->options.model_count)
			write_model(mock, out, S("mock-model"));
		buf_put(out, mock->speaks == SPEAKS_ANTHROPIC
			? S("],\"has_more\":false,\"first_id\":null,\"last_id\":null}") : S("]}"));
	}
	if (a->status == 200)
		mock_script_end(&mock->body);
}

/* ---- /mock/... ------------------------------------------------------------------- */

static void write_counts(struct buf *out, const struct mock_counts *n)
{
	buf_putf(out, "{\"requests\":%" PRIu64 ",\"finished\":%" PRIu64 ",\"broken\":%" PRIu64
		 ",\"cancelled\":%" PRIu64 ",\"in_flight\":%" PRIu64 "}", n->requests, n->finished, n->broken,
		 n->cancelled, n->in_flight);
}

void mock_write_stats(const struct mock *mock, struct buf *out)
{
	const struct mock_stats *s = &mock->stats;

	buf_puts(out, "{\"name\":");
	json_write_string(out, slice_of(mock->name));
	buf_putf(out, ",\"connections_open\":%" PRIu64 ",\"connections_total\":%" PRIu64
		 ",\"bad_requests\":%" PRIu64 ",\"faulty\":%" PRIu64 ",\"all\":", s->connections_open,
		 s->connections_total, s->bad_requests, s->faulty);
	write_counts(out, &s->all);
	buf_puts(out, ",\"endpoints\":{");
	for (int e = 0; e < MOCK_ENDPOINTS; e++) {
		buf_putf(out, "%s\"%s\":", e ? "," : "", mock_endpoint_name((enum mock_endpoint)e));
		write_counts(out, &s->per[e]);
	}
	buf_puts(out, "}}\n");
}

/* POST sets a behaviour: standing, or with ?next for the next request. */
static void control_behaviour(struct mock *mock, const struct mock_request *r, struct mock_answer *a)
{
	bool next = slice_eq(r->query, S("next"));
	char why[256];

	if (!slice_eq(r->method, S("POST"))) {
		mock_refuse(mock, a, 405, NULL, "method_not_allowed", "POST a behaviour as the body");
		return;
	}
	if (next ? !mock_queue_behaviour(mock, r->body, why, sizeof why)
		 : !mock_set_behaviour(mock, r->body, why, sizeof why)) {
		mock_refuse(mock, a, 400, NULL, "bad_behaviour", why);
		return;
	}
	mock_script_send(&mock->body, S("{\"ok\":true}\n"));
}

void mock_answer_control(struct mock *mock, const struct mock_request *r, struct mock_answer *a)
{
	char text[64];

	if (slice_eq(r->path, S("/mock/stats"))) {
		mock_script_begin(&mock->body);
		mock_write_stats(mock, &mock->body.bytes);
		mock_script_end(&mock->body);
	} else if (slice_eq(r->path, S("/mock/behaviour"))) {
		control_behaviour(mock, r, a);
	} else if (slice_eq(r->path, S("/mock/last")) && mock->options.record) {
		mock_script_send(&mock->body, buf_slice(&mock->last));
		a->content_type = "text/plain; charset=utf-8";
	} else if (slice_eq(r->path, S("/mock/close-idle"))) {
		snprintf(text, sizeof text, "{\"closed\":%u}\n", mock_close_idle(mock));
		mock_script_send(&mock->body, slice_of(text));
	} else if (slice_eq(r->path, S("/mock/help"))) {
		mock_script_begin(&mock->body);
		mock_write_help(&mock->body.bytes);
		mock_script_end(&mock->body);
		a->content_type = "text/plain; charset=utf-8";
	} else {
		mock_refuse(mock, a, 404, NULL, "not_found",
			    "There are /mock/stats, /mock/behaviour, /mock/close-idle, /mock/help and, with "
			    "--record, /mock/last");
	}
}
