// <linux/pkt_cls.h> <linux/tc_act/tc_mirred.h> <linux/if_ether.h>
export const TCA_U32_CLASSID = 1;
export const TCA_U32_SEL = 5;
export const TCA_U32_ACT = 7;
export const TC_U32_TERMINAL = 1;
export const TCA_ACT_KIND = 1;
export const TCA_ACT_OPTIONS = 2;
export const TC_ACT_STOLEN = 4;
export const TCA_MIRRED_PARMS = 2;
export const TCA_EGRESS_REDIR = 1;
/** A filter's protocol: packets of any. */
export const ETH_P_ALL = 0x3;
/** A filter's protocol: IPv4. */
export const ETH_P_IP = 0x800;
/** A filter's protocol: IPv6. */
export const ETH_P_IPV6 = 0x86dd;
