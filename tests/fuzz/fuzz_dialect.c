/* What comes from outside as the OpenAI dialect reads it. The first line says
 * what is read: its first character
 *
 *	r  a request of endpoint B with the rest of the line as its Content-Type
 *	a  an answer of endpoint B; the rest of the line is its status
 *	s  a stream of endpoint B: each further line is the data of one event
 *	t  an answer of endpoint B retold as a stream, and what came of it judged
 *	u  a stream of endpoint B, as bytes, retold as an answer
 *
 * and its second, B, the row of the endpoint ('A' is the first). */
#include "base/check.h"
#include "dialect/dialect.h"
#include "wire/json.h"
#include "wire/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_BYTES_MAX (16u * 1024 * 1024)
#define HINT_MS_MAX (3600 * 1000)

static void must_be_inside(struct slice part, struct slice whole)
{
	if (part.len == 0)
		return;
	must(part.at >= whole.at);
	must(part.at + part.len <= whole.at + whole.len);
}

static void must_be_a_hint(int64_t ms)
{
	must(ms >= -1);
	must(ms <= HINT_MS_MAX);
}

static void write_error_from(const struct endpoint *e, enum fault fault, struct slice message,
			     struct slice type, struct slice code, const struct stream_facts *so_far)
{
	const struct error_answer answer = { .fault = fault, .message = message, .type = type,
					     .code = code, .so_far = so_far };
	struct buf out = BUF_INIT(OUT_BYTES_MAX);

	dialect_openai.write_error(&answer, &out);
	must(json_validate(buf_slice(&out), NULL) == JSON_OK);
	buf_clear(&out);
	dialect_openai.write_error_event(e, &answer, &out);
	must(slice_ends(buf_slice(&out), S("\n\n")));
	buf_free(&out);
}

/* Whatever is changed, the request stays one, and says the new name. */
static void change_request(struct arena *arena, const struct endpoint *e, struct slice body,
			   const struct request_facts *f, enum resume_way way)
{
	const struct request_changes c = { .model = S("another/model"), .as_stream = way == RESUME_NONE,
					   .way = way, .sent = S("so \"far\"\n"), .tokens_sent = 3 };
	struct buf room = BUF_INIT(OUT_BYTES_MAX), all = BUF_INIT(OUT_BYTES_MAX);
	struct slice parts[DIALECT_CHANGED_PARTS], why, param;
	size_t count = dialect_openai.change_request(f, body, &c, &room, parts);
	struct request_facts again;

	must(count <= DIALECT_CHANGED_PARTS);
	for (size_t i = 0; i < count; i++)
		buf_put(&all, parts[i]);
	if (count) {
		must(json_validate(buf_slice(&all), NULL) == JSON_OK);
		must(dialect_openai.read_request(arena, e, S("application/json"), e->path,
						 buf_slice(&all), &again, &why, &param) == FAULT_NONE);
		must(!f->model.len || slice_eq(again.model, c.model));
		must(!c.as_stream || again.stream == e->may_stream);
	}
	buf_free(&room);
	buf_free(&all);
}

static void read_request(struct arena *arena, const struct endpoint *e, struct slice type,
			 struct slice body)
{
	struct slice why, param, parts[DIALECT_BODY_PARTS];
	struct request_facts f;
	enum fault fault = dialect_openai.read_request(arena, e, type, e->path, body, &f, &why, &param);

	if (fault != FAULT_NONE) {
		must(why.len > 0);
		write_error_from(e, fault, why, SLICE_NONE, SLICE_NONE, NULL);
		return;
	}
	if (f.model_place == MODEL_IN_JSON || f.model_place == MODEL_IN_MULTIPART) {
		size_t count = dialect_splice_model(arena, &f, body, S("another/model"), parts);
		size_t total = 0;

		must(count >= 1 && count <= DIALECT_BODY_PARTS);
		must_be_inside(f.model_raw, body);
		for (size_t i = 0; i < count; i++)
			total += parts[i].len;
		if (f.model_raw.len == 0)
			must(total == body.len);
	}
	must(!f.stream || e->may_stream);
	if (f.model_place == MODEL_IN_JSON)
		for (int way = RESUME_NONE; way <= RESUME_INSTRUCT; way++)
			change_request(arena, e, body, &f, (enum resume_way)way);
}

static void judge_answer(struct arena *arena, const struct endpoint *e, struct slice status,
			 struct slice body)
{
	struct h1_head head = { .header_count = 0 };
	struct answer_facts out;
	uint64_t code = 200;

	slice_to_u64(status, &code);
	dialect_openai.judge_answer(arena, e, code > 999 ? 999 : (int)code, &head, body, 0, &out);
	must(out.fault < FAULT_COUNT);
	must_be_a_hint(out.retry_after_ms);
	must(code < 300 || out.fault != FAULT_NONE);
	if (code == 200 && out.fault == FAULT_NONE && e->kind == ENDPOINT_CHAT)
		must(json_validate(body, NULL) == JSON_OK);
	write_error_from(e, out.fault, out.message, out.type, out.code, NULL);
}

/* An event as a continuation shows it is JSON on one line. */
static void rewrite_event(struct arena *arena, const struct endpoint *e, struct slice data,
			  const struct event_facts *facts)
{
	struct event_text texts[EVENT_PIECES_MAX];
	struct event_identity identity;
	struct event_rewrite how = { .identity = &identity, .add_input = 5, .add_output = 7,
				     .texts = texts, .text_count = facts->piece_count };
	struct buf out = BUF_INIT(OUT_BYTES_MAX);

	for (unsigned i = 0; i < facts->piece_count; i++) {
		const struct event_piece *p = &facts->pieces[i];

		must_be_inside(p->raw, data);
		texts[i] = (struct event_text){ p->choice, p->call, p->name, json_string(arena, p->raw) };
	}
	dialect_openai.read_identity(data, &identity);
	for (int retold = 0; retold < 2; retold++) {
		how.retold = retold;
		buf_clear(&out);
		if (!dialect_openai.rewrite_event(e, data, &how, &out))
			continue;
		must(json_validate(buf_slice(&out), NULL) == JSON_OK);
		must(slice_find(buf_slice(&out), '\n') == SLICE_NOT_FOUND);
	}
	buf_free(&out);
}

static void judge_event(struct arena *arena, const struct endpoint *e, struct slice data,
			struct stream_facts *so_far)
{
	bool done = so_far->done_seen, content = so_far->content_seen;
	unsigned events = so_far->events;
	struct event_facts out;

	dialect_openai.judge_event(arena, e, SLICE_NONE, data, so_far, &out);
	must_be_a_hint(out.retry_after_ms);
	must(so_far->events == events + 1);
	must(!done || out.is == 0);
	must(so_far->content_seen == (content || (out.is & EVENT_CONTENT)));
	must(!(out.is & (EVENT_ERROR | EVENT_BROKEN)) == (out.fault == FAULT_NONE));
	if (out.is & EVENT_ERROR)
		write_error_from(e, out.fault, out.message, out.type, out.code, so_far);
	if (!(out.is & (EVENT_ERROR | EVENT_BROKEN | EVENT_DONE)) &&
	    json_validate(data, NULL) == JSON_OK && json_type_of(data) == JSON_OBJECT)
		rewrite_event(arena, e, data, &out);
}

static void judge_stream(struct arena *arena, const struct endpoint *e, struct slice text)
{
	struct stream_facts so_far = { .events = 0 };
	struct slice line;
	enum fault end;

	while (slice_cut(text, '\n', &line, &text))
		judge_event(arena, e, line, &so_far);
	judge_event(arena, e, text, &so_far);
	end = dialect_openai.judge_end(e, &so_far);
	must(end == FAULT_NONE || end == FAULT_CUT || end == FAULT_BAD_ANSWER);
	must(!so_far.error_seen || end != FAULT_NONE);
}

/* A good answer makes a complete stream without an error in it. */
static void retell_answer(struct arena *arena, const struct endpoint *e, struct slice body)
{
	struct request_facts facts = { .endpoint = e, .asks_usage = true };
	struct buf out = BUF_INIT(OUT_BYTES_MAX);
	struct stream_facts so_far = { .events = 0 };
	struct h1_head head = { .header_count = 0 };
	struct answer_facts judged;
	struct event_facts event;
	struct sse_event ev;
	struct slice text;
	struct sse p;

	dialect_openai.judge_answer(arena, e, 200, &head, body, 0, &judged);
	if (judged.fault != FAULT_NONE ||
	    !dialect_openai.answer_to_stream(arena, e, &facts, body, &out))
		goto done;
	text = buf_slice(&out);
	sse_init(&p, OUT_BYTES_MAX);
	while (sse_feed(&p, &text, &ev) == SSE_EVENT) {
		if (!slice_eq(ev.data, S("[DONE]")))
			must(json_validate(ev.data, NULL) == JSON_OK);
		dialect_openai.judge_event(arena, e, ev.type, ev.data, &so_far, &event);
	}
	must(sse_rest(&p).len == 0);
	sse_free(&p);
done:
	buf_free(&out);
}

static void retell_stream(struct arena *arena, const struct endpoint *e, struct slice text)
{
	struct buf out = BUF_INIT(OUT_BYTES_MAX);

	if (dialect_openai.stream_to_answer(arena, e, text, &out))
		must(json_validate(buf_slice(&out), NULL) == JSON_OK);
	else
		must(buf_len(&out) == 0);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size }, line, rest;
	const struct endpoint *e;
	struct arena *arena;
	size_t row;

	if (!slice_cut(in, '\n', &line, &rest) || line.len < 2)
		return 0;
	row = (unsigned char)line.at[1] - (size_t)'A';
	if (row >= dialect_openai.endpoint_count)
		return 0;
	e = &dialect_openai.endpoints[row];
	arena = arena_create(0);
	switch (line.at[0]) {
	case 'r': read_request(arena, e, slice_from(line, 2), rest); break;
	case 'a': judge_answer(arena, e, slice_from(line, 2), rest); break;
	case 's': judge_stream(arena, e, rest); break;
	case 't': retell_answer(arena, e, rest); break;
	case 'u': retell_stream(arena, e, rest); break;
	default: break;
	}
	arena_free(arena);
	return 0;
}
