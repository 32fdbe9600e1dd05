/* codec.h: fuzzing a codec that backends are spoken to in. The same bytes are
 * taken as a stream's events ("TYPE DATA" a line), as a whole answer, as an error
 * of any status, and as a client's chat that is to be written for the backend. */
#ifndef BACKSTAY_TESTS_FUZZ_CODEC_H
#define BACKSTAY_TESTS_FUZZ_CODEC_H

#include "dialect/codec.h"
#include "dialect/vendor.h"
#include "tests/exact.h"
#include "wire/json.h"

#define CODEC_BYTES_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold of all events of an answer, whatever the backend said. */
struct codec_seen {
	bool start, done, failed;
	int calls[64];               /* begun in each choice */
};

static inline void codec_check(struct codec_seen *seen, const struct canon_events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		const struct canon_event *e = &events->at[i];

		must(!seen->done);
		must(!seen->failed);
		switch (e->kind) {
		case CANON_EVENT_START:
			must(!seen->start);
			seen->start = true;
			continue;
		case CANON_EVENT_ERROR:
			must(e->error.fault != FAULT_NONE);
			seen->failed = true;
			continue;
		case CANON_EVENT_DONE:
			seen->done = true;
			break;
		case CANON_EVENT_CALL:
			must(e->choice < COUNT_OF(seen->calls));
			must(e->call == seen->calls[e->choice]);
			seen->calls[e->choice]++;
			must(json_type_of(e->name) == JSON_STRING);
			break;
		case CANON_EVENT_ARGUMENTS:
			must(e->call >= 0);
			must(e->choice < COUNT_OF(seen->calls));
			must(e->call < seen->calls[e->choice]);
			must(json_type_of(e->text) == JSON_STRING);
			break;
		case CANON_EVENT_TEXT: case CANON_EVENT_REASONING:
			must(json_type_of(e->text) == JSON_STRING);
			break;
		default:
			break;
		}
		must(seen->start);
	}
}

static inline void codec_fuzz_stream(const struct codec *codec, struct slice lines)
{
	struct exact exact = exact_create(lines.len);
	struct arena *arena = arena_create(0);
	struct codec_reader reader = { .codec = codec, .arena = arena };
	struct canon_events last = canon_events_in(arena);
	struct codec_seen seen = { .start = false };
	struct slice line, type, data;

	while (lines.len) {
		struct arena *scratch = arena_create(0);
		struct canon_events some = canon_events_in(scratch);
		struct event_facts facts;

		if (!slice_cut(lines, '\n', &line, &lines)) {
			line = lines;
			lines = SLICE_NONE;
		}
		line = exact_copy(&exact, line);
		if (!slice_cut(line, ' ', &type, &data)) {
			type = SLICE_NONE;
			data = line;
		}
		codec->read_event(&reader, scratch, type, data, &some);
		codec_check(&seen, &some);
		canon_facts(&some, &facts);
		must(reader.failed == seen.failed);
		arena_free(scratch);
	}
	if (!reader.failed && codec->read_end(&reader, arena, &last) == FAULT_NONE) {
		codec_check(&seen, &last);
		must(seen.done);
	}
	arena_free(arena);
	exact_free(&exact);
}

static inline void codec_fuzz_answer(const struct dialect *dialect, const struct codec *codec, struct slice body)
{
	static const int statuses[] = { 200, 302, 400, 401, 403, 404, 429, 498, 500, 503 };
	static const struct endpoint chat = { .method = "POST", .kind = ENDPOINT_CHAT, .model_place = MODEL_IN_JSON };
	struct exact exact = exact_create(body.len);
	struct arena *arena = arena_create(0);
	struct codec_reader reader = { .codec = codec, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct h1_head head = { .status = 200 };
	struct codec_seen seen = { .start = false };
	struct answer_facts facts;

	body = exact_copy(&exact, body);
	if (codec->read_answer(&reader, body, &events) == FAULT_NONE) {
		codec_check(&seen, &events);
		must(seen.done);
	}
	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		dialect->judge_answer(arena, &chat, statuses[i], &head, body, 0, &facts);
		must(statuses[i] == 200 || facts.fault != FAULT_NONE);
	}
	arena_free(arena);
	exact_free(&exact);
}

/* Whatever a client says becomes valid JSON, or nothing. */
static inline void codec_fuzz_request(const struct codec *codec, struct slice body, const char *const *models)
{
	struct exact exact = exact_create(body.len);
	struct request_facts facts = { .choices = 1, .max_tokens = -1 };
	struct canon_request *r = NULL;
	struct slice why = SLICE_NONE;

	body = exact_copy(&exact, body);
	for (; *models; models++) {
		struct arena *arena = arena_create(0);
		struct codec_target target = { .model = slice_of(*models), .stream = true,
					       .vendor = vendor_find(S("openai"), S(""), S("")) };
		struct buf out = BUF_INIT(CODEC_BYTES_MAX);

		if (codec_openai_chat.read_request(arena, body, &facts, &r, &why) == FAULT_NONE &&
		    codec->write_request(arena, r, &target, &out))
			must(json_validate(buf_slice(&out), NULL) == JSON_OK);
		else
			must(buf_len(&out) == 0);
		buf_free(&out);
		arena_free(arena);
	}
	exact_free(&exact);
}

#endif
