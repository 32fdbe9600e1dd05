/* What a right config means: every key in its place, defaults elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/dialect.h"
#include "fake_world.h"

static const struct fake_pair env[] = {
	{ "OPENAI_API_KEY", "sk-openai" }, { "LEVEL", "debug" }, { "https_proxy", "http://corp:3128" },
	{ "NO_PROXY", "gpu1, .internal" }, { NULL, NULL },
};
static const struct fake_pair files[] = {
	{ "/etc/backstay/secret.txt", "sk-from-a-file\n" }, { NULL, NULL },
};
static const struct fake_world world = { env, files };

static struct config *parse(const char *text)
{
	struct config_source source = fake_source(&world);
	struct buf errors = BUF_INIT(64 * 1024);
	struct config *c = config_parse(S("/etc/backstay/b.yaml"), slice_of(text), &source, &errors);

	if (!c)
		print_error("%.*s", SLICE_ARG(buf_slice(&errors)));
	assert_non_null(c);
	assert_int_equal(buf_len(&errors), 0);
	buf_free(&errors);
	return c;
}

static void drop(struct config *c)
{
	config_give(c);
	assert_int_equal(fake_tls_alive(), 0);
}

#define assert_text(got, expected)                                                             \
	do {                                                                                   \
		struct slice text_got = (got);                                                 \
		char *as_text = slice_to_cstring(text_got);                                    \
		assert_string_equal(as_text, expected);                                        \
		free(as_text);                                                                 \
	} while (0)

static void assert_addr(const struct io_addr *a, const char *expected)
{
	char text[IO_ADDR_TEXT_MAX];

	assert_string_equal(io_addr_text(a, text), expected);
}

static void the_smallest_config_has_all_defaults(void **state)
{
	struct config *c = parse("backends: {o: {url: http://h/v1}}\nmodels: {m: [o]}\n");
	const struct model_policy *m = &c->models[0];
	const struct origin *o = &c->backends[0].origins[0];

	(void)state;
	assert_int_equal(c->listen_count, 1);
	assert_addr(&c->listen[0], "127.0.0.1:8080");
	assert_null(c->listen_tls);
	assert_true(c->admin_enabled);
	assert_addr(&c->admin_listen, "127.0.0.1:9090");
	assert_int_equal(c->workers, 0);
	assert_int_equal(c->drain_ms, 30000);
	assert_int_equal(c->limits.header_bytes, 64 * 1024);
	assert_int_equal(c->limits.body_bytes, 64 * 1024 * 1024);
	assert_int_equal(c->limits.header_ms, 10000);
	assert_int_equal(c->limits.body_idle_ms, 30000);
	assert_int_equal(c->limits.keep_alive_ms, 75000);
	assert_int_equal(c->limits.write_stall_ms, 60000);
	assert_int_equal(c->limits.connections, 10000);
	assert_int_equal(c->admit.key_count, 0);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_text(c->access_log, "stdout");
	assert_int_equal(c->mock_count, 0);
	assert_int_equal(c->note_count, 0);
	assert_ptr_equal(c->backends[0].dialect, dialect_find(S("openai")));
	assert_int_equal(c->backends[0].auth, AUTH_NONE);
	assert_int_equal(c->backends[0].max_in_flight, 0);
	assert_int_equal(o->connect_ms, 2000);
	assert_int_equal(o->idle_ms, 50000);
	assert_int_equal(o->idle_max, 64);
	assert_null(o->proxy);
	assert_null(o->tls_setup);
	assert_int_equal(m->balance, BALANCE_LEAST_LOADED);
	assert_int_equal(m->timeouts.first_token_ms, 12000);
	assert_int_equal(m->timeouts.first_token_reasoning_ms, 120000);
	assert_int_equal(m->timeouts.idle_ms, 15000);
	assert_int_equal(m->timeouts.answer_ms, 120000);
	assert_int_equal(m->timeouts.total_ms, 600000);
	assert_int_equal(m->retry.max_attempts, 4);
	assert_int_equal(m->retry.patience_ms, 3000);
	assert_int_equal(m->retry.fast_ms, 1000);
	assert_int_equal(m->targets[0].weight, 1);
	assert_int_equal(m->targets[0].priority, 1);
	assert_text(m->targets[0].name, "o/m");
	drop(c);
}

static const char every_key[] =
	"listen: [localhost:8081, \"[::1]:8081\", unix:run/b.sock]\n"
	"tls: {cert: cert.pem, key: /k.pem}\n"
	"admin: {listen: 127.0.0.1:9191}\n"
	"workers: 3\n"
	"drain: 1m\n"
	"limits: {header_bytes: 8KiB, body_bytes: 1.5MB, header_time: 5s, body_idle: 6s, keep_alive: 7s,\n"
	"         write_stall: 8s, connections: 9}\n"
	"keys:\n"
	"  - {name: web, key: a-client-key-of-length}\n"
	"  - {name: job, sha256: 2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824}\n"
	"log: {level: ${LEVEL}, access: logs/access.json}\n"
	"defaults:\n"
	"  timeouts: {connect: 1s, first_token: 3s, first_token_reasoning: 4s, idle: 5s, answer: 6s, total: 1h}\n"
	"  retry: {max_attempts: 7, patience: 250ms}\n"
	"  balance: least_in_flight\n"
	"backends:\n"
	"  openai: {dialect: openai, url: https://API.openai.com/v1/, key: ${OPENAI_API_KEY}}\n"
	"  azure:\n"
	"    url: https://me.openai.azure.com/openai/v1\n"
	"    key: ${file:secret.txt}\n"
	"    auth: api-key\n"
	"    headers: {x-team: \"core, data\", X-Price: $${5}}\n"
	"    query: {api-version: 2025-01-01 preview, a&b: c=d}\n"
	"    max_in_flight: 8\n"
	"    connect: 500ms\n"
	"    keep_alive: 20s\n"
	"    idle_connections: 2\n"
	"    proxy: http://user:p%40ss@proxy.corp:3128\n"
	"    tls: {ca: ca.pem, cert: c.pem, key: k.pem}\n"
	"  gpu:\n"
	"    urls: [http://gpu1:8000/v1, \"http://[::1]:8000\"]\n"
	"    key: none-of-your-business\n"
	"    auth: x-api-key\n"
	"    proxy: none\n"
	"models:\n"
	"  chat:\n"
	"    targets:\n"
	"      - {backend: openai, model: gpt-large, weight: 3}\n"
	"      - {backend: gpu, priority: 2}\n"
	"    balance: round_robin\n"
	"    fallbacks: [small, vendor/other]\n"
	"    timeouts: {first_token: 9s, first_token_reasoning: 10s, idle: 11s, answer: 13s, total: 12m}\n"
	"    retry: {max_attempts: 2}\n"
	"  small: [gpu/org/tiny:1, azure/deployment]\n"
	"  \"vendor/*\": [{backend: openai, model: \"*\"}]\n"
	"  vendor/other: [openai]\n"
	"  \"gpt-*\": [openai]\n"
	"mocks:\n"
	"  a: {listen: 127.0.0.1:8101, model: m, ttft: 300ms, gap: 20ms, tokens: 50, seed: 7,\n"
	"      fault: \"percent 20 status 500\", args: [--echo], restart: 5s}\n";

static void the_server_s_keys_arrive(void **state)
{
	struct config *c = parse(every_key);
	uint8_t digest[DIGEST_SHA256_BYTES];

	(void)state;
	assert_text(c->path, "/etc/backstay/b.yaml");
	assert_int_equal(c->listen_count, 3);
	assert_addr(&c->listen[0], "127.0.0.1:8081");
	assert_addr(&c->listen[1], "[::1]:8081");
	assert_addr(&c->listen[2], "unix:/etc/backstay/run/b.sock");
	assert_non_null(c->listen_tls);
	assert_addr(&c->admin_listen, "127.0.0.1:9191");
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->drain_ms, 60000);
	assert_int_equal(c->limits.header_bytes, 8192);
	assert_int_equal(c->limits.body_bytes, 1500000);
	assert_int_equal(c->limits.header_ms, 5000);
	assert_int_equal(c->limits.body_idle_ms, 6000);
	assert_int_equal(c->limits.keep_alive_ms, 7000);
	assert_int_equal(c->limits.write_stall_ms, 8000);
	assert_int_equal(c->limits.connections, 9);
	assert_int_equal(c->admit.key_count, 2);
	assert_text(c->admit.keys[0].name, "web");
	digest_sha256(S("a-client-key-of-length"), digest);
	assert_memory_equal(c->admit.keys[0].sha256, digest, sizeof digest);
	digest_sha256(S("hello"), digest);
	assert_memory_equal(c->admit.keys[1].sha256, digest, sizeof digest);
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_text(c->access_log, "/etc/backstay/logs/access.json");
	drop(c);
}

static void the_backends_arrive(void **state)
{
	struct config *c = parse(every_key);
	const struct backend_policy *b = c->backends;
	const struct origin *o;

	(void)state;
	assert_int_equal(c->backend_count, 3);
	assert_text(b[0].name, "openai");
	assert_text(b[0].key, "sk-openai");
	assert_int_equal(b[0].auth, AUTH_BEARER);
	o = &b[0].origins[0];
	assert_text(o->host, "api.openai.com");
	assert_text(o->authority, "api.openai.com");
	assert_text(o->base_path, "/v1");
	assert_int_equal(o->port, 443);
	assert_true(o->tls);
	assert_non_null(o->tls_setup);
	assert_int_equal(o->connect_ms, 1000);
	assert_text(o->proxy->host, "corp");
	assert_int_equal(o->proxy->port, 3128);
	assert_int_equal(o->proxy->authorization.len, 0);
	assert_text(o->key, "https://api.openai.com:443 via corp:3128");

	assert_text(b[1].key, "sk-from-a-file");
	assert_int_equal(b[1].auth, AUTH_API_KEY);
	assert_int_equal(b[1].header_count, 2);
	assert_text(b[1].headers[0].name, "x-team");
	assert_text(b[1].headers[0].value, "core, data");
	assert_text(b[1].headers[1].value, "${5}");
	assert_text(b[1].query, "api-version=2025-01-01%20preview&a%26b=c%3Dd");
	assert_int_equal(b[1].max_in_flight, 8);
	o = &b[1].origins[0];
	assert_int_equal(o->connect_ms, 500);
	assert_int_equal(o->idle_ms, 20000);
	assert_int_equal(o->idle_max, 2);
	assert_text(o->proxy->host, "proxy.corp");
	assert_text(o->proxy->authorization, "Basic dXNlcjpwQHNz");
	assert_ptr_not_equal(o->tls_setup, b[0].origins[0].tls_setup);
	assert_true(slice_find_slice(o->key, S(" tls /etc/backstay/ca.pem ")) != SLICE_NOT_FOUND);
	assert_true(slice_find_slice(o->key, S("dXNl")) == SLICE_NOT_FOUND);

	assert_int_equal(b[2].origin_count, 2);
	assert_int_equal(b[2].auth, AUTH_X_API_KEY);
	assert_null(b[2].origins[0].proxy);
	assert_text(b[2].origins[1].host, "::1");
	assert_text(b[2].origins[1].authority, "[::1]:8000");
	assert_text(b[2].origins[1].base_path, "");
	drop(c);
}

static void the_models_arrive(void **state)
{
	struct config *c = parse(every_key);
	const struct model_policy *m = &c->models[0];

	(void)state;
	assert_int_equal(c->model_count, 5);
	assert_text(m->name, "chat");
	assert_int_equal(m->target_count, 3);
	assert_text(m->targets[0].name, "openai/gpt-large");
	assert_int_equal(m->targets[0].weight, 3);
	assert_text(m->targets[1].name, "gpu/chat");
	assert_text(m->targets[1].model, "chat");
	assert_int_equal(m->targets[1].priority, 2);
	assert_text(m->targets[2].name, "gpu#2/chat");
	assert_ptr_equal(m->targets[2].origin, &c->backends[2].origins[1]);
	assert_text(m->targets[1].host_key, "gpu http://gpu1:8000/v1");
	assert_text(m->targets[2].host_key, "gpu http://[::1]:8000");
	assert_int_equal(m->balance, BALANCE_ROUND_ROBIN);
	assert_int_equal(m->timeouts.first_token_ms, 9000);
	assert_int_equal(m->timeouts.first_token_reasoning_ms, 10000);
	assert_int_equal(m->timeouts.idle_ms, 11000);
	assert_int_equal(m->timeouts.answer_ms, 13000);
	assert_int_equal(m->timeouts.total_ms, 720000);
	assert_int_equal(m->retry.max_attempts, 2);
	assert_int_equal(m->retry.patience_ms, 250);
	assert_int_equal(m->fallback_count, 2);
	assert_ptr_equal(m->fallbacks[0], &c->models[1]);
	assert_ptr_equal(m->fallbacks[1], &c->models[3]);

	m = &c->models[1];
	assert_int_equal(m->balance, BALANCE_LEAST_IN_FLIGHT);
	assert_int_equal(m->timeouts.total_ms, 3600000);
	assert_int_equal(m->retry.max_attempts, 7);
	assert_text(m->targets[0].model, "org/tiny:1");
	assert_text(m->targets[2].model, "deployment");
	assert_true(c->models[2].is_pattern);
	assert_text(c->models[2].targets[0].model, "*");
	assert_text(c->models[4].targets[0].model, "gpt-*");
	drop(c);
}

static void what_is_said_of_health_arrives(void **state)
{
	struct config *c = parse(
		"backends:\n"
		"  o: {url: http://h/v1, capabilities: [tools, stream], context_window: 8000}\n"
		"  p: {url: http://p/v1}\n"
		"defaults: {breaker: {faults: 5, rate: 25.5%}, ejection: {share: 30%}, sticky: X-User}\n"
		"models:\n"
		"  m:\n"
		"    targets: [{backend: o, capabilities: [images], context_window: 9000}, o/x, p/gpt-4, p/new]\n"
		"    balance: prefix_affinity\n"
		"    breaker: {open: 1s, rate: 0%}\n"
		"    retry: {budget: 12.5%}\n"
		"    sticky: off\n"
		"  n: [o]\n");
	const struct model_policy *m = &c->models[0], *n = &c->models[1];

	(void)state;
	assert_int_equal(m->balance, BALANCE_PREFIX_AFFINITY);
	assert_int_equal(m->breaker.faults_in_row, 5);
	assert_int_equal(m->breaker.rate_min, 0);
	assert_int_equal(m->breaker.open_ms, 1000);
	assert_int_equal(m->breaker.open_max_ms, 15000);
	assert_int_equal(m->retry.budget_milli, 12500);
	assert_int_equal(m->ejection.share_percent, 30);
	assert_int_equal(m->sticky.len, 0);
	assert_int_equal(n->breaker.rate_percent, 26);
	assert_int_equal(n->breaker.rate_min, 10);
	assert_text(n->sticky, "x-user");
	assert_int_equal(m->targets[0].lacks, CAN_ALL & ~(unsigned)CAN_IMAGES);
	assert_int_equal(m->targets[0].context_window, 9000);
	assert_int_equal(m->targets[1].lacks, CAN_ALL & ~(unsigned)(CAN_TOOLS | CAN_STREAM));
	assert_int_equal(m->targets[1].context_window, 8000);
	assert_false(m->targets[2].lacks_said);
	assert_int_equal(m->targets[2].context_window, 0);
	drop(c);
}

static void the_mocks_arrive(void **state)
{
	static const char *const args[] = {
		"--model", "m", "--ttft", "300ms", "--gap", "20ms", "--tokens", "50", "--seed", "7",
		"--fault", "percent 20 status 500", "--echo",
	};
	struct config *c = parse(every_key);

	(void)state;
	assert_int_equal(c->mock_count, 1);
	assert_text(c->mocks[0].name, "a");
	assert_addr(&c->mocks[0].listen, "127.0.0.1:8101");
	assert_int_equal(c->mocks[0].restart_ms, 5000);
	assert_int_equal(c->mocks[0].arg_count, COUNT_OF(args));
	for (size_t i = 0; i < COUNT_OF(args); i++)
		assert_text(c->mocks[0].args[i], args[i]);
	drop(c);
}

static void a_full_name_wins_over_patterns_and_a_longer_pattern_over_a_shorter(void **state)
{
	static const struct { const char *asked, *model, *star; } rows[] = {
		{ "a/b", "a/b", "" }, { "a/c", "a/*", "c" }, { "a/b/c", "a/b/*", "c" },
		{ "a/", "*", "a/" }, { "zzz", "*", "zzz" },
	};
	struct config *c = parse("backends: {o: {url: http://h}}\n"
				 "models: {\"*\": [o], \"a/*\": [o], \"a/b/*\": [o], a/b: [o]}\n");
	struct slice star;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct model_policy *m = config_model(c, slice_of(rows[i].asked), &star);

		assert_non_null(m);
		assert_text(m->name, rows[i].model);
		assert_text(star, rows[i].star);
	}
	assert_null(config_model(c, S(""), &star));
	drop(c);
}

static void a_misspelt_model_has_a_nearest_one(void **state)
{
	struct config *c = parse("backends: {o: {url: http://h}}\n"
				 "models: {chat-large: [o], embed: [o], \"chat-larg*\": [o]}\n");

	(void)state;
	assert_text(config_nearest_model(c, S("chat-lrage")), "chat-large");
	assert_text(config_nearest_model(c, S("EMBED")), "embed");
	assert_int_equal(config_nearest_model(c, S("whisper")).len, 0);
	drop(c);
}

static void what_may_surprise_is_noted(void **state)
{
	struct config *c = parse(
		"listen: 0.0.0.0:80\n"
		"admin: {listen: \"[::]:81\"}\n"
		"backends:\n"
		"  a: {url: https://api.openai.com}\n"
		"  b: {url: http://h/v1/chat/completions, key: k}\n"
		"  c: {url: https://me.openai.azure.com/openai/v1}\n"
		"  d: {url: http://127.0.0.1:81/v1, tls: {ca: a.pem}}\n"
		"models:\n"
		"  m: {targets: [a, b, d], timeouts: {total: 5s}}\n");
	static const char *const notes[] = {
		("0.0.0.0:80 can be reached from other machines and asks for no client key: whoever reaches "
		 "it can spend your backends' money; add \"keys\""),
		"the admin port [::]:81 can be reached from other machines and asks for no key; add \"key\" to \"admin\"",
		"backend a: the API of api.openai.com is usually at https://api.openai.com/v1",
		"backend b: the URL ends in /chat/completions, which Backstay adds by itself",
		"backend b: the key goes to h unencrypted (http)",
		"backend d: \"tls\" has no effect, since no URL starts with https://",
		"model m: the total time ends before the time for the first token",
		"backend c is used by no model",
	};

	(void)state;
	assert_int_equal(c->note_count, COUNT_OF(notes));
	for (size_t i = 0; i < COUNT_OF(notes); i++)
		assert_text(c->notes[i], notes[i]);
	drop(c);
}

static void plain_texts_survive_the_braces(void **state)
{
	struct config *c = parse(
		"\xef\xbb\xbf" "backends:\r\n"
		"  a: {url: http://h, headers: {x-a: ${NONE:-a, {b]: #c \"d'}, x-b: '${NONE:-x}y'}}\r\n"
		"models: {m: [a], n: [{backend: a, model: ${NONE:-q}-${NONE:-r}}]}\r\n");

	(void)state;
	assert_text(c->backends[0].headers[0].value, "a, {b]: #c \"d'");
	assert_text(c->backends[0].headers[1].value, "xy");
	assert_text(c->models[1].targets[0].model, "q-r");
	drop(c);
}

static void admin_and_access_log_can_be_off(void **state)
{
	struct config *c = parse("admin: off\nlog: {access: off}\nworkers: auto\n"
				 "backends: {o: {url: http://h}}\nmodels: {m: [o]}\n");

	(void)state;
	assert_false(c->admin_enabled);
	assert_text(c->access_log, "off");
	assert_int_equal(c->workers, 0);
	assert_ptr_equal(config_take(c), c);
	config_give(c);
	drop(c);
	config_give(NULL);
}

static void a_file_cut_anywhere_gives_a_config_or_a_complaint(void **state)
{
	struct config_source source = fake_source(&world);
	size_t good = 0;

	(void)state;
	for (size_t len = 0; len < strlen(every_key); len++) {
		struct buf errors = BUF_INIT(64 * 1024);
		char *part = malloc(len ? len : 1);  /* of exactly that size, for ASan */
		struct config *c;

		assert_non_null(part);
		memcpy(part, every_key, len);
		c = config_parse(S("/etc/backstay/b.yaml"), (struct slice){ part, len }, &source, &errors);
		assert_true((c != NULL) == (buf_len(&errors) == 0));
		good += c != NULL;
		config_give(c);
		free(part);
		buf_free(&errors);
	}
	assert_true(good > 0);
	assert_int_equal(fake_tls_alive(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_config_has_all_defaults),
		cmocka_unit_test(the_server_s_keys_arrive),
		cmocka_unit_test(the_backends_arrive),
		cmocka_unit_test(the_models_arrive),
		cmocka_unit_test(what_is_said_of_health_arrives),
		cmocka_unit_test(the_mocks_arrive),
		cmocka_unit_test(a_full_name_wins_over_patterns_and_a_longer_pattern_over_a_shorter),
		cmocka_unit_test(a_misspelt_model_has_a_nearest_one),
		cmocka_unit_test(what_may_surprise_is_noted),
		cmocka_unit_test(plain_texts_survive_the_braces),
		cmocka_unit_test(admin_and_access_log_can_be_off),
		cmocka_unit_test(a_file_cut_anywhere_gives_a_config_or_a_complaint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
