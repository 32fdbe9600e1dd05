/* What the bench programs share: sockets, a clock, where an HTTP message ends,
 * and a histogram. Nothing here is the proxy's own code, so that the proxy is
 * measured from outside. Everything ends the program on its own mistakes. */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAIN_READ_BYTES (128 * 1024)
#define FRAME_LINE_BYTES 256
#define HIST_BUCKETS     (64 * 64)

/* Says what failed, with errno's text, and exits 1. */
_Noreturn void plain_die(const char *what);

/* CLOCK_MONOTONIC in nanoseconds: one clock for all processes of the machine. */
uint64_t plain_now_ns(void);

/* The number in `text`, or the end of the program if it is none in min .. max. */
uint64_t plain_number(const char *text, uint64_t min, uint64_t max);

/* Lifts the limit on descriptors as far as it goes. */
void plain_raise_nofile(void);

/* A non-blocking listening socket on 127.0.0.1:port. */
int plain_listen(uint16_t port);

/* A connected non-blocking socket to 127.0.0.1:port, TCP_NODELAY set; -1 with
 * errno if it was refused. Loopback connects at once, so it is waited for. */
int plain_connect(uint16_t port);

/* The next connection of a listening socket, as plain_connect(); -1 if none. */
int plain_accept(int listener);

enum frame_state {
	FRAME_HEAD, FRAME_LENGTH, FRAME_CHUNK_SIZE, FRAME_CHUNK_DATA, FRAME_CHUNK_END,
	FRAME_TRAILERS, FRAME_DONE
};

/* Follows one HTTP/1.1 message that is known to be well formed. Zeroed: ready
 * for the next message. A message without a length has no body. */
struct frame {
	enum frame_state state;
	int status;              /* of a response; 0 for a request */
	bool chunked, closes;    /* closes: the sender said "connection: close" */
	uint64_t left;           /* bytes of body or chunk still to come */
	size_t line_len;
	char line[FRAME_LINE_BYTES];
};

struct piece { const char *at; size_t len; };

/* Eats from the front of the `len` bytes at `at` and returns how many; *body is
 * the body among them (len 0: none). Call it until all is eaten or the state is
 * FRAME_DONE. Returns 0 only then. */
size_t frame_eat(struct frame *f, const char *at, size_t len, struct piece *body);

/* Counts of nanosecond values, each known to 1.6 %. */
struct hist {
	uint64_t count, max_ns;
	uint64_t bucket[HIST_BUCKETS];
};

/* Counts one value in nanoseconds. */
void hist_add(struct hist *h, uint64_t ns);

/* The value in nanoseconds that `share` (0 .. 1) of those counted do not pass;
 * 0 if there are none. */
uint64_t hist_at(const struct hist *h, double share);

#endif
