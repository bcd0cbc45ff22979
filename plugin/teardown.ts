import { deleteLinkByName } from '../src/netlink/helpers.ts';
import { removeMasquerade } from '../src/nftables/masquerade.ts';

/**
 * Takes the host's side of an attachment away, and with it the container's. Rules that steer traffic go before the
 * link; what is gone already is success. Throws {@link NetlinkError}.
 */
export function teardown(hostName: string): void {
  removeMasquerade(hostName);
  deleteLinkByName(hostName);
}
