/* anthropic.h: what the files of the Anthropic dialect share. Not for other
 * rooms. Source: platform.claude.com/docs/en/api (messages, streaming, errors,
 * rate limits, count tokens, models). */
#ifndef BACKSTAY_DIALECT_ANTHROPIC_H
#define BACKSTAY_DIALECT_ANTHROPIC_H

#include "dialect/codec.h"
#include "dialect/error_body.h"
#include "wire/json.h"

/* ---- the row ---------------------------------------------------------------------- */

/* The functions of the row; contracts in struct dialect. */
enum fault anthropic_read_request(struct arena *arena, const struct endpoint *endpoint,
				  struct slice content_type, struct slice path, struct slice body,
				  struct request_facts *out, struct slice *why, struct slice *param);
void anthropic_judge_answer(struct arena *arena, const struct endpoint *endpoint, int status,
			    const struct h1_head *head, struct slice body, int64_t wall_ms,
			    struct answer_facts *out);
void anthropic_judge_event(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			   struct slice data, struct stream_facts *so_far, struct event_facts *out);
enum fault anthropic_judge_end(const struct endpoint *endpoint, const struct stream_facts *so_far);
void anthropic_write_end(const struct endpoint *endpoint, const struct stream_facts *so_far,
			 struct buf *out);
enum resume_way anthropic_may_resume(const struct endpoint *endpoint,
				     const struct request_facts *facts, enum resume_way way);
size_t anthropic_change_request(const struct request_facts *facts, struct slice body,
				const struct request_changes *changes, struct buf *room,
				struct slice parts[static DIALECT_CHANGED_PARTS]);
void anthropic_read_identity(struct slice data, struct event_identity *out);

/* ---- the codecs -------------------------------------------------------------------- */

/* Their functions; contracts in struct codec. */
enum fault anthropic_codec_read_request(struct arena *arena, struct slice body,
					const struct request_facts *facts,
					struct canon_request **out, struct slice *why);
enum fault anthropic_count_read_request(struct arena *arena, struct slice body,
					const struct request_facts *facts,
					struct canon_request **out, struct slice *why);
bool anthropic_codec_write_request(struct arena *arena, const struct canon_request *r,
				   const struct codec_target *target, struct buf *out);
void anthropic_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
			  struct slice data, struct canon_events *out);
enum fault anthropic_read_end(struct codec_reader *r, struct arena *scratch, struct canon_events *out);
enum fault anthropic_read_answer(struct codec_reader *r, struct slice body, struct canon_events *out);
enum fault anthropic_count_read_answer(struct codec_reader *r, struct slice body,
				       struct canon_events *out);
bool anthropic_write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out);
void anthropic_resume_writer(struct codec_writer *w, const struct codec_so_far *so_far);
bool anthropic_write_answer(struct codec_writer *w, const struct canon_events *events, struct buf *out);
bool anthropic_count_write_answer(struct codec_writer *w, const struct canon_events *events,
				  struct buf *out);

/* ---- words -------------------------------------------------------------------------- */

/* Kinds of blocks. Blocks of a message come one after another, each with an
 * index of its own. */
enum anthropic_block {
	ANTHROPIC_NO_BLOCK,
	ANTHROPIC_TEXT,
	ANTHROPIC_THINKING,
	ANTHROPIC_REDACTED,          /* redacted_thinking */
	ANTHROPIC_TOOL_USE,
	ANTHROPIC_OTHER,             /* of the vendor's own tools, and what is not known */
};
/* The kind of a block whose "type" is this raw string. */
enum anthropic_block anthropic_block_of(struct slice raw_type);

/* The canonical reason for a stop_reason (raw); STOP for unknown ones. */
enum canon_finish anthropic_finish_of(struct slice raw);
/* The stop_reason for a canonical one. */
struct slice anthropic_stop_reason(enum canon_finish f);

/* Reads a raw usage object over what is known already: a message_delta tells
 * totals again, but not all of them. Anthropic counts what came from and went
 * to the cache beside input_tokens; *usage has it all in one. */
void anthropic_read_usage(struct slice raw, struct usage *usage);

/* Reads an error document, or what stands in its place, of a stream or a 200;
 * gives its fault. */
enum fault anthropic_read_error(struct arena *arena, const struct endpoint *endpoint, struct slice data,
				struct error_body *error);

/* The generation of a Claude in a model's name, in tenths: 37, 45, 50. 0: the
 * name tells of none. */
unsigned anthropic_version(struct slice model);
/* Features of the API that a model of that name refuses. */
uint64_t anthropic_model_lacks(struct slice model);
/* In struct codec. */
uint64_t anthropic_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly);

/* Claude has no mode for JSON without a schema: the answer is asked for as the input
 * of a tool of this name, and read back as the text that it is. */
#define ANTHROPIC_JSON_TOOL "answer_in_json"
/* Is the answer to that request asked for so? Not where another tool must be called,
 * and where it has been allowed that the mode is lost. */
bool anthropic_asks_json(const struct canon_request *r);

enum anthropic_think { ANTHROPIC_THINK_UNSAID, ANTHROPIC_THINK_OFF, ANTHROPIC_THINK_BUDGET,
		       ANTHROPIC_THINK_ADAPTIVE };
/* How a request's wish to think is put to a model. */
struct anthropic_plan {
	enum anthropic_think way;
	int64_t budget;              /* tokens, of ANTHROPIC_THINK_BUDGET */
	int64_t max_tokens;          /* of the whole answer */
	struct slice effort;         /* the word for output_config; empty: none */
	uint64_t unsaid, less;       /* features: not to be said beside the rest; said by less, or left
				      * out for this one answer */
};
/* `version` is anthropic_version(). */
void anthropic_plan_thinking(const struct canon_request *r, unsigned version, struct anthropic_plan *out);
/* The text of an answer begun as it is sent: without space at its end. */
struct slice anthropic_sent(const struct canon_request *r);

/* What stream_facts.private holds. */
enum {
	ANTHROPIC_NEXT_BLOCK,        /* the index after the highest that began */
	ANTHROPIC_OPEN_BLOCK,        /* the open block: index << 8 | enum anthropic_block; 0: none */
	ANTHROPIC_CALLS,             /* tool_use blocks begun */
	ANTHROPIC_SIGNED,            /* the open thinking has its signature */
};

/* Thinking of other vendors is shown to Anthropic's clients as theirs is, and
 * they send it back. What proves it (or that nothing does) stands where
 * Anthropic's signature would: "backstay.VENDOR.PROOF". Only Backstay reads
 * it: Anthropic would refuse the request. */
#define ANTHROPIC_FOREIGN "backstay."
/* Such a mark as a raw string; proof is raw or SLICE_NONE. */
struct slice anthropic_mark(struct arena *arena, struct slice vendor, struct slice proof);
/* Takes a raw string apart: false if it is no mark. *proof is raw, SLICE_NONE
 * where there is none; *vendor then empty. */
bool anthropic_unmark(struct arena *arena, struct slice raw, struct slice *vendor, struct slice *proof);

#endif
