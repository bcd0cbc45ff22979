import { existsSync, readdirSync } from 'node:fs';
import { run } from './netns.ts';

/** All that attachments of one network put on the host, each list sorted; what other networks have is among links, routes and elements. */
export interface HostState {
  readonly links: readonly string[];
  readonly routes: readonly string[];
  /** Masqueraded host ends. */
  readonly elements: readonly string[];
  readonly leases: readonly string[];
  readonly records: readonly string[];
}

/** Looks at the current network namespace, the leases in `dataDir` and the records in /run/plumb. */
export function hostState(dataDir: string, network: string): HostState {
  const lines = (...args: string[]): string[] =>
    run('ip', ...args)
      .split('\n')
      .filter((line) => line.includes('plumb'))
      .map((line) => line.trim())
      .sort();
  const files = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);
  return {
    links: lines('-o', 'link'),
    routes: [...lines('-4', 'route'), ...lines('-6', 'route')],
    elements: (run('nft', 'list', 'ruleset').match(/"plumb[0-9a-f]{10}"/g) ?? []).sort(),
    leases: files(`${dataDir}/${network}`).filter((name) => /^[\da-f]+[.:]/.test(name)),
    records: files(`/run/plumb/${network}`),
  };
}
