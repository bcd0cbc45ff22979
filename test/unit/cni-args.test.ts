import { expect, test } from 'vitest';
import { parseCniArgs } from '../../src/cni/cni-args.ts';
import { parseUnicastMac } from '../../src/cni/mac.ts';
import { cniErrorOf } from '../support/cni.ts';

test.each([
  ['', {}],
  ['IP=10.77.0.50', { ip: '10.77.0.50' }],
  ['IP=10.77.0.50/24', { ip: '10.77.0.50/24' }],
  ['IP=10.77.0.50,fd77::50/64', { ip: '10.77.0.50,fd77::50/64' }],
  [
    'IP=10.0.0.1;MAC=02-AB-00-00-00-01;GATEWAY=10.0.0.254',
    { ip: '10.0.0.1', mac: '02:ab:00:00:00:01', gateway: '10.0.0.254' },
  ],
  ['IP=;MAC=;GATEWAY=', {}],
  ['IP=10.0.0.1;IP=10.0.0.2', { ip: '10.0.0.2' }],
  ['IgnoreUnknown=1;K8S_POD_NAME=web-0;IP=fd77::1', { ip: 'fd77::1' }],
  ['K8S_POD_UID=1-2-3;IgnoreUnknown=true', {}],
  ['IgnoreUnknown=1;FOO=', {}],
])('%s', (text, expected) => {
  expect(parseCniArgs(text)).toEqual(expected);
});

test.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('IgnoreUnknown=%s lets unknown keys pass', (yes) => {
  expect(parseCniArgs(`IgnoreUnknown=${yes};FOO=bar`)).toEqual({});
});

test.each(['0', 'f', 'F', 'FALSE', 'false', 'False'])('IgnoreUnknown=%s does not', (no) => {
  const error = cniErrorOf(() => parseCniArgs(`IgnoreUnknown=${no};FOO=bar`));
  expect(error.code).toBe(4);
  expect(error.message).toContain('FOO');
});

test.each(['maybe', '2', '', 'yes'])('IgnoreUnknown=%s is neither', (text) => {
  const error = cniErrorOf(() => parseCniArgs(`IgnoreUnknown=${text}`));
  expect(error.code).toBe(4);
  expect(error.message).toContain('IgnoreUnknown');
});

test('every unknown key is named, and case matters', () => {
  const { code, message } = cniErrorOf(() => parseCniArgs('FOO=1;ip=10.0.0.1;BAR='));
  expect(code).toBe(4);
  expect(message).toContain('unknown key FOO, ip, BAR');
});

test.each(['FOO', 'A;B', 'FOO=a=b', 'IP=10.0.0.1;', ';', '=x', ' '])(
  'malformed %j is refused in any case',
  (text) => {
    expect(cniErrorOf(() => parseCniArgs(text)).code).toBe(4);
    expect(cniErrorOf(() => parseCniArgs(`IgnoreUnknown=1;${text}`)).code).toBe(4);
  },
);

test.each([
  ...['IP=nope', 'IP=10.0.0.256', 'IP=10.0.0.1/33', 'IP=10.0.0.1,', 'GATEWAY=10.0.0.1/24', 'GATEWAY=x'],
  ...['MAC=nope', 'MAC=01:00:5e:00:00:01'],
])('%s is refused with its value', (text) => {
  const { code, message } = cniErrorOf(() => parseCniArgs(text));
  expect(code).toBe(4);
  const [key, value] = text.split('=');
  expect(message).toContain(`CNI_ARGS: ${key} is "${value}": allowed is`);
});

test.each([
  ['02:00:00:00:0a:0b', '02:00:00:00:0a:0b'],
  ['FE:DC:BA:98:76:54', 'fe:dc:ba:98:76:54'],
  ['00-11-22-33-44-55', '00:11:22:33:44:55'],
])('the hardware address %s is good', (text, mac) => {
  expect(parseUnicastMac(text)).toBe(mac);
});

test.each([
  ...['', 'nope', '01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00', '02:00:00:00:00'],
  ...['02:00:00:00:00:00:01', '02:00:00-00:00:01', '2:0:0:0:0:1', '02:00:00:00:00:0g', '02:00:00:00:00:01\n'],
])('the hardware address %j is not', (text) => {
  expect(parseUnicastMac(text)).toBeUndefined();
});
