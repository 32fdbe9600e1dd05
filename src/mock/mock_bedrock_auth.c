/* mock_bedrock_auth.c: who may use the mock's Bedrock, and where AWS's keys are
 * had: a container's endpoint and a machine's metadata server. */
#include "mock/mock_bedrock.h"
#include "wire/sigv4.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLOCKS_DIFFER_MS (5 * 60 * 1000)
#define LIVES_MS (3600 * 1000)
#define SESSION "mock-metadata-session"
#define ROLE "mock-role"

/* "ID:SECRET" or "ID:SECRET:TOKEN". */
struct keys { struct slice id, secret, token; };

static bool read_keys(struct slice text, struct keys *out)
{
	*out = (struct keys){ .token = SLICE_NONE };
	if (!slice_cut(text, ':', &out->id, &out->secret))
		return false;
	slice_cut(out->secret, ':', &out->secret, &out->token);
	return true;
}

/* "Mon, 02 Jan 2006 15:04:05 GMT" */
static void add_date(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a)
{
	time_t seconds = (time_t)((io_wall_ms(mock->io) + b->clock_ahead_ms) / 1000);
	char text[64];
	struct tm at;

	if (gmtime_r(&seconds, &at) && strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &at))
		snprintf(a->extra + strlen(a->extra), sizeof a->extra - strlen(a->extra), "date: %s\r\n", text);
}

static bool refuse(struct mock *mock, const struct mock_behaviour *b, struct mock_answer *a, const char *name,
		   const char *message)
{
	mock_refuse(mock, a, 403, name, NULL, message);
	add_date(mock, b, a);
	return false;
}

/* The value of `name` in "A=1, B=2". */
static struct slice part_of(struct slice proof, const char *name)
{
	struct slice part, key, value;

	while (slice_next_in_list(&proof, &part))
		if (slice_cut(part, '=', &key, &value) && slice_eq(key, slice_of(name)))
			return value;
	return SLICE_NONE;
}

/* The headers that were signed, as they came. False: one is missing. */
static bool signed_headers(const struct h1_head *head, struct slice names, struct sigv4_request *out,
			   struct sigv4_header list[static SIGV4_HEADERS_MAX])
{
	struct slice name;
	size_t count = 0;

	while (names.len) {
		if (!slice_cut(names, ';', &name, &names)) {
			name = names;
			names = SLICE_NONE;
		}
		if (count == SIGV4_HEADERS_MAX || !h1_get(head, name).at)
			return false;
		list[count++] = (struct sigv4_header){ name, h1_get(head, name) };
	}
	out->headers = list;
	out->header_count = count;
	return true;
}

static bool is_right(const struct mock_request *r, const struct keys *keys, struct slice proof)
{
	struct slice credential = part_of(proof, "Credential"), id, scope_text, day, region, service, end;
	struct sigv4_request request = { .method = r->method, .path = r->path, .query = r->query };
	struct sigv4_header list[SIGV4_HEADERS_MAX];
	struct buf canonical = BUF_INIT(256 * 1024), to_sign = BUF_INIT(4096);
	uint8_t digest[DIGEST_SHA256_BYTES];
	char payload[SIGV4_HEX_BYTES], signature[SIGV4_HEX_BYTES] = "";
	struct sigv4_scope scope;
	bool good;

	if (!slice_cut(credential, '/', &id, &scope_text) || !slice_cut(scope_text, '/', &day, &scope_text) ||
	    !slice_cut(scope_text, '/', &region, &scope_text) || !slice_cut(scope_text, '/', &service, &end))
		return false;
	digest_sha256(r->body, digest);
	digest_to_hex(digest, payload);
	request.payload_hash = slice_of(payload);
	scope = (struct sigv4_scope){ h1_get(r->head, S("x-amz-date")), region, service };
	good = slice_eq(id, keys->id) && slice_eq(service, S("bedrock")) && slice_starts(scope.date, day) &&
	       signed_headers(r->head, part_of(proof, "SignedHeaders"), &request, list) &&
	       sigv4_canonical(&request, &canonical) && sigv4_to_sign(&scope, buf_slice(&canonical), &to_sign);
	if (good)
		sigv4_sign(&scope, keys->secret, buf_slice(&to_sign), signature);
	buf_free(&canonical);
	buf_free(&to_sign);
	return good && slice_eq(part_of(proof, "Signature"), slice_of(signature));
}

/* "20150830T123600Z" in Unix milliseconds; -1: it is none. */
static int64_t date_ms(struct slice text)
{
	char copy[SIGV4_DATE_BYTES];
	struct tm at = { 0 };

	if (text.len != SIGV4_DATE_BYTES - 1)
		return -1;
	snprintf(copy, sizeof copy, "%.*s", SLICE_ARG(text));
	return strptime(copy, "%Y%m%dT%H%M%SZ", &at) ? (int64_t)timegm(&at) * 1000 : -1;
}

static bool check_date(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		       struct mock_answer *a)
{
	int64_t now = io_wall_ms(mock->io) + b->clock_ahead_ms, then = date_ms(h1_get(r->head, S("x-amz-date")));

	if (then >= now - CLOCKS_DIFFER_MS && then <= now + CLOCKS_DIFFER_MS)
		return true;
	return refuse(mock, b, a, "InvalidSignatureException", then < now
		      ? "Signature expired: the date of the request is now earlier than the server's by more than 5 min."
		      : "Signature not yet current: the date of the request is still later than the server's by more "
			"than 5 min.");
}

bool mock_bedrock_may(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		      struct mock_answer *a)
{
	struct slice proof = h1_get(r->head, S("authorization")), scheme, rest;
	struct keys keys;

	if (!mock->key)
		return true;
	if (slice_starts_nocase(proof, S("bearer ")))
		return slice_eq_constant_time(slice_trim(slice_from(proof, 7)), slice_of(mock->key)) ||
		       refuse(mock, b, a, "AccessDeniedException",
			      "Authentication failed: Please make sure your API Key is valid.");
	if (!slice_cut(proof, ' ', &scheme, &rest) || !slice_eq(scheme, S("AWS4-HMAC-SHA256")))
		return refuse(mock, b, a, "MissingAuthenticationTokenException", "Missing Authentication Token");
	if (!read_keys(slice_of(mock->key), &keys) ||
	    !slice_starts(part_of(rest, "Credential"), keys.id) ||
	    !slice_eq(h1_get(r->head, S("x-amz-security-token")), keys.token))
		return refuse(mock, b, a, "UnrecognizedClientException",
			      "The security token included in the request is invalid.");
	if (!check_date(mock, r, b, a))
		return false;
	return is_right(r, &keys, rest) ||
	       refuse(mock, b, a, "InvalidSignatureException",
		      "The request signature we calculated does not match the signature you provided. Check your "
		      "AWS Secret Access Key and signing method. Consult the service documentation for details.");
}

/* ---- where the keys are had --------------------------------------------------------------- */

static void say(struct mock *mock, struct mock_answer *a, int status, const char *text)
{
	mock_script_clear(&mock->body);
	mock_script_begin(&mock->body);
	buf_put(&mock->body.bytes, slice_of(text));
	mock_script_end(&mock->body);
	a->status = status;
	a->content_type = "text/plain";
}

static void write_member(struct buf *out, const char *name, struct slice text)
{
	buf_putf(out, ",\"%s\":", name);
	json_write_string(out, text);
}

static void say_keys(struct mock *mock, const struct mock_behaviour *b)
{
	time_t end = (time_t)((io_wall_ms(mock->io) + (b->lives_ms ? b->lives_ms : LIVES_MS)) / 1000);
	struct keys keys = { S("AKIDMOCK"), S("mock-secret"), SLICE_NONE };
	struct buf *out = &mock->body.bytes;
	char text[64];
	struct tm at;

	if (mock->key)
		read_keys(slice_of(mock->key), &keys);
	mock_script_begin(&mock->body);
	buf_puts(out, "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\"");
	write_member(out, "AccessKeyId", keys.id);
	write_member(out, "SecretAccessKey", keys.secret);
	if (keys.token.len)
		write_member(out, "Token", keys.token);
	if (gmtime_r(&end, &at) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &at))
		write_member(out, "Expiration", slice_of(text));
	buf_puts(out, "}");
	mock_script_end(&mock->body);
}

/* A container's endpoint wants what the mock's name says, if it has one. */
static void answer_container(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
			     struct mock_answer *a)
{
	if (h1_get(r->head, S("authorization")).len && !slice_eq(h1_get(r->head, S("authorization")), S("mock-container")))
		say(mock, a, 401, "wrong token");
	else
		say_keys(mock, b);
}

void mock_answer_aws(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		     struct mock_answer *a)
{
	struct slice roles = S("/latest/meta-data/iam/security-credentials/");

	a->wait_ms = b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms;
	if (slice_starts(r->path, S("/aws-container")))
		answer_container(mock, r, b, a);
	else if (slice_eq(r->path, S("/latest/api/token")))
		say(mock, a, slice_eq(r->method, S("PUT")) &&
			     h1_get(r->head, S("x-aws-ec2-metadata-token-ttl-seconds")).len ? 200 : 405, SESSION);
	else if (!slice_eq(h1_get(r->head, S("x-aws-ec2-metadata-token")), S(SESSION)))
		say(mock, a, 401, "");
	else if (slice_eq(r->path, roles))
		say(mock, a, 200, ROLE);
	else if (slice_starts(r->path, roles) && slice_eq(slice_from(r->path, roles.len), S(ROLE)))
		say_keys(mock, b);
	else
		say(mock, a, 404, "");
}
