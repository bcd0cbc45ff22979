// Writes schemas/plumb.schema.json, which is made of schemas/network-config.schema.json (scripts/lib/editor-schema.ts).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { editorSchema } from './lib/editor-schema.ts';

const folder = join(import.meta.dirname, '../schemas');
const source: unknown = JSON.parse(readFileSync(join(folder, 'network-config.schema.json'), 'utf8'));
const text = `${JSON.stringify(editorSchema(source), undefined, 2)}\n`;
writeFileSync(join(folder, 'plumb.schema.json'), text);
