// The first program in Node's executable: it starts the bundle with what V8 had compiled of it by the end of a few calls
// (docs/executables.md), where Node's own cache has next to nothing.
const { getAsset, getRawAsset } = process.getBuiltinModule('node:sea');
const { Script } = process.getBuiltinModule('node:vm');

new Script(getAsset('plumb', 'utf8'), {
  filename: 'plumb.cjs',
  cachedData: new Uint8Array(getRawAsset('cache')),
}).runInThisContext();

export {};
