/*
 * The text of an audit record (AUD-02, -03; RFC 4303 4, RFC 4301 5.2): what the dataplane noted
 * about a packet that it threw away, as key=value pairs for one line of the log. Pure, any thread.
 */
#ifndef CONTROL_IPSEC_AUDIT_H
#define CONTROL_IPSEC_AUDIT_H

#include "config/config.h"
#include "control/ipsec/ipsec.h"

/* Is this class, a drop reason's name, to be written (AUD-04)? NULL is. */
bool audit_wanted(const struct config_control *config, const char *reason);

/*
 * Appends to text[0..used) what event->audit holds: " time=... sequence=... flow_label=...
 * packet_source=... packet_destination=...", and the SA's first pair of selectors when the packet's
 * were judged. Fields that say nothing are left out. Returns the length then, below `size`.
 */
size_t audit_describe(const struct ipsec_event *event, struct clock_now now, char *text,
	size_t used, size_t size);

#endif
