/* What comes from outside as the Anthropic dialect reads it. The first
 * character says what the rest is:
 *
 *	r  a client's request: read, written for models of several kinds, read again
 *	c  the same to be counted
 *	s  a stream, each line the data of one event: read, judged, told on, also from
 *	   its middle
 *	a  a whole answer: read, judged, told on */
#include "base/check.h"
#include "dialect/anthropic.h"
#include "dialect/vendor.h"
#include "wire/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_BYTES_MAX (16u * 1024 * 1024)

static const struct endpoint messages = {
	.method = "POST", .path = S_INIT("/v1/messages"), .upstream_path = S_INIT("/v1/messages"),
	.kind = ENDPOINT_CHAT, .model_place = MODEL_IN_JSON, .may_retry = true, .may_stream = true,
	.codec = &codec_anthropic_messages,
};

/* ---- requests --------------------------------------------------------------------- */

static void write_for(struct arena *arena, const struct codec *codec, struct canon_request r, const char *model,
		      enum resume_way way)
{
	bool own = codec != &codec_openai_chat;
	const struct codec_target target = {
		.model = slice_of(model),
		.vendor = vendor_find(own ? S("anthropic") : S("openai"), S("localhost"), S("")),
	};
	const struct request_facts facts = { .endpoint = &messages, .model = S("m"), .max_tokens = -1 };
	struct buf out = BUF_INIT(OUT_BYTES_MAX);
	struct canon_request *again;
	struct slice why;

	r.resume = way;
	r.sent = S("so \"far\" \n");
	if (codec->write_request(arena, &r, &target, &out)) {
		must(json_validate(buf_slice(&out), NULL) == JSON_OK);
		/* What goes to Anthropic is what its clients could have sent; only a
		 * request that says nothing at all has no messages. */
		if (own && codec->read_request(arena, buf_slice(&out), &facts, &again, &why) != FAULT_NONE)
			must(slice_find_slice(buf_slice(&out), S("\"messages\":[]")) != SLICE_NOT_FOUND);
	}
	buf_free(&out);
}

static void read_request(struct arena *arena, const struct codec *codec, struct slice body)
{
	static const char *const models[] = { "claude-3-opus", "claude-haiku-4-5", "claude-opus-5", "other" };
	struct request_facts facts;
	struct slice why, param;
	struct canon_request *r;

	if (anthropic_read_request(arena, &messages, S("application/json"), messages.path, body, &facts, &why,
				   &param) != FAULT_NONE) {
		must(why.len > 0);
		return;
	}
	if (codec->read_request(arena, body, &facts, &r, &why) != FAULT_NONE) {
		must(why.len > 0);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(models); i++)
		for (enum resume_way way = RESUME_NONE; way <= RESUME_INSTRUCT; way++)
			write_for(arena, codec, *r, models[i], way);
	if (codec == &codec_anthropic_messages)
		write_for(arena, &codec_openai_chat, *r, "gpt", RESUME_NONE);
}

/* ---- answers ------------------------------------------------------------------------- */

/* All of a stream is told, or none of it; each event is whole. */
static void tell(struct codec_writer *w, const struct canon_events *events, size_t from, size_t to)
{
	struct buf out = BUF_INIT(OUT_BYTES_MAX);
	struct slice rest;
	struct sse_event event;
	struct sse sse;

	for (size_t i = from; i < to; i++)
		if (events->at[i].kind != CANON_EVENT_ERROR)
			must(w->codec->write_event(w, &events->at[i], &out));
	rest = buf_slice(&out);
	sse_init(&sse, OUT_BYTES_MAX);
	while (sse_feed(&sse, &rest, &event) == SSE_EVENT)
		if (event.has_data && !slice_eq(event.data, S("[DONE]")))
			must(json_validate(event.data, NULL) == JSON_OK);
	sse_free(&sse);
	buf_free(&out);
}

static void tell_all(struct arena *arena, const struct canon_events *events)
{
	static const struct codec *const codecs[] = { &codec_anthropic_messages, &codec_openai_chat };
	struct canon_request *request = canon_request_new(arena);

	for (size_t i = 0; i < COUNT_OF(codecs); i++) {
		struct codec_writer w = { .codec = codecs[i], .arena = arena, .request = request };
		struct codec_writer whole = w;
		struct buf out = BUF_INIT(OUT_BYTES_MAX);

		tell(&w, events, 0, events->count);
		must(codecs[i]->write_answer(&whole, events, &out));
		must(json_validate(buf_slice(&out), NULL) == JSON_OK);
		buf_free(&out);
	}
}

/* The second half, behind what was judged as it passed. */
static void tell_from_middle(struct arena *arena, const struct canon_events *events,
			     const struct stream_facts *so_far)
{
	struct canon_request *request = canon_request_new(arena);
	struct canon_events told = *events;
	struct event_identity identity = { .id = SLICE_NONE };
	struct codec_so_far known = { .identity = &identity, .told = &told, .facts = so_far };
	struct codec_writer w = { .codec = &codec_anthropic_messages, .arena = arena, .request = request };

	told.count /= 2;
	anthropic_resume_writer(&w, &known);
	tell(&w, events, told.count, events->count);
}

static void read_stream(struct arena *arena, struct slice lines)
{
	struct codec_reader r = { .codec = &codec_anthropic_messages, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct stream_facts so_far = { .events = 0 };
	struct event_facts facts;
	struct slice line;
	enum fault end;

	while (slice_cut(lines, '\n', &line, &lines)) {
		anthropic_judge_event(arena, &messages, SLICE_NONE, line, &so_far, &facts);
		must(facts.piece_count <= EVENT_PIECES_MAX);
		anthropic_read_event(&r, arena, SLICE_NONE, line, &events);
	}
	end = anthropic_read_end(&r, arena, &events);
	/* Complete is what has a beginning, an end, and nothing wrong in between. */
	if (end == FAULT_NONE) {
		must(events.count >= 3 && events.at[0].kind == CANON_EVENT_START);
		must(events.at[events.count - 1].kind == CANON_EVENT_DONE);
		must(!r.failed);
	}
	tell_all(arena, &events);
	tell_from_middle(arena, &events, &so_far);
}

static void read_answer(struct arena *arena, struct slice body)
{
	struct codec_reader r = { .codec = &codec_anthropic_messages, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct h1_head head = { .status = 200 };
	struct answer_facts facts;

	anthropic_judge_answer(arena, &messages, 200, &head, body, 0, &facts);
	/* What is judged good can be read. */
	if (anthropic_read_answer(&r, body, &events) != FAULT_NONE)
		must(facts.fault != FAULT_NONE);
	else
		tell_all(arena, &events);
	anthropic_judge_answer(arena, &messages, 429, &head, body, 0, &facts);
	must(facts.fault != FAULT_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = { (const char *)data, size }, rest;
	struct arena *arena;

	if (size == 0)
		return 0;
	arena = arena_create(0);
	rest = slice_from(input, 1);
	switch (input.at[0]) {
	case 'r':
		read_request(arena, &codec_anthropic_messages, rest);
		break;
	case 'c':
		read_request(arena, &codec_anthropic_count, rest);
		break;
	case 's':
		read_stream(arena, rest);
		break;
	case 'a':
		read_answer(arena, rest);
		break;
	default:
		break;
	}
	arena_free(arena);
	return 0;
}
