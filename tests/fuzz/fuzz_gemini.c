/* What comes from outside as the Gemini API's dialect reads it. The first character
 * says what the rest is:
 *
 *	r  a client's request to generate: read, written for models of several
 *	   generations and for other APIs, read again
 *	c  the same to be counted
 *	e  texts to be embedded: the endpoint for one and the one for several
 *	q  a request's query
 *	f  a stream as it came, to be folded into one answer
 *	b  what a backend says: a stream (an event a line), an answer, an error; and
 *	   what is written for it
 *	t  a stream, an event a line: judged as it passes, and told on, also from its
 *	   middle */
#include "dialect/gemini.h"
#include "tests/fuzz/codec.h"
#include "wire/sse.h"

static const struct endpoint generate = {
	.method = "POST", .path = S_INIT("/v1beta/models/*:streamGenerateContent"), .kind = ENDPOINT_CHAT,
	.model_place = MODEL_IN_PATH, .may_retry = true, .may_stream = true, .codec = &codec_gemini_generate,
};

/* ---- requests ------------------------------------------------------------------------ */

static void write_for(const struct codec *codec, struct canon_request r, const char *dialect, const char *model,
		      enum resume_way way)
{
	struct arena *arena = arena_create(0);
	const struct request_facts facts = { .endpoint = &generate, .model = S("m"), .choices = 1, .max_tokens = -1 };
	const struct codec_target target = { .model = slice_of(model), .stream = true,
					     .vendor = vendor_find(slice_of(dialect), S("localhost"), S("")) };
	struct buf out = BUF_INIT(CODEC_BYTES_MAX);
	struct canon_request *again;
	uint64_t softly = 0;
	struct slice why;

	r.resume = way;
	r.sent = S("so \"far\" \n");
	if (codec->lacks)
		codec->lacks(&r, &target, &softly);
	if (codec->write_request(arena, &r, &target, &out)) {
		must(json_validate(buf_slice(&out), NULL) == JSON_OK);
		/* What goes to Google is what its clients could have sent. */
		if (codec == &codec_gemini_generate)
			must(codec->read_request(arena, buf_slice(&out), &facts, &again, &why) == FAULT_NONE);
	}
	buf_free(&out);
	arena_free(arena);
}

static void read_request(struct arena *arena, const struct codec *codec, struct slice body)
{
	static const char *const models[] = { "gemini-1.5-pro", "gemini-2.5-pro", "gemini-3-flash", "other" };
	struct request_facts facts;
	struct slice why = SLICE_NONE, param;
	struct canon_request *r;

	if (gemini_read_request(arena, &generate, S("application/json"),
				S("/v1beta/models/m:streamGenerateContent"), body, &facts, &why,
				&param) != FAULT_NONE) {
		must(why.len > 0);
		return;
	}
	if (codec->read_request(arena, body, &facts, &r, &why) != FAULT_NONE) {
		must(why.len > 0);
		return;
	}
	if (codec != &codec_gemini_generate)
		return;
	for (size_t i = 0; i < COUNT_OF(models); i++)
		for (enum resume_way way = RESUME_NONE; way <= RESUME_INSTRUCT; way++)
			write_for(codec, *r, "gemini", models[i], way);
	write_for(codec, *r, "vertex", "gemini-3-flash", RESUME_NONE);
	write_for(&codec_openai_chat, *r, "openai", "gpt", RESUME_NONE);
	write_for(&codec_openai_responses, *r, "openai", "gpt", RESUME_NONE);
	write_for(&codec_anthropic_messages, *r, "anthropic", "claude-haiku-4-5", RESUME_NONE);
	write_for(&codec_bedrock_converse, *r, "bedrock", "amazon.nova-pro-v1:0", RESUME_NONE);
	write_for(&codec_cohere_chat, *r, "cohere", "command-a", RESUME_NONE);
}

static void read_embed(struct arena *arena, struct slice body)
{
	static const struct codec *const codecs[] = { &codec_gemini_embed_one, &codec_gemini_embed };
	struct request_facts facts = { .model = S("m"), .choices = 1, .max_tokens = -1 };

	for (size_t i = 0; i < COUNT_OF(codecs); i++) {
		struct slice why = SLICE_NONE;
		struct canon_request *r;

		if (codecs[i]->read_request(arena, body, &facts, &r, &why) != FAULT_NONE) {
			must(why.len > 0);
			continue;
		}
		write_for(&codec_gemini_embed, *r, "gemini", "text-embedding", RESUME_NONE);
		write_for(&codec_vertex_predict, *r, "vertex", "text-embedding", RESUME_NONE);
		write_for(&codec_openai_embeddings, *r, "openai", "text-embedding", RESUME_NONE);
	}
}

static void read_query(struct arena *arena, struct slice query)
{
	struct client_query q = { .key = SLICE_NONE };

	gemini_read_query(arena, &generate, query, &q);
	must(q.rest.len <= query.len);
	must(slice_find(q.rest, '\n') == SLICE_NOT_FOUND || slice_find(query, '\n') != SLICE_NOT_FOUND);
}

/* ---- answers --------------------------------------------------------------------------- */

static void fold(struct arena *arena, struct slice stream)
{
	struct buf out = BUF_INIT(CODEC_BYTES_MAX);
	struct h1_head head = { .status = 200 };
	struct answer_facts facts;

	if (gemini_stream_to_answer(arena, &generate, stream, &out)) {
		must(json_validate(buf_slice(&out), NULL) == JSON_OK);
		gemini_judge_answer(arena, &generate, 200, &head, buf_slice(&out), 0, &facts);
	} else {
		must(buf_len(&out) == 0);
	}
	buf_free(&out);
}

/* Each event is whole. */
static void tell(struct codec_writer *w, const struct canon_events *events, size_t from)
{
	struct buf out = BUF_INIT(CODEC_BYTES_MAX);
	struct sse_event event;
	struct slice rest;
	struct sse sse;

	for (size_t i = from; i < events->count; i++)
		if (events->at[i].kind != CANON_EVENT_ERROR)
			must(w->codec->write_event(w, &events->at[i], &out));
	rest = buf_slice(&out);
	sse_init(&sse, CODEC_BYTES_MAX);
	while (sse_feed(&sse, &rest, &event) == SSE_EVENT)
		if (event.has_data && !slice_eq(event.data, S("[DONE]")))
			must(json_validate(event.data, NULL) == JSON_OK);
	must(sse_rest(&sse).len == 0);
	sse_free(&sse);
	buf_free(&out);
}

static void tell_all(struct arena *arena, const struct canon_events *events, const struct stream_facts *so_far)
{
	static const struct codec *const codecs[] = {
		&codec_gemini_generate, &codec_openai_chat, &codec_openai_responses, &codec_anthropic_messages,
	};
	struct canon_request *request = canon_request_new(arena);
	struct event_identity identity = { .id = SLICE_NONE };

	for (size_t i = 0; i < COUNT_OF(codecs); i++) {
		struct codec_writer w = { .codec = codecs[i], .arena = arena, .request = request };
		struct codec_writer whole = w, on = w;
		struct canon_events told = *events;
		struct codec_so_far known = { .identity = &identity, .told = &told, .facts = so_far };
		struct buf out = BUF_INIT(CODEC_BYTES_MAX);

		tell(&w, events, 0);
		must(codecs[i]->write_answer(&whole, events, &out));
		must(json_validate(buf_slice(&out), NULL) == JSON_OK);
		buf_free(&out);
		if (codecs[i] != &codec_gemini_generate)
			continue;
		told.count /= 2;
		codecs[i]->resume_writer(&on, &known);
		tell(&on, events, told.count);
	}
}

static void pass_stream(struct arena *arena, struct slice lines)
{
	struct codec_reader r = { .codec = &codec_gemini_generate, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct stream_facts so_far = { .events = 0 };
	struct codec_seen seen = { .start = false };
	struct event_facts facts;
	struct slice line;

	while (slice_cut(lines, '\n', &line, &lines)) {
		gemini_judge_event(arena, &generate, SLICE_NONE, line, &so_far, &facts);
		must(facts.piece_count <= EVENT_PIECES_MAX);
		gemini_read_event(&r, arena, SLICE_NONE, line, &events);
	}
	if (gemini_read_end(&r, arena, &events) == FAULT_NONE)
		must(!r.failed && events.count > 0);
	codec_check(&seen, &events);
	tell_all(arena, &events, &so_far);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const models[] = { "gemini-1.5-pro", "gemini-2.5-flash", "gemini-3-pro", NULL };
	struct slice input = { (const char *)data, size }, rest;
	struct exact exact;
	struct arena *arena;

	if (size == 0)
		return 0;
	arena = arena_create(0);
	exact = exact_create(size);
	rest = exact_copy(&exact, slice_from(input, 1));
	switch (input.at[0]) {
	case 'r': read_request(arena, &codec_gemini_generate, rest); break;
	case 'c': read_request(arena, &codec_gemini_count, rest); break;
	case 'e': read_embed(arena, rest); break;
	case 'q': read_query(arena, rest); break;
	case 'f': fold(arena, rest); break;
	case 't': pass_stream(arena, rest); break;
	case 'b':
		codec_fuzz_stream(&codec_gemini_generate, rest);
		codec_fuzz_answer(&dialect_gemini, &codec_gemini_generate, rest);
		codec_fuzz_request(&codec_gemini_generate, rest, models);
		break;
	default: break;
	}
	exact_free(&exact);
	arena_free(arena);
	return 0;
}
