/* url.c: URLs of backends, taken apart strictly: whoever writes one in a
 * config learns what is wrong with it, and nothing is guessed. */
#include "wire/url.h"

#include <string.h>

#define HOST_MAX  253                 /* RFC 1035 2.3.4, as text without the root dot */
#define LABEL_MAX 63

/* ---- bytes ------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* May stand in a path or query: printable ASCII without those that RFC 3986
 * leaves out ("#<>\^`{|} and space). [ and ] are let through, since "include[]=x"
 * is common. A bit for each byte below 128. */
static bool is_target_byte(char c)
{
	static const uint64_t bits[2] = { UINT64_C(0xaffffff200000000), UINT64_C(0x47fffffeafffffff) };
	unsigned char u = (unsigned char)c;

	return u < 128 && (bits[u >> 6] >> (u & 63) & 1);
}

static bool are_target_bytes(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_target_byte(s.at[i]))
			return false;
	}
	return true;
}

/* Each % with two hex digits behind it. */
static bool percents_are_good(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] != '%')
			continue;
		if (s.len - i < 3 || hex_value(s.at[i + 1]) < 0 || hex_value(s.at[i + 2]) < 0)
			return false;
	}
	return true;
}

static bool refuse(const char **why, const char *sentence)
{
	if (why)
		*why = sentence;
	return false;
}

/* ---- host --------------------------------------------------------------------- */

/* Four decimal numbers up to 255, no leading zeros (which some read as octal). */
static bool is_ipv4(struct slice s)
{
	for (int i = 0; i < 4; i++) {
		struct slice part, tail = SLICE_NONE;
		uint64_t value;

		if (slice_cut(s, '.', &part, &tail) != (i < 3))
			return false;
		if (i == 3)
			part = s;
		if (part.len > 3 || !slice_to_u64(part, &value) || value > 255)
			return false;
		if (part.len > 1 && part.at[0] == '0')
			return false;
		s = tail;
	}
	return true;
}

/* RFC 4291 2.2, without a zone. */
static bool is_ipv6(struct slice s)
{
	size_t groups = 0, i = 0;
	bool gap = false;

	if (slice_starts(s, S("::"))) {
		gap = true;
		i = 2;
	}
	while (i < s.len) {
		size_t start = i;

		while (i < s.len && i - start < 5 && hex_value(s.at[i]) >= 0)
			i++;
		if (i < s.len && s.at[i] == '.') {
			groups += 2;
			return is_ipv4(slice_from(s, start)) && (gap ? groups <= 7 : groups == 8);
		}
		if (i == start || i - start > 4 || ++groups > 8)
			return false;
		if (i == s.len)
			break;
		if (s.at[i++] != ':' || i == s.len)
			return false;
		if (s.at[i] == ':') {
			if (gap)
				return false;
			gap = true;
			i++;
		}
	}
	return gap ? groups <= 7 : groups == 8;
}

static bool is_name_byte(char c)
{
	return is_letter(c) || is_digit(c) || c == '-' || c == '_';
}

/* A name of labels, or an IPv4 address. One dot at the end is fine (the root). */
static bool check_name(struct slice host, const char **why)
{
	struct slice label, rest = host;
	bool more = true, digits = false;

	if (host.len > 1 && host.at[host.len - 1] == '.')
		rest = slice_sub(host, 0, host.len - 1);
	if (rest.len > HOST_MAX)
		return refuse(why, "the host name is longer than 253 characters");
	while (more) {
		more = slice_cut(rest, '.', &label, &rest);
		if (!more)
			label = rest;
		if (label.len == 0)
			return refuse(why, "the host name has an empty part; remove the extra dot");
		if (label.len > LABEL_MAX)
			return refuse(why, "a part of the host name is longer than 63 characters");
		digits = true;
		for (size_t i = 0; i < label.len; i++) {
			if ((unsigned char)label.at[i] >= 0x80)
				return refuse(why, "write the host name in its ASCII form "
						   "(it begins with xn--)");
			if (!is_name_byte(label.at[i]))
				return refuse(why, "the host may hold only letters, digits, "
						   "'-', '_' and '.'");
			digits = digits && is_digit(label.at[i]);
		}
	}
	if (digits && !is_ipv4(host))
		return refuse(why, "this is not an IPv4 address; write four numbers up to 255, "
				   "such as 10.0.0.7");
	return true;
}

static bool parse_port(struct slice s, struct url *out, const char **why)
{
	uint64_t port;

	if (s.len == 0)
		return refuse(why, "the port is missing; write it behind the ':' or remove "
				   "the ':'");
	if (s.len > 5 || s.at[0] == '0' || !slice_to_u64(s, &port) || port > UINT16_MAX)
		return refuse(why, "the port must be a number from 1 to 65535");
	out->port = (uint16_t)port;
	out->port_given = true;
	return true;
}

/* "host[:port]" or "[ipv6][:port]". */
static bool parse_authority(struct slice s, struct url *out, const char **why)
{
	struct slice host = s, port = SLICE_NONE;
	bool has_port;

	if (slice_find(s, '@') != SLICE_NOT_FOUND)
		return refuse(why, "put the key into `key:`, not into the URL");
	if (s.len > 0 && s.at[0] == '[') {
		struct slice tail;

		if (!slice_cut(slice_from(s, 1), ']', &host, &tail))
			return refuse(why, "the ']' behind the IPv6 address is missing");
		if (slice_find(host, '%') != SLICE_NOT_FOUND)
			return refuse(why, "remove the zone (from '%' on) from the IPv6 address");
		if (!is_ipv6(host))
			return refuse(why, "what stands in [ ] is not an IPv6 address");
		has_port = tail.len > 0;
		if (has_port && tail.at[0] != ':')
			return refuse(why, "only a port or a path may follow the ']'");
		if (has_port)
			port = slice_from(tail, 1);
		out->host_is_ipv6 = true;
	} else {
		has_port = slice_cut(s, ':', &host, &port);
		if (has_port && slice_find(port, ':') != SLICE_NOT_FOUND)
			return refuse(why, "put an IPv6 address into brackets: http://[::1]:8080");
		if (host.len == 0)
			return refuse(why, "the host is missing behind the ://");
		if (!check_name(host, why))
			return false;
	}
	out->host = host;
	return !has_port || parse_port(port, out, why);
}

/* ---- url ------------------------------------------------------------------------ */

static bool parse_scheme(struct slice *rest, bool *tls, const char **why)
{
	size_t at;

	if (rest->len == 0)
		return refuse(why, "the URL is empty; write one such as "
				   "https://api.example.com/v1");
	if (slice_starts_nocase(*rest, S("https://"))) {
		*tls = true;
		*rest = slice_from(*rest, 8);
		return true;
	}
	if (slice_starts_nocase(*rest, S("http://"))) {
		*tls = false;
		*rest = slice_from(*rest, 7);
		return true;
	}
	for (at = 0; at < rest->len && is_letter(rest->at[at]); at++)
		;
	if (at > 0 && slice_starts(slice_from(*rest, at), S("://")))
		return refuse(why, "only http and https are spoken here; "
				   "start it with https:// or http://");
	return refuse(why, "start it with https:// or http://");
}

static bool parse_path(struct slice s, struct url *out, const char **why)
{
	struct slice path = s, query = SLICE_NONE;

	if (slice_find(s, '#') != SLICE_NOT_FOUND)
		return refuse(why, "remove the '#' and what follows it; servers never see "
				   "that part");
	if (!are_target_bytes(s))
		return refuse(why, "the path holds a space or another character that must be "
				   "percent-encoded");
	if (!percents_are_good(s))
		return refuse(why, "two hex digits must follow each '%'");
	slice_cut(s, '?', &path, &query);
	while (path.len > 0 && path.at[path.len - 1] == '/')
		path.len--;
	out->path = path;
	out->query = query;
	return true;
}

bool url_parse(struct slice text, struct url *out, const char **why)
{
	struct url url = { .path = SLICE_NONE };
	struct slice rest = text;
	size_t end;

	if (!parse_scheme(&rest, &url.tls, why))
		return false;
	url.port = url.tls ? 443 : 80;
	for (end = 0; end < rest.len && !memchr("/?#", rest.at[end], 3); end++)
		;
	if (!parse_authority(slice_sub(rest, 0, end), &url, why))
		return false;
	if (!parse_path(slice_from(rest, end), &url, why))
		return false;
	*out = url;
	return true;
}

bool url_split_target(struct slice target, struct slice *path, struct slice *query)
{
	struct slice before = target, after = SLICE_NONE;

	if (target.len == 0 || target.at[0] != '/' || !are_target_bytes(target))
		return false;
	slice_cut(target, '?', &before, &after);
	*path = before;
	*query = after;
	return true;
}

/* ---- values ---------------------------------------------------------------------- */

struct slice url_decode(struct arena *arena, struct slice s)
{
	char *text, *to;

	if (s.len == 0)
		return S("");
	if (!percents_are_good(s))
		return SLICE_NONE;
	if (slice_find(s, '%') == SLICE_NOT_FOUND)
		return s;
	to = text = arena_alloc(arena, s.len);
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '%') {
			*to++ = (char)(hex_value(s.at[i + 1]) << 4 | hex_value(s.at[i + 2]));
			i += 2;
		} else {
			*to++ = s.at[i];
		}
	}
	return (struct slice){ text, (size_t)(to - text) };
}

/* Compares `encoded`, decoded, with `text`; false where it is malformed. */
static bool decodes_to(struct slice encoded, struct slice text)
{
	size_t i = 0;

	if (!percents_are_good(encoded))
		return false;
	for (size_t seen = 0; seen < text.len; seen++) {
		char c;

		if (i == encoded.len)
			return false;
		c = encoded.at[i++];
		if (c == '%') {
			c = (char)(hex_value(encoded.at[i]) << 4 | hex_value(encoded.at[i + 1]));
			i += 2;
		}
		if (c != text.at[seen])
			return false;
	}
	return i == encoded.len;
}

struct slice url_query_get(struct arena *arena, struct slice query, struct slice name)
{
	while (query.len > 0) {
		struct slice pair = query, key, value = SLICE_NONE;

		if (!slice_cut(query, '&', &pair, &query))
			query = SLICE_NONE;
		key = pair;
		slice_cut(pair, '=', &key, &value);
		if (decodes_to(key, name))
			return url_decode(arena, value);
	}
	return SLICE_NONE;
}

struct slice url_authority(struct arena *arena, const struct url *u)
{
	const char *open = u->host_is_ipv6 ? "[" : "", *close = u->host_is_ipv6 ? "]" : "";

	if (u->port == (u->tls ? 443 : 80))
		return arena_printf(arena, "%s%.*s%s", open, SLICE_ARG(u->host), close);
	return arena_printf(arena, "%s%.*s%s:%u", open, SLICE_ARG(u->host), close,
			    (unsigned)u->port);
}

struct slice url_encode(struct arena *arena, struct slice name)
{
	static const char digits[] = "0123456789ABCDEF";
	char *text = arena_alloc(arena, 3 * name.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
		    c == '.' || c == '_' || c == '~') {
			text[len++] = name.at[i];
			continue;
		}
		text[len++] = '%';
		text[len++] = digits[c >> 4];
		text[len++] = digits[c & 15];
	}
	return (struct slice){ text, len };
}
