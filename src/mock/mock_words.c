/* mock_words.c: the table of behaviour words. `backstay mock --help` and
 * docs/mock.md are made from it. */
#include "mock/mock_behaviour.h"

#include <stdio.h>
#include <string.h>

/* ---- words with a grammar of their own ------------------------------------ */

struct choice {
	const char *name;
	uint32_t value;
};

/* Reads one of the choices into *out; without one, *out stays and it is fine
 * where `optional`. */
static bool read_choice(struct mock_reader *r, const struct choice *choices, size_t count,
			bool optional, uint32_t *out)
{
	struct slice word = mock_peek_word(r);
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		if (!slice_eq(word, slice_of(choices[i].name)))
			continue;
		*out = choices[i].value;
		return mock_read_word(r, &word);
	}
	if (optional)
		return true;
	used = (size_t)snprintf(r->why, r->why_size, "'%.*s' is followed by one of:",
				SLICE_ARG(r->word));
	for (size_t i = 0; i < count && used < r->why_size; i++)
		used += (size_t)snprintf(r->why + used, r->why_size - used, " %s", choices[i].name);
	return false;
}

static bool fail_with(struct mock_reader *r, const char *text)
{
	snprintf(r->why, r->why_size, "'%.*s' %s", SLICE_ARG(r->word), text);
	return false;
}

static bool read_ok(struct mock_reader *r, struct mock_behaviour *b)
{
	(void)r;
	(void)b;
	return true;
}

static bool read_times(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice word;
	uint64_t n;

	if (!mock_read_word(r, &word) || !slice_to_u64(word, &n) || !n || n > 1000000)
		return fail_with(r, "wants a number from 1 to 1000000 after it");
	b->times = (uint32_t)n;
	return true;
}

static bool read_percent(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice word;
	uint64_t n;

	if (!mock_read_word(r, &word) || !slice_to_u64(word, &n) || n > 100)
		return fail_with(r, "wants a number from 0 to 100 after it");
	b->percent = (uint32_t)n;
	return true;
}

static bool read_status_code(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice word;
	uint64_t n;

	if (!mock_read_word(r, &word) || !slice_to_u64(word, &n) || n < 200 || n > 599)
		return fail_with(r, "wants a status from 200 to 599 after it");
	b->status = (uint32_t)n;
	return true;
}

static bool read_html(struct mock_reader *r, struct mock_behaviour *b)
{
	b->body = BODY_HTML;
	return read_status_code(r, b);
}

static bool read_redirect(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice url;

	if (!read_status_code(r, b))
		return false;
	if (b->status < 300 || b->status > 399)
		return fail_with(r, "wants a status from 300 to 399, then a URL");
	if (!mock_read_word(r, &url) || url.len >= sizeof b->location)
		return fail_with(r, "wants a URL of at most 199 bytes after the status");
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.at[i] <= ' ')
			return fail_with(r, "wants a URL without spaces and control characters");
	memcpy(b->location, url.at, url.len);
	b->location[url.len] = '\0';
	return true;
}

static void known_error(struct mock_behaviour *b, uint32_t status, const char *type, const char *code,
			const char *message)
{
	if (!b->status)
		b->status = status;
	snprintf(b->type, sizeof b->type, "%s", type);
	snprintf(b->code, sizeof b->code, "%s", code);
	snprintf(b->message, sizeof b->message, "%s", message);
}

static bool read_known(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct { const char *word; uint32_t status; const char *type, *code, *message; } known[] = {
		{ "bad-key", 401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided." },
		{ "insufficient-quota", 429, "insufficient_quota", "insufficient_quota",
		  "You exceeded your current quota, please check your plan and billing details." },
		{ "model-not-found", 404, "invalid_request_error", "model_not_found",
		  "The model does not exist or you do not have access to it." },
		{ "context-length", 400, "invalid_request_error", "context_length_exceeded",
		  "This model's maximum context length is 8192 tokens. However, your messages resulted in "
		  "12288 tokens. Please reduce the length of the messages." },
		{ "content-filter", 400, "invalid_request_error", "content_filter",
		  "The response was filtered due to the prompt triggering the content management policy." },
		{ "overloaded", 503, "overloaded_error", "overloaded",
		  "The engine is currently overloaded, please try again later." },
	};

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (slice_eq(r->word, slice_of(known[i].word)))
			known_error(b, known[i].status, known[i].type, known[i].code, known[i].message);
	return true;
}

static bool read_shape(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct choice shapes[] = {
		{ "openai", SHAPE_OPENAI }, { "vllm", SHAPE_VLLM }, { "openrouter", SHAPE_OPENROUTER },
		{ "raw", SHAPE_RAW }, { "event", SHAPE_EVENT }, { "string", SHAPE_STRING },
		{ "detail", SHAPE_DETAIL }, { "message", SHAPE_MESSAGE }, { "list", SHAPE_LIST },
		{ "anthropic", SHAPE_ANTHROPIC }, { "plain", SHAPE_PLAIN },
	};

	if (!read_choice(r, shapes, COUNT_OF(shapes), false, &b->shape))
		return false;
	b->error_shape = b->shape;
	return true;
}

/* "at-byte N" behind cut and reset. */
static bool read_at_byte(struct mock_reader *r, uint64_t *at, bool *has)
{
	struct slice word;

	mock_read_word(r, &word);
	if (!mock_read_word(r, &word) || !mock_parse_bytes(word, at))
		return fail_with(r, "at-byte wants a size such as 0, 700 or 64k");
	*has = true;
	return true;
}

static bool read_cut(struct mock_reader *r, struct mock_behaviour *b)
{
	enum mock_point_kind kind = POINT_CUT;
	struct slice word = mock_peek_word(r);

	if (slice_eq(word, S("at-byte")))
		return read_at_byte(r, &b->cut_at, &b->has_cut_at);
	if (slice_eq(word, S("mid-event"))) {
		mock_read_word(r, &word);
		kind = POINT_MID_EVENT;
	}
	return mock_read_point(r, b, kind);
}

static bool read_reset(struct mock_reader *r, struct mock_behaviour *b)
{
	if (slice_eq(mock_peek_word(r), S("at-byte")))
		return read_at_byte(r, &b->reset_at, &b->has_reset_at);
	return mock_read_point(r, b, POINT_RESET);
}

static bool read_big_event(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice word;
	uint64_t size;

	if (!mock_read_word(r, &word) || !mock_parse_bytes(word, &size) || size > (32u << 20))
		return fail_with(r, "wants a size such as 64k or 2m after it (32m at most)");
	if (!mock_read_point(r, b, POINT_BIG_EVENT))
		return false;
	b->points[b->point_count - 1].size = size;
	return true;
}

static bool read_length(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct choice kinds[] = {
		{ "two", LENGTH_TWO }, { "negative", LENGTH_NEGATIVE }, { "rubbish", LENGTH_RUBBISH },
		{ "and-chunked", LENGTH_AND_CHUNKED },
	};
	struct slice word = mock_peek_word(r);

	if (!word.len || word.at[0] != '+') {
		if (read_choice(r, kinds, COUNT_OF(kinds), false, &b->length))
			return true;
		return fail_with(r, "is followed by +N, two, negative, rubbish or and-chunked");
	}
	mock_read_word(r, &word);
	b->length = LENGTH_PLUS;
	if (!slice_to_u64(slice_from(word, 1), &b->length_plus) || !b->length_plus ||
	    b->length_plus > 1000000)
		return fail_with(r, "+N wants a number from 1 to 1000000");
	return true;
}

static bool read_gzip(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct choice kinds[] = {
		{ "corrupt", GZIP_CORRUPT }, { "cut", GZIP_CUT }, { "bomb", GZIP_BOMB },
	};
	struct slice word;

	b->gzip = GZIP_RIGHT;
	if (!read_choice(r, kinds, COUNT_OF(kinds), true, &b->gzip))
		return false;
	if (b->gzip != GZIP_BOMB)
		return true;
	if (!mock_read_word(r, &word) || !mock_parse_bytes(word, &b->gzip_bomb_bytes))
		return fail_with(r, "bomb wants the size it unpacks to, such as 200m");
	return true;
}

static bool read_junk(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct choice kinds[] = {
		{ "tls", INSTEAD_JUNK_TLS }, { "ssh", INSTEAD_JUNK_SSH }, { "http09", INSTEAD_JUNK_HTTP09 },
		{ "binary", INSTEAD_JUNK_BINARY },
	};

	b->instead = INSTEAD_JUNK_BINARY;
	return read_choice(r, kinds, COUNT_OF(kinds), true, &b->instead);
}

static bool read_usage(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct choice kinds[] = {
		{ "every", USAGE_EVERY }, { "in-finish", USAGE_IN_FINISH }, { "none", USAGE_NEVER },
		{ "always", USAGE_ALWAYS },
	};

	return read_choice(r, kinds, COUNT_OF(kinds), false, &b->usage);
}

static bool read_tool(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct choice kinds[] = {
		{ "no-index", TOOL_NO_INDEX }, { "one-chunk", TOOL_ONE_CHUNK },
		{ "same-index", TOOL_SAME_INDEX }, { "cut", TOOL_CUT }, { "two", TOOL_TWO },
	};

	b->tool = TOOL_FORCED;
	if (!read_choice(r, kinds, COUNT_OF(kinds), true, &b->tool))
		return false;
	b->own_index = b->tool == TOOL_TWO;
	if (b->own_index)
		b->tool = TOOL_SAME_INDEX;
	return true;
}

static bool read_choices(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct choice kinds[] = {
		{ "empty", BODY_NO_CHOICES }, { "null", BODY_NULL_CHOICES },
		{ "missing", BODY_MISSING_CHOICES }, { "null-message", BODY_NULL_MESSAGE },
		{ "null-content", BODY_NULL_CONTENT },
	};

	return read_choice(r, kinds, COUNT_OF(kinds), false, &b->body);
}

static bool read_odd_json(struct mock_reader *r, struct mock_behaviour *b)
{
	static const struct choice kinds[] = {
		{ "dup-keys", BODY_DUP_KEYS }, { "nan", BODY_NAN }, { "huge-number", BODY_HUGE_NUMBER },
		{ "surrogate", BODY_SURROGATE }, { "deep", BODY_DEEP }, { "bad-utf8", BODY_BAD_UTF8 },
		{ "list", BODY_LIST },
	};

	return read_choice(r, kinds, COUNT_OF(kinds), false, &b->body);
}

static bool read_big_body(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice word;

	b->body = BODY_BIG;
	if (!mock_read_word(r, &word) || !mock_parse_bytes(word, &b->body_bytes))
		return fail_with(r, "wants a size such as 100m after it (1024m at most)");
	return true;
}

static bool read_drip(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice word;

	if (!mock_read_word(r, &word) || !mock_parse_bytes(word, &b->drip_bytes) || !b->drip_bytes ||
	    !mock_read_word(r, &word) || !mock_parse_ms(word, &b->drip_ms) || !b->drip_ms)
		return fail_with(r, "wants a size and a pause after it, such as: drip 1 200ms");
	return true;
}

static bool read_comments(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice word;

	b->comments_ms = 500;
	for (;;) {
		word = mock_peek_word(r);
		if (slice_eq(word, S("only")))
			b->comments_only = 1;
		else if (!mock_parse_ms(word, &b->comments_ms))
			break;
		mock_read_word(r, &word);
	}
	if (b->comments_ms < 1)
		return fail_with(r, "wants at least 1ms between comments");
	return true;
}

static bool read_whitespace(struct mock_reader *r, struct mock_behaviour *b)
{
	struct slice word;

	if (!mock_read_word(r, &word) || !slice_to_u64(word, &b->whitespace_lines) ||
	    b->whitespace_lines > 100000 || !mock_read_word(r, &word) ||
	    !mock_parse_ms(word, &b->whitespace_ms))
		return fail_with(r, "wants a number of lines and a pause, such as: whitespace 5 200ms");
	return true;
}

/* ---- the table --------------------------------------------------------------- */

#define MEMBER(m) offsetof(struct mock_behaviour, m), sizeof(((struct mock_behaviour *)NULL)->m)
#define SET(name, member, value, rows, what) \
	{ name, "", WORD_SET, MEMBER(member), value, NULL, GROUP, what, rows }
#define MS(name, member, rows, what) \
	{ name, "TIME", WORD_MS, MEMBER(member), 0, NULL, GROUP, what, rows }
#define MS_OR(name, member, value, rows, what) \
	{ name, "[TIME]", WORD_MS_OR, MEMBER(member), value, NULL, GROUP, what, rows }
#define COUNT(name, member, rows, what) \
	{ name, "N", WORD_COUNT, MEMBER(member), 0, NULL, GROUP, what, rows }
#define COUNT_OR(name, member, value, rows, what) \
	{ name, "[N]", WORD_COUNT_OR, MEMBER(member), value, NULL, GROUP, what, rows }
#define TEXT(name, member, rows, what) \
	{ name, "TEXT", WORD_TEXT, MEMBER(member), 0, NULL, GROUP, what, rows }
#define POINT(name, kind, rows, what) \
	{ name, "[after N]", WORD_POINT, 0, 0, kind, NULL, GROUP, what, rows }
#define SPECIAL(name, args, function, rows, what) \
	{ name, args, WORD_SPECIAL, 0, 0, 0, function, GROUP, what, rows }

const struct mock_word mock_words[] = {
#define GROUP MOCK_GROUP_WHEN
	SPECIAL("ok", "", read_ok, "", "a right answer; the word for 'healthy' in a chain"),
	SPECIAL("times", "N", read_times, "",
		"the behaviour holds for N requests, then the next of the chain"),
	SPECIAL("percent", "N", read_percent, "",
		"a seeded random share of the requests; the others are healthy"),
#undef GROUP
#define GROUP MOCK_GROUP_TIMING
	MS("delay", delay_ms, "E19 H06", "waits before the status line"),
	MS("ttft", ttft_ms, "E19", "waits between the head and the first token"),
	MS("gap", gap_ms, "", "waits between tokens"),
	MS("lives", lives_ms, "", "how long a token of its token endpoint is good"),
	MS("clock-ahead", clock_ahead_ms, "P10", "its clock is so far before ours: signatures are judged by it"),
	COUNT("tokens", tokens, "", "length of the answer in tokens"),
	SPECIAL("drip", "BYTES TIME", read_drip, "E18",
		"sends the answer in pieces of so many bytes with a pause after each"),
#undef GROUP
#define GROUP "Connection"
	SET("reset-on-accept", connection, CONNECTION_RESET, "N01 N09",
		"resets each connection as soon as it is accepted"),
	SET("close-on-accept", connection, CONNECTION_CLOSE, "N08 N09",
		"closes each connection as soon as it is accepted"),
	SET("junk-on-accept", connection, CONNECTION_JUNK, "N16 H18",
		"greets each connection like a mail server"),
	SET("mute", connection, CONNECTION_MUTE, "N07 N10",
		"accepts connections and never reads (a TLS client waits for the handshake)"),
	SET("no-answer", instead, INSTEAD_SILENCE, "N10 E19",
		"reads the request and never answers"),
	SET("hang-up", instead, INSTEAD_HANG_UP, "N09",
		"reads the request and closes without a byte"),
	SET("stale", instead, INSTEAD_STALE, "N08",
		"answers the first request of a connection, closes it when the second comes"),
	MS_OR("idle-close", idle_close_ms, 0, "N08",
		"closes the connection so long after an answer"),
	MS_OR("idle-reset", idle_reset_ms, 0, "N08",
		"resets the connection so long after an answer"),
	MS_OR("idle-junk", idle_junk_ms, 0, "N16",
		"sends an unasked 408 so long after an answer, then closes"),
	SET("close-after", close_after, 1, "N08", "answers with Connection: close"),
	SET("early-response", early, 1, "H21",
		"answers before the request's body is read (as if a stream had been asked for), then closes"),
#undef GROUP
#define GROUP "Status and errors"
	SPECIAL("status", "CODE", read_status_code, "S04 S12 S13 S14 S17",
		"an error in OpenAI's shape with that status"),
	TEXT("retry-after", retry_after, "S05 S06 S08",
		"Retry-After header: seconds, \"a date\", or rubbish"),
	TEXT("retry-after-ms", retry_after_ms, "S07 S08", "retry-after-ms header"),
	TEXT("rate-limit", rate_limit, "", "x-ratelimit-limit-requests of every answer"),
	TEXT("rate-left", rate_left, "", "x-ratelimit-remaining-requests"),
	TEXT("rate-reset", rate_reset, "", "x-ratelimit-reset-requests, such as 1m30s"),
	TEXT("should-retry", should_retry, "S11", "x-should-retry header"),
	TEXT("code", code, "", "error.code of the error"),
	TEXT("type", type, "", "error.type of the error"),
	TEXT("message", message, "", "error.message of the error, in double quotes"),
	SPECIAL("shape",
		"openai|vllm|openrouter|raw|event|string|detail|message|list|anthropic|plain",
		read_shape, "S20 E03 E04 E05 E06", "how errors are written, in bodies and in streams"),
	SPECIAL("html", "CODE", read_html, "S01 S02 S03 S17",
		"an HTML page with that status, as from a CDN"),
	SPECIAL("redirect", "CODE URL", read_redirect, "S18", "a redirect"),
	SPECIAL("overloaded", "", read_known, "S04",
		"503 (or the status given) saying that the engine is overloaded"),
	SPECIAL("insufficient-quota", "", read_known, "S09", "429 that means money ran out"),
	SPECIAL("bad-key", "", read_known, "S15", "401 invalid_api_key"),
	SPECIAL("model-not-found", "", read_known, "", "404 model_not_found"),
	SPECIAL("context-length", "", read_known, "S16", "400 context_length_exceeded"),
	SPECIAL("content-filter", "", read_known, "S16", "400 content_filter"),
	SET("error-200", body, BODY_ERROR_200, "S19", "status 200 with an error object as body"),
	SET("no-prefill", no_prefill, 1, "",
		"400 to a conversation that ends with an assistant message"),
#undef GROUP
#define GROUP "Framing"
	COUNT_OR("1xx", informational, 1, "H13", "so many 1xx heads before the answer"),
	SET("100-then-eof", instead, INSTEAD_CONTINUE_EOF, "H14", "100 Continue, then closes"),
	SET("headers-then-nothing", instead, INSTEAD_HEAD_ONLY, "H06", "the head, then silence"),
	SET("truncated-head", instead, INSTEAD_TRUNCATED_HEAD, "H19", "half a head, then closes"),
	{ "headers", "BYTES", WORD_BYTES, MEMBER(header_bytes), 0, NULL, GROUP,
	  "so many bytes of extra headers", "H15" },
	SPECIAL("junk", "[tls|ssh|http09|binary]", read_junk, "H18",
		"bytes that are not HTTP, then closes"),
	SET("http10", http10, 1, "H16", "an HTTP/1.0 answer that ends at close"),
	SET("no-length", length, LENGTH_NONE, "H16 H17", "an HTTP/1.1 answer that ends at close"),
	SPECIAL("content-length", "+N|two|negative|rubbish|and-chunked", read_length, "H01 H08 H09",
		"a wrong Content-Length; +N promises more than comes"),
	SET("two-lengths", length, LENGTH_TWO, "H09", "two different Content-Length headers"),
	SET("extra-bytes", extra_bytes, 1, "H02", "bytes behind the end of the answer"),
	SET("trailers", trailers, 1, "H20", "trailers behind the last chunk"),
	POINT("bad-chunk", POINT_BAD_CHUNK, "H07", "an invalid chunk size"),
	SPECIAL("gzip", "[corrupt|cut|bomb SIZE]", read_gzip, "H10 H11 H12",
		"a gzip body nobody asked for"),
#undef GROUP
#define GROUP "Bodies"
	SET("empty", body, BODY_EMPTY, "S21", "status 200 and an empty body"),
	SET("truncated", body, BODY_TRUNCATED, "S22 E11", "half a body, properly framed"),
	SPECIAL("whitespace", "N TIME", read_whitespace, "S23",
		"so many blank lines before the JSON, so far apart"),
	SPECIAL("choices", "empty|null|missing|null-message|null-content", read_choices, "S25",
		"a 200 without what it is for"),
	SPECIAL("odd-json", "dup-keys|nan|huge-number|surrogate|deep|bad-utf8|list", read_odd_json,
		"S20 S24",
		"JSON at, or beyond, the edge"),
	SET("dup-keys", body, BODY_DUP_KEYS, "S24", "the same as odd-json dup-keys"),
	SPECIAL("big-body", "SIZE", read_big_body, "S26", "a valid JSON answer of that size"),
	SET("json-for-stream", body, BODY_JSON_FOR_STREAM, "E34",
		"a whole JSON answer although a stream was asked"),
	SET("sse-for-json", body, BODY_SSE_FOR_JSON, "E35",
		"a stream although a whole answer was asked"),
#undef GROUP
#define GROUP "Middle of the answer"
	{ "stall", "[after N] [for TIME]", WORD_POINT, 0, 0, POINT_STALL, NULL, GROUP,
	  "silence, for ever or for so long", "E20 N10" },
	SPECIAL("cut", "[mid-event] [after N] | at-byte N", read_cut, "H03 H05 E38",
		"closes the connection: after N events, inside the event behind them, or after N bytes"),
	SPECIAL("reset", "[after N] | at-byte N", read_reset, "H04 N09", "resets the connection"),
	POINT("end", POINT_END, "E11", "ends properly framed, without finish reason and [DONE]"),
	POINT("error", POINT_ERROR, "E01 E02 E03 E04 E05 E06", "an error event; see shape"),
	POINT("bad-json", POINT_BAD_JSON, "E33", "an event with broken JSON"),
	POINT("bad-sum", POINT_BAD_SUM, "E09", "a damaged frame in a binary stream (elsewhere as `bad-json`)"),
	POINT("new-id", POINT_NEW_ID, "E30", "from there on the chunks have another id"),
	POINT("unknown", POINT_UNKNOWN, "E29", "an event of an unknown type"),
	POINT("filter", POINT_FILTER, "", "ends with finish reason content_filter"),
	SPECIAL("big-event", "SIZE [after N]", read_big_event, "E36", "one event of that size"),
#undef GROUP
#define GROUP "Endings of streams"
	SET("no-done", ending, ENDING_NO_DONE, "E12 H17", "finish reason, but no [DONE]"),
	SET("no-finish", ending, ENDING_NO_FINISH, "E13",
		"[DONE], but no chunk with a finish reason"),
	SET("finish-null", ending, ENDING_FINISH_NULL, "E13",
		"a last chunk whose finish reason is null, then [DONE]"),
	SET("no-ending", ending, ENDING_NOTHING, "E11",
		"neither finish reason nor [DONE], but the last chunk of HTTP"),
	SET("done-only", ending, ENDING_DONE_ONLY, "", "[DONE] and nothing else"),
	SET("dup-finish", ending, ENDING_DUP_FINISH, "E24", "the finish reason twice"),
	SET("after-done", ending, ENDING_AFTER_DONE, "E15", "one more chunk behind [DONE]"),
	SET("stay-open", ending, ENDING_STAY_OPEN, "E14", "the body does not end after [DONE]"),
#undef GROUP
#define GROUP "Streams"
	SPECIAL("comments", "[TIME] [only]", read_comments, "E16 E17",
		"keep-alive comments so often before the first token, or for ever"),
	SET("blank-lines", blank_lines, 1, "", "needless blank lines between events"),
	SET("crlf", crlf, 1, "E37", "lines end in CR LF"),
	SET("cr", cr, 1, "E37", "lines end in CR"),
	SET("multi-data", multi_data, 1, "E37", "events split over several data: lines"),
	SET("no-space", no_space, 1, "", "no space behind data:"),
	SET("split-utf8", split_utf8, 1, "E37", "characters cut between two packets"),
	SET("bom", bom, 1, "", "a byte order mark in front"),
	SET("empty-choices-first", empty_choices_first, 1, "E21",
		"Azure's first chunk: prompt_filter_results, no choices"),
	SET("role-early", role_early, 1, "",
		"the role chunk at once, before the wait for the first token"),
	SET("dup-role", dup_role, 1, "E30", "the role chunk twice"),
	SPECIAL("usage", "every|in-finish|none|always", read_usage, "E22 E23",
		"usage in every chunk, in the finish chunk, never, or unasked"),
	SET("unknown-events", unknown_events, 1, "E29",
		"events, fields and objects nobody has heard of"),
	COUNT_OR("reasoning", reasoning, 8, "E19",
		"so many reasoning_content chunks before the text"),
	SET("refusal", refusal, 1, "", "the model refuses (delta.refusal)"),
	SPECIAL("tool-call", "[no-index|one-chunk|same-index|cut|two]", read_tool, "E25 E27 E28",
		"answers with a tool call, also without tools in the request"),
	SET("finish-stop-with-tools", finish_stop_with_tools, 1, "E26",
		"finish reason stop behind tool calls"),
#undef GROUP
};
const size_t mock_word_count = COUNT_OF(mock_words);
