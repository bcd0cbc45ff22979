import { createRequire } from 'node:module';
import { basename, dirname, relative } from 'node:path';

interface PkgSea {
  readonly default: (entry: string, options: object) => Promise<void>;
}

/**
 * Makes a Node executable of one CommonJS bundle by pkg's simple SEA mode, without a download. The same bundle, assets
 * and runtime make the same bytes, wherever they lie.
 *
 * `node` is the runtime to take, `assets` are files by the name under which the program finds them. pkg's temporary
 * files go to the bundle's folder. Throws what pkg throws.
 */
export async function nodeExecutable(
  bundle: string,
  output: string,
  node: string,
  assets: Readonly<Record<string, string>>,
): Promise<void> {
  // The package does not export it: its command line would download a runtime.
  const sea: PkgSea = createRequire(import.meta.url)('@yao-pkg/pkg/lib-es5/sea.js');
  const work = dirname(bundle);
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = work;
  try {
    await sea.default(bundle, {
      nodePath: node,
      targets: [{ nodeRange: 'node26', platform: 'linux', arch: 'x64', output }],
      seaConfig: {
        // The path becomes part of the executable. pkg makes the blob in a folder of its own in TMPDIR.
        main: relative(`${work}/pkg`, `${work}/${basename(bundle)}`),
        disableExperimentalSEAWarning: true,
        useSnapshot: false,
        useCodeCache: false,
        execArgvExtension: 'none',
        assets,
      },
    });
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}
