/* record.h: what is known of an exchange when it has ended: what the access
 * log, the metrics and the traces are made of. Slices live as long as the call
 * that hands the record over. Never prompt text, never a key. */
#ifndef BACKSTAY_OBSERVE_RECORD_H
#define BACKSTAY_OBSERVE_RECORD_H

#include "base/fault.h"
#include "base/priority.h"
#include "base/slice.h"

/* What a try used, as far as it is known. Cached is a part of input, reasoning of
 * output. */
struct spent {
	bool told;                    /* the backend said so; else output is what was heard */
	int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
	bool priced;                  /* its model has a price */
	int64_t cost_nano_usd;
};

struct trace_context;

struct attempt_record {
	struct slice target;          /* "gpu#2/qwen3-32b" */
	struct slice model;           /* as it is named there */
	struct slice authority;       /* host and port of the server */
	enum fault fault;             /* FAULT_NONE: it served the answer */
	int status;                   /* upstream status; 0: no head came */
	int64_t start_ms;             /* after the exchange's start */
	int64_t took_ms;
	int64_t first_token_ms;       /* after the attempt's start; -1: none came */
	unsigned stale_replays;       /* stale pooled connections replaced unseen */
	struct slice text;            /* what exactly went wrong; may be empty */
	bool drilled;                 /* a drill made it fail */
	const char *kind;             /* "": a plain try; "hedge"; "replay", "prefill" ...: how it resumed */
	bool resumes;                 /* it was to go on with a broken stream ... */
	bool went_on;                 /* ... and did */
	struct spent spent;
};

enum degraded {
	DEGRADED_NO, DEGRADED_FALLBACK, DEGRADED_RESUMED,
	DEGRADED_STALE, DEGRADED_NEAR, /* a kept answer, since nothing else was left */
	DEGRADED_LAST_RESORT,
	DEGRADED_COUNT
};

/* What kept answers had to do with it. */
enum cache_use {
	CACHE_USE_NO,                 /* nothing: the model keeps none, or the request is none to keep */
	CACHE_USE_MISS,               /* there was none to give */
	CACHE_USE_HIT,                /* one was given instead of asking */
	CACHE_USE_STALE, CACHE_USE_NEAR,      /* one was given since nothing else was left */
	CACHE_USE_JOINED,             /* it shared the answer of an identical request */
	CACHE_USE_REFRESH,            /* no client's: it fetched a new answer to keep */
	CACHE_USE_COUNT
};

/* Where the answer was that was given. */
enum cache_tier { CACHE_TIER_NONE, CACHE_TIER_MEMORY, CACHE_TIER_DISK, CACHE_TIER_SHARED, CACHE_TIER_COUNT };

struct exchange_record {
	struct slice request_id;
	const struct trace_context *trace;    /* NULL: it belongs to none */
	struct slice client_key;      /* its name; empty: none configured */
	struct slice client_group;    /* what it is counted with; likewise */
	struct slice peer;            /* address text */
	struct slice method, path;
	struct slice asked_model;     /* as the client wrote it; may be empty */
	struct slice served_model;    /* the model of the config that served it; empty: none */
	struct slice target;          /* that served it; empty: none */
	bool stream;
	int status;                   /* sent to the client; 499: it was gone before */
	enum fault fault;             /* FAULT_NONE: a complete answer */
	bool committed;               /* content had reached the client */
	enum degraded degraded;       /* the last that befell it */
	unsigned resumes;             /* times that a broken stream went on */
	bool hedged, hedge_won;       /* a second attempt was begun; it served */
	const struct attempt_record *attempts;
	size_t attempt_count;
	bool usage_known;
	int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
	struct slice finish_reason;
	uint64_t bytes_in, bytes_out; /* request body; response body */
	int64_t wall_ms;              /* Unix time at its start */
	int64_t first_token_ms;       /* from its start to the commit point; -1: never */
	int64_t duration_ms;
	int64_t overhead_us;          /* what we added up to the commit point; -1: there was none */
	int64_t cost_nano_usd;        /* of all attempts, where prices are known */
	enum priority priority;
	int64_t queued_ms;            /* spent waiting for a place */
	enum shed shed;               /* why it got none */
	enum cache_use cache;         /* HIT .. JOINED: the tokens are the original's, nothing was computed */
	enum cache_tier cache_tier;   /* HIT, STALE, NEAR only */
	int64_t cache_age_ms;         /* of the kept answer that was given */
	double similarity;            /* NEAR only: 0 .. 1 */
	bool kept;                    /* the answer was kept */
	struct slice cache_key;       /* in hex, of requests that are ones to keep; empty: this is none */
};

/* Did it go well at the first try, as far as we are concerned: nothing of it tells
 * of trouble? What the caller did wrong is no trouble. */
bool record_is_calm(const struct exchange_record *r);
/* "fallback", "resumed", "stale", "near", "last-resort", or "" for DEGRADED_NO.
 * Static. */
const char *degraded_name(enum degraded d);
/* "miss", "hit", "stale", "near", "joined", "refresh", or "". Static. */
const char *cache_use_name(enum cache_use u);
/* "memory", "disk", "shared", or "none". Static. */
const char *cache_tier_name(enum cache_tier t);
/* The other way round; CACHE_TIER_NONE for a name that is none of them, or NULL. */
enum cache_tier cache_tier_of(const char *name);
/* Was a kept or shared answer given? */
bool cache_use_gives(enum cache_use u);

#endif
