import type { Command } from 'commander';
import type { Output } from '../output.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { checkConfigCommand } from './check-config.ts';
import { completionCommand } from './completion.ts';
import { convertCommand } from './convert.ts';
import { del } from './del.ts';
import { doctor } from './doctor.ts';
import { gc } from './gc.ts';
import { installCommand } from './install.ts';
import { ls } from './ls.ts';
import { manCommand } from './man.ts';
import { schemaCommand } from './schema.ts';
import { show } from './show.ts';
import { status } from './status.ts';
import { trace } from './trace.ts';
import { uninstallCommand } from './uninstall.ts';
import { versions } from './versions.ts';

/** Adds one command to the command line. */
export type AddCommand = (program: Command, out: Output) => void;

/** Every command, in the order of the help. */
export const COMMANDS: readonly AddCommand[] = [
  installCommand,
  uninstallCommand,
  checkConfigCommand,
  convertCommand,
  ls,
  show,
  doctor,
  trace,
  gc,
  add,
  del,
  check,
  status,
  schemaCommand,
  completionCommand,
  manCommand,
  versions,
];
