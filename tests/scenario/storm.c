/* Storms: many exchanges while backends fail in every way, and shares that must
 * hold over all of them.
 *
 *   storm [--exchanges N] [--seed FROM] [--kind healthy|outage|heals|healed|all]
 *   storm --seed N --kind KIND --trace     one world, showing all
 *
 * Each seed is a world of some hundred exchanges. In a `healthy` world one
 * backend, which is not told apart by the config, is never touched: at least
 * 99.9 % of those who stay get the whole right answer, all others an honest
 * error. In an `outage` world all are down or fail for as long as requests
 * come: every client gets an honest error, and the proxy makes at most 1.2 times
 * as many tries as there are requests. In a `heals` world all fail likewise, but after half of the
 * requests one of them is well again, among others that go on failing: who asks from then on is
 * served, 99.8 % of them from the first moment on (the first few have one try each, since no retry
 * can be paid, and may spend it on another one) and 99.9 % one breaker period later.
 * After any storm nothing is left over. */
#include "crowd.h"

#include <stdlib.h>
#include <string.h>

#define EXCHANGES 400                 /* of a world */
#define FAILURES_MAX 5

/* HEALED is a `heals` world looked at a breaker period later. */
enum kind { HEALTHY, OUTAGE, HEALS, HEALED, KINDS };

static const char *const kind_names[KINDS] = { "healthy", "outage", "heals", "healed" };

#define BREAKER_PERIOD_MS 18000       /* its longest, with jitter */

struct settings {
	uint64_t exchanges, seed;
	bool kinds[KINDS], trace;
};

struct storm {
	struct crowd crowd;
	enum kind kind;
	unsigned sick;                /* backends 0 .. sick - 1 */
	bool healed;                  /* the last one is well again */
	int64_t span_ms;
};

static uint64_t below(struct storm *s, uint64_t n)
{
	return rng_below(&s->crowd.rng, n);
}

static struct slice write_config(struct storm *s, struct buf *out)
{
	static const char *const balances[] = { "least_loaded", "round_robin", "least_in_flight",
						"least_latency", "prefix_affinity" };

	buf_puts(out, "listen: 127.0.0.1:8080\nbackends:\n");
	for (unsigned i = 0; i < s->crowd.backend_count; i++)
		buf_putf(out, "  %c: {dialect: openai, url: 'http://%c.test/v1'%s}\n", 'a' + (int)i,
			 'a' + (int)i, below(s, 4) ? "" : ", max_in_flight: 10");
	buf_puts(out, "models:\n  chat:\n    targets:\n");
	for (unsigned i = 0; i < s->crowd.backend_count; i++)
		buf_putf(out, "      - {backend: %c, model: m, weight: %llu}\n", 'a' + (int)i,
			 (unsigned long long)(1 + below(s, 3)));
	buf_putf(out, "    balance: %s\n", balances[below(s, COUNT_OF(balances))]);
	buf_putf(out, "    retry: {max_attempts: %u}\n", s->crowd.backend_count + 1);
	/* Room for everybody: a queue too short would be another story. */
	buf_puts(out, "    queue: {length: 1000}\n");
	buf_puts(out, "    timeouts: {first_token: 1s, idle: 1s, answer: 2s, total: 30s}\n");
	return buf_slice(out);
}

/* Every kind of fault a backend can have, and some oddities that are none. */
static const char *const behaviours[] = {
	"ok", "ok", "ttft 400ms", "gap 80ms", "crlf", "comments 100ms ttft 900ms", "stay-open",
	"close-after", "no-done", "gzip", "drip 7 3ms", "json-for-stream", "sse-for-json", "1xx 3",
	"status 404", "model-not-found", "bad-key", "insufficient-quota", "status 402",
	"status 429 retry-after 1", "status 429", "percent 30 status 500", "percent 50 cut after 3",
	"cut after 1", "cut after 3", "reset after 4", "cut at-byte 40", "reset at-byte 200",
	"cut mid-event after 2", "stall after 3 for 40s", "error after 4", "bad-json after 3",
	"error after 5 shape openrouter", "end after 3", "no-ending", "bad-chunk after 3",
	"content-length +50", "two-lengths", "gzip cut", "truncated", "stale", "hang-up",
	"idle-close 300ms", "idle-reset 300ms", "idle-junk 300ms", "status 500 times 3 then ok",
};

/* Those after which no request has a whole answer. */
static const char *const failures[] = {
	"status 500", "status 503", "status 502", "status 529", "overloaded", "cut first",
	"reset first", "stall first for 30s", "error first", "error first shape vllm", "html 502",
	"no-answer", "empty", "truncated-head", "reset-on-accept", "close-on-accept", "mute", "junk ssh",
	"html 200", "headers-then-nothing", "choices empty", "done-only",
};

/* ---- weather --------------------------------------------------------------------- */

static void behave(struct storm *s, unsigned backend)
{
	size_t some = below(s, COUNT_OF(behaviours)), worse = below(s, COUNT_OF(failures));
	const char *spec = s->kind != HEALTHY || below(s, 3) == 0 ? failures[worse] : behaviours[some];
	char why[256];

	must(mock_set_behaviour(s->crowd.backends[backend].mock, slice_of(spec), why, sizeof why));
}

static void blow(struct storm *s, unsigned backend)
{
	const struct io_addr *to = &s->crowd.backends[backend].addr;
	struct sim_link *link = sim_link_to(s->crowd.sim, to);
	static const enum sim_strike strikes[] = { SIM_STRIKE_CUT, SIM_STRIKE_RESET, SIM_STRIKE_VANISH,
						   SIM_STRIKE_STALL };

	switch (below(s, 6)) {
	case 0:
		link->connect = SIM_CONNECT_REFUSE;
		link->connect_count = (int)below(s, 20);
		break;
	case 1:
		link->connect = SIM_CONNECT_BLACKHOLE;
		link->connect_count = 1 + (int)below(s, 3);
		break;
	case 2:
		link->connect = s->kind != HEALTHY ? SIM_CONNECT_UNREACHABLE : SIM_CONNECT_OK;
		link->connect_count = 0;
		break;
	case 3:
		link->cuts = (enum sim_cuts)below(s, 3);
		link->latency_us = (int64_t)below(s, 20000);
		break;
	case 4:
		sim_link_plan(link, (struct sim_plan){ .strike = strikes[below(s, 4)],
						       .direction = SIM_TO_CLIENT, .count = 3,
						       .after_bytes = below(s, 2000), .for_ms = 1500 });
		break;
	default:
		sim_strike(s->crowd.sim, to, strikes[below(s, 4)], 0, 1500);
		break;
	}
}

static void weather(struct storm *s)
{
	unsigned backend = (unsigned)below(s, s->sick - s->healed);

	/* In an outage the network may only make it worse. */
	if (below(s, 2) || s->kind != HEALTHY)
		behave(s, backend);
	else
		blow(s, backend);
}

/* ---- one world --------------------------------------------------------------------- */

static void build(struct storm *s, uint64_t seed, enum kind kind)
{
	const struct mock_options options = { .seed = 7, .ttft_ms = 40, .gap_ms = 4, .tokens = 6 };
	struct buf config = BUF_INIT(1 << 16);
	unsigned backends = 2 + (unsigned)(seed % 3);

	s->kind = kind;
	s->healed = false;
	crowd_init(&s->crowd, seed, backends, &options);
	s->sick = kind == HEALTHY ? backends - 1 : backends;
	s->span_ms = 2000 + (int64_t)below(s, 20000);
	crowd_proxy(&s->crowd, 1 + (unsigned)below(s, 3), write_config(s, &config));
	buf_free(&config);
	for (unsigned i = 0; i < s->sick; i++)
		if (kind != HEALTHY || below(s, 2))
			behave(s, i);
}

static struct slice some_headers(struct storm *s)
{
	static const struct slice headers[] = {
		S_INIT(""), S_INIT("x-backstay-priority: low\r\n"), S_INIT("x-request-timeout: 25\r\n"),
		S_INIT("x-backstay-priority: high\r\n"),
	};

	return headers[below(s, COUNT_OF(headers))];
}

/* As by a restart: who hangs there is told. */
static void heal(struct storm *s)
{
	struct crowd_backend *b = &s->crowd.backends[s->sick - 1];
	char why[256];

	must(mock_set_behaviour(b->mock, S("ok"), why, sizeof why));
	sim_strike(s->crowd.sim, &b->addr, SIM_STRIKE_RESET, 0, 0);
	s->healed = true;
	s->crowd.late_from = io_now(s->crowd.clients) + (s->kind == HEALED ? BREAKER_PERIOD_MS : 0);
}

static void run(struct storm *s)
{
	uint64_t gap_us = (uint64_t)s->span_ms * 1000 / EXCHANGES;

	if (s->kind == HEALED)
		gap_us = (BREAKER_PERIOD_MS + (uint64_t)s->span_ms) * 2000 / EXCHANGES;
	for (unsigned i = 0; i < EXCHANGES; i++) {
		struct asker *a;

		if (i == EXCHANGES / 2 && s->kind >= HEALS)
			heal(s);
		sim_run_for(s->crowd.sim, (int64_t)(below(s, 2 * gap_us) / 1000));
		crowd_harvest(&s->crowd);
		a = crowd_ask(&s->crowd, below(s, 3) > 0, some_headers(s));
		if (below(s, 40) == 0) {
			sim_run_for(s->crowd.sim, (int64_t)below(s, 100));
			asker_leave(a);
		}
		if (below(s, EXCHANGES / 20) == 0)
			weather(s);
	}
}

static void add(struct crowd_counts *sum, const struct crowd_counts *one)
{
	sum->asked += one->asked;
	sum->complete += one->complete;
	sum->honest += one->honest;
	sum->left += one->left;
	sum->broken += one->broken;
	sum->wrong += one->wrong;
	sum->pending += one->pending;
	sum->violations += one->violations;
	sum->attempts += one->attempts;
	sum->late += one->late;
	sum->late_complete += one->late_complete;
}

static bool storm_one(uint64_t seed, enum kind kind, FILE *trace, struct crowd_counts *sum)
{
	struct crowd_counts c;
	struct storm s;
	bool clean;

	build(&s, seed, kind);
	sim_trace_to(s.crowd.sim, trace);
	run(&s);
	clean = crowd_end(&s.crowd);
	c = s.crowd.counts;
	add(sum, &c);
	if (kind == HEALTHY && c.honest)
		fprintf(stderr, "storm --seed %llu: %llu errors, the first: %s\n",
			(unsigned long long)seed, (unsigned long long)c.honest, s.crowd.first_bad);
	if (clean && !c.broken && !c.wrong && !c.pending && !c.violations)
		return true;
	fprintf(stderr, "storm --kind %s --seed %llu: %llu broken, %llu wrong, %llu without an end, %llu "
		"violations; the first: %s\n", kind_names[kind], (unsigned long long)seed,
		(unsigned long long)c.broken, (unsigned long long)c.wrong,
		(unsigned long long)c.pending, (unsigned long long)c.violations, s.crowd.first_bad);
	return false;
}

/* ---- all of them ----------------------------------------------------------------------- */

static bool shares_hold(enum kind kind, const struct crowd_counts *c)
{
	uint64_t stayed = c->asked - c->left;
	double served = stayed ? 100.0 * (double)c->complete / (double)stayed : 100;
	double tries = c->asked ? (double)c->attempts / (double)c->asked : 0;
	double late = c->late ? 100.0 * (double)c->late_complete / (double)c->late : 100;
	bool good = kind == HEALTHY ? served >= 99.9 : kind == OUTAGE ? tries <= 1.2
		  : late >= (kind == HEALS ? 99.8 : 99.9);

	printf("%s: %llu exchanges, %llu left, %.3f %% of the others served, %llu honest errors, "
	       "%.3f tries each", kind_names[kind], (unsigned long long)c->asked,
	       (unsigned long long)c->left, served, (unsigned long long)c->honest, tries);
	if (kind >= HEALS)
		printf(", %.3f %% of %llu that asked %s it healed", late, (unsigned long long)c->late,
		       kind == HEALS ? "after" : "a breaker period after");
	printf(": %s\n", good ? "good" : "NOT GOOD");
	return good;
}

static bool read_settings(int argc, char **argv, struct settings *s)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			s->trace = true;
		else if (i + 1 == argc)
			return false;
		else if (strcmp(argv[i], "--exchanges") == 0)
			s->exchanges = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			s->seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--kind") == 0 && i++)
			for (int k = 0; k < KINDS; k++)
				s->kinds[k] = strcmp(argv[i], kind_names[k]) == 0 ||
					      strcmp(argv[i], "all") == 0;
		else
			return false;
	}
	if (s->trace)
		s->exchanges = EXCHANGES;
	return s->exchanges > 0;
}

int main(int argc, char **argv)
{
	struct settings s = { .exchanges = 20000, .seed = 1, .kinds = { true, true, true, true } };
	struct crowd_counts sums[KINDS] = { 0 };
	uint64_t done = 0, seed;
	unsigned failed = 0;
	bool good = true;

	if (!read_settings(argc, argv, &s)) {
		fprintf(stderr, "usage: storm [--exchanges N] [--seed FROM] [--kind healthy|outage|heals|healed|all] "
				"[--trace]\n");
		return 2;
	}
	for (seed = s.seed; done < s.exchanges && failed < FAILURES_MAX; seed++)
		for (int k = 0; k < KINDS; k++) {
			if (!s.kinds[k])
				continue;
			failed += !storm_one(seed, (enum kind)k, s.trace ? stdout : NULL, &sums[k]);
			done += EXCHANGES;
		}
	for (int k = 0; k < KINDS; k++)
		if (s.kinds[k])
			good = shares_hold((enum kind)k, &sums[k]) && good;
	printf("stormed %llu exchanges (seeds %llu..%llu): %u worlds failed\n",
	       (unsigned long long)done, (unsigned long long)s.seed, (unsigned long long)(seed - 1),
	       failed);
	return failed || !good;
}
