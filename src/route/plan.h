/* plan.h: which target next, and why.
 *
 * A plan belongs to one exchange. It knows all targets that may serve it (the
 * model's, then each fallback model's), what has been tried and how that
 * ended, and gives the next try by the fault table and by how the targets have
 * been doing: another healthy target of the same model; then one that is only
 * slow; then the same target again where the table allows; then the fallback
 * models in turn; then what is still coming back; at last, where nothing has
 * been tried or the budget pays for it, the least bad of those that are out, or
 * a paced one whose pause fits the deadline. Time and chance are arguments. */
#ifndef BACKSTAY_ROUTE_PLAN_H
#define BACKSTAY_ROUTE_PLAN_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/mono.h"
#include "route/policy.h"

struct plan;

/* What one try asks for. */
struct pick {
	const struct target_policy *target;
	const struct model_policy *model;     /* the model it serves under: the asked one or a fallback */
	struct slice upstream_model;          /* the name to send */
	mono_ms at;                           /* not before this time; <= now: at once */
	size_t candidate;                     /* for plan_report() */
	bool is_fallback;
	bool reasons;                         /* it is known to think before it speaks */
	bool probe, forced;                   /* the trial of one that was out; the last resort */
};

/* Decisions, for the log and for those who ask why. */
#define PLAN_EVENTS(X)                                                              \
	X(CHOSEN,          "chosen")            /* to be tried */                   \
	X(SKIPPED,         "skipped")           /* not to be tried now */           \
	X(PAUSED,          "paused")            /* to be tried at `at` */           \
	X(FAILED,          "failed")            /* a try has ended with a fault */  \
	X(BUDGET_SPENT,    "budget_spent")      /* no retry is left for it */       \
	X(BREAKER_OPEN,    "breaker_open")                                          \
	X(BREAKER_PROBE,   "breaker_probe")                                         \
	X(BREAKER_RAMP,    "breaker_ramp")                                          \
	X(BREAKER_CLOSED,  "breaker_closed")                                        \
	X(MACHINE_OPEN,    "machine_open")                                          \
	X(MACHINE_BACK,    "machine_back")                                          \
	X(CREDENTIAL_OFF,  "credential_off")    /* an alert: somebody must act */   \
	X(CREDENTIAL_BACK, "credential_back")                                       \
	X(MODEL_GONE,      "model_gone")        /* an alert as well */              \
	X(MODEL_BACK,      "model_back")                                            \
	X(PACED,           "paced")                                                 \
	X(EJECTED,         "ejected")
#define AS_ENUM(id, name) PLAN_EVENT_##id,
enum plan_event_kind { PLAN_EVENTS(AS_ENUM) PLAN_EVENT_COUNT };
#undef AS_ENUM

struct plan_event {
	enum plan_event_kind kind;
	const struct target_policy *target;
	const char *why;                      /* a word or two; static */
	enum fault fault;                     /* FAULT_NONE: none is concerned */
	mono_ms at;                           /* when it may change; MONO_NEVER: does not matter */
};

/* "chosen", "skipped" ...; the log's event names. */
const char *plan_event_name(enum plan_event_kind kind);

/* What a request needs beyond a model, and who is told why. All zero: nothing. */
struct plan_wants {
	unsigned needs;                       /* bits of enum capability */
	/* Can the target be asked such a request at all? NULL: all can. Called in
	 * plan_want(), once for each target. */
	bool (*fits)(void *owner, const struct target_policy *target);
	int64_t tokens;                       /* about how many its input has; 0: unknown */
	uint64_t prefix;                      /* hash of the conversation's beginning; 0: none */
	uint64_t sticky;                      /* hash of what ties requests to a target; 0: nothing */
	/* Told of changes of a target's state always, of the decisions (down to
	 * BUDGET_SPENT) only where `tell_all`. Must not call the plan. May be NULL. */
	void (*on_event)(void *owner, const struct plan_event *e);
	void *owner;
	bool tell_all;
	bool cheap;                           /* by price, whatever priorities say: a dearer target, or
	                                       * fallback, only where no cheaper one can serve */
};

enum plan_answer {
	PLAN_GO,             /* *pick is to be tried; a place on its target has been taken if at <= now,
	                      * else the caller waits and asks plan_enter() */
	PLAN_SPENT,          /* nothing that could still help is left */
	PLAN_FULL,           /* something is left, but all of it is at its max_in_flight */
};

/* A plan for a request of `model` (asked for as `asked`, of which a pattern's
 * star stands for `star`). `deadline` is the exchange's. */
struct plan *plan_create(struct arena *arena, const struct model_policy *model, struct slice asked,
			 struct slice star, mono_ms deadline);
/* Before the first plan_next(): what the request needs. Without it nothing is. */
void plan_want(struct plan *p, const struct plan_wants *wants);
/* The next try. That there are at most max_attempts is the caller's care; but no
 * target is asked again while that would leave a fallback model without a try. */
enum plan_answer plan_next(struct plan *p, mono_ms now, uint64_t random, struct pick *pick);
/* All places that would do (see target_places()), full or not. */
uint64_t plan_places(const struct plan *p);
/* After PLAN_FULL: the places that were full (see target_places()). */
uint64_t plan_full_places(const struct plan *p);
/* An untried target of the asked model, in good standing, for a second attempt
 * beside the one that runs; its place has been taken. False: there is none, and
 * nothing else was touched. */
bool plan_next_fellow(struct plan *p, mono_ms now, uint64_t random, struct pick *pick);
/* Takes the place for a pick that had to wait; false: the target has become full
 * or has got into trouble meanwhile (plan_next() may know another). */
bool plan_enter(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random);
/* What a drill wants to happen to the running try; FAULT_NONE: nothing. */
enum fault plan_drilled(const struct plan *p, const struct pick *pick);
/* The running try has given its first content, `after_ms` from its beginning. */
void plan_first_token(struct plan *p, const struct pick *pick, mono_ms now, int64_t after_ms);
/* How a try ended, unless it ended well. `took_ms` is how long it took to fail,
 * `hint_ms` the upstream's wish when to come back (-1: none; then a jittered
 * pause is drawn from `random`), `never_again` that the upstream said not to
 * come back at all (x-should-retry: false). Gives the place back; so does
 * plan_done(). */
void plan_report(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random,
		 enum fault fault, int64_t took_ms, int64_t hint_ms, bool never_again);
/* The try was cancelled, or ended by something that says nothing of its target. */
void plan_done(struct plan *p, const struct pick *pick);
/* It was cancelled after `silent_ms` without any content (0: there was some): no
 * fault, but a target that keeps clients waiting longer than its habit may have
 * too much to do. */
void plan_cancelled(struct plan *p, const struct pick *pick, mono_ms now, int64_t silent_ms);
/* Behind plan_cancelled(): the try does not count, its target may be asked as if
 * it had not been (another attempt was quicker, and may yet fail). */
void plan_forget_try(struct plan *p, const struct pick *pick);
/* The try ended well: it took so long, streamed (or came whole), at so many
 * tokens a second (0: unknown). Gives the place back. */
void plan_served(struct plan *p, const struct pick *pick, mono_ms now, uint64_t random,
		 int64_t took_ms, bool streamed, double tokens_per_s);
/* Is anything worth moving to left, other than waiting for `current`? Silence is
 * not punished where nothing is. */
bool plan_has_other(struct plan *p, const struct pick *current, mono_ms now);
/* Is an untried one in good standing left? What that of `current` may be left for
 * that has been kept although it is late. */
bool plan_has_healthy(struct plan *p, const struct pick *current, mono_ms now);
/* Why plan_next() gave nothing although nothing had been tried, and when that may
 * change (MONO_NEVER: not by itself): RATE_LIMITED, CREDENTIAL, NO_MONEY,
 * MODEL_GONE, UNSUPPORTED (no target can do what the request needs), or NO_TARGET. */
enum fault plan_nothing_why(const struct plan *p, mono_ms *at);
/* The longest wait for a first token on this pick: `base_ms`, or more where the
 * target has really been taking longer (half as much again as its 95th
 * percentile, at most three times the base). */
int64_t plan_first_token_limit_ms(const struct pick *pick, int64_t base_ms, mono_ms now);
/* The earliest time at which a target that asked for a pause would take a
 * request again; MONO_NEVER if none did. */
mono_ms plan_retry_at(const struct plan *p);

#endif
