#include "pktgen/generator/port.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>

#define START_INTERVAL_MS 1000

static int refuse(const struct profile_port *settings, const char *what, int result, char *error)
{
	snprintf(error, PORT_ERROR_SIZE, "port \"%s\": %s: %s", settings->name, what,
		strerror(-result));
	return result;
}

static void mac_choose(struct port *port, const struct profile *profile, unsigned index)
{
	const struct profile_port *settings = port->settings;
	struct rte_ether_addr mac;

	memset(&mac, 0, sizeof(mac));
	rte_eth_macaddr_get(port->ethdev, &mac);
	if (settings->has_mac && memcmp(mac.addr_bytes, settings->mac, 6) != 0) {
		memcpy(mac.addr_bytes, settings->mac, 6);
		rte_eth_dev_default_mac_addr_set(port->ethdev, &mac);
	}
	if (rte_is_zero_ether_addr(&mac)) { /* a ring */
		const uint8_t local[6] = {0x02, 0x70, 0x67, 0, 0, (uint8_t)index};
		memcpy(mac.addr_bytes, local, 6);
	}
	memcpy(port->link.source, mac.addr_bytes, 6);
	if (settings->has_gateway_mac)
		memcpy(port->link.destination, settings->gateway_mac, 6);
	else if (profile->loopback)
		memcpy(port->link.destination, mac.addr_bytes, 6);
	port->resolved = settings->has_gateway_mac || profile->loopback;
}

/* What the device takes of the longest frame's MTU; how it counts overhead is ethdev's rule. */
static uint32_t mtu_choose(const struct rte_eth_dev_info *info, uint32_t frame_max)
{
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
	uint32_t mtu = frame_max - RTE_ETHER_HDR_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead = info->max_rx_pktlen - info->max_mtu;
	if (mtu > info->max_mtu)
		mtu = info->max_mtu;
	if (mtu + overhead > info->max_rx_pktlen)
		mtu = info->max_rx_pktlen - overhead;
	return mtu;
}

static int configure(struct port *port, const struct profile *profile, struct rte_mempool *pool,
	uint32_t frame_max, char *error)
{
	const struct profile_port *settings = port->settings;
	uint16_t rx_size = (uint16_t)profile->queue_size, tx_size = rx_size;
	struct rte_eth_dev_info info;
	int result = rte_eth_dev_info_get(port->ethdev, &info);

	if (result)
		return refuse(settings, "no information", result, error);
	if (settings->tx_queues > info.max_tx_queues)
		return refuse(settings, "fewer transmit queues than tx_queues", -ENOTSUP, error);
	port->tx_queues = (uint16_t)RTE_MIN(settings->tx_queues, profile->sending_lcores);
	port->shared = port->tx_queues < profile->sending_lcores;
	snprintf(port->driver, sizeof(port->driver), "%s", info.driver_name);
	rte_eth_dev_get_name_by_port(port->ethdev, port->device);
	struct rte_eth_conf conf = {
		.rxmode.mtu = mtu_choose(&info, frame_max),
		.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE,
	};
	result = rte_eth_dev_configure(port->ethdev, 1, port->tx_queues, &conf);
	if (!result)
		result = rte_eth_dev_adjust_nb_rx_tx_desc(port->ethdev, &rx_size, &tx_size);
	int socket = rte_eth_dev_socket_id(port->ethdev);
	if (!result)
		result = rte_eth_rx_queue_setup(
			port->ethdev, 0, rx_size, (unsigned)socket, NULL, pool);
	for (uint16_t i = 0; !result && i < port->tx_queues; i++)
		result = rte_eth_tx_queue_setup(port->ethdev, i, tx_size, (unsigned)socket, NULL);
	if (result)
		return refuse(settings, "not configured", result, error);
	return 0;
}

/* A memif's client starts once its server listens, which may be begun in the same breath. */
static int start(const struct port *port, uint32_t timeout_ms, const volatile bool *stop)
{
	int result = rte_eth_dev_start(port->ethdev);

	for (uint32_t waited = 0; result && waited < timeout_ms; waited += START_INTERVAL_MS) {
		if (*stop)
			return -EINTR;
		rte_delay_us_sleep(START_INTERVAL_MS * 1000);
		result = rte_eth_dev_start(port->ethdev);
	}
	return result;
}

int port_open_all(struct port *ports, const struct profile *profile, struct rte_mempool *pool,
	uint32_t frame_max, const volatile bool *stop, char *error)
{
	unsigned index = 0;
	uint16_t ethdev;

	RTE_ETH_FOREACH_DEV(ethdev)
	{
		if (index == profile->port_count)
			break;
		struct port *port = &ports[index];
		*port = (struct port){.ethdev = ethdev, .settings = &profile->ports[index]};
		int result = configure(port, profile, pool, frame_max, error);
		if (!result) {
			mac_choose(port, profile, index);
			rte_eth_promiscuous_enable(ethdev);
			result = start(port, profile->resolve_ms, stop);
			if (result)
				refuse(port->settings, "not started; is its other end there?",
					result, error);
		}
		if (result) {
			port_close_all(ports, index);
			return result;
		}
		index++;
	}
	if (index == profile->port_count)
		return 0;
	port_close_all(ports, index);
	snprintf(error, PORT_ERROR_SIZE,
		"the profile has %u ports and the EAL found %u: give it one --vdev or -a for each",
		profile->port_count, index);
	return -ENODEV;
}

void port_close_all(struct port *ports, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		rte_eth_dev_stop(ports[i].ethdev);
		rte_eth_dev_close(ports[i].ethdev);
	}
}

static bool is_up(const struct port *port)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(port->ethdev, &link) != 0 ||
	       link.link_status == RTE_ETH_LINK_UP;
}

/* A memif's server listens before it knows its interfaces and sends away who comes too early;
 * DPDK's client then rests until it is started anew. */
static void ask_again(const struct port *port)
{
	if (strcmp(port->driver, "net_memif") != 0)
		return;
	rte_eth_dev_stop(port->ethdev);
	rte_eth_dev_start(port->ethdev);
}

const struct port *port_wait_links(
	const struct port *ports, unsigned count, uint32_t timeout_ms, const volatile bool *stop)
{
	unsigned up = 0;

	for (uint32_t waited = 0;; waited += 10) {
		while (up < count && is_up(&ports[up]))
			up++;
		if (up == count)
			return NULL;
		if (waited >= timeout_ms || *stop)
			return &ports[up];
		if (waited % START_INTERVAL_MS == START_INTERVAL_MS - 10)
			ask_again(&ports[up]);
		rte_delay_us_sleep(10000);
	}
}

void port_complain(const struct port *port, FILE *out)
{
	struct rte_eth_stats stats;

	if (rte_eth_stats_get(port->ethdev, &stats))
		return;
	const struct {
		uint64_t count;
		const char *name, *what;
	} rows[] = {
		{stats.oerrors, "oerrors",
			"frames it was given did not leave: longer than it takes, or its other end "
			"is gone"},
		{stats.rx_nombuf, "rx_nombuf",
			"times there was no packet buffer for what came; set buffers higher, and "
			"give the EAL memory for them with -m"},
		{stats.imissed, "imissed",
			"frames came faster than they were taken; give further lcores to receive, "
			"or "
			"set queue_size higher"},
		{stats.ierrors, "ierrors", "frames came damaged, or longer than it takes"},
	};
	for (unsigned i = 0; i < RTE_DIM(rows); i++)
		if (rows[i].count)
			fprintf(out, "port \"%s\": %s: %" PRIu64 " %s\n", port->settings->name,
				rows[i].name, rows[i].count, rows[i].what);
}

bool port_tag(const struct port *port, struct rte_mbuf *mbuf)
{
	if (!port->settings->vlan)
		return true;
	mbuf->vlan_tci = (uint16_t)port->settings->vlan;
	return rte_vlan_insert(&mbuf) == 0;
}

bool port_untag(const struct port *port, struct rte_mbuf *mbuf)
{
	uint32_t vlan = port->settings->vlan;

	return !vlan || (rte_vlan_strip(mbuf) == 0 && (mbuf->vlan_tci & 0xfff) == vlan);
}
