/* scenario_nodes.c: several proxies, and the store that they share. */
#include "sim/scenario_inside.h"

#include "cache/cache.h"
#include "sim/fake_redis.h"

#include <stdlib.h>
#include <string.h>

/* ---- the store ------------------------------------------------------------------------ */

void scenario_read_store(struct scenario *sc, struct words *w)
{
	struct slice word;

	if (!words_take(w, "at")) {
		scenario_fail(sc, w->line, "it is written: store at ADDR:PORT...");
		return;
	}
	while (words_next(w, &word)) {
		if (sc->store_addr_count == NODES_MAX || !io_addr_parse(word, &sc->store_addrs[sc->store_addr_count])) {
			scenario_fail(sc, w->line, "this is no address for a store: %.*s", SLICE_ARG(word));
			return;
		}
		sc->store_addr_count++;
	}
}

void scenario_start_store(struct scenario *sc)
{
	if (sc->store_addr_count)
		sc->store = fake_redis_create(sim_io_create(sc->sim, "store"), sc->store_addrs,
					      sc->store_addr_count);
}

void scenario_act_store(struct scenario *sc, struct words *w)
{
	int64_t ms = 0;

	if (!sc->store)
		scenario_fail(sc, w->line, "there is no store");
	else if (words_take(w, "slow") && words_time(w, &ms))
		fake_redis_slow(sc->store, ms);
	else if (words_take(w, "mute"))
		fake_redis_slow(sc->store, -1);
	else if (words_take(w, "works"))
		fake_redis_slow(sc->store, 0);
	else if (words_take(w, "full"))
		fake_redis_full(sc->store, true);
	else if (words_take(w, "empties"))
		fake_redis_empty(sc->store);
	else
		scenario_fail(sc, w->line, "store statement not understood");
}

/* ---- the other nodes --------------------------------------------------------------------- */

/* The config with the Nth node's own addresses: where it listens, and the way it
 * has to the store ("10.9.0.1" is the first node's). */
static struct slice config_of(struct scenario *sc, unsigned node)
{
	static const char *const firsts[] = { "127.0.0.1:8080", "10.9.0.1:" };
	struct buf out = BUF_INIT(1 << 20);
	struct slice rest = sc->config, done;

	while (rest.len) {
		bool found = false;

		for (size_t i = 0; i < COUNT_OF(firsts) && !found; i++) {
			found = slice_starts(rest, slice_of(firsts[i]));
			if (found && i == 0)
				buf_putf(&out, "127.0.0.1:%u", 8079 + node);
			else if (found)
				buf_putf(&out, "10.9.0.%u:", node);
			if (found)
				rest = slice_from(rest, strlen(firsts[i]));
		}
		if (!found) {
			buf_put(&out, slice_sub(rest, 0, 1));
			rest = slice_from(rest, 1);
		}
	}
	done = arena_copy(sc->arena, buf_slice(&out));
	buf_free(&out);
	return done;
}

void scenario_start_nodes(struct scenario *sc, void (*on_record)(void *owner, const struct exchange_record *r))
{
	for (unsigned n = 2; n <= sc->node_count && sc->proxy; n++) {
		struct buf errors = BUF_INIT(1 << 20);

		sc->nodes[n] = sim_proxy_create(sc->sim, sc->workers, slice_of(sc->name), config_of(sc, n),
						&sc->log, on_record, sc, &errors);
		if (!sc->nodes[n])
			scenario_fail(sc, sc->config_line, "the config of node %u is refused:\n%.*s", n,
				      SLICE_ARG(buf_slice(&errors)));
		buf_free(&errors);
	}
	sc->nodes[1] = sc->proxy;
}

struct sim_proxy *scenario_node(struct scenario *sc, struct words *w)
{
	uint64_t n = 0;

	if (words_number(w, &n) && n >= 1 && n <= NODES_MAX && sc->nodes[n])
		return sc->nodes[n];
	scenario_fail(sc, w->line, "there is no such node");
	return NULL;
}

/* "sees K ready", "sees K absent", "alone", "alone contains WORDS", "in company" */
void scenario_expect_node(struct scenario *sc, struct words *w)
{
	struct sim_proxy *p = scenario_node(sc, w);
	struct cache_cluster *c = calloc(1, sizeof *c);
	struct slice want = SLICE_NONE;
	const char *got = "absent";
	char name[32] = "";
	uint64_t other = 0;

	must(c != NULL);
	if (p)
		cache_cluster(sim_proxy_cache(p), sim_now(sc->sim), c);
	if (!p || words_take(w, "in")) {
		if (p && (c->alone || !words_take(w, "company")))
			scenario_fail(sc, w->line, "it is alone: %s", c->why);
	} else if (words_take(w, "alone")) {
		if (!c->alone)
			scenario_fail(sc, w->line, "it is not alone");
		else if (words_take(w, "contains") && words_next(w, &want) &&
			 slice_find_slice(slice_of(c->why), want) == SLICE_NOT_FOUND)
			scenario_fail(sc, w->line, "'%.*s' is not in '%s'", SLICE_ARG(want), c->why);
	} else if (words_take(w, "sees") && words_number(w, &other) && words_next(w, &want)) {
		snprintf(name, sizeof name, "node%u", (unsigned)other);
		for (size_t i = 0; i < c->count; i++)
			if (strcmp(c->nodes[i].name, name) == 0)
				got = cache_node_state_name(c->nodes[i].state);
		if (!slice_eq(slice_of(got), want))
			scenario_fail(sc, w->line, "%s: expected '%.*s', it is '%s'", name, SLICE_ARG(want), got);
	} else {
		scenario_fail(sc, w->line, "expectation not understood");
	}
	free(c);
}

/* `node N purges all | tag X | model X`, `node N drains | leaves` */
void scenario_act_node(struct scenario *sc, struct words *w)
{
	struct sim_proxy *p = scenario_node(sc, w);
	struct cache_purge purge = { .what = CACHE_PURGE_ALL };

	if (p && words_take(w, "drains")) {
		sim_proxy_drain(p);
		return;
	}
	if (p && words_take(w, "leaves")) {
		sim_proxy_leave(p);
		return;
	}
	if (!p || !words_take(w, "purges")) {
		scenario_fail(sc, w->line, "node statement not understood");
		return;
	}
	if (words_take(w, "tag"))
		purge.what = CACHE_PURGE_TAG;
	else if (words_take(w, "model"))
		purge.what = CACHE_PURGE_MODEL;
	else
		words_take(w, "all");
	if (purge.what != CACHE_PURGE_ALL)
		words_next(w, &purge.name);
	cache_purge(sim_proxy_cache(p), &purge);
}

/* ---- the end -------------------------------------------------------------------------------- */

void scenario_end_nodes(struct scenario *sc)
{
	for (unsigned n = 2; n <= sc->node_count; n++) {
		if (!sc->nodes[n])
			continue;
		if (sim_proxy_exchanges(sc->nodes[n]) || sim_proxy_in_flight(sc->nodes[n]))
			scenario_fail(sc, 0, "node %u has something left over", n);
		sim_proxy_drain(sc->nodes[n]);
		sim_run_for(sc->sim, 5000);
		sim_proxy_free(sc->nodes[n]);
	}
}

void scenario_end_store(struct scenario *sc)
{
	fake_redis_free(sc->store);
}
