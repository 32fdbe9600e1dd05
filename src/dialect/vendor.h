/* vendor.h: who speaks which dialect, where, and how it deviates. One row a
 * vendor (or a server of one's own): a new one that speaks a known dialect with
 * quirks is a row and no code. */
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
	QUIRK_THINKING_OBJECT = 64,  /* thinking: {type: enabled | disabled}; thinking before calls goes back */
	QUIRK_ENABLE_THINKING = 128, /* enable_thinking, thinking_budget (Alibaba) */
	QUIRK_REASONERS = 256,       /* has OpenAI's reasoning models, which refuse sampling */
};

struct vendor {
	struct slice name;           /* "mistral"; the dialect's own name for its plain form */
	struct slice dialect;        /* its dialect's name */
	struct slice host;           /* of its API; with a dot in front: all hosts that end so; empty: none */
	struct slice base_path;      /* of its API there, "/v1"; empty: not known */
	struct slice only_below;     /* the row is for URLs whose path begins so; empty: for all */
	unsigned lacks_endpoints;    /* bits 1 << enum endpoint_kind */
	uint64_t lacks;              /* bits of CANON_FEATURES that its dialect knows and it does not */
	unsigned quirks;             /* bits of enum vendor_quirk */
	unsigned stops_max;          /* stop words it takes; 0: not known */
	enum resume_way resume;      /* what it is documented to take; RESUME_AUTO: nothing */
	bool counts_account;         /* its rate limits are the account's, not each model's */
	bool known;                  /* a well-known API; they all stream */
};

/* The row for a backend: by its URL's host and path, else the plain one of its
 * dialect. Never NULL for a dialect of dialect_find(). */
const struct vendor *vendor_find(struct slice dialect, struct slice host, struct slice path);
/* The row of that name in that dialect; NULL if there is none. */
const struct vendor *vendor_named(struct slice dialect, struct slice name);
/* Names of all rows of a dialect; gives how many. */
#define VENDORS_MAX 64
size_t vendor_names(struct slice dialect, struct slice names[static VENDORS_MAX]);

#endif
