# Runs a program whose sockets have the least buffers that the kernel allows, as if net.core.rmem_default and
# wmem_default were at their minimum (which only the first network namespace can set): stops it in every bind(2) and sets
# SO_RCVBUF and SO_SNDBUF there.
import ctypes, fcntl, os, select, socket, struct, sys

SECCOMP, PIDFD_GETFD, BIND = 317, 438, 49  # x86-64
SET_MODE_FILTER, NEW_LISTENER = 1, 8
RET_ALLOW, RET_USER_NOTIF = 0x7FFF0000, 0x7FC00000
RECV, SEND, CONTINUE = 0xC0502100, 0xC0182101, 1
libc = ctypes.CDLL(None, use_errno=True)


def syscall(*args):
    result = libc.syscall(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def duplicate(pid, fd):
    pidfd = os.pidfd_open(pid)
    try:
        return syscall(PIDFD_GETFD, pidfd, fd, 0)
    finally:
        os.close(pidfd)


ready, ready_child = socket.socketpair()
child = os.fork()
if child == 0:
    ready.close()
    # BPF: load the number of the call, compare it, and one of two verdicts.
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, BIND), (0x06, 0, 0, RET_USER_NOTIF), (0x06, 0, 0, RET_ALLOW)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(program)))
    listener = syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER, filters)
    ready_child.send(struct.pack("i", listener))
    ready_child.recv(1)
    os.execv(sys.argv[1], sys.argv[1:])

listener = duplicate(child, struct.unpack("i", ready.recv(4))[0])
ready.send(b"x")
poller = select.poll()
poller.register(listener, select.POLLIN)
while not poller.poll()[0][1] & select.POLLHUP:
    call = bytearray(80)
    try:
        fcntl.ioctl(listener, RECV, call)
    except FileNotFoundError:
        continue  # killed meanwhile
    number, thread, fd = struct.unpack_from("QI20xQ", call)[:3]
    with open(f"/proc/{thread}/status") as status:
        process = next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))
    with socket.socket(fileno=duplicate(process, fd)) as theirs:
        for option in socket.SO_RCVBUF, socket.SO_SNDBUF:
            theirs.setsockopt(socket.SOL_SOCKET, option, 1)
    fcntl.ioctl(listener, SEND, struct.pack("QqiI", number, 0, 0, CONTINUE))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
