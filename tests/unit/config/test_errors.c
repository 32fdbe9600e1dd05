/* What a wrong config says: the exact place, what is wrong, and the remedy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_world.h"

#define B "backends: {o: {url: http://h/v1}}\n"
#define M "models: {m: [o]}\n"

struct row {
	const char *text;             /* the config */
	const char *says;             /* every line of the complaint, without "f:" */
};

static const struct fake_pair env[] = {
	{ "KEY", "sk-1234" }, { "EMPTY", "" }, { "TWO_LINES", "a\nb" }, { NULL, NULL },
};
static const struct fake_pair files[] = {
	{ "key.txt", "sk-file\n" }, { "k.pem", "PEM" }, { "missing_chain.pem", "PEM" }, { NULL, NULL },
};
static const struct fake_world world = { env, files };

static void check_rows(const struct row *rows, size_t count)
{
	struct config_source source = fake_source(&world);
	size_t wrong = 0;

	for (size_t i = 0; i < count; i++) {
		struct buf errors = BUF_INIT(64 * 1024), expected = BUF_INIT(64 * 1024);
		struct config *c = config_parse(S("f"), slice_of(rows[i].text), &source, &errors);
		struct slice rest = slice_of(rows[i].says), line;
		bool more = true;

		while (more) {
			more = slice_cut(rest, '\n', &line, &rest);
			if (!more)
				line = rest;
			buf_putf(&expected, "f:%.*s\n", SLICE_ARG(line));
		}
		if (c || !slice_eq(buf_slice(&errors), buf_slice(&expected))) {
			print_error("--- config:\n%s\n--- expected:\n%.*s--- got:\n%.*s\n", rows[i].text,
				    SLICE_ARG(buf_slice(&expected)), SLICE_ARG(buf_slice(&errors)));
			wrong++;
		}
		config_give(c);
		buf_free(&errors);
		buf_free(&expected);
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(fake_tls_alive(), 0);
}

static const struct row yaml_rows[] = {
	{ "", "1:1: the file is empty; see docs/config.md for a first one" },
	{ "# only a comment\n", "1:1: the file is empty; see docs/config.md for a first one" },
	{ "hello\n", "1:1: the config must be a mapping of keys, not a single value; see "
		     "docs/config.md for its keys" },
	{ "- a\n", "1:1: the config must be a mapping of keys, not a list; see docs/config.md for "
		   "its keys" },
	{ B M "workers: 1\nworkers: 2\n",
	  "4:1: the key \"workers\" is already there in line 3; keep one of the two" },
	{ B M "workers: &x 1\n",
	  "3:10: anchors (&name) are not understood here; write the value out where it is used" },
	{ B M "workers: *x\n", "3:10: aliases (*name) are not understood here; write the value out" },
	{ B M "workers: !!int 1\n",
	  "3:10: tags (!name) are not understood here; remove it, and use quotes if the value starts "
	  "with an exclamation mark" },
	{ B M "---\n" B, "3:1: a second document starts here; a config is one document" },
	{ B M "? [a, b]\n: c\n",
	  "3:3: a key must be a single word, not a list or a mapping; put ${…} and other values with "
	  "brackets in quotes" },
	{ B M "workers:\n\t1\n",
	  "4:1: not valid YAML (found character that cannot start any token); a value may not start "
	  "with this character (tabs cannot indent, and @ or ` need quotes): use spaces, or put the "
	  "value in quotes" },
	{ "backends: {o: {url: http://h/v1}\n" M,
	  "2:1: not valid YAML (did not find expected ',' or '}'); close the bracket, or put a comma "
	  "between the values" },
	{ "workers: 1: 2\n",
	  "1:11: not valid YAML (mapping values are not allowed in this context); there is a second "
	  "\": \" on this line, or the line before it is indented differently: check the indentation, "
	  "or put the value in quotes" },
	{ "listen: \"127.0.0.1\n",
	  "2:1: not valid YAML (found unexpected end of stream); close the quote" },
	{ "workers: \xff\n",
	  "1:10: not readable as UTF-8 text (invalid leading UTF-8 octet); save the file as UTF-8" },
	{ "a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n",
	  "1:19: nested too deeply; no value of a config is 16 levels down" },
};

static void yaml_is_taken_only_in_its_plain_form(void **state)
{
	(void)state;
	check_rows(yaml_rows, sizeof yaml_rows / sizeof *yaml_rows);
}

static const struct row key_rows[] = {
	{ "workers: 1\n", "1:1: the config lacks its \"backends\"; add one\n"
			  "1:1: the config lacks its \"models\"; add one" },
	{ "backend: {}\n" B M,
	  "1:1: unknown key \"backend\" in the config; did you mean \"backends\"?" },
	{ B M "blah: 1\n",
	  "3:1: unknown key \"blah\" in the config; known keys here: listen, tls, admin, workers, drain, "
	  "limits, keys, cache, log, alerts, defaults, backends, models, tracing, prices, spending, mocks" },
	{ B "models: {m: {targets: [o], fallback: [x]}}\n",
	  "2:28: \"fallback\" is no key of a model; did you mean \"fallbacks\"?" },
	{ B "models: {m: {targets: [o], timeouts: {connect: 2s}}}\n",
	  "2:39: \"connect\" is no key of a model's timeouts; it belongs to connections: write it in the "
	  "backend, or in defaults.timeouts" },
	{ B M "timeouts: {idle: 3s}\n",
	  "3:1: \"timeouts\" is no key of the config; write defaults: {timeouts: …}, or put it in a "
	  "model" },
	{ "backends: {o: {url: http://h/v1, api_key: x}}\n" M,
	  "1:34: \"api_key\" is no key of a backend; write \"key\"" },
	{ B M "log: {colour: red}\n",
	  "3:7: unknown key \"colour\" in log; known keys here: level, access, access_sample, syslog" },
	{ B M "limits: 5\n",
	  "3:9: limits must be a mapping of keys, not a single value; see docs/config.md for its keys" },
	{ B M "limits:\n",
	  "3:8: limits must be a mapping of keys, not nothing; see docs/config.md for its keys" },
	{ B M "drain: [1s]\n",
	  "3:8: \"drain\" needs a single value, not a list; write one value behind the colon" },
	{ B M "drain:\n",
	  "3:7: \"drain\" has no value; write one behind the colon or remove the key" },
};

static void unknown_keys_are_refused_with_the_nearest_right_one(void **state)
{
	(void)state;
	check_rows(key_rows, sizeof key_rows / sizeof *key_rows);
}

static const struct row value_rows[] = {
	{ B M "drain: 12\n", "3:8: \"drain\": \"12\" needs a unit; such as 12s (units: ms, s, m, h)" },
	{ B M "drain: 2 days\n",
	  "3:8: \"drain\": \"2 days\" has an unknown unit; write it like 12s (units: ms, s, m, h)" },
	{ B M "drain: 12S\n", "3:8: \"drain\": \"12S\" has an unknown unit; did you mean 12s?" },
	{ B M "drain: -1s\n",
	  "3:8: \"drain\": \"-1s\" is not a number with a unit; write it like 12s (units: ms, s, m, h)" },
	{ B M "drain: 0.5ms\n",
	  "3:8: \"drain\": \"0.5ms\" is finer than the smallest unit; round it" },
	{ B M "drain: 48h\n", "3:8: \"drain\": \"48h\" is out of range; write 0s to 24h" },
	{ B M "drain: 99999999999999999999h\n",
	  "3:8: \"drain\": \"99999999999999999999h\" is too large; write a smaller number" },
	{ B M "limits: {header_bytes: 64}\n",
	  "3:24: \"header_bytes\": \"64\" needs a unit; such as 64KiB (units: B, KB, KiB, MB, MiB, GB, "
	  "GiB)" },
	{ B M "limits: {body_bytes: 2GiB}\n",
	  "3:22: \"body_bytes\": \"2GiB\" is out of range; write 1KiB to 1GiB" },
	{ B M "limits: {connections: many}\n",
	  "3:23: \"connections\": \"many\" is not a whole number; write digits only" },
	{ B M "limits: {connections: 0}\n",
	  "3:23: \"connections\": \"0\" is out of range; write 1 to 1000000" },
	{ B M "workers: 0\n",
	  "3:10: \"workers\": \"0\" is no number of workers; write auto, or 1 to 1024" },
	{ B M "log: {level: verbose}\n",
	  "3:14: unknown level \"verbose\"; write one of: error, warn, info, debug" },
	{ B M "log: {level: wran}\n", "3:14: unknown level \"wran\"; did you mean \"warn\"?" },
	{ B M "log: {access: on}\n",
	  "3:15: \"access\": \"on\" does not say where to; write stdout, stderr, syslog, off or a path" },
	{ B M "defaults: {balance: fastest}\n",
	  "3:21: unknown balance \"fastest\"; write one of: least_loaded, round_robin, "
	  "least_in_flight, least_latency, prefix_affinity" },
	{ B M "defaults: {balance: least_latancy}\n",
	  "3:21: unknown balance \"least_latancy\"; did you mean \"least_latency\"?" },
	{ B M "defaults: {breaker: {rate: 50}}\n",
	  "3:28: \"rate\": \"50\" needs a percent sign; such as 50%" },
	{ B M "defaults: {ejection: {share: 200%}}\n",
	  "3:30: \"share\": \"200%\" is above 100%; write a smaller number" },
	{ "backends: {o: {url: http://h/v1, capabilities: [tools, pictures]}}\n" M,
	  "1:56: unknown capabilities \"pictures\"; write one of: tools, images, audio, json_schema, stream" },
	{ "backends: {o: {url: http://h/v1, probe: {path: health}}}\n" M,
	  "1:41: an http probe needs a \"path\" that starts with a slash; write probe: {path: /health}" },
	{ "backends: {o: {url: http://h/v1, probe: {kind: tcp, path: /health}}}\n" M,
	  "1:41: only an http probe has a \"path\"; remove one of the two" },
	{ "backends: {o: {url: http://h/v1, capabilities: tools}}\n" M,
	  "1:48: \"capabilities\" needs a list, as in capabilities: [tools, stream]" },
};

static void values_need_their_units_and_ranges(void **state)
{
	(void)state;
	check_rows(value_rows, sizeof value_rows / sizeof *value_rows);
}

static const struct row substitution_rows[] = {
	{ "backends: {o: {url: http://h/v1, key: ${NOPE}}}\n" M,
	  "1:39: the environment variable NOPE is not set; set it, or write ${NOPE:-default}" },
	{ "backends: {o: {url: \"http://${HOST}/v1\"}}\n" M,
	  "1:29: the environment variable HOST is not set; set it, or write ${HOST:-default}" },
	{ "backends:\n  o:\n    url: http://h/v1\n    key: ${file:nokey}\n" M,
	  "4:10: the file \"nokey\" cannot be read (No such file or directory); check path and "
	  "permissions" },
	{ "backends: {o: {url: http://h/v1, key: ${file:}}}\n" M,
	  "1:39: ${file:} names no file; write ${file:PATH}" },
	{ "backends: {o: {url: http://h/v1, key: ${EMPTY}}}\n" M,
	  "1:39: \"key\" has no value; write one behind the colon or remove the key" },
	{ "backends: {o: {url: http://h/v1, key: ${1X}}}\n" M,
	  "1:39: ${1X} is not understood; write ${NAME}, ${NAME:-default} or ${file:PATH}" },
	{ "backends: {o: {url: http://h/v1, key: \"a${KEY\"}}\n" M,
	  "1:41: \"${\" without a \"}\"; write ${NAME}, or $${ for a plain ${" },
	{ "backends: {o: {url: http://h/v1, key: \"${A:-${KEY}}\"}}\n" M,
	  "1:40: ${…} cannot stand inside another one; use one of them" },
	{ "backends: {o: {url: http://h/v1, key: ${TWO_LINES}}}\n" M,
	  "1:39: the value holds a line break or another control character; write it in one line" },
	{ B M "drain: ${KEY}\n",
	  "3:8: \"drain\": \"${KEY}\" is not a number with a unit; write it like 12s (units: ms, s, m, h)" },
};

static void what_is_put_in_is_named_never_shown(void **state)
{
	(void)state;
	check_rows(substitution_rows, sizeof substitution_rows / sizeof *substitution_rows);
}

static const struct row server_rows[] = {
	{ "listen: 8080\n" B M,
	  "1:9: \"listen\": \"8080\" is only a port; write 127.0.0.1:8080 for this machine alone, or "
	  "0.0.0.0:8080 for every network" },
	{ "listen: :8080\n" B M,
	  "1:9: \"listen\": \":8080\" is only a port; write 127.0.0.1:8080 for this machine alone, or "
	  "0.0.0.0:8080 for every network" },
	{ "listen: example.com:80\n" B M,
	  "1:9: \"listen\": \"example.com:80\" is not an address to listen on; write it like "
	  "127.0.0.1:8080, [::1]:8080 or unix:/run/backstay.sock" },
	{ "listen: [\"127.0.0.1:1\", \"127.0.0.1:1\"]\n" B M,
	  "1:25: the address \"127.0.0.1:1\" stands here twice; remove one" },
	{ "listen: []\n" B M,
	  "1:9: \"listen\" needs 1 to 16 addresses; write one, such as 127.0.0.1:8080" },
	{ "admin: {listen: 127.0.0.1:8080}\n" B M,
	  "1:17: the admin address is also in \"listen\"; give it a port of its own" },
	{ "admin: on\n" B M,
	  "1:8: \"admin\" is a mapping or off; write admin: {listen: 127.0.0.1:9090}, or admin: off" },
	{ "tls: {cert: missing.pem, key: k.pem}\n" B M,
	  "1:13: the file \"missing.pem\" cannot be read (No such file or directory); check path and "
	  "permissions" },
	{ "tls: {cert: missing_chain.pem, key: k.pem}\n" B M,
	  "1:13: the certificate cannot be used: missing_chain.pem: not usable; check \"cert\" and "
	  "\"key\"" },
	{ "tls: {cert: c.pem}\n" B M, "1:6: the listener's tls lacks its \"key\"; add one" },
	{ "keys: {name: a}\n" B M,
	  "1:7: \"keys\" needs a list; write - {name: NAME, key: KEY} for each key, or remove it to let "
	  "everybody in" },
	{ "keys: [{name: a}]\n" B M,
	  "1:8: a client key lacks its \"key\" or \"sha256\"; add one" },
	{ "keys: [{name: a, key: x, sha256: y}]\n" B M,
	  "1:8: a client key has both \"key\" and \"sha256\"; keep one" },
	{ "keys: [{name: a, sha256: beef}]\n" B M,
	  "1:26: \"sha256\" is not 64 hex digits; make it with: printf %s KEY | sha256sum" },
	{ "keys: [{name: a, key: a b}]\n" B M,
	  "1:23: a client key holds a space or a byte that is not ASCII; clients could not send it: "
	  "choose another" },
	{ "keys: [{name: a, key: xx}, {name: a, key: yy}, {name: c, key: xx}]\n" B M,
	  "1:35: the client key's name \"a\" is there already; choose another\n"
	  "1:48: this client key is the same as that of \"a\"; remove one" },
	{ "keys: [{name: a b, key: xx}]\n" B M,
	  "1:15: \"a b\" is no name for a client key; use letters, digits and . _ - @, at most 64" },
	{ B M "mocks: {a: {listen: 127.0.0.1:9090}}\n",
	  "3:21: the address \"127.0.0.1:9090\" is already used by the admin port; choose another port" },
	{ B M "mocks: {a: {listen: 127.0.0.1:1}, b: {listen: 127.0.0.1:1}}\n",
	  "3:47: the address \"127.0.0.1:1\" is already used by \"a\"; choose another port" },
	{ B M "mocks: {a: {}}\n", "3:12: a mock lacks its \"listen\"; add one" },
	{ B M "mocks: [a]\n",
	  "3:8: \"mocks\" needs a mapping of at most 64 mocks; write mocks: {a: {listen: "
	  "127.0.0.1:8101}}, say" },
	{ B M "mocks: {a: {listen: 127.0.0.1:1, args: --ttft}}\n",
	  "3:40: \"args\" needs a list of at most 64 options; write [\"--ttft\", \"300ms\"], say" },
};

static void the_server_s_own_keys_are_checked(void **state)
{
	(void)state;
	check_rows(server_rows, sizeof server_rows / sizeof *server_rows);
}

static const struct row backend_rows[] = {
	{ "backends: {}\n" M,
	  "1:11: \"backends\" needs a mapping with at least one backend; write backends: {openai: {url: "
	  "https://api.openai.com/v1, key: \"${OPENAI_API_KEY}\"}}, say" },
	{ "backends: {o: {key: x}}\n" M, "1:15: a backend lacks its \"url\"; add one" },
	{ "backends: {o: {url: http://a, urls: [http://b]}}\n" M,
	  "1:37: a backend has both \"url\" and \"urls\"; keep one" },
	{ "backends: {o: {urls: []}}\n" M,
	  "1:22: \"urls\" needs a list of 1 to 64 URLs; write urls: [http://gpu1:8000/v1, "
	  "http://gpu2:8000/v1], say" },
	{ "backends: {o: {urls: [http://a/v1, http://A:80/v1/]}}\n" M,
	  "1:36: the URL \"http://A:80/v1/\" stands here twice; remove one, or give a target a larger "
	  "weight" },
	{ "backends: {o: {url: ftp://a}}\n" M,
	  "1:21: \"ftp://a\" is not a backend's URL: only http and https are spoken here; start it with "
	  "https:// or http://" },
	{ "backends: {o: {url: \"http://me:secret@a/v1\"}}\n" M,
	  "1:21: this is not a backend's URL: put the key into `key:`, not into the URL" },
	{ "backends: {o: {url: \"http://a/v1?x=1\"}}\n" M,
	  "1:21: a backend's URL has no query part; move it to \"query\", as in query: {api-version: …}" },
	{ "backends: {o p: {url: http://a}}\nmodels: {m: [\"o p\"]}\n",
	  "1:12: \"o p\" is no name for a backend; use letters, digits and . _ -, at most 64" },
	{ "backends: {o: {url: http://a, dialect: opanai}}\n" M,
	  "1:40: unknown dialect \"opanai\"; did you mean \"openai\"?" },
	{ "backends: {o: {url: http://a, dialect: opnai}}\n" M,
	  "1:40: unknown dialect \"opnai\"; did you mean \"openai\"?" },
	{ "backends: {o: {url: http://a, auth: bearer}}\n" M,
	  "1:37: \"auth\" is given without a \"key\"; add the key" },
	{ "backends: {o: {url: http://a, key: x, credential: {kind: google_metadata}}}\n" M,
	  "1:36: a backend has both \"key\" and \"credential\"; keep one" },
	{ "backends: {o: {url: http://a, auth: bearer, credential: {kind: google_metadata}}}\n" M,
	  "1:37: \"credential\" brings its own way to be shown; remove \"auth\"" },
	{ "backends: {o: {url: http://a, credential: {kind: gogle}}}\n" M,
	  "1:50: unknown kind \"gogle\"; did you mean \"google\"?" },
	{ "backends: {o: {url: http://a, credential: {}}}\n" M,
	  "1:43: a credential lacks its \"kind\"; add one" },
	{ "backends: {o: {url: http://a, credential: {kind: google, file: none.json}}}\n" M,
	  "1:64: the file \"none.json\" cannot be read (No such file or directory); check path and "
	  "permissions" },
	{ "backends: {o: {url: http://a, credential: {kind: google, json: hello}}}\n" M,
	  "1:64: this is not the JSON of a Google key; give the file that the Google Cloud console or "
	  "gcloud wrote" },
	{ "backends: {o: {url: http://a, credential: {kind: google, json: '{\"type\":\"external_account\"}'}}}\n" M,
	  "1:64: credentials of type \"external_account\" are not understood; use the key of a service "
	  "account, gcloud auth application-default login, or kind: google_metadata" },
	{ "backends: {o: {url: http://a, credential: {kind: google, json: '{\"type\":\"service_account\"}'}}}\n" M,
	  "1:64: the service account's key lacks client_email, private_key or token_uri; download it "
	  "anew from the Google Cloud console" },
	{ "backends: {o: {url: http://a, credential: {kind: google, json: '{\"type\":\"service_account\","
	  "\"client_email\":\"a\",\"private_key\":\"b\",\"token_uri\":\"http://t\"}'}}}\n" M,
	  "1:64: the private_key of the service account's key is no RSA key in PEM; download the key "
	  "file anew" },
	{ "backends: {o: {url: http://a, credential: {kind: entra, tenant: t}}}\n" M,
	  "1:43: kind entra needs \"tenant\", \"client\" and \"secret\"; they stand in the app's "
	  "registration in Microsoft Entra" },
	{ "backends: {o: {url: http://a, credential: {kind: google_metadata, url: 'no'}}}\n" M,
	  "1:72: \"no\" is no URL to fetch a credential from: start it with https:// or http://" },
	{ "backends: {o: {url: http://a, credential: {kind: google_metadata, scope: 'a b'}}}\n" M,
	  "1:43: \"scope\" of a credential is no URL or id: \"a b\"; check what was copied" },
	{ "backends: {o: {url: http://a, key: x, auth: none}}\n" M,
	  "1:45: \"auth\" is none, so \"key\" would never be sent; remove one of them" },
	{ "backends: {o: {url: http://a, key: x, auth: api_key}}\n" M,
	  "1:45: unknown auth \"api_key\"; did you mean \"api-key\"?" },
	{ "backends: {o: {url: http://a, key: x y}}\n" M,
	  "1:36: \"key\" holds a space or a byte that is not ASCII; a header cannot carry it: check what "
	  "was copied" },
	{ "backends: {o: {url: http://a, headers: {Host: x, \"a b\": c, X-A: 1, x-a: 2}}}\n" M,
	  "1:41: the header \"Host\" is set by Backstay itself; remove it\n"
	  "1:50: the header \"a b\" is no header name; use letters, digits and -\n"
	  "1:68: the header \"x-a\" stands here twice; keep one of the two" },
	{ "backends: {o: {url: http://a, key: x, headers: {authorization: y}}}\n" M,
	  "1:49: the header \"authorization\" is already made from \"key\"; keep one of them" },
	{ "backends: {o: {url: http://a, headers: {x-a: \"b\\r\\nc\"}}}\n" M,
	  "1:46: the value holds a line break or another control character; write it in one line" },
	{ "backends: {o: {url: http://a, query: [x]}}\n" M,
	  "1:38: \"query\" needs a mapping of at most 32 parameters; write query: {name: value}" },
	{ "backends: {o: {url: http://a, proxy: socks5://h:1}}\n" M,
	  "1:38: \"proxy\" is not the URL of a proxy: only proxies spoken to in plain HTTP are supported; "
	  "write http://host:port" },
	{ "backends: {o: {url: http://a, proxy: http://h:1/x}}\n" M,
	  "1:38: \"proxy\" is not the URL of a proxy: a proxy has no path; write http://host:port" },
	{ "backends: {o: {url: http://localhost:8080/v1}}\n" M,
	  "1:21: \"http://localhost:8080/v1\" is where Backstay itself listens; write the address of the "
	  "model server, or change \"listen\"" },
	{ "listen: 0.0.0.0:9\nbackends: {o: {url: \"http://[::1]:9\"}}\n" M,
	  "2:21: \"http://[::1]:9\" is where Backstay itself listens; write the address of the model "
	  "server, or change \"listen\"" },
	{ "backends: {o: {url: https://a, tls: {ca: missing.pem}}}\n" M,
	  "1:42: the file \"missing.pem\" cannot be read (No such file or directory); check path and "
	  "permissions" },
	{ "backends: {o: {url: https://a, tls: {ca: missing_chain.pem}}}\n" M,
	  "1:42: the backend's tls cannot be set up: missing_chain.pem: not usable; check the files" },
	{ "backends: {o: {url: https://a, tls: {cert: a.pem}}}\n" M,
	  "1:44: a client certificate needs both \"cert\" and \"key\"; add the other one" },
};

static void backends_are_checked(void **state)
{
	(void)state;
	check_rows(backend_rows, sizeof backend_rows / sizeof *backend_rows);
}

static const struct row model_rows[] = {
	{ B "models: {}\n",
	  "2:9: \"models\" needs a mapping with at least one model; write models: {chat: "
	  "[backend/model]}" },
	{ "backends: {openai: {url: http://h}}\nmodels: {m: [opnai/x]}\n",
	  "2:14: unknown backend \"opnai\"; did you mean \"openai\"?" },
	{ "backends: {openai: {url: http://h}}\nmodels:\n  m:\n    targets:\n      - {backend: gpu}\n",
	  "5:19: unknown backend \"gpu\"; backends here: openai" },
	{ B "models: {m: {targets: []}}\n",
	  "2:23: \"targets\" needs a list of 1 to 256 targets; write targets: [backend/model] or "
	  "[{backend: NAME, model: NAME}]" },
	{ B "models: {m: {balance: round_robin}}\n", "2:13: a model lacks its \"targets\"; add one" },
	{ B "models: {m: o/x}\n",
	  "2:13: a model must be a mapping of keys, not a single value; see docs/config.md for its keys" },
	{ B "models: {m: [{model: x}]}\n", "2:14: a target lacks its \"backend\"; add one" },
	{ B "models: {m: [{backend: o, wieght: 2}]}\n",
	  "2:27: unknown key \"wieght\" in a target; did you mean \"weight\"?" },
	{ B "models: {m: [{backend: o, weight: 0}]}\n",
	  "2:35: \"weight\": \"0\" is out of range; write 1 to 1000" },
	{ B "models: {m: [o/x, {backend: o, model: x}]}\n",
	  "2:19: the target o/x stands here twice; remove one, or give the other a larger weight" },
	{ B "models: {m: [\"o/*\"]}\n",
	  "2:14: \"*\" has a star, but the model \"m\" is no pattern; write the full name" },
	{ B "models: {\"m*\": [\"o/*x\"]}\n", "2:17: the star of \"*x\" must be its last byte" },
	{ B "models: {\"m*n\": [o/x]}\n", "2:10: the star of the pattern \"m*n\" must be its last byte" },
	{ B "models: {\"m n\": [o/x]}\n",
	  "2:10: \"m n\" is no name for a model; use letters, digits and . _ : / @ + -, at most 128" },
	{ B "models: {m: [\"o/x y\"]}\n",
	  "2:14: the model name \"x y\" holds a space, a quote or a byte that is not ASCII; check the "
	  "spelling" },
	{ B "models: {chat: {targets: [o], fallbacks: [chatt]}, chat2: [o]}\n",
	  "2:43: unknown model \"chatt\"; did you mean \"chat\"?" },
	{ B "models: {m: {targets: [o], fallbacks: [n, n]}, n: [o]}\n",
	  "2:43: the fallback \"n\" stands here twice; remove one" },
	{ B "models: {m: {targets: [o], fallbacks: [\"n*\"]}, \"n*\": [o]}\n",
	  "2:40: the pattern \"n*\" cannot be a fallback, as nothing says what its star is; write a model "
	  "with a full name" },
	{ B "models: {m: {targets: [o], fallbacks: n}, n: [o]}\n",
	  "2:39: \"fallbacks\" needs a list of at most 16 models; write fallbacks: [NAME]" },
	{ B "models: {m: {targets: [o], fallbacks: [m]}}\n",
	  "2:40: fallbacks go round in a circle: m -> m; remove one of them" },
	{ B "models:\n  a: {targets: [o], fallbacks: [b]}\n  b: {targets: [o], fallbacks: [c]}\n"
	  "  c: {targets: [o], fallbacks: [b]}\n",
	  "5:33: fallbacks go round in a circle: b -> c -> b; remove one of them" },
};

static void models_are_checked(void **state)
{
	(void)state;
	check_rows(model_rows, sizeof model_rows / sizeof *model_rows);
}

static const struct row many_rows[] = {
	{ "listen: 8080\nwrokers: 2\nbackends:\n  openai: {url: api.openai.com/v1, key: ${NOPE}}\n"
	  "models:\n  chat:\n    targets: [opnai/x]\n    timeouts: {idle: 12}\n",
	  "1:9: \"listen\": \"8080\" is only a port; write 127.0.0.1:8080 for this machine alone, or "
	  "0.0.0.0:8080 for every network\n"
	  "2:1: unknown key \"wrokers\" in the config; did you mean \"workers\"?\n"
	  "4:17: \"api.openai.com/v1\" is not a backend's URL: start it with https:// or http://\n"
	  "4:41: the environment variable NOPE is not set; set it, or write ${NOPE:-default}\n"
	  "7:15: unknown backend \"opnai\"; did you mean \"openai\"?\n"
	  "8:22: \"idle\": \"12\" needs a unit; such as 12s (units: ms, s, m, h)" },
};

static void all_mistakes_are_found_in_one_pass_sorted_by_place(void **state)
{
	(void)state;
	check_rows(many_rows, sizeof many_rows / sizeof *many_rows);
}

static void more_than_fifty_mistakes_are_counted(void **state)
{
	struct config_source source = fake_source(&world);
	struct buf text = BUF_INIT(64 * 1024), errors = BUF_INIT(64 * 1024);
	struct slice got;

	(void)state;
	buf_puts(&text, B M);
	for (int i = 0; i < 60; i++)
		buf_putf(&text, "zz%d: 1\n", i);
	assert_null(config_parse(S("f"), buf_slice(&text), &source, &errors));
	got = buf_slice(&errors);
	assert_true(slice_ends(got, S("f: and 10 more mistakes\n")));
	buf_free(&text);
	buf_free(&errors);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
	struct config_source source = fake_source(&world);
	struct buf errors = BUF_INIT(64 * 1024);
	size_t size = 1024 * 1024 + 1;
	char *text = calloc(size, 1);

	(void)state;
	assert_non_null(text);
	memset(text, '#', size);
	assert_null(config_parse(S("f"), (struct slice){ text, size }, &source, &errors));
	assert_true(slice_starts(buf_slice(&errors), S("f:1:1: the file is larger than 1 MiB")));
	free(text);
	buf_free(&errors);
}

static void a_file_that_cannot_be_read_is_said_so(void **state)
{
	struct config_source source = fake_source(&world);
	struct buf errors = BUF_INIT(64 * 1024);

	(void)state;
	assert_null(config_load("nowhere.yaml", &source, &errors));
	assert_true(slice_eq(buf_slice(&errors),
			     S("nowhere.yaml:1:1: the file cannot be read (No such file or directory); "
			       "check path and permissions\n")));
	buf_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_is_taken_only_in_its_plain_form),
		cmocka_unit_test(unknown_keys_are_refused_with_the_nearest_right_one),
		cmocka_unit_test(values_need_their_units_and_ranges),
		cmocka_unit_test(what_is_put_in_is_named_never_shown),
		cmocka_unit_test(the_server_s_own_keys_are_checked),
		cmocka_unit_test(backends_are_checked),
		cmocka_unit_test(models_are_checked),
		cmocka_unit_test(all_mistakes_are_found_in_one_pass_sorted_by_place),
		cmocka_unit_test(more_than_fifty_mistakes_are_counted),
		cmocka_unit_test(a_file_that_is_too_large_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_read_is_said_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
