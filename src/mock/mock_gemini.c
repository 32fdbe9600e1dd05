/* mock_gemini.c: the Gemini API and Vertex AI: models/MODEL:generateContent and
 * its neighbours, with what they refuse (ai.google.dev/api). */
#include "mock/mock_bedrock.h"
#include "wire/url.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PARTS_MAX 64
#define TEXTS_MAX 100                 /* in one batch, as the API has it */
#define DIMENSIONS_DEFAULT 64
#define DIMENSIONS_MAX 4096
#define THOUGHTS 3
#define SIGNATURE "bW9jayBzaWduYXR1cmU="

struct generate {
	struct mock *mock;
	struct mock_request *r;
	const struct mock_behaviour *b;
	struct mock_saying says[MOCK_CHOICES_MAX];
	struct mock_sse sse;
	uint32_t thoughts;
	bool signs;                           /* models of the third generation prove their calls */
	char id[64];
};

/* ---- where it is asked --------------------------------------------------------------- */

static const struct { struct slice method; enum mock_endpoint endpoint; } methods[] = {
	{ S_INIT("generateContent"), MOCK_GEMINI }, { S_INIT("streamGenerateContent"), MOCK_GEMINI },
	{ S_INIT("countTokens"), MOCK_GEMINI_COUNT }, { S_INIT("embedContent"), MOCK_GEMINI_EMBED },
	{ S_INIT("batchEmbedContents"), MOCK_GEMINI_EMBED }, { S_INIT("predict"), MOCK_GEMINI_EMBED },
};

/* Behind the last colon. */
static struct slice method_of(struct slice path)
{
	size_t at = path.len;

	while (at > 0 && path.at[at - 1] != ':' && path.at[at - 1] != '/')
		at--;
	return at > 0 && path.at[at - 1] == ':' ? slice_from(path, at) : SLICE_NONE;
}

bool mock_is_gemini_path(struct slice path, enum mock_endpoint *endpoint)
{
	struct slice query, method;

	slice_cut(path, '?', &path, &query);
	method = method_of(path);
	if (slice_starts(path, S("/v1beta/models")) && !method.len) {
		*endpoint = MOCK_MODELS;
		return true;
	}
	for (size_t i = 0; i < COUNT_OF(methods); i++)
		if (slice_eq(method, methods[i].method) &&
		    slice_find_slice(path, S("models/")) != SLICE_NOT_FOUND) {
			*endpoint = methods[i].endpoint;
			return true;
		}
	return false;
}

static struct slice model_of(struct mock *mock, struct slice path)
{
	size_t at = slice_find_slice(path, S("models/"));
	struct slice name = slice_sub(path, at + 7, path.len - method_of(path).len - 1);

	name = url_decode(mock_arena(mock), name);
	return name.len > 256 ? slice_sub(name, 0, 256) : name;
}

/* ---- errors ------------------------------------------------------------------------------ */

static const char *status_word(int status)
{
	static const struct { int status; const char *word; } words[] = {
		{ 400, "INVALID_ARGUMENT" }, { 401, "UNAUTHENTICATED" }, { 403, "PERMISSION_DENIED" },
		{ 404, "NOT_FOUND" }, { 429, "RESOURCE_EXHAUSTED" }, { 499, "CANCELLED" },
		{ 503, "UNAVAILABLE" }, { 504, "DEADLINE_EXCEEDED" },
	};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (words[i].status == status)
			return words[i].word;
	return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
}

static void write_details(struct buf *out, const struct mock_behaviour *b, int status)
{
	int64_t ms = 0;
	uint64_t s;

	if (strcmp(b->code, "invalid_api_key") == 0)
		buf_puts(out, ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":"
			 "\"API_KEY_INVALID\",\"domain\":\"googleapis.com\"}]");
	if (status != 429)
		return;
	if (slice_to_u64(slice_of(b->retry_after), &s) && s < 1000000)
		ms = (int64_t)s * 1000;
	else if (slice_to_u64(slice_of(b->retry_after_ms), &s) && s < 1000000000)
		ms = (int64_t)s;
	if (ms)
		buf_putf(out, ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":"
			 "\"%" PRId64 ".%03" PRId64 "s\"}]", ms / 1000, ms % 1000);
}

int mock_gemini_error(struct buf *out, const struct mock_behaviour *b)
{
	static const struct { const char *code; int status; const char *message; } known[] = {
		{ "invalid_api_key", 400, "API key not valid. Please pass a valid API key." },
		{ "model_not_found", 404, "models/no-such-model is not found for API version v1beta, or is not "
		  "supported for generateContent." },
		{ "context_length_exceeded", 400, "The input token count (1200000) exceeds the maximum number of "
		  "tokens allowed (1048576)." },
		{ "overloaded", 503, "The model is overloaded. Please try again later." },
		{ "insufficient_quota", 429, "Your prepayment credits are depleted. Please go to AI Studio to "
		  "manage your project and billing." },
	};
	int status = b->status >= 300 ? (int)b->status : 500;
	struct slice message = mock_error_text(b);

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (strcmp(b->code, known[i].code) == 0) {
			status = b->status ? known[i].status : 500;
			message = slice_of(known[i].message);
		}
	if (status == 529)
		status = 503;                   /* which only others have */
	buf_putf(out, "{\"error\":{\"code\":%d,\"message\":", status);
	json_write_string(out, message);
	buf_putf(out, ",\"status\":\"%s\"", status_word(status));
	write_details(out, b, status);
	buf_puts(out, "}}");
	return status;
}

/* ---- what the API refuses -------------------------------------------------------------------- */

static bool refuse(struct mock *mock, struct mock_answer *a, const char *message)
{
	mock_refuse(mock, a, 400, NULL, NULL, message);
	return false;
}

static struct slice list_of(struct slice raw)
{
	return raw.len && json_type_of(raw) == JSON_ARRAY ? raw : SLICE_NONE;
}

/* A JSON member that the API does not have is a 400 there. */
static bool check_members(struct mock *mock, struct slice object, const char *const *known,
			  struct mock_answer *a)
{
	struct slice key, value;
	char message[300];

	while (json_next(&object, &key, &value)) {
		size_t i = 0;

		while (known[i] && !json_string_eq(key, slice_of(known[i])))
			i++;
		if (known[i])
			continue;
		snprintf(message, sizeof message, "Invalid JSON payload received. Unknown name \"%.*s\": Cannot "
			 "find field.", SLICE_ARG(json_string(mock_arena(mock), key)));
		return refuse(mock, a, message);
	}
	return true;
}

static bool check_part(struct mock *mock, struct slice part, struct mock_answer *a)
{
	static const char *const known[] = {
		"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall",
		"functionResponse", "executableCode", "codeExecutionResult", "videoMetadata",
		"mediaResolution", NULL,
	};
	static const char *const data[] = { "text", "inlineData", "fileData", "functionCall",
					    "functionResponse", "executableCode", "codeExecutionResult" };
	struct slice signature = json_string(mock_arena(mock), json_member(part, S("thoughtSignature")));
	bool any = false;

	if (json_type_of(part) != JSON_OBJECT || !check_members(mock, part, known, a))
		return a->status != 200 ? false : refuse(mock, a, "a part must be an object");
	for (size_t i = 0; i < COUNT_OF(data); i++)
		any |= json_member(part, slice_of(data[i])).len > 0;
	if (!any)
		return refuse(mock, a, "* GenerateContentRequest.contents.parts: contents.parts must not be empty.");
	if (signature.len && !slice_eq(signature, S(SIGNATURE)) &&
	    !slice_eq(signature, S("skip_thought_signature_validator")))
		return refuse(mock, a, "Corrupted thought signature.");
	if (json_path(part, S("functionResponse")).len &&
	    json_type_of(json_path(part, S("functionResponse.response"))) != JSON_OBJECT)
		return refuse(mock, a, "function_response.response must be an object");
	return true;
}

static size_t count_parts(struct slice content, struct slice member)
{
	struct slice parts = list_of(json_member(content, S("parts"))), part;
	size_t count = 0;

	while (json_next(&parts, NULL, &part))
		count += json_type_of(part) == JSON_OBJECT && json_member(part, member).len > 0;
	return count;
}

/* The results of a turn's calls come together, right behind them. */
static bool check_turn(struct mock *mock, struct slice before, struct slice content, struct mock_answer *a)
{
	size_t calls = before.len ? count_parts(before, S("functionCall")) : 0;
	size_t results = count_parts(content, S("functionResponse"));

	if (calls == results || (!calls && !results))
		return true;
	return refuse(mock, a, "Please ensure that the number of function response parts is equal to the number of "
			       "function call parts of the function call turn.");
}

static bool check_content(struct mock *mock, const struct generate *g, struct slice content,
			  struct mock_answer *a)
{
	static const char *const known[] = { "role", "parts", NULL };
	struct slice role = json_member(content, S("role")), part;
	struct slice parts = list_of(json_member(content, S("parts")));
	bool signed_one = false, calls = false;

	if (json_type_of(content) != JSON_OBJECT || !check_members(mock, content, known, a))
		return a->status != 200 ? false : refuse(mock, a, "a content must be an object");
	if (role.len && !json_string_eq(role, S("user")) && !json_string_eq(role, S("model")))
		return refuse(mock, a, "Please use a valid role: user, model.");
	if (!parts.len)
		return refuse(mock, a, "* GenerateContentRequest.contents: contents.parts must not be empty.");
	while (json_next(&parts, NULL, &part)) {
		if (!check_part(mock, part, a))
			return false;
		calls |= json_member(part, S("functionCall")).len > 0;
		signed_one |= json_member(part, S("thoughtSignature")).len > 0;
	}
	if (g->signs && calls && !signed_one)
		return refuse(mock, a, "Function call is missing a thought_signature in functionCall parts.");
	return true;
}

static bool check_config(struct mock *mock, struct slice config, struct mock_answer *a)
{
	static const char *const known[] = {
		"temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed",
		"presencePenalty", "frequencyPenalty", "responseMimeType", "responseSchema",
		"responseJsonSchema", "responseLogprobs", "logprobs", "responseModalities", "thinkingConfig",
		"speechConfig", "imageConfig", "mediaResolution", NULL,
	};
	struct slice thinking;

	if (!config.len)
		return true;
	if (json_type_of(config) != JSON_OBJECT)
		return refuse(mock, a, "generationConfig must be an object");
	thinking = json_member(config, S("thinkingConfig"));
	if (thinking.len && json_member(thinking, S("thinkingBudget")).len &&
	    json_member(thinking, S("thinkingLevel")).len)
		return refuse(mock, a, "You can only set only one of thinking budget and thinking level.");
	if (json_member(config, S("responseJsonSchema")).len &&
	    !json_string_eq(json_member(config, S("responseMimeType")), S("application/json")))
		return refuse(mock, a, "response_schema is set, response_mime_type must be application/json");
	return check_members(mock, config, known, a);
}

static bool check_body(struct generate *g, struct slice body, struct mock_answer *a)
{
	static const char *const known[] = {
		"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings",
		"cachedContent", "labels", "model", "serviceTier", "store", NULL,
	};
	struct slice contents = list_of(json_member(body, S("contents"))), content, last = SLICE_NONE;
	struct mock *mock = g->mock;

	if (!check_members(mock, body, known, a) || !check_config(mock, json_member(body, S("generationConfig")), a))
		return false;
	if (!contents.len || contents.len <= 2)
		return refuse(mock, a, "* GenerateContentRequest.contents: contents is not specified");
	while (json_next(&contents, NULL, &content)) {
		if (!check_content(mock, g, content, a) || !check_turn(mock, last, content, a))
			return false;
		last = content;
	}
	return true;
}

/* ---- the request, in OpenAI's words ------------------------------------------------------------- */

static void retell_result(struct mock *mock, struct mock_retelling *t, struct slice result)
{
	struct slice response = json_member(result, S("response")), text = json_member(response, S("output"));
	struct buf quoted = BUF_INIT(1 << 20);

	if (!text.len || json_type_of(text) != JSON_STRING) {
		if (json_try_write_string(&quoted, response))
			text = arena_copy(mock_arena(mock), buf_slice(&quoted));
		else
			text = S("\"\"");
	}
	buf_free(&quoted);
	mock_retell_raw(t, arena_printf(mock_arena(mock), "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":%.*s}",
					SLICE_ARG(text)));
}

static void retell_content(struct mock *mock, struct mock_retelling *t, struct slice content)
{
	bool model = json_string_eq(json_member(content, S("role")), S("model"));
	struct slice list = list_of(json_member(content, S("parts"))), part, parts[PARTS_MAX];
	size_t count = 0;

	while (json_next(&list, NULL, &part)) {
		struct slice text = json_member(part, S("text"));

		if (json_member(part, S("functionCall")).len)
			mock_retell_raw(t, S("{\"role\":\"assistant\",\"tool_calls\":[{}]}"));
		else if (json_member(part, S("functionResponse")).len)
			retell_result(mock, t, json_member(part, S("functionResponse")));
		else if (text.len > 2 && count < PARTS_MAX && !json_is_true(json_member(part, S("thought"))))
			parts[count++] = text;
	}
	if (count)
		mock_retell_texts(t, model ? "assistant" : "user", parts, count);
}

/* Types may be in capitals here; the invented model knows them in small letters. */
static struct slice small_types(struct mock *mock, struct slice schema)
{
	static const struct slice types[] = {
		S_INIT("\"OBJECT\""), S_INIT("\"STRING\""), S_INIT("\"BOOLEAN\""), S_INIT("\"ARRAY\""),
		S_INIT("\"INTEGER\""), S_INIT("\"NUMBER\""),
	};
	char *text = arena_cstring(mock_arena(mock), schema);

	for (size_t i = 0; i < COUNT_OF(types); i++)
		for (size_t at = 0; at + types[i].len <= schema.len; at++)
			if (memcmp(text + at, types[i].at, types[i].len) == 0)
				for (size_t k = 1; k + 1 < types[i].len; k++)
					text[at + k] = (char)(text[at + k] | 0x20);
	return (struct slice){ text, schema.len };
}

static struct slice tools_of(struct mock *mock, struct slice body)
{
	struct slice tools = list_of(json_member(body, S("tools"))), tool, list, one;
	struct mock_retelling t = mock_retell_start(mock, &mock->styled);
	bool any = false;

	while (json_next(&tools, NULL, &tool)) {
		list = list_of(json_member(tool, S("functionDeclarations")));
		while (json_next(&list, NULL, &one)) {
			struct slice schema = json_member(one, S("parametersJsonSchema"));

			if (!schema.len)         /* as Google's own library spells it at times */
				schema = json_member(one, S("parameters_json_schema"));
			if (!schema.len)
				schema = json_member(one, S("parameters"));
			if (!json_member(one, S("name")).len)
				continue;
			any = true;
			mock_retell_raw(&t, arena_printf(mock_arena(mock),
				"{\"type\":\"function\",\"function\":{\"name\":%.*s,\"parameters\":%.*s}}",
				SLICE_ARG(json_member(one, S("name"))),
				SLICE_ARG(schema.len ? small_types(mock, schema) : S("{}"))));
		}
	}
	list = mock_retell_end(mock, &t);
	return any ? list : SLICE_NONE;
}

static struct slice choice_of(struct mock *mock, struct slice body)
{
	struct slice calling = json_path(body, S("toolConfig.functionCallingConfig"));
	struct slice mode = json_member(calling, S("mode")), name = json_path(calling, S("allowedFunctionNames.0"));

	if (json_string_eq(mode, S("NONE")))
		return S("\"none\"");
	if (!json_string_eq(mode, S("ANY")))
		return SLICE_NONE;
	return name.len ? arena_printf(mock_arena(mock), "{\"type\":\"function\",\"function\":{\"name\":%.*s}}",
				       SLICE_ARG(name)) : S("\"required\"");
}

static void read_config(struct generate *g, struct slice config)
{
	struct slice schema = json_member(config, S("responseJsonSchema"));
	struct mock_request *r = g->r;
	int64_t n;

	if (!config.len)
		return;
	if (!schema.len)
		schema = json_member(config, S("responseSchema"));
	if (schema.len)
		r->response_format = arena_printf(mock_arena(g->mock), "{\"type\":\"json_schema\",\"json_schema\":"
						  "{\"schema\":%.*s}}", SLICE_ARG(small_types(g->mock, schema)));
	else if (json_string_eq(json_member(config, S("responseMimeType")), S("application/json")))
		r->response_format = S("{\"type\":\"json_object\"}");
	r->stop = json_member(config, S("stopSequences"));
	r->logprobs = json_is_true(json_member(config, S("responseLogprobs")));
	if (json_i64(json_member(config, S("maxOutputTokens")), &n) && n >= 0)
		r->max_tokens = n;
	if (json_i64(json_member(config, S("candidateCount")), &n) && n >= 1)
		r->n = n > MOCK_CHOICES_MAX ? MOCK_CHOICES_MAX : (unsigned)n;
	if (json_is_true(json_path(config, S("thinkingConfig.includeThoughts"))))
		g->thoughts = THOUGHTS;
}

static void read_request(struct generate *g, struct slice body)
{
	struct slice contents = list_of(json_member(body, S("contents"))), one;
	struct mock_retelling t = mock_retell_start(g->mock, &g->mock->styled);

	while (json_next(&contents, NULL, &one))
		if (json_type_of(one) == JSON_OBJECT)
			retell_content(g->mock, &t, one);
	g->r->conversation = mock_retell_end(g->mock, &t);
	g->r->tools = tools_of(g->mock, body);
	g->r->tool_choice = choice_of(g->mock, body);
	read_config(g, json_member(body, S("generationConfig")));
}

/* ---- parts that both forms have --------------------------------------------------------------------- */

static const char *finish_reason(const struct generate *g, const struct mock_saying *says)
{
	if (g->sse.filter || g->b->refusal)
		return "SAFETY";
	return strcmp(says->finish, "length") == 0 ? "MAX_TOKENS" : "STOP";
}

static void write_usage(struct buf *out, const struct generate *g)
{
	uint64_t said = 0, asked = g->says[0].prompt_tokens;

	if (g->b->usage == USAGE_NEVER)
		return;
	for (unsigned i = 0; i < g->r->n; i++)
		said += g->says[i].completion_tokens;
	buf_putf(out, ",\"usageMetadata\":{\"promptTokenCount\":%" PRIu64 ",\"candidatesTokenCount\":%" PRIu64
		 ",\"totalTokenCount\":%" PRIu64 ",\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":%"
		 PRIu64 "}]", asked, said, asked + said + g->thoughts, asked);
	if (g->thoughts)
		buf_putf(out, ",\"thoughtsTokenCount\":%" PRIu32, g->thoughts);
	buf_puts(out, "}");
}

static void write_identity(struct buf *out, const struct generate *g)
{
	buf_puts(out, ",\"modelVersion\":");
	json_write_string(out, g->r->model);
	buf_putf(out, ",\"responseId\":\"%s\"}", g->id);
}

static void write_call(struct buf *out, struct generate *g, struct slice name, struct slice args, bool first)
{
	char id[64];

	buf_puts(out, "{\"functionCall\":{");
	if (g->signs)
		buf_putf(out, "\"id\":\"%s\",", mock_id(g->mock, "call_", id));
	buf_puts(out, "\"name\":");
	json_write_string(out, name);
	buf_puts(out, ",\"args\":");
	buf_put(out, json_validate(args, NULL) == JSON_OK ? args : S("{}"));
	buf_puts(out, "}");
	if (g->signs && first)
		buf_puts(out, ",\"thoughtSignature\":\"" SIGNATURE "\"");
	buf_puts(out, "}");
}

static void write_calls(struct buf *out, struct generate *g, unsigned choice)
{
	write_call(out, g, g->says[choice].tool_name, buf_slice(&g->mock->texts[choice].text), true);
	if (g->b->tool != TOOL_SAME_INDEX)
		return;
	buf_puts(out, ",");
	write_call(out, g, S("get_time"), S("{}"), false);
}

/* ---- whole ------------------------------------------------------------------------------------------------ */

static void write_candidate(struct buf *out, struct generate *g, unsigned i)
{
	buf_puts(out, "{\"content\":{\"parts\":[");
	if (g->b->body != BODY_NULL_CONTENT && g->b->body != BODY_NULL_MESSAGE) {
		if (g->thoughts)
			buf_puts(out, "{\"text\":\"thinking about it\",\"thought\":true},");
		if (g->says[i].is_tool_call) {
			write_calls(out, g, i);
		} else {
			buf_puts(out, "{\"text\":");
			json_write_string(out, g->b->refusal ? S("I cannot.") : buf_slice(&g->mock->texts[i].text));
			buf_puts(out, "}");
		}
	}
	buf_putf(out, "],\"role\":\"model\"},\"finishReason\":\"%s\",\"index\":%u}",
		 finish_reason(g, &g->says[i]), i);
}

static void write_whole(struct generate *g)
{
	struct buf *out = &g->mock->body.bytes;

	for (uint32_t i = 0; i < g->b->point_count; i++)
		g->sse.filter |= g->b->points[i].kind == POINT_FILTER;
	mock_script_begin(&g->mock->body);
	buf_puts(out, "{\"candidates\":[");
	if (g->b->body != BODY_NO_CHOICES && g->b->body != BODY_NULL_CHOICES && g->b->body != BODY_MISSING_CHOICES)
		for (unsigned i = 0; i < g->r->n; i++) {
			buf_put(out, i ? S(",") : S(""));
			write_candidate(out, g, i);
		}
	buf_puts(out, "]");
	write_usage(out, g);
	write_identity(out, g);
	mock_script_end(&g->mock->body);
}

/* ---- streams -------------------------------------------------------------------------------------------------- */

static struct buf *begin(struct generate *g)
{
	struct buf *out = mock_sse_begin(&g->sse, NULL);

	if (g->sse.new_id) {
		mock_id(g->mock, "", g->id);
		g->sse.new_id = false;
	}
	buf_puts(out, "{\"candidates\":[{\"content\":{\"parts\":[");
	return out;
}

static void end(struct generate *g, unsigned choice, const char *finish)
{
	struct buf *out = &g->mock->body.bytes;

	buf_puts(out, "],\"role\":\"model\"}");
	if (finish)
		buf_putf(out, ",\"finishReason\":\"%s\"", finish);
	buf_putf(out, ",\"index\":%u}]", choice);
	if (finish || g->b->usage == USAGE_EVERY)
		write_usage(out, g);
	write_identity(out, g);
	mock_sse_end(&g->sse);
}

static void send_text(struct generate *g, unsigned choice, struct slice text, bool thought)
{
	struct buf *out = begin(g);

	buf_puts(out, "{\"text\":");
	if (g->sse.big_bytes) {
		buf_puts(out, "\"");
		for (uint64_t i = 0; i < g->sse.big_bytes; i += 16)
			buf_puts(out, "big event words ");
		buf_puts(out, "\"");
		g->sse.big_bytes = 0;
	} else {
		json_write_string(out, text);
	}
	buf_put(out, thought ? S(",\"thought\":true}") : S("}"));
	end(g, choice, NULL);
}

static void send_thoughts(struct generate *g)
{
	char text[32];

	for (uint32_t i = 0; i < g->thoughts && i < MOCK_TOKENS_MAX && mock_sse_content(&g->sse); i++) {
		snprintf(text, sizeof text, "thought %" PRIu32 " ", i);
		send_text(g, 0, slice_of(text), true);
	}
}

static void send_words(struct generate *g, unsigned choice)
{
	const struct mock_text *text = &g->mock->texts[choice];
	size_t count = g->b->body == BODY_TRUNCATED ? text->count / 2 : text->count;

	for (size_t i = 0; i < count && mock_sse_content(&g->sse); i++) {
		send_text(g, choice, g->b->refusal ? S("I cannot.") : mock_text_piece(text, i), false);
		if (g->b->refusal)
			break;
	}
}

static void send_calls(struct generate *g, unsigned choice)
{
	if (!mock_sse_content(&g->sse))
		return;
	write_calls(begin(g), g, choice);
	end(g, choice, NULL);
}

static void send_finish(struct generate *g)
{
	unsigned repeat = g->b->ending == ENDING_DUP_FINISH ? 2 : 1;

	if (g->b->ending == ENDING_NO_FINISH || g->b->ending == ENDING_NOTHING || g->b->ending == ENDING_FINISH_NULL)
		return;
	for (unsigned i = 0; i < g->r->n && !g->sse.over; i++)
		for (unsigned k = 0; k < repeat && !g->sse.over; k++) {
			buf_puts(begin(g), "{\"text\":\"\"}");
			end(g, i, finish_reason(g, &g->says[i]));
		}
	if (g->b->ending == ENDING_AFTER_DONE && !g->sse.over)
		send_text(g, 0, S("late"), false);
}

static void write_stream(struct generate *g)
{
	mock_sse_start(&g->sse, g->mock, g->b, PROTOCOL_GEMINI);
	if (g->b->body == BODY_EMPTY || g->b->ending == ENDING_DONE_ONLY)
		return;
	send_thoughts(g);
	for (unsigned i = 0; i < g->r->n && !g->sse.over; i++) {
		if (g->says[i].is_tool_call)
			send_calls(g, i);
		else
			send_words(g, i);
	}
	if (g->b->body == BODY_TRUNCATED || !mock_sse_finish(&g->sse))
		return;
	send_finish(g);
}

/* ---- the endpoints ------------------------------------------------------------------------------------------------ */

static void answer_generate(struct generate *g, struct mock_answer *a)
{
	struct mock *mock = g->mock;
	const struct mock_behaviour *b = g->b;
	bool stream = slice_eq(method_of(g->r->path), S("streamGenerateContent"));
	int64_t gap_ms = b->gap_ms >= 0 ? b->gap_ms : mock->options.gap_ms;

	read_request(g, g->r->body);
	if (!mock_takes_prefill(mock, g->r, b, a))
		return;
	for (unsigned i = 0; i < g->r->n; i++)
		mock_say(mock, g->r, b, i, &g->says[i]);
	mock_id(mock, "", g->id);
	if (b->reasoning)
		g->thoughts = b->reasoning;
	a->stream = (stream || b->body == BODY_SSE_FOR_JSON) && b->body != BODY_JSON_FOR_STREAM &&
		b->body != BODY_BIG;
	if (a->stream) {
		a->content_type = "text/event-stream";
		write_stream(g);
		return;
	}
	a->wait_ms = (b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms) +
		gap_ms * (int64_t)g->says[0].completion_tokens;
	write_whole(g);
	mock_spoil_whole(mock, b, a);
}

static void answer_count(struct generate *g, struct mock_answer *a)
{
	struct slice inner = json_member(g->r->body, S("generateContentRequest"));

	if (!check_body(g, inner.len && json_type_of(inner) == JSON_OBJECT ? inner : g->r->body, a))
		return;
	mock_script_begin(&g->mock->body);
	buf_putf(&g->mock->body.bytes, "{\"totalTokens\":%zu}", g->r->body.len / 4 + 1);
	mock_script_end(&g->mock->body);
}

/* The text that one request embeds, raw; and how long its vector is to be. */
static struct slice text_of(struct slice one, int64_t *dimensions)
{
	struct slice text = json_path(one, S("content.parts.0.text"));

	json_i64(json_member(one, S("outputDimensionality")), dimensions);
	return text.len ? text : json_member(one, S("content"));        /* Vertex: a string */
}

static void answer_embed(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
			 struct mock_answer *a)
{
	bool predict = slice_eq(method_of(r->path), S("predict"));
	bool single = slice_eq(method_of(r->path), S("embedContent"));
	struct slice list = list_of(json_member(r->body, predict ? S("instances") : S("requests"))), one = r->body;
	int64_t dimensions = DIMENSIONS_DEFAULT;
	struct buf *out = &mock->body.bytes;
	unsigned count = 0;

	json_i64(json_path(r->body, S("parameters.outputDimensionality")), &dimensions);
	if (!single && !list.len) {
		refuse(mock, a, predict ? "instances is empty" : "* BatchEmbedContentsRequest.requests: requests is empty");
		return;
	}
	a->wait_ms = b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms;
	mock_script_begin(&mock->body);
	buf_put(out, single ? S("{\"embedding\":") : predict ? S("{\"predictions\":[") : S("{\"embeddings\":["));
	while (single ? count == 0 : count < TEXTS_MAX && json_next(&list, NULL, &one)) {
		struct slice text = text_of(one, &dimensions);

		if (dimensions < 1 || dimensions > DIMENSIONS_MAX)
			dimensions = DIMENSIONS_DEFAULT;
		buf_put(out, count++ ? S(",") : S(""));
		buf_put(out, predict ? S("{\"embeddings\":{\"values\":") : S("{\"values\":"));
		mock_write_vector(mock, out, text, (size_t)dimensions, false);
		if (predict)
			buf_putf(out, ",\"statistics\":{\"truncated\":false,\"token_count\":%zu}}", text.len / 4 + 1);
		buf_puts(out, "}");
	}
	buf_put(out, single ? S("}") : S("]}"));
	mock_script_end(&mock->body);
	mock_spoil_whole(mock, b, a);
}

void mock_answer_gemini(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			struct mock_answer *a)
{
	struct generate g = { .mock = mock, .r = r, .b = b };

	if (mock->key && !mock_has_key(mock, r->head)) {
		mock_refuse(mock, a, 400, NULL, "invalid_api_key", "API key not valid. Please pass a valid API key.");
		return;
	}
	if (!slice_eq(r->method, S("POST"))) {
		mock_refuse(mock, a, 404, NULL, NULL, "The requested URL was not found on this server.");
		return;
	}
	if (json_validate(r->body, NULL) != JSON_OK || json_type_of(r->body) != JSON_OBJECT) {
		refuse(mock, a, "Invalid JSON payload received.");
		return;
	}
	r->model = model_of(mock, r->path);
	g.signs = slice_find_slice(r->model, S("gemini-3")) != SLICE_NOT_FOUND;
	if (!mock_serves(mock, r, a))
		return;
	if (r->endpoint == MOCK_GEMINI_EMBED)
		answer_embed(mock, r, b, a);
	else if (r->endpoint == MOCK_GEMINI_COUNT)
		answer_count(&g, a);
	else if (check_body(&g, r->body, a))
		answer_generate(&g, a);
}
