/** The configuration that is installed where there is none: conf/10-plumb.conflist, but for its `$schema`. */
export const DEFAULT_LIST = `{
  "cniVersion": "1.0.0",
  "cniVersions": ["1.0.0", "1.1.0"],
  "name": "pods",
  "plugins": [
    {
      "type": "plumb",
      "ipMasq": true,
      "capabilities": { "portMappings": true, "bandwidth": true, "ips": true },
      "ipam": {
        "type": "host-local",
        "ranges": [[{ "subnet": "10.85.0.0/16" }], [{ "subnet": "fd85::/64" }]],
        "routes": [{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }]
      }
    }
  ]
}
`;

/** Its name. */
export const DEFAULT_LIST_NAME = '10-plumb.conflist';
