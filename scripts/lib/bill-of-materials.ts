/** A file of a release, and what is in it. */
export interface Artefact {
  readonly name: string;
  readonly sha256: string;
  /** npm packages as `name@version`: what is inside, or is installed with it. */
  readonly packages: readonly string[];
}

/** What a runtime is made of: the versions of its parts by their names, for each package that is a runtime. */
export type RuntimeParts = Readonly<Record<string, Readonly<Record<string, string>>>>;

// What is kept of npm's account of a package: not which part it has in this project.
const KEPT = ['type', 'bom-ref', 'name', 'version', 'purl', 'hashes', 'licenses'];

/**
 * A software bill of materials (CycloneDX 1.5) of a release, made of npm's own (`npm sbom`) of the whole project: of it
 * there is what the files contain, and beside it the files themselves, and which has what. Time and serial number, which
 * CycloneDX does not demand, are left out: the same release has the same bill. Throws an `Error` when npm's bill lacks a
 * package.
 */
export function billOfMaterials(
  npm: unknown,
  product: { readonly name: string; readonly version: string; readonly license: string },
  artefacts: readonly Artefact[],
  parts: RuntimeParts,
): object {
  const known = new Map(componentsOf(npm).map((component) => [component['bom-ref'], component]));
  const { name, version, license } = product;
  const ref = `${name}@${version}`;
  const packages = [...new Set(artefacts.flatMap((artefact) => artefact.packages))].toSorted();
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': ref,
        name,
        version,
        licenses: [{ license: { id: license } }],
        components: artefacts.map((artefact) => ({
          type: 'file',
          'bom-ref': artefact.name,
          name: artefact.name,
          hashes: [{ alg: 'SHA-256', content: artefact.sha256 }],
        })),
      },
    },
    components: packages.map((id) => {
      const component = known.get(id);
      if (component === undefined) throw new Error(`npm's bill of materials has no ${id}`);
      const kept = Object.entries(component).filter(([key]) => KEPT.includes(key));
      const inside = Object.entries(parts[id] ?? {}).map(([part, of]) => ({
        type: 'library',
        'bom-ref': `${id}#${part}`,
        name: part,
        version: of,
      }));
      return { ...Object.fromEntries(kept), ...(inside.length === 0 ? {} : { components: inside }) };
    }),
    dependencies: [
      { ref, dependsOn: artefacts.map((artefact) => artefact.name) },
      ...artefacts.map((artefact) => ({ ref: artefact.name, dependsOn: artefact.packages })),
      ...packages.map((id) => ({ ref: id, dependsOn: [] })),
    ],
  };
}

function componentsOf(npm: unknown): Record<string, unknown>[] {
  if (typeof npm !== 'object' || npm === null || !('components' in npm) || !Array.isArray(npm.components))
    throw new Error('npm sbom gives no components');
  return npm.components;
}

/**
 * The parts of a runtime by its own `process.versions`, but for those that are no parts: its own version, numbers of
 * interfaces, and what it only pretends to have for programs that ask (`pretended`).
 */
export function runtimeParts(versions: unknown, pretended: readonly string[]): Record<string, string> {
  const none = ['modules', 'napi', ...pretended];
  if (typeof versions !== 'object' || versions === null) throw new Error('a runtime tells no versions');
  return Object.fromEntries(
    Object.entries(versions).flatMap(([name, version]) =>
      typeof version === 'string' && version !== '' && !none.includes(name) ? [[name, version]] : [],
    ),
  );
}
