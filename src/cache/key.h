/* key.h: which requests are the same question.
 *
 * A request's JSON is brought into one form: members in the order of their
 * names, no space, numbers by their value, strings decoded, nothing that says
 * only what holds anyway. What changes the answer stays. The form is digested
 * together with whatever else tells questions apart (scope, model, epoch). */
#ifndef BACKSTAY_CACHE_KEY_H
#define BACKSTAY_CACHE_KEY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/digest.h"

struct cache_key {
	uint8_t bytes[DIGEST_SHA256_BYTES];
};

/* Are they the same? */
bool cache_key_eq(const struct cache_key *a, const struct cache_key *b);
/* Lower-case hex, NUL-terminated. */
#define CACHE_KEY_TEXT (2 * DIGEST_SHA256_BYTES + 1)
void cache_key_text(const struct cache_key *k, char out[static CACHE_KEY_TEXT]);
/* The reverse; false, with *out untouched, if `text` is not exactly that. */
bool cache_key_parse(struct slice text, struct cache_key *out);

/* A top-level member that says what holds anyway. */
struct canonical_default {
	struct slice name, value;     /* the value as JSON */
};

/* What is left out of the top level of a request; static tables. */
struct canonical_rules {
	const struct slice *ignored;  /* changes nothing of the answer */
	size_t ignored_count;
	const struct canonical_default *defaults;
	size_t default_count;
};

/* Appends the one form of `body`, which must be a JSON object. Members that are
 * null are left out at the top level, like defaults. False, with `out` in no
 * particular state: it is no such object, too large for a tree, or above the
 * buf's maximum. `scratch` is used as it needs. */
MUST_USE bool cache_canonical(struct arena *scratch, struct slice body,
			      const struct canonical_rules *rules, struct buf *out);

/* A raw JSON number in thousandths, rounded towards 0; false, with *out untouched,
 * for what is none or does not fit. */
bool cache_number_milli(struct slice raw, int64_t *out);

/* The digest of a canonical text and what stands before it. */
void cache_key_of(struct slice text, struct cache_key *out);

#endif
