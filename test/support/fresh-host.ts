import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

// Before each file of end-to-end tests, so that what one leaves on the host that they share is no matter for the next. Only where
// scripts/test says that the host is one that it has made.
if (process.env['PLUMB_OWN_HOST'] === '1') {
  execFileSync('nft', ['flush', 'ruleset']);
  rmSync('/run/plumb', { recursive: true, force: true });
}
