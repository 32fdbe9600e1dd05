#include "base/check.h"
#include "base/sign.h"

#include "cm.h"
#include "rsa_example.h"

#include <string.h>

static void signs_as_rfc_7515_does(void **state)
{
	struct sign_key *key = sign_key_read(S(RSA_EXAMPLE_PEM));
	struct buf out = BUF_INIT(4096), small = BUF_INIT(16);

	(void)state;
	assert_non_null(key);
	assert_true(sign_rs256(key, S(RSA_EXAMPLE_TEXT), &out));
	assert_true(slice_eq(buf_slice(&out), S(RSA_EXAMPLE_SIGNATURE)));
	assert_false(sign_rs256(key, S(RSA_EXAMPLE_TEXT), &small));
	assert_int_equal(buf_len(&small), 0);
	buf_free(&out);
	buf_free(&small);
	sign_key_free(key);
}

#define SMALL_KEY \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MC4CAQAwBQYDK2VwBCIEIDRLSY5DQ5Zk5Vx8bbzlTWk6kd2aJlZ8DPRWVXJ2bWJ4\n" \
	"-----END PRIVATE KEY-----\n"

static void other_texts_are_no_keys(void **state)
{
	(void)state;
	assert_null(sign_key_read(S("")));
	assert_null(sign_key_read(S("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")));
	assert_null(sign_key_read(S("no key")));
	assert_null(sign_key_read(S(SMALL_KEY)));               /* not RSA */
	assert_null(sign_key_read(slice_sub(S(RSA_EXAMPLE_PEM), 0, 900)));
	sign_key_free(NULL);
}

/* RFC 4231, test cases 1, 2 and 6. */
static const struct { struct slice key, text; const char *hex; } hmacs[] = {
	{ S_INIT("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
	  S_INIT("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ S_INIT("Jefe"), S_INIT("what do ya want for nothing?"),
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
};

static void hmac_is_that_of_rfc_4231(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(hmacs); i++) {
		uint8_t digest[DIGEST_SHA256_BYTES];
		char hex[2 * DIGEST_SHA256_BYTES + 1];

		sign_hmac_sha256(hmacs[i].key, hmacs[i].text, digest);
		digest_to_hex(digest, hex);
		assert_string_equal(hex, hmacs[i].hex);
	}
}

/* RFC 4648, section 10, without the padding; and both letters of its own. */
static const struct { struct slice bytes, text; } base64s[] = {
	{ { NULL, 0 }, S_INIT("") }, { S_INIT("f"), S_INIT("Zg") }, { S_INIT("fo"), S_INIT("Zm8") },
	{ S_INIT("foo"), S_INIT("Zm9v") }, { S_INIT("foob"), S_INIT("Zm9vYg") },
	{ S_INIT("fooba"), S_INIT("Zm9vYmE") }, { S_INIT("foobar"), S_INIT("Zm9vYmFy") },
	{ S_INIT("\xfb\xff\xfe"), S_INIT("-__-") },
};

static void base64url_has_no_padding(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(base64s); i++) {
		struct buf out = BUF_INIT(64);

		assert_true(sign_base64url(base64s[i].bytes, &out));
		assert_true(slice_eq(buf_slice(&out), base64s[i].text));
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_as_rfc_7515_does),
		cmocka_unit_test(other_texts_are_no_keys),
		cmocka_unit_test(hmac_is_that_of_rfc_4231),
		cmocka_unit_test(base64url_has_no_padding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
