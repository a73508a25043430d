#include "pktgen/mobile_node/outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_tun.h>

static int close_failed(int fd)
{
	int error = errno;

	close(fd);
	return -error;
}

int outside_tun_open(const char *name, char made[IF_NAMESIZE], int *ifindex)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return close_failed(fd);
	memcpy(made, request.ifr_name, IFNAMSIZ);
	*ifindex = (int)if_nametoindex(made);
	return *ifindex ? fd : close_failed(fd);
}

static int outer_socket(int type, int protocol, const char *device)
{
	const int off = IP_PMTUDISC_DONT;
	const int on = 1, room = 4 << 20;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	if ((device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
			       (socklen_t)strlen(device)) < 0) ||
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off)) < 0 ||
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
		return close_failed(fd);
	/* What comes while this process does not run, and what it sends while the kernel's own
	 * threads do not: a node shares its processor. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	return fd;
}

int outside_udp_open(const char *device, uint16_t port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = outer_socket(SOCK_DGRAM, 0, device);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return close_failed(fd);
	return fd;
}

int outside_ipip_open(const char *device)
{
	return outer_socket(SOCK_RAW, IPPROTO_IPIP, device);
}

int outside_send(int fd, be32 source, int ifindex, be32 destination, uint16_t port,
	const struct iovec parts[2])
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = destination};
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
	struct msghdr message = {.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = (struct iovec *)parts,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	const struct in_pktinfo info = {.ipi_spec_dst.s_addr = source, .ipi_ifindex = ifindex};

	memset(&control, 0, sizeof(control));
	control.header.cmsg_level = IPPROTO_IP;
	control.header.cmsg_type = IP_PKTINFO;
	control.header.cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
	return sendmsg(fd, &message, 0) < 0 ? -errno : 0;
}
