/* Answers that Bedrock and Cohere gave, read by their codecs and held against what
 * an independent reader found in them. BACKSTAY_RECORDINGS names the folder (its
 * README says what is in it); without it there is nothing to do. Streams are
 * framed as they are on the wire and cut in many ways. */
#include "backend.h"

#include "wire/eventstream.h"
#include "wire/sse.h"

#include <stdlib.h>

#define FILE_BYTES_MAX (16u * 1024 * 1024)
#define MEMBERS_MAX 64

enum { COLUMN_FILE, COLUMN_PROVIDER, COLUMN_API, COLUMN_STREAM, COLUMNS };

struct tally { unsigned streams, answers, compared; };

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

/* ---- what an answer came to ------------------------------------------------------ */

struct sum {
	struct arena *arena;
	struct buf text, calls;      /* all text; calls as "id name {arguments}\n" */
	struct buf arguments;        /* of the call under way, raw */
	struct slice finish;
	struct usage usage;
	bool done, failed;
};

/* Members in order, no spaces. */
static void put_canonical(struct arena *arena, struct buf *out, struct slice raw)
{
	struct { struct slice key, value; } members[MEMBERS_MAX];
	struct slice rest = raw, key, value;
	size_t count = 0;

	if (json_type_of(raw) == JSON_OBJECT) {
		while (count < MEMBERS_MAX && json_next(&rest, &key, &value)) {
			size_t i = count++;

			for (; i > 0 && slice_compare(key, members[i - 1].key) < 0; i--)
				members[i] = members[i - 1];
			members[i].key = key;
			members[i].value = value;
		}
		buf_puts(out, "{");
		for (size_t i = 0; i < count; i++) {
			buf_put(out, i ? S(",") : S(""));
			buf_put(out, members[i].key);
			buf_puts(out, ":");
			put_canonical(arena, out, members[i].value);
		}
		buf_puts(out, "}");
	} else if (json_type_of(raw) == JSON_ARRAY) {
		buf_puts(out, "[");
		while (json_next(&rest, NULL, &value)) {
			buf_put(out, count++ ? S(",") : S(""));
			put_canonical(arena, out, value);
		}
		buf_puts(out, "]");
	} else {
		buf_put(out, slice_trim(raw));
	}
}

static void end_call(struct sum *s)
{
	struct slice object;

	if (buf_len(&s->arguments) == 0)
		return;
	buf_puts(&s->arguments, "\"");
	object = canon_arguments_object(s->arena, arena_copy(s->arena, buf_slice(&s->arguments)), true);
	put_canonical(s->arena, &s->calls, object);
	buf_puts(&s->calls, "\n");
	buf_clear(&s->arguments);
}

static void take_event(struct sum *s, const struct canon_event *e)
{
	switch (e->kind) {
	case CANON_EVENT_TEXT:
		buf_put(&s->text, json_string(s->arena, e->text));
		break;
	case CANON_EVENT_CALL:
		end_call(s);
		buf_putf(&s->calls, "%.*s %.*s ", SLICE_ARG(canon_inside(e->id)), SLICE_ARG(canon_inside(e->name)));
		buf_puts(&s->arguments, "\"");
		break;
	case CANON_EVENT_ARGUMENTS:
		buf_put(&s->arguments, canon_inside(e->text));
		break;
	case CANON_EVENT_FINISH:
		s->finish = canon_finish_word(e->finish);
		break;
	case CANON_EVENT_USAGE:
		s->usage = e->usage;
		break;
	case CANON_EVENT_DONE:
		s->done = true;
		break;
	case CANON_EVENT_ERROR:
		s->failed = true;
		break;
	default:
		break;
	}
}

static void take_events(struct sum *s, const struct canon_events *events)
{
	for (size_t i = 0; i < events->count; i++)
		take_event(s, &events->at[i]);
}

static struct sum sum_create(void)
{
	return (struct sum){ .arena = arena_create(0), .text = BUF_INIT(FILE_BYTES_MAX),
			     .calls = BUF_INIT(FILE_BYTES_MAX), .arguments = BUF_INIT(FILE_BYTES_MAX) };
}

static void sum_free(struct sum *s)
{
	arena_free(s->arena);
	buf_free(&s->text);
	buf_free(&s->calls);
	buf_free(&s->arguments);
}

/* ---- streams ----------------------------------------------------------------------- */

/* A payload a line: {"contentBlockDelta":{…}} is an event of that type with what
 * is inside. Cohere's are as they come. */
static struct buf framed(struct slice lines, bool binary)
{
	struct buf wire = BUF_INIT(FILE_BYTES_MAX);
	struct slice line, key, value;

	while (lines.len) {
		if (!slice_cut(lines, '\n', &line, &lines)) {
			line = lines;
			lines = SLICE_NONE;
		}
		line = slice_trim(line);
		if (!line.len)
			continue;
		if (!binary) {
			sse_write(&wire, SLICE_NONE, line);
			continue;
		}
		assert_true(json_next(&line, &key, &value));
		{
			struct eventstream_header headers[] = {
				{ S(":event-type"), canon_inside(key) },
				{ S(":content-type"), S("application/json") },
				{ S(":message-type"), S("event") },
			};

			assert_true(eventstream_write(&wire, headers, COUNT_OF(headers), value));
		}
	}
	return wire;
}

struct reading {
	struct codec_reader reader;
	struct sum *sum;
	struct sse sse;
	struct eventstream frames;
};

static void on_event(struct reading *r, struct slice type, struct slice data)
{
	struct arena *scratch = arena_create(0);
	struct canon_events events = canon_events_in(scratch);

	r->reader.codec->read_event(&r->reader, scratch, type, data, &events);
	take_events(r->sum, &events);
	arena_free(scratch);
}

static void feed(struct reading *r, struct slice bytes, bool binary)
{
	struct eventstream_event frame;
	enum eventstream_step step;
	struct sse_event event;

	if (!binary) {
		while (sse_feed(&r->sse, &bytes, &event) == SSE_EVENT)
			on_event(r, event.type, event.data);
		return;
	}
	while ((step = eventstream_feed(&r->frames, &bytes, &frame)) == EVENTSTREAM_EVENT)
		on_event(r, frame.type, frame.data);
	assert_int_equal(step, EVENTSTREAM_MORE);
}

static void read_stream(const struct codec *codec, struct slice wire, size_t cut, struct sum *sum)
{
	bool binary = codec->framing == FRAMING_EVENTSTREAM;
	struct reading r = { .reader = { .codec = codec, .arena = sum->arena }, .sum = sum };
	struct canon_events events = canon_events_in(sum->arena);

	sse_init(&r.sse, FILE_BYTES_MAX);
	eventstream_init(&r.frames, FILE_BYTES_MAX);
	for (size_t from = 0; from < wire.len; from += cut)
		feed(&r, slice_sub(wire, from, from + cut < wire.len ? from + cut : wire.len), binary);
	assert_int_equal(eventstream_rest(&r.frames).len, 0);
	assert_int_equal(codec->read_end(&r.reader, sum->arena, &events), FAULT_NONE);
	take_events(sum, &events);
	sse_free(&r.sse);
	eventstream_free(&r.frames);
	end_call(sum);
}

/* ---- comparing -------------------------------------------------------------------------- */

/* The row of expected.jsonl for a file; SLICE_NONE if there is none. */
static struct slice expected_of(struct slice all, struct slice file)
{
	struct slice line;

	while (slice_cut(all, '\n', &line, &all))
		if (json_string_eq(json_member(line, S("file")), file))
			return line;
	return SLICE_NONE;
}

static void compare_calls(const struct sum *s, struct slice calls, const char *name)
{
	struct buf expected = BUF_INIT(FILE_BYTES_MAX);
	struct slice call;

	while (json_next(&calls, NULL, &call)) {
		buf_putf(&expected, "%.*s %.*s ", SLICE_ARG(canon_inside(json_member(call, S("id")))),
			 SLICE_ARG(canon_inside(json_member(call, S("name")))));
		buf_put(&expected, json_string(s->arena, json_member(call, S("args"))));
		buf_puts(&expected, "\n");
	}
	if (!slice_eq(buf_slice(&expected), buf_slice(&s->calls)))
		fail_msg("%s: expected\n%.*sgot\n%.*s", name, SLICE_ARG(buf_slice(&expected)),
			 SLICE_ARG(buf_slice(&s->calls)));
	buf_free(&expected);
}

static void compare(const struct sum *s, struct slice row, const char *name)
{
	struct slice usage = json_member(row, S("usage"));
	int64_t n;

	row_holds(json_string_eq(json_member(row, S("expect")), S("complete")), name);
	row_holds(s->done && !s->failed, name);
	row_holds(slice_eq(buf_slice(&s->text), json_string(s->arena, json_member(row, S("text")))), name);
	row_holds(json_string_eq(json_member(row, S("finish_openai")), s->finish), name);
	row_holds(s->usage.known == !json_is_nothing(usage), name);
	if (s->usage.known) {
		row_holds(json_i64(json_member(usage, S("prompt")), &n) && n == s->usage.input_tokens, name);
		row_holds(json_i64(json_member(usage, S("completion")), &n) && n == s->usage.output_tokens, name);
	}
	compare_calls(s, json_member(row, S("tool_calls")), name);
}

static void check(const struct sum *s, struct slice row, const char *name, struct tally *tally)
{
	if (row.len) {
		compare(s, row, name);
		tally->compared++;
		return;
	}
	row_holds(s->done && !s->failed && s->usage.known && s->finish.len, name);
	row_holds(buf_len(&s->text) || buf_len(&s->calls), name);
	row_holds(slice_eq(s->finish, S("tool_calls")) == (buf_len(&s->calls) > 0), name);
}

static void check_file(const char *folder, const struct slice *columns, struct slice expected, struct tally *tally)
{
	const struct codec *codec = slice_eq(columns[COLUMN_PROVIDER], S("bedrock")) ? &codec_bedrock_converse
										      : &codec_cohere_chat;
	static const size_t cuts[] = { FILE_BYTES_MAX, 1, 2, 3, 7, 13, 64, 1000 };
	struct slice row = expected_of(expected, columns[COLUMN_FILE]);
	struct buf text = read_file(folder, columns[COLUMN_FILE]), wire;
	char name[256];

	snprintf(name, sizeof name, "%.*s", SLICE_ARG(columns[COLUMN_FILE]));
	if (slice_eq(columns[COLUMN_STREAM], S("1"))) {
		wire = framed(buf_slice(&text), codec->framing == FRAMING_EVENTSTREAM);
		for (size_t i = 0; i < COUNT_OF(cuts); i++) {
			struct sum sum = sum_create();

			read_stream(codec, buf_slice(&wire), cuts[i], &sum);
			check(&sum, row, name, tally);
			sum_free(&sum);
		}
		buf_free(&wire);
		tally->streams++;
	} else {
		struct sum sum = sum_create();
		struct codec_reader reader = { .codec = codec, .arena = sum.arena };
		struct canon_events events = canon_events_in(sum.arena);

		row_holds(codec->read_answer(&reader, buf_slice(&text), &events) == FAULT_NONE, name);
		take_events(&sum, &events);
		end_call(&sum);
		check(&sum, row, name, tally);
		sum_free(&sum);
		tally->answers++;
	}
	buf_free(&text);
}

static bool read_columns(struct slice line, struct slice columns[static COLUMNS])
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (!slice_cut(line, '\t', &columns[i], &line))
			return false;
	return true;
}

static void recordings_are_read_as_what_they_are(void **state)
{
	const char *folder = getenv("BACKSTAY_RECORDINGS");
	struct tally tally = { .streams = 0 };
	struct slice rest, line, columns[COLUMNS];
	struct buf index, expected;

	(void)state;
	if (!folder) {
		print_message("skipped: BACKSTAY_RECORDINGS is not set, no recordings to read\n");
		skip();
	}
	index = read_file(folder, S("index.tsv"));
	expected = read_file(folder, S("expected.jsonl"));
	rest = buf_slice(&index);
	while (slice_cut(rest, '\n', &line, &rest))
		if (read_columns(line, columns) && (slice_eq(columns[COLUMN_PROVIDER], S("bedrock")) ||
						    slice_eq(columns[COLUMN_PROVIDER], S("cohere"))))
			check_file(folder, columns, buf_slice(&expected), &tally);
	buf_free(&index);
	buf_free(&expected);
	print_message("%u streams and %u answers were read; %u comparisons with what was expected\n",
		      tally.streams, tally.answers, tally.compared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_are_read_as_what_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
