/* mock_args.h: the command line of `backstay mock`. */
#ifndef BACKSTAY_MOCK_MOCK_ARGS_H
#define BACKSTAY_MOCK_MOCK_ARGS_H

#include "mock/mock.h"

#define MOCK_LISTEN_MAX 16

struct mock_args {
	struct mock_options options;
	struct io_addr listen[MOCK_LISTEN_MAX];   /* default: 127.0.0.1:9001 */
	unsigned listen_count;
	struct slice fault;                       /* standing behaviour; checked */
	const char *tls_cert, *tls_key;           /* both or none */
	bool help;                                /* --help was asked: nothing else was read */
};

/* Reads argv[0 .. argc-1], options only (without program and command name).
 * Slices and strings point into argv. False with a sentence that names the
 * option and the remedy in why. */
bool mock_args_parse(struct mock_args *out, int argc, char **argv, char *why, size_t why_size);
/* Appends what `backstay mock --help` prints, the behaviour table included. */
void mock_args_write_help(struct buf *out);

#endif
