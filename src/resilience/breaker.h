/* breaker.h: may this be tried now?
 *
 *   closed     everything goes; faults are counted
 *   open       nothing goes, for a while that doubles with each opening in a row
 *   half-open  one leased probe goes; a lease that runs out is given anew, so a
 *              probe that never reports cannot wedge it
 *   ramping    a probe went well: a growing share goes, until it is closed
 *
 * Pure: reads no clock, takes no lock, allocates nothing. `now` is monotonic ms
 * and must not go backwards for one breaker; `random` is 64 random bits. */
#ifndef BACKSTAY_RESILIENCE_BREAKER_H
#define BACKSTAY_RESILIENCE_BREAKER_H

#include "resilience/window.h"

struct breaker_policy {
	unsigned faults_in_row;       /* open it; 0: they never do */
	unsigned rate_percent;        /* or this share of faults ... */
	unsigned rate_min;            /* ... among at least so many in the window; 0: never */
	int64_t window_ms;
	int64_t open_ms, open_max_ms; /* the first while, and the longest; jitter included */
	int64_t lease_ms;             /* of a probe */
	int64_t ramp_ms;              /* 0: closed as soon as a probe went well */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_RAMPING };
enum breaker_verdict { BREAKER_ALLOW, BREAKER_PROBE, BREAKER_DENY };
enum breaker_outcome { BREAKER_GOOD, BREAKER_BAD, BREAKER_NEUTRAL };

/* Zeroed is closed. The fields are the breaker's own, to be read by tests. */
struct breaker {
	enum breaker_state state;
	mono_ms since;                /* of the state */
	mono_ms until;                /* OPEN: to then; RAMPING: closed then; HALF_OPEN: end of the lease,
				       * 0: nobody has it */
	unsigned in_row;              /* faults in a row while closed */
	unsigned openings;            /* since it was last closed */
	uint32_t epoch;               /* counts openings for ever: tells late reports */
	uint32_t lease;               /* counts probes */
	unsigned running;             /* passes of this epoch not reported yet */
	uint64_t opened_total;
	struct window window;
};

/* What a try was let through with; handed back with its report. */
struct breaker_pass {
	uint32_t epoch;
	uint32_t lease;               /* of a probe; 0: no probe */
	bool forced;
};

/* What breaker_ask() would say; *retry_at is the first time worth asking again
 * (`now` where it says ALLOW or PROBE). Changes nothing. */
enum breaker_verdict breaker_look(const struct breaker *b, const struct breaker_policy *policy,
				  mono_ms now, uint64_t random, mono_ms *retry_at);
/* Ask before each try. ALLOW: go. PROBE: go, you are the one trial. DENY: do not
 * go. Each ALLOW or PROBE fills in *pass and is answered by exactly one
 * breaker_report(), also when the try is cancelled. While ramping one try at a
 * time always goes, beside the share: small traffic is back at once. */
enum breaker_verdict breaker_ask(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
				 uint64_t random, struct breaker_pass *pass);
/* A pass against the breaker's advice, where nothing better is left. If it ends
 * well it counts as a good probe, if not it changes nothing. */
void breaker_force(struct breaker *b, mono_ms now, struct breaker_pass *pass);
/* A try has shown life (its first token) and goes on: what half-open waited for. */
void breaker_progress(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		      const struct breaker_pass *pass);
/* How a try ended; NEUTRAL: it says nothing (cancelled, the caller's mistake, our
 * own trouble). What was begun before the breaker opened last is not counted. */
void breaker_report(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		    uint64_t random, const struct breaker_pass *pass, enum breaker_outcome outcome);
/* The state at `now`: time alone moves open to half-open and ramping to closed. */
enum breaker_state breaker_state_at(const struct breaker *b, mono_ms now);
/* When the answer may change by itself; MONO_NEVER if only a report changes it. */
mono_ms breaker_wake_at(const struct breaker *b);
/* News from somebody who looked from outside (an active probe): an open breaker
 * becomes half-open at once; a closed one opens. */
void breaker_hint_alive(struct breaker *b, mono_ms now);
void breaker_hint_dead(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		       uint64_t random);
/* "closed", "open", "half-open", "ramping". */
const char *breaker_state_name(enum breaker_state s);

#endif
