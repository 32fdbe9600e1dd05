/* What is asked of token endpoints and metadata servers, and what their answers
 * mean. */
#include "base/check.h"
#include "base/sign.h"
#include "exchange/credentials.h"

#include "../base/cm.h"
#include "../base/rsa_example.h"

static const struct credential_policy google = {
	.kind = CREDENTIAL_GOOGLE_KEY, .account = S_INIT("bot@proj.iam"), .secret = S_INIT(RSA_EXAMPLE_PEM),
	.key_id = S_INIT("k1"), .audience = S_INIT("https://oauth2.googleapis.com/token"),
	.scope = S_INIT("https://www.googleapis.com/auth/cloud-platform"), .path = S_INIT("/token"),
};
static const struct credential_policy user = {
	.kind = CREDENTIAL_GOOGLE_USER, .account = S_INIT("id"), .key_id = S_INIT("hush"),
	.secret = S_INIT("1//re&fresh"), .path = S_INIT("/token"),
};
static const struct credential_policy metadata = {
	.kind = CREDENTIAL_GOOGLE_METADATA,
	.path = S_INIT("/computeMetadata/v1/instance/service-accounts/default/token"),
};
static const struct credential_policy entra = {
	.kind = CREDENTIAL_ENTRA, .account = S_INIT("app"), .secret = S_INIT("s~cr=t"),
	.scope = S_INIT("https://cognitiveservices.azure.com/.default"),
	.path = S_INIT("/t1/oauth2/v2.0/token"),
};
static const struct credential_policy azure = {
	.kind = CREDENTIAL_AZURE_METADATA, .path = S_INIT("/metadata/identity/oauth2/token?resource=r"),
};

static const struct {
	const struct credential_provider *provider;
	const struct credential_policy *policy;
	const char *method, *headers, *body;
} asks[] = {
	{ &credential_google_user, &user, "POST",
	  "Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\n",
	  "grant_type=refresh_token&client_id=id&client_secret=hush&refresh_token=1%2F%2Fre%26fresh" },
	{ &credential_google_metadata, &metadata, "GET", "Metadata-Flavor: Google\r\n", "" },
	{ &credential_entra, &entra, "POST",
	  "Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\n",
	  "grant_type=client_credentials&client_id=app&client_secret=s~cr%3Dt"
	  "&scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default" },
	{ &credential_azure_metadata, &azure, "GET", "Metadata: true\r\n", "" },
};

static struct credential_fetch fetch_of(const struct credential_policy *policy)
{
	return (struct credential_fetch){ .policy = policy, .arena = arena_create(0),
					  .wall_ms = 1700000000000, .lives_ms = -1 };
}

static void asks_as_the_vendors_document(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(asks); i++) {
		struct credential_fetch f = fetch_of(asks[i].policy);

		assert_int_equal(asks[i].provider->begin(&f), CREDENTIAL_ASK);
		row_holds(slice_eq(f.method, slice_of(asks[i].method)), asks[i].body);
		row_holds(slice_eq(f.path, asks[i].policy->path), asks[i].body);
		row_holds(slice_eq(f.headers, slice_of(asks[i].headers)), asks[i].body);
		row_holds(slice_eq(f.body, slice_of(asks[i].body)), asks[i].body);
		arena_free(f.arena);
	}
}

/* header.claims.signature, as RFC 7515 and Google's page have it. */
static void a_claim_is_signed(void **state)
{
	struct credential_fetch f = fetch_of(&google);
	struct slice lead = S("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
	struct slice token, head, claims, signature;
	struct buf expected = BUF_INIT(64 * 1024), signed_text = BUF_INIT(64 * 1024);
	struct sign_key *key = sign_key_read(google.secret);

	(void)state;
	assert_int_equal(credential_google_key.begin(&f), CREDENTIAL_ASK);
	assert_true(slice_starts(f.body, lead));
	token = slice_from(f.body, lead.len);
	assert_true(slice_cut(token, '.', &head, &claims));
	assert_true(slice_cut(claims, '.', &claims, &signature));
	assert_true(sign_base64url(S("{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"), &expected));
	assert_true(slice_eq(head, buf_slice(&expected)));
	buf_clear(&expected);
	assert_true(sign_base64url(S("{\"iss\":\"bot@proj.iam\","
		"\"scope\":\"https://www.googleapis.com/auth/cloud-platform\","
		"\"aud\":\"https://oauth2.googleapis.com/token\",\"iat\":1700000000,\"exp\":1700003600}"),
		&expected));
	assert_true(slice_eq(claims, buf_slice(&expected)));
	assert_true(sign_rs256(key, slice_sub(token, 0, head.len + 1 + claims.len), &signed_text));
	assert_true(slice_eq(signature, buf_slice(&signed_text)));
	sign_key_free(key);
	buf_free(&expected);
	buf_free(&signed_text);
	arena_free(f.arena);
}

static const struct {
	int status;
	struct slice body;
	enum credential_step step;
	const char *token;
	int64_t lives_ms;
	const char *says;
} answers[] = {
	{ 200, S_INIT("{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}"),
	  CREDENTIAL_HAVE, "ya29.x", 3599000, NULL },
	{ 200, S_INIT("{\"access_token\":\"t\",\"expires_in\":\"86000\"}"), CREDENTIAL_HAVE, "t", 86000000,
	  NULL },
	{ 200, S_INIT("{\"access_token\":\"t\"}"), CREDENTIAL_HAVE, "t", 300000, NULL },
	{ 200, S_INIT("{\"access_token\":\"t\",\"expires_in\":-5}"), CREDENTIAL_HAVE, "t", 0, NULL },
	{ 200, S_INIT("{\"access_token\":\"a\\r\\nX: y\"}"), CREDENTIAL_BROKEN, NULL, 0, "no usable" },
	{ 200, S_INIT("{\"access_token\":\"\"}"), CREDENTIAL_BROKEN, NULL, 0, "no usable" },
	{ 200, S_INIT("<html>log in</html>"), CREDENTIAL_BROKEN, NULL, 0, "no JSON" },
	{ 200, S_INIT(""), CREDENTIAL_BROKEN, NULL, 0, "no JSON" },
	{ 400, S_INIT("{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}"),
	  CREDENTIAL_REFUSED, NULL, 0, "400 invalid_grant: Invalid JWT Signature.; check that" },
	{ 401, S_INIT("no"), CREDENTIAL_REFUSED, NULL, 0, "401" },
	{ 429, S_INIT("{}"), CREDENTIAL_BROKEN, NULL, 0, "429" },
	{ 503, S_INIT(""), CREDENTIAL_BROKEN, NULL, 0, "503" },
	{ 302, S_INIT(""), CREDENTIAL_REFUSED, NULL, 0, "302" },
};

static void answers_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct credential_fetch f = fetch_of(&google);
		enum credential_step step = credential_google_key.answer(&f, answers[i].status,
									  answers[i].body);

		row_holds(step == answers[i].step, answers[i].body.at);
		if (answers[i].token) {
			row_holds(slice_eq(f.result.token, slice_of(answers[i].token)), answers[i].body.at);
			row_holds(f.lives_ms == answers[i].lives_ms, answers[i].body.at);
		}
		if (answers[i].says)
			row_holds(slice_find_slice(f.why, slice_of(answers[i].says)) != SLICE_NOT_FOUND,
				  answers[i].says);
		arena_free(f.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_as_the_vendors_document),
		cmocka_unit_test(a_claim_is_signed),
		cmocka_unit_test(answers_mean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
