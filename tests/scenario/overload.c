/* Metastable overload: a backend slows down for a while, its clients lose their
 * patience and ask again, and the load of those who ask again keeps it slow when
 * the cause has long gone.
 *
 *   overload [--seed N]
 *
 * One backend serves CAPACITY requests at a time in SERVICE_MS each; with more it
 * gets slower in proportion, so that it never does more in all. Clients arrive by
 * chance at a steady rate, wait PATIENCE_MS, and try three times, as SDKs do. The
 * backend is slowed down from TRIGGER_MS on. Printed, and judged: how many
 * requests a second are answered within their clients' patience (goodput), before
 * the trigger, and long behind it. */
#include "crowd.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY 10
#define SERVICE_MS 500                /* so 20 requests a second can be served */
#define PATIENCE_MS 5000
#define TRIES 3
#define TRIGGER_MS 30000
#define SPAN_MS 120000
#define WINDOW_MS 10000
#define WINDOWS (SPAN_MS / WINDOW_MS)
#define LOOK_MS 10

struct story {
	const char *name;
	const char *backend, *model;  /* of the config */
	double per_s;                 /* arrivals */
	double slow;                  /* how many times slower it is ... */
	int64_t slow_ms;              /* ... for so long */
	const char *headers;          /* of all requests */
	double before, after;         /* goodput at least, as a share of what can be served; or ... */
	bool collapses;               /* ... `after` is the most that may be left */
};

/* All protections of this kind off: the breaker, too, as it would see nothing but
 * clients who leave. */
#define NAKED_BACKEND ", min_in_flight: 0"
#define NAKED_MODEL "    queue: {length: 0}\n"

static const struct story stories[] = {
	{ "a slow-down, no protection", NAKED_BACKEND, NAKED_MODEL, 15, 4, 10000, "",
	  0.95, 0.30, true },
	{ "a slow-down, max_in_flight and queue", ", max_in_flight: 10", "", 15, 4, 10000, "",
	  0.95, 0.95, false },
	{ "the same, clients say how long they wait", ", max_in_flight: 10", "", 15, 4, 10000,
	  "x-request-timeout: 5\r\n", 0.95, 0.95, false },
	{ "the same, nothing configured", "", "", 15, 4, 10000, "", 0.95, 0.90, false },
	{ "twice the load for ever, no protection", NAKED_BACKEND, NAKED_MODEL, 40, 1, 0, "",
	  0.0, 0.30, true },
	{ "the same, max_in_flight and queue", ", max_in_flight: 10", "", 40, 1, 0, "",
	  0.65, 0.70, false },
	{ "the same, clients say how long they wait", ", max_in_flight: 10", "", 40, 1, 0,
	  "x-request-timeout: 5\r\n", 0.85, 0.85, false },
	{ "the same, nothing configured", "", "", 40, 1, 0, "", 0.0, 0.60, false },
};

struct world {
	struct crowd crowd;
	const struct story *story;
	mono_ms began;
	unsigned good[WINDOWS], arrived[WINDOWS];
	uint64_t asked;
	struct user *free;
};

struct user {
	struct world *w;
	struct user *next;
	struct asker *asker;
	unsigned tries;
};

static int64_t since(const struct world *w, mono_ms at)
{
	return at - w->began;
}

/* ---- the backend ---------------------------------------------------------------- */

static void look_at_load(void *arg)
{
	struct world *w = arg;
	uint64_t n = mock_stats(w->crowd.backends[0].mock).all.in_flight + 1;
	int64_t now = since(w, sim_now(w->crowd.sim));
	double ms = SERVICE_MS * (n > CAPACITY ? (double)n / CAPACITY : 1.0);
	char spec[64], why[200];

	if (now >= TRIGGER_MS && now < TRIGGER_MS + w->story->slow_ms)
		ms *= w->story->slow;
	snprintf(spec, sizeof spec, "ttft %dms gap 0ms", (int)ms);
	must(mock_set_behaviour(w->crowd.backends[0].mock, slice_of(spec), why, sizeof why));
	if (now < SPAN_MS)
		sim_script(w->crowd.sim, sim_now(w->crowd.sim) + LOOK_MS, look_at_load, w);
}

/* ---- clients ----------------------------------------------------------------------- */

static void patience_over(void *arg);

static void try_now(void *arg)
{
	struct user *u = arg;
	struct world *w = u->w;

	u->tries++;
	w->asked++;
	u->asker = crowd_ask(&w->crowd, true, slice_of(w->story->headers));
	sim_script(w->crowd.sim, sim_now(w->crowd.sim) + PATIENCE_MS, patience_over, u);
}

static void user_free(struct user *u)
{
	u->next = u->w->free;
	u->w->free = u;
}

/* Half a second, doubled each time, less up to a quarter: what OpenAI's SDKs do;
 * and they obey x-should-retry. */
static void again_or_not(struct user *u, bool may)
{
	struct world *w = u->w;
	int64_t pause_ms = 500 << (u->tries - 1);

	if (!may || u->tries == TRIES) {
		user_free(u);
		return;
	}
	pause_ms -= (int64_t)rng_below(&w->crowd.rng, (uint64_t)pause_ms / 4);
	sim_script(w->crowd.sim, sim_now(w->crowd.sim) + pause_ms, try_now, u);
}

static void patience_over(void *arg)
{
	struct user *u = arg;
	struct world *w = u->w;
	const struct sim_answer *a = asker_answer(u->asker);
	bool may_retry = !slice_eq(sim_answer_header(a, S("x-should-retry")), S("false"));
	int64_t at = a->end == ANSWER_COMPLETE ? since(w, a->ended_at) : 0;
	enum sim_answer_end end = a->end;

	if (end == ANSWER_COMPLETE && at < SPAN_MS)
		w->good[at / WINDOW_MS]++;
	asker_leave(u->asker);
	asker_done(&w->crowd, u->asker);
	if (end == ANSWER_COMPLETE)
		user_free(u);
	else
		again_or_not(u, may_retry);
}

static struct user *user_new(struct world *w)
{
	struct user *u = w->free;

	if (u)
		w->free = u->next;
	else
		u = calloc(1, sizeof *u);
	must(u != NULL);
	*u = (struct user){ .w = w };
	return u;
}

static void arrive(void *arg)
{
	struct world *w = arg;
	int64_t now = since(w, sim_now(w->crowd.sim));
	/* As good as exponential gaps for this: the sum of two even ones. */
	uint64_t mean_us = (uint64_t)(1e6 / w->story->per_s);
	uint64_t gap_us = rng_below(&w->crowd.rng, mean_us) + rng_below(&w->crowd.rng, mean_us);

	if (now >= SPAN_MS)
		return;
	w->arrived[now / WINDOW_MS]++;
	try_now(user_new(w));
	sim_script(w->crowd.sim, sim_now(w->crowd.sim) + (int64_t)((gap_us + 500) / 1000), arrive, w);
}

/* ---- judging ---------------------------------------------------------------------------- */

static double goodput(const struct world *w, int64_t from_ms, int64_t to_ms)
{
	unsigned sum = 0;

	for (int64_t i = from_ms / WINDOW_MS; i < to_ms / WINDOW_MS; i++)
		sum += w->good[i];
	return (double)sum * 1000.0 / (double)(to_ms - from_ms);
}

static bool judge(const struct world *w)
{
	const struct story *s = w->story;
	double capacity = CAPACITY * 1000.0 / SERVICE_MS;
	double able = s->per_s < capacity ? s->per_s : capacity;
	double before = goodput(w, 10000, TRIGGER_MS) / able;
	double after = goodput(w, 60000, SPAN_MS - WINDOW_MS) / able;
	bool good = before >= s->before && (s->collapses ? after <= s->after : after >= s->after);

	printf("%-45s before %3.0f %%, after %3.0f %% of what can be served; tries %llu;  a second:",
	       s->name, before * 100, after * 100, (unsigned long long)w->asked);
	for (int i = 0; i < WINDOWS; i++)
		printf(" %4.1f", (double)w->good[i] * 1000 / WINDOW_MS);
	printf("%s\n", good ? "" : "  NOT AS IT SHOULD BE");
	return good;
}

static bool play(const struct story *story, uint64_t seed)
{
	const struct mock_options options = { .seed = 7, .ttft_ms = SERVICE_MS, .tokens = 4 };
	struct world w = { .story = story };
	struct buf config = BUF_INIT(1 << 16);
	bool good;

	crowd_init(&w.crowd, seed, 1, &options);
	buf_putf(&config, "listen: 127.0.0.1:8080\nbackends:\n  a: {dialect: openai, url: "
		 "'http://a.test/v1'%s}\nmodels:\n  chat:\n    targets: [{backend: a, model: m}]\n"
		 "    timeouts: {first_token: 60s}\n%s", story->backend, story->model);
	crowd_proxy(&w.crowd, 2, buf_slice(&config));
	buf_free(&config);
	w.began = sim_now(w.crowd.sim);
	look_at_load(&w);
	arrive(&w);
	sim_run_for(w.crowd.sim, SPAN_MS + 4 * PATIENCE_MS + 10000);
	good = crowd_end(&w.crowd) && judge(&w);
	while (w.free) {
		struct user *u = w.free;

		w.free = u->next;
		free(u);
	}
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc == 3 && strcmp(argv[1], "--seed") == 0 ? strtoull(argv[2], NULL, 10) : 1;
	unsigned failed = 0;

	for (size_t i = 0; i < COUNT_OF(stories); i++)
		failed += !play(&stories[i], seed);
	return failed > 0;
}
