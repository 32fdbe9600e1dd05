#include "exchange/translate.h"

#include "base/check.h"
#include "exchange/attempt.h"
#include "wire/json.h"

#define CANON_BLOCK_BYTES ((size_t)8 * 1024)

/* ---- the request, once -------------------------------------------------------------- */

static const struct canon_request *canon_of(struct exchange *x)
{
	if (x->canon || x->canon_fault != FAULT_NONE)
		return x->canon;
	must(x->endpoint->codec != NULL);
	x->canon_arena = arena_create(CANON_BLOCK_BYTES);
	x->canon_fault = x->endpoint->codec->read_request(x->canon_arena, buf_slice(&x->body), &x->facts,
							  &x->canon, &x->canon_why);
	if (x->canon_fault != FAULT_NONE)
		x->canon = NULL;
	if (x->canon && !x->facts.stream) {
		/* Whole answers say what they took, those put together from events too. */
		struct canon_request *r = arena_new(x->canon_arena, struct canon_request);

		*r = *x->canon;
		r->include_usage = true;
		x->canon = r;
	}
	return x->canon;
}

void translate_free(struct exchange *x)
{
	arena_free(x->canon_arena);
	x->canon_arena = NULL;
	x->canon = NULL;
}

/* *softly: what is told by less, and only has to be named; NULL: nobody asks. */
static uint64_t not_carried(const struct canon_request *r, const struct codec *up,
			    const struct backend_policy *backend, struct slice model, uint64_t *softly)
{
	struct codec_target target = { .model = model, .vendor = backend->vendor };
	uint64_t lacks = backend->vendor->lacks, less = 0;

	if (up->lacks)
		lacks |= up->lacks(r, &target, &less);
	if (softly)
		*softly = r->features & less;
	return r->features & ~(up->carries & ~lacks);
}

/* What is spoken to the backend. *pass: the request goes on as it is, unless
 * there are things in it that only we understand. */
static const struct codec *codec_for(const struct exchange *x, const struct backend_policy *backend,
				     bool *pass)
{
	const struct codec *up = dialect_codec(x->dialect, x->endpoint, backend->dialect, backend->vendor,
					       pass);

	if (!*pass || !x->facts.foreign)
		return up;
	*pass = false;
	return x->endpoint->codec;
}

bool translate_fits(void *owner, const struct target_policy *target)
{
	struct exchange *x = owner;
	const struct backend_policy *backend = target->backend;
	const struct canon_request *r;
	const struct codec *up;
	uint64_t missing;
	bool pass;

	up = codec_for(x, backend, &pass);
	if (pass)
		return true;
	if (!up || !(r = canon_of(x)))
		return false;
	missing = not_carried(r, up, backend, target->model, NULL) & ~canon_hints() & ~x->model->may_lose;
	x->not_carried |= missing;
	return missing == 0;
}

static struct slice unknown_members(struct exchange *x)
{
	struct slice text = SLICE_NONE;

	for (const struct canon_text *t = x->canon ? x->canon->unknown : NULL; t; t = t->next)
		text = arena_printf(x->arena, "%.*s%s%.*s", SLICE_ARG(text), text.len ? ", " : "",
				    SLICE_ARG(t->raw));
	return text;
}

struct slice translate_why_not(struct exchange *x)
{
	struct slice names, unknown;

	if (x->canon_fault != FAULT_NONE)
		return x->canon_why;
	if (!x->not_carried)
		return SLICE_NONE;
	names = canon_feature_names(x->arena, x->not_carried);
	unknown = x->not_carried & CANON_HAS(UNKNOWN) ? unknown_members(x) : SLICE_NONE;
	return arena_printf(x->arena, "No target of the model '%.*s' can be told all that this request "
			    "says: %.*s%s%.*s. Leave it out, or let it be dropped with \"may_lose\" in the "
			    "model's config.", SLICE_ARG(x->facts.model), SLICE_ARG(names),
			    unknown.len ? " members: " : "", SLICE_ARG(unknown));
}

/* ---- an attempt ----------------------------------------------------------------------- */

static bool rewrites(const struct exchange *x)
{
	return x->dialect->rewrite_event != NULL && x->endpoint->kind != ENDPOINT_RESPONSES;
}

static void begin_writer(struct attempt *a, struct translation *t)
{
	struct exchange *x = a->x;

	t->writer = (struct codec_writer){
		.codec = t->down, .request = x->canon, .arena = x->arena, .facts = &a->facts,
		.wall_ms = x->wall_ms, .request_id = x->id,
	};
	t->reader = (struct codec_reader){
		.codec = t->up, .request = x->canon, .arena = x->arena, .wall_ms = x->wall_ms,
	};
}

/* The kind of event that a channel's text grows by. */
static bool kind_of(const struct channel *c, enum canon_event_kind *kind)
{
	static const struct { struct slice name; enum canon_event_kind kind; } kinds[] = {
		{ S_INIT("content"), CANON_EVENT_TEXT }, { S_INIT("text"), CANON_EVENT_TEXT },
		{ S_INIT("reasoning_content"), CANON_EVENT_REASONING },
		{ S_INIT("reasoning"), CANON_EVENT_REASONING },
		{ S_INIT("refusal"), CANON_EVENT_REFUSAL },
		{ S_INIT("message_item"), CANON_EVENT_TEXT }, { S_INIT("part_item"), CANON_EVENT_TEXT },
		{ S_INIT("reasoning_item"), CANON_EVENT_REASONING },
		{ S_INIT("arguments"), CANON_EVENT_ARGUMENTS },
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (slice_eq(c->name, kinds[i].name)) {
			*kind = kinds[i].kind;
			return true;
		}
	return false;
}

static struct canon_event *call_event(struct canon_events *list, unsigned choice, int call)
{
	struct canon_event *e;

	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].kind == CANON_EVENT_CALL && list->at[i].choice == choice &&
		    list->at[i].call == call)
			return &list->at[i];
	e = canon_add(list, CANON_EVENT_CALL);
	e->choice = choice;
	e->call = call;
	return e;
}

/* What the client has, as the events that would have told it. */
static struct canon_events told_so_far(struct exchange *x)
{
	struct canon_events list = canon_events_in(x->arena);

	for (const struct channel *c = x->ledger.channels; c; c = c->next) {
		struct slice text = canon_quote(x->arena, buf_slice(&c->text));
		enum canon_event_kind kind;
		struct canon_event *e;

		if (slice_eq(c->name, S("id"))) {
			call_event(&list, c->choice, c->call)->id = text;
		} else if (slice_eq(c->name, S("item"))) {
			call_event(&list, c->choice, c->call)->item = text;
		} else if (slice_eq(c->name, S("name"))) {
			call_event(&list, c->choice, c->call)->name = text;
		} else if (kind_of(c, &kind)) {
			e = canon_add(&list, kind);
			e->choice = c->choice;
			e->call = c->call;
			if (slice_ends(c->name, S("item"))) {
				e->item = text;
				e->part = slice_eq(c->name, S("part_item"));
				e->text = S("\"\"");
			} else {
				e->text = text;
			}
		}
	}
	return list;
}

static void resume_writer(struct attempt *a, struct translation *t)
{
	struct exchange *x = a->x;
	struct canon_events told = told_so_far(x);
	struct codec_so_far so_far = { .identity = &x->identity, .told = &told, .facts = &x->broke->so_far };
	struct codec_writer *w = &t->writer;

	resume_spent(x, &w->add_input, &w->add_output);
	so_far.add_input = w->add_input;
	so_far.add_output = w->add_output;
	w->started = true;
	w->id = x->identity.id;
	w->model = x->identity.model;
	if (!json_i64(x->identity.created, &w->created))
		w->created = x->wall_ms / 1000;
	/* What the client's dialect counts goes on where it was. */
	a->facts = x->broke->so_far;
	if (t->down->resume_writer)
		t->down->resume_writer(w, &so_far);
}

/* Can a backend of the client's own dialect go on, with one codec on both sides?
 * Asked again, it gets the request's bytes: only what the answer may hold counts. */
static bool may_go_on(const struct attempt *a, const struct codec *up)
{
	uint64_t lost = not_carried(a->x->canon, up, a->pick.target->backend, a->pick.upstream_model,
				    NULL) &
			~canon_hints();

	return (a->way == RESUME_REPLAY ? lost & CANON_HAS(HOSTED_TOOLS) : lost) == 0;
}

bool translate_begin(struct attempt *a)
{
	struct exchange *x = a->x;
	const struct backend_policy *backend = a->pick.target->backend;
	const struct codec *up;
	struct translation *t;
	bool pass;

	up = codec_for(x, backend, &pass);
	if (pass && (a->way == RESUME_NONE || rewrites(x)))
		return true;
	if (pass)
		up = x->endpoint->codec;
	if (!up || !canon_of(x) || (pass && !may_go_on(a, up)))
		return false;
	t = arena_new(x->arena, struct translation);
	t->up = up;
	t->down = x->endpoint->codec;
	t->spoken = (struct endpoint){ .method = "POST", .kind = up->endpoint, .may_retry = true,
				       .may_stream = up->read_event != NULL, .codec = up };
	t->foreign = backend->dialect != x->dialect;
	t->as_it_is = pass && a->way == RESUME_REPLAY;
	if (!pass)
		t->unsaid = not_carried(x->canon, up, backend, a->pick.upstream_model, &t->less);
	t->answer = ++x->all->translations;
	begin_writer(a, t);
	if (a->way != RESUME_NONE)
		resume_writer(a, t);
	a->translation = t;
	return true;
}

bool translate_request(struct attempt *a)
{
	struct exchange *x = a->x;
	struct translation *t = a->translation;
	struct canon_request *r = arena_new(x->canon_arena, struct canon_request);
	struct codec_target target = {
		.model = a->pick.upstream_model,
		.vendor = a->pick.target->backend->vendor,
		.stream = (x->facts.stream || a->as_stream) && t->up->read_event,
		.more_members = a->pick.target->backend->more_members,
	};

	*r = *x->canon;
	if (a->way != RESUME_NONE && a->way != RESUME_REPLAY) {
		r->resume = a->way;
		r->sent = arena_copy(x->canon_arena, ledger_plain_text(&x->ledger));
		if (r->max_tokens > 0)
			r->max_tokens = r->max_tokens > (int64_t)x->ledger.tokens
				? r->max_tokens - (int64_t)x->ledger.tokens : 1;
	}
	r->features &= ~t->unsaid;
	t->reader.request = r;               /* the answer goes on from what is asked here */
	buf_clear(&a->asking->room);
	return t->up->write_request(x->canon_arena, r, &target, &a->asking->room);
}

/* ---- what comes back ---------------------------------------------------------------------- */

/* The client dialect's facts, as far as they are everybody's. */
static void bring_up_to_date(struct stream_facts *so_far, const struct event_facts *facts)
{
	so_far->events++;
	so_far->content_seen |= (facts->is & EVENT_CONTENT) != 0;
	so_far->finish_seen |= (facts->is & EVENT_FINISH) != 0;
	so_far->done_seen |= (facts->is & EVENT_DONE) != 0;
	so_far->error_seen |= (facts->is & EVENT_ERROR) != 0;
	if (facts->usage.known)
		so_far->usage = facts->usage;
}

struct canon_events translate_event(struct attempt *a, struct arena *scratch, struct slice type,
				    struct slice data, struct event_facts *facts)
{
	struct translation *t = a->translation;
	struct canon_events events = canon_events_in(scratch);

	t->up->read_event(&t->reader, scratch, type, data, &events);
	canon_facts(&events, facts);
	bring_up_to_date(&a->facts, facts);
	return events;
}

bool translate_event_like(struct attempt *a, struct arena *scratch, const struct event_memo *memo,
			  struct slice *in, struct canon_events *events, struct event_facts *facts)
{
	struct translation *t = a->translation;
	struct sse_event event;

	*events = canon_events_in(scratch);
	if (!event_memo_read(memo, &t->reader, t->answer, in, &event, events))
		return false;
	canon_facts(events, facts);
	bring_up_to_date(&a->facts, facts);
	return true;
}

enum fault translate_end(struct attempt *a, struct arena *scratch, struct canon_events *events,
			 struct event_facts *facts)
{
	struct translation *t = a->translation;
	enum fault fault;

	*events = canon_events_in(scratch);
	fault = t->up->read_end(&t->reader, scratch, events);
	canon_facts(events, facts);
	bring_up_to_date(&a->facts, facts);
	return fault;
}

enum fault translate_answer(struct attempt *a, struct slice body, struct canon_events *events)
{
	struct translation *t = a->translation;

	*events = canon_events_in(a->x->arena);
	return t->up->read_answer(&t->reader, body, events);
}

/* ---- what goes on ---------------------------------------------------------------------------- */

bool translate_tell(struct attempt *a, const struct canon_events *events, struct buf *out)
{
	struct translation *t = a->translation;

	for (size_t i = 0; i < events->count; i++) {
		const struct canon_event *e = &events->at[i];

		if (e->kind == CANON_EVENT_ERROR || (e->kind == CANON_EVENT_START && a->seam))
			continue;
		if (!t->down->write_event(&t->writer, e, out))
			return false;
	}
	return true;
}

/* The seam's texts as events. */
static struct canon_events new_texts(const struct seam *s, struct arena *scratch)
{
	struct canon_events list = canon_events_in(scratch);

	for (unsigned i = 0; i < s->text_count; i++) {
		const struct event_text *text = &s->texts[i];
		const struct channel like = { .name = text->name };
		struct slice raw = canon_quote(scratch, text->text);
		enum canon_event_kind kind;
		struct canon_event *e;

		if (slice_eq(text->name, S("id"))) {
			call_event(&list, text->choice, text->call)->id = raw;
		} else if (slice_eq(text->name, S("name"))) {
			call_event(&list, text->choice, text->call)->name = raw;
		} else if (kind_of(&like, &kind)) {
			e = canon_add(&list, kind);
			e->choice = text->choice;
			e->call = text->call;
			e->text = raw;
		}
	}
	return list;
}

static bool is_end(const struct canon_event *e, uint64_t muted)
{
	if (e->kind == CANON_EVENT_FINISH)
		return (muted >> (e->choice < 63 ? e->choice : 63) & 1) == 0;
	return e->kind == CANON_EVENT_USAGE || e->kind == CANON_EVENT_DONE;
}

bool translate_retell(struct attempt *a, struct arena *scratch, const struct canon_events *events,
		      struct buf *out)
{
	struct canon_events list = new_texts(a->seam, scratch);

	for (size_t i = 0; i < events->count; i++)
		if (is_end(&events->at[i], a->seam->mute_finished))
			*canon_add(&list, events->at[i].kind) = events->at[i];
	return translate_tell(a, &list, out);
}

bool translate_whole(struct attempt *a, const struct canon_events *events, struct buf *out)
{
	struct translation *t = a->translation;

	return t->down->write_answer && t->down->write_answer(&t->writer, events, out);
}

void translate_identity(struct attempt *a, struct event_identity *out)
{
	const struct codec_writer *w = &a->translation->writer;

	*out = (struct event_identity){
		.id = w->id,
		.model = w->model,
		.created = arena_printf(a->x->arena, "%lld", (long long)w->created),
	};
}
