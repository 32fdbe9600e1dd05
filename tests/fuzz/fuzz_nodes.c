/* What a store says of a machine: any bytes are read or refused, and what was read is
 * written as a line that says the same. */
#include "base/check.h"
#include "cache/nodes.h"
#include "pieces.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = { (const char *)data, size };
	struct buf line = BUF_INIT(NODES_LINE_MAX);
	struct cache_node node, again;

	if (node_read(all, &node)) {
		node_write(&node, &line);
		must(node_read(buf_slice(&line), &again));
		must(memcmp(&node, &again, sizeof node) == 0);
	}
	buf_free(&line);
	return 0;
}
