/* What every decapsulation notes about the layer that it takes off, for inner_check. */
#ifndef DATAPLANE_DECAP_OUTER_H
#define DATAPLANE_DECAP_OUTER_H

#include "dataplane/step.h"

/* Ends, TOS and kind of the header at the data start. `next` is the enum encapsulation found
 * inside. */
static inline void outer_note(struct packet *p, enum decap_kind kind, uint8_t next)
{
	p->outer_source = p->source;
	p->outer_destination = p->destination;
	p->outer_tos = p->tos;
	p->outer_kind = (uint8_t)kind;
	p->outer_next = next;
	p->outer_source_port = p->outer_destination_port = 0;
	p->flags &= ~(uint32_t)PACKET_AS_IT_CAME;
}

#endif
