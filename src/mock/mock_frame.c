/* mock_frame.c: from a body to the bytes on the wire: head, framing, and what
 * may be wrong with them. */
#include "mock/mock_internal.h"
#include "wire/chunked.h"

#include <inttypes.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#define PIECE_BYTES 16            /* of a whole body: what "after N" counts */
#define BIG_BLOCK (64u * 1024)
#define HEADER_BYTES_MAX (16u << 20)

/* ---- whole bodies, spoiled -------------------------------------------------- */

/* What is put behind the first '{' of a JSON body to make it odd. */
static struct slice odd_member(enum mock_body kind)
{
	switch (kind) {
	case BODY_DUP_KEYS:
		return S("\"id\":\"another\",\"choices\":[],\"model\":\"another\",");
	case BODY_NAN:
		return S("\"x_number\":NaN,");
	case BODY_HUGE_NUMBER:
		return S("\"x_number\":1e999,\"x_long\":123456789012345678901234567890,");
	case BODY_SURROGATE:
		return S("\"x_text\":\"lone \\ud800 surrogate\",");
	case BODY_BAD_UTF8:
		return S("\"x_text\":\"\xff\xfe\xc3\",");
	default:
		return SLICE_NONE;
	}
}

static void repeat_text(struct buf *out, struct slice text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_put(out, text);
}

/* A body of about `size` bytes: one member more, its text sent block by block. */
static void write_big(struct mock_script *body, struct slice json, uint64_t size)
{
	uint32_t blocks = (uint32_t)(size / BIG_BLOCK) + 1;

	mock_script_send(body, S("{\"x_padding\":\""));
	mock_script_begin(body);
	repeat_text(&body->bytes, S("0123456789abcdef"), BIG_BLOCK / 16);
	mock_script_end(body);
	mock_script_repeat(body, 1, blocks);
	mock_script_begin(body);
	buf_puts(&body->bytes, "\",");
	buf_put(&body->bytes, slice_from(json, 1));
	mock_script_end(body);
}

static void write_spoiled(struct mock_script *body, const struct mock_behaviour *b, struct slice json)
{
	struct buf *out = &body->bytes;

	if (b->body == BODY_BIG && json.len > 1 && json.at[0] == '{') {
		write_big(body, json, b->body_bytes);
		return;
	}
	mock_script_begin(body);
	switch ((enum mock_body)b->body) {
	case BODY_EMPTY:
		break;
	case BODY_TRUNCATED:
		buf_put(out, slice_sub(json, 0, json.len / 2));
		break;
	case BODY_LIST:
		buf_puts(out, "[]");
		break;
	case BODY_DEEP:
		buf_puts(out, "{\"x_deep\":");
		repeat_text(out, S("["), 10000);
		repeat_text(out, S("]"), 10000);
		buf_puts(out, ",");
		buf_put(out, slice_from(json, 1));
		break;
	default:
		buf_put(out, slice_sub(json, 0, 1));
		buf_put(out, odd_member((enum mock_body)b->body));
		buf_put(out, slice_from(json, 1));
	}
	mock_script_end(body);
}

/* Cuts a body of one piece into small ones and lets the points strike between
 * them; a point beyond the end strikes before the last piece. */
static void strike_whole(struct mock_script *body, const struct mock_behaviour *b, struct slice json)
{
	size_t pieces = (json.len + PIECE_BYTES - 1) / PIECE_BYTES;

	for (size_t i = 0; i < pieces; i++) {
		size_t from = i * PIECE_BYTES, to = from + PIECE_BYTES;

		for (uint32_t k = 0; k < b->point_count; k++) {
			const struct mock_point *p = &b->points[k];
			size_t at = p->after < pieces ? p->after : pieces - 1;

			if (at != i)
				continue;
			if (p->kind == POINT_STALL) {
				mock_script_wait(body, p->for_ms);
				continue;
			}
			if (p->kind == POINT_CUT || p->kind == POINT_MID_EVENT || p->kind == POINT_RESET ||
			    p->kind == POINT_BAD_CHUNK) {
				mock_script_step(body, p->kind == POINT_RESET ? STEP_RESET :
						       p->kind == POINT_BAD_CHUNK ? STEP_BAD_CHUNK : STEP_CUT);
				return;
			}
			if (p->kind == POINT_END)
				return;
			if (p->kind == POINT_BAD_JSON)
				mock_script_send(body, S("\x01}{"));
		}
		mock_script_send(body, slice_sub(json, from, to < json.len ? to : json.len));
	}
}

void mock_spoil_whole(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a)
{
	struct mock_script *body = &mock->body;
	bool odd = b->body == BODY_EMPTY || b->body == BODY_TRUNCATED || b->body >= BODY_DUP_KEYS;
	struct buf *copy = &mock->styled;

	for (uint32_t i = 0; i < b->point_count; i++) {
		if (b->points[i].kind != POINT_ERROR)
			continue;
		mock_answer_error(mock, b, a);
		a->status = 200;
		return;
	}
	if (!odd && !b->whitespace_lines && !b->point_count)
		return;
	buf_clear(copy);
	buf_put(copy, buf_slice(&body->bytes));
	mock_script_clear(body);
	if (b->whitespace_lines) {
		mock_script_send(body, S("\n"));
		mock_script_wait(body, b->whitespace_ms ? b->whitespace_ms : 1);
		mock_script_repeat(body, 2, (uint32_t)b->whitespace_lines);
		a->wait_ms = 0;
	}
	if (odd && buf_len(copy) > 1)
		write_spoiled(body, b, buf_slice(copy));
	else if (b->point_count)
		strike_whole(body, b, buf_slice(copy));
	else
		mock_script_send(body, buf_slice(copy));
}

/* ---- gzip -------------------------------------------------------------------- */

static void deflate_some(z_stream *z, struct buf *out, struct slice in, int flush)
{
	z->next_in = (const Bytef *)in.at;
	z->avail_in = (uInt)in.len;
	do {
		char *room = buf_room(out, 16384);

		must(room != NULL);
		z->next_out = (Bytef *)room;
		z->avail_out = 16384;
		must(deflate(z, flush) != Z_STREAM_ERROR);
		buf_added(out, 16384 - z->avail_out);
	} while (z->avail_out == 0);
}

/* Replaces the body by its compressed self, in one piece. */
static void compress_body(struct mock *mock, const struct mock_behaviour *b)
{
	struct buf *copy = &mock->styled;
	struct mock_script *body = &mock->body;
	z_stream z = { 0 };

	must(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	buf_clear(copy);
	if (b->gzip == GZIP_BOMB) {
		static const char spaces[4096];

		for (uint64_t done = 0; done < b->gzip_bomb_bytes; done += sizeof spaces)
			deflate_some(&z, copy, (struct slice){ spaces, sizeof spaces }, Z_NO_FLUSH);
	}
	deflate_some(&z, copy, buf_slice(&body->bytes), Z_FINISH);
	deflateEnd(&z);
	if (b->gzip == GZIP_CORRUPT)
		for (size_t i = copy->start + 12; i < copy->end && i < copy->start + 40; i++)
			copy->bytes[i] = (char)(copy->bytes[i] ^ 0x55);
	if (b->gzip == GZIP_CUT)
		buf_cut(copy, buf_len(copy) - buf_len(copy) / 3);
	mock_script_clear(body);
	mock_script_send(body, buf_slice(copy));
	mock_script_step(body, STEP_END);
}

/* ---- the head ------------------------------------------------------------------ */

enum framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

static void write_lengths(struct mock *mock, const struct mock_behaviour *b, enum framing framing,
			  struct buf *out)
{
	bool counted = framing == FRAMING_LENGTH || b->length != LENGTH_RIGHT;
	uint64_t total = counted ? mock_script_total(&mock->body) : 0;

	switch ((enum mock_length)b->length) {
	case LENGTH_PLUS:
		buf_putf(out, "content-length: %" PRIu64 "\r\n", total + b->length_plus);
		return;
	case LENGTH_TWO:
		buf_putf(out, "content-length: %" PRIu64 "\r\ncontent-length: %" PRIu64 "\r\n", total, total + 7);
		return;
	case LENGTH_NEGATIVE:
		buf_puts(out, "content-length: -1\r\n");
		return;
	case LENGTH_RUBBISH:
		buf_puts(out, "content-length: 12abc\r\n");
		return;
	case LENGTH_AND_CHUNKED:
		buf_putf(out, "content-length: %" PRIu64 "\r\ntransfer-encoding: chunked\r\n", total);
		return;
	case LENGTH_RIGHT:
	case LENGTH_NONE:
		break;
	}
	if (framing == FRAMING_CHUNKED)
		buf_puts(out, "transfer-encoding: chunked\r\n");
	else if (framing == FRAMING_LENGTH)
		buf_putf(out, "content-length: %" PRIu64 "\r\n", total);
}

static void write_more_headers(const struct mock_behaviour *b, struct buf *out)
{
	if (b->retry_after[0])
		buf_putf(out, "retry-after: %s\r\n", b->retry_after);
	if (b->retry_after_ms[0])
		buf_putf(out, "retry-after-ms: %s\r\n", b->retry_after_ms);
	if (b->should_retry[0])
		buf_putf(out, "x-should-retry: %s\r\n", b->should_retry);
	if (b->gzip)
		buf_puts(out, "content-encoding: gzip\r\n");
	for (uint64_t done = 0, i = 0; done < b->header_bytes && done < HEADER_BYTES_MAX; done += 1024, i++) {
		buf_putf(out, "x-filler-%" PRIu64 ": ", i);
		repeat_text(out, S("0123456789abcdef"), 62);
		buf_puts(out, "\r\n");
	}
}

/* Rate limits and what else OpenAI's answers tell in their heads. */
static void write_openai_headers(const struct mock *mock, const struct mock_answer *a,
				 const struct mock_behaviour *b, struct buf *out)
{
	int64_t left = 9999 - (int64_t)(mock->requests % 1000);

	buf_putf(out, "openai-version: 2020-10-01\r\nopenai-processing-ms: %" PRId64 "\r\n"
		 "x-ratelimit-limit-requests: %s\r\nx-ratelimit-limit-tokens: 2000000\r\n",
		 12 + a->wait_ms, b->rate_limit[0] ? b->rate_limit : "10000");
	if (b->rate_left[0])
		buf_putf(out, "x-ratelimit-remaining-requests: %s\r\n", b->rate_left);
	else
		buf_putf(out, "x-ratelimit-remaining-requests: %" PRId64 "\r\n", left);
	buf_putf(out, "x-ratelimit-remaining-tokens: 1999000\r\n"
		 "x-ratelimit-reset-requests: %s\r\nx-ratelimit-reset-tokens: 30ms\r\n",
		 b->rate_reset[0] ? b->rate_reset : "6ms");
}

static void write_head(struct mock *mock, const struct mock_answer *a, const struct mock_behaviour *b,
		       enum framing framing, bool close, struct buf *out)
{
	char id[64];

	if (b->http10)
		buf_putf(out, "HTTP/1.0 %d %s\r\n", a->status, h1_reason(a->status));
	else
		h1_write_status_line(out, a->status);
	buf_puts(out, "content-type: ");
	buf_put(out, slice_of(a->content_type));
	buf_puts(out, "\r\n");
	write_lengths(mock, b, framing, out);
	if (close)
		buf_puts(out, "connection: close\r\n");
	buf_puts(out, "x-request-id: ");
	buf_put(out, slice_of(mock_id(mock, "req_", id)));
	buf_puts(out, "\r\nx-mock-name: ");
	buf_put(out, slice_of(mock->name));
	buf_puts(out, "\r\n");
	if (mock->speaks == SPEAKS_ANTHROPIC)
		mock_anthropic_headers(mock, b, out);
	else
		write_openai_headers(mock, a, b, out);
	if (a->extra[0])
		buf_put(out, slice_of(a->extra));
	if (!b->healthy)
		write_more_headers(b, out);
	buf_puts(out, "\r\n");
}

/* ---- the body, framed ------------------------------------------------------------- */

static void write_piece(struct mock_script *wire, struct slice piece, enum framing framing, bool drip)
{
	char head[CHUNK_HEAD_MAX];

	mock_script_begin(wire);
	if (framing == FRAMING_CHUNKED)
		buf_put(&wire->bytes, (struct slice){ head, chunk_head(piece.len, head) });
	buf_put(&wire->bytes, piece);
	if (framing == FRAMING_CHUNKED)
		buf_puts(&wire->bytes, "\r\n");
	mock_script_end(wire);
	if (drip)
		wire->steps[wire->count - 1].drip = true;
}

/* Where a character of several bytes can be cut; 0: there is none. */
static size_t inside_character(struct slice s)
{
	for (size_t i = 0; i + 1 < s.len; i++)
		if (((unsigned char)s.at[i] & 0xc0) == 0xc0)
			return i + 1;
	return 0;
}

static void write_right_end(struct mock_script *wire, const struct mock_behaviour *b, enum framing framing,
			    bool close)
{
	if (b->ending == ENDING_STAY_OPEN && framing != FRAMING_LENGTH) {
		mock_script_step(wire, STEP_FINISHED);
		mock_script_step(wire, STEP_HANG);
		return;
	}
	if (framing == FRAMING_CHUNKED)
		mock_script_send(wire, b->trailers ? S("0\r\nx-trailer: yes\r\nserver-timing: model;dur=12\r\n\r\n")
						   : S(CHUNKED_LAST));
	if (b->extra_bytes)
		mock_script_send(wire, S("some bytes nobody asked for\r\n\r\n"));
	if (b->length == LENGTH_PLUS)
		mock_script_step(wire, STEP_CUT);
	else
		mock_script_step(wire, close ? STEP_END_CLOSE : STEP_END);
}

static void write_body(struct mock *mock, const struct mock_behaviour *b, enum framing framing, bool close,
		       struct mock_script *wire)
{
	const struct mock_script *body = &mock->body;
	struct slice bytes = buf_slice(&body->bytes);
	bool drip = b->drip_bytes > 0;

	for (size_t i = 0; i < body->count; i++) {
		const struct mock_step *step = &body->steps[i];
		struct slice piece;
		size_t cut;

		switch (step->kind) {
		case STEP_SEND:
			piece = slice_sub(bytes, step->from, step->to);
			cut = b->split_utf8 ? inside_character(piece) : 0;
			if (cut) {
				write_piece(wire, slice_sub(piece, 0, cut), framing, drip);
				mock_script_wait(wire, 5);
				piece = slice_from(piece, cut);
			}
			write_piece(wire, piece, framing, drip);
			break;
		case STEP_REPEAT:
			mock_script_repeat(wire, step->back, step->times);
			break;
		case STEP_WAIT:
			mock_script_wait(wire, step->ms);
			break;
		case STEP_BAD_CHUNK:
			mock_script_send(wire, framing == FRAMING_CHUNKED ? S("zz\r\n???\r\n") : S("\r\n"));
			mock_script_step(wire, STEP_CUT);
			return;
		case STEP_END:
		case STEP_END_CLOSE:
			write_right_end(wire, b, framing, close);
			return;
		case STEP_FINISHED:
			mock_script_step(wire, step->kind);
			break;
		case STEP_HANG:
		case STEP_CUT:
		case STEP_RESET:
			mock_script_step(wire, step->kind);
			return;
		}
	}
	write_right_end(wire, b, framing, close);
}

/* Ends the script after `at` bytes (repeats are not followed). */
static void cut_wire(struct mock_script *wire, uint64_t at, enum mock_step_kind how)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < wire->count; i++) {
		struct mock_step *step = &wire->steps[i];

		if (step->kind != STEP_SEND)
			continue;
		if (seen + (step->to - step->from) < at) {
			seen += step->to - step->from;
			continue;
		}
		step->to = step->from + (size_t)(at - seen);
		wire->count = i + (step->to > step->from);
		mock_script_step(wire, how);
		return;
	}
}

void mock_frame(struct mock *mock, const struct mock_answer *a, const struct mock_behaviour *b,
		const struct h1_head *request, struct mock_script *wire)
{
	enum framing framing = a->stream ? FRAMING_CHUNKED : FRAMING_LENGTH;
	bool close = !request->keep_alive || request->minor == 0 || b->close_after || b->early;

	if (b->gzip)
		compress_body(mock, b);
	if (b->trailers || b->length == LENGTH_AND_CHUNKED)
		framing = FRAMING_CHUNKED;
	for (uint32_t i = 0; i < b->point_count; i++)
		if (b->points[i].kind == POINT_BAD_CHUNK)
			framing = FRAMING_CHUNKED;
	if (b->length != LENGTH_RIGHT && b->length != LENGTH_AND_CHUNKED)
		framing = b->length == LENGTH_NONE ? FRAMING_CLOSE : FRAMING_LENGTH;
	if (b->http10 || (request->minor == 0 && framing == FRAMING_CHUNKED))
		framing = FRAMING_CLOSE;
	if (framing == FRAMING_CLOSE)
		close = true;
	mock_script_wait(wire, b->delay_ms + a->wait_ms);
	for (uint32_t i = 0; i < b->informational && i < 1000; i++)
		mock_script_send(wire, i % 2 ? S("HTTP/1.1 102 Processing\r\n\r\n")
					     : S("HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n"));
	mock_script_begin(wire);
	write_head(mock, a, b, framing, close, &wire->bytes);
	mock_script_end(wire);
	if (slice_eq(request->method, S("HEAD")))
		mock_script_step(wire, close ? STEP_END_CLOSE : STEP_END);
	else
		write_body(mock, b, framing, close, wire);
	if (b->has_cut_at)
		cut_wire(wire, b->cut_at, STEP_CUT);
	if (b->has_reset_at)
		cut_wire(wire, b->reset_at, STEP_RESET);
}
