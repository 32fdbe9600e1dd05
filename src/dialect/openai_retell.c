#include "dialect/openai.h"

bool openai_answer_to_stream(struct arena *arena, const struct endpoint *endpoint,
			     const struct request_facts *facts, struct slice body, struct buf *out)
{
	(void)arena; (void)endpoint; (void)facts; (void)body; (void)out;
	return false;
}

bool openai_stream_to_answer(struct arena *arena, const struct endpoint *endpoint,
			     struct slice stream, struct buf *out)
{
	(void)arena; (void)endpoint; (void)stream; (void)out;
	return false;
}
