/* scenario_inside.h: shared by the files of the scenario runner. */
#ifndef BACKSTAY_SIM_SCENARIO_INSIDE_H
#define BACKSTAY_SIM_SCENARIO_INSIDE_H

#include "base/arena.h"
#include "mock/mock.h"
#include "sim/client.h"
#include "sim/forward.h"
#include "sim/proxy.h"
#include "sim/scenario.h"
#include "sim/sim.h"

#define BACKENDS_MAX 16
#define FORWARDS_MAX 4
#define CLIENTS_MAX 500
#define STATEMENTS_MAX 4000
#define RECORDS_MAX 5000
#define NODES_MAX 8

/* ---- text.c: one line in words ------------------------------------------------- */

struct words {
	struct arena *arena;
	struct slice rest;
	unsigned line;
};

/* The next word, quotes and escapes removed; false at the end of the line. */
bool words_next(struct words *w, struct slice *word);
/* Takes the next word if it is `word`. */
bool words_take(struct words *w, const char *word);
/* Both: false if the next word is not there or not of that form. */
bool words_time(struct words *w, int64_t *ms);
bool words_number(struct words *w, uint64_t *n);
/* The rest of the line as it stands, trimmed. */
struct slice words_rest(struct words *w);
bool time_parse(struct slice text, int64_t *ms);

/* ---- the scenario --------------------------------------------------------------- */

struct backend {
	struct slice name;
	struct io_addr addr;
	struct io *io;
	struct io_socket *socket;
	struct mock_options options;
	struct slice behaviour;
	unsigned line;
	struct mock *mock;
};

struct forward_proxy {
	struct slice name, authorization;
	struct io_addr addr;
	struct forward *forward;
};

/* What a client asked for; the Nth belongs to its Nth answer. */
struct asked {
	struct slice method, path, body;      /* path empty: bytes of its own */
};

struct actor {                                /* a client */
	struct slice name;
	struct io *io;
	struct sim_client *client;
	struct asked *asked;                  /* arena */
	unsigned asked_count;
	bool may_pend, direct, slow;
};

/* What is kept of an attempt_record. */
struct kept_attempt {
	struct slice target, text, kind;
	enum fault fault;
	int64_t start_ms, took_ms;
	unsigned stale_replays;
};

/* What is kept of an exchange_record. */
struct kept_record {
	struct slice peer, request_id, target, asked_model;
	int status;
	enum fault fault;
	bool committed;
	enum degraded degraded;
	unsigned resumes;
	bool hedged, hedge_won;
	enum cache_use cache;
	enum cache_tier tier;
	int64_t input_tokens, output_tokens;
	const struct kept_attempt *attempts;
	size_t attempt_count;
	int64_t duration_ms;
	mono_ms ended_at;
};

struct statement {
	struct scenario *sc;
	struct words words;
	int64_t at_ms;
	struct slice block;                   /* indented lines that follow */
	bool is_expect;
};

struct scenario {
	const char *name;
	const struct scenario_options *options;
	struct arena *arena;
	struct sim *sim;
	uint64_t seed, seed_last;
	unsigned workers, turns;
	int64_t end_ms;                       /* -1: by itself */
	struct slice config;
	unsigned config_line;
	bool config_default;
	struct backend backends[BACKENDS_MAX];
	unsigned backend_count;
	struct forward_proxy forwards[FORWARDS_MAX];
	unsigned forward_count;
	struct actor actors[CLIENTS_MAX];
	unsigned actor_count;
	struct statement *statements;
	unsigned statement_count, statements_left;
	struct sim_proxy *proxy;              /* the first node */
	struct sim_proxy *nodes[NODES_MAX + 1];       /* by number; [1] is the first */
	unsigned node_count;
	struct fake_redis *store;
	struct io_addr store_addrs[NODES_MAX];
	size_t store_addr_count;
	struct log log;
	struct buf log_text;
	struct kept_record *records;
	unsigned record_count;
	struct sim_proxy_limits limits;       /* the widest of all configs so far */
	bool draining;
	unsigned failures, expectations;
};

/* Notes a failure: prints "name:line: ..." (line 0: no line). */
/* operator.c: `target ...` and `drill ...`. */
void scenario_hold(struct scenario *sc, struct words *w);
void scenario_drill(struct scenario *sc, struct words *w);
void scenario_fail(struct scenario *sc, unsigned line, const char *format, ...) PRINTF_LIKE(3, 4);
/* NULL if there is none of that name. */
struct backend *scenario_backend(struct scenario *sc, struct slice name);
struct actor *scenario_actor(struct scenario *sc, struct slice name);
struct forward_proxy *scenario_forward(struct scenario *sc, struct slice name);
/* Milliseconds since the beginning. */
int64_t scenario_now(const struct scenario *sc);

/* act.c: does one statement. */
void scenario_act(struct scenario *sc, struct statement *s);
/* network settings; `strikes`: blows are allowed too. */
void scenario_network(struct scenario *sc, struct words *w, bool strikes);
/* nodes.c: several proxies and the store that they share. */
struct fake_redis;
void scenario_read_store(struct scenario *sc, struct words *w);
void scenario_start_store(struct scenario *sc);
void scenario_start_nodes(struct scenario *sc, void (*on_record)(void *owner, const struct exchange_record *r));
void scenario_act_store(struct scenario *sc, struct words *w);
void scenario_act_node(struct scenario *sc, struct words *w);
void scenario_expect_node(struct scenario *sc, struct words *w);
/* The node whose number is the next word; NULL after a complaint. */
struct sim_proxy *scenario_node(struct scenario *sc, struct words *w);
void scenario_end_nodes(struct scenario *sc);
void scenario_end_store(struct scenario *sc);
/* expect.c */
void scenario_expect(struct scenario *sc, struct words *w);
/* judge.c: what always holds: at the end, and after every step. */
void scenario_judge_all(struct scenario *sc);
void scenario_judge_step(struct scenario *sc);
/* "expect everyone whole or honest" and "expect CLIENT whole thanks to BACKEND". */
void scenario_whole_or_honest(struct scenario *sc, unsigned line);
void scenario_whole_thanks_to(struct scenario *sc, unsigned line, const struct actor *a,
			      struct slice backend);
/* oracle.c: what a healthy backend would have answered; text of the arena. */
struct slice scenario_oracle(struct scenario *sc, const struct asked *asked);
/* The record of that answer of the client; NULL if there is none. */
const struct kept_record *scenario_record(const struct scenario *sc, const struct actor *a,
					  const struct sim_answer *answer);

#endif
