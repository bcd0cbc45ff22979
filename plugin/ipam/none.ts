import type { Ipam } from './ipam.ts';

/** `"ipam": {}`: a link without addresses. */
export const noIpam: Ipam = {
  routes: [],
  add: () => ({ pods: [], routes: [], dns: {} }),
  del: () => undefined,
  check: () => [],
  owners: () => [],
  gc: () => undefined,
  status: () => undefined,
};
