/* health.c: visits to targets: what is let through, and what is learned. */
#include "route/state.h"

#include "base/check.h"

#define TELL_LEFT_MS 250
#define MINUTE_MS ((int64_t)60 * 1000)

/* A rate limit without a hint, or one that would be absurd. Clients' own SDKs
 * do not believe hints above two minutes either. */
#define PACE_BASE_MS 1000
#define PACE_UNTOLD_MAX_MS (15 * 1000)
#define PACE_MAX_MS (2 * MINUTE_MS)
/* So many waiting at once, so many times longer than 95 of 100, and at least so
 * long, look like a target that hangs. */
#define QUIET_WAITING 3
#define QUIET_TIMES 3
#define QUIET_MIN_MS 1000
/* A credential that has just served another model is not itself to blame. */
#define CREDENTIAL_FRESH_MS (5 * MINUTE_MS)

const struct breaker_policy route_off_policy = {
	.faults_in_row = 1,
	.open_ms = MINUTE_MS,
	.open_max_ms = 10 * MINUTE_MS,
	.lease_ms = MINUTE_MS,
};

struct breaker_policy route_machine_policy(const struct breaker_policy *model)
{
	struct breaker_policy p = *model;

	p.rate_min = 0;
	return p;
}

static const char *const use_names[] = {
	[USE_GOOD] = "good", [USE_PROBE] = "probe", [USE_EJECTED] = "ejected",
	[USE_RAMPING] = "ramping", [USE_PACED] = "paced", [USE_OPEN] = "open", [USE_OFF] = "off",
};

const char *target_use_name(enum target_use use)
{
	return use_names[use];
}

/* ---- looking --------------------------------------------------------------------- */

static void worsen(struct target_look *look, enum target_use use, mono_ms at, enum fault why)
{
	if (use < look->use)
		return;
	if (use == look->use && at <= look->at)
		return;
	look->use = use;
	look->at = at;
	look->why = why;
}

/* What one of the four says. `out`: how bad its "no" is. */
static void consult(const struct breaker *b, const struct breaker_policy *policy, mono_ms now,
		    uint64_t random, enum target_use out, enum fault why, struct target_look *look)
{
	mono_ms at;

	switch (breaker_look(b, policy, now, random, &at)) {
	case BREAKER_ALLOW:
		return;
	case BREAKER_PROBE:
		worsen(look, USE_PROBE, now, why);
		return;
	case BREAKER_DENY:
		if (breaker_state_at(b, now) == BREAKER_RAMPING)
			worsen(look, USE_RAMPING, at, why);
		else
			worsen(look, out, at, why);
		return;
	}
}

static void consult_gate(struct gate *g, const struct breaker_policy *policy, mono_ms now,
			 uint64_t random, enum target_use out, struct target_look *look)
{
	lock_take(&g->lock);
	consult(&g->breaker, policy, now, random, out, g->why, look);
	lock_give(&g->lock);
}

/* When its pace lets `tokens` more through; `now` where it does already. */
static mono_ms paced_until(const struct pace *p, mono_ms now, int64_t tokens)
{
	mono_ms at = p->until > now ? p->until : now, other;

	other = headroom_ready_at(&p->requests, now, 1);
	at = other > at ? other : at;
	other = headroom_ready_at(&p->tokens, now, tokens > 1 ? (double)tokens : 1);
	return other > at ? other : at;
}

static mono_ms account_paced_until(struct account *a, mono_ms now)
{
	mono_ms at;

	lock_take(&a->lock);
	at = paced_until(&a->pace, now, 0);
	lock_give(&a->lock);
	return at;
}

static void take_off(struct pace *p, mono_ms now, int64_t tokens)
{
	headroom_take(&p->requests, now, 1);
	headroom_take(&p->tokens, now, (double)tokens);
}

bool target_is_quiet(const struct target *t, mono_ms now, int64_t unknown_ms)
{
	int64_t first = latency_p95_ms(&t->first_token, now), whole = latency_p95_ms(&t->whole, now);
	int64_t usual = first > whole ? first : whole;
	int64_t limit = usual < 0 ? unknown_ms : usual * QUIET_TIMES;

	if (t->waiting < QUIET_WAITING || limit <= 0)
		return false;
	return now - t->quiet_since >= (limit > QUIET_MIN_MS ? limit : QUIET_MIN_MS);
}

static void begin_waiting(struct target *t, mono_ms now, struct target_visit *v)
{
	if (t->waiting++ == 0)
		t->quiet_since = now;
	v->waiting = true;
}

static void end_waiting(struct target *t, mono_ms now, struct target_visit *v, bool lives)
{
	if (lives && now > t->quiet_since)
		t->quiet_since = now;
	if (!v->waiting)
		return;
	must(t->waiting > 0);
	t->waiting--;
	v->waiting = false;
}

/* Under the target's lock. */
static void look_inside(const struct target *t, const struct model_policy *model, mono_ms now,
			uint64_t random, struct target_look *out)
{
	mono_ms paced = paced_until(&t->pace, now, 0);

	enum target_hold hold = hold_of(t, now);

	if (hold == HOLD_DRAINED)
		worsen(out, USE_OFF, t->hold_until, FAULT_NO_TARGET);
	else if (hold == HOLD_OPEN)
		worsen(out, USE_OPEN, t->hold_until, FAULT_NO_TARGET);
	if (hold != HOLD_CLOSED)
		consult(&t->own, &model->breaker, now, random, USE_OPEN, t->why, out);
	consult(&t->model, &route_off_policy, now, random, USE_OFF, t->model_why, out);
	if (paced > now)
		worsen(out, USE_PACED, paced, FAULT_RATE_LIMITED);
	if (t->ejected_until > now)
		worsen(out, USE_EJECTED, t->ejected_until, FAULT_NONE);
	out->doubt = t->doubt;
	if (t->waiting >= QUIET_WAITING && target_is_quiet(t, now, model->timeouts.first_token_ms)) {
		worsen(out, USE_EJECTED, MONO_NEVER, FAULT_SILENCE);
		out->doubt = true;
	}
	out->asked_at = t->asked_at;
	out->latency_ms = latency_peak_ms(&t->first_token, now);
	if (out->latency_ms <= 0)
		out->latency_ms = latency_peak_ms(&t->whole, now);
}

void target_look(struct target *t, const struct model_policy *model, mono_ms now, uint64_t random,
		 struct target_look *out)
{
	struct breaker_policy machine = route_machine_policy(&model->breaker);

	mono_ms shared = account_paced_until(t->account, now);

	*out = (struct target_look){ .use = USE_GOOD, .at = now };
	if (shared > now)
		worsen(out, USE_PACED, shared, FAULT_RATE_LIMITED);
	if (hold_at(t, now) != HOLD_CLOSED)
		consult_gate(t->machine, &machine, now, random, USE_OPEN, out);
	consult_gate(t->credential, &route_off_policy, now, random, USE_OFF, out);
	lock_take(&t->lock);
	look_inside(t, model, now, random, out);
	lock_give(&t->lock);
	out->in_flight = target_in_flight(t);
}

/* ---- the beginning of a visit ------------------------------------------------------- */

/* Asks one of the four; `force`: goes against its advice. */
static bool pass_through(struct breaker *b, const struct breaker_policy *policy, mono_ms now,
			 uint64_t random, bool force, struct target_visit *v,
			 struct breaker_pass *pass)
{
	switch (breaker_ask(b, policy, now, random, pass)) {
	case BREAKER_ALLOW:
		return true;
	case BREAKER_PROBE:
		v->probe = true;
		return true;
	case BREAKER_DENY:
		break;
	}
	if (force)
		breaker_force(b, now, pass);
	return force;
}

static bool pass_gate(struct gate *g, const struct breaker_policy *policy, mono_ms now,
		      uint64_t random, bool force, struct target_visit *v, struct breaker_pass *pass)
{
	bool ok;

	lock_take(&g->lock);
	ok = pass_through(&g->breaker, policy, now, random, force, v, pass);
	lock_give(&g->lock);
	return ok;
}

static void take_back(struct gate *g, const struct breaker_policy *policy, mono_ms now,
		      const struct breaker_pass *pass)
{
	lock_take(&g->lock);
	breaker_report(&g->breaker, policy, now, 0, pass, BREAKER_NEUTRAL);
	lock_give(&g->lock);
}

/* The target's own two breakers and its pace. */
static bool pass_target(struct target *t, const struct model_policy *model, mono_ms now,
			uint64_t random, bool force, int64_t tokens, struct target_visit *v)
{
	enum target_hold hold;
	bool ok;

	lock_take(&t->lock);
	hold = hold_of(t, now);
	ok = hold != HOLD_DRAINED && (force || hold != HOLD_OPEN) &&
	     (force || paced_until(&t->pace, now, 0) <= now) &&
	     pass_through(&t->model, &route_off_policy, now, random, false, v, &v->model);
	if (ok && !pass_through(&t->own, &model->breaker, now, random, force || hold == HOLD_CLOSED, v,
			       &v->own)) {
		breaker_report(&t->model, &route_off_policy, now, 0, &v->model, BREAKER_NEUTRAL);
		ok = false;
	}
	if (ok) {
		t->heard_at = now;
		t->asked_at = now;
		begin_waiting(t, now, v);
		take_off(&t->pace, now, tokens);
		v->drilled = drill_of(t, now, random >> 32);
	}
	lock_give(&t->lock);
	if (ok) {
		lock_take(&t->account->lock);
		take_off(&t->account->pace, now, tokens);
		lock_give(&t->account->lock);
	}
	return ok;
}

enum target_answer target_begin(struct target *t, const struct target_policy *policy,
				const struct model_policy *model, mono_ms now, uint64_t random,
				bool force, int64_t tokens, struct target_visit *v, unsigned *news)
{
	struct breaker_policy machine = route_machine_policy(&model->breaker);

	*v = (struct target_visit){ .backend = policy->backend, .forced = force };
	*news = 0;
	if (!place_take(t, policy->backend, now))
		return TARGET_FULL;
	if (!pass_gate(t->machine, &machine, now, random, force || hold_at(t, now) == HOLD_CLOSED, v,
		       &v->machine))
		goto no_machine;
	if (!pass_gate(t->credential, &route_off_policy, now, random, false, v, &v->credential))
		goto no_credential;
	if (!force && account_paced_until(t->account, now) > now)
		goto no_target;
	if (!pass_target(t, model, now, random, force, tokens, v))
		goto no_target;
	if (v->probe)
		*news = NEWS_PROBING;
	return TARGET_GO;
no_target:
	take_back(t->credential, &route_off_policy, now, &v->credential);
no_credential:
	take_back(t->machine, &machine, now, &v->machine);
no_machine:
	place_put_back(t);
	return TARGET_NO;
}

void target_count_news(struct target *t, unsigned news)
{
	static const struct { unsigned bits; enum target_breaker which; int to; } turns[] = {
		{ NEWS_OPENED, TARGET_OWN, 0 }, { NEWS_RAMPING | NEWS_CLOSED, TARGET_OWN, 1 },
		{ NEWS_MACHINE_OPENED, TARGET_MACHINE, 0 }, { NEWS_MACHINE_BACK, TARGET_MACHINE, 1 },
		{ NEWS_CREDENTIAL_OFF, TARGET_CREDENTIAL, 0 },
		{ NEWS_CREDENTIAL_BACK, TARGET_CREDENTIAL, 1 },
		{ NEWS_MODEL_GONE, TARGET_MODEL, 0 }, { NEWS_MODEL_BACK, TARGET_MODEL, 1 },
	};

	if (!news)
		return;
	lock_take(&t->lock);
	for (size_t i = 0; i < COUNT_OF(turns); i++)
		t->turned[turns[i].which][turns[i].to] += news & turns[i].bits ? 1 : 0;
	lock_give(&t->lock);
}

/* ---- what is learned from it ---------------------------------------------------------- */

/* How a fault concerns each of the four. */
struct verdict {
	enum breaker_outcome machine, credential, model, own;
};

/* The machine has been reached if anything but these happened. */
static bool was_reached(enum fault f)
{
	return f != FAULT_CONNECT && f != FAULT_STALE_CONN && f != FAULT_SILENCE;
}

static struct verdict judge(const struct target *t, const struct target_outcome *o)
{
	struct verdict v = { BREAKER_NEUTRAL, BREAKER_NEUTRAL, BREAKER_NEUTRAL, BREAKER_NEUTRAL };

	if (o->neutral)
		return v;
	if (o->fault == FAULT_NONE)
		return (struct verdict){ BREAKER_GOOD, BREAKER_GOOD, BREAKER_GOOD, BREAKER_GOOD };
	switch (fault_row(o->fault)->blame) {
	case BLAME_TARGET:
		if (o->fault == FAULT_CONNECT)
			v.machine = BREAKER_BAD;
		else
			v.own = BREAKER_BAD;
		break;
	case BLAME_CREDENTIAL:
		v.credential = BREAKER_BAD;
		break;
	case BLAME_MODEL:
		v.model = t->is_pattern ? BREAKER_NEUTRAL : BREAKER_BAD;
		break;
	case BLAME_PACE:
		break;
	case BLAME_NOBODY:
		/* The caller's faults are answered by machines that live; what is our own
		 * trouble says nothing at all. */
		if (fault_row(o->fault)->status >= 500 || o->fault == FAULT_CLIENT_GONE)
			return v;
		break;
	}
	if (was_reached(o->fault))
		v.machine = BREAKER_GOOD;
	return v;
}

static unsigned news_of(enum breaker_state before, const struct breaker *b, mono_ms now,
			unsigned opened, unsigned ramping, unsigned closed)
{
	enum breaker_state after = breaker_state_at(b, now);

	if (after == before)
		return 0;
	return after == BREAKER_OPEN ? opened
	     : after == BREAKER_RAMPING ? ramping
	     : after == BREAKER_CLOSED ? closed : 0;
}

/* Back from an outage: how slow it was then is not how slow it is. Under the
 * target's lock. */
static void begin_anew(struct target *t, unsigned news)
{
	if (!(news & NEWS_RAMPING))
		return;
	latency_forget_recent(&t->first_token);
	t->tokens_per_s = (struct mean){ 0 };
}

static mono_ms opens_again_at(const struct breaker *b, mono_ms now)
{
	return breaker_state_at(b, now) == BREAKER_OPEN ? b->until : 0;
}

/* Under the gate's lock. */
static unsigned report_gate(struct gate *g, const struct breaker_policy *policy, mono_ms now,
			    uint64_t random, const struct breaker_pass *pass,
			    enum breaker_outcome outcome, enum fault why, unsigned bad, unsigned good,
			    mono_ms *at)
{
	enum breaker_state before = breaker_state_at(&g->breaker, now);
	unsigned news;

	breaker_report(&g->breaker, policy, now, random, pass, outcome);
	if (outcome == BREAKER_BAD)
		g->why = why;
	news = news_of(before, &g->breaker, now, bad, good, good);
	if (news & bad)
		*at = opens_again_at(&g->breaker, now);
	return news;
}

static unsigned report_machine(struct target *t, const struct model_policy *model, mono_ms now,
			       uint64_t random, const struct target_visit *v, enum breaker_outcome outcome,
			       enum fault why, mono_ms *at)
{
	struct breaker_policy machine = route_machine_policy(&model->breaker);
	unsigned news;

	lock_take(&t->machine->lock);
	news = report_gate(t->machine, &machine, now, random, &v->machine, outcome, why,
			   NEWS_MACHINE_OPENED, NEWS_MACHINE_BACK, at);
	lock_give(&t->machine->lock);
	return news;
}

/* A rate limit: not before its hint; without one a growing pause with jitter. */
static void slow_down(struct pace *p, mono_ms now, uint64_t random, int64_t hint_ms, mono_ms *at)
{
	int64_t pause = hint_ms, most = PACE_BASE_MS;

	if (pause < 0) {
		for (unsigned i = 0; i < p->in_row && most < PACE_UNTOLD_MAX_MS; i++)
			most *= 2;
		most = most < PACE_UNTOLD_MAX_MS ? most : PACE_UNTOLD_MAX_MS;
		pause = most / 2 + (int64_t)(random % (uint64_t)(most / 2 + 1));
	}
	if (pause > PACE_MAX_MS)
		pause = PACE_MAX_MS;
	p->in_row++;
	if (mono_after(now, pause) > p->until)
		p->until = mono_after(now, pause);
	*at = p->until;
}

/* A pause that was asked for holds for all that share the limit; one that we make
 * up ourselves holds where it was provoked. */
static unsigned pace(struct target *t, const struct target_policy *policy, mono_ms now,
		     uint64_t random, const struct target_outcome *o, mono_ms *at)
{
	if (o->neutral)
		return 0;
	if (o->fault == FAULT_NONE) {
		lock_take(&t->account->lock);
		t->account->pace.in_row = 0;
		lock_give(&t->account->lock);
		return 0;
	}
	if (fault_row(o->fault)->blame != BLAME_PACE)
		return 0;
	if (policy->backend->rate_scope == RATE_SCOPE_KEY && o->hint_ms >= 0) {
		lock_take(&t->account->lock);
		slow_down(&t->account->pace, now, random, o->hint_ms, at);
		lock_give(&t->account->lock);
	}
	lock_take(&t->lock);
	t->paced_total++;
	slow_down(&t->pace, now, random, o->hint_ms, at);
	lock_give(&t->lock);
	return NEWS_PACED;
}

/* Under the target's lock. */
static void learn_times(struct target *t, mono_ms now, const struct target_visit *v,
			const struct target_outcome *o)
{
	if (o->neutral || o->took_ms < 0)
		return;
	if (o->fault == FAULT_SILENCE) {
		latency_add(&t->first_token, now, o->took_ms, false);
		return;
	}
	if (o->fault != FAULT_NONE)
		return;
	if (!o->streamed)
		latency_add(&t->whole, now, o->took_ms, true);
	if (o->tokens_per_s > 0 && v->first_token_seen)
		mean_add(&t->tokens_per_s, now, o->tokens_per_s);
}

static unsigned report_target(struct target *t, const struct model_policy *model,
			      const struct verdict *verdict, struct target_visit *v, mono_ms now,
			      uint64_t random, const struct target_outcome *o, mono_ms *at)
{
	enum breaker_state own, gone;
	unsigned news;

	lock_take(&t->lock);
	if (!o->neutral)
		t->heard_at = now;
	own = breaker_state_at(&t->own, now);
	gone = breaker_state_at(&t->model, now);
	breaker_report(&t->own, &model->breaker, now, random, &v->own, verdict->own);
	breaker_report(&t->model, &route_off_policy, now, random, &v->model, verdict->model);
	news = news_of(own, &t->own, now, NEWS_OPENED, NEWS_RAMPING, NEWS_CLOSED);
	begin_anew(t, news);
	learn_times(t, now, v, o);
	end_waiting(t, now, v, !o->neutral && was_reached(o->fault));
	if (verdict->own == BREAKER_BAD)
		t->why = o->fault;
	if (verdict->model == BREAKER_BAD)
		t->model_why = o->fault;
	if (!o->neutral && fault_row(o->fault)->blame != BLAME_NOBODY)
		t->doubt = true;
	if (!o->neutral && o->fault == FAULT_NONE) {
		t->doubt = false;
		t->pace.in_row = 0;
	}
	news |= news_of(gone, &t->model, now, NEWS_MODEL_GONE, NEWS_MODEL_BACK, NEWS_MODEL_BACK);
	if (news & NEWS_OPENED)
		*at = opens_again_at(&t->own, now);
	if (news & NEWS_MODEL_GONE) {
		*at = opens_again_at(&t->model, now);
		t->off_total++;
	}
	lock_give(&t->lock);
	return news;
}

/* A key that serves another model well is refused for this one only (no access
 * to it, say): then this target alone is out. Under the credential's lock. */
static void spare_neighbours(struct target *t, mono_ms now, const struct target_outcome *o,
			     struct verdict *verdict)
{
	struct gate *g = t->credential;

	if (!o->neutral && o->fault == FAULT_NONE) {
		g->good_on = t;
		g->good_at = now;
	} else if (verdict->credential == BREAKER_BAD && o->fault == FAULT_CREDENTIAL && g->good_on &&
		   g->good_on != t && now - g->good_at < CREDENTIAL_FRESH_MS) {
		verdict->credential = BREAKER_NEUTRAL;
		verdict->model = BREAKER_BAD;
	}
}

/* What it means for the credential; may make it the model's matter in *verdict. */
static unsigned report_credential(struct target *t, mono_ms now, uint64_t random,
				  const struct target_visit *v, const struct target_outcome *o,
				  struct verdict *verdict, mono_ms *at)
{
	unsigned news;

	lock_take(&t->credential->lock);
	spare_neighbours(t, now, o, verdict);
	news = report_gate(t->credential, &route_off_policy, now, random, &v->credential,
			   verdict->credential, o->fault, NEWS_CREDENTIAL_OFF, NEWS_CREDENTIAL_BACK, at);
	lock_give(&t->credential->lock);
	return news;
}

unsigned target_end(struct target *t, const struct target_policy *policy,
		    const struct model_policy *model, struct target_visit *v, mono_ms now,
		    uint64_t random, const struct target_outcome *outcome, mono_ms *at)
{
	struct verdict verdict = judge(t, outcome);
	mono_ms credential_at = MONO_NEVER;
	unsigned news;

	*at = MONO_NEVER;
	place_give(t, policy->backend, now, outcome);
	news = report_credential(t, now, random, v, outcome, &verdict, &credential_at);
	news |= report_target(t, model, &verdict, v, now, random, outcome, at);
	news |= pace(t, policy, now, random, outcome, at);
	news |= report_machine(t, model, now, random, v, verdict.machine, outcome->fault, at);
	if (news & NEWS_CREDENTIAL_OFF) {
		*at = credential_at;
		lock_take(&t->lock);
		t->off_total++;
		lock_give(&t->lock);
	}
	if (news & NEWS_RAMPING)
		place_begin_anew(t);
	target_count_news(t, news);
	return news;
}

static unsigned progress_gate(struct gate *g, const struct breaker_policy *policy, mono_ms now,
			      const struct breaker_pass *pass, unsigned back)
{
	enum breaker_state before;
	unsigned news;

	lock_take(&g->lock);
	before = breaker_state_at(&g->breaker, now);
	breaker_progress(&g->breaker, policy, now, pass);
	news = news_of(before, &g->breaker, now, 0, back, back);
	lock_give(&g->lock);
	return news;
}

unsigned target_first_token(struct target *t, const struct model_policy *model,
			    struct target_visit *v, mono_ms now, int64_t after_ms)
{
	struct breaker_policy machine = route_machine_policy(&model->breaker);
	enum breaker_state own, gone;
	unsigned news;

	if (v->first_token_seen)
		return 0;
	v->first_token_seen = true;
	place_first_token(t, v->backend, now, after_ms);
	news = progress_gate(t->machine, &machine, now, &v->machine, NEWS_MACHINE_BACK);
	news |= progress_gate(t->credential, &route_off_policy, now, &v->credential,
			      NEWS_CREDENTIAL_BACK);
	lock_take(&t->lock);
	own = breaker_state_at(&t->own, now);
	gone = breaker_state_at(&t->model, now);
	breaker_progress(&t->own, &model->breaker, now, &v->own);
	breaker_progress(&t->model, &route_off_policy, now, &v->model);
	news |= news_of(own, &t->own, now, 0, NEWS_RAMPING, NEWS_CLOSED);
	begin_anew(t, news);
	latency_add(&t->first_token, now, after_ms > 0 ? after_ms : 0, true);
	t->doubt = false;
	end_waiting(t, now, v, true);
	news |= news_of(gone, &t->model, now, 0, NEWS_MODEL_BACK, NEWS_MODEL_BACK);
	lock_give(&t->lock);
	if (news & NEWS_RAMPING)
		place_begin_anew(t);
	target_count_news(t, news);
	return news;
}

static void has_left(struct pace *p, mono_ms now, const struct rate_headroom *said)
{
	headroom_seen(&p->requests, now, said->requests_limit, said->requests_left,
		      said->requests_full_in_ms);
	headroom_seen(&p->tokens, now, said->tokens_limit, said->tokens_left, said->tokens_full_in_ms);
}

/* Less than a fifth: every machine that takes some counts from now on. */
static bool is_low(int64_t limit, int64_t left)
{
	return left >= 0 && limit > 0 && left < limit / 5 + 1;
}

bool target_headroom(const struct target_policy *policy, mono_ms now,
		     const struct rate_headroom *said)
{
	bool shared = policy->backend->rate_scope == RATE_SCOPE_KEY;
	bool low = is_low(said->requests_limit, said->requests_left) || is_low(said->tokens_limit, said->tokens_left);
	struct target *t = policy->state;
	struct lock *lock = shared ? &t->account->lock : &t->lock;
	struct pace *pace = shared ? &t->account->pace : &t->pace;

	lock_take(lock);
	has_left(pace, now, said);
	low = low && (pace->told_at == 0 || now - pace->told_at >= TELL_LEFT_MS);
	if (low)
		pace->told_at = now;
	lock_give(lock);
	return low;
}

int64_t target_first_token_p95_ms(struct target *t, mono_ms now)
{
	int64_t ms;

	lock_take(&t->lock);
	ms = latency_p95_ms(&t->first_token, now);
	lock_give(&t->lock);
	return ms;
}
