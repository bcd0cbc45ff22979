# Multicast through a router: `multicast.py route FROM TO` forwards two groups from one interface to another until it is
# stopped; `multicast.py listen INTERFACE FILE` writes who sends to them; `multicast.py send INTERFACE` sends to each.
import select, socket, struct, sys, time

PORT = 7001
# Of global scope, for those of the link are not forwarded.
GROUPS = {socket.AF_INET: "239.1.2.3", socket.AF_INET6: "ff0e::123"}
MRT_INIT, MRT_ADD_VIF, MRT_ADD_MFC = 200, 202, 204  # <linux/mroute.h>, <linux/mroute6.h>: both have the same numbers

mode, *rest = sys.argv[1:]


def packed(family, address):
    return socket.inet_pton(family, address)


if mode == "route":
    indexes = [socket.if_nametoindex(name) for name in rest]
    four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
    four.setsockopt(socket.IPPROTO_IP, MRT_INIT, 1)
    six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    six.setsockopt(socket.IPPROTO_IPV6, MRT_INIT, 1)
    for number, index in enumerate(indexes):
        # struct vifctl with VIFF_USE_IFINDEX; struct mif6ctl.
        four.setsockopt(socket.IPPROTO_IP, MRT_ADD_VIF, struct.pack("=HBBIi4x", number, 8, 1, 0, index))
        six.setsockopt(socket.IPPROTO_IPV6, MRT_ADD_VIF, struct.pack("=HBBHxxI", number, 0, 1, index, 0))
    for family, one in ((socket.AF_INET, four), (socket.AF_INET6, six)):
        source = packed(family, "10.99.0.2" if family == socket.AF_INET else "fd99::2")
        group = packed(family, GROUPS[family])
        if family == socket.AF_INET:
            # struct mfcctl: from the first interface, to the second with TTL above 1.
            route = struct.pack("=4s4sH32s2x4I", source, group, 0, bytes([0, 1] + 30 * [0]), 0, 0, 0, 0)
            one.setsockopt(socket.IPPROTO_IP, MRT_ADD_MFC, route)
        else:
            # struct mf6cctl: two addresses with their family, the interface it comes by, a bit for each it goes to.
            name = lambda address: struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, address, 0)
            route = name(source) + name(group) + struct.pack("=H2x8I", 0, 2, *7 * [0])
            one.setsockopt(socket.IPPROTO_IPV6, MRT_ADD_MFC, route)
    print("ready", flush=True)
    time.sleep(600)
elif mode == "listen":
    name, file = rest
    index = socket.if_nametoindex(name)
    sockets = []
    for family, group in GROUPS.items():
        one = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET:
            one.bind(("", PORT))
            member = struct.pack("=4s4si", packed(family, group), bytes(4), index)
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        else:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(("::", PORT))
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed(family, group) + struct.pack("=i", index))
        sockets.append(one)
    with open(file, "w") as heard:
        print("ready", flush=True)
        while True:
            for one in select.select(sockets, [], [])[0]:
                print(one.recvfrom(9)[1][0], file=heard, flush=True)
else:
    index = socket.if_nametoindex(rest[0])
    for family, group in GROUPS.items():
        one = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
        else:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
        one.sendto(b"x", (group, PORT))
