#include "config/inside.h"

#include <string.h>

struct unit {
	const char *name;
	int64_t factor;               /* of the base unit (ms, byte) */
};

/* Ascending, so that the largest fitting one is found from the end. */
static const struct unit durations[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 },
};
static const struct unit sizes[] = {
	{ "B", 1 }, { "KB", 1000 }, { "KiB", 1024 }, { "MB", 1000 * 1000 }, { "MiB", 1024 * 1024 },
	{ "GB", 1000 * 1000 * 1000 }, { "GiB", 1024 * 1024 * 1024 },
};

/* Digits and dots in front, the unit behind; no space between. */
static void split_number(struct slice s, struct slice *number, struct slice *unit)
{
	size_t at = 0;

	while (at < s.len && ((s.at[at] >= '0' && s.at[at] <= '9') || s.at[at] == '.'))
		at++;
	*number = slice_sub(s, 0, at);
	*unit = slice_trim(slice_from(s, at));
}

static const char *with_unit(struct arena *scratch, struct slice s, const struct unit *units,
			     size_t unit_count, const char *example, const char *names, int64_t *out)
{
	struct slice number, unit;
	int64_t milli;

	split_number(s, &number, &unit);
	if (!slice_to_milli(number, &milli))
		return arena_printf(scratch, "is not a number with a unit; write it like %s%s",
				    example, names).at;
	if (unit.len == 0)
		return arena_printf(scratch, "needs a unit; such as %.*s%s%s", SLICE_ARG(number),
				    example + strspn(example, "0123456789"), names).at;
	for (size_t i = 0; i < unit_count; i++) {
		if (!slice_eq(unit, slice_of(units[i].name)))
			continue;
		if (milli > INT64_MAX / units[i].factor)
			return "is too large; write a smaller number";
		if (milli * units[i].factor % 1000 != 0)
			return "is finer than the smallest unit; round it";
		*out = milli * units[i].factor / 1000;
		return NULL;
	}
	for (size_t i = 0; i < unit_count; i++)
		if (slice_eq_nocase(unit, slice_of(units[i].name)))
			return arena_printf(scratch, "has an unknown unit; did you mean %.*s%s?",
					    SLICE_ARG(number), units[i].name).at;
	return arena_printf(scratch, "has an unknown unit; write it like %s%s", example, names).at;
}

const char *value_duration(struct arena *scratch, struct slice s, int64_t *out_ms)
{
	return with_unit(scratch, s, durations, COUNT_OF(durations), "12s",
			 " (units: ms, s, m, h)", out_ms);
}

const char *value_size(struct arena *scratch, struct slice s, int64_t *out_bytes)
{
	return with_unit(scratch, s, sizes, COUNT_OF(sizes), "64KiB",
			 " (units: B, KB, KiB, MB, MiB, GB, GiB)", out_bytes);
}

const char *value_count(struct arena *scratch, struct slice s, int64_t *out)
{
	(void)scratch;
	if (!slice_to_i64(s, out))
		return "is not a whole number; write digits only";
	return NULL;
}

const char *value_percent(struct arena *scratch, struct slice s, int64_t *out_milli)
{
	struct slice number, unit;
	int64_t milli;

	split_number(s, &number, &unit);
	if (!slice_to_milli(number, &milli))
		return "is not a percentage; write it like 20%";
	if (!slice_eq(unit, S("%")))
		return arena_printf(scratch, "needs a percent sign; such as %.*s%%",
				    SLICE_ARG(number)).at;
	if (milli > 100 * 1000)
		return "is above 100%; write a smaller number";
	*out_milli = milli;
	return NULL;
}

const char *value_bool(struct slice s, bool *out)
{
	static const char *const names[] = { "off", "on", "no", "yes", "false", "true" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (slice_eq_nocase(s, slice_of(names[i]))) {
			*out = i % 2 == 1;
			return NULL;
		}
	}
	return "is neither on nor off; write on or off";
}

static struct slice in_unit(struct arena *scratch, int64_t value, const struct unit *units,
			    size_t count)
{
	size_t at = count - 1;

	while (at > 0 && (value < units[at].factor || value % units[at].factor != 0))
		at--;
	if (value == 0)
		at = units == durations ? 1 : 0;
	return arena_printf(scratch, "%lld%s", (long long)(value / units[at].factor), units[at].name);
}

struct slice value_duration_text(struct arena *scratch, int64_t ms)
{
	return in_unit(scratch, ms, durations, COUNT_OF(durations));
}

struct slice value_size_text(struct arena *scratch, int64_t bytes)
{
	return in_unit(scratch, bytes, sizes, COUNT_OF(sizes));
}

bool value_is_visible(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= 0x20 || s.at[i] >= 0x7f)
			return false;
	return true;
}

bool value_is_name(struct slice s, const char *more, size_t max)
{
	if (s.len == 0 || s.len > max)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && (c == '\0' || !strchr(more, c)))
			return false;
	}
	return true;
}

static const char *listen_unix(struct reader *r, struct slice path, struct io_addr *out)
{
	struct slice full = config_path_of(r, path);

	if (path.len == 0)
		return "names no socket; write unix:/run/backstay.sock";
	if (full.len >= sizeof out->path)
		return "is too long for a unix socket; at most 107 bytes";
	*out = (struct io_addr){ .family = IO_UNIX };
	memcpy(out->path, full.at, full.len);
	return NULL;
}

const char *value_listen(struct reader *r, struct slice s, struct io_addr *out)
{
	struct slice host = s, port = s;
	struct io_addr addr;
	uint64_t number;

	if (slice_starts(s, S("unix:")))
		return listen_unix(r, slice_from(s, 5), out);
	for (size_t i = s.len; i > 0; i--) {
		if (s.at[i - 1] == ':') {
			host = slice_sub(s, 0, i - 1);
			port = slice_from(s, i);
			break;
		}
	}
	if (slice_to_u64(port, &number) && number <= 65535 &&
	    (host.at == port.at || host.len == 0 || slice_eq(host, S("*"))))
		return arena_printf(r->scratch, "is only a port; write 127.0.0.1:%.*s for this machine "
				    "alone, or 0.0.0.0:%.*s for every network", SLICE_ARG(port),
				    SLICE_ARG(port)).at;
	if (slice_eq_nocase(host, S("localhost")))
		s = arena_printf(r->scratch, "127.0.0.1:%.*s", SLICE_ARG(port));
	if (!io_addr_parse(s, &addr))
		return "is not an address to listen on; write it like 127.0.0.1:8080, [::1]:8080 or "
		       "unix:/run/backstay.sock";
	*out = addr;
	return NULL;
}
