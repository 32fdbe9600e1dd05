#include "dialect/usage.h"

#include "base/check.h"
#include "wire/json.h"

#include <stddef.h>

static const struct {
	struct slice name;
	size_t offset;               /* of the count in struct usage */
} counts[] = {
	{ S_INIT("prompt_tokens"), offsetof(struct usage, input_tokens) },
	{ S_INIT("completion_tokens"), offsetof(struct usage, output_tokens) },
	{ S_INIT("input_tokens"), offsetof(struct usage, input_tokens) },
	{ S_INIT("output_tokens"), offsetof(struct usage, output_tokens) },
	{ S_INIT("prompt_cache_hit_tokens"), offsetof(struct usage, cached_tokens) },
	{ S_INIT("cache_read_input_tokens"), offsetof(struct usage, cached_tokens) },
	{ S_INIT("cached_tokens"), offsetof(struct usage, cached_tokens) },
	{ S_INIT("reasoning_tokens"), offsetof(struct usage, reasoning_tokens) },
	{ S_INIT("cache_write_tokens"), offsetof(struct usage, cache_write_tokens) },
};

/* Named alike in both details. */
static void read_audio(struct slice details, struct slice name, struct slice value, struct usage *out)
{
	bool output = slice_starts(details, S("completion")) || slice_starts(details, S("output"));
	int64_t count;

	if (slice_eq(name, S("audio_tokens")) && json_i64(value, &count) && count >= 0)
		*(output ? &out->audio_output_tokens : &out->audio_input_tokens) = count;
}

/* Without the quotes; only a key without escapes can be one of ours. */
static struct slice bare(struct slice key)
{
	return key.len >= 2 ? slice_sub(key, 1, key.len - 1) : key;
}

static bool is_details(struct slice name)
{
	return slice_eq(name, S("prompt_tokens_details")) ||
	       slice_eq(name, S("completion_tokens_details")) ||
	       slice_eq(name, S("input_tokens_details")) ||
	       slice_eq(name, S("output_tokens_details"));
}

static bool read_count(struct slice name, struct slice value, struct usage *out)
{
	int64_t count;

	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		if (!slice_eq(name, counts[i].name))
			continue;
		if (!json_i64(value, &count) || count < 0)
			return false;
		*(int64_t *)(void *)((char *)out + counts[i].offset) = count;
		return true;
	}
	return false;
}

void usage_read(struct slice raw, struct usage *out)
{
	struct slice key, value, inner_key, inner;
	struct usage seen = { .known = false };

	if (json_is_nothing(raw) || json_type_of(raw) != JSON_OBJECT)
		return;
	while (json_next(&raw, &key, &value)) {
		struct slice name = bare(key);

		if (read_count(name, value, &seen))
			seen.known = true;
		if (!is_details(name) || json_type_of(value) != JSON_OBJECT)
			continue;
		while (json_next(&value, &inner_key, &inner)) {
			if (read_count(bare(inner_key), inner, &seen))
				seen.known = true;
			read_audio(name, bare(inner_key), inner, &seen);
		}
	}
	if (seen.known)
		*out = seen;
}
