/* Getting out by the network. The addresses are those of RFC 5737 and RFC 3849, which nobody has, and the host's
 * loopback; in a network namespace of its own each is refused without a packet. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static enum verdict interfaces(const struct attempt *a)
{
	struct if_nameindex *all = if_nameindex();

	(void)a;
	for (const struct if_nameindex *i = all; i && i->if_name; i++) {
		if (strcmp(i->if_name, "lo") != 0) {
			say("there is '%s'", i->if_name);
			return ESCAPED;
		}
	}
	say("only lo");
	return CONTAINED;
}

/* Dials, and waits half a second for an answer where none comes at once. */
static enum verdict dial(int fd, const struct sockaddr *sa, socklen_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return refused(fd);
	if (connect(fd, sa, n) == 0)
		return refused(0);
	if (errno != EINPROGRESS)
		return refused(-1);
	if (poll(&p, 1, 500) == 0) {
		say("a packet left: no refusal came");
		return ESCAPED;
	}
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	errno = error;
	return refused(error ? -1 : 0);
}

static enum verdict dial4(const struct attempt *a)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)(a->args[0] ? a->args[0] : probe.tcp)) };

	if (!sa.sin_port)
		return SKIPPED;
	(void)inet_pton(AF_INET, a->path, &sa.sin_addr);
	return dial(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), (const void *)&sa, sizeof(sa));
}

static enum verdict dial6(const struct attempt *a)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)(a->args[0] ? a->args[0] : probe.tcp)) };

	if (!sa.sin6_port)
		return SKIPPED;
	(void)inet_pton(AF_INET6, a->path, &sa.sin6_addr);
	return dial(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), (const void *)&sa, sizeof(sa));
}

static enum verdict send4(const struct attempt *a)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)(a->args[0] ? a->args[0] : probe.udp)) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!sa.sin_port)
		return SKIPPED;
	if (fd < 0)
		return refused(fd);
	(void)inet_pton(AF_INET, a->path, &sa.sin_addr);
	if (sendto(fd, "cs-probe", 8, 0, (const void *)&sa, sizeof(sa)) < 0)
		return refused(-1);
	if (ntohl(sa.sin_addr.s_addr) >> 24 == 127) {
		/* it went to this namespace's loopback, where nobody listens; the host's listener tells */
		if (recv(fd, &sa, 1, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED)
			return refused(-1);
		say("sent to the own loopback; the host's listener tells");
		return CONTAINED;
	}
	return refused(0);
}

static enum verdict open_socket(const struct attempt *a)
{
	int fd = socket((int)a->args[0], (int)a->args[1] | SOCK_CLOEXEC, (int)a->args[2]);

	if (fd >= 0)
		close(fd);
	return refused(fd);
}

static enum verdict vsock(const struct attempt *a)
{
	struct sockaddr_vm sa = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 1 };
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)a;
	if (fd < 0)
		return denied(fd);
	(void)connect(fd, (const void *)&sa, sizeof(sa));
	say("a vsock socket can be made");
	return ESCAPED;
}

/* Asks for an address of one's own. */
static enum verdict add_address(const struct attempt *a)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		struct rtattr r;
		struct in_addr address;
	} req = {
		.h = { .nlmsg_len = sizeof(req),
		       .nlmsg_type = RTM_NEWADDR,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		.m = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 },
		.r = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL },
	};
	char answer[512];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct nlmsghdr *h = (const void *)answer;
	const struct nlmsgerr *e;

	(void)a;
	(void)inet_pton(AF_INET, "198.51.100.7", &req.address);
	if (fd < 0 || send(fd, &req, sizeof(req), 0) < 0)
		return refused(-1);
	if (recv(fd, answer, sizeof(answer), 0) < (ssize_t)sizeof(*h) || h->nlmsg_type != NLMSG_ERROR)
		return refused(-1);
	e = NLMSG_DATA(h);
	errno = -e->error;
	return refused(e->error ? -1 : 0);
}

static enum verdict set_flags(const struct attempt *a)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)a;
	r.ifr_flags = IFF_UP | IFF_PROMISC;
	return fd < 0 ? refused(fd) : refused(ioctl(fd, SIOCSIFFLAGS, &r));
}

static enum verdict transparent(const struct attempt *a)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)a;
	return fd < 0 ? refused(fd) : refused(setsockopt(fd, SOL_IP, IP_TRANSPARENT, &one, sizeof(one)));
}

static socklen_t abstract_address(struct sockaddr_un *sa, const char *suffix)
{
	int n;

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(sa->sun_path + 1, sizeof(sa->sun_path) - 1, "%s%s", probe.abstract, suffix);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static enum verdict abstract(const struct attempt *a)
{
	struct sockaddr_un sa;
	socklen_t n = abstract_address(&sa, a->args[0] == SOCK_DGRAM ? "-dgram" : "");
	int fd = socket(AF_UNIX, (int)a->args[0] | SOCK_CLOEXEC, 0);

	return fd < 0 ? refused(fd) : refused(connect(fd, (const void *)&sa, n));
}

static enum verdict abstract_send(const struct attempt *a)
{
	struct sockaddr_un sa;
	socklen_t n = abstract_address(&sa, "-dgram");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)a;
	return fd < 0 ? refused(fd) : refused(sendto(fd, "x", 1, 0, (const void *)&sa, n));
}

/* /proc/net/unix lists the abstract names of the network namespace one is in. */
static enum verdict abstract_list(const struct attempt *a)
{
	char line[512];
	FILE *f = fopen("/proc/net/unix", "re");

	(void)a;
	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, probe.abstract)) {
			say("the host's name is listed");
			(void)fclose(f);
			return ESCAPED;
		}
	}
	if (f)
		(void)fclose(f);
	say("the host's name is not listed");
	return CONTAINED;
}

static enum verdict host_socket(const struct attempt *a)
{
	const struct attempt there = { .path = probe.socket };

	(void)a;
	return try_connect(&there);
}

#define SOCKET(n, what, f, t, p) { .name = n, .tried = "make a socket: " what, .run = open_socket, .args = { f, t, p } }

static const struct attempt attempts[] = {
	{ .name = "interfaces", .expected = "only lo", .tried = "find an interface beside lo", .run = interfaces },
	{ .name = "tcp-out", .tried = "connect to 192.0.2.1:80", .run = dial4, .path = "192.0.2.1", .args = { 80 } },
	{ .name = "tcp-ssh",
	  .tried = "connect to 198.51.100.1:22",
	  .run = dial4,
	  .path = "198.51.100.1",
	  .args = { 22 } },
	{ .name = "tcp6-out",
	  .tried = "connect to [2001:db8::1]:443",
	  .run = dial6,
	  .path = "2001:db8::1",
	  .args = { 443 } },
	{ .name = "tcp-metadata",
	  .tried = "connect to 169.254.169.254:80",
	  .run = dial4,
	  .path = "169.254.169.254",
	  .args = { 80 } },
	{ .name = "tcp-lan",
	  .tried = "connect to 10.255.255.254:80",
	  .run = dial4,
	  .path = "10.255.255.254",
	  .args = { 80 } },
	{ .name = "udp-dns", .tried = "send to 192.0.2.53:53", .run = send4, .path = "192.0.2.53", .args = { 53 } },
	{ .name = "udp-broadcast",
	  .tried = "send to 255.255.255.255:9",
	  .run = send4,
	  .path = "255.255.255.255",
	  .args = { 9 } },
	{ .name = "udp-multicast",
	  .tried = "send to 224.0.0.251:5353",
	  .run = send4,
	  .path = "224.0.0.251",
	  .args = { 5353 } },
	{ .name = "host-tcp",
	  .tried = "connect to a server on the host's 127.0.0.1",
	  .run = dial4,
	  .path = "127.0.0.1" },
	{ .name = "host-tcp6", .tried = "connect to a server on the host's ::1", .run = dial6, .path = "::1" },
	{ .name = "host-tcp-mapped",
	  .tried = "connect to it as ::ffff:127.0.0.1",
	  .run = dial6,
	  .path = "::ffff:127.0.0.1" },
	{ .name = "host-tcp-any", .tried = "connect to it as 0.0.0.0", .run = dial4, .path = "0.0.0.0" },
	{ .name = "host-udp", .tried = "send to a server on the host's 127.0.0.1", .run = send4, .path = "127.0.0.1" },
	SOCKET("raw-icmp", "raw ICMP", AF_INET, SOCK_RAW, IPPROTO_ICMP),
	SOCKET("raw-tcp", "raw TCP", AF_INET, SOCK_RAW, IPPROTO_TCP),
	SOCKET("raw6", "raw ICMPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6),
	SOCKET("packet", "packet", AF_PACKET, SOCK_RAW, 0),
	SOCKET("packet-dgram", "packet, cooked", AF_PACKET, SOCK_DGRAM, 0),
	{ .name = "vsock", .tried = "make a socket: vsock", .run = vsock },
	SOCKET("af-alg", "kernel crypto (AF_ALG)", 38, SOCK_SEQPACKET, 0),
	SOCKET("af-bluetooth", "Bluetooth", 31, SOCK_RAW, 1),
	SOCKET("af-can", "CAN", 29, SOCK_RAW, 1),
	SOCKET("af-tipc", "TIPC", 30, SOCK_SEQPACKET, 0),
	SOCKET("af-xdp", "XDP", 44, SOCK_RAW, 0),
	SOCKET("af-key", "IPsec keys", 15, SOCK_RAW, 2),
	SOCKET("af-nfc", "NFC", 39, SOCK_SEQPACKET, 0),
	SOCKET("af-rds", "RDS", 21, SOCK_SEQPACKET, 0),
	SOCKET("af-smc", "SMC", 43, SOCK_STREAM, 0),
	SOCKET("netlink-netfilter", "netfilter", AF_NETLINK, SOCK_RAW, 12),
	SOCKET("netlink-audit", "audit", AF_NETLINK, SOCK_RAW, 9),
	SOCKET("netlink-uevent", "uevents", AF_NETLINK, SOCK_RAW, 15),
	SOCKET("netlink-xfrm", "IPsec policy", AF_NETLINK, SOCK_RAW, 6),
	{ .name = "add-address", .tried = "give lo another address", .run = add_address },
	{ .name = "interface-flags", .tried = "change lo's flags", .run = set_flags },
	{ .name = "transparent", .tried = "set IP_TRANSPARENT", .run = transparent },
	{ .name = "abstract-stream",
	  .tried = "connect to an abstract socket of the host's",
	  .run = abstract,
	  .args = { SOCK_STREAM } },
	{ .name = "abstract-dgram",
	  .tried = "connect to an abstract datagram socket of the host's",
	  .run = abstract,
	  .args = { SOCK_DGRAM } },
	{ .name = "abstract-send", .tried = "send to an abstract datagram socket of the host's", .run = abstract_send },
	{ .name = "abstract-list",
	  .expected = "not listed",
	  .tried = "see the host's abstract sockets",
	  .run = abstract_list },
	{ .name = "unix-socket", .tried = "connect to a socket in a directory of the host's", .run = host_socket },
	{ 0 },
};

const struct category network_category = { "network", attempts };
