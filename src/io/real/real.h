/* real.h: what only programs on a real machine may ask of the door: making a
 * loop, running it, and signals. */
#ifndef BACKSTAY_IO_REAL_H
#define BACKSTAY_IO_REAL_H

#include "io/io.h"

/* A loop for the calling thread. NULL (with a sentence in why) if the machine
 * has no descriptors left for it. */
struct io *io_real_create(char *why, size_t why_size);
/* Runs until io_real_stop(); then returns. */
void io_real_run(struct io *io);
/* Ends io_real_run() after this turn; to be called on the loop's thread. */
void io_real_stop(struct io *io);
/* Closes what is left and frees the loop; NULL is fine. Nobody is called any
 * more: background work that was queued is still done, but not told, and
 * messages that were posted are not delivered (their memory is the poster's).
 * A loop does not survive fork(): make it in the process that runs it. */
void io_real_free(struct io *io);

/* Calls `on_turn` at the end of each turn of the loop with the microseconds that
 * it took: what whoever came meanwhile has been waiting. It must be quick. NULL:
 * nobody wants to know any more. */
void io_real_on_turn(struct io *io, void (*on_turn)(void *owner, int64_t took_us), void *owner);
/* Calls `on_signal` on the loop at each delivery of `signo`. One handler per
 * signal and process. */
void io_real_on_signal(struct io *io, int signo, void (*on_signal)(void *owner, int signo),
		       void *owner);

/* Milliseconds now, read from the kernel: for programs without a loop. */
mono_ms io_real_mono_ms(void);
int64_t io_real_wall_ms(void);

/* A listening socket from a descriptor inherited from another process. */
struct io_socket *io_socket_adopt(int fd);
int io_socket_fd(const struct io_socket *s);

/* The libraries that the door stands on, one a line, as `version` prints them:
 * "  libev 4.33\n". Gives `out`. */
const char *io_real_versions(char *out, size_t size);

/* False, with a sentence naming the address in `why`, if another program listens
 * there already. io_socket_open() alone would share the port with it, since
 * both ask for SO_REUSEPORT. True where that cannot be told. */
bool io_port_is_free(const struct io_addr *at, char *why, size_t why_size);

/* A thread that runs `run(arg)` with all signals blocked. NULL if the machine
 * gives none. The caller ends it with io_thread_join(), which waits. */
struct io_thread;
struct io_thread *io_thread_start(void (*run)(void *arg), void *arg);
void io_thread_join(struct io_thread *t);    /* NULL is fine */

/* Writes `line` to `fd` at once, or drops it where `fd` takes nothing within
 * 100 ms: for processes with one thread that must not hang on a pipe. */
void io_write_line(int fd, struct slice line);

/* A line sink that never blocks: lines go to a bounded queue that a thread of
 * its own writes to `fd` (or to `path`, reopened on io_lines_reopen()). Full
 * queue, full disk or a blocked pipe: lines are dropped and counted. */
struct io_lines;
struct io_lines *io_lines_to_fd(int fd, size_t queue_bytes);
struct io_lines *io_lines_to_file(const char *path, size_t queue_bytes, char *why, size_t why_size);
/* The same to a syslog daemon, each line a message of its own: a unix socket such as
 * /dev/log, or UDP. Lines that it does not take are dropped and counted. */
struct io_lines *io_lines_to_syslog(const struct io_addr *to, size_t queue_bytes, char *why,
				    size_t why_size);
/* Any thread. `line` includes its newline. */
void io_lines_write(struct io_lines *l, struct slice line);
void io_lines_reopen(struct io_lines *l);
uint64_t io_lines_dropped(const struct io_lines *l);
/* Writes what is queued, waiting at most `patience_ms`, then ends the thread. */
void io_lines_close(struct io_lines *l, int64_t patience_ms);

#endif
