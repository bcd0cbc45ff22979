import { parseIp, parsePrefix } from '../ip/address.ts';
import { CniError, ErrInvalidEnvironmentVariables } from './error.ts';
import { MAC_RULE, parseUnicastMac } from './mac.ts';

/** What CNI_ARGS asked for; a key with an empty value counts as absent. */
export interface CniArgs {
  /** Requested address, with or without prefix length; several are separated by commas. */
  readonly ip?: string;
  /** Requested hardware address, lower case with colons. */
  readonly mac?: string;
  /** Gateway address; several are separated by commas. */
  readonly gateway?: string;
}

/**
 * Parses CNI_ARGS (`K=V;K=V`): IP, MAC, GATEWAY and IgnoreUnknown, wherever that stands.
 *
 * @throws CniError with code 4 for a pair without exactly one `=`, a value that does not parse, and for
 *   unknown keys unless IgnoreUnknown is true
 */
export function parseCniArgs(text: string): CniArgs {
  if (text === '') return {};
  const values = new Map<string, string>();
  for (const pair of text.split(';')) {
    const [key, value, ...rest] = pair.split('=');
    if (key === undefined || key === '' || value === undefined || rest.length > 0) {
      throw invalid(`${JSON.stringify(pair)} is not a pair KEY=VALUE`);
    }
    values.set(key, value);
  }
  const ignoreUnknown = parseBool('IgnoreUnknown', values.get('IgnoreUnknown'));
  const unknown = [...values.keys()].filter(
    (key) => !['IP', 'MAC', 'GATEWAY', 'IgnoreUnknown'].includes(key),
  );
  if (unknown.length > 0 && !ignoreUnknown) {
    throw invalid(
      `unknown key ${unknown.join(', ')}: allowed are IP, MAC, GATEWAY, and others with IgnoreUnknown=1`,
    );
  }
  const isAddress = (part: string): boolean => parseIp(part) !== undefined;
  const ip = parseList('IP', values, (part) => isAddress(part) || parsePrefix(part) !== undefined);
  const gateway = parseList('GATEWAY', values, isAddress);
  const mac = parseMac(values.get('MAC'));
  return {
    ...(ip === undefined ? {} : { ip }),
    ...(mac === undefined ? {} : { mac }),
    ...(gateway === undefined ? {} : { gateway }),
  };
}

function invalid(problem: string): CniError {
  return new CniError(ErrInvalidEnvironmentVariables, `invalid environment: CNI_ARGS: ${problem}`);
}

/** As Go's strconv.ParseBool, but without regard to case, as CNI's own UnmarshallableBool is. */
function parseBool(key: string, value: string | undefined): boolean {
  if (value === undefined || /^(?:0|f|false)$/i.test(value)) return false;
  if (/^(?:1|t|true)$/i.test(value)) return true;
  throw invalid(`${key} is ${JSON.stringify(value)}: allowed are 1, true, 0, false`);
}

function parseList(
  key: string,
  values: ReadonlyMap<string, string>,
  isValid: (part: string) => boolean,
): string | undefined {
  const value = values.get(key);
  if (value === undefined || value === '') return undefined;
  if (value.split(',').every(isValid)) return value;
  throw invalid(`${key} is ${JSON.stringify(value)}: allowed is an IP address`);
}

function parseMac(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  const mac = parseUnicastMac(value);
  if (mac === undefined) throw invalid(`MAC is ${JSON.stringify(value)}: allowed is ${MAC_RULE}`);
  return mac;
}
