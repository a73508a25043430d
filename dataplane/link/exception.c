#include "dataplane/link/exception.h"

#include "dataplane/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FRAME_MAX 65550

enum drop_reason exception_packet(struct worker *worker, struct rte_mbuf *frame)
{
	if (frame->port >= worker->port_count || !worker->ports[frame->port].has_exception)
		return DROP_exception_none;
	if (!worker->exception_out || rte_ring_sp_enqueue(worker->exception_out, frame) != 0)
		return DROP_exception_full;
	worker->counters->punted_exception++;
	return DROP_NONE;
}

static int tap_configure(const char *name, const uint8_t mac[6], uint16_t mtu)
{
	struct ifreq request = {0};
	int error = 0, control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (control < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	if (ioctl(control, SIOCSIFHWADDR, &request))
		error = -errno;
	request.ifr_mtu = mtu;
	if (!error && ioctl(control, SIOCSIFMTU, &request))
		error = -errno;
	if (!error && ioctl(control, SIOCGIFFLAGS, &request))
		error = -errno;
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (!error && ioctl(control, SIOCSIFFLAGS, &request))
		error = -errno;
	close(control);
	return error;
}

int exception_tap_open(const char *name, const uint8_t mac[6], uint16_t mtu)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	int error = ioctl(fd, TUNSETIFF, &request) ? -errno : tap_configure(name, mac, mtu);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

/* False when the kernel does not take the frame: its queue is full, as any device's may be, or the
 * TAP is down. */
static bool frame_write(int tap, struct rte_mbuf *frame)
{
	struct iovec parts[PACKET_PIECES_MAX];
	int count = 0;

	for (struct rte_mbuf *segment = frame; segment; segment = segment->next) {
		if (count == PACKET_PIECES_MAX)
			return false;
		parts[count++] = (struct iovec){.iov_base = rte_pktmbuf_mtod(segment, void *),
			.iov_len = rte_pktmbuf_data_len(segment)};
	}
	return writev(tap, parts, count) >= 0;
}

unsigned exception_write(
	struct worker *worker, const int *taps, struct port_counters *ports, unsigned port_count)
{
	struct rte_mbuf *frames[BURST_SIZE];
	unsigned count =
		rte_ring_sc_dequeue_burst(worker->exception_out, (void **)frames, BURST_SIZE, NULL);

	for (unsigned i = 0; i < count; i++) {
		uint16_t port = frames[i]->port;
		if (port < port_count && (taps[port] < 0 || !frame_write(taps[port], frames[i])))
			ports[port].exception_lost++;
	}
	rte_pktmbuf_free_bulk(frames, count);
	return count;
}

/* Octets that did not fit into the first buffer, in further ones. False without buffers. */
static bool frame_extend(
	struct rte_mempool *pool, struct rte_mbuf *frame, const uint8_t *octets, uint32_t length)
{
	while (length > 0) {
		struct rte_mbuf *next = rte_pktmbuf_alloc(pool);
		if (!next)
			return false;
		uint16_t part = (uint16_t)RTE_MIN(length, (uint32_t)rte_pktmbuf_tailroom(next));
		memcpy(rte_pktmbuf_append(next, part), octets, part);
		if (rte_pktmbuf_chain(frame, next) != 0) {
			rte_pktmbuf_free(next);
			return false;
		}
		octets += part;
		length -= part;
	}
	return true;
}

unsigned exception_read(
	struct worker *worker, int tap, uint16_t port, struct port_counters *counters)
{
	static uint8_t rest[FRAME_MAX]; /* main lcore's alone: of a frame larger than a buffer */
	/* No more than the worker has room for: what it has not is left to the kernel's queue,
	 * which counts its own losses. */
	unsigned count = 0, room = RTE_MIN(rte_ring_free_count(worker->exception_in), BURST_SIZE);

	while (count < room) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->pool);
		if (!mbuf)
			break;
		uint32_t first = rte_pktmbuf_tailroom(mbuf);
		struct iovec parts[] = {
			{.iov_base = rte_pktmbuf_mtod(mbuf, void *), .iov_len = first},
			{.iov_base = rest, .iov_len = sizeof(rest)}};
		ssize_t length = readv(tap, parts, 2);
		if (length <= 0) {
			rte_pktmbuf_free(mbuf);
			break;
		}
		mbuf->port = port;
		mbuf->data_len = (uint16_t)RTE_MIN((uint32_t)length, first);
		mbuf->pkt_len = mbuf->data_len;
		if (!frame_extend(worker->pool, mbuf, rest, (uint32_t)length - mbuf->data_len) ||
			rte_ring_sp_enqueue(worker->exception_in, mbuf) != 0) {
			rte_pktmbuf_free(mbuf);
			counters->exception_refused++;
		}
		count++;
	}
	return count;
}
