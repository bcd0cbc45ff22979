/** Bytes of an interface's name in nf_tables, <linux/if.h>. */
export const IFNAMSIZ = 16;

/** nft's own numbers of types, <nftables: include/datatype.h>, which the kernel only keeps; see {@link concatenated}. */
export const TYPE_IPADDR = 7;
export const TYPE_IP6ADDR = 8;
export const TYPE_ETHERADDR = 9;
export const TYPE_INET_PROTOCOL = 12;
export const TYPE_INET_SERVICE = 13;
export const TYPE_IFNAME = 41;

/** The number of a concatenation of types. */
export function concatenated(...types: readonly number[]): number {
  return types.reduce((all, type) => (all << 6) | type, 0);
}

/** An interface's name as packets are compared with it: padded with zeros. */
export function interfaceName(name: string): Uint8Array {
  const padded = new Uint8Array(IFNAMSIZ);
  padded.set(new TextEncoder().encode(name));
  return padded;
}

/** The reverse of {@link interfaceName}. */
export function decodeInterfaceName(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}
