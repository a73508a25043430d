#include "control/mirror/tickets.h"

#include <errno.h>
#include <stdlib.h>

#define TICKETS_FIRST 4096

int tickets_init(struct tickets *tickets)
{
	*tickets = (struct tickets){.mask = TICKETS_FIRST - 1, .first = 1, .next = 1};
	tickets->ring = calloc(TICKETS_FIRST, sizeof(struct ticket));
	return tickets->ring ? 0 : -ENOMEM;
}

void tickets_fini(struct tickets *tickets)
{
	free(tickets->ring);
	tickets->ring = NULL;
}

static int grow(struct tickets *tickets)
{
	uint64_t mask = tickets->mask * 2 + 1;
	struct ticket *ring = calloc(mask + 1, sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	for (uint64_t n = tickets->first; n != tickets->next; n++)
		ring[n & mask] = tickets->ring[n & tickets->mask];
	free(tickets->ring);
	tickets->ring = ring;
	tickets->mask = mask;
	return 0;
}

uint64_t tickets_new(struct tickets *tickets, uint32_t entry)
{
	if (tickets->next - tickets->first > tickets->mask && grow(tickets))
		return 0;
	uint64_t number = tickets->next++;
	*tickets_get(tickets, number) = (struct ticket){.sequence = TICKET_UNSENT, .entry = entry};
	return number;
}

struct ticket *tickets_get(const struct tickets *tickets, uint64_t number)
{
	return &tickets->ring[number & tickets->mask];
}

void tickets_chain(struct tickets *tickets, uint64_t number, uint64_t last)
{
	tickets_get(tickets, number)->back = last ? (uint32_t)(number - last) : 0;
}

uint64_t tickets_older(const struct tickets *tickets, uint64_t number)
{
	uint32_t back = tickets_get(tickets, number)->back;

	return back ? number - back : 0;
}
