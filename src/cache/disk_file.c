#include "cache/disk_file.h"

#include "base/check.h"
#include "cache/pack.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define BUSY_MS 1000
#define TRIM_ROWS 64                  /* dropped at a time */
#define TRIM_TURNS 64                 /* in one go */
#define CLOCK_SLACK_MS 60000          /* so far in the future is still now */
#define PATH_MAX_BYTES 4096

enum statement { GET, PUT, TOUCH, PURGE_KEY, PURGE_MODEL, PURGE_TAG, PURGE_ALL, OLD, UNUSED, COUNT, EACH,
		 STATEMENTS };

static const char *const texts[STATEMENTS] = {
	[GET] = "SELECT born, used, data FROM answers WHERE key = ?1",
	[PUT] = "INSERT INTO answers (key, born, used, until, model, tags, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
		"ON CONFLICT (key) DO UPDATE SET born = ?2, used = ?3, until = ?4, model = ?5, tags = ?6, data = ?7 "
		"WHERE excluded.born >= born",
	[TOUCH] = "UPDATE answers SET used = ?2 WHERE key = ?1",
	[PURGE_KEY] = "DELETE FROM answers WHERE key = ?1",
	[PURGE_MODEL] = "DELETE FROM answers WHERE model = ?1",
	[PURGE_TAG] = "DELETE FROM answers WHERE instr(',' || tags || ',', ',' || ?1 || ',') > 0",
	[PURGE_ALL] = "DELETE FROM answers",
	[OLD] = "DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE until < ?1 LIMIT 256)",
	[UNUSED] = "DELETE FROM answers WHERE id IN (SELECT id FROM answers ORDER BY used LIMIT ?1)",
	[COUNT] = "SELECT count(*) FROM answers",
	[EACH] = "SELECT key, data FROM answers",
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS answers (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, "
	"born INTEGER NOT NULL, used INTEGER NOT NULL, until INTEGER NOT NULL, model TEXT NOT NULL, "
	"tags TEXT NOT NULL, data BLOB NOT NULL);"
	"CREATE INDEX IF NOT EXISTS answers_used ON answers (used);"
	"CREATE INDEX IF NOT EXISTS answers_until ON answers (until);"
	"CREATE INDEX IF NOT EXISTS answers_model ON answers (model);";

struct disk_file {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	size_t bytes_max;
	bool begun;
	struct disk_file_size size;
	char trouble[256];
};

/* ---- results ------------------------------------------------------------------------- */

static enum disk_end end_of(struct disk_file *f, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK: case SQLITE_ROW: case SQLITE_DONE:
		return DISK_OK;
	case SQLITE_CORRUPT: case SQLITE_NOTADB:
		snprintf(f->trouble, sizeof f->trouble, "%s", sqlite3_errmsg(f->db));
		return DISK_CORRUPT;
	default:
		snprintf(f->trouble, sizeof f->trouble, "%s", sqlite3_errmsg(f->db));
		return DISK_FAILED;
	}
}

const char *disk_file_trouble(const struct disk_file *f)
{
	return f->trouble;
}

static enum disk_end run(struct disk_file *f, const char *sql)
{
	return end_of(f, sqlite3_exec(f->db, sql, NULL, NULL, NULL));
}

/* Ready to be bound; NULL with *end set where it cannot be. */
static sqlite3_stmt *ready(struct disk_file *f, enum statement which, enum disk_end *end)
{
	sqlite3_stmt **s = &f->statements[which];

	*end = DISK_OK;
	if (!*s)
		*end = end_of(f, sqlite3_prepare_v3(f->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL));
	return *end == DISK_OK ? *s : NULL;
}

static enum disk_end step(struct disk_file *f, sqlite3_stmt *s)
{
	enum disk_end end = end_of(f, sqlite3_step(s));

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return end;
}

static void bind_key(sqlite3_stmt *s, const struct cache_key *key)
{
	sqlite3_bind_blob(s, 1, key->bytes, sizeof key->bytes, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *s, int at, struct slice text)
{
	sqlite3_bind_text64(s, at, text.at ? text.at : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

/* ---- opening --------------------------------------------------------------------------- */

void disk_file_set_aside(const char *path)
{
	char from[PATH_MAX_BYTES], to[PATH_MAX_BYTES];

	snprintf(to, sizeof to, "%s.corrupt", path);
	(void)!rename(path, to);
	snprintf(from, sizeof from, "%s-wal", path);
	snprintf(to, sizeof to, "%s.corrupt-wal", path);
	(void)!rename(from, to);
	snprintf(from, sizeof from, "%s-shm", path);
	(void)!unlink(from);
}

void disk_file_close(struct disk_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(f->statements[i]);
	sqlite3_close(f->db);
	free(f);
}

static enum disk_end quick_check(struct disk_file *f)
{
	sqlite3_stmt *s = NULL;
	enum disk_end end = end_of(f, sqlite3_prepare_v2(f->db, "PRAGMA quick_check(1)", -1, &s, NULL));

	if (end == DISK_OK) {
		end = end_of(f, sqlite3_step(s));
		if (end == DISK_OK && strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0) {
			snprintf(f->trouble, sizeof f->trouble, "%s", (const char *)sqlite3_column_text(s, 0));
			end = DISK_CORRUPT;
		}
	}
	sqlite3_finalize(s);
	return end;
}

static enum disk_end prepare(struct disk_file *f)
{
	char text[128];
	enum disk_end end;

	sqlite3_busy_timeout(f->db, BUSY_MS);
	/* The bound is kept by dropping answers; this one holds if that should fail. */
	snprintf(text, sizeof text, "PRAGMA page_size = %d; PRAGMA max_page_count = %llu", PAGE_BYTES,
		 (unsigned long long)(f->bytes_max / PAGE_BYTES + f->bytes_max / PAGE_BYTES / 4 + 64));
	end = run(f, text);
	if (end == DISK_OK)
		end = run(f, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
			     "PRAGMA journal_size_limit = 4194304; PRAGMA cache_size = -2048; "
			     "PRAGMA secure_delete = OFF");
	if (end == DISK_OK)
		end = quick_check(f);
	return end == DISK_OK ? run(f, schema) : end;
}

static struct disk_file *open_once(const char *path, size_t bytes_max, bool reader, enum disk_end *end)
{
	struct disk_file *f = calloc(1, sizeof *f);
	int flags = reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

	must(f != NULL);
	f->bytes_max = bytes_max;
	*end = end_of(f, sqlite3_open_v2(path, &f->db, flags | SQLITE_OPEN_NOMUTEX, NULL));
	if (*end == DISK_OK && reader)
		sqlite3_busy_timeout(f->db, BUSY_MS);
	else if (*end == DISK_OK)
		*end = prepare(f);
	return f;
}

/* Prompts are nobody else's business. */
static void make_private(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

struct disk_file *disk_file_open(const char *path, size_t bytes_max, bool reader, bool *set_aside,
				 char *why, size_t why_size)
{
	enum disk_end end;
	struct disk_file *f;

	*set_aside = false;
	if (!reader)
		make_private(path);
	f = open_once(path, bytes_max, reader, &end);
	if (end == DISK_CORRUPT && !reader) {
		disk_file_close(f);
		disk_file_set_aside(path);
		*set_aside = true;
		make_private(path);
		f = open_once(path, bytes_max, reader, &end);
	}
	if (end == DISK_OK)
		return f;
	snprintf(why, why_size, "%s", f->trouble[0] ? f->trouble : "it cannot be opened");
	disk_file_close(f);
	return NULL;
}

/* ---- reading ------------------------------------------------------------------------------ */

enum disk_end disk_file_get(struct disk_file *f, const struct cache_key *key, size_t entry_max,
			    mono_ms now, int64_t wall_ms, struct cache_entry **e, int64_t *used_ms)
{
	enum disk_end end;
	sqlite3_stmt *s = ready(f, GET, &end);
	int64_t age_ms;
	int code;

	if (!s)
		return end;
	bind_key(s, key);
	code = sqlite3_step(s);
	end = code == SQLITE_DONE ? DISK_NOTHING : end_of(f, code);
	if (end == DISK_OK) {
		struct slice packed = { sqlite3_column_blob(s, 2), (size_t)sqlite3_column_bytes(s, 2) };

		age_ms = wall_ms - sqlite3_column_int64(s, 0);
		*used_ms = wall_ms - sqlite3_column_int64(s, 1);
		*e = age_ms < -CLOCK_SLACK_MS ? NULL
		   : cache_unpack(packed, key, entry_max, now, age_ms > 0 ? age_ms : 0);
		if (!*e)
			end = age_ms < -CLOCK_SLACK_MS ? DISK_NOTHING : DISK_DAMAGED;
	}
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return end;
}

enum disk_end disk_file_each(struct disk_file *f, void (*visit)(void *owner, const struct cache_key *key,
								 struct slice packed), void *owner)
{
	enum disk_end end;
	sqlite3_stmt *s = ready(f, EACH, &end);
	int code = SQLITE_ROW;

	if (!s)
		return end;
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		struct cache_key key = { { 0 } };

		if (sqlite3_column_bytes(s, 0) == sizeof key.bytes)
			memcpy(key.bytes, sqlite3_column_blob(s, 0), sizeof key.bytes);
		visit(owner, &key, (struct slice){ sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1) });
	}
	end = end_of(f, code);
	sqlite3_reset(s);
	return end;
}

/* ---- writing -------------------------------------------------------------------------------- */

enum disk_end disk_file_begin(struct disk_file *f)
{
	enum disk_end end = run(f, "BEGIN IMMEDIATE");

	f->begun = end == DISK_OK;
	return end;
}

enum disk_end disk_file_end(struct disk_file *f, bool commit)
{
	enum disk_end end = DISK_OK;

	if (f->begun && commit)
		end = run(f, "COMMIT");
	if (f->begun && (!commit || end != DISK_OK) && !sqlite3_get_autocommit(f->db))
		sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
	f->begun = false;
	return end;
}

enum disk_end disk_file_put(struct disk_file *f, const struct cache_entry *e, int64_t born_wall_ms,
			    int64_t wall_ms)
{
	struct buf packed = BUF_INIT(SIZE_MAX / 2);
	enum disk_end end;
	sqlite3_stmt *s = ready(f, PUT, &end);
	struct slice data;

	if (!s)
		return end;
	if (!cache_pack(e, &packed))
		return DISK_OK;         /* no memory for it: it is just not kept */
	data = buf_slice(&packed);
	bind_key(s, &e->key);
	sqlite3_bind_int64(s, 2, born_wall_ms);
	sqlite3_bind_int64(s, 3, wall_ms);
	sqlite3_bind_int64(s, 4, born_wall_ms + e->facts.kept_ms);
	bind_text(s, 5, e->facts.model);
	bind_text(s, 6, e->facts.tags);
	sqlite3_bind_blob64(s, 7, data.at, data.len, SQLITE_STATIC);
	end = step(f, s);
	buf_free(&packed);
	return end;
}

enum disk_end disk_file_touch(struct disk_file *f, const struct cache_key *key, int64_t wall_ms)
{
	enum disk_end end;
	sqlite3_stmt *s = ready(f, TOUCH, &end);

	if (!s)
		return end;
	bind_key(s, key);
	sqlite3_bind_int64(s, 2, wall_ms);
	return step(f, s);
}

enum disk_end disk_file_purge(struct disk_file *f, const struct cache_purge *p)
{
	static const enum statement which[] = {
		[CACHE_PURGE_KEY] = PURGE_KEY, [CACHE_PURGE_TAG] = PURGE_TAG,
		[CACHE_PURGE_MODEL] = PURGE_MODEL, [CACHE_PURGE_ALL] = PURGE_ALL,
	};
	enum disk_end end;
	sqlite3_stmt *s = ready(f, which[p->what], &end);

	if (!s)
		return end;
	if (p->what == CACHE_PURGE_KEY)
		bind_key(s, &p->key);
	else if (p->what != CACHE_PURGE_ALL)
		bind_text(s, 1, p->name);
	return step(f, s);
}

static int64_t number_of(struct disk_file *f, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int64_t n = 0;

	if (sqlite3_prepare_v2(f->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static uint64_t bytes_used(struct disk_file *f)
{
	int64_t pages = number_of(f, "PRAGMA page_count") - number_of(f, "PRAGMA freelist_count");

	return pages > 0 ? (uint64_t)pages * PAGE_BYTES : 0;
}

static enum disk_end drop(struct disk_file *f, enum statement which, int64_t argument)
{
	enum disk_end end;
	sqlite3_stmt *s = ready(f, which, &end);

	if (!s)
		return end;
	sqlite3_bind_int64(s, 1, argument);
	return step(f, s);
}

enum disk_end disk_file_trim(struct disk_file *f, int64_t wall_ms)
{
	enum disk_end end = drop(f, OLD, wall_ms);
	sqlite3_stmt *count;

	for (int i = 0; i < TRIM_TURNS && end == DISK_OK && bytes_used(f) > f->bytes_max; i++)
		end = drop(f, UNUSED, TRIM_ROWS);
	if (end != DISK_OK)
		return end;
	f->size.bytes = bytes_used(f);
	count = ready(f, COUNT, &end);
	if (count && sqlite3_step(count) == SQLITE_ROW)
		f->size.entries = (uint64_t)sqlite3_column_int64(count, 0);
	if (count)
		sqlite3_reset(count);
	return end;
}

struct disk_file_size disk_file_size(struct disk_file *f)
{
	return f->size;
}
