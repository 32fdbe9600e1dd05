#include "daemon/stderr_log.h"

#include "io/real/real.h"

#include <unistd.h>

static void sink(void *owner, enum log_level level, struct slice line)
{
	(void)owner, (void)level;
	io_write_line(STDERR_FILENO, line);
}

static int64_t wall_ms(void *owner)
{
	(void)owner;
	return io_real_wall_ms();
}

struct log stderr_log(enum log_level level)
{
	return (struct log){ .sink = sink, .wall_ms = wall_ms, .level = level };
}
