#include "wire/sigv4.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CANONICAL_BYTES_MAX ((size_t)256 * 1024)
#define SCOPE_END "aws4_request"
#define ALGORITHM "AWS4-HMAC-SHA256"

void sigv4_date(int64_t wall_ms, char out[static SIGV4_DATE_BYTES])
{
	time_t seconds = wall_ms > 0 ? (time_t)(wall_ms / 1000) : 0;
	struct tm at;

	/* Years above 9999 have no such form; no clock says so in earnest. */
	if (!gmtime_r(&seconds, &at) || at.tm_year > 9999 - 1900)
		at = (struct tm){ .tm_year = 9999 - 1900, .tm_mon = 11, .tm_mday = 31 };
	if (strftime(out, SIGV4_DATE_BYTES, "%Y%m%dT%H%M%SZ", &at) == 0)
		never("the form has a fixed length");
}

/* ---- encoding ------------------------------------------------------------------ */

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

static bool put_encoded(struct buf *out, struct slice s)
{
	static const char digits[] = "0123456789ABCDEF";
	char *to = buf_room(out, 3 * s.len);
	size_t len = 0;

	if (s.len == 0)
		return true;
	if (!to)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (is_unreserved(s.at[i])) {
			to[len++] = s.at[i];
			continue;
		}
		to[len++] = '%';
		to[len++] = digits[c >> 4];
		to[len++] = digits[c & 15];
	}
	buf_added(out, len);
	return true;
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Parameters stand encoded on the wire, and may be so in several spellings. */
static bool put_encoded_anew(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (c == '%' && i + 2 < s.len && hex_of(s.at[i + 1]) >= 0 && hex_of(s.at[i + 2]) >= 0) {
			c = (char)(hex_of(s.at[i + 1]) << 4 | hex_of(s.at[i + 2]));
			i += 2;
		}
		if (!put_encoded(out, (struct slice){ &c, 1 }))
			return false;
	}
	return true;
}

/* ---- path ------------------------------------------------------------------------- */

/* Drops the last segment of what was written behind `from`. */
static void drop_segment(struct buf *out, size_t from)
{
	while (buf_len(out) > from && out->bytes[out->end - 1] != '/')
		out->end--;
	if (buf_len(out) > from)
		out->end--;
}

/* Without empty, "." and ".." segments (RFC 3986, 5.2.4), and encoded. */
static bool put_path(struct buf *out, struct slice path)
{
	size_t from = buf_len(out);
	struct slice rest = path, segment;
	bool ends_in_slash = true;

	while (rest.len > 0) {
		if (!slice_cut(rest, '/', &segment, &rest)) {
			segment = rest;
			rest = SLICE_NONE;
		}
		if (slice_eq(segment, S("..")))
			drop_segment(out, from);
		ends_in_slash = segment.len == 0 || slice_eq(segment, S(".")) || slice_eq(segment, S(".."));
		if (ends_in_slash)
			continue;
		if (!buf_append(out, S("/")) || !put_encoded(out, segment))
			return false;
		ends_in_slash = rest.at != NULL && rest.len == 0;
	}
	return !ends_in_slash || buf_append(out, S("/"));
}

/* ---- query -------------------------------------------------------------------------- */

struct parameter { size_t from, equals, to; };    /* in the encoded text; `equals` is the '=' */

/* By name, then by value. */
static int compare_parameters(struct slice text, const struct parameter *a, const struct parameter *b)
{
	int order = slice_compare(slice_sub(text, a->from, a->equals), slice_sub(text, b->from, b->equals));

	return order ? order : slice_compare(slice_sub(text, a->equals, a->to),
					     slice_sub(text, b->equals, b->to));
}

static bool encode_parameter(struct buf *text, struct slice one, struct parameter *out)
{
	struct slice name = one, value = SLICE_NONE;

	slice_cut(one, '=', &name, &value);
	out->from = buf_len(text);
	if (!put_encoded_anew(text, name))
		return false;
	out->equals = buf_len(text);
	if (!buf_append(text, S("=")) || !put_encoded_anew(text, value))
		return false;
	out->to = buf_len(text);
	return true;
}

static bool put_query(struct buf *out, struct slice query)
{
	struct parameter list[SIGV4_QUERY_MAX];
	struct buf text = BUF_INIT(CANONICAL_BYTES_MAX);
	struct slice one;
	size_t count = 0;
	bool good = true;

	while (good && query.len > 0) {
		struct parameter p;
		size_t i;

		if (!slice_cut(query, '&', &one, &query)) {
			one = query;
			query = SLICE_NONE;
		}
		if (one.len == 0)
			continue;
		good = count < SIGV4_QUERY_MAX && encode_parameter(&text, one, &p);
		for (i = good ? count++ : 0; i > 0 && compare_parameters(buf_slice(&text), &p, &list[i - 1]) < 0; i--)
			list[i] = list[i - 1];
		if (good)
			list[i] = p;
	}
	for (size_t i = 0; good && i < count; i++)
		good = (i == 0 || buf_append(out, S("&"))) &&
		       buf_append(out, slice_sub(buf_slice(&text), list[i].from, list[i].to));
	buf_free(&text);
	return good;
}

/* ---- headers --------------------------------------------------------------------------- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int compare_names(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < len; i++)
		if (lower(a.at[i]) != lower(b.at[i]))
			return (unsigned char)lower(a.at[i]) < (unsigned char)lower(b.at[i]) ? -1 : 1;
	return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

/* Sorted by name; those of one name stay in their order. */
static size_t sort_headers(const struct sigv4_request *r, const struct sigv4_header *sorted[])
{
	for (size_t n = 0; n < r->header_count; n++) {
		size_t i = n;

		for (; i > 0 && compare_names(r->headers[n].name, sorted[i - 1]->name) < 0; i--)
			sorted[i] = sorted[i - 1];
		sorted[i] = &r->headers[n];
	}
	return r->header_count;
}

static bool put_lower(struct buf *out, struct slice s)
{
	char *to = buf_room(out, s.len);

	if (!to)
		return false;
	for (size_t i = 0; i < s.len; i++)
		to[i] = lower(s.at[i]);
	buf_added(out, s.len);
	return true;
}

/* Trimmed, and runs of space are one space. */
static bool put_value(struct buf *out, struct slice value)
{
	value = slice_trim(value);
	for (size_t i = 0; i < value.len; i++) {
		if (is_space(value.at[i]) && is_space(value.at[i - 1]))
			continue;
		if (!buf_append(out, is_space(value.at[i]) ? S(" ") : slice_sub(value, i, i + 1)))
			return false;
	}
	return true;
}

static bool put_headers(struct buf *out, const struct sigv4_header *sorted[], size_t count)
{
	bool good = true;

	for (size_t i = 0; good && i < count; i++) {
		if (i > 0 && compare_names(sorted[i]->name, sorted[i - 1]->name) == 0)
			good = buf_append(out, S(","));
		else
			good = (i == 0 || buf_append(out, S("\n"))) && put_lower(out, sorted[i]->name) &&
			       buf_append(out, S(":"));
		good = good && put_value(out, sorted[i]->value);
	}
	return good && (count == 0 || buf_append(out, S("\n")));
}

static bool put_names(struct buf *out, const struct sigv4_header *sorted[], size_t count)
{
	bool good = true;

	for (size_t i = 0; good && i < count; i++) {
		if (i > 0 && compare_names(sorted[i]->name, sorted[i - 1]->name) == 0)
			continue;
		good = (i == 0 || buf_append(out, S(";"))) && put_lower(out, sorted[i]->name);
	}
	return good;
}

/* ---- the signature --------------------------------------------------------------------------- */

bool sigv4_canonical(const struct sigv4_request *r, struct buf *out)
{
	const struct sigv4_header *sorted[SIGV4_HEADERS_MAX];
	size_t count;

	if (r->header_count > SIGV4_HEADERS_MAX)
		return false;
	count = sort_headers(r, sorted);
	return buf_append(out, r->method) && buf_append(out, S("\n")) && put_path(out, r->path) &&
	       buf_append(out, S("\n")) && put_query(out, r->query) && buf_append(out, S("\n")) &&
	       put_headers(out, sorted, count) && buf_append(out, S("\n")) &&
	       put_names(out, sorted, count) && buf_append(out, S("\n")) && buf_append(out, r->payload_hash);
}

/* "20150830", of the scope. */
static struct slice day_of(const struct sigv4_scope *scope)
{
	return slice_sub(scope->date, 0, scope->date.len < 8 ? scope->date.len : 8);
}

static bool put_scope(const struct sigv4_scope *scope, struct buf *out)
{
	return buf_append(out, day_of(scope)) && buf_append(out, S("/")) &&
	       buf_append(out, scope->region) && buf_append(out, S("/")) &&
	       buf_append(out, scope->service) && buf_append(out, S("/" SCOPE_END));
}

bool sigv4_to_sign(const struct sigv4_scope *scope, struct slice canonical, struct buf *out)
{
	uint8_t digest[DIGEST_SHA256_BYTES];
	char hex[SIGV4_HEX_BYTES];

	digest_sha256(canonical, digest);
	digest_to_hex(digest, hex);
	return buf_append(out, S(ALGORITHM "\n")) && buf_append(out, scope->date) &&
	       buf_append(out, S("\n")) && put_scope(scope, out) && buf_append(out, S("\n")) &&
	       buf_append(out, slice_of(hex));
}

void sigv4_sign(const struct sigv4_scope *scope, struct slice secret, struct slice to_sign,
		char out[static SIGV4_HEX_BYTES])
{
	const struct slice steps[] = { day_of(scope), scope->region, scope->service, S(SCOPE_END), to_sign };
	struct buf first = BUF_INIT(secret.len + 4);
	uint8_t key[DIGEST_SHA256_BYTES], next[DIGEST_SHA256_BYTES];

	buf_puts(&first, "AWS4");
	buf_put(&first, secret);
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		digest_hmac_sha256(i == 0 ? buf_slice(&first) : (struct slice){ (const char *)key, sizeof key },
				 steps[i], next);
		memcpy(key, next, sizeof key);
	}
	digest_to_hex(key, out);
	buf_free(&first);
}

bool sigv4_authorize(const struct sigv4_request *r, const struct sigv4_scope *scope,
		     const struct sigv4_key *key, struct buf *out)
{
	const struct sigv4_header *sorted[SIGV4_HEADERS_MAX];
	struct buf canonical = BUF_INIT(CANONICAL_BYTES_MAX), to_sign = BUF_INIT(4096);
	char signature[SIGV4_HEX_BYTES];
	bool good;

	good = sigv4_canonical(r, &canonical) && sigv4_to_sign(scope, buf_slice(&canonical), &to_sign);
	if (good) {
		sigv4_sign(scope, key->secret, buf_slice(&to_sign), signature);
		good = buf_append(out, S(ALGORITHM " Credential=")) && buf_append(out, key->account) &&
		       buf_append(out, S("/")) && put_scope(scope, out) &&
		       buf_append(out, S(", SignedHeaders=")) &&
		       put_names(out, sorted, sort_headers(r, sorted)) &&
		       buf_append(out, S(", Signature=")) && buf_append(out, slice_of(signature));
	}
	buf_free(&canonical);
	buf_free(&to_sign);
	return good;
}
