/* What a client may send as a request head, and what is refused. */
#include "tests/unit/wire/h1_cuts.h"

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST
#define END "\r\n"
#define X32 "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"

static const struct good_row good[] = {
	{ REQUEST, S_INIT(GET END), "GET / 1.1 [Host=a] body: none, keep, 27 bytes",
	  "the smallest request" },
	{ REQUEST, S_INIT(GET END "GET /next"), "GET / 1.1 [Host=a] body: none, keep, 27 bytes",
	  "what follows the head is none of its business" },
	{ REQUEST, S_INIT("\r\n\r\n" GET END), "GET / 1.1 [Host=a] body: none, keep, 31 bytes",
	  "two empty lines before a request line are skipped, and counted" },
	{ REQUEST, S_INIT("POST /v1/chat/completions?a=%20b HTTP/1.1\r\n" HOST
			  "content-length: 12\r\n" END "{"),
	  "POST /v1/chat/completions?a=%20b 1.1 [Host=a] [content-length=12] body: length 12, "
	  "keep, 74 bytes",
	  "header names are recognised in any case" },
	{ REQUEST, S_INIT(POST "Content-Length: 0\r\n" END),
	  "POST / 1.1 [Host=a] [Content-Length=0] body: length 0, keep, 47 bytes",
	  "a length of zero is a length" },
	{ REQUEST, S_INIT(POST "Content-Length: 9223372036854775807\r\n" END),
	  "POST / 1.1 [Host=a] [Content-Length=9223372036854775807] body: length "
	  "9223372036854775807, keep, 65 bytes",
	  "the longest length there is" },
	{ REQUEST, S_INIT(POST "Transfer-Encoding: Chunked\r\n" END),
	  "POST / 1.1 [Host=a] [Transfer-Encoding=Chunked] body: chunked, keep, 56 bytes",
	  "names of codings have no case" },
	{ REQUEST, S_INIT("GET / HTTP/1.0\r\n" END), "GET / 1.0 body: none, close, 18 bytes",
	  "HTTP/1.0 needs no Host and closes" },
	{ REQUEST, S_INIT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END),
	  "GET / 1.0 [Connection=Keep-Alive] body: none, keep, 42 bytes",
	  "HTTP/1.0 keeps the connection if asked" },
	{ REQUEST, S_INIT(GET "Connection: foo, Close\r\n" END),
	  "GET / 1.1 [Host=a] [Connection=foo, Close] body: none, close, 51 bytes",
	  "close is found in a list" },
	{ REQUEST, S_INIT(GET "Connection: keep-alive\r\nConnection: close\r\n" END),
	  "GET / 1.1 [Host=a] [Connection=keep-alive] [Connection=close] body: none, close, "
	  "70 bytes",
	  "close wins over keep-alive" },
	{ REQUEST, S_INIT(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n" END),
	  "POST / 1.1 [Host=a] [Expect=100-Continue] [Content-Length=1] body: length 1, keep, "
	  "expects, 69 bytes",
	  "an expectation is noted" },
	{ REQUEST, S_INIT("POST / HTTP/1.0\r\nExpect: 100-continue\r\n" END),
	  "POST / 1.0 [Expect=100-continue] body: none, close, 41 bytes",
	  "on HTTP/1.0 an expectation is ignored" },
	{ REQUEST, S_INIT("OPTIONS * HTTP/1.1\r\n" HOST END),
	  "OPTIONS * 1.1 [Host=a] body: none, keep, 31 bytes", "OPTIONS may ask the whole server" },
	{ REQUEST, S_INIT("GET http://A.example:80/x?y HTTP/1.1\r\nHost: a.Example:80\r\n" END),
	  "GET http://A.example:80/x?y 1.1 [Host=a.Example:80] body: none, keep, 60 bytes",
	  "absolute form with the Host that it names" },
	{ REQUEST, S_INIT("GET HTTPS://a?q HTTP/1.1\r\n" HOST END),
	  "GET HTTPS://a?q 1.1 [Host=a] body: none, keep, 37 bytes",
	  "an absolute form may have no path" },
	{ REQUEST, S_INIT("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n" END),
	  "GET / 1.1 [Host=[::1]:8080] body: none, keep, 36 bytes", "Host is an IPv6 address" },
	{ REQUEST, S_INIT("GET / HTTP/1.1\r\nHost: my_svc.ns-1.local:65535\r\n" END),
	  "GET / 1.1 [Host=my_svc.ns-1.local:65535] body: none, keep, 49 bytes",
	  "Host names of clusters hold '_'" },
	{ REQUEST, S_INIT(GET "A:b\r\nC: \t d\te \t\r\nE:\r\nF:  \r\n" END),
	  "GET / 1.1 [Host=a] [A=b] [C=d\te] [E=] [F=] body: none, keep, 54 bytes",
	  "white space around values goes, inside it stays" },
	{ REQUEST, S_INIT(GET "X: \xc3\xa4\xff\r\n" END),
	  "GET / 1.1 [Host=a] [X=\xc3\xa4\xff] body: none, keep, 35 bytes",
	  "bytes from 0x80 may be in values" },
	{ REQUEST, S_INIT(GET "!#$%&'*+-.^_`|~09: x\r\n" END),
	  "GET / 1.1 [Host=a] [!#$%&'*+-.^_`|~09=x] body: none, keep, 49 bytes",
	  "every character of a token may be in a name" },
	{ REQUEST, S_INIT(X32 " / HTTP/1.1\r\n" HOST END),
	  X32 " / 1.1 [Host=a] body: none, keep, 56 bytes", "a method of 32 bytes" },
	{ REQUEST, S_INIT("get / HTTP/1.1\r\n" HOST END),
	  "get / 1.1 [Host=a] body: none, keep, 27 bytes",
	  "methods have a case; an unknown one is the affair of others" },
	{ REQUEST, S_INIT("GET //a/../b;c=@:!$&'()*+,[]~ HTTP/1.1\r\n" HOST END),
	  "GET //a/../b;c=@:!$&'()*+,[]~ 1.1 [Host=a] body: none, keep, 51 bytes",
	  "all that a URI may hold" },
	{ REQUEST, S_INIT(GET "Content-Lengt: x\r\nContent-Lengthy: y\r\nTransfer-Encodin: z\r\n" END),
	  "GET / 1.1 [Host=a] [Content-Lengt=x] [Content-Lengthy=y] [Transfer-Encodin=z] "
	  "body: none, keep, 86 bytes",
	  "names that only look like those that frame" },
};

static const struct bad_row incomplete[] = {
	{ S_INIT(""), H1_MORE, "nothing came yet" },
	{ S_INIT("\r"), H1_MORE, "half an empty line" },
	{ S_INIT("\r\n\r\n"), H1_MORE, "two empty lines may come first" },
	{ S_INIT("GET / HT"), H1_MORE, "half a request line" },
	{ S_INIT(GET), H1_MORE, "no empty line yet" },
	{ S_INIT(GET "\r"), H1_MORE, "half of the empty line" },
	{ S_INIT("POST"), H1_MORE, "a method only" },
};

static const struct bad_row bad_lines[] = {
	{ S_INIT("\r\n\r\n\r\n" GET END), H1_BAD_LINE, "three empty lines first" },
	{ S_INIT("\r\n\r\n\r\n\r\n"), H1_BAD_LINE, "nothing but empty lines" },
	{ S_INIT(" GET / HTTP/1.1\r\n" HOST END), H1_BAD_METHOD, "a space first" },
	{ S_INIT("\tGET / HTTP/1.1\r\n" HOST END), H1_BAD_METHOD, "a tab first" },
	{ S_INIT("\x16\x03\x01\x02"), H1_BAD_METHOD, "a TLS hello, told at its first byte" },
	{ S_INIT("\0"), H1_BAD_METHOD, "NUL" },
	{ S_INIT("(GET) / HTTP/1.1\r\n" HOST END), H1_BAD_METHOD, "a method in brackets" },
	{ S_INIT("G(T / HTTP/1.1\r\n" HOST END), H1_BAD_METHOD, "a method that is no token" },
	{ S_INIT("GE\0T / HTTP/1.1\r\n" HOST END), H1_BAD_METHOD, "NUL in the method" },
	{ S_INIT("G\xc3\xa9T / HTTP/1.1\r\n" HOST END), H1_BAD_METHOD, "a method beyond ASCII" },
	{ S_INIT("GET\t/ HTTP/1.1\r\n" HOST END), H1_BAD_METHOD, "a tab behind the method" },
	{ S_INIT(X32 "G / HTTP/1.1\r\n" HOST END), H1_BAD_METHOD, "a method of 33 bytes" },
	{ S_INIT("GET\r\n" HOST END), H1_BAD_LINE, "a method alone" },
	{ S_INIT("GET /\r\n" HOST END), H1_BAD_LINE, "HTTP/0.9" },
	{ S_INIT("GET HTTP/1.1\r\n" HOST END), H1_BAD_LINE, "no target" },
	{ S_INIT("GET / \r\n" HOST END), H1_BAD_LINE, "an empty version" },
	{ S_INIT("GET / H\r\n\r\n"), H1_BAD_LINE, "a version cut short" },
	{ S_INIT("GET / http/1.1\r\n" HOST END), H1_BAD_LINE, "HTTP in lower case" },
	{ S_INIT("GET / HTTP/1.1 \r\n" HOST END), H1_BAD_LINE, "a space behind the version" },
	{ S_INIT("GET / HTTP/1.1x\r\n" HOST END), H1_BAD_LINE, "rubbish behind the version" },
	{ S_INIT("GET / HTTP/11\r\n" HOST END), H1_BAD_LINE, "a version without its dot" },
	{ S_INIT("GET / HTTP/1.10\r\n" HOST END), H1_BAD_LINE, "a minor version of two digits" },
	{ S_INIT("GET / HTTP/01.1\r\n" HOST END), H1_BAD_LINE, "a major version of two digits" },
	{ S_INIT("GET / HTTP/-1.1\r\n" HOST END), H1_BAD_LINE, "a negative version" },
	{ S_INIT("GET / HTTPS/1.1\r\n" HOST END), H1_BAD_LINE, "another protocol" },
	{ S_INIT("GET / HTTP/1.2\r\n" HOST END), H1_BAD_VERSION, "HTTP/1.2" },
	{ S_INIT("GET / HTTP/0.9\r\n" HOST END), H1_BAD_VERSION, "HTTP/0.9, said aloud" },
	{ S_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), H1_BAD_TARGET, "HTTP/2's preface" },
	{ S_INIT("GET / HTTP/2.0\r\n\r\n"), H1_BAD_VERSION, "HTTP/2.0" },
};

static const struct bad_row bad_targets[] = {
	{ S_INIT("GET  / HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "two spaces before the target" },
	{ S_INIT("GET /  HTTP/1.1\r\n" HOST END), H1_BAD_LINE, "two spaces behind the target" },
	{ S_INIT("GET /a b HTTP/1.1\r\n" HOST END), H1_BAD_LINE, "a space in the target" },
	{ S_INIT("GET /a\tb HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "a tab in the target" },
	{ S_INIT("GET /a\0b HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "NUL in the target" },
	{ S_INIT("GET /a\x7f HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "DEL in the target" },
	{ S_INIT("GET /\xc3\xa4 HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "not percent-encoded" },
	{ S_INIT("GET /#a HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "a fragment" },
	{ S_INIT("GET /a\\b HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "a backslash" },
	{ S_INIT("GET /<a> HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "angle brackets" },
	{ S_INIT("GET /\"a\" HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "quotes" },
	{ S_INIT("GET a HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "a path without its slash" },
	{ S_INIT("GET ?a HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "a query only" },
	{ S_INIT("GET * HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "'*' is for OPTIONS" },
	{ S_INIT("OPTIONS ** HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "more than '*'" },
	{ S_INIT("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n" END), H1_BAD_TARGET,
	  "this is no forward proxy" },
	{ S_INIT("CONNECT / HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "CONNECT in any form" },
	{ S_INIT("GET a:443 HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "authority form" },
	{ S_INIT("GET http:///a HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "an absolute form without host" },
	{ S_INIT("GET http:/a HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "a slash is missing" },
	{ S_INIT("GET ftp://a/ HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "another scheme" },
	{ S_INIT("GET http://u@a/ HTTP/1.1\r\n" HOST END), H1_BAD_TARGET, "userinfo" },
	{ S_INIT("GET http://a:65536/ HTTP/1.1\r\nHost: a:65536\r\n" END), H1_BAD_TARGET,
	  "a port out of range" },
	{ S_INIT("GET http://b/ HTTP/1.1\r\n" HOST END), H1_BAD_HOST, "the target names another host" },
};

static const struct bad_row bad_headers[] = {
	{ S_INIT(GET "A : b\r\n" END), H1_BAD_HEADER, "a space before the colon" },
	{ S_INIT(GET "A\t: b\r\n" END), H1_BAD_HEADER, "a tab before the colon" },
	{ S_INIT(GET ": b\r\n" END), H1_BAD_HEADER, "an empty name" },
	{ S_INIT(GET "A\r\n" END), H1_BAD_HEADER, "no colon" },
	{ S_INIT(GET "A b\r\n" END), H1_BAD_HEADER, "a space for the colon" },
	{ S_INIT(GET "A B: c\r\n" END), H1_BAD_HEADER, "a space in the name" },
	{ S_INIT(GET "A\0: b\r\n" END), H1_BAD_HEADER, "NUL in the name" },
	{ S_INIT(GET "A(: b\r\n" END), H1_BAD_HEADER, "a bracket in the name" },
	{ S_INIT(GET "\xc3\xa4: b\r\n" END), H1_BAD_HEADER, "a name beyond ASCII" },
	{ S_INIT(GET "A: b\0c\r\n" END), H1_BAD_HEADER, "NUL in the value" },
	{ S_INIT(GET "A: b\x01\r\n" END), H1_BAD_HEADER, "a control character in the value" },
	{ S_INIT(GET "A: b\x1b[0m\r\n" END), H1_BAD_HEADER, "an escape sequence in the value" },
	{ S_INIT(GET "A: b\x7f\r\n" END), H1_BAD_HEADER, "DEL in the value" },
	{ S_INIT(GET "A: a long value that is read many bytes a step \x0b and then some more\r\n" END),
	  H1_BAD_HEADER, "a vertical tab in a long value" },
	{ S_INIT("GET / HTTP/1.1\r\n Host: a\r\n" END), H1_FOLDED, "the first header is indented" },
	{ S_INIT(GET "A: b\r\n c\r\n" END), H1_FOLDED, "folded with a space" },
	{ S_INIT(GET "A: b\r\n\tc\r\n" END), H1_FOLDED, "folded with a tab" },
	{ S_INIT(GET "A: b\r\n \r\n" END), H1_FOLDED, "folded to nothing" },
	{ S_INIT("GET / HTTP/1.1\nHost: a\r\n" END), H1_BAD_NEWLINE, "LF behind the request line" },
	{ S_INIT(GET "A: b\n" END), H1_BAD_NEWLINE, "LF behind a header" },
	{ S_INIT(GET "\n"), H1_BAD_NEWLINE, "LF as the empty line" },
	{ S_INIT("GET / HTTP/1.1\nHost: a\n\n"), H1_BAD_NEWLINE, "LF throughout" },
	{ S_INIT("\n" GET END), H1_BAD_NEWLINE, "LF first" },
	{ S_INIT("\r\n\n" GET END), H1_BAD_NEWLINE, "LF as second empty line" },
	{ S_INIT("\rGET / HTTP/1.1\r\n" HOST END), H1_BAD_NEWLINE, "CR first" },
	{ S_INIT("GET\r / HTTP/1.1\r\n" HOST END), H1_BAD_NEWLINE, "CR behind the method" },
	{ S_INIT("GET /\ra HTTP/1.1\r\n" HOST END), H1_BAD_NEWLINE, "CR in the target" },
	{ S_INIT("GET / HTTP/1.1\r\r\n" HOST END), H1_BAD_NEWLINE, "CR CR LF" },
	{ S_INIT("GET / HTTP/1.1\rA: b\r\n" HOST END), H1_BAD_NEWLINE, "CR behind the request line" },
	{ S_INIT(GET "A\rB: c\r\n" END), H1_BAD_NEWLINE, "CR in a name" },
	{ S_INIT(GET "A: b\rc\r\n" END), H1_BAD_NEWLINE, "CR in a value" },
	{ S_INIT(GET "A: b\r\r\n" END), H1_BAD_NEWLINE, "CR at the end of a value" },
	{ S_INIT(GET "\r\r\n" END), H1_BAD_NEWLINE, "CR in the empty line" },
	{ S_INIT(GET "A: b\r\n\rc: d\r\n" END), H1_BAD_NEWLINE, "CR before a name" },
};

static const struct bad_row bad_framing[] = {
	{ S_INIT(POST "Content-Length: 5\r\nContent-Length: 6\r\n" END), H1_BAD_LENGTH,
	  "two lengths that differ" },
	{ S_INIT(POST "Content-Length: 5\r\nContent-Length: 5\r\n" END), H1_BAD_LENGTH,
	  "two lengths that agree" },
	{ S_INIT(POST "Content-Length: 5, 5\r\n" END), H1_BAD_LENGTH, "a list of lengths" },
	{ S_INIT(POST "Content-Length: 5,\r\n" END), H1_BAD_LENGTH, "a comma behind the length" },
	{ S_INIT(POST "Content-Length:\r\n" END), H1_BAD_LENGTH, "an empty length" },
	{ S_INIT(POST "Content-Length: -1\r\n" END), H1_BAD_LENGTH, "a negative length" },
	{ S_INIT(POST "Content-Length: +1\r\n" END), H1_BAD_LENGTH, "a length with a sign" },
	{ S_INIT(POST "Content-Length: 0x10\r\n" END), H1_BAD_LENGTH, "a hexadecimal length" },
	{ S_INIT(POST "Content-Length: 1 0\r\n" END), H1_BAD_LENGTH, "a space in the length" },
	{ S_INIT(POST "Content-Length: 1.0\r\n" END), H1_BAD_LENGTH, "a fraction" },
	{ S_INIT(POST "Content-Length: 1e1\r\n" END), H1_BAD_LENGTH, "an exponent" },
	{ S_INIT(POST "Content-Length: 5;a=b\r\n" END), H1_BAD_LENGTH, "a parameter" },
	{ S_INIT(POST "Content-Length: \"5\"\r\n" END), H1_BAD_LENGTH, "a length in quotes" },
	{ S_INIT(POST "Content-Length: \xd9\xa5\r\n" END), H1_BAD_LENGTH, "a digit beyond ASCII" },
	{ S_INIT(POST "Content-Length: 9223372036854775808\r\n" END), H1_BAD_LENGTH,
	  "a length of 2^63" },
	{ S_INIT(POST "Content-Length: 18446744073709551621\r\n" END), H1_BAD_LENGTH,
	  "a length that wraps around to 5" },
	{ S_INIT(POST "Content-Length: 00000000000000000005\r\n" END), H1_BAD_LENGTH,
	  "a length of 20 digits" },
	{ S_INIT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END),
	  H1_LENGTH_AND_ENCODING, "both framings" },
	{ S_INIT(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
	  H1_LENGTH_AND_ENCODING, "both framings, the other way round" },
	{ S_INIT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END),
	  H1_BAD_ENCODING, "chunked twice, on two lines" },
	{ S_INIT(POST "Transfer-Encoding: chunked, chunked\r\n" END), H1_BAD_ENCODING,
	  "chunked twice, on one line" },
	{ S_INIT(POST "Transfer-Encoding: gzip, chunked\r\n" END), H1_BAD_ENCODING,
	  "a coding before chunked" },
	{ S_INIT(POST "Transfer-Encoding: chunked, identity\r\n" END), H1_BAD_ENCODING,
	  "a coding behind chunked" },
	{ S_INIT(POST "Transfer-Encoding: identity\r\n" END), H1_BAD_ENCODING, "identity" },
	{ S_INIT(POST "Transfer-Encoding:\r\n" END), H1_BAD_ENCODING, "an empty coding" },
	{ S_INIT(POST "Transfer-Encoding: xchunked\r\n" END), H1_BAD_ENCODING, "almost chunked" },
	{ S_INIT(POST "Transfer-Encoding: chunked;q=1\r\n" END), H1_BAD_ENCODING,
	  "chunked with a parameter" },
	{ S_INIT(POST "Transfer-Encoding: \"chunked\"\r\n" END), H1_BAD_ENCODING,
	  "chunked in quotes" },
	{ S_INIT(POST "Transfer-Encoding: chunked,\r\n" END), H1_BAD_ENCODING,
	  "chunked and a comma" },
	{ S_INIT(POST "Transfer-Encoding : chunked\r\n" END), H1_BAD_HEADER,
	  "chunked hidden by a space before the colon" },
	{ S_INIT(POST "Transfer-Encoding: \x0b" "chunked\r\n" END), H1_BAD_HEADER,
	  "chunked hidden by a vertical tab" },
	{ S_INIT(POST "Transfer-Encoding:\r\n chunked\r\n" END), H1_BAD_ENCODING,
	  "chunked hidden by folding" },
	{ S_INIT(POST "Transfer-Encoding: chunked\r\n x\r\n" END), H1_FOLDED,
	  "chunked, folded into something else" },
	{ S_INIT(POST "X: y\nTransfer-Encoding: chunked\r\n" END), H1_BAD_NEWLINE,
	  "chunked hidden behind LF" },
	{ S_INIT("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n" END), H1_BAD_ENCODING,
	  "chunked on HTTP/1.0" },
	{ S_INIT(POST "Expect: 200-ok\r\n" END), H1_BAD_EXPECT, "an unknown expectation" },
	{ S_INIT(POST "Expect:\r\n" END), H1_BAD_EXPECT, "an empty expectation" },
	{ S_INIT(POST "Expect: 100-continue, x\r\n" END), H1_BAD_EXPECT, "one expectation too many" },
};

static const struct bad_row bad_hosts[] = {
	{ S_INIT("GET / HTTP/1.1\r\n" END), H1_BAD_HOST, "no Host on HTTP/1.1" },
	{ S_INIT(GET HOST END), H1_BAD_HOST, "Host twice" },
	{ S_INIT("GET / HTTP/1.0\r\n" HOST "Host: b\r\n" END), H1_BAD_HOST, "Host twice on HTTP/1.0" },
	{ S_INIT("GET / HTTP/1.1\r\nHost:\r\n" END), H1_BAD_HOST, "an empty Host" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a b\r\n" END), H1_BAD_HOST, "a space in Host" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a,b\r\n" END), H1_BAD_HOST, "two hosts in one" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: u@a\r\n" END), H1_BAD_HOST, "userinfo in Host" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: http://a\r\n" END), H1_BAD_HOST, "a URL in Host" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a/b\r\n" END), H1_BAD_HOST, "a path in Host" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a?b\r\n" END), H1_BAD_HOST, "a query in Host" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a#b\r\n" END), H1_BAD_HOST, "a fragment in Host" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n" END), H1_BAD_HOST, "Host beyond ASCII" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a:\r\n" END), H1_BAD_HOST, "an empty port" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: :80\r\n" END), H1_BAD_HOST, "a port alone" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a:b\r\n" END), H1_BAD_HOST, "a port that is no number" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a:65536\r\n" END), H1_BAD_HOST, "a port out of range" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: a:000080\r\n" END), H1_BAD_HOST, "a port of six digits" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: [::1\r\n" END), H1_BAD_HOST, "a bracket is missing" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: []\r\n" END), H1_BAD_HOST, "nothing in the brackets" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: [::1]x\r\n" END), H1_BAD_HOST, "more behind the bracket" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: [a.example]\r\n" END), H1_BAD_HOST, "a name in brackets" },
	{ S_INIT("GET / HTTP/1.1\r\nHost: ::1\r\n" END), H1_BAD_HOST, "IPv6 without brackets" },
};

static void good_requests(void **state)
{
	(void)state;
	check_good(good, COUNT_OF(good));
}

#define BAD_TEST(table)                                                  \
	static void refuses_##table(void **state)                        \
	{                                                                \
		(void)state;                                             \
		check_bad(REQUEST, table, COUNT_OF(table));              \
	}
BAD_TEST(incomplete)
BAD_TEST(bad_lines)
BAD_TEST(bad_targets)
BAD_TEST(bad_headers)
BAD_TEST(bad_framing)
BAD_TEST(bad_hosts)

/* A control character may stand at any distance from the end of a step. */
static void finds_every_control_character(void **state)
{
	struct outcome *o = malloc(sizeof *o);
	char head[128];

	(void)state;
	assert_non_null(o);
	for (int byte = 0; byte < 256; byte++) {
		for (size_t at = 30; at < 70; at++) {
			bool bad = (byte < 0x20 && byte != '\t') || byte == 0x7f;
			struct exact e = exact_create(sizeof head);
			struct slice in = S(GET "X: 01234567890123456789012345678901234567890123456789\r\n" END);

			memcpy(head, in.at, in.len);
			head[at] = (char)byte;
			parse_in_steps(&e, REQUEST, (struct slice){ head, in.len },
				       H1_HEAD_BYTES_MAX, in.len, 1, o);
			exact_free(&e);
			if (byte == '\r' || byte == '\n')
				assert_int_equal(o->result, H1_BAD_NEWLINE);
			else
				assert_int_equal(o->result, bad ? H1_BAD_HEADER : H1_OK);
		}
	}
	free(o);
}

static void bounds_the_head(void **state)
{
	struct outcome *o = malloc(sizeof *o);
	struct slice in = S(GET "A: b\r\n" END);

	(void)state;
	assert_non_null(o);
	for (size_t bytes_max = 1; bytes_max <= in.len + 1; bytes_max++) {
		parse_all_ways(REQUEST, in, bytes_max, "the limit counts to the last byte", o);
		assert_int_equal(o->result, bytes_max < in.len ? H1_TOO_LARGE : H1_OK);
		parse_all_ways(REQUEST, S(GET "A: b\r\n"), bytes_max, "a head without end", o);
		assert_int_equal(o->result, bytes_max <= in.len - 2 ? H1_TOO_LARGE : H1_MORE);
	}
	free(o);
}

static void bounds_the_count_of_headers(void **state)
{
	char head[4096];

	(void)state;
	for (unsigned more = 126; more <= 129; more++) {
		static struct h1_head h;
		size_t len = 0, scanned = 0;
		enum h1_result r;

		len += (size_t)snprintf(head, sizeof head, GET);
		for (unsigned i = 0; i < more; i++)
			len += (size_t)snprintf(head + len, sizeof head - len, "A%u: b\r\n", i);
		len += (size_t)snprintf(head + len, sizeof head - len, END);
		r = h1_parse_request((struct slice){ head, len }, sizeof head, &scanned, &h);
		assert_int_equal(r, more + 1 <= H1_HEADERS_MAX ? H1_OK : H1_TOO_MANY);
	}
}

/* One byte at a time, 64 KiB take no longer than one look at each byte. */
static void drips_in_linear_time(void **state)
{
	size_t scanned = 0, len = H1_HEAD_BYTES_MAX - 1;
	char *head = malloc(len);
	static struct h1_head h;
	struct slice start = S(GET "A: ");

	(void)state;
	assert_non_null(head);
	memset(head, 'x', len);
	memcpy(head, start.at, start.len);
	for (size_t shown = 0; shown <= len; shown++) {
		assert_int_equal(h1_parse_request((struct slice){ head, shown }, H1_HEAD_BYTES_MAX,
						  &scanned, &h), H1_MORE);
		assert_int_equal(scanned, shown);
	}
	free(head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests),
		cmocka_unit_test(refuses_incomplete),
		cmocka_unit_test(refuses_bad_lines),
		cmocka_unit_test(refuses_bad_targets),
		cmocka_unit_test(refuses_bad_headers),
		cmocka_unit_test(refuses_bad_framing),
		cmocka_unit_test(refuses_bad_hosts),
		cmocka_unit_test(finds_every_control_character),
		cmocka_unit_test(bounds_the_head),
		cmocka_unit_test(bounds_the_count_of_headers),
		cmocka_unit_test(drips_in_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
