#include "dialect/codec.h"

#include "base/check.h"
#include "wire/sse.h"

#define EVENT_BYTES_MAX ((size_t)16 * 1024 * 1024)

/* The request as far as its facts tell: all a writer needs where the dialect
 * is one and the same. */
static struct canon_request *request_of(struct arena *arena, const struct request_facts *facts)
{
	struct canon_request *r = canon_request_new(arena);

	r->model = facts->model;
	r->stream = facts->stream;
	r->include_usage = facts->asks_usage;
	return r;
}

bool codec_answer_to_stream(const struct codec *codec, struct arena *arena,
			    const struct request_facts *facts, struct slice body, struct buf *out)
{
	struct canon_request *request = request_of(arena, facts);
	struct codec_reader reader = { .codec = codec, .arena = arena, .request = request };
	struct codec_writer writer = { .codec = codec, .arena = arena, .request = request };
	struct canon_events events = canon_events_in(arena);
	size_t before = buf_len(out);

	if (!codec->read_answer || !codec->write_event ||
	    codec->read_answer(&reader, body, &events) != FAULT_NONE)
		return false;
	for (size_t i = 0; i < events.count; i++)
		if (!codec->write_event(&writer, &events.at[i], out)) {
			buf_cut(out, before);
			return false;
		}
	return true;
}

/* The events of a whole stream; false where it is not a complete, good one. */
static bool read_stream(struct codec_reader *reader, struct slice stream, struct canon_events *events)
{
	struct sse_event event;
	struct sse sse;

	sse_init(&sse, EVENT_BYTES_MAX);
	while (sse_feed(&sse, &stream, &event) == SSE_EVENT) {
		if (!event.has_data)
			continue;
		/* What the parser holds moves on: what the events point to must stay. */
		reader->codec->read_event(reader, reader->arena, arena_copy(reader->arena, event.type),
					  arena_copy(reader->arena, event.data), events);
	}
	sse_free(&sse);
	return !reader->failed &&
	       reader->codec->read_end(reader, reader->arena, events) == FAULT_NONE;
}

bool codec_stream_to_answer(const struct codec *codec, struct arena *arena, struct slice stream,
			    struct buf *out)
{
	struct codec_reader reader = { .codec = codec, .arena = arena };
	struct codec_writer writer = { .codec = codec, .arena = arena };
	struct canon_events events = canon_events_in(arena);

	if (!codec->read_event || !codec->write_answer || !read_stream(&reader, stream, &events))
		return false;
	return codec->write_answer(&writer, &events, out);
}
