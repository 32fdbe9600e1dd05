/* Google's answers in the other form: whole as a stream, a stream as a whole.
 * Nothing that was said is lost, what is not known here neither. */
#include "help.h"

#include "dialect/gemini.h"

#define GENERATE "/v1beta/models/g:generateContent"
#define EVENT(json) "data: " json "\r\n\r\n"
#define PIECE(parts, more) EVENT("{\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"}" more "}]}")
#define WHOLE(parts, more) "{\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"}" more "}]"
#define IMAGE "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"aGk=\"}}"
#define CODE "{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"print(1)\"}}"

static const struct { const char *says, *stream, *answer; } folded[] = {
	{ "texts are one, of a kind", PIECE("{\"text\":\"a\\u00e9\",\"thought\":true}", "")
	  PIECE("{\"text\":\"b\",\"thought\":true},{\"text\":\"c\\n\"}", "") PIECE("{\"text\":\"\"}", "")
	  PIECE("{\"text\":\"d\"}", ",\"finishReason\":\"STOP\",\"index\":0"),
	  WHOLE("{\"text\":\"a\\u00e9b\",\"thought\":true},{\"text\":\"c\\nd\"}",
		",\"finishReason\":\"STOP\",\"index\":0") "}" },
	{ "what is no text stays, in its place", PIECE("{\"text\":\"a\"}", "") PIECE(IMAGE, "") PIECE("{\"text\":\"b\"}", "")
	  PIECE(CODE ",{\"new\":[1]}", ""),
	  WHOLE("{\"text\":\"a\"}," IMAGE ",{\"text\":\"b\"}," CODE ",{\"new\":[1]}", "") "}" },
	{ "a text with a signature is not another's", PIECE("{\"text\":\"a\"}", "")
	  PIECE("{\"text\":\"\",\"thoughtSignature\":\"c2ln\"}", "") PIECE("{\"text\":\"b\"}", ""),
	  WHOLE("{\"text\":\"a\"},{\"text\":\"\",\"thoughtSignature\":\"c2ln\"},{\"text\":\"b\"}", "") "}" },
	{ "the last counts of what is told again", PIECE("{\"text\":\"a\"}", ",\"groundingMetadata\":{\"n\":1}")
	  PIECE("{\"text\":\"b\"}", ",\"groundingMetadata\":{\"n\":2}")
	  EVENT("{\"usageMetadata\":{\"totalTokenCount\":1},\"modelVersion\":\"g\"}")
	  EVENT("{\"usageMetadata\":{\"totalTokenCount\":2},\"modelVersion\":\"g\",\"responseId\":\"r\"}"),
	  WHOLE("{\"text\":\"ab\"}", ",\"groundingMetadata\":{\"n\":2}")
	  ",\"usageMetadata\":{\"totalTokenCount\":2},\"modelVersion\":\"g\",\"responseId\":\"r\"}" },
	{ "sources and probabilities add up", PIECE("{\"text\":\"a\"}", ",\"citationMetadata\":{\"citationSources\":[1]},"
	  "\"logprobsResult\":{\"chosenCandidates\":[{\"a\":1}],\"sum\":1}")
	  PIECE("{\"text\":\"b\"}", ",\"citationMetadata\":{\"citationSources\":[2,3]},"
	  "\"logprobsResult\":{\"chosenCandidates\":[{\"b\":1}],\"sum\":2}"),
	  WHOLE("{\"text\":\"ab\"}", ",\"citationMetadata\":{\"citationSources\":[1,2,3]},"
		"\"logprobsResult\":{\"chosenCandidates\":[{\"a\":1},{\"b\":1}],\"sum\":2}") "}" },
	{ "candidates are told apart", PIECE("{\"text\":\"b\"}", ",\"index\":1") PIECE("{\"text\":\"a\"}", ",\"index\":0")
	  PIECE("{\"text\":\"c\"}", ",\"index\":1"),
	  "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"index\":0},"
	  "{\"content\":{\"parts\":[{\"text\":\"bc\"}],\"role\":\"model\"},\"index\":1}]}" },
	{ "without content there is none", EVENT("{\"candidates\":[{\"finishReason\":\"SAFETY\",\"index\":0}]}"),
	  "{\"candidates\":[{\"finishReason\":\"SAFETY\",\"index\":0}]}" },
	{ "a blocked prompt", EVENT("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}"),
	  "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}" },
	{ "nothing", "", NULL },
	{ "no object", EVENT("[]"), NULL },
	{ "no JSON", EVENT("{\"candidates\":[{]}"), NULL },
	{ "a candidate that is none", EVENT("{\"candidates\":[1]}"), NULL },
	{ "too many candidates", PIECE("", ",\"index\":8"), NULL },
};

static void a_stream_becomes_an_answer(void **state)
{
	const struct endpoint *e = endpoint_at("POST", GENERATE);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(folded); i++) {
		struct arena *arena = arena_create(0);
		struct buf out = BUF_INIT(1 << 16);
		bool told = dialect_gemini.stream_to_answer(arena, e, slice_of(folded[i].stream), &out);

		row_holds(told == !!folded[i].answer, folded[i].says);
		if (told && !slice_eq(buf_slice(&out), slice_of(folded[i].answer)))
			fail_msg("%s: %.*s", folded[i].says, SLICE_ARG(buf_slice(&out)));
		row_holds(told || buf_len(&out) == 0, folded[i].says);
		buf_free(&out);
		arena_free(arena);
	}
}

/* An answer that does not fit leaves nothing behind. */
static void what_does_not_fit_is_not_told(void **state)
{
	const struct endpoint *e = endpoint_at("POST", GENERATE);
	struct slice stream = slice_of(folded[1].stream), answer = slice_of(folded[1].answer);
	struct request_facts facts = { .max_tokens = -1 };

	(void)state;
	for (size_t room = 0; room < answer.len; room++) {
		struct arena *arena = arena_create(0);
		struct buf out = BUF_INIT(room);

		assert_false(dialect_gemini.stream_to_answer(arena, e, stream, &out));
		assert_false(dialect_gemini.answer_to_stream(arena, e, &facts, answer, &out));
		assert_int_equal(buf_len(&out), 0);
		buf_free(&out);
		arena_free(arena);
	}
}

static void an_answer_becomes_a_stream(void **state)
{
	const struct endpoint *e = endpoint_at("POST", GENERATE);
	struct request_facts facts = { .max_tokens = -1 };
	struct arena *arena = arena_create(0);
	struct buf out = BUF_INIT(4096), back = BUF_INIT(4096);

	(void)state;
	assert_true(dialect_gemini.answer_to_stream(arena, e, &facts, S("{\n\"promptFeedback\":\r\n{}\n}"), &out));
	assert_int_equal(slice_find(buf_slice(&out), '\r'), buf_len(&out) - 4);
	assert_true(dialect_gemini.stream_to_answer(arena, e, buf_slice(&out), &back));
	assert_true(slice_eq(buf_slice(&back), S("{\"promptFeedback\":{}}")));
	buf_clear(&out);
	assert_false(dialect_gemini.answer_to_stream(arena, e, &facts, S("[1]"), &out));
	assert_false(dialect_gemini.answer_to_stream(arena, e, &facts, S("{"), &out));
	assert_int_equal(buf_len(&out), 0);
	for (size_t i = 0; i < COUNT_OF(folded); i++) {
		if (!folded[i].answer)
			continue;
		buf_clear(&out);
		buf_clear(&back);
		assert_true(dialect_gemini.answer_to_stream(arena, e, &facts, slice_of(folded[i].answer), &out));
		assert_true(dialect_gemini.stream_to_answer(arena, e, buf_slice(&out), &back));
		assert_true(slice_eq(buf_slice(&back), slice_of(folded[i].answer)));
	}
	buf_free(&out);
	buf_free(&back);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_becomes_an_answer),
		cmocka_unit_test(what_does_not_fit_is_not_told),
		cmocka_unit_test(an_answer_becomes_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
