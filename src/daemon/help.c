/* What a person reads first. */
#include "daemon/command.h"

#include "base/buf.h"
#include "mock/mock_args.h"

static void put(FILE *out, const char *text)
{
	fputs(text, out);
}

void help_overview(FILE *out)
{
	put(out,
	    "backstay: an LLM proxy that keeps answering while the models behind it fail.\n"
	    "\n"
	    "Your application speaks the API it knows to one address. Backstay spreads the work\n"
	    "over redundant backends, tries another one unseen when one fails, falls back to\n"
	    "other models, and never ends a broken stream as if it were complete.\n"
	    "\n"
	    "  backstay COMMAND [OPTIONS]\n"
	    "\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-9s %s\n", c->name, c->summary);
	put(out,
	    "\n"
	    "To begin:\n"
	    "  OPENAI_API_KEY=... ANTHROPIC_API_KEY=... backstay run     no file needed\n"
	    "  backstay run -c backstay.yaml                             with one\n"
	    "  backstay check -c backstay.yaml --live                    is all well?\n"
	    "  curl http://127.0.0.1:8080/v1/models                      what is served\n"
	    "\n"
	    "Exit codes: 0 well, 1 it did not work, 2 wrong options or a refused config.\n"
	    "More about a command: backstay help COMMAND.\n");
}

void help_run(FILE *out)
{
	put(out,
	    "backstay run [-c FILE]: serve.\n"
	    "\n"
	    "  -c, --config FILE   the config. Without it: $BACKSTAY_CONFIG, then\n"
	    "                      /etc/backstay/backstay.yaml, then the environment.\n"
	    "\n"
	    "Without a file, backends are made of the API keys in the environment\n"
	    "(OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY or GOOGLE_API_KEY,\n"
	    "AZURE_OPENAI_API_KEY with AZURE_OPENAI_ENDPOINT, MISTRAL_API_KEY, GROQ_API_KEY,\n"
	    "DEEPSEEK_API_KEY, OPENROUTER_API_KEY) and of local model servers that answer\n"
	    "(Ollama, vLLM, llama.cpp, LM Studio). It says what it found.\n"
	    "\n"
	    "Processes: a supervisor keeps the listening sockets and starts the serving\n"
	    "process; if that dies, it is started again at once, and clients wait in the\n"
	    "kernel's queue instead of being refused.\n"
	    "\n"
	    "Signals, to the supervisor (the process you started):\n"
	    "  SIGTERM, SIGINT   stop accepting, finish what is under way (at most `drain`\n"
	    "                    of the config, 30s by default), end the rest honestly. A\n"
	    "                    second one: at once.\n"
	    "  SIGHUP            read the config again. A bad one is refused, line by line,\n"
	    "                    and the old one goes on. A changed file is noticed without it.\n"
	    "  SIGUSR1           open log files again (logrotate).\n"
	    "\n"
	    "Output: one line an exchange to stdout (`log.access` of the config: JSON, or a\n"
	    "short readable form where stdout is a terminal), the operator's log to stderr.\n"
	    "\n"
	    "On the admin port (127.0.0.1:9090 by default): / dashboard, /status as JSON,\n"
	    "/metrics for Prometheus, /healthz, /readyz (503 while draining).\n"
	    "\n"
	    "Exit codes: 0 stopped as asked; 1 it could not start or go on (port in use,\n"
	    "for instance); 2 wrong options, a refused config, or nothing to serve.\n");
}

void help_check(FILE *out)
{
	put(out,
	    "backstay check [-c FILE] [--live]: is this config good?\n"
	    "\n"
	    "  -c, --config FILE   the config; found as by 'backstay run' without it\n"
	    "  --live              also ask each backend for its models, with its key, and\n"
	    "                      say how long it took or what is wrong and what to do\n"
	    "\n"
	    "All mistakes are listed, not just the first: file:line:column, what is wrong,\n"
	    "and the remedy.\n"
	    "\n"
	    "Exit codes: 0 good; 1 a backend failed the live check; 2 the config is refused.\n");
}

void help_mock(FILE *out)
{
	struct buf text = BUF_INIT(256 * 1024);

	mock_args_write_help(&text);
	fwrite(buf_slice(&text).at, 1, buf_len(&text), out);
	buf_free(&text);
}

void help_alert(FILE *out)
{
	put(out,
	    "backstay alert test [-c FILE] [SINK...]: do alerts arrive?\n"
	    "\n"
	    "  -c, --config FILE   the config; found as by 'backstay run' without it\n"
	    "  SINK                names from `alerts.sinks` of the config; all without them\n"
	    "\n"
	    "Sends a test alert and, where all have taken it, its end to each sink, and says\n"
	    "how long it took, or what is wrong and what to do. No running proxy is needed.\n"
	    "\n"
	    "Exit codes: 0 all have taken it; 1 one has not; 2 wrong options, or no such sink.\n");
}

void help_top(FILE *out)
{
	put(out,
	    "backstay top [-a ADDRESS] [--once]: models, targets and trouble, live.\n"
	    "\n"
	    "  -a, --admin ADDRESS the admin port of a running proxy; $BACKSTAY_ADMIN, or\n"
	    "                      127.0.0.1:9090, without it\n"
	    "  --once              print one page and end, for scripts\n"
	    "\n"
	    "Where looking needs the admin key, it is read from $BACKSTAY_ADMIN_KEY. 'q' ends\n"
	    "it. NO_COLOR is heeded by --once.\n"
	    "\n"
	    "Exit codes: 0 well; 1 the port does not answer; 2 wrong options.\n");
}

void help_cache(FILE *out)
{
	put(out,
	    "backstay cache COMMAND [-c FILE]: kept answers of a running proxy\n"
	    "\n"
	    "  stats               how many there are, and how the stores are doing\n"
	    "  get KEY [--body]    what is known of one in memory; with --body the answer too\n"
	    "  purge --all | --model NAME | --tag NAME | --key KEY\n"
	    "                      drops them: in memory, on disk, and on all machines that\n"
	    "                      share a store\n"
	    "  -c, --config FILE   the config; found as by 'backstay run' without it\n"
	    "\n"
	    "KEY is `cache_key` of a line of the access log. The admin port is where the config\n"
	    "says; its key is taken from the environment: BACKSTAY_ADMIN_KEY.\n"
	    "\n"
	    "Exit codes: 0 done; 1 the proxy was not there, or refused; 2 wrong options.\n");
}

void help_version(FILE *out)
{
	put(out, "backstay version: the version, and that of each library it runs with.\n");
}

void help_help(FILE *out)
{
	put(out, "backstay help [COMMAND]: all commands, or more about one.\n");
}

int command_help(int argc, char **argv)
{
	const struct command *c;

	if (argc == 0) {
		help_overview(stdout);
		return EXIT_GOOD;
	}
	c = command_find(slice_of(argv[0]));
	if (!c) {
		const char *nearest = command_nearest(slice_of(argv[0]));

		fprintf(stderr, "backstay help: there is no command '%s'%s%s%s\n", argv[0],
			nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
		return EXIT_USAGE;
	}
	c->help(stdout);
	return EXIT_GOOD;
}
