/** `struct nfgenmsg`, <linux/netfilter/nfnetlink.h>: family, version 0, and a resource id in network order. */
export function nfgenmsg(family: number, resourceId = 0): Uint8Array {
  return Uint8Array.of(family, 0, resourceId >> 8, resourceId & 0xff);
}
