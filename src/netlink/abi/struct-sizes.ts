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
  tcmsg: 20,
  tc_ratespec: 12,
  tc_tbf_qopt: 36,
  tc_htb_glob: 20,
  tc_htb_opt: 44,
  tc_u32_sel: 16,
  tc_u32_key: 16,
  tc_mirred: 28,
} as const;
