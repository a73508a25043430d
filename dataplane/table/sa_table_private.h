/* What the files of the SA table share. Main lcore. */
#ifndef DATAPLANE_TABLE_SA_TABLE_PRIVATE_H
#define DATAPLANE_TABLE_SA_TABLE_PRIVATE_H

#include "dataplane/table/sa_table.h"

/*
 * Puts the object `new` in the place of `old`, which is retired; both may be 0. One store: a reader
 * finds the old one or the new one. False when there is no room for an SPI that does not carry its
 * slot; nothing was done then.
 */
bool sa_table_index_inbound(struct sa_table *table, uint32_t sa_id, uint32_t old, uint32_t new);
void sa_table_index_outbound(struct sa_table *table, uint32_t sa_id, uint32_t old, uint32_t new);

/* Builds the staged selectors behind `sa`. False when there is no room; nothing is kept then. */
bool sa_table_selectors_build(struct sa_table *table, struct sa_inbound *sa);
void sa_table_selectors_retire(struct sa_table *table, const struct sa_inbound *sa);

#endif
