/* budgets.h: what has been spent of each budget of the config, for the whole
 * process. An account stands behind its own small lock, so that all workers
 * count in one place; wall time is an argument. Periods are those of the
 * calendar in UTC: an hour, a day, a month. */
#ifndef BACKSTAY_ADMIT_BUDGETS_H
#define BACKSTAY_ADMIT_BUDGETS_H

#include "admit/policy.h"
#include "base/buf.h"

struct budgets;

/* Without accounts. The caller ends it with budgets_free(); NULL is fine there. */
struct budgets *budgets_create(void);
void budgets_free(struct budgets *b);
/* Fills in `account`; one of a name that is known, with the same period, goes on
 * where it was. Accounts live as long as `b`. One thread at a time. */
void budgets_bind(struct budgets *b, struct budget_policy *policies, size_t count);

/* When the period that `wall_ms` (Unix time) lies in ends. */
int64_t budget_period_end(enum budget_period per, int64_t wall_ms);
/* "hour", "day", "month"; "alert", "cheaper", "refuse". Static. */
const char *budget_period_name(enum budget_period per);
const char *budget_then_name(enum budget_then then);
/* Does a request of that key (of that group; both may be empty) for that model of the
 * config count there? */
bool budget_concerns(const struct budget_policy *p, struct slice key, struct slice group,
		     struct slice model);

struct budget_view {
	int64_t cost_nano_usd, tokens;        /* spent in this period */
	int64_t used_milli;           /* the larger share of both, in thousandths of a percent; may be above 100 % */
	int64_t ends_wall_ms;
	uint64_t refused, moved;      /* requests, since the start: refused; sent to cheaper targets */
};
#define BUDGET_WHOLE 100000           /* 100 % */

/* Adds what a request has cost. Any thread, as all below. */
void budget_add(const struct budget_policy *p, int64_t wall_ms, int64_t cost_nano_usd, int64_t tokens);
/* Counts one that was refused, or sent to cheaper targets, as the policy has it. */
void budget_count(const struct budget_policy *p);
/* How it stands. */
void budget_look(const struct budget_policy *p, int64_t wall_ms, struct budget_view *out);

/* What survives a restart, as text. A change makes the version another one. */
uint64_t budgets_version(const struct budgets *b);
MUST_USE bool budgets_write(struct budgets *b, struct buf *out);
/* Before the first budgets_bind(): takes in such a text. False: it is none, and
 * nothing of it was taken. */
bool budgets_read(struct budgets *b, struct slice text);

#endif
