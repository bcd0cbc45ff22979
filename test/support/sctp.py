# SCTP without the kernel's SCTP: `sctp.py listen FILE` writes the source and the destination port of each INIT that arrives;
# `sctp.py knock PORT ADDRESS ...` sends one.
import select, socket, struct, sys

SCTP = 132


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def init(port):
    # RFC 9260, sections 3.1 and 3.3.2: ports, verification tag 0, checksum; INIT with tag, window, streams, first number.
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65536, 1, 1, 1)
    header = struct.pack("!HHI", 40000, port, 0)
    return header + struct.pack("<I", crc32c(header + bytes(4) + chunk)) + chunk


mode, *rest = sys.argv[1:]
if mode == "knock":
    port, *addresses = rest
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        socket.socket(family, socket.SOCK_RAW, SCTP).sendto(init(int(port)), (address, 0))
else:
    sockets = [socket.socket(family, socket.SOCK_RAW, SCTP) for family in (socket.AF_INET, socket.AF_INET6)]
    with open(rest[0], "w") as heard:
        print("ready", flush=True)
        while True:
            for one in select.select(sockets, [], [])[0]:
                packet, source = one.recvfrom(2048)
                # By IPv4 with the header of IP.
                data = packet[20:] if one.family == socket.AF_INET else packet
                if data[12] == 1 and struct.unpack("<I", data[8:12])[0] == crc32c(data[:8] + bytes(4) + data[12:]):
                    print(source[0], struct.unpack("!H", data[2:4])[0], file=heard, flush=True)
