/** Every released version of the CNI specification, oldest first; all of them are spoken, in and out. */
export const SUPPORTED_VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

/** A version of the CNI specification that is spoken here. */
export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

/** The newest version, which is also the internal form of results. */
export const NEWEST_VERSION: CniVersion = '1.1.0';

/** Whether `v` is a released version of the specification. */
export function isSupported(v: string): v is CniVersion {
  return SUPPORTED_VERSIONS.some((version) => version === v);
}

/** Whether `v` is `min` or newer. */
export function atLeast(v: CniVersion, min: CniVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(v) >= SUPPORTED_VERSIONS.indexOf(min);
}
