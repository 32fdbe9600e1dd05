/* retry_hint.c: when an upstream wants us back. */
#include "base/check.h"
#include "dialect/dialect.h"
#include "dialect/error_body.h"
#include "wire/json.h"

#define HINT_MS_MAX (INT64_C(3600) * 1000)
#define DAY_SECONDS 86400

static int64_t clamp_ms(int64_t ms)
{
	return ms < 0 ? 0 : ms > HINT_MS_MAX ? HINT_MS_MAX : ms;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "1", "1.5", "-3": in thousandths, clamped below at 0 and above as an hour
 * would be for any unit. Nothing but digits and one point. */
static bool read_milli(struct slice s, int64_t *milli)
{
	bool negative = s.len > 1 && s.at[0] == '-', digits = false, point = false;

	if (negative)
		s = slice_from(s, 1);
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '.' && !point && digits)
			point = true;
		else if (is_digit(s.at[i]))
			digits = true;
		else
			return false;
	}
	/* "1." is fine, slice_to_milli need not think so. */
	if (point && s.at[s.len - 1] == '.')
		s.len--;
	if (!digits)
		return false;
	if (!slice_to_milli(s, milli))
		*milli = INT64_MAX;             /* more digits than fit */
	if (negative)
		*milli = 0;
	return true;
}

/* ---- dates (RFC 9110 5.6.7) ------------------------------------------------ */

static bool eat_number(struct slice *s, size_t digits, int64_t *out)
{
	uint64_t n;

	if (s->len < digits || !slice_to_u64(slice_sub(*s, 0, digits), &n))
		return false;
	*out = (int64_t)n;
	*s = slice_from(*s, digits);
	return true;
}

static bool eat(struct slice *s, struct slice text)
{
	if (!slice_starts_nocase(*s, text))
		return false;
	*s = slice_from(*s, text.len);
	return true;
}

static bool eat_month(struct slice *s, int64_t *month)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (*month = 1; *month <= 12; ++*month)
		if (eat(s, (struct slice){ names + (*month - 1) * 3, 3 }))
			return true;
	return false;
}

/* "08:49:37" */
static bool eat_time(struct slice *s, int64_t *second_of_day)
{
	int64_t h, m, sec;

	if (!eat_number(s, 2, &h) || !eat(s, S(":")) || !eat_number(s, 2, &m) ||
	    !eat(s, S(":")) || !eat_number(s, 2, &sec))
		return false;
	*second_of_day = h * 3600 + m * 60 + sec;
	return h < 24 && m < 60 && sec <= 60;
}

/* Days from 1970-01-01 in the Gregorian calendar. March counts as the first
 * month, so that a leap day is the last day of its year. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;
	int64_t before_this_year = y * 365 + y / 4 - y / 100 + y / 400;
	int64_t before_this_month = (m * 153 + 2) / 5;

	return before_this_year + before_this_month + day - 1 - 719468;
}

/* A year of two digits that seems more than 50 years ahead is of the past
 * century (RFC 9110 5.6.7). */
static int64_t full_year(int64_t two_digits, int64_t wall_ms)
{
	int64_t now = 1970 + wall_ms / 1000 / DAY_SECONDS * 400 / 146097;
	int64_t year = now - now % 100 + two_digits;

	return year > now + 50 ? year - 100 : year;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool read_comma_date(struct slice s, int64_t wall_ms, int64_t *unix_s)
{
	int64_t day, month, year, second;
	struct slice weekday, dash = S(" ");
	bool two_digits;

	if (!slice_cut(s, ',', &weekday, &s) || weekday.len < 3)
		return false;
	s = slice_trim(s);
	if (!eat_number(&s, 2, &day) && !eat_number(&s, 1, &day))
		return false;
	if (s.len && s.at[0] == '-')
		dash = S("-");
	if (!eat(&s, dash) || !eat_month(&s, &month) || !eat(&s, dash))
		return false;
	two_digits = s.len > 2 && !is_digit(s.at[2]);
	if (!eat_number(&s, two_digits ? 2 : 4, &year))
		return false;
	if (two_digits)
		year = full_year(year, wall_ms);
	if (!eat(&s, S(" ")) || !eat_time(&s, &second) || day < 1 || day > 31)
		return false;
	s = slice_trim(s);
	if (s.len && !slice_eq_nocase(s, S("GMT")) && !slice_eq_nocase(s, S("UTC")) &&
	    !slice_eq(s, S("+0000")))
		return false;
	*unix_s = days_since_1970(year, month, day) * DAY_SECONDS + second;
	return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(struct slice s, int64_t *unix_s)
{
	int64_t day, month, year, second;

	if (s.len < 4)
		return false;
	s = slice_from(s, 3);
	if (!eat(&s, S(" ")) || !eat_month(&s, &month) || !eat(&s, S(" ")))
		return false;
	if (!(eat(&s, S(" ")) ? eat_number(&s, 1, &day) : eat_number(&s, 2, &day)))
		return false;
	if (!eat(&s, S(" ")) || !eat_time(&s, &second) || !eat(&s, S(" ")) ||
	    !eat_number(&s, 4, &year) || s.len || day < 1 || day > 31)
		return false;
	*unix_s = days_since_1970(year, month, day) * DAY_SECONDS + second;
	return true;
}

/* RFC 3339, as Anthropic writes resets: "2026-11-23T14:00:30Z". Fractions of a
 * second are passed over; other zones than UTC are not read. */
static bool read_rfc3339(struct slice s, int64_t *unix_s)
{
	int64_t year, month, day, second;

	if (!eat_number(&s, 4, &year) || !eat(&s, S("-")) || !eat_number(&s, 2, &month) ||
	    !eat(&s, S("-")) || !eat_number(&s, 2, &day) || !eat(&s, S("T")) || !eat_time(&s, &second) ||
	    month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	if (eat(&s, S(".")))
		while (s.len && is_digit(s.at[0]))
			s = slice_from(s, 1);
	if (!slice_eq_nocase(s, S("Z")) && !slice_eq(s, S("+00:00")))
		return false;
	*unix_s = days_since_1970(year, month, day) * DAY_SECONDS + second;
	return true;
}

/* ---- durations --------------------------------------------------------------- */

/* Thousandths of a unit into ms; false for an unknown unit. */
static bool add_unit(int64_t milli, struct slice unit, int64_t *ms)
{
	static const struct { struct slice unit; int64_t ms; } units[] = {
		{ S_INIT("ms"), 1 }, { S_INIT("s"), 1000 }, { S_INIT("m"), 60000 },
		{ S_INIT("h"), 3600000 }, { S_INIT("d"), 86400000 },
		{ S_INIT("us"), 0 }, { S_INIT("\xc2\xb5s"), 0 }, { S_INIT("ns"), 0 },
	};

	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (!slice_eq_nocase(unit, units[i].unit))
			continue;
		if (milli > HINT_MS_MAX * 1000)
			milli = HINT_MS_MAX * 1000;
		*ms = clamp_ms(*ms + milli * units[i].ms / 1000);
		return true;
	}
	return false;
}

/* Go's form: "1m30s", "250ms", "34.4s". At least one pair. */
static bool read_duration(struct slice s, int64_t *ms)
{
	if (s.len == 0)
		return false;
	*ms = 0;
	while (s.len > 0) {
		size_t digits = 0, letters;
		int64_t milli;

		while (digits < s.len && (is_digit(s.at[digits]) || s.at[digits] == '.'))
			digits++;
		letters = digits;
		while (letters < s.len && !is_digit(s.at[letters]))
			letters++;
		if (!read_milli(slice_sub(s, 0, digits), &milli) ||
		    !add_unit(milli, slice_sub(s, digits, letters), ms))
			return false;
		s = slice_from(s, letters);
	}
	return true;
}

/* A reset as the field writes it: a duration, seconds from now, or Unix time
 * in seconds or (OpenRouter) milliseconds. */
static int64_t read_reset(struct slice s, int64_t wall_ms)
{
	const int64_t epoch_seconds_min = 1000000000, epoch_ms_min = 100000000000;
	int64_t ms, milli, unix_s;

	if (read_duration(s, &ms))
		return ms;
	if (read_rfc3339(s, &unix_s))
		return clamp_ms(unix_s * 1000 - wall_ms);
	if (!read_milli(s, &milli))
		return -1;
	if (milli / 1000 >= epoch_ms_min)
		return clamp_ms(milli / 1000 - wall_ms);
	if (milli / 1000 >= epoch_seconds_min)
		return clamp_ms(milli - wall_ms);
	return clamp_ms(milli);
}

/* ---- headers -------------------------------------------------------------------- */

static int64_t from_retry_after_ms(const struct h1_head *head)
{
	int64_t milli;

	if (!read_milli(h1_get(head, S("retry-after-ms")), &milli))
		return -1;
	return clamp_ms(milli / 1000);
}

bool dialect_read_date(struct slice text, int64_t wall_ms, int64_t *unix_ms)
{
	int64_t unix_s;

	if (!read_comma_date(text, wall_ms, &unix_s) && !read_asctime(text, &unix_s) &&
	    !read_rfc3339(text, &unix_s))
		return false;
	*unix_ms = unix_s * 1000;
	return true;
}

static int64_t from_retry_after(const struct h1_head *head, int64_t wall_ms)
{
	struct slice value = h1_get(head, S("retry-after"));
	int64_t milli, unix_s;

	if (read_milli(value, &milli))
		return clamp_ms(milli);
	if (read_comma_date(value, wall_ms, &unix_s) || read_asctime(value, &unix_s))
		return clamp_ms(unix_s * 1000 - wall_ms);
	return -1;
}

/* Of the limits that are used up, the one that comes back last. */
static int64_t from_limits(const struct h1_head *head, int64_t wall_ms)
{
	static const struct { struct slice remaining, reset; } limits[] = {
		{ S_INIT("x-ratelimit-remaining-requests"), S_INIT("x-ratelimit-reset-requests") },
		{ S_INIT("x-ratelimit-remaining-tokens"), S_INIT("x-ratelimit-reset-tokens") },
		{ S_INIT("x-ratelimit-remaining"), S_INIT("x-ratelimit-reset") },
		{ S_INIT("ratelimit-remaining"), S_INIT("ratelimit-reset") },
		{ S_INIT("anthropic-ratelimit-requests-remaining"),
		  S_INIT("anthropic-ratelimit-requests-reset") },
		{ S_INIT("anthropic-ratelimit-tokens-remaining"),
		  S_INIT("anthropic-ratelimit-tokens-reset") },
	};
	int64_t latest = -1;

	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		int64_t left, ms;

		if (!read_milli(h1_get(head, limits[i].remaining), &left) || left > 0)
			continue;
		ms = read_reset(h1_get(head, limits[i].reset), wall_ms);
		if (ms > latest)
			latest = ms;
	}
	return latest;
}

/* ---- room that is left, told by good answers too ------------------------------------ */

struct room_names {
	struct slice limit, left, reset;
};

/* The vendors' names, the most particular first. */
static const struct room_names request_rooms[] = {
	{ S_INIT("x-ratelimit-limit-requests"), S_INIT("x-ratelimit-remaining-requests"),
	  S_INIT("x-ratelimit-reset-requests") },
	{ S_INIT("anthropic-ratelimit-requests-limit"), S_INIT("anthropic-ratelimit-requests-remaining"),
	  S_INIT("anthropic-ratelimit-requests-reset") },
	{ S_INIT("x-ratelimit-limit"), S_INIT("x-ratelimit-remaining"), S_INIT("x-ratelimit-reset") },
	{ S_INIT("ratelimit-limit"), S_INIT("ratelimit-remaining"), S_INIT("ratelimit-reset") },
};
static const struct room_names token_rooms[] = {
	{ S_INIT("x-ratelimit-limit-tokens"), S_INIT("x-ratelimit-remaining-tokens"),
	  S_INIT("x-ratelimit-reset-tokens") },
	{ S_INIT("anthropic-ratelimit-input-tokens-limit"),
	  S_INIT("anthropic-ratelimit-input-tokens-remaining"),
	  S_INIT("anthropic-ratelimit-input-tokens-reset") },
	{ S_INIT("anthropic-ratelimit-tokens-limit"), S_INIT("anthropic-ratelimit-tokens-remaining"),
	  S_INIT("anthropic-ratelimit-tokens-reset") },
};

static struct dialect_room read_room(const struct h1_head *head, const struct room_names *names,
				     size_t count, int64_t wall_ms)
{
	struct dialect_room room = { -1, -1, -1 };
	int64_t left, limit;

	for (size_t i = 0; i < count; i++) {
		if (!read_milli(h1_get(head, names[i].left), &left))
			continue;
		room.left = left / 1000;
		room.full_in_ms = read_reset(h1_get(head, names[i].reset), wall_ms);
		if (read_milli(h1_get(head, names[i].limit), &limit))
			room.limit = limit / 1000;
		break;
	}
	return room;
}

void dialect_rate_rooms(const struct h1_head *head, int64_t wall_ms, struct dialect_room *requests,
			struct dialect_room *tokens)
{
	*requests = read_room(head, request_rooms, COUNT_OF(request_rooms), wall_ms);
	*tokens = read_room(head, token_rooms, COUNT_OF(token_rooms), wall_ms);
}

/* ---- bodies ----------------------------------------------------------------------- */

/* google.rpc.RetryInfo among error.details: {"retryDelay": "34.4s"} (S10). */
static int64_t from_retry_delay(struct arena *arena, struct slice error)
{
	struct slice details = json_member(error, S("details")), one;
	int64_t ms;

	if (json_is_nothing(details) || json_type_of(details) != JSON_ARRAY)
		return -1;
	while (json_next(&details, NULL, &one)) {
		struct slice delay;

		if (json_type_of(one) != JSON_OBJECT)
			continue;
		delay = json_string(arena, json_member(one, S("retryDelay")));
		if (read_duration(delay, &ms))
			return ms;
	}
	return -1;
}

/* "Please try again in 1m2.5s." (OpenAI, Groq), "Please retry in 34.07s." (Gemini) */
static int64_t from_sentence(struct slice message)
{
	static const struct slice before[] = { S_INIT("try again in "), S_INIT("retry in ") };
	int64_t ms;

	for (size_t i = 0; i < COUNT_OF(before); i++) {
		size_t at = slice_find_nocase(message, before[i]), len = 0;
		struct slice word;

		if (at == SLICE_NOT_FOUND)
			continue;
		word = slice_from(message, at + before[i].len);
		while (len < word.len && word.at[len] != ' ' && word.at[len] != ',')
			len++;
		word.len = len;
		if (slice_ends(word, S(".")))
			word.len--;
		if (read_duration(word, &ms))
			return ms;
	}
	return -1;
}

int64_t dialect_retry_hint_ms(const struct h1_head *head, struct slice body, int64_t wall_ms)
{
	struct error_body error = { .found = false };
	struct arena *arena;
	int64_t hint = -1;

	if (head && (hint = from_retry_after_ms(head)) < 0)
		hint = from_retry_after(head, wall_ms);
	if (hint >= 0)
		return hint;
	arena = arena_create(0);
	error_body_read(arena, body, &error);
	if (error.found && error.raw.len)
		hint = from_retry_delay(arena, error.raw);
	if (hint < 0 && head)
		hint = from_limits(head, wall_ms);
	if (hint < 0 && error.found)
		hint = from_sentence(error.message);
	arena_free(arena);
	return hint;
}
