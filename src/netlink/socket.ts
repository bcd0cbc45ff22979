import { isErrno, SyscallError } from '../errors.ts';
import { closeQuietly } from '../sys/fs.ts';
import * as libc from '../sys/libc.ts';
import { withNetnsFd } from '../sys/netns.ts';
import { NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK, NETLINK_ROUTE } from './abi/netlink.ts';
import { SO_RCVBUFFORCE, SO_SNDBUFFORCE, SOL_NETLINK, SOL_SOCKET } from './abi/socket.ts';
import { Connection, type Transport } from './conn.ts';
import { viewOf } from './wire/buffer.ts';
import { u32 } from './wire/value.ts';

const RECEIVE_BYTES = 64 * 1024;
// What an answer takes up in the kernel's account, with all that surrounds it.
const BYTES_PER_ANSWER = 4096;
// As net.core.rmem_default is on a machine where nobody has changed it. The kernel counts twice what it is told.
const BUFFER = 208 * 1024;
const MSG_DONTWAIT_TRUNC = libc.MSG_DONTWAIT | libc.MSG_TRUNC;

// One for all sockets: what is received is read before anything else happens.
let receiveBuffer: Uint8Array | undefined;

function kernelAddress(): Uint8Array {
  const address = new Uint8Array(12);
  viewOf(address).setUint16(0, libc.AF_NETLINK, true);
  return address;
}

/** A netlink socket; it stays in the namespace that the calling thread was in when it was opened. */
class NetlinkSocket implements Transport {
  readonly #fd: number;
  readonly #kernel = kernelAddress();
  readonly #sender = new Uint8Array(12);
  #closed = false;

  constructor(protocol: number) {
    this.#fd = libc.socket(libc.AF_NETLINK, libc.SOCK_RAW | libc.SOCK_CLOEXEC, protocol);
    try {
      libc.bind(this.#fd, this.#kernel);
      // An answer that has no room is lost, and with it whether the request took effect: net.core.rmem_default may be
      // anything, and so is not relied on.
      this.#grow(SO_RCVBUFFORCE, BUFFER);
      for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) this.#enable(option);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #enable(option: number): void {
    try {
      libc.setsockopt(this.#fd, SOL_NETLINK, option, u32.encode(1));
    } catch (error) {
      // Kernels before 4.12 and 4.20 lack them: answers are then poorer, and dumps are filtered here anyway.
      if (!isErrno(error, 'ENOPROTOOPT')) throw error;
    }
  }

  send(datagram: Uint8Array): void {
    try {
      libc.sendto(this.#fd, datagram, 0, this.#kernel);
    } catch (error) {
      // Larger than the send buffer, of which nothing has been sent.
      if (!isErrno(error, 'EMSGSIZE')) throw error;
      this.#grow(SO_SNDBUFFORCE, datagram.length * 2);
      libc.sendto(this.#fd, datagram, 0, this.#kernel);
    }
  }

  reserve(messages: number): void {
    const needed = messages * BYTES_PER_ANSWER;
    if (needed > BUFFER) this.#grow(SO_RCVBUFFORCE, needed);
  }

  #grow(option: number, bytes: number): void {
    try {
      libc.setsockopt(this.#fd, SOL_SOCKET, option, u32.encode(Math.ceil(bytes / 2)));
    } catch (error) {
      // Beyond the limit only with CAP_NET_ADMIN; who only reads gets along without.
      if (!isErrno(error, 'EPERM')) throw error;
    }
  }

  receive(): Uint8Array | undefined {
    receiveBuffer ??= new Uint8Array(RECEIVE_BYTES);
    const buffer = receiveBuffer;
    for (;;) {
      let length: number;
      try {
        length = libc.recvfrom(this.#fd, buffer, MSG_DONTWAIT_TRUNC, this.#sender);
      } catch (error) {
        if (isErrno(error, 'EAGAIN')) return undefined;
        if (isErrno(error, 'EINTR')) continue;
        throw error;
      }
      // Any process may send to our port: only the kernel's (port 0) word counts.
      if (viewOf(this.#sender).getUint32(4, true) !== 0) continue;
      if (length > buffer.length)
        throw new SyscallError('recvfrom', 'netlink answer of more than 64 KiB', 90);
      return buffer.subarray(0, length);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQuietly(this.#fd);
  }
}

/**
 * Opens a connection to the kernel (`NETLINK_ROUTE` unless told), in the caller's network namespace or, given
 * `netnsFd`, in that one: the socket stays there, the caller does not. Throws {@link SyscallError}.
 */
export function connect(options: { readonly protocol?: number; readonly netnsFd?: number } = {}): Connection {
  const open = (): Connection => new Connection(new NetlinkSocket(options.protocol ?? NETLINK_ROUTE));
  return options.netnsFd === undefined ? open() : withNetnsFd(options.netnsFd, open);
}
