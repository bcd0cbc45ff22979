"""Sends a router advertisement by eth0: here is the default router, and 2001:db8:bad::/64 is on the link."""
import socket
import struct

link = socket.if_nametoindex("eth0")
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
for option in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
    s.setsockopt(socket.IPPROTO_IPV6, option, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
# RFC 4861, 4.2 and 4.6.2: a lifetime of 1800 s as router; on-link, for autonomous configuration, 3600 s.
header = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0)
s.sendto(header + prefix + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::"), ("ff02::1", 0, 0, link))
