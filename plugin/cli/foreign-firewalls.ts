import { passes } from '../../src/nftables/firewall.ts';
import { describeChain, foreignFirewalls } from '../../src/nftables/foreign.ts';
import { readIfPresent } from '../../src/sys/fs.ts';

type Family = 4 | 6;

/** A ruleset of another program that has a say in what is forwarded. */
export interface Firewall {
  /** `chain ip filter FORWARD`, `firewalld`, `iptables-legacy` … */
  readonly name: string;
  /** What it does, or may do. */
  readonly what: string;
  /** It drops whatever of these families is forwarded: nothing in it accepts. Otherwise what it lets through cannot be known. */
  readonly isCertain: boolean;
  readonly families: readonly Family[];
  readonly remedy: string;
}

const BOTH: readonly Family[] = [4, 6];

/** The rulesets of other programs in the calling thread's network namespace. Throws {@link NetlinkError}, {@link SyscallError}. */
export function otherFirewalls(): Firewall[] {
  const { dropping, firewalld } = foreignFirewalls();
  const legacy = BOTH.filter((family) => legacyTables(family).includes('filter'));
  return [
    ...dropping.map((chain): Firewall => {
      const name = describeChain(chain);
      return {
        name: `chain ${name}`,
        what: chain.certain
          ? 'its policy is to drop what is forwarded, and none of its rules accepts'
          : 'its policy is to drop what is forwarded; whether one of its rules accepts what is ours cannot be seen',
        isCertain: chain.certain,
        families: BOTH.filter((family) => passes(family, chain.family)),
        remedy: ['iifname', 'oifname']
          .map((key) => `nft insert rule ${name} ${key} '"plumb*"' accept`)
          .join('; '),
      };
    }),
    ...(firewalld
      ? [
          {
            name: 'firewalld',
            what: 'it is at work, and what its zones let through cannot be seen',
            isCertain: false,
            families: BOTH,
            remedy:
              'put the subnets into a zone: firewall-cmd --permanent --zone=trusted --add-source=SUBNET',
          },
        ]
      : []),
    ...legacy.map((family) => {
      const program = `ip${family === 4 ? '' : 6}tables-legacy`;
      return {
        name: program,
        what: 'it has rules, which cannot be seen from here',
        isCertain: false,
        families: [family],
        remedy: `${program} -S FORWARD shows whether they drop`,
      };
    }),
  ];
}

/** The tables of iptables-legacy, whose rules are not in nf_tables. */
function legacyTables(family: Family): string[] {
  const file = `/proc/thread-self/net/ip${family === 4 ? '' : 6}_tables_names`;
  return (readIfPresent(file) ?? '').split('\n');
}
