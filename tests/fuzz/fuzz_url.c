/* Any bytes as a URL, a request target, a query. */
#include "base/check.h"
#include "wire/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A URL that was taken is taken again when it is put together from its parts,
 * and gives the same parts. */
static void take_again(struct arena *arena, const struct url *url)
{
	struct slice authority = url_authority(arena, url), text;
	const char *why = NULL;
	struct url again;

	text = arena_printf(arena, "%s://%.*s%.*s%s%.*s", url->tls ? "https" : "http",
			    SLICE_ARG(authority), SLICE_ARG(url->path), url->query.len ? "?" : "",
			    SLICE_ARG(url->query));
	must(url_parse(text, &again, &why));
	must(again.tls == url->tls);
	must(again.port == url->port);
	must(again.host_is_ipv6 == url->host_is_ipv6);
	must(slice_eq(again.host, url->host));
	must(slice_eq(again.path, url->path));
	must(slice_eq(again.query, url->query));
}

static void parse(struct arena *arena, struct slice text)
{
	const char *why = NULL;
	struct url url;

	if (!url_parse(text, &url, &why)) {
		must(why != NULL);
		return;
	}
	must(url.port > 0);
	must(url.host.len > 0);
	must(url.path.len == 0 || url.path.at[0] == '/');
	must(url.path.len == 0 || url.path.at[url.path.len - 1] != '/');
	must(slice_find(url.host, '@') == SLICE_NOT_FOUND);
	must(!memchr(text.at, '\n', text.len));
	must(url_decode(arena, url.path).at != NULL);
	take_again(arena, &url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(0);
	struct slice text = { (const char *)data, size }, path, query, value;

	parse(arena, text);
	if (url_split_target(text, &path, &query)) {
		must(path.len > 0);
		must(path.len + query.len <= size);
		must(slice_find(path, '?') == SLICE_NOT_FOUND);
		value = url_query_get(arena, query, S("key"));
		must(value.len <= query.len);
	}
	value = url_query_get(arena, text, S("a"));
	must(value.len <= size);
	value = url_decode(arena, text);
	must(value.len <= size);
	arena_free(arena);
	return 0;
}
