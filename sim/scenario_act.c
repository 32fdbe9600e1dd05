/* scenario_act.c: the statements of a timeline. */
#include "sim/scenario_inside.h"

#include "wire/json.h"

static void no_such(struct scenario *sc, const struct words *w, const char *what, struct slice word)
{
	scenario_fail(sc, w->line, "%s '%.*s' is not known here", what, SLICE_ARG(word));
}

/* ---- backends ------------------------------------------------------------------- */

static void set_behaviour(struct scenario *sc, struct words *w, struct backend *b, bool next)
{
	struct slice spec = words_rest(w);
	char why[256];
	bool good = next ? mock_queue_behaviour(b->mock, spec, why, sizeof why)
			 : mock_set_behaviour(b->mock, spec, why, sizeof why);

	if (!good)
		scenario_fail(sc, w->line, "behaviour not understood: %s", why);
}

static void act_backend(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE;
	struct backend *b;
	bool standing;

	words_next(w, &name);
	standing = slice_ends(name, S(":"));
	if (standing)
		name = slice_sub(name, 0, name.len - 1);
	b = scenario_backend(sc, name);
	if (!b) {
		no_such(sc, w, "backend", name);
	} else if (standing) {
		set_behaviour(sc, w, b, false);
	} else if (words_take(w, "next:")) {
		set_behaviour(sc, w, b, true);
	} else if (words_take(w, "down")) {
		sim_link_to(sc->sim, &b->addr)->connect = SIM_CONNECT_REFUSE;
		sim_link_to(sc->sim, &b->addr)->connect_count = 0;
		sim_strike(sc->sim, &b->addr, SIM_STRIKE_RESET, 0, 0);
	} else if (words_take(w, "up")) {
		sim_link_to(sc->sim, &b->addr)->connect = SIM_CONNECT_OK;
	} else if (words_take(w, "close")) {
		mock_close_idle(b->mock);
		words_take(w, "idle");
	} else if (words_take(w, "reset")) {
		mock_reset_all(b->mock);
		words_take(w, "all");
	} else {
		no_such(sc, w, "backend statement", words_rest(w));
	}
}

/* ---- network --------------------------------------------------------------------- */

static bool connect_setting(struct words *w, struct sim_link *link)
{
	static const char *const names[] = { "ok", "refuse", "blackhole", "unreachable", "local" };
	uint64_t count = 0;

	for (unsigned i = 0; i < COUNT_OF(names); i++) {
		if (!words_take(w, names[i]))
			continue;
		words_number(w, &count);
		link->connect = (enum sim_connect)i;
		link->connect_count = (int)count;
		return true;
	}
	return false;
}

static bool choice_setting(struct words *w, struct sim_link *link)
{
	static const char *const cuts[] = { "whole", "random", "bytes" };
	static const char *const tls[] = { "ok", "fail", "stall" };

	if (words_take(w, "cuts")) {
		for (unsigned i = 0; i < COUNT_OF(cuts); i++) {
			if (words_take(w, cuts[i])) {
				link->cuts = (enum sim_cuts)i;
				return true;
			}
		}
	} else if (words_take(w, "tls")) {
		for (unsigned i = 0; i < COUNT_OF(tls); i++) {
			if (words_take(w, tls[i])) {
				link->tls = (enum sim_tls)i;
				return true;
			}
		}
	}
	return false;
}

static bool number_setting(struct words *w, struct sim_link *link)
{
	int64_t ms;
	uint64_t n;

	if (words_take(w, "latency") && words_time(w, &ms))
		link->latency_us = ms * 1000;
	else if (words_take(w, "jitter") && words_time(w, &ms))
		link->jitter_us = ms * 1000;
	else if (words_take(w, "window") && words_number(w, &n))
		link->window = (size_t)n;
	else if (words_take(w, "rate") && words_number(w, &n))
		link->bytes_per_s = (int64_t)n;
	else if (words_take(w, "idle-close") && words_time(w, &ms))
		link->idle_close_ms = ms;
	else if (words_take(w, "give-up") && words_time(w, &ms))
		link->give_up_ms = ms;
	else if (words_take(w, "tunnel"))
		link->tunnel = true;
	else
		return false;
	return true;
}

static bool strike_word(struct words *w, enum sim_strike *strike)
{
	static const char *const names[] = { "cut", "reset", "vanish", "stall" };

	for (unsigned i = 0; i < COUNT_OF(names); i++) {
		if (words_take(w, names[i])) {
			*strike = (enum sim_strike)i;
			return true;
		}
	}
	return false;
}

static bool plan_setting(struct words *w, struct sim_link *link)
{
	struct sim_plan plan = { .count = -1 };
	uint64_t n;

	if (!words_take(w, "plan") || !strike_word(w, &plan.strike) || !words_take(w, "to"))
		return false;
	if (words_take(w, "server"))
		plan.direction = SIM_TO_SERVER;
	else if (!words_take(w, "client"))
		return false;
	if (!words_take(w, "after") || !words_number(w, &plan.after_bytes))
		return false;
	if (words_take(w, "for") && !words_time(w, &plan.for_ms))
		return false;
	if (words_take(w, "times")) {
		if (!words_number(w, &n))
			return false;
		plan.count = (int)n;
	}
	sim_link_plan(link, plan);
	return true;
}

static bool blow(struct scenario *sc, struct words *w, const struct io_addr *addr)
{
	enum sim_strike strike;
	struct slice bytes;
	int64_t idle_ms = 0, for_ms = 0;

	if (words_take(w, "junk")) {
		if (!words_next(w, &bytes) || (words_take(w, "idle") && !words_time(w, &idle_ms)))
			return false;
		sim_junk(sc->sim, addr, bytes, idle_ms);
		return true;
	}
	if (!strike_word(w, &strike))
		return false;
	if (strike == SIM_STRIKE_STALL && !words_time(w, &for_ms))
		return false;
	if (words_take(w, "idle") && !words_time(w, &idle_ms))
		return false;
	sim_strike(sc->sim, addr, strike, idle_ms, for_ms);
	return true;
}

static bool where(struct scenario *sc, struct slice word, struct io_addr *addr, bool *all)
{
	struct backend *b = scenario_backend(sc, word);
	struct forward_proxy *f = scenario_forward(sc, word);

	*all = slice_eq(word, S("all"));
	if (b)
		*addr = b->addr;
	else if (f)
		*addr = f->addr;
	return *all || b || f || io_addr_parse(word, addr);
}

void scenario_network(struct scenario *sc, struct words *w, bool strikes)
{
	struct slice word = SLICE_NONE;
	struct sim_link *link;
	struct io_addr addr;
	bool all;

	words_next(w, &word);
	if (!where(sc, word, &addr, &all)) {
		no_such(sc, w, "place", word);
		return;
	}
	link = all ? sim_link_default(sc->sim) : sim_link_to(sc->sim, &addr);
	while (slice_trim(w->rest).len) {
		if (connect_setting(w, link) || choice_setting(w, link) || number_setting(w, link) ||
		    plan_setting(w, link) || (strikes && blow(sc, w, all ? NULL : &addr)))
			continue;
		no_such(sc, w, "network setting", words_rest(w));
	}
}

static void act_dns(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE, addr;
	struct sim_host *h;

	words_next(w, &name);
	h = sim_host(sc->sim, arena_cstring(sc->arena, name));
	if (words_take(w, "ok")) {
		h->fails = NULL;
		h->silent = false;
	} else if (words_take(w, "silent")) {
		h->silent = true;
	} else if (words_take(w, "fails")) {
		h->fails = "the name server failed";
	} else if (words_take(w, "is")) {
		h->count = 0;
		while (words_next(w, &addr))
			sim_host_add(sc->sim, h->name, arena_cstring(sc->arena, addr));
	} else {
		no_such(sc, w, "dns statement", words_rest(w));
	}
}

/* ---- clients ----------------------------------------------------------------------- */

static struct actor *actor_of(struct scenario *sc, struct slice name)
{
	struct actor *a = scenario_actor(sc, name);

	if (a)
		return a;
	must(sc->actor_count < CLIENTS_MAX);
	a = &sc->actors[sc->actor_count++];
	a->name = name;
	a->io = sim_io_create(sc->sim, arena_cstring(sc->arena, name));
	return a;
}

/* The kinds of requests that are written by their words. */
static const struct { const char *word; struct slice path, before, after; } kinds[] = {
	{ "chat", S_INIT("/v1/chat/completions"),
	  S_INIT(",\"messages\":[{\"role\":\"user\",\"content\":"), S_INIT("}]") },
	{ "completions", S_INIT("/v1/completions"), S_INIT(",\"prompt\":"), S_INIT("") },
	{ "messages", S_INIT("/v1/messages"),
	  S_INIT(",\"max_tokens\":2000,\"messages\":[{\"role\":\"user\",\"content\":"), S_INIT("}]") },
	{ "responses", S_INIT("/v1/responses"), S_INIT(",\"input\":"), S_INIT("") },
	{ "embeddings", S_INIT("/v1/embeddings"),
	  S_INIT(",\"encoding_format\":\"float\",\"dimensions\":8,\"input\":"), S_INIT("") },
	{ "moderations", S_INIT("/v1/moderations"), S_INIT(",\"input\":"), S_INIT("") },
};

struct asking {
	struct sim_client_request r;
	struct slice model;
	struct buf body, headers;
	bool stream;
};

/* Options of a request, in any order. */
static void read_options(struct words *w, struct asking *q)
{
	struct slice word;

	for (;;) {
		if (words_take(w, "stream"))
			q->stream = true;
		else if (words_take(w, "http10"))
			q->r.http10 = true;
		else if (words_take(w, "model") && words_next(w, &word))
			q->model = word;
		else if (words_take(w, "key") && words_next(w, &word))
			buf_putf(&q->headers, "Authorization: Bearer %.*s\r\n", SLICE_ARG(word));
		else if (words_take(w, "header") && words_next(w, &word))
			buf_putf(&q->headers, "%.*s\r\n", SLICE_ARG(word));
		else
			break;
	}
}

static void read_kind(struct words *w, unsigned kind, struct asking *q)
{
	struct slice words = S("hello");

	words_next(w, &words);
	read_options(w, q);
	q->r.path = kinds[kind].path;
	if (slice_eq(q->r.path, S("/v1/messages")))
		buf_puts(&q->headers, "anthropic-version: 2023-06-01\r\n");
	buf_puts(&q->body, "{\"model\":");
	json_write_string(&q->body, q->model);
	buf_put(&q->body, kinds[kind].before);
	/* A mock goes on with what stands behind a prompt's first line. */
	if (slice_eq(q->r.path, S("/v1/completions")))
		words = arena_printf(w->arena, "%.*s\n", SLICE_ARG(words));
	json_write_string(&q->body, words);
	buf_put(&q->body, kinds[kind].after);
	buf_put(&q->body, q->stream ? S(",\"stream\":true}") : S("}"));
}

static void read_request(struct scenario *sc, struct words *w, struct asking *q)
{
	struct slice word = SLICE_NONE;

	for (unsigned i = 0; i < COUNT_OF(kinds); i++) {
		if (words_take(w, kinds[i].word)) {
			read_kind(w, i, q);
			return;
		}
	}
	words_next(w, &q->r.method);
	if (!words_next(w, &q->r.path))
		scenario_fail(sc, w->line, "a path is missing");
	read_options(w, q);
	if (words_next(w, &word))
		buf_put(&q->body, word);
}

/* Room for one more request. */
static struct asked *asked_more(struct scenario *sc, struct actor *a)
{
	struct asked *more = arena_array(sc->arena, struct asked, a->asked_count + 1);

	for (unsigned i = 0; i < a->asked_count; i++)
		more[i] = a->asked[i];
	a->asked = more;
	return &more[a->asked_count++];
}

static void ask(struct scenario *sc, struct words *w, struct actor *a)
{
	struct asking q = { .r = { .method = S("POST") }, .model = S("chat"),
			    .body = BUF_INIT(80 << 20), .headers = BUF_INIT(1 << 20) };
	bool pipelined = words_take(w, "then");
	struct slice extra;

	if (!pipelined && sim_client_waits(a->client))
		scenario_fail(sc, w->line, "the client still waits for an answer");
	read_request(sc, w, &q);
	extra = words_rest(w);
	if (extra.len)
		no_such(sc, w, "word", extra);
	q.r.body = arena_copy(sc->arena, buf_slice(&q.body));
	q.r.headers = buf_slice(&q.headers);
	*asked_more(sc, a) = (struct asked){ .method = q.r.method, .body = q.r.body,
					     .path = arena_copy(sc->arena, q.r.path) };
	sim_client_ask(a->client, &q.r);
	buf_free(&q.body);
	buf_free(&q.headers);
}

/* `sends [N answers] BYTES [times N]`: bytes as they are. */
static void say(struct scenario *sc, struct words *w, struct actor *a)
{
	struct slice bytes = SLICE_NONE;
	uint64_t answers = 1, times = 1;

	if (words_number(w, &answers) && !words_take(w, "answers"))
		no_such(sc, w, "word", words_rest(w));
	words_next(w, &bytes);
	if (words_take(w, "times") && !words_number(w, &times))
		no_such(sc, w, "number", words_rest(w));
	for (uint64_t i = 0; i < answers; i++)
		*asked_more(sc, a) = (struct asked){ .method = SLICE_NONE };
	sim_client_say(a->client, SLICE_NONE, (unsigned)answers);
	while (times-- > 0)
		sim_client_say(a->client, bytes, 0);
}

static bool client_to(struct scenario *sc, struct words *w, struct actor *a)
{
	struct slice word;
	struct backend *b = NULL;
	struct sim_proxy *node = sc->proxy;
	struct io_addr to;

	if (words_take(w, "node")) {
		node = scenario_node(sc, w);
		if (!node)
			return false;
	}
	if (words_take(w, "to")) {
		if (words_next(w, &word))
			b = scenario_backend(sc, word);
		a->direct = true;
	}
	if (a->client)
		return true;
	if (!b && !sc->proxy) {
		scenario_fail(sc, w->line, "without a config, clients say `to BACKEND`");
		return false;
	}
	to = b ? b->addr : sim_proxy_addr(node);
	a->client = sim_client_create(a->io, &to);
	return true;
}

static void act_client(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE;
	struct actor *a;

	words_next(w, &name);
	a = actor_of(sc, name);
	if (!client_to(sc, w, a))
		return;
	if (words_take(w, "leaves"))
		sim_client_leave(a->client, IO_CLOSE_NOW);
	else if (words_take(w, "resets"))
		sim_client_leave(a->client, IO_CLOSE_RESET);
	else if (words_take(w, "finishes"))
		sim_client_finish(a->client);
	else if (words_take(w, "pauses"))
		sim_client_pause(a->client, true);
	else if (words_take(w, "resumes"))
		sim_client_pause(a->client, false);
	else if (words_take(w, "sends"))
		say(sc, w, a);
	else
		ask(sc, w, a);
}

/* ---- the rest ------------------------------------------------------------------------ */

static void act_forward(struct scenario *sc, struct words *w)
{
	struct slice name = SLICE_NONE;
	struct forward_proxy *f;
	uint64_t status;

	words_next(w, &name);
	f = scenario_forward(sc, name);
	if (f && words_take(w, "works"))
		forward_refuse(f->forward, 200);
	else if (f && words_take(w, "refuses") && words_number(w, &status))
		forward_refuse(f->forward, (int)status);
	else
		no_such(sc, w, "forward proxy", name);
}

static void act_wall(struct scenario *sc, struct words *w)
{
	int64_t ms = 0;

	if (!words_take(w, "jumps") || !words_time(w, &ms))
		no_such(sc, w, "wall statement", words_rest(w));
	sim_wall_jump(sc->sim, words_take(w, "back") ? -ms : ms);
}

static void act_reload(struct scenario *sc, const struct statement *s)
{
	struct buf errors = BUF_INIT(1 << 20);
	bool good;

	if (!sc->proxy) {
		scenario_fail(sc, s->words.line, "there is no proxy to reload");
		return;
	}
	good = sim_proxy_reload(sc->proxy, slice_of(sc->name), s->block, &errors);
	if (good)
		sim_proxy_widen(sc->proxy, &sc->limits);
	sim_trace(sc->sim, NULL, "config reloaded: %s", good ? "good" : "refused");
	buf_free(&errors);
}

static void act_proxy(struct scenario *sc, struct words *w)
{
	sc->draining = true;
	if (!sc->proxy)
		scenario_fail(sc, w->line, "there is no proxy");
	else if (words_take(w, "drains"))
		sim_proxy_drain(sc->proxy);
	else if (words_take(w, "shuts") && words_take(w, "down"))
		sim_proxy_end_all(sc->proxy);
	else
		no_such(sc, w, "proxy statement", words_rest(w));
}

void scenario_act(struct scenario *sc, struct statement *s)
{
	struct words w = s->words;

	if (words_take(&w, "backend"))
		act_backend(sc, &w);
	else if (words_take(&w, "client"))
		act_client(sc, &w);
	else if (words_take(&w, "network"))
		scenario_network(sc, &w, true);
	else if (words_take(&w, "forward"))
		act_forward(sc, &w);
	else if (words_take(&w, "dns"))
		act_dns(sc, &w);
	else if (words_take(&w, "store"))
		scenario_act_store(sc, &w);
	else if (words_take(&w, "node"))
		scenario_act_node(sc, &w);
	else if (words_take(&w, "wall"))
		act_wall(sc, &w);
	else if (words_take(&w, "reload"))
		act_reload(sc, s);
	else if (words_take(&w, "proxy"))
		act_proxy(sc, &w);
	else if (words_take(&w, "target"))
		scenario_hold(sc, &w);
	else if (words_take(&w, "drill"))
		scenario_drill(sc, &w);
	else if (words_take(&w, "expect"))
		scenario_expect(sc, &w);
	else
		no_such(sc, &w, "statement", words_rest(&w));
}
