#include "stage.h"

#include "io/real/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MB ((size_t)1 << 20)

static bool client_got_9(struct stage *g)
{
	return buf_len(&g->client.got) >= 9;
}

static bool server_got_5(struct stage *g)
{
	return buf_len(&g->server.got) >= 5;
}

static bool client_ended(struct stage *g)
{
	return g->client.ended > 0;
}

static bool server_ended(struct stage *g)
{
	return g->server.ended > 0;
}

static bool client_broken(struct stage *g)
{
	return g->client.broken > 0;
}

static bool server_broken(struct stage *g)
{
	return g->server.broken > 0;
}

static void what_is_written_comes_back_from_an_echo(void **state)
{
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	g.server.echo = true;
	end_write(&g.client, S("seven"));
	end_write(&g.client, S(" fat"));
	assert_int_equal(io_write_pending(g.client.stream), 9);
	stage_run(&g, client_got_9);
	assert_got(&g.client, "seven fat");
	assert_int_equal(g.server.data_events, 1);    /* both writes left together */
	assert_int_equal(io_write_pending(g.client.stream), 0);
	assert_int_equal(g.client.drained, 0);        /* nothing ever stayed behind */
	assert_true(io_addr_is_loopback(&g.peer));
	stage_close(&g);
}

static void bytes_written_before_the_connection_stands_are_sent(void **state)
{
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	stage_connect(&g, NULL);
	end_write(&g.client, S("hello"));
	stage_run(&g, server_got_5);
	assert_got(&g.server, "hello");
	assert_int_equal(g.client.opened, 1);
	stage_close(&g);
}

/* ---- much at once -------------------------------------------------------- */

static bool server_got_32_mb(struct stage *g)
{
	return buf_len(&g->server.got) >= 32 * MB;
}

static bool client_drained(struct stage *g)
{
	return g->client.drained > 0;
}

static char *pattern(size_t len)
{
	char *bytes = malloc(len);

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)((i * 7 + i / 251) & 0xff);
	return bytes;
}

static void more_than_the_kernel_takes_is_kept_and_told_drained_once(void **state)
{
	struct stage g;
	char *bytes = pattern(32 * MB);

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	io_read_pause(g.server.stream, true);
	end_write(&g.client, (struct slice){ bytes, 16 * MB });
	assert_true(io_write_pending(g.client.stream) > 0);
	end_write(&g.client, (struct slice){ bytes + 16 * MB, 16 * MB });
	io_read_pause(g.server.stream, false);
	stage_run(&g, server_got_32_mb);
	stage_run(&g, client_drained);
	assert_int_equal(buf_len(&g.server.got), 32 * MB);
	assert_memory_equal(buf_slice(&g.server.got).at, bytes, 32 * MB);
	assert_int_equal(g.client.drained, 1);
	free(bytes);
	stage_close(&g);
}

static void large_writes_in_many_parts_arrive_in_order(void **state)
{
	struct stage g;
	char *bytes = pattern(32 * MB);
	struct slice parts[64];

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		parts[i] = (struct slice){ bytes + i * MB / 2, MB / 2 };
	for (size_t i = 0; i < COUNT_OF(parts); i += 8)
		io_write(g.client.stream, parts + i, 8);
	stage_run(&g, server_got_32_mb);
	assert_memory_equal(buf_slice(&g.server.got).at, bytes, 32 * MB);
	free(bytes);
	stage_close(&g);
}

static void a_paused_reader_is_told_nothing_until_it_goes_on(void **state)
{
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	g.server.pause_on_data = true;
	end_write(&g.client, S("first"));
	stage_run(&g, server_got_5);
	end_write(&g.client, S("then"));
	io_stream_finish(g.client.stream);
	/* A round trip the other way: the bytes above have arrived meanwhile. */
	end_write(&g.server, S("123456789"));
	stage_run(&g, client_got_9);
	assert_got(&g.server, "first");
	assert_int_equal(g.server.ended, 0);
	g.server.pause_on_data = false;
	io_read_pause(g.server.stream, false);
	stage_run(&g, server_ended);
	assert_got(&g.server, "firstthen");
	stage_close(&g);
}

/* ---- ends ------------------------------------------------------------------ */

static bool server_got_9(struct stage *g)
{
	return buf_len(&g->server.got) >= 9;
}

/* So many bytes at first, into lent memory or not, and then the rest. */
static void the_first_bytes_are_read_where_and_as_asked(void **state)
{
	char lent[4];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct stage g;

		stage_open(&g, NULL);
		stage_pair(&g);
		io_read_into(g.server.stream, i ? lent : NULL, sizeof lent);
		end_write(&g.client, S("seven fat"));
		stage_run(&g, server_got_9);
		assert_got(&g.server, "seven fat");
		assert_int_equal(g.server.data_events, 2);
		stage_close(&g);
	}
	assert_memory_equal(lent, "seve", sizeof lent);
}

static void after_finishing_one_can_still_read(void **state)
{
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	end_write(&g.client, S("hello"));
	io_stream_finish(g.client.stream);
	stage_run(&g, server_ended);
	assert_got(&g.server, "hello");
	end_write(&g.server, S("good bye!"));
	io_stream_finish(g.server.stream);
	stage_run(&g, client_ended);
	assert_got(&g.client, "good bye!");
	assert_int_equal(g.client.broken + g.server.broken, 0);
	stage_close(&g);
}

static void a_reset_is_told_as_such(void **state)
{
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	end_close(&g.client, IO_CLOSE_RESET);
	stage_run(&g, server_broken);
	assert_int_equal(g.server.why, IO_RESET);
	assert_int_equal(g.server.ended, 0);
	stage_close(&g);
}

static void writing_to_a_stream_that_was_reset_is_told_later(void **state)
{
	struct stage g;
	char *bytes = pattern(MB);

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	io_read_pause(g.server.stream, true);         /* so that only writing can notice */
	end_close(&g.client, IO_CLOSE_RESET);
	end_write(&g.server, (struct slice){ bytes, MB });
	end_write(&g.server, (struct slice){ bytes, MB });
	assert_int_equal(g.server.broken, 0);
	stage_run(&g, server_broken);
	assert_int_equal(g.server.why, IO_RESET);
	end_write(&g.server, S("lost"));              /* harmless */
	free(bytes);
	stage_close(&g);
}

static void what_came_before_a_broken_write_is_still_read(void **state)
{
	struct stage g;
	char *bytes = pattern(16 * MB);

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	/* The server never reads: its close() with unread bytes sends a reset. */
	io_read_pause(g.server.stream, true);
	g.client.pause_on_data = false;
	end_write(&g.client, (struct slice){ bytes, 16 * MB });
	end_write(&g.server, S("too large"));
	stage_run(&g, client_got_9);
	end_close(&g.server, IO_CLOSE_NOW);
	stage_run(&g, client_broken);
	assert_int_equal(g.client.why, IO_RESET);
	assert_got(&g.client, "too large");
	free(bytes);
	stage_close(&g);
}

/* ---- connecting ------------------------------------------------------------- */

static void nobody_listening_is_a_refusal(void **state)
{
	struct stage g;
	char why[200];
	struct io_addr any = { .family = IO_IPV4, .bytes = { 127, 0, 0, 1 } };
	struct io_socket *gone;

	(void)state;
	stage_open(&g, NULL);
	gone = io_socket_open(&any, why, sizeof why);
	assert_non_null(gone);
	any = io_socket_addr(gone);
	io_socket_close(gone);
	stage_connect(&g, &any);
	assert_int_equal(g.client.broken, 0);         /* never before io_connect() returned */
	stage_run(&g, client_broken);
	assert_int_equal(g.client.why, IO_REFUSED);
	assert_int_equal(g.client.opened, 0);
	stage_close(&g);
}

static void a_missing_unix_socket_is_a_refusal(void **state)
{
	struct stage g;
	struct io_addr at;

	(void)state;
	stage_open(&g, NULL);
	assert_true(io_addr_parse(S("unix:/nonexistent/socket"), &at));
	stage_connect(&g, &at);
	stage_run(&g, client_broken);
	assert_int_equal(g.client.why, IO_REFUSED);
	stage_close(&g);
}

static void use_up_descriptors(struct rlimit *before)
{
	struct rlimit few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	few = *before;
	few.rlim_cur = 1;        /* those that are open stay; no new one */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void having_no_descriptor_left_is_our_own_trouble(void **state)
{
	struct stage g;
	struct rlimit before;

	(void)state;
	stage_open(&g, NULL);
	use_up_descriptors(&before);
	stage_connect(&g, NULL);
	stage_run(&g, client_broken);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(g.client.why, IO_LOCAL);
	stage_close(&g);
}

static void a_unix_socket_carries_bytes_too(void **state)
{
	struct stage g;
	char why[200], dir[] = "/tmp/backstay-io-XXXXXX";
	struct io_addr at = { .family = IO_UNIX };
	struct io_socket *tcp;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(at.path, sizeof at.path, "%s/s", dir);
	stage_open(&g, NULL);
	tcp = g.socket;
	io_listener_close(g.listener);
	io_socket_close(tcp);
	/* The second time a dead socket file is in the way. */
	for (int i = 0; i < 2; i++) {
		g.socket = io_socket_open(&at, why, sizeof why);
		assert_non_null(g.socket);
		if (i == 0)
			io_socket_close(g.socket);
	}
	g.listener = NULL;
	g.at = io_socket_addr(g.socket);
	assert_true(io_addr_eq(&g.at, &at));
	stage_listen(&g, NULL);
	stage_pair(&g);
	g.server.echo = true;
	end_write(&g.client, S("nine byte"));
	stage_run(&g, client_got_9);
	unlink(at.path);
	rmdir(dir);
	stage_close(&g);
}

static void a_peer_of_a_socket_for_both_families_shows_its_own_address(void **state)
{
	struct stage g;
	char why[200], text[IO_ADDR_TEXT_MAX];
	struct io_addr both;

	(void)state;
	stage_open(&g, NULL);
	assert_true(io_addr_parse(S("[::]:0"), &both));
	io_listener_close(g.listener);
	io_socket_close(g.socket);
	g.listener = NULL;
	g.socket = io_socket_open(&both, why, sizeof why);
	if (!g.socket) {
		stage_close(&g);       /* a machine without IPv6 */
		skip();
	}
	g.at.port = io_socket_addr(g.socket).port;
	stage_listen(&g, NULL);
	stage_pair(&g);
	assert_int_equal(g.peer.family, IO_IPV4);
	assert_memory_equal(io_addr_text(&g.peer, text), "127.0.0.1:", 10);
	stage_close(&g);
}

/* ---- closing inside handlers -------------------------------------------------- */

static bool server_let_go(struct stage *g)
{
	return !g->server.stream && buf_len(&g->server.got) > 0;
}

static void a_handler_may_close_its_own_stream(void **state)
{
	static const enum io_close ways[] = { IO_CLOSE_FLUSH, IO_CLOSE_NOW, IO_CLOSE_RESET };
	struct stage g;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		stage_open(&g, NULL);
		stage_pair(&g);
		g.server.close_on_data = true;
		g.server.close_how = ways[i];
		end_write(&g.client, S("hello"));
		stage_run(&g, server_let_go);
		stage_close(&g);
	}
}

/* Both ends have an event waiting in the same turn; the first to hear of its
 * own closes the other, which must then hear nothing. */
static bool either_let_go(struct stage *g)
{
	return !g->server.stream || !g->client.stream;
}

static void a_handler_may_close_another_stream_whose_event_is_waiting(void **state)
{
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	g.server.close_other_on_data = &g.client;
	g.client.close_other_on_data = &g.server;
	end_write(&g.client, S("hello"));
	end_write(&g.server, S("hello"));
	stage_run(&g, either_let_go);
	assert_int_equal(g.server.data_events + g.client.data_events, 1);
	assert_true(g.server.stream || g.client.stream);
	stage_close(&g);
}

/* ---- lingering ------------------------------------------------------------------ */

/* The client keeps sending a body that the server does not want. With a plain
 * close() the client's kernel would throw our answer away. */
static void the_peer_reads_our_last_words_although_it_was_still_sending(void **state)
{
	struct stage g;
	char *bytes = pattern(MB);

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	io_read_pause(g.client.stream, true);         /* it reads late */
	end_write(&g.client, S("hello"));
	stage_run(&g, server_got_5);
	end_write(&g.server, S("good bye!"));
	end_close(&g.server, IO_CLOSE_FLUSH);
	end_write(&g.client, (struct slice){ bytes, MB });
	end_write(&g.client, (struct slice){ bytes, MB });
	io_read_pause(g.client.stream, false);
	stage_run(&g, client_ended);
	assert_got(&g.client, "good bye!");
	assert_int_equal(g.client.broken, 0);
	free(bytes);
	stage_close(&g);
}

static bool client_got_16_mb_and_end(struct stage *g)
{
	return buf_len(&g->client.got) >= 16 * MB && g->client.ended;
}

static void what_is_queued_is_flushed_after_the_owner_let_go(void **state)
{
	struct stage g;
	char *bytes = pattern(16 * MB);

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	end_write(&g.server, (struct slice){ bytes, 16 * MB });
	end_close(&g.server, IO_CLOSE_FLUSH);
	stage_run(&g, client_got_16_mb_and_end);
	assert_int_equal(buf_len(&g.client.got), 16 * MB);
	assert_memory_equal(buf_slice(&g.client.got).at, bytes, 16 * MB);
	free(bytes);
	stage_close(&g);
}

/* ---- out of descriptors ------------------------------------------------------------ */

static struct rlimit limit_before;

static void limit_over(struct io_timer *t, mono_ms now)
{
	(void)t, (void)now;
	setrlimit(RLIMIT_NOFILE, &limit_before);
}

static bool server_stands(struct stage *g)
{
	return g->server.stream != NULL;
}

static bool client_opened(struct stage *g)
{
	return g->client.opened > 0;
}

static void accepting_goes_on_after_descriptors_had_run_out(void **state)
{
	struct stage g;
	struct io_timer relief = { .fire = limit_over };

	(void)state;
	stage_open(&g, NULL);
	stage_connect(&g, NULL);
	use_up_descriptors(&limit_before);
	stage_run(&g, client_opened);                 /* the kernel's queue has it */
	io_timer_set(g.io, &relief, io_now(g.io) + 30);
	stage_run(&g, server_stands);
	assert_int_equal(g.accepted, 1);
	g.server.echo = true;
	end_write(&g.client, S("nine byte"));
	stage_run(&g, client_got_9);
	stage_close(&g);
}

/* ---- idleness ------------------------------------------------------------------------- */

/* A loop that has nothing to do must sleep. These wait a moment and count how
 * often it woke; one that spins wakes thousands of times. */
#define MOMENT_MS 30
#define WAKES_MAX 20

static bool moment_over;

struct moment {
	struct io_timer timer;
	struct stage *g;
};

static void on_moment(struct io_timer *t, mono_ms now)
{
	(void)now;
	moment_over = true;
	stage_look(CONTAINER_OF(t, struct moment, timer)->g);
}

static bool is_moment_over(struct stage *g)
{
	(void)g;
	return moment_over;
}

static unsigned wakes_in_a_moment(struct stage *g)
{
	struct moment moment = { { .fire = on_moment }, g };
	unsigned before = ev_iteration(g->io->loop);

	moment_over = false;
	io_timer_set(g->io, &moment.timer, io_real_mono_ms() + MOMENT_MS);
	stage_run(g, is_moment_over);
	return ev_iteration(g->io->loop) - before;
}

static void a_stream_whose_peer_has_finished_keeps_nobody_busy(void **state)
{
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	io_stream_finish(g.client.stream);
	stage_run(&g, server_ended);
	assert_in_range(wakes_in_a_moment(&g), 0, WAKES_MAX);
	stage_close(&g);
}

static void a_paused_stream_keeps_nobody_busy(void **state)
{
	struct stage g;

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	g.server.pause_on_data = true;
	end_write(&g.client, S("hello"));
	stage_run(&g, server_got_5);
	end_write(&g.client, S("more"));
	assert_in_range(wakes_in_a_moment(&g), 0, WAKES_MAX);
	end_close(&g.client, IO_CLOSE_RESET);
	assert_in_range(wakes_in_a_moment(&g), 0, WAKES_MAX);
	stage_close(&g);
}

static void a_blocked_writer_keeps_nobody_busy(void **state)
{
	struct stage g;
	char *bytes = pattern(16 * MB);

	(void)state;
	stage_open(&g, NULL);
	stage_pair(&g);
	io_read_pause(g.server.stream, true);
	end_write(&g.client, (struct slice){ bytes, 16 * MB });
	assert_in_range(wakes_in_a_moment(&g), 0, WAKES_MAX);
	free(bytes);
	stage_close(&g);
}

static void a_listener_without_descriptors_keeps_nobody_busy(void **state)
{
	struct stage g;
	struct rlimit before;
	unsigned wakes;

	(void)state;
	stage_open(&g, NULL);
	stage_connect(&g, NULL);
	use_up_descriptors(&before);
	wakes = wakes_in_a_moment(&g);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_in_range(wakes, 0, WAKES_MAX);
	assert_int_equal(g.accepted, 0);
	stage_run(&g, server_stands);
	stage_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_comes_back_from_an_echo),
		cmocka_unit_test(bytes_written_before_the_connection_stands_are_sent),
		cmocka_unit_test(more_than_the_kernel_takes_is_kept_and_told_drained_once),
		cmocka_unit_test(large_writes_in_many_parts_arrive_in_order),
		cmocka_unit_test(a_paused_reader_is_told_nothing_until_it_goes_on),
		cmocka_unit_test(the_first_bytes_are_read_where_and_as_asked),
		cmocka_unit_test(after_finishing_one_can_still_read),
		cmocka_unit_test(a_reset_is_told_as_such),
		cmocka_unit_test(writing_to_a_stream_that_was_reset_is_told_later),
		cmocka_unit_test(what_came_before_a_broken_write_is_still_read),
		cmocka_unit_test(nobody_listening_is_a_refusal),
		cmocka_unit_test(a_missing_unix_socket_is_a_refusal),
		cmocka_unit_test(having_no_descriptor_left_is_our_own_trouble),
		cmocka_unit_test(a_unix_socket_carries_bytes_too),
		cmocka_unit_test(a_handler_may_close_its_own_stream),
		cmocka_unit_test(a_handler_may_close_another_stream_whose_event_is_waiting),
		cmocka_unit_test(the_peer_reads_our_last_words_although_it_was_still_sending),
		cmocka_unit_test(what_is_queued_is_flushed_after_the_owner_let_go),
		cmocka_unit_test(accepting_goes_on_after_descriptors_had_run_out),
		cmocka_unit_test(a_stream_whose_peer_has_finished_keeps_nobody_busy),
		cmocka_unit_test(a_paused_stream_keeps_nobody_busy),
		cmocka_unit_test(a_blocked_writer_keeps_nobody_busy),
		cmocka_unit_test(a_listener_without_descriptors_keeps_nobody_busy),
		cmocka_unit_test(a_peer_of_a_socket_for_both_families_shows_its_own_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
