#include "cache/key.h"

#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

bool cache_key_eq(const struct cache_key *a, const struct cache_key *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void cache_key_text(const struct cache_key *k, char out[static CACHE_KEY_TEXT])
{
	digest_to_hex(k->bytes, out);
}

bool cache_key_parse(struct slice text, struct cache_key *out)
{
	return digest_from_hex(text, out->bytes);
}

void cache_key_of(struct slice text, struct cache_key *out)
{
	digest_sha256(text, out->bytes);
}

/* ---- numbers -------------------------------------------------------------------- */

#define EXPONENT_MAX 1000000000

/* The parts of a valid JSON number. */
struct number {
	bool negative;
	struct slice whole, fraction;
	int64_t exponent;
	bool too_large;               /* the exponent is nothing that means something */
};

static struct number number_parts(struct slice raw)
{
	struct number n = { 0 };
	struct slice mantissa = raw, exponent = SLICE_NONE;
	int64_t value = 0;

	for (size_t i = 0; i < raw.len; i++) {
		if (raw.at[i] == 'e' || raw.at[i] == 'E') {
			mantissa = slice_sub(raw, 0, i);
			exponent = slice_from(raw, i + 1);
			break;
		}
	}
	n.negative = mantissa.len && mantissa.at[0] == '-';
	if (n.negative)
		mantissa = slice_from(mantissa, 1);
	n.whole = mantissa;
	slice_cut(mantissa, '.', &n.whole, &n.fraction);
	if (exponent.len && exponent.at[0] == '+')
		exponent = slice_from(exponent, 1);
	if (exponent.len && (!slice_to_i64(exponent, &value) || value > EXPONENT_MAX || value < -EXPONENT_MAX))
		n.too_large = true;
	n.exponent = value;
	return n;
}

static size_t zeros_before(struct slice s)
{
	size_t count = 0;

	while (count < s.len && s.at[count] == '0')
		count++;
	return count;
}

/* All digits in a row without zeros at both ends, and the power of ten of the
 * last: 1.50 and 15e-1 are both 15e-1. */
static bool put_number(struct arena *scratch, struct slice raw, struct buf *out)
{
	struct number n = number_parts(raw);
	struct slice digits;
	size_t zeros = 0;

	if (n.too_large)
		return buf_append(out, raw);
	digits = arena_printf(scratch, "%.*s%.*s", SLICE_ARG(n.whole), SLICE_ARG(n.fraction));
	n.exponent -= (int64_t)n.fraction.len;
	digits = slice_from(digits, zeros_before(digits));
	while (zeros < digits.len && digits.at[digits.len - 1 - zeros] == '0')
		zeros++;
	digits.len -= zeros;
	n.exponent += (int64_t)zeros;
	if (!digits.len)
		return buf_append(out, S("0"));
	return buf_printf(out, "%s%.*se%lld", n.negative ? "-" : "", SLICE_ARG(digits),
			  (long long)n.exponent);
}

bool cache_number_milli(struct slice raw, int64_t *out)
{
	struct number n = number_parts(raw);
	int64_t value = 0, power = n.exponent - (int64_t)n.fraction.len + 3;

	if (json_type_of(raw) != JSON_NUMBER || n.too_large || n.whole.len + n.fraction.len > 15 ||
	    power > 15)
		return false;
	for (size_t i = 0; i < n.whole.len; i++)
		value = value * 10 + (n.whole.at[i] - '0');
	for (size_t i = 0; i < n.fraction.len; i++)
		value = value * 10 + (n.fraction.at[i] - '0');
	for (; power > 0; power--)
		if (__builtin_mul_overflow(value, 10, &value))
			return false;
	for (; power < 0 && value; power++)
		value /= 10;
	*out = n.negative ? -value : value;
	return true;
}

/* ---- values ----------------------------------------------------------------------- */

/* Half a surrogate pair, which only an escape can write, decodes to U+FFFD: different
 * halves stay different. */
static bool put_string(struct arena *scratch, struct slice raw, struct buf *out)
{
	struct slice text = json_string(scratch, raw);

	if (slice_find(raw, '\\') != SLICE_NOT_FOUND &&
	    slice_find_slice(text, S("\xef\xbf\xbd")) != SLICE_NOT_FOUND && !buf_append(out, raw))
		return false;
	return json_try_write_string(out, text);
}

struct child {
	struct slice name;
	const struct json *value;
};

static int by_name(const void *a, const void *b)
{
	const struct child *x = a, *y = b;
	int order = slice_compare(x->name, y->name);

	/* The same name twice: as they stood. */
	if (order == 0)
		order = x->value->raw.at < y->value->raw.at ? -1 : 1;
	return order;
}

static bool put_value(struct arena *scratch, const struct json *j, struct buf *out);

static bool put_members(struct arena *scratch, const struct child *children, size_t count,
			struct buf *out)
{
	if (!buf_append(out, S("{")))
		return false;
	for (size_t i = 0; i < count; i++)
		if ((i && !buf_append(out, S(","))) || !json_try_write_string(out, children[i].name) ||
		    !buf_append(out, S(":")) || !put_value(scratch, children[i].value, out))
			return false;
	return buf_append(out, S("}"));
}

static struct child *sorted(struct arena *scratch, const struct json *object)
{
	struct child *children = arena_array(scratch, struct child, object->count + 1);
	size_t count = 0;

	for (const struct json *m = object->first; m; m = m->next)
		children[count++] = (struct child){ json_string(scratch, m->key), m };
	qsort(children, count, sizeof *children, by_name);
	return children;
}

static bool put_list(struct arena *scratch, const struct json *j, struct buf *out)
{
	if (!buf_append(out, S("[")))
		return false;
	for (const struct json *e = j->first; e; e = e->next)
		if ((e != j->first && !buf_append(out, S(","))) || !put_value(scratch, e, out))
			return false;
	return buf_append(out, S("]"));
}

/* As deep as the parser allows. */
static bool put_value(struct arena *scratch, const struct json *j, struct buf *out)
{
	switch (j->type) {
	case JSON_NUMBER:
		return put_number(scratch, j->raw, out);
	case JSON_STRING:
		return put_string(scratch, j->raw, out);
	case JSON_ARRAY:
		return put_list(scratch, j, out);
	case JSON_OBJECT:
		return put_members(scratch, sorted(scratch, j), j->count, out);
	case JSON_NULL: case JSON_FALSE: case JSON_TRUE:
		break;
	}
	return buf_append(out, j->raw);
}

/* ---- what is left out --------------------------------------------------------------- */

static bool same_value(struct arena *scratch, const struct json *j, struct slice value)
{
	struct buf one = BUF_INIT(256), other = BUF_INIT(256);
	const struct json *tree = json_parse(scratch, value, NULL, NULL);
	bool same = j->raw.len <= 64 && tree && put_value(scratch, j, &one) &&
		    put_value(scratch, tree, &other) && slice_eq(buf_slice(&one), buf_slice(&other));

	buf_free(&one);
	buf_free(&other);
	return same;
}

static bool is_left_out(struct arena *scratch, const struct canonical_rules *rules,
			const struct child *c)
{
	if (c->value->type == JSON_NULL)
		return true;
	for (size_t i = 0; i < rules->ignored_count; i++)
		if (slice_eq(rules->ignored[i], c->name))
			return true;
	for (size_t i = 0; i < rules->default_count; i++)
		if (slice_eq(rules->defaults[i].name, c->name))
			return same_value(scratch, c->value, rules->defaults[i].value);
	return false;
}

bool cache_canonical(struct arena *scratch, struct slice body, const struct canonical_rules *rules,
		     struct buf *out)
{
	const struct json *tree = json_parse(scratch, body, NULL, NULL);
	struct child *children;
	size_t kept = 0;

	if (!tree || tree->type != JSON_OBJECT)
		return false;
	children = sorted(scratch, tree);
	for (size_t i = 0; i < tree->count; i++)
		if (!is_left_out(scratch, rules, &children[i]))
			children[kept++] = children[i];
	return put_members(scratch, children, kept, out);
}
