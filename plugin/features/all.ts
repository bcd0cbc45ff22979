import { bandwidth } from './bandwidth.ts';
import type { Feature } from './feature.ts';
import { firewall } from './firewall.ts';
import { guard } from './guard.ts';
import { masquerade } from './masquerade.ts';
import { ports } from './ports.ts';
import { tuning } from './tuning.ts';

/** Every feature, in the order of ADD: guarded first, and open to others only when all behind it is ready. */
export const FEATURES: readonly Feature[] = [guard, tuning, masquerade, bandwidth, firewall, ports];
