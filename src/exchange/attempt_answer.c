/* What a backend says, and what it means: the head decides whether the answer
 * is an event stream, a body to pass on as it comes, or one to judge whole. */
#include "exchange/attempt.h"

#include "base/check.h"
#include "dialect/event_memo.h"
#include "exchange/translate.h"
#include "wire/json.h"

#include <string.h>

#define ERROR_BODY_KEPT_MAX ((size_t)64 * 1024)

static struct io *io_of(const struct attempt *a)
{
	return a->x->all->setup.io;
}

/* What reads and judges the attempt's events: the client's dialect. A backend that
 * speaks another is understood by the attempt's translation. */
static const struct dialect *dialect_of(const struct attempt *a)
{
	return a->x->dialect;
}

/* ---- the head ------------------------------------------------------------------- */

static bool content_type_has(const struct h1_head *head, struct slice word)
{
	return slice_find_nocase(h1_get(head, S("content-type")), word) != SLICE_NOT_FOUND;
}

/* Is it an event stream, as this backend frames them? */
static bool is_event_stream(const struct attempt *a, const struct h1_head *head)
{
	bool binary = a->translation && a->translation->up->framing == FRAMING_EVENTSTREAM;

	return content_type_has(head, binary ? S("eventstream") : S("event-stream"));
}

static struct h1_head *keep_head(struct attempt *a, const struct h1_head *head)
{
	struct arena *arena = a->x->arena;
	size_t bytes = offsetof(struct h1_head, headers) + head->header_count * sizeof *head->headers;
	struct h1_head *kept = arena_alloc(arena, bytes);

	memcpy(kept, head, bytes);
	kept->reason = arena_copy(arena, head->reason);
	for (unsigned i = 0; i < head->header_count; i++) {
		kept->headers[i].name = arena_copy(arena, head->headers[i].name);
		kept->headers[i].value = arena_copy(arena, head->headers[i].value);
	}
	return kept;
}

/* What is passed on unread is not known to be an answer at all. Where JSON is due
 * it is looked at first: a page of a CDN, or half a document, is none (S02, S22).
 * Downloads are not looked at: they may be anything, and of any size. Of what a
 * HEAD asks for there is only the head (RFC 9110 9.3.2). */
static bool is_passed_on(const struct attempt *a, const struct h1_head *head)
{
	if (a->x->endpoint->kind != ENDPOINT_PASS)
		return false;
	return !dialect_json_is_due(head) || a->x->facts.stream || slice_eq(a->x->method, S("HEAD")) ||
	       slice_ends(a->x->path, S("/content"));
}

void attempt_on_head(void *owner, const struct h1_head *head)
{
	struct attempt *a = owner;
	bool good = head->status >= 200 && head->status < 300;

	if (a->state == ATTEMPT_CONNECTING)
		attempt_enter(a, ATTEMPT_WAITING);
	a->status = head->status;
	answer_keep_headers(a, head);
	explain_upstream_head(a, head);
	a->is_raw = good && is_passed_on(a, head);
	a->is_sse = good && !a->is_raw && is_event_stream(a, head);
	if (a->is_sse && a->translation && a->translation->up->framing == FRAMING_EVENTSTREAM) {
		a->frames = arena_new(a->x->arena, struct eventstream);
		eventstream_init(a->frames, EVENT_BYTES_MAX);
	}
	if (a->is_sse && (a->x->facts.stream || a->as_stream)) {
		if (a->as_stream)
			a->judged_head = keep_head(a, head);
		attempt_enter(a, ATTEMPT_HOLDING);
		return;
	}
	if (a->is_raw) {
		if (h1_get(head, S("content-encoding")).at)
			a->answer_length = CLIENT_LENGTH_UNKNOWN;
		else if (head->body == H1_BODY_LENGTH)
			a->answer_length = head->content_length;
		else if (slice_eq(a->x->method, S("HEAD")))     /* that of the GET it stands for */
			slice_to_u64(h1_get(head, S("content-length")), &a->answer_length);
		attempt_enter(a, ATTEMPT_HOLDING);
		return;
	}
	a->judged_head = keep_head(a, head);
	a->body.max = buf_max(good ? ANSWER_BYTES_MAX : ERROR_BYTES_MAX);
	attempt_enter(a, ATTEMPT_COLLECTING);
}

/* ---- the commit point -------------------------------------------------------------- */

/* The first content: what came before was preamble. */
static void hear(struct attempt *a)
{
	if (a->heard)
		return;
	a->heard = true;
	a->first_token_at = io_now(io_of(a));
	exchange_on_heard(a, a->first_token_at);
}

/* From here on the client sees this attempt; what was held back goes first.
 * `data`: of the event that led to it, if it was one. */
static void commit(struct attempt *a, struct slice data)
{
	mono_ms now = io_now(io_of(a));

	if (a->first_token_at == MONO_NEVER)
		a->first_token_at = now;
	attempt_enter(a, ATTEMPT_STREAMING);
	exchange_on_commit(a, data, now);
	if (buf_len(&a->body) > 0)
		relay_bytes(a, buf_slice(&a->body));
	buf_free(&a->body);
	attempt_progress(a);
}

/* ---- an event stream ---------------------------------------------------------------- */

static void keep_usage(struct attempt *a, const struct usage *usage, struct slice finish_reason)
{
	if (usage->known)
		a->usage = *usage;
	if (finish_reason.len && !a->finish_reason.len)
		a->finish_reason = arena_copy(a->x->arena, finish_reason);
}

/* Another API's words for an error mean nothing to the client: its own are made of
 * the fault. */
static void keep_words(struct attempt *a, struct slice type, struct slice code, struct slice param)
{
	bool foreign = a->translation && a->pick.target->backend->dialect != a->x->dialect;
	struct arena *arena = a->x->arena;
	struct answer_facts *said = &attempt_said(a)->facts;

	said->type = foreign ? SLICE_NONE : arena_copy(arena, type);
	said->code = foreign ? SLICE_NONE : arena_copy(arena, code);
	said->param = foreign ? SLICE_NONE : arena_copy(arena, param);
}

static void fail_by_event(struct attempt *a, const struct event_facts *event)
{
	struct answer_facts *said = &attempt_said(a)->facts;

	said->message = arena_copy(a->x->arena, event->message);
	keep_words(a, event->type, event->code, event->param);
	said->retry_after_ms = event->retry_after_ms;
	attempt_fail(a, event->fault, event->is & EVENT_ERROR ? S("the stream carried an error")
							      : S("an event could not be understood"));
}

/* Keeps an event for later. False: the attempt has ended. */
static bool hold_event(struct attempt *a, const struct sse_event *event, size_t max)
{
	if (buf_len(&a->body) + event->raw.len <= max && buf_append(&a->body, event->raw))
		return true;
	attempt_fail(a, FAULT_BAD_ANSWER, a->as_stream ? S("the answer is larger than the limit")
						       : S("too much before the first token"));
	return false;
}

/* Gives an event that is fine to the client, or holds it back. False: the
 * attempt has ended. */
static bool pass_event(struct attempt *a, struct arena *scratch, const struct sse_event *event,
		       const struct event_facts *facts)
{
	const unsigned commits = EVENT_CONTENT | EVENT_FINISH;

	if (a->state == ATTEMPT_STREAMING) {
		relay_event(a, scratch, event, facts);
		/* Comments prove a living connection, not a working model (E16). */
		if (event->has_data)
			attempt_progress(a);
		return true;
	}
	if (!event->has_data)
		return true;    /* nothing to say to a client that has seen nothing */
	if (!hold_event(a, event, EVENT_BYTES_MAX))
		return false;
	if (facts->is & commits) {
		commit(a, event->data);
		if (facts->is & EVENT_CONTENT)
			relay_count_piece(a->x);
		relay_note(a, scratch, facts);
	} else if (facts->is & EVENT_DONE) {
		/* Done without a word and without a reason to have none. */
		attempt_fail(a, FAULT_BAD_ANSWER, S("the stream was done without an answer in it"));
		return false;
	}
	return true;
}

static void on_whole_answer(struct attempt *a);

/* The same for an answer that the client wants whole: events are only looked at,
 * so that silence and errors are seen early. */
static bool collect_event(struct attempt *a, const struct sse_event *event)
{
	if (!event->has_data)
		return true;
	if (a->heard)
		attempt_progress(a);
	return hold_event(a, event, ANSWER_BYTES_MAX);
}

/* What another dialect's events become for the client, as one event of it. */
static bool give_foreign(struct attempt *a, struct arena *scratch, const struct canon_events *events,
			 const struct event_facts *facts)
{
	struct buf *told = &a->x->all->told;
	struct sse_event event = { .has_data = false };

	buf_clear(told);
	if (!translate_tell(a, events, told)) {
		attempt_fail(a, FAULT_BAD_ANSWER, S("an event is larger than the limit"));
		return false;
	}
	event.raw = buf_slice(told);
	event.has_data = event.raw.len > 0;
	return a->as_stream ? collect_event(a, &event) : pass_event(a, scratch, &event, facts);
}

/* False: the attempt has ended. */
static bool take_foreign(struct attempt *a, struct arena *scratch, const struct canon_events *events,
			 const struct event_facts *facts)
{
	return a->seam ? resume_foreign(a, scratch, events, facts)
		       : give_foreign(a, scratch, events, facts);
}

static bool take_event(struct attempt *a, struct arena *scratch, const struct sse_event *event,
		       const struct event_facts *facts)
{
	if (a->seam)
		return resume_event(a, scratch, event, facts);
	if (a->as_stream)
		return collect_event(a, event);
	return pass_event(a, scratch, event, facts);
}

/* Notes what an event tells of the attempt. False: it has ended. */
static bool note_event(struct attempt *a, const struct event_facts *facts)
{
	keep_usage(a, &facts->usage, facts->finish_reason);
	if (facts->is & (EVENT_ERROR | EVENT_BROKEN)) {
		fail_by_event(a, facts);
		return false;
	}
	a->tokens += facts->tokens;
	if (facts->is & EVENT_CONTENT)
		hear(a);
	return true;
}

/* Behind the last event. */
static void on_done(struct attempt *a)
{
	attempt_note_call(a);
	if (a->as_stream)
		on_whole_answer(a);
	else
		attempt_finish(a);
}

/* False: the attempt has ended. */
static bool on_foreign(struct attempt *a, struct arena *scratch, const struct canon_events *events,
		       const struct event_facts *facts)
{
	if (!note_event(a, facts) || !take_foreign(a, scratch, events, facts))
		return false;
	if (facts->is & EVENT_DONE) {
		on_done(a);
		return false;
	}
	return true;
}

/* JSON in the stream without "data:" is an error of some servers (E06). True: so it
 * is, and the attempt has ended. */
static bool stray_is_error(struct attempt *a, struct arena *scratch, struct slice stray)
{
	struct event_facts facts = { .retry_after_ms = -1 };
	struct stream_facts so_far = a->facts;

	if (a->translation)
		translate_event(a, scratch, SLICE_NONE, stray, &facts);
	else
		dialect_of(a)->judge_event(scratch, a->x->endpoint, SLICE_NONE, stray, &so_far, &facts);
	if (!(facts.is & EVENT_ERROR))
		return false;
	fail_by_event(a, &facts);
	return true;
}

/* What it would have said is missing, and no client would notice: answers of models
 * are not passed on as if it had not been there. False: the attempt has ended. */
static bool on_stray(struct attempt *a, struct arena *scratch, struct slice stray)
{
	if (stray_is_error(a, scratch, stray))
		return false;
	if (!a->x->endpoint->codec)
		return true;
	attempt_fail(a, FAULT_BAD_ANSWER, S("JSON stands in the stream without \"data:\" before it"));
	return false;
}

/* An event has been judged. False: the attempt has ended. */
static bool on_judged(struct attempt *a, struct arena *scratch, const struct sse_event *event,
		      const struct event_facts *facts)
{
	if ((facts->is & EVENT_CONTENT) && attempt_drill_cuts(a))
		return false;
	if (!take_event(a, scratch, event, facts))
		return false;
	if (facts->is & EVENT_DONE) {
		on_done(a);
		return false;
	}
	return true;
}

/* What is known of the stream's last event; NULL: each is to be judged by itself. */
static struct event_memo *memo_of(struct attempt *a)
{
	struct exchanges *all = a->x->all;

	if (!(a->translation ? a->translation->up->repeats : dialect_of(a)->repeats))
		return NULL;
	if (!all->memos)
		all->memos = event_memos_create();
	return event_memo_of(all->memos, a);
}

/* False: the attempt has ended. */
static bool on_foreign_event(struct attempt *a, struct arena *scratch, const struct sse_event *event,
			     struct event_memo *memo)
{
	struct codec_reader before = a->translation->reader;
	struct event_facts facts = { .retry_after_ms = -1 };
	struct canon_events events = translate_event(a, scratch, event->type, event->data, &facts);

	if (memo && !a->frames)
		event_memo_learn_read(memo, &before, &a->translation->reader, a->translation->answer, event,
				      &events);
	return on_foreign(a, scratch, &events, &facts);
}

/* False: the attempt has ended. */
static bool on_event(struct attempt *a, const struct sse_event *event)
{
	struct event_facts facts = { .retry_after_ms = -1 };
	struct arena *scratch = exchanges_scratch(a->x->all);
	struct event_memo *memo = memo_of(a);

	if (event->stray.len && !on_stray(a, scratch, event->stray))
		return false;
	if (a->translation)
		/* A comment is for the next hop only. */
		return !event->has_data || on_foreign_event(a, scratch, event, memo);
	if (event->has_data) {
		struct stream_facts before = a->facts;

		dialect_of(a)->judge_event(scratch, a->x->endpoint, event->type, event->data,
					   &a->facts, &facts);
		if (memo)
			event_memo_learn(memo, a->x->endpoint, event, &facts, &before, &a->facts);
		if (!note_event(a, &facts))
			return false;
	}
	return on_judged(a, scratch, event, &facts);
}

/* The next event, if it is like the one before; most are. True: there was one, and
 * *goes_on is what on_event() gives. */
static bool on_event_like(struct attempt *a, struct slice *bytes, bool *goes_on)
{
	struct event_memo *memo = memo_of(a);
	struct arena *scratch;
	struct canon_events events;
	struct event_facts facts;
	struct sse_event event;

	if (!memo || !sse_at_block(&a->sse))
		return false;
	scratch = exchanges_scratch(a->x->all);
	if (a->translation) {
		if (!translate_event_like(a, scratch, memo, bytes, &events, &facts))
			return false;
		*goes_on = on_foreign(a, scratch, &events, &facts);
		return true;
	}
	if (!event_memo_take(memo, a->x->endpoint, bytes, &a->facts, &event, &facts))
		return false;
	*goes_on = note_event(a, &facts) && on_judged(a, scratch, &event, &facts);
	return true;
}

/* AWS's binary events. */
static void on_frame_bytes(struct attempt *a, struct slice bytes)
{
	struct eventstream_event frame;
	struct sse_event event = { .has_data = true };

	for (;;) {
		switch (eventstream_feed(a->frames, &bytes, &frame)) {
		case EVENTSTREAM_MORE:
			return;
		case EVENTSTREAM_TOO_LONG:
			attempt_fail(a, FAULT_BAD_ANSWER, S("an event is larger than the limit"));
			return;
		case EVENTSTREAM_BROKEN:
			attempt_fail(a, FAULT_CUT, S("an event of the binary stream is damaged"));
			return;
		case EVENTSTREAM_EVENT:
			event.type = frame.type;
			event.data = frame.data;
			if (!on_event(a, &event))
				return;
		}
	}
}

static void on_stream_bytes(struct attempt *a, struct slice bytes)
{
	struct sse_event event;
	bool goes_on;

	if (a->frames) {
		on_frame_bytes(a, bytes);
		return;
	}
	for (;;) {
		while (on_event_like(a, &bytes, &goes_on))
			if (!goes_on)
				return;
		switch (sse_feed(&a->sse, &bytes, &event)) {
		case SSE_MORE:
			return;
		case SSE_TOO_LONG:
			attempt_fail(a, FAULT_BAD_ANSWER, S("an event is larger than the limit"));
			return;
		case SSE_EVENT:
			if (!on_event(a, &event))
				return;
		}
	}
}

static bool rest_is_error(struct attempt *a)
{
	struct slice rest = slice_trim(sse_rest(&a->sse));

	return rest.len && rest.at[0] == '{' && stray_is_error(a, exchanges_scratch(a->x->all), rest);
}

static void on_foreign_end(struct attempt *a)
{
	struct arena *scratch = exchanges_scratch(a->x->all);
	struct event_facts facts = { .retry_after_ms = -1 };
	struct canon_events events;
	enum fault why = translate_end(a, scratch, &events, &facts);

	if (why != FAULT_NONE)
		attempt_fail(a, why, S("the stream ended before the answer was complete"));
	else if (on_foreign(a, scratch, &events, &facts))
		attempt_fail(a, FAULT_CUT, S("the stream ended without its last event"));
}

/* The framing ended cleanly; was the answer complete? */
static void on_stream_end(struct attempt *a)
{
	struct buf last = BUF_INIT(4096);
	enum fault why;

	if (rest_is_error(a))
		return;
	if (a->translation) {
		on_foreign_end(a);
		return;
	}
	why = dialect_of(a)->judge_end(a->x->endpoint, &a->facts);
	if (why != FAULT_NONE) {
		attempt_fail(a, why, S("the stream ended before the answer was complete"));
		return;
	}
	if (a->as_stream) {
		on_whole_answer(a);
		return;
	}
	if (a->seam && !resume_finish(a))
		return;
	if (a->state == ATTEMPT_HOLDING)
		commit(a, SLICE_NONE);
	dialect_of(a)->write_end(a->x->endpoint, &a->facts, &last);
	if (buf_len(&last))
		relay_bytes(a, buf_slice(&last));
	buf_free(&last);
	attempt_finish(a);
}

/* ---- a body passed on without reading -------------------------------------------------- */

static void on_raw_bytes(struct attempt *a, struct slice bytes)
{
	if (a->state == ATTEMPT_HOLDING)
		commit(a, SLICE_NONE);
	relay_bytes(a, bytes);
	attempt_progress(a);
}

/* ---- an answer judged whole --------------------------------------------------------------- */

/* Only such a body is what clients know how to read; other shapes are told anew
 * with the sentence that was in them (S20). */
static bool is_openai_error(struct slice body)
{
	return body.len <= ERROR_BODY_KEPT_MAX && json_validate(body, NULL) == JSON_OK &&
	       json_type_of(json_path(body, S("error.message"))) == JSON_STRING;
}

static void keep_answer(struct attempt *a, const struct answer_facts *facts)
{
	struct arena *arena = a->x->arena;
	struct said *said;

	keep_usage(a, &facts->usage, facts->finish_reason);
	if (facts->fault == FAULT_NONE)
		return;
	said = attempt_said(a);
	said->facts = *facts;
	said->facts.message = arena_copy(arena, facts->message);
	keep_words(a, facts->type, facts->code, facts->param);
	if (!a->translation && is_openai_error(buf_slice(&a->body)))
		said->error_body = arena_copy(arena, buf_slice(&a->body));
}

/* The client asked for the other form than the backend gave (E34, E35). */
static bool retell(struct attempt *a, struct buf *told)
{
	const struct dialect *d = dialect_of(a);

	if (a->is_sse)
		return d->stream_to_answer &&
		       d->stream_to_answer(a->x->arena, a->x->endpoint, buf_slice(&a->body), told);
	return d->answer_to_stream &&
	       d->answer_to_stream(a->x->arena, a->x->endpoint, &a->x->facts, buf_slice(&a->body), told);
}

static void give_whole(struct attempt *a, struct buf *body)
{
	struct buf held = *body;

	*body = BUF_INIT(held.max);
	buf_free(&a->body);     /* told anew: what it was made from is not sent */
	a->answer_length = a->x->facts.stream ? CLIENT_LENGTH_UNKNOWN : buf_len(&held);
	commit(a, SLICE_NONE);
	relay_bytes(a, buf_slice(&held));
	buf_free(&held);
	attempt_finish(a);
}

/* An attempt that was to go on has answered whole: told as the stream it should
 * have been, it goes the same way. */
static void go_on_with(struct attempt *a, struct slice stream)
{
	attempt_enter(a, ATTEMPT_HOLDING);
	a->is_sse = true;
	on_stream_bytes(a, stream);
	if (attempt_runs(a))
		on_stream_end(a);
}

/* The same, event by event. */
static void go_on_foreign(struct attempt *a, const struct canon_events *events)
{
	attempt_enter(a, ATTEMPT_HOLDING);
	a->is_sse = true;
	for (size_t i = 0; i < events->count; i++) {
		struct arena *scratch = exchanges_scratch(a->x->all);
		struct canon_events one = { .arena = scratch, .at = &events->at[i], .count = 1 };
		struct event_facts facts;

		canon_facts(&one, &facts);
		if (!on_foreign(a, scratch, &one, &facts))
			return;
	}
	attempt_fail(a, FAULT_BAD_ANSWER, S("the answer has no end"));
}

/* False: the attempt has ended. */
static bool read_foreign_answer(struct attempt *a, struct canon_events *events)
{
	struct answer_facts facts = { .retry_after_ms = -1 };
	struct event_facts said;
	enum fault why;

	a->pick.target->backend->dialect->judge_answer(a->x->arena, &a->translation->spoken, a->status,
						       a->judged_head, buf_slice(&a->body),
						       io_wall_ms(io_of(a)), &facts);
	keep_answer(a, &facts);
	if (facts.fault == FAULT_CREDENTIAL && request_clock_was_wrong(a, &facts))
		facts.fault = FAULT_OLD_TOKEN;
	if (facts.fault != FAULT_NONE) {
		attempt_fail(a, facts.fault, S("judged by its answer"));
		return false;
	}
	why = translate_answer(a, buf_slice(&a->body), events);
	if (why != FAULT_NONE) {
		attempt_fail(a, why, S("the answer could not be understood"));
		return false;
	}
	canon_facts(events, &said);
	keep_usage(a, &said.usage, said.finish_reason);
	return true;
}

static void on_foreign_answer(struct attempt *a)
{
	struct buf told = BUF_INIT(ANSWER_BYTES_MAX);
	struct canon_events events;
	bool fits;

	if (!read_foreign_answer(a, &events))
		return;
	if (a->seam) {
		go_on_foreign(a, &events);
		return;
	}
	fits = a->x->facts.stream ? translate_tell(a, &events, &told) : translate_whole(a, &events, &told);
	a->answer_retold = true;
	if (fits)
		give_whole(a, &told);
	else
		attempt_fail(a, FAULT_BAD_ANSWER, S("the answer is larger than the limit"));
	buf_free(&told);
}

static void on_whole_answer(struct attempt *a)
{
	struct buf told = BUF_INIT(ANSWER_BYTES_MAX);
	struct answer_facts facts = { .retry_after_ms = -1 };
	bool other_form;

	if (a->translation && !a->is_sse) {
		on_foreign_answer(a);
		return;
	}
	if (a->is_sse && !retell(a, &told)) {
		attempt_fail(a, FAULT_BAD_ANSWER, S("a stream came although none was asked for"));
		goto done;
	}
	dialect_of(a)->judge_answer(a->x->arena, a->x->endpoint, a->status, a->judged_head,
				    a->is_sse ? buf_slice(&told) : buf_slice(&a->body),
				    io_wall_ms(io_of(a)), &facts);
	keep_answer(a, &facts);
	if (facts.fault != FAULT_NONE) {
		attempt_fail(a, facts.fault, S("judged by its answer"));
		goto done;
	}
	other_form = a->x->facts.stream;
	if (other_form && !retell(a, &told)) {
		attempt_fail(a, FAULT_BAD_ANSWER, S("no stream came although one was asked for"));
		goto done;
	}
	if (a->seam) {
		go_on_with(a, buf_slice(&told));
		goto done;
	}
	if (a->is_sse || other_form)
		a->answer_retold = true;
	give_whole(a, a->answer_retold ? &told : &a->body);
done:
	buf_free(&told);
}

/* ---- the body ---------------------------------------------------------------------------------- */

void attempt_on_body(void *owner, struct slice bytes)
{
	struct attempt *a = owner;

	if (a->state == ATTEMPT_COLLECTING) {
		if (!buf_append(&a->body, bytes))
			attempt_fail(a, FAULT_BAD_ANSWER, S("the answer is larger than the limit"));
	} else if (a->is_raw) {
		on_raw_bytes(a, bytes);
	} else {
		on_stream_bytes(a, bytes);
	}
}

void attempt_on_end(void *owner, bool until_close)
{
	struct attempt *a = owner;

	(void)until_close;      /* judged by content: a JSON body must parse, a stream must be finished */
	attempt_note_call(a);
	a->call = NULL;
	if (a->state == ATTEMPT_COLLECTING && a->status < 300 && attempt_drill_cuts(a))
		return;
	if (a->state == ATTEMPT_COLLECTING) {
		on_whole_answer(a);
	} else if (a->is_raw) {
		if (a->state == ATTEMPT_HOLDING)
			commit(a, SLICE_NONE);
		attempt_finish(a);
	} else {
		on_stream_end(a);
	}
}
