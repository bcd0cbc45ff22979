import plumbSchema from '../../../schemas/plumb.schema.json' with { type: 'json' };
import type { AddCommand } from './all.ts';

/** `plumb schema`: the JSON Schema of configurations, for editors. */
export const schemaCommand: AddCommand = (program) => {
  program
    .command('schema')
    .description('print the JSON Schema of configurations, for editors')
    .action(() => {
      process.stdout.write(`${JSON.stringify(plumbSchema, undefined, 2)}\n`);
    });
};
