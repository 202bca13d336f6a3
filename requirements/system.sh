# To be read by the other scripts: system packages, installed where that is allowed.

say() { printf '%s\n' "$*" >&2; }

# Installs packages of Debian, named after what to say where that is not allowed: then it fails. Where apt fails, all ends.
# Other systems are left alone.
system_packages() {
    local otherwise=$1
    shift
    [ "$(uname -s)" = Linux ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "$otherwise 'apt-get install $*'."
        return 1
    fi
    say "installing system packages: $*"
    apt-get update -qq >&2 || exit 1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 || exit 1
}
