/* request_sign.c: requests that prove who sends them by a signature (AWS). */
#include "exchange/exchange.h"

#include "base/check.h"
#include "dialect/dialect.h"
#include "wire/sigv4.h"

#define SERVICE "bedrock"
#define OWN_HEADERS 4                 /* host, date, token, digest */

/* Of the lines there are already: what the API wants to be signed. */
static size_t signed_lines(struct slice lines, struct sigv4_header *out, size_t room)
{
	struct slice line, name, value;
	size_t count = 0;

	while (count < room && slice_cut(lines, '\n', &line, &lines)) {
		if (!slice_cut(line, ':', &name, &value))
			continue;
		if (slice_eq_nocase(name, S("content-type")) || slice_starts_nocase(name, S("x-amz-")))
			out[count++] = (struct sigv4_header){ name, slice_trim(value) };
	}
	return count;
}

bool request_sign(const struct upstream_request *r, const struct request_signer *signer, struct buf *headers)
{
	struct sigv4_header list[SIGV4_HEADERS_MAX];
	struct sigv4_request request = { .method = r->method, .headers = list };
	struct sigv4_scope scope = { .region = signer->region, .service = S(SERVICE) };
	struct sigv4_key key = { signer->credential->account, signer->credential->secret };
	struct slice token = signer->credential->token;
	uint8_t digest[DIGEST_SHA256_BYTES];
	struct buf proof = BUF_INIT(H1_HEAD_BYTES_MAX), lines = BUF_INIT(2 * H1_HEAD_BYTES_MAX);
	char date[SIGV4_DATE_BYTES], hex[SIGV4_HEX_BYTES];
	size_t count;
	bool good;

	sigv4_date(signer->wall_ms + signer->credential->ahead_ms, date);
	digest_sha256_parts(r->body, r->body_parts, digest);
	digest_to_hex(digest, hex);
	buf_put(&lines, buf_slice(headers));
	count = signed_lines(buf_slice(&lines), list, COUNT_OF(list) - OWN_HEADERS);
	list[count++] = (struct sigv4_header){ S("host"), signer->authority };
	list[count++] = (struct sigv4_header){ S("x-amz-date"), slice_of(date) };
	list[count++] = (struct sigv4_header){ S("x-amz-content-sha256"), slice_of(hex) };
	if (token.len)
		list[count++] = (struct sigv4_header){ S("x-amz-security-token"), token };
	request.header_count = count;
	request.path = r->target;
	slice_cut(r->target, '?', &request.path, &request.query);
	request.payload_hash = slice_of(hex);
	scope.date = slice_of(date);
	good = sigv4_authorize(&request, &scope, &key, &proof);
	if (good) {
		h1_write_header(headers, S("x-amz-date"), slice_of(date));
		h1_write_header(headers, S("x-amz-content-sha256"), slice_of(hex));
		if (token.len)
			h1_write_header(headers, S("x-amz-security-token"), token);
		h1_write_header(headers, S("authorization"), buf_slice(&proof));
	}
	buf_free(&proof);
	buf_free(&lines);
	return good;
}

/* Errors that say that the date of a signature was wrong, by their name or words. */
static bool was_late(const struct answer_facts *answer)
{
	static const struct slice codes[] = { S_INIT("RequestTimeTooSkewed"), S_INIT("RequestExpired") };

	for (size_t i = 0; i < COUNT_OF(codes); i++)
		if (slice_eq(answer->code, codes[i]))
			return true;
	return slice_eq(answer->code, S("InvalidSignatureException")) &&
	       (slice_starts(answer->message, S("Signature expired")) ||
		slice_starts(answer->message, S("Signature not yet current")));
}

bool request_clock_was_wrong(const struct attempt *a, const struct answer_facts *answer)
{
	const struct backend_policy *backend = a->pick.target->backend;
	struct exchanges *all = a->x->all;
	int64_t wall_ms = io_wall_ms(all->setup.io), server_ms;

	if (!a->judged_head || !backend->credential || !backend->credential->signs ||
	    !was_late(answer) ||
	    !dialect_read_date(h1_get(a->judged_head, S("date")), wall_ms, &server_ms))
		return false;
	return credentials_clock(all->credentials, backend->credential, server_ms - wall_ms);
}
