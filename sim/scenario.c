/* scenario.c: reads a scenario, builds its world, lets it run, takes it down. */
#include "sim/scenario_inside.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* How long a scenario may go on after its last line. */
#define PATIENCE_MS (15 * 60 * 1000)
#define LOG_MAX ((size_t)16 << 20)
#define TAIL_LINES 45

void scenario_fail(struct scenario *sc, unsigned line, const char *format, ...)
{
	FILE *out = sc->options->out;
	va_list args;

	sc->failures++;
	if (line)
		fprintf(out, "%s:%u: ", sc->name, line);
	else
		fprintf(out, "%s: ", sc->name);
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fprintf(out, " (seed %llu, at %lld ms)\n", (unsigned long long)sc->seed,
		(long long)(sc->sim ? scenario_now(sc) : 0));
}

int64_t scenario_now(const struct scenario *sc)
{
	return sim_now(sc->sim) - SIM_START_MS;
}

struct backend *scenario_backend(struct scenario *sc, struct slice name)
{
	for (unsigned i = 0; i < sc->backend_count; i++) {
		if (slice_eq(sc->backends[i].name, name))
			return &sc->backends[i];
	}
	return NULL;
}

struct forward_proxy *scenario_forward(struct scenario *sc, struct slice name)
{
	for (unsigned i = 0; i < sc->forward_count; i++) {
		if (slice_eq(sc->forwards[i].name, name))
			return &sc->forwards[i];
	}
	return NULL;
}

struct actor *scenario_actor(struct scenario *sc, struct slice name)
{
	for (unsigned i = 0; i < sc->actor_count; i++) {
		if (slice_eq(sc->actors[i].name, name))
			return &sc->actors[i];
	}
	return NULL;
}

const struct kept_record *scenario_record(const struct scenario *sc, const struct actor *a,
					  const struct sim_answer *answer)
{
	struct slice id = sim_answer_header(answer, S("x-request-id"));
	const struct kept_record *only = NULL;
	struct io_addr from = sim_io_addr(a->io);
	char text[IO_ADDR_TEXT_MAX];
	struct slice prefix;
	unsigned count = 0;

	io_addr_text(&from, text);
	prefix = slice_of(text);
	prefix.len--;                         /* "10.77.0.3:" without the port 0 */
	for (unsigned i = 0; i < sc->record_count; i++) {
		const struct kept_record *r = &sc->records[i];

		if (!slice_starts(r->peer, prefix))
			continue;
		if (id.len && slice_eq(r->request_id, id))
			return r;
		only = r;
		count++;
	}
	/* An answer without a head has no id; an only request needs none. */
	return !id.len && count == 1 && a->asked_count == 1 ? only : NULL;
}

/* ---- reading ------------------------------------------------------------------------ */

struct reader {
	struct scenario *sc;
	struct slice rest;
	unsigned line;
};

static bool is_indented(struct slice line)
{
	return line.len && (line.at[0] == ' ' || line.at[0] == '\t');
}

static bool is_blank(struct slice line)
{
	struct slice t = slice_trim(line);

	return !t.len || t.at[0] == '#';
}

static bool next_line(struct reader *r, struct slice *line)
{
	if (!r->rest.len)
		return false;
	if (!slice_cut(r->rest, '\n', line, &r->rest)) {
		*line = r->rest;
		r->rest = SLICE_NONE;
	}
	r->line++;
	return true;
}

/* The indented (or blank) lines that follow, as they stand. */
static struct slice take_block(struct reader *r)
{
	const char *from = r->rest.at;
	struct slice line;
	size_t len = 0;

	while (r->rest.len) {
		struct reader ahead = *r;

		if (!next_line(&ahead, &line))
			break;
		if (!is_indented(line) && !is_blank(line))
			break;
		*r = ahead;
		len = (size_t)(line.at + line.len - from);
	}
	return (struct slice){ from, len };
}

static void backend_option(struct scenario *sc, struct backend *b, struct words *w)
{
	uint64_t n = 0;

	if (words_take(w, "tokens") && words_number(w, &n))
		b->options.tokens = (unsigned)n;
	else if (words_take(w, "ttft") && words_time(w, &b->options.ttft_ms))
		return;
	else if (words_take(w, "gap") && words_time(w, &b->options.gap_ms))
		return;
	else if (words_take(w, "seed") && words_number(w, &n))
		b->options.seed = n;
	else if (words_take(w, "key") && words_next(w, &b->options.key))
		return;
	else if (words_take(w, "echo"))
		b->options.echo = true;
	else if (words_take(w, "behaviour"))
		b->behaviour = words_rest(w);
	else if (words_take(w, "model") && b->options.model_count < MOCK_MODELS_MAX &&
		 words_next(w, &b->options.models[b->options.model_count]))
		b->options.model_count++;
	else
		scenario_fail(sc, w->line, "backend option not understood");
}

/* Gives the host an address where it has none. */
static struct io_addr backend_addr(struct scenario *sc, struct words *w, struct slice at)
{
	struct io_addr a;
	struct slice host = SLICE_NONE, port = SLICE_NONE;
	struct sim_host *h;
	uint64_t n;
	char text[32];

	if (io_addr_parse(at, &a))
		return a;
	if (!slice_cut(at, ':', &host, &port) || !slice_to_u64(port, &n) || n > UINT16_MAX) {
		scenario_fail(sc, w->line, "'%.*s' is not HOST:PORT", SLICE_ARG(at));
		return sim_addr("10.1.0.254:80");
	}
	h = sim_host(sc->sim, arena_cstring(sc->arena, host));
	if (!h->count) {
		snprintf(text, sizeof text, "10.1.%u.%u", sc->forward_count, sc->backend_count + 1);
		sim_host_add(sc->sim, h->name, text);
	}
	a = h->addrs[0];
	a.port = (uint16_t)n;
	return a;
}

static void read_backend(struct reader *r, struct words *w)
{
	struct scenario *sc = r->sc;
	struct backend *b = &sc->backends[sc->backend_count];
	struct slice at = SLICE_NONE, line, name = SLICE_NONE;

	if (sc->backend_count == BACKENDS_MAX || !words_next(w, &name) || !words_take(w, "at") ||
	    !words_next(w, &at)) {
		scenario_fail(sc, w->line, "a backend is written: backend NAME at HOST:PORT");
		return;
	}
	*b = (struct backend){ .name = name, .line = w->line,
			       .options = { .seed = 1, .name = name, .ttft_ms = 50, .gap_ms = 10 } };
	b->addr = backend_addr(sc, w, at);
	sc->backend_count++;
	while (r->rest.len) {
		struct reader ahead = *r;

		next_line(&ahead, &line);
		if (!is_indented(line) && !is_blank(line))
			break;
		*r = ahead;
		if (!is_blank(line))
			backend_option(sc, b, &(struct words){ sc->arena, slice_trim(line), r->line });
	}
}

static void read_forward(struct scenario *sc, struct words *w)
{
	struct forward_proxy *f = &sc->forwards[sc->forward_count];
	struct slice at = SLICE_NONE;

	if (sc->forward_count == FORWARDS_MAX || !words_next(w, &f->name) || !words_take(w, "at") ||
	    !words_next(w, &at)) {
		scenario_fail(sc, w->line, "it is written: forward NAME at HOST:PORT");
		return;
	}
	sc->forward_count++;
	f->addr = backend_addr(sc, w, at);
	if (words_take(w, "wants"))
		words_next(w, &f->authorization);
}

static void read_host(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE, addr;
	struct sim_host *h;

	if (!words_next(w, &name)) {
		scenario_fail(sc, w->line, "a host has a name");
		return;
	}
	h = sim_host(sc->sim, arena_cstring(sc->arena, name));
	while (slice_trim(w->rest).len) {
		if (words_take(w, "ttl") && words_time(w, &h->ttl_ms))
			continue;
		if (words_take(w, "delay") && words_time(w, &h->delay_ms))
			continue;
		words_next(w, &addr);
		sim_host_add(sc->sim, h->name, arena_cstring(sc->arena, addr));
	}
}

static void read_seeds(struct scenario *sc, struct words *w)
{
	struct slice word = SLICE_NONE, from = SLICE_NONE, to = SLICE_NONE;
	uint64_t a, b;

	words_next(w, &word);
	if (!slice_cut(word, '.', &from, &to) || !slice_to_u64(from, &a) ||
	    !slice_to_u64(to.len ? slice_from(to, 1) : to, &b) || b < a) {
		scenario_fail(sc, w->line, "seeds are written: seeds 1..20");
		return;
	}
	if (!sc->seed)
		sc->seed = a;
	sc->seed_last = b;
}

static void add_statement(struct reader *r, const struct words *w, int64_t at_ms, bool is_expect)
{
	struct scenario *sc = r->sc;

	must(sc->statement_count < STATEMENTS_MAX);
	sc->statements[sc->statement_count++] = (struct statement){
		.sc = sc, .words = *w, .at_ms = at_ms, .is_expect = is_expect,
	};
}

/* Empty lines in front, so that complaints name the scenario's own lines. */
static struct slice on_its_lines(struct scenario *sc, unsigned line, struct slice block)
{
	char *at = arena_alloc(sc->arena, line + block.len + 1);

	memset(at, '\n', line);
	if (block.len)
		memcpy(at + line, block.at, block.len);
	return (struct slice){ at, line + block.len };
}

static void read_config(struct reader *r, struct words *w)
{
	r->sc->config_line = r->line;
	r->sc->config_default = words_take(w, "default");
	if (!r->sc->config_default)
		r->sc->config = on_its_lines(r->sc, r->line, take_block(r));
}

/* The statement for each of many clients: `NAME N ...` becomes that for NAME1,
 * NAME2 ... NAMEN; `every_ms` apart. */
static void add_many(struct reader *r, struct words *w, int64_t at_ms, bool is_expect)
{
	struct scenario *sc = r->sc;
	struct slice name = SLICE_NONE, rest;
	uint64_t count = 0;
	int64_t every_ms = 0;

	if (!words_next(w, &name) || !words_number(w, &count) ||
	    (words_take(w, "every") && !words_time(w, &every_ms))) {
		scenario_fail(sc, w->line, "many clients are written: clients NAME COUNT [every T] ...");
		return;
	}
	rest = words_rest(w);
	for (uint64_t i = 1; i <= count; i++) {
		struct words one = *w;

		one.rest = arena_printf(sc->arena, "%s%.*s%llu %.*s", is_expect ? "" : "client ",
					SLICE_ARG(name), (unsigned long long)i, SLICE_ARG(rest));
		add_statement(r, &one, at_ms, is_expect);
		at_ms += every_ms;
	}
}

static void read_statement(struct reader *r, struct words *w)
{
	struct scenario *sc = r->sc;
	uint64_t n;
	int64_t ms;

	if (words_take(w, "at") && words_time(w, &ms)) {
		bool reload = slice_eq(slice_trim(w->rest), S("reload"));

		if (words_take(w, "clients")) {
			add_many(r, w, ms, false);
			return;
		}
		add_statement(r, w, ms, false);
		if (reload)
			sc->statements[sc->statement_count - 1].block = take_block(r);
	} else if (words_take(w, "expect"))
		words_take(w, "clients") ? add_many(r, w, 0, true) : add_statement(r, w, 0, true);
	else if (words_take(w, "backend"))
		read_backend(r, w);
	else if (words_take(w, "forward"))
		read_forward(sc, w);
	else if (words_take(w, "store"))
		scenario_read_store(sc, w);
	else if (words_take(w, "nodes") && words_number(w, &n) && n <= NODES_MAX)
		sc->node_count = (unsigned)n;
	else if (words_take(w, "config"))
		read_config(r, w);
	else if (words_take(w, "link"))
		scenario_network(sc, w, false);
	else if (words_take(w, "host"))
		read_host(sc, w);
	else if (words_take(w, "seeds") || words_take(w, "seed"))
		return;
	else if (words_take(w, "workers") && words_number(w, &n))
		sc->workers = (unsigned)n;
	else if (words_take(w, "turns") && words_number(w, &n))
		sim_set_turn_max(sc->sim, (unsigned)n);
	else if (words_take(w, "end") && words_take(w, "at") && words_time(w, &ms))
		sc->end_ms = ms;
	else
		scenario_fail(sc, w->line, "line not understood");
}

static void read_text(struct scenario *sc, struct slice text)
{
	struct reader r = { .sc = sc, .rest = text };
	struct slice line;

	while (next_line(&r, &line)) {
		struct words w = { sc->arena, slice_trim(line), r.line };

		if (!is_blank(line))
			read_statement(&r, &w);
	}
}

/* ---- building ------------------------------------------------------------------------ */

static void keep_line(void *owner, enum log_level level, struct slice line)
{
	struct scenario *sc = owner;
	struct slice t = slice_trim(line);

	(void)level;
	if (!buf_append(&sc->log_text, line))
		return;
	/* The stamp is left out: the trace has its own. */
	sim_trace(sc->sim, "log", "%.*s", SLICE_ARG(t.len > 25 ? slice_from(t, 25) : t));
}

static int64_t log_wall(void *owner)
{
	const struct scenario *sc = owner;

	return SIM_START_WALL_MS + scenario_now(sc);
}

static const struct kept_attempt *keep_attempts(struct arena *arena, const struct exchange_record *r)
{
	struct kept_attempt *kept = arena_array(arena, struct kept_attempt, r->attempt_count + 1);

	for (size_t i = 0; i < r->attempt_count; i++) {
		const struct attempt_record *a = &r->attempts[i];

		kept[i] = (struct kept_attempt){
			.target = arena_copy(arena, a->target), .text = arena_copy(arena, a->text),
			.fault = a->fault, .start_ms = a->start_ms, .took_ms = a->took_ms,
			.stale_replays = a->stale_replays,
			.kind = arena_copy(arena, slice_of(a->kind ? a->kind : "")),
		};
	}
	return kept;
}

static void keep_record(void *owner, const struct exchange_record *r)
{
	struct scenario *sc = owner;

	must(sc->record_count < RECORDS_MAX);
	sc->records[sc->record_count++] = (struct kept_record){
		.peer = arena_copy(sc->arena, r->peer),
		.request_id = arena_copy(sc->arena, r->request_id),
		.target = arena_copy(sc->arena, r->target),
		.asked_model = arena_copy(sc->arena, r->asked_model),
		.status = r->status, .fault = r->fault, .committed = r->committed,
		.resumes = r->resumes, .cache = r->cache, .tier = r->cache_tier, .hedged = r->hedged, .hedge_won = r->hedge_won,
		.input_tokens = r->usage_known ? r->input_tokens : -1,
		.output_tokens = r->usage_known ? r->output_tokens : -1,
		.degraded = r->degraded, .attempts = keep_attempts(sc->arena, r),
		.attempt_count = r->attempt_count, .duration_ms = r->duration_ms,
		.ended_at = sim_now(sc->sim),
	};
	sim_trace(sc->sim, "record", "%.*s status %d fault %s attempts %zu target %.*s",
		  SLICE_ARG(r->request_id), r->status, fault_row(r->fault)->name,
		  r->attempt_count, SLICE_ARG(r->target));
}

static void start_backend(struct scenario *sc, struct backend *b)
{
	char why[256];

	b->io = sim_io_create(sc->sim, arena_cstring(sc->arena, b->name));
	b->socket = io_socket_open(&b->addr, NULL, 0);
	b->mock = mock_create(b->io, &b->options, NULL);
	must(mock_listen(b->mock, b->socket, NULL));
	if (b->behaviour.len && !mock_set_behaviour(b->mock, b->behaviour, why, sizeof why))
		scenario_fail(sc, b->line, "behaviour not understood: %s", why);
}

static void start_forward(struct scenario *sc, struct forward_proxy *f)
{
	struct io *io = sim_io_create(sc->sim, arena_cstring(sc->arena, f->name));

	f->forward = forward_create(io, &f->addr);
	forward_want(f->forward, f->authorization);
}

static struct slice default_config(struct scenario *sc)
{
	struct buf b = BUF_INIT(1 << 20);
	struct slice text;
	char at[IO_ADDR_TEXT_MAX];

	buf_puts(&b, "listen: 127.0.0.1:8080\nbackends:\n");
	for (unsigned i = 0; i < sc->backend_count; i++)
		buf_putf(&b, "  %.*s: {dialect: openai, url: 'http://%s/v1'}\n",
			 SLICE_ARG(sc->backends[i].name),
			 io_addr_text(&sc->backends[i].addr, at));
	buf_puts(&b, "models:\n  chat:\n    targets:\n");
	for (unsigned i = 0; i < sc->backend_count; i++)
		buf_putf(&b, "      - {backend: %.*s, model: m}\n", SLICE_ARG(sc->backends[i].name));
	text = arena_copy(sc->arena, buf_slice(&b));
	buf_free(&b);
	return text;
}

static void start_proxy(struct scenario *sc)
{
	struct buf errors = BUF_INIT(1 << 20);

	if (sc->config_default)
		sc->config = default_config(sc);
	if (!sc->config.len)
		return;
	sc->proxy = sim_proxy_create(sc->sim, sc->workers, slice_of(sc->name), sc->config, &sc->log,
				     keep_record, sc, &errors);
	if (!sc->proxy)
		scenario_fail(sc, sc->config_line, "the config is refused:\n%.*s",
			      SLICE_ARG(buf_slice(&errors)));
	else
		sim_proxy_widen(sc->proxy, &sc->limits);
	buf_free(&errors);
}

/* ---- running --------------------------------------------------------------------------- */

static void run_statement(void *arg)
{
	struct statement *s = arg;

	s->sc->statements_left--;
	scenario_act(s->sc, s);
}

static bool all_ended(const struct scenario *sc)
{
	if (sc->statements_left)
		return false;
	for (unsigned i = 0; i < sc->actor_count; i++) {
		const struct actor *a = &sc->actors[i];

		if (a->client && sim_client_waits(a->client))
			return false;
	}
	return true;
}

static void play(struct scenario *sc)
{
	int64_t last_ms = 0;
	mono_ms end;

	for (unsigned i = 0; i < sc->statement_count; i++) {
		struct statement *s = &sc->statements[i];

		if (s->is_expect)
			continue;
		sc->statements_left++;
		if (s->at_ms > last_ms)
			last_ms = s->at_ms;
		sim_script(sc->sim, SIM_START_MS + s->at_ms, run_statement, s);
	}
	end = SIM_START_MS + (sc->end_ms >= 0 ? sc->end_ms : last_ms + PATIENCE_MS);
	while (sim_next_at(sc->sim) <= end && (sc->end_ms >= 0 || !all_ended(sc))) {
		sim_step(sc->sim);
		scenario_judge_step(sc);
	}
	if (sc->end_ms >= 0)
		sim_run_until(sc->sim, end);
	for (unsigned i = 0; i < sc->statement_count; i++) {
		if (sc->statements[i].is_expect)
			scenario_expect(sc, &sc->statements[i].words);
	}
	scenario_judge_all(sc);
}

/* ---- taking down ------------------------------------------------------------------------- */

static void proxy_leftovers(struct scenario *sc)
{
	if (sim_proxy_exchanges(sc->proxy))
		scenario_fail(sc, 0, "%zu exchanges left over", sim_proxy_exchanges(sc->proxy));
	if (sim_proxy_in_flight(sc->proxy))
		scenario_fail(sc, 0, "%u places on targets left over", sim_proxy_in_flight(sc->proxy));
	if (sim_proxy_busy_connections(sc->proxy))
		scenario_fail(sc, 0, "%llu upstream connections neither idle nor closed",
			      (unsigned long long)sim_proxy_busy_connections(sc->proxy));
}

/* A slow backend may take its time with what is fetched for nobody. */
static void await_refreshes(struct scenario *sc)
{
	for (unsigned s = 0; s < PATIENCE_MS / 1000 && sim_proxy_refreshing(sc->proxy); s++)
		sim_run_for(sc->sim, 1000);
}

static void take_down(struct scenario *sc)
{
	struct sim_counts counts;
	char text[256];

	for (unsigned i = 0; i < sc->actor_count; i++)
		sim_client_free(sc->actors[i].client);
	if (sc->proxy) {
		sim_run_for(sc->sim, 5000);
		await_refreshes(sc);
		proxy_leftovers(sc);
		sim_proxy_drain(sc->proxy);
		sim_run_for(sc->sim, 5000);
		sim_proxy_free(sc->proxy);
		scenario_end_nodes(sc);
	}
	scenario_end_store(sc);
	for (unsigned i = 0; i < sc->backend_count; i++)
		mock_free(sc->backends[i].mock);
	for (unsigned i = 0; i < sc->forward_count; i++)
		forward_free(sc->forwards[i].forward);
	sim_run_for(sc->sim, 60000);
	counts = sim_count(sc->sim, NULL);
	if (!sim_counts_clean(&counts))
		scenario_fail(sc, 0, "left over: %s", sim_counts_text(&counts, text, sizeof text));
	for (unsigned i = 0; i < sc->backend_count; i++)
		io_socket_close(sc->backends[i].socket);
}

/* The world needs its seed before the other lines are read. */
static void find_seed(struct scenario *sc, struct slice text)
{
	struct reader r = { .sc = sc, .rest = text };
	struct slice line;
	uint64_t n;

	while (next_line(&r, &line)) {
		struct words w = { sc->arena, line, r.line };

		if (words_take(&w, "seeds"))
			read_seeds(sc, &w);
		else if (words_take(&w, "seed") && words_number(&w, &n) && !sc->seed)
			sc->seed = n;
	}
	if (!sc->seed)
		sc->seed = 1;
}

static void run_seed(struct scenario *sc, struct slice text, struct scenario_result *result)
{
	sc->arena = arena_create(0);
	sc->statements = calloc(STATEMENTS_MAX, sizeof *sc->statements);
	sc->records = calloc(RECORDS_MAX, sizeof *sc->records);
	must(sc->statements != NULL);
	must(sc->records != NULL);
	sc->log_text = BUF_INIT(LOG_MAX);
	sc->log = (struct log){ .sink = keep_line, .wall_ms = log_wall, .owner = sc,
				.level = LOG_DEBUG };
	find_seed(sc, text);
	sc->sim = sim_create(sc->seed);
	sim_trace_to(sc->sim, sc->options->trace);
	read_text(sc, text);
	if (!sc->failures) {
		for (unsigned i = 0; i < sc->backend_count; i++)
			start_backend(sc, &sc->backends[i]);
		for (unsigned i = 0; i < sc->forward_count; i++)
			start_forward(sc, &sc->forwards[i]);
		scenario_start_store(sc);
		start_proxy(sc);
		scenario_start_nodes(sc, keep_record);
		if (!sc->failures)
			play(sc);
		take_down(sc);
	}
	if (sc->failures && !sc->options->trace)
		sim_trace_tail(sc->sim, sc->options->out, TAIL_LINES);
	result->runs++;
	result->failed_runs += sc->failures > 0;
	result->expectations += sc->expectations;
	result->steps += sim_steps(sc->sim);
	result->trace_hash = sim_trace_hash(sc->sim);
	sim_free(sc->sim);
	buf_free(&sc->log_text);
	free(sc->statements);
	free(sc->records);
	arena_free(sc->arena);
}

bool scenario_run(const char *name, struct slice text, const struct scenario_options *options,
		  struct scenario_result *result)
{
	struct scenario *sc = calloc(1, sizeof *sc);
	uint64_t seed = options->has_seed ? options->seed : 0, last = 0;

	must(sc != NULL);
	do {
		*sc = (struct scenario){ .name = name, .options = options, .seed = seed,
					 .workers = 1, .end_ms = -1 };
		run_seed(sc, text, result);
		last = options->has_seed ? 0 : sc->seed_last;
		seed = sc->seed + 1;
	} while (last >= seed && !result->failed_runs);
	free(sc);
	return result->failed_runs == 0;
}
