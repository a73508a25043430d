/* ECN at the end of a tunnel (RFC 6040 4.2, HA4-REV-08). Pure functions of two bits each. */
#ifndef DATAPLANE_DECAP_ECN_H
#define DATAPLANE_DECAP_ECN_H

#include <stdbool.h>
#include <stdint.h>

#define ECN_DROP 0xff

/* The inner field after decapsulation, ECN_DROP for CE over Not-ECT. */
uint8_t ecn_decapsulate(uint8_t inner, uint8_t outer);
/* A combination that no sane encapsulator makes (RFC 6040 figure 4, marked "!!!"). */
bool ecn_is_anomalous(uint8_t inner, uint8_t outer);

#endif
