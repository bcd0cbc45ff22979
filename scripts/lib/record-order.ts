// Lets an executable of Bun's note in which order it uses its functions, call by call: run by bytecode-order.ts in namespaces
// of its own, as `node record-order.ts EXECUTABLE FOLDER`. Prints the files, the most important first.
import { join } from 'node:path';
import { makeTypicalCalls } from './typical-calls.ts';

const [executable = '', folder = ''] = process.argv.slice(2);
const files: string[] = [];
makeTypicalCalls([executable], (name) => {
  if (name === 'version') return {};
  const file = join(folder, name);
  files.push(file);
  return { BUN_BYTECODE_ORDER_OUT: file };
});
console.log(files.join('\n'));
