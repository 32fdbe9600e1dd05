/* made.h: answers that can be told to be right: all of one follows from its
 * number. */
#ifndef BACKSTAY_TESTS_CACHE_MADE_H
#define BACKSTAY_TESTS_CACHE_MADE_H

#include "base/check.h"
#include "base/rng.h"
#include "cache/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline struct cache_key made_key(uint64_t n)
{
	struct cache_key key;

	cache_key_of((struct slice){ (const char *)&n, sizeof n }, &key);
	return key;
}

/* Its body: words that compress about as well as an answer. The caller frees it. */
static inline char *made_body(uint64_t n, size_t *len)
{
	struct rng rng;
	char *text;

	rng_seed(&rng, n);
	*len = 20 + (size_t)rng_below(&rng, 6000);
	text = malloc(*len + 1);
	must(text != NULL);
	for (size_t i = 0; i < *len; i++)
		text[i] = "etaoin shrdlu"[rng_below(&rng, 13)];
	text[*len] = 0;
	return text;
}

static inline struct cache_entry *made_entry(uint64_t n, mono_ms now, int64_t age_ms)
{
	struct cache_key key = made_key(n);
	char tags[64], model[64];
	struct cache_facts facts = {
		.dialect = S("openai"), .path = S("/v1/chat/completions"), .served_model = S("chat"),
		.target = S("a/m"), .finish_reason = S("stop"), .usage_known = true,
		.input_tokens = (int64_t)n, .output_tokens = 7, .kept_ms = 3600000,
	};
	struct cache_entry *e;
	char *body = made_body(n, &facts.body.len);

	snprintf(tags, sizeof tags, "t%llu,all", (unsigned long long)n % 10);
	snprintf(model, sizeof model, "m%llu", (unsigned long long)n % 3);
	facts.tags = slice_of(tags);
	facts.model = slice_of(model);
	facts.body.at = body;
	e = cache_entry_create(&key, &facts, now, age_ms);
	free(body);
	return e;
}

/* Is it the answer of some number, to the last byte? */
static inline bool made_right(const struct cache_entry *e)
{
	uint64_t n = (uint64_t)e->facts.input_tokens;
	struct cache_key key = made_key(n);
	size_t len;
	char *body = made_body(n, &len);
	bool right = cache_key_eq(&key, &e->key) && slice_eq(e->facts.body, (struct slice){ body, len });

	free(body);
	return right;
}

#endif
