#include "admit/budgets.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/map.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS ((int64_t)60 * 60 * 1000)
#define DAY_MS  (24 * HOUR_MS)
#define SPENT_MAX (INT64_MAX / BUDGET_WHOLE / 2)      /* no share of it overflows */
#define STATE_HEAD "backstay budgets 1\n"

struct budget_account {
	struct budgets *of;
	struct link link;
	struct lock lock;             /* of all below */
	struct slice name;
	enum budget_period per;
	int64_t ends_wall_ms;         /* of the period that is counted; 0: none yet */
	int64_t cost_nano_usd, tokens;
	uint64_t refused, moved;
};

struct budgets {
	struct arena *arena;
	struct map *accounts;
	struct list list;
	atomic_uint_fast64_t version;
};

struct budgets *budgets_create(void)
{
	struct budgets *b = calloc(1, sizeof *b);

	must(b != NULL);
	b->arena = arena_create(0);
	b->accounts = map_create(0);
	list_init(&b->list);
	return b;
}

void budgets_free(struct budgets *b)
{
	if (!b)
		return;
	LIST_EACH(&b->list, link, after)
		lock_destroy(&CONTAINER_OF(link, struct budget_account, link)->lock);
	map_free(b->accounts);
	arena_free(b->arena);
	free(b);
}

static struct budget_account *account_named(struct budgets *b, struct slice name)
{
	struct budget_account *a = map_get(b->accounts, name);

	if (a)
		return a;
	a = arena_new(b->arena, struct budget_account);
	a->of = b;
	a->name = arena_copy(b->arena, name);
	lock_init(&a->lock);
	map_set(b->accounts, a->name, a);
	list_append(&b->list, &a->link);
	return a;
}

/* ---- periods ------------------------------------------------------------------------ */

/* Days from 1970 to the first of a month; months count from 0 in March, so that the
 * leap day is a year's last. */
static int64_t days_to(int64_t year, int64_t month)
{
	return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 - 719468;
}

static int64_t month_end(int64_t wall_ms)
{
	int64_t day = wall_ms / DAY_MS, month = day * 100 / 3043 + 1 + 10 + 12 * 1969;

	/* Guessed by the mean month, and one too late rather than too early. */
	while (days_to(month / 12, month % 12) > day)
		month--;
	month++;
	return days_to(month / 12, month % 12) * DAY_MS;
}

int64_t budget_period_end(enum budget_period per, int64_t wall_ms)
{
	int64_t length = per == BUDGET_HOUR ? HOUR_MS : DAY_MS;

	if (wall_ms < 0)
		wall_ms = 0;
	return per == BUDGET_MONTH ? month_end(wall_ms) : (wall_ms / length + 1) * length;
}

const char *budget_period_name(enum budget_period per)
{
	static const char *const names[] = {
		[BUDGET_HOUR] = "hour", [BUDGET_DAY] = "day", [BUDGET_MONTH] = "month",
	};

	return names[per];
}

const char *budget_then_name(enum budget_then then)
{
	static const char *const names[] = {
		[BUDGET_ALERT] = "alert", [BUDGET_CHEAPER] = "cheaper", [BUDGET_REFUSE] = "refuse",
	};

	return names[then];
}

/* A new period begins with nothing spent. A clock that was set back does not make an
 * old one come again. Under the lock. */
static void move_on(struct budget_account *a, int64_t wall_ms)
{
	if (wall_ms < a->ends_wall_ms)
		return;
	a->ends_wall_ms = budget_period_end(a->per, wall_ms);
	if (a->cost_nano_usd || a->tokens)
		atomic_fetch_add(&a->of->version, 1);
	a->cost_nano_usd = a->tokens = 0;
}

/* ---- counting ------------------------------------------------------------------------ */

void budgets_bind(struct budgets *b, struct budget_policy *policies, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct budget_account *a = account_named(b, policies[i].name);

		lock_take(&a->lock);
		if (a->per != policies[i].per) {
			a->per = policies[i].per;
			a->ends_wall_ms = a->cost_nano_usd = a->tokens = 0;
		}
		lock_give(&a->lock);
		policies[i].account = a;
	}
}

static bool is_among(struct slice s, const struct slice *list, size_t count)
{
	for (size_t i = 0; s.len && i < count; i++)
		if (slice_eq(s, list[i]))
			return true;
	return false;
}

bool budget_concerns(const struct budget_policy *p, struct slice key, struct slice group,
		     struct slice model)
{
	if (p->key_count && !is_among(key, p->keys, p->key_count) &&
	    !is_among(group, p->keys, p->key_count))
		return false;
	return !p->model_count || is_among(model, p->models, p->model_count);
}

static int64_t added(int64_t sum, int64_t more)
{
	if (more <= 0)
		return sum;
	return more < SPENT_MAX - sum ? sum + more : SPENT_MAX;
}

void budget_add(const struct budget_policy *p, int64_t wall_ms, int64_t cost_nano_usd, int64_t tokens)
{
	struct budget_account *a = p->account;

	if (!a || (cost_nano_usd <= 0 && tokens <= 0))
		return;
	lock_take(&a->lock);
	move_on(a, wall_ms);
	a->cost_nano_usd = added(a->cost_nano_usd, cost_nano_usd);
	a->tokens = added(a->tokens, tokens);
	lock_give(&a->lock);
	atomic_fetch_add(&a->of->version, 1);
}

void budget_count(const struct budget_policy *p)
{
	struct budget_account *a = p->account;

	if (!a)
		return;
	lock_take(&a->lock);
	a->refused += p->then == BUDGET_REFUSE;
	a->moved += p->then == BUDGET_CHEAPER;
	lock_give(&a->lock);
}

static int64_t share(int64_t spent, int64_t limit)
{
	return limit > 0 ? spent * BUDGET_WHOLE / limit : 0;
}

void budget_look(const struct budget_policy *p, int64_t wall_ms, struct budget_view *out)
{
	struct budget_account *a = p->account;
	int64_t cost, tokens;

	*out = (struct budget_view){ .ends_wall_ms = budget_period_end(p->per, wall_ms) };
	if (!a)
		return;
	lock_take(&a->lock);
	move_on(a, wall_ms);
	out->cost_nano_usd = a->cost_nano_usd;
	out->tokens = a->tokens;
	out->ends_wall_ms = a->ends_wall_ms;
	out->refused = a->refused;
	out->moved = a->moved;
	lock_give(&a->lock);
	cost = share(out->cost_nano_usd, p->cost_nano_usd);
	tokens = share(out->tokens, p->tokens);
	out->used_milli = cost > tokens ? cost : tokens;
}

/* ---- what survives --------------------------------------------------------------------- */

uint64_t budgets_version(const struct budgets *b)
{
	return atomic_load(&b->version);
}

bool budgets_write(struct budgets *b, struct buf *out)
{
	bool ok = buf_append(out, S(STATE_HEAD));

	LIST_EACH(&b->list, link, after) {
		struct budget_account *a = CONTAINER_OF(link, struct budget_account, link);

		lock_take(&a->lock);
		ok = ok && buf_printf(out, "%.*s %s %lld %lld %lld\n", SLICE_ARG(a->name),
				      budget_period_name(a->per), (long long)a->ends_wall_ms,
				      (long long)a->cost_nano_usd, (long long)a->tokens);
		lock_give(&a->lock);
	}
	return ok;
}

static bool read_number(struct slice *rest, int64_t *out)
{
	struct slice word = *rest, tail = SLICE_NONE;
	uint64_t n;

	(void)slice_cut(*rest, ' ', &word, &tail);
	*rest = tail;
	if (!slice_to_u64(word, &n) || n > (uint64_t)SPENT_MAX)
		return false;
	*out = (int64_t)n;
	return true;
}

/* "NAME PERIOD END COST TOKENS" */
static bool read_line(struct slice line, struct budget_account *out)
{
	struct slice word, rest;

	if (!slice_cut(line, ' ', &out->name, &rest) || !out->name.len ||
	    out->name.len > BUDGET_NAME_MAX || !slice_cut(rest, ' ', &word, &rest))
		return false;
	for (int p = BUDGET_HOUR; p <= BUDGET_MONTH; p++)
		if (slice_eq(word, slice_of(budget_period_name((enum budget_period)p)))) {
			out->per = (enum budget_period)p;
			return read_number(&rest, &out->ends_wall_ms) &&
			       read_number(&rest, &out->cost_nano_usd) && read_number(&rest, &out->tokens);
		}
	return false;
}

bool budgets_read(struct budgets *b, struct slice text)
{
	struct budget_account read[BUDGETS_MAX];
	struct slice line;
	size_t count = 0;

	if (!slice_starts(text, S(STATE_HEAD)))
		return false;
	text = slice_from(text, S(STATE_HEAD).len);
	while (slice_cut(text, '\n', &line, &text) && count < BUDGETS_MAX) {
		read[count] = (struct budget_account){ 0 };
		if (!read_line(line, &read[count++]))
			return false;
	}
	for (size_t i = 0; i < count; i++) {
		struct budget_account *a = account_named(b, read[i].name);

		a->per = read[i].per;
		a->ends_wall_ms = read[i].ends_wall_ms;
		a->cost_nano_usd = read[i].cost_nano_usd;
		a->tokens = read[i].tokens;
	}
	return true;
}
