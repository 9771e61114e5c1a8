#include "lane/chain.h"

#include "base/mem.h"

#include <stdlib.h>

static struct chain *chain_of(struct chains *c, uint64_t id)
{
	struct hashed_node *node = hashed_find(&c->by_id, id);
	struct chain *chain;

	if (node)
		return (struct chain *)(void *)node;
	chain = mem_new(struct chain);
	hashed_add(&c->by_id, &chain->node, id);
	return chain;
}

/* Nearly always the newest, so the search begins there. */
void chains_join(struct chains *c, uint64_t id, struct chain_link *link, uint64_t seq)
{
	struct chain *chain = chain_of(c, id);
	struct chain_link *older = chain->newest;

	while (older && older->seq > seq)
		older = older->older;
	*link = (struct chain_link){.chain = chain, .older = older, .seq = seq};
	link->newer = older ? older->newer : chain->oldest;
	*(older ? &older->newer : &chain->oldest) = link;
	*(link->newer ? &link->newer->older : &chain->newest) = link;
}

struct chain_link *chains_leave(struct chains *c, struct chain_link *link)
{
	struct chain *chain = link->chain;
	struct chain_link *oldest;

	if (!chain)
		return NULL;
	chain_busy(link, false);
	*(link->older ? &link->older->newer : &chain->oldest) = link->newer;
	*(link->newer ? &link->newer->older : &chain->newest) = link->older;
	*link = (struct chain_link){0};
	oldest = chain->oldest;
	if (!oldest) {
		hashed_remove(&c->by_id, &chain->node);
		free(chain);
	}
	return oldest;
}

void chain_busy(struct chain_link *link, bool busy)
{
	if (!link->chain || link->busy == busy)
		return;
	link->busy = busy;
	if (busy)
		link->chain->busy++;
	else
		link->chain->busy--;
}

bool chain_may_start(const struct chain_link *link)
{
	const struct chain *chain = link->chain;

	return !chain || (chain->oldest == link && chain->busy == (link->busy ? 1 : 0));
}

static bool drop(struct hashed_node *node, void *arg)
{
	(void)arg;
	free(node); /* the chain's first member */
	return false;
}

void chains_free(struct chains *c)
{
	hashed_each(&c->by_id, drop, NULL);
	hashed_free(&c->by_id);
}
