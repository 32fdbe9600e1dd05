/* Answers of the Messages API: read as events, judged as they pass, told to
 * clients from the beginning and from the middle. */
#include "help.h"

#include "base/check.h"
#include "dialect/anthropic.h"
#include "wire/sse.h"

/* ---- events as lines --------------------------------------------------------------- */

static const char *const kinds[] = {
	[CANON_EVENT_START] = "start", [CANON_EVENT_TEXT] = "text", [CANON_EVENT_REASONING] = "think",
	[CANON_EVENT_SIGNATURE] = "proof", [CANON_EVENT_ENCRYPTED] = "hidden", [CANON_EVENT_REFUSAL] = "refuse",
	[CANON_EVENT_CALL] = "call", [CANON_EVENT_ARGUMENTS] = "args", [CANON_EVENT_CITATION] = "cite",
	[CANON_EVENT_FINISH] = "finish", [CANON_EVENT_USAGE] = "usage", [CANON_EVENT_DONE] = "done",
	[CANON_EVENT_ERROR] = "error",
};

static void put_event(struct buf *out, const struct canon_event *e)
{
	buf_putf(out, "%s", kinds[e->kind]);
	switch (e->kind) {
	case CANON_EVENT_START:
		buf_putf(out, " %.*s %.*s", SLICE_ARG(e->id), SLICE_ARG(e->name));
		break;
	case CANON_EVENT_CALL:
		buf_putf(out, " %d %.*s %.*s", e->call, SLICE_ARG(e->id), SLICE_ARG(e->name));
		break;
	case CANON_EVENT_ARGUMENTS:
		buf_putf(out, " %d %.*s", e->call, SLICE_ARG(e->text));
		break;
	case CANON_EVENT_FINISH:
		buf_putf(out, " %.*s %.*s", SLICE_ARG(anthropic_stop_reason(e->finish)), SLICE_ARG(e->text));
		break;
	case CANON_EVENT_USAGE:
		buf_putf(out, " %d %d %d %d", (int)e->usage.input_tokens, (int)e->usage.output_tokens,
			 (int)e->usage.cached_tokens, (int)e->usage.cache_write_tokens);
		break;
	case CANON_EVENT_ERROR:
		buf_putf(out, " %s", fault_row(e->error.fault)->name);
		break;
	default:
		buf_putf(out, " %.*s", SLICE_ARG(e->text));
		break;
	}
	buf_puts(out, "\n");
}

#define START "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":7," \
	"\"cache_read_input_tokens\":2,\"cache_creation_input_tokens\":1,\"output_tokens\":1}}}\n"
#define STARTED "start \"msg_1\" \"m\"\nusage 10 1 2 1\n"
#define BLOCK(index, block) "{\"type\":\"content_block_start\",\"index\":" index ",\"content_block\":" block "}\n"
#define DELTA(index, delta) "{\"type\":\"content_block_delta\",\"index\":" index ",\"delta\":" delta "}\n"
#define SAYS(index, text) DELTA(index, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define STOP(index) "{\"type\":\"content_block_stop\",\"index\":" index "}\n"
#define END(reason, output) "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":" reason ",\"stop_sequence\":null}," \
	"\"usage\":{\"output_tokens\":" output "}}\n"
#define OVER "{\"type\":\"message_stop\"}\n"
#define TEXT_BLOCK(index) BLOCK(index, "{\"type\":\"text\",\"text\":\"\"}")

static const struct {
	const char *says, *lines, *events;
	enum fault end;
} streams[] = {
	{ "a text", START "{\"type\":\"ping\"}\n" TEXT_BLOCK("0") SAYS("0", "a") SAYS("0", "") SAYS("0", "b") STOP("0")
	  END("\"end_turn\"", "5") OVER,
	  STARTED "text \"a\"\ntext \"b\"\nfinish end_turn \nusage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "thinking, hidden thinking, a call without arguments",
	  START BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
	  DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}")
	  DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"s\"}") STOP("0")
	  BLOCK("1", "{\"type\":\"redacted_thinking\",\"data\":\"x\"}") STOP("1")
	  BLOCK("2", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}") STOP("2")
	  END("\"tool_use\"", "5") OVER,
	  STARTED "think \"hm\"\nproof \"s\"\nhidden \"x\"\ncall 0 \"t\" \"f\"\nargs 0 \"{}\"\nfinish tool_use \n"
	  "usage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "two calls; the reason contradicts them",
	  START BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}")
	  DELTA("0", "{\"type\":\"input_json_delta\",\"partial_json\":\"\"}")
	  DELTA("0", "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}")
	  DELTA("0", "{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}") STOP("0")
	  BLOCK("1", "{\"type\":\"tool_use\",\"id\":\"u\",\"name\":\"g\",\"input\":{\"b\":2}}") STOP("1")
	  END("\"end_turn\"", "5") OVER,
	  STARTED "call 0 \"t\" \"f\"\nargs 0 \"{\\\"a\\\":\"\nargs 0 \"1}\"\ncall 1 \"u\" \"g\"\nargs 1 \"{\\\"b\\\":2}\"\n"
	  "finish tool_use \nusage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "the vendor's own tools are not the client's",
	  START BLOCK("0", "{\"type\":\"server_tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}")
	  DELTA("0", "{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}") STOP("0")
	  BLOCK("1", "{\"type\":\"web_search_tool_result\",\"content\":[]}") STOP("1")
	  TEXT_BLOCK("2") SAYS("2", "a") DELTA("2", "{\"type\":\"citations_delta\",\"citation\":{\"type\":"
	  "\"web_search_result_location\",\"cited_text\":\"c\",\"url\":\"u\"}}") STOP("2") END("\"end_turn\"", "5") OVER,
	  STARTED "text \"a\"\ncite \"c\"\nfinish end_turn \nusage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "a stop sequence, a pause, a window that is full, a refusal with its reason",
	  START TEXT_BLOCK("0") SAYS("0", "a") STOP("0")
	  "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"x\"}}\n" OVER,
	  STARTED "text \"a\"\nfinish stop_sequence \"x\"\nusage 10 1 2 1\ndone \n", FAULT_NONE },
	{ "pause", START TEXT_BLOCK("0") SAYS("0", "a") END("\"pause_turn\"", "5") OVER,
	  STARTED "text \"a\"\nfinish pause_turn \nusage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "window", START TEXT_BLOCK("0") SAYS("0", "a") END("\"model_context_window_exceeded\"", "5") OVER,
	  STARTED "text \"a\"\nfinish model_context_window_exceeded \nusage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "refusal", START "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\",\"stop_details\":"
	  "{\"explanation\":\"no\"}}}\n" OVER,
	  STARTED "refuse \"no\"\nfinish refusal \nusage 10 1 2 1\ndone \n", FAULT_NONE },
	{ "E12: the reason, but no stop", START TEXT_BLOCK("0") SAYS("0", "a") END("\"end_turn\"", "5"),
	  STARTED "text \"a\"\nfinish end_turn \nusage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "E13: the stop, but no reason", START TEXT_BLOCK("0") SAYS("0", "a") OVER,
	  STARTED "text \"a\"\nfinish end_turn \ndone \n", FAULT_NONE },
	{ "E11: neither", START TEXT_BLOCK("0") SAYS("0", "a") STOP("0"), STARTED "text \"a\"\n", FAULT_CUT },
	{ "nothing at all", START, STARTED, FAULT_BAD_ANSWER },
	{ "done before anything", START OVER, STARTED "error bad_answer\n", FAULT_BAD_ANSWER },
	{ "E15: what follows the end", START TEXT_BLOCK("0") SAYS("0", "a") END("\"end_turn\"", "5") OVER SAYS("0", "late"),
	  STARTED "text \"a\"\nfinish end_turn \nusage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "E24: the reason twice", START TEXT_BLOCK("0") SAYS("0", "a") END("\"end_turn\"", "5") END("\"max_tokens\"", "6") OVER,
	  STARTED "text \"a\"\nfinish end_turn \nusage 10 5 2 1\nusage 10 6 2 1\ndone \n", FAULT_NONE },
	{ "E29: unknown events, blocks and deltas", START "{\"type\":\"x\"}\n" BLOCK("0", "{\"type\":\"x\"}")
	  DELTA("0", "{\"type\":\"x_delta\",\"x\":1}") STOP("0") TEXT_BLOCK("1") SAYS("1", "a") END("\"new_reason\"", "5") OVER,
	  STARTED "text \"a\"\nfinish end_turn \nusage 10 5 2 1\ndone \n", FAULT_NONE },
	{ "E02: an error after some text", START TEXT_BLOCK("0") SAYS("0", "a")
	  "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n" SAYS("0", "b"),
	  STARTED "text \"a\"\nerror overloaded\n", FAULT_CUT },
	{ "E01: an error first", "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n",
	  "error rate_limited\n", FAULT_BAD_ANSWER },
	{ "E33: broken JSON", START TEXT_BLOCK("0") SAYS("0", "a") "{\"type\":\"content_bl\n", STARTED "text \"a\"\nerror bad_answer\n",
	  FAULT_CUT },
	{ "a second message in the middle", START TEXT_BLOCK("0") SAYS("0", "a") START, STARTED "text \"a\"\nerror bad_answer\n",
	  FAULT_CUT },
	{ "no beginning", TEXT_BLOCK("0") SAYS("0", "a") END("\"end_turn\"", "5") OVER,
	  "start  \ntext \"a\"\nfinish end_turn \nusage 0 5 0 0\ndone \n", FAULT_NONE },
};

static struct canon_events read_lines(struct arena *arena, struct codec_reader *r, const char *lines,
				      enum fault *end)
{
	struct canon_events events = canon_events_in(arena);
	struct slice rest = slice_of(lines), line;

	while (slice_cut(rest, '\n', &line, &rest))
		anthropic_read_event(r, arena, SLICE_NONE, line, &events);
	*end = anthropic_read_end(r, arena, &events);
	return events;
}

static void streams_are_read_as_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		struct arena *arena = arena_create(0);
		struct codec_reader r = { .codec = &codec_anthropic_messages, .arena = arena };
		struct buf got = BUF_INIT(1 << 20);
		enum fault end;
		struct canon_events events = read_lines(arena, &r, streams[i].lines, &end);

		for (size_t k = 0; k < events.count; k++)
			put_event(&got, &events.at[k]);
		if (!is_text(buf_slice(&got), streams[i].events))
			print_error("%s\n--- wanted\n%s--- got\n%.*s", streams[i].says, streams[i].events,
				    SLICE_ARG(buf_slice(&got)));
		row_holds(is_text(buf_slice(&got), streams[i].events), streams[i].says);
		row_holds(end == streams[i].end, streams[i].says);
		buf_free(&got);
		arena_free(arena);
	}
}

/* ---- the same, judged as they pass ---------------------------------------------------------- */

/* What passes is judged as what is read: content, end, errors, pieces. */
static void streams_that_pass_are_judged_alike(void **state)
{
	const struct endpoint *e = endpoint_at("POST", MESSAGES);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		struct arena *arena = arena_create(0);
		struct stream_facts so_far = { .events = 0 };
		struct slice rest = slice_of(streams[i].lines), line;
		struct codec_reader r = { .codec = &codec_anthropic_messages, .arena = arena };
		unsigned pieces = 0, wanted = 0;
		struct event_facts facts;
		struct canon_events events;
		enum fault end;

		while (!so_far.error_seen && slice_cut(rest, '\n', &line, &rest)) {
			anthropic_judge_event(arena, e, SLICE_NONE, line, &so_far, &facts);
			pieces += facts.piece_count;
		}
		events = read_lines(arena, &r, streams[i].lines, &end);
		for (size_t k = 0; k < events.count; k++) {
			const struct canon_event *ev = &events.at[k];

			wanted += ev->kind == CANON_EVENT_TEXT || ev->kind == CANON_EVENT_REASONING;
			wanted += ev->kind == CANON_EVENT_ARGUMENTS ? ev->text.len > 2 : 0;
			wanted += ev->kind == CANON_EVENT_CALL ? 2 : 0;
		}
		if (strcmp(streams[i].says, "thinking, hidden thinking, a call without arguments") == 0 ||
		    strcmp(streams[i].says, "two calls; the reason contradicts them") == 0)
			wanted--;            /* arguments that came with no delta */
		row_holds(pieces == wanted, streams[i].says);
		row_holds((anthropic_judge_end(e, &so_far) == FAULT_NONE) == (end == FAULT_NONE), streams[i].says);
		row_holds(so_far.error_seen == r.failed || strcmp(streams[i].says, "done before anything") == 0,
			  streams[i].says);
		arena_free(arena);
	}
}

/* ---- told to a client ------------------------------------------------------------------------- */

/* Names of the events of a stream, with their index. */
static void put_shape(struct buf *out, struct slice stream)
{
	struct sse_event ev;
	struct sse sse;

	sse_init(&sse, 1 << 20);
	while (sse_feed(&sse, &stream, &ev) == SSE_EVENT) {
		struct slice index = json_member(ev.data, S("index"));

		assert_int_equal(json_validate(ev.data, NULL), JSON_OK);
		assert_true(json_string_eq(json_member(ev.data, S("type")), ev.type));
		buf_putf(out, "%.*s%s%.*s\n", SLICE_ARG(ev.type), index.len ? " " : "", SLICE_ARG(index));
	}
	sse_free(&sse);
}

static struct canon_event *tell(struct canon_events *list, enum canon_event_kind kind, const char *text)
{
	struct canon_event *e = canon_add(list, kind);

	if (text)
		e->text = slice_of(text);
	return e;
}

static struct canon_events an_answer(struct arena *arena)
{
	struct canon_events list = canon_events_in(arena);
	struct canon_event *e = tell(&list, CANON_EVENT_START, NULL);

	e->id = S("\"chatcmpl-1\"");
	e->name = S("\"gpt\"");
	tell(&list, CANON_EVENT_REASONING, "\"hm\"");
	tell(&list, CANON_EVENT_TEXT, "\"a\\n\"");
	tell(&list, CANON_EVENT_TEXT, "\"b\"");
	e = tell(&list, CANON_EVENT_CALL, NULL);
	e->call = 0;
	e->id = S("\"t\"");
	e->name = S("\"f\"");
	tell(&list, CANON_EVENT_ARGUMENTS, "\"{\\\"a\\\"\"")->call = 0;
	tell(&list, CANON_EVENT_ARGUMENTS, "\":1}\"")->call = 0;
	tell(&list, CANON_EVENT_FINISH, NULL)->finish = CANON_FINISH_CALLS;
	tell(&list, CANON_EVENT_USAGE, NULL)->usage =
		(struct usage){ .known = true, .input_tokens = 10, .output_tokens = 5, .cached_tokens = 4 };
	tell(&list, CANON_EVENT_DONE, NULL);
	return list;
}

static void another_vendor_s_answer_is_told_as_blocks(void **state)
{
	struct arena *arena = arena_create(0);
	struct stream_facts facts = { .events = 0 };
	struct codec_writer w = { .codec = &codec_anthropic_messages, .arena = arena, .facts = &facts };
	struct codec_writer whole = { .codec = &codec_anthropic_messages, .arena = arena };
	struct canon_events list = an_answer(arena);
	struct buf out = BUF_INIT(1 << 20), shape = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < list.count; i++)
		assert_true(anthropic_write_event(&w, &list.at[i], &out));
	put_shape(&shape, buf_slice(&out));
	assert_true(is_text(buf_slice(&shape),
		"message_start\ncontent_block_start 0\ncontent_block_delta 0\ncontent_block_delta 0\ncontent_block_stop 0\n"
		"content_block_start 1\ncontent_block_delta 1\ncontent_block_delta 1\ncontent_block_stop 1\n"
		"content_block_start 2\ncontent_block_delta 2\ncontent_block_delta 2\ncontent_block_stop 2\n"
		"message_delta\nmessage_stop\n"));
	assert_true(slice_find_slice(buf_slice(&out), S("\"usage\":{\"input_tokens\":6,\"cache_creation_input_tokens\":0,"
		"\"cache_read_input_tokens\":4,\"output_tokens\":5}")) != SLICE_NOT_FOUND);
	assert_int_equal(facts.private[ANTHROPIC_NEXT_BLOCK], 3);
	assert_int_equal(facts.private[ANTHROPIC_OPEN_BLOCK], 0);
	buf_clear(&out);
	assert_true(anthropic_write_answer(&whole, &list, &out));
	assert_true(is_text(buf_slice(&out),
		"{\"id\":\"chatcmpl-1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"gpt\",\"content\":["
		"{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"backstay.none.\"},"
		"{\"type\":\"text\",\"text\":\"a\\nb\"},"
		"{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}],\"stop_reason\":\"tool_use\","
		"\"stop_sequence\":null,\"usage\":{\"input_tokens\":6,\"cache_creation_input_tokens\":0,"
		"\"cache_read_input_tokens\":4,\"output_tokens\":5}}"));
	buf_free(&out);
	buf_free(&shape);
	arena_free(arena);
}

/* Wherever there is no room, nothing is left behind. */
static void half_an_event_is_never_written(void **state)
{
	(void)state;
	for (size_t max = 0; max < 2000; max += 37) {
		struct arena *arena = arena_create(0);
		struct codec_writer w = { .codec = &codec_anthropic_messages, .arena = arena };
		struct canon_events list = an_answer(arena);
		struct buf out = BUF_INIT(max);
		size_t i = 0;

		while (i < list.count && anthropic_write_event(&w, &list.at[i], &out))
			i++;
		assert_true(buf_len(&out) == 0 || slice_ends(buf_slice(&out), S("\n\n")));
		buf_free(&out);
		arena_free(arena);
	}
}

/* ---- from the middle ------------------------------------------------------------------------------ */

static void what_passed_is_gone_on_with_where_it_stood(void **state)
{
	static const char lines[] = START BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\"}")
		DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}")
		DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"s\"}") STOP("0") TEXT_BLOCK("1") SAYS("1", "so f");
	const struct endpoint *e = endpoint_at("POST", MESSAGES);
	struct arena *arena = arena_create(0);
	struct stream_facts so_far = { .events = 0 };
	struct canon_events told = canon_events_in(arena);
	struct event_identity identity = { .id = S("\"msg_1\"") };
	struct codec_so_far known = { .identity = &identity, .told = &told, .facts = &so_far, .add_output = 3 };
	struct codec_writer w = { .codec = &codec_anthropic_messages, .arena = arena, .facts = &so_far };
	struct slice rest = slice_of(lines), line;
	struct buf out = BUF_INIT(1 << 20);
	struct event_facts facts;

	(void)state;
	while (slice_cut(rest, '\n', &line, &rest))
		anthropic_judge_event(arena, e, SLICE_NONE, line, &so_far, &facts);
	tell(&told, CANON_EVENT_REASONING, "\"hm\"");
	tell(&told, CANON_EVENT_TEXT, "\"so f\"");
	anthropic_resume_writer(&w, &known);
	told.count = 0;
	tell(&told, CANON_EVENT_TEXT, "\"ar\"");
	tell(&told, CANON_EVENT_FINISH, NULL)->finish = CANON_FINISH_STOP;
	tell(&told, CANON_EVENT_USAGE, NULL)->usage =
		(struct usage){ .known = true, .input_tokens = 10, .output_tokens = 5 };
	tell(&told, CANON_EVENT_DONE, NULL);
	for (size_t i = 0; i < told.count; i++)
		assert_true(anthropic_write_event(&w, &told.at[i], &out));
	assert_true(is_text(buf_slice(&out),
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
		"{\"type\":\"text_delta\",\"text\":\"ar\"}}\n\n"
		"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
		"\"stop_sequence\":null},\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":0,"
		"\"cache_read_input_tokens\":0,\"output_tokens\":8}}\n\n"
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
	buf_free(&out);
	arena_free(arena);
}

static void what_was_told_is_gone_on_with_too(void **state)
{
	struct arena *arena = arena_create(0);
	struct canon_events told = canon_events_in(arena), more = canon_events_in(arena);
	struct codec_so_far known = { .told = &told };
	struct codec_writer w = { .codec = &codec_anthropic_messages, .arena = arena };
	struct buf out = BUF_INIT(1 << 20), shape = BUF_INIT(1 << 20);

	(void)state;
	tell(&told, CANON_EVENT_TEXT, "\"a\"");
	tell(&told, CANON_EVENT_CALL, NULL)->call = 0;
	tell(&told, CANON_EVENT_ARGUMENTS, "\"{\"")->call = 0;
	anthropic_resume_writer(&w, &known);
	tell(&more, CANON_EVENT_ARGUMENTS, "\"}\"")->call = 0;
	tell(&more, CANON_EVENT_CALL, NULL)->call = 1;
	tell(&more, CANON_EVENT_DONE, NULL);
	for (size_t i = 0; i < more.count; i++)
		assert_true(anthropic_write_event(&w, &more.at[i], &out));
	put_shape(&shape, buf_slice(&out));
	assert_true(is_text(buf_slice(&shape), "content_block_delta 1\ncontent_block_stop 1\ncontent_block_start 2\n"
					       "content_block_stop 2\nmessage_delta\nmessage_stop\n"));
	buf_free(&out);
	buf_free(&shape);
	arena_free(arena);
}

/* The space at the end of an answer begun cannot be sent; it is not told twice. */
static void space_at_the_seam_is_told_once(void **state)
{
	struct arena *arena = arena_create(0);
	struct canon_request request = { .resume = RESUME_PREFILL, .sent = S("so \n") };
	struct codec_reader r = { .codec = &codec_anthropic_messages, .arena = arena, .request = &request };
	struct buf got = BUF_INIT(1 << 16);
	enum fault end;
	struct canon_events events = read_lines(arena, &r, TEXT_BLOCK("0") SAYS("0", " ") SAYS("0", "\\n\\nfar"), &end);

	(void)state;
	for (size_t i = 0; i < events.count; i++)
		put_event(&got, &events.at[i]);
	assert_true(is_text(buf_slice(&got), "start  \ntext \"\\nfar\"\n"));
	buf_free(&got);
	arena_free(arena);
}

/* ---- whole answers, errors, changes -------------------------------------------------------------------- */

#define MESSAGE "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":\"text\"," \
	"\"text\":\"hi\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":2}}"

static const struct { const char *path; int status; const char *headers, *body; enum fault fault; } answers[] = {
	{ MESSAGES, 200, "", MESSAGE, FAULT_NONE },
	{ MESSAGES, 200, "", "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"end_turn\"}", FAULT_NONE },
	{ MESSAGES, 200, "", "{\"type\":\"message\",\"content\":[]}", FAULT_BAD_ANSWER },
	{ MESSAGES, 200, "", "{\"type\":\"message\"}", FAULT_BAD_ANSWER },
	{ MESSAGES, 200, "", "", FAULT_BAD_ANSWER },
	{ MESSAGES, 200, "content-type: text/html", "<html>", FAULT_BAD_ANSWER },
	{ MESSAGES, 200, "", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
	  FAULT_OVERLOADED },
	{ MESSAGES "/count_tokens", 200, "", "{\"input_tokens\":3}", FAULT_NONE },
	{ MESSAGES "/count_tokens", 200, "", "{}", FAULT_BAD_ANSWER },
	{ MESSAGES, 302, "location: http://x", "", FAULT_BAD_ANSWER },
#define ERROR(type, message) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message "\"}}"
	{ MESSAGES, 400, "", ERROR("invalid_request_error", "max_tokens: Field required"), FAULT_CALLER },
	{ MESSAGES, 400, "", ERROR("invalid_request_error", "prompt is too long: 3 tokens > 2 maximum"), FAULT_CONTEXT },
	{ MESSAGES, 400, "", ERROR("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
	  FAULT_NO_MONEY },
	{ MESSAGES, 400, "", ERROR("invalid_request_error", "You have reached your specified API usage limits. You will "
	  "regain access on 2026-12-01 at 00:00 UTC."), FAULT_NO_MONEY },
	{ MESSAGES, 401, "", ERROR("authentication_error", "invalid x-api-key"), FAULT_CREDENTIAL },
	{ MESSAGES, 402, "", ERROR("billing_error", "no money"), FAULT_NO_MONEY },
	{ MESSAGES, 403, "", ERROR("permission_error", "no"), FAULT_CREDENTIAL },
	{ MESSAGES, 404, "", ERROR("not_found_error", "model: claude-9"), FAULT_MODEL_GONE },
	{ MESSAGES, 413, "", ERROR("request_too_large", "Request exceeds the maximum size"), FAULT_CALLER },
	{ MESSAGES, 429, "retry-after: 7", ERROR("rate_limit_error", "slow down"), FAULT_RATE_LIMITED },
	{ MESSAGES, 500, "", ERROR("api_error", "Internal server error"), FAULT_SERVER_ERROR },
	{ MESSAGES, 504, "", ERROR("timeout_error", "too long"), FAULT_SERVER_ERROR },
	{ MESSAGES, 529, "", ERROR("overloaded_error", "Overloaded"), FAULT_OVERLOADED },
	{ MESSAGES, 502, "content-type: text/html", "<html>cloudflare</html>", FAULT_SERVER_ERROR },
};

static void answers_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct arena *arena = arena_create(0);
		struct h1_head head = head_of(answers[i].headers);
		struct answer_facts out;

		anthropic_judge_answer(arena, endpoint_at("POST", answers[i].path), answers[i].status, &head,
				       slice_of(answers[i].body), 0, &out);
		if (out.fault != answers[i].fault)
			fail_msg("%d %s: %s", answers[i].status, answers[i].body, fault_row(out.fault)->name);
		if (answers[i].status == 429)
			assert_int_equal(out.retry_after_ms, 7000);
		arena_free(arena);
	}
}

static const struct { struct error_answer e; int status; const char *body; } errors[] = {
	{ { .fault = FAULT_OVERLOADED, .message = S_INIT("m"), .request_id = S_INIT("r") }, 529,
	  "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"},\"request_id\":\"r\"}" },
	{ { .fault = FAULT_NO_TARGET, .message = S_INIT("m") }, 529,
	  "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}" },
	{ { .fault = FAULT_RATE_LIMITED, .message = S_INIT("m") }, 429,
	  "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"}}" },
	{ { .fault = FAULT_NO_MONEY, .message = S_INIT("m") }, 429,
	  "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"m\"}}" },
	{ { .fault = FAULT_CALLER, .status = 401, .type = S_INIT("invalid_request_error"), .message = S_INIT("m") }, 401,
	  "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"m\"}}" },
	{ { .fault = FAULT_CALLER, .status = 404, .message = S_INIT("m") }, 404,
	  "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"m\"}}" },
	{ { .fault = FAULT_CONTEXT, .message = S_INIT("m") }, 400,
	  "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"m\"}}" },
	{ { .fault = FAULT_SERVER_ERROR, .type = S_INIT("server_error"), .message = S_INIT("m") }, 502,
	  "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}" },
	{ { .fault = FAULT_SILENCE, .message = S_INIT("m") }, 504,
	  "{\"type\":\"error\",\"error\":{\"type\":\"timeout_error\",\"message\":\"m\"}}" },
};

static void errors_are_told_in_anthropic_s_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct buf out = BUF_INIT(1000);

		assert_int_equal(dialect_error_status(&dialect_anthropic, &errors[i].e), errors[i].status);
		dialect_anthropic.write_error(&errors[i].e, &out);
		if (!is_text(buf_slice(&out), errors[i].body))
			fail_msg("wanted %s, got %.*s", errors[i].body, SLICE_ARG(buf_slice(&out)));
		buf_free(&out);
	}
}

static const struct { const char *in, *out; struct request_changes c; } changed[] = {
	{ "{\"model\":\"a\",\"stream\":false}", "{\"model\":\"b\",\"stream\":true}", { .model = S_INIT("b"), .as_stream = true, .way = RESUME_NONE } },
	{ " { \"stream\" : null, \"model\":\"a\"}", " { \"stream\" : true, \"model\":\"b\"}",
	  { .model = S_INIT("b"), .as_stream = true, .way = RESUME_NONE } },
	{ "{\"model\":\"a\"}", "{\"stream\":true,\"model\":\"a\"}", { .model = S_INIT("a"), .as_stream = true, .way = RESUME_NONE } },
	{ "{\"model\":\"a\"}", "{\"model\":\"\\\"\"}", { .model = S_INIT("\""), .way = RESUME_NONE } },
	{ "{\"model\":\"a\"}", "", { .model = S_INIT("b"), .way = RESUME_PREFILL, .sent = S_INIT("x") } },
};

static void requests_that_pass_are_changed_in_place(void **state)
{
	const struct endpoint *e = endpoint_at("POST", MESSAGES);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(changed); i++) {
		struct arena *arena = arena_create(0);
		struct slice parts[DIALECT_CHANGED_PARTS], why, param, body = slice_of(changed[i].in);
		struct buf room = BUF_INIT(1000), whole = BUF_INIT(1000);
		struct request_facts facts;
		size_t count;

		assert_int_equal(anthropic_read_request(arena, e, S("application/json"), e->path, body, &facts, &why, &param),
				 FAULT_NONE);
		count = anthropic_change_request(&facts, body, &changed[i].c, &room, parts);
		for (size_t k = 0; k < count; k++)
			buf_put(&whole, parts[k]);
		if (!is_text(buf_slice(&whole), changed[i].out))
			fail_msg("%s: %.*s", changed[i].in, SLICE_ARG(buf_slice(&whole)));
		buf_free(&room);
		buf_free(&whole);
		arena_free(arena);
	}
}

static const struct { const char *model; unsigned version; } versions[] = {
	{ "claude-3-haiku-20240307", 30 }, { "claude-3-5-sonnet-20241022", 35 }, { "claude-3-7-sonnet-latest", 37 },
	{ "claude-opus-4-20250514", 40 }, { "claude-opus-4-1", 41 }, { "claude-haiku-4-5-20251001", 45 },
	{ "claude-sonnet-4-6@default", 46 }, { "claude-opus-4.7", 47 }, { "claude-opus-5", 50 },
	{ "claude-sonnet-5-5", 55 }, { "anthropic.claude-opus-4-8-v1:0", 48 }, { "claude", 0 }, { "gpt-5", 0 },
};

static void generations_are_read_from_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(versions); i++)
		if (anthropic_version(slice_of(versions[i].model)) != versions[i].version)
			fail_msg("%s: %u", versions[i].model, anthropic_version(slice_of(versions[i].model)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_read_as_events),
		cmocka_unit_test(streams_that_pass_are_judged_alike),
		cmocka_unit_test(another_vendor_s_answer_is_told_as_blocks),
		cmocka_unit_test(half_an_event_is_never_written),
		cmocka_unit_test(what_passed_is_gone_on_with_where_it_stood),
		cmocka_unit_test(what_was_told_is_gone_on_with_too),
		cmocka_unit_test(space_at_the_seam_is_told_once),
		cmocka_unit_test(answers_are_judged),
		cmocka_unit_test(errors_are_told_in_anthropic_s_words),
		cmocka_unit_test(requests_that_pass_are_changed_in_place),
		cmocka_unit_test(generations_are_read_from_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
