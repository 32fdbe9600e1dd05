/* fault.h: the one closed table of what can go wrong and what may follow.
 *
 * Callers never test status codes: whoever sees trouble names its fault (the
 * dialect for answers, conn/ for connections, relay for streams), and
 * everything that follows (client status, whose blame, what may be tried next)
 * is a column of this table. docs/failure-handling.md is made from it. */
#ifndef BACKSTAY_BASE_FAULT_H
#define BACKSTAY_BASE_FAULT_H

#include "base/slice.h"

/* May the same target be asked again within one exchange? */
enum fault_again {
	AGAIN_NEVER,
	AGAIN_FRESH,          /* at once, on a fresh connection, free of any budget, one time */
	AGAIN_IF_FAST,        /* once, if it failed fast */
	AGAIN_IF_LAST,        /* once, after a pause, if no other target is left */
	AGAIN_AFTER_HINT,     /* after the upstream's hint, where it fits `patience` */
};

/* May another target of the same model, or of a fallback model, be asked? */
enum fault_elsewhere {
	ELSEWHERE_NO,
	ELSEWHERE_YES,
	ELSEWHERE_LARGER,     /* only one with a larger context window */
	ELSEWHERE_RESUME,     /* only to continue the broken stream */
};

/* What the fault tells about. */
enum fault_blame {
	BLAME_NOBODY,
	BLAME_TARGET,         /* counts against the target's health */
	BLAME_PACE,           /* slows the target down, does not trip it */
	BLAME_CREDENTIAL,     /* the key is out of use until changed */
	BLAME_MODEL,          /* the target's model is gone there */
};

/* id, name, client status, again, elsewhere, blame, error type and error code in
 * OpenAI's words (they are the common tongue of the log too), sentence */
#define FAULTS(X)                                                                             \
	X(NONE,           "none",         200, NEVER,      NO,     NOBODY,     "",                     "",                      "no fault") \
	X(CONNECT,        "connect",      502, NEVER,      YES,    TARGET,     "server_error",         "upstream_unreachable",  "the backend could not be reached") \
	X(STALE_CONN,     "stale_conn",   502, FRESH,      YES,    NOBODY,     "server_error",         "upstream_closed",       "the backend had closed the reused connection") \
	X(SERVER_ERROR,   "server_error", 502, IF_FAST,    YES,    TARGET,     "server_error",         "upstream_error",        "the backend answered with an error of its own") \
	X(BAD_ANSWER,     "bad_answer",   502, IF_FAST,    YES,    TARGET,     "server_error",         "upstream_invalid",      "the backend's answer was malformed, empty or cut short") \
	X(OVERLOADED,     "overloaded",   503, IF_LAST,    YES,    TARGET,     "server_error",         "upstream_overloaded",   "the backend has no capacity at the moment") \
	X(RATE_LIMITED,   "rate_limited", 429, AFTER_HINT, YES,    PACE,       "rate_limit_error",     "rate_limit_exceeded",   "the backend asked us to slow down") \
	X(NO_MONEY,       "no_money",     429, NEVER,      YES,    CREDENTIAL, "insufficient_quota",   "insufficient_quota",    "the backend's account has run out of money or quota") \
	X(CREDENTIAL,     "credential",   502, NEVER,      YES,    CREDENTIAL, "server_error",         "upstream_credential",   "the backend refused the credential configured for it") \
	X(OLD_TOKEN,      "old_token",    502, FRESH,      YES,    NOBODY,     "server_error",         "upstream_credential",   "the backend refused a token that is being fetched anew") \
	X(MODEL_GONE,     "model_gone",   404, NEVER,      YES,    MODEL,      "invalid_request_error", "model_not_found",      "the backend does not have this model") \
	X(UNSUPPORTED,    "unsupported",  404, NEVER,      YES,    NOBODY,     "invalid_request_error", "unsupported_endpoint", "the backend does not offer this endpoint") \
	X(SILENCE,        "silence",      504, NEVER,      YES,    TARGET,     "server_error",         "upstream_timeout",      "the backend sent no first token in time") \
	X(STALL,          "stall",        504, NEVER,      RESUME, TARGET,     "server_error",         "stream_stalled",        "the backend stopped sending in the middle of its answer") \
	X(CUT,            "cut",          502, IF_LAST,    RESUME, TARGET,     "server_error",         "stream_cut",            "the connection to the backend broke in the middle of its answer") \
	X(DIVERGED,       "diverged",     502, NEVER,      YES,    NOBODY,     "server_error",         "stream_cut",            "the second answer differed from what had been sent already") \
	X(OUTRUN,         "outrun",       502, NEVER,      NO,     NOBODY,     "server_error",         "outrun",                "another attempt was quicker") \
	X(CONTEXT,        "context",      400, NEVER,      LARGER, NOBODY,     "invalid_request_error", "context_length_exceeded", "the request is longer than the model's context window") \
	X(POLICY,         "policy",       400, NEVER,      NO,     NOBODY,     "invalid_request_error", "content_filter",       "the backend refused the content by policy") \
	X(CALLER,         "caller",       400, NEVER,      NO,     NOBODY,     "invalid_request_error", "invalid_request",      "the request is invalid") \
	X(CLIENT_GONE,    "client_gone",  499, NEVER,      NO,     NOBODY,     "client_error",         "client_closed_request", "the client closed its connection") \
	X(DEADLINE,       "deadline",     504, NEVER,      NO,     NOBODY,     "server_error",         "deadline_exceeded",     "the time allowed for this request ran out") \
	X(SHED,           "shed",         503, NEVER,      NO,     NOBODY,     "server_error",         "overloaded",            "the proxy has no room for this request at the moment") \
	X(BUDGET,         "budget",       429, NEVER,      NO,     NOBODY,     "insufficient_quota",   "budget_spent",          "the budget set for this client or model is spent") \
	X(NO_TARGET,      "no_target",    503, NEVER,      NO,     NOBODY,     "server_error",         "no_target",             "no backend that can take this request is available") \
	X(LOCAL,          "local",        503, NEVER,      NO,     NOBODY,     "server_error",         "local_resources",       "the proxy ran out of a local resource (descriptors, ports, memory)") \
	X(SHUTDOWN,       "shutdown",     503, NEVER,      NO,     NOBODY,     "server_error",         "shutting_down",         "the proxy is shutting down")

#define AS_ENUM(id, ...) FAULT_##id,
enum fault { FAULTS(AS_ENUM) FAULT_COUNT };
#undef AS_ENUM

struct fault_row {
	const char *name;             /* lower case, words joined by '_': log and metrics label */
	int status;                   /* what the client gets if this is the last word */
	enum fault_again again;
	enum fault_elsewhere elsewhere;
	enum fault_blame blame;
	const char *type, *code;      /* OpenAI's error.type and error.code */
	const char *text;             /* a sentence without a full stop */
};

/* The row of `f`; static. */
const struct fault_row *fault_row(enum fault f);

#endif
