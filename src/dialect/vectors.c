#include "dialect/vectors.h"

#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define NUMBER_BYTES_MAX 63

static float number_of(struct slice raw)
{
	char text[NUMBER_BYTES_MAX + 1];
	float value;

	if (raw.len == 0 || raw.len > NUMBER_BYTES_MAX || json_type_of(raw) != JSON_NUMBER)
		return 0;
	memcpy(text, raw.at, raw.len);
	text[raw.len] = 0;
	value = strtof(text, NULL);
	return value;
}

/* Three bytes at a time. */
struct base64_out {
	struct json_make *m;
	unsigned bits, held;         /* what has not been written yet, and how many bytes it is */
};

static void put_group(struct base64_out *o, unsigned bytes)
{
	char four[4];

	for (unsigned i = 0; i < 4; i++)
		four[i] = i <= bytes ? alphabet[o->bits >> (18 - 6 * i) & 63] : '=';
	json_out_put(&o->m->out, (struct slice){ four, 4 });
	o->bits = o->held = 0;
}

static void put_byte(struct base64_out *o, unsigned byte)
{
	o->bits |= (byte & 255u) << (16 - 8 * o->held);
	if (++o->held == 3)
		put_group(o, 3);
}

static void make_base64(struct json_make *m, const char *name, struct slice numbers)
{
	struct base64_out o = { .m = m };
	struct slice one;

	make_string(m, name);
	while (json_next(&numbers, NULL, &one)) {
		float value = number_of(one);
		uint32_t bits;

		memcpy(&bits, &value, sizeof bits);
		for (unsigned i = 0; i < 4; i++)
			put_byte(&o, bits >> 8 * i);
	}
	if (o.held)
		put_group(&o, o.held);
	make_string_end(m);
}

static int digit_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static void make_float(struct json_make *m, uint32_t bits)
{
	char text[32];
	float value;
	int len;

	memcpy(&value, &bits, sizeof value);
	/* What is no number cannot stand in JSON. */
	len = value - value == 0 ? snprintf(text, sizeof text, "%.9g", (double)value)
				 : snprintf(text, sizeof text, "0");
	make_raw(m, NULL, (struct slice){ text, (size_t)len });
}

static void make_array_of(struct json_make *m, const char *name, struct slice base64)
{
	uint32_t value = 0, group = 0;
	unsigned bytes = 0, digits = 0;

	make_array(m, name);
	for (size_t i = 0; i < base64.len; i++) {
		int digit = digit_of(base64.at[i]);

		if (base64.at[i] == '\\')        /* "\/" */
			continue;
		if (digit < 0)
			break;
		group = group << 6 | (uint32_t)digit;
		digits += 6;
		if (digits < 8)
			continue;
		digits -= 8;
		value |= (group >> digits & 255u) << 8 * bytes;
		if (++bytes == 4) {
			make_float(m, value);
			value = bytes = 0;
		}
	}
	make_array_end(m);
}

void make_vector(struct json_make *m, const char *name, struct slice raw, bool base64)
{
	bool is_text = json_type_of(raw) == JSON_STRING;

	if (is_text == base64)
		make_raw(m, name, raw);
	else if (is_text)
		make_array_of(m, name, slice_sub(raw, 1, raw.len - 1));
	else
		make_base64(m, name, raw);
}
