/* gemini_words.c: words of the Gemini API, and what they mean. */
#include "dialect/gemini.h"

#include "base/check.h"

#include <string.h>

/* ---- how an answer ends ---------------------------------------------------------------- */

static const struct { struct slice word; enum gemini_end end; enum canon_finish finish; } finishes[] = {
	{ S_INIT("STOP"), GEMINI_WELL, CANON_FINISH_STOP },
	{ S_INIT("MAX_TOKENS"), GEMINI_WELL, CANON_FINISH_LENGTH },
	{ S_INIT("SAFETY"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("RECITATION"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("BLOCKLIST"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("PROHIBITED_CONTENT"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("SPII"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("LANGUAGE"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("MODEL_ARMOR"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("IMAGE_SAFETY"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("IMAGE_PROHIBITED_CONTENT"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("IMAGE_RECITATION"), GEMINI_WELL, CANON_FINISH_FILTER },
	{ S_INIT("MALFORMED_FUNCTION_CALL"), GEMINI_FAILED, CANON_FINISH_STOP },
	{ S_INIT("MALFORMED_RESPONSE"), GEMINI_FAILED, CANON_FINISH_STOP },
	{ S_INIT("UNEXPECTED_TOOL_CALL"), GEMINI_FAILED, CANON_FINISH_STOP },
	{ S_INIT("TOO_MANY_TOOL_CALLS"), GEMINI_FAILED, CANON_FINISH_STOP },
	{ S_INIT("MISSING_THOUGHT_SIGNATURE"), GEMINI_FAILED, CANON_FINISH_STOP },
	{ S_INIT("NO_IMAGE"), GEMINI_FAILED, CANON_FINISH_STOP },
	{ S_INIT("IMAGE_OTHER"), GEMINI_FAILED, CANON_FINISH_STOP },
	{ S_INIT("OTHER"), GEMINI_FAILED, CANON_FINISH_STOP },
};

enum gemini_end gemini_finish_of(struct slice raw, enum canon_finish *finish)
{
	*finish = CANON_FINISH_STOP;
	for (size_t i = 0; i < COUNT_OF(finishes); i++) {
		if (!json_string_eq(raw, finishes[i].word))
			continue;
		*finish = finishes[i].finish;
		return finishes[i].end;
	}
	return GEMINI_WELL;          /* what the future brings is an end all the same */
}

struct slice gemini_finish_word(enum canon_finish f)
{
	switch (f) {
	case CANON_FINISH_LENGTH: case CANON_FINISH_CONTEXT:
		return S("MAX_TOKENS");
	case CANON_FINISH_FILTER: case CANON_FINISH_REFUSAL:
		return S("SAFETY");
	case CANON_FINISH_STOP: case CANON_FINISH_CALLS: case CANON_FINISH_PAUSE:
	case CANON_FINISH_STOP_WORD:
		break;
	}
	return S("STOP");
}

bool gemini_is_blocked(struct arena *arena, struct slice feedback, struct slice *message)
{
	struct slice reason = json_string(arena, json_member(feedback, S("blockReason")));
	struct slice more = json_string(arena, json_member(feedback, S("blockReasonMessage")));

	if (!reason.len || slice_eq(reason, S("BLOCKED_REASON_UNSPECIFIED")) ||
	    slice_eq(reason, S("BLOCK_REASON_UNSPECIFIED")))
		return false;
	*message = arena_printf(arena, "the prompt was blocked: %.*s%s%.*s", SLICE_ARG(reason),
				more.len ? ": " : "", SLICE_ARG(more));
	return true;
}

/* ---- counts --------------------------------------------------------------------------- */

static int64_t count(struct slice raw, const char *name, bool *known)
{
	int64_t n;

	if (!json_i64(json_member(raw, slice_of(name)), &n) || n < 0)
		return 0;
	*known = true;
	return n;
}

static int64_t audio_tokens(struct slice list)
{
	struct slice one;
	int64_t n, sum = 0;

	if (json_type_of(list) != JSON_ARRAY)
		return 0;
	while (json_next(&list, NULL, &one))
		if (json_string_eq(json_member(one, S("modality")), S("AUDIO")) &&
		    json_i64(json_member(one, S("tokenCount")), &n) && n > 0)
			sum += n;
	return sum;
}

/* Google counts the thoughts beside the answer, and what its own tools were told
 * beside the prompt. */
void gemini_read_usage(struct slice raw, struct usage *out)
{
	struct usage u = { .known = false };
	bool known = false;

	if (json_is_nothing(raw) || json_type_of(raw) != JSON_OBJECT)
		return;
	u.input_tokens = count(raw, "promptTokenCount", &known) +
			 count(raw, "toolUsePromptTokenCount", &known);
	u.reasoning_tokens = count(raw, "thoughtsTokenCount", &known);
	u.output_tokens = count(raw, "candidatesTokenCount", &known) + u.reasoning_tokens;
	u.cached_tokens = count(raw, "cachedContentTokenCount", &known);
	u.audio_input_tokens = audio_tokens(json_member(raw, S("promptTokensDetails")));
	u.audio_output_tokens = audio_tokens(json_member(raw, S("candidatesTokensDetails")));
	u.known = known;
	if (known)
		*out = u;
}

/* ---- errors ----------------------------------------------------------------------------- */

struct slice gemini_status_word(int status)
{
	switch (status) {
	case 400: case 413: case 422: return S("INVALID_ARGUMENT");
	case 401: return S("UNAUTHENTICATED");
	case 403: return S("PERMISSION_DENIED");
	case 404: return S("NOT_FOUND");
	case 405: case 501: return S("UNIMPLEMENTED");
	case 409: return S("ABORTED");
	case 429: return S("RESOURCE_EXHAUSTED");
	case 499: return S("CANCELLED");
	case 503: return S("UNAVAILABLE");
	case 504: return S("DEADLINE_EXCEEDED");
	default:  return status >= 500 ? S("INTERNAL") : S("INVALID_ARGUMENT");
	}
}

/* ---- spelling ------------------------------------------------------------------------------ */

/* Below these stands what the caller made up. */
static bool is_callers_own(struct slice key)
{
	static const struct slice own[] = {
		S_INIT("args"), S_INIT("response"), S_INIT("parameters"), S_INIT("parametersJsonSchema"),
		S_INIT("responseSchema"), S_INIT("responseJsonSchema"), S_INIT("labels"),
	};

	for (size_t i = 0; i < COUNT_OF(own); i++)
		if (json_string_eq(key, own[i]))
			return true;
	return false;
}

static struct slice camel(struct arena *arena, struct slice key)
{
	char *text = arena_cstring(arena, key);
	size_t len = 0;

	for (size_t i = 0; i < key.len; i++) {
		char c = key.at[i];
		/* A leading underscore is part of the name ("_responseJsonSchema"). */
		bool joint = c == '_' && i > 1 && i + 2 < key.len;

		if (joint) {
			c = key.at[++i];
			c = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
		}
		text[len++] = c;
	}
	return (struct slice){ text, len };
}

void gemini_camel_case(struct arena *arena, struct json *j)
{
	for (struct json *c = j->first; c; c = c->next) {
		if (slice_find(c->key, '_') != SLICE_NOT_FOUND)
			c->key = camel(arena, c->key);
		if (!is_callers_own(c->key))
			gemini_camel_case(arena, c);
	}
}

/* ---- base64, proofs --------------------------------------------------------------------------- */

struct slice gemini_base64(struct arena *arena, struct slice text)
{
	size_t pad = text.len % 4 ? 4 - text.len % 4 : 0;
	char *to;

	if (!pad && slice_find(text, '-') == SLICE_NOT_FOUND && slice_find(text, '_') == SLICE_NOT_FOUND)
		return text;
	to = arena_alloc(arena, text.len + pad + 1);
	for (size_t i = 0; i < text.len; i++)
		to[i] = text.at[i] == '-' ? '+' : text.at[i] == '_' ? '/' : text.at[i];
	memset(to + text.len, '=', pad);
	return (struct slice){ to, text.len + pad };
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct slice encode64(struct arena *arena, struct slice s)
{
	char *to = arena_alloc(arena, s.len / 3 * 4 + 5);
	size_t len = 0;

	for (size_t i = 0; i < s.len; i += 3) {
		size_t left = s.len - i < 3 ? s.len - i : 3;
		uint32_t group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 | (k < left ? (unsigned char)s.at[i + k] : 0u);
		for (size_t k = 0; k < 4; k++)
			to[len++] = k <= left ? alphabet[group >> (18 - 6 * k) & 63] : '=';
	}
	return (struct slice){ to, len };
}

/* What is not base64 ends it. */
static struct slice decode64(struct arena *arena, struct slice s)
{
	char *to = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	uint32_t group = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < s.len; i++) {
		const char *found = s.at[i] ? strchr(alphabet, s.at[i]) : NULL;

		if (!found)
			break;
		group = (group << 6 | (uint32_t)(found - alphabet)) & 0xffffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		to[len++] = (char)(group >> bits & 0xff);
	}
	return (struct slice){ to, len };
}

#define FOREIGN "backstay."

struct slice gemini_proof(struct arena *arena, struct slice vendor, struct slice proof)
{
	struct slice text;

	if (slice_eq(vendor, S("gemini")))
		return proof;
	text = arena_printf(arena, FOREIGN "%.*s.%.*s", SLICE_ARG(vendor),
			    SLICE_ARG(json_string(arena, proof)));
	return canon_quote(arena, encode64(arena, text));
}

struct slice gemini_proof_read(struct arena *arena, struct slice raw, struct slice *vendor)
{
	struct slice text = json_string(arena, raw), proof, name;

	*vendor = S("gemini");
	if (slice_eq(raw, S(GEMINI_NO_SIGNATURE)))
		return SLICE_NONE;
	/* "backstay." is twelve letters in base64. */
	if (!slice_starts(gemini_base64(arena, text), encode64(arena, S(FOREIGN))))
		return raw;
	text = slice_from(decode64(arena, gemini_base64(arena, text)), sizeof FOREIGN - 1);
	if (!slice_cut(text, '.', &name, &proof))
		return raw;
	*vendor = name;
	return canon_quote(arena, proof);
}
