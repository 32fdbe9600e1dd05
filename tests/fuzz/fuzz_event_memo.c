/* Streams of events that are much alike: plan of cuts, newline, stream. Whole and
 * in pieces, with the memo of the event before and without: the same verdicts. */
#include "tests/fuzz/pieces.h"
#include "tests/memo_both.h"

static void judge(struct pieces *p, const char *path)
{
	const struct dialect *dialect;
	const char *allow;
	const struct endpoint *endpoint = dialect_endpoint(S("POST"), slice_of(path), &dialect, &allow);
	struct slice piece;
	struct both b;

	must(endpoint != NULL);
	both_init(&b, dialect, endpoint, PIECES_INPUT_MAX);
	while (pieces_next(p, &piece))
		if (!both_feed(&b, pieces_copy(p, piece)))
			break;
	both_free(&b);
}

static void read_all(struct pieces *p, const struct codec *codec)
{
	struct both_read b;
	struct slice piece;

	both_read_init(&b, codec, PIECES_INPUT_MAX);
	while (pieces_next(p, &piece))
		if (!both_read_feed(&b, pieces_copy(p, piece)))
			break;
	both_read_end(&b);
	both_read_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages",
	};
	const struct codec *const codecs[] = { &codec_openai_chat, &codec_anthropic_messages };
	struct slice plan, in;

	pieces_split(data, size, &plan, &in);
	for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
		struct pieces all = pieces_create(SLICE_NONE, in), some = pieces_create(plan, in);

		read_all(&all, codecs[i]);
		read_all(&some, codecs[i]);
		pieces_free(&all);
		pieces_free(&some);
	}
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct pieces all = pieces_create(SLICE_NONE, in), some = pieces_create(plan, in);

		judge(&all, paths[i]);
		judge(&some, paths[i]);
		pieces_free(&all);
		pieces_free(&some);
	}
	return 0;
}
