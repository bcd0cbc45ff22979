import { isObject, type JsonObject } from '../../../src/cni/document.ts';
import type { Command } from '../../../src/cni/environment.ts';
import { CniError } from '../../../src/cni/error.ts';
import { decodeResult, encodeResult } from '../../../src/cni/result.ts';
import { atLeast, type CniVersion, isSupported, SUPPORTED_VERSIONS } from '../../../src/cni/versions.ts';
import { errorMessage } from '../../../src/errors.ts';
import { firstFile } from '../../../src/sys/find-file.ts';
import { brokenPlugin, parseJson, runPlugin, shownOutput } from '../../other-plugin.ts';
import type { NetworkPlugin } from '../network-list.ts';
import type { RuntimeRequest } from './request.ts';
import { ResultCache } from './result-cache.ts';

// The plugins of a network, called by the rules of the specification, section 3, as libcni does it. Plugins are started as
// programs, plumb too: what is tried out is what the runtime would get.

/** What went wrong is that the network is not as it should be, and not that it could not be found out. */
export class FoundWrongError extends Error {}

/**
 * ADD of every plugin in turn, each with the result of the one before; keeps the last one's for {@link checkList} and
 * {@link delList}. Where one fails, those before it get their DEL.
 *
 * Throws {@link CniError} of the plugin; `Error` when a plugin is not there, or when there is a result already.
 */
export function addList(request: RuntimeRequest): JsonObject {
  const { containerId, ifname, network } = request;
  const version = versionOf(request);
  const cache = new ResultCache(request);
  if (readQuietly(cache) !== undefined) {
    throw new Error(
      `${containerId} has an interface ${ifname} on ${network.name} already: plumb del removes it (${cache.path})`,
    );
  }
  const paths = network.plugins.map((plugin) => findPlugin(plugin, request));
  let result: JsonObject | undefined;
  let done = 0;
  try {
    for (const [i, plugin] of network.plugins.entries()) {
      const document = documentOf(request, plugin, version, result);
      result = resultOf(plugin, call(request, plugin, paths[i], document, 'ADD'));
      done = i + 1;
    }
    if (result === undefined) throw new Error(`network ${network.name} has no plugin`);
    cache.write(result);
    return result;
  } catch (error) {
    // The first one takes back itself what it did, and it may have failed because all of this is there already.
    if (done > 0) undoAdd(request, version, Math.min(done, network.plugins.length - 1), result, error);
    throw error;
  }
}

function undoAdd(
  request: RuntimeRequest,
  version: CniVersion,
  last: number,
  result: JsonObject | undefined,
  error: unknown,
): void {
  const failures: string[] = [];
  for (const plugin of request.network.plugins.slice(0, last + 1).reverse()) {
    try {
      call(request, plugin, undefined, documentOf(request, plugin, version, result), 'DEL');
    } catch (failure) {
      failures.push(errorMessage(failure));
    }
  }
  if (failures.length > 0 && error instanceof Error) error.message += ` (undoing: ${failures.join('; ')})`;
}

/** DEL of every plugin, the last one first. Throws {@link CniError} of the plugin; `Error` when one is not there. */
export function delList(request: RuntimeRequest): void {
  const version = versionOf(request);
  const cache = new ResultCache(request);
  const result = atLeast(version, '0.4.0') ? readQuietly(cache) : undefined;
  for (const plugin of request.network.plugins.toReversed()) {
    call(request, plugin, undefined, documentOf(request, plugin, version, convert(result, version)), 'DEL');
  }
  cache.remove();
}

/**
 * CHECK of every plugin in turn, with the result that ADD gave.
 *
 * Throws {@link FoundWrongError} when one finds something wrong; `Error` when there is nothing to be checked.
 */
export function checkList(request: RuntimeRequest): void {
  const { network, containerId, ifname } = request;
  const version = versionOf(request);
  if (!atLeast(version, '0.4.0'))
    throw new Error(`CHECK needs cniVersion 0.4.0 or later, ${network.path} says ${version}`);
  if (network.disableCheck) throw new Error(`${network.path} says disableCheck`);
  const cache = new ResultCache(request);
  const result = cache.read();
  if (result === undefined) {
    throw new Error(
      `there is no result of ADD for ${containerId} ${ifname} on ${network.name} (${cache.path}); give its --id and --ifname`,
    );
  }
  for (const plugin of network.plugins) {
    const document = documentOf(request, plugin, version, convert(result, version));
    askWhatIsWrong(() => call(request, plugin, undefined, document, 'CHECK'));
  }
}

/** STATUS of every plugin in turn. Throws {@link FoundWrongError} when one is not ready. */
export function statusList(request: RuntimeRequest): void {
  const version = versionOf(request);
  if (!atLeast(version, '1.1.0'))
    throw new Error(`STATUS needs cniVersion 1.1.0 or later, ${request.network.path} says ${version}`);
  const nobody = { ...request, containerId: '', netns: '', ifname: '', args: [] };
  for (const plugin of request.network.plugins) {
    const document = JSON.stringify({ ...plugin.entry, name: request.network.name, cniVersion: version });
    askWhatIsWrong(() => call(nobody, plugin, undefined, document, 'STATUS'));
  }
}

function askWhatIsWrong(ask: () => void): void {
  try {
    ask();
  } catch (error) {
    // What is no answer of a plugin's is no finding.
    if (!(error instanceof CniError)) throw error;
    const details = error.details === '' ? '' : ` (${error.details})`;
    throw new FoundWrongError(`${error.message}${details}`, { cause: error });
  }
}

function versionOf({ network }: RuntimeRequest): CniVersion {
  const version = network.cniVersion === '' ? '0.1.0' : network.cniVersion;
  if (isSupported(version)) return version;
  throw new Error(
    `${network.path}: cniVersion ${version} is not spoken here; it can be ${SUPPORTED_VERSIONS.join(', ')}`,
  );
}

/** What is kept; what cannot be read is nothing, for DEL must not fail for it. */
function readQuietly(cache: ResultCache): JsonObject | undefined {
  try {
    return cache.read();
  } catch {
    return undefined;
  }
}

/** A result in the version that is spoken now, which may have changed since ADD. */
function convert(result: JsonObject | undefined, version: CniVersion): JsonObject | undefined {
  if (result === undefined || result['cniVersion'] === version) return result;
  const converted = parseJson(encodeResult(decodeResult(result, version), version));
  return isObject(converted) ? converted : undefined;
}

/** The configuration that a plugin gets: its entry, and what is of the whole list or comes from the runtime. */
function documentOf(
  { network, capabilityArgs }: RuntimeRequest,
  { entry }: NetworkPlugin,
  version: CniVersion,
  prevResult: JsonObject | undefined,
): string {
  const { capabilities } = entry;
  const wanted = isObject(capabilities)
    ? Object.keys(capabilities).filter((key) => capabilities[key] === true)
    : [];
  const given = wanted.filter((key) => Object.hasOwn(capabilityArgs, key));
  return JSON.stringify({
    ...entry,
    name: network.name,
    cniVersion: version,
    ...(prevResult === undefined ? {} : { prevResult }),
    ...(given.length === 0
      ? {}
      : { runtimeConfig: Object.fromEntries(given.map((key) => [key, capabilityArgs[key]])) }),
  });
}

function findPlugin({ type }: NetworkPlugin, { binDirs }: RuntimeRequest): string {
  const folders = binDirs.split(':').filter((folder) => folder !== '');
  // A type with a slash would lead out of them.
  const found = type.includes('/') ? undefined : firstFile(folders, type);
  if (found !== undefined) return found.path;
  throw new Error(`there is no plugin ${type} in ${folders.join(', ')}; --bin-dir says where plugins are`);
}

function call(
  request: RuntimeRequest,
  plugin: NetworkPlugin,
  path: string | undefined,
  document: string,
  command: Command,
): string {
  return runPlugin(`plugin ${plugin.type}`, path ?? findPlugin(plugin, request), document, {
    CNI_COMMAND: command,
    CNI_CONTAINERID: request.containerId,
    CNI_NETNS: request.netns,
    CNI_IFNAME: request.ifname,
    CNI_ARGS: request.args.map(([key, value]) => `${key}=${value}`).join(';'),
    CNI_PATH: request.binDirs,
  });
}

function resultOf({ type }: NetworkPlugin, stdout: string): JsonObject {
  const value = parseJson(stdout);
  if (isObject(value)) return value;
  throw brokenPlugin(`plugin ${type} printed no result: a JSON object is needed`, shownOutput(stdout));
}
