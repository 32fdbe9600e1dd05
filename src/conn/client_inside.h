/* client_inside.h: between client_door.c (accepting, limits, drain),
 * client_conn.c (reading requests) and client_respond.c (writing responses).
 * Nobody else includes it. */
#ifndef BACKSTAY_CONN_CLIENT_INSIDE_H
#define BACKSTAY_CONN_CLIENT_INSIDE_H

#include "base/list.h"
#include "conn/client_conn.h"
#include "wire/chunked.h"

#define CLIENT_LISTENERS_MAX 16
#define CLIENT_PIPELINE_BYTES ((size_t)64 * 1024)     /* waiting behind a request; then reading pauses */
#define CLIENT_DATE_BYTES 30                          /* "Mon, 23 Nov 2026 14:05:01 GMT" */

enum client_state {
	CLIENT_IDLE,          /* between requests, nothing of the next one has come */
	CLIENT_HEAD,          /* a head is coming in */
	CLIENT_BODY,          /* its body is coming in */
	CLIENT_ANSWERING,     /* a response is owed */
	CLIENT_FLUSHING,      /* it was given, but much of it is not taken yet: what comes next waits */
	CLIENT_DEAD,          /* given up; buried at the end of the turn */
};

/* The response going out; all zero between two of them. */
struct client_response {
	bool keep_alive, http10, is_head_request;     /* by the request */
	bool head_sent, chunked, until_close, no_body;
	uint64_t left;                /* known length: still to come */
};

struct client_conn {
	enum client_state state;
	struct client_door *door;
	struct io_stream *stream;
	struct link link;
	struct io_grave grave;
	struct io_deferred later;     /* goes on with what waited, see on_later() */
	struct io_timer timer;        /* what it limits depends on the state */
	bool reading;                 /* client_read() is on the stack */
	bool paused;
	bool closing;                 /* CLIENT_FLUSHING: the end comes next, not another request */

	/* the request coming in */
	struct buf in;                /* bytes not understood yet, or waiting behind a response */
	size_t scanned;
	struct buf head;              /* a head whose body is still coming */
	struct buf body;
	size_t body_held;             /* of it, or of what was handed up: part of counters->body_bytes */
	enum h1_body body_kind;
	uint64_t body_left;
	struct chunked chunked;

	/* the response going out */
	struct client_response out;
	const struct client_request_events *events;   /* NULL: nobody has claimed it */
	void *owner;
	bool drain_owed;              /* more than CLIENT_DRAIN_BYTES were pending */
	bool stall_watched;           /* the timer looks after the client's taking */
	uint64_t written, taken_at_check;
	uint8_t peer_bytes;           /* of its address, in peer[] */
	char peer[];
};

struct client_door {
	struct io *io;
	const struct client_limits *limits;
	struct client_counters *counters;
	const struct log *log;
	const struct client_door_events *events;
	void *owner;
	struct io_listener *listeners[CLIENT_LISTENERS_MAX];
	size_t listener_count;
	struct list conns;
	bool draining;
	struct buf scratch;           /* a head being written */
	char date[CLIENT_DATE_BYTES]; /* of the second `date_s` */
	int64_t date_s;
};

/* Takes over an accepted stream, which is counted already. */
void client_conn_begin(struct client_door *d, struct io_stream *s, const struct io_addr *peer);
/* Gives the connection up: tells the claimer if `tell`, closes, buries. */
void client_conn_die(struct client_conn *c, enum io_close how, bool tell);
/* The response has ended: on to the next request, or close. */
void client_conn_answered(struct client_conn *c);
/* Answers an error of the connection's own and closes behind it. */
void client_conn_refuse(struct client_conn *c, int status, struct slice sentence);
/* After each write: watches that the client takes it. */
void client_conn_wrote(struct client_conn *c, size_t bytes);
/* The Date header's value now; valid until the next call. */
struct slice client_door_date(struct client_door *d);

#endif
