#include "daemon/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool state_file_write(const char *path, struct slice text, char *why, size_t size)
{
	char next[4096];
	int fd, len = snprintf(next, sizeof next, "%s.new", path);
	bool ok;

	if (len < 0 || (size_t)len >= sizeof next) {
		snprintf(why, size, "the path is too long");
		return false;
	}
	fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ok = fd >= 0;
	while (ok && text.len) {
		ssize_t n = write(fd, text.at, text.len);

		ok = n > 0;
		text = ok ? slice_from(text, (size_t)n) : text;
	}
	ok = ok && fsync(fd) == 0;
	if (!ok)
		snprintf(why, size, "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
	if (ok && rename(next, path) != 0) {
		snprintf(why, size, "%s", strerror(errno));
		ok = false;
	}
	return ok;
}

void state_file_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? 1 : 0;

	while (n > 0) {
		char *room = buf_room(out, 65536);

		n = room ? read(fd, room, 65536) : 0;
		if (room)
			buf_added(out, n > 0 ? (size_t)n : 0);
	}
	if (fd >= 0)
		close(fd);
}
