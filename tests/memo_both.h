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

#endif
