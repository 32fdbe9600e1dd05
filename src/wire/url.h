/* url.h: absolute http and https URLs (RFC 3986), and paths with queries. */
#ifndef BACKSTAY_WIRE_URL_H
#define BACKSTAY_WIRE_URL_H

#include "base/arena.h"
#include "base/slice.h"

struct url {
	bool tls;                     /* https */
	struct slice host;            /* without brackets; lower-casing is the user's affair */
	bool host_is_ipv6;
	uint16_t port;                /* given or 80/443 */
	bool port_given;
	struct slice path;            /* "/v1", without a trailing '/'; "" for the root */
	struct slice query;           /* without '?'; may be empty */
};

/* Parses "http[s]://host[:port][/path][?query]". Userinfo and fragments are
 * refused, and so is everything that needs guessing (odd IPv4 spellings, IPv6
 * without brackets). False: *why (may be NULL) is a static sentence with the
 * remedy, *out is untouched. The slices point into `text`. */
bool url_parse(struct slice text, struct url *out, const char **why);
/* Splits a request target in origin form into path and query. False if it does
 * not start with '/' or holds a forbidden byte. */
bool url_split_target(struct slice target, struct slice *path, struct slice *query);
/* Value of a query parameter (the first of several; the name is compared
 * decoded), percent-decoded into the arena, or a slice of `query` where there
 * is nothing to decode; SLICE_NONE if absent or malformed. "a" and "a=" give an
 * empty value with `at` set. */
struct slice url_query_get(struct arena *arena, struct slice query, struct slice name);
/* Percent-decodes into the arena, or gives `s` back where there is nothing to
 * decode; SLICE_NONE if malformed. '+' stays '+'; NUL may come out. */
struct slice url_decode(struct arena *arena, struct slice s);
/* One segment of a path: all but letters, digits and "-._~" percent-encoded (RFC
 * 3986, 2.3); arena. */
struct slice url_encode(struct arena *arena, struct slice s);
/* "host:port", IPv6 in brackets, the port left out where it is the default. */
struct slice url_authority(struct arena *arena, const struct url *u);

#endif
