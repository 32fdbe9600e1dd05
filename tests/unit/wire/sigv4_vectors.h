/* sigv4_vectors.h: the requests that AWS publishes to test signers with
 * (github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4; those whose
 * paths are normalised, as ours are). All are signed by AKIDEXAMPLE for
 * us-east-1 and "service" at 20150830T123600Z. */
#ifndef BACKSTAY_TESTS_SIGV4_VECTORS_H
#define BACKSTAY_TESTS_SIGV4_VECTORS_H

#include "base/slice.h"

static const struct sigv4_vector {
	const char *name;
	struct slice method, path, query, headers, body, canonical, signature;
} sigv4_vectors[] = {
	{ "get-header-key-duplicate", S_INIT("GET"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "My-Header1:value2\n"
		 "My-Header1:value2\n"
		 "My-Header1:value1\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "my-header1:value2,value2,value1\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;my-header1;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea") },
	{ "get-header-value-multiline", S_INIT("GET"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "My-Header1:value1   value2      value3\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "my-header1:value1 value2 value3\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;my-header1;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd") },
	{ "get-header-value-order", S_INIT("GET"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "My-Header1:value4\n"
		 "My-Header1:value1\n"
		 "My-Header1:value3\n"
		 "My-Header1:value2\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "my-header1:value4,value1,value3,value2\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;my-header1;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01") },
	{ "get-header-value-trim", S_INIT("GET"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "My-Header1: value1\n"
		 "My-Header2: \"a   b   c\"\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "my-header1:value1\n"
		 "my-header2:\"a b c\"\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;my-header1;my-header2;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736") },
	{ "get-relative-normalized", S_INIT("GET"), S_INIT("/example/.."), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") },
	{ "get-relative-relative-normalized", S_INIT("GET"), S_INIT("/example1/example2/../.."), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") },
	{ "get-slash-dot-slash-normalized", S_INIT("GET"), S_INIT("/./"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") },
	{ "get-slash-normalized", S_INIT("GET"), S_INIT("//"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") },
	{ "get-slash-pointless-dot-normalized", S_INIT("GET"), S_INIT("/./example"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/example\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5") },
	{ "get-slashes-normalized", S_INIT("GET"), S_INIT("//example//"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/example/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84") },
	{ "get-space-normalized", S_INIT("GET"), S_INIT("/example space/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/example%20space/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741") },
	{ "get-unreserved", S_INIT("GET"), S_INIT("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f") },
	{ "get-utf8", S_INIT("GET"), S_INIT("/\xe1\x88\xb4"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/%E1%88%B4\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85") },
	{ "get-vanilla", S_INIT("GET"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") },
	{ "get-vanilla-empty-query-key", S_INIT("GET"), S_INIT("/"), S_INIT("Param1=value1"),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "Param1=value1\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb") },
	{ "get-vanilla-query", S_INIT("GET"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") },
	{ "get-vanilla-query-order-encoded", S_INIT("GET"), S_INIT("/"), S_INIT("Param-3=Value3&Param=Value2&%E1%88%B4=Value1"),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "%E1%88%B4=Value1&Param=Value2&Param-3=Value3\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac") },
	{ "get-vanilla-query-order-key-case", S_INIT("GET"), S_INIT("/"), S_INIT("Param2=value2&Param1=value1"),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "Param1=value1&Param2=value2\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500") },
	{ "get-vanilla-query-unreserved", S_INIT("GET"), S_INIT("/"), S_INIT("-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197") },
	{ "get-vanilla-utf8-query", S_INIT("GET"), S_INIT("/"), S_INIT("\xe1\x88\xb4=bar"),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "%E1%88%B4=bar\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04") },
	{ "get-vanilla-with-session-token", S_INIT("GET"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "x-amz-security-token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"),
	  S_INIT(""),
	  S_INIT("GET\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "x-amz-security-token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267\n"
		 "\n"
		 "host;x-amz-date;x-amz-security-token\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8") },
	{ "post-header-key-case", S_INIT("POST"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("POST\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b") },
	{ "post-header-key-sort", S_INIT("POST"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "My-Header1:value1\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("POST\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "my-header1:value1\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;my-header1;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c") },
	{ "post-header-value-case", S_INIT("POST"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "My-Header1:VALUE1\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("POST\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "my-header1:VALUE1\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;my-header1;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d") },
	{ "post-sts-header-after", S_INIT("POST"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("POST\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b") },
	{ "post-sts-header-before", S_INIT("POST"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "x-amz-security-token:AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="),
	  S_INIT(""),
	  S_INIT("POST\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "x-amz-security-token:AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==\n"
		 "\n"
		 "host;x-amz-date;x-amz-security-token\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead") },
	{ "post-vanilla", S_INIT("POST"), S_INIT("/"), S_INIT(""),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("POST\n"
		 "/\n"
		 "\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b") },
	{ "post-vanilla-empty-query-value", S_INIT("POST"), S_INIT("/"), S_INIT("Param1=value1"),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("POST\n"
		 "/\n"
		 "Param1=value1\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11") },
	{ "post-vanilla-query", S_INIT("POST"), S_INIT("/"), S_INIT("Param1=value1"),
	  S_INIT("Host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z"),
	  S_INIT(""),
	  S_INIT("POST\n"
		 "/\n"
		 "Param1=value1\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "host;x-amz-date\n"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	  S_INIT("28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11") },
	{ "post-x-www-form-urlencoded", S_INIT("POST"), S_INIT("/"), S_INIT(""),
	  S_INIT("Content-Type:application/x-www-form-urlencoded\n"
		 "Host:example.amazonaws.com\n"
		 "Content-Length:13\n"
		 "x-amz-date:20150830T123600Z\n"
		 "x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
	  S_INIT("Param1=value1"),
	  S_INIT("POST\n"
		 "/\n"
		 "\n"
		 "content-length:13\n"
		 "content-type:application/x-www-form-urlencoded\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "content-length;content-type;host;x-amz-content-sha256;x-amz-date\n"
		 "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
	  S_INIT("d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b") },
	{ "post-x-www-form-urlencoded-parameters", S_INIT("POST"), S_INIT("/"), S_INIT(""),
	  S_INIT("Content-Type:application/x-www-form-urlencoded; charset=utf-8\n"
		 "Host:example.amazonaws.com\n"
		 "Content-Length:13\n"
		 "x-amz-date:20150830T123600Z\n"
		 "x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
	  S_INIT("Param1=value1"),
	  S_INIT("POST\n"
		 "/\n"
		 "\n"
		 "content-length:13\n"
		 "content-type:application/x-www-form-urlencoded; charset=utf-8\n"
		 "host:example.amazonaws.com\n"
		 "x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e\n"
		 "x-amz-date:20150830T123600Z\n"
		 "\n"
		 "content-length;content-type;host;x-amz-content-sha256;x-amz-date\n"
		 "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
	  S_INIT("328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422") },
};

#endif
