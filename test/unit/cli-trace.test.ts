import { describe, expect, test } from 'vitest';
import { isListening, parseListeners } from '../../plugin/cli/trace/listeners.ts';
import { parseTarget } from '../../plugin/cli/trace/target.ts';
import { formatIp, parseIp } from '../../src/ip/address.ts';

const ip = (text: string) => parseIp(text) ?? expect.fail(text);

describe('parseTarget', () => {
  test.each([
    ['10.1.0.2', '10.1.0.2', undefined],
    ['10.1.0.2:80', '10.1.0.2', 80],
    ['fd00::2', 'fd00::2', undefined],
    ['[fd00::2]', 'fd00::2', undefined],
    ['[fd00::2]:65535', 'fd00::2', 65535],
    // Without brackets the last group is no port.
    ['fd00::2:80', 'fd00::2:80', undefined],
  ])('%s', (text, address, port) => {
    const target = parseTarget(text);
    expect({ address: formatIp(target.address), port: target.port }).toEqual({ address, port });
  });

  test.each(['', 'host', '10.1.0.2:', '10.1.0.2:0', '10.1.0.2:65536', '[10.1.0.2', '10.1.0.0/24'])(
    'refuses %j',
    (text) => {
      expect(() => parseTarget(text)).toThrow(`ADDRESS: ${text} is no address`);
    },
  );
});

describe('listeners', () => {
  const head =
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const line = (local: string, state: string): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n`;
  const all = '0'.repeat(32);

  test('those of the state, in the byte order of this machine', () => {
    const text = `${head}${line('0100007F:1F90', '0A')}${line('0200630A:0050', '01')}${line('000099FD000000000000000002000000:0051', '0A')}`;
    const found = parseListeners(text, '0A');
    expect(found.map(({ address, port }) => [formatIp(address), port])).toEqual([
      ['127.0.0.1', 8080],
      ['fd99::2', 81],
    ]);
    expect(parseListeners('', '0A')).toEqual([]);
  });

  test.each([
    ['00000000:0050', '10.99.0.2', true],
    ['00000000:0050', 'fd99::2', false],
    [`${all}:0050`, '10.99.0.2', true],
    [`${all}:0050`, 'fd99::2', true],
    ['0200630A:0050', '10.99.0.2', true],
    ['0200630A:0050', '10.99.0.3', false],
    ['0000000000000000FFFF00000200630A:0050', '10.99.0.2', true],
    ['0000000000000000FFFF000000000000:0050', '10.99.0.2', true],
    ['0200630A:0051', '10.99.0.2', false],
  ])('%s takes what is sent to port 80 of %s: %s', (local, to, takes) => {
    expect(isListening(parseListeners(line(local, '0A'), '0A'), ip(to), 80)).toBe(takes);
  });
});
