/* gemini.h: what the files of the Gemini dialect share. Not for other rooms.
 * Sources: ai.google.dev/api/generate-content, /api/embeddings, /api/tokens,
 * /gemini-api/docs/function-calling, /thought-signatures, /thinking;
 * cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference. */
#ifndef BACKSTAY_DIALECT_GEMINI_H
#define BACKSTAY_DIALECT_GEMINI_H

#include "dialect/codec.h"
#include "dialect/error_body.h"
#include "dialect/json_make.h"
#include "wire/json.h"

/* ---- the row ---------------------------------------------------------------------- */

/* The functions of the row; contracts in struct dialect. */
enum fault gemini_read_request(struct arena *arena, const struct endpoint *endpoint,
			       struct slice content_type, struct slice path, struct slice body,
			       struct request_facts *out, struct slice *why, struct slice *param);
void gemini_read_query(struct arena *arena, const struct endpoint *endpoint, struct slice query,
		       struct client_query *out);
void gemini_judge_answer(struct arena *arena, const struct endpoint *endpoint, int status,
			 const struct h1_head *head, struct slice body, int64_t wall_ms,
			 struct answer_facts *out);
void gemini_judge_event(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			struct slice data, struct stream_facts *so_far, struct event_facts *out);
enum fault gemini_judge_end(const struct endpoint *endpoint, const struct stream_facts *so_far);
void gemini_write_end(const struct endpoint *endpoint, const struct stream_facts *so_far,
		      struct buf *out);
enum resume_way gemini_may_resume(const struct endpoint *endpoint,
				  const struct request_facts *facts, enum resume_way way);
size_t gemini_change_request(const struct request_facts *facts, struct slice body,
			     const struct request_changes *changes, struct buf *room,
			     struct slice parts[static DIALECT_CHANGED_PARTS]);
bool gemini_answer_to_stream(struct arena *arena, const struct endpoint *endpoint,
			     const struct request_facts *facts, struct slice body, struct buf *out);
bool gemini_stream_to_answer(struct arena *arena, const struct endpoint *endpoint, struct slice stream,
			     struct buf *out);
void gemini_read_identity(struct slice data, struct event_identity *out);
void gemini_write_error(const struct error_answer *e, struct buf *out);
void gemini_write_error_event(const struct endpoint *endpoint, const struct error_answer *e,
			      struct buf *out);

/* ---- the codecs -------------------------------------------------------------------- */

/* Their functions; contracts in struct codec. */
enum fault gemini_codec_read_request(struct arena *arena, struct slice body,
				     const struct request_facts *facts,
				     struct canon_request **out, struct slice *why);
bool gemini_codec_write_request(struct arena *arena, const struct canon_request *r,
				const struct codec_target *target, struct buf *out);
void gemini_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
		       struct slice data, struct canon_events *out);
enum fault gemini_read_end(struct codec_reader *r, struct arena *scratch, struct canon_events *out);
enum fault gemini_read_answer(struct codec_reader *r, struct slice body, struct canon_events *out);
bool gemini_write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out);
void gemini_resume_writer(struct codec_writer *w, const struct codec_so_far *so_far);
bool gemini_write_answer(struct codec_writer *w, const struct canon_events *events, struct buf *out);
uint64_t gemini_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly);
/* The same for counts of tokens. */
enum fault gemini_count_read_request(struct arena *arena, struct slice body,
				     const struct request_facts *facts,
				     struct canon_request **out, struct slice *why);
bool gemini_count_write_request(struct arena *arena, const struct canon_request *r,
				const struct codec_target *target, struct buf *out);

/* What the API can say. */
#define GEMINI_CARRIES                                                                            \
	(CANON_HAS(SYSTEM) | CANON_HAS(TOOLS) | CANON_HAS(TOOL_CHOICE) | CANON_HAS(STRICT_TOOLS) | \
	 CANON_HAS(IMAGE_URL) | CANON_HAS(IMAGE_DATA) | CANON_HAS(AUDIO_IN) | CANON_HAS(AUDIO_OUT) | \
	 CANON_HAS(IMAGE_OUT) | CANON_HAS(VIDEO) | CANON_HAS(DOCUMENT_URL) |                        \
	 CANON_HAS(DOCUMENT_DATA) | CANON_HAS(RESULT_MEDIA) | CANON_HAS(TOOL_ERRORS) |             \
	 CANON_HAS(JSON_MODE) |                                                                \
	 CANON_HAS(JSON_SCHEMA) | CANON_HAS(TEMPERATURE) | CANON_HAS(TOP_P) | CANON_HAS(TOP_K) |    \
	 CANON_HAS(PENALTIES) | CANON_HAS(SEED) | CANON_HAS(STOP) | CANON_HAS(CHOICES) |            \
	 CANON_HAS(LOGPROBS) | CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET) |                        \
	 CANON_HAS(THINK_PARTS) | CANON_HAS(SUMMARY))

/* Embeddings of one text and of several are endpoints of their own. */
extern const struct codec codec_gemini_embed_one, codec_vertex_predict;

/* ---- words -------------------------------------------------------------------------- */

/* What a finishReason says. */
enum gemini_end {
	GEMINI_WELL,                 /* an end: see enum canon_finish */
	GEMINI_FAILED,               /* the model failed: nothing of use was said */
};
/* Reads one (raw). *finish is set in both cases. */
enum gemini_end gemini_finish_of(struct slice raw, enum canon_finish *finish);
/* The finishReason for a canonical one. */
struct slice gemini_finish_word(enum canon_finish f);
/* Reads a raw usageMetadata object; leaves *out alone where it has no count. */
void gemini_read_usage(struct slice raw, struct usage *out);
/* A raw "promptFeedback" that blocks the prompt: true, with a sentence (arena). */
bool gemini_is_blocked(struct arena *arena, struct slice feedback, struct slice *message);
/* Google's canonical name of a status: 429 is RESOURCE_EXHAUSTED. */
struct slice gemini_status_word(int status);

/* Members may be spelled in two ways, as protocol buffers allow (system_instruction
 * and systemInstruction): makes all keys of a tree of ours the second way, but
 * leaves what is the caller's own (schemas, arguments, results) alone. */
void gemini_camel_case(struct arena *arena, struct json *j);

/* A schema of Google's OpenAPI subset (types in capitals, nullable, numbers as
 * strings) as JSON Schema. Arena. Raw JSON that is none is given back as it is. */
struct slice gemini_to_json_schema(struct arena *arena, struct slice raw);

/* Base64 of either alphabet, a decoded string, in the standard one, padded; arena. */
struct slice gemini_base64(struct arena *arena, struct slice text);

/* Proofs of thinking and of calls travel in "thoughtSignature". Those of other
 * vendors are told apart by what they begin with: "backstay.VENDOR." in base64,
 * as the field must be. A raw string for a proof (raw); arena. */
struct slice gemini_proof(struct arena *arena, struct slice vendor, struct slice proof);
/* What stands in the place of a call's proof where there is none: models that want
 * one take it (ai.google.dev/gemini-api/docs/thought-signatures). */
#define GEMINI_NO_SIGNATURE "\"skip_thought_signature_validator\""
/* The reverse: whose proof a signature (raw) is; "gemini" for Google's own. */
struct slice gemini_proof_read(struct arena *arena, struct slice raw, struct slice *vendor);

/* A raw array as it is; of anything else nothing: what json_next() can walk. */
static inline struct slice gemini_list(struct slice raw)
{
	return json_type_of(raw) == JSON_ARRAY ? raw : SLICE_NONE;
}

/* ---- streams ---------------------------------------------------------------------------- */

#define GEMINI_CHOICES_MAX 8

/* What must be known of a stream to read its next event. */
struct gemini_stream {
	uint8_t calls[GEMINI_CHOICES_MAX];    /* begun in each candidate */
	uint8_t finished, seen;               /* bit n: candidate n has */
	bool started, content;
	bool passes;                 /* it is judged, not translated: what the client can read itself is no fault */
};
/* Reads one response or piece of one: adds what it says. Slices point into `data`
 * or the arena of `out`. False: it is not understandable or an error; the event
 * is there. */
bool gemini_read_piece(struct gemini_stream *s, struct slice data, int64_t wall_ms,
		       struct canon_events *out);

#endif
