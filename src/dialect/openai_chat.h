/* openai_chat.h: what the files of the codec for OpenAI's chat completions
 * share, also with the codecs of its neighbours (Responses, completions). Not
 * for other rooms. Source: platform.openai.com/docs/api-reference/chat; what
 * relatives add is named where it is read. */
#ifndef BACKSTAY_DIALECT_OPENAI_CHAT_H
#define BACKSTAY_DIALECT_OPENAI_CHAT_H

#include "dialect/codec.h"
#include "dialect/json_make.h"
#include "dialect/request_table.h"
#include "dialect/vendor.h"

/* Functions of the row; contracts in struct codec. */
enum fault openai_chat_read_request(struct arena *arena, struct slice body,
				    const struct request_facts *facts, struct canon_request **out,
				    struct slice *why);
bool openai_chat_write_request(struct arena *arena, const struct canon_request *r,
			       const struct codec_target *target, struct buf *out);
void openai_chat_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
			    struct slice data, struct canon_events *out);
enum fault openai_chat_read_end(struct codec_reader *r, struct arena *scratch,
				struct canon_events *out);
enum fault openai_chat_read_answer(struct codec_reader *r, struct slice body,
				   struct canon_events *out);
bool openai_chat_write_event(struct codec_writer *w, const struct canon_event *e, struct buf *out);
bool openai_chat_write_answer(struct codec_writer *w, const struct canon_events *events,
			      struct buf *out);

/* In struct codec. */
uint64_t openai_chat_lacks(const struct canon_request *r, const struct codec_target *target, uint64_t *softly);
/* What one of OpenAI's reasoning models would refuse of the request; 0 for others. */
uint64_t openai_reasoner_lacks(const struct canon_request *r, const struct codec_target *target);
/* A picture from a raw URL, which may be a data: URL; sets the feature. */
void openai_read_image(struct request_reading *r, struct canon_part *part, struct slice url);
/* {"type":"json_schema", name, schema, strict, description}: chat has them in a
 * member, Responses beside the type. */
void openai_read_schema(struct request_reading *r, const struct json *schema);
/* {"name","description","parameters","strict"}: chat has them in "function". */
void openai_read_function(struct request_reading *r, struct canon_tool *tool,
			  const struct json *function);
/* "auto", "none", "required", or an object that names one. */
void openai_read_tool_choice(struct request_reading *r, const struct json *value);
/* OpenAI's usage object, with names of chat or (responses) of Responses. */
void openai_make_usage(struct json_make *m, const char *name, const struct usage *usage,
		       bool responses);
/* OpenAI's finish reason for the canonical one; `refusal`: the refusal was told in
 * words of its own. */
struct slice openai_finish_word(enum canon_finish f, bool refusal);
/* The canonical one for OpenAI's (decoded); unknown ones are STOP. */
enum canon_finish openai_finish_of(struct slice word);

#endif
