/* mock_token.c: where credentials are fetched: token endpoints of OAuth (Google,
 * Microsoft Entra), and the metadata servers of clouds. What they give is the
 * mock's own key, so that other mocks with the same key take it. */
#include "mock/mock_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define LIVES_MS (3600 * 1000)

bool mock_is_token_path(struct slice path)
{
	return slice_ends(path, S("/token")) && !slice_starts(path, S("/v1/")) &&
	       !slice_starts(path, S("/mock"));
}

static void refuse(struct mock *mock, struct mock_answer *a, int status, const char *code,
		   const char *description)
{
	mock_script_clear(&mock->body);
	mock_script_begin(&mock->body);
	buf_putf(&mock->body.bytes, "{\"error\":\"%s\",\"error_description\":\"%s\"}", code, description);
	mock_script_end(&mock->body);
	a->status = status;
}

/* What each kind of question must have, or what is wrong with it. */
static const char *missing(const struct mock_request *r)
{
	bool google = slice_starts(r->path, S("/computeMetadata/"));
	bool azure = slice_starts(r->path, S("/metadata/"));

	if (google)
		return slice_eq(h1_get(r->head, S("metadata-flavor")), S("Google"))
			? NULL : "Metadata-Flavor is missing";
	if (azure)
		return slice_eq(h1_get(r->head, S("metadata")), S("true")) ? NULL : "Metadata is missing";
	if (!slice_eq(r->method, S("POST")))
		return "only POST";
	if (slice_find_slice(r->body, S("jwt-bearer")) != SLICE_NOT_FOUND)
		return slice_find_slice(r->body, S("&assertion=ey")) != SLICE_NOT_FOUND
			? NULL : "no assertion";
	if (slice_find_slice(r->body, S("grant_type=client_credentials")) != SLICE_NOT_FOUND)
		return slice_find_slice(r->body, S("&scope=http")) != SLICE_NOT_FOUND &&
		       slice_find_slice(r->body, S("&client_secret=")) != SLICE_NOT_FOUND
			? NULL : "no scope or no secret";
	if (slice_find_slice(r->body, S("grant_type=refresh_token")) != SLICE_NOT_FOUND)
		return slice_find_slice(r->body, S("&refresh_token=")) != SLICE_NOT_FOUND
			? NULL : "no refresh token";
	return "unknown grant_type";
}

void mock_answer_token(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		       struct mock_answer *a)
{
	const char *wrong = missing(r);
	int64_t lives_ms = b->lives_ms ? b->lives_ms : LIVES_MS;

	a->wait_ms = b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms;
	if (wrong) {
		refuse(mock, a, 400, "invalid_request", wrong);
		return;
	}
	mock_script_begin(&mock->body);
	buf_puts(&mock->body.bytes, "{\"access_token\":");
	json_write_string(&mock->body.bytes, slice_of(mock->key ? mock->key : "mock-token"));
	buf_putf(&mock->body.bytes, ",\"token_type\":\"Bearer\",\"expires_in\":%" PRId64 "}",
		 lives_ms / 1000);
	mock_script_end(&mock->body);
	mock_spoil_whole(mock, b, a);
}
