import { expect, test } from 'vitest';
import { parseEnvironment } from '../../src/cni/environment.ts';
import { cniErrorOf } from '../support/cni.ts';

const ADD = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/x',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: 'IgnoreUnknown=1',
  CNI_PATH: '/opt/cni/bin',
};

test('a complete environment becomes an object', () => {
  expect(parseEnvironment(ADD)).toEqual({
    command: 'ADD',
    containerId: 'c1',
    netns: '/run/netns/x',
    ifname: 'eth0',
    args: 'IgnoreUnknown=1',
    path: '/opt/cni/bin',
  });
});

test.each([undefined, '', 'FROB', 'add', ' ADD', 'toString'])(
  'CNI_COMMAND %j is refused by name',
  (command) => {
    const error = cniErrorOf(() => parseEnvironment({ ...ADD, CNI_COMMAND: command }));
    expect(error.code).toBe(4);
    expect(error.message).toContain('CNI_COMMAND');
    expect(error.message).toContain('ADD, DEL, CHECK, GC, STATUS, VERSION');
    if (command) expect(error.message).toContain(command);
  },
);

const REQUIRED = [
  ['ADD', ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME']],
  ['CHECK', ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME']],
  ['DEL', ['CNI_CONTAINERID', 'CNI_IFNAME']],
  ['GC', ['CNI_PATH']],
  ['STATUS', []],
  ['VERSION', []],
] as const;

test.each(REQUIRED)('%s needs %j, and names all that are missing at once', (command, names) => {
  const variables = ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'];
  for (const nothing of [undefined, '']) {
    const env = Object.fromEntries(variables.map((name) => [name, nothing]));
    const call = () => parseEnvironment({ ...env, CNI_COMMAND: command });
    if (names.length === 0) {
      expect(call().command).toBe(command);
      continue;
    }
    const error = cniErrorOf(call);
    expect(error.code).toBe(4);
    expect(variables.filter((name) => error.message.includes(name)).sort()).toEqual([...names].sort());
  }
});

test.each(REQUIRED)('%s is content with just what it needs', (command, names) => {
  const env = Object.fromEntries(names.map((name) => [name, ADD[name]]));
  expect(parseEnvironment({ ...env, CNI_COMMAND: command }).command).toBe(command);
});

test('missing and invalid variables are named together, with value and rule', () => {
  const { message } = cniErrorOf(() =>
    parseEnvironment({ CNI_COMMAND: 'ADD', CNI_CONTAINERID: '../x', CNI_IFNAME: 'a/b' }),
  );
  expect(message).toBe(
    'invalid environment: ' +
      `CNI_CONTAINERID is "../x": must be a letter or digit, then letters, digits, '_', '.' or '-' only; ` +
      'CNI_NETNS is missing: required for ADD; ' +
      `CNI_IFNAME is "a/b": must not contain '/', ':' or '%'`,
  );
});

test.each(['a', '0', 'a.b_c-d', 'A9', `${'a'.repeat(300)}`])('the container id %s is good', (id) => {
  expect(parseEnvironment({ ...ADD, CNI_CONTAINERID: id }).containerId).toBe(id);
});

const BAD_IDS = ['..', '.x', '-x', '_x', 'a/b', 'a b', 'a:b', 'a;b', 'a\n', '\na', 'caf\u00e9', 'a\0'];

test.each(['ADD', 'DEL', 'CHECK'])(
  '%s refuses container ids that the specification does not allow',
  (command) => {
    for (const id of BAD_IDS) {
      const error = cniErrorOf(() => parseEnvironment({ ...ADD, CNI_COMMAND: command, CNI_CONTAINERID: id }));
      expect(error.code).toBe(4);
      expect(error.message).toContain('CNI_CONTAINERID');
    }
  },
);

test.each(['eth0', 'a', 'exactly15bytes_', 'eth0.100', 'a-b', '...', 'ü'])(
  'the interface name %s is good',
  (name) => {
    expect(parseEnvironment({ ...ADD, CNI_IFNAME: name }).ifname).toBe(name);
  },
);

const BAD_IFNAMES = [
  ...['.', '..', 'a/b', 'a:b', 'a b', 'a\tb', 'eth0\n', ' eth0', 'a\vb', 'a\u00a0b', 'a\u2003b'],
  ...['sixteen_bytes_16', 'ääääääää', 'eth%d', 'a\u0001b', 'a\u007fb', 'a\ufffdb', '\u00e0'],
];

test.each(['ADD', 'DEL', 'CHECK'])('%s refuses interface names that the kernel would not take', (command) => {
  for (const name of BAD_IFNAMES) {
    const error = cniErrorOf(() => parseEnvironment({ ...ADD, CNI_COMMAND: command, CNI_IFNAME: name }));
    expect(error.code, name).toBe(4);
    expect(error.message).toContain('CNI_IFNAME');
  }
});

test.each(['lo', 'all', 'default'])('ADD does not make an interface named %s', (name) => {
  const error = cniErrorOf(() => parseEnvironment({ ...ADD, CNI_IFNAME: name }));
  expect(error.code).toBe(4);
  expect(error.message).toContain(`CNI_IFNAME is "${name}": cannot be given to a new interface`);
  expect(parseEnvironment({ ...ADD, CNI_COMMAND: 'DEL', CNI_IFNAME: name }).ifname).toBe(name);
});

test('the loopback plugin may be called for lo, and for nothing else that is reserved', () => {
  expect(parseEnvironment({ ...ADD, CNI_IFNAME: 'lo' }, true).ifname).toBe('lo');
  expect(cniErrorOf(() => parseEnvironment({ ...ADD, CNI_IFNAME: 'all' }, true)).code).toBe(4);
});

test.each(['VERSION', 'STATUS', 'GC'])('%s does not look at variables of attachments', (command) => {
  const env = {
    ...ADD,
    CNI_COMMAND: command,
    CNI_CONTAINERID: '../bad',
    CNI_IFNAME: 'a/b',
    CNI_NETNS: 'dummy',
  };
  expect(parseEnvironment(env)).toMatchObject({ command, containerId: '../bad', ifname: 'a/b' });
});

test('DEL does without a namespace', () => {
  expect(parseEnvironment({ ...ADD, CNI_COMMAND: 'DEL', CNI_NETNS: undefined }).netns).toBe('');
});
