#!/usr/bin/env bash
# Proves both commands of the README on a minimal Debian (bookworm) or Ubuntu (noble): debootstrap, a clean clone of
# what is committed here, `./run demo --once` and `./run test`, and the time of each. As root; called by
# `./run fresh [SUITE]`.
#
# The root sees nothing of this machine's Python, node_modules or databases. It is lent what a network behind a
# proxy or a mirror needs: name servers, apt's sources, pip's and npm's settings, this machine's own certificates.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
WORK=$ROOT/.local/fresh
SUITE=${1:-bookworm}
BASE=$WORK/$SUITE.tar
TARGET=$WORK/root
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
PIP_SETTINGS=(/etc/pip.conf "${HOME:-/root}/.config/pip/pip.conf" "${HOME:-/root}/.pip/pip.conf")

main() {
    [[ $EUID -eq 0 ]] || stop_with "chroot needs root; get it with: sudo ./run fresh"
    command -v debootstrap >/dev/null || stop_with "debootstrap is missing; get it with: apt-get install debootstrap"
    # In namespaces of its own: every mount and every process is gone when this ends, however it ends.
    [[ ${SKYWARDEN_FRESH:-} == inside ]] ||
        SKYWARDEN_FRESH=inside exec unshare --mount --pid --fork --kill-child "$0" "$@"
    mkdir -p "$WORK"
    make_base
    unpack
    lend_settings
    mount_system
    git clone --quiet "file://$ROOT" "$TARGET/root/skywarden"
    local demo_s test_s
    begin=$SECONDS; inside demo --once; demo_s=$((SECONDS - begin))
    begin=$SECONDS; inside test; test_s=$((SECONDS - begin))
    printf '\n%s from nothing: ./run demo --once took %s, then ./run test took %s\n' \
        "$SUITE" "$(minutes "$demo_s")" "$(minutes "$test_s")"
}

stop_with() {
    printf 'skywarden: %s\n' "$1" >&2
    exit 1
}

minutes() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }

host_is_suite() { grep -qsx "VERSION_CODENAME=$SUITE" /etc/os-release; }

is_ubuntu() { [[ $SUITE == noble ]]; }

mirror() {
    local uri=""
    ! is_ubuntu || { printf 'http://archive.ubuntu.com/ubuntu' && return; }
    ! host_is_suite || uri=$(grep -ohE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
    printf '%s' "${uri:-http://deb.debian.org/debian}"
}

make_base() {
    [[ -s $BASE ]] && return
    printf '== debootstrap %s\n' "$SUITE"
    rm -rf --one-file-system "$WORK/base"
    local options=(--variant=minbase) recipe=()
    # PostGIS and Node.js lie in universe. All of Ubuntu's suites share one recipe, and an older debootstrap than the
    # suite knows it by the first one's name only.
    ! is_ubuntu || { options+=(--components=main,universe) && recipe=(/usr/share/debootstrap/scripts/gutsy); }
    debootstrap "${options[@]}" "$SUITE" "$WORK/base" "$(mirror)" "${recipe[@]}" >"$WORK/debootstrap.log" 2>&1 ||
        stop_with "debootstrap failed, see $WORK/debootstrap.log; try again with: ./run fresh $SUITE"
    tar -C "$WORK/base" -cf "$BASE.part" .
    mv "$BASE.part" "$BASE"
    rm -rf --one-file-system "$WORK/base"
}

unpack() {
    rm -rf --one-file-system "$TARGET"
    mkdir "$TARGET"
    tar -C "$TARGET" -xf "$BASE"
    # Nothing starts by itself when a package is installed here.
    printf '#!/bin/sh\nexit 101\n' >"$TARGET/usr/sbin/policy-rc.d"
    chmod 755 "$TARGET/usr/sbin/policy-rc.d"
}

# lend PATH: the same file at the same place.
lend() {
    [[ -e $1 ]] || return 0
    mkdir -p "$TARGET$(dirname "$1")"
    cp -rL "$1" "$TARGET$(dirname "$1")/"
}

lend_settings() {
    lend /etc/resolv.conf
    lend /etc/hosts
    lend "$CERTIFICATES"
    lend /usr/local/share/ca-certificates
    if host_is_suite; then
        lend /etc/apt/sources.list
        lend /etc/apt/sources.list.d/debian.sources
        [[ ! -e $TARGET/etc/apt/sources.list.d/debian.sources || -e /etc/apt/sources.list ]] || rm -f "$TARGET/etc/apt/sources.list"
    fi
    local file
    for file in $(grep -lsE '^ *Acquire::' /etc/apt/apt.conf.d/* /etc/apt/apt.conf) "${PIP_SETTINGS[@]}"; do
        lend "$file"
    done
    lend_package_folders
}

# Folders of packages on this machine's disk, named by pip's settings; of an index ".../simple" also its files.
lend_package_folders() {
    local folder
    for folder in $(cat "${PIP_SETTINGS[@]}" 2>/dev/null | grep -oE '(file://)?/[^ =]+' | sed 's#^file://##') ${PIP_FIND_LINKS:-}; do
        folder=${folder%/simple}
        [[ -d $folder ]] || continue
        mkdir -p "$TARGET$folder"
        mount --bind -o ro "$folder" "$TARGET$folder"
    done
}

mount_system() {
    mount -t proc proc "$TARGET/proc"
    mount --bind /dev "$TARGET/dev"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$TARGET/dev/pts"
    mount -t tmpfs tmpfs "$TARGET/dev/shm"
}

# inside COMMAND...: a command of the clone's run script, with an environment made from nothing.
inside() {
    local settings=() line
    while IFS= read -r line; do settings+=("$line"); done < <(
        env | grep -E '^(PIP_[A-Z_]+|npm_config_[a-z_]+|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)=' || true
    )
    if [[ -e $CERTIFICATES ]]; then
        settings+=("SSL_CERT_FILE=$CERTIFICATES" "NODE_EXTRA_CA_CERTS=$CERTIFICATES")
    fi
    chroot "$TARGET" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${settings[@]}" \
        /root/skywarden/run "$@"
}

main "$@"
