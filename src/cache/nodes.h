/* nodes.h: which machines share the store. Each writes a line about itself there
 * every few seconds and reads those of the others. How old a line is goes by the
 * store's own clock, and between two readings by the local one, so what time the
 * machines have does not matter.
 *
 * Nothing is believed of what comes out of the store: lines that are too long, are
 * damaged or too many are left out. */
#ifndef BACKSTAY_CACHE_NODES_H
#define BACKSTAY_CACHE_NODES_H

#include "cache/cache.h"
#include "cache/redis_net.h"

/* A line is written so often, in ms. */
#define NODES_BEAT_MS   2000
/* Without word from the store for so long, nothing is known of the others. */
#define NODES_ALONE_MS  5000
/* A node whose line has not been written for so long is gone; for as long, nobody is
 * taken for gone when the store can be asked again: others may not have found it yet. */
#define NODES_GONE_MS   15000
/* And one that is gone for so long is forgotten. */
#define NODES_FORGET_MS 3600000
/* Bytes of a line. */
#define NODES_LINE_MAX  4096

struct nodes;

/* All of it belongs to the loop of `io`, but for nodes_look(), which any thread may
 * call. Everything is borrowed, but `prefix`, which is copied. The caller ends it with
 * nodes_close() and, when its loop runs no more and the net is closed, nodes_free(). */
struct nodes *nodes_create(struct io *io, struct redis_net *net, struct slice prefix);
void nodes_close(struct nodes *n);
void nodes_free(struct nodes *n);
/* See cache_meet(), cache_leave() and cache_cluster(). */
void nodes_meet(struct nodes *n, void (*describe)(void *owner, struct cache_node *out), void *owner);
void nodes_leave(struct nodes *n, void (*done)(void *owner), void *owner);
void nodes_look(struct nodes *n, mono_ms now, struct cache_cluster *out);
/* The net is up, or down for that reason. */
void nodes_up(struct nodes *n);
void nodes_down(struct nodes *n, const char *why);

/* ---- what stands in the store, apart from it ------------------------------------------- */

/* Appends a node's line: JSON, at most NODES_LINE_MAX bytes. Texts are cut to what
 * a reader takes. */
void node_write(const struct cache_node *node, struct buf *out);
/* The reverse; false: it is no such line. What a later version adds is passed over. */
MUST_USE bool node_read(struct slice line, struct cache_node *out);

/* What the store has of others at one moment. */
struct nodes_reading {
	int64_t before_ms;            /* ago the own line was written last; -1: it was not there */
	unsigned more;                /* nodes that there was no room for */
	size_t count;
	struct cache_node nodes[CACHE_NODES_MAX];     /* seen_ms: then */
};
/* Reads a reply of the store. False: it is none; else *out has what could be read. */
MUST_USE bool nodes_read(const struct resp_value *v, struct nodes_reading *out);

#endif
