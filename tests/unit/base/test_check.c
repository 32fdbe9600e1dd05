#include "base/check.h"

#include "cm.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void says_where_and_aborts(void **state)
{
	char said[200] = "";
	int pipe_fds[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(pipe_fds[1], STDERR_FILENO);
		check_failed("house.c", 12, "the roof holds");
	}
	close(pipe_fds[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(read(pipe_fds[0], said, sizeof said - 1) > 0);
	close(pipe_fds[0]);
	assert_string_equal(said, "house.c:12: check failed: the roof holds\n");
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

struct whole {
	int first, member;
};

static void container_of(void **state)
{
	struct whole w = { 1, 2 };

	(void)state;
	assert_ptr_equal(CONTAINER_OF(&w.member, struct whole, member), &w);
}

static void must_is_an_expression(void **state)
{
	int times = 0;

	(void)state;
	must(++times == 1);
	assert_int_equal(times, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_where_and_aborts),
		cmocka_unit_test(container_of),
		cmocka_unit_test(must_is_an_expression),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
