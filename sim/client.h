/* client.h: a simulated application: sends a request over the io door, reads
 * the answer with wire/ and judges it strictly.
 *
 * An answer must be well framed, end exactly once, and be either whole or
 * honestly an error; nothing may follow its end. What breaks this is kept as a
 * violation, whatever a scenario expects. */
#ifndef BACKSTAY_SIM_CLIENT_H
#define BACKSTAY_SIM_CLIENT_H

#include "base/buf.h"
#include "base/check.h"
#include "io/io.h"

struct sim_client;

enum sim_answer_end {
	ANSWER_PENDING,               /* not ended yet */
	ANSWER_COMPLETE,              /* a clean end that its dialect confirms */
	ANSWER_ERROR,                 /* an error status, or an error event in the stream */
	ANSWER_BROKEN,                /* the connection broke or was refused before the end */
	ANSWER_LEFT,                  /* the client went first */
	ANSWER_UNSERVED,              /* asked behind an answer that closed the connection: ask again */
};

struct sim_answer {
	enum sim_answer_end end;
	int status;                   /* 0: no head came */
	struct buf head;              /* of the final response, as it came */
	struct buf body;              /* not streamed: the whole body */
	struct buf text;              /* the words of the answer, decoded, tool arguments too */
	bool to_head;                 /* of a HEAD request: without a body */
	bool is_stream, done;         /* an event stream; [DONE] or its like was seen */
	char finish_reason[32];       /* "" : none was seen */
	char error_code[64], error_type[64];
	char id[96];                  /* of a stream's chunks, raw: the same in all of them */
	int64_t input_tokens, output_tokens;  /* as the answer told its usage; -1: it did not */
	struct buf comments;          /* lines of comments between the events */
	char broken[96];              /* how the connection broke */
	unsigned events, error_events;
	bool message_begun;           /* Anthropic's: message_start was seen */
	unsigned blocks;              /* Anthropic's: blocks begun */
	bool block_open;              /* the last of them has not ended */
	bool reused;                  /* on a connection that had carried an answer before */
	mono_ms asked_at, head_at, text_at, ended_at;   /* MONO_NEVER: not yet */
	char violation[200];          /* first broken rule; "" : none */
};

struct sim_client_request {
	struct slice method, path;
	struct slice headers;         /* further lines "Name: value\r\n"… */
	struct slice body;
	bool http10;                  /* says that it is of HTTP/1.0 */
};

/* A client that talks to `to` from `io`. The caller ends it with
 * sim_client_free(). */
struct sim_client *sim_client_create(struct io *io, const struct io_addr *to);
/* Closes what is open and frees; NULL is fine. */
void sim_client_free(struct sim_client *c);
/* Sends a request, on the connection of the last answer where that still
 * stands; pipelined where that answer has not ended. */
void sim_client_ask(struct sim_client *c, const struct sim_client_request *request);
/* Sends bytes as they are and waits for `answers` more answers. */
void sim_client_say(struct sim_client *c, struct slice bytes, unsigned answers);
/* Goes away: politely (FIN in both directions), or with a reset. */
void sim_client_leave(struct sim_client *c, enum io_close how);
/* Says that it will send no more, and goes on reading. */
void sim_client_finish(struct sim_client *c);
/* Stops and resumes reading. */
void sim_client_pause(struct sim_client *c, bool paused);
/* Answers asked for so far, and the Nth of them (0 is the first) as far as it has
 * come. Both live as long as the client. */
unsigned sim_client_asked(const struct sim_client *c);
const struct sim_answer *sim_client_answer_at(const struct sim_client *c, unsigned n);
/* The last one asked for; one that was left before there is any. */
const struct sim_answer *sim_client_answer(const struct sim_client *c);
/* An answer is still awaited. */
bool sim_client_waits(const struct sim_client *c);
/* Value of a response header of that name; SLICE_NONE if absent. */
struct slice sim_answer_header(const struct sim_answer *a, struct slice name);
/* "complete", "error" ...; static. */
const char *sim_answer_end_name(enum sim_answer_end end);

#endif
