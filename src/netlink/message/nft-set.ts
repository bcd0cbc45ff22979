import * as abi from '../abi/nf_tables.ts';
import { WireError } from '../errors.ts';
import type { Request } from '../request.ts';
import { attr, attributes, encodeAttribute, listOf, NLA_F_NESTED, nested } from '../wire/attributes.ts';
import { concat } from '../wire/buffer.ts';
import { be32, be64, bytes, lazy, string } from '../wire/value.ts';
import { type NftVerdict, nftData } from './nft-data.ts';
import type { NftExpression } from './nft-expression.ts';
import { nftExpression } from './nft-expression-codec.ts';
import { flagNames } from './nft-kernel-names.ts';
import { bitsOf, familyOf, given, type NftFamily } from './nft-names.ts';
import { type NftVerb, named, nftRequest } from './nft-request.ts';
import { type NftType, namedType, rawType } from './nft-type.ts';
import {
  decodeNotes,
  decodeSetNotes,
  encodeNotes,
  encodeSetNotes,
  type NftNotes,
  type SetNotes,
} from './nft-user-data.ts';

// Sets, maps and their elements: NFTA_SET_*, <linux/netfilter/nf_tables.h>. Everything that is a number is in network
// order; attributes stand in the order in which nft sends them.
const setCodec = lazy(() => {
  const field = attributes({ length: attr(abi.NFTA_SET_FIELD_LEN, be32) });
  return attributes({
    table: attr(abi.NFTA_SET_TABLE, string),
    name: attr(abi.NFTA_SET_NAME, string),
    handle: attr(abi.NFTA_SET_HANDLE, be64),
    flags: attr(abi.NFTA_SET_FLAGS, bitsOf(flagNames().NFT_SET_)),
    keyType: attr(abi.NFTA_SET_KEY_TYPE, be32),
    keyLength: attr(abi.NFTA_SET_KEY_LEN, be32),
    dataType: attr(abi.NFTA_SET_DATA_TYPE, be32),
    dataLength: attr(abi.NFTA_SET_DATA_LEN, be32),
    id: attr(abi.NFTA_SET_ID, be32),
    policy: attr(abi.NFTA_SET_POLICY, be32),
    description: nested(
      abi.NFTA_SET_DESC,
      attributes({
        size: attr(abi.NFTA_SET_DESC_SIZE, be32),
        concat: nested(abi.NFTA_SET_DESC_CONCAT, listOf(abi.NFTA_LIST_ELEM, field)),
      }),
    ),
    timeout: attr(abi.NFTA_SET_TIMEOUT, be64),
    gcInterval: attr(abi.NFTA_SET_GC_INTERVAL, be32),
    userData: attr(abi.NFTA_SET_USERDATA, bytes),
  });
});
const elementCodec = lazy(() =>
  attributes({
    flags: attr(abi.NFTA_SET_ELEM_FLAGS, bitsOf(flagNames().NFT_SET_ELEM_)),
    timeout: attr(abi.NFTA_SET_ELEM_TIMEOUT, be64),
    expiration: attr(abi.NFTA_SET_ELEM_EXPIRATION, be64),
    key: nested(abi.NFTA_SET_ELEM_KEY, nftData),
    keyEnd: nested(abi.NFTA_SET_ELEM_KEY_END, nftData),
    data: nested(abi.NFTA_SET_ELEM_DATA, nftData),
    userData: attr(abi.NFTA_SET_ELEM_USERDATA, bytes),
    expression: nested(abi.NFTA_SET_ELEM_EXPR, nftExpression),
    expressions: nested(abi.NFTA_SET_ELEM_EXPRESSIONS, listOf(abi.NFTA_LIST_ELEM, nftExpression)),
  }),
);
const listCodec = lazy(() =>
  attributes({
    table: attr(abi.NFTA_SET_ELEM_LIST_TABLE, string),
    set: attr(abi.NFTA_SET_ELEM_LIST_SET, string),
    elements: nested(abi.NFTA_SET_ELEM_LIST_ELEMENTS, listOf(abi.NFTA_LIST_ELEM, elementCodec)),
  }),
);
const encodedListCodec = lazy(() =>
  attributes({
    table: attr(abi.NFTA_SET_ELEM_LIST_TABLE, string),
    set: attr(abi.NFTA_SET_ELEM_LIST_SET, string),
    id: attr(abi.NFTA_SET_ELEM_LIST_SET_ID, be32),
    elements: nested(abi.NFTA_SET_ELEM_LIST_ELEMENTS, bytes),
  }),
);

const HEADER = 4;

/** What names a set or map. */
export interface NftSetRef {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  /**
   * When it is made, a number that is unique in the transaction: for lookups by `setId`, and for elements of a set whose name
   * `__set%d` the kernel completes.
   */
  readonly id?: number;
}

/** NFT_SET_*, in small letters, and those without a name as one number. */
export type NftSetFlag =
  | 'anonymous'
  | 'constant'
  | 'interval'
  | 'map'
  | 'timeout'
  | 'eval'
  | 'object'
  | 'concat'
  | 'expr'
  | number;

/** A set, or a map if it has `data`. */
export interface NftSet extends NftSetRef, NftNotes {
  readonly key: NftType;
  /** What the keys lead to. */
  readonly data?: NftType;
  /** `map` is added where there is `data`, and `concat` to `interval` where the key has several fields. */
  readonly flags?: readonly NftSetFlag[];
  /** How many elements it can have; without, as many as there is memory for. */
  readonly size?: number;
  /** After how many milliseconds an element goes, in a set with the flag `timeout`. */
  readonly timeout?: number;
  /** Every how many milliseconds the kernel looks for elements that have to go. */
  readonly gcInterval?: number;
  /** NFT_SET_POL_*: 0 performance, 1 memory. */
  readonly policy?: number;
}

/** A set as the kernel has it. */
export interface NftSetInfo extends NftSet {
  readonly handle: number;
}

/** One element of a set or map. Fields of a concatenation are padded to 4 bytes by zeros, which count as well. */
export interface NftElement extends NftNotes {
  /** Bytes as packets have them; none for the element that stands for all other keys (flag `catchall`). */
  readonly key: Uint8Array;
  /** The last key of an interval from `key` on, in a set whose key has several fields; others: {@link nftInterval}. */
  readonly keyEnd?: Uint8Array;
  /** What the key leads to, in a map. */
  readonly data?: Uint8Array;
  /** What the key leads to, in a map of verdicts. */
  readonly verdict?: NftVerdict;
  /** NFT_SET_ELEM_*, in small letters. `interval_end`: the key is the first that no longer belongs to the interval before. */
  readonly flags?: readonly ('interval_end' | 'catchall' | number)[];
  /** After how many milliseconds it goes, if not after those of the set. */
  readonly timeout?: number;
  /** How many of them are left. */
  readonly expiration?: number;
  /** Such as a counter of its own. */
  readonly expressions?: readonly NftExpression[];
}

function isNew(verb: NftVerb): boolean {
  return verb === 'add' || verb === 'create';
}

/** The request that does something to a set or map, for {@link commitNft}. EBUSY to delete one that rules look into. */
export function nftSetRequest(verb: 'add' | 'create', set: NftSet): Request;
export function nftSetRequest(verb: 'delete' | 'destroy', set: NftSetRef): Request;
export function nftSetRequest(verb: NftVerb, set: NftSetRef | NftSet): Request {
  const { family, table, name } = set;
  const what = `${verb} set ${family} ${table} ${name}`;
  const body = { table: named(table, what), name: named(name, what) };
  const whole = 'key' in set && isNew(verb) ? { ...body, ...describe(set) } : body;
  return nftRequest(verb, 'SET', family, setCodec.encode(whole), what);
}

function notesOf(key: ReturnType<typeof rawType>, data: ReturnType<typeof rawType> | undefined): SetNotes {
  return { keyOrder: key.order, dataOrder: data?.order };
}

function describe(set: NftSet) {
  const { flags = [], size, timeout, gcInterval, policy, id = 0 } = set;
  const key = rawType(set.key);
  const data = set.data === undefined ? undefined : rawType(set.data);
  const fields = flags.includes('interval') && (key.fields?.length ?? 0) > 1 ? key.fields : undefined;
  const added: NftSetFlag[] = [
    ...(data === undefined ? [] : ['map' as const]),
    ...(fields === undefined ? [] : ['concat' as const]),
  ];
  const concatenation = fields?.map((length) => ({ length }));
  return {
    flags: [...flags, ...added],
    keyType: key.type,
    keyLength: key.length,
    dataType: data?.type,
    dataLength: data?.length,
    id,
    policy,
    description:
      concatenation === undefined && size === undefined ? undefined : { size, concat: concatenation },
    timeout,
    gcInterval,
    userData: encodeSetNotes({ ...given(set), ...notesOf(key, data) }),
  };
}

/** The request that deletes all elements of a set or map, for {@link commitNft}. */
export function nftFlushSetRequest(set: NftSetRef): Request {
  const { family, table, name } = set;
  const what = `flush set ${family} ${table} ${name}`;
  const body = { table: named(table, what), set: named(name, what) };
  return nftRequest('delete', 'SETELEM', family, listCodec.encode(body), what);
}

function encodeElement(element: NftElement): Uint8Array {
  const { key, keyEnd, data, verdict, flags, timeout, expiration, expressions = [] } = element;
  const [expression, ...more] = expressions;
  const content = verdict === undefined ? undefined : { verdict };
  return elementCodec.encode({
    flags,
    timeout,
    expiration,
    key: key.length === 0 ? undefined : { value: key },
    keyEnd: keyEnd === undefined ? undefined : { value: keyEnd },
    data: data === undefined ? content : { value: data },
    userData: encodeNotes(element),
    ...(more.length === 0 ? { expression } : { expressions }),
  });
}

function elementsRequest(verb: NftVerb | 'get', set: NftSetRef, encoded: Uint8Array, what: string): Request {
  const { family, table, name, id } = set;
  const body = { table: named(table, what), set: named(name, what), id, elements: encoded };
  return nftRequest(verb, 'SETELEM', family, encodedListCodec.encode(body), what);
}

function wordsFor(verb: NftVerb | 'get', { family, table, name }: NftSetRef): string {
  return `${verb} element ${family} ${table} ${name}`;
}

/**
 * The request that does something to one element, for {@link commitNft}; `what` says it in words, for an error. To `add` one
 * that is there is success if it leads to the same (its comment stays as it is), else EEXIST. It is deleted by its key,
 * whatever it leads to.
 */
export function nftElementRequest(
  verb: NftVerb | 'get',
  set: NftSetRef,
  element: NftElement,
  what = wordsFor(verb, set),
): Request {
  const encoded = encodeAttribute(abi.NFTA_LIST_ELEM | NLA_F_NESTED, encodeElement(element));
  return elementsRequest(verb, set, encoded, what);
}

// The length of an attribute is a number of 16 bits.
const MOST_BYTES = 0xffff - HEADER;

/** The requests that do something to many elements, as few as they fit into: some thousands in each. */
export function nftElementRequests(
  verb: NftVerb,
  set: NftSetRef,
  elements: readonly NftElement[],
): Request[] {
  const requests: Request[] = [];
  let parts: Uint8Array[] = [];
  let length = 0;
  const close = (): void => {
    if (parts.length > 0) requests.push(elementsRequest(verb, set, concat(parts), wordsFor(verb, set)));
    parts = [];
    length = 0;
  };
  for (const element of elements) {
    const part = encodeAttribute(abi.NFTA_LIST_ELEM | NLA_F_NESTED, encodeElement(element));
    if (length + part.length > MOST_BYTES) close();
    parts.push(part);
    length += part.length;
  }
  close();
  return requests;
}

/**
 * The elements for an interval of keys, both included, in a set with the flag `interval` whose key is a single field: the
 * first key with all that `element` says, and the first key that no longer belongs to it. Throws {@link WireError} if the
 * lengths differ or the last comes before the first.
 */
export function nftInterval(
  first: Uint8Array,
  last: Uint8Array,
  element: Omit<NftElement, 'key' | 'keyEnd'> = {},
): NftElement[] {
  if (first.length !== last.length || compareBytes(first, last) > 0)
    throw new WireError('the last key of an interval comes before its first');
  const end = last.slice();
  for (let at = end.length - 1; at >= 0; at--) {
    const byte = end[at] ?? 0;
    end[at] = (byte + 1) & 0xff;
    if (byte < 0xff)
      return [
        { ...element, key: first },
        { key: end, flags: ['interval_end'] },
      ];
  }
  // Up to the last key there is: nothing comes behind it.
  return [{ ...element, key: first }];
}

/** The reverse of {@link nftInterval} for all elements of a set, with the last key of each in `keyEnd`, in ascending order. */
export function joinNftIntervals(elements: readonly NftElement[]): NftElement[] {
  const isEnd = ({ flags }: NftElement): boolean => flags?.includes('interval_end') === true;
  // Where one interval ends and the next begins, the end comes first.
  const sorted = elements.toSorted(
    (a, b) => compareBytes(a.key, b.key) || Number(isEnd(b)) - Number(isEnd(a)),
  );
  return sorted.flatMap((element, i): NftElement[] => {
    if (isEnd(element)) return [];
    const end = sorted[i + 1];
    return [{ ...element, keyEnd: end === undefined ? element.key.map(() => 0xff) : before(end.key) }];
  });
}

function before(key: Uint8Array): Uint8Array {
  const last = key.slice();
  for (let at = last.length - 1; at >= 0; at--) {
    const byte = last[at] ?? 0;
    last[at] = (byte - 1) & 0xff;
    if (byte > 0) break;
  }
  return last;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (const [i, byte] of a.entries()) {
    const difference = byte - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The request for one set, or, for a dump, for those of a table, a family or all. */
export function getSets(family?: NftFamily, table?: string, name?: string): Request {
  const what = name === undefined ? 'list sets' : `get set ${family} ${table} ${name}`;
  return nftRequest('get', 'SET', family, setCodec.encode({ table, name }), what);
}

/** The request for every element of a set, for a dump. */
export function getElements({ family, table, name }: NftSetRef): Request {
  const what = `list set ${family} ${table} ${name}`;
  return nftRequest('get', 'SETELEM', family, listCodec.encode({ table, set: name }), what);
}

/** Decodes the payload of NFT_MSG_NEWSET. Throws {@link WireError}. */
export function decodeSet(answer: Uint8Array): NftSetInfo {
  const found = setCodec.decode(answer.subarray(HEADER));
  const { table, name, handle = 0, flags = [], keyType = 0, keyLength, dataType, dataLength = 0 } = found;
  if (table === undefined || name === undefined || keyLength === undefined)
    throw new WireError('an answer of nf_tables with a set without table, name or key');
  const { size, concat: concatenation } = found.description ?? {};
  const fields = concatenation?.map(({ length = 0 }) => length);
  const key = namedType({ type: keyType, length: keyLength, ...given({ fields }) });
  const data = dataType === undefined ? undefined : namedType({ type: dataType, length: dataLength });
  const notes = notesOf(rawType(key), data === undefined ? undefined : rawType(data));
  const { timeout, gcInterval, policy, id } = found;
  return {
    family: familyOf(answer),
    table,
    name,
    handle,
    key,
    ...(flags.length === 0 ? {} : { flags }),
    ...given({ data, size, timeout, gcInterval, policy, id }),
    ...decodeSetNotes(found.userData, notes),
  };
}

type RawElement = ReturnType<typeof elementCodec.decode>;

function decodeElement(found: RawElement): NftElement {
  const { key, keyEnd, data, flags, timeout, expiration, userData, expression, expressions } = found;
  const value = (of: typeof key): Uint8Array | undefined =>
    of === undefined || 'verdict' in of ? undefined : of.value;
  return {
    key: value(key) ?? new Uint8Array(0),
    ...given({
      keyEnd: value(keyEnd),
      data: value(data),
      verdict: data === undefined || 'value' in data ? undefined : data.verdict,
      flags,
      timeout,
      expiration,
      expressions: expression === undefined ? expressions : [expression],
    }),
    ...decodeNotes(userData),
  };
}

/** The elements in the payload of NFT_MSG_NEWSETELEM. Throws {@link WireError}. */
export function decodeElements(answer: Uint8Array): NftElement[] {
  const { elements = [] } = listCodec.decode(answer.subarray(HEADER));
  return elements.map(decodeElement);
}
