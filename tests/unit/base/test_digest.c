#include "base/check.h"
#include "base/digest.h"

#include "cm.h"

#include <string.h>

/* The examples of FIPS 180 for SHA-256. */
static const struct {
	struct slice text;
	const char *hex;
} published[] = {
	{ { NULL, 0 }, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ S_INIT("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ S_INIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void gives_the_published_digests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(published); i++) {
		uint8_t digest[DIGEST_SHA256_BYTES], back[DIGEST_SHA256_BYTES];
		char hex[2 * DIGEST_SHA256_BYTES + 1];

		digest_sha256(published[i].text, digest);
		digest_to_hex(digest, hex);
		assert_string_equal(hex, published[i].hex);
		assert_true(digest_from_hex(slice_of(hex), back));
		assert_memory_equal(back, digest, sizeof digest);
	}
}

/* The examples of RFC 4231: a short key, and one longer than a block. */
static void gives_the_published_macs(void **state)
{
	char long_key[131];
	const struct { struct slice key, text; const char *hex; } rows[] = {
		{ S("Jefe"), S("what do ya want for nothing?"),
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ { long_key, sizeof long_key }, S("Test Using Larger Than Block-Size Key - Hash Key First"),
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	};

	(void)state;
	memset(long_key, 0xaa, sizeof long_key);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint8_t mac[DIGEST_SHA256_BYTES];
		char hex[2 * DIGEST_SHA256_BYTES + 1];

		digest_hmac_sha256(rows[i].key, rows[i].text, mac);
		digest_to_hex(mac, hex);
		assert_string_equal(hex, rows[i].hex);
	}
}

static void takes_parts(void **state)
{
	const struct slice parts[] = { S("a"), SLICE_NONE, S("b"), S(""), S("c") };
	uint8_t whole[DIGEST_SHA256_BYTES], joined[DIGEST_SHA256_BYTES];

	(void)state;
	digest_sha256(S("abc"), whole);
	digest_sha256_parts(parts, COUNT_OF(parts), joined);
	assert_memory_equal(whole, joined, sizeof whole);
	digest_sha256(S(""), whole);
	digest_sha256_parts(NULL, 0, joined);
	assert_memory_equal(whole, joined, sizeof whole);
}

#define ZEROS_62 "00000000000000000000000000000000000000000000000000000000000000"

static const struct {
	const char *hex;
	bool good;
	const char *says;
} hexes[] = {
	{ ZEROS_62 "ff", true, "lower case" },
	{ ZEROS_62 "FF", true, "upper case" },
	{ ZEROS_62 "f", false, "one digit short" },
	{ ZEROS_62 "fff", false, "one digit long" },
	{ ZEROS_62 "fg", false, "a letter that is no digit" },
	{ ZEROS_62 "-f", false, "a sign" },
	{ ZEROS_62 " f", false, "a space" },
	{ "", false, "nothing" },
};

static void hex_is_strict(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(hexes); i++) {
		uint8_t digest[DIGEST_SHA256_BYTES];

		memset(digest, 7, sizeof digest);
		row_holds(digest_from_hex(slice_of(hexes[i].hex), digest) == hexes[i].good,
			  hexes[i].says);
		row_holds(digest[DIGEST_SHA256_BYTES - 1] == (hexes[i].good ? 0xff : 7),
			  hexes[i].says);
		row_holds(digest[0] == (hexes[i].good ? 0 : 7), hexes[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_published_digests),
		cmocka_unit_test(gives_the_published_macs),
		cmocka_unit_test(takes_parts),
		cmocka_unit_test(hex_is_strict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
