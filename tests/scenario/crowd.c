#include "crowd.h"

#include <stdlib.h>
#include <string.h>

/* Longer than any exchange may take. */
#define PATIENCE_MS 120000

struct asker {
	struct asker *next;
	struct sim_client *client;
	bool done;                    /* counted */
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

static void on_record(void *owner, const struct exchange_record *r)
{
	struct crowd *c = owner;

	metrics_count(c->sheet, S("chat"), r);
	c->records++;
	c->counts.attempts += r->attempt_count;
	for (size_t i = 0; i < r->attempt_count; i++)
		if (r->attempts[i].target.len)
			c->backends[(r->attempts[i].target.at[0] - 'a') % CROWD_BACKENDS_MAX].tries++;
}

/* As the crowds' configs name them. */
static struct slice target_name(unsigned backend)
{
	static const struct slice names[CROWD_BACKENDS_MAX] = {
		S_INIT("a/m"), S_INIT("b/m"), S_INIT("c/m"), S_INIT("d/m"),
	};

	return names[backend];
}

static void body_of(struct buf *out, bool stream)
{
	buf_puts(out, "{\"model\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"" CROWD_PROMPT
		 "\"}]");
	if (stream)
		buf_puts(out, ",\"stream\":true");
	buf_puts(out, "}");
}

static void ask(struct sim_client *client, bool stream, struct slice headers)
{
	struct buf body = BUF_INIT(4096);

	body_of(&body, stream);
	sim_client_ask(client, &(struct sim_client_request){
		.method = S("POST"), .path = S("/v1/chat/completions"), .headers = headers,
		.body = buf_slice(&body) });
	buf_free(&body);
}

/* Straight from a backend that nothing befalls yet. */
static void learn_words(struct crowd *c)
{
	struct sim_client *client = sim_client_create(c->clients, &c->backends[0].addr);
	const struct sim_answer *a;

	ask(client, false, SLICE_NONE);
	sim_run_for(c->sim, PATIENCE_MS);
	a = sim_client_answer(client);
	must(a->end == ANSWER_COMPLETE);
	buf_put(&c->expected, buf_slice(&a->text));
	sim_client_free(client);
}

void crowd_init(struct crowd *c, uint64_t seed, unsigned backends, const struct mock_options *options)
{
	must(backends <= CROWD_BACKENDS_MAX);
	*c = (struct crowd){ .backend_count = backends, .expected = BUF_INIT(1 << 20),
			     .log = { .sink = no_line, .wall_ms = no_wall, .level = LOG_ERROR } };
	rng_seed(&c->rng, seed ^ 0x63726f7764);
	c->sim = sim_create(seed);
	c->clients = sim_io_create(c->sim, "clients");
	for (unsigned i = 0; i < backends; i++) {
		struct crowd_backend *b = &c->backends[i];
		char name[16], addr[32];

		snprintf(name, sizeof name, "%c.test", 'a' + (int)i);
		snprintf(addr, sizeof addr, "10.1.0.%u:80", i + 1);
		b->addr = sim_addr(addr);
		addr[strlen(addr) - 3] = '\0';
		sim_host_add(c->sim, name, addr);
		b->io = sim_io_create(c->sim, name);
		b->socket = io_socket_open(&b->addr, NULL, 0);
		b->mock = mock_create(b->io, options, NULL);
		must(mock_listen(b->mock, b->socket, NULL));
	}
	learn_words(c);
}

void crowd_proxy(struct crowd *c, unsigned workers, struct slice config)
{
	struct buf errors = BUF_INIT(1 << 16);

	c->metrics = metrics_create();
	c->sheet = metrics_sheet_create(c->metrics);
	metrics_know_model(c->metrics, S("chat"));
	for (unsigned i = 0; i < c->backend_count; i++)
		metrics_know_target(c->metrics, target_name(i));
	c->proxy = sim_proxy_create(c->sim, workers, S("crowd"), config, &c->log, on_record, c, &errors);
	if (!c->proxy)
		fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&errors)));
	must(c->proxy != NULL);
	buf_free(&errors);
}

/* ---- clients ------------------------------------------------------------------------- */

struct asker *crowd_ask(struct crowd *c, bool stream, struct slice headers)
{
	struct asker *a = c->idle;

	if (a) {
		c->idle = a->next;
	} else {
		struct io_addr to = sim_proxy_addr(c->proxy);

		a = calloc(1, sizeof *a);
		must(a != NULL);
		a->client = sim_client_create(c->clients, &to);
	}
	a->done = false;
	a->next = c->busy;
	c->busy = a;
	c->counts.asked++;
	ask(a->client, stream, headers);
	return a;
}

const struct sim_answer *asker_answer(const struct asker *a)
{
	return sim_client_answer(a->client);
}

void asker_leave(struct asker *a)
{
	if (a && !a->done && asker_answer(a)->end == ANSWER_PENDING)
		sim_client_leave(a->client, IO_CLOSE_RESET);
}

static void note_bad(struct crowd *c, const struct sim_answer *a)
{
	if (!c->first_bad[0])
		snprintf(c->first_bad, sizeof c->first_bad,
			 "status %d, %s, code '%s', broken '%s', violation '%s', asked at %lld, ended at "
			 "%lld, %zu of %zu bytes", a->status, sim_answer_end_name(a->end), a->error_code,
			 a->broken, a->violation, (long long)(a->asked_at - SIM_START_MS),
			 (long long)(a->ended_at - SIM_START_MS), buf_len(&a->text),
			 buf_len(&c->expected));
}

static void count(struct crowd *c, const struct sim_answer *a)
{
	bool right = slice_eq(buf_slice(&a->text), buf_slice(&c->expected));

	if (c->late_from && a->asked_at >= c->late_from && a->end != ANSWER_LEFT) {
		c->counts.late++;
		c->counts.late_complete += a->end == ANSWER_COMPLETE && right;
	}
	switch (a->end) {
	case ANSWER_COMPLETE:
		*(right ? &c->counts.complete : &c->counts.wrong) += 1;
		break;
	case ANSWER_ERROR:
		c->counts.honest++;
		break;
	case ANSWER_LEFT:
		c->counts.left++;
		break;
	case ANSWER_BROKEN:
	case ANSWER_UNSERVED:
		c->counts.broken++;
		break;
	case ANSWER_PENDING:
		c->counts.pending++;
		break;
	}
	c->counts.violations += a->violation[0] != '\0';
	if (a->violation[0] || (a->end != ANSWER_LEFT && !(a->end == ANSWER_COMPLETE && right)))
		note_bad(c, a);
}

void asker_done(struct crowd *c, struct asker *a)
{
	struct asker **at = &c->busy;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	must(asker_answer(a)->end != ANSWER_PENDING);
	count(c, asker_answer(a));
	a->done = true;
	a->next = c->idle;
	c->idle = a;
}

static void harvest(struct crowd *c, bool all)
{
	struct asker *a = c->busy, *next;

	c->busy = NULL;
	for (; a; a = next) {
		const struct sim_answer *answer = asker_answer(a);

		next = a->next;
		if (answer->end == ANSWER_PENDING && !all) {
			a->next = c->busy;
			c->busy = a;
			continue;
		}
		count(c, answer);
		a->done = true;
		a->next = c->idle;
		c->idle = a;
	}
}

void crowd_harvest(struct crowd *c)
{
	harvest(c, false);
}

/* ---- the end ------------------------------------------------------------------------------ */

static bool leftovers(struct crowd *c)
{
	size_t exchanges = sim_proxy_exchanges(c->proxy);
	unsigned places = sim_proxy_in_flight(c->proxy), waiting = sim_proxy_waiting(c->proxy);
	uint64_t busy = sim_proxy_busy_connections(c->proxy), bytes = sim_proxy_body_bytes(c->proxy);

	if (!exchanges && !places && !waiting && !busy && !bytes)
		return false;
	fprintf(stderr, "left over: %zu exchanges, %u places, %u waiting, %llu connections, "
		"%llu bytes of bodies\n", exchanges, places, waiting, (unsigned long long)busy,
		(unsigned long long)bytes);
	return true;
}

/* Who left may have done so before the proxy knew of the request, or behind its
 * answer; everything else must be the same number. */
static bool metrics_are_true(const struct crowd *c)
{
	const struct crowd_counts *n = &c->counts;
	struct metrics_total total = metrics_total(c->metrics);
	uint64_t attempts = 0, complete = n->complete + n->wrong;
	bool good = total.exchanges == c->records && total.exchanges <= n->asked &&
		    total.exchanges >= n->asked - n->left && total.good >= complete &&
		    total.good <= complete + n->left;

	for (unsigned i = 0; i < c->backend_count; i++) {
		struct metrics_target t = metrics_target_sum(c->metrics, target_name(i));
		struct mock_stats seen = mock_stats(c->backends[i].mock);

		good = good && t.attempts == c->backends[i].tries && t.good <= seen.all.requests;
		attempts += t.attempts;
	}
	good = good && attempts == n->attempts;
	if (!good)
		fprintf(stderr, "metrics: %llu exchanges, %llu good, %llu attempts; counted: %llu asked, %llu "
			"left, %llu records, %llu complete, %llu attempts\n",
			(unsigned long long)total.exchanges, (unsigned long long)total.good,
			(unsigned long long)attempts, (unsigned long long)n->asked, (unsigned long long)n->left,
			(unsigned long long)c->records, (unsigned long long)complete,
			(unsigned long long)n->attempts);
	return good;
}

static void free_askers(struct asker *a)
{
	while (a) {
		struct asker *next = a->next;

		sim_client_free(a->client);
		free(a);
		a = next;
	}
}

bool crowd_end(struct crowd *c)
{
	struct sim_counts counts;
	char text[256];
	bool clean;

	sim_run_for(c->sim, 1000);      /* the last request is on its way yet */
	for (int64_t waited = 0; waited < PATIENCE_MS && sim_proxy_exchanges(c->proxy); waited += 100)
		sim_run_for(c->sim, 100);
	sim_run_for(c->sim, 5000);
	harvest(c, true);
	clean = !leftovers(c);
	clean = metrics_are_true(c) && clean;
	free_askers(c->idle);
	sim_proxy_drain(c->proxy);
	sim_run_for(c->sim, 5000);
	sim_proxy_free(c->proxy);
	for (unsigned i = 0; i < c->backend_count; i++)
		mock_free(c->backends[i].mock);
	sim_run_for(c->sim, 200000);
	counts = sim_count(c->sim, NULL);
	if (!sim_counts_clean(&counts)) {
		fprintf(stderr, "left over in the world: %s\n", sim_counts_text(&counts, text, sizeof text));
		clean = false;
	}
	for (unsigned i = 0; i < c->backend_count; i++)
		io_socket_close(c->backends[i].socket);
	sim_free(c->sim);
	metrics_free(c->metrics);
	buf_free(&c->expected);
	return clean;
}
