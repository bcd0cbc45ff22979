// The schema for editors: a list with plumb in it, or a single configuration, put together from the schema that the
// plugin's own checks are generated from. It is made for completion and hover texts; `plumb check-config` finds more.

type Schema = Readonly<Record<string, unknown>>;

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function part(schema: Schema, key: string): Schema {
  const value = schema[key];
  if (!isSchema(value)) throw new Error(`network-config.schema.json has no ${key}`);
  return value;
}

function without(schema: Schema, ...keys: string[]): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !keys.includes(key)));
}

/** What the runtime puts in, or takes from the list: nobody writes it into an entry. */
const NOT_WRITTEN = ['runtimeConfig', 'prevResult', 'cni.dev/valid-attachments', 'cni.dev/attachments'];
const OF_THE_LIST = ['name', 'cniVersion'];

const CAPABILITIES = {
  portMappings: "ports of the host that lead to the container: Kubernetes' hostPort, podman's -p",
  bandwidth: 'limits that the runtime has from annotations of a pod',
  ips: 'addresses that somebody asks for',
  mac: 'a hardware address that somebody asks for',
  ipRanges: 'range sets that come from the runtime',
  dns: 'name resolution that comes from the runtime',
};

const SWITCH = { type: 'boolean', description: 'true or false' };

// Not written as an object with `then`, which an await would take for a promise.
function either(condition: Schema, yes: Schema, no: Schema | true): Schema {
  return Object.fromEntries([
    ['if', condition],
    ['then', yes],
    ['else', no],
  ]);
}

/** The schema for editors, made of the schema of one entry. */
export function editorSchema(networkConfig: unknown): Schema {
  if (!isSchema(networkConfig)) throw new Error('network-config.schema.json holds no object');
  const properties = part(networkConfig, 'properties');
  const schemaKey = {
    type: 'string',
    title: 'the schema of this file, for editors',
    description: 'a URL or path',
  };
  const entry = {
    ...without(properties, ...NOT_WRITTEN),
    capabilities: {
      ...part(properties, 'capabilities'),
      properties: Object.fromEntries(
        Object.entries(CAPABILITIES).map(([key, title]) => [key, { title, ...SWITCH }]),
      ),
      additionalProperties: SWITCH,
    },
  };
  const head = {
    $schema: schemaKey,
    cniVersion: { ...part(properties, 'cniVersion'), default: '1.1.0' },
    name: part(properties, 'name'),
  };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'CNI configuration with plumb',
    description: 'an object: a list of plugins (.conflist), or the configuration of one plugin (.conf)',
    type: 'object',
    required: ['cniVersion', 'name'],
    ...either({ required: ['type'] }, { $ref: '#/definitions/plugin' }, { $ref: '#/definitions/list' }),
    properties: head,
    definitions: {
      list: {
        type: 'object',
        required: ['plugins'],
        properties: {
          ...head,
          cniVersions: {
            title: 'versions that the list may be used with; the runtime takes the newest that it knows',
            description: 'a list of versions of the CNI specification',
            type: 'array',
            items: { type: 'string', description: 'a version of the CNI specification' },
          },
          plugins: {
            title: 'plugins, called one after the other',
            description: 'a list of at least one plugin',
            type: 'array',
            minItems: 1,
            items: { $ref: '#/definitions/plugin' },
          },
          disableCheck: { title: 'the runtime does not call CHECK', ...SWITCH, default: false },
          disableGC: { title: 'the runtime does not call GC', ...SWITCH, default: false },
        },
      },
      plugin: {
        type: 'object',
        description: 'an object with the type of a plugin',
        required: ['type'],
        properties: {
          type: {
            type: 'string',
            title: "the plugin's file name",
            description: '"plumb", or the file name of another plugin',
            examples: ['plumb'],
          },
        },
        ...either({ properties: { type: { const: 'plumb' } } }, { $ref: '#/definitions/plumb' }, true),
      },
      plumb: {
        type: 'object',
        description: "plumb's entry",
        required: ['ipam'],
        properties: without(entry, ...OF_THE_LIST),
      },
      ...without(part(networkConfig, 'definitions'), 'attachments', 'port'),
    },
  };
}
