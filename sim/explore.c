/* explore.c: makes up scenarios. Only misfortunes that leave the words of a
 * right answer as they are, so that a complete answer can be compared. */
#include "sim/explore.h"

#include "base/rng.h"

struct explorer {
	struct rng rng;
	struct buf *out;
	unsigned backends;
	int64_t span_ms;
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

static const char *const blows[] = {
	"reset", "cut", "vanish", "stall 300ms", "stall 4s", "cut idle 50ms", "refuse 2",
	"refuse", "ok", "ok", "ok", "blackhole 1", "unreachable 1", "local 1", "jitter 20ms",
	"latency 5ms", "cuts random", "cuts bytes", "cuts whole", "window 3000", "idle-close 2s",
	"plan reset to client after 300 times 1", "plan cut to client after 700 times 2",
	"plan vanish to client after 500 times 1", "plan stall to client after 400 for 2s times 2",
	"plan reset to server after 50 times 1", "plan cut to client after 0 times 1",
	"junk \"HTTP/1.1 408 Request Timeout\\r\\nContent-Length: 0\\r\\n\\r\\n\" idle 3s",
};

static uint64_t below(struct explorer *e, uint64_t n)
{
	return rng_below(&e->rng, n);
}

static int64_t some_time(struct explorer *e)
{
	return (int64_t)below(e, (uint64_t)e->span_ms);
}

static char some_backend(struct explorer *e)
{
	return (char)('a' + below(e, e->backends));
}

static void write_backends(struct explorer *e)
{
	uint64_t tokens = 5 + below(e, 40);

	for (unsigned i = 0; i < e->backends; i++) {
		buf_putf(e->out, "backend %c at %c.test:80\n    tokens %llu\n    ttft %llums\n"
			 "    gap %llums\n", 'a' + i, 'a' + i, (unsigned long long)tokens,
			 (unsigned long long)below(e, 200), (unsigned long long)below(e, 30));
		if (below(e, 3) == 0)
			buf_putf(e->out, "    behaviour %s\n",
				 behaviours[below(e, COUNT_OF(behaviours))]);
		buf_putf(e->out, "link %c latency %llums jitter %llums\n", 'a' + i,
			 (unsigned long long)below(e, 30), (unsigned long long)below(e, 10));
	}
}

static void write_config(struct explorer *e)
{
	unsigned fallback = below(e, 2) ? e->backends - 1 : e->backends;

	buf_puts(e->out, "config\n    listen: 127.0.0.1:8080\n    backends:\n");
	for (unsigned i = 0; i < e->backends; i++)
		buf_putf(e->out, "      %c: {dialect: openai, url: 'http://%c.test/v1'%s}\n",
			 'a' + i, 'a' + i, below(e, 6) ? "" : ", max_in_flight: 3");
	buf_puts(e->out, "    models:\n      chat:\n        targets:\n");
	for (unsigned i = 0; i < fallback; i++)
		buf_putf(e->out, "          - {backend: %c, model: m, weight: %llu, priority: %llu}\n",
			 'a' + i, (unsigned long long)(1 + below(e, 3)),
			 (unsigned long long)(1 + below(e, 2)));
	buf_putf(e->out, "        timeouts: {first_token: %llums, idle: %llums, total: %llus}\n",
		 (unsigned long long)(500 + below(e, 2000)),
		 (unsigned long long)(500 + below(e, 2000)), (unsigned long long)(5 + below(e, 30)));
	if (fallback == e->backends)
		return;
	buf_puts(e->out, "        fallbacks: [spare]\n      spare:\n        targets:\n");
	buf_putf(e->out, "          - {backend: %c, model: s}\n", 'a' + fallback);
}

static void write_client(struct explorer *e, unsigned number)
{
	int64_t at_ms = some_time(e);

	buf_putf(e->out, "at %lldms client c%u chat \"words of %u\"%s\n", (long long)at_ms, number,
		 number, below(e, 4) ? " stream" : "");
	switch (below(e, 12)) {
	case 0:
		buf_putf(e->out, "at %lldms client c%u leaves\n",
			 (long long)at_ms + (int64_t)below(e, 1500), number);
		break;
	case 1:
		buf_putf(e->out, "at %lldms client c%u resets\n",
			 (long long)at_ms + (int64_t)below(e, 1500), number);
		break;
	case 2:
		buf_putf(e->out, "at %lldms client c%u pauses\nat %lldms client c%u resumes\n",
			 (long long)at_ms + 50, number,
			 (long long)at_ms + 50 + (int64_t)below(e, 3000), number);
		break;
	default:
		break;
	}
}

static void write_misfortune(struct explorer *e)
{
	long long at_ms = some_time(e);

	switch (below(e, 8)) {
	case 0:
	case 1:
	case 2:
		buf_putf(e->out, "at %lldms backend %c: %s\n", at_ms, some_backend(e),
			 behaviours[below(e, COUNT_OF(behaviours))]);
		break;
	case 3:
		buf_putf(e->out, "at %lldms backend %c next: %s\n", at_ms, some_backend(e),
			 behaviours[below(e, COUNT_OF(behaviours))]);
		break;
	case 4: {
		char who = some_backend(e);

		buf_putf(e->out, "at %lldms backend %c down\nat %lldms backend %c up\n", at_ms, who,
			 at_ms + (long long)below(e, 4000), who);
		break;
	}
	default:
		buf_putf(e->out, "at %lldms network %c %s\n", at_ms, some_backend(e),
			 blows[below(e, COUNT_OF(blows))]);
		break;
	}
}

void explore_write(struct buf *out, uint64_t seed, unsigned clients)
{
	struct explorer e = { .out = out };
	unsigned misfortunes;

	rng_seed(&e.rng, seed);
	e.backends = 2 + (unsigned)below(&e, 3);
	e.span_ms = 1000 + (int64_t)below(&e, 9000);
	misfortunes = (unsigned)below(&e, 25);
	buf_putf(out, "seed %llu\nworkers %llu\nturns %llu\n", (unsigned long long)seed,
		 (unsigned long long)(1 + below(&e, 3)), (unsigned long long)(1 + below(&e, 4)));
	if (below(&e, 2))
		buf_puts(out, "link 127.0.0.1:8080 cuts random jitter 3ms\n");
	write_backends(&e);
	write_config(&e);
	for (unsigned i = 0; i < clients; i++)
		write_client(&e, i + 1);
	for (unsigned i = 0; i < misfortunes; i++)
		write_misfortune(&e);
	buf_puts(out, "expect everyone whole or honest\nexpect nothing left over\n");
}
