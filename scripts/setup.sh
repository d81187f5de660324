# shellcheck shell=bash
# What `run` does before anything else: each step looks whether its work is done, says what it does, and, where
# it cannot do it, ends with one line: what is missing and the command that gets it. Sourced by `run`.

LOG=$LOCAL/setup.log
TORCH=2.13.0
CLUSTER_DEFAULTS=/etc/postgresql-common/createcluster.conf

# Progress goes to standard error: what a command prints (JSON, say) is its alone.
say() { printf '== %s\n' "$1" >&2; }

# give_up WHAT COMMAND: the one line.
give_up() {
    printf 'skywarden: %s; get it with: %s\n' "$1" "$2" >&2
    exit 1
}

# set_up demo|tools|test: everything that the commands of that kind need.
set_up() {
    make_local
    local packages=base
    [[ $1 == demo ]] || packages=dev
    require_system "$1"
    require_venv "$packages"
    require_frontend
    [[ $1 != test ]] || require_maps
    [[ $1 != test ]] || require_torch
}

make_local() {
    if ! mkdir -p "$LOCAL/stamps" 2>/dev/null || [[ ! -w $LOCAL/stamps ]]; then
        give_up "$LOCAL cannot be written by $(id -un)" "sudo chown -R $(id -un) '$LOCAL'"
    fi
}

# Stamps: a step is done when its stamp holds the hash of what it was made from.
stamped() { [[ -f $LOCAL/stamps/$1 && $(<"$LOCAL/stamps/$1") == "$2" ]]; }
stamp() { printf '%s\n' "$2" >"$LOCAL/stamps/$1"; }
hash_of() { { printf '%s\n' "$ROOT"; cat "$@"; } | sha256sum | cut -c1-32; }

# --- Debian and Ubuntu packages -------------------------------------------------------------------------------

SUDO=()
may_install() {
    command -v apt-get >/dev/null || return 1
    if [[ $EUID -eq 0 ]]; then return 0; fi
    SUDO=(sudo)
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }
}

apt_line() {
    local prefix=""
    [[ $EUID -eq 0 ]] || prefix="sudo "
    printf '%sapt-get update && %sapt-get install -y --no-install-recommends %s' "$prefix" "$prefix" "$*"
}

apt_get() {
    "${SUDO[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
        -o Dpkg::Options::=--force-confold "$@" >>"$LOG" 2>&1 </dev/null
}

# need WHAT PACKAGE...: installs the packages.
need() {
    local what=$1
    shift
    may_install || give_up "$what is missing" "$(apt_line "$*")"
    say "installing $what (apt: $*)"
    apt_get install --no-install-recommends "$@" && return
    { apt_get update && apt_get install --no-install-recommends "$@"; } ||
        give_up "$what is missing and could not be installed, see $LOG" "$(apt_line "$*")"
}

require_system() {
    find_python || { need "Python 3.11 or newer" python3 python3-venv && find_python; } ||
        give_up "Python 3.11 or newer is missing" "$(apt_line python3 python3-venv)"
    if [[ ! -x $VENV/bin/python ]] && ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        need "Python's venv module" python3-venv
    fi
    [[ -n ${SKYWARDEN_DATABASE_URL:-} ]] || has_postgis || install_postgis
    has_node || need "Node.js with npm" nodejs npm
    has_node || give_up "Node.js 18 or newer is missing" "a newer release from nodejs.org"
    has_chinese_font || need "a font for Chinese" fonts-noto-cjk
    has_pango || need "what lays out printed reports" libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
    [[ $1 != test ]] || has_libatomic || need "a library of the browser tests' driver" libatomic1
    [[ $1 != test ]] || find_chromium || install_chromium
    [[ $1 == demo ]] || has_mosquitto || need "an MQTT broker" mosquitto mosquitto-clients
    [[ $1 == demo ]] || command -v gdal_viewshed >/dev/null || need "GDAL's programs, whose answers ours are held against" gdal-bin
    [[ $1 != test ]] || has_nginx || need "nginx" nginx
    [[ $1 != test ]] || command -v curl >/dev/null || need "curl" curl
}

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            PYTHON=$(command -v "$candidate")
            return 0
        fi
    done
    return 1
}

has_postgis() { compgen -G "/usr/lib/postgresql/*/bin/initdb" && compgen -G "/usr/share/postgresql/*/extension/postgis.control"; } >/dev/null

# Debian's packages create and start a cluster of their own on port 5432 unless told not to beforehand.
install_postgis() {
    need "PostgreSQL's common files" postgresql-common
    if ! grep -qs '^ *create_main_cluster' "$CLUSTER_DEFAULTS"; then
        say "telling Debian not to create a cluster on port 5432 ($CLUSTER_DEFAULTS)"
        printf '\ncreate_main_cluster = false\n' | "${SUDO[@]}" tee -a "$CLUSTER_DEFAULTS" >/dev/null
    fi
    need "PostgreSQL with PostGIS" postgresql postgresql-postgis
    has_postgis || give_up "PostgreSQL with PostGIS is missing" "$(apt_line postgresql postgresql-postgis)"
}

has_node() {
    command -v npm >/dev/null && node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' 2>/dev/null
}

# The Node.js that Playwright brings along is linked to it.
has_libatomic() { compgen -G '/usr/lib*/*/libatomic.so.1' || compgen -G '/usr/lib*/libatomic.so.1'; } >/dev/null

# Debian puts the broker where no path of an ordinary user leads.
has_mosquitto() { [[ -x /usr/sbin/mosquitto || -n $(command -v mosquitto) ]] && command -v mosquitto_pub >/dev/null; }

has_nginx() { [[ -x /usr/sbin/nginx || -n $(command -v nginx) ]]; }

has_chinese_font() {
    compgen -G '/usr/share/fonts/*/*/NotoSansCJK*' >/dev/null ||
        { command -v fc-list >/dev/null && fc-list :lang=zh 2>/dev/null | grep -q .; }
}

# WeasyPrint sets text with Pango, and has HarfBuzz cut fonts down to the letters that a report uses.
has_pango() {
    local library
    for library in libpango-1.0.so.0 libpangoft2-1.0.so.0 libharfbuzz-subset.so.0; do
        compgen -G "/usr/lib*/*/$library" >/dev/null || compgen -G "/usr/lib*/$library" >/dev/null || return 1
    done
}

# --- The browser for tests ------------------------------------------------------------------------------------

find_chromium() {
    local candidate
    for candidate in "${SKYWARDEN_CHROMIUM:-}" chromium google-chrome google-chrome-stable /snap/bin/chromium; do
        if [[ -n $candidate ]] && "$candidate" --version >/dev/null 2>&1; then
            SKYWARDEN_CHROMIUM=$(command -v "$candidate")
            export SKYWARDEN_CHROMIUM
            return 0
        fi
    done
    return 1
}

# Debian has a package; Ubuntu has a snap only, which needs a running snapd.
install_chromium() {
    local missing="Chromium for the browser tests is missing"
    [[ -z ${SKYWARDEN_CHROMIUM:-} ]] || give_up "SKYWARDEN_CHROMIUM=$SKYWARDEN_CHROMIUM does not run" "unset SKYWARDEN_CHROMIUM"
    if grep -qs '^ID=ubuntu' /etc/os-release; then
        local ways="sudo snap install chromium (or set SKYWARDEN_CHROMIUM to a Chromium or Chrome of your own)"
        if ! may_install || ! command -v snap >/dev/null; then give_up "$missing" "$ways"; fi
        say "installing Chromium (snap)"
        "${SUDO[@]}" snap install chromium >>"$LOG" 2>&1 </dev/null || give_up "$missing" "$ways"
    else
        need "Chromium for the browser tests" chromium
    fi
    find_chromium || give_up "$missing" "$(apt_line chromium)"
}

# --- Python and npm, from the lock files ----------------------------------------------------------------------

pip_install() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@" >>"$LOG" 2>&1
}

# require_venv base|dev: dev holds all of base, so either serves where base is asked for.
require_venv() {
    local lock=$ROOT/requirements/$1.txt
    if "$VENV/bin/python" -c '' 2>/dev/null; then
        stamped python "$(hash_of "$ROOT/requirements/dev.txt")" && return
        stamped python "$(hash_of "$lock")" && return
    fi
    if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        say "making a virtual environment in .local/venv"
        "$PYTHON" -m venv --clear "$VENV" >>"$LOG" 2>&1 ||
            give_up "Python's venv module does not work" "$(apt_line python3-venv)"
    fi
    say "installing the locked Python packages (requirements/$1.txt)"
    # Wheels only: nothing is compiled and no package runs code while it is installed.
    pip_install --require-hashes --no-deps --only-binary :all: -r "$lock" ||
        give_up "the Python packages could not be fetched, see $LOG" "./run setup (with access to a package index)"
    stamp python "$(hash_of "$lock")"
}

require_frontend() {
    local key
    key=$(hash_of "$ROOT/package-lock.json")
    if [[ ! -d $ROOT/node_modules ]] || ! stamped npm "$key"; then
        say "installing the locked npm packages (package-lock.json)"
        (cd "$ROOT" && npm ci --ignore-scripts --loglevel=error >>"$LOG" 2>&1 </dev/null) ||
            give_up "the npm packages could not be fetched, see $LOG" "./run setup (with access to an npm registry)"
        stamp npm "$key"
    fi
    key=$(cd "$ROOT" && find web/frontend -type f -print0 | LC_ALL=C sort -z | xargs -0 cat | hash_of package-lock.json -)
    if [[ ! -d $ROOT/web/static/dist ]] || ! stamped frontend "$key"; then
        say "bundling the browser side (web/frontend)"
        (cd "$ROOT" && node web/frontend/build.mjs >>"$LOG" 2>&1) ||
            give_up "the browser side could not be bundled, see $LOG" "node web/frontend/build.mjs"
        stamp frontend "$key"
    fi
}

# Maps as one file, and notebooks: 300 MB that nothing else needs, so a demo goes without.
require_maps() {
    local lock=$ROOT/requirements/leafmap.txt key
    key=$(hash_of "$lock" "$ROOT/requirements/dev.txt")
    stamped maps "$key" && return
    say "installing leafmap for maps as one file (requirements/leafmap.txt)"
    pip_install --require-hashes --no-deps --only-binary :all: -r "$lock" ||
        give_up "leafmap could not be fetched, see $LOG" "./run setup (with access to a package index)"
    stamp maps "$key"
}

# The segment-anything tests need torch. What an index offers by that name may be a CPU build of 200 MB or one
# for a GPU with gigabytes beside it, so its plan is looked at first; without it those tests do not run.
require_torch() {
    local lock=$ROOT/requirements/sam.txt key plan verdict
    key=$(hash_of "$lock" "$ROOT/requirements/dev.txt" - <<<"$TORCH ${SKYWARDEN_TORCH:-}")
    if ! stamped torch "$key"; then
        plan=$LOCAL/torch-plan.json
        say "asking what torch $TORCH would bring (pip install --dry-run)"
        if ! pip_install --dry-run --report "$plan" "torch==$TORCH"; then
            verdict="the package sources offer no torch $TORCH for this Python"
        elif ! verdict=$("$VENV/bin/python" "$ROOT/scripts/torch_plan.py" "$plan") && [[ ${SKYWARDEN_TORCH:-} != any ]]; then
            verdict+="; SKYWARDEN_TORCH=any takes it all the same"
        else
            say "installing torch $TORCH and segment-anything"
            if pip_install --require-hashes --no-deps --only-binary :all: -r "$lock" &&
                pip_install --only-binary :all: "torch==$TORCH"; then
                verdict=""
            else
                verdict="torch could not be installed, see $LOG"
            fi
        fi
        printf '%s' "$verdict" >"$LOCAL/torch-verdict"
        stamp torch "$key"
    fi
    verdict=$(<"$LOCAL/torch-verdict")
    [[ -z $verdict ]] || say "the segment-anything tests will be reported as not run: $verdict"
}

# --- Locking --------------------------------------------------------------------------------------------------

lock_dependencies() {
    local uv=$LOCAL/uv options=(--universal --python-version 3.11 --fork-strategy fewest --generate-hashes)
    options+=(--no-emit-index-url --no-header --quiet --upgrade)
    [[ -x $uv/bin/uv ]] || { "$PYTHON" -m venv "$uv" && "$uv/bin/python" -m pip install --quiet uv; }
    say "locking Python"
    (
        cd "$ROOT/requirements" || exit
        "$uv/bin/uv" pip compile "${options[@]}" base.in -o base.txt
        "$uv/bin/uv" pip compile "${options[@]}" dask.in -c base.txt -o dask.txt
        "$uv/bin/uv" pip compile "${options[@]}" dev.in -c base.txt -o dev.txt
        "$uv/bin/uv" pip compile "${options[@]}" leafmap.in -c dev.txt -o leafmap.txt
        "$uv/bin/uv" pip compile "${options[@]}" sam.in -c dev.txt -o sam.txt
    )
    say "locking npm"
    (cd "$ROOT" && npm update --package-lock-only --ignore-scripts --loglevel=error)
}
