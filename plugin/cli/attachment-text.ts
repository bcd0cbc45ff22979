import type { AttachmentJson, PortJson, TrafficJson } from './attachment-json.ts';
import type { Output } from './output.ts';
import { formatAge, formatBytes, formatRate } from './units.ts';

/** `8080->80/tcp`, where a mapping holds for one address of the host with that in front; each once for both families. */
export function describePorts(ports: readonly PortJson[]): string {
  return [...new Set(ports.map(describePort))].join(' ');
}

function describePort({ protocol, hostIp, hostPort, containerPort }: PortJson): string {
  const host = hostIp === null ? '' : `${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:`;
  return `${host}${hostPort}->${containerPort ?? '?'}/${protocol}`;
}

/** `in 10 Mbit/s, out 1 Mbit/s`; empty without limits. */
export function describeRates({ ingressRate, egressRate }: AttachmentJson): string {
  return [
    ...(ingressRate === null ? [] : [`in ${formatRate(ingressRate)}`]),
    ...(egressRate === null ? [] : [`out ${formatRate(egressRate)}`]),
  ].join(', ');
}

const NAMESPACE = {
  alive: 'alive',
  detached: 'alive, but not at this path',
  gone: 'gone',
} as const;

/** All that is known of an attachment, a line for each thing. */
export function describeAttachment(it: AttachmentJson, out: Output, now: number): string {
  const missing = (key: string): string =>
    it.notInForce.includes(key) ? out.style('red', ' (not in force)') : '';
  const { netns, hostLink } = it;
  const lines: [label: string, text: string][] = [
    ['network', it.network],
    ['interface', it.ifname],
    ['addresses', it.addresses.join(' ') || 'none'],
    ['namespace', `${netns.path ?? 'path not known'}: ${namespaceText(it, out)}`],
    [
      'host link',
      hostLink === null
        ? `${it.hostInterface} ${out.style('red', '(missing)')}`
        : `${it.hostInterface}, index ${hostLink.ifindex}, ${hostLink.mac ?? 'no MAC'}, MTU ${hostLink.mtu}, ${
            hostLink.up ? 'up' : out.style('red', 'down')
          }`,
    ],
    ['ports', `${describePorts(it.ports) || 'none'}${missing('ports')}`],
    ['limits', `${describeRates(it) || 'none'}${missing('egressRate')}`],
    ['masquerade', `${it.ipMasq ? 'yes' : 'no'}${missing('ipMasq')}`],
    ['anti-spoofing', `${it.antiSpoofing ? 'yes' : 'no'}${missing('antiSpoofing')}`],
    ['reached by', `${it.ingressPolicy}${missing('ingressPolicy')}`],
    ['received', trafficText(it.received)],
    ['sent', trafficText(it.sent)],
    [
      'added',
      it.addedAt === null ? 'not known' : `${it.addedAt}, ${formatAge(now - Date.parse(it.addedAt))} ago`,
    ],
    ['leases', it.leases.join(' ') || 'none'],
    ['record', it.record ?? out.style('yellow', 'none')],
  ];
  const width = Math.max(...lines.map(([label]) => label.length));
  return [
    out.style('bold', `${it.containerId} ${it.ifname}`),
    ...lines.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`),
  ].join('\n');
}

function namespaceText({ netns: { state } }: AttachmentJson, out: Output): string {
  return state === 'alive' ? 'alive' : out.style(state === 'gone' ? 'red' : 'yellow', NAMESPACE[state]);
}

function trafficText(traffic: TrafficJson | null): string {
  if (traffic === null) return 'not known';
  const { bytes, packets, errors, dropped } = traffic;
  return `${formatBytes(bytes)} in ${packets} packets, ${dropped} dropped, ${errors} errors`;
}
