/* fellows.c: what concerns all targets of a model: outliers, budgets; and what
 * people are shown of a target. */
#include "route/state.h"

#include "base/check.h"

#include <string.h>

#define JUDGE_EVERY_MS 1000

/* Small traffic may retry now and then; large traffic by its successes. */
#define RESERVE 10
#define RESERVE_MS 10000
#define BUDGET_MOST 100
#define HEDGE_RESERVE 2

/* ---- outliers ----------------------------------------------------------------- */

static bool is_due(struct model_state *m, mono_ms now)
{
	bool due;

	lock_take(&m->lock);
	due = now >= m->judge_at;
	if (due)
		m->judge_at = mono_after(now, JUDGE_EVERY_MS);
	lock_give(&m->lock);
	return due;
}

static struct outlier_member member_of(struct target *t, const struct model_policy *model, mono_ms now)
{
	struct outlier_member m;
	struct target_look look;

	target_look(t, model, now, 0, &look);
	lock_take(&t->lock);
	m = (struct outlier_member){ .first_token_ms = t->first_token.recent,
				     .tokens_per_s = t->tokens_per_s,
				     .out = t->ejected_until > now };
	lock_give(&t->lock);
	/* What is worse than ejected hides it: one that is paced meanwhile is out all the same. */
	m.out = m.out || look.use == USE_EJECTED || look.use == USE_OPEN || look.use == USE_OFF;
	return m;
}

static mono_ms eject(struct target *t, const struct outlier_policy *policy, mono_ms now)
{
	mono_ms until;

	lock_take(&t->lock);
	/* Good for longer than it may be out: that is another story. */
	if (t->ejected_at && now - t->ejected_until > policy->eject_max_ms)
		t->ejections = 0;
	t->ejected_at = now;
	until = t->ejected_until = mono_after(now, outlier_eject_ms(policy, t->ejections));
	t->ejections++;
	t->ejected_total++;
	latency_forget_recent(&t->first_token);
	t->tokens_per_s = (struct mean){ 0 };
	lock_give(&t->lock);
	return until;
}

/* Among the targets of one priority. */
static size_t judge_level(const struct model_policy *model, unsigned priority, mono_ms now,
			  enum outlier_why *why)
{
	struct outlier_member members[OUTLIER_MEMBERS_MAX];
	size_t index[OUTLIER_MEMBERS_MAX], count = 0, found;

	for (size_t i = 0; i < model->target_count && count < OUTLIER_MEMBERS_MAX; i++) {
		if (model->targets[i].priority != priority)
			continue;
		index[count] = i;
		members[count++] = member_of(model->targets[i].state, model, now);
	}
	if (count < 2)
		return SIZE_MAX;
	found = outlier_find(&model->ejection, now, members, count, why);
	return found == SIZE_MAX ? SIZE_MAX : index[found];
}

/* The next priority above `above`; 0: none. */
static unsigned next_priority(const struct model_policy *model, unsigned above)
{
	unsigned next = 0;

	for (size_t i = 0; i < model->target_count; i++) {
		unsigned own = model->targets[i].priority;

		if (own > above && (next == 0 || own < next))
			next = own;
	}
	return next;
}

size_t target_judge_outliers(const struct model_policy *model, mono_ms now, mono_ms *until,
			     enum outlier_why *why)
{
	unsigned priority = 0;

	if (model->ejection.share_percent == 0 || model->target_count < 2 ||
	    !is_due(model->state, now))
		return SIZE_MAX;
	while ((priority = next_priority(model, priority)) != 0) {
		size_t i = judge_level(model, priority, now, why);

		if (i != SIZE_MAX) {
			*until = eject(model->targets[i].state, &model->ejection, now);
			return i;
		}
	}
	return SIZE_MAX;
}

/* ---- budgets ---------------------------------------------------------------------- */

static struct bucket_policy retry_policy_of(const struct model_policy *model)
{
	return (struct bucket_policy){ .share_milli = model->retry.budget_milli, .reserve = RESERVE,
				       .most = BUDGET_MOST, .reserve_ms = RESERVE_MS };
}

void model_feed(const struct model_policy *model, mono_ms now)
{
	struct bucket_policy policy = retry_policy_of(model);

	lock_take(&model->state->lock);
	bucket_feed(&model->state->retries, &policy, now);
	lock_give(&model->state->lock);
}

bool model_take_retry(const struct model_policy *model, mono_ms now)
{
	struct bucket_policy policy = retry_policy_of(model);
	bool ok;

	lock_take(&model->state->lock);
	ok = bucket_take(&model->state->retries, &policy, now);
	model->state->retries_refused += ok ? 0 : 1;
	lock_give(&model->state->lock);
	return ok;
}

void model_give_retry(const struct model_policy *model, mono_ms now)
{
	struct bucket_policy policy = retry_policy_of(model);

	lock_take(&model->state->lock);
	bucket_give(&model->state->retries, &policy, now);
	lock_give(&model->state->lock);
}

double model_retries_left(const struct model_policy *model, mono_ms now)
{
	struct bucket_policy policy = retry_policy_of(model);
	double level;

	lock_take(&model->state->lock);
	level = bucket_level(&model->state->retries, &policy, now);
	lock_give(&model->state->lock);
	return level;
}

void model_stirs(const struct model_policy *model, mono_ms now)
{
	struct model_state *m = model->state;

	lock_take(&m->lock);
	if (m->stirred_at == 0 || now - m->stirred_at >= model->breaker.open_ms)
		m->stirred_at = now;
	lock_give(&m->lock);
}

mono_ms model_stirred_at(const struct model_policy *model)
{
	mono_ms at;

	lock_take(&model->state->lock);
	at = model->state->stirred_at;
	lock_give(&model->state->lock);
	return at;
}

uint64_t model_retries_refused(const struct model_policy *model)
{
	uint64_t count;

	lock_take(&model->state->lock);
	count = model->state->retries_refused;
	lock_give(&model->state->lock);
	return count;
}

static struct bucket_policy hedge_policy_of(int64_t share_milli)
{
	return (struct bucket_policy){ .share_milli = share_milli, .reserve = HEDGE_RESERVE,
				       .most = BUDGET_MOST, .reserve_ms = 60 * 1000 };
}

void model_feed_hedge(const struct model_policy *model, int64_t share_milli, mono_ms now)
{
	struct bucket_policy policy = hedge_policy_of(share_milli);

	lock_take(&model->state->lock);
	bucket_feed(&model->state->hedges, &policy, now);
	lock_give(&model->state->lock);
}

bool model_take_hedge(const struct model_policy *model, int64_t share_milli, mono_ms now)
{
	struct bucket_policy policy = hedge_policy_of(share_milli);
	bool ok;

	lock_take(&model->state->lock);
	ok = bucket_take(&model->state->hedges, &policy, now);
	lock_give(&model->state->lock);
	return ok;
}

/* ---- for people ----------------------------------------------------------------------- */

static enum breaker_state gate_state(struct gate *g, mono_ms now, mono_ms *since, uint64_t *opened,
				     enum fault *why)
{
	enum breaker_state state;

	lock_take(&g->lock);
	state = breaker_state_at(&g->breaker, now);
	*why = g->why;
	*since = g->breaker.since;
	*opened = g->breaker.opened_total;
	lock_give(&g->lock);
	return state;
}

/* The lesser of what is left for the model and for the credential. */
static double left_of(const struct headroom *own, const struct headroom *shared, mono_ms now)
{
	double left = own->known ? headroom_left(own, now) : -1, other;

	if (!shared->known)
		return left;
	other = headroom_left(shared, now);
	return left < 0 || other < left ? other : left;
}

/* Under the target's lock. */
static void view_inside(const struct target *t, const struct pace *shared, mono_ms now,
			struct target_view *out)
{
	out->breakers[TARGET_OWN] = breaker_state_at(&t->own, now);
	out->breakers[TARGET_MODEL] = breaker_state_at(&t->model, now);
	out->state = breaker_state_name(out->breakers[TARGET_OWN]);
	out->model = breaker_state_name(out->breakers[TARGET_MODEL]);
	out->model_why = t->model_why;
	if (out->breakers[TARGET_MODEL] != BREAKER_CLOSED)
		out->off_why = t->model_why;
	memcpy(out->turned, t->turned, sizeof out->turned);
	out->since = t->own.since;
	out->first_token_ms = t->first_token.recent.weight > 0 ? t->first_token.recent.value : 0;
	out->first_token_p95_ms = latency_p95_ms(&t->first_token, now);
	out->tokens_per_s = t->tokens_per_s.weight > 0 ? t->tokens_per_s.value : 0;
	out->requests_left = left_of(&t->pace.requests, &shared->requests, now);
	out->tokens_left = left_of(&t->pace.tokens, &shared->tokens, now);
	out->opened_total = t->own.opened_total;
	out->ejected_total = t->ejected_total;
	out->paced_total = t->paced_total;
	out->off_total = t->off_total;
	if (t->ejected_until > now)
		out->since = t->ejected_at;
	out->hold = hold_of(t, now);
	out->hold_until = t->hold_until;
	out->drill = now < t->drill_until ? t->drill_fault : FAULT_NONE;
	out->held_at = t->held_at;
}

/* What the operator has said comes before what is known. */
static void view_hold(struct target_view *out)
{
	if (out->hold == HOLD_NONE)
		return;
	out->state = out->hold == HOLD_DRAINED ? "drained" : target_hold_name(out->hold);
	out->why = FAULT_NONE;
	out->since = out->held_at;
	out->next_at = out->hold_until;
}

void target_view(struct target *t, const struct model_policy *model, mono_ms now,
		 struct target_view *out)
{
	struct target_look look;
	struct pace shared;
	mono_ms machine_since, credential_since;
	uint64_t machine_opened, credential_opened;
	enum fault machine_why;

	*out = (struct target_view){ 0 };
	target_look(t, model, now, 0, &look);
	lock_take(&t->account->lock);
	shared = t->account->pace;
	lock_give(&t->account->lock);
	lock_take(&t->lock);
	view_inside(t, &shared, now, out);
	lock_give(&t->lock);
	out->breakers[TARGET_MACHINE] = gate_state(t->machine, now, &machine_since, &machine_opened,
						   &machine_why);
	out->breakers[TARGET_CREDENTIAL] = gate_state(t->credential, now, &credential_since,
						      &credential_opened, &out->credential_why);
	out->machine = breaker_state_name(out->breakers[TARGET_MACHINE]);
	out->credential = breaker_state_name(out->breakers[TARGET_CREDENTIAL]);
	if (out->breakers[TARGET_CREDENTIAL] != BREAKER_CLOSED)
		out->off_why = out->credential_why;
	out->opened_total += machine_opened;
	out->use = look.use;
	out->why = look.why;
	out->in_flight = look.in_flight;
	out->next_at = look.use == USE_GOOD ? MONO_NEVER : look.at;
	if (look.use == USE_OFF) {
		out->state = "off";
		if (credential_since > out->since)
			out->since = credential_since;
	} else if (look.use == USE_PACED || look.use == USE_EJECTED) {
		out->state = target_use_name(look.use);
	} else if (machine_since > out->since) {
		out->state = out->machine;
		out->since = machine_since;
	}
	view_hold(out);
}
