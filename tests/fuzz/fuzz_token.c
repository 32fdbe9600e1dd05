/* What credentials are read from: answers of token endpoints and metadata servers,
 * and AWS's file. The first character says whose ('A' on), then each answer is its
 * status, a newline, and the body up to a byte 0x1e. */
#include "base/check.h"
#include "exchange/credentials.h"
#include "exchange/policy.h"
#include "tests/exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct credential_provider *const providers[] = {
	&credential_google_key, &credential_google_user, &credential_google_metadata, &credential_entra,
	&credential_azure_metadata, &credential_aws_keys, &credential_aws_file, &credential_aws_container,
	&credential_aws_instance,
};

/* Goes into a header's line: nothing may end it early. */
static void must_be_visible(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		must(text.at[i] > 0x20 && text.at[i] < 0x7f);
}

static void check(const struct credential_fetch *f, enum credential_step step)
{
	switch (step) {
	case CREDENTIAL_ASK:
		must(f->method.len > 0);
		must_be_visible(f->path);
		must(f->headers.len == 0 || slice_ends(f->headers, S("\r\n")));
		must(slice_find_slice(f->headers, S("\r\n\r\n")) == SLICE_NOT_FOUND);
		break;
	case CREDENTIAL_FILE:
		must(f->path.len > 0);
		break;
	case CREDENTIAL_HAVE:
		must(f->result.token.len || f->result.secret.len);
		must_be_visible(f->result.token);
		must_be_visible(f->result.account);
		must_be_visible(f->result.secret);
		must(f->lives_ms >= -1);
		break;
	case CREDENTIAL_REFUSED: case CREDENTIAL_BROKEN:
		must(f->why.len > 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size }, one, status;
	const struct credential_policy policy = {
		.account = S("me"), .secret = S("secret"), .audience = S("https://a.test/token"),
		.scope = S("default"), .path = S("/token"), .key = S("k"), .name = S("n"),
	};
	enum credential_step step;
	struct credential_fetch f;
	size_t which;

	if (size == 0)
		return 0;
	which = (size_t)(unsigned char)in.at[0] - 'A';
	if (which >= COUNT_OF(providers))
		return 0;
	in = slice_from(in, 1);
	f = (struct credential_fetch){ .policy = &policy, .arena = arena_create(0), .wall_ms = 1790000000000 };
	step = providers[which]->begin(&f);
	check(&f, step);
	/* A key that is none ends it before anybody is asked; its answer is read all the same. */
	for (unsigned i = 0; i < CREDENTIAL_ASKS_MAX && in.len; i++) {
		struct exact exact = exact_create(in.len);
		uint64_t code = 0;

		if (i > 0 && step != CREDENTIAL_ASK && step != CREDENTIAL_FILE)
			i = CREDENTIAL_ASKS_MAX;
		if (!slice_cut(in, '\x1e', &one, &in)) {
			one = in;
			in = SLICE_NONE;
		}
		if (i < CREDENTIAL_ASKS_MAX && slice_cut(one, '\n', &status, &one)) {
			slice_to_u64(status, &code);
			step = providers[which]->answer(&f, code > 999 ? 999 : (int)code, exact_copy(&exact, one));
			check(&f, step);
		}
		exact_free(&exact);
	}
	arena_free(f.arena);
	return 0;
}
