/* Health over random schedules: what must hold whatever happens in whatever order. */
#include "cm.h"

#include "house.h"

#include "base/rng.h"
#include "route/state.h"

#include <string.h>

#define TARGETS 6
#define VISITS 40                     /* at once, over all targets */
#define STEPS 60000
#define SEEDS 20

struct visitor {
	bool running;
	size_t target;
	mono_ms began_at;
	struct target_visit visit;
};

struct world {
	struct house h;
	struct rng rng;
	mono_ms now;
	struct visitor visitors[VISITS];
	struct visitor *probe[TARGETS];       /* the running trial of the own breaker, or NULL */
	int64_t slow_ms[TARGETS];
	bool sick[TARGETS];
	struct model_policy *model;
};

static uint64_t below(struct world *w, uint64_t n)
{
	return rng_below(&w->rng, n);
}

static void open_world(struct world *w, uint64_t seed)
{
	static const char *const names[TARGETS] = { "a", "b", "c", "d", "e", "f" };

	memset(w, 0, sizeof *w);
	rng_seed(&w->rng, seed);
	house_open(&w->h);
	for (size_t i = 0; i < TARGETS; i++) {
		house_target(&w->h, names[i], 1, 1, (unsigned)below(w, 3) * 8);
		w->h.backends[i].min_in_flight = (unsigned)below(w, 4);
		w->slow_ms[i] = 50;
	}
	w->model = house_model(&w->h, "chat", TARGETS);
	w->model->breaker = (struct breaker_policy){
		.faults_in_row = 3, .rate_percent = 50, .rate_min = 10, .window_ms = 30000, .open_ms = 2000,
		.open_max_ms = 15000, .lease_ms = 15000, .ramp_ms = 10000 };
	w->model->ejection = (struct outlier_policy){
		.share_percent = 50, .factor = 3, .slack_ms = 100, .samples_min = 5, .eject_ms = 30000,
		.eject_max_ms = 300000 };
	house_bind(&w->h);
	w->now = 1000;
}

static void close_world(struct world *w)
{
	house_close(&w->h);
}

/* ---- steps ---------------------------------------------------------------------- */

static void begin(struct world *w, struct visitor *v)
{
	size_t i = below(w, TARGETS);
	struct target_policy *t = &w->h.targets[i];
	bool force = below(w, 20) == 0;
	unsigned news;

	if (target_begin(t->state, t, w->model, w->now, rng_next(&w->rng), force, 100, &v->visit, &news) !=
	    TARGET_GO)
		return;
	v->running = true;
	v->target = i;
	v->began_at = w->now;
	if (!v->visit.own.lease)
		return;
	/* One trial at a time since it opened, for as long as its lease. */
	if (w->probe[i] && w->probe[i]->visit.own.epoch == v->visit.own.epoch)
		assert_true(w->now - w->probe[i]->began_at >= w->model->breaker.lease_ms);
	w->probe[i] = v;
}

static enum fault some_fault(struct world *w)
{
	static const enum fault faults[] = {
		FAULT_SERVER_ERROR, FAULT_CONNECT, FAULT_SILENCE, FAULT_STALL, FAULT_CUT, FAULT_OVERLOADED,
		FAULT_BAD_ANSWER, FAULT_CALLER, FAULT_LOCAL, FAULT_CLIENT_GONE, FAULT_RATE_LIMITED,
	};

	return faults[below(w, sizeof faults / sizeof *faults)];
}

static void end(struct world *w, struct visitor *v)
{
	struct target_policy *t = &w->h.targets[v->target];
	bool bad = w->sick[v->target] ? below(w, 10) > 0 : below(w, 30) == 0;
	struct target_outcome o = {
		.neutral = below(w, 15) == 0,
		.fault = bad ? some_fault(w) : FAULT_NONE,
		.took_ms = w->now - v->began_at,
		.hint_ms = below(w, 4) ? -1 : (int64_t)below(w, 5000),
		.streamed = below(w, 2) == 0,
		.tokens_per_s = (double)below(w, 100),
	};
	mono_ms at;

	target_end(t->state, t, w->model, &v->visit, w->now, rng_next(&w->rng), &o, &at);
	v->running = false;
	if (w->probe[v->target] == v)
		w->probe[v->target] = NULL;
}

static void hear(struct world *w, struct visitor *v)
{
	struct target_policy *t = &w->h.targets[v->target];

	if (w->now - v->began_at < w->slow_ms[v->target] || v->visit.first_token_seen)
		return;
	/* Whoever has shown life is no trial any more: others may follow. */
	if (w->probe[v->target] == v)
		w->probe[v->target] = NULL;
	target_first_token(t->state, w->model, &v->visit, w->now, w->now - v->began_at);
}

static void weather(struct world *w)
{
	size_t i = below(w, TARGETS);

	w->sick[i] = below(w, 3) == 0;
	w->slow_ms[i] = below(w, 3) ? 50 : 50 + (int64_t)below(w, 4000);
}

static void step(struct world *w)
{
	struct visitor *v = &w->visitors[below(w, VISITS)];
	enum outlier_why why;
	mono_ms until;

	w->now += (mono_ms)below(w, 40);
	if (!v->running)
		begin(w, v);
	else if (below(w, 3))
		hear(w, v);
	else
		end(w, v);
	if (below(w, 4) == 0)
		target_judge_outliers(w->model, w->now, &until, &why);
	if (below(w, 500) == 0)
		weather(w);
	if (below(w, 5000) == 0)
		w->now += (mono_ms)below(w, 60000);
}

/* ---- what must hold -------------------------------------------------------------------- */

static void check(struct world *w)
{
	unsigned out = 0, running = 0, counted = 0;

	for (size_t i = 0; i < TARGETS; i++) {
		struct target *t = w->h.targets[i].state;
		unsigned most = w->h.backends[i].max_in_flight;

		out += t->ejected_until > w->now;
		counted += target_in_flight(t);
		if (most)
			assert_true(target_in_flight(t) <= most);
		assert_true(t->waiting <= target_in_flight(t));
		assert_true(t->own.state != BREAKER_OPEN || t->own.until - t->own.since <= 18000);
	}
	for (size_t i = 0; i < VISITS; i++)
		running += w->visitors[i].running;
	assert_int_equal(running, counted);
	assert_true(out * 100 <= TARGETS * w->model->ejection.share_percent);
	assert_true(model_retries_left(w->model, w->now) <= 100);
}

/* All well again: within one breaker period every target is in use. */
static void recover(struct world *w)
{
	for (size_t i = 0; i < VISITS; i++)
		if (w->visitors[i].running)
			end(w, &w->visitors[i]);
	for (size_t i = 0; i < TARGETS; i++) {
		w->sick[i] = false;
		w->slow_ms[i] = 0;
	}
	w->now += 18000;
	for (size_t i = 0; i < TARGETS; i++) {
		struct target_policy *t = &w->h.targets[i];
		struct target_outcome good = { .took_ms = 1, .hint_ms = -1 };
		struct target_visit v;
		unsigned news;
		mono_ms at;

		assert_int_equal(target_begin(t->state, t, w->model, w->now, 0, false, 0, &v, &news), TARGET_GO);
		target_end(t->state, t, w->model, &v, w->now, 0, &good, &at);
		assert_int_equal(t->state->waiting, 0);
	}
	assert_int_equal(target_registry_in_flight(w->h.registry), 0);
}

static void what_must_hold_holds_in_any_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w;

		open_world(&w, seed);
		for (size_t i = 0; i < STEPS; i++) {
			step(&w);
			check(&w);
		}
		recover(&w);
		close_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_must_hold_holds_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
