import type { Dns } from './route.ts';
import { tidyDns } from './route.ts';

/**
 * The content of a resolv.conf file as a dns object. As with the reference plugin host-local nameservers, search
 * domains and options of all lines add up, and the last domain counts; comments and what is unknown are passed over.
 * @see resolv.conf(5)
 */
export function parseResolvConf(text: string): Dns {
  const nameservers: string[] = [];
  const search: string[] = [];
  const options: string[] = [];
  let domain = '';
  for (const line of text.split('\n')) {
    const [keyword = '', ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver') nameservers.push(...values.slice(0, 1));
    else if (keyword === 'domain') domain = values[0] ?? domain;
    else if (keyword === 'search') search.push(...values);
    else if (keyword === 'options') options.push(...values);
  }
  return tidyDns({ nameservers, domain, search, options });
}
