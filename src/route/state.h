/* state.h: what route/ keeps of targets between exchanges; shared by its files.
 * Locks are taken one at a time, never one inside another. */
#ifndef BACKSTAY_ROUTE_STATE_H
#define BACKSTAY_ROUTE_STATE_H

#include "base/lock.h"
#include "base/map.h"
#include "resilience/headroom.h"
#include "resilience/limiter.h"
#include "route/target.h"

#include <stdatomic.h>

/* A backend's URL: what max_in_flight counts. Several targets may live on it. */
struct host {
	struct lock lock;
	unsigned in_flight;
	uint64_t places;                      /* see target_places() */
	struct target_registry *registry;
};

/* Something that is out for all who use it: a machine that refuses connections,
 * a credential that is not taken. */
struct gate {
	struct lock lock;
	struct breaker breaker;
	enum fault why;
	const struct target *good_on;         /* credential: who used it well last ... */
	mono_ms good_at;                      /* ... and when */
};

/* What was said of when, and how much more, something will take. */
struct pace {
	mono_ms until;                        /* a 429's wish */
	unsigned in_row;                      /* of them */
	struct headroom requests, tokens;
	mono_ms told_at;                      /* other machines, of that */
};

/* A credential at a machine: what its rate limits count, where they are not each
 * model's own. */
struct account {
	struct lock lock;
	struct pace pace;
};

struct target {
	struct host *host;
	struct gate *machine, *credential;
	struct account *account;
	unsigned in_flight;                   /* under the host's lock, as the next */
	struct limiter limiter;
	bool is_pattern;                      /* stands for many models: none of them is "gone" */

	struct lock lock;                     /* of all below */
	struct breaker own, model;
	enum fault why, model_why;
	bool doubt;
	struct pace pace;
	struct latency first_token, whole;
	struct mean tokens_per_s;
	mono_ms ejected_at, ejected_until;
	unsigned ejections;                   /* in a row */
	uint64_t ejected_total, paced_total, off_total;
	uint64_t turned[TARGET_BREAKERS][2];  /* opened; let back */
	mono_ms heard_at;                     /* a request began or told something; 0: never */
	mono_ms asked_at;                     /* a request began */
	mono_ms probe_at;                     /* the next look from outside, not before */
	unsigned probes_bad;                  /* in a row */
	unsigned waiting;                     /* visits that have heard nothing yet */
	mono_ms quiet_since;                  /* the last sign of life, or when the first of them began */

	enum target_hold hold;                /* the operator's word, until hold_until */
	mono_ms held_at, hold_until;
	atomic_bool is_held;                  /* a glance without the lock; may be true for too long */
	enum fault drill_fault;               /* FAULT_NONE: no drill */
	unsigned drill_percent;
	mono_ms drill_until;
};

/* What the targets of one model share. */
struct model_state {
	struct lock lock;
	struct bucket retries, hedges;
	mono_ms judge_at;                     /* outliers not before */
	mono_ms stirred_at;                   /* see model_stirs() */
	uint64_t retries_refused;
};

struct target_registry {
	struct map *targets;                  /* key: host key, credential, model */
	struct map *hosts;                    /* key: host key, credential */
	struct map *machines;                 /* key: origin */
	struct map *credentials;              /* key: backend, credential */
	struct map *accounts;                 /* key: machine, credential */
	struct map *models;                   /* key: name */
	struct arena *arena;
	void (*on_free)(void *owner, uint64_t places);
	void *owner;
};

/* ---- places.c ----------------------------------------------------------------- */

/* Takes a place; false: a limit is reached. */
bool place_take(struct target *t, const struct backend_policy *backend, mono_ms now);
/* Gives it back as if it had not been taken; nobody is told. */
void place_put_back(struct target *t);
/* Gives it back, and learns from how the visit ended. */
void place_give(struct target *t, const struct backend_policy *backend, mono_ms now,
		const struct target_outcome *outcome);
void place_first_token(struct target *t, const struct backend_policy *backend, mono_ms now,
		       int64_t after_ms);
/* Its breaker lets it back: the limit that it showed in its outage is gone. */
void place_begin_anew(struct target *t);

/* ---- hold.c ------------------------------------------------------------------- */

/* The operator's word now; the first is under the target's lock. */
enum target_hold hold_of(const struct target *t, mono_ms now);
enum target_hold hold_at(struct target *t, mono_ms now);
/* The fault that a drill has for the next try; FAULT_NONE: it is spared. Under the
 * target's lock. */
enum fault drill_of(const struct target *t, mono_ms now, uint64_t random);

/* ---- health.c ------------------------------------------------------------------- */

/* Does it keep many waiting at once, for far longer than it takes by habit (or
 * `unknown_ms` where that is not known), without a sign of life to anybody? Then
 * others get the work until it gives one. Under the target's lock. */
bool target_is_quiet(const struct target *t, mono_ms now, int64_t unknown_ms);
/* Counts the breakers that news tell of. Not under the target's lock. */
void target_count_news(struct target *t, unsigned news);

/* A credential or a model that is gone: out for a minute, then rarely re-tried. */
extern const struct breaker_policy route_off_policy;
/* A machine's breaker: as the model's, but only for faults in a row. */
struct breaker_policy route_machine_policy(const struct breaker_policy *model);

#endif
