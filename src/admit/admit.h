/* admit.h: may this request enter? Client keys in their first form; queues and
 * limits stand beside it as they come. Pure: no I/O, no lock. */
#ifndef BACKSTAY_ADMIT_ADMIT_H
#define BACKSTAY_ADMIT_ADMIT_H

#include "admit/waiting_room.h"
#include "base/digest.h"
#include "base/slice.h"

/* A client key is kept as its SHA-256 only. */
struct client_key {
	struct slice name;            /* shown in logs */
	struct slice group;           /* whose kept answers it may share, and what it is counted with; may be empty */
	uint8_t sha256[DIGEST_SHA256_BYTES];
	enum priority priority;       /* of its requests; they may ask for a lower one */
	int64_t requests_per_minute, tokens_per_minute;       /* 0: no limit */
	bool may_explain;             /* ask why a request went where it went */
};

struct admit_policy {
	const struct client_key *keys;
	size_t key_count;             /* 0: everybody may enter */
};

/* The key a request presents: `Authorization: Bearer KEY`, else `x-api-key`.
 * Empty if neither is there or the scheme is another one. Either argument may
 * be SLICE_NONE. */
struct slice admit_presented_key(struct slice authorization, struct slice x_api_key);

enum admit_verdict { ADMIT_YES, ADMIT_NO_KEY, ADMIT_WRONG_KEY };

/* Compares with every key in constant time. On ADMIT_YES *who is the key, or
 * NULL where no keys are configured. */
enum admit_verdict admit_check(const struct admit_policy *policy, struct slice presented,
			       const struct client_key **who);

/* The class of a request of `who` (NULL: no keys are configured) that asks for
 * `asked`, the value of `x-backstay-priority`: "high", "normal" or "low". The
 * key's own class is the default and the best there is; without keys the
 * default is normal and everybody may ask for what they like. Any other word
 * asks for nothing. */
enum priority admit_priority(const struct client_key *who, struct slice asked);

/* How long a client will wait for its answer, in ms: the value of
 * `x-request-timeout`, in seconds ("30", "2.5", "30s") or with the unit "ms" or
 * "m". 0: the text says nothing of the kind; it is then as if it were absent. */
int64_t admit_timeout_ms(struct slice text);

#endif
