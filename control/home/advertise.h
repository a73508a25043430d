/*
 * Agent advertisements on home links (RFC 5944 2.1-2.3, RFC 1256; HA4-HOME-14..20): unsolicited at
 * a slightly random interval, and one to each solicitor, by hardware address, at a bounded rate.
 *
 * Time and randomness are arguments, datagrams go to a callback. The configuration is borrowed
 * until the next configure. Loop thread.
 */
#ifndef CONTROL_HOME_ADVERTISE_H
#define CONTROL_HOME_ADVERTISE_H

#include "config/config.h"
#include "lib/base/clock.h"
#include "lib/ipc/packet_record.h"

struct advertise;

struct advertise_ops {
	void *context;
	bool (*port_mac)(void *context, uint16_t port, uint8_t mac[6]);
	bool (*send)(void *context, const struct inject_record *record);
	uint32_t (*random)(void *context); /* any 32 bits */
};

struct advertise_statistics {
	uint64_t sent, solicited, solicitations, solicitations_ignored;
};

/* NULL when out of memory. */
struct advertise *advertise_new(
	const struct config *config, const struct advertise_ops *ops, monotonic now);
void advertise_free(struct advertise *advertise);
/* Links that stay keep their sequence number (RFC 5944 2.3.2). The former configuration must live
 * until this returns. 0 or -ENOMEM, then nothing changed. */
int advertise_configure(struct advertise *advertise, const struct config *config, monotonic now);
/* A PUNT_AGENT_SOLICITATION record, not trusted (HA4-HOME-19). */
void advertise_solicited(
	struct advertise *advertise, const struct punt_record *record, monotonic now);
/* Sends what is due; when to call again. */
monotonic advertise_tick(struct advertise *advertise, monotonic now);
struct advertise_statistics advertise_statistics_get(const struct advertise *advertise);

#endif
