/* inside.h: what the files of sim/ share; nobody else includes it. */
#ifndef BACKSTAY_SIM_INSIDE_H
#define BACKSTAY_SIM_INSIDE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/rng.h"
#include "sim/sim.h"

/* Something that happens at a time. With `io` it is a turn of that loop, else
 * the network's own affair. */
struct sim_event {
	struct heap_node node;
	struct io *io;
	void (*run)(struct sim_event *e);
};

#define SIM_LINE_MAX 240

struct sim_route {
	struct link link;
	struct io_addr to;
	struct sim_link way;
};

struct sim_name {
	struct link link;
	struct sim_host host;
};

struct sim {
	int64_t now_us;
	int64_t wall_jump_ms;
	struct heap events;
	struct rng rng;
	uint64_t seed;
	unsigned turn_max;
	struct list ios, conns, dead, listeners, names, routes, scripts;
	struct sim_link link_default;
	unsigned next_io;
	uint64_t next_conn;
	uint16_t next_port;
	uint64_t steps, steps_here;
	size_t queued_max;
	uint64_t trace_hash, trace_count;
	FILE *trace_file;
	char (*tail)[SIM_LINE_MAX];
};

struct io {
	struct link link;
	struct sim *sim;
	char name[32];
	unsigned number;
	struct rng rng;
	struct heap timers;
	struct io_deferred *deferred, **deferred_end;
	struct io_grave *graves, **graves_end;
	struct io_message *messages, **messages_end;
	struct sim_event post;
	struct list flush;                    /* streams with something to send */
	struct list lookups, jobs;
	unsigned streams, streams_max;
	size_t queued_max;
};

/* ---- connections: two ends, and a half of the wire towards each ---------- */

enum piece_kind { PIECE_DATA, PIECE_FIN, PIECE_RST };

struct piece {
	struct link link;
	enum piece_kind kind;
	int64_t at_us;
	size_t len;
	char bytes[];
};

struct half {
	struct sim_conn *conn;
	unsigned to;                          /* the end it leads to */
	struct list flight;                   /* struct piece, in order */
	size_t flight_bytes, lost_bytes;
	struct buf arrived;
	bool fin_sent, fin_arrived, rst_sent, rst_arrived;
	bool vanished;                        /* swallows everything */
	bool dead;                            /* answers everything with RST */
	uint64_t sent;
	int64_t last_at_us, busy_until_us, stall_until_us;
	bool planned;
	struct sim_plan plan;
	struct sim_event arrive, room, give_up;
};

enum end_state {
	END_ABSENT,           /* the server's end before the SYN arrives */
	END_CONNECTING,
	END_OPEN,
	END_BROKEN,           /* on_broken was told, the owner has not closed */
	END_LINGER,           /* the owner has closed, last words are on the way */
	END_GONE,
};

struct io_stream {
	struct sim_conn *conn;
	unsigned side;                        /* 0: who connected */
	struct io *io;
	const struct io_stream_events *events;
	void *owner;
	enum end_state state;
	struct buf out;
	bool paused, finish, end_told, backed_up;
	bool handshaking;                     /* TLS is being set up */
	bool refusing_tls;                    /* ... and will fail */
	enum io_broken broken_why;
	const char *broken_text;
	struct io_tls *tls;
	struct sim_event life, read, drain, linger;
	struct link flush_link;
};

struct sim_conn {
	struct link link;
	struct sim *sim;
	uint64_t id;
	struct io_addr to, from;
	struct sim_link *way;
	int64_t latency_us, jitter_us;
	size_t window;
	enum sim_cuts cuts;
	struct io_listener *listener;         /* until accepted */
	struct io_stream ends[2];
	struct half halves[2];                /* halves[i] leads to ends[i] */
	struct sim_event accept, idle;
	int64_t active_us;
	bool open, buried;
};

struct io_listener {
	struct link link;
	struct io *io;
	struct io_addr at;
	struct io_tls *tls;
	void (*on_accept)(void *owner, struct io_stream *s, const struct io_addr *peer);
	void *owner;
};

/* ---- world.c --------------------------------------------------------------- */

/* Plans or moves an event; times in the past are taken as now. */
void sim_event_set(struct sim *sim, struct sim_event *e, int64_t at_us);
void sim_event_clear(struct sim *sim, struct sim_event *e);
/* One way through the network, jitter included. */
int64_t sim_latency_us(struct sim *sim, int64_t latency_us, int64_t jitter_us);

/* ---- loop.c ---------------------------------------------------------------- */

/* Deferred work, flush, graves. */
void sim_turn_end(struct io *io);
/* Something waits for the end of a turn. */
bool sim_turn_open(const struct io *io);
void sim_io_free(struct io *io);

/* ---- names.c --------------------------------------------------------------- */

/* The caller's part of a pending lookup. */
struct io_resolve *sim_lookup_of(struct link *n);

/* ---- conn.c ---------------------------------------------------------------- */

/* A connection whose client end belongs to `io`; nothing is sent yet. */
struct sim_conn *conn_create(struct io *io, const struct io_addr *to);
void conn_free(struct sim_conn *c);
/* Prepares the blows that the link has planned. */
void conn_take_plans(struct sim_conn *c);
/* Moves what may leave from the end's queue to the wire. */
void end_send(struct io_stream *e);
/* Something of the end's waits for the end of the turn. */
void end_queue(struct io_stream *e);
/* The end is over for its owner and the network. */
void end_gone(struct io_stream *e);
/* Plans the next look at what has arrived, where there is something to tell. */
void end_wake(struct io_stream *e, int64_t delay_us);
/* on_broken at the next turn; everything else of the end is dropped. */
void end_break(struct io_stream *e, enum io_broken why, const char *text, int64_t at_us);
/* Bytes, FIN or RST onto the wire. */
void half_push(struct half *h, enum piece_kind kind, struct slice bytes);
/* The reader has taken bytes: lets the writer go on, one latency later. */
void half_room(struct half *h);
/* `spare`: what is on the wire already arrives as if nothing had happened. */
void conn_strike(struct sim_conn *c, enum sim_strike strike, enum sim_direction direction,
		 int64_t for_ms, bool spare);
void conn_watch_idle(struct sim_conn *c);
const char *conn_name(const struct io_stream *e, char *out, size_t out_size);

/* ---- listen.c -------------------------------------------------------------- */

struct io_listener *sim_listener_at(struct sim *sim, const struct io_addr *at);

#endif
