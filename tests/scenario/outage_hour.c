/* outage_hour: six hours of traffic, then an hour in which all backends are gone:
 * how many requests are answered, by what, and how old are the answers?
 *   outage_hour [--hours N] [--seed N]
 * The traffic is like that of a help desk: some questions are asked again and
 * again (by Zipf's law), every fifth in words of its own; more by day than by
 * night; a third as streams. It fails where a request is not answered, where a
 * kept answer is not the one that was given for that question, or where one is
 * older than it may be. */
#include "base/rng.h"
#include "mock/mock.h"
#include "sim/client.h"
#include "sim/proxy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUESTIONS 3000
#define KEYS 4
#define RATE_PER_S 0.6
#define STALE_MS 86400000
#define HOUR_MS 3600000
#define MINUTE_MS 60000
#define AGES_MAX 20000

static const char config[] =
	"listen: 127.0.0.1:8080\n"
	"keys:\n"
	"  - {name: k0, key: key-number-zero-0000, group: desk}\n"
	"  - {name: k1, key: key-number-one-11111, group: desk}\n"
	"  - {name: k2, key: key-number-two-22222, group: desk}\n"
	"  - {name: k3, key: key-number-three-333, group: desk}\n"
	"backends:\n"
	"  a: {url: 'http://10.1.0.1/v1'}\n"
	"  b: {url: 'http://10.1.0.2/v1'}\n"
	"models:\n"
	"  chat:\n"
	"    targets: [{backend: a, model: m}, {backend: b, model: m}]\n"
	"    cache: {stale: 24h, scope: group, near: 80%}\n"
	"    last_resort: {message: 'The assistant is briefly unavailable.'}\n";

static const char *const keys[KEYS] = {
	"key-number-zero-0000", "key-number-one-11111", "key-number-two-22222", "key-number-three-333",
};

struct tally {
	unsigned asked, model, stale, near, last, failed;
	int64_t ages[AGES_MAX];       /* of stale and near ones, ms */
	size_t age_count;
};

struct world {
	struct sim *sim;
	struct io *clients;
	struct sim_proxy *proxy;
	struct log log;
	struct rng rng;
	double weights[QUESTIONS];    /* summed up */
	uint64_t answers[QUESTIONS];  /* hash of the text given for it; 0: none yet */
	bool out;
	struct tally before, during;
	unsigned wrong, too_old;
};

static void no_line(void *owner, enum log_level level, struct slice line)
{
	(void)owner, (void)level, (void)line;
}

static int64_t no_wall(void *owner)
{
	(void)owner;
	return 0;
}

/* ---- what is asked --------------------------------------------------------------------- */

static const char *const words[] = {
	"invoice", "password", "delivery", "refund", "account", "printer", "contract", "holiday", "laptop",
	"meeting", "server", "backup", "ticket", "update", "license", "network", "report", "customer",
	"warranty", "payment", "address", "order", "camera", "keyboard", "monitor", "project", "budget",
};

static void write_question(struct buf *out, unsigned n, unsigned variant)
{
	struct rng rng;

	rng_seed(&rng, n * UINT64_C(7919) + 1);
	buf_putf(out, "How do I deal with case %u when the", n);
	for (int i = 0; i < 14; i++)
		buf_putf(out, " %s", words[rng_below(&rng, COUNT_OF(words))]);
	buf_puts(out, " does not work as expected?");
	if (variant)
		buf_putf(out, " %u", variant);
}

static unsigned draw_question(struct world *w)
{
	double at = rng_unit(&w->rng) * w->weights[QUESTIONS - 1];
	unsigned low = 0, high = QUESTIONS - 1;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (w->weights[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- one request -------------------------------------------------------------------------- */

struct asking {
	struct world *w;
	struct sim_client *client;
	unsigned question, variant;
	bool during;
};

/* What the answer says of itself. */
static void count(struct asking *q)
{
	const struct sim_answer *a = sim_client_answer(q->client);
	struct tally *t = q->during ? &q->w->during : &q->w->before;
	struct slice degraded = sim_answer_header(a, S("x-backstay-degraded"));
	struct slice age = sim_answer_header(a, S("age"));
	uint64_t hash = slice_hash(buf_slice(&a->text), 1) | 1, seconds = 0;

	t->asked++;
	if (a->end != ANSWER_COMPLETE) {
		t->failed++;
		return;
	}
	if (!degraded.len) {
		t->model++;
		if (!q->variant)
			q->w->answers[q->question] = hash;
		return;
	}
	if (slice_eq(degraded, S("last-resort"))) {
		t->last++;
		return;
	}
	if (slice_eq(degraded, S("stale"))) {
		t->stale++;
		if (!q->variant && q->w->answers[q->question] != hash)
			q->w->wrong++;
	} else {
		t->near++;
	}
	slice_to_u64(age, &seconds);
	if ((int64_t)seconds * 1000 >= STALE_MS)
		q->w->too_old++;
	if (t->age_count < AGES_MAX)
		t->ages[t->age_count++] = (int64_t)seconds * 1000;
}

static void ask(struct asking *q)
{
	struct buf body = BUF_INIT(8192), headers = BUF_INIT(256);

	buf_puts(&body, "{\"model\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"");
	write_question(&body, q->question, q->variant);
	buf_putf(&body, "\"}]%s}", rng_one_in(&q->w->rng, 3) ? ",\"stream\":true" : "");
	buf_putf(&headers, "Authorization: Bearer %s\r\n", keys[rng_below(&q->w->rng, KEYS)]);
	sim_client_ask(q->client, &(struct sim_client_request){ .method = S("POST"),
		.path = S("/v1/chat/completions"), .headers = buf_slice(&headers), .body = buf_slice(&body) });
	buf_free(&body);
	buf_free(&headers);
}

static void one_request(struct world *w)
{
	struct io_addr to = sim_proxy_addr(w->proxy);
	struct asking q = { .w = w, .client = sim_client_create(w->clients, &to), .during = w->out };

	q.question = draw_question(w);
	if (rng_one_in(&w->rng, 5))
		q.variant = 1 + (unsigned)rng_below(&w->rng, 100000);
	ask(&q);
	while (sim_client_waits(q.client) && sim_step(w->sim))
		continue;
	count(&q);
	sim_client_free(q.client);
}

/* ---- the hours ------------------------------------------------------------------------------- */

/* Until `to_ms` after the beginning; the rate goes up and down over the hours. */
static void traffic(struct world *w, int64_t to_ms)
{
	while (sim_now(w->sim) - SIM_START_MS < to_ms) {
		double hour = (double)(sim_now(w->sim) - SIM_START_MS) / HOUR_MS;
		double rate = RATE_PER_S * (1 + 0.5 * sin(hour * 3.14159265 / 4));
		double gap_s = -log(1 - rng_unit(&w->rng)) / rate;

		sim_run_for(w->sim, 1 + (int64_t)(gap_s * 1000));
		one_request(w);
	}
}

static struct mock *start_backend(struct world *w, const char *at, struct io_socket **socket)
{
	const struct mock_options options = { .seed = 1, .name = S("m"), .ttft_ms = 200, .gap_ms = 5, .tokens = 30 };
	struct io_addr addr = sim_addr(at);
	struct io *io = sim_io_create(w->sim, at);
	struct mock *m;

	*socket = io_socket_open(&addr, NULL, 0);
	m = mock_create(io, &options, NULL);
	must(mock_listen(m, *socket, NULL));
	return m;
}

static void strike(struct world *w, const char *at)
{
	struct io_addr addr = sim_addr(at);

	sim_link_to(w->sim, &addr)->connect = SIM_CONNECT_REFUSE;
	sim_strike(w->sim, &addr, SIM_STRIKE_RESET, 0, 0);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static double minutes(const struct tally *t, double share)
{
	return t->age_count ? (double)t->ages[(size_t)(share * (double)(t->age_count - 1))] / MINUTE_MS : 0;
}

static bool tell(struct world *w)
{
	struct tally *t = &w->during;
	double all = t->asked ? t->asked : 1;

	qsort(t->ages, t->age_count, sizeof *t->ages, by_size);
	printf("before: %u asked, %u answered by a model, %u failed\n", w->before.asked, w->before.model,
	       w->before.failed);
	printf("outage of an hour: %u asked; kept answer %u (%.1f %%), near match %u (%.1f %%), "
	       "last resort %u (%.1f %%), error %u\n", t->asked, t->stale, 100 * t->stale / all, t->near,
	       100 * t->near / all, t->last, 100 * t->last / all, t->failed);
	printf("age of what was given: half below %.0f min, 90 %% below %.0f min, oldest %.0f min\n",
	       minutes(t, 0.5), minutes(t, 0.9), minutes(t, 1));
	if (w->wrong || w->too_old || t->failed || t->model || w->before.failed)
		printf("WRONG: %u of another question, %u too old, %u failed, %u from nowhere\n", w->wrong,
		       w->too_old, t->failed + w->before.failed, t->model);
	/* A third of such traffic repeats what was asked within hours. */
	return !w->wrong && !w->too_old && !t->failed && !t->model && !w->before.failed &&
	       (t->stale + t->near) / all > 0.3;
}

static bool play(uint64_t seed, unsigned hours)
{
	static struct world w;
	struct io_socket *sockets[2];
	struct buf errors = BUF_INIT(65536);
	struct mock *a, *b;
	bool good;

	memset(&w, 0, sizeof w);
	w.sim = sim_create(seed);
	w.clients = sim_io_create(w.sim, "clients");
	w.log = (struct log){ .sink = no_line, .wall_ms = no_wall, .level = LOG_ERROR };
	rng_seed(&w.rng, seed);
	for (unsigned i = 0; i < QUESTIONS; i++)
		w.weights[i] = (i ? w.weights[i - 1] : 0) + 1.0 / (i + 1);
	a = start_backend(&w, "10.1.0.1:80", &sockets[0]);
	b = start_backend(&w, "10.1.0.2:80", &sockets[1]);
	w.proxy = sim_proxy_create(w.sim, 2, S("outage_hour"), slice_of(config), &w.log, NULL, NULL, &errors);
	if (!w.proxy)
		fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&errors)));
	must(w.proxy != NULL);
	traffic(&w, (int64_t)hours * HOUR_MS);
	strike(&w, "10.1.0.1:80");
	strike(&w, "10.1.0.2:80");
	w.out = true;
	traffic(&w, (int64_t)(hours + 1) * HOUR_MS);
	good = tell(&w);
	sim_proxy_drain(w.proxy);
	sim_run_for(w.sim, 5000);
	sim_proxy_free(w.proxy);
	mock_free(a);
	mock_free(b);
	buf_free(&errors);
	sim_run_for(w.sim, 60000);
	for (int i = 0; i < 2; i++)
		io_socket_close(sockets[i]);
	sim_free(w.sim);
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned hours = 6;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--hours") == 0)
			hours = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else
			return 2;
	}
	return play(seed, hours) ? 0 : 1;
}
