/*
 * Decapsulation moves the data start forward and leaves what it steps over where it was, so the
 * frame as it came still stands at the place where devices put frames, unless a longer header of
 * ours was written over it; then the outer header is that one, at the data start. Both are read
 * with the same care: what does not parse is not shown, or only when nothing can have been
 * decrypted.
 *
 * Lanes transmit without metadata (struct packet), so what dies on its way out is judged by its
 * octets alone.
 */
#include "dataplane/drop_trace.h"

#include "dataplane/packet.h"
#include "dataplane/table/sa_table.h"

#include "lib/wire/summary.h"

#include <string.h>

#define VIEW_MAX   192 /* octets that are looked at */
#define LINK_MAX   18  /* Ethernet header with a tag */
#define ESP_HEADER 8

struct head {
	const uint8_t *octets;
	uint32_t length;        /* that can be read */
	struct summary summary; /* version 0: no IP header */
};

static bool parse(struct worker *worker, struct head *head)
{
	const struct config_dataplane *settings = worker->settings;
	struct summary_ports ports = {{0}};

	if (settings != NULL)
		memcpy(ports.esp, settings->esp_ports, sizeof(ports.esp));
	return summary_read(head->octets, head->length, true, &ports, &head->summary) ||
	       summary_read(head->octets, head->length, false, &ports, &head->summary);
}

/* How far the data start is behind where a device put the frame, or a copy began. */
static uint32_t taken_off(const struct rte_mbuf *packet)
{
	return packet->data_off > RTE_PKTMBUF_HEADROOM
		       ? (uint32_t)packet->data_off - RTE_PKTMBUF_HEADROOM
		       : 0u;
}

static void head_find(struct worker *worker, struct rte_mbuf *packet, struct head *head)
{
	uint32_t before = taken_off(packet);
	uint32_t here = RTE_MIN((uint32_t)rte_pktmbuf_data_len(packet), (uint32_t)VIEW_MAX);

	*head = (struct head){.octets = rte_pktmbuf_mtod(packet, const uint8_t *) - before,
		.length = before + here};
	if (before > 0 && parse(worker, head))
		return;
	*head = (struct head){.octets = rte_pktmbuf_mtod(packet, const uint8_t *), .length = here};
	(void)parse(worker, head);
}

static bool is_step(enum drop_reason reason, const char *step)
{
	return strcmp(drop_reason_step(reason), step) == 0;
}

/* Whether struct packet speaks of this packet: a lane's frame can die of these too. */
static bool is_described(enum drop_reason reason)
{
	switch (reason) {
	case DROP_tx_full:
	case DROP_tx_refused:
	case DROP_port_down:
	case DROP_no_buffer:
	case DROP_ipsec_crypto_error:
		return false;
	default:
		return true;
	}
}

static const struct decap_layer *esp_layer(const struct packet *p)
{
	for (unsigned i = RTE_MIN(p->layer_count, DECAP_LAYERS_MAX); i > 0; i--)
		if (p->layers[i - 1].kind == DECAP_ESP)
			return &p->layers[i - 1];
	return NULL;
}

/* How many octets of the head may be shown: none that a cipher covered. */
static uint32_t shown(struct rte_mbuf *packet, const struct head *head, enum drop_reason reason)
{
	const struct packet *p = packet_get(packet);
	const struct summary *s = &head->summary;
	bool opened = !is_described(reason) || esp_layer(p) != NULL || p->outer_kind == DECAP_ESP;

	if (s->version == 0)
		return opened && taken_off(packet) > LINK_MAX ? 0 : head->length;
	if (s->esp)
		return s->esp_at + ESP_HEADER;
	return opened && (s->tunnel || taken_off(packet) > LINK_MAX) ? s->payload_at : head->length;
}

/* The SA, when it is sure. */
static void note_sa(struct worker *worker, struct rte_mbuf *packet, const struct head *head,
	struct drop_record *record)
{
	const struct packet *p = packet_get(packet);
	const enum drop_reason reason = (enum drop_reason)record->reason;
	const struct decap_layer *layer = esp_layer(p);
	const struct sa_inbound *sa;

	record->sa_id = SA_NONE;
	if (!is_described(reason))
		return;
	if (p->flags & PACKET_PROTECTED ||
		(is_step(reason, "encap") && strncmp(drop_reason_name(reason), "ipsec_", 6) == 0 &&
			reason != DROP_ipsec_no_buffer)) {
		record->sa_id = p->sa_id;
		record->sa_direction = SA_OUTBOUND;
	} else if (layer != NULL) {
		record->sa_id = layer->id;
	} else if (is_step(reason, "decap") && head->summary.esp) {
		sa = sa_inbound_lookup(
			tables_sas(worker->tables), rte_cpu_to_be_32(head->summary.spi));
		record->sa_id = sa != NULL ? sa->sa_id : SA_NONE;
	}
}

static uint8_t copy_octets(uint8_t *to, const uint8_t *from, uint32_t length)
{
	length = RTE_MIN(length, (uint32_t)DROP_TRACE_OCTETS);
	memcpy(to, from, length);
	return (uint8_t)length;
}

static void note_head(struct rte_mbuf *packet, const struct head *head, struct drop_record *record)
{
	uint32_t from = head->summary.link_length;
	uint32_t length =
		RTE_MIN(shown(packet, head, (enum drop_reason)record->reason), head->length);

	record->kind = DROP_HEAD_IP;
	if (head->summary.version == 0) { /* ARP, and what is no packet at all */
		from = 0;
		record->kind = taken_off(packet) > 0 ? DROP_HEAD_IP : DROP_HEAD_FRAME;
	}
	record->head_length =
		length > from ? copy_octets(record->head, head->octets + from, length - from) : 0;
	if (record->head_length == 0)
		record->kind = DROP_HEAD_NONE;
}

void drop_trace_take(
	struct worker *worker, struct rte_mbuf *packet, enum drop_reason reason, uint32_t mode)
{
	const uint32_t wanted = mode >> DROP_TRACE_REASON;
	struct drop_record record = {.at_ns = worker->now_ns,
		.length = rte_pktmbuf_pkt_len(packet),
		.reason = (uint16_t)reason,
		.generation = (uint8_t)(mode >> DROP_TRACE_GENERATION)};
	struct head head;

	if (wanted != 0 && wanted != (uint32_t)reason)
		return;
	record.port = is_described(reason) ? packet_get(packet)->port : PORT_NONE;
	record.vrf = is_described(reason) ? packet_get(packet)->vrf : 0;
	head_find(worker, packet, &head);
	note_head(packet, &head, &record);
	note_sa(worker, packet, &head, &record);
	if (mode & DROP_TRACE_TEXT)
		record.text_length = copy_octets(record.text,
			rte_pktmbuf_mtod(packet, const uint8_t *), rte_pktmbuf_data_len(packet));
	drop_trace_put(worker->drop_trace, &record);
}
