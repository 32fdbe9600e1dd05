#include "mock/mock_args.h"

#include "mock/mock_behaviour.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool PRINTF_LIKE(3, 4) fail(char *why, size_t why_size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (why_size)
		vsnprintf(why, why_size, format, args);
	va_end(args);
	return false;
}

static bool read_listen(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	char with_host[64];
	uint64_t port;

	if (out->listen_count == MOCK_LISTEN_MAX)
		return fail(why, why_size, "--listen can be given at most %d times", MOCK_LISTEN_MAX);
	if (slice_to_u64(slice_of(value), &port) && port <= 65535) {
		snprintf(with_host, sizeof with_host, "127.0.0.1:%u", (unsigned)port);
		value = with_host;
	}
	if (!io_addr_parse(slice_of(value), &out->listen[out->listen_count]))
		return fail(why, why_size, "--listen %s: write a port (9001), an address and port "
			    "(127.0.0.1:9001, [::1]:9001) or unix:/path", value);
	out->listen_count++;
	return true;
}

static bool read_name(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == ';' || *p == '@')
			return fail(why, why_size, "--name %s: spaces, ';' and '@' cannot be in a name", value);
	out->options.name = slice_of(value);
	return true;
}

static bool read_seed(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	if (slice_to_u64(slice_of(value), &out->options.seed))
		return true;
	return fail(why, why_size, "--seed %s: write a whole number", value);
}

static bool read_model(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	if (out->options.model_count == MOCK_MODELS_MAX)
		return fail(why, why_size, "--model can be given at most %d times", MOCK_MODELS_MAX);
	out->options.models[out->options.model_count++] = slice_of(value);
	return true;
}

static bool read_ttft(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	if (mock_parse_ms(slice_of(value), &out->options.ttft_ms))
		return true;
	return fail(why, why_size, "--ttft %s: write a duration such as 300ms or 2s", value);
}

static bool read_gap(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	if (mock_parse_ms(slice_of(value), &out->options.gap_ms))
		return true;
	return fail(why, why_size, "--gap %s: write a duration such as 20ms", value);
}

static bool read_tokens(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	uint64_t n;

	if (!slice_to_u64(slice_of(value), &n) || !n || n > 100000)
		return fail(why, why_size, "--tokens %s: write a number from 1 to 100000", value);
	out->options.tokens = (unsigned)n;
	return true;
}

static bool read_fault(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	char inner[256];

	out->fault = slice_of(value);
	if (mock_check_behaviour(out->fault, inner, sizeof inner))
		return true;
	return fail(why, why_size, "--fault: %s", inner);
}

static bool read_key(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	if (!*value)
		return fail(why, why_size, "--key wants the key that clients must send");
	out->options.key = slice_of(value);
	return true;
}

static bool read_cert(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	(void)why;
	(void)why_size;
	out->tls_cert = value;
	return true;
}

static bool read_tls_key(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	(void)why;
	(void)why_size;
	out->tls_key = value;
	return true;
}

static bool read_echo(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	(void)value;
	(void)why;
	(void)why_size;
	out->options.echo = true;
	return true;
}

static bool read_record(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	(void)value;
	(void)why;
	(void)why_size;
	out->options.record = true;
	return true;
}

static bool read_ignore_header(struct mock_args *out, const char *value, char *why, size_t why_size)
{
	(void)value;
	(void)why;
	(void)why_size;
	out->options.ignore_header = true;
	return true;
}

static const struct {
	const char *name, *value;
	/* What the option does with its value. False: *why says what is wrong. */
	bool (*read)(struct mock_args *out, const char *value, char *why, size_t why_size);
	const char *what;
} options[] = {
	{ "--listen", "ADDR", read_listen, "port, address:port or unix:/path; may be repeated (127.0.0.1:9001)" },
	{ "--name", "NAME", read_name, "sent as x-mock-name with each answer (mock)" },
	{ "--model", "NAME", read_model, "a model served; may be repeated; without it every name is" },
	{ "--seed", "N", read_seed, "of texts and random shares; the same seed says the same words (0)" },
	{ "--tokens", "N", read_tokens, "length of an answer (24)" },
	{ "--ttft", "TIME", read_ttft, "wait before the first token (0)" },
	{ "--gap", "TIME", read_gap, "wait between tokens (0: all at once)" },
	{ "--fault", "SPEC", read_fault, "how to behave: words of the list below (ok)" },
	{ "--key", "KEY", read_key, "the API key that requests must carry (none)" },
	{ "--echo", NULL, read_echo, "answer with the last user message" },
	{ "--record", NULL, read_record, "keep the last request for GET /mock/last" },
	{ "--ignore-header", NULL, read_ignore_header, "x-mock-fault headers have no effect" },
	{ "--tls-cert", "FILE", read_cert, "serve TLS with this certificate chain (PEM)" },
	{ "--tls-key", "FILE", read_tls_key, "and this private key (PEM)" },
};

static size_t find_option(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(options); i++)
		if (slice_eq(name, slice_of(options[i].name)))
			return i;
	return COUNT_OF(options);
}

static bool fail_unknown(const char *arg, char *why, size_t why_size)
{
	size_t least = 4, best = COUNT_OF(options);

	for (size_t i = 0; i < COUNT_OF(options); i++) {
		size_t d = slice_edit_distance(slice_of(arg), slice_of(options[i].name));

		if (d < least) {
			least = d;
			best = i;
		}
	}
	if (best < COUNT_OF(options))
		return fail(why, why_size, "%s is not an option; did you mean %s?", arg, options[best].name);
	return fail(why, why_size, "%s is not an option; `backstay mock --help` lists them", arg);
}

/* Reads one option at argv[*at], moving *at to the last word it used. */
static bool read_one(struct mock_args *out, int argc, char **argv, int *at, char *why, size_t why_size)
{
	struct slice name = slice_of(argv[*at]), value = SLICE_NONE;
	bool joined = slice_cut(name, '=', &name, &value);
	size_t i = find_option(name);

	if (i == COUNT_OF(options))
		return fail_unknown(argv[*at], why, why_size);
	if (!options[i].value) {
		if (joined)
			return fail(why, why_size, "%s takes no value", options[i].name);
		return options[i].read(out, "", why, why_size);
	}
	if (!joined) {
		if (++*at == argc)
			return fail(why, why_size, "%s wants %s after it: %s", options[i].name, options[i].value,
				    options[i].what);
		return options[i].read(out, argv[*at], why, why_size);
	}
	return options[i].read(out, value.at, why, why_size);
}

bool mock_args_parse(struct mock_args *out, int argc, char **argv, char *why, size_t why_size)
{
	*out = (struct mock_args){ 0 };
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			out->help = true;
			return true;
		}
		if (!read_one(out, argc, argv, &i, why, why_size))
			return false;
	}
	if (!out->tls_cert != !out->tls_key)
		return fail(why, why_size, "--tls-cert and --tls-key belong together: give both");
	if (!out->listen_count)
		return read_listen(out, "127.0.0.1:9001", why, why_size);
	return true;
}

void mock_args_write_help(struct buf *out)
{
	buf_puts(out, "Usage: backstay mock [options]\n\n"
		 "A simulated model server that speaks OpenAI's API, and fails on request.\n\n");
	for (size_t i = 0; i < COUNT_OF(options); i++)
		buf_putf(out, "  %-15s %-6s %s\n", options[i].name, options[i].value ? options[i].value : "",
			 options[i].what);
	buf_puts(out, "\nTry:  curl localhost:9001/v1/chat/completions \\\n"
		 "        -H 'x-mock-fault: gap 100ms cut after 5' \\\n"
		 "        -d '{\"model\":\"m\",\"stream\":true,"
		 "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}'\n"
		 "      curl localhost:9001/mock/stats\n"
		 "      curl localhost:9001/mock/behaviour -d 'status 503 times 3 then ok'\n\n"
		 "Behaviours, for --fault, the header x-mock-fault and POST /mock/behaviour. Words combine:\n"
		 "\"ttft 2s crlf cut after 5\". \"A then B\": one after the other, the last one stays.\n"
		 "In the header, \"@name A; B\" gives A to the mock of that name and B to the others.\n\n");
	mock_write_help(out);
}
