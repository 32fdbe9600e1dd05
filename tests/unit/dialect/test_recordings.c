/* Answers that real providers gave. BACKSTAY_RECORDINGS names the folder (its
 * index.tsv says what each file is); without it there is nothing to do. */
#include "help.h"

#include "base/check.h"
#include "wire/json.h"
#include "wire/sse.h"

#include <stdlib.h>

#define FILE_BYTES_MAX (16u * 1024 * 1024)

enum { COLUMN_FILE, COLUMN_PROVIDER, COLUMN_API, COLUMN_STREAM, COLUMN_STATUS, COLUMN_WIRE,
       COLUMN_EVENTS, COLUMN_BYTES, COLUMN_FEATURES, COLUMNS };

struct tally { unsigned streams, answers, errors, broken, events; };

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

static const struct endpoint *endpoint_of(struct slice api)
{
	static const struct { struct slice api; const char *path; } apis[] = {
		{ S_INIT("chat"), CHAT }, { S_INIT("completions"), COMPLETIONS },
		{ S_INIT("responses"), RESPONSES }, { S_INIT("embeddings"), EMBEDDINGS },
	};

	for (size_t i = 0; i < COUNT_OF(apis); i++)
		if (slice_eq(api, apis[i].api))
			return endpoint_at("POST", apis[i].path);
	return NULL;
}

/* Speak other dialects, under names of APIs that OpenAI's has too. */
static bool speaks_openai(struct slice provider)
{
	static const struct slice others[] = {
		S_INIT("anthropic"), S_INIT("bedrock"), S_INIT("cohere"), S_INIT("gemini"), S_INIT("vertex"),
	};

	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (slice_eq(provider, others[i]))
			return false;
	return true;
}

static bool has_feature(struct slice features, const char *name)
{
	struct slice one;

	while (slice_next_in_list(&features, &one))
		if (is_text(one, name))
			return true;
	return false;
}

struct stream_run {
	const struct endpoint *endpoint;
	struct stream_facts so_far;
	bool damaged;                /* a payload that is no JSON was in it */
};

static void judge_payload(struct stream_run *run, struct slice type, struct slice data)
{
	struct arena *arena = arena_create(0);
	struct event_facts out;

	dialect_openai.judge_event(arena, run->endpoint, type, data, &run->so_far, &out);
	if (!slice_eq(data, S("[DONE]")) && json_validate(data, NULL) != JSON_OK)
		run->damaged = true;
	assert_int_equal(!!(out.is & EVENT_BROKEN), json_validate(data, NULL) != JSON_OK &&
			 !slice_eq(data, S("[DONE]")));
	arena_free(arena);
}

static void judge_lines(struct stream_run *run, struct slice text)
{
	struct slice line;

	while (text.len) {
		if (!slice_cut(text, '\n', &line, &text)) {
			line = text;
			text = SLICE_NONE;
		}
		if (slice_trim(line).len)
			judge_payload(run, SLICE_NONE, slice_trim(line));
	}
}

static void judge_sse(struct stream_run *run, struct slice text)
{
	struct sse_event ev;
	struct sse p;

	sse_init(&p, FILE_BYTES_MAX);
	while (sse_feed(&p, &text, &ev) == SSE_EVENT)
		if (ev.has_data)
			judge_payload(run, ev.type, ev.data);
	sse_free(&p);
}

static void judge_stream(const struct slice *columns, struct slice text, struct tally *tally)
{
	struct stream_run run = { .endpoint = endpoint_of(columns[COLUMN_API]) };
	char name[256];
	enum fault end;

	snprintf(name, sizeof name, "%.*s", SLICE_ARG(columns[COLUMN_FILE]));
	if (slice_ends(columns[COLUMN_FILE], S(".sse")))
		judge_sse(&run, text);
	else
		judge_lines(&run, text);
	end = dialect_openai.judge_end(run.endpoint, &run.so_far);
	tally->streams++;
	tally->events += run.so_far.events;
	if (run.damaged) {                       /* lines that are no JSON, as they were found */
		tally->broken++;
		row_holds(end != FAULT_NONE, name);
	} else if (has_feature(columns[COLUMN_FEATURES], "error")) {
		tally->errors++;
		row_holds(run.so_far.error_seen && end != FAULT_NONE, name);
	} else {
		row_holds(end == FAULT_NONE, name);
		row_holds(run.so_far.content_seen, name);
	}
}

static void judge_answer(const struct slice *columns, struct slice text, struct tally *tally)
{
	const struct endpoint *endpoint = endpoint_of(columns[COLUMN_API]);
	struct arena *arena = arena_create(0);
	struct h1_head head = head_of("");
	struct answer_facts out;
	uint64_t status = 0;
	char name[256];

	/* One is filed under the wrong API; what it says it is counts. */
	if (json_string_eq(json_member(text, S("object")), S("chat.completion")))
		endpoint = endpoint_at("POST", CHAT);
	snprintf(name, sizeof name, "%.*s", SLICE_ARG(columns[COLUMN_FILE]));
	row_holds(slice_to_u64(columns[COLUMN_STATUS], &status), name);
	dialect_openai.judge_answer(arena, endpoint, (int)status, &head, text, 0, &out);
	tally->answers++;
	if (status == 200) {
		row_holds(out.fault == FAULT_NONE, name);
	} else {
		tally->errors++;
		row_holds(out.fault != FAULT_NONE && out.message.len > 0, name);
	}
	arena_free(arena);
}

static bool read_columns(struct slice line, struct slice columns[static COLUMNS])
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (!slice_cut(line, '\t', &columns[i], &line))
			return false;
	return true;
}

static void recordings_are_judged_as_what_they_are(void **state)
{
	const char *folder = getenv("BACKSTAY_RECORDINGS");
	struct tally tally = { .streams = 0 };
	struct slice rest, line, columns[COLUMNS];
	struct buf index;

	(void)state;
	if (!folder) {
		print_message("skipped: BACKSTAY_RECORDINGS is not set, no recordings to judge\n");
		skip();
	}
	index = read_file(folder, S("index.tsv"));
	rest = buf_slice(&index);
	while (slice_cut(rest, '\n', &line, &rest)) {
		struct buf text;

		if (!read_columns(line, columns) || !speaks_openai(columns[COLUMN_PROVIDER]) ||
		    !endpoint_of(columns[COLUMN_API]))
			continue;
		text = read_file(folder, columns[COLUMN_FILE]);
		if (slice_eq(columns[COLUMN_STREAM], S("1")))
			judge_stream(columns, buf_slice(&text), &tally);
		else
			judge_answer(columns, buf_slice(&text), &tally);
		buf_free(&text);
	}
	buf_free(&index);
	print_message("%u streams (%u events, %u with an error, %u with lines that are no JSON) and %u "
		      "answers were judged rightly\n", tally.streams, tally.events, tally.errors,
		      tally.broken, tally.answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_are_judged_as_what_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
