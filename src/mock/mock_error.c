/* mock_error.c: what is said when something is wrong, in the shapes that are
 * seen in the field. */
#include "mock/mock_bedrock.h"

#include <stdio.h>
#include <string.h>

struct error_words {
	int status;
	const char *type, *code, *message;    /* code NULL: null */
};

/* OpenAI's words for a status (platform.openai.com/docs/guides/error-codes). */
static const struct error_words words_of_status[] = {
	{ 400, "invalid_request_error", NULL, "Invalid request." },
	{ 401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided." },
	{ 402, "billing_error", "payment_required", "This account has no credit left." },
	{ 403, "invalid_request_error", "unsupported_country_region_territory",
	  "Country, region, or territory not supported." },
	{ 404, "invalid_request_error", "model_not_found", "The model does not exist." },
	{ 408, "invalid_request_error", NULL, "The request took too long to arrive." },
	{ 409, "invalid_request_error", NULL, "The resource is locked by another request." },
	{ 413, "invalid_request_error", "request_too_large", "The request body is too large." },
	{ 422, "invalid_request_error", NULL, "The request could not be processed." },
	{ 425, "invalid_request_error", NULL, "Too early." },
	{ 429, "requests", "rate_limit_exceeded", "Rate limit reached. Please try again later." },
	{ 500, "server_error", NULL, "The server had an error while processing your request." },
	{ 502, "server_error", "bad_gateway", "Bad gateway." },
	{ 503, "server_error", "service_unavailable",
	  "The engine is currently overloaded, please try again later." },
	{ 504, "server_error", "timeout", "The upstream did not answer in time." },
	{ 529, "overloaded_error", "overloaded", "Overloaded" },
};

static struct error_words words_for(const struct mock_behaviour *b)
{
	int status = b->status >= 300 ? (int)b->status : 500;
	struct error_words w = { status, status >= 500 ? "server_error" : "invalid_request_error", NULL,
				 "Something went wrong." };

	for (size_t i = 0; i < COUNT_OF(words_of_status); i++)
		if (words_of_status[i].status == status)
			w = words_of_status[i];
	if (b->type[0])
		w.type = b->type;
	if (b->code[0])
		w.code = b->code;
	if (b->message[0])
		w.message = b->message;
	return w;
}

static void write_quoted(struct buf *out, const char *text)
{
	if (text)
		json_write_string(out, slice_of(text));
	else
		buf_puts(out, "null");
}

static void write_openai(struct buf *out, const struct error_words *w)
{
	buf_puts(out, "{\"error\":{\"message\":");
	write_quoted(out, w->message);
	buf_puts(out, ",\"type\":");
	write_quoted(out, w->type);
	buf_puts(out, ",\"param\":null,\"code\":");
	write_quoted(out, w->code);
	buf_puts(out, "}}");
}

/* {"before":MESSAGE after */
static void write_simple(struct buf *out, const char *before, const struct error_words *w,
			 const char *after)
{
	buf_put(out, slice_of(before));
	write_quoted(out, w->message);
	buf_put(out, slice_of(after));
}

void mock_write_error(struct buf *out, const struct mock_behaviour *b, enum mock_shape shape)
{
	struct error_words w = words_for(b);

	switch (shape) {
	case SHAPE_VLLM:
		write_simple(out, "{\"object\":\"error\",\"message\":", &w, ",\"type\":");
		write_quoted(out, w.type);
		buf_putf(out, ",\"param\":null,\"code\":%d}", w.status);
		return;
	case SHAPE_OPENROUTER:
		buf_putf(out, "{\"error\":{\"code\":%d,\"message\":", w.status);
		write_quoted(out, w.message);
		buf_puts(out, ",\"metadata\":{\"provider_name\":\"mock\"}}}");
		return;
	case SHAPE_STRING:
		write_simple(out, "{\"error\":", &w, "}");
		return;
	case SHAPE_DETAIL:
		write_simple(out, "{\"detail\":", &w, "}");
		return;
	case SHAPE_MESSAGE:
		write_simple(out, "{\"message\":", &w, "}");
		return;
	case SHAPE_LIST:
		buf_puts(out, "[");
		write_openai(out, &w);
		buf_puts(out, "]");
		return;
	case SHAPE_ANTHROPIC:
		buf_puts(out, "{\"type\":\"error\",\"error\":{\"type\":");
		write_quoted(out, w.type);
		write_simple(out, ",\"message\":", &w, "}}");
		return;
	case SHAPE_PLAIN:
		buf_put(out, slice_of(w.message));
		return;
	case SHAPE_OPENAI:
	case SHAPE_RAW:
	case SHAPE_EVENT:
		write_openai(out, &w);
		return;
	}
}

struct slice mock_error_text(const struct mock_behaviour *b)
{
	return slice_of(words_for(b).message);
}

const char *mock_bedrock_error_name(int status)
{
	static const struct { int status; const char *name; } rows[] = {
		{ 400, "ValidationException" }, { 401, "UnrecognizedClientException" }, { 403, "AccessDeniedException" },
		{ 404, "ResourceNotFoundException" }, { 408, "ModelTimeoutException" },
		{ 424, "ModelErrorException" }, { 429, "ThrottlingException" },
		{ 503, "ServiceUnavailableException" }, { 529, "ServiceUnavailableException" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].status == status)
			return rows[i].name;
	return status >= 500 ? "InternalServerException" : "ValidationException";
}

/* The error in the words of AWS and Cohere. */
static void answer_foreign_error(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a)
{
	const char *name = b->type[0] ? b->type : mock_bedrock_error_name((int)b->status);
	char id[64];

	mock_script_begin(&mock->body);
	buf_puts(&mock->body.bytes, "{");
	if (mock->speaks == SPEAKS_COHERE)
		buf_putf(&mock->body.bytes, "\"id\":\"%s\",", mock_id(mock, "", id));
	buf_puts(&mock->body.bytes, "\"message\":");
	json_write_string(&mock->body.bytes, mock_error_text(b));
	buf_puts(&mock->body.bytes, "}");
	mock_script_end(&mock->body);
	if (mock->speaks == SPEAKS_BEDROCK)
		snprintf(a->extra, sizeof a->extra, "x-amzn-errortype: %s:http://internal.amazon.com/coral/com.amazon.bedrock/\r\n",
			 name);
}

void mock_answer_error(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a)
{
	struct mock_behaviour told = *b;
	enum mock_shape shape = (enum mock_shape)b->error_shape;
	bool plain = shape == SHAPE_OPENAI;

	if (mock->speaks == SPEAKS_ANTHROPIC && plain) {
		mock_anthropic_error(&told);
		shape = SHAPE_ANTHROPIC;
	}
	mock_script_clear(&mock->body);
	if (plain && mock->speaks == SPEAKS_GEMINI) {
		mock_script_begin(&mock->body);
		told.status = (uint32_t)mock_gemini_error(&mock->body.bytes, b);
		told.status = b->status ? told.status : 0;
		mock_script_end(&mock->body);
	} else if (plain && (mock->speaks == SPEAKS_BEDROCK || mock->speaks == SPEAKS_COHERE)) {
		answer_foreign_error(mock, b, a);
	} else {
		mock_script_begin(&mock->body);
		mock_write_error(&mock->body.bytes, &told, shape);
		mock_script_end(&mock->body);
	}
	a->status = told.status ? (int)told.status : 200;
	a->content_type = b->error_shape == SHAPE_PLAIN ? "text/plain; charset=utf-8" : "application/json";
	a->stream = false;
	if (b->location[0])
		snprintf(a->extra, sizeof a->extra, "location: %s\r\n", b->location);
}

void mock_answer_html(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a)
{
	int status = (int)b->status;
	const char *reason = h1_reason(status);

	mock_script_clear(&mock->body);
	mock_script_begin(&mock->body);
	buf_putf(&mock->body.bytes,
		 "<!DOCTYPE html>\n<html><head><title>%d %s</title></head>\n<body>\n"
		 "<center><h1>%d %s</h1></center>\n<hr><center>cdn-edge</center>\n</body></html>\n",
		 status, reason, status, reason);
	mock_script_end(&mock->body);
	a->status = status;
	a->content_type = "text/html; charset=UTF-8";
	a->stream = false;
}

void mock_refuse(struct mock *mock, struct mock_answer *a, int status, const char *type,
		 const char *code, const char *message)
{
	struct mock_behaviour b = mock_behaviour_healthy();

	b.status = (uint32_t)status;
	snprintf(b.type, sizeof b.type, "%s", type ? type : "");
	snprintf(b.code, sizeof b.code, "%s", code ? code : "");
	snprintf(b.message, sizeof b.message, "%s", message);
	mock_answer_error(mock, &b, a);
}
