/* state.h: what route/ keeps of targets between exchanges; shared by its files.
 * Locks are taken one at a time, never one inside another. */
#ifndef BACKSTAY_ROUTE_STATE_H
#define BACKSTAY_ROUTE_STATE_H

#include "base/lock.h"
#include "resilience/headroom.h"
#include "route/target.h"

/* A backend's URL: what max_in_flight counts. Several targets may live on it. */
struct host {
	struct lock lock;
	unsigned in_flight;
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

struct target {
	struct host *host;
	struct gate *machine, *credential;
	unsigned in_flight;                   /* under the host's lock */
	bool is_pattern;                      /* stands for many models: none of them is "gone" */

	struct lock lock;                     /* of all below */
	struct breaker own, model;
	enum fault why, model_why;
	bool doubt;
	mono_ms paced_until;
	unsigned paced_in_row;
	struct headroom requests, tokens;
	struct latency first_token, whole;
	struct mean tokens_per_s;
	mono_ms ejected_at, ejected_until;
	unsigned ejections;                   /* in a row */
	uint64_t ejected_total, paced_total, off_total;
};

/* What the targets of one model share. */
struct model_state {
	struct lock lock;
	struct bucket retries, hedges;
	mono_ms judge_at;                     /* outliers not before */
};

/* A credential or a model that is gone: out for a minute, then rarely re-tried. */
extern const struct breaker_policy route_off_policy;
/* A machine's breaker: as the model's, but only for faults in a row. */
struct breaker_policy route_machine_policy(const struct breaker_policy *model);

#endif
