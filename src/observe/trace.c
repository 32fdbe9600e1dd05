#include "observe/trace.h"

#include "base/check.h"

#include <string.h>

#define FLAG_SAMPLED 1

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower-case hex only, as the specification has it. */
static bool read_hex(struct slice s, uint8_t *out, size_t bytes)
{
	if (s.len != 2 * bytes)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		int high = digit(s.at[2 * i]), low = digit(s.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool all_zero(const uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i])
			return false;
	return true;
}

/* "00-TRACE-SPAN-FLAGS"; later versions may go on behind a '-'. */
static bool read_parent(struct slice s, struct trace_context *t, uint8_t *flags)
{
	struct slice version, trace, span, rest = s, tail;
	uint8_t number;

	if (!slice_cut(rest, '-', &version, &rest) || !slice_cut(rest, '-', &trace, &rest) ||
	    !slice_cut(rest, '-', &span, &rest))
		return false;
	if (!read_hex(version, &number, 1) || number == 0xff)
		return false;
	if (number > 0 && slice_cut(rest, '-', &rest, &tail) && rest.len != 2)
		return false;
	return read_hex(trace, t->trace_id, TRACE_ID_BYTES) && !all_zero(t->trace_id, TRACE_ID_BYTES) &&
	       read_hex(span, t->parent_id, SPAN_ID_BYTES) && !all_zero(t->parent_id, SPAN_ID_BYTES) &&
	       read_hex(rest, flags, 1);
}

bool trace_parent_is_good(struct slice traceparent)
{
	struct trace_context t;
	uint8_t flags;

	return read_parent(slice_trim(traceparent), &t, &flags);
}

static void put_u64(uint8_t *out, uint64_t value)
{
	for (size_t i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> (56 - 8 * i));
}

void trace_begin(struct trace_context *t, struct slice traceparent, int64_t share_milli,
		 const uint64_t random[3])
{
	uint8_t flags = 0;

	memset(t, 0, sizeof *t);
	if (!read_parent(slice_trim(traceparent), t, &flags)) {
		memset(t, 0, sizeof *t);
		flags = 0;
		put_u64(t->trace_id, random[0]);
		put_u64(t->trace_id + 8, random[1] ? random[1] : 1);
	}
	put_u64(t->span_id, random[2] ? random[2] : 1);
	/* By the trace's own bits, so that whoever decides alike keeps the same traces. */
	t->sampled = (flags & FLAG_SAMPLED) ||
		     (int64_t)((((uint64_t)t->trace_id[12] << 24 | (uint64_t)t->trace_id[13] << 16 |
				 (uint64_t)t->trace_id[14] << 8 | t->trace_id[15]) * 100000) >> 32) < share_milli;
}

void trace_attempt_id(const struct trace_context *t, unsigned attempt, uint8_t out[SPAN_ID_BYTES])
{
	uint64_t x = 0;

	for (size_t i = 0; i < SPAN_ID_BYTES; i++)
		x = x << 8 | t->span_id[i];
	/* splitmix64's finisher: a bijection, so that attempts never share an id. */
	x += (attempt + 1) * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	put_u64(out, x ? x : 1);
}

static char *put_hex(char *at, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	return at;
}

const char *trace_write_parent(const struct trace_context *t, unsigned attempt,
			       char out[TRACE_PARENT_MAX])
{
	uint8_t span[SPAN_ID_BYTES];
	char *at = out;

	trace_attempt_id(t, attempt, span);
	*at++ = '0';
	*at++ = '0';
	*at++ = '-';
	at = put_hex(at, t->trace_id, TRACE_ID_BYTES);
	*at++ = '-';
	at = put_hex(at, span, SPAN_ID_BYTES);
	*at++ = '-';
	*at++ = '0';
	*at++ = t->sampled ? '1' : '0';
	*at = '\0';
	return out;
}
