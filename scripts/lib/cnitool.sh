# Sourced by scripts/test: cnitool, the CNI project's own client, out of Debian's source package.

# build_cnitool CLIENTS: builds .cache/cnitool once with CLIENTS/build-cnitool.sh. The source is fetched with an apt
# configuration of its own: the machine's needs no deb-src.
build_cnitool() {
  local apt=$PWD/.cache/apt-source mirror
  [ ! -x .cache/cnitool ] || return 0
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -n 1)
  mkdir -p "$apt/lists/partial"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $(. /etc/os-release && echo "$VERSION_CODENAME") main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<C
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists";
APT::Sandbox::User "root";
C
  APT_CONFIG=$apt/apt.conf apt-get -qq update && APT_CONFIG=$apt/apt.conf "$1/build-cnitool.sh" .cache/cnitool || {
    rm -rf "$apt"
    return 1
  }
  rm -rf "$apt"
}
