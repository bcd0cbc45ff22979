import type { JsonObject } from '../../../src/cni/document.ts';
import { decodeResult, type Result, type ResultInterface } from '../../../src/cni/result.ts';
import type { Output } from '../output.ts';

/** A result of ADD in words: interfaces with their addresses, routes, name resolution. Throws {@link CniError} 7. */
export function describeResult(json: JsonObject, out: Output): string {
  const result = decodeResult(json, '1.1.0', 'result');
  const blocks = [interfaces(result, out), routes(result, out), dns(result)];
  return blocks.filter((block) => block !== '').join('\n\n');
}

function interfaces({ interfaces: links, ips }: Result, out: Output): string {
  const addressesOf = (index: number | undefined): string =>
    ips
      .filter((ip) => ip.interface === index)
      .map(({ address, gateway }) => (gateway === undefined ? address : `${address} via ${gateway}`))
      .join(', ');
  const row = (link: ResultInterface, i: number): string[] => [
    link.name,
    link.sandbox ?? 'host',
    link.mac ?? '',
    link.mtu === undefined ? '' : String(link.mtu),
    addressesOf(i),
  ];
  const rows = links.map(row);
  // Versions before 0.3.0 know no interfaces.
  const others = addressesOf(undefined);
  if (others !== '') rows.push(['', '', '', '', others]);
  return out.table(['INTERFACE', 'WHERE', 'MAC', 'MTU', 'ADDRESSES'], rows);
}

function routes({ routes: all }: Result, out: Output): string {
  if (all.length === 0) return '';
  return out.table(
    ['ROUTE', 'VIA'],
    all.map(({ dst, gw }) => [dst, gw ?? 'the gateway']),
  );
}

function dns({ dns: { nameservers = [], domain, search = [], options = [] } }: Result): string {
  const lines: [label: string, values: readonly string[]][] = [
    ['nameservers', nameservers],
    ['domain', domain === undefined ? [] : [domain]],
    ['search', search],
    ['options', options],
  ];
  return lines
    .flatMap(([label, values]) => (values.length === 0 ? [] : [`${label}: ${values.join(', ')}`]))
    .join('\n');
}
