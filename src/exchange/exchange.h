/* exchange.h: one client request from first byte to last, inside this room.
 *
 *   exchange.c   the conductor: plan, try, pause, try again, end
 *   queue.c      waiting for a place, in the lobby that all workers share
 *   hedge.c      a second attempt while the first keeps silent
 *   resume.c     going on after the commit point; the seam (ledger.c)
 *   relay.c      towards the client: commit point, bytes, honest endings
 *   attempt.c    one try of one target; its table of legal moves
 *   translate.c  between dialects, where client and backend do not share one
 *   explain.c    what a request needs of its target; why it went where it went
 *   request.c    what goes to a backend: target, headers, body
 *   answer.c     what goes to the client: headers, errors
 *   recall.c     kept and shared answers (recall.h)
 */
#ifndef BACKSTAY_EXCHANGE_EXCHANGE_H
#define BACKSTAY_EXCHANGE_EXCHANGE_H

#include "base/list.h"
#include "dialect/canon.h"
#include "dialect/dialect.h"
#include "exchange/credentials.h"
#include "exchange/exchanges.h"
#include "exchange/header_lines.h"
#include "exchange/ledger.h"
#include "exchange/lobby.h"
#include "observe/record.h"
#include "route/plan.h"
#include "wire/eventstream.h"
#include "wire/sse.h"

#define REQUEST_ID_MAX 64
#define ANSWER_BYTES_MAX ((size_t)64 * 1024 * 1024)   /* of a whole answer */
#define ERROR_BYTES_MAX ((size_t)1024 * 1024)         /* of an error's body */
#define EVENT_BYTES_MAX ((size_t)16 * 1024 * 1024)    /* of one event, and of all before the commit point */
#define LAST_RESORT_ATTEMPTS 2        /* beyond all others */
#define CLIENT_PENDING_MAX ((size_t)256 * 1024)       /* above it the backend is paused */

struct exchange;
struct recall_memo;
struct translation;

struct exchanges {
	struct exchanges_setup setup;
	struct config *config;
	struct list running;
	struct lobby_desk *desk;      /* NULL without a lobby */
	struct flight_desk *flights;  /* NULL where nothing is shared */
	struct cache_desk *looks;     /* NULL where nothing is kept */
	struct prober *prober;        /* looks at targets from outside; see probe.c */
	struct credentials *credentials;
	unsigned embedding;           /* vectors under way in the background; recall_embed.c */
	struct recall_memo *memo;     /* recall_canon.c; NULL until it is of use */
	uint64_t translations;        /* answers begun that are read by a codec */
	struct event_memos *memos;    /* of streams' events; NULL until there was one */
	struct arena *scratch;        /* for one judged event; see exchanges_scratch() */
	struct buf told;              /* what one event becomes for a client of another dialect */
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

/* What goes to a backend. It is needed until all of it has gone and an answer has
 * begun to come: an open stream has none. */
struct asking {
	struct upstream_request request;
	struct slice parts[DIALECT_CHANGED_PARTS];
	struct buf room;              /* what the request says differently from the client's */
	struct buf headers;           /* its header lines */
};

/* What an upstream says when it does not serve. */
struct said {
	struct answer_facts facts;
	struct slice error_body;      /* its JSON error as it came; may be empty */
};

struct attempt {
	struct exchange *x;
	enum attempt_state state;
	unsigned number;              /* its place among the exchange's records */
	int status;                   /* 0: no head yet */
	unsigned tokens;              /* content-bearing pieces heard, a floor for tokens */
	struct pick pick;
	struct upstream_call *call;   /* NULL once it is gone */
	struct credential_wait waiting;       /* for a token, before there is a call */
	uint64_t credential_number;   /* of the one it shows; 0: none that was fetched */
	struct asking *asking;        /* malloc'd; NULL once it has been forgotten */
	struct io_timer limit;        /* first token, whole answer, or idle: the state says which */
	mono_ms limit_at;             /* when it is really due; the timer may fire before */
	mono_ms started_at, first_token_at;

	struct slice answer_lines;    /* of the answer's headers, those for the client; arena */
	uint64_t answer_length;       /* CLIENT_LENGTH_UNKNOWN */
	enum resume_way way;          /* how it goes on with a broken answer; RESUME_NONE: it does not */
	enum fault drilled;           /* what a drill does to it; FAULT_NONE: nothing */
	unsigned drill_left;          /* events until the drill cuts it */
	bool is_sse, is_raw;          /* an event stream; a body passed on without reading */
	bool as_stream;               /* a whole answer, asked for as a stream */
	bool answer_retold;           /* the client gets it in the other form (stream, whole) */
	bool heard;                   /* content has come, whether the client saw it or not */
	bool paused, was_paused;
	bool overdue;                 /* silent beyond its limit, with nothing else to move to */
	struct seam *seam;            /* arena; NULL unless it does */
	struct translation *translation;      /* arena; NULL: bytes pass as they are */
	struct h1_head *judged_head;  /* kept for judge_answer() while COLLECTING; arena */
	struct sse sse;
	struct eventstream *frames;   /* arena; NULL: events are server-sent */
	struct buf body;              /* COLLECTING: the answer; HOLDING: events held back */
	struct stream_facts facts;

	/* The outcome. */
	enum fault fault;
	struct slice fault_text;      /* for the log; arena */
	struct said *said;            /* in judged answers and in-band errors; arena; NULL: nothing */
	struct usage usage;
	struct slice finish_reason;
};

/* How a try is to be made. */
struct attempt_plan {
	const struct pick *pick;      /* copied; its place on the target has been taken */
	unsigned number;
	bool as_stream;
	enum resume_way way;
};

/* Starts a try. Zeroes and fills `a`. What follows is told through
 * exchange_on_*(). False, with nothing begun: the request cannot be written
 * that way. */
MUST_USE bool attempt_start(struct attempt *a, struct exchange *x, const struct attempt_plan *plan,
			    mono_ms now);
/* Has it begun and not ended? */
bool attempt_runs(const struct attempt *a);
/* Ends it from outside (client gone, deadline); nothing is told. Fine in any
 * state. */
void attempt_cancel(struct attempt *a);
/* The client's side has room again, or not. */
void attempt_pause(struct attempt *a, bool paused, mono_ms now);
/* Once an answer is coming: frees what was sent to ask for it, where all of it has
 * gone. False: it is still being sent, and refers to the client's body. */
bool attempt_forget_request(struct attempt *a);
/* What its upstream said, to be filled in. */
struct said *attempt_said(struct attempt *a);
/* What one said; facts of nothing where `said` is NULL. */
const struct answer_facts *said_facts(const struct said *said);
/* Frees what it holds; the attempt must have ended. */
void attempt_free(struct attempt *a);
/* Lower-case name of the state for the log. */
const char *attempt_state_name(enum attempt_state s);

/* ---- exchange ------------------------------------------------------------------- */

#define EXCHANGE_STATES(X)                                             \
	X(NEW)                                                         \
	X(RECALLING)    /* stores that take their time are asked */ \
	X(FOLLOWING)    /* an identical request leads, whose answer it shares */ \
	X(QUEUED)       /* waits for a place: the model is full */     \
	X(TRYING)       /* an attempt runs; the client has seen nothing */ \
	X(PAUSING)      /* between two attempts */                     \
	X(STREAMING)    /* past the commit point: an attempt gives */  \
	X(RESUMING)     /* past it, and nobody gives: the next is tried, or paused for */ \
	X(ENDED)
#define AS_ENUM(s) EXCHANGE_##s,
enum exchange_state { EXCHANGE_STATES(AS_ENUM) EXCHANGE_STATE_COUNT };
#undef AS_ENUM

struct recall;
struct giving;
struct queue_place;

/* How an answer broke after the commit point. */
struct broke {
	enum fault why;
	mono_ms at;
	const struct said *said;      /* NULL: nothing */
	struct stream_facts so_far;   /* of what the client has */
};

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
	struct slice method, path, query, content_type, peer;
	struct slice client_lines;    /* of its head's headers, those that may go to a backend */
	struct buf body;
	const struct dialect *dialect;
	const struct endpoint *endpoint;
	struct request_facts facts;
	const struct model_policy *model;
	struct slice star;            /* what its pattern's star stood for */

	struct recall *recall;        /* recall.h; NULL: kept answers do not concern it */
	struct giving *giving;        /* give.c; NULL: no answer of ours is being given */
	enum cache_use cache;
	enum cache_tier cache_tier;
	int64_t cache_age_ms;
	double similarity;            /* of a near match */
	bool kept;                    /* the answer was kept */
	bool detached;                /* the client has gone; it goes on for those that follow */
	enum degraded degraded_by;    /* beside what fallbacks and resumes say */
	enum fault degraded_why;      /* why no better answer was given */
	bool resorted;                /* the model of the last resort is asked */
	unsigned attempts_allowed;    /* then */

	/* The request in the canonical form, once a target needs it; see translate.c. */
	struct arena *canon_arena;
	struct canon_request *canon;
	enum fault canon_fault;       /* it could not be read, with why */
	struct slice canon_why;
	uint64_t not_carried;         /* features that kept targets out of the plan */

	const struct budget_policy *budget;   /* that is spent, and has a say in what follows; NULL: none */
	struct plan *plan;            /* NULL until it is to be tried */
	uint64_t sticky;              /* hash of what ties it to a target; 0: nothing */
	struct buf explained;         /* what a client that asks why is told; see explain.c */
	bool explains;                /* ... it asked, and may */
	bool whole_upstream;          /* asking for a stream on the client's behalf was refused */
	bool replay_only;             /* for the next attempt: its target refused the text so far */
	struct pick pick;             /* of the attempt begun last, or the one paused for */
	struct attempt first, *second;        /* at most two run at once; the second by need, arena */
	struct attempt *lead;         /* the one that gives to the client; NULL: none */

	/* What the client has, while it may go on elsewhere. */
	struct ledger ledger;
	bool may_resume;
	bool identity_known, client_sse;
	unsigned resumes;
	struct event_identity identity;       /* arena */
	struct array_framing *array;  /* the client wants its stream as a JSON array; NULL: as events */
	struct broke *broke;          /* the last break; arena; NULL: there was none */

	struct io_timer hedge, warm;
	mono_ms sent_at;              /* the client's last byte */
	mono_ms piece_at;             /* ... and its last piece of content from a backend's stream */
	struct metrics_block *gaps;   /* where its gaps are counted; NULL: there was none yet */

	struct attempt_record *records;
	struct said **said;           /* in the same attempts */
	unsigned attempts_room;       /* of these two arrays */
	unsigned attempts;            /* begun */
	bool hedged, hedge_won;
	bool warmed;                  /* the head went out before there was an answer */
	enum shed shed;
	struct io_timer deadline, pause;

	struct queue_place *place;    /* where it waits, or has waited; queue.c; arena */
	mono_ms queued_at, runs_since;        /* MONO_NEVER: it does not */
	enum priority priority;
	enum fault fault;             /* how it ended; FAULT_NONE: well */
	int64_t queued_ms;            /* in all, before queued_at */
	int64_t client_timeout_ms;    /* how long the client will wait; 0: it did not say */
	int64_t patience_ms;          /* how long it waits for the first byte; likewise */
	mono_ms deadline_at;
	int64_t retry_after_ms;       /* where it was shed */

	struct usage usage;           /* of all attempts that ended */
	int64_t untold_tokens;        /* heard from attempts that never told their usage */
	struct slice finish_reason, served_model, served_target;
	bool served_fallback;
	mono_ms started_at, committed_at;
	struct trace_context *trace;  /* arena; NULL: it belongs to none */
	int64_t overhead_us;          /* of our own, up to the commit point */
	int64_t cost_nano_usd;        /* of all attempts that ended */
	int64_t wall_ms;
	uint64_t bytes_in, bytes_out;
	int status_sent;              /* 0: nothing yet */
};

/* Told by a running attempt; each ends with it in the state named, and it may be
 * gone on return. */
void exchange_on_heard(struct attempt *a, mono_ms now);                /* first content has come */
void exchange_on_commit(struct attempt *a, struct slice data, mono_ms now); /* about to give content; an
									* event's data, or empty */
/* An attempt that goes on is about to give what the client does not have. */
void exchange_on_resumed(struct attempt *a, mono_ms now);
void exchange_on_done(struct attempt *a, mono_ms now);                 /* DONE */
void exchange_on_failed(struct attempt *a, mono_ms now);               /* FAILED */
void exchange_on_broken(struct attempt *a, mono_ms now);               /* BROKEN */
/* The exchange's record of its last break, to be filled in. */
struct broke *exchange_broke(struct exchange *x);
/* Is there anything else to try? Silence is not punished where there is not. */
bool exchange_has_other(struct attempt *a, mono_ms now);

/* ---- framing.c --------------------------------------------------------------------- */

/* At the beginning: how the client wants a stream. */
void framing_init(struct exchange *x, bool as_array);
void framing_free(struct exchange *x);
/* The Content-Type of a good answer. */
struct slice framing_type(const struct exchange *x);
/* Bytes of the answer, events of a stream, to the client, which is there; how many
 * it takes is its affair. */
void framing_give(struct exchange *x, struct slice bytes);
/* Something that means nothing, to a client that waits. */
void framing_keep_alive(struct exchange *x);
/* The answer is complete. The client is not to be named afterwards. */
void framing_end(struct exchange *x);

/* ---- relay.c ------------------------------------------------------------------------ */

/* Bytes for the client, past the commit point. */
void relay_bytes(struct attempt *a, struct slice bytes);
/* The same for an event that was judged: the ledger notes it. */
void relay_event(struct attempt *a, struct arena *scratch, const struct sse_event *event,
		 const struct event_facts *facts);
/* At the commit point: who serves, what can be resumed, the head. */
void relay_begin(struct attempt *a, struct slice data, mono_ms now);
/* Keeps what identifies the answer, from an event of it. */
void relay_keep_identity(struct exchange *x, struct slice data);
/* A piece of content of a backend's stream has gone to the client, or would have. */
void relay_count_piece(struct exchange *x);
/* Bytes behind a stream whose attempt has ended: the events it lacked. */
void relay_last(struct exchange *x, struct slice bytes);
/* A complete answer has been given. */
void relay_end(struct exchange *x);
/* One honest ending past the commit point: an event where the client reads
 * events, a broken connection where it reads a body. */
void relay_end_broken(struct exchange *x, enum fault why);
/* The ledger notes an event that has gone to the client. */
void relay_note(struct attempt *a, struct arena *scratch, const struct event_facts *facts);
/* The last word to a client that has a head but no content: an error event. */
void relay_end_error(struct exchange *x, const struct error_answer *e);
/* Starts what keeps a waiting client's connection warm, if the model wants it. */
void relay_warm_start(struct exchange *x, mono_ms now);

/* ---- resume.c ------------------------------------------------------------------------- */

/* May what broke with `why` go on elsewhere? */
bool resume_is_possible(const struct exchange *x, enum fault why);
/* How the target of x->pick is to be asked; RESUME_NONE: not at all. */
enum resume_way resume_way_for(const struct exchange *x);
/* "replay", "prefill" ...; static. */
const char *resume_way_name(enum resume_way way);
/* An event of an attempt that goes on: what is new of it goes to the client.
 * False: the attempt has ended. */
bool resume_event(struct attempt *a, struct arena *scratch, const struct sse_event *event,
		  const struct event_facts *facts);
/* The same for the events of a backend that speaks another dialect. */
bool resume_foreign(struct attempt *a, struct arena *scratch, const struct canon_events *events,
		    const struct event_facts *facts);
/* The attempt is complete: tells what was held back. False: it has ended, since
 * it had not told all that the client has. */
bool resume_finish(struct attempt *a);
/* Tokens of earlier attempts, to be added to usage that a later one tells. */
void resume_spent(const struct exchange *x, int64_t *input, int64_t *output);

/* ---- hedge.c --------------------------------------------------------------------------- */

/* The first attempt has begun: a second may follow it. */
void hedge_arm(struct exchange *x, const struct attempt *first, mono_ms now);
/* `a` has been heard first: others are cancelled. */
void hedge_settle(struct attempt *a, mono_ms now);

/* ---- exchange.c, for these three ----------------------------------------------------------- */

/* Begins an attempt for x->pick, whose place has been taken. False: it could not
 * be written; the place has been given back. */
MUST_USE bool exchange_begin_attempt(struct exchange *x, const char *kind, mono_ms now);
/* Ends one from outside; nothing is told. */
void exchange_cancel_attempt(struct attempt *a, enum fault why, struct slice text, mono_ms now);
/* Cancels what runs; the records say why. */
void exchange_stop_attempts(struct exchange *x, enum fault why, mono_ms now);
/* Attempts under way. */
unsigned exchange_running(const struct exchange *x);
/* Past the commit point? Then the client's status is fixed. */
bool exchange_committed(const struct exchange *x);

/* ---- explain.c -------------------------------------------------------------------- */

/* What of a request's head concerns the choice of a target (and whether its
 * client may ask why). `x->who` and `x->facts` are known. */
void explain_read(struct exchange *x, const struct h1_head *head, const struct model_policy *model);
/* Tells the plan what the request needs, and to tell us what it decides. */
void explain_plan(struct exchange *x);
/* A decision about a target that was not the plan's: `what` ("hedged") and `why`, a
 * word or two. The header tells it; the log has its own line. */
void explain_note(struct exchange *x, const struct target_policy *target, const char *what,
		  const char *why);
/* The text for x-backstay-explain; empty: nothing is to be told. */
struct slice explain_text(struct exchange *x);
void explain_free(struct exchange *x);
/* An upstream's head has come: what it says of its rate limits is kept. */
void explain_upstream_head(struct attempt *a, const struct h1_head *head);

/* ---- budgets.c ---------------------------------------------------------------------- */

/* Before it is tried: sets x->budget where one is spent that concerns it and does
 * more than telling people. The strictest counts. */
void budgets_ask(struct exchange *x);
/* Is it to be refused for that? */
bool budgets_refuse(const struct exchange *x);
/* The error that says so. */
void budgets_error(struct exchange *x, struct error_answer *e);
/* What all its attempts have cost is counted. */
void budgets_pay(const struct exchange *x);

/* ---- probe.c ------------------------------------------------------------------------- */

/* Looks at targets of backends that have `probe`, one worker's share of them. */
struct prober *prober_create(struct exchanges *all);
/* Looks under way. */
size_t prober_count(const struct prober *p);
/* The config has changed. */
void prober_update(struct prober *p);
/* Looks under way are dropped; NULL is fine. */
void prober_free(struct prober *p);

/* ---- request.c -------------------------------------------------------------------- */

/* Keeps the lines of the client's headers that may go to a backend: no hop-by-hop
 * ones, no credentials, nothing that tells of the client's network or of ours. */
void request_keep_headers(struct exchange *x, const struct h1_head *head);
/* Appends the header lines that carry the backend's key or prove that one has it,
 * if it has one. False, with nothing appended: it is to be fetched and not there.
 * `backend` is of `config`; `request` is what is to be sent to `origin`, with what
 * `b` holds as its headers so far. */
MUST_USE bool request_credential(struct exchanges *all, struct config *config,
				 const struct backend_policy *backend, const struct origin *origin,
				 const struct upstream_request *request, struct buf *b);
struct request_signer {
	const struct credential *credential;
	struct slice region, authority;       /* of the service; "host:port" as the Host header has it */
	int64_t wall_ms;
};
/* Appends the lines of AWS's Signature Version 4. False, with nothing appended: the
 * request is too large to be signed. */
MUST_USE bool request_sign(const struct upstream_request *r, const struct request_signer *signer,
			   struct buf *headers);
/* Was the attempt refused for the date of its signature, as this answer says, and is
 * the server's clock now known, so that another try can have the right one? (P10) */
bool request_clock_was_wrong(const struct attempt *a, const struct answer_facts *answer);
/* What the backend\'s dialect always wants to be told. */
void request_fixed_headers(struct buf *out, const struct backend_policy *backend);
/* Fills in a->asking for its pick and way, but for the credential. False: it
 * cannot be asked that way. */
MUST_USE bool request_build(struct attempt *a);
/* The key a client presents, in whichever header (or, of Google's APIs, in the
 * query) its library puts it; of `head`, or the arena. Empty: none. */
struct slice request_presented_key(struct arena *arena, const struct h1_head *head);
/* Adds the credential, last of all. False: it is not there yet. */
MUST_USE bool request_authorize(struct attempt *a);
/* Is the whole answer the client wants better asked for as a stream here? */
bool request_wants_stream(const struct exchange *x);

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
/* The error of an answer that broke after the commit point (x->broke). */
void answer_broken_error(struct exchange *x, enum fault why, struct error_answer *e);
/* Answers an error before there is an exchange (key, path). `allow`: the
 * methods that would fit, for a 405; NULL otherwise. */
void answer_refuse(struct client_conn *c, const struct dialect *dialect,
		   const struct error_answer *e, const char *allow);
/* GET /v1/models and /v1/models/{id}. */
void answer_models(struct exchange *x);

#endif
