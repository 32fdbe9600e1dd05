/* AWS's signatures: AWS's own test vectors, and what Bedrock adds to them. */
#include "sigv4_vectors.h"
#include "wire/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const struct sigv4_scope scope = {
	.date = S_INIT("20150830T123600Z"), .region = S_INIT("us-east-1"), .service = S_INIT("service"),
};
static const struct sigv4_key key = { .account = S_INIT("AKIDEXAMPLE"), .secret = S_INIT(SECRET) };

/* "Host:example\nx-amz-date:..." */
static size_t read_headers(struct slice lines, struct sigv4_header out[static SIGV4_HEADERS_MAX])
{
	size_t count = 0;

	while (lines.len > 0) {
		struct slice line;

		if (!slice_cut(lines, '\n', &line, &lines)) {
			line = lines;
			lines = SLICE_NONE;
		}
		assert_true(slice_cut(line, ':', &out[count].name, &out[count].value));
		count++;
	}
	return count;
}

static void check_vector(const struct sigv4_vector *v)
{
	struct sigv4_header headers[SIGV4_HEADERS_MAX];
	struct sigv4_request r = { .method = v->method, .path = v->path, .query = v->query, .headers = headers };
	struct buf text = BUF_INIT(65536);
	uint8_t digest[DIGEST_SHA256_BYTES];
	char hex[SIGV4_HEX_BYTES];
	struct slice got;

	r.header_count = read_headers(v->headers, headers);
	digest_sha256(v->body, digest);
	digest_to_hex(digest, hex);
	r.payload_hash = slice_of(hex);
	assert_true(sigv4_canonical(&r, &text));
	if (!slice_eq(buf_slice(&text), v->canonical))
		fail_msg("%s: expected\n%.*s\ngot\n%.*s", v->name, SLICE_ARG(v->canonical),
			 SLICE_ARG(buf_slice(&text)));
	buf_clear(&text);
	assert_true(sigv4_authorize(&r, &scope, &key, &text));
	got = buf_slice(&text);
	assert_true(slice_starts(got, S("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
					"aws4_request, SignedHeaders=")));
	if (!slice_ends(got, v->signature))
		fail_msg("%s: wrong signature in %.*s", v->name, SLICE_ARG(got));
	buf_free(&text);
}

static void agrees_with_aws(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(sigv4_vectors); i++)
		check_vector(&sigv4_vectors[i]);
}

static const struct { struct slice path, canonical; const char *says; } paths[] = {
	{ S_INIT("/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"),
	  S_INIT("/model/anthropic.claude-3-haiku-20240307-v1%253A0/converse"),
	  "a colon in a model's name is encoded twice" },
	{ S_INIT("/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ax%2Fy/converse-stream"),
	  S_INIT("/model/arn%253Aaws%253Abedrock%253Aus-east-1%253A1%253Ax%252Fy/converse-stream"),
	  "so is all of an ARN" },
	{ S_INIT("/a:b"), S_INIT("/a%3Ab"), "one that is plain on the wire once" },
	{ S_INIT(""), S_INIT("/"), "no path" },
	{ S_INIT("/a/b/"), S_INIT("/a/b/"), "a slash at the end stays" },
	{ S_INIT("//a///b"), S_INIT("/a/b"), "empty segments go" },
	{ S_INIT("/../../a"), S_INIT("/a"), "nothing is above the root" },
	{ S_INIT("/a/.."), S_INIT("/"), "back at the root" },
	{ S_INIT("/a/."), S_INIT("/a/"), "a dot at the end" },
	{ S_INIT("/a/.../..b"), S_INIT("/a/.../..b"), "dots that mean nothing" },
};

static void writes_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct sigv4_request r = { .method = S("GET"), .path = paths[i].path };
		struct buf text = BUF_INIT(4096);
		struct slice line, rest;

		assert_true(sigv4_canonical(&r, &text));
		assert_true(slice_cut(buf_slice(&text), '\n', &line, &rest));
		assert_true(slice_cut(rest, '\n', &line, &rest));
		if (!slice_eq(line, paths[i].canonical))
			fail_msg("%s: %.*s", paths[i].says, SLICE_ARG(line));
		buf_free(&text);
	}
}

static const struct { struct slice query, canonical; const char *says; } queries[] = {
	{ S_INIT("b=2&a=1"), S_INIT("a=1&b=2"), "in order" },
	{ S_INIT("a=2&a=1"), S_INIT("a=1&a=2"), "also of values" },
	{ S_INIT("a&b="), S_INIT("a=&b="), "no value is an empty one" },
	{ S_INIT("%61=%7e"), S_INIT("a=~"), "what need not be encoded is not" },
	{ S_INIT("a=%2f&b=/"), S_INIT("a=%2F&b=%2F"), "and what must be is, in capitals" },
	{ S_INIT("a=%zz&b=%2"), S_INIT("a=%25zz&b=%252"), "what is no escape is text" },
	{ S_INIT("&&a=1&"), S_INIT("a=1"), "empty parameters are none" },
	{ S_INIT("ab=1&a=2"), S_INIT("a=2&ab=1"), "a name that begins another comes first" },
};

static void writes_queries(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		struct sigv4_request r = { .method = S("GET"), .path = S("/"), .query = queries[i].query };
		struct buf text = BUF_INIT(4096);
		struct slice rest;

		assert_true(sigv4_canonical(&r, &text));
		rest = slice_from(buf_slice(&text), sizeof "GET\n/\n" - 1);
		assert_true(slice_cut(rest, '\n', &rest, &(struct slice){ NULL, 0 }));
		if (!slice_eq(rest, queries[i].canonical))
			fail_msg("%s: %.*s", queries[i].says, SLICE_ARG(rest));
		buf_free(&text);
	}
}

static void writes_dates(void **state)
{
	static const struct { int64_t wall_ms; const char *text; } rows[] = {
		{ 0, "19700101T000000Z" }, { -1, "19700101T000000Z" }, { 1440938160000, "20150830T123600Z" },
		{ 1440938160999, "20150830T123600Z" }, { 1709164800000, "20240229T000000Z" },
		{ INT64_MAX, "99991231T000000Z" },
	};
	char out[SIGV4_DATE_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		sigv4_date(rows[i].wall_ms, out);
		assert_string_equal(out, rows[i].text);
	}
}

static void has_limits(void **state)
{
	static const struct sigv4_header header = { S_INIT("a"), S_INIT("b") };
	struct sigv4_header many[SIGV4_HEADERS_MAX + 1];
	struct sigv4_request r = { .method = S("GET"), .path = S("/"), .headers = many };
	struct buf text = BUF_INIT(4096), query = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(many); i++)
		many[i] = header;
	r.header_count = SIGV4_HEADERS_MAX;
	assert_true(sigv4_canonical(&r, &text));
	r.header_count++;
	assert_false(sigv4_canonical(&r, &text));
	assert_false(sigv4_authorize(&r, &scope, &key, &text));
	for (int i = 0; i <= SIGV4_QUERY_MAX; i++)
		buf_puts(&query, "a=1&");
	r = (struct sigv4_request){ .method = S("GET"), .path = S("/"), .query = buf_slice(&query) };
	assert_false(sigv4_canonical(&r, &text));
	r.query.len -= 4;
	assert_true(sigv4_canonical(&r, &text));
	buf_free(&text);
	text = BUF_INIT(20);
	assert_false(sigv4_authorize(&r, &scope, &key, &text));
	buf_free(&text);
	buf_free(&query);
}

/* What @aws-sdk/client-bedrock-runtime 3.1163.0 signed at 2026-01-01. */
static void agrees_with_the_sdk(void **state)
{
	static const struct sigv4_header headers[] = {
		{ S_INIT("content-type"), S_INIT("application/json") },
		{ S_INIT("content-length"), S_INIT("56") },
		{ S_INIT("x-amz-user-agent"), S_INIT("aws-sdk-js/3.1163.0") },
		{ S_INIT("host"), S_INIT("bedrock-runtime.us-east-1.amazonaws.com") },
		{ S_INIT("amz-sdk-invocation-id"), S_INIT("f4b2b54e-5b20-40bb-af60-c43c96de14fa") },
		{ S_INIT("amz-sdk-request"), S_INIT("attempt=1; max=1") },
		{ S_INIT("x-amz-date"), S_INIT("20260101T000000Z") },
		{ S_INIT("x-amz-security-token"), S_INIT("FwoGZXIvYXdzEXAMPLE") },
		{ S_INIT("x-amz-content-sha256"),
		  S_INIT("c3335e07d6e89650bf94cb98664be69f8774dbc3198df221f113db0a59ea14f0") },
	};
	const struct slice body[] = { S("{\"messages\":[{\"role\":\"user\","), S(""),
				      S("\"content\":[{\"text\":\"hi\"}]}]}") };
	const struct sigv4_scope bedrock = { S("20260101T000000Z"), S("us-east-1"), S("bedrock") };
	struct sigv4_request r = {
		.method = S("POST"), .path = S("/model/us.anthropic.claude-3-5-haiku-20241022-v1%3A0/converse"),
		.headers = headers, .header_count = COUNT_OF(headers),
	};
	struct buf text = BUF_INIT(4096);
	uint8_t digest[DIGEST_SHA256_BYTES];
	char hex[SIGV4_HEX_BYTES];

	(void)state;
	digest_sha256_parts(body, COUNT_OF(body), digest);
	digest_to_hex(digest, hex);
	assert_string_equal(hex, headers[COUNT_OF(headers) - 1].value.at);
	r.payload_hash = slice_of(hex);
	assert_true(sigv4_authorize(&r, &bedrock, &key, &text));
	assert_true(slice_eq(buf_slice(&text),
		S("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, "
		  "SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;"
		  "x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-user-agent, "
		  "Signature=3cf5164846e53b72d15c1d5f506aac5509a466bfb76eab80e1aea3f0a4a0ba61")));
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_aws),
		cmocka_unit_test(agrees_with_the_sdk),
		cmocka_unit_test(writes_paths),
		cmocka_unit_test(writes_queries),
		cmocka_unit_test(writes_dates),
		cmocka_unit_test(has_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
