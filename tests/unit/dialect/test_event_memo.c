/* The memo of the event before finds what judging finds: on streams of real
 * providers (BACKSTAY_RECORDINGS names the folder) and of the fuzz corpus, and on
 * each of them damaged by chance. */
#include "help.h"

#include "../../memo_both.h"
#include "base/check.h"
#include "base/rng.h"

#include <stdlib.h>

#define FILE_BYTES_MAX (16u * 1024 * 1024)
#define MUTANTS 60

static const char *const paths[] = { CHAT, COMPLETIONS, RESPONSES, MESSAGES };

static struct buf read_file(const char *folder, struct slice name)
{
	struct buf b = BUF_INIT(FILE_BYTES_MAX);
	char path[1024];
	FILE *f;

	snprintf(path, sizeof path, "%s/%.*s", folder, SLICE_ARG(name));
	if (!(f = fopen(path, "rb")))
		fail_msg("cannot open %s", path);
	for (;;) {
		char *room = buf_room(&b, 65536);
		size_t n;

		assert_non_null(room);
		if ((n = fread(room, 1, 65536, f)) == 0)
			break;
		buf_added(&b, n);
	}
	fclose(f);
	return b;
}

/* The same for the codec that reads such streams for clients of another API. */
static void read_stream(const char *path, struct slice stream, size_t step, unsigned *repeated)
{
	struct both_read b;
	bool goes_on = true;

	both_read_init(&b, strcmp(path, MESSAGES) == 0 ? &codec_anthropic_messages : &codec_openai_chat,
		       FILE_BYTES_MAX);
	while (stream.len && goes_on) {
		size_t take = stream.len < step ? stream.len : step;

		goes_on = both_read_feed(&b, slice_sub(stream, 0, take));
		stream = slice_from(stream, take);
	}
	both_read_end(&b);
	*repeated = b.repeated;
	both_read_free(&b);
}

/* In pieces of `step` bytes. */
static void judge(const char *path, struct slice stream, size_t step, struct both *b)
{
	const struct dialect *dialect;
	const char *allow;
	const struct endpoint *e = dialect_endpoint(S("POST"), slice_of(path), &dialect, &allow);
	bool goes_on = true;

	assert_non_null(e);
	both_init(b, dialect, e, FILE_BYTES_MAX);
	while (stream.len && goes_on) {
		size_t take = stream.len < step ? stream.len : step;

		goes_on = both_feed(b, slice_sub(stream, 0, take));
		stream = slice_from(stream, take);
	}
	both_free(b);
}

/* One byte is another, lacks, or is there twice; or so is a part of some length. */
static void damage(struct rng *rng, struct slice stream, struct buf *out)
{
	static const char likely[] = "\"\\{}[]:,\n\r de0\x01\x80\xe2";
	size_t at = (size_t)rng_below(rng, stream.len), end = at + 1;
	char c = likely[rng_below(rng, sizeof likely - 1)];

	if (rng_below(rng, 4) == 0)
		end = at + (size_t)rng_below(rng, stream.len - at) % 600 + 1;
	if (end > stream.len)
		end = stream.len;
	buf_clear(out);
	buf_put(out, slice_sub(stream, 0, at));
	switch (rng_below(rng, 3)) {
	case 0:
		buf_put(out, (struct slice){ &c, 1 });
		break;
	case 1:
		break;
	case 2:
		buf_put(out, slice_sub(stream, at, end));
		buf_put(out, slice_sub(stream, at, end));
		break;
	}
	buf_put(out, slice_from(stream, end));
}

static void judge_damaged(const char *path, struct slice stream, unsigned count)
{
	struct rng rng;
	struct buf mutant = BUF_INIT(2 * FILE_BYTES_MAX);
	struct both b;

	rng_seed(&rng, stream.len);
	for (unsigned i = 0; stream.len && i < count; i++) {
		damage(&rng, stream, &mutant);
		judge(path, buf_slice(&mutant), i % 4 == 3 ? 100 : SIZE_MAX, &b);
		read_stream(path, buf_slice(&mutant), i % 4 == 3 ? 100 : SIZE_MAX, &b.repeated);
	}
	buf_free(&mutant);
}

static void the_usual_events_are_known(void **state)
{
	static const struct { const char *path, *event; unsigned known; } table[] = {
		{ CHAT, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so\"}}]}\n\n", 8 },
		{ CHAT, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so\"}}]}\r\n\r\n", 8 },
		{ COMPLETIONS, "data: {\"choices\":[{\"text\":\"so\"}]}\n\n", 8 },
		{ MESSAGES, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
		  "\"delta\":{\"type\":\"text_delta\",\"text\":\"so\"}}\n\n", 8 },
		{ CHAT, "data: {\"choices\":[{\"delta\":{\"content\":\"so\"}}],\"obfuscation\":\"x\"}\n\n", 8 },
		/* Their numbers are not repeated, or they have no text, or an odd form. */
		{ RESPONSES, "data: {\"type\":\"response.created\"}\n\n", 0 },
		{ CHAT, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n", 0 },
		{ CHAT, "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"so\"}}]}\n\n", 0 },
		{ CHAT, "id: 1\ndata: {\"choices\":[{\"delta\":{\"content\":\"so\"}}]}\n\n", 0 },
		{ CHAT, "data: {\"choices\":[{\"delta\":{\"content\":\"so\"}}]}\r\r", 0 },
		{ CHAT, "data: {\"choices\":[{\"delta\":{\"content\":\"a\",\"reasoning\":\"b\"}}]}\n\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct buf stream = BUF_INIT(4096);
		struct both b;

		for (unsigned n = 0; n < 10; n++)
			buf_put(&stream, slice_of(table[i].event));
		judge(table[i].path, buf_slice(&stream), SIZE_MAX, &b);
		row_holds(b.events == 10 && b.repeated == table[i].known, table[i].event);
		buf_free(&stream);
	}
}

/* Each API's judge gets each stream, its own and the others'. */
static void damaged_streams_are_judged_alike(void **state)
{
	static const char *const streams[] = {
		"chat_plain", "chat_padded", "chat_two_choices", "chat_error_beside", "chat_usage_each", "chat_crlf", "chat_cr",
		"chat_bad_text", "chat_comments", "chat_tools", "chat_after_done", "completions", "responses",
		"messages", "messages_no_block", "messages_error", "messages_thinking",
	};
	const char *folder = getenv("BACKSTAY_MEMO_CORPUS");

	(void)state;
	assert_non_null(folder);
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		struct buf text = read_file(folder, slice_of(streams[i]));
		struct slice plan, stream = buf_slice(&text);

		assert_true(slice_cut(stream, '\n', &plan, &stream));
		for (size_t p = 0; p < COUNT_OF(paths); p++)
			judge_damaged(paths[p], stream, 20 * MUTANTS);
		buf_free(&text);
	}
}

static void texts_that_are_read_are_known(void **state)
{
	struct buf chat = BUF_INIT(8192), messages = BUF_INIT(8192);
	unsigned repeated;

	(void)state;
	for (unsigned n = 0; n < 10; n++) {
		buf_puts(&chat, "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so\"}}]}\n\n");
		buf_puts(&messages, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
			 "\"delta\":{\"type\":\"text_delta\",\"text\":\"so\"}}\n\n");
	}
	/* The first begins the answer, too, and the second is what the rest are like. */
	read_stream(CHAT, buf_slice(&chat), SIZE_MAX, &repeated);
	assert_int_equal(repeated, 8);
	read_stream(MESSAGES, buf_slice(&messages), SIZE_MAX, &repeated);
	assert_int_equal(repeated, 8);
	buf_free(&chat);
	buf_free(&messages);
}

static const char *path_of(struct slice api)
{
	static const struct { struct slice api; const char *path; } apis[] = {
		{ S_INIT("chat"), CHAT }, { S_INIT("completions"), COMPLETIONS },
		{ S_INIT("responses"), RESPONSES }, { S_INIT("messages"), MESSAGES },
	};

	for (size_t i = 0; i < COUNT_OF(apis); i++)
		if (slice_eq(api, apis[i].api))
			return apis[i].path;
	return NULL;
}

/* Most recordings are payloads, one a line: as the stream they were. */
static struct buf as_stream(struct slice file, struct slice text)
{
	struct buf stream = BUF_INIT(2 * FILE_BYTES_MAX);
	struct slice line;

	if (slice_ends(file, S(".sse"))) {
		buf_put(&stream, text);
		return stream;
	}
	while (slice_cut(text, '\n', &line, &text))
		if (slice_trim(line).len)
			sse_write(&stream, SLICE_NONE, slice_trim(line));
	return stream;
}

static void recordings_are_judged_alike(void **state)
{
	const char *folder = getenv("BACKSTAY_RECORDINGS");
	unsigned streams = 0, events = 0, repeated = 0;
	struct slice rest, line;
	struct buf index;

	(void)state;
	if (!folder) {
		print_message("skipped: BACKSTAY_RECORDINGS is not set, no recordings to judge\n");
		skip();
	}
	index = read_file(folder, S("index.tsv"));
	rest = buf_slice(&index);
	while (slice_cut(rest, '\n', &line, &rest)) {
		struct slice file, provider, api, is_stream;
		const char *path;
		struct buf text, stream;
		struct both b;

		if (!slice_cut(line, '\t', &file, &line) || !slice_cut(line, '\t', &provider, &line) ||
		    !slice_cut(line, '\t', &api, &line) || !slice_cut(line, '\t', &is_stream, &line) ||
		    !(path = path_of(api)) || !slice_eq(is_stream, S("1")))
			continue;
		text = read_file(folder, file);
		stream = as_stream(file, buf_slice(&text));
		judge(path, buf_slice(&stream), SIZE_MAX, &b);
		streams++;
		events += b.events;
		repeated += b.repeated;
		judge(path, buf_slice(&stream), 1000, &b);
		read_stream(path, buf_slice(&stream), SIZE_MAX, &b.repeated);
		if (buf_len(&stream) < 100000)
			judge_damaged(path, buf_slice(&stream), MUTANTS);
		buf_free(&text);
		buf_free(&stream);
	}
	buf_free(&index);
	print_message("%u streams, %u events, of which %u were like the one before\n", streams, events, repeated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_usual_events_are_known),
		cmocka_unit_test(texts_that_are_read_are_known),
		cmocka_unit_test(damaged_streams_are_judged_alike),
		cmocka_unit_test(recordings_are_judged_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
