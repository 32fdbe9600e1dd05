/* record.h: what is known of an exchange when it has ended: what the access
 * log, the metrics and the traces are made of. Slices live as long as the call
 * that hands the record over. Never prompt text, never a key. */
#ifndef BACKSTAY_OBSERVE_RECORD_H
#define BACKSTAY_OBSERVE_RECORD_H

#include "base/fault.h"
#include "base/priority.h"
#include "base/slice.h"

struct attempt_record {
	struct slice target;          /* "gpu#2/qwen3-32b" */
	enum fault fault;             /* FAULT_NONE: it served the answer */
	int status;                   /* upstream status; 0: no head came */
	int64_t start_ms;             /* after the exchange's start */
	int64_t took_ms;
	int64_t first_token_ms;       /* after the attempt's start; -1: none came */
	unsigned stale_replays;       /* stale pooled connections replaced unseen */
	struct slice text;            /* what exactly went wrong; may be empty */
	const char *kind;             /* "": a plain try; "hedge"; "replay", "prefill" ...: how it resumed */
};

enum degraded { DEGRADED_NO, DEGRADED_FALLBACK, DEGRADED_RESUMED };

struct exchange_record {
	struct slice request_id;
	struct slice client_key;      /* its name; empty: none configured */
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
	enum priority priority;
	int64_t queued_ms;            /* spent waiting for a place */
	enum shed shed;               /* why it got none */
};

/* "fallback", "resumed", or "" for DEGRADED_NO. Static. */
const char *degraded_name(enum degraded d);

#endif
