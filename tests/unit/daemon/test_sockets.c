#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "daemon/sockets.h"
#include "io/real/real.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct io_addr addr(const char *text)
{
	struct io_addr a;

	assert_true(io_addr_parse(slice_of(text), &a));
	return a;
}

static void one_socket_for_each_worker_on_one_port(void **state)
{
	const struct io_addr listen[] = { addr("127.0.0.1:0") };
	const struct config c = { .listen = listen, .listen_count = 1, .admin_enabled = true,
				  .admin_listen = addr("127.0.0.1:0") };
	struct sockets s;
	char why[512];

	(void)state;
	assert_true(sockets_open(&s, &c, 3, why, sizeof why));
	assert_int_not_equal(sockets_addr(&s, 0).port, 0);
	for (unsigned w = 1; w < 3; w++) {
		struct io_addr at = io_socket_addr(s.data[w]), first = sockets_addr(&s, 0);

		assert_true(io_addr_eq(&at, &first));
	}
	assert_int_not_equal(io_socket_addr(s.admin).port, sockets_addr(&s, 0).port);
	sockets_close(&s);
	assert_null(s.data);
}

/* Both programs ask for SO_REUSEPORT, so the kernel alone would let them share. */
static void a_port_in_use_is_refused_with_a_remedy(void **state)
{
	struct io_addr listen[] = { addr("127.0.0.1:0") };
	const struct config c = { .listen = listen, .listen_count = 1 };
	struct sockets first, second;
	char why[512], remedy[64];

	(void)state;
	assert_true(sockets_open(&first, &c, 1, why, sizeof why));
	listen[0] = sockets_addr(&first, 0);
	assert_false(sockets_open(&second, &c, 1, why, sizeof why));
	assert_null(second.data);
	assert_non_null(strstr(why, "Address already in use"));
	snprintf(remedy, sizeof remedy, "ss -ltnp 'sport = :%u'", (unsigned)listen[0].port);
	assert_non_null(strstr(why, remedy));
	sockets_close(&first);
	assert_true(sockets_open(&second, &c, 1, why, sizeof why));
	sockets_close(&second);
}

static void workers_share_a_unix_socket(void **state)
{
	char path[64];
	struct io_addr listen[1];
	const struct config c = { .listen = listen, .listen_count = 1 };
	struct sockets s;
	char why[512];

	(void)state;
	snprintf(path, sizeof path, "unix:/tmp/backstay-test-%ld.sock", (long)getpid());
	listen[0] = addr(path);
	assert_true(sockets_open(&s, &c, 2, why, sizeof why));
	assert_int_not_equal(io_socket_fd(s.data[0]), io_socket_fd(s.data[1]));
	assert_int_equal(access(path + 5, F_OK), 0);
	sockets_unlink(&s);
	assert_int_not_equal(access(path + 5, F_OK), 0);
	sockets_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_socket_for_each_worker_on_one_port),
		cmocka_unit_test(a_port_in_use_is_refused_with_a_remedy),
		cmocka_unit_test(workers_share_a_unix_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
