/* mock_behaviour.h: what a behaviour spec means; the grammar and its table.
 * Internal to the mock. */
#ifndef BACKSTAY_MOCK_MOCK_BEHAVIOUR_H
#define BACKSTAY_MOCK_MOCK_BEHAVIOUR_H

#include "base/check.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define MOCK_FOR_EVER INT64_MAX
#define MOCK_POINTS_MAX 4
#define MOCK_TEXT_MAX 200

enum mock_connection {
	CONNECTION_OK, CONNECTION_RESET, CONNECTION_CLOSE, CONNECTION_MUTE, CONNECTION_JUNK,
};
/* What happens instead of an answer, once the request is (or is not yet) read. */
enum mock_instead {
	INSTEAD_NO, INSTEAD_SILENCE, INSTEAD_CONTINUE_EOF, INSTEAD_JUNK_TLS, INSTEAD_JUNK_SSH,
	INSTEAD_JUNK_HTTP09, INSTEAD_JUNK_BINARY, INSTEAD_TRUNCATED_HEAD, INSTEAD_HEAD_ONLY,
	INSTEAD_HANG_UP, INSTEAD_STALE,
};
enum mock_point_kind {
	POINT_STALL, POINT_CUT, POINT_END, POINT_RESET, POINT_MID_EVENT, POINT_ERROR, POINT_BAD_JSON, POINT_BAD_SUM,
	POINT_BAD_CHUNK, POINT_BIG_EVENT, POINT_NEW_ID, POINT_UNKNOWN, POINT_FILTER,
};
enum mock_shape {
	SHAPE_OPENAI, SHAPE_VLLM, SHAPE_OPENROUTER, SHAPE_RAW, SHAPE_EVENT, SHAPE_STRING,
	SHAPE_DETAIL, SHAPE_MESSAGE, SHAPE_LIST, SHAPE_ANTHROPIC, SHAPE_PLAIN,
};
enum mock_length {
	LENGTH_RIGHT, LENGTH_PLUS, LENGTH_TWO, LENGTH_NEGATIVE, LENGTH_RUBBISH, LENGTH_AND_CHUNKED,
	LENGTH_NONE,
};
enum mock_gzip { GZIP_NOT, GZIP_RIGHT, GZIP_CORRUPT, GZIP_CUT, GZIP_BOMB };
enum mock_usage { USAGE_ASKED, USAGE_EVERY, USAGE_IN_FINISH, USAGE_NEVER, USAGE_ALWAYS };
enum mock_ending {
	ENDING_RIGHT, ENDING_NO_DONE, ENDING_NO_FINISH, ENDING_NOTHING, ENDING_DONE_ONLY,
	ENDING_FINISH_NULL, ENDING_DUP_FINISH, ENDING_AFTER_DONE, ENDING_STAY_OPEN,
};
enum mock_tool { TOOL_ASKED, TOOL_FORCED, TOOL_NO_INDEX, TOOL_ONE_CHUNK, TOOL_SAME_INDEX, TOOL_CUT, TOOL_TWO };
enum mock_body {
	BODY_RIGHT, BODY_HTML, BODY_EMPTY, BODY_TRUNCATED, BODY_ERROR_200, BODY_JSON_FOR_STREAM,
	BODY_SSE_FOR_JSON, BODY_NO_CHOICES, BODY_NULL_CHOICES, BODY_MISSING_CHOICES,
	BODY_NULL_MESSAGE, BODY_NULL_CONTENT, BODY_DUP_KEYS, BODY_NAN, BODY_HUGE_NUMBER,
	BODY_SURROGATE, BODY_DEEP, BODY_BAD_UTF8, BODY_LIST, BODY_BIG,
};

/* Something that happens in the middle of a body, after so many pieces. */
struct mock_point {
	enum mock_point_kind kind;
	uint32_t after;
	int64_t for_ms;               /* stall: how long; MOCK_FOR_EVER */
	uint64_t size;                /* big event: bytes */
};

struct mock_behaviour {
	bool healthy;                 /* no word but timing was given */
	uint32_t times;               /* of consecutive requests; at least 1 */
	uint32_t percent;             /* share of requests it is done to */

	uint32_t connection;          /* enum mock_connection */
	uint32_t instead;             /* enum mock_instead */
	uint32_t early;               /* answer before the request's body is read */
	int64_t idle_close_ms, idle_reset_ms, idle_junk_ms;    /* after the answer; -1: not */
	uint32_t close_after;         /* Connection: close */

	int64_t delay_ms;             /* before the head */
	int64_t lives_ms;             /* of a token it gives; 0: an hour */
	int64_t clock_ahead_ms;       /* how far its clock is before ours */
	int64_t ttft_ms, gap_ms;      /* -1: the mock's own */
	uint32_t tokens;              /* 0: the mock's own */
	uint64_t drip_bytes;          /* 0: not */
	int64_t drip_ms;
	uint64_t cut_at, reset_at;    /* bytes of the answer on the wire, head included */
	bool has_cut_at, has_reset_at;

	uint32_t status;              /* 0: 200 and a right answer */
	char code[48];                /* error.code and error.type: by status if empty */
	char type[48];
	char message[MOCK_TEXT_MAX];
	char retry_after[48], retry_after_ms[24], should_retry[8];
	uint32_t error_shape;         /* enum mock_shape, of whole error bodies */
	char location[MOCK_TEXT_MAX];

	uint32_t informational;       /* 1xx heads before the answer */
	char rate_limit[24], rate_left[24], rate_reset[24];  /* of requests; empty: plenty */
	uint64_t header_bytes;        /* extra, in one header each KiB */
	uint32_t http10;
	uint32_t length;              /* enum mock_length */
	uint64_t length_plus;
	uint32_t extra_bytes, trailers, bad_chunk;
	uint32_t gzip;                /* enum mock_gzip */
	uint64_t gzip_bomb_bytes;
	uint64_t whitespace_lines;    /* before a JSON body */
	int64_t whitespace_ms;

	uint32_t body;                /* enum mock_body */
	uint64_t body_bytes;          /* BODY_BIG */
	uint32_t ending;              /* enum mock_ending */
	uint32_t usage;               /* enum mock_usage */
	uint32_t tool;                /* enum mock_tool */
	uint32_t own_index;           /* the second of TOOL_SAME_INDEX has an index of its own */
	uint32_t finish_stop_with_tools, empty_choices_first, unknown_events, role_early, dup_role;
	uint32_t reasoning, refusal, filter, no_prefill;
	int64_t comments_ms;          /* keep-alive comments this often before the first token; -1: not */
	uint32_t comments_only;
	uint32_t crlf, cr, multi_data, split_utf8, bom, blank_lines, no_space;
	struct mock_point points[MOCK_POINTS_MAX];
	uint32_t point_count;
	uint32_t shape;               /* enum mock_shape, of in-band errors */
};

/* Healthy, once. */
struct mock_behaviour mock_behaviour_healthy(void);

struct mock_plan;

/* Reads "A then B times 3 then ok". NULL with a sentence in why. */
struct mock_plan *mock_plan_parse(struct slice spec, char *why, size_t why_size);
void mock_plan_free(struct mock_plan *plan);             /* NULL is fine */
size_t mock_plan_count(const struct mock_plan *plan);
const struct mock_behaviour *mock_plan_at(const struct mock_plan *plan, size_t index);
/* What comes next, without taking it; the last behaviour stays. */
const struct mock_behaviour *mock_plan_peek(const struct mock_plan *plan);
/* Takes it: the next call may see the next one. */
const struct mock_behaviour *mock_plan_next(struct mock_plan *plan);

/* Reads one behaviour, without "then" and "times". `out` is healthy for an
 * empty text. */
bool mock_behaviour_parse(struct slice text, struct mock_behaviour *out, char *why, size_t why_size);
/* The same for an x-mock-fault header of a mock called `name`: parts divided by
 * ';', each perhaps addressed ("@name spec"); the first that is for us counts. */
bool mock_behaviour_parse_header(struct slice text, struct slice name, struct mock_behaviour *out,
				 char *why, size_t why_size);

/* How a word's arguments are read. */
enum mock_word_kind {
	WORD_SET,             /* no argument: puts `value` */
	WORD_MS,              /* a duration */
	WORD_MS_OR,           /* a duration, or `value` ms if none follows */
	WORD_COUNT,           /* a whole number */
	WORD_COUNT_OR,        /* a whole number, or `value` if none follows */
	WORD_BYTES,           /* a size: 700, 64k, 2m */
	WORD_TEXT,            /* one word, kept as it is */
	WORD_POINT,           /* "first", "after N" or nothing (= first) */
	WORD_SPECIAL,         /* own function */
};

struct mock_reader {
	struct slice rest;
	struct slice word;            /* the behaviour word being read */
	char *why;
	size_t why_size;
};

struct mock_word {
	const char *name, *args;
	enum mock_word_kind kind;
	size_t offset;                /* of the member in struct mock_behaviour */
	size_t size;                  /* WORD_TEXT: room; WORD_SET and others: bytes of the member */
	int64_t value;
	bool (*read)(struct mock_reader *r, struct mock_behaviour *b);
	const char *group;            /* heading in the help */
	const char *what;             /* sentence without full stop */
	const char *rows;             /* ids of the failure catalogue, "" if none */
};

extern const struct mock_word mock_words[];
extern const size_t mock_word_count;

#define MOCK_GROUP_WHEN "When"
#define MOCK_GROUP_TIMING "Timing"

/* "first", "after N", "for D" behind a word: adds a point of that kind. */
bool mock_read_point(struct mock_reader *r, struct mock_behaviour *b, enum mock_point_kind kind);
/* Next word of the spec; false at the end. */
bool mock_read_word(struct mock_reader *r, struct slice *word);
/* The word that follows, without taking it; empty at the end. */
struct slice mock_peek_word(const struct mock_reader *r);
/* "500ms", "2s", "1m", "1h", bare number = ms. False: *out untouched. */
bool mock_parse_ms(struct slice text, int64_t *out);
/* "700", "64k", "2m". False: *out untouched. */
bool mock_parse_bytes(struct slice text, uint64_t *out);

#endif
