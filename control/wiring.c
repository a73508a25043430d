#include "control/wiring.h"

#include "lib/base/log.h"
#include "lib/wire/arp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ANNOUNCE_PER_TURN 256

/* ---- what the engine asks for ---- */

static void engine_send(void *context, const struct inject_record *record)
{
	struct process *p = context;
	dataplane_link_send(
		p->link, record); // lost only like a datagram may be lost: the node asks again
}

static uint64_t engine_binding_set(void *context, const struct binding_command *binding)
{
	struct process *p = context;
	struct command command = {.type = COMMAND_BINDING_SET, .binding = *binding};
	return mirror_set(p->mirror, &command);
}

static uint64_t engine_binding_remove(void *context, const struct binding_command *binding)
{
	struct process *p = context;
	struct command command = {.type = COMMAND_BINDING_REMOVE, .binding = *binding};
	return mirror_remove(p->mirror, &command);
}

static uint64_t engine_prefix_set(void *context, const struct prefix_command *prefix)
{
	struct process *p = context;
	struct command command = {.type = COMMAND_PREFIX_SET, .prefix = *prefix};
	return mirror_set(p->mirror, &command);
}

static uint64_t engine_prefix_remove(void *context, const struct prefix_command *prefix)
{
	struct process *p = context;
	struct command command = {.type = COMMAND_PREFIX_REMOVE, .prefix = *prefix};
	return mirror_remove(p->mirror, &command);
}

/* HA4-HOME-11: the gateway's own neighbour entry of a home address, in the kernel or, without a
 * TAP, in the dataplane. */
static void neighbor_learn(
	struct process *p, uint16_t port, const struct ip_address *address, const uint8_t *mac)
{
	if (p->taps && tap_mirror_neighbor_set(p->taps, port, address, mac))
		return;
	struct command command = {.type = COMMAND_NEIGHBOR_SET};
	command.neighbor.address = *address;
	command.neighbor.port = port;
	if (desired_lookup(&p->desired, &command))
		return;
	if (mac) {
		memcpy(command.neighbor.mac, mac, sizeof(command.neighbor.mac));
		mirror_set(p->mirror, &command);
	} else if (mirror_get(p->mirror, &command)) {
		command.type = COMMAND_NEIGHBOR_REMOVE;
		mirror_remove(p->mirror, &command);
	}
}

static struct gratuitous_arp_announcement announcement(
	const struct process *p, const struct mip4_home_change *change)
{
	struct gratuitous_arp_announcement a = {.home_address = change->home_address,
		.vrf = change->vrf,
		.port = change->port,
		.vlan = change->vlan,
		.paced = change->restored};
	if (change->instance < p->config->instance_count)
		a.count = p->config->instances[change->instance].gratuitous_arp_count;
	return a;
}

static void engine_home_arrived(void *context, const struct mip4_home_change *change)
{
	struct process *p = context;
	struct gratuitous_arp_announcement a = announcement(p, change);
	// Static bindings arrive all at once at the start, before there is a dataplane.
	a.paced |= !dataplane_link_attachment(p->link);
	neighbor_learn(p, change->port, &change->home_address, NULL);
	gratuitous_arp_announce(p->arp, &a, clock_read().monotonic_ns);
}

static void engine_home_returned(void *context, const struct mip4_home_change *change)
{
	struct process *p = context;
	struct gratuitous_arp_announcement a = announcement(p, change);
	if (!change->has_mac) { // HA4-HOME-07: not from home, expired or revoked
		gratuitous_arp_stop(p->arp, change->vrf, &change->home_address);
		return;
	}
	a.has_mac = true;
	memcpy(a.mac, change->mac, sizeof(a.mac));
	neighbor_learn(p, change->port, &change->home_address, change->mac);
	gratuitous_arp_announce(p->arp, &a, clock_read().monotonic_ns);
}

static void store_result(struct process *p, int error)
{
	p->store_dirty = true;
	if (error && !p->store_failed)
		log_error("store", "error=\"%s\" effect=\"bindings would not survive a restart\"",
			strerror(-error));
	p->store_failed = error != 0;
}

static void engine_store_put(
	void *context, const void *key, size_t key_length, const void *record, size_t length)
{
	struct process *p = context;
	if (p->store)
		store_result(
			p, store_put(p->store, STORE_BINDING, key, key_length, record, length));
}

static void engine_store_delete(void *context, const void *key, size_t key_length)
{
	struct process *p = context;
	if (p->store)
		store_result(p, store_delete(p->store, STORE_BINDING, key, key_length));
}

static void engine_event(void *context, const struct mip4_event *event)
{
	struct process *p = context;
	const char *name = mip4_event_name(event->type);
	const char *text = event->text ? event->text : "";
	switch (event->type) {
	case MIP4_EVENT_SECURITY:
	case MIP4_EVENT_ALARM:
		log_warning(name, "%s suppressed=%u", text, event->suppressed);
		break;
	case MIP4_EVENT_DENIED:
		log_notice(name, "%s suppressed=%u", text, event->suppressed);
		break;
	case MIP4_EVENT_BINDING_REFRESHED:
		log_debug(name, "%s", text);
		break;
	default:
		log_info(name, "%s", text);
		break;
	}
	if (!p->operators)
		return;
	struct operator_event published = {
		.type = name,
		.cause = event->type == MIP4_EVENT_BINDING_DELETED
				 ? mip4_event_cause_name(event->cause)
				 : NULL,
		.text = event->text,
		.nai = event->nai && event->nai[0] ? event->nai : NULL,
		.home_address = &event->home_address,
		.care_of_address = event->binding ? &event->binding->care_of_address : NULL,
		.source = &event->source,
		.instance = event->instance,
		.code = event->type == MIP4_EVENT_DENIED ? event->code : -1,
	};
	operator_publish(p->operators, &published, clock_read().wall_ns);
}

void wiring_random(void *context, void *out, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t got = getrandom((uint8_t *)out + done, length - done, 0);
		if (got < 0 && errno != EINTR) {
			// Without randomness nonces could be guessed: better no process than that.
			log_error("random", "error=\"%s\"", strerror(errno));
			abort();
		}
		if (got > 0)
			done += (size_t)got;
	}
}

struct mip4_ops wiring_engine_ops(void)
{
	return (struct mip4_ops){
		.send = engine_send,
		.binding_set = engine_binding_set,
		.binding_remove = engine_binding_remove,
		.prefix_set = engine_prefix_set,
		.prefix_remove = engine_prefix_remove,
		.home_arrived = engine_home_arrived,
		.home_returned = engine_home_returned,
		.store_put = engine_store_put,
		.store_delete = engine_store_delete,
		.event = engine_event,
		.random = wiring_random,
		.inner_address_owned = wiring_ipsec_inner_owned,
		.inner_address_owner = wiring_ipsec_inner_owner,
	};
}

/* ---- what the mirror and the dataplane tell ---- */

static void on_done(void *context, uint64_t ticket, int error)
{
	static struct log_limit limit = LOG_LIMIT(1, 5);
	struct process *p = context;
	struct clock_now now = clock_read();
	if (p->charon)
		charon_done(p->charon, ticket, error, now.monotonic_ns);
	if (ipsec_done(p->ipsec, ticket, error))
		return;
	if (error)
		log_limited(&limit, now.monotonic_ns, LOG_LEVEL_WARNING, "dataplane_refused",
			"ticket=%llu error=\"%s\"", (unsigned long long)ticket, strerror(error));
	mip4_transaction_done(p->engine, ticket, error, now);
}

static void on_event(void *context, const struct event *event)
{
	static struct log_limit limit = LOG_LIMIT(1, 5);
	struct process *p = context;
	struct clock_now now = clock_read();
	switch (event->type) {
	case EVENT_NEIGHBOR_NEEDED:
		if (p->taps)
			tap_mirror_resolve(p->taps, event->port, &event->address);
		break;
	case EVENT_PORT_STATE:
		log_notice("port_state", "port=%u up=%d", event->port, event->value == 1);
		break;
	case EVENT_WORKER_STALLED:
		log_limited(&limit, now.monotonic_ns, LOG_LEVEL_ERROR, "worker_stalled",
			"worker=%llu", (unsigned long long)event->value);
		break;
	default:
		if (!ipsec_event(p->ipsec, event, now.monotonic_ns))
			mip4_engine_event(p->engine, event, now);
		break;
	}
}

struct mirror_callbacks wiring_mirror_callbacks(struct process *process)
{
	return (struct mirror_callbacks){.context = process,
		.on_done = on_done,
		.on_event = on_event,
		.expand = wiring_ipsec_expand};
}

static void on_attached(void *context, bool restarted)
{
	struct process *p = context;
	const struct attachment *attachment = dataplane_link_attachment(p->link);
	monotonic now = clock_read().monotonic_ns;
	ipsec_attached(p->ipsec, attachment, now);
	if (p->charon)
		charon_attached(p->charon, attachment->session, now);
	if (restarted)
		p->arrival_cursor = 0;
}

static void on_detached(void *context)
{
	struct process *p = context;
	if (p->charon) // all else waits in the mirror: tables, bindings, tickets
		charon_detached(p->charon);
}

/* HA4-HOME-13: an address conflict, or a node that came home and did not deregister. */
static void home_arp(struct process *p, const struct punt_record *record, monotonic now)
{
	static struct log_limit limit = LOG_LIMIT(1, 10);
	struct arp arp;
	char text[IP_ADDRESS_TEXT_SIZE];
	p->home_arp_seen++;
	if (!arp_parse(&arp, record->data, record->length))
		return;
	struct ip_address address = ip_address_from_v4(arp.sender_protocol);
	const uint8_t *m = arp.sender_hardware;
	log_limited(&limit, now, LOG_LEVEL_WARNING, "home_address_claimed",
		"home=%s port=%u mac=%02x:%02x:%02x:%02x:%02x:%02x",
		ip_address_format(&address, text), record->port, m[0], m[1], m[2], m[3], m[4],
		m[5]);
}

static void on_punt(void *context, const struct punt_record *record, const struct clock_now *now)
{
	struct process *p = context;
	switch (record->kind) {
	case PUNT_MOBILE_IPV4:
		mip4_receive(p->engine, record, *now);
		break;
	case PUNT_AGENT_SOLICITATION:
		advertise_solicited(p->advertise, record, now->monotonic_ns);
		break;
	case PUNT_HOME_ARP:
		home_arp(p, record, now->monotonic_ns);
		break;
	default:
		break;
	}
}

/* Nodes that have a binding and speak from where it ends are served before strangers. */
static bool preferred(void *context, const struct punt_record *record)
{
	const struct process *p = context;
	const struct binding_cache *cache = mip4_show_cache(p->engine);
	if (record->kind != PUNT_MOBILE_IPV4)
		return false;
	for (unsigned i = 0; i < p->config->instance_count; i++) {
		uint16_t instance = (uint16_t)i;
		if (binding_cache_endpoint(cache, instance, &record->source, record->source_port) ||
			binding_cache_endpoint(cache, instance, &record->source, 0))
			return true;
	}
	return false;
}

struct dataplane_link_callbacks wiring_link_callbacks(struct process *process)
{
	return (struct dataplane_link_callbacks){.context = process,
		.attached = on_attached,
		.detached = on_detached,
		.former = wiring_ipsec_former,
		.punt = on_punt,
		.preferred = preferred};
}

bool wiring_announce_some(struct process *process, const struct clock_now *now)
{
	if (process->arrival_cursor == UINT32_MAX)
		return false;
	const struct binding_cache *cache = mip4_show_cache(process->engine);
	for (unsigned i = 0; i < ANNOUNCE_PER_TURN; i++) {
		const struct binding *b =
			binding_cache_iterate(cache, &process->arrival_cursor, ANNOUNCE_PER_TURN);
		if (!b)
			break;
		// One announcement a home address: the first of its simultaneous bindings speaks.
		if (b->home_port == PORT_NONE ||
			binding_cache_home(cache, b->instance, &b->home_address) != b)
			continue;
		struct mip4_home_change change = {.home_address = b->home_address,
			.instance = b->instance,
			.vrf = process->config->instances[b->instance].vrf,
			.port = b->home_port,
			.restored = true};
		struct gratuitous_arp_announcement a = announcement(process, &change);
		gratuitous_arp_announce(process->arp, &a, now->monotonic_ns);
	}
	return process->arrival_cursor != UINT32_MAX;
}

/* ---- what the kernel tells ---- */

static void forget(struct process *p, const struct command *set)
{
	struct command command = *set;
	if (!mirror_get(p->mirror, &command))
		return;
	command.type++;
	mirror_remove(p->mirror, &command);
}

static void kernel_set(void *context, const struct command *command)
{
	struct process *p = context;
	if (desired_lookup(&p->desired, command))
		return; // the configuration's own entry wins
	if (command->type == COMMAND_LOCAL_SET &&
		desired_is_agent(&p->desired, command->local.vrf, &command->local.address)) {
		forget(p, command);
		return;
	}
	mirror_set(p->mirror, command);
}

static void kernel_remove(void *context, const struct command *command)
{
	struct process *p = context;
	if (desired_lookup(&p->desired, command))
		return;
	struct command set = *command;
	set.type--;
	forget(p, &set);
}

struct tap_mirror_callbacks wiring_tap_callbacks(struct process *process)
{
	return (struct tap_mirror_callbacks){
		.context = process, .set = kernel_set, .remove = kernel_remove};
}

/* ---- what goes out ---- */

static bool port_mac(void *context, uint16_t port, uint8_t mac[6])
{
	const struct process *p = context;
	return dataplane_link_port_mac(p->link, port, mac);
}

static bool send_record(void *context, const struct inject_record *record)
{
	const struct process *p = context;
	return dataplane_link_send(p->link, record);
}

static uint32_t random_number(void *context)
{
	uint32_t number;
	wiring_random(context, &number, sizeof(number));
	return number;
}

struct gratuitous_arp_ops wiring_arp_ops(struct process *process)
{
	return (struct gratuitous_arp_ops){
		.context = process, .port_mac = port_mac, .send = send_record};
}

struct advertise_ops wiring_advertise_ops(struct process *process)
{
	return (struct advertise_ops){.context = process,
		.port_mac = port_mac,
		.send = send_record,
		.random = random_number};
}

void wiring_apply_desired(
	struct process *process, const struct desired *before, const struct desired *after)
{
	for (size_t i = 0; i < before->count; i++) {
		if (!desired_lookup(after, &before->commands[i]))
			forget(process, &before->commands[i]);
	}
	for (size_t i = 0; i < after->count; i++)
		mirror_set(process->mirror, &after->commands[i]);
}
