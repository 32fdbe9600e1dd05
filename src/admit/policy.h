/* policy.h: what may be spent, as the config has it. Plain data, owned by the
 * config snapshot, immutable but for `account`. */
#ifndef BACKSTAY_ADMIT_POLICY_H
#define BACKSTAY_ADMIT_POLICY_H

#include "base/slice.h"

#define BUDGETS_MAX 256
#define BUDGET_NAME_MAX 64            /* bytes */

enum budget_period { BUDGET_HOUR, BUDGET_DAY, BUDGET_MONTH };

/* What becomes of requests while nothing is left. */
enum budget_then {
	BUDGET_ALERT,                 /* they go on; people are told */
	BUDGET_CHEAPER,               /* they go to the cheapest target that can take them */
	BUDGET_REFUSE,                /* they are refused, unless a kept answer can be given */
};

struct budget_account;

struct budget_policy {
	struct slice name;
	enum budget_period per;       /* as the calendar has it, in UTC */
	int64_t cost_nano_usd;        /* 0: not limited */
	int64_t tokens;               /* input and output; 0: not limited */
	int64_t near_milli;           /* share at which people are told, in thousandths of a percent */
	enum budget_then then;
	const struct slice *keys;     /* names of client keys or of their groups; none: everybody */
	size_t key_count;
	const struct slice *models;   /* the config's names for what is asked; none: all */
	size_t model_count;
	struct budget_account *account;       /* bound by budgets_bind(); NULL: nothing is counted */
};

struct budgets_policy {
	struct budget_policy *budgets;
	size_t count;
	struct slice state_path;      /* what survives a restart; empty: nothing does */
};

#endif
