/* fuzz_h1.h: what the two fuzz targets for heads share. */
#ifndef BACKSTAY_TESTS_FUZZ_H1_H
#define BACKSTAY_TESTS_FUZZ_H1_H

#include "tests/fuzz/pieces.h"
#include "wire/h1.h"

struct h1_ways {
	bool is_response, to_head;
	size_t bytes_max;
};

/* Shows the parser a head that grows by the pieces. */
static inline enum h1_result h1_parse_pieces(struct pieces *p, const struct h1_ways *w,
					     struct h1_head *h)
{
	enum h1_result r = H1_MORE;
	size_t scanned = 0, shown = 0;
	struct slice piece;

	while (r == H1_MORE && pieces_next(p, &piece)) {
		struct slice in;

		shown += piece.len;
		in = pieces_copy(p, slice_sub(p->all, 0, shown));
		r = w->is_response ?
			    h1_parse_response(in, w->bytes_max, &scanned, w->to_head, h) :
			    h1_parse_request(in, w->bytes_max, &scanned, h);
		must(scanned <= shown);
		must(r != H1_OK || h->bytes <= shown);
		must(r != H1_MORE || shown < w->bytes_max);
	}
	return r;
}

static inline void h1_must_be_clean(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		must(s.at[i] != '\r');
		must(s.at[i] != '\n');
		must(s.at[i] != '\0');
	}
}

/* What no head that was taken may break. */
static inline void h1_must_hold(const struct h1_head *h, const struct h1_ways *w)
{
	unsigned lengths = 0, encodings = 0;

	must(h->bytes <= w->bytes_max);
	must(h->header_count <= H1_HEADERS_MAX);
	must(h->minor <= 1);
	for (unsigned i = 0; i < h->header_count; i++) {
		const struct h1_header *header = &h->headers[i];

		must(header->name.len > 0);
		h1_must_be_clean(header->name);
		h1_must_be_clean(header->value);
		must(slice_find(header->name, ' ') == SLICE_NOT_FOUND);
		must(slice_eq(header->value, slice_trim(header->value)));
		lengths += slice_eq_nocase(header->name, S("content-length"));
		encodings += slice_eq_nocase(header->name, S("transfer-encoding"));
		must(h1_get(h, header->name).at != NULL);
		h1_is_hop_by_hop(h, header->name);
	}
	must(lengths + encodings <= 1);
	must(h->body != H1_BODY_LENGTH || lengths == 1);
	must(h->body != H1_BODY_CHUNKED || (encodings == 1 && h->minor == 1));
	must(h->body == H1_BODY_LENGTH || h->content_length == 0);
	must(h->body != H1_BODY_UNTIL_CLOSE || (w->is_response && !h->keep_alive));
	if (w->is_response) {
		must(h->status >= 100 && h->status <= 599);
		h1_must_be_clean(h->reason);
	} else {
		must(h->method.len >= 1 && h->method.len <= 32);
		must(h->target.len >= 1);
		h1_must_be_clean(h->target);
		must(h->minor == 0 || h1_get(h, S("host")).len > 0);
		must(h->body == H1_BODY_NONE || lengths + encodings == 1);
	}
}

/* A head written from what was read is read as the same. */
static inline void h1_must_come_back(const struct h1_head *h, const struct h1_ways *w)
{
	static struct h1_head again;
	struct buf b = BUF_INIT(256 * 1024);
	size_t scanned = 0;

	if (w->is_response)
		h1_write_status_line(&b, h->status);
	else
		h1_write_request_line(&b, h->method, h->target);
	for (unsigned i = 0; i < h->header_count; i++)
		h1_write_header(&b, h->headers[i].name, h->headers[i].value);
	h1_write_head_end(&b);
	if (w->is_response)
		must(h1_parse_response(buf_slice(&b), 256 * 1024, &scanned, w->to_head, &again) ==
		     H1_OK);
	else if (h->minor == 1)       /* what is written is 1.1 */
		must(h1_parse_request(buf_slice(&b), 256 * 1024, &scanned, &again) == H1_OK);
	else
		goto done;
	must(again.status == h->status);
	must(again.body == h->body || h->minor == 0);
	must(again.content_length == h->content_length);
	must(again.header_count == h->header_count);
	for (unsigned i = 0; i < h->header_count; i++) {
		must(slice_eq(again.headers[i].name, h->headers[i].name));
		must(slice_eq(again.headers[i].value, h->headers[i].value));
	}
done:
	buf_free(&b);
}

/* Whole and in pieces: the same result, and the same head. */
static inline void h1_fuzz(struct slice plan, struct slice in, const struct h1_ways *w)
{
	static struct h1_head whole, cut;
	struct pieces all = pieces_create(SLICE_NONE, in);
	struct pieces some = pieces_create(plan, in);
	enum h1_result r = h1_parse_pieces(&all, w, &whole);

	must(h1_parse_pieces(&some, w, &cut) == r);
	must(r < H1_RESULT_COUNT);
	if (r == H1_OK) {
		h1_must_hold(&whole, w);
		h1_must_hold(&cut, w);
		must(cut.bytes == whole.bytes);
		must(cut.body == whole.body);
		must(cut.content_length == whole.content_length);
		must(cut.header_count == whole.header_count);
		must(cut.keep_alive == whole.keep_alive);
		must(cut.expect_continue == whole.expect_continue);
		must(cut.status == whole.status);
		must(slice_eq(cut.method, whole.method));
		must(slice_eq(cut.target, whole.target));
		h1_must_come_back(&whole, w);
	}
	pieces_free(&all);
	pieces_free(&some);
}

#endif
