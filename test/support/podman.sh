#!/bin/bash
# podman with an address and a MAC that are asked for, and `podman network reload`, which is DEL and ADD in one namespace, after
# the ruleset was flushed. CLIENTS is the folder of the recipes for real clients, whose lib.sh makes the machine.
source "$CLIENTS/lib.sh"
need ip jq nft busybox podman conmon "$OCI_RUNTIME"
private_machine "$@"
IMAGE=localhost/plumbtest:1
cat >$WORK/containers.conf <<C
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "$OCI_RUNTIME"
[network]
network_backend = "cni"
cni_plugin_dirs = ["$CNI_BIN_DIR"]
network_config_dir = "$CNI_CONF_DIR"
C
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "/run/containers"\n' "$WORK" >$WORK/storage.conf
export CONTAINERS_CONF=$WORK/containers.conf CONTAINERS_STORAGE_CONF=$WORK/storage.conf
p() { podman "$@" 2>>$WORK/podman.log; }
"$CLIENTS/mkimage.sh" $WORK/image.tar $IMAGE >/dev/null
p load -q -i $WORK/image.tar >/dev/null
remember

ADDRESS=10.77.0.99 MAC=02:00:0a:4d:00:63
WEB='mkdir -p /www; echo hello >/www/id; exec httpd -f -p 8080 -h /www'
p run -d --name c1 --network "$NET" --ip $ADDRESS --mac-address $MAC -p 18080:8080 \
  --entrypoint '["/bin/sh","-c"]' $IMAGE "$WEB" >/dev/null || die run
p run -d --name c2 --network "$NET" -p 18081:8080 --entrypoint '["/bin/sh","-c"]' $IMAGE "$WEB" >/dev/null || die 'run c2'
address() { p inspect "$1" | jq -r --arg n "$NET" '.[0].NetworkSettings.Networks[$n].IPAddress'; }
links() { ip -o link | grep -c plumb; }
OTHER=$(address c2)
works() {
  [ "$(address c1)" = $ADDRESS ] || die "$1: the address is $(address c1)"
  p exec c1 ip -o -4 address show dev eth0 | grep -q " $ADDRESS/" || die "$1: eth0 has another address"
  p exec c1 ip -o link show dev eth0 | grep -q "$MAC" || die "$1: eth0 has another MAC"
  [ "$(address c2)" = "$OTHER" ] || die "$1: c2 had $OTHER and has $(address c2)"
  for port in 18080 18081; do
    [ "$(retry 5 get_outside "$HOST_IP:$port")" = hello ] || die "$1: port $port is not reached from outside"
  done
  p exec c1 ping -q -c1 -W5 $OUTSIDE_IP >/dev/null || die "$1: the outside is not reached"
  [ "$(links)" = 2 ] || die "$1: $(links) links"
  ok "$1"
}
works 'address and MAC as they were asked for'
p network reload c1 >/dev/null || die reload
works 'the same after network reload of one'
nft flush ruleset
[ -z "$(get_outside "$HOST_IP:18080" 2>/dev/null)" ] || die 'the ports outlive their rules'
p network reload --all >/dev/null || die 'reload --all'
works 'the same after the ruleset was flushed, and network reload of all'
if p run --rm --network "$NET" --ip $ADDRESS --entrypoint '["/bin/true"]' $IMAGE >/dev/null; then die 'an address was given twice'; fi
works 'nobody else gets the address'

p rm -f -t 0 c1 c2 >/dev/null || die rm
assert_nothing_left
echo PASS podman reload
