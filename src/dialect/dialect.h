/* dialect.h: what Backstay must understand of an API language to route it.
 *
 * Traffic between a client and a backend of the same dialect passes as the
 * bytes it is. What the proxy needs to know of it (which model, is it a
 * stream, does this event carry content, is that an error and which fault) is
 * read here, and what the proxy itself must say (errors) is written here.
 *
 * A dialect is a row: a const struct of functions. A new one is one file and
 * one row in dialect_all[]. */
#ifndef BACKSTAY_DIALECT_DIALECT_H
#define BACKSTAY_DIALECT_DIALECT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/mono.h"
#include "wire/h1.h"

struct codec;
struct vendor;

/* ---- endpoints ------------------------------------------------------------ */

enum endpoint_kind {
	ENDPOINT_CHAT,
	ENDPOINT_COMPLETIONS,
	ENDPOINT_RESPONSES,
	ENDPOINT_EMBEDDINGS,
	ENDPOINT_COUNT_TOKENS,
	ENDPOINT_PASS,               /* no meaning read beyond the model: moderations, images, audio ... */
	ENDPOINT_MODELS,             /* answered by Backstay itself */
};

/* Where the name of the model stands in a request. */
enum model_place { MODEL_IN_JSON, MODEL_IN_MULTIPART, MODEL_IN_PATH, MODEL_NOWHERE };

struct endpoint {
	const char *method;
	struct slice path;           /* as the client calls it; a "*" is any rest, or anything up to
				      * what stands behind it */
	struct slice upstream_path;  /* behind the backend's base URL, e.g. "/chat/completions";
				      * "*" at its end: the same rest (dialect_upstream_path) */
	enum endpoint_kind kind;
	enum model_place model_place;
	bool may_retry;              /* safe to send again after bytes reached a backend */
	bool may_stream;
	const struct codec *codec;   /* carries it to backends of other dialects (codec.h); NULL: none */
};

/* ---- requests ---------------------------------------------------------------- */

/* What routing needs of a request. Slices point into the body. */
struct request_facts {
	const struct endpoint *endpoint;
	struct slice model;          /* decoded name; empty: none given */
	struct slice model_raw;      /* where it stands in the body (with quotes in JSON): what is spliced */
	enum model_place model_place; /* where it was really found: some endpoints take JSON and forms */
	bool stream;
	bool asks_usage;             /* stream_options.include_usage */
	bool reasons;                /* reasoning effort or thinking asked for: first token may take long */
	bool foreign;                /* holds what only our codecs understand: not to be passed on as it is */
	bool has_tools, has_images, has_audio, has_schema;
	struct slice conversation;   /* raw: the list of messages (or what stands for it); may be empty */
	struct slice user;           /* `user`, or prompt_cache_key; may be empty */
	unsigned choices;            /* answers asked for at once (n); at least 1 */
	bool logprobs;               /* token probabilities asked for */
	bool constrained;            /* output bound to a grammar: JSON mode, schema, guided decoding */
	int64_t max_tokens;          /* of the answer; -1: not given */
};

/* ---- answers -------------------------------------------------------------------- */

/* As OpenAI counts: cached tokens (read from a cache, or written to one) are part
 * of the input, thinking is part of the output. */
struct usage {
	bool known;
	int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
	int64_t cache_write_tokens;  /* of the input: put into a cache (and mostly paid for more) */
	int64_t audio_input_tokens, audio_output_tokens;
};

/* What an error, or an answer that should have been fine, means. */
struct answer_facts {
	enum fault fault;            /* FAULT_NONE: a good answer */
	struct slice message;        /* the upstream's own words for the client; may be empty */
	/* The upstream's, for pass-through. at == NULL: the answer was no error in
	 * JSON; empty with at != NULL: it was one, and had null there. */
	struct slice type, code, param;
	bool no_retry;               /* x-should-retry: false (S11): not the same target again */
	int64_t retry_after_ms;      /* the hint; -1: none. Clamped to 0 .. one hour */
	struct usage usage;
	struct slice finish_reason;  /* of the first choice; may be empty */
};

/* What an event of a stream is. Bits: one event may be several things. */
enum event_is {
	EVENT_CONTENT = 1,           /* the commit point: text, tool call, reasoning, refusal, audio */
	EVENT_FINISH = 2,            /* the dialect's sign that the answer is complete (finish reason) */
	EVENT_DONE = 4,              /* the last event ([DONE], response.completed): nothing follows */
	EVENT_ERROR = 8,             /* an in-band error: see fault and message */
	EVENT_BROKEN = 16,           /* not understandable (bad JSON): tokens may be lost */
};

/* A text of the answer that grows with each event. */
#define EVENT_PIECES_MAX 6
#define EVENT_NO_CALL (-1)
struct event_piece {
	unsigned choice;             /* index of the answer (n > 1) */
	int call;                    /* index of the tool call it belongs to; EVENT_NO_CALL */
	/* The member that grows: "content", "arguments"; static. One that ends in "item" is the
	 * name of an item of the answer: it never grows, and a continuation has its own. */
	struct slice name;
	struct slice raw;            /* what this event adds: a JSON string with its quotes, in data */
	bool plain;                  /* it is known to be valid and to have no escapes */
};

struct event_facts {
	unsigned is;                 /* bits of enum event_is; 0: preamble, ping, usage only */
	enum fault fault;            /* with EVENT_ERROR / EVENT_BROKEN */
	struct slice message;
	struct slice type, code, param;   /* as in answer_facts */
	int64_t retry_after_ms;      /* as in answer_facts */
	struct usage usage;
	struct slice finish_reason;
	unsigned tokens;             /* content-bearing pieces in it: a floor for tokens so far */
	/* All content of the event as pieces; where it has content that is none (audio,
	 * images, too many at once) pieces_lost is set, and who wants to remember what
	 * was said cannot. */
	unsigned piece_count;
	bool pieces_lost;
	uint64_t finished;           /* bit n: choice n has its finish reason in this event */
	struct event_piece pieces[EVENT_PIECES_MAX];
};

/* What a stream has shown so far; one per attempt, zeroed at its start. The
 * dialect keeps here what one event alone cannot tell. */
struct stream_facts {
	bool content_seen, finish_seen, done_seen, error_seen, tool_call_open;
	unsigned events;
	struct usage usage;
	uint64_t private[4];         /* the dialect's own */
};

/* ---- errors of our own -------------------------------------------------------------- */

struct error_answer {
	enum fault fault;
	int status;                  /* 0: the fault's */
	struct slice message;        /* a sentence that helps */
	/* Empty: the fault's (param: null). But a code that is empty with at != NULL,
	 * beside a type that is not, is null: so the slices of answer_facts and
	 * event_facts, or copies of them, can be handed on as they are. */
	struct slice type, code, param;
	struct slice request_id;
	int64_t retry_after_ms;      /* -1: none */
	const struct stream_facts *so_far;  /* write_error_event: of the stream it ends; NULL: none yet */
};

/* ---- continuing a broken answer ----------------------------------------------------- */

/* How a target is asked to go on with an answer that broke off (design: resume). */
enum resume_way {
	RESUME_AUTO,                 /* config only: what the target's family is known to take */
	RESUME_NONE,
	RESUME_REPLAY,               /* the same request again; what the client has is swallowed */
	RESUME_PREFILL,              /* the text so far as an assistant message at the end */
	RESUME_CONTINUE_FINAL,       /* the same with continue_final_message (vLLM, SGLang) */
	RESUME_PREFIX,               /* the same with "prefix": true (Mistral, DeepSeek) */
	RESUME_INSTRUCT,             /* a user message that asks to go on from the exact text */
};

/* What a request says differently upstream than the client wrote it. */
struct request_changes {
	struct slice model;          /* the name to send */
	bool as_stream;              /* ask for a stream, with usage, where the client wants none */
	enum resume_way way;         /* RESUME_NONE or RESUME_REPLAY: nothing is changed for it */
	struct slice sent;           /* text that the client has, for the other ways */
	unsigned tokens_sent;        /* of it, taken off the request's limit of tokens */
};

#define DIALECT_CHANGED_PARTS 16

/* What is one and the same in all events of an answer: raw values as they stood
 * in an event; SLICE_NONE where it had none. */
struct event_identity {
	struct slice id, created, model, fingerprint;
};

/* Text that is to stand in an event instead of what it has there. */
struct event_text {
	unsigned choice;
	int call;
	struct slice name;           /* as in event_piece */
	struct slice text;           /* decoded; empty: the event does not have it */
};

/* How an event of a continuation differs from what its backend sent. */
struct event_rewrite {
	const struct event_identity *identity;   /* the client's; borrowed */
	int64_t add_input, add_output;           /* tokens of earlier attempts, where usage is told */
	bool retold;                 /* only these texts, finish reasons and usage are kept */
	const struct event_text *texts;
	unsigned text_count;
	uint64_t mute_finished;      /* retold: choices whose finish reason the client has */
};

/* Where at a vendor a backend's models live, for dialects whose paths say it. */
struct dialect_place {
	struct slice project;        /* Vertex */
	struct slice location;       /* Vertex's location, Bedrock's region */
	struct slice api_version;    /* Azure */
};

/* What is to be asked of a backend, as far as its path tells. */
struct dialect_ask {
	const struct endpoint *endpoint;      /* what the client asked, in its dialect */
	struct slice path;                    /* as the client wrote it */
	const struct codec *codec;            /* what is spoken to the backend; NULL: the request is passed on */
	struct slice model;                   /* the upstream's name, decoded */
	bool stream;
	const struct vendor *vendor;
	const struct dialect_place *place;    /* NULL: not given */
};

/* How a backend takes its key. */
enum auth_scheme {
	AUTH_BEARER,                 /* Authorization: Bearer KEY */
	AUTH_API_KEY,                /* api-key: KEY (Azure) */
	AUTH_X_API_KEY,              /* x-api-key: KEY (Anthropic) */
	AUTH_X_GOOG_API_KEY,         /* x-goog-api-key: KEY (Gemini) */
	AUTH_NONE,
};

/* A dialect is a client's, a backend's, or both. A client's has endpoints and
 * all functions from read_request to write_error_event, but for those that say
 * that they may be NULL. A backend's has codecs, judge_answer and judge_event. */
/* What the query of a client's request says. */
struct client_query {
	struct slice key;            /* a credential; empty: none */
	struct slice rest;           /* what may be passed on */
	bool as_array;               /* a stream is wanted as one JSON array, piece by piece, not as events */
};

struct dialect {
	struct slice name;           /* "openai" */
	const struct endpoint *endpoints;
	size_t endpoint_count;

	/* A header that only its clients send: tells them apart where paths are shared
	 * by dialects or unknown. Empty: there is none. */
	struct slice client_header;
	/* The header its clients read a request's id from, beside x-request-id; may be
	 * empty. */
	struct slice id_header;

	/* As a backend's: the dialect whose requests and answers pass as they are, where
	 * it differs from another in paths and headers only. NULL: itself. */
	const struct dialect *passes;
	/* As a backend's: what it can be spoken to in, the best first; ends with NULL. */
	const struct codec *const *codecs;
	/* What a backend's URL may end in, and its paths begin with all the same:
	 * "/v1". Config takes it off the URL. Empty: nothing. */
	struct slice base_tail;
	enum auth_scheme auth;       /* how its backends take a key, where config does not say */
	/* Header lines "Name: value\r\n"... that its backends want with each request,
	 * where neither client nor config gives that header; may be empty. */
	struct slice fixed_headers;
	/* The path (and query) behind the backend's base URL, arena. NULL: that of
	 * dialect_upstream_path(). */
	struct slice (*upstream_path)(struct arena *arena, const struct dialect_ask *ask);

	/* A dialect that speaks the same of conversations, at other paths: requests and
	 * answers pass between the two as they are. NULL: none. */
	const struct dialect *kin;
	/* Its clients know no comments in streams; a line without anything keeps their
	 * connections warm. */
	bool no_comments;
	/* What its clients' queries say; slices of `query` or the arena. NULL: nothing
	 * that concerns us, and all is passed on. */
	void (*read_query)(struct arena *arena, const struct endpoint *endpoint, struct slice query,
			   struct client_query *out);

	/* Reads what routing needs. The body must be what came, whole. On a fault
	 * other than FAULT_NONE, *why is a sentence for the client (arena) and
	 * *param the member to blame (may be empty). */
	enum fault (*read_request)(struct arena *arena, const struct endpoint *endpoint,
				   struct slice content_type, struct slice path, struct slice body,
				   struct request_facts *out, struct slice *why, struct slice *param);
	/* Judges a whole answer: an error status, or a 200 that must be what the
	 * endpoint promises (fault table, catalogue rows S01-S26). Slices of *out
	 * point into the body or the arena. */
	void (*judge_answer)(struct arena *arena, const struct endpoint *endpoint, int status,
			     const struct h1_head *head, struct slice body, int64_t wall_ms,
			     struct answer_facts *out);
	/* Judges one event of a stream (data as the SSE parser joined it) and brings
	 * *so_far up to date. Slices of *out point into data or the arena (which is
	 * the caller's scratch and may be reset between events). */
	void (*judge_event)(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			    struct slice data, struct stream_facts *so_far, struct event_facts *out);
	/* What judge_event() finds does not depend on what the text of a piece says, as
	 * long as it is not empty: of an event that is content and nothing else, with
	 * one piece (event_memo.h). */
	bool repeats;
	/* The stream's framing ended cleanly: was the answer complete? FAULT_NONE;
	 * FAULT_CUT where content was seen and no end of it (catalogue E11-E13, H17);
	 * FAULT_BAD_ANSWER where there was no content either (the streamed form of an
	 * empty 200: nothing is lost by asking elsewhere). */
	enum fault (*judge_end)(const struct endpoint *endpoint, const struct stream_facts *so_far);
	/* Events the client's dialect needs at a complete end that the upstream did
	 * not send ("data: [DONE]"). Appends nothing where nothing lacks. */
	void (*write_end)(const struct endpoint *endpoint, const struct stream_facts *so_far,
			  struct buf *out);
	/* A whole good answer, retold as the complete stream the client asked for
	 * (catalogue E34: a backend that does not stream). False: this endpoint's
	 * answers cannot be retold; nothing was appended. */
	bool (*answer_to_stream)(struct arena *arena, const struct endpoint *endpoint,
				 const struct request_facts *facts, struct slice body,
				 struct buf *out);
	/* The reverse (E35): the text of a whole complete stream as one answer. */
	bool (*stream_to_answer)(struct arena *arena, const struct endpoint *endpoint,
				 struct slice stream, struct buf *out);
	/* Is the answer to such a request one that can go on elsewhere after a break?
	 * `way` (not AUTO or NONE) is what is wanted; gives what can be had of it:
	 * the same, RESUME_REPLAY or RESUME_NONE. */
	enum resume_way (*may_resume)(const struct endpoint *endpoint,
				      const struct request_facts *facts, enum resume_way way);
	/* The body with changes, as slices that together are the new body; they point
	 * into `body`, `room` (cleared first, not to be changed while they are in
	 * use) or are static. Gives how many; 0 where it cannot be done (the
	 * conversation has no place for the text, or `room` is too small). */
	size_t (*change_request)(const struct request_facts *facts, struct slice body,
				 const struct request_changes *changes, struct buf *room,
				 struct slice parts[static DIALECT_CHANGED_PARTS]);
	/* Reads what identifies the answer; raw slices of `data`. */
	void (*read_identity)(struct slice data, struct event_identity *out);
	/* Appends an event's data (JSON on one line) as a continuation shows it. False,
	 * with nothing appended, where the buf's maximum would be passed. NULL: a
	 * continuation is written anew by the endpoint's codec. */
	bool (*rewrite_event)(const struct endpoint *endpoint, struct slice data,
			      const struct event_rewrite *how, struct buf *out);
	/* The status an error is told with, where the dialect has one of its own for
	 * it (529 for a full house); NULL: dialect_error_status() says the common one. */
	int (*error_status)(const struct error_answer *e);
	/* What GET of the models says: all names, or (`one`) the only one of them.
	 * NULL: its clients cannot ask. */
	void (*write_models)(const struct slice *names, size_t count, bool one, int64_t created_s,
			     struct buf *out);
	/* A whole answer in which the assistant says `text`, given out as of `model`, at
	 * Unix time `now_s`; its id ends in `id`. False: such an endpoint has no answer
	 * that says something. NULL: none has. */
	bool (*write_message)(const struct endpoint *endpoint, struct slice text, struct slice model,
			      struct slice id, int64_t now_s, struct buf *out);
	/* An error as a whole body (JSON) and as one event of a stream. */
	void (*write_error)(const struct error_answer *e, struct buf *out);
	void (*write_error_event)(const struct endpoint *endpoint, const struct error_answer *e,
				  struct buf *out);
};

extern const struct dialect dialect_gemini, dialect_vertex, dialect_openai, dialect_azure;
extern const struct dialect dialect_anthropic;
extern const struct dialect dialect_bedrock, dialect_cohere;

/* The codec in which a backend of `to` is spoken to for what a client asked at
 * `endpoint` of `from`. *pass: none is needed, the request is passed on as it
 * is; else NULL means that the backend cannot be asked this at all. */
const struct codec *dialect_codec(const struct dialect *from, const struct endpoint *endpoint,
				  const struct dialect *to, const struct vendor *vendor, bool *pass);

/* By name; NULL if unknown. */
const struct dialect *dialect_find(struct slice name);
/* All names; gives how many. */
#define DIALECTS_MAX 16
size_t dialect_names(struct slice names[static DIALECTS_MAX]);
/* The endpoint for a method and path ("/v1/chat/completions", no query), over
 * all dialects. NULL: none; *allow is then the methods that would fit, as the
 * Allow header wants them (NULL: the path itself is unknown). A path with "."
 * or ".." segments, plain or percent-encoded, matches no "*". */
const struct endpoint *dialect_endpoint(struct slice method, struct slice path,
					const struct dialect **dialect, const char **allow);

/* The same among the endpoints of one dialect. */
const struct endpoint *dialect_endpoint_in(const struct dialect *dialect, struct slice method,
					   struct slice path, const char **allow);
/* The dialect that a client's headers tell of; NULL: they do not. */
const struct dialect *dialect_of_client(const struct h1_head *head);
/* The status an error is told with: its own, else the dialect's, else the fault's. */
int dialect_error_status(const struct dialect *dialect, const struct error_answer *e);

/* The path behind a backend's base URL for a request to `path`, which the
 * endpoint was found with. Static, or in the arena. */
struct slice dialect_upstream_path(struct arena *arena, const struct endpoint *endpoint,
				   struct slice path);

/* The path and query behind the base URL for what a backend of `dialect` is asked. */
struct slice dialect_ask_path(struct arena *arena, const struct dialect *dialect,
			      const struct dialect_ask *ask);

/* ---- shared by dialects ------------------------------------------------------------- */

/* A body with the model's name replaced, as up to three slices that together
 * are the new body (the outer two point into `body`). Gives how many. The new
 * name is written as JSON or as plain text, as facts->model_place asks; arena.
 * A body that names no model, or this one already, is one slice: itself. */
#define DIALECT_BODY_PARTS 3
size_t dialect_splice_model(struct arena *arena, const struct request_facts *facts,
			    struct slice body, struct slice new_model,
			    struct slice parts[static DIALECT_BODY_PARTS]);
/* The head says that JSON follows, or a page, which comes where JSON was due (S02). */
bool dialect_json_is_due(const struct h1_head *head);
/* Hint when to come back. The first of these that can be read: retry-after-ms,
 * Retry-After (seconds, three date forms; RFC 9110 10.2.3), Gemini's retryDelay
 * in `body` (may be empty), x-ratelimit-reset-* where remaining is 0, and the
 * words "try again in 1.5s" in the error's sentence. -1: none. Clamped to
 * 0 .. one hour. `wall_ms` is Unix time now, for dates. `head` may be NULL. */
int64_t dialect_retry_hint_ms(const struct h1_head *head, struct slice body, int64_t wall_ms);
/* A date as HTTP's headers have it (three forms) or as RFC 3339 does, in Unix
 * milliseconds. False: it is none. `wall_ms` tells the century of short years. */
bool dialect_read_date(struct slice text, int64_t wall_ms, int64_t *unix_ms);
/* How much more an upstream will take, as the x-ratelimit-*, ratelimit-* and
 * anthropic-ratelimit-* headers of any answer say; -1 where they say nothing.
 * `full_in_ms`: until all of `limit` is there again, 0 .. one hour. */
struct dialect_room {
	int64_t limit, left, full_in_ms;
};
void dialect_rate_rooms(const struct h1_head *head, int64_t wall_ms, struct dialect_room *requests,
			struct dialect_room *tokens);
/* The sentence in an error body of any shape the field knows ({"error":{…}},
 * {"error":"…"}, {"message"}, {"detail"}, {"object":"error"}, arrays of those).
 * Empty if there is none (HTML for instance). */
struct slice dialect_error_message(struct arena *arena, struct slice body);

#endif
