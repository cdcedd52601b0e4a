# shellcheck shell=bash
# What the scripts share: messages, and the installation of Debian packages from scripts/packages.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# shellcheck disable=SC2034 # used by the scripts
if [[ -t 1 ]]; then
  bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' red='' plain=''
fi

step() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }

die() {
  printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
  exit 1
}

# run_quietly LOG COMMAND...: shows the command's output only if it fails.
run_quietly() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 && return 0
  cat "$log" >&2
  return 1
}

# Prints the packages of the named sections.
packages_of() {
  local section='' line want
  while read -r line; do
    line=${line%%#*}
    line=${line//[[:space:]]/}
    case $line in
      '') ;;
      \[*\]) section=${line:1:-1} ;;
      *) for want; do [[ $section == "$want" ]] && printf '%s\n' "$line"; done ;;
    esac
  done <"$root/scripts/packages"
  return 0
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "packages are missing and this is neither root nor is there sudo; as root, run: apt-get install $missing_list"
  fi
}

# Packages such as redis-server start their daemon when they are installed. policy-rc.d is Debian's way to say no.
deny_services() {
  [[ -e /usr/sbin/policy-rc.d ]] && return 1
  printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
  as_root chmod 755 /usr/sbin/policy-rc.d
}

# Nor are they to start at the next boot: disables the units of packages that were not here before.
disable_services() {
  local unit
  command -v systemctl >/dev/null || return 0
  for unit in $(dpkg -L "$@" 2>/dev/null | sed -n 's|^\(/usr\)\{0,1\}/lib/systemd/system/\([^@/]*\.service\)$|\2|p'); do
    as_root systemctl --quiet disable "$unit" >/dev/null 2>&1 || true
  done
}

apt_install() {
  # shellcheck disable=SC2024 # apt's output is for us, whoever runs it
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
      apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

# install_missing SECTION...: installs what is missing of these sections of scripts/packages.
install_missing() {
  local package missing=()
  command -v dpkg-query >/dev/null || die "this is not Debian: install what scripts/packages lists by hand"
  for package in $(packages_of "$@"); do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  missing_list="${missing[*]}"
  step "Installing $missing_list"
  (
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    deny_services && trap 'rm -f "$log"; as_root rm -f /usr/sbin/policy-rc.d' EXIT
    run_quietly "$log" apt_install "${missing[@]}"
  ) || return 1
  disable_services "${missing[@]}"
}

# configure_in FOLDER [MESON OPTION]...: sets up a build folder, or updates one that is there.
configure_in() {
  local folder=$1 log status=0
  shift
  log=$(mktemp)
  if [[ -f $folder/meson-private/coredata.dat ]]; then
    run_quietly "$log" meson configure "$folder" "$@" || status=1
  else
    run_quietly "$log" meson setup "$folder" "$root" "$@" || status=1
  fi
  rm -f "$log"
  return $status
}

# build_in FOLDER [MESON OPTION]...: configure_in, and compiles it.
build_in() {
  local log status=0
  configure_in "$@" || return 1
  log=$(mktemp)
  run_quietly "$log" meson compile -C "$1" || status=1
  rm -f "$log"
  return $status
}
