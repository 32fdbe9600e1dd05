/* Parsing of heads. See h1.h for what is promised.
 *
 * Two passes: find_end() looks for the empty line and stops at any LF without
 * its CR, so that a head never ends in two places; only a head that is all
 * there is taken apart. The result is that of the first offence in this order,
 * whatever pieces the head came in: first byte, newlines and size, then line
 * by line, then what the headers say together. */
#include "wire/h1.h"

#include "wire/scan.h"

#define METHOD_BYTES_MAX 32
#define EMPTY_LINES_MAX 2
/* An honest length fits a signed 64-bit number; 19 digits cannot overflow. */
#define LENGTH_DIGITS_MAX 19

#define AS_ROW(name, http, sentence) [H1_##name] = { http, sentence },
static const struct {
	int status;
	const char *text;
} results[H1_RESULT_COUNT] = { H1_RESULTS(AS_ROW) };
#undef AS_ROW

int h1_result_status(enum h1_result r)
{
	must(r < H1_RESULT_COUNT);
	return results[r].status;
}

const char *h1_result_text(enum h1_result r)
{
	must(r < H1_RESULT_COUNT);
	return results[r].text;
}

/* What a byte may be part of: tokens (RFC 9110 5.6.2), request targets (RFC
 * 3986 without '#'), host names, IP addresses in brackets. */
enum { IN_TOKEN = 1, IN_TARGET = 2, IN_HOST = 4, IN_ADDRESS = 8 };
static const uint8_t classes[256] = {
	 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* 0x00 */
	 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* 0x10 */
	 0,  3,  0,  1,  3,  3,  3,  3,  2,  2,  3,  3,  2,  7, 15,  2,  /* 0x20 */
	15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 10,  2,  0,  2,  0,  2,  /* 0x30 */
	 2, 15, 15, 15, 15, 15, 15,  7,  7,  7,  7,  7,  7,  7,  7,  7,  /* 0x40 */
	 7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  2,  0,  2,  1,  7,  /* 0x50 */
	 1, 15, 15, 15, 15, 15, 15,  7,  7,  7,  7,  7,  7,  7,  7,  7,  /* 0x60 */
	 7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  0,  1,  0,  3,  0,  /* 0x70 */
};

static bool is_in(char c, unsigned class)
{
	return classes[(unsigned char)c] & class;
}

/* The part of a head that is still to be parsed. It always ends in CR LF CR
 * LF, so a loop over bytes that stops at CR needs no other end. */
struct rest {
	const char *at, *end;
};

/* What the headers have said so far. */
struct seen {
	bool is_request;
	bool length, encoding, host;
	bool close, keep_alive;
	uint64_t length_value;
	struct slice host_value;
	struct slice authority;       /* of a target in absolute form */
};

/* What to say of an unexpected byte: a CR that ends no line is a matter of its
 * own, as it is how two parsers are made to see different lines. */
static enum h1_result refuse(const char *at, enum h1_result otherwise)
{
	return at[0] == '\r' && at[1] != '\n' ? H1_BAD_NEWLINE : otherwise;
}

/* Finds the empty line that ends the head which starts at `start`. On H1_OK
 * *end is the offset behind it. */
static enum h1_result find_end(struct slice in, size_t start, size_t max_bytes, size_t *scanned,
			       size_t *end)
{
	size_t limit = in.len < max_bytes ? in.len : max_bytes;
	size_t from = *scanned > start ? *scanned : start;

	while (from < limit) {
		const char *lf = memchr(in.at + from, '\n', limit - from);
		size_t at;

		if (!lf)
			break;
		at = (size_t)(lf - in.at);
		if (at == start || in.at[at - 1] != '\r')
			return H1_BAD_NEWLINE;
		from = at + 1;
		if (at == start + 1 || in.at[at - 2] == '\n') {
			*end = from;
			return H1_OK;
		}
	}
	*scanned = limit;
	return in.len >= max_bytes ? H1_TOO_LARGE : H1_MORE;
}

/* ---- first lines ----------------------------------------------------------- */

static bool port_ok(struct slice port)
{
	uint64_t number;

	return port.len <= 5 && slice_to_u64(port, &number) && number <= UINT16_MAX;
}

/* RFC 3986 host [":" port], without what no real host name holds: an empty
 * name, percent-encoding, sub-delims (a comma hides a second host). */
static bool host_ok(struct slice host)
{
	const char *at = host.at, *end = host.at + host.len;

	if (host.len > 0 && *at == '[') {
		const char *from = ++at;

		while (at < end && is_in(*at, IN_ADDRESS))
			at++;
		if (at - from < 2 || at == end || *at != ']')
			return false;
		at++;
	} else {
		while (at < end && is_in(*at, IN_HOST))
			at++;
		if (at == host.at)
			return false;
	}
	if (at == end)
		return true;
	return *at == ':' && port_ok((struct slice){ at + 1, (size_t)(end - at - 1) });
}

/* http://authority[/path][?query] */
static bool absolute_target_ok(struct slice target, struct slice *authority)
{
	size_t scheme = slice_starts_nocase(target, S("http://"))  ? 7 :
			slice_starts_nocase(target, S("https://")) ? 8 :
								     0;
	size_t end = scheme;

	if (scheme == 0)
		return false;
	while (end < target.len && target.at[end] != '/' && target.at[end] != '?')
		end++;
	*authority = slice_sub(target, scheme, end);
	return host_ok(*authority);
}

static bool target_ok(const struct h1_head *h, struct slice *authority)
{
	if (slice_eq(h->method, S("CONNECT")))
		return false;
	if (h->target.at[0] == '/')
		return true;
	if (slice_eq(h->target, S("*")))
		return slice_eq(h->method, S("OPTIONS"));
	return absolute_target_ok(h->target, authority);
}

/* "HTTP/d.d" and CR LF. */
static enum h1_result parse_version(struct rest *r, struct h1_head *h)
{
	const char *at = r->at;

	if (r->end - at < 10 || memcmp(at, "HTTP/", 5) != 0 || at[6] != '.')
		return H1_BAD_LINE;
	if (at[5] < '0' || at[5] > '9' || at[7] < '0' || at[7] > '9')
		return H1_BAD_LINE;
	if (at[8] != '\r' || at[9] != '\n')
		return refuse(at + 8, H1_BAD_LINE);
	if (at[5] != '1' || at[7] > '1')
		return H1_BAD_VERSION;
	h->minor = (unsigned)(at[7] - '0');
	r->at = at + 10;
	return H1_OK;
}

/* method SP target SP version CR LF, with exactly these spaces. */
static enum h1_result parse_request_line(struct rest *r, struct h1_head *h, struct seen *seen)
{
	const char *from = r->at, *at = from;

	while (is_in(*at, IN_TOKEN))
		at++;
	h->method = (struct slice){ from, (size_t)(at - from) };
	if (h->method.len == 0 || h->method.len > METHOD_BYTES_MAX || *at != ' ')
		return refuse(at, *at == '\r' ? H1_BAD_LINE : H1_BAD_METHOD);
	from = ++at;
	while (is_in(*at, IN_TARGET))
		at++;
	h->target = (struct slice){ from, (size_t)(at - from) };
	if (h->target.len == 0 || *at != ' ')
		return refuse(at, *at == '\r' ? H1_BAD_LINE : H1_BAD_TARGET);
	if (!target_ok(h, &seen->authority))
		return H1_BAD_TARGET;
	r->at = at + 1;
	return parse_version(r, h);
}

/* HTTP/1.x SP 3DIGIT [SP reason] CR LF */
static enum h1_result parse_status_line(struct rest *r, struct h1_head *h)
{
	const char *at = r->at, *reason;
	int status = 0;

	if (r->end - at < 14 || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1'))
		return H1_BAD_STATUS;
	h->minor = (unsigned)(at[7] - '0');
	if (at[8] != ' ')
		return refuse(at + 8, H1_BAD_STATUS);
	for (at += 9; at < r->at + 12; at++) {
		if (*at < '0' || *at > '9')
			return refuse(at, H1_BAD_STATUS);
		status = status * 10 + (*at - '0');
	}
	if (status < 100 || status > 599 || (*at != ' ' && *at != '\r'))
		return H1_BAD_STATUS;
	h->status = status;
	reason = *at == ' ' ? ++at : at;
	at = scan_control(at, r->end);
	if (at[0] != '\r' || at[1] != '\n')
		return refuse(at, H1_BAD_STATUS);
	h->reason = (struct slice){ reason, (size_t)(at - reason) };
	r->at = at + 2;
	return H1_OK;
}

/* ---- headers ---------------------------------------------------------------- */

static enum h1_result note_length(struct slice value, struct seen *seen)
{
	if (seen->length || value.len > LENGTH_DIGITS_MAX)
		return H1_BAD_LENGTH;
	seen->length = true;
	if (!slice_to_u64(value, &seen->length_value) || seen->length_value > INT64_MAX)
		return H1_BAD_LENGTH;
	return H1_OK;
}

/* On HTTP/1.0 the coding does not exist; who sends it anyway counts on somebody
 * believing it (RFC 9112 6.1). */
static enum h1_result note_encoding(const struct h1_head *h, struct slice value, struct seen *seen)
{
	if (seen->encoding || h->minor == 0 || !slice_eq_nocase(value, S("chunked")))
		return H1_BAD_ENCODING;
	seen->encoding = true;
	return H1_OK;
}

static enum h1_result note_host(struct slice value, struct seen *seen)
{
	if (seen->host || !host_ok(value))
		return H1_BAD_HOST;
	seen->host = true;
	seen->host_value = value;
	return H1_OK;
}

static void note_connection(struct slice value, struct seen *seen)
{
	struct slice option;

	while (slice_next_in_list(&value, &option)) {
		if (slice_eq_nocase(option, S("close")))
			seen->close = true;
		else if (slice_eq_nocase(option, S("keep-alive")))
			seen->keep_alive = true;
	}
}

/* An expectation on HTTP/1.0 is to be ignored (RFC 9110 10.1.1). */
static enum h1_result note_expect(struct h1_head *h, struct slice value)
{
	if (!slice_eq_nocase(value, S("100-continue")))
		return H1_BAD_EXPECT;
	h->expect_continue = h->minor >= 1;
	return H1_OK;
}

/* Picks out the headers that decide the framing. Their lengths all differ. */
static enum h1_result note_header(struct h1_head *h, struct slice name, struct slice value,
				  struct seen *seen)
{
	switch (name.len) {
	case 4:
		if (seen->is_request && slice_eq_nocase(name, S("Host")))
			return note_host(value, seen);
		break;
	case 6:
		if (seen->is_request && slice_eq_nocase(name, S("Expect")))
			return note_expect(h, value);
		break;
	case 10:
		if (slice_eq_nocase(name, S("Connection")))
			note_connection(value, seen);
		break;
	case 14:
		if (slice_eq_nocase(name, S("Content-Length")))
			return note_length(value, seen);
		break;
	case 17:
		if (slice_eq_nocase(name, S("Transfer-Encoding")))
			return note_encoding(h, value, seen);
		break;
	default:
		break;
	}
	return H1_OK;
}

/* One line: token ":" OWS value OWS CR LF (RFC 9112 5). */
static enum h1_result parse_header(struct rest *r, struct h1_header *out)
{
	const char *from = r->at, *at = from, *last;

	if (*at == ' ' || *at == '\t')
		return H1_FOLDED;
	while (is_in(*at, IN_TOKEN))
		at++;
	if (at == from || *at != ':')
		return refuse(at, H1_BAD_HEADER);
	out->name = (struct slice){ from, (size_t)(at - from) };
	at++;
	while (*at == ' ' || *at == '\t')
		at++;
	from = at;
	at = scan_control(at, r->end);
	if (at[0] != '\r' || at[1] != '\n')
		return refuse(at, H1_BAD_HEADER);
	last = at;
	while (last > from && (last[-1] == ' ' || last[-1] == '\t'))
		last--;
	out->value = (struct slice){ from, (size_t)(last - from) };
	r->at = at + 2;
	return H1_OK;
}

static enum h1_result parse_headers(struct rest *r, struct h1_head *h, struct seen *seen)
{
	while (r->end - r->at > 2) {
		struct h1_header *header = &h->headers[h->header_count];
		enum h1_result why;

		if (h->header_count == H1_HEADERS_MAX)
			return H1_TOO_MANY;
		why = parse_header(r, header);
		if (why == H1_OK)
			why = note_header(h, header->name, header->value, seen);
		if (why != H1_OK)
			return why;
		h->names |= h1_name_bit(header->name);
		h->header_count++;
	}
	return H1_OK;
}

/* ---- what it all means ------------------------------------------------------ */

static bool keeps_alive(const struct h1_head *h, const struct seen *seen)
{
	return !seen->close && (h->minor >= 1 || seen->keep_alive);
}

static enum h1_result conclude_request(struct h1_head *h, const struct seen *seen)
{
	if (!seen->host && h->minor >= 1)
		return H1_BAD_HOST;
	/* RFC 9112 3.2.2 lets the target win; two hosts in one request are refused. */
	if (seen->host && seen->authority.at && !slice_eq_nocase(seen->host_value, seen->authority))
		return H1_BAD_HOST;
	if (seen->length && seen->encoding)
		return H1_LENGTH_AND_ENCODING;
	h->keep_alive = keeps_alive(h, seen);
	if (seen->encoding) {
		h->body = H1_BODY_CHUNKED;
	} else if (seen->length) {
		h->body = H1_BODY_LENGTH;
		h->content_length = seen->length_value;
	}
	return H1_OK;
}

/* RFC 9112 6.3 */
static enum h1_result conclude_response(struct h1_head *h, bool to_head_request,
					const struct seen *seen)
{
	if (seen->length && seen->encoding)
		return H1_LENGTH_AND_ENCODING;
	h->keep_alive = keeps_alive(h, seen);
	if (h->status < 200 || h->status == 204) {
		/* A server that frames what cannot be there may well send it. */
		if (seen->encoding || (seen->length && seen->length_value > 0))
			h->keep_alive = false;
	} else if (h->status == 304 || to_head_request) {
		/* Framing headers tell what a GET would have brought. */
	} else if (seen->encoding) {
		h->body = H1_BODY_CHUNKED;
	} else if (seen->length) {
		h->body = H1_BODY_LENGTH;
		h->content_length = seen->length_value;
	} else {
		h->body = H1_BODY_UNTIL_CLOSE;
		h->keep_alive = false;
	}
	return H1_OK;
}

/* All but the table of headers, which is 4 KiB that need no clearing. */
static void head_clear(struct h1_head *h)
{
	h->method = h->target = h->reason = SLICE_NONE;
	h->status = 0;
	h->minor = 0;
	h->header_count = 0;
	h->names = 0;
	h->body = H1_BODY_NONE;
	h->content_length = 0;
	h->keep_alive = h->expect_continue = false;
	h->bytes = 0;
}

enum h1_result h1_parse_request(struct slice in, size_t max_bytes, size_t *scanned,
				struct h1_head *out)
{
	struct seen seen = { .is_request = true };
	struct rest rest;
	enum h1_result why;
	size_t start = 0;

	head_clear(out);
	for (unsigned i = 0; i < EMPTY_LINES_MAX; i++) {
		if (in.len >= start + 2 && memcmp(in.at + start, "\r\n", 2) == 0)
			start += 2;
	}
	/* Junk (a TLS hello, say) is told at its first byte, not after a timeout. */
	if (in.len > start && !is_in(in.at[start], IN_TOKEN) && in.at[start] != '\r')
		return in.at[start] == '\n' ? H1_BAD_NEWLINE : H1_BAD_METHOD;
	why = find_end(in, start, max_bytes, scanned, &out->bytes);
	if (why != H1_OK)
		return why;
	rest = (struct rest){ in.at + start, in.at + out->bytes };
	if (rest.end - rest.at < 4)
		return H1_BAD_LINE;
	why = parse_request_line(&rest, out, &seen);
	if (why == H1_OK)
		why = parse_headers(&rest, out, &seen);
	if (why == H1_OK)
		why = conclude_request(out, &seen);
	return why;
}

enum h1_result h1_parse_response(struct slice in, size_t max_bytes, size_t *scanned,
				 bool to_head_request, struct h1_head *out)
{
	static const char start[] = "HTTP/1.";
	struct seen seen = { .is_request = false };
	size_t known = in.len < sizeof start - 1 ? in.len : sizeof start - 1;
	struct rest rest;
	enum h1_result why;

	head_clear(out);
	/* Junk (a banner, HTTP/0.9, a TLS alert) is told at once, not after a timeout. */
	if (known > 0 && memcmp(in.at, start, known) != 0)
		return H1_BAD_STATUS;
	why = find_end(in, 0, max_bytes, scanned, &out->bytes);
	if (why != H1_OK)
		return why;
	rest = (struct rest){ in.at, in.at + out->bytes };
	why = parse_status_line(&rest, out);
	if (why == H1_OK)
		why = parse_headers(&rest, out, &seen);
	if (why == H1_OK)
		why = conclude_response(out, to_head_request, &seen);
	return why;
}
