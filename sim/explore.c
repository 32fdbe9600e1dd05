/* explore.c: makes up scenarios. Only misfortunes that leave the words of a
 * right answer as they are, so that a complete answer can be compared. */
#include "sim/explore.h"

#include "base/check.h"
#include "base/rng.h"

#include <string.h>

/* What one stream of the proxy may have queued: what the exchange lets a slow
 * client owe it, and what arrives in one piece before it stops. */
#define QUEUED_MAX (400 * 1024)

#define NO_GOOD 255

struct explorer {
	struct rng rng;
	struct rng forward_rng;       /* of what came later, so that older seeds keep their worlds */
	struct rng queue_rng;         /* likewise: seeds keep their worlds */
	struct rng cache_rng;
	bool cached;                  /* answers are kept and shared, and few questions asked */
	bool forward;                 /* some backends stand behind a proxy */
	struct buf *out;
	unsigned backends;
	unsigned good;                /* the backend that nothing befalls; NO_GOOD: none */
	unsigned stages[8];           /* of each backend: 0 "chat", 1 "spare", 2 "last" */
	int64_t span_ms;
	bool keys, big, drains;
};

static const char *const behaviours[] = {
	"ok", "ok", "ok", "status 500", "status 503", "status 502", "status 529", "overloaded",
	"status 429 retry-after 1", "insufficient-quota", "bad-key", "model-not-found",
	"cut first", "cut after 3", "cut after 10", "reset after 4", "reset first",
	"stall first for 30s", "stall after 3 for 40s", "error first", "error after 4",
	"error first shape vllm", "error after 5 shape openrouter", "html 502", "no-answer",
	"cut mid-event after 2", "cut at-byte 40", "reset at-byte 200", "ttft 400ms",
	"gap 80ms", "gap 0ms", "crlf", "multi-data", "comments 100ms ttft 900ms",
	"hang-up", "stale", "idle-close 300ms", "idle-reset 300ms", "idle-junk 300ms", "empty",
	"truncated", "content-length +50", "two-lengths", "content-length and-chunked",
	"bad-chunk after 3", "trailers", "1xx 3", "no-done", "no-ending", "end after 3", "blank-lines",
	"split-utf8", "bom", "cr", "after-done", "stay-open", "close-after", "http10", "no-length",
	"gzip", "gzip cut", "extra-bytes", "whitespace 3 100ms", "bad-json after 3",
	"drip 7 3ms", "headers-then-nothing", "truncated-head", "reset-on-accept", "close-on-accept",
	"mute", "junk ssh", "junk-on-accept", "100-then-eof", "html 200", "unknown-events",
	"percent 30 status 500", "percent 50 cut after 5", "status 500 times 3 then ok",
	"choices empty", "done-only", "json-for-stream", "sse-for-json",
};

/* Only behind the last line of a world without a good backend: they blame the
 * request, or the proxy's own machine. */
static const char *const verdicts[] = { "context-length", "content-filter", "status 400", "status 422" };

static const char *const blows[] = {
	"reset", "cut", "vanish", "stall 300ms", "stall 4s", "cut idle 50ms", "refuse 2",
	"refuse", "ok", "ok", "ok", "blackhole 1", "unreachable 1", "jitter 20ms",
	"latency 5ms", "cuts random", "cuts bytes", "cuts whole", "window 3000", "idle-close 2s",
	"plan reset to client after 300 times 1", "plan cut to client after 700 times 2",
	"plan vanish to client after 500 times 1", "plan stall to client after 400 for 2s times 2",
	"plan reset to server after 50 times 1", "plan cut to client after 0 times 1",
	"junk \"HTTP/1.1 408 Request Timeout\\r\\nContent-Length: 0\\r\\n\\r\\n\"",
	"junk \"HTTP/1.1 408 Request Timeout\\r\\nConnection: close\\r\\n\\r\\n\"",
	"junk \"HTTP/1.1 408 Request Timeout\\r\\nContent-Length: 0\\r\\n\\r\\n\" idle 3s",
	"junk \"\\r\\n\"", "junk \"220 mail.test ESMTP\\r\\n\"",
};

static uint64_t below(struct explorer *e, uint64_t n)
{
	return rng_below(&e->rng, n);
}

static bool one_in(struct explorer *e, uint64_t n)
{
	return below(e, n) == 0;
}

static bool behind_forward(struct explorer *e)
{
	return e->forward && rng_below(&e->forward_rng, 2) == 0;
}

static int64_t some_time(struct explorer *e)
{
	return (int64_t)below(e, (uint64_t)e->span_ms);
}

/* One that something may befall. */
static char some_backend(struct explorer *e)
{
	unsigned i = (unsigned)below(e, e->backends - (e->good != NO_GOOD));

	return (char)('a' + i + (i >= e->good));
}

static unsigned long long some_ms(struct explorer *e, uint64_t least, uint64_t more)
{
	return (unsigned long long)(least + below(e, more));
}

static const char *some_behaviour(struct explorer *e)
{
	if (e->good == NO_GOOD && one_in(e, 20))
		return verdicts[below(e, COUNT_OF(verdicts))];
	return behaviours[below(e, COUNT_OF(behaviours))];
}

/* Megabytes byte by byte would be millions of steps of the same. */
static const char *some_blow(struct explorer *e)
{
	const char *blow = blows[below(e, COUNT_OF(blows))];

	return e->big && strcmp(blow, "cuts bytes") == 0 ? "cuts random" : blow;
}

static void write_backends(struct explorer *e)
{
	unsigned long long tokens = e->big ? some_ms(e, 1000, 3000) : some_ms(e, 5, 40);

	for (unsigned i = 0; i < e->backends; i++) {
		buf_putf(e->out, "backend %c at %c.test:80\n    tokens %llu\n    ttft %llums\n"
			 "    gap %llums\n", 'a' + i, 'a' + i, tokens, some_ms(e, 0, 200),
			 e->big ? 0 : some_ms(e, 0, 30));
		if (i != e->good && one_in(e, 3))
			buf_putf(e->out, "    behaviour %s\n", some_behaviour(e));
		buf_putf(e->out, "link %c latency %llums jitter %llums\n", 'a' + i,
			 some_ms(e, 0, 30), some_ms(e, 0, 10));
	}
}

/* ---- the config --------------------------------------------------------------- */

static void write_backend_config(struct explorer *e, unsigned i)
{
	static const char *const ways[] = {
		"auto", "replay", "prefill", "prefix", "continue_final_message", "instruct", "none",
	};

	buf_putf(e->out, "      %c: {dialect: openai, url: 'http://%c.test/v1'", 'a' + i, 'a' + i);
	if (i != e->good && one_in(e, 4))
		buf_putf(e->out, ", max_in_flight: %llu", some_ms(e, 1, 4));
	if (one_in(e, 6))
		buf_putf(e->out, ", probe: {kind: %s, every: %llums, timeout: %llums}",
			 one_in(e, 2) ? "tcp" : "models", some_ms(e, 100, 2000), some_ms(e, 10, 2000));
	if (one_in(e, 5))
		buf_putf(e->out, ", idle_connections: %llu", some_ms(e, 0, 3));
	if (one_in(e, 5))
		buf_putf(e->out, ", keep_alive: %llums", some_ms(e, 0, 3000));
	buf_putf(e->out, ", resume: %s", ways[below(e, COUNT_OF(ways))]);
	if (i != e->good && behind_forward(e))
		buf_puts(e->out, ", proxy: 'http://fwd.test:3128'");
	buf_puts(e->out, "}\n");
}

/* With a good backend there is time and there are attempts enough to reach it, also
 * where another takes its time with a big answer, and is trusted. */
static void write_limits(struct explorer *e)
{
	bool good = e->good != NO_GOOD;
	unsigned long long enough = e->big ? 800 : 300;

	buf_putf(e->out, "        timeouts: {first_token: %llums, idle: %llums, answer: %llums, "
		 "total: %llus}\n", some_ms(e, 600, 2000), some_ms(e, 600, 2000),
		 some_ms(e, 3000, 4000), good ? enough : some_ms(e, 5, 30));
	buf_putf(e->out, "        retry: {max_attempts: %llu, patience: %llums}\n",
		 good ? 2ull * e->backends : some_ms(e, 1, 6), some_ms(e, 0, 4000));
}

/* Who waits while all is full, and who does not. */
static void write_queue(struct explorer *e)
{
	if (e->good == NO_GOOD && rng_below(&e->queue_rng, 2))
		buf_putf(e->out, "        queue: {length: %llu, wait: %llums}\n",
			 (unsigned long long)rng_below(&e->queue_rng, 6),
			 (unsigned long long)rng_below(&e->queue_rng, 5000));
}

static const char *some_priority(struct explorer *e)
{
	static const char *const headers[] = {
		"", "", "", " header \"x-backstay-priority: low\"",
		" header \"x-backstay-priority: high\"",
	};

	return headers[rng_below(&e->queue_rng, COUNT_OF(headers))];
}

/* What befalls streams on their way. */
static void write_streams(struct explorer *e)
{
	if (one_in(e, 6))
		buf_puts(e->out, "        resume: off\n");
	if (one_in(e, 3))
		buf_puts(e->out, "        stream_upstream: on\n");
	if (one_in(e, 4))
		buf_putf(e->out, "        hedge: {after: %llums, budget: %llu%%}\n", some_ms(e, 20, 600),
			 some_ms(e, 0, 100));
	else if (one_in(e, 8))
		buf_puts(e->out, "        hedge: {after: p95}\n");
	if (one_in(e, 4))
		buf_putf(e->out, "        keep_alive_comments: %llums\n", some_ms(e, 50, 1500));
}

/* Who is chosen, who is left alone and for how long. */
static void write_choice(struct explorer *e)
{
	static const char *const balances[] = {
		"least_loaded", "round_robin", "least_in_flight", "least_latency", "prefix_affinity",
	};

	buf_putf(e->out, "        balance: %s\n", balances[below(e, COUNT_OF(balances))]);
	if (one_in(e, 2))
		buf_putf(e->out, "        breaker: {faults: %llu, rate: %llu%%, open: %llums, "
			 "open_max: %llums, ramp: %llums}\n", some_ms(e, 0, 5), some_ms(e, 0, 100),
			 some_ms(e, 10, 2000), some_ms(e, 10, 15000), some_ms(e, 0, 10000));
	if (one_in(e, 3))
		buf_putf(e->out, "        ejection: {share: %llu%%, factor: 2, time: %llums}\n",
			 some_ms(e, 0, 100), some_ms(e, 100, 5000));
}

/* Answers are kept and shared in half of the worlds. */
static void write_cache(struct explorer *e)
{
	struct rng *r = &e->cache_rng;

	if (!e->cached || rng_below(r, 4) == 0)
		return;
	buf_putf(e->out, "        cache: {fresh: %llums, stale: %llums, refresh: %llums, coalesce: %s, resumed: %s, "
		 "pace: %llums}\n", (unsigned long long)(rng_below(r, 2) * rng_below(r, 8000)),
		 (unsigned long long)rng_below(r, 60000), (unsigned long long)(rng_below(r, 3) * rng_below(r, 3000)),
		 rng_below(r, 3) ? "on" : "off", rng_below(r, 2) ? "on" : "off",
		 (unsigned long long)(rng_below(r, 4) == 0 ? rng_below(r, 30) : 0));
}

static void write_model(struct explorer *e, unsigned stage, const char *name, const char *fallback)
{
	buf_putf(e->out, "      %s:\n", name);
	write_choice(e);
	if (fallback)
		buf_putf(e->out, "        fallbacks: [%s]\n", fallback);
	write_limits(e);
	write_queue(e);
	write_streams(e);
	write_cache(e);
	buf_puts(e->out, "        targets:\n");
	for (unsigned i = 0; i < e->backends; i++)
		if (e->stages[i] == stage)
			buf_putf(e->out, "          - {backend: %c, model: m%u, weight: %llu, "
				 "priority: %llu}\n", 'a' + i, stage, some_ms(e, 1, 3),
				 some_ms(e, 1, 2));
}

static bool has_stage(const struct explorer *e, unsigned stage)
{
	for (unsigned i = 0; i < e->backends; i++)
		if (e->stages[i] == stage)
			return true;
	return false;
}

static void write_yaml(struct explorer *e)
{
	for (unsigned i = 0; i < e->backends; i++)
		e->stages[i] = one_in(e, 3) ? (unsigned)below(e, 3) : 0;
	if (!has_stage(e, 0))
		e->stages[below(e, e->backends)] = 0;
	if (!has_stage(e, 1))
		for (unsigned i = 0; i < e->backends; i++)
			e->stages[i] = e->stages[i] == 2 ? 1 : e->stages[i];
	buf_puts(e->out, "    listen: 127.0.0.1:8080\n");
	if (e->keys)
		buf_puts(e->out, "    keys: [{name: app, key: secret-app}]\n");
	if (e->good == NO_GOOD && one_in(e, 8))
		buf_putf(e->out, "    limits: {connections: %llu}\n", some_ms(e, 2, 8));
	buf_putf(e->out, "    defaults: {timeouts: {connect: %llums}}\n", some_ms(e, 400, 1500));
	buf_puts(e->out, "    backends:\n");
	for (unsigned i = 0; i < e->backends; i++)
		write_backend_config(e, i);
	buf_puts(e->out, "    models:\n");
	write_model(e, 0, "chat", has_stage(e, 1) ? "spare" : NULL);
	if (has_stage(e, 1))
		write_model(e, 1, "spare", has_stage(e, 2) ? "last" : NULL);
	if (has_stage(e, 2))
		write_model(e, 2, "last", NULL);
}

/* ---- clients -------------------------------------------------------------------- */

/* The draws are made in this order whatever is done with them: seeds keep their
 * worlds. */
static void write_words(struct explorer *e, const char *kind, unsigned number, const char *key, bool last)
{
	const char *priority = some_priority(e);
	bool http10 = last && one_in(e, 8);
	bool stream = strcmp(kind, "embeddings") && strcmp(kind, "moderations") && below(e, 4);
	unsigned long long words = some_ms(e, 0, 1000);

	buf_putf(e->out, "%s \"words of ", kind);
	if (e->cached)
		buf_putf(e->out, "%llu", (unsigned long long)rng_below(&e->cache_rng, 3));
	else
		buf_putf(e->out, "%u, %llu", number, words);
	buf_putf(e->out, "\"%s%s %s%s\n", stream ? " stream" : "", http10 ? " http10" : "", key, priority);
}

/* One request. Gives whether the good backend must see it through. A client of
 * HTTP/1.0 sends nothing behind it: `last`. */
static bool write_request(struct explorer *e, unsigned number, const char *key, bool last)
{
	static const char *const kinds[] = {
		"chat", "chat", "chat", "chat", "chat", "completions", "responses", "embeddings",
		"moderations",
	};
	static const char *const others[] = {
		"GET /v1/models", "HEAD /v1/models", "GET /v1/models/chat", "GET /nowhere",
		"POST /v1/chat/completions {\"model\":\"chat\"}", "POST /v1/embeddings {\"model\":",
		"POST /v1/chat/completions {\"model\":\"chap\",\"messages\":[]}", "GET /v1/files",
		"POST /v1/batches {\"model\":\"chat\",\"input_file_id\":\"f\"}",
	};
	const char *kind = kinds[below(e, COUNT_OF(kinds))];

	if (one_in(e, 12)) {
		const char *other = others[below(e, COUNT_OF(others))];
		const char *body = strchr(other, '{');
		int head = body ? (int)(body - other) : (int)strlen(other);

		buf_putf(e->out, "%.*s %s %s\n", head, other, key, body ? body : "");
		return false;
	}
	write_words(e, kind, number, key, last);
	return true;
}

/* Gives whether it stays and reads to the end. */
static bool write_moves(struct explorer *e, long long at_ms, unsigned number)
{
	switch (below(e, 12)) {
	case 0:
		buf_putf(e->out, "at %lldms client c%u leaves\n", at_ms + (long long)below(e, 1500),
			 number);
		return false;
	case 1:
		buf_putf(e->out, "at %lldms client c%u resets\n", at_ms + (long long)below(e, 1500),
			 number);
		return false;
	case 2:
		buf_putf(e->out, "at %lldms client c%u pauses\nat %lldms client c%u resumes\n",
			 at_ms + 50, number, at_ms + 50 + (long long)below(e, 3000), number);
		return true;
	default:
		return true;
	}
}

static void write_client(struct explorer *e, unsigned number, bool *must_be_served)
{
	const char *key = !e->keys ? "" : one_in(e, 8) ? "key wrong" : "key secret-app";
	long long at_ms = some_time(e);
	unsigned more = one_in(e, 3) ? (unsigned)below(e, 4) : 0;
	bool all = strcmp(key, "key wrong") != 0;

	buf_putf(e->out, "at %lldms client c%u ", at_ms, number);
	all &= write_request(e, number, key, more == 0);
	all &= write_moves(e, at_ms, number);
	for (unsigned i = 0; i < more; i++) {
		at_ms += (long long)below(e, one_in(e, 2) ? 20 : 2500);
		buf_putf(e->out, "at %lldms client c%u then ", at_ms, number);
		all &= write_request(e, number, key, i + 1 == more);
	}
	*must_be_served = all && e->good != NO_GOOD;
}

/* ---- misfortunes ------------------------------------------------------------------- */

static void write_name_trouble(struct explorer *e, long long at_ms)
{
	static const char *const how[] = { "silent", "fails", "is 10.9.9.9", "is 10.9.9.9 10.9.9.8" };
	char who = some_backend(e);
	unsigned i = (unsigned)below(e, COUNT_OF(how));

	buf_putf(e->out, "at %lldms dns %c.test %s\n", at_ms, who, how[i]);
	if (one_in(e, 2))
		buf_putf(e->out, "at %lldms dns %c.test %s\n", at_ms + (long long)below(e, 4000), who,
			 i < 2 ? "ok" : "fails");
}

static void write_upheaval(struct explorer *e, long long at_ms)
{
	switch (below(e, 4)) {
	case 0:
		buf_putf(e->out, "at %lldms wall jumps %lluh%s\n", at_ms, some_ms(e, 1, 100),
			 one_in(e, 2) ? " back" : "");
		break;
	case 1:
		buf_putf(e->out, "at %lldms reload\n    nonsense: true\n", at_ms);
		break;
	case 2:
		buf_putf(e->out, "at %lldms reload\n", at_ms);
		write_yaml(e);
		break;
	default:
		write_name_trouble(e, at_ms);
		break;
	}
}

static void write_misfortune(struct explorer *e)
{
	long long at_ms = some_time(e);

	switch (below(e, 9)) {
	case 0:
	case 1:
	case 2:
		buf_putf(e->out, "at %lldms backend %c: %s\n", at_ms, some_backend(e),
			 some_behaviour(e));
		break;
	case 3:
		buf_putf(e->out, "at %lldms backend %c next: %s\n", at_ms, some_backend(e),
			 some_behaviour(e));
		break;
	case 4: {
		char who = some_backend(e);

		buf_putf(e->out, "at %lldms backend %c down\nat %lldms backend %c up\n", at_ms, who,
			 at_ms + (long long)below(e, 4000), who);
		break;
	}
	case 5:
		write_upheaval(e, at_ms);
		break;
	default:
		buf_putf(e->out, "at %lldms network %c %s\n", at_ms, some_backend(e),
			 e->good == NO_GOOD && one_in(e, 20) ? "local 1" : some_blow(e));
		break;
	}
}

static void write_forward_trouble(struct explorer *e)
{
	static const char *const troubles[] = {
		"forward f refuses 403", "forward f refuses 502", "forward f works",
		"network f reset", "network f cut", "network f vanish", "network f refuse 1",
		"network f stall 2s", "network f blackhole 1",
		"network f plan cut to client after 10 times 1",
	};

	if (!e->forward)
		return;
	for (uint64_t n = rng_below(&e->forward_rng, 6); n > 0; n--)
		buf_putf(e->out, "at %llums %s\n",
			 (unsigned long long)rng_below(&e->forward_rng, (uint64_t)e->span_ms),
			 troubles[rng_below(&e->forward_rng, COUNT_OF(troubles))]);
}

/* ---- the world ------------------------------------------------------------------------ */

static void draw_world(struct explorer *e)
{
	e->backends = 2 + (unsigned)below(e, 3);
	e->good = one_in(e, 2) ? (unsigned)below(e, e->backends) : NO_GOOD;
	e->span_ms = 1000 + (int64_t)below(e, 9000);
	e->keys = one_in(e, 4);
	e->big = one_in(e, 15);
	e->drains = e->good == NO_GOOD && one_in(e, 5);
}

static void write_end(struct explorer *e)
{
	long long at_ms = some_time(e);

	if (!e->drains)
		return;
	buf_putf(e->out, "at %lldms proxy drains\n", at_ms);
	if (one_in(e, 2))
		buf_putf(e->out, "at %lldms proxy shuts down\n", at_ms + (long long)below(e, 3000));
}

void explore_write(struct buf *out, uint64_t seed, unsigned clients)
{
	struct explorer e = { .out = out };
	bool must_be_served[EXPLORE_CLIENTS_MAX] = { false };
	unsigned misfortunes;

	must(clients <= EXPLORE_CLIENTS_MAX);
	rng_seed(&e.rng, seed);
	rng_seed(&e.forward_rng, ~seed);
	rng_seed(&e.queue_rng, seed ^ 0x7175657565);
	rng_seed(&e.cache_rng, seed ^ 0x6361636865);
	e.cached = rng_below(&e.cache_rng, 2) == 0;
	e.forward = rng_below(&e.forward_rng, 8) == 0;
	draw_world(&e);
	misfortunes = (unsigned)below(&e, 25);
	buf_putf(out, "seed %llu\nworkers %llu\nturns %llu\n", (unsigned long long)seed,
		 some_ms(&e, 1, 3), some_ms(&e, 1, 4));
	if (one_in(&e, 2))
		buf_puts(out, "link 127.0.0.1:8080 cuts random jitter 3ms\n");
	write_backends(&e);
	if (e.forward)
		buf_puts(out, "forward f at fwd.test:3128\n");
	buf_puts(out, "config\n");
	write_yaml(&e);
	for (unsigned i = 0; i < clients; i++)
		write_client(&e, i + 1, &must_be_served[i]);
	for (unsigned i = 0; i < misfortunes; i++)
		write_misfortune(&e);
	write_forward_trouble(&e);
	write_end(&e);
	buf_puts(out, "expect everyone whole or honest\n");
	for (unsigned i = 0; i < clients; i++)
		if (must_be_served[i])
			buf_putf(out, "expect c%u whole thanks to %c\n", i + 1, 'a' + e.good);
	buf_putf(out, "expect proxy queued at most %d\nexpect nothing left over\n", QUEUED_MAX);
}
