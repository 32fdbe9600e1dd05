#include "observe/access_log.h"

#include "base/log.h"
#include "wire/json.h"

#include <string.h>

#define FIELD_MAX 256                 /* bytes of a text that came from outside */
#define TEXT_MAX  512                 /* of a sentence about a fault */

/* ---- members -------------------------------------------------------------------- */

/* At most `max` bytes, not cut inside a UTF-8 sequence. */
static struct slice shortened(struct slice s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max > 0 && ((unsigned char)s.at[max] & 0xc0) == 0x80)
		max--;
	return slice_sub(s, 0, max);
}

/* The member's name, with a comma where another member stands before it. In one
 * piece: a line has some thirty members, and one is written for every exchange. */
static void put_name(struct buf *out, struct slice name)
{
	struct slice held = buf_slice(out);
	char last = held.at[held.len - 1], *to = buf_room(out, name.len + 4), *at = to;

	must(to != NULL);
	if (last != '{' && last != '[')
		*at++ = ',';
	*at++ = '"';
	memcpy(at, name.at, name.len);
	at += name.len;
	*at++ = '"';
	*at++ = ':';
	buf_added(out, (size_t)(at - to));
}

static void put_text(struct buf *out, struct slice name, struct slice value, size_t max)
{
	put_name(out, name);
	if (value.len)
		json_write_string(out, shortened(value, max));
	else
		buf_puts(out, "null");
}

static void put_number(struct buf *out, struct slice name, int64_t value)
{
	put_name(out, name);
	buf_put_i64(out, value);
}

/* `known` false: null. */
static void put_maybe(struct buf *out, struct slice name, bool known, int64_t value)
{
	put_name(out, name);
	if (known)
		buf_put_i64(out, value);
	else
		buf_puts(out, "null");
}

static void put_bool(struct buf *out, struct slice name, bool value)
{
	put_name(out, name);
	buf_put(out, value ? S("true") : S("false"));
}

static void put_fault(struct buf *out, enum fault fault)
{
	put_text(out, S("fault"), fault == FAULT_NONE ? SLICE_NONE
						      : slice_of(fault_row(fault)->name), FIELD_MAX);
}

/* ---- JSON -------------------------------------------------------------------------- */

static void put_attempt(struct buf *out, const struct attempt_record *a)
{
	buf_puts(out, "{");
	put_text(out, S("target"), a->target, FIELD_MAX);
	put_fault(out, a->fault);
	put_maybe(out, S("status"), a->status != 0, a->status);
	put_number(out, S("start_ms"), a->start_ms);
	put_number(out, S("took_ms"), a->took_ms);
	put_maybe(out, S("first_token_ms"), a->first_token_ms >= 0, a->first_token_ms);
	put_number(out, S("stale_replays"), a->stale_replays);
	put_text(out, S("kind"), slice_of(a->kind ? a->kind : ""), FIELD_MAX);
	put_text(out, S("text"), a->text, TEXT_MAX);
	buf_puts(out, "}");
}

static void put_attempts(struct buf *out, const struct exchange_record *r)
{
	size_t listed = r->attempt_count < ACCESS_ATTEMPTS_MAX ? r->attempt_count
							       : ACCESS_ATTEMPTS_MAX;

	put_name(out, S("attempts"));
	buf_puts(out, "[");
	for (size_t i = 0; i < listed; i++) {
		if (i)
			buf_puts(out, ",");
		put_attempt(out, &r->attempts[i]);
	}
	buf_puts(out, "]");
	if (listed < r->attempt_count)
		put_number(out, S("attempts_left_out"), (int64_t)(r->attempt_count - listed));
}

static void put_tokens(struct buf *out, const struct exchange_record *r)
{
	put_name(out, S("tokens"));
	if (!r->usage_known) {
		buf_puts(out, "null");
		return;
	}
	buf_puts(out, "{");
	put_number(out, S("input"), r->input_tokens);
	put_number(out, S("output"), r->output_tokens);
	put_number(out, S("cached"), r->cached_tokens);
	put_number(out, S("reasoning"), r->reasoning_tokens);
	buf_puts(out, "}");
}

/* In US dollars; null where tokens of a model without a price are in it. */
static void put_cost(struct buf *out, const struct exchange_record *r)
{
	bool known = true;

	for (size_t i = 0; i < r->attempt_count; i++)
		known = known && (r->attempts[i].spent.priced || r->attempts[i].spent.input_tokens +
				  r->attempts[i].spent.output_tokens <= 0);
	put_name(out, S("cost"));
	if (known)
		buf_putf(out, "%lld.%09lld", (long long)(r->cost_nano_usd / 1000000000),
			 (long long)(r->cost_nano_usd % 1000000000));
	else
		buf_puts(out, "null");
}

static void put_asked(struct buf *out, const struct exchange_record *r)
{
	char stamp[25];

	log_stamp(r->wall_ms, stamp);
	put_text(out, S("time"), slice_of(stamp), FIELD_MAX);
	put_text(out, S("id"), r->request_id, FIELD_MAX);
	put_text(out, S("key"), r->client_key, FIELD_MAX);
	put_text(out, S("peer"), r->peer, FIELD_MAX);
	put_text(out, S("method"), r->method, FIELD_MAX);
	put_text(out, S("path"), r->path, FIELD_MAX);
	put_text(out, S("model"), r->asked_model, FIELD_MAX);
	put_bool(out, S("stream"), r->stream);
}

/* What kept answers had to do with it; "tokens" are the original's then. */
static void put_cache(struct buf *out, const struct exchange_record *r)
{
	put_text(out, S("cache"), slice_of(cache_use_name(r->cache)), FIELD_MAX);
	if (r->cache_tier != CACHE_TIER_NONE)
		put_text(out, S("tier"), slice_of(cache_tier_name(r->cache_tier)), FIELD_MAX);
	put_maybe(out, S("age_ms"), cache_use_gives(r->cache) && r->cache != CACHE_USE_JOINED,
		  r->cache_age_ms);
	if (r->cache == CACHE_USE_NEAR) {
		put_name(out, S("similarity"));
		buf_putf(out, "%.3f", r->similarity);
	}
	if (r->kept)
		put_bool(out, S("kept"), true);
	if (r->cache_key.len)
		put_text(out, S("cache_key"), r->cache_key, FIELD_MAX);
}

static void put_outcome(struct buf *out, const struct exchange_record *r)
{
	put_text(out, S("served_model"), r->served_model, FIELD_MAX);
	put_text(out, S("target"), r->target, FIELD_MAX);
	put_number(out, S("status"), r->status);
	put_fault(out, r->fault);
	put_bool(out, S("committed"), r->committed);
	put_text(out, S("degraded"), slice_of(degraded_name(r->degraded)), FIELD_MAX);
	put_number(out, S("resumes"), r->resumes);
	put_text(out, S("hedge"), !r->hedged ? SLICE_NONE : r->hedge_won ? S("won") : S("lost"), FIELD_MAX);
	put_text(out, S("finish_reason"), r->finish_reason, FIELD_MAX);
}

void access_log_json(const struct exchange_record *r, struct buf *out)
{
	buf_puts(out, "{");
	put_asked(out, r);
	put_outcome(out, r);
	put_cache(out, r);
	put_attempts(out, r);
	put_tokens(out, r);
	put_cost(out, r);
	put_maybe(out, S("first_token_ms"), r->first_token_ms >= 0, r->first_token_ms);
	put_number(out, S("duration_ms"), r->duration_ms);
	put_text(out, S("priority"), slice_of(priority_name(r->priority)), FIELD_MAX);
	put_number(out, S("queued_ms"), r->queued_ms);
	put_text(out, S("shed"), slice_of(shed_name(r->shed)), FIELD_MAX);
	put_number(out, S("bytes_in"), (int64_t)r->bytes_in);
	put_number(out, S("bytes_out"), (int64_t)r->bytes_out);
	buf_puts(out, "}\n");
}

/* ---- for a person --------------------------------------------------------------------- */

#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define DIM    "\033[2m"
#define PLAIN  "\033[0m"

/* A terminal obeys control characters, so text from outside loses them. */
static void put_printable(struct buf *out, struct slice s)
{
	struct slice cut = shortened(s, FIELD_MAX);

	for (size_t i = 0; i < cut.len; i++) {
		unsigned char c = (unsigned char)cut.at[i];
		bool c1 = c == 0xc2 && i + 1 < cut.len && (unsigned char)cut.at[i + 1] < 0xa0;

		if (c1)
			i++;
		if (c < 0x20 || c == 0x7f || c1)
			buf_puts(out, "?");
		else
			buf_put(out, slice_sub(cut, i, i + 1));
	}
}

static void put_span(struct buf *out, int64_t ms)
{
	if (ms < 10000)
		buf_putf(out, "%lld ms", (long long)ms);
	else
		buf_putf(out, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

static void put_mark(struct buf *out, const struct exchange_record *r, bool colour)
{
	const char *ink = r->fault == FAULT_NONE ? r->attempt_count > 1 ? YELLOW : GREEN
		: r->fault == FAULT_CLIENT_GONE || r->fault == FAULT_CALLER ? YELLOW : RED;

	buf_putf(out, "%s%d%s", colour ? ink : "", r->status, colour ? PLAIN : "");
}

/* "  a/m: connect (refused) -> b/m" */
static void put_story(struct buf *out, const struct exchange_record *r, bool colour)
{
	bool told = false;

	for (size_t i = 0; i < r->attempt_count && i < ACCESS_ATTEMPTS_MAX; i++) {
		const struct attempt_record *a = &r->attempts[i];

		if (a->fault == FAULT_NONE)
			continue;
		buf_putf(out, "%s%s", told ? "; " : colour ? "  " DIM "[" : "  [", "");
		put_printable(out, a->target);
		buf_putf(out, ": %s", fault_row(a->fault)->name);
		if (a->status)
			buf_putf(out, " %d", a->status);
		buf_puts(out, " after ");
		put_span(out, a->took_ms);
		told = true;
	}
	if (told)
		buf_putf(out, "]%s", colour ? PLAIN : "");
}

void access_log_terminal(const struct exchange_record *r, bool colour, struct buf *out)
{
	char stamp[25];

	log_stamp(r->wall_ms, stamp);
	buf_putf(out, "%.8s ", stamp + 11);
	put_mark(out, r, colour);
	buf_puts(out, " ");
	if (r->asked_model.len) {
		put_printable(out, r->asked_model);
	} else {
		put_printable(out, r->method);
		buf_puts(out, " ");
		put_printable(out, r->path);
	}
	if (r->target.len) {
		buf_puts(out, " <- ");
		put_printable(out, r->target);
	}
	if (r->cache == CACHE_USE_HIT || r->cache == CACHE_USE_JOINED)
		buf_putf(out, " (%s)", cache_use_name(r->cache));
	if (r->degraded != DEGRADED_NO)
		buf_putf(out, " (%s)", degraded_name(r->degraded));
	buf_puts(out, "  ");
	put_span(out, r->duration_ms);
	if (r->stream && r->first_token_ms >= 0) {
		buf_puts(out, ", first token ");
		put_span(out, r->first_token_ms);
	}
	if (r->queued_ms >= 100) {
		buf_puts(out, ", queued ");
		put_span(out, r->queued_ms);
	}
	if (r->usage_known)
		buf_putf(out, ", %lld+%lld tokens", (long long)r->input_tokens,
			 (long long)r->output_tokens);
	if (r->fault != FAULT_NONE)
		buf_putf(out, "  %s", fault_row(r->fault)->name);
	put_story(out, r, colour);
	buf_puts(out, "\n");
}
