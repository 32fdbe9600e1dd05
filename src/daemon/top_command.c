/* `backstay top`: the dashboard in a terminal. */
#include "daemon/command.h"

#include "base/arena.h"
#include "base/check.h"
#include "daemon/probe.h"
#include "daemon/top.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define LIMIT_MS 3000
#define ENTER "\033[?1049h\033[?25l"          /* another screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME  "\033[H"
#define ERASE_LINE  "\033[K"
#define ERASE_BELOW "\033[J"

struct options {
	struct io_addr at;
	const char *key;
	bool once;
};

static volatile sig_atomic_t stopped;

static void on_stop(int signo)
{
	(void)signo;
	stopped = 1;
}

/* A resize only has to wake the wait for a key. */
static void on_resize(int signo)
{
	(void)signo;
}

/* ---- asking ------------------------------------------------------------------------------ */

/* Without port and brackets. */
static struct slice host_of(struct slice address)
{
	size_t end = address.len;

	while (end > 0 && address.at[end - 1] != ':')
		end--;
	address = slice_sub(address, 0, end ? end - 1 : address.len);
	if (address.len > 2 && address.at[0] == '[')
		address = slice_sub(address, 1, address.len - 1);
	return address;
}

/* Both documents, in the arena. False after a sentence in `why`. */
static bool ask(const struct options *o, struct arena *arena, struct slice *state, struct slice *troubles,
		char *why, size_t size)
{
	char text[IO_ADDR_TEXT_MAX];
	struct slice address = arena_copy(arena, slice_of(io_addr_text(&o->at, text)));
	const struct origin origin = { .key = address, .host = host_of(address), .port = o->at.port,
				       .authority = S("localhost"), .connect_ms = LIMIT_MS };
	struct slice headers = o->key ? arena_printf(arena, "Authorization: Bearer %s\r\n", o->key) : SLICE_NONE;
	struct probe probes[] = {
		{ .origin = &origin, .target = S("/admin/state"), .headers = headers },
		{ .origin = &origin, .target = S("/admin/exchanges?failed=1&limit=40"), .headers = headers },
	};

	if (!probes_run(probes, COUNT_OF(probes), LIMIT_MS, arena, why, size))
		return false;
	if (probes[0].fault == FAULT_NONE) {
		*state = probes[0].body;
		*troubles = probes[1].body;
		return true;
	}
	if (probes[0].status == 401)
		snprintf(why, size, "%s", o->key ? "this is not the admin key"
			: "the admin key is needed: set BACKSTAY_ADMIN_KEY to it");
	else
		snprintf(why, size, "%s does not answer (%.*s); is that the admin port?", text,
			 SLICE_ARG(probes[0].text));
	return false;
}

/* ---- the terminal --------------------------------------------------------------------------- */

static void put_all(struct slice s)
{
	fwrite(s.at, 1, s.len, stdout);
	fflush(stdout);
}

/* The page from the top left, each line erased to its end. */
static void paint(struct slice page)
{
	struct buf out = BUF_INIT(2 * TOP_BYTES_MAX);
	struct slice line;

	buf_puts(&out, HOME);
	while (slice_cut(page, '\n', &line, &page)) {
		buf_put(&out, line);
		buf_puts(&out, ERASE_LINE "\r\n");
	}
	buf_puts(&out, ERASE_BELOW);
	put_all(buf_slice(&out));
	buf_free(&out);
}

static struct top_page size_of_terminal(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row < 2)
		return (struct top_page){ .width = 100, .height = 40, .colour = true };
	/* The last line stays free, so that nothing scrolls. */
	return (struct top_page){ .width = size.ws_col, .height = size.ws_row - 1u, .colour = true };
}

static void draw(const struct options *o)
{
	struct arena *arena = arena_create(0);
	struct top_page page = size_of_terminal();
	struct buf out = BUF_INIT(TOP_BYTES_MAX);
	struct slice state, troubles;
	char why[512] = "this is not the state of a proxy of this version";

	if (!ask(o, arena, &state, &troubles, why, sizeof why) || !top_draw(state, troubles, &page, &out))
		buf_putf(&out, "%.*s\n", (int)page.width, why);
	paint(buf_slice(&out));
	buf_free(&out);
	arena_free(arena);
}

/* Until q is pressed; a key press is waited for a second at a time. */
static int watch(const struct options *o)
{
	struct sigaction stop = { .sa_handler = on_stop }, resize = { .sa_handler = on_resize };
	struct termios before, raw;
	bool tty = tcgetattr(STDIN_FILENO, &before) == 0;

	if (!tty) {
		fprintf(stderr, "backstay top: this is no terminal; use --once\n");
		return EXIT_USAGE;
	}
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 10;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGWINCH, &resize, NULL);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	put_all(S(ENTER));
	while (!stopped) {
		char c = 0;

		draw(o);
		if (read(STDIN_FILENO, &c, 1) == 1 && (c == 'q' || c == 'Q' || c == 4))
			break;
	}
	put_all(S(LEAVE));
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return EXIT_GOOD;
}

static int once(const struct options *o)
{
	struct arena *arena = arena_create(0);
	const struct top_page page = { .width = 160, .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") };
	struct buf out = BUF_INIT(TOP_BYTES_MAX);
	struct slice state, troubles;
	char why[512] = "this is not the state of a proxy of this version";
	bool ok = ask(o, arena, &state, &troubles, why, sizeof why) && top_draw(state, troubles, &page, &out);

	if (ok)
		put_all(buf_slice(&out));
	else
		fprintf(stderr, "backstay top: %s\n", why);
	buf_free(&out);
	arena_free(arena);
	return ok ? EXIT_GOOD : EXIT_TROUBLE;
}

int command_top(int argc, char **argv)
{
	struct options o = { .key = getenv("BACKSTAY_ADMIN_KEY") };
	const char *at = getenv("BACKSTAY_ADMIN");
	char why[256];

	if (!at || !*at)
		at = "127.0.0.1:9090";
	if (o.key && !*o.key)
		o.key = NULL;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0) {
			o.once = true;
		} else if ((strcmp(argv[i], "-a") == 0 || strcmp(argv[i], "--admin") == 0) && i + 1 < argc) {
			at = argv[++i];
		} else {
			snprintf(why, sizeof why, "there is no option '%s', or it lacks its value", argv[i]);
			return command_complain("top", why);
		}
	}
	if (!io_addr_parse(slice_of(at), &o.at) || o.at.family == IO_UNIX) {
		snprintf(why, sizeof why, "'%s' is no address; write 127.0.0.1:9090, say", at);
		return command_complain("top", why);
	}
	return o.once ? once(&o) : watch(&o);
}
