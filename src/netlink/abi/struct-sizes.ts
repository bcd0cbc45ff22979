/** Sizes in bytes of the kernel structs that this library writes, checked against the headers by `scripts/check-abi.ts`. */
export const STRUCT_SIZES = {
  nlmsghdr: 16,
  nlmsgerr: 20,
  nlattr: 4,
  ifinfomsg: 16,
  ifaddrmsg: 8,
  rtmsg: 12,
  ndmsg: 12,
  nfgenmsg: 4,
} as const;
