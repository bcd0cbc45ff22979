import type { Feature } from './feature.ts';
import { guard } from './guard.ts';
import { masquerade } from './masquerade.ts';
import { ports } from './ports.ts';

/** Every feature, in the order of ADD. */
export const FEATURES: readonly Feature[] = [guard, masquerade, ports];
