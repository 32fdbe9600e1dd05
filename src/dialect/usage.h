/* usage.h: token counts as OpenAI's APIs and their relatives write them. */
#ifndef BACKSTAY_DIALECT_USAGE_H
#define BACKSTAY_DIALECT_USAGE_H

#include "dialect/dialect.h"

/* Reads a raw, valid "usage" object into *out; whatever is no usage object with
 * at least one count in it leaves *out alone. Counts below 0 are not read.
 * Understood: prompt_tokens / completion_tokens (chat), input_tokens /
 * output_tokens (Responses, Anthropic), their *_details, DeepSeek's
 * prompt_cache_hit_tokens, Moonshot's cached_tokens, Perplexity's
 * reasoning_tokens, Anthropic's cache_read_input_tokens. */
void usage_read(struct slice raw, struct usage *out);

#endif
