#include "control/home/gratuitous_arp.h"

#include "lib/base/map.h"
#include "lib/base/timer_wheel.h"
#include "lib/wire/arp.h"
#include "lib/wire/ethernet.h"

#include <stdlib.h>
#include <string.h>

#define WORK_PER_TICK 256

struct key {
	struct ip_address home_address;
	uint16_t vrf;
	uint8_t zero[6];
};

struct entry {
	struct timer timer;
	struct gratuitous_arp *owner;
	struct gratuitous_arp_announcement announcement;
	uint32_t left; /* frames still to send */
};

struct gratuitous_arp {
	struct gratuitous_arp_ops ops;
	struct timer_wheel wheel;
	struct map *entries; /* key -> struct entry */
	monotonic paced_until_ns;
	uint64_t sent;
};

static struct key key_make(uint16_t vrf, const struct ip_address *home_address)
{
	return (struct key){.home_address = *home_address, .vrf = vrf};
}

static bool send_one(
	struct gratuitous_arp *arp, const struct gratuitous_arp_announcement *announcement)
{
	struct inject_record record = {.kind = INJECT_FRAME, .port = announcement->port};
	struct writer w = writer_make(record.data, sizeof(record.data));
	uint8_t own[6];
	if (!arp->ops.port_mac(arp->ops.context, announcement->port, own))
		return false;
	// V10 and V11: the frame is ours in both cases, the ARP sender is who owns the address now.
	const uint8_t *owner = announcement->has_mac ? announcement->mac : own;
	struct arp message = arp_gratuitous(ip_address_v4(&announcement->home_address), owner);
	ethernet_write(&w, ethernet_broadcast, own, announcement->vlan, ETHERNET_ARP);
	arp_write(&w, &message);
	record.length = (uint16_t)writer_length(&w);
	if (!arp->ops.send(arp->ops.context, &record))
		return false;
	arp->sent++;
	return true;
}

static void entry_remove(struct gratuitous_arp *arp, struct entry *entry)
{
	struct key key = key_make(entry->announcement.vrf, &entry->announcement.home_address);
	map_remove(arp->entries, &key, NULL);
	timer_wheel_cancel(&arp->wheel, &entry->timer);
	free(entry);
}

static void entry_due(struct timer *timer, void *owner, monotonic now)
{
	struct entry *entry = owner;
	struct gratuitous_arp *arp = entry->owner;
	if (send_one(arp, &entry->announcement))
		entry->left--;
	if (entry->left)
		timer_wheel_add(&arp->wheel, &entry->timer, now + GRATUITOUS_ARP_INTERVAL_NS);
	else
		entry_remove(arp, entry);
}

struct gratuitous_arp *gratuitous_arp_new(
	uint32_t limit, const struct gratuitous_arp_ops *ops, monotonic now)
{
	struct gratuitous_arp *arp = calloc(1, sizeof(*arp));
	if (!arp)
		return NULL;
	arp->ops = *ops;
	arp->entries = map_new(sizeof(struct key), limit);
	if (!arp->entries) {
		free(arp);
		return NULL;
	}
	timer_wheel_init(&arp->wheel, now);
	return arp;
}

void gratuitous_arp_free(struct gratuitous_arp *arp)
{
	if (!arp)
		return;
	uint32_t cursor = 0;
	const void *key;
	uint64_t value;
	while (map_next(arp->entries, &cursor, &key, &value))
		free((void *)(uintptr_t)value);
	map_free(arp->entries);
	free(arp);
}

void gratuitous_arp_announce(struct gratuitous_arp *arp,
	const struct gratuitous_arp_announcement *announcement, monotonic now)
{
	if (!ip_address_is_v4(&announcement->home_address))
		return;
	gratuitous_arp_stop(arp, announcement->vrf, &announcement->home_address);
	if (!announcement->count)
		return;
	struct entry *entry = calloc(1, sizeof(*entry));
	struct key key = key_make(announcement->vrf, &announcement->home_address);
	if (!entry || map_put_pointer(arp->entries, &key, entry)) {
		free(entry);
		send_one(arp, announcement);
		return;
	}
	entry->owner = arp;
	entry->announcement = *announcement;
	entry->left = announcement->count;
	timer_init(&entry->timer, entry_due, entry);
	if (announcement->paced) {
		if (arp->paced_until_ns < now)
			arp->paced_until_ns = now;
		timer_wheel_add(&arp->wheel, &entry->timer, arp->paced_until_ns);
		arp->paced_until_ns += GRATUITOUS_ARP_PACE_NS;
		return;
	}
	entry_due(&entry->timer, entry, now);
}

void gratuitous_arp_stop(
	struct gratuitous_arp *arp, uint16_t vrf, const struct ip_address *home_address)
{
	struct key key = key_make(vrf, home_address);
	struct entry *entry = map_get_pointer(arp->entries, &key);
	if (entry)
		entry_remove(arp, entry);
}

monotonic gratuitous_arp_tick(struct gratuitous_arp *arp, monotonic now)
{
	if (timer_wheel_advance(&arp->wheel, now, WORK_PER_TICK))
		return 0;
	return timer_wheel_next(&arp->wheel);
}

uint64_t gratuitous_arp_sent(const struct gratuitous_arp *arp)
{
	return arp->sent;
}

uint32_t gratuitous_arp_waiting(const struct gratuitous_arp *arp)
{
	return map_count(arp->entries);
}
