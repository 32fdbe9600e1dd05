#include "base/check.h"
#include "io/real/real.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define PATIENCE_MS 20000

struct place {
	char dir[40], path[60], moved[60];
};

static struct place place_make(void)
{
	struct place p = { .dir = "/tmp/backstay-lines-XXXXXX" };

	assert_non_null(mkdtemp(p.dir));
	snprintf(p.path, sizeof p.path, "%s/log", p.dir);
	snprintf(p.moved, sizeof p.moved, "%s/log.1", p.dir);
	return p;
}

static void place_remove(const struct place *p)
{
	unlink(p->path);
	unlink(p->moved);
	assert_int_equal(rmdir(p->dir), 0);
}

static size_t file_read(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(out, 1, size - 1, f);
	fclose(f);
	out[len] = 0;
	return len;
}

static void lines_reach_the_file_whole_and_in_order(void **state)
{
	struct place p = place_make();
	char why[200], *got = malloc(1 << 20);
	struct io_lines *l = io_lines_to_file(p.path, 1 << 20, why, sizeof why);
	char line[32], *at = got;

	(void)state;
	assert_non_null(l);
	for (int i = 0; i < 20000; i++) {
		snprintf(line, sizeof line, "line %d\n", i);
		io_lines_write(l, slice_of(line));
	}
	assert_int_equal(io_lines_dropped(l), 0);
	io_lines_close(l, PATIENCE_MS);
	file_read(p.path, got, 1 << 20);
	for (int i = 0; i < 20000; i++) {
		int len = snprintf(line, sizeof line, "line %d\n", i);

		assert_memory_equal(at, line, (size_t)len);
		at += len;
	}
	assert_int_equal(*at, 0);
	free(got);
	place_remove(&p);
}

static void the_ring_goes_round(void **state)
{
	struct place p = place_make();
	char why[200], got[4096];
	struct io_lines *l;
	size_t written = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		l = io_lines_to_file(p.path, 64, why, sizeof why);
		assert_non_null(l);
		for (int i = 0; i < 30; i++) {
			uint64_t before = io_lines_dropped(l);

			io_lines_write(l, S("thirteen byte\n"));
			written += io_lines_dropped(l) == before;
		}
		io_lines_close(l, PATIENCE_MS);
	}
	assert_int_equal(file_read(p.path, got, sizeof got), written * 14);
	for (size_t i = 0; i < written; i++)
		assert_memory_equal(got + i * 14, "thirteen byte\n", 14);
	place_remove(&p);
}

static void a_pipe_that_nobody_reads_makes_lines_drop_not_writers_wait(void **state)
{
	int fds[2];
	struct io_lines *l;
	uint64_t dropped;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	l = io_lines_to_fd(fds[1], 4096);
	assert_non_null(l);
	do {
		io_lines_write(l, S("a line for nobody\n"));
		dropped = io_lines_dropped(l);
	} while (dropped < 1000);
	io_lines_close(l, 0);
	close(fds[0]);
	close(fds[1]);
}

static void a_pipe_whose_reader_went_away_harms_nobody(void **state)
{
	int fds[2];
	struct io_lines *l;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	l = io_lines_to_fd(fds[1], 4096);
	assert_non_null(l);
	io_lines_write(l, S("a line for nobody\n"));
	while (io_lines_dropped(l) == 0)
		;
	io_lines_close(l, PATIENCE_MS);
	close(fds[1]);
}

static void a_full_disk_drops_lines_and_counts_them(void **state)
{
	int fd = open("/dev/full", O_WRONLY);
	struct io_lines *l;

	(void)state;
	if (fd < 0)
		skip();
	l = io_lines_to_fd(fd, 4096);
	assert_non_null(l);
	io_lines_write(l, S("one\n"));
	io_lines_write(l, S("two\n"));
	while (io_lines_dropped(l) < 2)
		;
	io_lines_close(l, PATIENCE_MS);
	close(fd);
}

static void after_a_rotation_lines_go_to_the_new_file(void **state)
{
	struct place p = place_make();
	char why[200], got[100];
	struct io_lines *l = io_lines_to_file(p.path, 4096, why, sizeof why);

	(void)state;
	assert_non_null(l);
	io_lines_write(l, S("old\n"));
	while (file_read(p.path, got, sizeof got) == 0)
		;
	assert_int_equal(rename(p.path, p.moved), 0);
	io_lines_reopen(l);
	while (access(p.path, F_OK) != 0)
		;
	io_lines_write(l, S("new\n"));
	io_lines_close(l, PATIENCE_MS);
	file_read(p.moved, got, sizeof got);
	assert_string_equal(got, "old\n");
	file_read(p.path, got, sizeof got);
	assert_string_equal(got, "new\n");
	place_remove(&p);
}

static void a_file_that_cannot_be_opened_is_refused_with_its_name(void **state)
{
	char why[200];

	(void)state;
	assert_null(io_lines_to_file("/nonexistent/log", 4096, why, sizeof why));
	assert_non_null(strstr(why, "/nonexistent/log"));
}

/* A daemon's socket: unix at `path`, or UDP on a port of the machine's choice. */
static int daemon_socket(const char *path, struct io_addr *at)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	socklen_t len = sizeof v4;
	char text[128];
	int fd = socket(path ? AF_UNIX : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (path) {
		snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
		assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
		snprintf(text, sizeof text, "unix:%s", path);
	} else {
		assert_int_equal(bind(fd, (struct sockaddr *)&v4, sizeof v4), 0);
		getsockname(fd, (struct sockaddr *)&v4, &len);
		snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(v4.sin_port));
	}
	assert_true(io_addr_parse(slice_of(text), at));
	return fd;
}

static void heard(int fd, const char *begins, const char *ends)
{
	char got[65536];
	ssize_t n = recv(fd, got, sizeof got - 1, 0);
	size_t len = strlen(ends);

	assert_true(n >= (ssize_t)len);
	got[n] = 0;
	assert_memory_equal(got, begins, strlen(begins));
	assert_string_equal(got + (size_t)n - len, ends);
}

static void each_line_is_a_message_of_syslog(void **state)
{
	static char long_line[40001];
	struct place p = place_make();
	struct io_addr at;
	char why[200];
	int fd = daemon_socket(p.path, &at);
	struct io_lines *l = io_lines_to_syslog(&at, 1 << 20, why, sizeof why);

	(void)state;
	assert_non_null(l);
	memset(long_line, 'x', sizeof long_line - 2);
	long_line[sizeof long_line - 2] = '\n';
	io_lines_write(l, S("{\"one\":1}\n"));
	heard(fd, "<30>", "]: {\"one\":1}");
	io_lines_write(l, slice_of(long_line));
	heard(fd, "<30>", "xxxxxxxx");
	/* The daemon is restarted: what is said meanwhile is lost and counted. */
	close(fd);
	unlink(p.path);
	io_lines_write(l, S("lost\n"));
	for (int64_t end = io_real_mono_ms() + PATIENCE_MS; io_lines_dropped(l) == 0;)
		assert_true(io_real_mono_ms() < end);
	fd = daemon_socket(p.path, &at);
	io_lines_write(l, S("back\n"));
	heard(fd, "<30>", "]: back");
	assert_int_equal(io_lines_dropped(l), 1);
	io_lines_close(l, 1000);
	close(fd);
	place_remove(&p);
}

static void syslog_by_udp_speaks_rfc_5424(void **state)
{
	struct io_addr at;
	char why[200];
	int fd = daemon_socket(NULL, &at);
	struct io_lines *l = io_lines_to_syslog(&at, 1 << 20, why, sizeof why);

	(void)state;
	assert_non_null(l);
	io_lines_write(l, S("one\n"));
	io_lines_write(l, S("two\n"));
	heard(fd, "<30>1 20", " access - one");
	heard(fd, "<30>1 20", " access - two");
	io_lines_close(l, 1000);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_reach_the_file_whole_and_in_order),
		cmocka_unit_test(the_ring_goes_round),
		cmocka_unit_test(a_pipe_that_nobody_reads_makes_lines_drop_not_writers_wait),
		cmocka_unit_test(a_pipe_whose_reader_went_away_harms_nobody),
		cmocka_unit_test(a_full_disk_drops_lines_and_counts_them),
		cmocka_unit_test(after_a_rotation_lines_go_to_the_new_file),
		cmocka_unit_test(each_line_is_a_message_of_syslog),
		cmocka_unit_test(syslog_by_udp_speaks_rfc_5424),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_refused_with_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
