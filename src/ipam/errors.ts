import { PlumbError } from '../errors.ts';

/** The container has addresses for this interface already. */
export class LeaseExistsError extends PlumbError {
  readonly kind = 'lease-exists';

  constructor(containerId: string, ifname: string, addresses: readonly string[]) {
    super(`${containerId} ${ifname} has ${addresses.join(', ')} already; DEL it first`);
  }
}

/** No address is free. */
export class RangeExhaustedError extends PlumbError {
  readonly kind = 'range-exhausted';

  constructor(ranges: readonly string[]) {
    super(`no address available in ${ranges.join(', ')}: all are leased`);
  }
}
