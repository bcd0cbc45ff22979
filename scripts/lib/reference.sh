# Sourced by the scripts: the reference plugins that plumb is compared with.

# reference_plugins: prints the folder of the newest reference plugins to be had. Debian unstable's package is
# unpacked into .cache with an apt configuration of its own, so that the machine's never hears of unstable; where
# that fails, Debian stable's (package containernetworking-plugins) have to do.
reference_plugins() {
  local cache=$PWD/.cache/reference
  if [ ! -x "$cache/usr/lib/cni/ptp" ]; then
    fetch_reference "$cache" >&2 || { echo "reference plugins: Debian unstable is not to be had, using the installed ones" >&2; }
  fi
  if [ -x "$cache/usr/lib/cni/ptp" ]; then echo "$cache/usr/lib/cni"; else echo /usr/lib/cni; fi
}

fetch_reference() {
  local cache=$1 apt=$1/apt mirror options
  # The mirror is the one that the machine uses already.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -n 1)
  [ -n "$mirror" ] || return 1
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror unstable main" >"$apt/sources.list"
  options=(-qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$apt/lists"
    -o "Dir::Cache=$apt" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update || return 1
  (cd "$apt" && apt-get "${options[@]}" download containernetworking-plugins) || return 1
  dpkg -x "$apt"/containernetworking-plugins_*.deb "$cache" || return 1
  dpkg-deb -f "$apt"/containernetworking-plugins_*.deb Version >"$cache/version"
  rm -rf "$apt"
}
