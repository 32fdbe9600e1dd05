#include "help.h"

#include "base/check.h"

#define NOW_MS INT64_C(1795442400000)     /* 2026-11-23 14:00:00 */
#define ERROR(message, type, code) \
	"{\"error\":{\"message\":\"" message "\",\"type\":\"" type "\",\"param\":null,\"code\":" code "}}"
#define HTML "<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"
#define FILES "/v1/files"

/* ---- error statuses ------------------------------------------------------------- */

static const struct {
	int status;
	const char *path, *headers, *body;
	enum fault fault;
	const char *says;
} errors[] = {
	{ 502, CHAT, "", HTML, FAULT_SERVER_ERROR, "S01: a CDN's page, 502" },
	{ 503, CHAT, "", HTML, FAULT_OVERLOADED, "S01: a CDN's page, 503" },
	{ 504, CHAT, "", HTML, FAULT_SERVER_ERROR, "S01: a CDN's page, 504" },
	{ 404, CHAT, "", HTML, FAULT_UNSUPPORTED, "S03: a page where the path is wrong" },
	{ 404, FILES, "", HTML, FAULT_CALLER, "S03: where an object was asked for" },
	{ 529, CHAT, "", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
	  FAULT_OVERLOADED, "S04: Anthropic's 529" },
	{ 429, CHAT, "retry-after: 2", ERROR("Rate limit reached", "requests", "\"rate_limit_exceeded\""),
	  FAULT_RATE_LIMITED, "S05: 429" },
	{ 429, CHAT, "", "", FAULT_RATE_LIMITED, "429 without a word" },
	{ 429, CHAT, "", ERROR("You exceeded your current quota", "insufficient_quota", "\"insufficient_quota\""),
	  FAULT_NO_MONEY, "S09: OpenAI's quota" },
	{ 429, CHAT, "", ERROR("x", "exceeded_current_quota_error", "null"), FAULT_NO_MONEY,
	  "S09: Moonshot's quota" },
	{ 429, CHAT, "", ERROR("Workspace has reached its spend limit", "rate_limit", "null"), FAULT_NO_MONEY,
	  "S09: a spend limit" },
	{ 429, CHAT, "", "[{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota\","
	  "\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"retryDelay\":\"34.4s\"}]}}]",
	  FAULT_RATE_LIMITED, "S10: Gemini says quota and means the minute" },
	{ 429, CHAT, "retry-after: 5", ERROR("You exceeded your current quota", "", "null"), FAULT_RATE_LIMITED,
	  "S10: a hint when to come back is not about money" },
	{ 429, CHAT, "", ERROR("The engine is currently overloaded", "engine_overloaded_error", "null"),
	  FAULT_OVERLOADED, "Moonshot's overload" },
	{ 429, CHAT, "", "{\"message\":\"Service tier capacity exceeded for this model.\"}", FAULT_OVERLOADED,
	  "Mistral's overload" },
	{ 429, CHAT, "", ERROR("litellm.RateLimitError: x", "None", "\"429\""), FAULT_RATE_LIMITED, "LiteLLM" },
	{ 413, CHAT, "", ERROR("Request too large for model `x` on tokens per minute (TPM)", "tokens",
	  "\"rate_limit_exceeded\""), FAULT_RATE_LIMITED, "Groq: more than the limit of a minute" },
	{ 498, CHAT, "", ERROR("Flex tier capacity exceeded", "x", "null"), FAULT_OVERLOADED, "Groq's flex tier" },
	{ 402, CHAT, "", ERROR("Insufficient Balance", "unknown_error", "\"invalid_request_error\""),
	  FAULT_NO_MONEY, "S09: DeepSeek's 402" },
	{ 402, CHAT, "", "{\"error\":{\"message\":\"Insufficient credits\",\"code\":402}}", FAULT_NO_MONEY,
	  "S09: OpenRouter's 402" },
	{ 403, CHAT, "", "{\"code\":\"x\",\"error\":\"Your team has used all available credits\"}",
	  FAULT_NO_MONEY, "S09: xAI's 403" },
	{ 400, CHAT, "", ERROR("Your credit balance is too low to access the API.", "invalid_request_error",
	  "null"), FAULT_NO_MONEY, "S09: Anthropic's 400" },
	{ 500, CHAT, "", ERROR("boom", "server_error", "null"), FAULT_SERVER_ERROR, "S12: 500" },
	{ 502, CHAT, "", "", FAULT_SERVER_ERROR, "S12: 502" },
	{ 503, CHAT, "", ERROR("x", "server_error", "null"), FAULT_OVERLOADED, "S12: 503" },
	{ 503, CHAT, "", "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
	  FAULT_OVERLOADED, "llama.cpp while it loads" },
	{ 500, CHAT, "", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}",
	  FAULT_OVERLOADED, "overload under another status" },
	{ 520, CHAT, "", HTML, FAULT_SERVER_ERROR, "S13: Cloudflare's 520" },
	{ 524, CHAT, "", "error code: 524", FAULT_SERVER_ERROR, "S13: Cloudflare's 524" },
	{ 599, CHAT, "", "", FAULT_SERVER_ERROR, "S13: any 5xx" },
	{ 501, EMBEDDINGS, "", "{\"error\":{\"code\":501,\"message\":\"This server does not support embeddings.\","
	  "\"type\":\"not_supported_error\"}}", FAULT_UNSUPPORTED, "llama.cpp without embeddings" },
	{ 405, RESPONSES, "", "{\"detail\":\"Method Not Allowed\"}", FAULT_UNSUPPORTED, "405" },
	{ 408, CHAT, "", ERROR("Request timeout", "x", "null"), FAULT_SERVER_ERROR, "S14: 408" },
	{ 409, CHAT, "", ERROR("Conflict", "x", "null"), FAULT_SERVER_ERROR, "S14: 409" },
	{ 409, FILES, "", ERROR("Conflict", "x", "null"), FAULT_CALLER, "S14: 409 about an object" },
	{ 425, CHAT, "", "", FAULT_SERVER_ERROR, "S14: 425" },
	{ 401, CHAT, "", ERROR("Incorrect API key provided: sk-x", "invalid_request_error",
	  "\"invalid_api_key\""), FAULT_CREDENTIAL, "S15: 401" },
	{ 401, CHAT, "", HTML, FAULT_CREDENTIAL, "S15: 401 as a page" },
	{ 403, CHAT, "", ERROR("no", "permission_error", "null"), FAULT_CREDENTIAL, "S15: 403" },
	{ 403, CHAT, "", HTML, FAULT_SERVER_ERROR, "S15: a firewall's page says nothing of the key" },
	{ 400, CHAT, "", "[{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid API key.\","
	  "\"status\":\"INVALID_ARGUMENT\"}}]", FAULT_CREDENTIAL, "S15: Gemini's bad key is a 400" },
	{ 401, "/v1/moderations", "", ERROR("You have insufficient permissions. Missing scopes: x", "x", "null"),
	  FAULT_UNSUPPORTED, "S15: a restricted key is good for other endpoints" },
	{ 400, CHAT, "", ERROR("x", "invalid_request_error", "\"context_length_exceeded\""), FAULT_CONTEXT,
	  "S16: context by code" },
	{ 400, CHAT, "", "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 tokens.\","
	  "\"type\":\"BadRequestError\",\"param\":null,\"code\":400}", FAULT_CONTEXT, "S16: vLLM" },
	{ 400, CHAT, "", "{\"error\":{\"code\":400,\"message\":\"the request exceeds the available context size\","
	  "\"type\":\"exceed_context_size_error\"}}", FAULT_CONTEXT, "S16: llama.cpp" },
	{ 400, CHAT, "", ERROR("Please reduce the length of the messages or completion.",
	  "invalid_request_error", "null"), FAULT_CONTEXT, "S16: Groq" },
	{ 400, CHAT, "", ERROR("prompt is too long: 208310 tokens > 200000 maximum", "invalid_request_error",
	  "null"), FAULT_CONTEXT, "S16: Anthropic" },
	{ 400, CHAT, "", ERROR("Your input exceeds the context window of this model.", "invalid_request_error",
	  "null"), FAULT_CONTEXT, "S16: OpenAI Responses" },
	{ 422, CHAT, "", "{\"error\":\"`inputs` tokens + `max_new_tokens` must be <= 4096\"}", FAULT_CONTEXT,
	  "S16: TGI" },
	{ 413, CHAT, "", ERROR("Request body too large for gpt-4o model.", "x", "\"tokens_limit_reached\""),
	  FAULT_CONTEXT, "S16: GitHub Models" },
	{ 400, CHAT, "", "{\"error\":{\"message\":\"Provider returned error\",\"code\":400,\"metadata\":"
	  "{\"raw\":\"prompt is too long\"}}}", FAULT_CONTEXT, "S16: OpenRouter, in its provider's words" },
	{ 400, CHAT, "", ERROR("Unsupported parameter: 'max_tokens'", "invalid_request_error",
	  "\"unsupported_parameter\""), FAULT_CALLER, "S16: any other 400" },
	{ 422, CHAT, "", "{\"detail\":[{\"msg\":\"Field required\"}]}", FAULT_CALLER, "422" },
	{ 400, CHAT, "", "not json", FAULT_CALLER, "400 in plain text" },
	{ 413, CHAT, "", HTML, FAULT_CALLER, "S17: a CDN's 413" },
	{ 307, CHAT, "location: https://elsewhere.example/", "", FAULT_BAD_ANSWER, "S18: 307" },
	{ 308, CHAT, "location: https://elsewhere.example/", "", FAULT_BAD_ANSWER, "S18: 308" },
	{ 302, FILES, "location: /login", HTML, FAULT_BAD_ANSWER, "S18: a login page" },
	{ 404, CHAT, "", ERROR("The model `x` does not exist or you do not have access to it.",
	  "invalid_request_error", "\"model_not_found\""), FAULT_MODEL_GONE, "no such model: OpenAI" },
	{ 404, CHAT, "", "{\"object\":\"error\",\"message\":\"The model `x` does not exist.\","
	  "\"type\":\"NotFoundError\",\"code\":404}", FAULT_MODEL_GONE, "no such model: vLLM" },
	{ 404, CHAT, "", ERROR("model 'x' not found, try pulling it first", "api_error", "null"),
	  FAULT_MODEL_GONE, "no such model: Ollama" },
	{ 404, CHAT, "", ERROR("models/x is not found for API version v1main", "x", "null"), FAULT_MODEL_GONE,
	  "no such model: Gemini" },
	{ 400, CHAT, "", ERROR("Model Not Exist", "invalid_request_error", "\"invalid_request_error\""),
	  FAULT_MODEL_GONE, "no such model: DeepSeek" },
	{ 400, CHAT, "", ERROR("x", "invalid_request_error", "\"model_decommissioned\""), FAULT_MODEL_GONE,
	  "a model that is gone: Groq" },
	{ 403, CHAT, "", ERROR("Project `p` does not have access to model `m`", "invalid_request_error",
	  "\"model_not_found\""), FAULT_MODEL_GONE, "no access to the model: OpenAI's 403" },
	{ 404, CHAT, "", "{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"x\"}}", FAULT_MODEL_GONE,
	  "no such deployment: Azure" },
	{ 404, CHAT, "", "{\"error\":{\"message\":\"No endpoints found that support tool use.\",\"code\":404}}",
	  FAULT_UNSUPPORTED, "OpenRouter: the model is there, not with tools" },
	{ 404, RESPONSES, "", "{\"detail\":\"Not Found\"}", FAULT_UNSUPPORTED, "an endpoint the backend lacks" },
	{ 404, FILES, "", ERROR("No such File object: file-1", "invalid_request_error", "null"), FAULT_CALLER,
	  "no such object" },
	{ 404, "/v1/batches", "", ERROR("model x not found", "x", "null"), FAULT_CALLER,
	  "where no model was named none is gone" },
	{ 400, CHAT, "", ERROR("Invalid value: 'invalid api key', 'the model `x` does not exist'", "x", "null"),
	  FAULT_CALLER, "no client switches a backend off by what it writes (400)" },
	{ 404, RESPONSES, "", ERROR("Response with id 'the model x' not found.", "x", "null"),
	  FAULT_UNSUPPORTED, "no client switches a backend off by what it writes (404)" },
	{ 400, CHAT, "", "{\"error\":{\"code\":\"content_filter\",\"message\":\"The response was filtered due to the "
	  "prompt triggering Azure OpenAI's content management policy.\"}}", FAULT_POLICY, "policy: Azure" },
	{ 400, CHAT, "", ERROR("Content Exists Risk", "invalid_request_error", "\"invalid_request_error\""),
	  FAULT_POLICY, "policy: DeepSeek" },
	{ 400, "/v1/images/generations", "", ERROR("Your request was rejected as a result of our safety system.",
	  "x", "\"content_policy_violation\""), FAULT_POLICY, "policy: OpenAI's images" },
	{ 403, CHAT, "", "{\"error\":{\"message\":\"m requires moderation on P. Your input was flagged for "
	  "\\\"x\\\".\",\"code\":403}}", FAULT_POLICY, "policy: OpenRouter" },
	{ 400, CHAT, "", ERROR("Invalid prompt: your prompt was flagged as potentially violating our usage "
	  "policy.", "invalid_request_error", "\"invalid_prompt\""), FAULT_POLICY, "policy: OpenAI" },
};

static void check_fault(const char *path, int status, const char *headers, const char *body,
			enum fault fault, const char *says)
{
	struct arena *arena = arena_create(0);
	struct h1_head head = head_of(headers);
	struct answer_facts out;

	dialect_openai.judge_answer(arena, endpoint_at("POST", path), status, &head, slice_of(body),
				    NOW_MS, &out);
	if (out.fault != fault)
		fail_msg("%s: %s", says, fault_row(out.fault)->name);
	arena_free(arena);
}

static void error_statuses_are_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++)
		check_fault(errors[i].path, errors[i].status, errors[i].headers, errors[i].body,
			    errors[i].fault, errors[i].says);
}

/* ---- 200s ------------------------------------------------------------------------ */

#define MESSAGE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\"}"
#define CHOICES(choice) "{\"id\":\"1\",\"object\":\"chat.completion\",\"choices\":[" choice "]}"

static const struct {
	const char *path, *body;
	enum fault fault;
	const char *says;
} answers[] = {
	{ CHAT, CHOICES(MESSAGE), FAULT_NONE, "an answer" },
	{ CHAT, "\n\n\n  " CHOICES(MESSAGE) "\n", FAULT_NONE, "S23: blank lines before it" },
	{ CHAT, HTML, FAULT_BAD_ANSWER, "S02: a page" },
	{ CHAT, "", FAULT_BAD_ANSWER, "S21: nothing" },
	{ CHAT, " \n\n", FAULT_BAD_ANSWER, "S21: nothing but space" },
	{ CHAT, "{\"id\":\"1\",\"choices\":[{\"index\":0,\"mess", FAULT_BAD_ANSWER, "S22: cut" },
	{ CHAT, CHOICES(MESSAGE) "x", FAULT_BAD_ANSWER, "something behind it" },
	{ CHAT, "data: {\"choices\":[]}\n\n", FAULT_BAD_ANSWER, "E35: a stream nobody asked for" },
	{ CHAT, "OK", FAULT_BAD_ANSWER, "plain text" },
	{ CHAT, "[]", FAULT_BAD_ANSWER, "an array" },
	{ CHAT, "{\"choices\":NaN}", FAULT_BAD_ANSWER, "S24: NaN" },
	{ CHAT, CHOICES("{\"message\":{\"content\":\"\xff\"},\"finish_reason\":\"stop\"}"), FAULT_BAD_ANSWER,
	  "S24: broken UTF-8" },
	{ CHAT, CHOICES("{\"message\":{\"content\":\"\\ud800\"},\"logprobs\":1e999,\"finish_reason\":\"stop\"}"),
	  FAULT_NONE, "S24: lone surrogates and huge numbers are JSON" },
	{ CHAT, "{\"id\":\"1\"}", FAULT_BAD_ANSWER, "S25: no choices" },
	{ CHAT, CHOICES(""), FAULT_BAD_ANSWER, "S25: empty choices" },
	{ CHAT, "{\"choices\":null}", FAULT_BAD_ANSWER, "S25: null choices" },
	{ CHAT, "{\"choices\":{}}", FAULT_BAD_ANSWER, "S25: choices that are no list" },
	{ CHAT, CHOICES("null"), FAULT_BAD_ANSWER, "S25: a null choice" },
	{ CHAT, CHOICES("{\"message\":null,\"finish_reason\":\"stop\"}"), FAULT_BAD_ANSWER, "S25: a null message" },
	{ CHAT, CHOICES("{\"message\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null}"),
	  FAULT_BAD_ANSWER, "S25: no content and no end" },
	{ CHAT, CHOICES("{\"message\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":\"length\"}"),
	  FAULT_NONE, "S25: no content, for a reason" },
	{ CHAT, CHOICES("{\"message\":{\"content\":\"\"},\"finish_reason\":\"content_filter\"}"), FAULT_NONE,
	  "S25: filtered" },
	{ CHAT, CHOICES("{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"c\"}]},\"finish_reason\":"
	  "\"tool_calls\"}"), FAULT_NONE, "a tool call" },
	{ CHAT, CHOICES("{\"message\":{\"content\":null,\"refusal\":\"No.\"}}"), FAULT_NONE, "a refusal" },
	{ CHAT, CHOICES(MESSAGE ",{\"message\":null}"), FAULT_BAD_ANSWER, "the second choice is broken" },
	{ CHAT, CHOICES("{\"message\":{\"content\":\"H\"},\"finish_reason\":\"error\"}"), FAULT_SERVER_ERROR,
	  "OpenRouter: ended by an error" },
	{ CHAT, CHOICES("{\"message\":{\"content\":\"H\"},\"finish_reason\":\"insufficient_system_resource\"}"),
	  FAULT_OVERLOADED, "DeepSeek: out of resources" },
	{ CHAT, CHOICES("{\"error\":{\"code\":429,\"message\":\"x\"},\"message\":{\"content\":\"\"}}"),
	  FAULT_RATE_LIMITED, "S19: an error in a choice" },
	{ CHAT, "{\"error\":{\"message\":\"x\",\"code\":502}}", FAULT_SERVER_ERROR, "S19: error 502 in a 200" },
	{ CHAT, "{\"error\":{\"message\":\"x\",\"code\":429}}", FAULT_RATE_LIMITED, "S19: error 429 in a 200" },
	{ CHAT, "{\"error\":{\"message\":\"x\",\"code\":402}}", FAULT_NO_MONEY, "S19: error 402 in a 200" },
	{ CHAT, "{\"error\":{\"message\":\"x\",\"type\":\"invalid_request_error\"}}", FAULT_CALLER,
	  "S19: the caller's error in a 200" },
	{ CHAT, "{\"error\":{\"message\":\"x\"}}", FAULT_SERVER_ERROR, "S19: an error that says no more" },
	{ CHAT, "{\"error\":\"model is overloaded\"}", FAULT_OVERLOADED, "S20: a string" },
	{ CHAT, "{\"object\":\"error\",\"message\":\"x\",\"code\":400,\"type\":\"BadRequestError\"}", FAULT_CALLER,
	  "S20: vLLM's shape" },
	{ CHAT, "[{\"error\":{\"code\":503,\"message\":\"x\"}}]", FAULT_OVERLOADED, "S20: in an array" },
	{ CHAT, "{\"error\":null,\"choices\":[" MESSAGE "]}", FAULT_NONE, "an error that is null is none" },
	{ COMPLETIONS, CHOICES("{\"text\":\"Hi\",\"finish_reason\":\"stop\"}"), FAULT_NONE, "a completion" },
	{ COMPLETIONS, CHOICES("{\"text\":\"\",\"finish_reason\":\"stop\"}"), FAULT_NONE, "an empty completion" },
	{ COMPLETIONS, CHOICES("{\"finish_reason\":\"stop\"}"), FAULT_BAD_ANSWER, "S25: one without text" },
	{ RESPONSES, "{\"object\":\"response\",\"status\":\"completed\",\"error\":null,\"output\":[{}]}", FAULT_NONE,
	  "a response" },
	{ RESPONSES, "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
	  "\"output\":[]}", FAULT_NONE, "an incomplete one is legal" },
	{ RESPONSES, "{\"status\":\"queued\"}", FAULT_NONE, "one in the background" },
	{ RESPONSES, "{\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"x\"},"
	  "\"output\":[]}", FAULT_RATE_LIMITED, "S19: a failed one" },
	{ RESPONSES, "{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"x\"},\"output\":[]}",
	  FAULT_SERVER_ERROR, "S19: failed by itself" },
	{ RESPONSES, "{\"status\":\"failed\",\"error\":null,\"output\":[]}", FAULT_SERVER_ERROR,
	  "failed without a word" },
	{ RESPONSES, "{\"status\":\"completed\"}", FAULT_BAD_ANSWER, "S25: no output" },
	{ RESPONSES, "{\"status\":\"completed\",\"output\":[]}", FAULT_BAD_ANSWER,
	  "S25: completed without an item" },
	{ RESPONSES, "{}", FAULT_BAD_ANSWER, "S25: nothing" },
	{ EMBEDDINGS, "{\"data\":[{\"embedding\":[0.1]}]}", FAULT_NONE, "a vector" },
	{ EMBEDDINGS, "{\"data\":[{\"embedding\":\"AAAA\"}]}", FAULT_NONE, "a vector in base64" },
	{ EMBEDDINGS, "{\"data\":[]}", FAULT_BAD_ANSWER, "S25: no vectors" },
	{ EMBEDDINGS, "{\"data\":[{\"embedding\":[]}]}", FAULT_BAD_ANSWER, "S25: an empty one" },
	{ EMBEDDINGS, "{\"data\":[{}]}", FAULT_BAD_ANSWER, "S25: none" },
	{ "/v1/audio/speech", "ID3\x03\xff", FAULT_NONE, "sound is no JSON" },
	{ "/v1/moderations", "", FAULT_NONE, "what is passed and says nothing of itself is not judged" },
};

/* Of endpoints that are passed on. */
static const struct { const char *type, *body; enum fault fault; const char *says; } passed[] = {
	{ "application/json", "{\"results\":[]}", FAULT_NONE, "JSON" },
	{ "application/json; charset=utf-8", "[{\"index\":0,\"score\":1}]", FAULT_NONE, "a list" },
	{ "application/json", "", FAULT_BAD_ANSWER, "S21: empty" },
	{ "application/json", "{\"results\":[", FAULT_BAD_ANSWER, "S22: cut" },
	{ "text/html", "<html></html>", FAULT_BAD_ANSWER, "S02: a page" },
	{ "application/json", "{\"error\":{\"code\":503,\"message\":\"x\"}}", FAULT_OVERLOADED,
	  "S19: an error with a good status" },
	{ "application/json", "{\"object\":\"response\",\"error\":{\"code\":\"x\",\"message\":\"y\"}}",
	  FAULT_NONE, "a thing that failed earlier, told about well" },
	{ "audio/mpeg", "ID3\x03\xff", FAULT_NONE, "sound is no JSON" },
};

static void good_statuses_are_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++)
		check_fault(answers[i].path, 200, "", answers[i].body, answers[i].fault, answers[i].says);
	for (size_t i = 0; i < COUNT_OF(passed); i++) {
		char headers[128];

		snprintf(headers, sizeof headers, "Content-Type: %s\r\n", passed[i].type);
		check_fault("/v1/moderations", 200, headers, passed[i].body, passed[i].fault,
			    passed[i].says);
	}
	check_fault(CHAT, 204, "", "", FAULT_BAD_ANSWER, "S21: 204 is no answer to a chat");
	check_fault(FILES, 204, "", "", FAULT_NONE, "204 is one to others");
}

/* S22: cut at every place an answer is no answer. */
static void cut_answers_are_never_good(void **state)
{
	static const char whole[] = CHOICES(MESSAGE);

	(void)state;
	for (size_t len = 0; len < sizeof whole - 1; len++) {
		char cut[sizeof whole];

		memcpy(cut, whole, len);
		cut[len] = '\0';
		check_fault(CHAT, 200, "", cut, FAULT_BAD_ANSWER, "S22");
	}
}

/* ---- what else is told -------------------------------------------------------------- */

static const struct {
	const char *path, *body;
	struct usage usage;
	const char *finish, *says;
} tellings[] = {
	{ CHAT, "{\"choices\":[" MESSAGE "],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,"
	  "\"prompt_tokens_details\":{\"cached_tokens\":3},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}",
	  COUNTED(true, 9, 4, 3, 2), "stop", "OpenAI" },
	{ CHAT, "{\"choices\":[" MESSAGE "],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,"
	  "\"prompt_cache_hit_tokens\":5}}", COUNTED(true, 9, 4, 5, 0), "stop", "DeepSeek" },
	{ CHAT, "{\"choices\":[" MESSAGE "],\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":4.5}}",
	  COUNTED(false, 0, 0, 0, 0), "stop", "nonsense" },
	{ CHAT, "{\"choices\":[" MESSAGE "],\"usage\":null}", COUNTED(false, 0, 0, 0, 0), "stop", "null" },
	{ RESPONSES, "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
	  "\"output\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":4,\"input_tokens_details\":{\"cached_tokens\":1},"
	  "\"output_tokens_details\":{\"reasoning_tokens\":4}}}", COUNTED(true, 9, 4, 1, 4), "max_output_tokens",
	  "Responses" },
	{ EMBEDDINGS, "{\"data\":[{\"embedding\":[1]}],\"usage\":{\"prompt_tokens\":9}}", COUNTED(true, 9, 0, 0, 0),
	  NULL, "embeddings" },
};

static void usage_and_finish_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(tellings); i++) {
		struct arena *arena = arena_create(0);
		struct h1_head head = head_of("");
		const struct usage *u = &tellings[i].usage;
		struct answer_facts out;

		dialect_openai.judge_answer(arena, endpoint_at("POST", tellings[i].path), 200, &head,
					    slice_of(tellings[i].body), NOW_MS, &out);
		row_holds(out.fault == FAULT_NONE, tellings[i].says);
		row_holds(out.usage.known == u->known, tellings[i].says);
		row_holds(out.usage.input_tokens == u->input_tokens, tellings[i].says);
		row_holds(out.usage.output_tokens == u->output_tokens, tellings[i].says);
		row_holds(out.usage.cached_tokens == u->cached_tokens, tellings[i].says);
		row_holds(out.usage.reasoning_tokens == u->reasoning_tokens, tellings[i].says);
		row_holds(is_text(out.finish_reason, tellings[i].finish), tellings[i].says);
		arena_free(arena);
	}
}

static void the_upstream_s_words_are_kept(void **state)
{
	struct arena *arena = arena_create(0);
	struct h1_head head = head_of("x-should-retry: false\nretry-after: 7");
	struct answer_facts out;

	(void)state;
	dialect_openai.judge_answer(arena, endpoint_at("POST", CHAT), 400, &head,
		S("{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":\"p\",\"code\":null}}"), NOW_MS, &out);
	assert_int_equal(out.fault, FAULT_CALLER);
	assert_true(is_text(out.message, "m"));
	assert_true(is_text(out.type, "t"));
	assert_true(is_text(out.param, "p"));
	assert_int_equal(out.code.len, 0);
	assert_non_null(out.code.at);
	assert_true(out.no_retry);                 /* S11 */
	assert_int_equal(out.retry_after_ms, 7000);

	dialect_openai.judge_answer(arena, endpoint_at("POST", CHAT), 502, &head, S(HTML), NOW_MS, &out);
	assert_int_equal(out.message.len, 0);      /* S01: never a page's text */
	assert_null(out.code.at);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_statuses_are_faults),
		cmocka_unit_test(good_statuses_are_checked),
		cmocka_unit_test(cut_answers_are_never_good),
		cmocka_unit_test(usage_and_finish_are_read),
		cmocka_unit_test(the_upstream_s_words_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
