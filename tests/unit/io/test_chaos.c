/* Hundreds of streams whose owners do at random whatever the door allows, at
 * any moment, inside any handler. What must hold: bytes arrive in order and
 * none is made up; nothing is told after the end of a story; nothing leaks. */
#include "certs.h"
#include "stage.h"

#include "base/rng.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_AT_ONCE 24
#define CLIENTS_IN_ALL 400
#define PATTERN_BYTES (1u << 20)
#define PENDING_MAX (4u << 20)
#define PACE_MS_MAX 3

struct chaos;

struct player {
	struct chaos *chaos;
	struct io_stream *stream;
	struct io_timer pace;
	struct io_grave grave;
	size_t place;                    /* in chaos->players */
	uint64_t sent, got;
	bool client, ended, broken, finished, paused, wants_tls;
};

struct chaos {
	struct stage g;
	struct rng rng;
	struct io_tls *server_tls, *client_tls;
	char *pattern;                   /* twice PATTERN_BYTES, so that any cut is one piece */
	struct player *players[4096];
	size_t player_count, client_count, clients_begun;
	uint64_t bytes_got;
};

static const struct io_stream_events player_events;

static void player_add(struct chaos *c, struct io_stream *s, bool client);

static bool nobody_left(struct stage *g)
{
	struct chaos *c = CONTAINER_OF(g, struct chaos, g);

	return c->clients_begun >= CLIENTS_IN_ALL && c->player_count == 0;
}

static void begin_clients(struct chaos *c)
{
	while (c->client_count < CLIENTS_AT_ONCE && c->clients_begun < CLIENTS_IN_ALL) {
		c->clients_begun++;
		player_add(c, NULL, true);
	}
}

static void player_free(struct io_grave *g)
{
	struct player *p = CONTAINER_OF(g, struct player, grave);
	struct chaos *c = p->chaos;

	free(p);
	begin_clients(c);
	stage_look(&c->g);
}

static void leave(struct player *p)
{
	struct chaos *c = p->chaos;
	struct io_stream *s = p->stream;

	p->stream = NULL;
	io_close(s, (enum io_close)rng_below(&c->rng, 3));
	io_timer_clear(c->g.io, &p->pace);
	c->players[p->place] = c->players[--c->player_count];
	c->players[p->place]->place = p->place;
	c->client_count -= p->client;
	p->grave.bury = player_free;
	io_bury(c->g.io, &p->grave);
}

static void write_some(struct player *p)
{
	struct chaos *c = p->chaos;
	struct slice parts[4];
	size_t count = 1 + rng_below(&c->rng, COUNT_OF(parts));
	size_t size_max = rng_one_in(&c->rng, 4) ? 60000 : 300;

	if (p->finished || p->wants_tls || io_write_pending(p->stream) > PENDING_MAX)
		return;
	for (size_t i = 0; i < count; i++) {
		parts[i].at = c->pattern + p->sent % PATTERN_BYTES;
		parts[i].len = rng_below(&c->rng, size_max);
		p->sent += parts[i].len;
	}
	io_write(p->stream, parts, count);
}

/* Any legal thing; `p` may be gone afterwards. */
static void act(struct player *p)
{
	struct chaos *c = p->chaos;

	switch (rng_below(&c->rng, 24)) {
	case 0:
		leave(p);
		return;
	case 1:
		leave(c->players[rng_below(&c->rng, c->player_count)]);
		return;
	case 2:
	case 3:
		p->paused = !p->paused;
		io_read_pause(p->stream, p->paused);
		return;
	case 4:
		if (!p->finished && !p->wants_tls)
			io_stream_finish(p->stream);
		p->finished = p->finished || !p->wants_tls;
		return;
	case 5:
		io_stream_adopt(p->stream, &player_events, p);
		return;
	default:
		write_some(p);
		return;
	}
}

static void on_pace(struct io_timer *t, mono_ms now)
{
	struct player *p = CONTAINER_OF(t, struct player, pace);

	io_timer_set(p->chaos->g.io, t, now + (mono_ms)rng_below(&p->chaos->rng, PACE_MS_MAX));
	act(p);
}

static void on_open(void *owner)
{
	struct player *p = owner;

	assert_non_null(p->stream);
	assert_false(p->broken);
	if (p->wants_tls) {
		p->wants_tls = false;
		io_stream_tls(p->stream, p->chaos->client_tls, S("model.test"));
		return;
	}
	act(p);
}

static void on_data(void *owner, struct slice bytes)
{
	struct player *p = owner;
	struct chaos *c = p->chaos;

	assert_non_null(p->stream);
	assert_false(p->ended || p->broken || p->paused);
	c->bytes_got += bytes.len;
	assert_true(bytes.len <= PATTERN_BYTES);
	assert_memory_equal(bytes.at, c->pattern + p->got % PATTERN_BYTES, bytes.len);
	p->got += bytes.len;
	act(p);
}

static void on_end(void *owner)
{
	struct player *p = owner;

	assert_non_null(p->stream);
	assert_false(p->ended || p->broken || p->paused);
	p->ended = true;
	act(p);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	struct player *p = owner;

	assert_non_null(p->stream);
	assert_non_null(text);
	assert_true(why == IO_RESET || why == IO_TLS_FAILED);
	assert_false(p->broken);
	p->broken = true;
	act(p);
	if (p->stream)
		leave(p);
}

static void on_drained(void *owner)
{
	struct player *p = owner;

	assert_non_null(p->stream);
	assert_int_equal(io_write_pending(p->stream), 0);
	act(p);
}

static const struct io_stream_events player_events = { on_open, on_data, on_end, on_broken,
						       on_drained };

static void player_add(struct chaos *c, struct io_stream *s, bool client)
{
	struct player *p = calloc(1, sizeof *p);

	assert_non_null(p);
	assert_true(c->player_count < COUNT_OF(c->players));
	p->chaos = c;
	p->client = client;
	p->wants_tls = client && c->client_tls;
	p->place = c->player_count;
	c->players[c->player_count++] = p;
	c->client_count += client;
	p->pace.fire = on_pace;
	io_timer_set(c->g.io, &p->pace, io_now(c->g.io) + 1);
	if (client)
		p->stream = io_connect(c->g.io, &c->g.at, &player_events, p);
	else
		io_stream_adopt(p->stream = s, &player_events, p);
}

static void on_accept(struct stage *g)
{
	struct chaos *c = CONTAINER_OF(g, struct chaos, g);
	struct io_stream *s = g->server.stream;

	g->server.stream = NULL;
	player_add(c, s, false);
}

static void chaos_run(uint64_t seed, struct io_tls *server_tls, struct io_tls *client_tls)
{
	struct chaos *c = calloc(1, sizeof *c);

	assert_non_null(c);
	assert_non_null(c->pattern = malloc(2 * PATTERN_BYTES));
	rng_seed(&c->rng, seed);
	for (size_t i = 0; i < PATTERN_BYTES; i++)
		c->pattern[i] = c->pattern[i + PATTERN_BYTES] = (char)(rng_next(&c->rng) & 0xff);
	stage_open(&c->g, server_tls);
	c->client_tls = client_tls;
	c->g.on_accept = on_accept;
	begin_clients(c);
	stage_run(&c->g, nobody_left);
	assert_true(c->bytes_got > 0);
	stage_close(&c->g);
	free(c->pattern);
	free(c);
}

static void plain_streams_keep_their_promises(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++)
		chaos_run(seed, NULL, NULL);
}

static void tls_streams_keep_their_promises(void **state)
{
	char dir[] = "/tmp/backstay-chaos-XXXXXX", why[200];
	struct cert ca, good;
	struct io_tls *server, *client;

	(void)state;
	assert_non_null(mkdtemp(dir));
	cert_make(&ca, NULL, dir, "ca", NULL, -60, 86400);
	cert_make(&good, &ca, dir, "good", "DNS:model.test", -60, 86400);
	server = io_tls_server(good.cert_file, good.key_file, why, sizeof why);
	client = io_tls_client(&(struct io_tls_client_options){ .ca_file = ca.cert_file }, why,
			       sizeof why);
	assert_non_null(server);
	assert_non_null(client);
	for (uint64_t seed = 1; seed <= 3; seed++)
		chaos_run(seed, server, client);
	io_tls_give(server);
	io_tls_give(client);
	cert_end(&ca);
	cert_end(&good);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_streams_keep_their_promises),
		cmocka_unit_test(tls_streams_keep_their_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
