/* mock_behaviour.c: reading behaviour specs. The words are in mock_words.c. */
#include "mock/mock_behaviour.h"

#include "mock/mock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_BYTES_MAX 8192
#define PLAN_STEPS_MAX 256

struct mock_plan {
	struct mock_behaviour *steps;
	size_t count, at;
	uint32_t taken;               /* of steps[at]: how often it was taken already */
};

/* ---- words and numbers -------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

static struct slice skip_space(struct slice s)
{
	while (s.len && is_space(s.at[0]))
		s = slice_from(s, 1);
	return s;
}

/* Cuts one word off the front; "..." is a word that may hold spaces. */
static struct slice cut_word(struct slice *rest)
{
	struct slice s = skip_space(*rest);
	size_t n = 0;

	if (s.len && s.at[0] == '"') {
		size_t end = slice_find(slice_from(s, 1), '"');

		if (end != SLICE_NOT_FOUND) {
			*rest = slice_from(s, end + 2);
			return slice_sub(s, 1, end + 1);
		}
	}
	while (n < s.len && !is_space(s.at[n]))
		n++;
	*rest = slice_from(s, n);
	return slice_sub(s, 0, n);
}

bool mock_read_word(struct mock_reader *r, struct slice *word)
{
	r->rest = skip_space(r->rest);
	if (!r->rest.len)
		return false;
	*word = cut_word(&r->rest);
	return true;
}

struct slice mock_peek_word(const struct mock_reader *r)
{
	struct slice rest = r->rest;

	return cut_word(&rest);
}

/* Splits "500ms" into 500 (in thousandths) and "ms". */
static bool split_number(struct slice text, int64_t *milli, struct slice *unit)
{
	size_t n = 0;

	while (n < text.len && ((text.at[n] >= '0' && text.at[n] <= '9') || text.at[n] == '.'))
		n++;
	*unit = slice_from(text, n);
	return n && n <= 15 && slice_to_milli(slice_sub(text, 0, n), milli);
}

bool mock_parse_ms(struct slice text, int64_t *out)
{
	static const struct { struct slice unit; int64_t ms; } units[] = {
		{ S_INIT(""), 1 }, { S_INIT("ms"), 1 }, { S_INIT("s"), 1000 },
		{ S_INIT("m"), 60 * 1000 }, { S_INIT("h"), 3600 * 1000 },
	};
	struct slice unit;
	int64_t milli;

	if (!split_number(text, &milli, &unit))
		return false;
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (!slice_eq(unit, units[i].unit))
			continue;
		if (milli / 1000 > (int64_t)24 * 3600 * 1000 / units[i].ms)
			return false;           /* more than a day */
		*out = milli * units[i].ms / 1000;
		return true;
	}
	return false;
}

bool mock_parse_bytes(struct slice text, uint64_t *out)
{
	static const struct { struct slice unit; int64_t bytes; } units[] = {
		{ S_INIT(""), 1 }, { S_INIT("b"), 1 }, { S_INIT("k"), 1024 }, { S_INIT("kb"), 1024 },
		{ S_INIT("m"), 1024 * 1024 }, { S_INIT("mb"), 1024 * 1024 },
	};
	struct slice unit;
	int64_t milli;

	if (!split_number(text, &milli, &unit))
		return false;
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (!slice_eq_nocase(unit, units[i].unit))
			continue;
		if (milli / 1000 > (int64_t)1024 * 1024 * 1024 / units[i].bytes)
			return false;           /* more than a GiB */
		*out = (uint64_t)(milli * units[i].bytes / 1000);
		return true;
	}
	return false;
}

/* ---- one word of the table ---------------------------------------------- */

static bool PRINTF_LIKE(2, 3) fail(struct mock_reader *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (r->why_size)
		vsnprintf(r->why, r->why_size, format, args);
	va_end(args);
	return false;
}

static void put_member(const struct mock_word *w, struct mock_behaviour *b, int64_t value)
{
	void *at = (char *)b + w->offset;

	if (w->size == sizeof(uint32_t)) {
		uint32_t small = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;

		memcpy(at, &small, sizeof small);
		return;
	}
	must(w->size == sizeof value);
	memcpy(at, &value, sizeof value);
}

static bool read_count(struct mock_reader *r, uint64_t *out)
{
	struct slice word;

	if (!mock_read_word(r, &word) || !slice_to_u64(word, out) || *out > 1000000000)
		return fail(r, "'%.*s' wants a whole number after it", SLICE_ARG(r->word));
	return true;
}

static bool read_ms(struct mock_reader *r, int64_t *out)
{
	struct slice word;

	if (!mock_read_word(r, &word) || !mock_parse_ms(word, out))
		return fail(r, "'%.*s' wants a duration such as 500ms or 2s after it (a day at most)",
			    SLICE_ARG(r->word));
	return true;
}

static bool read_bytes(struct mock_reader *r, uint64_t *out)
{
	struct slice word;

	if (!mock_read_word(r, &word) || !mock_parse_bytes(word, out))
		return fail(r, "'%.*s' wants a size such as 700, 64k or 2m after it (1024m at most)",
			    SLICE_ARG(r->word));
	return true;
}

static bool read_text(struct mock_reader *r, const struct mock_word *w, struct mock_behaviour *b)
{
	struct slice word;

	if (!mock_read_word(r, &word))
		return fail(r, "'%.*s' wants a word after it", SLICE_ARG(r->word));
	if (word.len >= w->size)
		return fail(r, "what follows '%.*s' is longer than %zu bytes", SLICE_ARG(r->word),
			    w->size - 1);
	for (size_t i = 0; i < word.len; i++)
		if ((unsigned char)word.at[i] < ' ')
			return fail(r, "what follows '%.*s' holds a control character", SLICE_ARG(r->word));
	memcpy((char *)b + w->offset, word.at, word.len);
	((char *)b + w->offset)[word.len] = '\0';
	return true;
}

/* "first", "after N", then perhaps "for D"; nothing means first. */
bool mock_read_point(struct mock_reader *r, struct mock_behaviour *b, enum mock_point_kind kind)
{
	struct mock_point p = { .kind = kind, .for_ms = MOCK_FOR_EVER };
	struct slice word;

	for (;;) {
		word = mock_peek_word(r);
		if (slice_eq(word, S("first"))) {
			mock_read_word(r, &word);
		} else if (slice_eq(word, S("after"))) {
			uint64_t n;

			mock_read_word(r, &word);
			if (!read_count(r, &n))
				return fail(r, "'%.*s after' wants a number of events", SLICE_ARG(r->word));
			p.after = (uint32_t)n;
		} else if (slice_eq(word, S("for")) && kind == POINT_STALL) {
			mock_read_word(r, &word);
			if (slice_eq(mock_peek_word(r), S("ever")))
				mock_read_word(r, &word);
			else if (!read_ms(r, &p.for_ms))
				return false;
		} else {
			break;
		}
	}
	if (b->point_count == MOCK_POINTS_MAX)
		return fail(r, "at most %d things can happen in the middle of one answer", MOCK_POINTS_MAX);
	b->points[b->point_count++] = p;
	return true;
}

static bool read_row(struct mock_reader *r, const struct mock_word *w, struct mock_behaviour *b)
{
	struct slice next = mock_peek_word(r);
	int64_t ms = w->value;
	uint64_t n = (uint64_t)w->value;

	switch (w->kind) {
	case WORD_SET:
		break;
	case WORD_MS:
	case WORD_MS_OR:
		if (w->kind == WORD_MS_OR && !mock_parse_ms(next, &ms))
			break;
		if (!read_ms(r, &ms))
			return false;
		break;
	case WORD_COUNT:
	case WORD_COUNT_OR:
		if (w->kind == WORD_COUNT_OR && !slice_to_u64(next, &n))
			break;
		if (!read_count(r, &n))
			return false;
		ms = (int64_t)n;
		break;
	case WORD_BYTES:
		if (!read_bytes(r, &n))
			return false;
		ms = (int64_t)n;
		break;
	case WORD_TEXT:
		return read_text(r, w, b);
	case WORD_POINT:
		return mock_read_point(r, b, (enum mock_point_kind)w->value);
	case WORD_SPECIAL:
		return w->read(r, b);
	}
	put_member(w, b, ms);
	return true;
}

static const struct mock_word *find_word(struct slice name)
{
	for (size_t i = 0; i < mock_word_count; i++)
		if (slice_eq(slice_of(mock_words[i].name), name))
			return &mock_words[i];
	return NULL;
}

static bool fail_unknown(struct mock_reader *r)
{
	const char *best = NULL;
	size_t least = 4;

	for (size_t i = 0; i < mock_word_count; i++) {
		size_t d = slice_edit_distance(r->word, slice_of(mock_words[i].name));

		if (d < least) {
			least = d;
			best = mock_words[i].name;
		}
	}
	if (best)
		return fail(r, "'%.*s' is not a behaviour; did you mean '%s'?", SLICE_ARG(r->word), best);
	return fail(r, "'%.*s' is not a behaviour; `backstay mock --help` lists them", SLICE_ARG(r->word));
}

struct mock_behaviour mock_behaviour_healthy(void)
{
	return (struct mock_behaviour){
		.healthy = true, .times = 1, .percent = 100, .idle_close_ms = -1,
		.idle_reset_ms = -1, .idle_junk_ms = -1, .ttft_ms = -1, .gap_ms = -1, .comments_ms = -1,
	};
}

bool mock_behaviour_parse(struct slice text, struct mock_behaviour *out, char *why, size_t why_size)
{
	struct mock_reader r = { .rest = text, .why = why, .why_size = why_size };
	struct mock_behaviour b = mock_behaviour_healthy();

	if (text.len > SPEC_BYTES_MAX)
		return fail(&r, "a behaviour has at most %d bytes", SPEC_BYTES_MAX);
	while (mock_read_word(&r, &r.word)) {
		const struct mock_word *w = find_word(r.word);

		if (!w)
			return fail_unknown(&r);
		if (!read_row(&r, w, &b))
			return false;
		if (strcmp(w->group, MOCK_GROUP_TIMING) != 0 && strcmp(w->group, MOCK_GROUP_WHEN) != 0)
			b.healthy = false;
	}
	*out = b;
	return true;
}

/* ---- plans ---------------------------------------------------------------- */

/* Cuts the text up to the word "then" off *rest. */
static struct slice cut_step(struct slice *rest, bool *more)
{
	struct slice whole = *rest, s = whole, word;

	for (;;) {
		struct slice before = s;

		s = skip_space(s);
		*more = false;
		if (!s.len)
			break;
		word = cut_word(&s);
		if (slice_eq(word, S("then"))) {
			*rest = s;
			*more = true;
			return slice_sub(whole, 0, whole.len - before.len);
		}
	}
	*rest = s;
	return whole;
}

struct mock_plan *mock_plan_parse(struct slice spec, char *why, size_t why_size)
{
	struct mock_reader r = { .why = why, .why_size = why_size };
	struct mock_plan *plan = calloc(1, sizeof *plan);
	bool more = true;

	must(plan != NULL);
	while (more) {
		struct slice step = cut_step(&spec, &more);

		if (plan->count == PLAN_STEPS_MAX) {
			fail(&r, "a plan has at most %d steps", PLAN_STEPS_MAX);
			goto failed;
		}
		if ((more || plan->count) && !slice_trim(step).len) {
			fail(&r, "'then' wants a behaviour before and after it ('ok' is one)");
			goto failed;
		}
		plan->steps = realloc(plan->steps, (plan->count + 1) * sizeof *plan->steps);
		must(plan->steps != NULL);
		if (!mock_behaviour_parse(step, &plan->steps[plan->count], why, why_size))
			goto failed;
		plan->count++;
	}
	return plan;
failed:
	mock_plan_free(plan);
	return NULL;
}

void mock_plan_free(struct mock_plan *plan)
{
	if (!plan)
		return;
	free(plan->steps);
	free(plan);
}

size_t mock_plan_count(const struct mock_plan *plan)
{
	return plan->count;
}

const struct mock_behaviour *mock_plan_at(const struct mock_plan *plan, size_t index)
{
	must(index < plan->count);
	return &plan->steps[index];
}

const struct mock_behaviour *mock_plan_peek(const struct mock_plan *plan)
{
	return &plan->steps[plan->at];
}

const struct mock_behaviour *mock_plan_next(struct mock_plan *plan)
{
	const struct mock_behaviour *b = &plan->steps[plan->at];

	if (plan->at + 1 < plan->count && ++plan->taken >= b->times) {
		plan->at++;
		plan->taken = 0;
	}
	return b;
}

bool mock_behaviour_parse_header(struct slice text, struct slice name, struct mock_behaviour *out,
				 char *why, size_t why_size)
{
	struct mock_reader r = { .why = why, .why_size = why_size };
	struct slice part;

	*out = mock_behaviour_healthy();
	while (text.len) {
		if (!slice_cut(text, ';', &part, &text)) {
			part = text;
			text = SLICE_NONE;
		}
		part = slice_trim(part);
		if (part.len && part.at[0] == '@') {
			struct slice to = cut_word(&part);

			if (!slice_eq(slice_from(to, 1), name))
				continue;
		}
		if (!mock_behaviour_parse(part, out, why, why_size))
			return false;
		if (out->times != 1)
			return fail(&r, "'times' has no meaning in a header, which is for one request");
		return true;
	}
	return true;
}

bool mock_check_behaviour(struct slice spec, char *why, size_t why_size)
{
	struct mock_plan *plan = mock_plan_parse(spec, why, why_size);

	mock_plan_free(plan);
	return plan != NULL;
}
