/* exchange.h: one client request from first byte to last, inside this room.
 *
 *   exchange.c   the conductor: plan, try, pause, try again, end
 *   attempt.c    one try of one target; its table of legal moves
 *   relay.c      towards the client: commit point, bytes, honest endings
 *   explain.c    what a request needs of its target; why it went where it went
 *   request.c    what goes to a backend: target, headers, body
 *   answer.c     what goes to the client: headers, errors
 */
#ifndef BACKSTAY_EXCHANGE_EXCHANGE_H
#define BACKSTAY_EXCHANGE_EXCHANGE_H

#include "base/list.h"
#include "dialect/dialect.h"
#include "exchange/exchanges.h"
#include "route/plan.h"
#include "wire/sse.h"

#define REQUEST_ID_MAX 64
#define ANSWER_BYTES_MAX ((size_t)64 * 1024 * 1024)   /* of a whole answer */
#define ERROR_BYTES_MAX ((size_t)1024 * 1024)         /* of an error's body */
#define EVENT_BYTES_MAX ((size_t)16 * 1024 * 1024)    /* of one event, and of all before the commit point */
#define CLIENT_PENDING_MAX ((size_t)256 * 1024)       /* above it the backend is paused */

struct exchange;

struct exchanges {
	struct exchanges_setup setup;
	struct config *config;
	struct list running;
	struct arena *scratch;        /* for one judged event; see exchanges_scratch() */
	uint64_t id_prefix, id_next;  /* of request ids */
};

/* A scratch arena whose content holds until the next call. */
struct arena *exchanges_scratch(struct exchanges *all);

/* ---- attempt ------------------------------------------------------------------ */

#define ATTEMPT_STATES(X)                                                            \
	X(IDLE)                                                                      \
	X(CONNECTING)   /* name, TCP, proxy, TLS; or waiting for a pooled one */      \
	X(WAITING)      /* the request is on its way, no head yet */                  \
	X(COLLECTING)   /* a whole body is being gathered: unary answers, errors */   \
	X(HOLDING)      /* events arrive, none with content yet: the client sees nothing */ \
	X(STREAMING)    /* past the commit point: what arrives goes to the client */  \
	X(DONE)         /* the answer was complete */                                 \
	X(FAILED)       /* before the commit point: another try may follow, unseen */ \
	X(BROKEN)       /* after it: only an honest ending is left */                 \
	X(CANCELLED)    /* nobody wants it any more */
#define AS_ENUM(s) ATTEMPT_##s,
enum attempt_state { ATTEMPT_STATES(AS_ENUM) ATTEMPT_STATE_COUNT };
#undef AS_ENUM

struct attempt {
	struct exchange *x;
	enum attempt_state state;
	struct pick pick;
	struct upstream_call *call;   /* NULL once it is gone */
	struct upstream_request request;
	struct slice parts[DIALECT_BODY_PARTS];
	struct buf headers;           /* the request's header lines */
	struct slice target_text;
	struct io_timer limit;        /* first token, whole answer, or idle: the state says which */
	mono_ms started_at, first_token_at;

	int status;                   /* 0: no head yet */
	struct h1_header *answer_headers;     /* those for the client; arena */
	size_t answer_header_count;
	uint64_t answer_length;       /* CLIENT_LENGTH_UNKNOWN */
	bool is_sse, is_raw;          /* an event stream; a body passed on without reading */
	bool answer_retold;           /* the client gets it in the other form (stream, whole) */
	struct h1_head *judged_head;  /* kept for judge_answer() while COLLECTING; arena */
	struct sse sse;
	struct buf body;              /* COLLECTING: the answer; HOLDING: events held back */
	struct stream_facts facts;
	bool paused, was_paused;
	bool overdue;                 /* silent beyond its limit, with nothing else to move to */

	/* The outcome. */
	enum fault fault;
	struct slice fault_text;      /* for the log; arena */
	struct answer_facts answer;   /* of judged answers and in-band errors; arena */
	struct slice error_body;      /* an upstream's JSON error as it came; arena; may be empty */
	struct usage usage;
	struct slice finish_reason;
};

/* Starts a try for `pick`, whose place on the target has been taken. Zeroes and
 * fills `a`. What follows is told through exchange_on_*(). */
void attempt_start(struct attempt *a, struct exchange *x, const struct pick *pick, mono_ms now);
/* Ends it from outside (client gone, deadline); nothing is told. Fine in any
 * state. */
void attempt_cancel(struct attempt *a);
/* The client's side has room again, or not. */
void attempt_pause(struct attempt *a, bool paused, mono_ms now);
/* Frees what it holds; the attempt must have ended. */
void attempt_free(struct attempt *a);
/* Lower-case name of the state for the log. */
const char *attempt_state_name(enum attempt_state s);

/* ---- exchange ------------------------------------------------------------------- */

#define EXCHANGE_STATES(X)                                             \
	X(NEW)                                                         \
	X(TRYING)       /* an attempt runs; the client has seen nothing */ \
	X(PAUSING)      /* between two attempts */                     \
	X(STREAMING)    /* past the commit point */                    \
	X(ENDED)
#define AS_ENUM(s) EXCHANGE_##s,
enum exchange_state { EXCHANGE_STATES(AS_ENUM) EXCHANGE_STATE_COUNT };
#undef AS_ENUM

#define EXCHANGE_MAGIC 0x65786368

struct exchange {
	uint32_t magic;
	enum exchange_state state;
	struct exchanges *all;
	struct link link;
	struct io_grave grave;
	struct arena *arena;
	struct config *config;
	struct client_conn *client;   /* NULL once it is gone or answered */

	struct slice id;
	const struct client_key *who;
	struct slice method, path, query, content_type, accept, peer;
	struct h1_header *client_headers;     /* those that may go to a backend */
	size_t client_header_count;
	struct buf body;
	const struct dialect *dialect;
	const struct endpoint *endpoint;
	struct request_facts facts;
	const struct model_policy *model;

	struct plan *plan;
	uint64_t sticky;              /* hash of what ties it to a target; 0: nothing */
	bool explains;                /* the client asked why, and may */
	struct buf explained;         /* ... what it is told; see explain.c */
	struct pick pick;             /* of the running attempt, or the one paused for */
	struct attempt attempt;
	struct attempt_record *records;
	struct answer_facts *answers; /* of the same attempts: what upstreams said */
	struct slice *error_bodies;
	unsigned attempts;            /* begun */
	struct io_timer deadline, pause;
	enum fault fault;             /* how it ended; FAULT_NONE: well */
	mono_ms started_at, committed_at;
	int64_t wall_ms;
	uint64_t bytes_in, bytes_out;
	int status_sent;              /* 0: nothing yet */
};

/* Told by the running attempt; each ends with the attempt in the state named. */
void exchange_on_commit(struct exchange *x, mono_ms now);                 /* about to give content */
void exchange_on_data(struct exchange *x, struct slice bytes);            /* after it */
void exchange_on_done(struct exchange *x, mono_ms now);                   /* DONE */
void exchange_on_failed(struct exchange *x, mono_ms now);                 /* FAILED */
void exchange_on_broken(struct exchange *x, mono_ms now);                 /* BROKEN */
/* Is there anything else to try? Silence is not punished where there is not. */
bool exchange_has_other(struct exchange *x);

/* ---- explain.c -------------------------------------------------------------------- */

/* What of a request's head concerns the choice of a target (and whether its
 * client may ask why). `x->who` and `x->facts` are known. */
void explain_read(struct exchange *x, const struct h1_head *head, const struct model_policy *model);
/* Tells the plan what the request needs, and to tell us what it decides. */
void explain_plan(struct exchange *x);
/* The text for x-backstay-explain; empty: nothing is to be told. */
struct slice explain_text(struct exchange *x);
void explain_free(struct exchange *x);
/* An upstream's head has come: what it says of its rate limits is kept. */
void explain_upstream_head(struct attempt *a, const struct h1_head *head);

/* ---- request.c -------------------------------------------------------------------- */

/* Copies of the client's headers that may go to a backend: no hop-by-hop ones,
 * no credentials, nothing that tells of the client's network or of ours. */
void request_keep_headers(struct exchange *x, const struct h1_head *head);
/* Fills in a->request for its pick. */
void request_build(struct attempt *a);

/* ---- answer.c ---------------------------------------------------------------------- */

/* Keeps of an upstream head what the client may see. */
void answer_keep_headers(struct attempt *a, const struct h1_head *head);
/* Writes the head of a good answer: the attempt's headers and our own. */
void answer_head(struct exchange *x, const struct attempt *a);
/* A whole error response. `body`: an upstream's error to pass on as it came, or
 * empty: one is written in the client's dialect. */
void answer_error(struct exchange *x, const struct error_answer *e, struct slice body);
/* The error that tells the most after all tries failed; `full`: only places
 * were missing. Fills *e and *body (see answer_error()); exchange's arena. */
void answer_choose_error(struct exchange *x, bool full, mono_ms now, struct error_answer *e,
			 struct slice *body);
/* The error of the running attempt, which broke after the commit point. */
void answer_broken_error(struct exchange *x, enum fault why, struct error_answer *e);
/* Answers an error before there is an exchange (key, path). `allow`: the
 * methods that would fit, for a 405; NULL otherwise. */
void answer_refuse(struct client_conn *c, const struct dialect *dialect,
		   const struct error_answer *e, const char *allow);
/* GET /v1/models and /v1/models/{id}. */
void answer_models(struct exchange *x);

#endif
