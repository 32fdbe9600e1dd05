#include "dialect/event_memo.h"

#include "base/check.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

/* A power of two. Streams whose events come in turns each find their own pattern
 * while there are no more of them than this. */
#define MEMOS 256

struct event_memos {
	struct event_memo at[MEMOS];
};

struct event_memos *event_memos_create(void)
{
	struct event_memos *memos = calloc(1, sizeof *memos);

	must(memos != NULL);
	return memos;
}

void event_memos_free(struct event_memos *memos)
{
	free(memos);
}

struct event_memo *event_memo_of(struct event_memos *memos, const void *stream)
{
	uint64_t mixed = (uint64_t)(uintptr_t)stream * UINT64_C(0x9e3779b97f4a7c15);

	return &memos->at[mixed >> 56 & (MEMOS - 1)];
}

/* ---- taking ------------------------------------------------------------------------- */

/* All but the count of events, which no judge goes by. */
static bool same_facts(const struct stream_facts *a, const struct stream_facts *b)
{
	const struct usage *u = &a->usage, *v = &b->usage;

	return a->content_seen == b->content_seen && a->finish_seen == b->finish_seen &&
	       a->done_seen == b->done_seen && a->error_seen == b->error_seen &&
	       a->tool_call_open == b->tool_call_open && u->known == v->known &&
	       u->input_tokens == v->input_tokens && u->output_tokens == v->output_tokens &&
	       u->cached_tokens == v->cached_tokens && u->reasoning_tokens == v->reasoning_tokens &&
	       u->cache_write_tokens == v->cache_write_tokens &&
	       u->audio_input_tokens == v->audio_input_tokens &&
	       u->audio_output_tokens == v->audio_output_tokens &&
	       memcmp(a->private, b->private, sizeof a->private) == 0;
}

/* Eats the bytes from..to of the pattern. */
static bool eat_same(const struct event_memo *m, size_t from, size_t to, struct slice *in)
{
	if (in->len < to - from || memcmp(in->at, m->bytes + from, to - from) != 0)
		return false;
	*in = slice_from(*in, to - from);
	return true;
}

/* Eats a string. */
static bool eat_string(struct slice *in, struct slice *raw, bool *escaped)
{
	if (!json_string_at(*in, raw, escaped))
		return false;
	*in = slice_from(*in, raw->len);
	return true;
}

/* The text of an event like the known one at the front of *in, which is eaten. */
static bool eat_event(const struct event_memo *m, struct slice *in, struct slice *text, bool *escaped)
{
	size_t head = m->head_bytes, padding = head + m->padding_at, end = head + m->tail_bytes;
	struct slice pad;
	bool any;

	return eat_same(m, 0, head, in) && eat_string(in, text, escaped) && text->len > 2 &&
	       (padding == head || (eat_same(m, head, padding, in) && eat_string(in, &pad, &any))) &&
	       eat_same(m, padding, end, in);
}

/* The event that is `in` without `rest`. */
static struct sse_event event_of(const struct event_memo *m, struct slice in, struct slice rest)
{
	struct slice raw = slice_sub(in, 0, in.len - rest.len);

	return (struct sse_event){
		.raw = raw,
		.type = slice_sub(raw, m->type_at, (size_t)m->type_at + m->type_bytes),
		.data = slice_sub(raw, m->data_at, raw.len - m->data_left),
		.has_data = true,
	};
}

bool event_memo_take(const struct event_memo *m, const struct endpoint *endpoint, struct slice *in,
		     struct stream_facts *so_far, struct sse_event *event, struct event_facts *facts)
{
	struct slice rest = *in, text;
	bool escaped;

	if (m->of != endpoint || !eat_event(m, &rest, &text, &escaped) || !same_facts(&m->facts, so_far))
		return false;
	*event = event_of(m, *in, rest);
	*facts = (struct event_facts){
		.is = EVENT_CONTENT, .retry_after_ms = -1, .tokens = m->tokens, .piece_count = 1,
	};
	facts->pieces[0] = m->piece;
	facts->pieces[0].raw = text;
	facts->pieces[0].plain = !escaped;
	so_far->events++;
	*in = rest;
	return true;
}

/* What of a reader everybody may see. */
static bool same_reader(const struct codec_reader *a, const struct codec_reader *b)
{
	return a->codec == b->codec && a->started == b->started && a->finished == b->finished &&
	       a->done == b->done && a->failed == b->failed && a->content == b->content &&
	       a->calls == b->calls;
}

bool event_memo_read(const struct event_memo *m, const struct codec_reader *r, uint64_t answer,
		     struct slice *in, struct sse_event *event, struct canon_events *out)
{
	struct slice rest = *in, text;
	struct canon_event *e;
	bool escaped;

	if (m->of != r->codec || m->answer != answer || !same_reader(&m->reader, r) ||
	    !eat_event(m, &rest, &text, &escaped))
		return false;
	*event = event_of(m, *in, rest);
	e = canon_add(out, m->kind);
	e->choice = m->choice;
	e->call = m->call;
	e->text = text;
	e->plain = !escaped;
	*in = rest;
	return true;
}

/* ---- learning ------------------------------------------------------------------------ */

/* One text, and nothing else to tell. */
static bool brings_only_text(const struct event_facts *f)
{
	return f->is == EVENT_CONTENT && f->piece_count == 1 && !f->pieces_lost && f->finished == 0 &&
	       !f->usage.known && f->fault == FAULT_NONE && f->retry_after_ms == -1 &&
	       !f->message.at && !f->type.at && !f->code.at && !f->param.at && !f->finish_reason.at;
}

/* Does `part` lie in `whole`? *at: where. */
static bool lies_in(struct slice part, struct slice whole, size_t *at)
{
	uintptr_t p = (uintptr_t)part.at, w = (uintptr_t)whole.at;

	*at = (size_t)(p - w);
	return part.at && p >= w && *at <= whole.len && part.len <= whole.len - *at;
}

/* Where the padding's string stands in the tail of a valid event. These bytes end a
 * name there, since a quote inside a string has a backslash before it; and no judge
 * looks for a name that ends so. */
static struct slice find_padding(struct slice tail, size_t *at)
{
	const struct slice name = S("\"obfuscation\":");
	size_t found = slice_find_slice(tail, name);
	struct slice raw = SLICE_NONE;
	bool escaped;

	*at = 0;
	if (found == SLICE_NOT_FOUND || !json_string_at(slice_from(tail, found + name.len), &raw, &escaped))
		return SLICE_NONE;
	*at = found + name.len;
	return raw;
}

/* Makes the block the pattern, with `text` as what differs. False: it is not fit to
 * be one, and nothing has changed. */
static bool learn(struct event_memo *m, const struct sse_event *event, struct slice text)
{
	struct slice raw = event->raw, tail, padding;
	size_t text_at, data_at, type_at = 0, padding_at;

	/* A block that ends in CR has an LF to come, or has not. */
	if (event->has_comment || event->id.at || event->stray.at || raw.at[raw.len - 1] != '\n')
		return false;
	if (!lies_in(event->data, raw, &data_at) || !lies_in(text, raw, &text_at) || text_at < data_at ||
	    text_at + text.len > data_at + event->data.len)
		return false;
	if (event->type.len > 0 && (!lies_in(event->type, raw, &type_at) || type_at + event->type.len > text_at))
		return false;
	tail = slice_from(raw, text_at + text.len);
	padding = find_padding(tail, &padding_at);
	if (text_at + tail.len - padding.len > EVENT_MEMO_BYTES || text.len <= 2 || *text.at != '"')
		return false;
	m->head_bytes = (uint16_t)text_at;
	m->tail_bytes = (uint16_t)(tail.len - padding.len);
	m->padding_at = (uint16_t)padding_at;
	m->type_at = (uint16_t)type_at;
	m->type_bytes = (uint16_t)event->type.len;
	m->data_at = (uint16_t)data_at;
	m->data_left = (uint16_t)(raw.len - data_at - event->data.len);
	memcpy(m->bytes, raw.at, text_at);
	memcpy(m->bytes + text_at, tail.at, padding_at);
	memcpy(m->bytes + text_at + padding_at, tail.at + padding_at + padding.len,
	       tail.len - padding_at - padding.len);
	return true;
}

void event_memo_learn(struct event_memo *m, const struct endpoint *endpoint,
		      const struct sse_event *event, const struct event_facts *facts,
		      const struct stream_facts *before, const struct stream_facts *after)
{
	if (!brings_only_text(facts) || !same_facts(before, after) || !learn(m, event, facts->pieces[0].raw))
		return;
	m->of = endpoint;
	m->tokens = facts->tokens;
	m->piece = facts->pieces[0];
	m->facts = *before;
}

void event_memo_learn_read(struct event_memo *m, const struct codec_reader *before,
			   const struct codec_reader *after, uint64_t answer,
			   const struct sse_event *event, const struct canon_events *events)
{
	const struct canon_event *e = events->at;

	if (events->count != 1 || (e->kind != CANON_EVENT_TEXT && e->kind != CANON_EVENT_REASONING) ||
	    !same_reader(before, after) || !learn(m, event, e->text))
		return;
	m->of = after->codec;
	m->answer = answer;
	m->reader = *after;
	m->kind = e->kind;
	m->choice = e->choice;
	m->call = e->call;
}
