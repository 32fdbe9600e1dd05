/* target.h: what a process knows of its targets while they work: how many
 * requests each has in flight, and how each has been doing. Shared by all
 * workers and kept over config reloads; every piece has its own small lock.
 *
 * Trouble is kept where it belongs, so that it does not condemn neighbours:
 *   machine     connections to host and port: all targets that live there
 *   credential  a backend's key: all targets that use it
 *   model       a model that is not there: one target
 *   own         everything else: one target
 * Each is a breaker of its own; a target can be used where all four let it. */
#ifndef BACKSTAY_ROUTE_TARGET_H
#define BACKSTAY_ROUTE_TARGET_H

#include "base/arena.h"
#include "base/fault.h"
#include "resilience/bucket.h"
#include "resilience/latency.h"
#include "route/policy.h"

struct target_registry;

/* One for a process. States live as long as it does: a target that leaves the
 * config and comes back finds its state again. */
struct target_registry *target_registry_create(void);
void target_registry_free(struct target_registry *r);
/* Fills in `state` of every target, `rotation` and `state` of the models, making
 * what does not exist yet. `arena` is the snapshot's. Any one thread at a time. */
void target_registry_bind(struct target_registry *r, struct arena *arena,
			  struct model_policy *models, size_t model_count);

/* `on_free` is told after each place that was given back, on the thread that
 * gave it, with the target's bits of target_places(); at most one listener, set
 * before any place is taken. */
void target_registry_watch(struct target_registry *r,
			   void (*on_free)(void *owner, uint64_t places), void *owner);
/* One bit that all targets which share a limit have in common. Others may have
 * the same. */
uint64_t target_places(const struct target *t);

/* ---- looking ------------------------------------------------------------------ */

/* What may be done with a target now; the better the earlier. */
enum target_use {
	USE_GOOD,
	USE_PROBE,           /* one trial is due */
	USE_EJECTED,         /* far slower than its fellows, or silent to all who wait; better than none */
	USE_RAMPING,         /* coming back, and its present share is given out */
	USE_PACED,           /* asked us to wait */
	USE_OPEN,            /* its own breaker or its machine's; only as the last resort */
	USE_OFF,             /* its credential or its model: asking is of no use */
};

struct target_look {
	enum target_use use;
	mono_ms at;                   /* when that may change; `now` for GOOD and PROBE */
	enum fault why;               /* the fault that led to it; FAULT_NONE where none did */
	bool doubt;                   /* its last word was a fault: a retry there must be paid for */
	mono_ms asked_at;             /* by any request, last; 0: never */
	unsigned in_flight;
	double latency_ms;            /* peak-sensitive mean, see latency.h; 0: unknown */
};

/* Looks without taking anything. `random` decides about a ramp's share. */
void target_look(struct target *t, const struct model_policy *model, mono_ms now, uint64_t random,
		 struct target_look *out);
/* "good", "probe", "ejected", "ramping", "paced", "open", "off". */
const char *target_use_name(enum target_use use);

/* ---- the operator's word ------------------------------------------------------- */

enum target_hold {
	HOLD_NONE,
	HOLD_DRAINED,        /* nothing new goes there, come what may */
	HOLD_OPEN,           /* as if its breaker were open: only as the last resort */
	HOLD_CLOSED,         /* its own breaker and its machine's are not heeded */
};

/* Replaces what was said before; `until` MONO_NEVER: until something else is said.
 * What is under way goes on. Any thread. */
void target_hold(struct target *t, enum target_hold hold, mono_ms now, mono_ms until);
/* "", "drained", "open", "closed". */
const char *target_hold_name(enum target_hold hold);
/* A drill: until then `percent` of 100 tries meet `fault` (see struct
 * target_visit), without the backend being to blame. FAULT_NONE ends it. */
void target_drill(struct target *t, enum fault fault, unsigned percent, mono_ms until);

/* ---- a visit: one try on a target ------------------------------------------------ */

struct target_visit {
	struct breaker_pass machine, credential, model, own;
	bool probe, forced;
	bool first_token_seen, waiting;
	enum fault drilled;           /* what a drill wants to happen to it; FAULT_NONE: nothing */
	const struct backend_policy *backend;
};

/* News from a visit: bits, for the log. */
enum target_news {
	NEWS_OPENED = 1,              /* its own breaker */
	NEWS_PROBING = 2,
	NEWS_RAMPING = 4,
	NEWS_CLOSED = 8,
	NEWS_MACHINE_OPENED = 16,
	NEWS_MACHINE_BACK = 32,
	NEWS_CREDENTIAL_OFF = 64,
	NEWS_CREDENTIAL_BACK = 128,
	NEWS_MODEL_GONE = 256,
	NEWS_MODEL_BACK = 512,
	NEWS_PACED = 1024,
	NEWS_BACK = NEWS_RAMPING | NEWS_MACHINE_BACK | NEWS_CREDENTIAL_BACK | NEWS_MODEL_BACK,
};

enum target_answer {
	TARGET_GO,
	TARGET_FULL,                  /* the backend URL it lives on has `max_in_flight` already */
	TARGET_NO,                    /* a breaker says no, or it is paced */
};

/* Takes a place on the target. `force`: against breakers and pace (never against
 * its credential or model being off). Each TARGET_GO is answered by exactly one
 * target_end(). Any thread. */
enum target_answer target_begin(struct target *t, const struct target_policy *policy,
				const struct model_policy *model, mono_ms now, uint64_t random,
				bool force, int64_t tokens, struct target_visit *v, unsigned *news);

/* The first content came, `after_ms` from the beginning of the visit. At most
 * once; optional. Gives NEWS_ bits. */
unsigned target_first_token(struct target *t, const struct model_policy *model,
			    struct target_visit *v, mono_ms now, int64_t after_ms);

/* How a visit ended. */
struct target_outcome {
	bool neutral;                 /* says nothing about the target: cancelled, our own trouble */
	int64_t silent_ms;            /* neutral: so long no content had come; 0: some had, or unknown */
	enum fault fault;             /* FAULT_NONE: well */
	int64_t took_ms;
	int64_t hint_ms;              /* an upstream's wish when to come back; -1: none */
	bool streamed;                /* took_ms is not the time to the first token */
	double tokens_per_s;          /* 0: unknown */
};
/* Gives the place back and learns from it. *at is when it may be used again
 * where the news are bad. Gives NEWS_ bits. */
unsigned target_end(struct target *t, const struct target_policy *policy,
		    const struct model_policy *model, struct target_visit *v, mono_ms now,
		    uint64_t random, const struct target_outcome *outcome, mono_ms *at);

/* Is a look from outside due? True for one caller in `every_ms`, and only while
 * no request has told of the target for so long: looks cost nothing while traffic
 * flows. Any thread. */
bool target_probe_due(struct target *t, mono_ms now, int64_t every_ms);
/* What the look begun at `began_at` has shown: FAULT_NONE, a fault that blames the
 * target, or one that says nothing. An open breaker becomes half-open at once where
 * it went well; a closed one opens after three bad ones in a row. Nothing is
 * changed where a request has told of the target meanwhile. Gives NEWS_ bits. */
unsigned target_probe_seen(struct target *t, const struct model_policy *model, mono_ms now,
			   uint64_t random, mono_ms began_at, enum fault fault);
/* What another machine has found out of a target. */
enum target_rumour {
	RUMOUR_OPEN,                  /* its breaker opened there */
	RUMOUR_MACHINE_OPEN,          /* it refused connections there */
	RUMOUR_PACED,                 /* it asked for a pause that goes on for span_ms */
	RUMOUR_COUNT
};
/* "breaker_open", "machine_open", "paced". Static. */
const char *target_rumour_name(enum target_rumour r);
/* A closed breaker opens, as it would by itself, and tries by itself; a pause is
 * kept. What this machine knows better is left alone. Gives NEWS_ bits. */
unsigned target_rumour(struct target *t, const struct target_policy *policy,
		       const struct model_policy *model, mono_ms now, uint64_t random,
		       enum target_rumour what, int64_t span_ms);
/* The target's backend has a new credential: if the old one was out of use, the next
 * request tries it at once. Any thread. */
void target_credential_renewed(struct target *t, mono_ms now);

/* What an answer's headers said about how much more the target will take: -1
 * where they said nothing. `full_in_ms`: until all of it is there again. */
struct rate_headroom {
	int64_t requests_limit, requests_left, requests_full_in_ms;
	int64_t tokens_limit, tokens_left, tokens_full_in_ms;
};
/* True: there is so little left that other machines should know; at most a few times
 * a second. */
bool target_headroom(const struct target_policy *policy, mono_ms now,
		     const struct rate_headroom *said);

/* 95 of 100 first tokens came within this; -1: too few to say. Any thread. */
int64_t target_first_token_p95_ms(struct target *t, mono_ms now);
/* Compares the model's targets of equal priority, at most once a second, and
 * ejects the one that is far slower. Gives its index, or SIZE_MAX. */
size_t target_judge_outliers(const struct model_policy *model, mono_ms now, mono_ms *until,
			     enum outlier_why *why);

/* ---- budgets of a model -------------------------------------------------------------- */

/* An exchange of this model ended well: feeds the retry budget. */
void model_feed(const struct model_policy *model, mono_ms now);
/* Takes one retry out of the budget; false: it is spent. */
bool model_take_retry(const struct model_policy *model, mono_ms now);
void model_give_retry(const struct model_policy *model, mono_ms now);
/* Retries left; and how often one was not made since there were none. */
double model_retries_left(const struct model_policy *model, mono_ms now);
uint64_t model_retries_refused(const struct model_policy *model);
/* Something has come back to life: what was known of the model's other targets
 * may have changed with it. Heeded once in breaker.open_ms, so that what flaps
 * costs little. */
void model_stirs(const struct model_policy *model, mono_ms now);
/* When that was; 0: never. */
mono_ms model_stirred_at(const struct model_policy *model);
/* The same for hedges; `share_milli` as in retry_policy.budget_milli. A request
 * of a model that may hedge feeds it with model_feed_hedge(). */
void model_feed_hedge(const struct model_policy *model, int64_t share_milli, mono_ms now);
bool model_take_hedge(const struct model_policy *model, int64_t share_milli, mono_ms now);

/* ---- for people ------------------------------------------------------------------------ */

/* The breakers in front of a target, in this order. */
enum target_breaker { TARGET_OWN, TARGET_MACHINE, TARGET_CREDENTIAL, TARGET_MODEL, TARGET_BREAKERS };

struct target_view {
	enum target_use use;
	const char *state;            /* "closed", "open", "half-open", "ramping", "ejected", "paced", "off",
	                               * "drained" */
	const char *machine, *credential, *model;     /* their breakers' states */
	enum fault why;
	enum fault credential_why, model_why;         /* of the last trouble of each; FAULT_NONE: none yet */
	enum target_hold hold;        /* the operator's word */
	mono_ms held_at, hold_until;  /* MONO_NEVER: for good */
	enum fault drill;             /* FAULT_NONE: none */
	mono_ms since, next_at;       /* MONO_NEVER where there is no next */
	unsigned in_flight;
	double first_token_ms;        /* recent mean; 0: unknown */
	int64_t first_token_p95_ms;   /* -1: unknown */
	double tokens_per_s;          /* 0: unknown */
	double requests_left, tokens_left;    /* -1: the upstream does not say */
	uint64_t opened_total, ejected_total, paced_total, off_total;
	enum breaker_state breakers[TARGET_BREAKERS];
	enum fault off_why;           /* FAULT_CREDENTIAL, FAULT_NO_MONEY, FAULT_MODEL_GONE: of no use
	                               * until somebody changes something; else FAULT_NONE */
	uint64_t turned[TARGET_BREAKERS][2];  /* times that each opened, and let back */
};
void target_view(struct target *t, const struct model_policy *model, mono_ms now,
		 struct target_view *out);
/* How many it may have at once by now, by the operator's limit and by what it
 * has shown itself; 0: no limit. Any thread. */
unsigned place_limit(struct target *t, const struct backend_policy *backend, mono_ms now);
/* Requests in flight on this target now. Any thread. */
unsigned target_in_flight(struct target *t);
/* Requests in flight over all targets; 0 when nothing is going on. */
unsigned target_registry_in_flight(struct target_registry *r);

/* Smooth weighted round robin over those of `count` candidates whose `open` is
 * set: each is chosen in proportion to its weight, spread as evenly as can be.
 * Gives the index; at least one must be open. Any thread. */
size_t rotation_next(struct rotation *r, const unsigned *weights, const bool *open, size_t count);

#endif
