import type { RawConfig } from './raw.ts';
import { notAllowed } from './validate.ts';

/** A chain of nf_tables as the administrator names it. */
export interface NamedChain {
  readonly family: 'ip' | 'ip6' | 'inet';
  readonly table: string;
  readonly name: string;
}

/** How forwarding is accepted where another program's table would drop it. */
export interface Firewall {
  /** The bit of the packets' mark by which it is told what to accept, 0 to 31. */
  readonly markBit: number;
  /** The chain of iptables that may drop before anything is accepted. */
  readonly adminChain?: string;
  /** Chains that are to accept, beside those of iptables. */
  readonly chains: readonly NamedChain[];
}

const FAMILIES = ['ip', 'ip6', 'inet'] as const;
// XT_EXTENSION_MAXNAMELEN less the NUL, <linux/netfilter/x_tables.h>.
const MOST_CHARACTERS = 28;

/**
 * What is asked for of a firewall; undefined where nothing is to be accepted.
 *
 * @throws ConfigError with the path of the value at fault
 */
export function interpretFirewall(raw: RawConfig): Firewall | undefined {
  const { markAcceptBit: markBit, iptablesAdminChainName, acceptChains } = raw;
  const adminChain = iptablesAdminChainName || undefined;
  if (adminChain !== undefined && !isChainOfIptables(adminChain)) {
    throw notAllowed(
      'iptablesAdminChainName',
      adminChain,
      `the name of a chain of iptables, up to ${MOST_CHARACTERS} characters`,
    );
  }
  const chains = (acceptChains ?? []).map((text, i) => namedChain(text, `acceptChains[${i}]`));
  if (markBit === undefined || markBit === null) {
    if (chains.length === 0) return undefined;
    throw notAllowed('acceptChains', acceptChains, 'a list with markAcceptBit, or none without');
  }
  return { markBit, chains, ...(adminChain === undefined ? {} : { adminChain }) };
}

function isChainOfIptables(name: string): boolean {
  const isWord = [...name].every((character) => character > ' ' && character < '\x7f');
  return isWord && name.length <= MOST_CHARACTERS && !name.startsWith('-') && !name.startsWith('!');
}

function namedChain(text: string, path: string): NamedChain {
  const [family, table = '', name = '', ...more] = text.split(' ');
  const known = FAMILIES.find((one) => one === family);
  if (known === undefined || table === '' || name === '' || more.length > 0) {
    throw notAllowed(path, text, 'family (ip, ip6 or inet), table and chain, such as "inet filter forward"');
  }
  return { family: known, table, name };
}
