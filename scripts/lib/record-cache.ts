// Makes the calls that matter with a script on Node, each with the code cache that the one before has left: run by
// code-cache.ts in namespaces of its own, as `node record-cache.ts SCRIPT KOFFI FILE`.
import { join } from 'node:path';
import { makeTypicalCalls } from './typical-calls.ts';

// The hashes of V8's strings decide on the order of things in the cache. It can be used without this flag.
const command = [process.execPath, '--random-seed=1', join(import.meta.dirname, 'run-and-cache.ts')] as const;
makeTypicalCalls([...command, ...process.argv.slice(2)], () => ({}));
