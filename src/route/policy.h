/* policy.h: backends, targets and models as the config names them. Plain data,
 * owned by the config snapshot, immutable, shared by all workers. */
#ifndef BACKSTAY_ROUTE_POLICY_H
#define BACKSTAY_ROUTE_POLICY_H

#include "base/slice.h"
#include "resilience/breaker.h"
#include "resilience/outlier.h"

struct cache_policy;
struct credential_policy;
struct dialect;
struct dialect_place;
struct last_resort_policy;
struct vendor;
struct lobby_room;
struct origin;
struct price;
struct target;
struct rotation;
struct model_state;

struct header_policy {
	struct slice name, value;     /* value may be a secret */
};

/* A look from outside, where no request tells how a target is doing. */
enum probe_kind {
	PROBE_TCP,                    /* does it accept a connection (and TLS)? */
	PROBE_HTTP,                   /* does a path answer with 2xx? */
	PROBE_MODELS,                 /* does /models answer? */
	PROBE_COMPLETION,             /* does the model answer a tiny question? */
};

struct probe_policy {
	enum probe_kind kind;
	struct slice path;            /* of PROBE_HTTP, from the root of the server */
	int64_t every_ms;             /* 0: no probes */
	int64_t timeout_ms;
};

/* Whose the rate limits are that a backend tells of. */
enum rate_scope {
	RATE_SCOPE_MODEL,             /* each model's there */
	RATE_SCOPE_KEY,               /* the credential's, over all models */
};

/* One upstream endpoint: URLs, dialect, credential, limits. */
struct backend_policy {
	struct slice name;
	const struct dialect *dialect;
	const struct vendor *vendor;  /* its dialect's deviations; by the first URL's host */
	const struct dialect_place *place;    /* NULL: its paths do not say one */
	struct slice more_members;    /* raw members that go into each body for it, without braces; empty: none */
	const struct origin *origins; /* one for each URL */
	size_t origin_count;
	struct slice key;             /* secret; empty: none */
	const struct credential_policy *credential;   /* a token fetched instead (exchange/policy.h); NULL */
	int auth;                     /* enum auth_scheme */
	const struct header_policy *headers;   /* added to every request */
	size_t header_count;
	struct slice query;           /* added to every target, "api-version=…"; may be empty */
	unsigned max_in_flight;       /* per URL and process; 0: no limit */
	struct probe_policy probe;
	bool lacks_said;              /* the next one is the config's word */
	unsigned lacks;               /* see target_policy */
	int64_t context_window;       /* tokens; 0: not said */
	int resume;                   /* enum resume_way, for targets that do not say */
	bool known_to_stream;         /* one of the well-known APIs, all of which stream */
	unsigned min_in_flight;       /* floor of the limit that adapts; 0: it does not */
	int rate_scope;               /* enum rate_scope */
};

/* What a request may need and a target may lack; bits. */
enum capability {
	CAN_TOOLS = 1,
	CAN_IMAGES = 2,
	CAN_AUDIO = 4,
	CAN_SCHEMA = 8,               /* answers held to a JSON schema */
	CAN_STREAM = 16,
	CAN_ALL = 31,
};

#define ROUTE_DEAREST INT64_MAX

/* A backend's URL and the model's name used there. A backend with several URLs
 * gives as many targets. */
struct target_policy {
	struct slice name;            /* "gpu/qwen3-32b", "gpu#2/qwen3-32b" for the second URL */
	const struct backend_policy *backend;
	const struct origin *origin;
	struct slice host_key;        /* unique text of backend and URL: targets with equal ones share a host */
	struct slice machine_key;     /* unique text of scheme, host and port: those with equal ones are
				       * refused together; empty: the host key */
	struct slice model;           /* upstream name; a '*' at its end: what the pattern's star stood for */
	unsigned weight;              /* 1 .. 1000 */
	unsigned priority;            /* 1 is tried before 2 */
	bool lacks_said;              /* the next one is the config's word, not ours (known_models.h) */
	unsigned lacks;               /* bits of enum capability that it cannot do; 0: everything goes */
	int64_t context_window;       /* tokens; 0: unknown. What the config leaves open, binding fills in */
	int resume;                   /* enum resume_way: how it goes on with a broken answer */
	bool reasons;                 /* is known to think without being asked; filled in by binding */
	const struct price *price;    /* of its tokens; NULL: not known, or the model is a pattern */
	int64_t dearness;             /* its price as one number, to be compared; ROUTE_DEAREST: not known */
	struct target *state;         /* bound by target_registry_bind() */
};

enum balance {
	BALANCE_ROUND_ROBIN,          /* in turn, by weight */
	BALANCE_LEAST_IN_FLIGHT,      /* of two drawn by chance the one with less to do */
	BALANCE_LEAST_LATENCY,        /* of two drawn by chance the quicker, for its load */
	BALANCE_PREFIX_AFFINITY,      /* conversations stay where their beginning is known */
	BALANCE_LEAST_LOADED,         /* of all, who has the least to do for its weight; in turn where equal */
};

struct timeout_policy {               /* all in ms */
	int64_t first_token_ms;       /* default 12 s */
	int64_t first_token_reasoning_ms;     /* where the request is known to reason; default 120 s */
	int64_t idle_ms;              /* between events after the first token; default 15 s */
	int64_t answer_ms;            /* a whole answer where the request does not stream; default 120 s */
	int64_t total_ms;             /* the whole exchange; default 10 min */
};

struct retry_policy {
	unsigned max_attempts;        /* over all targets and fallbacks; default 4 */
	int64_t patience_ms;          /* longest wait for a rate limit's hint; default 3 s */
	int64_t fast_ms;              /* a fault within this time "failed fast"; default 1 s */
	int64_t budget_milli;         /* retries paid for by each success, in thousandths of a percent of
				       * one; default 20 % */
};

struct queue_policy {                 /* while all targets of a model are full */
	unsigned length;              /* requests that may wait; default 100; 0: none */
	int64_t wait_ms;              /* longest wait for a place; default 30 s */
};

/* A second attempt elsewhere while the first keeps silent. */
struct hedge_policy {
	bool on, after_p95;           /* after the target's own 95th percentile, at least... */
	int64_t after_ms;             /* ...or exactly this; p95: for targets that are not known yet */
	int64_t budget_milli;         /* hedges per request, in thousandths of a percent; default 5 % */
};

enum stream_upstream {                /* ask for a stream where the client wants a whole answer */
	STREAM_UPSTREAM_AUTO,         /* where the answer may be long and the backend is known to stream */
	STREAM_UPSTREAM_ON, STREAM_UPSTREAM_OFF,
};

struct model_policy {
	struct slice name;            /* as clients ask for it; with a '*' at the end: a pattern */
	bool is_pattern;
	struct target_policy *targets;
	size_t target_count;
	struct rotation *rotation;    /* bound by target_registry_bind() */
	struct model_state *state;    /* likewise; kept over reloads */
	enum balance balance;
	struct slice sticky;          /* a header's name, lower case; "user": that of the body; empty: none */
	struct breaker_policy breaker;
	struct outlier_policy ejection;
	const struct model_policy *const *fallbacks;   /* in the order to try */
	size_t fallback_count;
	struct timeout_policy timeouts;
	struct retry_policy retry;
	struct hedge_policy hedge;
	enum stream_upstream stream_upstream;
	uint64_t may_lose;            /* bits of CANON_FEATURES: dropped where a target's API lacks them */
	bool resume;                  /* broken streams go on elsewhere; default true */
	int64_t comments_ms;          /* SSE comments to clients that wait so long; 0: none */
	struct queue_policy queue;
	const struct cache_policy *cache;     /* NULL: no answer is kept or shared */
	uint64_t cache_epoch;         /* of what gives its answers: targets and their models */
	const struct last_resort_policy *last_resort; /* NULL: none */
	struct lobby_room *room;      /* where requests wait; bound by lobby_bind(); NULL: nowhere */
};

#endif
