import { isObject, type JsonObject } from '../../../src/cni/document.ts';
import { visitUnknownKeys } from '../../../src/cni/known-keys.ts';
import { meantKey } from '../../../src/cni/typo.ts';
import { isPlumb as namesPlumb } from '../network-list.ts';
import { ConfigDocument } from './document.ts';
import { faultsOf } from './entry-faults.ts';
import { type Path, parsePath, showPath } from './path.ts';
import type { Problem } from './problem.ts';
import { type PlacedSubnet, subnetsOf } from './subnets.ts';

/** What a configuration file says, and what is wrong with it. */
export interface CheckedConfig {
  readonly problems: readonly Problem[];
  /** The network's name; undefined if it has none. */
  readonly name: string | undefined;
  /** Whether it calls plumb, by itself or as the delegate of flannel. */
  readonly callsPlumb: boolean;
  /** The subnets that its containers get addresses from. */
  readonly subnets: readonly PlacedSubnet[];
  readonly document: ConfigDocument;
}

/** Collects the problems of one document. */
class Findings {
  readonly problems: Problem[] = [];
  readonly #document: ConfigDocument;

  constructor(document: ConfigDocument) {
    this.#document = document;
  }

  /** Something about a value. */
  value(severity: Problem['severity'], path: Path, message: string): void {
    this.problems.push({
      severity,
      path: showPath(path),
      message,
      ...this.#document.placeOfValue(path),
    });
  }

  /** Something about a key. */
  key(severity: Problem['severity'], path: Path, message: string): void {
    this.problems.push({ severity, path: showPath(path), message, ...this.#document.placeOfKey(path) });
  }
}

/**
 * Checks the text of a configuration file by itself: a list (.conflist) or a single configuration (.conf, .json). The
 * plugins' own checks of a plumb entry, and what the runtime's reader minds. Problems are in the order of the file.
 */
export function checkConfig(text: string, fileName: string): CheckedConfig {
  const document = new ConfigDocument(text);
  const { value } = document;
  const found = new Findings(document);
  for (const { message, ...place } of document.syntaxFaults)
    found.problems.push({ severity: 'error', path: showPath([]), message, ...place });
  if (document.syntaxFaults.length > 0 || !isObject(value)) {
    if (document.syntaxFaults.length === 0) found.value('error', [], 'must be a JSON object');
    return { problems: found.problems, name: undefined, callsPlumb: false, subnets: [], document };
  }
  for (const { key, place, earlier } of document.duplicateKeys()) {
    const message = `stands twice, first in line ${earlier.line}; this one counts: remove one of them`;
    found.problems.push({ severity: 'warning', path: key, message, ...place });
  }
  const entries = checkShape(value, fileName, found);
  for (const entry of entries) checkEntry(entry, found);
  checkChain(entries, found);
  return {
    problems: found.problems.toSorted((a, b) => a.line - b.line || a.column - b.column),
    name: typeof value['name'] === 'string' ? value['name'] : undefined,
    callsPlumb: entries.some(({ isPlumb }) => isPlumb),
    subnets: entries.flatMap(({ path, value: entry }) => subnetsOf(entry, path)),
    document,
  };
}

/** One plugin's entry. */
interface Entry {
  readonly path: Path;
  readonly value: JsonObject;
  readonly isPlumb: boolean;
  /** The keys that the runtime gives it, where they do not stand in it. */
  readonly inherited: JsonObject;
}

const LIST_KEYS = [
  ...['$schema', 'cniVersion', 'cniVersions', 'name', 'plugins'],
  ...['disableCheck', 'disableGC', 'loadOnlyInlinedPlugins'],
];

function checkShape(value: JsonObject, fileName: string, found: Findings): Entry[] {
  const hasPlugins = Object.hasOwn(value, 'plugins');
  const isListFile = fileName.endsWith('.conflist');
  if (hasPlugins && !isListFile && /\.(conf|json)$/.test(fileName)) {
    found.key(
      'error',
      ['plugins'],
      'this is a list, and runtimes take it for one only if the file ends in .conflist: rename it',
    );
  }
  if (!hasPlugins && !isListFile) {
    checkVersionIsThere(value, found);
    const isPlumb = namesPlumb(value);
    return [{ path: [], value, isPlumb: isPlumb || typeof value['type'] !== 'string', inherited: {} }];
  }
  for (const key of Object.keys(value)) {
    const meant = LIST_KEYS.includes(key)
      ? undefined
      : meantKey(
          key,
          LIST_KEYS.filter((known) => !Object.hasOwn(value, known)),
        );
    if (meant !== undefined)
      found.key(
        'warning',
        [key],
        `unknown key of a list, which is ignored; did you mean ${JSON.stringify(meant)}?`,
      );
  }
  checkVersionIsThere(value, found);
  // Name and version are those of the list, whatever plugins there are; this entry has no faults but theirs.
  const { name, cniVersion } = value;
  const head = { ...given({ name, cniVersion }), type: 'plumb', ipam: {} };
  const faults = faultsOf(head);
  for (const { path, message } of faults) found.value('error', path, message);
  const inherited = {
    name: faults.some(({ path }) => path[0] === 'name') ? 'stand-in' : name,
    cniVersion: faults.some(({ path }) => path[0] === 'cniVersion') ? '1.1.0' : cniVersion,
  };
  const { plugins } = value;
  if (!Array.isArray(plugins) || plugins.length === 0) {
    const there = hasPlugins ? 'must be' : 'missing; it must be';
    found.value('error', ['plugins'], `${there} a list of plugins, such as [{ "type": "plumb", … }]`);
    return [];
  }
  return plugins.flatMap((plugin: unknown, i) => entriesOf(plugin, ['plugins', i], given(inherited), found));
}

function entriesOf(plugin: unknown, path: Path, inherited: JsonObject, found: Findings): Entry[] {
  if (!isObject(plugin)) {
    found.value('error', path, 'must be an object with the type of a plugin');
    return [];
  }
  const type = plugin['type'];
  if (typeof type !== 'string' || type === '') {
    found.value('error', [...path, 'type'], 'the file name of a plugin is needed here, such as "plumb"');
    return [];
  }
  for (const key of ['name', 'cniVersion']) {
    if (Object.hasOwn(plugin, key) && path.length > 0)
      found.key('warning', [...path, key], `has no effect: the ${key} of the list counts; remove it`);
  }
  const entry: Entry = { path, value: plugin, isPlumb: namesPlumb(plugin), inherited };
  const { delegate } = plugin;
  if (type !== 'flannel' || !isObject(delegate) || !namesPlumb(delegate)) return [entry];
  // flannel puts in the addresses itself.
  return [
    entry,
    { path: [...path, 'delegate'], value: delegate, isPlumb: true, inherited: { ...inherited, ipam: {} } },
  ];
}

function checkVersionIsThere(value: JsonObject, found: Findings): void {
  if (Object.hasOwn(value, 'cniVersion')) return;
  found.value('error', ['cniVersion'], 'missing: without it the rules of version 0.1.0 hold; write "1.0.0"');
}

function given(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

const CAPABILITIES = ['portMappings', 'bandwidth', 'ips', 'mac', 'ipRanges', 'dns'];

function checkEntry(entry: Entry, found: Findings): void {
  const { path, value, inherited } = entry;
  checkCapabilities(entry, found);
  if (!entry.isPlumb) return;
  // What the list has, has been looked at there.
  const draft: JsonObject = { ...value, ...inherited };
  visitUnknownKeys(value, ({ at, key, meant }) => {
    const keyPath = [...path, ...(at === '' ? [] : parsePath(at)), key];
    if (meant !== undefined)
      found.key('error', keyPath, `unknown key; did you mean ${JSON.stringify(meant)}?`);
    else if (!/[./]/.test(key))
      found.key('warning', keyPath, 'plumb does not know this key and takes no notice of it');
  });
  for (const { path: at, message } of faultsOf(withoutTypos(draft)))
    found.value('error', [...path, ...at], message);
  checkCapabilitiesUsed(entry, found);
}

/** The entry without the misspelt keys, which have been reported. */
function withoutTypos(entry: JsonObject): JsonObject {
  const clean = structuredClone(entry);
  const typos: (() => void)[] = [];
  visitUnknownKeys(clean, ({ at, key, meant }) => {
    if (meant === undefined) return;
    let holder: unknown = clean;
    for (const step of at === '' ? [] : parsePath(at)) {
      if (typeof holder === 'object' && holder !== null) holder = Reflect.get(holder, step);
    }
    if (isObject(holder)) {
      const object = holder;
      typos.push(() => {
        // Under the name that was meant, so that nothing is missing that is there.
        object[meant] ??= object[key];
        delete object[key];
      });
    }
  });
  for (const correct of typos) correct();
  return clean;
}

function checkCapabilities({ path, value, isPlumb }: Entry, found: Findings): void {
  const { capabilities } = value;
  if (!isObject(capabilities)) return;
  for (const [key, wanted] of Object.entries(capabilities)) {
    const at = [...path, 'capabilities', key];
    if (typeof wanted !== 'boolean') {
      found.value('error', at, 'must be true or false: runtimes refuse the file');
    } else if (isPlumb && !CAPABILITIES.includes(key)) {
      const meant = meantKey(key, CAPABILITIES);
      const hint =
        meant === undefined
          ? `plumb has ${CAPABILITIES.join(', ')}`
          : `did you mean ${JSON.stringify(meant)}?`;
      found.key('warning', at, `no capability of plumb's; ${hint}`);
    }
  }
}

function has(value: JsonObject, capability: string): boolean {
  return isObject(value['capabilities']) && value['capabilities'][capability] === true;
}

/** Keys that do nothing without a capability. */
const NEEDS_PORTS = ['snat', 'masqAll'];

function checkCapabilitiesUsed({ path, value }: Entry, found: Findings): void {
  // flannel's own entry has those of its delegate.
  if (path.at(-1) === 'delegate') return;
  for (const key of NEEDS_PORTS) {
    if (Object.hasOwn(value, key) && !has(value, 'portMappings')) {
      const message =
        'has no effect: the runtime maps no ports without "capabilities": { "portMappings": true }';
      found.key('warning', [...path, key], message);
    }
  }
  const { ipam, args } = value;
  if (!isObject(ipam) || ipam['type'] !== 'static' || has(value, 'ips')) return;
  const none = !Array.isArray(ipam['addresses']) || ipam['addresses'].length === 0;
  if (!none || (isObject(args) && isObject(args['cni']) && args['cni']['ips'] !== undefined)) return;
  found.value(
    'warning',
    [...path, 'ipam'],
    'no addresses, and no capability ips: ADD works only with an address in CNI_ARGS',
  );
}

/** Capabilities that two plugins of one list would both act upon. */
const TWICE: readonly (readonly [type: string, capability: string])[] = [
  ['portmap', 'portMappings'],
  ['bandwidth', 'bandwidth'],
];

function checkChain(entries: readonly Entry[], found: Findings): void {
  const plumb = entries.find(({ isPlumb }) => isPlumb);
  if (plumb === undefined) return;
  for (const [type, capability] of TWICE) {
    const other = entries.find(({ value }) => value['type'] === type && has(value, capability));
    if (other !== undefined && has(plumb.value, capability)) {
      const message = `plumb has the capability ${capability} too: remove this plugin, or the capability of one of them`;
      found.value('warning', other.path, message);
    }
  }
}
