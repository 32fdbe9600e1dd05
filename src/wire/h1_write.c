/* Looking things up in parsed heads, and writing heads. */
#include "wire/h1.h"

#include "wire/scan.h"

uint64_t h1_name_bits(const struct slice *names, size_t count)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++)
		bits |= h1_name_bit(names[i]);
	return bits;
}

bool h1_is_among(struct slice name, const struct slice *names, size_t count, uint64_t bits)
{
	if (!(bits & h1_name_bit(name)))
		return false;
	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(name, names[i]))
			return true;
	return false;
}

struct slice h1_find(const struct h1_head *h, struct slice name)
{
	for (unsigned i = 0; i < h->header_count; i++)
		if (slice_eq_nocase(h->headers[i].name, name))
			return h->headers[i].value;
	return SLICE_NONE;
}

/* RFC 9110 7.6.1; the two of proxy authentication are meant for the next hop
 * only (11.7); Trailer goes since trailers are not passed on. */
static bool is_always_hop_by_hop(struct slice name)
{
	switch (name.len) {
	case 2:
		return slice_eq_nocase(name, S("TE"));
	case 7:
		return slice_eq_nocase(name, S("Trailer")) || slice_eq_nocase(name, S("Upgrade"));
	case 10:
		return slice_eq_nocase(name, S("Connection")) || slice_eq_nocase(name, S("Keep-Alive"));
	case 16:
		return slice_eq_nocase(name, S("Proxy-Connection"));
	case 17:
		return slice_eq_nocase(name, S("Transfer-Encoding"));
	case 18:
		return slice_eq_nocase(name, S("Proxy-Authenticate"));
	case 19:
		return slice_eq_nocase(name, S("Proxy-Authorization"));
	default:
		return false;
	}
}

/* Does a Connection header name it? */
static bool is_option_of_connection(const struct h1_head *h, struct slice name)
{
	for (unsigned i = 0; i < h->header_count; i++) {
		struct slice options = h->headers[i].value, option;

		if (!slice_eq_nocase(h->headers[i].name, S("Connection")))
			continue;
		while (slice_next_in_list(&options, &option))
			if (slice_eq_nocase(option, name))
				return true;
	}
	return false;
}

bool h1_is_hop_by_hop(const struct h1_head *h, struct slice name)
{
	return is_always_hop_by_hop(name) ||
	       ((h->names & h1_name_bit(S("Connection"))) && is_option_of_connection(h, name));
}

/* ---- writers ---------------------------------------------------------------- */

static bool breaks_line(struct slice s)
{
	/* Hardly any has a control character at all, which is found faster. */
	if (s.len == 0 || scan_control(s.at, s.at + s.len) == s.at + s.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '\r' || s.at[i] == '\n' || s.at[i] == '\0')
			return true;
	}
	return false;
}

/* Appends a line of these parts in one step; none may hold what would end it. What
 * was written is looked through, which is once for all parts. */
static void put_line(struct buf *b, const struct slice *parts, size_t count)
{
	size_t bytes = sizeof "\r\n" - 1;
	char *start, *at;

	for (size_t i = 0; i < count; i++)
		bytes += parts[i].len;
	at = start = buf_room(b, bytes);
	must(at != NULL);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len > 0)
			memcpy(at, parts[i].at, parts[i].len);
		at += parts[i].len;
	}
	must(!breaks_line((struct slice){ start, (size_t)(at - start) }));
	memcpy(at, "\r\n", 2);
	buf_added(b, bytes);
}

void h1_write_request_line(struct buf *b, struct slice method, struct slice target)
{
	const struct slice parts[] = { method, S(" "), target, S(" HTTP/1.1") };

	must(method.len > 0);
	must(target.len > 0);
	put_line(b, parts, COUNT_OF(parts));
}

void h1_write_status_line(struct buf *b, int status)
{
	char room[20];
	struct slice parts[] = { S("HTTP/1.1 "), SLICE_NONE, S(" "), SLICE_NONE };

	must(status >= 100);
	must(status <= 599);
	parts[1] = slice_of_u64((uint64_t)status, room);
	parts[3] = slice_of(h1_reason(status));
	put_line(b, parts, COUNT_OF(parts));
}

void h1_write_header(struct buf *b, struct slice name, struct slice value)
{
	const struct slice parts[] = { name, S(": "), value };

	must(name.len > 0);
	put_line(b, parts, COUNT_OF(parts));
}

void h1_write_header_u64(struct buf *b, struct slice name, uint64_t value)
{
	char room[20];

	h1_write_header(b, name, slice_of_u64(value, room));
}

void h1_write_head_end(struct buf *b)
{
	buf_puts(b, "\r\n");
}

/* RFC 9110 15, RFC 6585, RFC 7725, RFC 8297, RFC 8470. */
static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 100, "Continue" }, { 101, "Switching Protocols" }, { 102, "Processing" },
	{ 103, "Early Hints" },
	{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
	{ 203, "Non-Authoritative Information" }, { 204, "No Content" },
	{ 205, "Reset Content" }, { 206, "Partial Content" },
	{ 300, "Multiple Choices" }, { 301, "Moved Permanently" }, { 302, "Found" },
	{ 303, "See Other" }, { 304, "Not Modified" }, { 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 402, "Payment Required" },
	{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" }, { 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" },
	{ 411, "Length Required" }, { 412, "Precondition Failed" },
	{ 413, "Content Too Large" }, { 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" }, { 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" }, { 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" }, { 425, "Too Early" }, { 426, "Upgrade Required" },
	{ 428, "Precondition Required" }, { 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 451, "Unavailable For Legal Reasons" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 502, "Bad Gateway" },
	{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" }, { 511, "Network Authentication Required" },
};

const char *h1_reason(int status)
{
	for (size_t i = 0; i < COUNT_OF(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "";
}
