import * as abi from '../abi/if_addr.ts';
import { type AttributesOf, attr, attributes } from '../wire/attributes.ts';
import { U8, U32 } from '../wire/field.ts';
import { struct } from '../wire/struct.ts';
import { ip, string, u32 } from '../wire/value.ts';
import { objectCodec } from './object.ts';

/** `struct ifaddrmsg`, <linux/if_addr.h>. */
export const ifaddrmsg = struct({ family: U8, prefixLength: U8, flags: U8, scope: U8, index: U32 });

/** Attributes of an interface address: IFA_*. */
export const addressAttributes = attributes({
  address: attr(abi.IFA_ADDRESS, ip),
  local: attr(abi.IFA_LOCAL, ip),
  label: attr(abi.IFA_LABEL, string),
  broadcast: attr(abi.IFA_BROADCAST, ip),
  flags: attr(abi.IFA_FLAGS, u32),
});
/** The values of {@link addressAttributes}. */
export type AddressAttributes = AttributesOf<typeof addressAttributes>;

/** RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR. */
export const addressMessage = objectCodec(ifaddrmsg, addressAttributes);

/** One address of a link. */
export interface InterfaceAddress {
  readonly ifindex: number;
  readonly family: 4 | 6;
  /** The address itself (IFA_LOCAL where there is one), in canonical spelling. */
  readonly address: string;
  readonly prefixLength: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
  /** IFA_F_* bits, all 32. */
  readonly flags: number;
}

/** Decodes the payload of RTM_NEWADDR. Throws {@link WireError}. */
export function decodeAddress(payload: Uint8Array): InterfaceAddress {
  const { header, attributes: a } = addressMessage.decode(payload);
  const address = a.local ?? a.address ?? '';
  return {
    ifindex: header.index,
    family: address.includes(':') ? 6 : 4,
    address,
    prefixLength: header.prefixLength,
    scope: header.scope,
    flags: a.flags ?? header.flags,
  };
}
