import { PlumbError } from '../errors.ts';

/** The container has addresses for this interface already; nothing has been changed. */
export class LeaseExistsError extends PlumbError {
  readonly kind = 'lease-exists';

  constructor(containerId: string, ifname: string, addresses: readonly string[]) {
    super(`container ${containerId} has ${addresses.join(', ')} for ${ifname} already; DEL it first`);
  }
}

/** No address of a range set is free; nothing has been changed. */
export class RangeExhaustedError extends PlumbError {
  readonly kind = 'range-exhausted';

  constructor(ranges: readonly string[]) {
    super(`no address available in ${ranges.join(', ')}: all are leased or in use`);
  }
}
