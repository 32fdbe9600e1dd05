#include "dialect/vendor.h"

#include "base/check.h"
#include "dialect/codec.h"

static const struct vendor vendors[] = {
	{ .name = S_INIT("openai"), .dialect = S_INIT("openai") },
	{ .name = S_INIT("anthropic"), .dialect = S_INIT("anthropic") },
	{ .name = S_INIT("gemini"), .dialect = S_INIT("gemini") },
	/* Its own way of asking for embeddings (:predict) is another. */
	{ .name = S_INIT("vertex"), .dialect = S_INIT("vertex") },
	{ .name = S_INIT("bedrock"), .dialect = S_INIT("bedrock") },
	{ .name = S_INIT("cohere"), .dialect = S_INIT("cohere") },
};

bool vendor_has_host(const struct vendor *v, struct slice host)
{
	if (v->host.len == 0)
		return false;
	return v->host.at[0] == '.' ? slice_ends(host, v->host) : slice_eq(host, v->host);
}

const struct vendor *vendor_find(struct slice dialect, struct slice host)
{
	const struct vendor *plain = NULL;

	for (size_t i = 0; i < COUNT_OF(vendors); i++) {
		if (!slice_eq(vendors[i].dialect, dialect))
			continue;
		if (vendor_has_host(&vendors[i], host))
			return &vendors[i];
		if (vendors[i].host.len == 0 && slice_eq(vendors[i].name, dialect))
			plain = &vendors[i];
	}
	must(plain != NULL);
	return plain;
}
