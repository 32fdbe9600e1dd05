/* proxy.c: which forward proxy, if any, leads to a backend. */
#include "config/inside.h"

#include "wire/url.h"

#include <string.h>

struct slice lower_copy(struct arena *arena, struct slice s)
{
	struct slice out = arena_copy(arena, s);
	char *bytes = (char *)(uintptr_t)out.at;

	for (size_t i = 0; i < out.len; i++)
		if (bytes[i] >= 'A' && bytes[i] <= 'Z')
			bytes[i] = (char)(bytes[i] + ('a' - 'A'));
	return out;
}

/* The address, if `host` (without brackets) is a literal one. */
static bool literal(struct slice host, struct io_addr *out)
{
	char text[80];
	size_t len = 0;
	bool v6 = slice_find(host, ':') != SLICE_NOT_FOUND;

	if (host.len > 64)
		return false;
	if (v6)
		text[len++] = '[';
	if (host.len)
		memcpy(text + len, host.at, host.len);
	len += host.len;
	if (v6)
		text[len++] = ']';
	memcpy(text + len, ":0", 2);
	len += 2;
	return io_addr_parse((struct slice){ text, len }, out) && out->family != IO_UNIX;
}

bool host_is_loopback(struct slice host)
{
	struct io_addr addr;

	if (slice_eq_nocase(host, S("localhost")) || slice_eq_nocase(host, S("localhost.")))
		return true;
	return literal(host, &addr) && io_addr_is_loopback(&addr);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, uint64_t bits)
{
	size_t bytes = (size_t)(bits / 8);
	unsigned rest = (unsigned)(bits % 8);

	if (memcmp(a, b, bytes) != 0)
		return false;
	return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

/* "10.0.0.0/8" and such. */
static bool in_network(struct slice network, struct slice host)
{
	struct slice base, bits_text;
	struct io_addr a, b;
	uint64_t bits;

	if (!slice_cut(network, '/', &base, &bits_text) || !slice_to_u64(bits_text, &bits))
		return false;
	if (!literal(base, &a) || !literal(host, &b) || a.family != b.family)
		return false;
	return bits <= (a.family == IO_IPV4 ? 32u : 128u) && same_bits(a.bytes, b.bytes, bits);
}

/* One element of NO_PROXY: a name covers itself and all below it. */
static bool exempts(struct slice rule, struct slice host, uint16_t port)
{
	size_t colon = slice_find(rule, ':');
	uint64_t only_port;

	if (slice_eq(rule, S("*")))
		return true;
	if (in_network(rule, host))
		return true;
	if (rule.len > 2 && rule.at[0] == '[') {          /* [::1] and [::1]:80 */
		size_t end = slice_find(rule, ']');

		if (end == SLICE_NOT_FOUND || !slice_eq_nocase(slice_sub(rule, 1, end), host))
			return false;
		if (end + 1 == rule.len)
			return true;
		return rule.at[end + 1] == ':' && slice_to_u64(slice_from(rule, end + 2), &only_port) &&
		       only_port == port;
	}
	if (colon != SLICE_NOT_FOUND && slice_find(slice_from(rule, colon + 1), ':') == SLICE_NOT_FOUND) {
		if (!slice_to_u64(slice_from(rule, colon + 1), &only_port) || only_port != port)
			return false;
		rule = slice_sub(rule, 0, colon);
	}
	if (slice_starts(rule, S("*.")))
		rule = slice_from(rule, 2);
	else if (slice_starts(rule, S(".")))
		rule = slice_from(rule, 1);
	if (rule.len == 0 || host.len < rule.len)
		return false;
	if (!slice_eq_nocase(slice_from(host, host.len - rule.len), rule))
		return false;
	return host.len == rule.len || host.at[host.len - rule.len - 1] == '.';
}

bool proxy_is_exempt(struct slice no_proxy, struct slice host, uint16_t port)
{
	struct slice rule;

	while (slice_next_in_list(&no_proxy, &rule))
		if (exempts(rule, host, port))
			return true;
	return false;
}

/* RFC 4648 4. */
static struct slice base64(struct arena *arena, struct slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = arena_alloc(arena, (s.len + 2) / 3 * 4 + 1);
	size_t at = 0;

	for (size_t i = 0; i < s.len; i += 3) {
		size_t left = s.len - i;
		uint32_t bits = (uint32_t)(unsigned char)s.at[i] << 16;

		if (left > 1)
			bits |= (uint32_t)(unsigned char)s.at[i + 1] << 8;
		if (left > 2)
			bits |= (uint32_t)(unsigned char)s.at[i + 2];
		out[at++] = digits[bits >> 18];
		out[at++] = digits[(bits >> 12) & 63];
		out[at++] = left > 1 ? digits[(bits >> 6) & 63] : '=';
		out[at++] = left > 2 ? digits[bits & 63] : '=';
	}
	return (struct slice){ out, at };
}

/* NULL: what is wrong is in *why. A user and a password may be in it. */
static const struct proxy_policy *proxy_parse(struct reader *r, struct slice text, const char **why)
{
	struct proxy_policy *p = arena_new(r->arena, struct proxy_policy);
	struct slice rest = text, user = SLICE_NONE;
	struct url url;
	size_t at = SLICE_NOT_FOUND;

	if (slice_starts_nocase(rest, S("http://")))
		rest = slice_from(rest, 7);
	else if (slice_find_slice(rest, S("://")) != SLICE_NOT_FOUND) {
		*why = "only proxies spoken to in plain HTTP are supported; write http://host:port";
		return NULL;
	}
	for (size_t i = 0; i < rest.len && rest.at[i] != '/'; i++)
		if (rest.at[i] == '@')
			at = i;
	if (at != SLICE_NOT_FOUND) {
		user = url_decode(r->scratch, slice_sub(rest, 0, at));
		rest = slice_from(rest, at + 1);
		if (!user.at) {
			*why = "its user or password has a bad % sequence; write % as %25";
			return NULL;
		}
		p->authorization = arena_printf(r->arena, "Basic %.*s",
						SLICE_ARG(base64(r->scratch, user)));
	}
	if (!url_parse(arena_printf(r->scratch, "http://%.*s", SLICE_ARG(rest)), &url, why))
		return NULL;
	if (url.path.len || url.query.len) {
		*why = "a proxy has no path; write http://host:port";
		return NULL;
	}
	p->host = lower_copy(r->arena, url.host);
	p->port = url.port;
	return p;
}

/* A variable by its names, the lower-case one first; NULL if none is set. */
static const char *env_any(struct reader *r, const char *lower, const char *upper, const char **name)
{
	const char *value = r->source->env(r->source->owner, lower);

	*name = lower;
	if (value && *value)
		return value;
	*name = upper;
	value = r->source->env(r->source->owner, upper);
	return value && *value ? value : NULL;
}

static const struct proxy_policy *proxy_from_env(struct reader *r, bool tls, struct slice host,
						 uint16_t port)
{
	const struct proxy_policy *p;
	const char *name, *value, *why = "", *exempt;

	if (host_is_loopback(host))
		return NULL;
	exempt = env_any(r, "no_proxy", "NO_PROXY", &name);
	if (exempt && proxy_is_exempt(slice_of(exempt), host, port))
		return NULL;
	value = tls ? env_any(r, "https_proxy", "HTTPS_PROXY", &name)
		    : env_any(r, "http_proxy", "HTTP_PROXY", &name);
	if (!value)
		value = env_any(r, "all_proxy", "ALL_PROXY", &name);
	if (!value)
		return NULL;
	p = proxy_parse(r, slice_of(value), &why);
	if (!p)
		note(r, "the proxy in %s is not used for %.*s: %s", name, SLICE_ARG(host), why);
	return p;
}

const struct proxy_policy *proxy_for(struct reader *r, const struct node *n, bool tls,
				     struct slice host, uint16_t port)
{
	const struct proxy_policy *p;
	struct slice text;
	const char *why = "";

	if (!n)
		return proxy_from_env(r, tls, host, port);
	if (!scalar_of(r, "proxy", n, &text) || slice_eq(text, S("none")) || slice_eq(text, S("off")))
		return NULL;
	p = proxy_parse(r, text, &why);
	if (!p)
		complain_at(r, n, "\"proxy\" is not the URL of a proxy: %s", why);
	return p;
}
