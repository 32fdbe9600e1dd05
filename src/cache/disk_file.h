/* disk_file.h: answers in a SQLite file (WAL, rowid tables), without threads or
 * loops: every function blocks. disk.h does this work behind the loop.
 *
 * Ages go by the machine's wall clock, since they outlast its uptime. What is
 * from the future has no age and is no answer. */
#ifndef BACKSTAY_CACHE_DISK_FILE_H
#define BACKSTAY_CACHE_DISK_FILE_H

#include "cache/cache.h"

struct disk_file;

enum disk_end {
	DISK_OK,
	DISK_NOTHING,                 /* there is none */
	DISK_DAMAGED,                 /* the answer's checksum is wrong: it should be dropped */
	DISK_FAILED,                  /* full, read-only, gone ...; may be better later */
	DISK_CORRUPT,                 /* the file is no proper database any more: set it aside */
};

/* Opens or makes the file, readable by its owner only. A corrupt one is set
 * aside as PATH.corrupt (one that stands there is replaced) and *set_aside is
 * true. `reader`: opens one that is there, to read only, and checks nothing.
 * NULL on failure, with a sentence in `why`. */
struct disk_file *disk_file_open(const char *path, size_t bytes_max, bool reader, bool *set_aside,
				 char *why, size_t why_size);
void disk_file_close(struct disk_file *f);   /* NULL is fine */
/* What went wrong last; lives until the next call. */
const char *disk_file_trouble(const struct disk_file *f);
/* Sets aside what stands at `path`; no file may be open there. */
void disk_file_set_aside(const char *path);

/* The answer with that key; on DISK_OK *e has one reference. `now`, `wall_ms`:
 * the time on both clocks. *used_ms: since it was marked as used. */
enum disk_end disk_file_get(struct disk_file *f, const struct cache_key *key, size_t entry_max,
			    mono_ms now, int64_t wall_ms, struct cache_entry **e, int64_t *used_ms);

/* Changes stand between begin and end, which commits. After a fault the others
 * are not to be called but end, which takes back what was begun. */
enum disk_end disk_file_begin(struct disk_file *f);
enum disk_end disk_file_end(struct disk_file *f, bool commit);
enum disk_end disk_file_put(struct disk_file *f, const struct cache_entry *e, int64_t born_wall_ms,
			    int64_t wall_ms);
/* Marks it as used. */
enum disk_end disk_file_touch(struct disk_file *f, const struct cache_key *key, int64_t wall_ms);
enum disk_end disk_file_purge(struct disk_file *f, const struct cache_purge *p);
/* Drops what is too old, then what was not used for longest until the file is
 * within its bytes; a bounded piece of work. */
enum disk_end disk_file_trim(struct disk_file *f, int64_t wall_ms);

struct disk_file_size {
	uint64_t entries, bytes;
};
/* What it holds, as of the last trim. */
struct disk_file_size disk_file_size(struct disk_file *f);
/* Calls visit() for each answer; for tests. */
enum disk_end disk_file_each(struct disk_file *f, void (*visit)(void *owner, const struct cache_key *key,
								 struct slice packed), void *owner);

#endif
