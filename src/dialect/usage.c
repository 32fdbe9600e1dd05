#include "dialect/usage.h"

#include "base/check.h"
#include "wire/json.h"

#include <stddef.h>

#define COUNTS(X)                                          \
	X("prompt_tokens", input_tokens)                   \
	X("completion_tokens", output_tokens)              \
	X("input_tokens", input_tokens)                    \
	X("output_tokens", output_tokens)                  \
	X("prompt_cache_hit_tokens", cached_tokens)        \
	X("cache_read_input_tokens", cached_tokens)        \
	X("cached_tokens", cached_tokens)                  \
	X("reasoning_tokens", reasoning_tokens)            \
	X("cache_write_tokens", cache_write_tokens)
/* Inside details the same may stand, and tokens of sound, named alike in all. */
#define AUDIO(X) X("audio_tokens", 0)
#define DETAILS(X)                                         \
	X("prompt_tokens_details", audio_input_tokens)      \
	X("completion_tokens_details", audio_output_tokens) \
	X("input_tokens_details", audio_input_tokens)       \
	X("output_tokens_details", audio_output_tokens)

#define AS_NAME(text, field) { S_INIT(text), NULL },
#define AS_LENGTH(text, field) | JSON_LENGTH(text)
#define AS_OFFSET(text, field) offsetof(struct usage, field),
#define AS_ONE(text, field) + 1
#define AUDIO_AT (0 COUNTS(AS_ONE))
#define DETAILS_AT (AUDIO_AT AUDIO(AS_ONE))
#define ALL_COUNT (DETAILS_AT DETAILS(AS_ONE))
static const size_t offsets[] = { COUNTS(AS_OFFSET) };        /* of the counts in struct usage */
static const size_t audio_offsets[] = { DETAILS(AS_OFFSET) };
static const struct json_name names[] = { COUNTS(AS_NAME) AUDIO(AS_NAME) DETAILS(AS_NAME) };
static const struct json_shape usage_shape = { names, ALL_COUNT, 0, 0 COUNTS(AS_LENGTH) DETAILS(AS_LENGTH) };
static const struct json_shape details_shape = { names, DETAILS_AT, 0, 0 COUNTS(AS_LENGTH) AUDIO(AS_LENGTH) };

/* False: it is no count. */
static bool read_count(const struct json_finding *f, size_t offset, struct usage *out)
{
	int64_t count;

	if (!f->found || !json_i64(f->value, &count) || count < 0)
		return false;
	*(int64_t *)(void *)((char *)out + offset) = count;
	return true;
}

static void read_counts(const struct json_finding *f, struct usage *out)
{
	for (size_t i = 0; i < AUDIO_AT; i++)
		if (read_count(&f[i], offsets[i], out))
			out->known = true;
}

void usage_read(struct slice raw, struct usage *out)
{
	struct json_finding f[ALL_COUNT] = { { .found = false } };
	struct usage seen = { .known = false };
	bool odd;

	if (json_is_nothing(raw) || json_scan_shape(raw, &usage_shape, f, &odd, NULL) != JSON_OK)
		return;
	read_counts(f, &seen);
	for (size_t i = 0; i < ALL_COUNT - DETAILS_AT; i++) {
		const struct json_finding *details = &f[DETAILS_AT + i];
		struct json_finding inner[DETAILS_AT] = { { .found = false } };

		if (!details->found || json_scan_shape(details->value, &details_shape, inner, &odd, NULL) != JSON_OK)
			continue;
		read_counts(inner, &seen);
		read_count(&inner[AUDIO_AT], audio_offsets[i], &seen);
	}
	if (seen.known)
		*out = seen;
}
