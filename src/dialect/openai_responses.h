/* openai_responses.h: what the files of the codec for OpenAI's Responses API
 * share. Not for other rooms. Source: platform.openai.com/docs/api-reference/
 * responses and responses-streaming. */
#ifndef BACKSTAY_DIALECT_OPENAI_RESPONSES_H
#define BACKSTAY_DIALECT_OPENAI_RESPONSES_H

#include "dialect/openai_chat.h"

/* Functions of the row; contracts in struct codec. */
enum fault openai_responses_read_request(struct arena *arena, struct slice body,
					 const struct request_facts *facts,
					 struct canon_request **out, struct slice *why);
bool openai_responses_write_request(struct arena *arena, const struct canon_request *r,
				    const struct codec_target *target, struct buf *out);
void openai_responses_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
				 struct slice data, struct canon_events *out);
enum fault openai_responses_read_end(struct codec_reader *r, struct arena *scratch,
				     struct canon_events *out);
enum fault openai_responses_read_answer(struct codec_reader *r, struct slice body,
					struct canon_events *out);
bool openai_responses_write_event(struct codec_writer *w, const struct canon_event *e,
				  struct buf *out);
uint64_t openai_responses_lacks(const struct canon_request *r, const struct codec_target *target,
				uint64_t *softly);
void openai_responses_resume_writer(struct codec_writer *w, const struct codec_so_far *so_far);
bool openai_responses_write_answer(struct codec_writer *w, const struct canon_events *events,
				   struct buf *out);

/* What proves or hides thinking stands in an item's encrypted_content. Another
 * vendor's is put there as "backstay.VENDOR.KIND." and the text, so that it finds
 * its way home; KIND is "s" (signature) or "e" (encrypted). Writes the raw string
 * as the member `name`. */
void openai_make_encrypted(struct json_make *m, const char *name, struct slice raw,
			   struct slice vendor, bool signature);
/* The reverse: fills signature or encrypted, and vendor, of a part. */
void openai_read_encrypted(struct arena *arena, struct slice raw, struct canon_part *part);

#endif
