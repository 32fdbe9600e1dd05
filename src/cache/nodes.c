#include "cache/nodes.h"

#include "base/check.h"
#include "wire/json.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define LEAVE_MS 500                  /* longest wait for the own line to be taken away */
#define NUMBER_MAX ((int64_t)1 << 53)
#define FORMER_MAX 16                 /* own earlier lines that are taken away at once */

/* A line that is as old as a reading may be makes nobody be gone. */
_Static_assert(NODES_BEAT_MS + 2 * NODES_ALONE_MS < NODES_GONE_MS, "a slow store makes nobody be gone");

struct nodes {
	struct io *io;
	struct redis_net *net;
	char name[128], id[CACHE_NODE_ID + 1];
	void (*describe)(void *owner, struct cache_node *out);
	void *owner;
	struct io_timer timer;
	struct net_call call;         /* one at a time */
	bool calling, closed, left;
	mono_ms called_at;
	char former[FORMER_MAX][CACHE_NODE_ID + 1];   /* ids that this machine had before it was started anew */
	size_t former_count;
	struct net_call parting;
	struct io_timer parting_limit;
	void (*parted)(void *owner);
	void *parted_owner;
	struct lock lock;             /* over what follows */
	struct cache_node self;       /* as it was at called_at */
	struct nodes_reading seen;    /* as it was at heard_at */
	mono_ms self_at, heard_at;
	mono_ms steady_since;         /* it has been heard without a break */
	bool up, heard;               /* heard: ever */
	char why[sizeof ((struct cache_cluster *)NULL)->why];  /* it could not be; "": it could */
};

/* ---- lines -------------------------------------------------------------------------------- */

static const struct text_member { const char *name; size_t at, size; } texts[] = {
#define TEXT(member) { #member, offsetof(struct cache_node, member), sizeof ((struct cache_node *)NULL)->member }
	TEXT(name), TEXT(version), TEXT(listen), TEXT(admin), TEXT(config),
#undef TEXT
};
static const struct number_member { const char *name; size_t at; } numbers[] = {
#define NUMBER(member) { #member, offsetof(struct cache_node, member) }
	NUMBER(generation), NUMBER(config_ms), NUMBER(uptime_ms), NUMBER(workers), NUMBER(in_flight),
	NUMBER(connections),
#undef NUMBER
};
#define TEXTS   COUNT_OF(texts)
#define NUMBERS COUNT_OF(numbers)

/* What fits into `most` bytes, without half a character. */
static struct slice fitting(const char *text, size_t most)
{
	size_t len = strlen(text);

	if (len <= most)
		return slice_of(text);
	while (most && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	return slice_sub(slice_of(text), 0, most);
}

void node_write(const struct cache_node *node, struct buf *out)
{
	const char *base = (const char *)node;

	buf_putf(out, "{\"draining\":%s", node->draining ? "true" : "false");
	for (size_t i = 0; i < TEXTS; i++) {
		buf_putf(out, ",\"%s\":", texts[i].name);
		json_write_string(out, fitting(base + texts[i].at, texts[i].size - 1));
	}
	for (size_t i = 0; i < NUMBERS; i++) {
		int64_t value;

		memcpy(&value, base + numbers[i].at, sizeof value);
		buf_putf(out, ",\"%s\":%lld", numbers[i].name, (long long)value);
	}
	buf_puts(out, "}");
}

static bool read_text(struct arena *arena, const struct json_want *w, char *to, size_t size)
{
	struct slice text = w->found ? json_string(arena, w->value) : SLICE_NONE;

	if (w->found && w->type != JSON_STRING)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
			return false;
	if (text.len >= size)
		return false;
	snprintf(to, size, "%.*s", SLICE_ARG(text));
	return true;
}

static bool read_number(const struct json_want *w, int64_t *to)
{
	return !w->found || (json_i64(w->value, to) && *to >= 0 && *to <= NUMBER_MAX);
}

bool node_read(struct slice line, struct cache_node *out)
{
	struct json_want wants[1 + TEXTS + NUMBERS] = { { .name = S("draining") } };
	struct arena *arena;
	bool good;

	*out = (struct cache_node){ .draining = false };
	for (size_t i = 0; i < TEXTS; i++)
		wants[1 + i].name = slice_of(texts[i].name);
	for (size_t i = 0; i < NUMBERS; i++)
		wants[1 + TEXTS + i].name = slice_of(numbers[i].name);
	if (line.len > NODES_LINE_MAX || json_scan_object(line, wants, COUNT_OF(wants), NULL) != JSON_OK)
		return false;
	arena = arena_create(0);
	good = !wants[0].found || wants[0].type == JSON_TRUE || wants[0].type == JSON_FALSE;
	out->draining = wants[0].found && wants[0].type == JSON_TRUE;
	for (size_t i = 0; i < TEXTS && good; i++)
		good = read_text(arena, &wants[1 + i], (char *)out + texts[i].at, texts[i].size);
	for (size_t i = 0; i < NUMBERS && good; i++) {
		int64_t value = 0;

		good = read_number(&wants[1 + TEXTS + i], &value);
		memcpy((char *)out + numbers[i].at, &value, sizeof value);
	}
	arena_free(arena);
	return good && out->name[0];
}

static bool read_id(const struct resp_value *v, char out[static CACHE_NODE_ID + 1])
{
	if (v->type != RESP_TEXT || v->text.len != CACHE_NODE_ID)
		return false;
	for (size_t i = 0; i < v->text.len; i++) {
		char c = v->text.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	memcpy(out, v->text.at, CACHE_NODE_ID);
	out[CACHE_NODE_ID] = '\0';
	return true;
}

static void read_node(const struct resp_value *v, struct nodes_reading *out)
{
	struct cache_node node;
	char id[CACHE_NODE_ID + 1];

	if (!read_id(&v[0], id) || v[1].type != RESP_INTEGER || v[2].type != RESP_TEXT ||
	    !node_read(v[2].text, &node))
		return;
	memcpy(node.id, id, sizeof id);
	/* What seems to come from the future was written before the store's clock jumped. */
	node.seen_ms = v[1].integer > 0 ? v[1].integer : 0;
	if (node.seen_ms <= NODES_FORGET_MS)
		out->nodes[out->count++] = node;
}

/* [before, how many, id, age, line, id, age, line ...] */
bool nodes_read(const struct resp_value *v, struct nodes_reading *out)
{
	size_t told;

	if (!v || v->type != RESP_LIST || v->count < 2 || v->items[0].type != RESP_INTEGER ||
	    v->items[1].type != RESP_INTEGER)
		return false;
	*out = (struct nodes_reading){ .before_ms = v->items[0].integer };
	for (size_t i = 2; i + 2 < v->count && out->count < CACHE_NODES_MAX; i += 3)
		read_node(&v->items[i], out);
	told = (v->count - 2) / 3;
	if (v->items[1].integer > (int64_t)told && v->items[1].integer < INT32_MAX)
		out->more = (unsigned)v->items[1].integer - (unsigned)told;
	return true;
}

/* Was `old` the same machine's, before it was started anew? */
static bool follows(const struct cache_node *node, int64_t seen_ms, const struct cache_node *old, int64_t old_seen_ms)
{
	return node != old && strcmp(node->name, old->name) == 0 && strcmp(node->listen, old->listen) == 0 &&
	       seen_ms + node->uptime_ms <= old_seen_ms;
}

/* ---- the beat ------------------------------------------------------------------------------ */

/* Writes the own line with the store's time before it, and reads those of others, the
 * youngest first. What is forgotten or no line goes; what is gone and beyond those
 * that anybody reads, too. */
static const char script[] =
	"local t = redis.call('TIME') "
	"local now = t[1] * 1000 + math.floor(t[2] / 1000) "
	"local forget, gone, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]) "
	"for i = 6, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end "
	"local all = redis.call('HGETALL', KEYS[1]) "
	"local before, others = -1, {} "
	"for i = 1, #all, 2 do "
	"  local at, line = string.match(string.sub(all[i + 1], 1, 8192), '^(%d+) (.*)$') "
	"  local age = at and now - tonumber(at) "
	"  if all[i] == ARGV[1] then before = age or -1 "
	"  elseif not age or math.abs(age) > forget or #all[i] > 64 then redis.call('HDEL', KEYS[1], all[i]) "
	"  else others[#others + 1] = {age, all[i], line} end "
	"end "
	"table.sort(others, function(a, b) return a[1] < b[1] end) "
	"local out = {before, #others} "
	"for i, o in ipairs(others) do "
	"  if i <= most then out[#out + 1] = o[2] out[#out + 1] = o[1] out[#out + 1] = o[3] "
	"  elseif o[1] > gone then redis.call('HDEL', KEYS[1], o[2]) end "
	"end "
	"redis.call('HMSET', KEYS[1], ARGV[1], string.format('%.0f ', now) .. ARGV[2]) "
	"redis.call('PEXPIRE', KEYS[1], forget) "
	"return out";

static void note_why(struct nodes *n, struct slice why)
{
	lock_take(&n->lock);
	snprintf(n->why, sizeof n->why, "%.*s", SLICE_ARG(why));
	lock_give(&n->lock);
}

/* Has the store been asked without a break, and does its clock go as ours does? */
static bool is_steady(const struct nodes *n, int64_t before_ms)
{
	int64_t since_ms = n->called_at - n->heard_at;

	return n->heard && !n->why[0] && since_ms <= NODES_ALONE_MS && before_ms >= 0 &&
	       llabs((long long)(before_ms - since_ms)) <= NODES_ALONE_MS;
}

/* What this machine said before it was started anew: else, when it ends in good order
 * one day, that would be left of it. */
static void note_former(struct nodes *n, const struct nodes_reading *r)
{
	n->former_count = 0;
	for (size_t i = 0; i < r->count && n->former_count < FORMER_MAX; i++)
		if (follows(&n->self, 0, &r->nodes[i], r->nodes[i].seen_ms))
			memcpy(n->former[n->former_count++], r->nodes[i].id, sizeof r->nodes[i].id);
}

static void take_reading(struct nodes *n, const struct nodes_reading *r)
{
	lock_take(&n->lock);
	if (!is_steady(n, r->before_ms))
		n->steady_since = n->called_at;
	n->seen = *r;
	n->heard = true;
	n->heard_at = n->called_at;
	n->why[0] = '\0';
	lock_give(&n->lock);
}

static void on_told(struct net_call *c, const struct resp_value *v)
{
	struct nodes *n = CONTAINER_OF(c, struct nodes, call);
	struct nodes_reading *r;

	n->calling = false;
	if (n->closed)
		return;
	r = malloc(sizeof *r);
	must(r != NULL);
	if (nodes_read(v, r)) {
		note_former(n, r);
		take_reading(n, r);
	} else if (!v) {
		note_why(n, redis_net_is_up(n->net) ? S("its connection was lost")
						    : slice_of(redis_net_trouble(n->net)));
	} else {
		note_why(n, v->type == RESP_ERROR ? v->text : S("it says what is not understood"));
	}
	free(r);
}

static void beat(struct nodes *n)
{
	struct buf line = BUF_INIT(NODES_LINE_MAX);
	struct cache_node self = { .draining = false };
	char forget[24], gone[24], most[24];

	n->describe(n->owner, &self);
	memcpy(self.id, n->id, sizeof self.id);
	n->called_at = io_now(n->io);
	lock_take(&n->lock);
	n->self = self;
	n->self_at = n->called_at;
	lock_give(&n->lock);
	node_write(&self, &line);
	snprintf(forget, sizeof forget, "%d", NODES_FORGET_MS);
	snprintf(gone, sizeof gone, "%d", NODES_GONE_MS);
	snprintf(most, sizeof most, "%d", CACHE_NODES_MAX);

	struct slice words[9 + FORMER_MAX] = {
		S("EVAL"), S(script), S("1"), slice_of(n->name), slice_of(n->id), buf_slice(&line),
		slice_of(forget), slice_of(gone), slice_of(most),
	};

	for (size_t i = 0; i < n->former_count; i++)
		words[9 + i] = slice_of(n->former[i]);
	n->calling = true;
	n->call.done = on_told;
	redis_net_call(n->net, &n->call, slice_of(n->name), words, 9 + n->former_count);
	buf_free(&line);
}

static void on_timer(struct io_timer *t, mono_ms now)
{
	struct nodes *n = CONTAINER_OF(t, struct nodes, timer);

	if (n->closed || n->left)
		return;
	io_timer_set(n->io, t, mono_after(now, NODES_BEAT_MS));
	if (!redis_net_is_up(n->net))
		note_why(n, slice_of(redis_net_trouble(n->net)));     /* which may be another by now */
	else if (!n->calling)
		beat(n);
}

void nodes_up(struct nodes *n)
{
	lock_take(&n->lock);
	n->up = true;
	lock_give(&n->lock);
	if (n->describe && !n->left)
		io_timer_set(n->io, &n->timer, io_now(n->io));
}

void nodes_down(struct nodes *n, const char *why)
{
	lock_take(&n->lock);
	n->up = false;
	lock_give(&n->lock);
	note_why(n, slice_of(why));
	if (n->describe && !n->left && !n->closed)
		io_timer_set(n->io, &n->timer, mono_after(io_now(n->io), NODES_BEAT_MS));
}

/* ---- parting --------------------------------------------------------------------------------- */

static void end_parting(struct nodes *n)
{
	void (*done)(void *owner) = n->parted;

	io_timer_clear(n->io, &n->parting_limit);
	n->parted = NULL;
	if (done)
		done(n->parted_owner);
}

static void on_parted(struct net_call *c, const struct resp_value *v)
{
	struct nodes *n = CONTAINER_OF(c, struct nodes, parting);

	(void)v;                        /* else the line grows old */
	if (!n->closed)
		end_parting(n);
}

static void on_parting_limit(struct io_timer *t, mono_ms now)
{
	(void)now;
	end_parting(CONTAINER_OF(t, struct nodes, parting_limit));
}

void nodes_leave(struct nodes *n, void (*done)(void *owner), void *owner)
{
	struct slice words[3 + FORMER_MAX] = { S("HDEL"), slice_of(n->name), slice_of(n->id) };

	must(!n->left);
	for (size_t i = 0; i < n->former_count; i++)
		words[3 + i] = slice_of(n->former[i]);
	n->left = true;
	io_timer_clear(n->io, &n->timer);
	n->parted = done;
	n->parted_owner = owner;
	io_timer_set(n->io, &n->parting_limit, mono_after(io_now(n->io), LEAVE_MS));
	n->parting.done = on_parted;
	redis_net_call(n->net, &n->parting, slice_of(n->name), words, 3 + n->former_count);
}

/* ---- looking ------------------------------------------------------------------------------- */

static bool is_followed(const struct nodes *n, const struct cache_node *old, mono_ms now)
{
	int64_t since_ms = now - n->heard_at;

	if (follows(&n->self, now - n->self_at, old, old->seen_ms + since_ms))
		return true;
	for (size_t i = 0; i < n->seen.count; i++)
		if (follows(&n->seen.nodes[i], n->seen.nodes[i].seen_ms, old, old->seen_ms))
			return true;
	return false;
}

static enum cache_node_state state_of(const struct nodes *n, const struct cache_node *node, bool alone, mono_ms now)
{
	if (alone)
		return CACHE_NODE_UNKNOWN;
	if (node->seen_ms > NODES_GONE_MS)
		return now - n->steady_since >= NODES_GONE_MS ? CACHE_NODE_GONE : CACHE_NODE_UNKNOWN;
	return node->draining ? CACHE_NODE_DRAINING : CACHE_NODE_READY;
}

static void tell_why(const struct nodes *n, mono_ms now, struct cache_cluster *out)
{
	int64_t silent_ms = n->heard ? now - n->heard_at : INT64_MAX;

	out->alone = !n->up || n->why[0] || silent_ms > NODES_ALONE_MS;
	if (!out->alone)
		return;
	if (n->why[0])
		snprintf(out->why, sizeof out->why, "%s", n->why);
	else if (!n->heard)
		snprintf(out->why, sizeof out->why, "it has not answered yet");
	else
		snprintf(out->why, sizeof out->why, "it has not answered for %lld s", (long long)silent_ms / 1000);
}

void nodes_look(struct nodes *n, mono_ms now, struct cache_cluster *out)
{
	*out = (struct cache_cluster){ .shared = true };
	memcpy(out->id, n->id, sizeof n->id);
	lock_take(&n->lock);
	tell_why(n, now, out);
	out->more = n->seen.more;
	for (size_t i = 0; i < n->seen.count; i++) {
		struct cache_node *node = &out->nodes[out->count];

		if (is_followed(n, &n->seen.nodes[i], now))
			continue;
		*node = n->seen.nodes[i];
		node->seen_ms += now - n->heard_at;
		node->state = state_of(n, node, out->alone, now);
		out->count += node->seen_ms <= NODES_FORGET_MS;
	}
	lock_give(&n->lock);
}

/* ---- life -------------------------------------------------------------------------------------- */

void nodes_meet(struct nodes *n, void (*describe)(void *owner, struct cache_node *out), void *owner)
{
	n->describe = describe;
	n->owner = owner;
}

struct nodes *nodes_create(struct io *io, struct redis_net *net, struct slice prefix)
{
	struct nodes *n = calloc(1, sizeof *n);

	must(n != NULL);
	n->io = io;
	n->net = net;
	n->timer.fire = on_timer;
	n->parting_limit.fire = on_parting_limit;
	lock_init(&n->lock);
	snprintf(n->name, sizeof n->name, "%.*s:nodes", SLICE_ARG(prefix));
	snprintf(n->id, sizeof n->id, "%016llx", (unsigned long long)io_random(io));
	return n;
}

void nodes_close(struct nodes *n)
{
	n->closed = true;
	io_timer_clear(n->io, &n->timer);
	io_timer_clear(n->io, &n->parting_limit);
}

void nodes_free(struct nodes *n)
{
	lock_destroy(&n->lock);
	free(n);
}
