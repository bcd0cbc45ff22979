import { NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE } from '../abi/netlink.ts';
import * as cls from '../abi/pkt_cls.ts';
import * as sched from '../abi/pkt_sched.ts';
import * as rt from '../abi/rtnetlink.ts';
import type { Request } from '../request.ts';
import { attr, attributes, listOf, nested } from '../wire/attributes.ts';
import { concat } from '../wire/buffer.ts';
import { BE16, BE32, I32, U8, U16, U32 } from '../wire/field.ts';
import { struct } from '../wire/struct.ts';
import { bytes, string, u32, u64 } from '../wire/value.ts';
import { objectCodec } from './object.ts';

/** Where filters of a clsact qdisc, and also of an ingress qdisc, are hung for what comes in. */
export const CLSACT_INGRESS = 0xfffffff2;
/** Where filters of a clsact qdisc are hung for what goes out. */
export const CLSACT_EGRESS = 0xfffffff3;

const U32_MAX = 0xffffffff;

function makeCodecs() {
  // struct tcmsg, <linux/rtnetlink.h>; tcm_info of a filter is its priority and its protocol.
  const tcmsg = struct({
    family: U8,
    pad1: U8,
    pad2: U16,
    ifindex: I32,
    handle: U32,
    parent: U32,
    info: U32,
  });
  const message = objectCodec(
    tcmsg,
    attributes({ kind: attr(rt.TCA_KIND, string), options: nested(rt.TCA_OPTIONS, bytes) }),
  );
  // struct tc_ratespec, <linux/pkt_sched.h>, stands in the others; the rate in bytes per second.
  const ratespec = {
    cellLog: U8,
    linklayer: U8,
    overhead: U16,
    cellAlign: U16,
    mpu: U16,
    rate: U32,
  };
  const second = {
    cellLog2: U8,
    linklayer2: U8,
    overhead2: U16,
    cellAlign2: U16,
    mpu2: U16,
    rate2: U32,
  };
  // struct tc_tbf_qopt: behind the rate stands that of peaks, which is not used here.
  const tbfParms = struct({ ...ratespec, ...second, limit: U32, buffer: U32, mtu: U32 });
  const tbf = attributes({
    parms: attr(sched.TCA_TBF_PARMS, structCodec(tbfParms)),
    burst: attr(sched.TCA_TBF_BURST, u32),
    rate64: attr(sched.TCA_TBF_RATE64, u64),
  });
  // struct tc_htb_glob
  const htbInit = struct({ version: U32, rate2quantum: U32, defcls: U32, debug: U32, directPackets: U32 });
  // struct tc_htb_opt: rate and ceiling, and for each what may be sent at once, in ticks
  const htbParms = struct({
    ...ratespec,
    ...second,
    buffer: U32,
    cbuffer: U32,
    quantum: U32,
    level: U32,
    prio: U32,
  });
  const htb = attributes({
    parms: attr(sched.TCA_HTB_PARMS, structCodec(htbParms)),
    init: attr(sched.TCA_HTB_INIT, structCodec(htbInit)),
    rate64: attr(sched.TCA_HTB_RATE64, u64),
    ceil64: attr(sched.TCA_HTB_CEIL64, u64),
  });
  // struct tc_u32_sel, and behind it as many struct tc_u32_key as it says, <linux/pkt_cls.h>
  const selector = struct({
    flags: U8,
    offshift: U8,
    nkeys: U8,
    pad: U8,
    offmask: BE16,
    off: U16,
    offoff: U16,
    hoff: U16,
    hmask: BE32,
  });
  const key = struct({ mask: BE32, value: BE32, offset: I32, offmask: I32 });
  // struct tc_mirred, <linux/tc_act/tc_mirred.h>
  const mirred = struct({
    index: U32,
    capab: U32,
    action: I32,
    refcnt: I32,
    bindcnt: I32,
    eaction: I32,
    ifindex: U32,
  });
  const action = attributes({
    kind: attr(cls.TCA_ACT_KIND, string),
    options: nested(
      cls.TCA_ACT_OPTIONS,
      attributes({ mirred: attr(cls.TCA_MIRRED_PARMS, structCodec(mirred)) }),
    ),
  });
  const filter = attributes({
    classid: attr(cls.TCA_U32_CLASSID, u32),
    selector: attr(cls.TCA_U32_SEL, bytes),
    // Actions are numbered from 1; there is one here.
    actions: nested(cls.TCA_U32_ACT, listOf(1, action)),
  });
  return { message, tbf, htb, selector, key, filter };
}

function structCodec<T>(of: { encode(values: Partial<T>): Uint8Array; decode(data: Uint8Array): T }) {
  return {
    encode: (values: Partial<T>) => of.encode(values),
    decode: (data: Uint8Array): Partial<T> => of.decode(data),
  };
}

// Made when they are needed first: most processes shape nothing, and starting fast is what counts for them.
let made: ReturnType<typeof makeCodecs> | undefined;
function codecs(): ReturnType<typeof makeCodecs> {
  made ??= makeCodecs();
  return made;
}

/** A token bucket: what may pass at `rate` on average, and `burst` at once. */
export interface TokenBucket {
  /** Bytes per second, from 1. */
  readonly rate: number;
  /** Bytes, from 1 to 2^32 - 1. */
  readonly burst: number;
}

/** tc-tbf(8): shapes everything that goes out. */
export interface TbfSpec extends TokenBucket {
  readonly kind: 'tbf';
  /** Bytes that may wait for tokens; more are dropped. 1 to 2^32 - 1. */
  readonly limit: number;
}

/** tc-htb(8): shapes by classes, which filters choose. */
export interface HtbSpec {
  readonly kind: 'htb';
  /** Minor number of the class of what no filter matches; 0 for none, and then it is not shaped. */
  readonly defaultClass: number;
}

/** What a qdisc is: one that shapes what goes out, or one that only has hooks for filters. */
export type QdiscOptions = TbfSpec | HtbSpec | { readonly kind: 'ingress' } | { readonly kind: 'clsact' };

/** Where a qdisc is hung. */
export interface QdiscPlace {
  readonly ifindex: number;
  /** TC_H_ROOT unless given; TC_H_INGRESS for ingress and clsact. */
  readonly parent?: number;
  /** `1:` unless given; `ffff:` for ingress and clsact. */
  readonly handle?: number;
}

/**
 * How long a bucket takes to fill, in the kernel's ticks of 64 ns (PSCHED_SHIFT in include/net/pkt_sched.h). It may be
 * more than the 32 bits that the kernel shows.
 */
export function bucketTicks({ rate, burst }: TokenBucket): number {
  return Math.floor((burst / rate) * (1e9 / 64));
}

const clampedTicks = (bucket: TokenBucket): number => Math.min(Math.max(bucketTicks(bucket), 1), U32_MAX);

/** The rate as a struct tc_ratespec has it, and as the attribute that takes over where 32 bits do not suffice. */
function rateFields(rate: number): { readonly rate: number; readonly rate64: number | undefined } {
  return { rate: Math.min(rate, U32_MAX), rate64: rate > U32_MAX ? rate : undefined };
}

function encodeQdiscOptions(options: QdiscOptions): Uint8Array | undefined {
  switch (options.kind) {
    case 'tbf': {
      const { rate, rate64 } = rateFields(options.rate);
      return codecs().tbf.encode({
        // With the link layer given, the kernel wants no table of transmission times.
        parms: {
          linklayer: sched.TC_LINKLAYER_ETHERNET,
          rate,
          limit: options.limit,
          buffer: clampedTicks(options),
        },
        burst: options.burst,
        rate64,
      });
    }
    case 'htb':
      return codecs().htb.encode({ init: { version: 3, rate2quantum: 10, defcls: options.defaultClass } });
    case 'ingress':
    case 'clsact':
      return undefined;
  }
}

const MODES = { add: NLM_F_CREATE | NLM_F_EXCL, replace: NLM_F_CREATE | NLM_F_REPLACE };

function place({ ifindex, parent, handle }: QdiscPlace, kind?: QdiscOptions['kind']) {
  const isHook = kind === 'ingress' || kind === 'clsact';
  return {
    ifindex,
    parent: parent ?? (isHook ? sched.TC_H_INGRESS : sched.TC_H_ROOT),
    handle: handle ?? (isHook ? 0xffff0000 : 0x10000),
  };
}

/** RTM_NEWQDISC; `name` is that of the link, in words for an error. */
export function newQdisc(
  at: QdiscPlace,
  options: QdiscOptions,
  mode: 'add' | 'replace',
  name: string,
): Request {
  return {
    type: rt.RTM_NEWQDISC,
    name: 'RTM_NEWQDISC',
    flags: MODES[mode],
    payload: codecs().message.encode(place(at, options.kind), {
      kind: options.kind,
      options: encodeQdiscOptions(options),
    }),
    what: `${mode} qdisc ${options.kind} dev ${name}`,
  };
}

/** RTM_DELQDISC: whatever hangs there. */
export function delQdisc(ifindex: number, parent: number, name: string): Request {
  return {
    type: rt.RTM_DELQDISC,
    name: 'RTM_DELQDISC',
    payload: codecs().message.encode({ ifindex, parent }, {}),
    what: `delete qdisc dev ${name}`,
  };
}

/** RTM_GETQDISC: what hangs at `parent` of a link, or, for a dump, everything. */
export function getQdisc(ifindex: number, parent: number): Request {
  return {
    type: rt.RTM_GETQDISC,
    name: 'RTM_GETQDISC',
    // Without it the kernel tells everybody who listens, but not who asks.
    flags: NLM_F_ECHO,
    payload: codecs().message.encode({ ifindex, parent }, {}),
    what: `get qdisc of link ${ifindex}`,
  };
}

/** A qdisc as the kernel shows it. */
export interface Qdisc {
  readonly ifindex: number;
  readonly handle: number;
  readonly parent: number;
  readonly kind: string;
  /** Of a tbf: bytes per second. */
  readonly rate?: number;
  /** Of a tbf: {@link bucketTicks}, of which the kernel shows the lower 32 bits. */
  readonly ticks?: number;
  /** Of a tbf: bytes. */
  readonly limit?: number;
  /** Of a htb. */
  readonly defaultClass?: number;
}

/** Decodes the payload of RTM_NEWQDISC. Throws {@link WireError}. */
export function decodeQdisc(payload: Uint8Array): Qdisc {
  const { header, attributes: a } = codecs().message.decode(payload);
  const { ifindex, handle, parent } = header;
  const base = { ifindex, handle, parent, kind: a.kind ?? '' };
  if (a.options === undefined) return base;
  if (base.kind === 'tbf') {
    const { parms, rate64 } = codecs().tbf.decode(a.options);
    return { ...base, rate: rate64 ?? parms?.rate ?? 0, ticks: parms?.buffer ?? 0, limit: parms?.limit ?? 0 };
  }
  if (base.kind === 'htb') return { ...base, defaultClass: codecs().htb.decode(a.options).init?.defcls ?? 0 };
  return base;
}

/** A class of a htb. */
export interface ClassSpec extends TokenBucket {
  readonly ifindex: number;
  /** Handle of the qdisc or of the class above. */
  readonly parent: number;
  readonly classid: number;
}

// Bytes that a class sends before its neighbours' turn; without a number the kernel makes one of the rate, and complains
// in its log if that is large.
const QUANTUM = 60_000;

/** RTM_NEWTCLASS of a htb; the ceiling is the rate. */
export function newClass(spec: ClassSpec, mode: 'add' | 'replace', name: string): Request {
  const { rate, rate64 } = rateFields(spec.rate);
  const linklayer = sched.TC_LINKLAYER_ETHERNET;
  const buffer = clampedTicks(spec);
  return {
    type: rt.RTM_NEWTCLASS,
    name: 'RTM_NEWTCLASS',
    flags: MODES[mode],
    payload: codecs().message.encode(
      { ifindex: spec.ifindex, parent: spec.parent, handle: spec.classid },
      {
        kind: 'htb',
        options: codecs().htb.encode({
          rate64,
          ceil64: rate64,
          parms: {
            linklayer,
            rate,
            linklayer2: linklayer,
            rate2: rate,
            buffer,
            cbuffer: buffer,
            quantum: QUANTUM,
          },
        }),
      },
    ),
    what: `${mode} class htb dev ${name}`,
  };
}

/** RTM_GETTCLASS, for a dump: the classes of a link. */
export function getClasses(ifindex: number): Request {
  return {
    type: rt.RTM_GETTCLASS,
    name: 'RTM_GETTCLASS',
    payload: codecs().message.encode({ ifindex }, {}),
    what: `list classes of link ${ifindex}`,
  };
}

/** A class as the kernel shows it; the numbers are a htb's. */
export interface TrafficClass {
  readonly ifindex: number;
  readonly parent: number;
  readonly classid: number;
  readonly kind: string;
  /** Bytes per second. */
  readonly rate?: number;
  /** {@link bucketTicks}, at most 2^32 - 1. */
  readonly ticks?: number;
}

/** Decodes the payload of RTM_NEWTCLASS. Throws {@link WireError}. */
export function decodeClass(payload: Uint8Array): TrafficClass {
  const { header, attributes: a } = codecs().message.decode(payload);
  const base = {
    ifindex: header.ifindex,
    parent: header.parent,
    classid: header.handle,
    kind: a.kind ?? '',
  };
  if (base.kind !== 'htb' || a.options === undefined) return base;
  const { parms, rate64 } = codecs().htb.decode(a.options);
  return { ...base, rate: rate64 ?? parms?.rate ?? 0, ticks: parms?.buffer ?? 0 };
}

/** Four bytes of a packet that must be equal under the mask; `offset` counts from the network header. */
export interface U32Key {
  readonly mask: number;
  readonly value: number;
  readonly offset: number;
}

/** tc-u32(8), with what is done to the packets that match. */
export interface FilterSpec {
  readonly ifindex: number;
  /** Handle of a qdisc, {@link CLSACT_INGRESS} or {@link CLSACT_EGRESS}. */
  readonly parent: number;
  /** Lower ones come first; 1 to 65535. */
  readonly priority: number;
  /** ETH_P_*. All filters of one priority have one protocol. */
  readonly protocol: number;
  /** Keys that must all match; none matches everything. */
  readonly keys: readonly U32Key[];
  /** The class that matching packets go to; `1:0` is past all classes of a htb `1:`. */
  readonly classid?: number;
  /** The link that matching packets go out of instead (tc-mirred(8)). */
  readonly redirectTo?: number;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

/** RTM_NEWTFILTER. */
export function newFilter(spec: FilterSpec, name: string): Request {
  const { ifindex, parent, priority, protocol, keys, classid, redirectTo } = spec;
  const { message, filter, selector, key } = codecs();
  const all = keys.length === 0 ? [{ mask: 0, value: 0, offset: 0 }] : keys;
  return {
    type: rt.RTM_NEWTFILTER,
    name: 'RTM_NEWTFILTER',
    flags: MODES.add,
    payload: message.encode(
      { ifindex, parent, info: priority * 0x10000 + swap16(protocol) },
      {
        kind: 'u32',
        options: filter.encode({
          classid,
          selector: concat([
            selector.encode({ flags: cls.TC_U32_TERMINAL, nkeys: all.length }),
            ...all.map((one) => key.encode(one)),
          ]),
          actions:
            redirectTo === undefined
              ? undefined
              : [
                  {
                    kind: 'mirred',
                    options: {
                      mirred: {
                        action: cls.TC_ACT_STOLEN,
                        eaction: cls.TCA_EGRESS_REDIR,
                        ifindex: redirectTo,
                      },
                    },
                  },
                ],
        }),
      },
    ),
    what: `add filter u32 dev ${name}`,
  };
}

/** RTM_DELTFILTER: every filter of that priority and protocol. */
export function delFilters(
  at: Pick<FilterSpec, 'ifindex' | 'parent' | 'priority' | 'protocol'>,
  name: string,
): Request {
  const { ifindex, parent, priority, protocol } = at;
  return {
    type: rt.RTM_DELTFILTER,
    name: 'RTM_DELTFILTER',
    payload: codecs().message.encode({ ifindex, parent, info: priority * 0x10000 + swap16(protocol) }, {}),
    what: `delete filters of priority ${priority} dev ${name}`,
  };
}

/** RTM_GETTFILTER, for a dump. */
export function getFilters(ifindex: number, parent: number): Request {
  return {
    type: rt.RTM_GETTFILTER,
    name: 'RTM_GETTFILTER',
    payload: codecs().message.encode({ ifindex, parent }, {}),
    what: `list filters of link ${ifindex}`,
  };
}

/** A filter as the kernel shows it; what comes after the kind is a u32's. */
export interface Filter {
  readonly ifindex: number;
  readonly parent: number;
  /** 0 for what stands for all filters of one priority. */
  readonly handle: number;
  readonly priority: number;
  readonly protocol: number;
  readonly kind: string;
  readonly keys?: readonly U32Key[];
  readonly classid?: number;
  readonly redirectTo?: number;
}

/** Decodes the payload of RTM_NEWTFILTER. Throws {@link WireError}. */
export function decodeFilter(payload: Uint8Array): Filter {
  const { header, attributes: a } = codecs().message.decode(payload);
  const { ifindex, parent, handle, info } = header;
  const base = {
    ifindex,
    parent,
    handle,
    priority: info >>> 16,
    protocol: swap16(info & 0xffff),
    kind: a.kind ?? '',
  };
  if (base.kind !== 'u32' || a.options === undefined) return base;
  const { filter, selector, key } = codecs();
  const { classid, selector: selected, actions = [] } = filter.decode(a.options);
  // A hash table of filters, which the kernel lists too.
  if (selected === undefined) return base;
  const keys: U32Key[] = [];
  for (let i = 0; i < selector.decode(selected).nkeys; i++) {
    const { mask, value, offset } = key.decode(selected.subarray(selector.size + i * key.size));
    keys.push({ mask, value, offset });
  }
  const redirected = actions.find((action) => action.kind === 'mirred')?.options?.mirred;
  return {
    ...base,
    keys,
    ...(classid === undefined ? {} : { classid }),
    ...(redirected?.eaction === cls.TCA_EGRESS_REDIR && redirected.ifindex !== undefined
      ? { redirectTo: redirected.ifindex }
      : {}),
  };
}
