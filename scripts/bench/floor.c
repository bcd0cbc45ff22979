/* The least that an ADD can cost: what the kernel is asked for by a plain ADD of plumb, and nothing else, by a program
 * of which next to nothing has to be loaded. usage: floor NETNS HOSTNAME ADDRESS-BYTE-3 ADDRESS-BYTE-4
 * And the least of a DEL: floor HOSTNAME */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[4096];
static struct nlmsghdr *message;
static int used;

static void die(const char *what) { perror(what); exit(1); }
static void begin(int type, int flags, const void *header, int size) {
  message = (struct nlmsghdr *)(buffer + used);
  memset(message, 0, NLMSG_SPACE(size));
  message->nlmsg_len = NLMSG_LENGTH(size);
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
  memcpy(NLMSG_DATA(message), header, size);
}
static struct rtattr *put(int type, const void *data, int size) {
  struct rtattr *a = (struct rtattr *)((char *)message + NLMSG_ALIGN(message->nlmsg_len));
  a->rta_type = type;
  a->rta_len = RTA_LENGTH(size);
  if (size > 0) memcpy(RTA_DATA(a), data, size);
  message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + RTA_SPACE(size);
  return a;
}
static void end(struct rtattr *a) { a->rta_len = (char *)message + message->nlmsg_len - (char *)a; }
static void done(void) { used += NLMSG_ALIGN(message->nlmsg_len); }
static void talk(int fd, int answers) {
  char in[16384];
  if (send(fd, buffer, used, 0) != used) die("send");
  used = 0;
  while (answers > 0) {
    int n = recv(fd, in, sizeof in, 0);
    if (n < 0) die("recv");
    for (struct nlmsghdr *h = (struct nlmsghdr *)in; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n))
      if (h->nlmsg_type == NLMSG_ERROR) {
        int e = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
        if (e != 0) { fprintf(stderr, "netlink: %s\n", strerror(-e)); exit(1); }
        answers--;
      }
  }
}
static int netlink(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) die("socket");
  return fd;
}
static void address(int index, in_addr_t ip, int length) {
  struct ifaddrmsg m = { .ifa_family = AF_INET, .ifa_prefixlen = length, .ifa_index = index };
  unsigned flags = IFA_F_NOPREFIXROUTE;
  begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
  put(IFA_LOCAL, &ip, 4), put(IFA_ADDRESS, &ip, 4), put(IFA_FLAGS, &flags, 4), done();
}
static void route(int index, in_addr_t to, int length, in_addr_t via, int scope) {
  struct rtmsg m = { .rtm_family = AF_INET, .rtm_dst_len = length, .rtm_table = RT_TABLE_MAIN,
                     .rtm_protocol = RTPROT_BOOT, .rtm_scope = scope, .rtm_type = RTN_UNICAST };
  begin(RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof m);
  if (length > 0) put(RTA_DST, &to, 4);
  if (via != 0) put(RTA_GATEWAY, &via, 4);
  put(RTA_OIF, &index, 4), done();
}
static void up(int index) {
  struct ifinfomsg m = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
  begin(RTM_NEWLINK, 0, &m, sizeof m), done();
}
static void file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd) < 0) die(path);
}
static int del(const char *name) {
  char path[128];
  struct ifinfomsg link = { .ifi_index = if_nametoindex(name) };
  begin(RTM_DELLINK, 0, &link, sizeof link), done();
  talk(netlink(), 1);
  snprintf(path, sizeof path, "/run/floor-%s", name);
  if (unlink(path) < 0) die(path);
  return 0;
}
int main(int argc, char **argv) {
  if (argc == 2) return del(argv[1]);
  if (argc != 5) return 2;
  char path[128], ip[32];
  snprintf(ip, sizeof ip, "10.64.%s.%s", argv[3], argv[4]);
  in_addr_t pod = inet_addr(ip), gateway = inet_addr("10.64.0.1");
  snprintf(path, sizeof path, "/run/floor-%s", argv[2]);
  file(path, ip);
  int ns = open(argv[1], O_RDONLY | O_CLOEXEC), own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (ns < 0 || own < 0) die(argv[1]);
  int host = netlink();
  if (setns(ns, CLONE_NEWNET) < 0) die("setns");
  int inside = netlink();
  if (setns(own, CLONE_NEWNET) < 0) die("setns");
  struct ifinfomsg link = { 0 };
  begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
  put(IFLA_IFNAME, argv[2], strlen(argv[2]) + 1);
  struct rtattr *info = put(IFLA_LINKINFO, 0, 0);
  put(IFLA_INFO_KIND, "veth", 5);
  struct rtattr *data = put(IFLA_INFO_DATA, 0, 0), *peer = put(VETH_INFO_PEER, &link, sizeof link);
  put(IFLA_IFNAME, "eth0", 5), put(IFLA_NET_NS_FD, &ns, 4);
  end(peer), end(data), end(info), done();
  talk(host, 1);
  int index = if_nametoindex(argv[2]);
  if (setns(ns, CLONE_NEWNET) < 0) die("setns");
  int other = if_nametoindex("eth0");
  if (setns(own, CLONE_NEWNET) < 0) die("setns");
  up(other), address(other, pod, 10);
  route(other, gateway, 32, 0, RT_SCOPE_LINK), route(other, 0, 0, gateway, RT_SCOPE_UNIVERSE);
  talk(inside, 4);
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", argv[2]);
  file(path, "1");
  up(index), address(index, gateway, 32), route(index, pod, 32, 0, RT_SCOPE_LINK);
  talk(host, 3);
  puts(ip);
  return 0;
}
