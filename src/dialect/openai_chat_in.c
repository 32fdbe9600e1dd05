/* openai_chat_in.c: a chat completion's answer, whole or streamed, read as
 * canonical events. Old completions and embeddings come this way too. */
#include "dialect/openai_chat.h"

#include "base/check.h"
#include "dialect/openai.h"
#include "dialect/usage.h"
#include "wire/json.h"

#define CALLS_MAX 128

/* A call as the backend counts it, and its place as we do. */
struct call_seen {
	unsigned choice;
	int64_t index;               /* as said; -1: never */
	uint64_t id;                 /* hash of its id; 0: none */
	int ordinal;                 /* among the choice's calls */
	bool told;                   /* CALL has been given */
	struct slice raw_id;         /* kept until then; arena */
};

struct chat_in {
	struct call_seen calls[CALLS_MAX];
	unsigned count;
	int next[64];                /* ordinals, by choice */
	uint64_t finished;           /* bit n: choice n had its FINISH */
	uint64_t seen;               /* bit n: choice n was heard of */
	uint64_t called;             /* bit n: choice n has calls */
};

static struct chat_in *own_of(struct codec_reader *r)
{
	if (!r->own)
		r->own = arena_new(r->arena, struct chat_in);
	return r->own;
}

static bool has_text(struct slice raw)
{
	return raw.len > 2 && raw.at[0] == '"';
}

/* ---- calls --------------------------------------------------------------------- */

static struct call_seen *add_call(struct chat_in *in, unsigned choice, int64_t index)
{
	struct call_seen *c;

	if (in->count == CALLS_MAX)
		return NULL;
	c = &in->calls[in->count++];
	*c = (struct call_seen){ .choice = choice, .index = index,
				 .ordinal = in->next[choice < 63 ? choice : 63]++ };
	return c;
}

/* Which call a delta belongs to (E25): by its id where it has one, by its index
 * where that is free of contradiction, else the last one that began. */
static struct call_seen *call_of(struct chat_in *in, unsigned choice, int64_t index, uint64_t id)
{
	struct call_seen *last = NULL, *same_index = NULL;

	for (unsigned i = 0; i < in->count; i++) {
		struct call_seen *c = &in->calls[i];

		if (c->choice != choice)
			continue;
		if (id && c->id == id)
			return c;
		if (index >= 0 && c->index == index)
			same_index = c;
		last = c;
	}
	if (same_index && (!id || !same_index->id))
		return same_index;
	if (!id && index < 0 && last)
		return last;
	return add_call(in, choice, index);
}

static void tell_call(struct call_seen *c, struct slice name, bool custom, struct slice signature,
		      struct codec_reader *r, struct canon_events *out)
{
	struct canon_event *e;

	if (c->told)
		return;
	c->told = true;
	r->content = true;
	r->calls++;
	e = canon_add(out, CANON_EVENT_CALL);
	e->choice = c->choice;
	e->call = c->ordinal;
	e->id = c->raw_id;
	e->name = name.len ? name : S("\"\"");
	e->custom = custom;
	e->signature = signature;
}

static void read_call(struct codec_reader *r, unsigned choice, struct slice call,
		      struct canon_events *out)
{
	struct chat_in *in = own_of(r);
	struct slice function = json_member(call, S("function")), custom = json_member(call, S("custom"));
	bool is_custom = json_is_nothing(function) && !json_is_nothing(custom);
	struct slice from = is_custom ? custom : function, id = json_member(call, S("id"));
	struct slice name = json_member(from, S("name"));
	struct slice text = json_member(from, is_custom ? S("input") : S("arguments"));
	struct slice signature = json_path(call, S("extra_content.google.thought_signature"));
	struct call_seen *c;
	struct canon_event *e;
	int64_t index;

	if (!json_i64(json_member(call, S("index")), &index))
		index = -1;
	c = call_of(in, choice, index, has_text(id) ? slice_hash(id, 1) | 1 : 0);
	if (!c)
		return;
	if (has_text(id) && !c->id) {
		c->id = slice_hash(id, 1) | 1;
		c->raw_id = arena_copy(r->arena, id);
	}
	in->called |= UINT64_C(1) << (choice < 63 ? choice : 63);
	if (has_text(name) || !json_is_nothing(text))
		tell_call(c, name, is_custom, has_text(signature) ? signature : SLICE_NONE, r, out);
	if (json_is_nothing(text) || (json_type_of(text) == JSON_STRING && text.len <= 2))
		return;
	e = canon_add(out, CANON_EVENT_ARGUMENTS);
	e->choice = choice;
	e->call = c->ordinal;
	e->text = canon_arguments_text(out->arena, text, json_type_of(text) == JSON_STRING);
}

static void read_calls(struct codec_reader *r, unsigned choice, struct slice calls,
		       struct canon_events *out)
{
	struct slice call;

	while (json_next(&calls, NULL, &call))
		if (json_type_of(call) == JSON_OBJECT)
			read_call(r, choice, call, out);
}

/* {"name", "arguments"}: the one call that answers of old had. */
static void read_function_call(struct codec_reader *r, unsigned choice, struct slice call,
			       struct canon_events *out)
{
	struct chat_in *in = own_of(r);
	struct slice text = json_member(call, S("arguments")), name = json_member(call, S("name"));
	struct call_seen *c = call_of(in, choice, -1, 0);
	struct canon_event *e;

	if (!c)
		return;
	in->called |= UINT64_C(1) << (choice < 63 ? choice : 63);
	if (!c->raw_id.len)
		c->raw_id = arena_copy(r->arena, has_text(name) ? name : S("\"call\""));
	tell_call(c, name, false, SLICE_NONE, r, out);
	if (!has_text(text))
		return;
	e = canon_add(out, CANON_EVENT_ARGUMENTS);
	e->choice = choice;
	e->call = c->ordinal;
	e->text = text;
}

/* ---- texts ------------------------------------------------------------------------ */

static void add_text(struct codec_reader *r, unsigned choice, enum canon_event_kind kind,
		     struct slice raw, struct canon_events *out)
{
	struct canon_event *e;

	if (!has_text(raw))
		return;
	r->content = true;
	e = canon_add(out, kind);
	e->choice = choice;
	e->text = raw;
}

/* Mistral's reasoning models: parts of type "text" and "thinking", the latter
 * with parts in it (docs.mistral.ai/capabilities/reasoning). */
static void read_parts(struct codec_reader *r, unsigned choice, struct slice parts,
		       struct canon_events *out)
{
	struct slice part, inner, thinking;

	while (json_next(&parts, NULL, &part)) {
		add_text(r, choice, CANON_EVENT_TEXT, json_member(part, S("text")), out);
		thinking = json_member(part, S("thinking"));
		add_text(r, choice, CANON_EVENT_REASONING, thinking, out);
		if (json_type_of(thinking) != JSON_ARRAY)
			continue;
		while (json_next(&thinking, NULL, &inner))
			add_text(r, choice, CANON_EVENT_REASONING, json_member(inner, S("text")), out);
	}
}

/* OpenRouter's details: what proves thinking. Its text stands in "reasoning". */
static void read_details(struct codec_reader *r, unsigned choice, struct slice details,
			 struct canon_events *out)
{
	struct slice one;

	while (json_next(&details, NULL, &one)) {
		struct slice vendor = json_string(out->arena, json_member(one, S("format")));
		size_t before = out->count;

		add_text(r, choice, CANON_EVENT_SIGNATURE, json_member(one, S("signature")), out);
		add_text(r, choice, CANON_EVENT_ENCRYPTED, json_member(one, S("data")), out);
		for (size_t i = before; i < out->count; i++)
			out->at[i].vendor = vendor;
	}
}

static void read_audio(struct codec_reader *r, unsigned choice, struct slice audio,
		       struct canon_events *out)
{
	struct slice data = json_member(audio, S("data")), said = json_member(audio, S("transcript"));
	struct canon_event *e;

	if (!has_text(data) && !has_text(said))
		return;
	r->content = true;
	e = canon_add(out, CANON_EVENT_AUDIO);
	e->choice = choice;
	e->media.data = canon_inside(data);
	e->text = has_text(said) ? said : SLICE_NONE;
}

static void read_images(struct codec_reader *r, unsigned choice, struct slice images,
			struct canon_events *out)
{
	struct slice image;

	while (json_next(&images, NULL, &image)) {
		struct slice url = json_path(image, S("image_url.url"));
		struct canon_event *e;

		if (!has_text(url))
			continue;
		r->content = true;
		e = canon_add(out, CANON_EVENT_IMAGE);
		e->choice = choice;
		if (!canon_data_url(out->arena, url, &e->media))
			e->media.url = url;
	}
}

static void read_annotations(unsigned choice, struct slice list, struct canon_events *out)
{
	struct slice one;

	while (json_next(&list, NULL, &one)) {
		struct slice cited = json_member(one, S("url_citation"));
		struct canon_event *e;

		if (json_is_nothing(cited))
			continue;
		e = canon_add(out, CANON_EVENT_CITATION);
		e->choice = choice;
		e->url = json_member(cited, S("url"));
		e->title = json_member(cited, S("title"));
		e->text = json_member(cited, S("content"));
	}
}

/* ---- a delta, or a whole message ------------------------------------------------------ */

enum { DELTA_CONTENT, DELTA_TOOL_CALLS, DELTA_REASONING_CONTENT, DELTA_REASONING, DELTA_DETAILS,
       DELTA_REFUSAL, DELTA_FUNCTION_CALL, DELTA_AUDIO, DELTA_IMAGES, DELTA_ANNOTATIONS, DELTA_WANTS };

static const struct slice delta_names[DELTA_WANTS] = {
	[DELTA_CONTENT] = S_INIT("content"), [DELTA_TOOL_CALLS] = S_INIT("tool_calls"),
	[DELTA_REASONING_CONTENT] = S_INIT("reasoning_content"), [DELTA_REASONING] = S_INIT("reasoning"),
	[DELTA_DETAILS] = S_INIT("reasoning_details"), [DELTA_REFUSAL] = S_INIT("refusal"),
	[DELTA_FUNCTION_CALL] = S_INIT("function_call"), [DELTA_AUDIO] = S_INIT("audio"),
	[DELTA_IMAGES] = S_INIT("images"), [DELTA_ANNOTATIONS] = S_INIT("annotations"),
};

static bool read_delta(struct codec_reader *r, unsigned choice, struct slice delta,
		       struct canon_events *out)
{
	struct json_want w[DELTA_WANTS];
	struct slice thinking;

	for (size_t i = 0; i < DELTA_WANTS; i++)
		w[i] = (struct json_want){ .name = delta_names[i] };
	if (json_scan_object(delta, w, DELTA_WANTS, NULL) != JSON_OK)
		return false;
	thinking = has_text(w[DELTA_REASONING_CONTENT].value) ? w[DELTA_REASONING_CONTENT].value
							      : w[DELTA_REASONING].value;
	add_text(r, choice, CANON_EVENT_REASONING, thinking, out);
	if (w[DELTA_DETAILS].type == JSON_ARRAY)
		read_details(r, choice, w[DELTA_DETAILS].value, out);
	add_text(r, choice, CANON_EVENT_TEXT, w[DELTA_CONTENT].value, out);
	if (w[DELTA_CONTENT].type == JSON_ARRAY)
		read_parts(r, choice, w[DELTA_CONTENT].value, out);
	add_text(r, choice, CANON_EVENT_REFUSAL, w[DELTA_REFUSAL].value, out);
	if (w[DELTA_TOOL_CALLS].type == JSON_ARRAY)
		read_calls(r, choice, w[DELTA_TOOL_CALLS].value, out);
	if (w[DELTA_FUNCTION_CALL].type == JSON_OBJECT)
		read_function_call(r, choice, w[DELTA_FUNCTION_CALL].value, out);
	if (w[DELTA_AUDIO].type == JSON_OBJECT)
		read_audio(r, choice, w[DELTA_AUDIO].value, out);
	if (w[DELTA_IMAGES].type == JSON_ARRAY)
		read_images(r, choice, w[DELTA_IMAGES].value, out);
	if (w[DELTA_ANNOTATIONS].type == JSON_ARRAY)
		read_annotations(choice, w[DELTA_ANNOTATIONS].value, out);
	return true;
}

/* ---- choices ------------------------------------------------------------------------------ */

enum canon_finish openai_finish_of(struct slice word)
{
	static const struct { struct slice word; enum canon_finish finish; } words[] = {
		{ S_INIT("length"), CANON_FINISH_LENGTH }, { S_INIT("max_tokens"), CANON_FINISH_LENGTH },
		{ S_INIT("model_length"), CANON_FINISH_LENGTH },
		{ S_INIT("tool_calls"), CANON_FINISH_CALLS }, { S_INIT("function_call"), CANON_FINISH_CALLS },
		{ S_INIT("content_filter"), CANON_FINISH_FILTER },
	};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (slice_eq(word, words[i].word))
			return words[i].finish;
	return CANON_FINISH_STOP;
}

static void finish(struct codec_reader *r, unsigned choice, enum canon_finish why,
		   struct canon_events *out)
{
	struct chat_in *in = own_of(r);
	uint64_t bit = UINT64_C(1) << (choice < 63 ? choice : 63);
	struct canon_event *e;

	if (in->finished & bit)          /* repeated (E24) */
		return;
	in->finished |= bit;
	r->finished = true;
	if (why == CANON_FINISH_STOP && (in->called & bit))      /* E26 */
		why = CANON_FINISH_CALLS;
	e = canon_add(out, CANON_EVENT_FINISH);
	e->choice = choice;
	e->finish = why;
}

enum { CHOICE_INDEX, CHOICE_DELTA, CHOICE_MESSAGE, CHOICE_TEXT, CHOICE_FINISH, CHOICE_LOGPROBS,
       CHOICE_USAGE, CHOICE_WANTS };

static const struct slice choice_names[CHOICE_WANTS] = {
	[CHOICE_INDEX] = S_INIT("index"), [CHOICE_DELTA] = S_INIT("delta"),
	[CHOICE_MESSAGE] = S_INIT("message"), [CHOICE_TEXT] = S_INIT("text"),
	[CHOICE_FINISH] = S_INIT("finish_reason"), [CHOICE_LOGPROBS] = S_INIT("logprobs"),
	[CHOICE_USAGE] = S_INIT("usage"),
};

static void add_usage(struct slice raw, struct canon_events *out)
{
	struct usage usage = { .known = false };

	usage_read(raw, &usage);
	if (usage.known)
		canon_add(out, CANON_EVENT_USAGE)->usage = usage;
}

static void read_logprobs(unsigned choice, struct slice raw, struct canon_events *out)
{
	struct slice list = json_member(raw, S("content"));
	struct canon_event *e;

	if (json_is_nothing(list) || json_type_of(list) != JSON_ARRAY)
		return;
	e = canon_add(out, CANON_EVENT_LOGPROBS);
	e->choice = choice;
	e->json = list;
}

static bool read_choice(struct codec_reader *r, struct slice choice, unsigned position,
			struct canon_events *out)
{
	struct json_want w[CHOICE_WANTS];
	struct slice reason;
	int64_t index = position;
	unsigned n;

	for (size_t i = 0; i < CHOICE_WANTS; i++)
		w[i] = (struct json_want){ .name = choice_names[i] };
	if (json_scan_object(choice, w, CHOICE_WANTS, NULL) != JSON_OK)
		return false;
	if (!json_i64(w[CHOICE_INDEX].value, &index) || index < 0 || index > 63)
		index = position;
	n = (unsigned)index;
	own_of(r)->seen |= UINT64_C(1) << (n < 63 ? n : 63);
	if (w[CHOICE_DELTA].type == JSON_OBJECT && !read_delta(r, n, w[CHOICE_DELTA].value, out))
		return false;
	if (w[CHOICE_DELTA].type != JSON_OBJECT && w[CHOICE_MESSAGE].type == JSON_OBJECT &&
	    !read_delta(r, n, w[CHOICE_MESSAGE].value, out))
		return false;
	add_text(r, n, CANON_EVENT_TEXT, w[CHOICE_TEXT].value, out);
	if (w[CHOICE_LOGPROBS].type == JSON_OBJECT)
		read_logprobs(n, w[CHOICE_LOGPROBS].value, out);
	if (w[CHOICE_USAGE].type == JSON_OBJECT)                 /* Moonshot */
		add_usage(w[CHOICE_USAGE].value, out);
	reason = w[CHOICE_FINISH].type == JSON_STRING ? json_string(out->arena, w[CHOICE_FINISH].value)
						      : SLICE_NONE;
	if (reason.len && openai_fault_of_finish(reason) != FAULT_NONE) {
		r->failed = true;            /* nothing that follows counts */
		canon_add_error(out, openai_fault_of_finish(reason), SLICE_NONE)->error.code = reason;
	} else if (reason.len) {
		finish(r, n, openai_finish_of(reason), out);
	}
	return true;
}

/* ---- chunks ----------------------------------------------------------------------------------- */

enum { CHUNK_ID, CHUNK_CREATED, CHUNK_MODEL, CHUNK_CHOICES, CHUNK_USAGE, CHUNK_X_GROQ, CHUNK_ERROR,
       CHUNK_OBJECT, CHUNK_WANTS };

static const struct slice chunk_names[CHUNK_WANTS] = {
	[CHUNK_ID] = S_INIT("id"), [CHUNK_CREATED] = S_INIT("created"), [CHUNK_MODEL] = S_INIT("model"),
	[CHUNK_CHOICES] = S_INIT("choices"), [CHUNK_USAGE] = S_INIT("usage"),
	[CHUNK_X_GROQ] = S_INIT("x_groq"), [CHUNK_ERROR] = S_INIT("error"),
	[CHUNK_OBJECT] = S_INIT("object"),
};

static void start(struct codec_reader *r, const struct json_want *w, struct canon_events *out)
{
	struct canon_event *e;

	if (r->started)
		return;
	r->started = true;
	e = canon_add(out, CANON_EVENT_START);
	e->id = has_text(w[CHUNK_ID].value) ? w[CHUNK_ID].value : SLICE_NONE;
	e->name = has_text(w[CHUNK_MODEL].value) ? w[CHUNK_MODEL].value : SLICE_NONE;
	if (!json_i64(w[CHUNK_CREATED].value, &e->created) || e->created <= 0)
		e->created = r->wall_ms / 1000;
}

/* Judged as the dialect judges its own; true if it is an error. */
static bool read_error(struct codec_reader *r, struct slice type, struct slice data,
		       struct canon_events *out)
{
	const struct endpoint endpoint = { .kind = r->codec->endpoint };
	struct stream_facts so_far = { .events = 0 };
	struct event_facts facts = { .retry_after_ms = -1 };
	struct canon_event *e;

	openai_judge_event(out->arena, &endpoint, type, data, &so_far, &facts);
	if (!(facts.is & (EVENT_ERROR | EVENT_BROKEN)))
		return false;
	r->failed = true;
	e = canon_add_error(out, facts.fault, facts.message);
	e->error.type = facts.type;
	e->error.code = facts.code;
	e->error.param = facts.param;
	e->error.retry_after_ms = facts.retry_after_ms;
	return true;
}

static bool may_be_error(const struct json_want *w)
{
	return (w[CHUNK_ERROR].found && w[CHUNK_ERROR].type != JSON_NULL) ||
	       w[CHUNK_CHOICES].type != JSON_ARRAY || json_string_eq(w[CHUNK_OBJECT].value, S("error"));
}

static bool read_choices(struct codec_reader *r, struct slice choices, struct canon_events *out)
{
	struct slice choice;
	unsigned position = 0;

	while (!r->failed && json_next(&choices, NULL, &choice))
		if (!read_choice(r, choice, position++, out))
			return false;
	return true;
}

/* A chunk or a whole answer. False: it is none, and an error has been added. */
static bool read_document(struct codec_reader *r, struct slice type, struct slice data,
			  struct canon_events *out)
{
	struct json_want w[CHUNK_WANTS];
	bool read;

	for (size_t i = 0; i < CHUNK_WANTS; i++)
		w[i] = (struct json_want){ .name = chunk_names[i] };
	read = json_scan_object(data, w, CHUNK_WANTS, NULL) == JSON_OK;
	if (!read || may_be_error(w)) {
		if (read_error(r, type, data, out))
			return false;
		if (!read)
			return true;             /* an event of a type nobody knows (E29) */
	}
	start(r, w, out);
	if (w[CHUNK_CHOICES].type == JSON_ARRAY && !read_choices(r, w[CHUNK_CHOICES].value, out)) {
		r->failed = true;
		canon_add_error(out, FAULT_BAD_ANSWER, S("a choice of the answer is no object, or has a "
							 "member twice"));
		return false;
	}
	if (r->failed)
		return false;
	if (w[CHUNK_USAGE].type == JSON_OBJECT)
		add_usage(w[CHUNK_USAGE].value, out);
	if (w[CHUNK_X_GROQ].type == JSON_OBJECT)
		add_usage(json_member(w[CHUNK_X_GROQ].value, S("usage")), out);
	return true;
}

/* ---- the end -------------------------------------------------------------------------------------- */

/* Choices that never said why they end (E13). */
static void infer_finish(struct codec_reader *r, struct canon_events *out)
{
	struct chat_in *in = own_of(r);

	for (unsigned i = 0; i < 64; i++)
		if ((in->seen & ~in->finished) >> i & 1)
			finish(r, i, CANON_FINISH_STOP, out);
}

static void done(struct codec_reader *r, struct canon_events *out)
{
	if (r->done)
		return;
	r->done = true;
	infer_finish(r, out);
	canon_add(out, CANON_EVENT_DONE);
}

void openai_chat_read_event(struct codec_reader *r, struct arena *scratch, struct slice type,
			    struct slice data, struct canon_events *out)
{
	(void)scratch;
	if (r->done || r->failed)                                /* E15 */
		return;
	if (!slice_eq(slice_trim(data), S("[DONE]"))) {
		read_document(r, type, data, out);
		return;
	}
	if (r->content || r->finished) {
		done(r, out);
		return;
	}
	r->failed = true;
	canon_add_error(out, FAULT_BAD_ANSWER, S("the stream was done without an answer in it"));
}

enum fault openai_chat_read_end(struct codec_reader *r, struct arena *scratch,
				struct canon_events *out)
{
	struct chat_in *in = own_of(r);

	(void)scratch;
	if (r->done)
		return FAULT_NONE;
	if (!r->content && !r->finished)
		return FAULT_BAD_ANSWER;
	if (r->failed || !r->finished || (in->seen & ~in->finished))          /* E11 */
		return FAULT_CUT;
	done(r, out);
	return FAULT_NONE;
}

enum fault openai_chat_read_answer(struct codec_reader *r, struct slice body,
				   struct canon_events *out)
{
	if (!read_document(r, SLICE_NONE, slice_trim(body), out))
		return out->at[out->count - 1].error.fault;
	if (!r->content && !r->finished)
		return FAULT_BAD_ANSWER;
	done(r, out);
	return FAULT_NONE;
}
