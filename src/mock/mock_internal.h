/* mock_internal.h: what the files of the mock share. */
#ifndef BACKSTAY_MOCK_MOCK_INTERNAL_H
#define BACKSTAY_MOCK_MOCK_INTERNAL_H

#include "base/list.h"
#include "base/rng.h"
#include "mock/mock.h"
#include "mock/mock_behaviour.h"
#include "mock/mock_script.h"
#include "mock/mock_text.h"
#include "wire/h1.h"
#include "wire/json.h"

#define MOCK_BODY_MAX (64u << 20)
#define MOCK_CHOICES_MAX 8
#define MOCK_LISTENERS_MAX 16
#define MOCK_QUEUE_MAX 1000
#define MOCK_TOKENS_MAX 100000u

/* Whose API the request under way is in: errors and headers are in its words. */
enum mock_dialect { SPEAKS_OPENAI, SPEAKS_ANTHROPIC, SPEAKS_BEDROCK, SPEAKS_COHERE, SPEAKS_GEMINI };

struct mock {
	struct io *io;
	const struct log *log;
	struct mock_options options;
	char *name, *key, *models[MOCK_MODELS_MAX];   /* own copies */
	struct io_listener *listeners[MOCK_LISTENERS_MAX];
	unsigned listener_count;
	struct list connections;
	struct mock_plan *standing;
	struct list queue;                    /* of struct queued */
	struct rng rng;
	uint64_t requests;                    /* for ids */
	struct mock_stats stats;
	struct buf last;                      /* options.record: GET /mock/last */

	/* Scratch of the one answer being composed: composing never waits. */
	enum mock_dialect speaks;
	struct mock_script body;
	struct mock_text texts[MOCK_CHOICES_MAX];
	struct buf scratch, prefix, styled;
	struct arena *arena;                  /* NULL until one is needed; freed after each answer */
};

/* A request as an endpoint sees it. All slices live until it has answered. */
struct mock_request {
	enum mock_endpoint endpoint;
	const struct h1_head *head;
	struct slice method, path, query, body;
	/* Members of a JSON body; raw values, SLICE_NONE if absent. */
	struct slice conversation;            /* messages, input or prompt */
	struct slice tools, tool_choice, response_format, stop, dimensions, encoding_format, text,
		documents, query_text, metadata, thinking, reasoning, include;
	struct slice model;                   /* decoded */
	bool stream, include_usage, obfuscate, logprobs;
	unsigned n;
	int64_t max_tokens;                   /* -1: not given */
};

/* What an endpoint answers; the body is in mock->body. */
struct mock_answer {
	int status;
	const char *content_type;
	bool stream;                          /* chunked, event by event */
	int64_t wait_ms;                      /* before the head */
	char extra[512];                      /* more header lines, each with CR LF */
};

/* Takes the next behaviour for a request; `out` is a copy. Requests that only
 * look (health, models) see the standing one without taking it. */
void mock_pick_behaviour(struct mock *mock, const struct h1_head *head, enum mock_endpoint endpoint,
			 struct mock_behaviour *out);
/* Copies a sentence, cut where it does not fit. */
void mock_say_why(char *why, size_t size, const char *text);
/* The behaviour a connection accepted now would get, if it is one that acts on
 * accepting; takes it then. NULL: none of that kind. */
const struct mock_behaviour *mock_pick_on_accept(struct mock *mock);

/* mock_conn.c: connections. */
/* Closes all (IO_CLOSE_NOW), or with `idle_only` those between requests (FIN),
 * or with `reset` all by RST. Gives how many. */
unsigned mock_conns_close(struct mock *mock, bool idle_only, bool reset);

/* mock_route.c */
/* Is the model served, does it take an answer begun? False: refused. */
bool mock_serves(struct mock *mock, const struct mock_request *r, struct mock_answer *a);
bool mock_takes_prefill(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
			struct mock_answer *a);
/* Does the request carry the mock's key as a token? */
bool mock_has_key(const struct mock *mock, const struct h1_head *head);
enum mock_endpoint mock_find_endpoint(struct slice path);
/* Composes the answer to a whole request into `wire`, which is empty; `nth`
 * counts the requests of this connection, from 0. */
void mock_compose(struct mock *mock, const struct h1_head *head, struct slice body, uint64_t nth,
		  const struct mock_behaviour *b, struct mock_script *wire);
/* The answer to a head that is no HTTP; the connection ends behind it. */
void mock_compose_bad_head(struct mock *mock, enum h1_result why, struct mock_script *wire);
/* The arena of this answer. */
struct arena *mock_arena(struct mock *mock);
/* A refusal of ours in OpenAI's shape, e.g. for a body that is no JSON. */
void mock_refuse(struct mock *mock, struct mock_answer *a, int status, const char *type,
		 const char *code, const char *message);

/* mock_frame.c: puts head and framing around mock->body. */
void mock_frame(struct mock *mock, const struct mock_answer *a, const struct mock_behaviour *b,
		const struct h1_head *request, struct mock_script *wire);
/* Turns a whole body of one piece into what b->body, whitespace and points
 * make of it. */
void mock_spoil_whole(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a);

/* mock_error.c */
/* An error body in b's shape, status and words into mock->body. */
void mock_answer_error(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a);
/* The JSON text of an error of b in that shape. */
void mock_write_error(struct buf *out, const struct mock_behaviour *b, enum mock_shape shape);
void mock_answer_html(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a);

/* ---- streams of events (mock_sse.c) ----------------------------------------- */

enum mock_protocol {
	PROTOCOL_CHAT, PROTOCOL_COMPLETIONS, PROTOCOL_RESPONSES, PROTOCOL_MESSAGES, PROTOCOL_BEDROCK,
	PROTOCOL_COHERE, PROTOCOL_GEMINI
};

struct mock_sse {
	struct mock *mock;
	const struct mock_behaviour *b;
	struct mock_script *out;
	enum mock_protocol protocol;
	int64_t ttft_ms, gap_ms;
	uint32_t content_events;
	bool plain;                           /* no odd style: the fast way */
	bool waited;                          /* for the first token */
	bool over;                            /* a fault ended it: write nothing more */
	bool cut_this;                        /* this event is cut in half */
	bool bad_this;                        /* this event's JSON is broken */
	bool new_id, filter;                  /* points that the endpoint acts on */
	uint64_t big_bytes;                   /* the next token is that long; 0: not */
	const char *type;                     /* of the event being written; PROTOCOL_BEDROCK */
	bool bad_sum;                         /* this event's frame has a wrong sum */
	struct slice chunk_head;              /* start of a chunk of this stream, for shape openrouter */
};

/* Begins a stream into mock->body; `s` needs no other preparation and no end. */
void mock_sse_start(struct mock_sse *s, struct mock *mock, const struct mock_behaviour *b,
		    enum mock_protocol protocol);
/* Before each content event: waits, comments, faults. False: the stream is
 * over, or ends here (s->filter). */
bool mock_sse_content(struct mock_sse *s);
/* Before the finish event: points that lie beyond the last content event strike
 * here. False: the stream is over. */
bool mock_sse_finish(struct mock_sse *s);
/* An event: begin (with its type where events have names, else NULL), write JSON
 * to the buf given, end. */
struct buf *mock_sse_begin(struct mock_sse *s, const char *type);
void mock_sse_end(struct mock_sse *s);
/* The piece of text of this event, as a JSON string: the token, or the big one that
 * is asked for. */
void mock_sse_token(struct mock_sse *s, struct buf *out, struct slice token);
/* "data: [DONE]", unless the stream is over. */
void mock_sse_done(struct mock_sse *s);

/* ---- endpoints ------------------------------------------------------------------ */

/* Each fills mock->body and *a (status, type, how long to wait before the head). */
void mock_answer_chat(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		      struct mock_answer *a);
void mock_answer_completions(struct mock *mock, const struct mock_request *r,
			     const struct mock_behaviour *b, struct mock_answer *a);
void mock_answer_responses(struct mock *mock, const struct mock_request *r,
			   const struct mock_behaviour *b, struct mock_answer *a);
/* Anthropic's (mock_anthropic.c). */
void mock_answer_messages(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
			  struct mock_answer *a);
void mock_answer_count_tokens(struct mock *mock, const struct mock_request *r, struct mock_answer *a);
/* Would Anthropic take it? False: refused, as the API itself does. */
bool mock_check_messages(struct mock *mock, const struct mock_request *r, struct mock_answer *a);
/* The error of a behaviour in Anthropic's words: changes status, type, message. */
void mock_anthropic_error(struct mock_behaviour *b);
/* Rate limits and ids as Anthropic's headers tell them. */
void mock_anthropic_headers(const struct mock *mock, const struct mock_behaviour *b, struct buf *out);
/* AWS's (mock_bedrock.c) and Cohere's (mock_cohere.c): read their requests by
 * themselves. */
void mock_answer_converse(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			  struct mock_answer *a);
void mock_answer_cohere(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			struct mock_answer *a);
void mock_answer_embeddings(struct mock *mock, const struct mock_request *r,
			    const struct mock_behaviour *b, struct mock_answer *a);
void mock_answer_misc(struct mock *mock, const struct mock_request *r,
		      const struct mock_behaviour *b, struct mock_answer *a);
/* mock_token.c: is it where a token is asked for? */
bool mock_is_token_path(struct slice path);
void mock_answer_token(struct mock *mock, const struct mock_request *r,
		       const struct mock_behaviour *b, struct mock_answer *a);
/* Google's (mock_gemini.c). Is it one of its paths? */
bool mock_is_gemini_path(struct slice path, enum mock_endpoint *endpoint);
void mock_answer_gemini(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			struct mock_answer *a);
/* Appends the error of a behaviour in Google's words; gives its status. */
int mock_gemini_error(struct buf *out, const struct mock_behaviour *b);
/* A vector for an input (raw), as an array or (packed) base64 of floats; `dimensions`
 * 1 to 4096. */
void mock_write_vector(struct mock *mock, struct buf *out, struct slice input, size_t dimensions, bool packed);
/* The same for GET /v1/models and for /mock/..., which no behaviour spoils. */
void mock_answer_models(struct mock *mock, const struct mock_request *r, struct mock_answer *a);
void mock_answer_control(struct mock *mock, const struct mock_request *r, struct mock_answer *a);
/* Appends mock_stats() as JSON. */
void mock_write_stats(const struct mock *mock, struct buf *out);

/* ---- what a model says (mock_say.c) ---------------------------------------------- */

struct mock_saying {
	bool is_tool_call;
	struct slice tool_name;               /* decoded */
	const char *finish;                   /* "stop", "length", "tool_calls" */
	struct slice stopped_by;              /* the stop sequence that ended it, decoded; empty: none */
	uint64_t prompt_tokens, completion_tokens;
	uint64_t conversation;                /* hash: equal for equal conversations */
};

/* What choice `index` says to the request, into mock->texts[index]. */
void mock_say(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
	      unsigned index, struct mock_saying *out);
/* An id such as "chatcmpl-" and 24 letters; `out` holds at least 64 bytes. */
const char *mock_id(struct mock *mock, const char *prefix, char *out);
int64_t mock_wall_s(const struct mock *mock);

#endif
