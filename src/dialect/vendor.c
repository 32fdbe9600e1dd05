/* vendor.c: the rows. Looked up in 2026-11, each at its vendor:
 *   OpenAI      platform.openai.com/docs/api-reference/chat; rate limits: guides/rate-limits
 *   Azure       learn.microsoft.com, "Azure OpenAI v1 API"; quotas by deployment
 *   Anthropic   platform.claude.com/docs/en/api; its OpenAI-compatible form: openai-sdk
 *   Google      ai.google.dev/gemini-api/docs/openai, and rate-limits
 *   Mistral     docs.mistral.ai/api: random_seed, "any", "prefix": true; limits by workspace
 *   DeepSeek    api-docs.deepseek.com: guides/thinking_mode, json_mode, chat_prefix_completion
 *   Groq        console.groq.com/docs/openai ("unsupported features"), docs/prefilling
 *   OpenRouter  openrouter.ai/docs/use-cases/reasoning-tokens, api-reference/parameters
 *   xAI         docs.x.ai/docs/api-reference
 *   Together, Fireworks: docs.together.ai/docs/openai-api-compatibility,
 *               docs.fireworks.ai/tools-sdks/openai-compatibility
 *   Alibaba     help.aliyun.com, "OpenAI compatible - Chat": enable_thinking
 *   Moonshot    platform.moonshot.ai/docs/api
 *   vLLM, SGLang  docs.vllm.ai "OpenAI-Compatible Server"; docs.sglang.ai "OpenAI APIs"
 *   llama.cpp, Ollama  their servers' own pages about the compatible API
 * A row without a host is chosen by `vendor` in the config. */
#include "dialect/vendor.h"

#include "base/check.h"
#include "dialect/codec.h"

#define LACKS(kind) (1u << ENDPOINT_##kind)

/* What only OpenAI itself takes, and others refuse or do not know. */
#define OPENAI_ALONE (CANON_HAS(CUSTOM_TOOLS) | CANON_HAS(STORE) | CANON_HAS(VERBOSITY) |            \
		      CANON_HAS(METADATA) | CANON_HAS(CACHE_HINT) | CANON_HAS(SERVICE_TIER) |         \
		      CANON_HAS(PREDICTION))
/* What only servers of open models take. */
#define OPEN_SAMPLING (CANON_HAS(TOP_K) | CANON_HAS(MIN_P) | CANON_HAS(REPETITION))

static const struct vendor vendors[] = {
	/* Whoever is not known: most likely a server of one's own, and what it lacks is
	 * for its owner to say. Old names are understood by more of them. */
	{ .name = S_INIT("openai"), .dialect = S_INIT("openai"),
	  .lacks = CANON_HAS(CUSTOM_TOOLS), .quirks = QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER },
	{ .name = S_INIT("openai.com"), .dialect = S_INIT("openai"), .host = S_INIT("api.openai.com"),
	  .base_path = S_INIT("/v1"), .lacks = OPEN_SAMPLING | CANON_HAS(VIDEO) | CANON_HAS(PREFILL),
	  .stops_max = 4,
	  .quirks = QUIRK_REASONERS, .known = true },
	{ .name = S_INIT("azure-v1"), .dialect = S_INIT("openai"), .host = S_INIT(".openai.azure.com"),
	  .base_path = S_INIT("/openai/v1"),
	  .lacks = OPEN_SAMPLING | CANON_HAS(VIDEO) | CANON_HAS(PREFILL), .stops_max = 4,
	  .quirks = QUIRK_REASONERS, .known = true },
	{ .name = S_INIT("azure"), .dialect = S_INIT("azure"),
	  .lacks = OPEN_SAMPLING | CANON_HAS(VIDEO) | CANON_HAS(PREFILL), .stops_max = 4,
	  .quirks = QUIRK_REASONERS, .known = true },
	{ .name = S_INIT("anthropic-openai"), .dialect = S_INIT("openai"),
	  .host = S_INIT("api.anthropic.com"), .base_path = S_INIT("/v1"),
	  .lacks_endpoints = LACKS(RESPONSES) | LACKS(COMPLETIONS) | LACKS(EMBEDDINGS),
	  .lacks = OPENAI_ALONE | OPEN_SAMPLING | CANON_HAS(STRICT_TOOLS) | CANON_HAS(AUDIO_IN) |
		CANON_HAS(PENALTIES) | CANON_HAS(LOGIT_BIAS) | CANON_HAS(LOGPROBS) | CANON_HAS(SEED) |
		CANON_HAS(CHOICES) | CANON_HAS(JSON_MODE) | CANON_HAS(JSON_SCHEMA) | CANON_HAS(EFFORT),
	  .quirks = QUIRK_NO_DEVELOPER, .resume = RESUME_PREFILL, .known = true },
	{ .name = S_INIT("gemini-openai"), .dialect = S_INIT("openai"),
	  .host = S_INIT("generativelanguage.googleapis.com"), .base_path = S_INIT("/v1beta/openai"),
	  .lacks_endpoints = LACKS(RESPONSES) | LACKS(COMPLETIONS),
	  .lacks = OPENAI_ALONE | OPEN_SAMPLING | CANON_HAS(LOGIT_BIAS) | CANON_HAS(PREFILL),
	  .quirks = QUIRK_NO_DEVELOPER, .known = true },
	{ .name = S_INIT("mistral"), .dialect = S_INIT("openai"), .host = S_INIT("api.mistral.ai"),
	  .base_path = S_INIT("/v1"), .lacks_endpoints = LACKS(RESPONSES) | LACKS(COMPLETIONS),
	  .lacks = OPENAI_ALONE | OPEN_SAMPLING | CANON_HAS(LOGIT_BIAS) | CANON_HAS(LOGPROBS) |
		CANON_HAS(USER) | CANON_HAS(NAMES) | CANON_HAS(VIDEO) | CANON_HAS(THINK_BUDGET),
	  .quirks = QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_REQUIRED_IS_ANY | QUIRK_RANDOM_SEED |
		QUIRK_NO_STREAM_OPTIONS,
	  .resume = RESUME_PREFIX, .counts_account = true, .known = true },
#define DEEPSEEK_LACKS (OPENAI_ALONE | OPEN_SAMPLING | CANON_HAS(LOGIT_BIAS) | CANON_HAS(SEED) |     \
			CANON_HAS(CHOICES) | CANON_HAS(PARALLEL) | CANON_HAS(JSON_SCHEMA) |            \
			CANON_HAS(USER) | CANON_HAS(IMAGE_URL) | CANON_HAS(IMAGE_DATA) |               \
			CANON_HAS(AUDIO_IN) | CANON_HAS(VIDEO) | CANON_HAS(DOCUMENT_DATA) |            \
			CANON_HAS(THINK_BUDGET))
#define DEEPSEEK_QUIRKS (QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_THINKING_OBJECT)
	{ .name = S_INIT("deepseek-beta"), .dialect = S_INIT("openai"), .host = S_INIT("api.deepseek.com"),
	  .base_path = S_INIT("/beta"), .only_below = S_INIT("/beta"), .lacks_endpoints = LACKS(EMBEDDINGS),
	  .lacks = DEEPSEEK_LACKS, .quirks = DEEPSEEK_QUIRKS, .resume = RESUME_PREFIX,
	  .counts_account = true, .known = true },
	{ .name = S_INIT("deepseek"), .dialect = S_INIT("openai"), .host = S_INIT("api.deepseek.com"),
	  .lacks_endpoints = LACKS(EMBEDDINGS) | LACKS(COMPLETIONS),
	  .lacks = DEEPSEEK_LACKS | CANON_HAS(STRICT_TOOLS) | CANON_HAS(PREFILL),
	  .quirks = DEEPSEEK_QUIRKS, .counts_account = true, .known = true },
	{ .name = S_INIT("groq"), .dialect = S_INIT("openai"), .host = S_INIT("api.groq.com"),
	  .base_path = S_INIT("/openai/v1"), .lacks_endpoints = LACKS(COMPLETIONS) | LACKS(EMBEDDINGS),
	  .lacks = OPENAI_ALONE | OPEN_SAMPLING | CANON_HAS(LOGIT_BIAS) | CANON_HAS(LOGPROBS) |
		CANON_HAS(CHOICES) | CANON_HAS(NAMES) | CANON_HAS(AUDIO_IN) | CANON_HAS(VIDEO),
	  .resume = RESUME_PREFILL, .stops_max = 4, .known = true },
	{ .name = S_INIT("openrouter"), .dialect = S_INIT("openai"), .host = S_INIT("openrouter.ai"),
	  .base_path = S_INIT("/api/v1"),
	  .lacks = CANON_HAS(CUSTOM_TOOLS) | CANON_HAS(STORE) | CANON_HAS(CHOICES),
	  .quirks = QUIRK_MAX_TOKENS | QUIRK_REASONING_OBJECT, .resume = RESUME_PREFILL,
	  .counts_account = true, .known = true },
	{ .name = S_INIT("xai"), .dialect = S_INIT("openai"), .host = S_INIT("api.x.ai"),
	  .base_path = S_INIT("/v1"), .lacks_endpoints = LACKS(COMPLETIONS),
	  .lacks = OPENAI_ALONE | OPEN_SAMPLING | CANON_HAS(LOGIT_BIAS) | CANON_HAS(VIDEO) |
		CANON_HAS(AUDIO_IN) | CANON_HAS(PREFILL),
	  .quirks = QUIRK_NO_DEVELOPER, .known = true },
	{ .name = S_INIT("together"), .dialect = S_INIT("openai"), .host = S_INIT("api.together.xyz"),
	  .base_path = S_INIT("/v1"), .lacks_endpoints = LACKS(RESPONSES), .lacks = OPENAI_ALONE,
	  .quirks = QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER, .counts_account = true, .known = true },
	{ .name = S_INIT("fireworks"), .dialect = S_INIT("openai"), .host = S_INIT("api.fireworks.ai"),
	  .base_path = S_INIT("/inference/v1"), .lacks = OPENAI_ALONE,
	  .quirks = QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER, .counts_account = true, .known = true },
	{ .name = S_INIT("alibaba"), .dialect = S_INIT("openai"), .host = S_INIT(".aliyuncs.com"),
	  .base_path = S_INIT("/compatible-mode/v1"), .lacks = OPENAI_ALONE | CANON_HAS(LOGIT_BIAS),
	  .quirks = QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_ENABLE_THINKING, .known = true },
	{ .name = S_INIT("moonshot"), .dialect = S_INIT("openai"), .host = S_INIT("api.moonshot.ai"),
	  .base_path = S_INIT("/v1"),
	  .lacks_endpoints = LACKS(RESPONSES) | LACKS(COMPLETIONS) | LACKS(EMBEDDINGS),
	  .lacks = OPENAI_ALONE | OPEN_SAMPLING | CANON_HAS(LOGIT_BIAS) | CANON_HAS(LOGPROBS) |
		CANON_HAS(SEED) | CANON_HAS(PARALLEL),
	  .quirks = QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER | QUIRK_THINKING_OBJECT,
	  .counts_account = true, .known = true },
	{ .name = S_INIT("vllm"), .dialect = S_INIT("openai"), .lacks = CANON_HAS(CUSTOM_TOOLS),
	  .quirks = QUIRK_NO_DEVELOPER, .resume = RESUME_CONTINUE_FINAL, .known = true },
	{ .name = S_INIT("sglang"), .dialect = S_INIT("openai"), .lacks = CANON_HAS(CUSTOM_TOOLS),
	  .quirks = QUIRK_NO_DEVELOPER, .resume = RESUME_CONTINUE_FINAL, .known = true },
	{ .name = S_INIT("llamacpp"), .dialect = S_INIT("openai"), .lacks = CANON_HAS(CUSTOM_TOOLS),
	  .quirks = QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER, .known = true },
	{ .name = S_INIT("ollama"), .dialect = S_INIT("openai"),
	  .lacks = OPENAI_ALONE | OPEN_SAMPLING | CANON_HAS(TOOL_CHOICE) | CANON_HAS(LOGIT_BIAS) |
		CANON_HAS(LOGPROBS) | CANON_HAS(CHOICES) | CANON_HAS(IMAGE_URL) | CANON_HAS(USER),
	  .quirks = QUIRK_MAX_TOKENS | QUIRK_NO_DEVELOPER, .known = true },
	{ .name = S_INIT("anthropic"), .dialect = S_INIT("anthropic") },
	{ .name = S_INIT("anthropic.com"), .dialect = S_INIT("anthropic"),
	  .host = S_INIT("api.anthropic.com"), .resume = RESUME_PREFILL, .known = true },
	{ .name = S_INIT("gemini"), .dialect = S_INIT("gemini"), .known = true },
	{ .name = S_INIT("vertex"), .dialect = S_INIT("vertex"), .known = true },
	{ .name = S_INIT("bedrock"), .dialect = S_INIT("bedrock"), .known = true },
	{ .name = S_INIT("cohere"), .dialect = S_INIT("cohere"), .known = true },
};

static bool has_host(const struct vendor *v, struct slice host)
{
	if (v->host.len == 0)
		return false;
	return v->host.at[0] == '.' ? slice_ends(host, v->host) : slice_eq(host, v->host);
}

const struct vendor *vendor_find(struct slice dialect, struct slice host, struct slice path)
{
	for (size_t i = 0; i < COUNT_OF(vendors); i++)
		if (slice_eq(vendors[i].dialect, dialect) && has_host(&vendors[i], host) &&
		    slice_starts(path, vendors[i].only_below))
			return &vendors[i];
	return vendor_named(dialect, dialect);
}

const struct vendor *vendor_named(struct slice dialect, struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(vendors); i++)
		if (slice_eq(vendors[i].dialect, dialect) && slice_eq(vendors[i].name, name))
			return &vendors[i];
	return NULL;
}

size_t vendor_names(struct slice dialect, struct slice names[static VENDORS_MAX])
{
	size_t count = 0;

	must(COUNT_OF(vendors) <= VENDORS_MAX);
	for (size_t i = 0; i < COUNT_OF(vendors); i++)
		if (slice_eq(vendors[i].dialect, dialect))
			names[count++] = vendors[i].name;
	return count;
}
