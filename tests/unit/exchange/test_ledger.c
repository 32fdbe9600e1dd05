/* What was sent, and how a continuation is joined to it. */
#include "../base/cm.h"

#include "exchange/ledger.h"

#include <string.h>

/* Events are written short: "c0 text" is content of choice 0, "r0" reasoning, "a0"
 * arguments, "n0" the name and "i0" the id of choice 0's first call, "f0" a finish, "-" an
 * event without any content, "!" one whose content is no text. */
static struct event_facts event_of(struct arena *arena, const char *text)
{
	struct event_facts e = { .retry_after_ms = -1 };
	struct event_piece *p = &e.pieces[0];
	size_t n = strlen(text);
	char *raw;

	if (*text == '-')
		return e;
	if (*text == '!') {
		e.is = EVENT_CONTENT;
		e.pieces_lost = true;
		return e;
	}
	if (*text == 'f') {
		e.is = EVENT_FINISH;
		e.finished = UINT64_C(1) << (text[1] - '0');
		return e;
	}
	e.is = EVENT_CONTENT;
	e.tokens = 1;
	e.piece_count = 1;
	p->choice = (unsigned)(text[1] - '0');
	p->call = *text == 'c' || *text == 'r' ? EVENT_NO_CALL : 0;
	p->name = *text == 'c' ? S("content") : *text == 'r' ? S("reasoning_content")
		: *text == 'a' ? S("arguments") : *text == 'n' ? S("name") : S("id");
	raw = arena_alloc(arena, n + 1);
	raw[0] = '"';
	memcpy(raw + 1, text + 3, n - 3);
	raw[n - 2] = '"';
	p->raw = (struct slice){ raw, n - 1 };
	return e;
}

#define EVENTS_MAX 8

static const struct row {
	enum seam_kind kind;
	const char *sent[EVENTS_MAX];
	struct { const char *event; enum seam_verdict verdict; const char *told; } says[EVENTS_MAX];
	bool caught_up;
	const char *says_it;
} rows[] = {
	{ SEAM_REPLAY, { "c0 Hel", "c0 lo" },
	  { { "-", SEAM_SWALLOW, "" }, { "c0 Hello", SEAM_SWALLOW, "" }, { "c0  you", SEAM_PASS, " you" },
	    { "f0", SEAM_PASS, "" } }, true, "what the client has is swallowed, the rest goes on" },
	{ SEAM_REPLAY, { "c0 Hello" }, { { "c0 Hello you", SEAM_RETELL, " you" } }, true,
	  "an event that lies across the seam is cut there" },
	{ SEAM_REPLAY, { "c0 Hello" }, { { "c0 Hel", SEAM_SWALLOW, "" }, { "c0 p!", SEAM_DIFFERS, "" } },
	  false, "other words are noticed at the first letter" },
	{ SEAM_REPLAY, { "c0 Hello" }, { { "c0 Hel", SEAM_SWALLOW, "" }, { "f0", SEAM_DIFFERS, "" } },
	  false, "an answer that ends too early is another one" },
	{ SEAM_REPLAY, { "r0 Hm", "c0 Yes" },
	  { { "r0 Hm", SEAM_SWALLOW, "" }, { "c0 Yes", SEAM_SWALLOW, "" }, { "c0 !", SEAM_PASS, "!" } },
	  true, "thinking is told again first" },
	{ SEAM_REPLAY, { "r0 Hm", "c0 Yes" }, { { "c0 Yes!", SEAM_DIFFERS, "" } }, false,
	  "an answer that did not think the same is another one" },
	{ SEAM_REPLAY, { "i0 call_1", "n0 f", "a0 {\\\"x\\\":" },
	  { { "i0 call_2", SEAM_SWALLOW, "" }, { "n0 f", SEAM_SWALLOW, "" },
	    { "a0 {\\\"x\\\":1}", SEAM_RETELL, "1}" }, { "f0", SEAM_PASS, "" } }, true,
	  "a call keeps its first id, its arguments go on" },
	{ SEAM_REPLAY, { "n0 f", "a0 {" }, { { "n0 g", SEAM_DIFFERS, "" } }, false, "another function" },
	{ SEAM_REPLAY, { "c0 a", "c1 b", "f0" },
	  { { "c0 a", SEAM_SWALLOW, "" }, { "f0", SEAM_SWALLOW, "" }, { "c1 bc", SEAM_RETELL, "c" },
	    { "f1", SEAM_PASS, "" } }, true, "several answers, one of which had ended" },
	{ SEAM_REPLAY, { "c0 a" }, { { "!", SEAM_DIFFERS, "" } }, false, "what cannot be compared" },
	{ SEAM_REPLAY, { "c0 a" }, { { "c0 ab", SEAM_RETELL, "b" }, { "!", SEAM_PASS, "" } }, true,
	  "but behind the seam everything goes" },
	{ SEAM_NATIVE, { "c0 Hello" },
	  { { "-", SEAM_SWALLOW, "" }, { "c0  you", SEAM_RETELL, " you" }, { "-", SEAM_PASS, "" },
	    { "c0 .", SEAM_PASS, "." }, { "f0", SEAM_PASS, "" } }, true,
	  "a native continuation begins with what is new" },
	{ SEAM_NATIVE, { "c0 ha " }, { { "c0 ha ha", SEAM_RETELL, "ha ha" } }, true,
	  "a short text may be said twice for good" },
	{ SEAM_NATIVE, { "c0 The harbour lies in the evening sun, and" },
	  { { "c0 The harbour lies", SEAM_SWALLOW, "" }, { "c0  in the evening sun, and sails", SEAM_RETELL,
	      " sails" }, { "c0 .", SEAM_PASS, "." } }, true, "a server that repeats the whole is cut" },
	{ SEAM_NATIVE, { "c0 The harbour lies in the evening sun, and" },
	  { { "c0 The harbour ", SEAM_SWALLOW, "" }, { "c0 is old.", SEAM_RETELL, "The harbour is old." } },
	  true, "what only began like a repetition is told after all" },
	{ SEAM_NATIVE, { "c0 The harbour lies in the evening sun, and" },
	  { { "c0 The harbour", SEAM_SWALLOW, "" }, { "f0", SEAM_RETELL, "The harbour" } }, true,
	  "also where the answer ends with it" },
	{ SEAM_NATIVE, { "c0 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, " },
	  { { "c0 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1", SEAM_RETELL,
	      "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1" } }, true,
	  "a text that repeats itself is not taken for an echo" },
	{ SEAM_NATIVE, { "r0 Hm", "c0 Yes" },
	  { { "r0 Hm again", SEAM_SWALLOW, "" }, { "c0 !", SEAM_RETELL, "!" } }, true,
	  "new thinking in the middle of an answer is not shown" },
	{ SEAM_NATIVE, { "c0 Let me look." },
	  { { "n0 f", SEAM_RETELL, "f" }, { "a0 {}", SEAM_PASS, "{}" } }, true, "a call may follow the text" },
	{ SEAM_OVERLAP, { "c0 The harbour lies in the evening" },
	  { { "c0 harbour lies in the evening sun, and the masts throw long shadows.", SEAM_RETELL,
	      " sun, and the masts throw long shadows." } }, true, "a repeated end is cut" },
	{ SEAM_OVERLAP, { "c0 They called over the water: Z\xc3\xbcrich" },
	  { { "c0 Z\xc3\xbcrich, and nobody answered from the other side.", SEAM_RETELL,
	      "Z\xc3\xbcrich, and nobody answered from the other side." } }, true,
	  "a word may be meant twice" },
	{ SEAM_OVERLAP, { "c0 if (x) {\\n                        " },
	  { { "c0                         return y;", SEAM_RETELL, "                        return y;" } },
	  true, "and so may spaces" },
	{ SEAM_OVERLAP, { "c0 The harbour lies in the" },
	  { { "c0  sun", SEAM_SWALLOW, "" }, { "f0", SEAM_RETELL, " sun" } }, true,
	  "nothing is cut where nothing is repeated" },
};

static struct slice told_by(struct seam *s, struct ledger *l, struct arena *arena,
			    const struct event_facts *e, enum seam_verdict *verdict)
{
	struct buf out = BUF_INIT(1 << 20);
	struct slice copy;

	*verdict = seam_feed(s, l, arena, e);
	if (*verdict == SEAM_PASS)
		for (unsigned i = 0; i < e->piece_count; i++)
			buf_put(&out, slice_sub(e->pieces[i].raw, 1, e->pieces[i].raw.len - 1));
	if (*verdict == SEAM_RETELL)
		for (unsigned i = 0; i < s->text_count; i++)
			buf_put(&out, s->texts[i].text);
	copy = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return copy;
}

static void play(const struct row *row)
{
	struct arena *arena = arena_create(0);
	struct event_facts e;
	struct ledger l;
	struct seam s;

	ledger_init(&l, arena);
	for (unsigned i = 0; i < EVENTS_MAX && row->sent[i]; i++) {
		e = event_of(arena, row->sent[i]);
		ledger_add(&l, arena, &e);
	}
	seam_init(&s, &l, row->kind);
	for (unsigned i = 0; i < EVENTS_MAX && row->says[i].event; i++) {
		enum seam_verdict verdict;
		struct slice told;

		e = event_of(arena, row->says[i].event);
		told = told_by(&s, &l, arena, &e, &verdict);
		if (verdict != row->says[i].verdict || !slice_eq(told, slice_of(row->says[i].told)))
			fail_msg("%s: '%s' gives verdict %d, '%.*s'", row->says_it, row->says[i].event,
				 (int)verdict, SLICE_ARG(told));
	}
	row_holds(seam_caught_up(&l) == row->caught_up, row->says_it);
	seam_free(&s);
	ledger_free(&l);
	arena_free(arena);
}

static void continuations_are_joined(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		play(&rows[i]);
}

/* ---- every cut, every grain ------------------------------------------------------------ */

static bool is_boundary(struct slice s, size_t at)
{
	return at >= s.len || ((unsigned char)s.at[at] & 0xc0) != 0x80;
}

static size_t next_cut(struct slice s, size_t from, size_t grain)
{
	size_t to = from + grain < s.len ? from + grain : s.len;

	while (!is_boundary(s, to))
		to++;
	return to;
}

static void feed_pieces(struct seam *s, struct ledger *l, struct arena *arena, struct slice text,
			size_t grain, struct buf *got)
{
	for (size_t from = 0, to; from < text.len; from = to) {
		enum seam_verdict verdict;
		struct event_facts e;
		struct slice told;

		to = next_cut(text, from, grain);
		e = event_of(arena, arena_printf(arena, "c0 %.*s", (int)(to - from), text.at + from).at);
		told = told_by(s, l, arena, &e, &verdict);
		assert_int_not_equal(verdict, SEAM_DIFFERS);
		buf_put(got, told);
	}
}

static void join_at(enum seam_kind kind, struct slice text, struct slice rest, size_t cut, size_t grain)
{
	struct arena *arena = arena_create(0);
	struct buf got = BUF_INIT(1 << 20);
	struct event_facts e = event_of(arena, arena_printf(arena, "c0 %.*s", (int)cut, text.at).at);
	struct event_facts finish = event_of(arena, "f0");
	enum seam_verdict verdict;
	struct ledger l;
	struct seam s;

	ledger_init(&l, arena);
	ledger_add(&l, arena, &e);
	seam_init(&s, &l, kind);
	buf_put(&got, slice_sub(text, 0, cut));
	feed_pieces(&s, &l, arena, rest, grain, &got);
	buf_put(&got, told_by(&s, &l, arena, &finish, &verdict));
	if (!slice_eq(buf_slice(&got), text))
		fail_msg("cut at %zu, grain %zu: %.*s", cut, grain, SLICE_ARG(buf_slice(&got)));
	assert_true(slice_eq(buf_slice(&l.channels->text), text));
	seam_free(&s);
	ledger_free(&l);
	buf_free(&got);
	arena_free(arena);
}

static void nothing_is_lost_or_said_twice(void **state)
{
	struct slice text = S("In Z\xc3\xbcrich \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x99\x82 harbours, the evening "
			      "sun lies low \xe2\x80\x94 and the harbours lie still.");

	(void)state;
	for (size_t cut = 1; cut < text.len; cut++) {
		for (size_t grain = 1; grain < 40 && is_boundary(text, cut); grain += 3) {
			join_at(SEAM_REPLAY, text, text, cut, grain);
			join_at(SEAM_NATIVE, text, slice_from(text, cut), cut, grain);
			join_at(SEAM_OVERLAP, text, slice_from(text, cut), cut, grain);
			/* Servers that repeat all of it, where it is long enough to know. */
			if (cut >= 32)
				join_at(SEAM_NATIVE, text, text, cut, grain);
		}
	}
}

/* ---- bounds ------------------------------------------------------------------------------- */

static void what_is_too_much_is_not_kept(void **state)
{
	struct arena *arena = arena_create(0);
	char *big = arena_alloc(arena, 1 << 20);
	struct event_facts e;
	struct ledger l;

	(void)state;
	memset(big, 'x', (1 << 20) - 1);
	memcpy(big, "c0 ", 3);
	e = event_of(arena, big);
	ledger_init(&l, arena);
	for (int i = 0; i < 5; i++)
		ledger_add(&l, arena, &e);
	assert_true(l.lost);
	assert_int_equal(buf_len(&l.channels->text), 0);
	ledger_free(&l);
	arena_free(arena);
}

static void half_a_character_is_not_kept(void **state)
{
	struct arena *arena = arena_create(0);
	struct event_facts half = event_of(arena, "c0 \\ud83d"), whole = event_of(arena, "c0 \\ud83d\\ude42"),
		honest = event_of(arena, "c0 \\ufffd \xef\xbf\xbd");
	struct ledger l;

	(void)state;
	ledger_init(&l, arena);
	ledger_add(&l, arena, &whole);
	ledger_add(&l, arena, &honest);
	assert_false(l.lost);
	ledger_add(&l, arena, &half);
	assert_true(l.lost);
	ledger_free(&l);
	arena_free(arena);
}

static const struct {
	const char *sent[EVENTS_MAX], *text, *says;
} plain[] = {
	{ { "c0 Hel", "c0 lo" }, "Hello", "text alone" },
	{ { "r0 Hm", "c0 Yes" }, "Yes", "text behind thinking" },
	{ { "r0 Hm" }, "", "only thinking" },
	{ { "c0 Yes", "a0 {" }, "", "half a call" },
	{ { "c0 Yes", "c1 No" }, "", "two answers" },
	{ { "c0 Yes", "f0" }, "", "an answer that has ended" },
	{ { "c0 Yes", "!" }, "", "something that is no text" },
};

static void another_model_goes_on_from_plain_text_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		struct arena *arena = arena_create(0);
		struct ledger l;

		ledger_init(&l, arena);
		for (unsigned k = 0; k < EVENTS_MAX && plain[i].sent[k]; k++) {
			struct event_facts e = event_of(arena, plain[i].sent[k]);

			ledger_add(&l, arena, &e);
		}
		row_holds(slice_eq(ledger_plain_text(&l), slice_of(plain[i].text)), plain[i].says);
		ledger_free(&l);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(continuations_are_joined),
		cmocka_unit_test(nothing_is_lost_or_said_twice),
		cmocka_unit_test(what_is_too_much_is_not_kept),
		cmocka_unit_test(half_a_character_is_not_kept),
		cmocka_unit_test(another_model_goes_on_from_plain_text_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
