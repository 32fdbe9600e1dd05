/* vendor.h: who speaks which dialect, where, and how it deviates. One row a
 * vendor: a new one that speaks a known dialect with quirks is a row and no
 * code. Each row's source is the vendor's own API reference. */
#ifndef BACKSTAY_DIALECT_VENDOR_H
#define BACKSTAY_DIALECT_VENDOR_H

#include "dialect/dialect.h"

/* What a writer must do differently; bits. */
enum vendor_quirk {
	QUIRK_MAX_TOKENS = 1,        /* knows max_tokens, not max_completion_tokens */
	QUIRK_NO_DEVELOPER = 2,      /* no "developer" role: "system" */
	QUIRK_REQUIRED_IS_ANY = 4,   /* tool_choice "any" for "required" */
	QUIRK_RANDOM_SEED = 8,       /* random_seed for seed */
	QUIRK_NO_STREAM_OPTIONS = 16, /* usage comes (or not) without being asked for */
	QUIRK_REASONING_OBJECT = 32, /* reasoning: {effort, max_tokens} (OpenRouter) */
	QUIRK_THINKING_OBJECT = 64,  /* thinking: {type: enabled | disabled} */
	QUIRK_ENABLE_THINKING = 128, /* enable_thinking, thinking_budget (Alibaba) */
};

struct vendor {
	struct slice name;           /* "mistral"; the dialect's own name for its plain form */
	struct slice dialect;        /* its dialect's name */
	struct slice host;           /* of its API; with a dot in front: all hosts that end so; empty: none */
	struct slice base_path;      /* of its API there, "/v1" */
	unsigned lacks_endpoints;    /* bits 1 << enum endpoint_kind */
	uint64_t lacks;              /* bits of CANON_FEATURES that its dialect knows and it does not */
	unsigned quirks;             /* bits of enum vendor_quirk */
};

/* The row for a backend: by its host, else the plain one of its dialect. Never
 * NULL for a dialect of dialect_find(). */
const struct vendor *vendor_find(struct slice dialect, struct slice host);
/* Does a row's host mean this one? */
bool vendor_has_host(const struct vendor *v, struct slice host);

#endif
