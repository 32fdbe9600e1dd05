#include "conn/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 192

void reader_init(struct reader *r, bool to_head_request, uint64_t body_max)
{
	memset(r, 0, sizeof *r);
	r->to_head_request = to_head_request;
	r->body_max = body_max;
	r->head = BUF_INIT(H1_HEAD_BYTES_MAX + 1);
	r->kept = BUF_INIT(SIZE_MAX / 2);
}

void reader_free(struct reader *r)
{
	gzip_free(r->gzip);
	r->gzip = NULL;
	buf_free(&r->head);
	buf_free(&r->kept);
	free(r->text);
	r->text = NULL;
}

static enum reader_step PRINTF_LIKE(2, 3) bad(struct reader *r, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	free(r->text);
	r->text = strdup(text);
	must(r->text != NULL);
	r->state = READER_BROKEN;
	r->in = r->packed = SLICE_NONE;
	r->unpacking = false;
	return READER_BAD;
}

/* ---- bytes in ------------------------------------------------------------------- */

bool reader_has_unread(const struct reader *r)
{
	return r->in.len > 0 || r->packed.len > 0 || r->unpacking;
}

void reader_give(struct reader *r, struct slice bytes)
{
	must(!reader_has_unread(r));
	if (r->in_kept)
		buf_free(&r->kept);
	r->in_kept = false;
	r->in = bytes;
	r->any |= bytes.len > 0;
}

void reader_keep(struct reader *r)
{
	struct slice rest = r->in;
	size_t before = 0;

	if (r->in_kept || !reader_has_unread(r))
		return;
	if (r->packed.len > 0) {
		before = (size_t)(r->in.at - r->packed.at);
		rest = (struct slice){ r->packed.at, before + r->in.len };
	}
	buf_clear(&r->kept);
	buf_put(&r->kept, rest);
	rest = buf_slice(&r->kept);
	r->packed = slice_sub(rest, 0, r->packed.len);
	r->in = slice_from(rest, before);
	r->in_kept = true;
}

/* ---- the head ---------------------------------------------------------------------- */

/* Tells how the body is compressed. False: in a way nobody here understands. */
static bool find_coding(const struct h1_head *head, struct slice *coding)
{
	*coding = SLICE_NONE;
	for (unsigned i = 0; i < head->header_count; i++) {
		struct slice rest, each;

		if (!slice_eq_nocase(head->headers[i].name, S("content-encoding")))
			continue;
		rest = head->headers[i].value;
		while (slice_next_in_list(&rest, &each)) {
			if (slice_eq_nocase(each, S("identity")))
				continue;
			if (coding->len > 0 || !gzip_understands(each))
				return false;
			*coding = each;
		}
	}
	return true;
}

static enum reader_step on_final_head(struct reader *r, const struct h1_head *head)
{
	struct slice coding;

	r->keep_alive = head->keep_alive;
	r->framing = head->body;
	r->left = r->length = head->content_length;
	if (head->status == 101)
		return bad(r, "the answer is 101 Switching Protocols, which nobody asked for");
	r->state = READER_IN_BODY;
	if (head->body == H1_BODY_NONE)
		return READER_HEAD;
	if (!find_coding(head, &coding))
		return bad(r, "the answer is compressed in a way that is not understood");
	if (coding.len > 0 && !(r->gzip = gzip_create(r->body_max)))
		return bad(r, "there is no memory to decompress the answer");
	if (!r->gzip && head->content_length > r->body_max)
		return bad(r, "the answer announces %llu bytes, more than the limit of %llu",
			   (unsigned long long)head->content_length,
			   (unsigned long long)r->body_max);
	return READER_HEAD;
}

/* Parses where the bytes lie if the head is all there; else gathers it. */
static enum h1_result parse(struct reader *r, struct h1_head *head)
{
	size_t had = buf_len(&r->head);
	size_t room = H1_HEAD_BYTES_MAX + 1 - had;
	size_t take = r->in.len < room ? r->in.len : room;
	enum h1_result why;

	if (had > 0) {
		buf_put(&r->head, slice_sub(r->in, 0, take));
		why = h1_parse_response(buf_slice(&r->head), H1_HEAD_BYTES_MAX, &r->scanned,
					r->to_head_request, head);
	} else {
		why = h1_parse_response(r->in, H1_HEAD_BYTES_MAX, &r->scanned,
					r->to_head_request, head);
		if (why == H1_MORE)
			buf_put(&r->head, slice_sub(r->in, 0, take));
	}
	if (why == H1_OK)
		r->in = slice_from(r->in, head->bytes - had);
	else if (why == H1_MORE)
		r->in = slice_from(r->in, take);
	return why;
}

static enum reader_step next_in_head(struct reader *r, struct h1_head *head)
{
	for (;;) {
		enum h1_result why;

		if (r->in.len == 0)
			return READER_MORE;
		why = parse(r, head);
		if (why == H1_MORE)
			continue;
		if (why != H1_OK)
			return bad(r, "the head of the answer is malformed: %s",
				   h1_result_text(why));
		if (head->status >= 200 || head->status == 101)
			return on_final_head(r, head);
		if (++r->interims > READER_INTERIMS_MAX)
			return bad(r, "more than %d interim heads came before the answer",
				   READER_INTERIMS_MAX);
		buf_clear(&r->head);
		r->scanned = 0;
	}
}

/* ---- the body ----------------------------------------------------------------------- */

static enum reader_step body_ended(struct reader *r)
{
	if (r->gzip && r->wire_bytes > 0 && !r->unpacked_whole)
		return bad(r, "the compressed body ends before its own end");
	r->state = READER_DONE;
	return READER_END;
}

/* The next piece as the framing has it. */
static enum reader_step next_piece(struct reader *r, struct slice *piece)
{
	size_t take;

	switch (r->framing) {
	case H1_BODY_NONE:
		return READER_END;
	case H1_BODY_LENGTH:
		take = r->in.len < r->left ? r->in.len : (size_t)r->left;
		if (take == 0)
			return r->left == 0 ? READER_END : READER_MORE;
		r->left -= take;
		break;
	case H1_BODY_UNTIL_CLOSE:
		take = r->in.len;
		if (take == 0)
			return READER_MORE;
		break;
	case H1_BODY_CHUNKED:
		switch (chunked_feed(&r->chunked, &r->in, piece)) {
		case CHUNKED_DATA:
			return READER_DATA;
		case CHUNKED_END:
			return READER_END;
		case CHUNKED_BAD:
			return bad(r, "the chunked framing is wrong after %llu bytes of body",
				   (unsigned long long)r->wire_bytes);
		case CHUNKED_MORE:
			return READER_MORE;
		}
		never("a chunked step of no kind");
	default:
		never("a body of no framing");
	}
	*piece = slice_sub(r->in, 0, take);
	r->in = slice_from(r->in, take);
	return READER_DATA;
}

/* The next decompressed piece of `packed`; MORE if there is none. */
static enum reader_step next_unpacked(struct reader *r, struct slice *data)
{
	switch (gzip_feed(r->gzip, &r->packed, data)) {
	case GZIP_DATA:
		r->body_bytes += data->len;
		return READER_DATA;
	case GZIP_MORE:
		r->unpacked_whole = false;
		break;
	case GZIP_END:
		r->unpacked_whole = true;
		break;
	case GZIP_BAD:
		if (r->body_bytes >= r->body_max)
			return bad(r, "the answer decompresses to more than the limit of %llu bytes",
				   (unsigned long long)r->body_max);
		return bad(r, "the compressed body is corrupt");
	}
	r->unpacking = false;
	r->packed = SLICE_NONE;
	return READER_MORE;
}

/* Hands out no more than the limit, however the bytes came. */
static enum reader_step within_limit(struct reader *r, struct slice *data)
{
	uint64_t room = r->body_max - r->body_bytes;

	if (room == 0)
		return bad(r, "the answer is larger than the limit of %llu bytes",
			   (unsigned long long)r->body_max);
	if (data->len > room) {
		data->len = (size_t)room;
		r->over = true;
	}
	r->body_bytes += data->len;
	return READER_DATA;
}

static enum reader_step next_in_body(struct reader *r, struct slice *data)
{
	for (;;) {
		enum reader_step step;

		if (r->unpacking) {
			step = next_unpacked(r, data);
			if (step != READER_MORE)
				return step;
		}
		if (r->over)
			return within_limit(r, data);
		step = next_piece(r, data);
		if (step == READER_END)
			return body_ended(r);
		if (step != READER_DATA)
			return step;
		r->wire_bytes += data->len;
		if (r->gzip) {
			r->packed = *data;
			r->unpacking = true;
			continue;
		}
		return within_limit(r, data);
	}
}

enum reader_step reader_next(struct reader *r, struct h1_head *head, struct slice *data)
{
	switch (r->state) {
	case READER_IN_HEAD:
		return next_in_head(r, head);
	case READER_IN_BODY:
		buf_free(&r->head);
		return next_in_body(r, data);
	case READER_DONE:
		return READER_END;
	case READER_BROKEN:
		return READER_BAD;
	}
	never("a reader in no state");
}

/* ---- the connection's end --------------------------------------------------------------- */

static enum reader_step cut(struct reader *r, const char *how)
{
	if (r->framing == H1_BODY_LENGTH)
		bad(r, "%s with %llu of %llu bytes of the body missing", how,
		    (unsigned long long)r->left, (unsigned long long)r->length);
	else if (r->framing == H1_BODY_CHUNKED)
		bad(r, "%s after %llu bytes of the body, before its last chunk", how,
		    (unsigned long long)r->wire_bytes);
	else
		bad(r, "%s after %llu bytes of a body of unknown length", how,
		    (unsigned long long)r->wire_bytes);
	return READER_CUT;
}

enum reader_step reader_close(struct reader *r, bool clean, const char *how)
{
	must(!reader_has_unread(r));
	switch (r->state) {
	case READER_IN_HEAD:
		if (buf_len(&r->head) > 0)
			return bad(r, "%s after %zu bytes of the answer's head", how,
				   buf_len(&r->head));
		return bad(r, "%s %s", how,
			   r->interims > 0 ? "after an interim head, without an answer"
					   : "without an answer");
	case READER_IN_BODY:
		if (clean && r->framing == H1_BODY_UNTIL_CLOSE)
			return body_ended(r);
		return cut(r, how);
	case READER_DONE:
		return READER_END;
	case READER_BROKEN:
		return READER_BAD;
	}
	never("a reader in no state");
}

size_t reader_extra(const struct reader *r)
{
	return r->state == READER_DONE ? r->in.len : 0;
}
