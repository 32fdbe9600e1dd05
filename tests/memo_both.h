/* memo_both.h: a stream judged event by event, and with the memo of the event
 * before: the same must be found, whatever the stream and wherever it is cut. */
#ifndef BACKSTAY_TESTS_MEMO_BOTH_H
#define BACKSTAY_TESTS_MEMO_BOTH_H

#include "dialect/event_memo.h"
#include "wire/json.h"

struct both {
	const struct dialect *dialect;
	const struct endpoint *endpoint;
	struct event_memo memo;
	struct sse full, fast;
	struct stream_facts full_facts, fast_facts;
	unsigned events, repeated;    /* those, and how many of them the memo knew */
};

static inline void both_init(struct both *b, const struct dialect *dialect, const struct endpoint *endpoint,
			     size_t event_bytes_max)
{
	*b = (struct both){ .dialect = dialect, .endpoint = endpoint };
	must(dialect->repeats);
	sse_init(&b->full, event_bytes_max);
	sse_init(&b->fast, event_bytes_max);
}

static inline void both_free(struct both *b)
{
	sse_free(&b->full);
	sse_free(&b->fast);
}

static inline void both_usage(const struct usage *a, const struct usage *b)
{
	must(a->known == b->known);
	must(a->input_tokens == b->input_tokens && a->output_tokens == b->output_tokens);
	must(a->cached_tokens == b->cached_tokens && a->reasoning_tokens == b->reasoning_tokens);
	must(a->cache_write_tokens == b->cache_write_tokens);
	must(a->audio_input_tokens == b->audio_input_tokens);
	must(a->audio_output_tokens == b->audio_output_tokens);
}

static inline void both_stream(const struct stream_facts *a, const struct stream_facts *b)
{
	must(a->content_seen == b->content_seen && a->finish_seen == b->finish_seen);
	must(a->done_seen == b->done_seen && a->error_seen == b->error_seen);
	must(a->tool_call_open == b->tool_call_open && a->events == b->events);
	must(memcmp(a->private, b->private, sizeof a->private) == 0);
	both_usage(&a->usage, &b->usage);
}

static inline void both_event(const struct sse_event *a, const struct sse_event *b)
{
	must(slice_eq(a->raw, b->raw) && slice_eq(a->type, b->type) && slice_eq(a->data, b->data));
	must(slice_eq(a->id, b->id) && slice_eq(a->stray, b->stray));
	must(a->has_data == b->has_data && a->has_comment == b->has_comment);
}

static inline void both_found(struct arena *arena, const struct event_facts *a, const struct event_facts *b)
{
	must(a->is == b->is && a->fault == b->fault && a->retry_after_ms == b->retry_after_ms);
	must(slice_eq(a->message, b->message) && slice_eq(a->type, b->type));
	must(slice_eq(a->code, b->code) && slice_eq(a->param, b->param));
	must(slice_eq(a->finish_reason, b->finish_reason));
	must(a->tokens == b->tokens && a->pieces_lost == b->pieces_lost && a->finished == b->finished);
	must(a->piece_count == b->piece_count);
	both_usage(&a->usage, &b->usage);
	for (unsigned i = 0; i < a->piece_count; i++) {
		const struct event_piece *p = &a->pieces[i], *q = &b->pieces[i];

		must(p->choice == q->choice && p->call == q->call);
		must(slice_eq(p->name, q->name) && slice_eq(p->raw, q->raw));
		must(!q->plain || slice_eq(json_string(arena, q->raw), slice_sub(q->raw, 1, q->raw.len - 1)));
	}
}

/* The next event without the memo. */
static inline enum sse_step both_full(struct both *b, struct arena *arena, struct slice *in,
				      struct sse_event *event, struct event_facts *facts)
{
	enum sse_step step = sse_feed(&b->full, in, event);

	*facts = (struct event_facts){ .retry_after_ms = -1 };
	if (step == SSE_EVENT && event->has_data)
		b->dialect->judge_event(arena, b->endpoint, event->type, event->data, &b->full_facts, facts);
	return step;
}

/* The same with it. */
static inline enum sse_step both_fast(struct both *b, struct arena *arena, struct slice *in,
				      struct sse_event *event, struct event_facts *facts)
{
	struct stream_facts before = b->fast_facts;
	enum sse_step step;

	if (sse_at_block(&b->fast) &&
	    event_memo_take(&b->memo, b->endpoint, in, &b->fast_facts, event, facts)) {
		b->repeated++;
		return SSE_EVENT;
	}
	step = sse_feed(&b->fast, in, event);
	*facts = (struct event_facts){ .retry_after_ms = -1 };
	if (step != SSE_EVENT || !event->has_data)
		return step;
	b->dialect->judge_event(arena, b->endpoint, event->type, event->data, &b->fast_facts, facts);
	event_memo_learn(&b->memo, b->endpoint, event, facts, &before, &b->fast_facts);
	return step;
}

/* One piece of the stream. False: an event is too long, which ends it. */
static inline bool both_feed(struct both *b, struct slice piece)
{
	struct slice full_in = piece, fast_in = piece;
	struct event_facts full_found, fast_found;
	struct sse_event full_event, fast_event;
	struct arena *arena = arena_create(0);
	enum sse_step step;

	do {
		step = both_full(b, arena, &full_in, &full_event, &full_found);
		must(both_fast(b, arena, &fast_in, &fast_event, &fast_found) == step);
		must(full_in.len == fast_in.len);
		if (step == SSE_EVENT) {
			both_event(&full_event, &fast_event);
			both_found(arena, &full_found, &fast_found);
			b->events++;
		}
		both_stream(&b->full_facts, &b->fast_facts);
	} while (step == SSE_EVENT);
	must(slice_eq(sse_rest(&b->full), sse_rest(&b->fast)));
	arena_free(arena);
	return step == SSE_MORE;
}

/* ---- events read by a codec ------------------------------------------------------------ */

struct both_read {
	struct arena *full_arena, *fast_arena;        /* as long as the answer */
	struct codec_reader full, fast;
	struct event_memo memo;
	struct sse full_sse, fast_sse;
	unsigned repeated;
};

static inline void both_read_init(struct both_read *b, const struct codec *codec, size_t event_bytes_max)
{
	*b = (struct both_read){ .full_arena = arena_create(0), .fast_arena = arena_create(0) };
	must(codec->repeats);
	b->full = (struct codec_reader){ .codec = codec, .arena = b->full_arena, .wall_ms = 1000 };
	b->fast = (struct codec_reader){ .codec = codec, .arena = b->fast_arena, .wall_ms = 1000 };
	sse_init(&b->full_sse, event_bytes_max);
	sse_init(&b->fast_sse, event_bytes_max);
}

static inline void both_read_free(struct both_read *b)
{
	sse_free(&b->full_sse);
	sse_free(&b->fast_sse);
	arena_free(b->full_arena);
	arena_free(b->fast_arena);
}

static inline void both_canon(struct arena *arena, const struct canon_event *e, const struct canon_event *f)
{
	must(e->kind == f->kind && e->choice == f->choice && e->call == f->call && e->finish == f->finish);
	must(slice_eq(e->text, f->text) && slice_eq(e->id, f->id) && slice_eq(e->name, f->name));
	must(slice_eq(e->signature, f->signature) && slice_eq(e->item, f->item) && e->part == f->part);
	must(slice_eq(e->vendor, f->vendor) && slice_eq(e->url, f->url) && slice_eq(e->title, f->title));
	must(slice_eq(e->json, f->json) && e->created == f->created && e->custom == f->custom);
	must(slice_eq(e->media.url, f->media.url) && slice_eq(e->media.data, f->media.data));
	must(e->error.fault == f->error.fault && slice_eq(e->error.message, f->error.message));
	both_usage(&e->usage, &f->usage);
	must(!f->plain || slice_eq(json_string(arena, f->text), slice_sub(f->text, 1, f->text.len - 1)));
}

static inline void both_events(struct arena *arena, const struct canon_events *a, const struct canon_events *b)
{
	must(a->count == b->count);
	for (size_t i = 0; i < a->count; i++)
		both_canon(arena, &a->at[i], &b->at[i]);
}

/* The next event with the memo. */
static inline enum sse_step both_read_fast(struct both_read *b, struct arena *arena, struct slice *in,
					   struct sse_event *event, struct canon_events *events)
{
	struct codec_reader before = b->fast;
	enum sse_step step;

	if (sse_at_block(&b->fast_sse) && event_memo_read(&b->memo, &b->fast, 1, in, event, events)) {
		b->repeated++;
		return SSE_EVENT;
	}
	step = sse_feed(&b->fast_sse, in, event);
	if (step != SSE_EVENT || !event->has_data)
		return step;
	b->fast.codec->read_event(&b->fast, arena, event->type, event->data, events);
	event_memo_learn_read(&b->memo, &before, &b->fast, 1, event, events);
	return step;
}

/* One piece of the stream; the events that are read of it, and its end if it is the last. */
static inline bool both_read_feed(struct both_read *b, struct slice piece)
{
	struct slice full_in = piece, fast_in = piece;
	struct sse_event full_event, fast_event;
	struct arena *arena = arena_create(0);
	enum sse_step step;

	do {
		struct canon_events full = canon_events_in(arena), fast = canon_events_in(arena);

		step = sse_feed(&b->full_sse, &full_in, &full_event);
		if (step == SSE_EVENT && full_event.has_data)
			b->full.codec->read_event(&b->full, arena, full_event.type, full_event.data, &full);
		must(both_read_fast(b, arena, &fast_in, &fast_event, &fast) == step);
		must(full_in.len == fast_in.len);
		if (step == SSE_EVENT)
			both_event(&full_event, &fast_event);
		both_events(arena, &full, &fast);
	} while (step == SSE_EVENT);
	arena_free(arena);
	return step == SSE_MORE;
}

/* Both find the same at the end. */
static inline void both_read_end(struct both_read *b)
{
	struct arena *arena = arena_create(0);
	struct canon_events full = canon_events_in(arena), fast = canon_events_in(arena);

	must(b->full.codec->read_end(&b->full, arena, &full) == b->fast.codec->read_end(&b->fast, arena, &fast));
	both_events(arena, &full, &fast);
	must(b->full.content == b->fast.content && b->full.calls == b->fast.calls);
	arena_free(arena);
}

#endif
