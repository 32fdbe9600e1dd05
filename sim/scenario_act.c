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

	*all = slice_eq(word, S("all"));
	if (b)
		*addr = b->addr;
	return *all || b || io_addr_parse(word, addr);
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

/* "model M key K header H stream" behind `chat "..."`; writes the body. */
static void read_chat(struct scenario *sc, struct words *w, struct slice words, struct buf *body,
		      struct buf *headers)
{
	struct slice model = S("chat"), word, extra;
	bool stream = false;

	for (;;) {
		if (words_take(w, "stream")) {
			stream = true;
		} else if (words_take(w, "model") && words_next(w, &word)) {
			model = word;
		} else if (words_take(w, "key") && words_next(w, &word)) {
			buf_putf(headers, "Authorization: Bearer %.*s\r\n", SLICE_ARG(word));
		} else if (words_take(w, "header") && words_next(w, &word)) {
			buf_putf(headers, "%.*s\r\n", SLICE_ARG(word));
		} else {
			break;
		}
	}
	extra = words_rest(w);
	if (extra.len)
		no_such(sc, w, "word", extra);
	buf_puts(body, "{\"model\":");
	json_write_string(body, model);
	buf_puts(body, ",\"messages\":[{\"role\":\"user\",\"content\":");
	json_write_string(body, words);
	buf_puts(body, "}]");
	if (stream)
		buf_puts(body, ",\"stream\":true");
	buf_puts(body, "}");
}

static void read_plain(struct scenario *sc, struct words *w, struct buf *body, struct buf *headers)
{
	struct slice word;

	(void)sc;
	for (;;) {
		if (words_take(w, "header") && words_next(w, &word))
			buf_putf(headers, "%.*s\r\n", SLICE_ARG(word));
		else if (words_take(w, "key") && words_next(w, &word))
			buf_putf(headers, "Authorization: Bearer %.*s\r\n", SLICE_ARG(word));
		else
			break;
	}
	if (words_next(w, &word))
		buf_put(body, word);
}

static void ask(struct scenario *sc, struct words *w, struct actor *a)
{
	struct sim_client_request r = { .method = S("POST"), .path = S("/v1/chat/completions") };
	struct buf body = BUF_INIT(64 << 20), headers = BUF_INIT(1 << 20);
	struct slice word = SLICE_NONE;

	if (a->client && sim_client_answer(a->client)->end == ANSWER_PENDING) {
		scenario_fail(sc, w->line, "the client still waits for an answer");
		return;
	}
	words_next(w, &word);
	if (slice_eq(word, S("chat"))) {
		if (!words_next(w, &word))
			word = S("hello");
		read_chat(sc, w, word, &body, &headers);
	} else {
		r.method = word;
		if (!words_next(w, &r.path))
			scenario_fail(sc, w->line, "a path is missing");
		read_plain(sc, w, &body, &headers);
	}
	a->path = arena_copy(sc->arena, r.path);
	a->body = r.body = arena_copy(sc->arena, buf_slice(&body));
	r.headers = buf_slice(&headers);
	a->asked++;
	sim_client_ask(a->client, &r);
	buf_free(&body);
	buf_free(&headers);
}

static bool client_to(struct scenario *sc, struct words *w, struct actor *a)
{
	struct slice word;
	struct backend *b = NULL;
	struct io_addr to;

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
	to = b ? b->addr : sim_proxy_addr(sc->proxy);
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
	else
		ask(sc, w, a);
}

/* ---- the rest ------------------------------------------------------------------------ */

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
	sim_trace(sc->sim, NULL, "config reloaded: %s", good ? "good" : "refused");
	buf_free(&errors);
}

static void act_proxy(struct scenario *sc, struct words *w)
{
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
	else if (words_take(&w, "dns"))
		act_dns(sc, &w);
	else if (words_take(&w, "wall"))
		act_wall(sc, &w);
	else if (words_take(&w, "reload"))
		act_reload(sc, s);
	else if (words_take(&w, "proxy"))
		act_proxy(sc, &w);
	else if (words_take(&w, "expect"))
		scenario_expect(sc, &w);
	else
		no_such(sc, &w, "statement", words_rest(&w));
}
