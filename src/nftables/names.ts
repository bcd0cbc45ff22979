/** Bytes of an interface's name in nf_tables, <linux/if.h>. */
export const IFNAMSIZ = 16;

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
