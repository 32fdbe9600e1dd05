/* give_pace.c: a kept answer as a stream of small pieces, as a model would have
 * sent it: its texts are cut, the rest stays as it is. */
#include "exchange/recall.h"

#include "base/check.h"
#include "wire/json.h"

#define PIECE_BYTES 24

/* The first bytes of `text`, not cut inside a character. */
static size_t piece_len(struct slice text)
{
	size_t len = PIECE_BYTES;

	if (text.len <= PIECE_BYTES)
		return text.len;
	while (len > 1 && ((unsigned char)text.at[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static bool put_event(struct buf *out, struct slice type, struct slice data)
{
	return sse_try_write(out, type, data);
}

/* One event with one long text, as several. */
static bool put_pieces(struct exchange *x, struct arena *scratch, const struct sse_event *ev,
		       const struct event_piece *piece, struct buf *out)
{
	struct event_text text = { .choice = piece->choice, .call = piece->call, .name = piece->name };
	struct slice rest = json_string(scratch, piece->raw);
	struct event_identity identity = { .id = SLICE_NONE };
	struct event_rewrite how = { .identity = &identity, .retold = true, .texts = &text, .text_count = 1 };
	struct buf data = BUF_INIT(EVENT_BYTES_MAX);
	bool good = true;

	x->dialect->read_identity(ev->data, &identity);
	while (rest.len && good) {
		size_t len = piece_len(rest);

		text.text = slice_sub(rest, 0, len);
		rest = slice_from(rest, len);
		how.mute_finished = rest.len ? UINT64_MAX : 0;
		buf_clear(&data);
		good = x->dialect->rewrite_event(x->endpoint, ev->data, &how, &data) &&
		       put_event(out, ev->type, buf_slice(&data));
	}
	buf_free(&data);
	return good;
}

static bool may_cut(const struct exchange *x, const struct event_facts *facts)
{
	return (x->endpoint->kind == ENDPOINT_CHAT || x->endpoint->kind == ENDPOINT_COMPLETIONS) &&
	       x->dialect->rewrite_event && x->dialect->read_identity && facts->piece_count == 1 &&
	       !facts->pieces_lost && facts->pieces[0].raw.len > PIECE_BYTES + 2;
}

bool give_cut(struct exchange *x, struct slice stream, struct buf *out)
{
	struct arena *scratch = arena_create(0);
	struct stream_facts so_far = { 0 };
	struct sse parser;
	struct sse_event ev;
	bool good = true;

	sse_init(&parser, EVENT_BYTES_MAX);
	while (good && sse_feed(&parser, &stream, &ev) == SSE_EVENT) {
		struct event_facts facts = { .retry_after_ms = -1 };

		if (ev.has_data)
			x->dialect->judge_event(scratch, x->endpoint, ev.type, ev.data, &so_far, &facts);
		good = may_cut(x, &facts) ? put_pieces(x, scratch, &ev, &facts.pieces[0], out)
					  : buf_append(out, ev.raw);
	}
	sse_free(&parser);
	arena_free(scratch);
	return good;
}
