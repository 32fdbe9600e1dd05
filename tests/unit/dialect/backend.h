/* backend.h: what the tests of dialects that only backends speak share: requests
 * come from OpenAI's chat, events are put into words. */
#ifndef BACKSTAY_TESTS_DIALECT_BACKEND_H
#define BACKSTAY_TESTS_DIALECT_BACKEND_H

#include "help.h"

#include "dialect/codec.h"
#include "dialect/vendor.h"
#include "wire/json.h"

#define WORDS_MAX ((size_t)1 << 20)

/* A chat completion's body as the codec writes it for `model`; "(cannot)" where
 * it refuses. The caller frees it. With `sent`, the rest of a broken answer is
 * asked for. */
static inline struct buf written_with(const struct codec *codec, const char *body, const char *model,
				      bool stream, enum resume_way way, const char *sent)
{
	struct request_facts facts = { .endpoint = endpoint_at("POST", CHAT), .choices = 1, .max_tokens = -1 };
	struct codec_target target = { .model = slice_of(model), .stream = stream,
				       .vendor = vendor_find(S("openai"), S(""), S("")) };
	struct arena *arena = arena_create(0);
	struct buf out = BUF_INIT(WORDS_MAX);
	struct canon_request *r = NULL;
	struct slice why = SLICE_NONE;

	if (codec_openai_chat.read_request(arena, slice_of(body), &facts, &r, &why) != FAULT_NONE)
		fail_msg("not read (%.*s): %s", SLICE_ARG(why), body);
	r->resume = way;
	r->sent = slice_of(sent);
	if (!codec->write_request(arena, r, &target, &out))
		buf_puts(&out, "(cannot)");
	else if (json_validate(buf_slice(&out), NULL) != JSON_OK)
		fail_msg("not JSON: %.*s", SLICE_ARG(buf_slice(&out)));
	arena_free(arena);
	return out;
}

static inline void put_said(struct buf *out, const char *what, struct slice raw)
{
	struct slice inside = canon_inside(raw);

	buf_putf(out, "%s(%.*s) ", what, SLICE_ARG(inside));
}

static inline void put_event_words(struct buf *out, const struct canon_event *e)
{
	switch (e->kind) {
	case CANON_EVENT_START:
		buf_putf(out, "start(%.*s) ", SLICE_ARG(e->id));
		break;
	case CANON_EVENT_TEXT:
		put_said(out, "text", e->text);
		break;
	case CANON_EVENT_REASONING:
		put_said(out, "thinks", e->text);
		break;
	case CANON_EVENT_SIGNATURE:
		buf_putf(out, "%.*s-", SLICE_ARG(e->vendor));
		put_said(out, "signed", e->text);
		break;
	case CANON_EVENT_ENCRYPTED:
		buf_putf(out, "%.*s-", SLICE_ARG(e->vendor));
		put_said(out, "sealed", e->text);
		break;
	case CANON_EVENT_CALL:
		buf_putf(out, "call%d(%.*s %.*s) ", e->call, SLICE_ARG(canon_inside(e->id)),
			 SLICE_ARG(canon_inside(e->name)));
		break;
	case CANON_EVENT_ARGUMENTS:
		buf_putf(out, "args%d(%.*s) ", e->call, SLICE_ARG(canon_inside(e->text)));
		break;
	case CANON_EVENT_IMAGE:
		buf_putf(out, "image(%.*s %.*s) ", SLICE_ARG(e->media.mime), SLICE_ARG(e->media.data));
		break;
	case CANON_EVENT_CITATION:
		buf_putf(out, "cites(%.*s|%.*s|%.*s) ", SLICE_ARG(canon_inside(e->text)),
			 SLICE_ARG(canon_inside(e->title)), SLICE_ARG(canon_inside(e->url)));
		break;
	case CANON_EVENT_LOGPROBS: case CANON_EVENT_EMBEDDING:
		buf_putf(out, "%u:%.*s ", e->choice, SLICE_ARG(e->json));
		break;
	case CANON_EVENT_FINISH:
		buf_putf(out, "%.*s(%.*s) ", SLICE_ARG(canon_finish_word(e->finish)),
			 SLICE_ARG(canon_inside(e->text)));
		break;
	case CANON_EVENT_USAGE: case CANON_EVENT_COUNT:
		buf_putf(out, "usage(%lld+%lld cached %lld written %lld) ", (long long)e->usage.input_tokens,
			 (long long)e->usage.output_tokens, (long long)e->usage.cached_tokens,
			 (long long)e->usage.cache_write_tokens);
		break;
	case CANON_EVENT_DONE:
		buf_puts(out, "done ");
		break;
	case CANON_EVENT_ERROR:
		buf_putf(out, "error(%s|%.*s|%.*s) ", fault_row(e->error.fault)->name,
			 SLICE_ARG(e->error.code), SLICE_ARG(e->error.message));
		break;
	case CANON_EVENT_REFUSAL: case CANON_EVENT_AUDIO:
		buf_puts(out, "? ");
		break;
	}
}

static inline void put_events(struct buf *out, const struct canon_events *events)
{
	for (size_t i = 0; i < events->count; i++)
		put_event_words(out, &events->at[i]);
}

/* The words without the space at the end. */
static inline struct slice words_of(const struct buf *b)
{
	return slice_trim(buf_slice(b));
}

/* A whole answer in words; the fault's name where it is no good one. */
static inline struct buf answer_words(const struct codec *codec, const char *body)
{
	struct arena *arena = arena_create(0);
	struct codec_reader reader = { .codec = codec, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct buf out = BUF_INIT(WORDS_MAX);
	enum fault fault = codec->read_answer(&reader, slice_of(body), &events);

	put_events(&out, &events);
	if (fault != FAULT_NONE)
		buf_putf(&out, "%s", fault_row(fault)->name);
	arena_free(arena);
	return out;
}

/* A stream's events, "TYPE DATA" a line, in words, and how it ended. */
static inline struct buf stream_words(const struct codec *codec, struct slice lines)
{
	struct arena *arena = arena_create(0);
	struct codec_reader reader = { .codec = codec, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct buf out = BUF_INIT(WORDS_MAX);
	struct slice line, type, data;
	enum fault fault;

	while (lines.len && !reader.failed) {
		struct arena *scratch = arena_create(0);
		struct canon_events some = canon_events_in(scratch);

		if (!slice_cut(lines, '\n', &line, &lines)) {
			line = lines;
			lines = SLICE_NONE;
		}
		if (!slice_cut(line, ' ', &type, &data))
			fail_msg("no event: %.*s", SLICE_ARG(line));
		codec->read_event(&reader, scratch, type, data, &some);
		put_events(&out, &some);
		arena_free(scratch);
	}
	if (!reader.failed) {
		fault = codec->read_end(&reader, arena, &events);
		put_events(&out, &events);
		if (fault != FAULT_NONE)
			buf_putf(&out, "%s", fault_row(fault)->name);
	}
	arena_free(arena);
	return out;
}

/* Compares and frees. */
static inline void words_are(struct buf *got, const char *expected, const char *says)
{
	if (!slice_eq(words_of(got), slice_of(expected)))
		fail_msg("%s:\nexpected %s\ngot      %.*s", says, expected, SLICE_ARG(words_of(got)));
	buf_free(got);
}

#endif
