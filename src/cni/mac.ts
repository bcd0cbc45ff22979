/** What a hardware address may be, in words for error messages. */
export const MAC_RULE = 'a unicast 48-bit hardware address such as 02:00:00:00:00:01';

/**
 * Parses a 48-bit unicast hardware address, with `:` or `-` between the bytes, into its lower-case form with
 * colons. Undefined for anything else: multicast, broadcast and all zeros too, which the kernel refuses
 * (is_valid_ether_addr in include/linux/etherdevice.h).
 */
export function parseUnicastMac(text: string): string | undefined {
  if (!/^[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){5})$/i.test(text)) return undefined;
  const mac = text.toLowerCase().replaceAll('-', ':');
  const isMulticast = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
  return isMulticast || mac === '00:00:00:00:00:00' ? undefined : mac;
}
