# Sourced by the tools of this folder. debian_mirror: the URL of a mirror of Debian: POLLUX_DEBIAN_MIRROR, else the one that this
# machine uses, if it is a Debian machine; else nothing.
debian_mirror() {
  if [ -n "${POLLUX_DEBIAN_MIRROR-}" ]; then
    printf '%s\n' "$POLLUX_DEBIAN_MIRROR"
    return 0
  fi
  grep -qs '^ID=debian$' /etc/os-release || return 0
  cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list \
    2>/dev/null | awk '
    /^URIs:/ { print $2; exit }
    /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }'
}
