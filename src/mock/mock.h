/* mock.h: a simulated model server: the APIs of several vendors (told apart by
 * path) with invented answers, and every way of failing that a server has.
 *
 * It speaks HTTP/1.1 over the io door and writes its bytes itself, since it
 * must be able to break any rule of framing. Linked with src/io/real it is
 * `backstay mock`; linked with sim/ it is the scripted backend of scenarios.
 *
 * What a request gets is decided by, the first that is there:
 *   1. its own header  x-mock-fault: SPEC   (not if options.ignore_header)
 *   2. the queue of mock_queue_behaviour()
 *   3. the standing behaviour of mock_set_behaviour(); at first: healthy.
 * SPEC is text; docs/mock.md (mock_write_help()) lists its words. In short:
 *   ok | status 429 retry-after 2 | ttft 500ms gap 20ms tokens 50 |
 *   cut after 5 | stall after 3 for 30s | error first shape vllm | html 502 ...
 * Words combine ("gap 20ms crlf cut after 5"). "A then B" gives consecutive
 * requests consecutive behaviours, the last one stays; "A times 3 then ok"
 * repeats one. "percent 20 A" does A to a seeded random share, else healthy.
 * In the header, parts may be addressed to mocks by name: "@a status 500; @b ok".
 *
 * Answers depend on the seed and the conversation only, neither on the model
 * nor on the mock's name: two mocks with one seed say the same words. A
 * conversation that ends with an assistant message is continued from there, and
 * so is what stands behind the first line of a completion's prompt. */
#ifndef BACKSTAY_MOCK_MOCK_H
#define BACKSTAY_MOCK_MOCK_H

#include "base/buf.h"
#include "base/log.h"
#include "io/io.h"

struct mock;

#define MOCK_MODELS_MAX 16

struct mock_options {
	uint64_t seed;                /* of texts, ids, random shares */
	struct slice name;            /* x-mock-name of every answer; empty: "mock" */
	struct slice models[MOCK_MODELS_MAX];
	unsigned model_count;         /* 0: any model is served, /v1/models lists "mock-model" */
	struct slice key;             /* wanted as bearer token (or x-api-key, api-key); empty: none */
	int64_t ttft_ms;              /* before the first token; 0 .. one day */
	int64_t gap_ms;               /* between tokens; 0: the whole stream in one burst */
	unsigned tokens;              /* words of an answer; 0: 24 */
	bool echo;                    /* answer with the last user message */
	bool ignore_header;           /* x-mock-fault has no effect */
	bool record;                  /* keep the last request for GET /mock/last */
};

/* A server without listeners; options are copied. `log` is borrowed and may be
 * NULL. The caller ends it with mock_free(). */
struct mock *mock_create(struct io *io, const struct mock_options *options, const struct log *log);
/* Closes listeners and connections (at once) and frees all. NULL is fine. */
void mock_free(struct mock *mock);

/* Accepts on `socket`, which stays the caller's and must outlive the mock or
 * mock_unlisten(); `tls` NULL: plain. At most 16 listeners; false beyond. */
bool mock_listen(struct mock *mock, struct io_socket *socket, struct io_tls *tls);
/* Stops accepting everywhere; connections live on. */
void mock_unlisten(struct mock *mock);
/* Serves a stream that was accepted elsewhere; takes it over. */
void mock_accept(struct mock *mock, struct io_stream *stream);

/* Sets the standing behaviour; an empty spec means healthy. False, with a
 * sentence in why and nothing changed, if the spec is not understood. */
bool mock_set_behaviour(struct mock *mock, struct slice spec, char *why, size_t why_size);
/* Queues a behaviour for the next request(s): one for each "then" part, times
 * its "times". At most 1,000 parts are queued. Errors as above. */
bool mock_queue_behaviour(struct mock *mock, struct slice spec, char *why, size_t why_size);
/* Is the spec understood? Errors as above. */
bool mock_check_behaviour(struct slice spec, char *why, size_t why_size);

enum mock_endpoint {
	MOCK_CHAT, MOCK_COMPLETIONS, MOCK_RESPONSES, MOCK_MESSAGES, MOCK_COUNT_TOKENS, MOCK_EMBEDDINGS,
	MOCK_CONVERSE, MOCK_COHERE_CHAT, MOCK_COHERE_EMBED,
	MOCK_GEMINI, MOCK_GEMINI_COUNT, MOCK_GEMINI_EMBED, MOCK_AWS, MOCK_MODELS,
	MOCK_MODERATIONS, MOCK_RERANK, MOCK_IMAGES, MOCK_TRANSCRIPTIONS, MOCK_SPEECH,
	MOCK_FILES, MOCK_BATCHES, MOCK_TOKEN, MOCK_HEALTH, MOCK_CONTROL, MOCK_UNKNOWN, MOCK_ENDPOINTS
};

/* Every request ends as exactly one of finished, broken and cancelled;
 * requests = finished + broken + cancelled + in_flight. */
struct mock_counts {
	uint64_t requests;            /* whose head was understood */
	uint64_t finished;            /* answered to the last byte (an error status counts too) */
	uint64_t broken;              /* ended by us before the answer's end (a fault) */
	uint64_t cancelled;           /* the client left before the answer's end */
	uint64_t in_flight;
};

struct mock_stats {
	uint64_t connections_open, connections_total;
	uint64_t bad_requests;        /* heads that were no HTTP */
	uint64_t faulty;              /* requests that got a behaviour other than healthy */
	struct mock_counts all;       /* without MOCK_CONTROL */
	struct mock_counts per[MOCK_ENDPOINTS];
};

/* Counted since mock_create(). */
struct mock_stats mock_stats(const struct mock *mock);
/* "chat", "completions" ...; static. */
const char *mock_endpoint_name(enum mock_endpoint e);

/* Closes connections that are between requests (FIN); gives how many. */
unsigned mock_close_idle(struct mock *mock);
/* Resets every connection, those with an answer under way included; gives how
 * many. */
unsigned mock_reset_all(struct mock *mock);

/* Appends the table of behaviour words as text for a terminal, or as the
 * Markdown table of docs/mock.md. The buf's maximum must allow 64 KiB. */
void mock_write_help(struct buf *out);
void mock_write_help_markdown(struct buf *out);

#endif
