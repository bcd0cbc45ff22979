import * as abi from '../abi/nf_tables.ts';
import { WireError } from '../errors.ts';
import { be32, type Codec } from '../wire/value.ts';

// What the kernel numbers, by name: nft(8)'s words for families, hooks and verdicts, elsewhere the kernel's names without
// their prefix and in small letters. What has no name here is its number, in both directions.

/** Family of a table, in the words of nft(8): NFPROTO_*, <linux/netfilter.h>. */
export type NftFamily = 'inet' | 'ip' | 'ip6' | 'arp' | 'bridge' | 'netdev';

/** Where a base chain gets its packets from, in the words of nft(8): NF_INET_*, NF_ARP_*, NF_NETDEV_*, or the number. */
export type NftHook =
  | 'prerouting'
  | 'input'
  | 'forward'
  | 'output'
  | 'postrouting'
  | 'ingress'
  | 'egress'
  | number;

const FAMILIES: Readonly<Record<NftFamily, number>> = {
  inet: abi.NFPROTO_INET,
  ip: abi.NFPROTO_IPV4,
  ip6: abi.NFPROTO_IPV6,
  arp: abi.NFPROTO_ARP,
  bridge: abi.NFPROTO_BRIDGE,
  netdev: abi.NFPROTO_NETDEV,
};

/** NFPROTO_* of a family; of none, NFPROTO_UNSPEC. Throws {@link WireError} for what is no family. */
export function familyNumber(family: NftFamily | undefined): number {
  if (family === undefined) return 0;
  const number = FAMILIES[family];
  // A number that the kernel takes for "every family" would make a deletion a flush.
  if (number === undefined) throw new WireError(`${family} is no family of nf_tables`);
  return number;
}

/** The family of the `struct nfgenmsg` that an answer begins with. Throws {@link WireError}. */
export function familyOf(answer: Uint8Array): NftFamily {
  const [number] = answer;
  const all: readonly NftFamily[] = ['inet', 'ip', 'ip6', 'arp', 'bridge', 'netdev'];
  const family = all.find((name) => FAMILIES[name] === number);
  if (family === undefined) throw new WireError(`nf_tables has no family ${number}`);
  return family;
}

function hooksOf(family: NftFamily): readonly NftHook[] {
  if (family === 'netdev') return ['ingress', 'egress'];
  if (family === 'arp') return ['input', 'output', 'forward'];
  return ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress'];
}

/** The number of a hook in a family. Throws {@link WireError} if the family has none of that name. */
export function hookNumber(family: NftFamily, hook: NftHook): number {
  if (typeof hook === 'number') return hook;
  const number = hooksOf(family).indexOf(hook);
  if (number < 0) throw new WireError(`family ${family} has no hook ${hook}`);
  return number;
}

/** The reverse of {@link hookNumber}. */
export function hookName(family: NftFamily, number: number): NftHook {
  return hooksOf(family)[number] ?? number;
}

/** Numbers in network order that have names, the first of which stands for `first`. */
export function oneOf<const N extends string>(names: readonly N[], first = 0): Codec<N | number> {
  return {
    encode(value) {
      if (typeof value === 'number') return be32.encode(value >>> 0);
      const at = names.indexOf(value);
      if (at < 0) throw new WireError(`${value} is none of ${names.join(', ')}`);
      return be32.encode((at + first) >>> 0);
    },
    decode(data) {
      const number = be32.decode(data);
      return names[(number | 0) - first] ?? number;
    },
  };
}

/** A set of bits in network order: bit n is `names[n]`; those without a name are one number. */
export function bitsOf<const N extends string>(names: readonly N[]): Codec<readonly (N | number)[]> {
  return {
    encode(values) {
      let bits = 0;
      for (const value of values) {
        const at = typeof value === 'number' ? -1 : names.indexOf(value);
        if (typeof value !== 'number' && at < 0)
          throw new WireError(`${value} is none of ${names.join(', ')}`);
        bits |= typeof value === 'number' ? value : 1 << at;
      }
      return be32.encode(bits >>> 0);
    },
    decode(data) {
      const bits = be32.decode(data);
      const known = names.filter((_, bit) => (bits & (1 << bit)) !== 0);
      const rest = names.length >= 32 ? 0 : (bits >>> names.length) * 2 ** names.length;
      return rest === 0 ? known : [...known, rest];
    },
  };
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** What there is of optional values: without those that are undefined. */
export function given<T extends object>(values: T): Given<T> {
  const all: Given<T> = { ...values } as Given<T>;
  for (const key in all) if (all[key] === undefined) delete all[key];
  return all;
}
