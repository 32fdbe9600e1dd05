/* openai_fault.c: which fault an error is, over all who speak OpenAI's dialect.
 *
 * Three sources, the surest first: codes and types that mean one thing only;
 * the sentence; the status. The sentence of a 400 or a 404 may repeat words of
 * the request, so what would take a key or a model out of use is believed
 * there only where the sentence starts with it: no client may switch off a
 * backend by what it writes. */
#include "dialect/openai.h"

#include "base/check.h"
#include "wire/json.h"

/* ---- codes and types ---------------------------------------------------------- */

struct word_row { struct slice word; enum fault fault; };

/* As error.code or error.type, with any status. */
static const struct word_row sure_words[] = {
	{ S_INIT("insufficient_quota"), FAULT_NO_MONEY },               /* OpenAI */
	{ S_INIT("billing_hard_limit_reached"), FAULT_NO_MONEY },       /* OpenAI */
	{ S_INIT("billing_not_active"), FAULT_NO_MONEY },               /* OpenAI */
	{ S_INIT("billing_error"), FAULT_NO_MONEY },                    /* Anthropic */
	{ S_INIT("exceeded_current_quota_error"), FAULT_NO_MONEY },     /* Moonshot */
	{ S_INIT("insufficient_balance"), FAULT_NO_MONEY },
	{ S_INIT("insufficient_credits"), FAULT_NO_MONEY },
	{ S_INIT("payment_required"), FAULT_NO_MONEY },
	{ S_INIT("spend_limit_reached"), FAULT_NO_MONEY },
	{ S_INIT("Arrearage"), FAULT_NO_MONEY },                        /* DashScope */

	{ S_INIT("invalid_api_key"), FAULT_CREDENTIAL },                /* OpenAI, Groq, DashScope */
	{ S_INIT("InvalidApiKey"), FAULT_CREDENTIAL },                  /* DashScope */
	{ S_INIT("account_deactivated"), FAULT_CREDENTIAL },            /* OpenAI */
	{ S_INIT("authentication_error"), FAULT_CREDENTIAL },           /* Anthropic, DeepSeek, llama.cpp */
	{ S_INIT("AuthenticationError"), FAULT_CREDENTIAL },            /* LiteLLM */
	{ S_INIT("invalid_authentication_error"), FAULT_CREDENTIAL },   /* Moonshot */
	{ S_INIT("UNAUTHENTICATED"), FAULT_CREDENTIAL },                /* Google */
	{ S_INIT("API_KEY_INVALID"), FAULT_CREDENTIAL },                /* Google */
	{ S_INIT("token_expired"), FAULT_CREDENTIAL },
	{ S_INIT("unsupported_country_region_territory"), FAULT_CREDENTIAL }, /* OpenAI */

	{ S_INIT("model_not_found"), FAULT_MODEL_GONE },                /* OpenAI, Groq, Cerebras */
	{ S_INIT("model_decommissioned"), FAULT_MODEL_GONE },           /* Groq */
	{ S_INIT("model_deprecated"), FAULT_MODEL_GONE },
	{ S_INIT("DeploymentNotFound"), FAULT_MODEL_GONE },             /* Azure */
	{ S_INIT("deployment_not_found"), FAULT_MODEL_GONE },
	{ S_INIT("ModelNotFound"), FAULT_MODEL_GONE },                  /* DashScope, Azure */
	{ S_INIT("unknown_model"), FAULT_MODEL_GONE },                  /* GitHub Models */
	{ S_INIT("invalid_model"), FAULT_MODEL_GONE },                  /* Mistral, Perplexity */

	{ S_INIT("ModelCapacityExceeded"), FAULT_OVERLOADED },
	{ S_INIT("NoCapacity"), FAULT_OVERLOADED },                     /* Azure */
	{ S_INIT("capacity_exceeded"), FAULT_OVERLOADED },
	{ S_INIT("service_tier_capacity_exceeded"), FAULT_OVERLOADED }, /* Mistral */
	{ S_INIT("engine_overloaded"), FAULT_OVERLOADED },
	{ S_INIT("engine_overloaded_error"), FAULT_OVERLOADED },        /* Moonshot */
	{ S_INIT("overloaded_error"), FAULT_OVERLOADED },               /* Anthropic */
	{ S_INIT("overloaded"), FAULT_OVERLOADED },
	{ S_INIT("server_is_overloaded"), FAULT_OVERLOADED },           /* OpenAI */
	{ S_INIT("slow_down"), FAULT_OVERLOADED },                      /* OpenAI */
	{ S_INIT("UNAVAILABLE"), FAULT_OVERLOADED },                    /* Google */
	{ S_INIT("unavailable_error"), FAULT_OVERLOADED },              /* llama.cpp */
	{ S_INIT("service_unavailable_error"), FAULT_OVERLOADED },      /* DeepSeek */
	{ S_INIT("ServiceUnavailableError"), FAULT_OVERLOADED },        /* LiteLLM, vLLM */

	{ S_INIT("rate_limit_exceeded"), FAULT_RATE_LIMITED },          /* OpenAI, Groq */
	{ S_INIT("rate_limit_error"), FAULT_RATE_LIMITED },             /* Anthropic */
	{ S_INIT("rate_limit_reached_error"), FAULT_RATE_LIMITED },     /* Moonshot */
	{ S_INIT("RateLimitError"), FAULT_RATE_LIMITED },               /* LiteLLM */
	{ S_INIT("RateLimitReached"), FAULT_RATE_LIMITED },             /* Azure */
	{ S_INIT("RESOURCE_EXHAUSTED"), FAULT_RATE_LIMITED },           /* Google */
	{ S_INIT("too_many_requests"), FAULT_RATE_LIMITED },
	{ S_INIT("Throttling"), FAULT_RATE_LIMITED },                   /* DashScope */
	{ S_INIT("Throttling.RateQuota"), FAULT_RATE_LIMITED },         /* DashScope */
	{ S_INIT("Throttling.AllocationQuota"), FAULT_RATE_LIMITED },   /* DashScope */

	{ S_INIT("context_length_exceeded"), FAULT_CONTEXT },           /* OpenAI, Groq, Together */
	{ S_INIT("context_window_exceeded"), FAULT_CONTEXT },
	{ S_INIT("ContextWindowExceededError"), FAULT_CONTEXT },        /* LiteLLM */
	{ S_INIT("exceed_context_size_error"), FAULT_CONTEXT },         /* llama.cpp */
	{ S_INIT("model_max_prompt_tokens_exceeded"), FAULT_CONTEXT },  /* GitHub Copilot */
	{ S_INIT("tokens_limit_reached"), FAULT_CONTEXT },              /* GitHub Models */

	{ S_INIT("content_filter"), FAULT_POLICY },                     /* Azure */
	{ S_INIT("content_policy_violation"), FAULT_POLICY },           /* OpenAI */
	{ S_INIT("image_content_policy_violation"), FAULT_POLICY },     /* OpenAI, Responses */
	{ S_INIT("moderation_blocked"), FAULT_POLICY },                 /* OpenAI images */
	{ S_INIT("ResponsibleAIPolicyViolation"), FAULT_POLICY },       /* Azure */
	{ S_INIT("data_inspection_failed"), FAULT_POLICY },             /* DashScope */
	{ S_INIT("DataInspectionFailed"), FAULT_POLICY },               /* DashScope */

	{ S_INIT("not_supported_error"), FAULT_UNSUPPORTED },           /* llama.cpp */
	{ S_INIT("OperationNotSupported"), FAULT_UNSUPPORTED },         /* Azure */
	{ S_INIT("unsupported_api_for_model"), FAULT_UNSUPPORTED },     /* OpenAI */
};

/* Only where an error has no status at all: inside streams and 200s. */
static const struct word_row words_without_status[] = {
	{ S_INIT("tokens"), FAULT_RATE_LIMITED },
	{ S_INIT("requests"), FAULT_RATE_LIMITED },
	{ S_INIT("permission_error"), FAULT_CREDENTIAL },
	{ S_INIT("permission_denied"), FAULT_CREDENTIAL },
	{ S_INIT("PERMISSION_DENIED"), FAULT_CREDENTIAL },
	{ S_INIT("invalid_request_error"), FAULT_CALLER },
	{ S_INIT("BadRequestError"), FAULT_CALLER },                    /* vLLM */
	{ S_INIT("INVALID_ARGUMENT"), FAULT_CALLER },                   /* Google */
	{ S_INIT("invalid_prompt"), FAULT_CALLER },                     /* OpenAI, Responses */
	{ S_INIT("invalid_image"), FAULT_CALLER },
	{ S_INIT("invalid_image_url"), FAULT_CALLER },
	{ S_INIT("invalid_base64_image"), FAULT_CALLER },
	{ S_INIT("invalid_image_format"), FAULT_CALLER },
	{ S_INIT("invalid_image_mode"), FAULT_CALLER },
	{ S_INIT("image_too_large"), FAULT_CALLER },
	{ S_INIT("image_too_small"), FAULT_CALLER },
	{ S_INIT("image_parse_error"), FAULT_CALLER },
	{ S_INIT("image_file_too_large"), FAULT_CALLER },
	{ S_INIT("image_file_not_found"), FAULT_CALLER },
	{ S_INIT("empty_image_file"), FAULT_CALLER },
	{ S_INIT("unsupported_image_media_type"), FAULT_CALLER },
	{ S_INIT("failed_to_download_image"), FAULT_CALLER },
};

static enum fault look_up(const struct word_row *rows, size_t count, const struct error_body *error)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(error->code, rows[i].word))
			return rows[i].fault;
	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(error->type, rows[i].word))
			return rows[i].fault;
	return FAULT_NONE;
}

/* ---- sentences ------------------------------------------------------------------ */

/* Where a sentence may be believed: classes of status. */
enum {
	ON_BAD = 1,                  /* 400, 413, 422 and other 4xx about the request */
	ON_AUTH = 2,                 /* 401, 403 */
	ON_404 = 4,
	ON_429 = 8,
	ON_5XX = 16,
	ON_BARE = 32,                /* no status */
	ON_ANY = 63,
};

static const struct sentence_row {
	enum fault fault;
	unsigned on;
	bool at_start;               /* the sentence must begin with it */
	struct slice words, more;    /* both must be in it; `more` may be empty */
} sentences[] = {
#define ANYWHERE false
#define START true
#define SAYS(fault_, on_, where_, words_, more_) \
	{ FAULT_##fault_, on_, where_, S_INIT(words_), S_INIT(more_) }
	/* OpenAI's restricted keys: good for one endpoint, not for another */
	SAYS(UNSUPPORTED, ON_AUTH, ANYWHERE, "missing scopes", ""),
	SAYS(UNSUPPORTED, ON_404, ANYWHERE, "no endpoints found that support", ""),  /* OpenRouter */
	SAYS(UNSUPPORTED, ON_404, ANYWHERE, "no endpoints found matching", ""),      /* OpenRouter */

	/* OpenAI, vLLM, DeepSeek, OpenRouter, Mistral, Together */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "maximum context length", ""),
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "exceeds the context window", ""),        /* OpenAI Responses */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "context window exceed", ""),
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "ContextWindowExceededError", ""),        /* LiteLLM */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "context length exceeded", ""),
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "context_length_exceeded", ""),
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "exceed context limit", ""),              /* Anthropic */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "prompt is too long", ""),                /* Anthropic */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "reduce the length of the messages", ""), /* Groq */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "exceeds the available context size", ""), /* llama.cpp */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "exceeds the context length", ""),        /* Ollama */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "exceeds the model's context", ""),
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "the model's context length is only", ""), /* vLLM */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "longer than the model's context length", ""), /* SGLang */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "longer than the maximum model length", ""), /* vLLM */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "input is too long", ""),                 /* Bedrock */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "maximum prompt length is", ""),          /* xAI */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "exceeds the maximum number of tokens", ""), /* Gemini */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "too large for model with", ""),          /* Mistral */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "exceeded model token limit", ""),        /* Moonshot */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "range of input length should be", ""),   /* DashScope */
	SAYS(CONTEXT, ON_ANY, ANYWHERE, "`max_new_tokens` must be <=", ""),       /* Hugging Face TGI */
	SAYS(CONTEXT, ON_BAD, ANYWHERE, "too many tokens", ""),                   /* Cohere */

	SAYS(CREDENTIAL, ON_BAD, START, "api key not valid", ""),                 /* Gemini */
	SAYS(CREDENTIAL, ON_BAD, START, "api key expired", ""),                   /* Gemini */
	SAYS(CREDENTIAL, ON_BAD, START, "api key not found", ""),                 /* Gemini */
	SAYS(CREDENTIAL, ON_BAD, START, "incorrect api key", ""),                 /* xAI */
	SAYS(CREDENTIAL, ON_BAD, START, "invalid api key", ""),
	SAYS(CREDENTIAL, ON_BAD, START, "user location is not supported", ""),    /* Gemini */

	SAYS(NO_MONEY, ON_BAD, START, "your credit balance is too low", ""),      /* Anthropic */
	SAYS(NO_MONEY, ON_BAD, START, "you have reached your specified api usage limits", ""), /* Anthropic */
	SAYS(NO_MONEY, ON_BAD, START, "access denied, please make sure your account is in good", ""),
	SAYS(NO_MONEY, ON_BAD, START, "billing hard limit", ""),                  /* OpenAI */
	SAYS(NO_MONEY, ON_AUTH | ON_429, ANYWHERE, "credit balance is too low", ""),
	SAYS(NO_MONEY, ON_AUTH | ON_429, ANYWHERE, "used all available credits", ""), /* xAI */
	SAYS(NO_MONEY, ON_AUTH | ON_429, ANYWHERE, "spending limit", ""),         /* xAI */
	SAYS(NO_MONEY, ON_AUTH | ON_429, ANYWHERE, "spend limit", ""),
	SAYS(NO_MONEY, ON_AUTH | ON_429, ANYWHERE, "insufficient balance", ""),   /* DeepSeek, Zhipu */
	SAYS(NO_MONEY, ON_AUTH | ON_429, ANYWHERE, "insufficient credits", ""),   /* OpenRouter */
	SAYS(NO_MONEY, ON_BARE, START, "insufficient balance", ""),
	SAYS(NO_MONEY, ON_BARE, START, "insufficient credits", ""),
	SAYS(NO_MONEY, ON_429 | ON_BARE, START, "you exceeded your current quota", ""), /* OpenAI */

	SAYS(MODEL_GONE, ON_BAD, START, "model not exist", ""),                   /* DeepSeek */
	SAYS(MODEL_GONE, ON_BAD, START, "model not found", ""),                   /* xAI */
	SAYS(MODEL_GONE, ON_BAD, START, "invalid model", ""),                     /* Mistral, Perplexity */
	SAYS(MODEL_GONE, ON_BAD, START, "the model `", "does not exist"),         /* Groq, vLLM */
	SAYS(MODEL_GONE, ON_BAD, START, "the model `", "has been decommissioned"), /* Groq */
	SAYS(MODEL_GONE, ON_AUTH, ANYWHERE, "does not have access to model", ""), /* OpenAI */
	SAYS(MODEL_GONE, ON_404, START, "the model ", "does not exist"),          /* OpenAI, vLLM */
	SAYS(MODEL_GONE, ON_404, START, "the model ", "not found"),
	SAYS(MODEL_GONE, ON_404, START, "the model ", "deprecated"),              /* OpenAI */
	SAYS(MODEL_GONE, ON_404, START, "model ", "not found"),                   /* Ollama */
	SAYS(MODEL_GONE, ON_404, START, "model ", "does not exist"),
	SAYS(MODEL_GONE, ON_404, START, "model:", ""),                            /* Anthropic */
	SAYS(MODEL_GONE, ON_404, START, "models/", "not found"),                  /* Gemini */
	SAYS(MODEL_GONE, ON_404, START, "unable to access model", ""),            /* Together */
	SAYS(MODEL_GONE, ON_404, START, "no endpoints found for", ""),            /* OpenRouter */
	SAYS(MODEL_GONE, ON_404, START, "the api deployment", "does not exist"),  /* Azure */

	SAYS(OVERLOADED, ON_429 | ON_5XX | ON_BARE, ANYWHERE, "overloaded", ""),
	SAYS(OVERLOADED, ON_429 | ON_5XX | ON_BARE, ANYWHERE, "capacity exceeded", ""), /* Mistral */
	SAYS(OVERLOADED, ON_429 | ON_5XX | ON_BARE, ANYWHERE, "at capacity", ""),
	SAYS(OVERLOADED, ON_429 | ON_5XX | ON_BARE, ANYWHERE, "server busy", ""), /* Ollama */
	SAYS(OVERLOADED, ON_5XX | ON_BARE, ANYWHERE, "no available", ""),         /* OpenRouter, gateways */

	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "content management policy", ""), /* Azure */
	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "our safety system", ""),   /* OpenAI images */
	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "flagged as potentially violating", ""), /* OpenAI */
	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "your input was flagged", ""), /* OpenRouter */
	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "moderation", "flagged"),   /* OpenRouter */
	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "content exists risk", ""), /* DeepSeek */
	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "considered high risk", ""), /* Moonshot */
	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "inappropriate content", ""), /* DashScope */
	SAYS(POLICY, ON_BAD | ON_AUTH | ON_BARE, ANYWHERE, "content violates usage guidelines", ""), /* xAI */
#undef SAYS
#undef ANYWHERE
#undef START
};

static unsigned class_of(int status)
{
	switch (status) {
	case 0:             return ON_BARE;
	case 401: case 403: return ON_AUTH;
	case 404:           return ON_404;
	case 429:           return ON_429;
	default:            return status >= 500 ? ON_5XX : ON_BAD;
	}
}

static bool says(struct slice text, const struct sentence_row *row)
{
	if (row->at_start ? !slice_starts_nocase(text, row->words)
			  : slice_find_nocase(text, row->words) == SLICE_NOT_FOUND)
		return false;
	return row->more.len == 0 || slice_find_nocase(text, row->more) != SLICE_NOT_FOUND;
}

/* LiteLLM puts names of its exceptions before the sentence it passes on:
 * "litellm.BadRequestError: OpenAIException - …". */
static struct slice without_prefix(struct slice message)
{
	size_t dash;

	if (!slice_starts(message, S("litellm.")))
		return message;
	dash = slice_find_slice(message, S("Exception - "));
	return dash == SLICE_NOT_FOUND ? message : slice_from(message, dash + 12);
}

static enum fault fault_of_sentence(const struct endpoint *endpoint, int status,
				    const struct error_body *error, bool hinted)
{
	struct slice message = without_prefix(error->message);

	for (size_t i = 0; i < COUNT_OF(sentences); i++) {
		const struct sentence_row *row = &sentences[i];

		if (!(row->on & class_of(status)))
			continue;
		if (row->fault == FAULT_MODEL_GONE && endpoint->model_place == MODEL_NOWHERE)
			continue;
		/* Gemini says "exceeded your current quota" for the limit of a minute. */
		if (row->fault == FAULT_NO_MONEY && hinted)
			continue;
		if (says(message, row) || (!row->at_start && says(error->message, row)) ||
		    says(error->details, row))
			return row->fault;
	}
	return FAULT_NONE;
}

/* ---- status ------------------------------------------------------------------------ */

/* A conflict or a timeout is worth another try where an answer is computed
 * (S14; the official clients do it), and the caller's affair where an object
 * is meant. */
static enum fault fault_of_status(const struct endpoint *endpoint, int status, bool json)
{
	bool llm = openai_is_llm(endpoint);

	switch (status) {
	case 0:             return FAULT_SERVER_ERROR;
	case 402:           return FAULT_NO_MONEY;
	case 401:           return FAULT_CREDENTIAL;
	/* A page instead of JSON comes from something in front of the backend,
	 * which may not have liked the text: that says nothing of the key. */
	case 403:           return json ? FAULT_CREDENTIAL : FAULT_SERVER_ERROR;
	case 404:           return llm ? FAULT_UNSUPPORTED : FAULT_CALLER;
	case 405: case 501: return FAULT_UNSUPPORTED;
	case 408: case 425: return FAULT_SERVER_ERROR;
	case 409: case 424: return llm ? FAULT_SERVER_ERROR : FAULT_CALLER;
	case 429:           return FAULT_RATE_LIMITED;
	case 498:                                    /* Groq: flex capacity exceeded */
	case 503: case 529: return FAULT_OVERLOADED;
	case 499:           return FAULT_SERVER_ERROR; /* the backend's own upstream gave up */
	default:            break;
	}
	if (status >= 500)
		return FAULT_SERVER_ERROR;
	return status >= 400 ? FAULT_CALLER : FAULT_BAD_ANSWER;
}

enum fault openai_fault_of_error(const struct endpoint *endpoint, int status,
				 const struct error_body *error, bool hinted)
{
	enum fault fault;

	if (status < 400)
		status = error->status;
	fault = look_up(sure_words, COUNT_OF(sure_words), error);
	if (fault == FAULT_NONE)
		fault = fault_of_sentence(endpoint, status, error, hinted);
	if (fault == FAULT_NONE && status == 0)
		fault = look_up(words_without_status, COUNT_OF(words_without_status), error);
	if (fault == FAULT_NONE)
		fault = fault_of_status(endpoint, status, error->found);
	return fault;
}

enum fault openai_fault_of_finish(struct slice reason)
{
	static const struct word_row rows[] = {
		{ S_INIT("error"), FAULT_SERVER_ERROR },                         /* OpenRouter */
		{ S_INIT("abort"), FAULT_SERVER_ERROR },                         /* vLLM, SGLang */
		{ S_INIT("network_error"), FAULT_SERVER_ERROR },                 /* Zhipu */
		{ S_INIT("insufficient_system_resource"), FAULT_OVERLOADED },    /* DeepSeek */
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_eq(reason, rows[i].word))
			return rows[i].fault;
	return FAULT_NONE;
}
