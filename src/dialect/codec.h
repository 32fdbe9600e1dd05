/* codec.h: how one API's messages are read into the canonical form and written
 * from it. A codec is a row: OpenAI's chat, Responses, completions and
 * embeddings, Anthropic's messages, Gemini's generateContent, Bedrock's
 * Converse, Cohere's chat. A new API is one file (or a few) and one row in the
 * table of its dialect.
 *
 * Sans-I/O and pure: no clock, no chance, no locks. Input comes from outside:
 * nothing here may crash on it, and nothing is dropped in silence: what a
 * reader does not know sets CANON_HAS(UNKNOWN) (requests) or is ignored where
 * the API's own documentation says that it is to be (events). */
#ifndef BACKSTAY_DIALECT_CODEC_H
#define BACKSTAY_DIALECT_CODEC_H

#include "dialect/canon.h"

/* How events come over the wire. */
enum codec_framing {
	FRAMING_SSE,
	FRAMING_EVENTSTREAM,         /* AWS's binary event stream: type is :event-type or, of an
				      * exception, ":exception/NAME"; data is the payload */
};

/* ---- streams in --------------------------------------------------------------- */

/* What a reader keeps between events of one answer; zeroed at its start. */
struct codec_reader {
	const struct codec *codec;
	const struct canon_request *request;  /* what was asked; may be NULL */
	struct arena *arena;         /* lives as long as the answer */
	bool started, finished, done, failed; /* START, a FINISH, DONE, ERROR were given */
	bool content;                /* text, thinking, a call were given */
	unsigned calls;              /* begun so far, over all choices */
	int64_t wall_ms;             /* Unix time at the start, for `created` and dates */
	void *own;                   /* the codec's; arena; NULL at first */
};

/* ---- streams out ---------------------------------------------------------------- */

/* What the client of a stream has been given of its answer: what a writer must
 * know to go on in the middle. */
struct codec_so_far {
	const struct event_identity *identity;
	const struct canon_events *told;      /* one TEXT, REASONING, REFUSAL, CALL + ARGUMENTS each, in the
					       * order in which they began */
	const struct stream_facts *facts;     /* the client dialect's own, of what was passed on */
	int64_t add_input, add_output;        /* tokens of earlier attempts */
};

/* What a writer keeps between events of one answer; zeroed at its start. */
struct codec_writer {
	const struct codec *codec;
	const struct canon_request *request;  /* what the client asked for */
	struct arena *arena;         /* lives as long as the answer */
	struct slice id, model;      /* raw strings; from START */
	int64_t created;             /* Unix seconds */
	int64_t wall_ms;             /* Unix time at the start */
	struct slice request_id;     /* word: where an id must be made up, it is made of this */
	int64_t add_input, add_output;        /* as in codec_so_far */
	struct usage usage;          /* the last told */
	/* The client dialect's facts of its stream; a writer keeps there what the
	 * dialect's write_error_event() goes by. NULL: nobody wants them. */
	struct stream_facts *facts;
	bool started, done;
	void *own;                   /* the codec's; arena; NULL at first */
};

/* ---- requests out ----------------------------------------------------------------- */

/* How a request is to be written for a target. */
struct codec_target {
	struct slice model;          /* the upstream's name; a word */
	const struct vendor *vendor; /* deviations (vendor.h); never NULL */
	bool stream;                 /* ask for a stream (the client may want a whole answer) */
	struct slice more_members;   /* raw members that the config wants in the body, without braces; most
				      * APIs have none */
};

struct codec {
	struct slice name;           /* "openai chat", for docs and logs */
	enum canon_task task;
	enum endpoint_kind endpoint; /* which of a vendor's endpoints it is spoken at */
	enum codec_framing framing;
	/* Bits of CANON_FEATURES that the API can say (a vendor may lack some of them). */
	uint64_t carries;

	/* Of these, what the target cannot be told: its model refuses it, or it does
	 * not go with the rest of this request (`stream` and members of the target
	 * do not count). Added to *softly: what is said by less, or left out since
	 * no way to ask would be better; that is named, and keeps no target out.
	 * Bits of features that the request does not use mean nothing. NULL: nothing
	 * known. */
	uint64_t (*lacks)(const struct canon_request *r, const struct codec_target *target,
			  uint64_t *softly);

	/* Reads a client's request. `body` is valid JSON or not: that is for it to
	 * say. `facts` is what read_request() of the dialect found (model, stream).
	 * On a fault other than FAULT_NONE, *why is a sentence for the client.
	 * NULL: clients do not speak it. */
	enum fault (*read_request)(struct arena *arena, struct slice body,
				   const struct request_facts *facts, struct canon_request **out,
				   struct slice *why);
	/* Appends the request as a body. Features that it cannot say are left out
	 * (whoever calls has looked at `carries`). False where the buf's maximum is
	 * passed, or where `resume` cannot be said in this API. NULL: backends do
	 * not speak it. */
	bool (*write_request)(struct arena *arena, const struct canon_request *r,
			      const struct codec_target *target, struct buf *out);

	/* Reads one event of a stream: adds what it says to *out (which may stay
	 * empty). The first thing added is START, then content; FINISH, USAGE and
	 * DONE each where the API tells them. Slices point into `data` or `scratch`.
	 * Deviations (the E rows of the catalogue) are made good here: calls get
	 * their order, a finish reason that contradicts the calls is corrected,
	 * repeated ones are dropped, text that is not understood is an ERROR with
	 * FAULT_BAD_ANSWER. NULL: no streams. */
	void (*read_event)(struct codec_reader *r, struct arena *scratch, struct slice type,
			   struct slice data, struct canon_events *out);
	/* An event that was read as one TEXT or REASONING, and changed nothing of the
	 * reader that is not its own, is read so again when it comes with another text
	 * that is not empty, and changes nothing then (event_memo.h). */
	bool repeats;
	/* The stream's framing has ended cleanly. FAULT_NONE: complete; what the API
	 * leaves to be inferred (FINISH, DONE) is added to *out. Else FAULT_CUT, or
	 * FAULT_BAD_ANSWER where there was no content either. NULL with read_event. */
	enum fault (*read_end)(struct codec_reader *r, struct arena *scratch, struct canon_events *out);
	/* Reads a whole good answer (judged before by the dialect's judge_answer) as
	 * the events it would have been, START to DONE. FAULT_NONE, or what is wrong
	 * with it. Slices point into `body` or the arena. NULL: backends do not speak it. */
	enum fault (*read_answer)(struct codec_reader *r, struct slice body, struct canon_events *out);

	/* Appends what a client is to be sent for one event, framed as the API's
	 * streams are (SSE). Nothing may have to be said. False where the buf's
	 * maximum is passed. ERROR never comes here: the dialect's write_error_event()
	 * says it. NULL: clients do not speak it, or it has no streams. */
	bool (*write_event)(struct codec_writer *w, const struct canon_event *e, struct buf *out);
	/* Makes a zeroed writer (codec, request, arena, ids set) go on in the middle
	 * of an answer: what is told next continues what `so_far` says; no START
	 * will be written. NULL: not needed (nothing but id, model and created). */
	void (*resume_writer)(struct codec_writer *w, const struct codec_so_far *so_far);
	/* Appends the whole answer that the events (START to DONE) make. False where
	 * the buf's maximum is passed. NULL: clients do not speak it. */
	bool (*write_answer)(struct codec_writer *w, const struct canon_events *events, struct buf *out);
};

/* ---- the rows -------------------------------------------------------------------- */

extern const struct codec codec_openai_chat, codec_openai_responses, codec_openai_completions,
	codec_openai_embeddings, codec_anthropic_messages, codec_anthropic_count,
	codec_gemini_generate, codec_gemini_count, codec_gemini_embed, codec_bedrock_converse,
	codec_bedrock_count, codec_bedrock_embed, codec_cohere_chat, codec_cohere_embed;

/* ---- for dialects whose whole answers are retold by codec --------------------------- */

/* struct dialect's answer_to_stream(): the answer's events, written one by one. */
bool codec_answer_to_stream(const struct codec *codec, struct arena *arena,
			    const struct request_facts *facts, struct slice body, struct buf *out);
/* struct dialect's stream_to_answer(). */
bool codec_stream_to_answer(const struct codec *codec, struct arena *arena, struct slice stream,
			    struct buf *out);

/* Appends the tables of docs/dialects.md: who speaks what, what each API carries,
 * the vendors. */
void codec_write_reference(struct buf *out);

#endif
