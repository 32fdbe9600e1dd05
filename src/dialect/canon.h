/* canon.h: one form for what all API languages say.
 *
 * Where the client's dialect is not the backend's, a request is read into a
 * canon_request and written anew, and an answer (whole or streamed) is read as
 * a list of canon_events and written anew. Traffic of one dialect never comes
 * here: it passes as the bytes it is.
 *
 * Texts stay as they stood: unless said otherwise each slice is a *raw JSON
 * string*, quotes and escapes included, that points into the body or event it
 * was read from (or is static, or lies in the arena). All dialects are JSON, so
 * a text is carried over without being decoded. SLICE_NONE: not given. Numbers
 * keep their text. A "word" is decoded and one of a few known. */
#ifndef BACKSTAY_DIALECT_CANON_H
#define BACKSTAY_DIALECT_CANON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fault.h"
#include "dialect/dialect.h"

/* ---- what a request may hold ------------------------------------------------ */

/* id, name (config, header, docs), what it is, HINT or NEED.
 * A NEED that a target's API cannot carry keeps the target out of the plan,
 * unless the config allows its loss; a HINT does not change what is answered:
 * it is left out. Either way the answer's head names what was dropped. */
#define CANON_FEATURES(X)                                                               \
	X(SYSTEM,        "system",            "instructions of the system", NEED)           \
	X(TOOLS,         "tools",             "functions the model may call", NEED)         \
	X(TOOL_CHOICE,   "tool_choice",       "which function it must or must not call", NEED) \
	X(PARALLEL,      "parallel_tool_calls", "several calls at once, allowed or forbidden", NEED) \
	X(STRICT_TOOLS,  "strict_tools",      "arguments held to the schema", NEED)         \
	X(CUSTOM_TOOLS,  "custom_tools",      "tools with free text or a grammar as input", NEED) \
	X(HOSTED_TOOLS,  "hosted_tools",      "the vendor's own tools (search, code, files)", NEED) \
	X(IMAGE_URL,     "image_url",         "pictures by URL", NEED)                      \
	X(IMAGE_DATA,    "image_data",        "pictures in base64", NEED)                   \
	X(AUDIO_IN,      "audio_input",       "sound in base64", NEED)                      \
	X(AUDIO_OUT,     "audio_output",      "sound as the answer", NEED)                  \
	X(IMAGE_OUT,     "image_output",      "pictures as the answer", NEED)               \
	X(VIDEO,         "video",             "films", NEED)                                \
	X(DOCUMENT_URL,  "document_url",      "documents by URL", NEED)                     \
	X(DOCUMENT_DATA, "document_data",     "documents in base64 or as text", NEED)       \
	X(FILE_ID,       "file_id",           "files uploaded to one vendor", NEED)         \
	X(RESULT_MEDIA,  "tool_result_media", "pictures or documents as a tool's result", NEED) \
	X(TOOL_ERRORS,   "tool_errors",       "that a tool has failed, said beside its result", HINT) \
	X(CITATIONS,     "citations",         "places in documents that the answer stands on", NEED) \
	X(JSON_MODE,     "json_mode",         "the answer is JSON", NEED)                   \
	X(JSON_SCHEMA,   "json_schema",       "the answer follows a schema", NEED)          \
	X(TEMPERATURE,   "temperature",       "", NEED)                                     \
	X(TOP_P,         "top_p",             "", NEED)                                     \
	X(TOP_K,         "top_k",             "", NEED)                                     \
	X(MIN_P,         "min_p",             "", NEED)                                     \
	X(PENALTIES,     "penalties",         "presence and frequency penalties", NEED)     \
	X(REPETITION,    "repetition_penalty", "", NEED)                                    \
	X(LOGIT_BIAS,    "logit_bias",        "", NEED)                                     \
	X(SEED,          "seed",              "", NEED)                                     \
	X(STOP,          "stop",              "words that end the answer", NEED)            \
	X(CHOICES,       "n",                 "several answers at once", NEED)              \
	X(LOGPROBS,      "logprobs",          "probabilities of tokens", NEED)              \
	X(EFFORT,        "reasoning_effort",  "how much to think, in words", NEED)          \
	X(THINK_BUDGET,  "reasoning_budget",  "how much to think, in tokens", NEED)         \
	X(THINK_PARTS,   "reasoning_parts",   "earlier thinking sent back, signed or encrypted", HINT) \
	X(PREFILL,       "prefill",           "the beginning of the answer", NEED)          \
	X(STATE,         "stored_state",      "earlier answers kept by one vendor", NEED)   \
	X(ECHO,          "echo",              "echo, suffix and best_of of old completions", NEED) \
	X(GRAMMAR,       "grammar",           "output bound to a grammar or to choices", NEED) \
	X(PREDICTION,    "prediction",        "predicted output", HINT)                     \
	X(VERBOSITY,     "verbosity",         "how wordy the answer is", HINT)              \
	X(SUMMARY,       "reasoning_summary", "thinking told in short", HINT)               \
	X(CACHE_HINT,    "cache_hint",        "what is worth keeping in a prompt cache", HINT) \
	X(METADATA,      "metadata",          "the caller's own notes", HINT)               \
	X(USER,          "user",              "whom the request is for", HINT)              \
	X(SERVICE_TIER,  "service_tier",      "", HINT)                                     \
	X(STORE,         "store",             "whether the vendor keeps the answer", HINT)  \
	X(NAMES,         "names",             "names of speakers", HINT)                    \
	X(IMAGE_DETAIL,  "image_detail",      "how closely to look at a picture", HINT)     \
	X(SAFETY,        "safety_settings",   "the vendor's content filters", HINT)         \
	X(UNKNOWN,       "unknown",           "members that Backstay does not know", NEED)

enum canon_feature_bit {
#define AS_ENUM(id, ...) CANON_BIT_##id,
	CANON_FEATURES(AS_ENUM)
#undef AS_ENUM
	CANON_FEATURE_COUNT
};
#define CANON_HAS(id) (UINT64_C(1) << CANON_BIT_##id)

struct canon_feature_row { const char *name, *text; bool hint; };
/* The row of a bit; static. */
const struct canon_feature_row *canon_feature(enum canon_feature_bit bit);
/* All bits that are hints. */
uint64_t canon_hints(void);
/* Names of the bits set, "a, b, c"; arena. */
struct slice canon_feature_names(struct arena *arena, uint64_t features);
/* The bit of a name (a word); false if there is none. */
bool canon_feature_find(struct slice name, enum canon_feature_bit *out);

/* ---- requests ------------------------------------------------------------------ */

enum canon_task {
	CANON_CHAT,                  /* a conversation goes on */
	CANON_EMBED,                 /* texts become vectors */
	CANON_COUNT,                 /* how many tokens would a conversation have? */
};

enum canon_role { CANON_SYSTEM, CANON_DEVELOPER, CANON_USER, CANON_ASSISTANT, CANON_TOOL };

enum canon_part_kind {
	CANON_PART_TEXT,             /* text */
	CANON_PART_REFUSAL,          /* text: an assistant's earlier refusal */
	CANON_PART_REASONING,        /* text, and what proves it: signature or encrypted */
	CANON_PART_IMAGE,            /* media */
	CANON_PART_AUDIO,            /* media */
	CANON_PART_VIDEO,            /* media */
	CANON_PART_DOCUMENT,         /* media; text where it is plain text */
	CANON_PART_CALL,             /* id, name, arguments */
	CANON_PART_RESULT,           /* id of the call (and name), content, is_error */
};

/* A picture, sound, film or document: exactly one of data, url, file_id and the
 * part's text is given. */
struct canon_media {
	struct slice mime;           /* a word, "image/png"; empty: not said */
	struct slice data;           /* base64 (standard alphabet, no line breaks), without quotes */
	struct slice url;            /* raw; never a data: URL, that is taken apart */
	struct slice file_id;        /* raw; known to one vendor only */
	struct slice name;           /* raw; a document's title or file name */
	struct slice detail;         /* a word: low, high, auto, original; empty: not said */
};

struct canon_part {
	struct canon_part *next;
	enum canon_part_kind kind;
	struct slice text;
	struct canon_media media;
	struct slice id, name;       /* of a call; of a result the call's */
	struct slice arguments;      /* a call's: a raw JSON *object*; or, if arguments_text, a raw string
				      * that holds JSON (or a custom tool's free text) */
	bool arguments_text;
	bool custom;                 /* a call of a tool with free text as input */
	struct canon_part *content;  /* a result's: texts, images, documents */
	bool is_error;               /* the tool failed */
	struct slice signature;      /* of thinking, or of a call (Gemini's thought signature) */
	struct slice encrypted;      /* thinking that only its vendor can read */
	struct slice vendor;         /* a word: the dialect whose signature or encryption it is; empty: none */
	bool cache_here;             /* the prompt is worth keeping up to here */
	struct slice cache_ttl;      /* a word, "5m", "1h"; empty: not said */
	bool citations;              /* of a document: places in it are to be told */
	struct slice cited;          /* an assistant's text: where it is from, a raw array in the words of
				      * `vendor` */
};

struct canon_message {
	struct canon_message *next;
	enum canon_role role;
	struct slice name;           /* a speaker's; raw */
	struct canon_part *parts;    /* NULL: none */
};

struct canon_tool {
	struct canon_tool *next;
	struct slice name, description;       /* raw */
	struct slice parameters;     /* raw JSON object: the schema of the arguments; SLICE_NONE: none */
	int strict;                  /* 1, 0; -1: not said */
	bool custom;                 /* free text as input; `parameters` is then its format object */
	bool cache_here;
	struct slice cache_ttl;      /* as in canon_part */
};

enum canon_choice { CANON_CHOICE_UNSAID, CANON_CHOICE_AUTO, CANON_CHOICE_NONE, CANON_CHOICE_REQUIRED,
		    CANON_CHOICE_ONE };
enum canon_format { CANON_FORMAT_UNSAID, CANON_FORMAT_TEXT, CANON_FORMAT_JSON, CANON_FORMAT_SCHEMA };

struct canon_text {                  /* a list of raw strings (or of other raw values, where said) */
	struct canon_text *next;
	struct slice raw;
};

struct canon_request {
	enum canon_task task;
	struct slice model;          /* decoded; what the client asked for */
	bool stream, include_usage;
	uint64_t features;           /* bits of CANON_FEATURES that the request uses */
	struct canon_text *unknown;  /* names of members nobody knows (raw), with CANON_HAS(UNKNOWN) */

	/* System and developer messages stand where they stood; a writer whose API
	 * has one place for them gathers them. */
	struct canon_message *messages;

	struct canon_tool *tools;
	enum canon_choice choice;
	struct slice choice_name;    /* raw; of CANON_CHOICE_ONE */
	int parallel;                /* 1, 0; -1: not said */

	enum canon_format format;
	struct slice schema_name, schema_description;  /* raw */
	struct slice schema;         /* raw JSON object */
	int schema_strict;           /* 1, 0; -1: not said */

	/* Numbers as raw text; SLICE_NONE: not given. */
	struct slice temperature, top_p, top_k, min_p, presence_penalty, frequency_penalty,
		repetition_penalty, seed;
	int64_t max_tokens;          /* of the answer; -1: not given */
	struct canon_text *stop;
	unsigned choices;            /* at least 1 */
	bool logprobs;
	int64_t top_logprobs;        /* -1: not said */
	struct slice logit_bias;     /* raw object */

	/* Thinking. All unset: as the model is used to. */
	struct slice effort;         /* a word: none, minimal, low, medium, high, xhigh, max; empty: not said */
	int64_t think_budget;        /* tokens; -1: not said; 0: none */
	bool think_auto;             /* adaptive: as much as the model likes */
	struct slice summary;        /* a word: auto, concise, detailed, omitted; empty: not said */
	bool think_shown;            /* the client's API shows thinking without being asked */

	struct slice user, cache_key, safety_id;      /* raw */
	struct slice metadata;       /* raw object */
	struct slice service_tier;   /* a word; empty: not said */
	int store;                   /* 1, 0; -1: not said */
	struct slice verbosity;      /* a word; empty: not said */

	/* CANON_EMBED */
	struct canon_text *inputs;   /* raw strings, or raw arrays of token numbers */
	int64_t dimensions;          /* -1: not given */
	bool base64;                 /* vectors as base64 of floats, else as arrays */
	struct slice purpose;        /* a word: query, document, similarity, classification, clustering,
				      * question_answering, fact_verification, code_query; empty: not said */

	/* Going on with an answer that broke off: the text so far, decoded, that
	 * the writer puts where its API goes on from it. RESUME_NONE: nothing. */
	enum resume_way resume;
	struct slice sent;
};

/* What a user is made to say for RESUME_INSTRUCT, as a raw string. */
#define CANON_GO_ON "\"Your last message was interrupted. Go on from its exact last character, in the " \
	"middle of the word where it stopped there. Write only what is missing: repeat nothing, add no " \
	"introduction.\""

/* All zero but for what means "not said": -1 and one choice. */
struct canon_request *canon_request_new(struct arena *arena);
/* Appends to the list a request has; gives the new, empty element (arena). The
 * lists are short or are appended to in one go: `last` is kept by the caller,
 * and NULL at first. */
struct canon_message *canon_add_message(struct arena *arena, struct canon_request *r,
					struct canon_message *last, enum canon_role role);
struct canon_part *canon_add_part(struct arena *arena, struct canon_part **list,
				  struct canon_part *last, enum canon_part_kind kind);
struct canon_tool *canon_add_tool(struct arena *arena, struct canon_request *r,
				  struct canon_tool *last);
struct canon_text *canon_add_text(struct arena *arena, struct canon_text **list,
				  struct canon_text *last, struct slice raw);
/* Takes a raw string apart that holds "data:image/png;base64,..." (RFC 2397):
 * fills mime and data of *out. False, with *out untouched, if it is none or not
 * base64. Mime and data may lie in the arena. */
bool canon_data_url(struct arena *arena, struct slice raw, struct canon_media *out);
/* A media type that was decoded, if it may stand in a URL and in a raw string as it
 * is ("image/svg+xml"); SLICE_NONE if it is none such. */
struct slice canon_mime(struct slice text);

/* ---- answers -------------------------------------------------------------------- */

enum canon_event_kind {
	CANON_EVENT_START,           /* id, model, created: what identifies the answer; once, first */
	CANON_EVENT_TEXT,            /* text that the answer grows by */
	CANON_EVENT_REASONING,       /* the same of its thinking */
	CANON_EVENT_SIGNATURE,       /* text: proof of the thinking just told; vendor */
	CANON_EVENT_ENCRYPTED,       /* text: thinking that only its vendor reads; vendor */
	CANON_EVENT_REFUSAL,         /* text */
	CANON_EVENT_CALL,            /* a call begins: call, id, name; signature; custom */
	CANON_EVENT_ARGUMENTS,       /* text: its arguments grow by (a piece of JSON as a raw string) */
	CANON_EVENT_AUDIO,           /* media.data, text: its transcript */
	CANON_EVENT_IMAGE,           /* media */
	CANON_EVENT_CITATION,        /* text: what is cited; url, title */
	CANON_EVENT_LOGPROBS,        /* json: an array in OpenAI's chat shape (content[].logprob) */
	CANON_EVENT_FINISH,          /* the choice ends: finish */
	CANON_EVENT_USAGE,           /* usage, as far as it is known: the last one counts */
	CANON_EVENT_DONE,            /* the answer is complete: nothing follows; once, last */
	CANON_EVENT_ERROR,           /* error: the answer has failed; nothing follows */
	CANON_EVENT_EMBEDDING,       /* CANON_EMBED: json: a vector as a raw array, or (base64) a raw string */
	CANON_EVENT_COUNT,           /* CANON_COUNT: usage.input_tokens */
};

enum canon_finish {
	CANON_FINISH_STOP, CANON_FINISH_LENGTH, CANON_FINISH_CALLS,
	CANON_FINISH_FILTER,         /* the vendor's content filter ended or withheld it */
	CANON_FINISH_REFUSAL,        /* the model declined */
	CANON_FINISH_PAUSE,          /* the vendor wants to be asked again to go on (pause_turn) */
	CANON_FINISH_CONTEXT,        /* the context window is full */
	CANON_FINISH_STOP_WORD,      /* one of the request's stop words; `text` is which, raw */
};

struct canon_error {
	enum fault fault;            /* by the fault table */
	struct slice message, type, code, param;   /* decoded; as in answer_facts */
	int64_t retry_after_ms;      /* -1: no hint */
};

struct canon_event {
	enum canon_event_kind kind;
	unsigned choice;             /* which answer of several */
	int call;                    /* CALL, ARGUMENTS: which call of the choice, 0, 1 ... in order of
				      * beginning */
	struct slice text;           /* raw string */
	bool plain;                  /* text is known to be valid and to have no escapes */
	struct slice id, name;       /* raw; START: id (may be SLICE_NONE) and model in `name` */
	struct slice signature;      /* raw */
	/* Of what was told (codec_so_far): the name that its item has for the client, raw, and
	 * whether a part of it was announced, too. */
	struct slice item;
	bool part;
	struct slice vendor;         /* word */
	struct slice url, title;     /* raw */
	struct slice json;           /* raw value */
	struct canon_media media;
	enum canon_finish finish;
	int64_t created;             /* Unix seconds; 0: not said */
	struct usage usage;
	bool custom;
	struct canon_error error;
};

/* Events in the order in which they happened. Grows in its arena. */
struct canon_events {
	struct arena *arena;
	struct canon_event *at;
	size_t count, room;
};

/* An empty list. */
struct canon_events canon_events_in(struct arena *arena);
/* Adds one, zeroed but for `kind` and call = EVENT_NO_CALL; valid until the next is added. */
struct canon_event *canon_add(struct canon_events *list, enum canon_event_kind kind);
/* Adds an error. */
struct canon_event *canon_add_error(struct canon_events *list, enum fault fault, struct slice message);

/* What the events of one upstream event mean to the exchange: the same facts as
 * judge_event() gives for a dialect's own. Texts become pieces under the names
 * "content", "reasoning_content", "refusal" and, for a call, "id", "name",
 * "arguments". The pieces' slices are those of the events. */
void canon_facts(const struct canon_events *list, struct event_facts *out);

/* "stop", "length", "tool_calls", "content_filter": OpenAI's words, for records. */
struct slice canon_finish_word(enum canon_finish f);

/* ---- raw strings ------------------------------------------------------------------ */

/* What stands between the quotes; SLICE_NONE for what is no string. */
struct slice canon_inside(struct slice raw);
/* A decoded text as a raw string in the arena. */
struct slice canon_quote(struct arena *arena, struct slice text);
/* Appends the raw strings of all events of a kind (and choice, and call) as one
 * raw string, `""` if there are none. False where the buf's maximum is passed. */
MUST_USE bool canon_write_joined(struct buf *out, const struct canon_events *list,
				 enum canon_event_kind kind, unsigned choice, int call);
/* A call's arguments as a raw JSON object on one line, from either form; text
 * that is no JSON object becomes {} if empty, else {"_raw": text}. Arena. */
struct slice canon_arguments_object(struct arena *arena, struct slice arguments, bool is_text);
/* The same as a raw string that holds JSON. */
struct slice canon_arguments_text(struct arena *arena, struct slice arguments, bool is_text);

#endif
