/* Answers that real providers gave, read by the codec of their API, must say what
 * expected.jsonl says that they say; and told to a client of any dialect, whole
 * and as a stream, they must still say it. BACKSTAY_RECORDINGS names the folder. */
#include "help.h"

#include "base/check.h"
#include "dialect/codec.h"
#include "wire/json.h"
#include "wire/sse.h"

#include <openssl/sha.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (16u * 1024 * 1024)
#define CALLS_MAX 64

/* ---- what an answer says -------------------------------------------------------------- */

struct said_call { struct slice id, name, arguments; };

struct said {
	struct slice text, reasoning, refusal, finish;
	struct said_call calls[CALLS_MAX];
	size_t call_count;
	struct usage usage;
	bool error, done;
};

static struct slice joined(struct arena *arena, const struct canon_events *list,
			   enum canon_event_kind kind, int call)
{
	struct buf raw = BUF_INIT(FILE_BYTES_MAX);
	struct slice text;

	assert_true(canon_write_joined(&raw, list, kind, 0, call));
	text = arena_copy(arena, json_string(arena, arena_copy(arena, buf_slice(&raw))));
	buf_free(&raw);
	return text;
}

static int compare_members(const void *a, const void *b)
{
	const struct json *const *left = a, *const *right = b;

	return slice_compare((*left)->key, (*right)->key);
}

/* Sorted keys, no space: what expected.jsonl holds. */
static void put_canonical(struct buf *out, struct arena *arena, const struct json *j)
{
	const struct json **list = arena_array(arena, const struct json *, j->count + 1);
	size_t n = 0;

	if (j->type != JSON_OBJECT && j->type != JSON_ARRAY) {
		if (j->type == JSON_STRING)
			json_write_string(out, json_string(arena, j->raw));
		else
			buf_put(out, j->raw);
		return;
	}
	for (const struct json *c = j->first; c; c = c->next)
		list[n++] = c;
	if (j->type == JSON_OBJECT)
		qsort(list, n, sizeof *list, compare_members);
	buf_put(out, j->type == JSON_OBJECT ? S("{") : S("["));
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_puts(out, ",");
		if (j->type == JSON_OBJECT) {
			buf_put(out, list[i]->key);
			buf_puts(out, ":");
		}
		put_canonical(out, arena, list[i]);
	}
	buf_put(out, j->type == JSON_OBJECT ? S("}") : S("]"));
}

static struct slice canonical(struct arena *arena, struct slice text)
{
	const struct json *j = json_parse(arena, text, NULL, NULL);
	struct buf out = BUF_INIT(FILE_BYTES_MAX);
	struct slice copy;

	if (!j)
		return slice_trim(text).len ? text : S("{}");
	put_canonical(&out, arena, j);
	copy = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return copy;
}

static void sum_up(struct arena *arena, const struct canon_events *list, struct said *out)
{
	*out = (struct said){
		.text = joined(arena, list, CANON_EVENT_TEXT, EVENT_NO_CALL),
		.reasoning = joined(arena, list, CANON_EVENT_REASONING, EVENT_NO_CALL),
		.refusal = joined(arena, list, CANON_EVENT_REFUSAL, EVENT_NO_CALL),
	};
	for (size_t i = 0; i < list->count; i++) {
		const struct canon_event *e = &list->at[i];

		if (e->kind == CANON_EVENT_FINISH && !out->finish.len && e->choice == 0)
			out->finish = canon_finish_word(e->finish);
		out->error |= e->kind == CANON_EVENT_ERROR;
		out->done |= e->kind == CANON_EVENT_DONE;
		if (e->kind == CANON_EVENT_USAGE)
			out->usage = e->usage;
		if (e->kind == CANON_EVENT_CALL && e->choice == 0 && out->call_count < CALLS_MAX)
			out->calls[out->call_count++] = (struct said_call){
				json_string(arena, e->id), json_string(arena, e->name),
				canonical(arena, joined(arena, list, CANON_EVENT_ARGUMENTS, e->call)),
			};
	}
}

/* ---- reading ----------------------------------------------------------------------------- */

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

struct reading {
	struct arena *arena;
	struct codec_reader reader;
	struct canon_events events;
	enum fault end;
};

static struct reading begin(struct arena *arena, const struct codec *codec)
{
	return (struct reading){
		.arena = arena,
		.reader = { .codec = codec, .arena = arena, .wall_ms = 1000 },
		.events = canon_events_in(arena),
	};
}

static void read_payload(struct reading *r, struct slice type, struct slice data)
{
	r->reader.codec->read_event(&r->reader, r->arena, arena_copy(r->arena, type),
				    arena_copy(r->arena, data), &r->events);
}

static void end_stream(struct reading *r)
{
	r->end = r->reader.codec->read_end(&r->reader, r->arena, &r->events);
}

static void read_sse(struct reading *r, struct slice text)
{
	struct slice end = S("\n\n");      /* some files lack it */
	struct sse_event ev;
	struct sse p;

	sse_init(&p, FILE_BYTES_MAX);
	while (sse_feed(&p, &text, &ev) == SSE_EVENT || sse_feed(&p, &end, &ev) == SSE_EVENT)
		if (ev.has_data)
			read_payload(r, ev.type, ev.data);
	sse_free(&p);
	end_stream(r);
}

/* The payloads of Bedrock's frames are filed as {"TYPE": payload}. */
static void read_lines(struct reading *r, struct slice text)
{
	bool framed = r->reader.codec->framing == FRAMING_EVENTSTREAM;
	struct slice line;

	while (text.len) {
		struct slice rest, key, value;

		if (!slice_cut(text, '\n', &line, &text)) {
			line = text;
			text = SLICE_NONE;
		}
		line = slice_trim(line);
		if (!line.len)
			continue;
		rest = line;
		if (framed && json_next(&rest, &key, &value))
			read_payload(r, canon_inside(key), value);
		else
			read_payload(r, SLICE_NONE, line);
	}
	end_stream(r);
}

static void read_recording(struct reading *r, struct slice file, struct slice text)
{
	if (slice_ends(file, S(".sse")))
		read_sse(r, text);
	else if (slice_ends(file, S(".jsonl")))
		read_lines(r, text);
	else
		r->end = r->reader.codec->read_answer(&r->reader, text, &r->events);
}

/* ---- telling a client ------------------------------------------------------------------------ */

static const struct codec *const clients[] = {
	&codec_openai_chat, &codec_openai_responses, &codec_anthropic_messages, &codec_gemini_generate,
};

static struct codec_writer writer_for(struct arena *arena, const struct codec *codec)
{
	struct canon_request *request = canon_request_new(arena);

	request->stream = request->include_usage = true;
	return (struct codec_writer){
		.codec = codec, .arena = arena, .request = request, .wall_ms = 1000,
		.request_id = S("req_1"),
	};
}

static void same(const char *file, const struct codec *client, const char *form, const struct said *want,
		 const struct said *got)
{
	char says[512];

	snprintf(says, sizeof says, "%s to %.*s, %s", file, SLICE_ARG(client->name), form);
	/* Who has no other place for a refusal says it as text. */
	if (!slice_eq(want->text, got->text) && !want->refusal.len)
		fail_msg("%s: text \"%.*s\" became \"%.*s\"", says, SLICE_ARG(want->text),
			 SLICE_ARG(got->text));
	/* A reason that contradicts the calls is corrected (E26). */
	if (!slice_eq(want->finish, got->finish) && !got->refusal.len &&
	    !(want->call_count && is_text(got->finish, "tool_calls") && is_text(want->finish, "stop")))
		fail_msg("%s: finish %.*s became %.*s", says, SLICE_ARG(want->finish),
			 SLICE_ARG(got->finish));
	if (want->call_count != got->call_count)
		fail_msg("%s: %zu calls became %zu", says, want->call_count, got->call_count);
	for (size_t i = 0; i < want->call_count; i++)
		if (!slice_eq(want->calls[i].name, got->calls[i].name) ||
		    (json_validate(want->calls[i].arguments, NULL) == JSON_OK &&
		     !slice_eq(want->calls[i].arguments, got->calls[i].arguments)))
			fail_msg("%s: call %.*s(%.*s) became %.*s(%.*s)", says,
				 SLICE_ARG(want->calls[i].name), SLICE_ARG(want->calls[i].arguments),
				 SLICE_ARG(got->calls[i].name), SLICE_ARG(got->calls[i].arguments));
	if (want->usage.known && (want->usage.input_tokens != got->usage.input_tokens ||
				  want->usage.output_tokens != got->usage.output_tokens))
		fail_msg("%s: usage %lld + %lld became %lld + %lld", says,
			 (long long)want->usage.input_tokens, (long long)want->usage.output_tokens,
			 (long long)got->usage.input_tokens, (long long)got->usage.output_tokens);
}

static void tell_stream(const char *file, const struct codec *client, const struct canon_events *events,
			const struct said *want)
{
	struct arena *arena = arena_create(0);
	struct codec_writer w = writer_for(arena, client);
	struct reading r = begin(arena, client);
	struct buf out = BUF_INIT(4 * FILE_BYTES_MAX);
	struct said got;

	for (size_t i = 0; i < events->count; i++)
		assert_true(client->write_event(&w, &events->at[i], &out));
	read_sse(&r, buf_slice(&out));
	if (r.end != FAULT_NONE)
		fail_msg("%s to %.*s as a stream is not complete:\n%.*s", file, SLICE_ARG(client->name),
			 SLICE_ARG(buf_slice(&out)));
	sum_up(arena, &r.events, &got);
	same(file, client, "as a stream", want, &got);
	buf_free(&out);
	arena_free(arena);
}

static void tell_whole(const char *file, const struct codec *client, const struct canon_events *events,
		       const struct said *want)
{
	struct arena *arena = arena_create(0);
	struct codec_writer w = writer_for(arena, client);
	struct reading r = begin(arena, client);
	struct buf out = BUF_INIT(4 * FILE_BYTES_MAX);
	struct said got;

	assert_true(client->write_answer(&w, events, &out));
	assert_int_equal(json_validate(buf_slice(&out), NULL), JSON_OK);
	r.end = client->read_answer(&r.reader, buf_slice(&out), &r.events);
	assert_int_equal(r.end, FAULT_NONE);
	sum_up(arena, &r.events, &got);
	same(file, client, "whole", want, &got);
	buf_free(&out);
	arena_free(arena);
}

/* ---- one recording ------------------------------------------------------------------------------ */

static const struct codec *codec_for(struct slice kind)
{
	static const struct { struct slice kind; const struct codec *codec; } kinds[] = {
		{ S_INIT("openai"), &codec_openai_chat },
		{ S_INIT("anthropic"), &codec_anthropic_messages },
		{ S_INIT("bedrock"), &codec_bedrock_converse },
		{ S_INIT("gemini"), &codec_gemini_generate },
		{ S_INIT("gemini"), &codec_gemini_generate },
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (slice_eq(kind, kinds[i].kind))
			return kinds[i].codec;
	return NULL;
}

static struct slice member(const struct json *row, const char *name)
{
	const struct json *j = json_get(row, slice_of(name));

	return j ? j->raw : SLICE_NONE;
}

static void hex_sha1(struct slice text, char out[41])
{
	unsigned char digest[SHA_DIGEST_LENGTH];

	SHA1((const unsigned char *)text.at, text.len, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void check_calls(struct arena *arena, const char *file, const struct json *row,
			const struct said *said)
{
	const struct json *calls = json_get(row, S("tool_calls"));
	size_t n = 0;

	for (const struct json *c = calls ? calls->first : NULL; c; c = c->next, n++) {
		struct slice name = json_string(arena, member(c, "name"));
		struct slice args = json_string(arena, member(c, "args"));

		bool valid = json_is_true(member(c, "args_valid"));

		/* Arguments that were cut off are what they are (E28). */
		if (n >= said->call_count || !slice_eq(name, said->calls[n].name) ||
		    (valid && !slice_eq(canonical(arena, args), said->calls[n].arguments)))
			fail_msg("%s: call %zu should be %.*s(%.*s), is %.*s(%.*s)", file, n,
				 SLICE_ARG(name), SLICE_ARG(args), SLICE_ARG(said->calls[n].name),
				 SLICE_ARG(said->calls[n].arguments));
	}
	if (n != said->call_count)
		fail_msg("%s: %zu calls expected, %zu read", file, n, said->call_count);
}

static void check_said(struct arena *arena, const char *file, const struct json *row,
		       const struct said *said)
{
	struct slice finish = json_string(arena, member(row, "finish_openai"));
	const struct json *usage = json_get(row, S("usage"));
	int64_t prompt = 0, completion = 0;
	char sha1[41];

	hex_sha1(said->text, sha1);
	if (!json_string_eq(member(row, "text_sha1"), slice_of(sha1)))
		fail_msg("%s: another text was read: \"%.*s\"", file, SLICE_ARG(said->text));
	check_calls(arena, file, row, said);
	if (finish.len && !slice_eq(finish, said->finish))
		fail_msg("%s: finish should be %.*s, is %.*s", file, SLICE_ARG(finish),
			 SLICE_ARG(said->finish));
	if (!usage || !json_i64(member(usage, "prompt"), &prompt) ||
	    !json_i64(member(usage, "completion"), &completion))
		return;
	/* Google counts thinking beside the answer, and what its tools were told beside
	 * the prompt. */
	if (json_string_eq(member(row, "kind"), S("gemini"))) {
		completion += said->usage.reasoning_tokens;
		prompt = said->usage.input_tokens > prompt ? said->usage.input_tokens : prompt;
	}
	if (said->usage.input_tokens != prompt || said->usage.output_tokens != completion)
		fail_msg("%s: usage should be %lld + %lld, is %lld + %lld", file, (long long)prompt,
			 (long long)completion, (long long)said->usage.input_tokens,
			 (long long)said->usage.output_tokens);
}

/* Several answers in one file, one behind another or one inside another; an error
 * behind the events that is none itself. */
static const char *const no_single_answers[] = {
	"vertex/streamGenerateContent/fb-streaming-failure-error-mid-stream.resp.sse",
	"anthropic/messages/vai-spliced-message-start.resp.jsonl",
	"anthropic/messages/vai-anthropic-tool-search-deferred-bm25.resp.jsonl",
	"anthropic/messages/vai-anthropic-tool-search-deferred-regex.resp.jsonl",
};

static bool is_single_answer(const char *file)
{
	for (size_t i = 0; i < COUNT_OF(no_single_answers); i++)
		if (strcmp(file, no_single_answers[i]) == 0)
			return false;
	return true;
}

struct tally { unsigned complete, errors, broken, special, left_out, told; };

static void check_complete(struct arena *arena, const char *file, const struct json *row,
			   const struct reading *r, struct tally *tally)
{
	struct said said;

	sum_up(arena, &r->events, &said);
	if (r->end != FAULT_NONE || said.error || !said.done)
		fail_msg("%s is complete, and was read as %s", file,
			 said.error ? "an error" : fault_row(r->end)->name);
	check_said(arena, file, row, &said);
	tally->complete++;
	for (size_t i = 0; i < COUNT_OF(clients); i++) {
		tell_stream(file, clients[i], &r->events, &said);
		tell_whole(file, clients[i], &r->events, &said);
		tally->told += 2;
	}
}

static bool has_error(const struct reading *r)
{
	for (size_t i = 0; i < r->events.count; i++)
		if (r->events.at[i].kind == CANON_EVENT_ERROR)
			return true;
	return false;
}

/* Whole answers of Google that say that there is none. */
static bool is_refused(struct arena *arena, const struct json *row)
{
	struct slice finish = json_string(arena, member(row, "finish_raw"));

	return json_string_eq(member(row, "kind"), S("gemini")) &&
	       (slice_starts(finish, S("PROMPT_BLOCKED")) || slice_eq(finish, S("OTHER")));
}

static void check_row(const char *folder, struct slice line, struct tally *tally)
{
	struct arena *arena = arena_create(0);
	const struct json *row = json_parse(arena, line, NULL, NULL);
	const struct codec *codec = codec_for(json_string(arena, member(row, "kind")));
	struct slice file = json_string(arena, member(row, "file"));
	struct slice expect = json_string(arena, member(row, "expect"));
	const char *name = arena_cstring(arena, file);
	struct reading r;
	struct buf text;

	if (!codec || !is_single_answer(name)) {
		tally->left_out++;
		arena_free(arena);
		return;
	}
	text = read_file(folder, file);
	r = begin(arena, codec);
	read_recording(&r, file, buf_slice(&text));
	if (is_refused(arena, row)) {
		row_holds(has_error(&r), name);
		tally->errors++;
	} else if (slice_eq(expect, S("complete"))) {
		check_complete(arena, name, row, &r, tally);
	} else if (slice_starts(expect, S("special"))) {
		tally->special++;
	} else {
		row_holds(r.end != FAULT_NONE || has_error(&r), name);
		*(slice_eq(expect, S("error")) ? &tally->errors : &tally->broken) += 1;
	}
	buf_free(&text);
	arena_free(arena);
}

static void recordings_say_the_same_in_every_dialect(void **state)
{
	const char *folder = getenv("BACKSTAY_RECORDINGS");
	struct tally tally = { .complete = 0 };
	struct slice rest, line;
	struct buf rows;

	(void)state;
	if (!folder) {
		print_message("skipped: BACKSTAY_RECORDINGS is not set, no recordings to read\n");
		skip();
	}
	rows = read_file(folder, S("expected.jsonl"));
	rest = buf_slice(&rows);
	while (slice_cut(rest, '\n', &line, &rest))
		check_row(folder, line, &tally);
	buf_free(&rows);
	print_message("%u answers were read rightly and told in %u ways; %u errors, %u broken ones, "
		      "%u that are special; %u left out\n", tally.complete, tally.told, tally.errors,
		      tally.broken, tally.special, tally.left_out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_say_the_same_in_every_dialect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
