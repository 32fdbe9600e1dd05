/* openai_request.c: reading what routing needs of a request, in one pass. */
#include "dialect/openai.h"

#include "base/check.h"
#include "dialect/multipart.h"
#include "dialect/request_scan.h"
#include "wire/json.h"
#include "wire/url.h"

/* ---- JSON --------------------------------------------------------------------- */

enum {
	WANT_MODEL, WANT_STREAM, WANT_STREAM_OPTIONS, WANT_TOOLS, WANT_FUNCTIONS,
	WANT_RESPONSE_FORMAT, WANT_TEXT, WANT_REASONING, WANT_REASONING_EFFORT, WANT_THINKING,
	WANT_ENABLE_THINKING, WANT_TEMPLATE, WANT_MESSAGES, WANT_INPUT, WANT_USER, WANT_CACHE_KEY,
	WANT_N, WANT_LOGPROBS, WANT_MAX_TOKENS, WANT_MAX_COMPLETION_TOKENS, WANT_GUIDED_JSON,
	WANT_GUIDED_REGEX, WANT_GUIDED_CHOICE, WANT_GUIDED_GRAMMAR, WANT_STRUCTURED, WANT_GRAMMAR,
	WANT_COUNT
};

static const struct slice want_names[WANT_COUNT] = {
	[WANT_MODEL] = S_INIT("model"),
	[WANT_STREAM] = S_INIT("stream"),
	[WANT_STREAM_OPTIONS] = S_INIT("stream_options"),
	[WANT_TOOLS] = S_INIT("tools"),
	[WANT_FUNCTIONS] = S_INIT("functions"),
	[WANT_RESPONSE_FORMAT] = S_INIT("response_format"),
	[WANT_TEXT] = S_INIT("text"),
	[WANT_REASONING] = S_INIT("reasoning"),               /* Responses, OpenRouter */
	[WANT_REASONING_EFFORT] = S_INIT("reasoning_effort"), /* chat */
	[WANT_THINKING] = S_INIT("thinking"),                 /* DeepSeek, Moonshot, Zhipu */
	[WANT_ENABLE_THINKING] = S_INIT("enable_thinking"),   /* Alibaba */
	[WANT_TEMPLATE] = S_INIT("chat_template_kwargs"),     /* vLLM, SGLang */
	[WANT_MESSAGES] = S_INIT("messages"),
	[WANT_INPUT] = S_INIT("input"),
	[WANT_USER] = S_INIT("user"),
	[WANT_CACHE_KEY] = S_INIT("prompt_cache_key"),
	[WANT_N] = S_INIT("n"),
	[WANT_LOGPROBS] = S_INIT("logprobs"),
	[WANT_MAX_TOKENS] = S_INIT("max_tokens"),
	[WANT_MAX_COMPLETION_TOKENS] = S_INIT("max_completion_tokens"),
	[WANT_GUIDED_JSON] = S_INIT("guided_json"),           /* vLLM, older */
	[WANT_GUIDED_REGEX] = S_INIT("guided_regex"),
	[WANT_GUIDED_CHOICE] = S_INIT("guided_choice"),
	[WANT_GUIDED_GRAMMAR] = S_INIT("guided_grammar"),
	[WANT_STRUCTURED] = S_INIT("structured_outputs"),     /* vLLM */
	[WANT_GRAMMAR] = S_INIT("grammar"),                   /* llama.cpp */
};

/* effort other than "none" */
static bool asks_effort(struct slice raw)
{
	return !json_is_nothing(raw) && json_type_of(raw) == JSON_STRING && raw.len > 2 &&
	       !json_string_eq(raw, S("none"));
}

static bool asks_reasoning(const struct json_want *wants)
{
	struct slice reasoning = wants[WANT_REASONING].value, budget, kind;
	int64_t tokens;

	if (asks_effort(wants[WANT_REASONING_EFFORT].value) ||
	    json_is_true(wants[WANT_ENABLE_THINKING].value) ||
	    json_is_true(json_member(wants[WANT_TEMPLATE].value, S("enable_thinking"))) ||
	    json_is_true(json_member(wants[WANT_TEMPLATE].value, S("thinking"))))
		return true;
	if (asks_effort(json_member(reasoning, S("effort"))) ||
	    json_is_true(json_member(reasoning, S("enabled"))))
		return true;
	budget = json_member(reasoning, S("max_tokens"));
	if (json_i64(budget, &tokens) && tokens > 0)
		return true;
	kind = json_member(wants[WANT_THINKING].value, S("type"));
	return json_string_eq(kind, S("enabled")) || json_string_eq(kind, S("adaptive"));
}

/* Words that tell of images and sound, as strings or keys anywhere in what is
 * said; the scan of the body sees them on its way. */
struct mentions {
	struct json_word messages[2], input[2];
};

static void look_for_mentions(struct mentions *m, struct json_want *wants)
{
	*m = (struct mentions){
		.messages = { { .text = S("image_url") }, { .text = S("input_audio") } },
		.input = { { .text = S("input_image") }, { .text = S("input_audio") } },
	};
	wants[WANT_MESSAGES].words = m->messages;
	wants[WANT_MESSAGES].word_count = COUNT_OF(m->messages);
	wants[WANT_INPUT].words = m->input;
	wants[WANT_INPUT].word_count = COUNT_OF(m->input);
}

static void read_capabilities(const struct json_want *wants, const struct mentions *m,
			      struct request_facts *out)
{
	struct slice format = json_member(wants[WANT_RESPONSE_FORMAT].value, S("type"));

	if (json_is_nothing(format))
		format = json_path(wants[WANT_TEXT].value, S("format.type"));
	out->has_schema = json_string_eq(format, S("json_schema"));
	out->has_tools = scan_has_elements(&wants[WANT_TOOLS]) || scan_has_elements(&wants[WANT_FUNCTIONS]);
	out->has_images = m->messages[0].seen || m->input[0].seen;
	out->has_audio = m->messages[1].seen || m->input[1].seen;
	out->reasons = asks_reasoning(wants);
}

/* What decides whether a broken answer can go on, and how long it may be. */
static void read_shape(const struct json_want *wants, struct request_facts *out)
{
	struct slice format = json_member(wants[WANT_RESPONSE_FORMAT].value, S("type"));
	int64_t n;

	if (json_i64(wants[WANT_N].value, &n) && n > 1)
		out->choices = n > 1000 ? 1000 : (unsigned)n;
	out->logprobs = wants[WANT_LOGPROBS].found && wants[WANT_LOGPROBS].type != JSON_NULL &&
			wants[WANT_LOGPROBS].type != JSON_FALSE;
	if (!json_i64(wants[WANT_MAX_COMPLETION_TOKENS].value, &out->max_tokens) &&
	    !json_i64(wants[WANT_MAX_TOKENS].value, &out->max_tokens))
		out->max_tokens = -1;
	out->constrained = !json_is_nothing(format) && !json_string_eq(format, S("text"));
	for (size_t i = WANT_GUIDED_JSON; i <= WANT_GRAMMAR; i++)
		out->constrained |= !json_is_nothing(wants[i].value);
}

static enum fault read_json(struct arena *arena, const struct endpoint *endpoint, struct slice body,
			    struct request_facts *out, struct scan_refusal to)
{
	struct json_want wants[WANT_COUNT];
	struct mentions mentions;
	enum fault fault;

	for (size_t i = 0; i < WANT_COUNT; i++)
		wants[i] = (struct json_want){ .name = want_names[i] };
	look_for_mentions(&mentions, wants);
	fault = scan_request(arena, body, wants, WANT_COUNT, to);
	if (fault == FAULT_NONE)
		fault = scan_model(arena, &wants[WANT_MODEL], openai_is_llm(endpoint), out, to);
	if (fault == FAULT_NONE)
		fault = scan_stream(&wants[WANT_STREAM], out, to);
	if (fault != FAULT_NONE)
		return fault;
	out->asks_usage = json_is_true(json_member(wants[WANT_STREAM_OPTIONS].value,
						   S("include_usage")));
	out->conversation = wants[WANT_MESSAGES].found ? wants[WANT_MESSAGES].value
						       : wants[WANT_INPUT].value;
	read_capabilities(wants, &mentions, out);
	read_shape(wants, out);
	out->user = json_string(arena, wants[WANT_USER].value);
	if (out->user.len == 0)
		out->user = json_string(arena, wants[WANT_CACHE_KEY].value);
	return FAULT_NONE;
}

/* ---- forms and paths ------------------------------------------------------------- */

static bool is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return false;
	return true;
}

static enum fault read_multipart(const struct endpoint *endpoint, struct slice boundary,
				 struct slice body, struct request_facts *out, struct scan_refusal to)
{
	enum { FIELD_MODEL, FIELD_STREAM, FIELDS };
	struct multipart_want fields[FIELDS] = {
		[FIELD_MODEL] = { .name = S("model") },
		[FIELD_STREAM] = { .name = S("stream") },
	};
	const char *why = multipart_find(body, boundary, fields, COUNT_OF(fields));

	if (why)
		return scan_refuse(to, slice_of(why), SLICE_NONE);
	if (fields[FIELD_MODEL].value.len > SCAN_MODEL_BYTES_MAX || !is_printable(fields[FIELD_MODEL].value))
		return scan_refuse(to, S("\"model\" must be the name of a model"), S("model"));
	if (fields[FIELD_MODEL].value.len)
		out->model = out->model_raw = fields[FIELD_MODEL].value;
	out->stream = endpoint->may_stream && slice_eq_nocase(fields[FIELD_STREAM].value, S("true"));
	return FAULT_NONE;
}

static enum fault read_path(struct arena *arena, const struct endpoint *endpoint, struct slice path,
			    struct request_facts *out, struct scan_refusal to)
{
	must(path.len >= endpoint->path.len);
	out->model_raw = slice_from(path, endpoint->path.len - 1);
	out->model = url_decode(arena, out->model_raw);
	if (out->model.len == 0 || out->model.len > SCAN_MODEL_BYTES_MAX)
		return scan_refuse(to, S("the path does not end in the name of a model"), S("model"));
	return FAULT_NONE;
}

static bool is_json_type(struct slice content_type)
{
	return slice_starts_nocase(slice_trim(content_type), S("application/json"));
}

enum fault openai_read_request(struct arena *arena, const struct endpoint *endpoint,
			       struct slice content_type, struct slice path, struct slice body,
			       struct request_facts *out, struct slice *why, struct slice *param)
{
	struct scan_refusal to = { why, param };
	struct slice boundary;
	bool form;

	*why = *param = SLICE_NONE;
	*out = (struct request_facts){ .endpoint = endpoint, .model_place = endpoint->model_place,
				       .choices = 1, .max_tokens = -1 };
	if (endpoint->model_place == MODEL_NOWHERE)
		return FAULT_NONE;
	if (endpoint->model_place == MODEL_IN_PATH)
		return read_path(arena, endpoint, path, out, to);
	/* Image endpoints take both; the type of the body tells. */
	form = slice_starts_nocase(slice_trim(content_type), S("multipart/")) &&
	       !openai_is_llm(endpoint);
	if (endpoint->model_place == MODEL_IN_MULTIPART && !form && !is_json_type(content_type))
		return scan_refuse(to, S("the request must be multipart/form-data or application/json"),
			      SLICE_NONE);
	if (!form) {
		out->model_place = MODEL_IN_JSON;
		return read_json(arena, endpoint, body, out, to);
	}
	out->model_place = MODEL_IN_MULTIPART;
	if (!multipart_boundary(content_type, &boundary))
		return scan_refuse(to, S("the Content-Type has no usable multipart boundary"), SLICE_NONE);
	return read_multipart(endpoint, boundary, body, out, to);
}
