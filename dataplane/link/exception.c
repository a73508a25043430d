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

#define SEGMENTS_MAX 16

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

static void frame_write(int tap, struct rte_mbuf *frame)
{
	struct iovec parts[SEGMENTS_MAX];
	int count = 0;

	for (struct rte_mbuf *segment = frame; segment && count < SEGMENTS_MAX;
		segment = segment->next)
		parts[count++] = (struct iovec){.iov_base = rte_pktmbuf_mtod(segment, void *),
			.iov_len = rte_pktmbuf_data_len(segment)};
	ssize_t written =
		writev(tap, parts, count); /* a full TAP queue drops, as any device does */
	(void)written;
}

unsigned exception_write(struct worker *worker, const int *taps, unsigned port_count)
{
	struct rte_mbuf *frames[BURST_SIZE];
	unsigned count =
		rte_ring_sc_dequeue_burst(worker->exception_out, (void **)frames, BURST_SIZE, NULL);

	for (unsigned i = 0; i < count; i++) {
		uint16_t port = frames[i]->port;
		if (port < port_count && taps[port] >= 0)
			frame_write(taps[port], frames[i]);
	}
	rte_pktmbuf_free_bulk(frames, count);
	return count;
}

unsigned exception_read(struct worker *worker, int tap, uint16_t port)
{
	unsigned count = 0;

	while (count < BURST_SIZE) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->pool);
		if (!mbuf)
			break;
		ssize_t length =
			read(tap, rte_pktmbuf_mtod(mbuf, void *), rte_pktmbuf_tailroom(mbuf));
		if (length <= 0) {
			rte_pktmbuf_free(mbuf);
			break;
		}
		mbuf->port = port;
		mbuf->data_len = (uint16_t)length;
		mbuf->pkt_len = (uint32_t)length;
		if (rte_ring_sp_enqueue(worker->exception_in, mbuf) != 0)
			rte_pktmbuf_free(mbuf);
		count++;
	}
	return count;
}
