/* bench-engine: what one request's decisions cost, without sockets or texts:
 * nanoseconds of CPU time (the best of several rounds) and allocations for each
 * step. Time and chance are arguments of all that is measured, so each round
 * sees the same. Prints a table. */
#include "base/arena.h"
#include "cache/memory.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "observe/pulse.h"
#include "observe/recent.h"
#include "resilience/breaker.h"
#include "resilience/bucket.h"
#include "resilience/latency.h"
#include "resilience/limiter.h"
#include "resilience/outlier.h"
#include "route/plan.h"
#include "route/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS   15
#define TURNS    20000
#define TARGETS  8
#define DEADLINE ((mono_ms)1 << 60)

/* The linker leads the program's calls here (--wrap), to be counted. */
static unsigned long allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	allocations++;
	return __real_realloc(old, size);
}

static const struct breaker_policy breaker_policy = {
	.faults_in_row = 3, .rate_percent = 50, .rate_min = 10, .window_ms = 30000,
	.open_ms = 2000, .open_max_ms = 15000, .lease_ms = 15000, .ramp_ms = 10000,
};
static const struct outlier_policy outlier_policy = {
	.share_percent = 50, .factor = 3, .slack_ms = 500, .samples_min = 10,
	.eject_ms = 30000, .eject_max_ms = 300000,
};
static const struct limiter_policy limiter_policy = { .floor = 4 };
static const struct bucket_policy bucket_policy = {
	.share_milli = 20000, .reserve = 10, .most = 100, .reserve_ms = 10000,
};

/* An exchange that went well at once, as it is told when it ends. */
static const struct attempt_record one_attempt = {
	.target = { "a/m", 3 }, .model = { "m", 1 }, .authority = { "a.test:443", 10 }, .status = 200,
	.took_ms = 900, .first_token_ms = 200, .kind = "",
	.spent = { .told = true, .input_tokens = 120, .output_tokens = 150 },
};
static const struct exchange_record one_record = {
	.request_id = { "0123456789abcdef-1", 18 }, .peer = { "127.0.0.1", 9 }, .method = { "POST", 4 },
	.path = { "/v1/chat/completions", 20 }, .asked_model = { "chat", 4 }, .served_model = { "chat", 4 },
	.target = { "a/m", 3 }, .stream = true, .status = 200, .committed = true,
	.attempts = &one_attempt, .attempt_count = 1, .usage_known = true, .input_tokens = 120,
	.output_tokens = 150, .finish_reason = { "stop", 4 }, .bytes_in = 1024, .bytes_out = 4096,
	.wall_ms = 1760000000000, .first_token_ms = 200, .duration_ms = 900, .overhead_us = 80,
};

/* All that is measured, and the clock and the dice that it gets. */
struct world {
	struct arena *arena;
	struct target_registry *registry;
	struct backend_policy backends[TARGETS];
	struct target_policy targets[TARGETS];
	struct model_policy model;
	struct breaker breaker;
	struct latency latency;
	struct limiter limiter;
	struct bucket bucket;
	struct outlier_member members[TARGETS];
	struct metrics *metrics;
	struct metrics_sheet *sheet;
	struct pulse *pulse;
	struct recent *recent;
	struct cache_memory *cache;
	mono_ms now;
	uint64_t random;
};

static void world_open(struct world *w, size_t targets, enum balance balance)
{
	static const char *const names[TARGETS] = { "a", "b", "c", "d", "e", "f", "g", "h" };

	*w = (struct world){ .arena = arena_create(0), .registry = target_registry_create(),
			     .now = 1000000, .random = 88172645463325252u };
	for (size_t i = 0; i < targets; i++) {
		w->backends[i] = (struct backend_policy){ .name = slice_of(names[i]), .min_in_flight = 4 };
		w->targets[i] = (struct target_policy){ .name = slice_of(names[i]),
			.backend = &w->backends[i], .host_key = slice_of(names[i]), .model = S("m"),
			.weight = 1, .priority = 1 };
	}
	w->model = (struct model_policy){ .name = S("chat"), .targets = w->targets,
		.target_count = targets, .balance = balance, .breaker = breaker_policy,
		.ejection = outlier_policy,
		.retry = { .max_attempts = 4, .patience_ms = 3000, .fast_ms = 1000,
			   .budget_milli = 20000 } };
	target_registry_bind(w->registry, w->arena, &w->model, 1);
	w->metrics = metrics_create();
	metrics_know_model(w->metrics, S("chat"));
	metrics_know_target(w->metrics, S("a/m"));
	w->sheet = metrics_sheet_create(w->metrics);
	w->pulse = pulse_create();
	w->recent = recent_create();
	w->cache = cache_memory_create(64 << 20, 1 << 20, 1);
}

static void world_close(struct world *w)
{
	cache_memory_free(w->cache);
	recent_free(w->recent);
	pulse_free(w->pulse);
	metrics_free(w->metrics);
	target_registry_free(w->registry);
	arena_free(w->arena);
}

/* A request a millisecond. */
static void tick(struct world *w)
{
	w->now++;
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
}

/* ---- what is measured: each does one request's worth --------------------------------- */

static void serve(struct world *w, struct plan *plan, const struct pick *pick)
{
	plan_first_token(plan, pick, w->now, 200);
	plan_served(plan, pick, w->now, w->random, 1000, true, 80.0);
}

static struct plan *plan_of(struct world *w, struct arena *arena)
{
	struct plan *plan = plan_create(arena, &w->model, S("chat"), S(""), DEADLINE);

	plan_want(plan, &(struct plan_wants){ .tokens = 120, .prefix = w->random });
	return plan;
}

static void do_plan(struct world *w)
{
	struct arena *arena = arena_create(0);
	struct plan *plan = plan_of(w, arena);
	struct pick pick;

	if (plan_next(plan, w->now, w->random, &pick) == PLAN_GO)
		serve(w, plan, &pick);
	arena_free(arena);
}

/* One try in ten fails and is moved: breakers stay closed, the budget pays. */
static void do_plan_moved(struct world *w)
{
	struct arena *arena = arena_create(0);
	struct plan *plan = plan_of(w, arena);
	struct pick pick;

	if (plan_next(plan, w->now, w->random, &pick) != PLAN_GO)
		abort();
	if (w->now % 10 == 0) {
		plan_report(plan, &pick, w->now, w->random, FAULT_SERVER_ERROR, 5, -1, false);
		if (plan_next(plan, w->now, w->random, &pick) != PLAN_GO)
			abort();
	}
	serve(w, plan, &pick);
	arena_free(arena);
}

static void do_visit(struct world *w)
{
	struct target_outcome outcome = { .took_ms = 1000, .hint_ms = -1, .streamed = true,
					  .tokens_per_s = 80.0 };
	struct target *t = w->targets[0].state;
	struct target_visit visit = { 0 };
	unsigned news = 0;
	mono_ms at;

	if (target_begin(t, &w->targets[0], &w->model, w->now, w->random, false, 120, &visit, &news) !=
	    TARGET_GO)
		abort();
	target_first_token(t, &w->model, &visit, w->now, 200);
	target_end(t, &w->targets[0], &w->model, &visit, w->now, w->random, &outcome, &at);
}

static void do_breaker(struct world *w)
{
	struct breaker_pass pass;

	if (breaker_ask(&w->breaker, &breaker_policy, w->now, w->random, &pass) == BREAKER_DENY)
		return;
	breaker_report(&w->breaker, &breaker_policy, w->now, w->random, &pass,
		       w->now % 10 ? BREAKER_GOOD : BREAKER_BAD);
}

static void do_latency(struct world *w)
{
	latency_add(&w->latency, w->now, 150 + (int64_t)(w->random % 100), true);
}

static void do_p95(struct world *w)
{
	if (latency_p95_ms(&w->latency, w->now) < -1)
		abort();
}

static void do_outlier(struct world *w)
{
	enum outlier_why why;

	mean_add(&w->members[w->now % 3].first_token_ms, w->now, 200);
	if (outlier_find(&outlier_policy, w->now, w->members, 3, &why) != SIZE_MAX)
		abort();
}

static void do_limiter(struct world *w)
{
	limiter_good(&w->limiter, &limiter_policy, w->now, w->now - 200, 5,
		     150 + (int64_t)(w->random % 100));
}

static void do_bucket(struct world *w)
{
	bucket_feed(&w->bucket, &bucket_policy, w->now);
}

static void do_metrics(struct world *w)
{
	metrics_count(w->sheet, S("chat"), &one_record);
}

static void do_pulse(struct world *w)
{
	pulse_count(w->pulse, S("chat"), &one_record, w->now);
	pulse_try(w->pulse, S("chat"), S("a/m"), false);
}

static void do_line(struct world *w)
{
	struct buf line = BUF_INIT(ACCESS_LINE_MAX);

	access_log_json(&one_record, &line);
	recent_add(w->recent, buf_slice(&line));
	buf_free(&line);
}

/* A question of 1 KiB in its one form, digested, and looked up in vain. */
static void do_cache_miss(struct world *w)
{
	static const char question[] = "{\"model\":\"chat\",\"temperature\":0,\"max_tokens\":512,"
		"\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"},"
		"{\"role\":\"user\",\"content\":\"%0900llu\"}]}";
	static const struct canonical_rules rules;
	struct buf text = BUF_INIT(1 << 16), form = BUF_INIT(1 << 16);
	struct arena *scratch = arena_create(0);
	struct cache_key key;

	buf_putf(&text, question, (unsigned long long)w->random);
	if (!cache_canonical(scratch, buf_slice(&text), &rules, &form))
		abort();
	cache_key_of(buf_slice(&form), &key);
	if (cache_memory_get(w->cache, &key))
		abort();
	arena_free(scratch);
	buf_free(&form);
	buf_free(&text);
}

static const struct row {
	const char *title;
	void (*work)(struct world *w);
	size_t targets;
	enum balance balance;
} rows[] = {
	{ "plan, one target: create, next, first token, served", do_plan, 1, BALANCE_ROUND_ROBIN },
	{ "plan, three targets in turn", do_plan, 3, BALANCE_ROUND_ROBIN },
	{ "plan, three targets, least loaded", do_plan, 3, BALANCE_LEAST_LOADED },
	{ "plan, three targets, least latency", do_plan, 3, BALANCE_LEAST_LATENCY },
	{ "plan, three targets, prefix affinity", do_plan, 3, BALANCE_PREFIX_AFFINITY },
	{ "plan, eight targets in turn", do_plan, 8, BALANCE_ROUND_ROBIN },
	{ "plan, three targets, one try in ten fails and is moved", do_plan_moved, 3,
	  BALANCE_ROUND_ROBIN },
	{ "of it: a visit to a target (begin, first token, end)", do_visit, 1, BALANCE_ROUND_ROBIN },
	{ "of it: breaker ask and report", do_breaker, 1, BALANCE_ROUND_ROBIN },
	{ "of it: latency, one sample", do_latency, 1, BALANCE_ROUND_ROBIN },
	{ "latency, the 95th percentile", do_p95, 1, BALANCE_ROUND_ROBIN },
	{ "outlier, a sample and a judgement of three (once a second)", do_outlier, 1,
	  BALANCE_ROUND_ROBIN },
	{ "limiter, a good answer", do_limiter, 1, BALANCE_ROUND_ROBIN },
	{ "retry budget, a success", do_bucket, 1, BALANCE_ROUND_ROBIN },
	{ "metrics, an exchange that has ended", do_metrics, 1, BALANCE_ROUND_ROBIN },
	{ "the status page's counts of it", do_pulse, 1, BALANCE_ROUND_ROBIN },
	{ "its line, written and kept for the status page", do_line, 1, BALANCE_ROUND_ROBIN },
	{ "cache, a miss of 1 KiB (only where a model keeps answers)", do_cache_miss, 1,
	  BALANCE_ROUND_ROBIN },
};

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void measure(const struct row *row, unsigned long turns)
{
	struct world w;
	double best = 0, took;
	unsigned long counted = 0, begun, i;
	int round;

	world_open(&w, row->targets, row->balance);
	for (round = 0; round < ROUNDS; round++) {
		begun = allocations;
		took = -cpu_ns();
		for (i = 0; i < turns; i++) {
			tick(&w);
			row->work(&w);
		}
		took += cpu_ns();
		best = round == 0 || took < best ? took : best;
		counted = allocations - begun;
	}
	world_close(&w);
	printf("| %s | %.0f | %.1f |\n", row->title, best / (double)turns,
	       (double)counted / (double)turns);
}

int main(int argc, char **argv)
{
	unsigned long turns = argc > 1 ? strtoul(argv[1], NULL, 10) : TURNS;
	size_t i;

	if (argc > 2 || turns == 0 || turns > 100000000) {
		fprintf(stderr, "usage: bench-engine [TURNS]\n");
		return 2;
	}
	printf("| what a request's decisions cost | ns of CPU time | allocations |\n|---|---:|---:|\n");
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		measure(&rows[i], turns);
	return 0;
}
