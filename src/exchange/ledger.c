#include "exchange/ledger.h"

#include "base/check.h"
#include "wire/json.h"

#include <stdlib.h>

#define ECHO_BYTES_MIN 32         /* shorter texts may be said twice for good */
#define OVERLAP_BYTES_MIN 24      /* a word or two may well be meant twice: what is cut is lost, and
				   * nobody sees it; what is said twice can be seen */
#define OVERLAP_BYTES_MAX 256
#define PERIOD_BYTES_MAX ((size_t)64 * 1024)

void ledger_init(struct ledger *l, struct arena *arena)
{
	*l = (struct ledger){ .arena = arena };
	l->last = &l->channels;
}

void ledger_free(struct ledger *l)
{
	for (struct channel *c = l->channels; c; c = c->next)
		buf_free(&c->text);
	l->lost = true;
}

/* One text under the names that APIs have for it: an answer may begin in one and
 * go on in another. */
static bool same_name(struct slice a, struct slice b)
{
	static const struct slice pairs[][2] = {
		{ S_INIT("content"), S_INIT("text") },
		{ S_INIT("reasoning_content"), S_INIT("reasoning") },
	};

	if (slice_eq(a, b))
		return true;
	for (size_t i = 0; i < COUNT_OF(pairs); i++)
		if ((slice_eq(a, pairs[i][0]) && slice_eq(b, pairs[i][1])) ||
		    (slice_eq(a, pairs[i][1]) && slice_eq(b, pairs[i][0])))
			return true;
	return false;
}

static struct channel *channel_find(const struct ledger *l, unsigned choice, int call,
				    struct slice name)
{
	for (struct channel *c = l->channels; c; c = c->next)
		if (c->choice == choice && c->call == call && same_name(c->name, name))
			return c;
	return NULL;
}

/* Makes it if need be; NULL (and the ledger is lost) where there are too many. */
static struct channel *channel_of(struct ledger *l, unsigned choice, int call, struct slice name)
{
	struct channel *c = channel_find(l, choice, call, name);

	if (c)
		return c;
	if (l->channel_count == LEDGER_CHANNELS_MAX) {
		ledger_free(l);
		return NULL;
	}
	c = arena_new(l->arena, struct channel);
	c->choice = choice;
	c->call = call;
	c->name = name;
	c->text = BUF_INIT(LEDGER_BYTES_MAX);
	*l->last = c;
	l->last = &c->next;
	l->channel_count++;
	return c;
}

static void append(struct ledger *l, struct channel *c, struct slice text)
{
	if (l->lost)
		return;
	l->bytes += text.len;
	if (l->bytes > LEDGER_BYTES_MAX || !buf_append(&c->text, text))
		ledger_free(l);
	else
		c->heard = buf_len(&c->text);
}

/* Half a surrogate pair has become U+FFFD; its other half may come in the next
 * event, and what the client makes of the two is not known here. */
static bool has_half_character(struct slice raw, struct slice text)
{
	/* Without an escape, as nearly always, it is not even a copy. */
	if (raw.len < 2 || text.at == raw.at + 1)
		return false;
	return slice_find_slice(text, S("\xef\xbf\xbd")) != SLICE_NOT_FOUND &&
	       slice_find_slice(raw, S("\xef\xbf\xbd")) == SLICE_NOT_FOUND &&
	       slice_find_nocase(raw, S("\\ufffd")) == SLICE_NOT_FOUND;
}

static struct slice text_of(struct arena *scratch, struct ledger *l, const struct event_piece *p)
{
	struct slice text = p->plain ? slice_sub(p->raw, 1, p->raw.len - 1) : json_string(scratch, p->raw);

	if (!p->plain && has_half_character(p->raw, text))
		ledger_free(l);
	return text;
}

void ledger_add(struct ledger *l, struct arena *scratch, const struct event_facts *event)
{
	if (l->lost)
		return;
	if (event->pieces_lost) {
		ledger_free(l);
		return;
	}
	l->tokens += event->tokens;
	l->finished |= event->finished;
	for (unsigned i = 0; i < event->piece_count && !l->lost; i++) {
		const struct event_piece *p = &event->pieces[i];
		struct channel *c = channel_of(l, p->choice, p->call, p->name);

		if (c)
			append(l, c, text_of(scratch, l, p));
	}
}

static bool is_content(const struct channel *c)
{
	return slice_eq(c->name, S("content")) || slice_eq(c->name, S("text"));
}

/* The name of an item, as in event_piece. */
static bool is_label(const struct channel *c)
{
	return slice_ends(c->name, S("item"));
}

static bool is_reasoning(struct slice name)
{
	return slice_eq(name, S("reasoning_content")) || slice_eq(name, S("reasoning"));
}

struct slice ledger_plain_text(const struct ledger *l)
{
	struct slice text = SLICE_NONE;

	if (l->lost || l->finished)
		return SLICE_NONE;
	for (const struct channel *c = l->channels; c; c = c->next) {
		if (c->choice != 0 || c->call != EVENT_NO_CALL)
			return SLICE_NONE;
		if (is_content(c))
			text = buf_slice(&c->text);
		else if (!is_reasoning(c->name) && !is_label(c))
			return SLICE_NONE;
	}
	return text;
}

/* ---- the seam -------------------------------------------------------------------- */

void seam_init(struct seam *s, struct ledger *l, enum seam_kind kind)
{
	*s = (struct seam){ .kind = kind, .held = BUF_INIT(2 * LEDGER_BYTES_MAX) };
	for (struct channel *c = l->channels; c; c = c->next)
		c->heard = kind == SEAM_REPLAY && !is_label(c) ? 0 : buf_len(&c->text);
}

void seam_free(struct seam *s)
{
	buf_free(&s->held);
}

/* Under the name that the event has for it. */
static void tell(struct seam *s, const struct channel *c, struct slice name, struct slice text)
{
	if (text.len)
		s->texts[s->text_count++] = (struct event_text){ c->choice, c->call, name, text };
}

/* Has the continuation told all of the choice's texts? New text may follow only
 * then: texts of one choice come one after another. */
static bool choice_heard(const struct ledger *l, unsigned choice)
{
	for (const struct channel *c = l->channels; c; c = c->next)
		if (c->choice == choice && c->heard < buf_len(&c->text))
			return false;
	return true;
}

/* Ids are made anew each time: the client keeps the first one. */
static bool is_id(const struct channel *c)
{
	return c->call != EVENT_NO_CALL && slice_eq(c->name, S("id"));
}

/* What of `text` the client does not have yet, in *rest. False: it differs. */
static bool replay_piece(struct channel *c, struct slice text, struct slice *rest)
{
	struct slice sent = buf_slice(&c->text);
	size_t known = sent.len - c->heard;

	*rest = SLICE_NONE;
	if (is_id(c) && sent.len) {
		c->heard = sent.len;
		return true;
	}
	if (known > text.len)
		known = text.len;
	if (!slice_eq(slice_sub(text, 0, known), slice_sub(sent, c->heard, c->heard + known)))
		return false;
	c->heard += known;
	*rest = slice_from(text, known);
	return true;
}

static bool replay_pieces(struct seam *s, struct ledger *l, struct arena *scratch,
			  const struct event_facts *event, bool *whole)
{
	for (unsigned i = 0; i < event->piece_count; i++) {
		const struct event_piece *p = &event->pieces[i];
		struct slice text = text_of(scratch, l, p), rest;
		struct channel *c = channel_of(l, p->choice, p->call, p->name);

		if (!c || l->lost || !replay_piece(c, text, &rest))
			return false;
		if (rest.len < text.len)
			*whole = false;
		tell(s, c, p->name, rest);
	}
	for (unsigned i = 0; i < s->text_count; i++) {
		if (!choice_heard(l, s->texts[i].choice))
			return false;
		append(l, channel_of(l, s->texts[i].choice, s->texts[i].call, s->texts[i].name),
		       s->texts[i].text);
	}
	return true;
}

/* ---- continuations -------------------------------------------------------------- */

/* Is the text a repetition of something at most half as long? Then a
 * continuation that begins like it may mean it. */
static bool is_periodic(struct slice s)
{
	size_t *border, k = 0;
	bool periodic;

	if (s.len > PERIOD_BYTES_MAX)
		s.len = PERIOD_BYTES_MAX;
	border = calloc(s.len, sizeof *border);
	if (!border)
		return true;
	for (size_t i = 1; i < s.len; i++) {
		while (k > 0 && s.at[i] != s.at[k])
			k = border[k - 1];
		if (s.at[i] == s.at[k])
			k++;
		border[i] = k;
	}
	periodic = border[s.len - 1] * 2 >= s.len;
	free(border);
	return periodic;
}

/* How much of `held` repeats what was sent; SIZE_MAX: more must be heard. */
static size_t echoed(struct slice sent, struct slice held, bool ended)
{
	if (sent.len < ECHO_BYTES_MIN)
		return 0;
	if (held.len < sent.len)
		return !ended && slice_starts(sent, held) ? SIZE_MAX : 0;
	return slice_starts(held, sent) && !is_periodic(sent) ? sent.len : 0;
}

/* The same for a repeated end. */
static size_t overlapped(struct slice sent, struct slice held, bool ended)
{
	size_t most = sent.len < OVERLAP_BYTES_MAX ? sent.len : OVERLAP_BYTES_MAX;

	if (held.len < most && !ended)
		return SIZE_MAX;
	if (most > held.len)
		most = held.len;
	for (size_t n = most; n >= OVERLAP_BYTES_MIN; n--)
		if (slice_eq(slice_from(sent, sent.len - n), slice_sub(held, 0, n)))
			return is_periodic(slice_sub(held, 0, n)) ? 0 : n;
	return 0;
}

static size_t repeated(const struct seam *s, struct slice sent, struct slice held, bool ended)
{
	size_t n = echoed(sent, held, ended);

	return n == 0 && s->kind == SEAM_OVERLAP ? overlapped(sent, held, ended) : n;
}

static struct channel *plain_channel(const struct ledger *l)
{
	for (struct channel *c = l->channels; c; c = c->next)
		if (c->choice == 0 && c->call == EVENT_NO_CALL && is_content(c))
			return c;
	return NULL;
}

/* Hears text of the channel that goes on. False: the ledger is lost. */
static bool hear(struct seam *s, struct ledger *l, struct channel *c, struct slice name,
		 struct slice text, bool ended)
{
	struct slice held;
	size_t repeat;

	if (s->decided) {
		tell(s, c, name, text);
		append(l, c, text);
		return true;
	}
	if (!buf_append(&s->held, text))
		return false;
	held = buf_slice(&s->held);
	repeat = repeated(s, buf_slice(&c->text), held, ended);
	if (repeat == SIZE_MAX)
		return true;
	s->decided = true;
	tell(s, c, name, slice_from(held, repeat));
	append(l, c, slice_from(held, repeat));
	return true;
}

static bool continue_pieces(struct seam *s, struct ledger *l, struct arena *scratch,
			    const struct event_facts *event, bool *whole)
{
	struct channel *plain = plain_channel(l);
	bool was_decided = s->decided, ends = event->finished != 0;

	for (unsigned i = 0; i < event->piece_count; i++)
		ends |= event->pieces[i].call != EVENT_NO_CALL;
	for (unsigned i = 0; i < event->piece_count; i++) {
		const struct event_piece *p = &event->pieces[i];
		struct slice text = text_of(scratch, l, p);
		struct channel *c;

		/* A model that thinks again thinks of nothing the client should see now. */
		if (is_reasoning(p->name)) {
			*whole = false;
			continue;
		}
		c = channel_of(l, p->choice, p->call, p->name);
		if (!c || l->lost)
			return false;
		if (c == plain) {
			if (!hear(s, l, c, p->name, text, false))
				return false;
		} else {
			tell(s, c, p->name, text);
			append(l, c, text);
		}
	}
	if (ends && !s->decided && plain && !hear(s, l, plain, plain->name, SLICE_NONE, true))
		return false;
	if (!was_decided)
		*whole = false;
	return true;
}

/* ---- both ---------------------------------------------------------------------------- */

static bool pieces(struct seam *s, struct ledger *l, struct arena *scratch,
		   const struct event_facts *event, bool *whole)
{
	return s->kind == SEAM_REPLAY ? replay_pieces(s, l, scratch, event, whole)
				      : continue_pieces(s, l, scratch, event, whole);
}

/* A choice ends: all that was sent of it must have been told again. */
static bool finishes_heard(const struct ledger *l, uint64_t finished)
{
	for (unsigned choice = 0; choice < 64; choice++)
		if ((finished >> choice & 1) && !choice_heard(l, choice))
			return false;
	return true;
}

enum seam_verdict seam_feed(struct seam *s, struct ledger *l, struct arena *scratch,
			    const struct event_facts *event)
{
	uint64_t fresh = event->finished & ~l->finished;
	bool whole = true;

	if (s->decided)
		buf_free(&s->held);     /* the texts of the last event have been told */
	s->text_count = 0;
	s->mute_finished = l->finished;
	/* What is no longer kept need not be compared where it is all new anyway. */
	if ((event->pieces_lost || l->lost) && s->passed && seam_caught_up(l)) {
		ledger_free(l);
		return SEAM_PASS;
	}
	if (event->pieces_lost || l->lost || !pieces(s, l, scratch, event, &whole) ||
	    !finishes_heard(l, event->finished))
		return SEAM_DIFFERS;
	if (fresh != event->finished)
		whole = false;
	l->finished |= event->finished;
	if (s->text_count == 0 && !fresh) {
		/* Empty chunks, roles: of use only behind something new. */
		if (event->piece_count || event->finished || !s->passed)
			return SEAM_SWALLOW;
		return SEAM_PASS;
	}
	l->tokens += s->text_count ? event->tokens : 0;
	s->passed = true;
	return whole ? SEAM_PASS : SEAM_RETELL;
}

void seam_end(struct seam *s, struct ledger *l)
{
	struct channel *plain = plain_channel(l);

	s->text_count = 0;
	s->mute_finished = 0;
	if (s->kind != SEAM_REPLAY && !s->decided && plain && buf_len(&s->held))
		hear(s, l, plain, plain->name, SLICE_NONE, true);
}

bool seam_caught_up(const struct ledger *l)
{
	for (const struct channel *c = l->channels; c; c = c->next)
		if (c->heard < buf_len(&c->text))
			return false;
	return true;
}
