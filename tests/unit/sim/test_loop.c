/* Time, timers, turns, names, and that a seed is a run. */
#include "peer.h"

#include "base/rng.h"

#include <stdlib.h>

struct note {
	struct io_timer timer;
	struct io_deferred deferred;
	struct io_grave grave;
	struct io_job job;
	struct io_message message;
	struct io_resolve resolve;
	struct io *io;
	char *story;
	char name;
	bool does_all;
};

static void say(struct note *n, const char *what)
{
	size_t len = strlen(n->story);

	snprintf(n->story + len, 512 - len, "%s%c:%s@%lld", len ? " " : "", n->name, what,
		 (long long)(io_now(n->io) - SIM_START_MS));
}

static void on_defer(struct io_deferred *d, mono_ms now)
{
	struct note *n = CONTAINER_OF(d, struct note, deferred);

	assert_int_equal(now, io_now(n->io));
	say(n, "deferred");
}

static void on_bury(struct io_grave *g)
{
	say(CONTAINER_OF(g, struct note, grave), "buried");
}

static void on_timer(struct io_timer *t, mono_ms now)
{
	struct note *n = CONTAINER_OF(t, struct note, timer);

	assert_int_equal(now, io_now(n->io));
	say(n, "fired");
	if (!n->does_all)
		return;
	io_bury(n->io, &n->grave);
	io_defer(n->io, &n->deferred);
	io_defer(n->io, &n->deferred);
	io_timer_set(n->io, &n->timer, now);
	n->does_all = false;
}

static void on_work(struct io_job *j) { say(CONTAINER_OF(j, struct note, job), "worked"); }
static void on_done(struct io_job *j) { say(CONTAINER_OF(j, struct note, job), "done"); }
static void on_message(struct io_message *m)
{
	say(CONTAINER_OF(m, struct note, message), "told");
}

static void on_resolved(struct io_resolve *r)
{
	struct note *n = CONTAINER_OF(r, struct note, resolve);
	char text[IO_ADDR_TEXT_MAX], what[300];

	snprintf(what, sizeof what, "%s",
		 r->count ? io_addr_text(&r->addrs[0], text) : r->why);
	say(n, what);
}

static struct note note(struct io *io, char name, char *story)
{
	return (struct note){ .io = io, .name = name, .story = story,
			      .timer.fire = on_timer, .deferred.run = on_defer,
			      .grave.bury = on_bury, .job = { .work = on_work, .done = on_done },
			      .message.deliver = on_message, .resolve.done = on_resolved };
}

static void timers_fire_in_order_and_exactly_on_time(void **state)
{
	struct sim *sim = sim_create(1);
	struct io *io = sim_io_create(sim, "io");
	mono_ms t0 = io_now(io);
	char story[512] = "";
	struct note a = note(io, 'a', story), b = note(io, 'b', story), c = note(io, 'c', story);
	struct note d = note(io, 'd', story), e = note(io, 'e', story);

	(void)state;
	io_timer_set(io, &a.timer, t0 + 30);
	io_timer_set(io, &b.timer, t0 + 10);
	io_timer_set(io, &c.timer, t0 + 30);
	io_timer_set(io, &d.timer, t0 + 20);
	io_timer_set(io, &e.timer, t0 - 5);
	io_timer_set(io, &a.timer, t0 + 30);
	io_timer_clear(io, &d.timer);
	assert_int_equal(sim_count(sim, io).timers, 4);
	assert_int_equal(sim_next_at(sim), t0);
	sim_run_for(sim, 29);
	assert_string_equal(story, "e:fired@0 b:fired@10");
	assert_int_equal(sim_now(sim), t0 + 29);
	sim_run_for(sim, 1);
	assert_string_equal(story, "e:fired@0 b:fired@10 c:fired@30 a:fired@30");
	io_timer_set(io, &a.timer, t0 + 100);
	io_timer_set(io, &a.timer, MONO_NEVER);
	assert_true(sim_idle(sim));
	assert_int_equal(sim_next_at(sim), MONO_NEVER);
	assert_false(sim_step(sim));
	sim_free(sim);
}

static void a_turn_is_one_event_then_deferred_then_graves(void **state)
{
	struct sim *sim = sim_create(1);
	struct io *io = sim_io_create(sim, "io");
	char story[512] = "";
	struct note a = note(io, 'a', story), b = note(io, 'b', story);

	(void)state;
	a.does_all = true;
	io_timer_set(io, &a.timer, io_now(io) + 5);
	io_timer_set(io, &b.timer, io_now(io) + 5);
	assert_true(sim_settle(sim, 100));
	assert_string_equal(story, "a:fired@5 a:deferred@5 a:buried@5 b:fired@5 a:fired@5");
	sim_free(sim);
}

static void work_and_messages_come_back_in_order(void **state)
{
	struct sim *sim = sim_create(1);
	struct io *io = sim_io_create(sim, "io");
	char story[512] = "";
	struct note a = note(io, 'a', story), b = note(io, 'b', story);

	(void)state;
	io_post(io, &a.message);
	io_post(io, &b.message);
	io_background(io, &a.job);
	assert_int_equal(sim_count(sim, io).messages, 2);
	assert_int_equal(sim_count(sim, io).jobs, 1);
	assert_string_equal(story, "");
	assert_true(sim_settle(sim, 100));
	assert_true(strncmp(story, "a:told@0 b:told@0 a:worked@", 27) == 0);
	assert_non_null(strstr(story, "a:done@"));
	assert_int_equal(sim_count(sim, io).jobs, 0);
	sim_free(sim);
}

static void names_resolve_as_told(void **state)
{
	struct sim *sim = sim_create(1);
	struct io *io = sim_io_create(sim, "io");
	char story[512] = "";
	struct note n = note(io, 'n', story);
	struct sim_host *h = sim_host_add(sim, "api.example", "10.1.0.1");
	static const struct { const char *host, *story; } rows[] = {
		{ "10.9.8.7", "n:10.9.8.7:443@0" },
		{ "::1", "n:[::1]:443@0" },
		{ "localhost", "n:127.0.0.1:443@1" },
		{ "api.example", "n:10.1.0.1:443@1" },
		{ "API.example", "n:10.1.0.1:443@1" },
		{ "gone.example", "n:no such host@1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t began = sim_now(sim) - SIM_START_MS, when;
		char *at;

		story[0] = '\0';
		io_resolve_start(io, &n.resolve, slice_of(rows[i].host), 443);
		assert_string_equal(story, "");
		sim_settle(sim, 100);
		at = strrchr(story, '@');
		assert_true(slice_to_i64(slice_of(at + 1), &when));
		snprintf(at + 1, 8, "%lld", (long long)(when - began));
		assert_string_equal(story, rows[i].story);
	}
	assert_int_equal(h->lookups, 2);
	assert_int_equal(n.resolve.ttl_ms, 0);
	h->fails = "SERVFAIL";
	io_resolve_start(io, &n.resolve, S("api.example"), 1);
	sim_settle(sim, 100);
	assert_non_null(strstr(story, "SERVFAIL"));
	h->silent = true;
	story[0] = '\0';
	io_resolve_start(io, &n.resolve, S("api.example"), 1);
	assert_int_equal(sim_count(sim, io).lookups, 1);
	sim_run_for(sim, 60000);
	io_resolve_cancel(io, &n.resolve);
	assert_int_equal(sim_count(sim, io).lookups, 0);
	assert_string_equal(story, "");
	sim_free(sim);
}

static void the_wall_clock_jumps_alone(void **state)
{
	struct sim *sim = sim_create(1);
	struct io *io = sim_io_create(sim, "io");
	int64_t wall = io_wall_ms(io);
	mono_ms now = io_now(io);

	(void)state;
	sim_run_for(sim, 10);
	assert_int_equal(io_wall_ms(io), wall + 10);
	sim_wall_jump(sim, -3600000);
	assert_int_equal(io_wall_ms(io), wall + 10 - 3600000);
	assert_int_equal(io_now(io), now + 10);
	sim_free(sim);
}

/* ---- a seed is a run ------------------------------------------------------------------ */

#define CROWD 12
#define SERVED_MAX 4000

struct crowd {
	struct pair pair;
	struct rng rng;
	struct peer clients[CROWD];
	struct peer *served;
	unsigned served_count;
};

/* Echoes, and leaves after a while. */
static void crowd_accept(void *owner, struct io_stream *s, const struct io_addr *from)
{
	struct crowd *c = owner;
	struct peer *p = &c->served[c->served_count++];

	must(c->served_count <= SERVED_MAX);
	*p = (struct peer){ .io = c->pair.server_io, .got = BUF_INIT(1 << 20), .echo = true,
			    .no_data_story = true };
	peer_on_accept(p, s, from);
}

static void crowd_step(struct crowd *c)
{
	struct peer *p = &c->clients[rng_below(&c->rng, CROWD)];
	struct peer *served = c->served_count ? &c->served[rng_below(&c->rng, c->served_count)]
					      : NULL;

	p->io = c->pair.client_io;
	p->no_data_story = true;
	p->got.max = 1 << 20;
	if (!p->s)
		p->s = io_connect(p->io, &c->pair.at, &peer_events, p);
	else if (rng_one_in(&c->rng, 4))
		peer_close(p, (enum io_close)rng_below(&c->rng, 3));
	else
		peer_write(p, "some words to the server");
	if (served && served->s && rng_one_in(&c->rng, 3))
		peer_close(served, (enum io_close)rng_below(&c->rng, 3));
	if (rng_one_in(&c->rng, 50))
		sim_strike(c->pair.sim, &c->pair.at, (enum sim_strike)rng_below(&c->rng, 4), 0, 20);
	sim_run_for(c->pair.sim, (int64_t)rng_below(&c->rng, 20));
}

static void crowd_leaves(struct peer *p)
{
	if (p->s)
		peer_close(p, IO_CLOSE_FLUSH);
	buf_free(&p->got);
}

/* Clients that ask and leave at random, over a network that misbehaves. */
static uint64_t crowd(uint64_t seed, char **text)
{
	struct crowd *c = calloc(1, sizeof *c);
	struct pair *w = &c->pair;
	size_t size;
	FILE *file = open_memstream(text, &size);
	uint64_t hash;

	rng_seed(&c->rng, seed);
	c->served = calloc(SERVED_MAX, sizeof *c->served);
	pair_begin(w, seed);
	io_listener_close(w->listener);
	w->listener = io_listen(w->server_io, w->socket, NULL, crowd_accept, c);
	sim_trace_to(w->sim, file);
	sim_set_turn_max(w->sim, 3);
	w->way->cuts = SIM_CUT_RANDOM;
	w->way->jitter_us = 9000;
	sim_link_plan(w->way, (struct sim_plan){ SIM_STRIKE_RESET, SIM_TO_CLIENT, 30, 0, 5 });
	for (int step = 0; step < 1500; step++)
		crowd_step(c);
	for (unsigned i = 0; i < CROWD; i++)
		crowd_leaves(&c->clients[i]);
	for (unsigned i = 0; i < c->served_count; i++)
		crowd_leaves(&c->served[i]);
	pair_end(w);
	fclose(file);
	hash = slice_hash(slice_of(*text), seed);
	free(c->served);
	free(c);
	return hash;
}

static void the_same_seed_gives_the_same_trace(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		char *one, *two, *other;
		uint64_t first = crowd(seed, &one), second = crowd(seed, &two);
		uint64_t third = crowd(seed + 1000, &other);

		assert_true(strlen(one) > 10000);
		assert_string_equal(one, two);
		assert_int_equal(first, second);
		assert_int_not_equal(first, third);
		free(one);
		free(two);
		free(other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_and_exactly_on_time),
		cmocka_unit_test(a_turn_is_one_event_then_deferred_then_graves),
		cmocka_unit_test(work_and_messages_come_back_in_order),
		cmocka_unit_test(names_resolve_as_told),
		cmocka_unit_test(the_wall_clock_jumps_alone),
		cmocka_unit_test(the_same_seed_gives_the_same_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
