/* sim.h: a world in one process: a virtual clock, an in-memory network and any
 * number of simulated processes, each with a loop that implements io/io.h.
 *
 * A program linked with libsim instead of libio gets the same functions as the
 * real door, so the code above it runs unchanged. Everything that happens is an
 * event with a time; sim_step() moves the clock to the next one and lets it
 * happen. Nothing depends on the machine, so a seed is a run: the same seed
 * and the same calls give the same trace, byte for byte.
 *
 *   struct sim *sim = sim_create(42);
 *   struct io *server = sim_io_create(sim, "server");
 *   struct io *client = sim_io_create(sim, "client");
 *   ... io_listen(server, ...), io_connect(client, ...) ...
 *   sim_run_for(sim, 1000);
 *   sim_free(sim);
 *
 * A turn of a loop is one event (a stream's, a timer, a message), then the
 * deferred work, then the flush of what was written, then the graves. With
 * sim_set_turn_max() several events that are due together may share a turn.
 *
 * Two functions of the door cannot know the world they belong to:
 * io_socket_open() only notes the address, which is bound by the first
 * io_listen() on it (then a port 0 is replaced by a real one too); and TLS
 * setups are empty counted objects. */
#ifndef BACKSTAY_SIM_SIM_H
#define BACKSTAY_SIM_SIM_H

#include "base/check.h"
#include "io/io.h"

#include <stdio.h>

struct sim;

/* ---- the world ---------------------------------------------------------- */

/* The monotonic time at which every world begins (never 0, as on a machine). */
#define SIM_START_MS 1000000
/* Unix time at the beginning: 2026-01-01T00:00:00Z. */
#define SIM_START_WALL_MS 1767225600000

/* A world without hosts but "localhost". The caller ends it with sim_free(). */
struct sim *sim_create(uint64_t seed);
/* Frees the world with all its loops and what is left in them; owners of
 * streams and timers are not told. NULL is fine. */
void sim_free(struct sim *sim);

/* One more simulated process with a loop and an address (10.77.0.N) of its
 * own. `name` is copied; it appears in the trace. Lives as long as the world. */
struct io *sim_io_create(struct sim *sim, const char *name);
/* The name given above. */
const char *sim_io_name(const struct io *io);
/* The address its connections come from, port 0. */
struct io_addr sim_io_addr(const struct io *io);
/* The world of a loop. */
struct sim *sim_io_world(const struct io *io);
/* The most streams this process may have open: further connects break with
 * IO_LOCAL, accepting pauses. 0: no limit (the default). */
void sim_io_set_streams_max(struct io *io, unsigned streams_max);
/* Up to `events_max` events due at the same time may share a turn, by chance
 * (1: never, the default). */
void sim_set_turn_max(struct sim *sim, unsigned events_max);

/* ---- time ---------------------------------------------------------------- */

/* Now, as io_now() shows it, and in microseconds since the beginning. */
mono_ms sim_now(const struct sim *sim);
int64_t sim_now_us(const struct sim *sim);
/* Lets the next thing happen. False: nothing can ever happen any more. */
bool sim_step(struct sim *sim);
/* Lets everything happen that is due up to `at`, then sets the clock to it. */
void sim_run_until(struct sim *sim, mono_ms at);
/* The same for a span from now. */
void sim_run_for(struct sim *sim, int64_t span_ms);
/* Steps until nothing can happen any more, at most `span_ms`. False: something
 * still could. */
bool sim_settle(struct sim *sim, int64_t span_ms);
/* Nothing can happen any more unless somebody outside acts. */
bool sim_idle(const struct sim *sim);
/* When the next thing can happen; MONO_NEVER if nothing can. */
mono_ms sim_next_at(const struct sim *sim);
/* Steps made so far. */
uint64_t sim_steps(const struct sim *sim);
/* Moves the wall clock (not the monotonic one) by `by_ms`. */
void sim_wall_jump(struct sim *sim, int64_t by_ms);
/* Calls run(arg) at `at`, outside of any loop: for scripts. */
void sim_script(struct sim *sim, mono_ms at, void (*run)(void *arg), void *arg);
/* A random number of the world's (not of a loop's): 0 .. below-1. */
uint64_t sim_chance(struct sim *sim, uint64_t below);

/* ---- names ----------------------------------------------------------------- */

#define SIM_NAME_MAX 128

/* What the resolver knows of a host. May be changed at any time. */
struct sim_host {
	char name[SIM_NAME_MAX];
	struct io_addr addrs[IO_RESOLVE_MAX];   /* ports ignored */
	unsigned count;
	int64_t ttl_ms;               /* default 30 s */
	int64_t delay_ms;             /* how long an answer takes; default 1 ms */
	const char *fails;            /* not NULL: answers fail with this static text */
	bool silent;                  /* no answer ever comes */
	bool rotate;                  /* each answer starts one address later */
	uint64_t lookups;             /* asked so far */
};

/* The host of that name, made without addresses if there was none. */
struct sim_host *sim_host(struct sim *sim, const char *name);
/* The same with one more address, given as text without port ("10.1.0.1",
 * "::1"). */
struct sim_host *sim_host_add(struct sim *sim, const char *name, const char *addr);

/* ---- the network ------------------------------------------------------------ */

/* How the bytes that have arrived are cut into on_data events. */
enum sim_cuts { SIM_CUT_WHOLE, SIM_CUT_RANDOM, SIM_CUT_BYTES };

/* What becomes of a SYN. */
enum sim_connect {
	SIM_CONNECT_OK,
	SIM_CONNECT_REFUSE,           /* RST, as if nobody listened */
	SIM_CONNECT_BLACKHOLE,        /* never answered; the kernel gives up after 127 s */
	SIM_CONNECT_UNREACHABLE,
	SIM_CONNECT_LOCAL,            /* the connecting machine has no port left */
};

/* What becomes of a TLS handshake. */
enum sim_tls { SIM_TLS_OK, SIM_TLS_FAIL, SIM_TLS_STALL };

enum sim_direction { SIM_TO_CLIENT, SIM_TO_SERVER };

/* What can befall a standing connection; "client" is who connected. */
enum sim_strike {
	SIM_STRIKE_CUT,               /* a middlebox closes: FIN at the reader, RST at the writer */
	SIM_STRIKE_RESET,             /* RST at both ends */
	SIM_STRIKE_VANISH,            /* the wire is gone: bytes are swallowed, nobody is told */
	SIM_STRIKE_STALL,             /* bytes are held back for a while */
};

/* A blow prepared for connections to come: after_bytes pass in `direction`,
 * then it strikes (when the next byte or the FIN would leave). */
struct sim_plan {
	enum sim_strike strike;
	enum sim_direction direction;
	uint64_t after_bytes;
	int64_t for_ms;               /* SIM_STRIKE_STALL only */
	int count;                    /* connections it is used on; negative: all */
};

#define SIM_PLANS_MAX 16

/* The way to one server address, or the default for all. May be changed at any
 * time; latency, cuts and window hold for connections begun afterwards, the
 * rest for whatever is decided next. */
struct sim_link {
	int64_t latency_us;           /* one way; default 500 */
	int64_t jitter_us;            /* up to so much more, evenly; default 0 */
	int64_t bytes_per_s;          /* per connection and direction; 0: no limit */
	enum sim_cuts cuts;           /* default SIM_CUT_WHOLE */
	size_t window;                /* bytes both kernels hold in a direction; default 128 KiB */
	enum sim_connect connect;
	int connect_count;            /* > 0: `connect` holds for so many SYNs, then OK again */
	enum sim_tls tls;
	int64_t idle_close_ms;        /* a middlebox FINs connections silent for so long; 0: never */
	int64_t give_up_ms;           /* unanswered bytes break the stream with IO_TIMED_OUT; 0: never */
	bool tunnel;                  /* a TLS client here is answered by somebody further on */
	struct sim_plan plans[SIM_PLANS_MAX];
	unsigned plan_count;
	uint64_t connects;            /* SYNs so far */
};

/* The link that new ones are copied from. */
struct sim_link *sim_link_default(struct sim *sim);
/* The link to `addr`, made from the default at its first use. */
struct sim_link *sim_link_to(struct sim *sim, const struct io_addr *addr);
/* Adds a plan; the oldest is dropped where SIM_PLANS_MAX is reached. */
void sim_link_plan(struct sim_link *link, struct sim_plan plan);

/* Strikes the standing connections to `addr` (NULL: all) that have been silent
 * for at least `idle_ms` (0: every one). For SIM_STRIKE_STALL, bytes are held
 * for `for_ms` from now in both directions. Gives how many were struck. */
unsigned sim_strike(struct sim *sim, const struct io_addr *addr, enum sim_strike strike,
		    int64_t idle_ms, int64_t for_ms);
/* Sends bytes that no server wrote to the clients of such connections. */
unsigned sim_junk(struct sim *sim, const struct io_addr *addr, struct slice bytes, int64_t idle_ms);

/* An IPv4 or IPv6 address with a port from text; aborts on nonsense. */
struct io_addr sim_addr(const char *text);

/* ---- what exists --------------------------------------------------------------- */

struct sim_counts {
	unsigned streams;             /* owned by somebody */
	unsigned lingering;           /* closed by the owner, last words still on the way */
	unsigned listeners;
	unsigned timers;              /* pending */
	unsigned deferred, graves;
	unsigned jobs, messages, lookups;
	size_t bytes_queued;          /* io_write_pending() of all streams */
	size_t bytes_unread;          /* arrived, not yet taken */
};

/* Counts for one loop (NULL: the whole world). */
struct sim_counts sim_count(const struct sim *sim, const struct io *io);
/* No stream, listener, timer, job, message or lookup is there. */
bool sim_counts_clean(const struct sim_counts *c);
/* "streams 1, timers 2": what is not 0. Gives `out`. */
const char *sim_counts_text(const struct sim_counts *c, char *out, size_t out_size);
/* Most bytes any one stream ever had queued in io_write(): in the world, and of
 * one loop. */
size_t sim_queued_max(const struct sim *sim);
size_t sim_io_queued_max(const struct io *io);

/* ---- the trace -------------------------------------------------------------------- */

/* Adds a line of the caller's (`who` may be NULL). */
void sim_trace(struct sim *sim, const char *who, const char *format, ...) PRINTF_LIKE(3, 4);
/* Hash and count of all lines so far. */
uint64_t sim_trace_hash(const struct sim *sim);
uint64_t sim_trace_count(const struct sim *sim);
/* Lines are also printed to `file` from now on (NULL: not). */
void sim_trace_to(struct sim *sim, FILE *file);
/* Prints the last lines (at most `lines`, and no more than are kept). */
#define SIM_TRACE_KEPT 256
void sim_trace_tail(const struct sim *sim, FILE *file, unsigned lines);

#endif
