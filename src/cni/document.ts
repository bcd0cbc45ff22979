import { CniError, ErrDecodingFailure, ErrIncompatibleCNIVersion, ErrInvalidNetworkConfig } from './error.ts';
import { type CniVersion, isSupported, SUPPORTED_VERSIONS } from './versions.ts';

/** A JSON object of which nothing else is known. */
export type JsonObject = Record<string, unknown>;

/** Whether `value` is a JSON object: no list, not null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Parses what came on stdin.
 *
 * @throws CniError with code 6 when it is empty or no JSON, 7 when it is JSON but no object
 */
export function parseDocument(text: string): JsonObject {
  if (text === '') {
    throw new CniError(
      ErrDecodingFailure,
      'no network configuration on stdin: it is empty, a JSON object is needed',
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // A RangeError (nested too deeply for the runtime's parser) is as much "no configuration" as a SyntaxError.
    const reason = error instanceof Error ? error.message : String(error);
    throw new CniError(ErrDecodingFailure, `the network configuration is not JSON: ${reason}`, '', {
      cause: error,
    });
  }
  if (isObject(value)) return value;
  throw new CniError(
    ErrInvalidNetworkConfig,
    'invalid network configuration: the document must be a JSON object',
  );
}

/**
 * The version that a configuration is written for; without one (or with "" or null, as Go programs write it)
 * the oldest one's rules hold.
 *
 * @throws CniError with code 1 for a version that is not spoken here, 7 for one that is no string
 */
export function documentVersion(document: JsonObject): CniVersion {
  const version = document['cniVersion'] ?? '';
  if (version === '') return '0.1.0';
  if (typeof version !== 'string') {
    throw new CniError(
      ErrInvalidNetworkConfig,
      'invalid network configuration: cniVersion: must be a string such as "1.1.0"',
    );
  }
  if (isSupported(version)) return version;
  const isWellFormed = /^\d+\.\d+\.\d+$/.test(version);
  throw new CniError(
    ErrIncompatibleCNIVersion,
    `incompatible CNI version: cniVersion ${JSON.stringify(version)} is ${isWellFormed ? 'not supported' : 'no version'}`,
    `supported versions: ${SUPPORTED_VERSIONS.join(', ')}`,
  );
}
