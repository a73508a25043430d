#include "dataplane/port.h"

#include "dataplane/eal.h"

#include "lib/base/log.h"

#include <errno.h>
#include <rte_ethdev.h>

static int refuse(const struct config_port *settings, const char *what, int error)
{
	char device[CONFIG_TEXT_SIZE + 2], reason[64];

	log_error("port_refused", "port=%s device=%s what=%s error=%s", settings->name,
		log_quote(device, sizeof(device), settings->device), what,
		log_quote(reason, sizeof(reason), strerror(-error)));
	return error;
}

static uint16_t at_most(uint16_t wanted, uint16_t limit)
{
	return wanted < limit ? wanted : limit;
}

static uint64_t offloads_choose(struct port *port, const struct rte_eth_dev_info *info)
{
	const uint64_t wanted = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
				RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	uint64_t chosen = info->tx_offload_capa & wanted;

	port->tx_ipv4_checksum = chosen & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	port->tx_udp_checksum = chosen & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	port->tx_segments = chosen & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	return chosen;
}

/* Verified checksums are taken from the device; a frame larger than a buffer comes in a chain. */
static uint64_t rx_offloads_choose(const struct config_port *settings,
	const struct rte_eth_dev_info *info, struct rte_mempool *pool)
{
	uint64_t wanted = settings->checksum_check
				  ? RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM
				  : 0;

	if (settings->mtu + RTE_ETHER_HDR_LEN >
		rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM)
		wanted |= RTE_ETH_RX_OFFLOAD_SCATTER;
	return info->rx_offload_capa & wanted;
}

static int queues_make(const struct port *port, const struct config_port *settings,
	struct port_queues *queues, const struct rte_eth_dev_info *info, struct rte_mempool *pool)
{
	uint16_t rx_size = settings->queue_size, tx_size = settings->queue_size;
	int socket = rte_eth_dev_socket_id(port->ethdev);
	int error = rte_eth_dev_adjust_nb_rx_tx_desc(port->ethdev, &rx_size, &tx_size);

	(void)info;
	for (uint16_t q = 0; !error && q < queues->rx; q++)
		error = rte_eth_rx_queue_setup(
			port->ethdev, q, rx_size, (unsigned)socket, NULL, pool);
	for (uint16_t q = 0; !error && q < queues->tx; q++)
		error = rte_eth_tx_queue_setup(port->ethdev, q, tx_size, (unsigned)socket, NULL);
	return error;
}

static int device_configure(struct port *port, const struct config_port *settings, unsigned workers,
	struct rte_mempool *pool, struct port_queues *queues)
{
	struct rte_eth_dev_info info;
	int error = rte_eth_dev_info_get(port->ethdev, &info);

	if (error)
		return refuse(settings, "information", error);
	bool shared = at_most((uint16_t)workers, info.max_rx_queues) == workers &&
		      at_most((uint16_t)workers, info.max_tx_queues) == workers;
	queues->rx = queues->tx = shared ? (uint16_t)workers : 1;
	struct rte_eth_conf conf = {
		.rxmode.mtu = settings->mtu < info.max_mtu ? settings->mtu : info.max_mtu,
		.rxmode.offloads = rx_offloads_choose(settings, &info, pool),
		.txmode.offloads = offloads_choose(port, &info),
	};
	if (queues->rx > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
		if (conf.rx_adv_conf.rss_conf.rss_hf == 0)
			conf.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
	}
	error = rte_eth_dev_configure(port->ethdev, queues->rx, queues->tx, &conf);
	if (error)
		return refuse(settings, "configure", error);
	error = queues_make(port, settings, queues, &info, pool);
	if (error)
		return refuse(settings, "queue_size", error);
	return 0;
}

/* The configured address where there is one; a device that cannot take it listens to everything. */
static void mac_choose(struct port *port, const struct config_port *settings)
{
	struct rte_ether_addr mac;

	memset(&mac, 0, sizeof(mac));
	rte_eth_macaddr_get(port->ethdev, &mac);
	if (settings->has_mac && memcmp(mac.addr_bytes, settings->mac, 6) != 0) {
		memcpy(mac.addr_bytes, settings->mac, 6);
		if (rte_eth_dev_default_mac_addr_set(port->ethdev, &mac) != 0)
			rte_eth_promiscuous_enable(port->ethdev);
	}
	if (rte_is_zero_ether_addr(&mac)) { /* a ring: any will do, but each its own */
		const uint8_t local[6] = {0x02, 0x68, 0x70, 0, 0, (uint8_t)port->index};
		memcpy(mac.addr_bytes, local, 6);
	}
	memcpy(port->mac, mac.addr_bytes, 6);
}

int port_open(struct port *port, const struct config_port *settings, uint16_t index,
	unsigned workers, struct rte_mempool *pool, struct port_queues *queues)
{
	char name[CONFIG_TEXT_SIZE];

	*port = (struct port){.index = index,
		.vrf = settings->vrf,
		.mtu = settings->mtu,
		.zone = (uint8_t)settings->zone,
		.checksum_check = settings->checksum_check};
	snprintf(port->name, sizeof(port->name), "%s", settings->name);
	int error = rte_eth_dev_get_port_by_name(
		eal_device_name(settings->device, name, sizeof(name)), &port->ethdev);
	if (error)
		return refuse(settings, "device", error);
	error = device_configure(port, settings, workers, pool, queues);
	if (error)
		return error;
	mac_choose(port, settings);
	error = rte_eth_dev_start(port->ethdev);
	if (error)
		return refuse(settings, "start", error);
	rte_eth_allmulticast_enable(
		port->ethdev); /* neighbour discovery; a device without it hears all */
	atomic_store(&port->up, true);
	return 0;
}

void port_close(struct port *port)
{
	rte_eth_dev_stop(port->ethdev);
	rte_eth_dev_close(port->ethdev);
}

void port_assign(const struct port *port, const struct port_queues *queues, struct worker *workers,
	unsigned worker_count)
{
	unsigned owner = port->index % worker_count;

	for (unsigned i = 0; i < worker_count; i++) {
		struct worker *worker = &workers[i];
		bool has_queue = queues->rx == worker_count || i == owner;
		uint16_t queue = queues->rx == worker_count ? (uint16_t)i : 0;
		worker->tx_queue[port->index] = has_queue ? queue : TX_HANDOFF;
		worker->handoff[port->index] = workers[owner].handoff_in;
		if (has_queue)
			worker->rx[worker->rx_count++] = (struct rx_queue){
				.port = port->index, .ethdev = port->ethdev, .queue = queue};
	}
}

bool port_watch(struct port *port, struct port_counters *counters)
{
	struct rte_eth_stats stats;
	struct rte_eth_link link = {0};

	memcpy(counters->name, port->name, sizeof(counters->name));
	memcpy(counters->mac, port->mac, sizeof(counters->mac));
	counters->mtu = port->mtu;
	bool up = rte_eth_link_get_nowait(port->ethdev, &link) == 0 ? link.link_status : true;
	counters->link_up = up;
	counters->speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	if (rte_eth_stats_get(port->ethdev, &stats) == 0) {
		counters->rx_packets = stats.ipackets;
		counters->tx_packets = stats.opackets;
		counters->rx_bytes = stats.ibytes;
		counters->tx_bytes = stats.obytes;
		counters->rx_missed = stats.imissed;
		counters->rx_errors = stats.ierrors;
		counters->tx_errors = stats.oerrors;
		counters->rx_no_buffer = stats.rx_nombuf;
	}
	return atomic_exchange_explicit(&port->up, up, memory_order_relaxed) != up;
}
