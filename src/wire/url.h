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
 * refused. False: *why is a static sentence with the remedy. The slices point
 * into `text`. */
bool url_parse(struct slice text, struct url *out, const char **why);
/* Splits a request target in origin form into path and query. False if it does
 * not start with '/' or holds a forbidden byte. */
bool url_split_target(struct slice target, struct slice *path, struct slice *query);
/* Value of a query parameter, percent-decoded into the arena; SLICE_NONE if
 * absent or malformed. */
struct slice url_query_get(struct arena *arena, struct slice query, struct slice name);
/* Percent-decodes; SLICE_NONE if malformed. '+' stays '+'. */
struct slice url_decode(struct arena *arena, struct slice s);
/* "host:port", IPv6 in brackets, the port left out where it is the default. */
struct slice url_authority(struct arena *arena, const struct url *u);

#endif
