import { parseNetworkConfig } from '../../../src/cni/config.ts';
import { isObject, type JsonObject } from '../../../src/cni/document.ts';
import { CniError } from '../../../src/cni/error.ts';
import { ConfigError } from '../../../src/errors.ts';
import { type Path, parsePath, showPath, valueAt } from './path.ts';

/** What is wrong with one value of a plugin's entry, in the words that the plugin itself has for it. */
export interface Fault {
  readonly path: Path;
  readonly message: string;
}

// A document that has more is wrong from the ground up.
const MOST_FAULTS = 40;

/**
 * All that plumb would refuse in an entry, as it gets it from the runtime (with the list's name and cniVersion). The
 * plugin stops at the first fault; here that is taken out of a copy, and the rest looked at again.
 */
export function faultsOf(entry: JsonObject): Fault[] {
  const draft = new Draft(entry);
  const faults: Fault[] = [];
  for (let round = 0; round < MOST_FAULTS; round++) {
    const fault = firstFault(draft.value);
    if (fault === undefined) break;
    if (!isConsequence(fault, draft)) faults.push(draft.asInOriginal(fault));
    if (!draft.mend(fault.path)) break;
  }
  return faults;
}

function firstFault(entry: JsonObject): Fault | undefined {
  try {
    parseNetworkConfig(JSON.stringify(entry), 'ADD');
    return undefined;
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    const { cause } = error;
    if (cause instanceof ConfigError) {
      return { path: parsePath(cause.path), message: cause.message.slice(`${cause.path}: `.length) };
    }
    const message = error.details === '' ? error.message : `${error.message} (${error.details})`;
    // What is left are errors of the two that are not checked by the schema.
    return { path: [error.message.includes('cniVersion') ? 'cniVersion' : 'prevResult'], message };
  }
}

/** Whether a value is missing only because what was wrong with it has been taken out, or comes from the runtime. */
function isConsequence({ path, message }: Fault, draft: Draft): boolean {
  if (!message.startsWith('missing') || showPath(path) !== 'ipam.subnet') return false;
  return draft.hasMended('ipam') || valueAt(draft.value, ['capabilities', 'ipRanges']) === true;
}

/** A value that plumb takes in the place of one that it does not, where there must be one. */
const STAND_INS: Readonly<Record<string, unknown>> = {
  cniVersion: '1.1.0',
  name: 'stand-in',
  type: 'plumb',
  ipam: {},
};

/** A copy of an entry, from which faulty values are taken away. */
class Draft {
  readonly value: JsonObject;
  readonly #mended = new Set<unknown>();
  /** Which items of the original those of a list are that has lost some. */
  readonly #origins = new WeakMap<unknown[], number[]>();

  constructor(entry: JsonObject) {
    this.value = structuredClone(entry);
  }

  /** Whether something below this key was taken away. */
  hasMended(key: string): boolean {
    return this.#mended.has(key);
  }

  /** Takes away what is at fault; false if nothing can be. */
  mend(path: Path): boolean {
    const [key] = path;
    if (typeof key !== 'string') return false;
    this.#mended.add(key);
    if (path.length === 1 && Object.hasOwn(STAND_INS, key)) return this.#standIn(key);
    const at = path.findLastIndex(
      (step, i) => typeof step === 'number' && valueAt(this.value, path.slice(0, i + 1)) !== undefined,
    );
    if (at >= 0) return this.#removeItem(path.slice(0, at + 1));
    const holder = valueAt(this.value, path.slice(0, -1));
    const last = path.at(-1);
    if (isObject(holder) && last !== undefined && last !== 'type' && Object.hasOwn(holder, last))
      return delete holder[last];
    if (Object.hasOwn(STAND_INS, key)) return this.#standIn(key);
    return Object.hasOwn(this.value, key) && delete this.value[key];
  }

  /** The fault with the indexes that the lists had at first, also in its words. */
  asInOriginal({ path, message }: Fault): Fault {
    const words = message.replace(/\b[a-z]\w*(?:\.\w+)*(?:\[\d+\])+/gi, (text) =>
      showPath(this.#original(parsePath(text))),
    );
    return { path: this.#original(path), message: words };
  }

  #standIn(key: string): boolean {
    const isNew = JSON.stringify(this.value[key]) !== JSON.stringify(STAND_INS[key]);
    this.value[key] = STAND_INS[key];
    return isNew;
  }

  #removeItem(path: Path): boolean {
    const list = valueAt(this.value, path.slice(0, -1));
    const index = path.at(-1);
    if (!Array.isArray(list) || typeof index !== 'number') return false;
    const origins = this.#origins.get(list) ?? list.map((_: unknown, i) => i);
    list.splice(index, 1);
    origins.splice(index, 1);
    this.#origins.set(list, origins);
    // A range set that has lost its last range is not at fault for that.
    return list.length > 0 || typeof path.at(-2) !== 'number' || this.#removeItem(path.slice(0, -1));
  }

  #original(path: Path): Path {
    return path.map((step, i) => {
      const list = valueAt(this.value, path.slice(0, i));
      return typeof step === 'number' && Array.isArray(list)
        ? (this.#origins.get(list)?.[step] ?? step)
        : step;
    });
  }
}
