/**
 * The file of a sysctl key, relative to /proc/sys; undefined for a key that names none. As sysctl(8) does it: if the
 * first separator in the key is a dot, dots and slashes change places (`net.ipv4.conf.eth0/100.forwarding`), if it is a
 * slash the key is a path already (`net/ipv4/conf/eth0.100/forwarding`). A plainly dotted key in which an interface
 * name with dots stands (`net.ipv4.conf.eth0.100.forwarding`) works too: in `net.<family>.{conf,neigh}` all between is
 * the name.
 */
export function sysctlFile(key: string): string | undefined {
  const slash = key.indexOf('/');
  const dot = key.indexOf('.');
  const isPath = slash >= 0 && (dot < 0 || slash < dot);
  const parts = isPath ? key.split('/') : key.split('.').map((part) => part.replaceAll('/', '.'));
  if (slash < 0 && parts.length > 5 && isOfInterface(parts)) {
    parts.splice(3, parts.length - 4, parts.slice(3, -1).join('.'));
  }
  if (key.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..'))
    return undefined;
  return parts.join('/');
}

function isOfInterface([net, family, kind]: readonly string[]): boolean {
  return net === 'net' && (family === 'ipv4' || family === 'ipv6') && (kind === 'conf' || kind === 'neigh');
}
