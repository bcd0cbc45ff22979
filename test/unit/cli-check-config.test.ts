import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig } from '../../plugin/cli/config/check.ts';
import { checkFiles } from '../../plugin/cli/config/files.ts';
import { parsePath, showPath } from '../../plugin/cli/config/path.ts';
import { formatProblem } from '../../plugin/cli/config/problem.ts';
import { describeOverlaps, subnetsOf } from '../../plugin/cli/config/subnets.ts';

/** The problems of a text, one on a line, as the command prints them. */
const linesOf = (text: string, name = 'x.conflist'): string[] =>
  checkConfig(text, name).problems.map((problem) => formatProblem(name, problem));

/** A list with one entry on its fourth line, whose keys begin in the fifth column. */
const list = (entry: string): string => `{ "cniVersion": "1.1.0",
  "name": "pods",
  "plugins": [
    ${entry}
  ] }`;

const IPAM = '"ipam": { "type": "host-local", "subnet": "10.1.0.0/16" }';

describe('a list', () => {
  test('that is good has no problems', () => {
    const { problems, callsPlumb, name, subnets } = checkConfig(
      list(`{ "type": "plumb", ${IPAM} }`),
      'x.conflist',
    );
    expect({ problems, callsPlumb, name }).toEqual({ problems: [], callsPlumb: true, name: 'pods' });
    expect(subnets.map(({ path }) => showPath(path))).toEqual(['plugins[0].ipam.subnet']);
  });

  test('has every fault told, not just the first, in the order of the file', () => {
    const entry = `{ "type": "plumb", "mtu": 5,
 "mac": "x",
 "ingressRate": 8000, ${IPAM.replace('16', '33')} }`;
    expect(linesOf(list(entry))).toEqual([
      'x.conflist:4:31: error: plugins[0].mtu: 5 is not allowed; allowed: a whole number from 68 to 65535 (from 1280 with IPv6), or 0 for the default',
      'x.conflist:5:9: error: plugins[0].mac: "x" is not allowed; allowed: a unicast 48-bit hardware address such as 02:00:00:00:00:01',
      'x.conflist:6:17: error: plugins[0].ingressRate: 8000 is not allowed; allowed: a rate with ingressBurst, or 0 without',
      'x.conflist:6:65: error: plugins[0].ipam.subnet: "10.1.0.0/33" is not allowed; allowed: a network in CIDR notation such as 10.1.0.0/16',
    ]);
  });

  test('names ranges by the places that they have in the file, whatever was taken out before', () => {
    const ranges = `[[{ "subnet": "10.1.0.0/33" }],
 [{ "subnet": "10.2.0.0/16" }],
 [{ "subnet": "fd00::/64" }, { "subnet": "10.2.3.0/24" }],
 [{ "subnet": "10.2.4.0/24" }]]`;
    const entry = `{ "type": "plumb", "ipam": { "type": "host-local", "ranges": ${ranges} } }`;
    expect(linesOf(list(entry)).map((line) => line.replace(/; allowed.*/, ''))).toEqual([
      'x.conflist:4:80: error: plugins[0].ipam.ranges[0][0].subnet: "10.1.0.0/33" is not allowed',
      'x.conflist:6:42: error: plugins[0].ipam.ranges[2][1].subnet: "10.2.3.0/24" is not allowed',
      'x.conflist:7:15: error: plugins[0].ipam.ranges[3][0].subnet: 10.2.4.0/24 overlaps ipam.ranges[1][0] (10.2.0.0/16)',
    ]);
  });

  test('whose last range is taken out is not told that it has none', () => {
    const entry =
      '{ "type": "plumb", "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.0.0.1/16" }]] } }';
    expect(linesOf(list(entry))).toEqual([
      'x.conflist:4:80: error: plugins[0].ipam.ranges[0][0].subnet: "10.0.0.1/16" is not allowed; allowed: a network without host bits, here 10.0.0.0/16',
    ]);
  });

  test('needs no ranges if the runtime gives them', () => {
    const entry = (capabilities: string): string =>
      `{ "type": "plumb", "capabilities": ${capabilities}, "ipam": { "type": "host-local" } }`;
    expect(linesOf(list(entry('{ "ipRanges": true }')))).toEqual([]);
    expect(linesOf(list(entry('{}')))).toEqual([
      'x.conflist:4:52: error: plugins[0].ipam.subnet: missing; allowed: a network in CIDR notation, or ranges in its stead',
    ]);
  });

  test('has misspelt keys as errors, and other unknown ones as warnings', () => {
    const entry = `{ "type": "plumb", "ipmasq": true, "colour": 1, "example.com/key": 1,
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.1.0.0/16", "rangStart": "10.1.0.9" }]] } }`;
    expect(linesOf(list(entry))).toEqual([
      'x.conflist:4:24: error: plugins[0].ipmasq: unknown key; did you mean "ipMasq"?',
      'x.conflist:4:40: warning: plugins[0].colour: plumb does not know this key and takes no notice of it',
      'x.conflist:5:78: error: plugins[0].ipam.ranges[0][0].rangStart: unknown key; did you mean "rangeStart"?',
    ]);
  });

  test('has the value of a misspelt key checked as that of the key that was meant', () => {
    const entry = `{ "type": "plumb", "ipam": { "type": "host-local", "subnett": "10.1.0.0/16" } }`;
    expect(linesOf(list(entry))).toEqual([
      'x.conflist:4:56: error: plugins[0].ipam.subnett: unknown key; did you mean "subnet"?',
    ]);
  });

  test('is told what only a capability would make work', () => {
    const entry = `{ "type": "plumb", "snat": false, "capabilities": { "portMapping": true, "mac": 1 }, ${IPAM} }`;
    expect(linesOf(list(entry))).toEqual([
      'x.conflist:4:24: warning: plugins[0].snat: has no effect: the runtime maps no ports without "capabilities": { "portMappings": true }',
      'x.conflist:4:57: warning: plugins[0].capabilities.portMapping: no capability of plumb\'s; did you mean "portMappings"?',
      'x.conflist:4:85: error: plugins[0].capabilities.mac: must be true or false: runtimes refuse the file',
    ]);
  });

  test('is told of two plugins that would map the same ports', () => {
    const ports = '"capabilities": { "portMappings": true }';
    const entry = `{ "type": "plumb", ${ports}, ${IPAM} },
    { "type": "portmap", ${ports} }`;
    expect(linesOf(list(entry))).toEqual([
      'x.conflist:5:5: warning: plugins[1]: plumb has the capability portMappings too: remove this plugin, or the capability of one of them',
    ]);
    expect(linesOf(list(entry.replace(`"plumb", ${ports}`, '"plumb"')))).toEqual([]);
  });

  test('is told of static addresses that nobody gives', () => {
    const entry = '{ "type": "plumb", "ipam": { "type": "static" } }';
    expect(linesOf(list(entry))).toEqual([
      'x.conflist:4:32: warning: plugins[0].ipam: no addresses, and no capability ips: ADD works only with an address in CNI_ARGS',
    ]);
  });

  test('whose name, version and shape are wrong', () => {
    expect(linesOf('{ "cniVersion": "1.2.0", "name": "a b", "plugins": [1, {}] }')).toEqual([
      'x.conflist:1:17: error: cniVersion: incompatible CNI version: cniVersion "1.2.0" is not supported (supported versions: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0)',
      "x.conflist:1:34: error: name: \"a b\" is not allowed; allowed: a network name: a letter or digit, then letters, digits, '_', '.' or '-' only",
      'x.conflist:1:53: error: plugins[0]: must be an object with the type of a plugin',
      'x.conflist:1:56: error: plugins[1].type: the file name of a plugin is needed here, such as "plumb"',
    ]);
    expect(linesOf('{ "plugin": [] }').map((line) => line.replace(/;.*/, ''))).toEqual([
      'x.conflist:1:1: error: cniVersion: missing: without it the rules of version 0.1.0 hold',
      'x.conflist:1:1: error: name: missing',
      'x.conflist:1:1: error: plugins: missing',
      'x.conflist:1:3: warning: plugin: unknown key of a list, which is ignored',
    ]);
    expect(linesOf('[]')).toEqual(['x.conflist:1:1: error: the document: must be a JSON object']);
  });

  test('in a file that runtimes do not take for a list', () => {
    expect(linesOf(list(`{ "type": "plumb", ${IPAM} }`), 'x.conf')).toEqual([
      'x.conf:3:3: error: plugins: this is a list, and runtimes take it for one only if the file ends in .conflist: rename it',
    ]);
  });

  test('may name a schema for editors', () => {
    const text = list(`{ "$schema": "x", "type": "plumb", ${IPAM} }`).replace(
      '{',
      '{ "$schema": "../x.json",',
    );
    expect(linesOf(text)).toEqual([]);
  });

  test('where flannel calls plumb', () => {
    const text = list('{ "type": "flannel", "delegate": { "type": "plumb", "mtu": 5, "colour": 1 } }');
    expect(checkConfig(text, 'x.conflist').callsPlumb).toBe(true);
    expect(linesOf(text).map((line) => line.replace(/;.*/, ''))).toEqual([
      'x.conflist:4:64: error: plugins[0].delegate.mtu: 5 is not allowed',
      'x.conflist:4:67: warning: plugins[0].delegate.colour: plumb does not know this key and takes no notice of it',
    ]);
  });

  test('of other plugins is not looked into', () => {
    const text = list('{ "type": "bridge", "mtu": "much", "ipMask": 1 }');
    expect(checkConfig(text, 'x.conflist')).toMatchObject({ problems: [], callsPlumb: false });
  });
});

test('a single configuration', () => {
  const text = `{ "cniVersion": "1.1.0", "name": "x", "type": "plumb", "mtu": 5, ${IPAM} }`;
  expect(linesOf(text, 'x.conf').map((line) => line.replace(/;.*/, ''))).toEqual([
    'x.conf:1:63: error: mtu: 5 is not allowed',
  ]);
  expect(linesOf(text.replace('"mtu": 5, ', ''), 'x.conf')).toEqual([]);
});

test.each([
  ['', '1:1: error: the document: the file is empty; a JSON object is needed'],
  [
    '{ "a": 1,\n}',
    '2:1: error: the document: a key in double quotes is missing here; there may be a comma too much before it',
  ],
  ['{ "a": 1 "b": 2 }', '1:10: error: the document: a comma is missing before this'],
  ['{}\n// why', '2:1: error: the document: JSON has no comments; take it out'],
  [
    "{ 'a': 1 }",
    '1:3: error: the document: this is no JSON value; texts stand in double quotes, others are true, false, null and numbers',
  ],
  ['{ "a": "b }', '1:8: error: the document: a text is not closed; " is missing'],
])('what is no JSON: %j', (text, line) => {
  expect(linesOf(text)[0]).toBe(`x.conflist:${line}`);
});

test('a key that stands twice: the later one is told, and is the one that is checked', () => {
  const entry = `{ "type": "plumb", "mtu": 1400,
 "mtu": 5, ${IPAM} }`;
  expect(linesOf(list(entry)).map((line) => line.replace(/; allowed.*/, ''))).toEqual([
    'x.conflist:5:2: warning: mtu: stands twice, first in line 4; this one counts: remove one of them',
    'x.conflist:5:9: error: plugins[0].mtu: 5 is not allowed',
  ]);
});

test.each([
  'the document',
  'mtu',
  'ipam.ranges[0][12].subnet',
  'sysctl["net.core.somaxconn"]',
  '["a.b/c"][0].d',
])('the path %s there and back', (text) => {
  expect(showPath(parsePath(text))).toBe(text);
});

test('overlaps name three of those that there are', () => {
  const subnets = subnetsOf(
    { ipam: { ranges: [[{ subnet: '10.0.0.0/8' }], [{ subnet: 'fd00::/64' }]] } },
    [],
  );
  const others = [1, 2, 3, 4].flatMap((i) =>
    subnetsOf({ ipam: { subnet: `10.${i}.0.0/16` } }, []).map(({ subnet }) => ({
      subnet,
      what: `n${i}`,
      remedy: 'go away',
    })),
  );
  expect(describeOverlaps(subnets, others)).toEqual([
    {
      path: ['ipam', 'ranges', 0, 0, 'subnet'],
      message: '10.0.0.0/8 overlaps n1, n2, n3 and 1 more: go away',
    },
  ]);
});

describe('other configurations of the folder', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'check-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('with overlapping subnets, or the same name', () => {
    const file = join(folder, '10-pods.conflist');
    const bridge = { type: 'bridge', ipam: { type: 'host-local', ranges: [[{ subnet: '10.1.128.0/24' }]] } };
    writeFileSync(file, list(`{ "type": "plumb", ${IPAM} }`));
    writeFileSync(
      join(folder, '20-other.conflist'),
      JSON.stringify({ cniVersion: '1.0.0', name: 'other', plugins: [bridge] }),
    );
    writeFileSync(
      join(folder, '30-twin.conf'),
      JSON.stringify({ cniVersion: '1.0.0', name: 'pods', type: 'ptp' }),
    );
    writeFileSync(join(folder, '40-broken.conf'), '{');
    writeFileSync(join(folder, '50-other.conflist.old'), list(`{ "type": "plumb", ${IPAM} }`));
    const [checked] = checkFiles([file], { host: false });
    expect(checked?.problems.map((problem) => formatProblem('F', problem))).toEqual([
      'F:2:11: warning: name: 30-twin.conf has a network of this name too: rename one',
      'F:4:66: warning: plugins[0].ipam.subnet: 10.1.0.0/16 overlaps 10.1.128.0/24 of network other (20-other.conflist, plugins[0].ipam.ranges[0][0].subnet): containers of both could get the same address; give each network subnets of its own',
    ]);
  });
});
