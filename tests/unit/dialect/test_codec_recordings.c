/* Answers that real providers gave, read by the codecs: text, calls, reason and
 * usage must be what an independent reader found in them (expected.jsonl in the
 * folder that BACKSTAY_RECORDINGS names). A dialect is a row of `speakers`. */
#include "help.h"

#include "base/check.h"
#include "dialect/codec.h"
#include "wire/json.h"
#include "wire/sse.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (16u * 1024 * 1024)
#define EVENTS_MAX 4096

static const struct { const char *folder; const struct codec *codec; } speakers[] = {
	{ "anthropic/messages/", &codec_anthropic_messages },
	{ "gemini/generateContent/", &codec_gemini_generate },
	{ "gemini/streamGenerateContent/", &codec_gemini_generate },
	{ "vertex/generateContent/", &codec_gemini_generate },
	{ "vertex/streamGenerateContent/", &codec_gemini_generate },
};

/* Files that are no single answer, and what is to become of them. */
static const struct { const char *file; bool fails; const char *why; } odd[] = {
	{ "anthropic/messages/vai-spliced-message-start.resp.jsonl", true,
	  "a second message begins in the middle of the first" },
	{ "anthropic/messages/vai-anthropic-tool-search-deferred-bm25.resp.jsonl", false,
	  "several answers in one file" },
	{ "anthropic/messages/vai-anthropic-tool-search-deferred-regex.resp.jsonl", false,
	  "several answers in one file" },
	{ "gemini/generateContent/fb-unary-failure-with-message-no-content.resp.json", true,
	  "the model failed, and says so" },
	{ "vertex/generateContent/fb-unary-failure-prompt-blocked-safety-with-message.resp.json", true,
	  "the prompt was refused" },
	{ "vertex/generateContent/fb-unary-failure-prompt-blocked-safety.resp.json", true,
	  "the prompt was refused" },
	{ "vertex/generateContent/fb-unary-failure-unknown-enum-prompt-blocked.resp.json", true,
	  "the prompt was refused" },
	{ "vertex/streamGenerateContent/fb-streaming-failure-prompt-blocked-safety-with-message.resp.sse",
	  true, "the prompt was refused" },
	{ "vertex/streamGenerateContent/fb-streaming-failure-prompt-blocked-safety.resp.sse", true,
	  "the prompt was refused" },
	{ "gemini/streamGenerateContent/vai-google-stream-no-args-tool-call.resp.jsonl", true,
	  "arguments in pieces, which were not asked for" },
	{ "gemini/streamGenerateContent/vai-google-stream-tool-call-array-arguments-missing-terminal-"
	  "function-call.resp.jsonl", true, "arguments in pieces, which were not asked for" },
	{ "gemini/streamGenerateContent/vai-google-vertex-stream-tool-call-arguments-nested.1.resp.jsonl",
	  true, "arguments in pieces, which were not asked for" },
	{ "vertex/streamGenerateContent/fb-streaming-failure-error-mid-stream.resp.sse", false,
	  "the error is no event: the exchange sees it at the end of the framing" },
	/* Reasons that nobody knows are an end all the same. */
	{ "vertex/generateContent/fb-unary-failure-unknown-enum-finish-reason.resp.json", false, "" },
	{ "vertex/streamGenerateContent/fb-streaming-failure-unknown-finish-enum.resp.sse", false, "" },
};

struct tally { unsigned streams, answers, odd, cuts; };

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

/* ---- an answer's payloads -------------------------------------------------------------- */

struct payloads { struct slice types[EVENTS_MAX], data[EVENTS_MAX]; unsigned count; };

static void add_payload(struct arena *arena, struct payloads *p, struct slice type, struct slice data)
{
	if (p->count == EVENTS_MAX)
		fail_msg("more than %d events in a file", EVENTS_MAX);
	p->types[p->count] = arena_copy(arena, type);
	p->data[p->count++] = arena_copy(arena, data);
}

static void take_lines(struct arena *arena, struct slice text, struct payloads *p)
{
	struct slice line;

	while (text.len) {
		if (!slice_cut(text, '\n', &line, &text)) {
			line = text;
			text = SLICE_NONE;
		}
		if (slice_trim(line).len)
			add_payload(arena, p, SLICE_NONE, slice_trim(line));
	}
}

static void take_sse(struct arena *arena, struct slice text, struct payloads *p)
{
	struct slice end = S("\n\n");
	struct sse_event ev;
	struct sse sse;

	sse_init(&sse, FILE_BYTES_MAX);
	while (sse_feed(&sse, &text, &ev) == SSE_EVENT)
		if (ev.has_data)
			add_payload(arena, p, ev.type, ev.data);
	/* Files may lack the empty line behind their last event. */
	while (sse_feed(&sse, &end, &ev) == SSE_EVENT)
		if (ev.has_data)
			add_payload(arena, p, ev.type, ev.data);
	sse_free(&sse);
}

/* ---- comparing ---------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	return slice_compare((*(const struct json *const *)a)->key, (*(const struct json *const *)b)->key);
}

/* JSON with sorted keys, without spaces, texts in one spelling. */
static void write_sorted(struct arena *arena, struct buf *out, const struct json *j)
{
	const struct json **children = arena_array(arena, const struct json *, j->count + 1);
	bool object = j->type == JSON_OBJECT;
	size_t n = 0;

	if (j->type == JSON_STRING) {
		json_write_string(out, json_string(arena, j->raw));
		return;
	}
	if (!object && j->type != JSON_ARRAY) {
		buf_put(out, j->raw);
		return;
	}
	for (const struct json *c = j->first; c; c = c->next)
		children[n++] = c;
	if (object)
		qsort(children, n, sizeof *children, by_key);
	buf_put(out, object ? S("{") : S("["));
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_puts(out, ",");
		if (object) {
			json_write_string(out, json_string(arena, children[i]->key));
			buf_puts(out, ":");
		}
		write_sorted(arena, out, children[i]);
	}
	buf_put(out, object ? S("}") : S("]"));
}

static struct slice sorted(struct arena *arena, struct slice text)
{
	const struct json *j = json_parse(arena, text, NULL, NULL);
	struct buf out = BUF_INIT(FILE_BYTES_MAX);
	struct slice copy;

	if (!j)
		return S("(no JSON)");
	write_sorted(arena, &out, j);
	copy = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return copy;
}

static struct slice joined(struct arena *arena, const struct canon_events *events,
			   enum canon_event_kind kind, int call)
{
	struct buf out = BUF_INIT(FILE_BYTES_MAX);
	struct slice text;

	assert_true(canon_write_joined(&out, events, kind, 0, call));
	assert_int_equal(json_validate(buf_slice(&out), NULL), JSON_OK);
	text = json_string(arena, arena_copy(arena, buf_slice(&out)));
	buf_free(&out);
	return text;
}

static void compare_text(struct arena *arena, const struct canon_events *events,
			 const struct json *want, const char *name)
{
	struct slice text = joined(arena, events, CANON_EVENT_TEXT, EVENT_NO_CALL);
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[41];

	assert_int_equal(EVP_Digest(text.at, text.len, digest, NULL, EVP_sha1(), NULL), 1);
	for (int i = 0; i < 20; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	row_holds(json_string_eq(json_get(want, S("text_sha1"))->raw, slice_of(hex)), name);
}

static void compare_calls(struct arena *arena, const struct canon_events *events,
			  const struct json *want, const char *name)
{
	const struct json *calls = json_get(want, S("tool_calls"));
	size_t n = 0;

	for (size_t i = 0; i < events->count; i++) {
		const struct canon_event *e = &events->at[i];
		const struct json *one = json_at(calls, n);
		struct slice arguments;

		if (e->kind != CANON_EVENT_CALL)
			continue;
		n++;
		row_holds(one != NULL && e->call == (int)n - 1, name);
		row_holds(slice_eq(json_string(arena, e->name),
				   json_string(arena, json_get(one, S("name"))->raw)), name);
		arguments = joined(arena, events, CANON_EVENT_ARGUMENTS, e->call);
		if (json_is_true(json_get(one, S("args_valid"))->raw))
			row_holds(slice_eq(sorted(arena, arguments),
					   sorted(arena, json_string(arena, json_get(one, S("args"))->raw))), name);
	}
	row_holds(n == calls->count, name);
}

/* Anthropic counts what is cached beside the prompt; all others within it. */
static void compare_usage(const struct usage *usage, const struct json *want, const char *name)
{
	const struct json *counts = json_get(want, S("usage"));
	int64_t input = usage->input_tokens, output = usage->output_tokens, n;
	bool beside = false;

	if (json_string_eq(json_get(want, S("kind"))->raw, S("anthropic")))
		input -= usage->cached_tokens + usage->cache_write_tokens;
	/* Google counts thinking beside the answer, and what its tools were told beside
	 * the prompt. */
	if (json_string_eq(json_get(want, S("kind"))->raw, S("gemini"))) {
		output -= usage->reasoning_tokens;
		beside = true;
	}
	if (counts && json_get(counts, S("prompt")) && json_i64(json_get(counts, S("prompt"))->raw, &n))
		row_holds(beside ? input >= n : input == n, name);
	if (counts && json_get(counts, S("completion")) && json_i64(json_get(counts, S("completion"))->raw, &n))
		row_holds(output == n, name);
}

/* Order and number of what frames an answer. */
static void compare_shape(const struct canon_events *events, const struct json *want, const char *name)
{
	unsigned starts = 0, finishes = 0, dones = 0, errors = 0;
	struct usage usage = { .known = false };
	struct slice finish = SLICE_NONE;

	for (size_t i = 0; i < events->count; i++) {
		const struct canon_event *e = &events->at[i];

		starts += e->kind == CANON_EVENT_START;
		finishes += e->kind == CANON_EVENT_FINISH;
		dones += e->kind == CANON_EVENT_DONE;
		errors += e->kind == CANON_EVENT_ERROR;
		if (e->kind == CANON_EVENT_USAGE)
			usage = e->usage;
		if (e->kind == CANON_EVENT_FINISH)
			finish = canon_finish_word(e->finish);
	}
	row_holds(starts == 1 && events->at[0].kind == CANON_EVENT_START, name);
	row_holds(finishes == 1 && dones == 1 && errors == 0, name);
	row_holds(events->at[events->count - 1].kind == CANON_EVENT_DONE, name);
	row_holds(json_string_eq(json_get(want, S("finish_openai"))->raw, finish), name);
	compare_usage(&usage, want, name);
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* The first `count` payloads; gives what the end is. */
static enum fault read_payloads(struct arena *arena, const struct codec *codec, const struct payloads *p,
				unsigned count, struct canon_events *events, bool *finished)
{
	struct codec_reader r = { .codec = codec, .arena = arena };
	enum fault end;

	*events = canon_events_in(arena);
	for (unsigned i = 0; i < count; i++)
		codec->read_event(&r, arena, p->types[i], p->data[i], events);
	*finished = r.finished;
	end = codec->read_end(&r, arena, events);
	return r.failed ? FAULT_CUT : end;
}

/* Cut anywhere, a stream is complete only where its reason was told. */
static void cut_everywhere(const struct codec *codec, const struct payloads *p, const char *name,
			   struct tally *tally)
{
	unsigned step = 1 + p->count / 40;

	for (unsigned n = 0; n < p->count; n += step) {
		struct arena *arena = arena_create(0);
		struct canon_events events;
		bool finished;
		enum fault end = read_payloads(arena, codec, p, n, &events, &finished);

		row_holds((end == FAULT_NONE) == finished, name);
		tally->cuts++;
		arena_free(arena);
	}
}

static bool is_odd(const char *name, bool *fails)
{
	for (size_t i = 0; i < COUNT_OF(odd); i++)
		if (strcmp(odd[i].file, name) == 0) {
			*fails = odd[i].fails;
			return true;
		}
	return false;
}

static void check_stream(struct arena *arena, const struct codec *codec, struct slice text,
			 const struct json *want, const char *name, struct tally *tally)
{
	struct payloads *p = arena_new(arena, struct payloads);
	struct canon_events events;
	bool finished, fails;
	enum fault end;

	if (strstr(name, ".sse"))
		take_sse(arena, text, p);
	else
		take_lines(arena, text, p);
	end = read_payloads(arena, codec, p, p->count, &events, &finished);
	if (is_odd(name, &fails)) {
		tally->odd++;
		row_holds((end != FAULT_NONE) == fails, name);
		return;
	}
	tally->streams++;
	if (!json_string_eq(json_get(want, S("expect"))->raw, S("complete"))) {
		row_holds(end != FAULT_NONE, name);
		return;
	}
	row_holds(end == FAULT_NONE, name);
	compare_shape(&events, want, name);
	compare_text(arena, &events, want, name);
	compare_calls(arena, &events, want, name);
	cut_everywhere(codec, p, name, tally);
}

static void check_answer(struct arena *arena, const struct codec *codec, struct slice text,
			 const struct json *want, const char *name, struct tally *tally)
{
	struct codec_reader r = { .codec = codec, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	bool fails;

	if (is_odd(name, &fails)) {
		tally->odd++;
		row_holds((codec->read_answer(&r, text, &events) != FAULT_NONE) == fails, name);
		return;
	}
	tally->answers++;
	if (!json_string_eq(json_get(want, S("expect"))->raw, S("complete")))
		return;              /* judge_answer() keeps it from here */
	row_holds(codec->read_answer(&r, text, &events) == FAULT_NONE, name);
	compare_shape(&events, want, name);
	compare_text(arena, &events, want, name);
	compare_calls(arena, &events, want, name);
}

static void check_file(const char *folder, const struct codec *codec, const struct json *want,
		       struct slice file, struct tally *tally)
{
	struct arena *arena = arena_create(0);
	struct buf text = read_file(folder, file);
	char name[256];

	snprintf(name, sizeof name, "%.*s", SLICE_ARG(file));
	if (strstr(name, ".resp.json") && !strstr(name, ".jsonl"))
		check_answer(arena, codec, buf_slice(&text), want, name, tally);
	else
		check_stream(arena, codec, buf_slice(&text), want, name, tally);
	buf_free(&text);
	arena_free(arena);
}

static void recordings_are_read_as_what_they_say(void **state)
{
	const char *folder = getenv("BACKSTAY_RECORDINGS");
	struct arena *arena = arena_create(0);
	struct tally tally = { .streams = 0 };
	struct slice rest, line;
	struct buf index;

	(void)state;
	if (!folder) {
		print_message("skipped: BACKSTAY_RECORDINGS is not set, no recordings to read\n");
		arena_free(arena);
		skip();
	}
	index = read_file(folder, S("expected.jsonl"));
	rest = buf_slice(&index);
	while (slice_cut(rest, '\n', &line, &rest)) {
		const struct json *want = json_parse(arena, line, NULL, NULL);
		struct slice file = json_string(arena, json_get(want, S("file"))->raw);

		for (size_t i = 0; i < COUNT_OF(speakers); i++)
			if (slice_starts(file, slice_of(speakers[i].folder)))
				check_file(folder, speakers[i].codec, want, file, &tally);
	}
	buf_free(&index);
	arena_free(arena);
	print_message("%u streams (also cut at %u places) and %u answers were read rightly, %u odd ones "
		      "as they deserve\n", tally.streams, tally.cuts, tally.answers, tally.odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_are_read_as_what_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
