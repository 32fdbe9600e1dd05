#include "certs.h"
#include "stage.h"

#include "io/real/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MB ((size_t)1 << 20)
#define DAY_S 86400L

/* The certificates of one run. */
static struct {
	char dir[40];
	struct cert ca, other_ca, good, expired, elsewhere, foreign;
} pki;

static int make_pki(void **state)
{
	(void)state;
	snprintf(pki.dir, sizeof pki.dir, "/tmp/backstay-tls-XXXXXX");
	if (!mkdtemp(pki.dir))
		return -1;
	cert_make(&pki.ca, NULL, pki.dir, "ca", NULL, -DAY_S, DAY_S);
	cert_make(&pki.other_ca, NULL, pki.dir, "other-ca", NULL, -DAY_S, DAY_S);
	cert_make(&pki.good, &pki.ca, pki.dir, "good", "DNS:model.test,IP:127.0.0.1", -DAY_S, DAY_S);
	cert_make(&pki.expired, &pki.ca, pki.dir, "expired", "DNS:model.test", -DAY_S, -60);
	cert_make(&pki.elsewhere, &pki.ca, pki.dir, "elsewhere", "DNS:other.test", -DAY_S, DAY_S);
	cert_make(&pki.foreign, &pki.other_ca, pki.dir, "foreign", "DNS:model.test", -DAY_S, DAY_S);
	return 0;
}

static int end_pki(void **state)
{
	(void)state;
	cert_end(&pki.ca);
	cert_end(&pki.other_ca);
	cert_end(&pki.good);
	cert_end(&pki.expired);
	cert_end(&pki.elsewhere);
	cert_end(&pki.foreign);
	return rmdir(pki.dir);
}

static struct io_tls *server_with(const struct cert *c)
{
	char why[300] = "";
	struct io_tls *tls = io_tls_server(c->cert_file, c->key_file, why, sizeof why);

	assert_non_null(tls);
	return tls;
}

static struct io_tls *client_trusting(const struct cert *ca)
{
	struct io_tls_client_options o = { .ca_file = ca->cert_file };
	char why[300] = "";
	struct io_tls *tls = io_tls_client(&o, why, sizeof why);

	assert_non_null(tls);
	return tls;
}

static bool client_settled(struct stage *g)
{
	return g->client.opened + g->client.broken >= 2;
}

/* Opens a stage whose server shows `c`, and a client that trusts pki.ca and
 * expects `name`. The client either stands or is broken afterwards. */
static void tls_pair(struct stage *g, const struct cert *c, struct slice name)
{
	struct io_tls *server = c ? server_with(c) : NULL, *client = client_trusting(&pki.ca);

	stage_open(g, server);
	stage_pair(g);                         /* plain TCP stands */
	io_stream_tls(g->client.stream, client, name);
	assert_int_equal(g->client.opened, 1);
	stage_run(g, client_settled);
	io_tls_give(client);                   /* the streams and the listener have their own */
	io_tls_give(server);
}

static bool client_got_9(struct stage *g)
{
	return buf_len(&g->client.got) >= 9;
}

static bool server_ended(struct stage *g)
{
	return g->server.ended > 0;
}

static bool client_ended(struct stage *g)
{
	return g->client.ended > 0;
}

static bool server_broken(struct stage *g)
{
	return g->server.broken > 0;
}

static void a_verified_server_gets_our_bytes_and_we_get_its(void **state)
{
	static const char *const names[] = { "model.test", "MODEL.test.", "127.0.0.1" };
	struct stage g;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		tls_pair(&g, &pki.good, slice_of(names[i]));
		assert_int_equal(g.client.opened, 2);
		g.server.echo = true;
		end_write(&g.client, S("nine byte"));
		stage_run(&g, client_got_9);
		assert_got(&g.client, "nine byte");
		end_close(&g.client, IO_CLOSE_FLUSH);
		stage_run(&g, server_ended);
		assert_int_equal(g.server.broken, 0);
		stage_close(&g);
	}
}

static const struct {
	const char *what;
	const struct cert *shown;
	const char *expected_name;
	const char *told;
} refusals[] = {
	{ "expired",           &pki.expired,   "model.test", "certificate has expired" },
	{ "another name",      &pki.elsewhere, "model.test", "hostname mismatch" },
	{ "another address",   &pki.elsewhere, "127.0.0.1",  "IP address mismatch" },
	{ "unknown authority", &pki.foreign,   "model.test", "unable to get local issuer certificate" },
	{ "signed by itself",  &pki.other_ca,  "model.test", "self-signed certificate" },
	{ "no host name",      &pki.good,      "",           "no host name" },
};

static void a_server_that_cannot_be_verified_is_refused_with_the_reason(void **state)
{
	struct stage g;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		tls_pair(&g, refusals[i].shown, slice_of(refusals[i].expected_name));
		if (g.client.opened != 1 || g.client.why != IO_TLS_FAILED)
			fail_msg("%s: was not refused", refusals[i].what);
		if (!strstr(g.client.text, refusals[i].told))
			fail_msg("%s: told '%s'", refusals[i].what, g.client.text);
		stage_close(&g);
	}
}

static bool server_got_32_mb(struct stage *g)
{
	return buf_len(&g->server.got) >= 32 * MB;
}

static void much_goes_through_in_order(void **state)
{
	struct stage g;
	char *bytes = malloc(32 * MB);

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < 32 * MB; i++)
		bytes[i] = (char)((i * 13 + i / 509) & 0xff);
	tls_pair(&g, &pki.good, S("model.test"));
	for (size_t at = 0; at < 32 * MB; at += MB / 4)
		end_write(&g.client, (struct slice){ bytes + at, MB / 4 });
	stage_run(&g, server_got_32_mb);
	assert_int_equal(buf_len(&g.server.got), 32 * MB);
	assert_memory_equal(buf_slice(&g.server.got).at, bytes, 32 * MB);
	free(bytes);
	stage_close(&g);
}

static unsigned events_seen;

static bool server_got_more(struct stage *g)
{
	return g->server.data_events > events_seen;
}

/* After a pause, what OpenSSL had read ahead is in no descriptor any more: it
 * must come without one. */
static void decrypted_bytes_are_not_forgotten_over_a_pause(void **state)
{
	struct stage g;
	static char bytes[100000];

	(void)state;
	tls_pair(&g, &pki.good, S("model.test"));
	g.server.pause_on_data = true;
	end_write(&g.client, (struct slice){ bytes, sizeof bytes });
	io_stream_finish(g.client.stream);
	while (buf_len(&g.server.got) < sizeof bytes) {
		events_seen = g.server.data_events;
		io_read_pause(g.server.stream, false);
		stage_run(&g, server_got_more);
	}
	assert_int_equal(g.server.ended, 0);
	g.server.pause_on_data = false;
	io_read_pause(g.server.stream, false);
	stage_run(&g, server_ended);
	stage_close(&g);
}

static void a_peer_that_leaves_without_saying_so_in_tls_is_an_end(void **state)
{
	struct stage g;

	(void)state;
	tls_pair(&g, &pki.good, S("model.test"));
	end_write(&g.server, S("nine byte"));
	stage_run(&g, client_got_9);
	end_close(&g.server, IO_CLOSE_NOW);    /* FIN, no close_notify */
	stage_run(&g, client_ended);
	assert_int_equal(g.client.broken, 0);
	stage_close(&g);
}

static void after_close_notify_one_can_still_read(void **state)
{
	struct stage g;

	(void)state;
	tls_pair(&g, &pki.good, S("model.test"));
	io_stream_finish(g.client.stream);
	stage_run(&g, server_ended);
	end_write(&g.server, S("nine byte"));
	end_close(&g.server, IO_CLOSE_FLUSH);
	stage_run(&g, client_ended);
	assert_got(&g.client, "nine byte");
	assert_int_equal(g.client.broken, 0);
	stage_close(&g);
}

/* ---- peers that do not speak TLS ---------------------------------------------- */

static void a_client_that_speaks_plainly_to_a_tls_listener_is_told_broken(void **state)
{
	struct io_tls *server = server_with(&pki.good);
	struct stage g;

	(void)state;
	stage_open(&g, server);
	stage_pair(&g);
	end_write(&g.client, S("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
	stage_run(&g, server_broken);
	assert_int_equal(g.server.why, IO_TLS_FAILED);
	assert_int_equal(g.server.data_events, 0);
	io_tls_give(server);
	stage_close(&g);
}

static void answer_plainly(struct stage *g)
{
	end_write(&g->server, S("HTTP/1.1 400 Bad Request\r\n\r\n"));
}

static bool client_broken(struct stage *g)
{
	return g->client.broken > 0;
}

static void a_server_that_does_not_speak_tls_is_told_broken(void **state)
{
	struct io_tls *client = client_trusting(&pki.ca);
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	g.on_accept = answer_plainly;
	stage_pair(&g);
	io_stream_tls(g.client.stream, client, S("model.test"));
	stage_run(&g, client_broken);
	assert_int_equal(g.client.why, IO_TLS_FAILED);
	io_tls_give(client);
	stage_close(&g);
}

static bool client_opened(struct stage *g)
{
	return g->client.opened > 0;
}

static void hang_up(struct stage *g)
{
	end_close(&g->server, IO_CLOSE_FLUSH);
}

static void a_server_that_hangs_up_in_the_handshake_is_told_broken(void **state)
{
	struct io_tls *client = client_trusting(&pki.ca);
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	g.on_accept = hang_up;
	stage_connect(&g, NULL);
	stage_run(&g, client_opened);
	io_stream_tls(g.client.stream, client, S("model.test"));
	stage_run(&g, client_broken);
	assert_int_equal(g.client.why, IO_TLS_FAILED);
	assert_non_null(strstr(g.client.text, "closed"));
	io_tls_give(client);
	stage_close(&g);
}

static void a_stream_may_be_closed_in_the_middle_of_its_handshake(void **state)
{
	struct io_tls *client = client_trusting(&pki.ca), *server = server_with(&pki.good);
	struct stage g;

	(void)state;
	stage_open(&g, server);
	stage_pair(&g);
	io_stream_tls(g.client.stream, client, S("model.test"));
	end_close(&g.client, IO_CLOSE_FLUSH);
	stage_run(&g, server_broken);
	io_tls_give(client);
	io_tls_give(server);
	stage_close(&g);
}

/* ---- setups ------------------------------------------------------------------------ */

static void setups_that_cannot_work_are_refused_with_the_file(void **state)
{
	struct io_tls_client_options no_ca = { .ca_file = "/nonexistent/ca.pem" };
	struct io_tls_client_options no_cert = { .cert_file = "/nonexistent/cert.pem" };
	struct io_tls_client_options none = { 0 };
	struct io_tls *tls;
	char why[300];

	(void)state;
	assert_null(io_tls_client(&no_ca, why, sizeof why));
	assert_non_null(strstr(why, "/nonexistent/ca.pem"));
	assert_null(io_tls_client(&no_cert, why, sizeof why));
	assert_non_null(strstr(why, "/nonexistent/cert.pem"));
	assert_null(io_tls_server("/nonexistent/cert.pem", pki.good.key_file, why, sizeof why));
	assert_non_null(strstr(why, "/nonexistent/cert.pem"));
	assert_null(io_tls_server(pki.good.cert_file, pki.ca.key_file, why, sizeof why));
	tls = io_tls_client(&none, why, sizeof why);
	assert_non_null(tls);
	io_tls_give(io_tls_take(tls));
	io_tls_give(tls);
	io_tls_give(NULL);
}

static void a_new_certificate_is_shown_to_connections_accepted_from_now_on(void **state)
{
	struct io_tls *old = server_with(&pki.expired), *new = server_with(&pki.good);
	struct io_tls *client = client_trusting(&pki.ca);
	struct stage g;

	(void)state;
	stage_open(&g, old);
	io_listener_set_tls(g.listener, new);
	io_tls_give(old);
	io_tls_give(new);
	stage_pair(&g);
	io_stream_tls(g.client.stream, client, S("model.test"));
	stage_run(&g, client_settled);
	assert_int_equal(g.client.opened, 2);
	io_tls_give(client);
	stage_close(&g);
}

/* ---- coming back ------------------------------------------------------------------- */

/* One connection with a byte each way, so that the server's ticket arrives.
 * Gives whether an earlier session was taken up. */
static bool visit(struct io_tls *server, struct io_tls *client, const char *name)
{
	struct stage g;
	bool resumed;

	stage_open(&g, server);
	stage_pair(&g);
	io_stream_tls(g.client.stream, client, slice_of(name));
	stage_run(&g, client_settled);
	assert_int_equal(g.client.opened, 2);
	resumed = SSL_session_reused(g.client.stream->ssl);
	g.server.echo = true;
	end_write(&g.client, S("nine byte"));
	stage_run(&g, client_got_9);
	stage_close(&g);
	return resumed;
}

static void coming_back_to_the_same_name_needs_no_full_handshake(void **state)
{
	struct io_tls *client = client_trusting(&pki.ca), *another = client_trusting(&pki.ca);
	struct io_tls *server = server_with(&pki.good);

	(void)state;
	assert_false(visit(server, client, "model.test"));
	assert_true(visit(server, client, "model.test"));
	assert_true(visit(server, client, "model.test"));
	assert_false(visit(server, client, "127.0.0.1"));
	assert_true(visit(server, client, "127.0.0.1"));
	assert_false(visit(server, another, "model.test"));
	io_tls_give(server);
	/* A server that has lost its ticket keys is no obstacle. */
	server = server_with(&pki.good);
	assert_false(visit(server, client, "model.test"));
	assert_true(visit(server, client, "model.test"));
	io_tls_give(client);
	io_tls_give(another);
	io_tls_give(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verified_server_gets_our_bytes_and_we_get_its),
		cmocka_unit_test(a_server_that_cannot_be_verified_is_refused_with_the_reason),
		cmocka_unit_test(much_goes_through_in_order),
		cmocka_unit_test(decrypted_bytes_are_not_forgotten_over_a_pause),
		cmocka_unit_test(a_peer_that_leaves_without_saying_so_in_tls_is_an_end),
		cmocka_unit_test(after_close_notify_one_can_still_read),
		cmocka_unit_test(a_client_that_speaks_plainly_to_a_tls_listener_is_told_broken),
		cmocka_unit_test(a_server_that_does_not_speak_tls_is_told_broken),
		cmocka_unit_test(a_server_that_hangs_up_in_the_handshake_is_told_broken),
		cmocka_unit_test(a_stream_may_be_closed_in_the_middle_of_its_handshake),
		cmocka_unit_test(setups_that_cannot_work_are_refused_with_the_file),
		cmocka_unit_test(a_new_certificate_is_shown_to_connections_accepted_from_now_on),
		cmocka_unit_test(coming_back_to_the_same_name_needs_no_full_handshake),
	};

	return cmocka_run_group_tests(tests, make_pki, end_pki);
}
