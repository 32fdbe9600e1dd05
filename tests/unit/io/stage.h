/* stage.h: what the tests of the real door share: a loop, recorded streams
 * over loopback sockets, and running until something expected has come. Nothing
 * sleeps; a guard timer fails a test whose events never come. */
#ifndef BACKSTAY_TESTS_IO_STAGE_H
#define BACKSTAY_TESTS_IO_STAGE_H

#include "base/buf.h"
#include "base/check.h"
#include "io/real/real.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct stage;

/* One end of a stream and all that it was told. */
struct end {
	struct stage *stage;
	struct io_stream *stream;        /* NULL: none (yet), or closed */
	struct buf got;
	unsigned opened, ended, broken, drained, data_events;
	enum io_broken why;
	char text[300];
	bool echo;                       /* write back what comes */
	bool close_on_data;
	enum io_close close_how;
	struct end *close_other_on_data; /* close this one instead */
	bool pause_on_data;
};

struct stage {
	struct io *io;
	struct io_socket *socket;
	struct io_listener *listener;
	struct io_addr at;
	struct end client, server;
	unsigned accepted;
	struct io_addr peer;
	void (*on_accept)(struct stage *stage);
	bool (*done)(struct stage *stage);
	struct io_timer guard;
	int fds_before;
};

extern const struct io_stream_events end_events;

/* A loop, a listener on a free loopback port (with `tls`, which may be NULL),
 * nothing connected yet. */
void stage_open(struct stage *stage, struct io_tls *tls);
/* Listens on stage->socket. */
void stage_listen(struct stage *stage, struct io_tls *tls);
/* Closes all; fails the test if a descriptor is left over. */
void stage_close(struct stage *stage);
/* Runs the loop until done(stage) holds, looked at after each event. */
void stage_run(struct stage *stage, bool (*done)(struct stage *stage));
/* To be called by handlers of tests' own after they have noted something. */
void stage_look(struct stage *stage);
/* Connects stage->client to `to` (NULL: to the stage's listener). */
void stage_connect(struct stage *stage, const struct io_addr *to);
/* Connects and runs until both ends stand. */
void stage_pair(struct stage *stage);

void end_write(struct end *e, struct slice bytes);
void end_close(struct end *e, enum io_close how);
int count_descriptors(void);

#define assert_got(end_, literal) \
	do { \
		assert_int_equal(buf_len(&(end_)->got), sizeof(literal) - 1); \
		assert_memory_equal(buf_slice(&(end_)->got).at, literal, sizeof(literal) - 1); \
	} while (0)

#endif
