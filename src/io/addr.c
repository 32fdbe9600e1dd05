/* Address text. No socket is touched here, so the simulator links this too. */
#include "io/io.h"
#include "base/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Digits only, 0 .. 65535. */
static bool parse_port(struct slice text, uint16_t *port)
{
	uint64_t value;

	if (text.len > 5 || !slice_to_u64(text, &value) || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool parse_bytes(struct slice text, int af, uint8_t *bytes)
{
	char z[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof z || memchr(text.at, 0, text.len))
		return false;
	memcpy(z, text.at, text.len);
	z[text.len] = 0;
	return inet_pton(af, z, bytes) == 1;
}

static bool parse_unix(struct slice path, struct io_addr *out)
{
	if (path.len == 0 || path.len >= sizeof out->path || memchr(path.at, 0, path.len))
		return false;
	*out = (struct io_addr){ .family = IO_UNIX };
	memcpy(out->path, path.at, path.len);
	return true;
}

bool io_addr_parse(struct slice text, struct io_addr *out)
{
	struct io_addr a = { .family = IO_IPV4 };
	struct slice host, port;
	size_t end;

	if (slice_starts(text, S("unix:")))
		return parse_unix(slice_from(text, 5), out);
	if (slice_starts(text, S("["))) {
		end = slice_find(text, ']');
		if (end == SLICE_NOT_FOUND || end + 1 >= text.len || text.at[end + 1] != ':')
			return false;
		a.family = IO_IPV6;
		host = slice_sub(text, 1, end);
		port = slice_from(text, end + 2);
	} else if (!slice_cut(text, ':', &host, &port)) {
		return false;
	}
	if (!parse_port(port, &a.port))
		return false;
	if (!parse_bytes(host, a.family == IO_IPV6 ? AF_INET6 : AF_INET, a.bytes))
		return false;
	*out = a;
	return true;
}

/* Decimal digits; the place behind them. */
static char *put_decimal(char *to, unsigned value)
{
	char digits[10], *at = digits + sizeof digits;
	size_t len;

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	len = (size_t)(digits + sizeof digits - at);
	memcpy(to, at, len);
	return to + len;
}

/* By hand: it is asked for twice with every request. */
static void ipv4_text(const struct io_addr *a, char *out)
{
	for (int i = 0; i < 4; i++) {
		out = put_decimal(out, a->bytes[i]);
		*out++ = i < 3 ? '.' : ':';
	}
	*put_decimal(out, a->port) = '\0';
}

const char *io_addr_text(const struct io_addr *a, char *out)
{
	char ip[INET6_ADDRSTRLEN] = "?";

	switch (a->family) {
	case IO_UNIX:
		snprintf(out, IO_ADDR_TEXT_MAX, "unix:%s", a->path);
		return out;
	case IO_IPV4:
		ipv4_text(a, out);
		return out;
	case IO_IPV6:
		inet_ntop(AF_INET6, a->bytes, ip, sizeof ip);
		snprintf(out, IO_ADDR_TEXT_MAX, "[%s]:%u", ip, (unsigned)a->port);
		return out;
	}
	never("an address of no family");
}

size_t io_addr_bytes(const struct io_addr *a)
{
	size_t path = a->family == IO_UNIX ? strnlen(a->path, sizeof a->path - 1) + 1 : 0;

	return offsetof(struct io_addr, path) + path;
}

struct io_addr io_addr_from(const void *bytes, size_t count)
{
	struct io_addr a = { .path = "" };

	must(count <= sizeof a);
	memcpy(&a, bytes, count);
	return a;
}

bool io_addr_eq(const struct io_addr *a, const struct io_addr *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == IO_UNIX)
		return strcmp(a->path, b->path) == 0;
	return a->port == b->port && memcmp(a->bytes, b->bytes, a->family == IO_IPV4 ? 4 : 16) == 0;
}

bool io_addr_is_loopback(const struct io_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	switch (a->family) {
	case IO_UNIX:
		return true;
	case IO_IPV4:
		return a->bytes[0] == 127;
	case IO_IPV6:
		if (memcmp(a->bytes, mapped, sizeof mapped) == 0)
			return a->bytes[12] == 127;
		return memcmp(a->bytes, one, sizeof one) == 0;
	}
	never("an address of no family");
}
