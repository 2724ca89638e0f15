#!/usr/bin/env bash
# Proof that README's two commands need nothing else: a minimal Debian in build/fresh, a clone of
# what is committed, `make demo` twice and `make test`, with the output shown.
#
#   make fresh RELEASE=bookworm             as root, who may install system packages
#   make fresh RELEASE=trixie VISITOR=guest as a user who may not; without `make test`: TEST=
#
# Needs root, debootstrap and the network. Ubuntu: where debootstrap knows its release and mirror.
set -euo pipefail
cd "$(dirname "$0")/.."
release=${RELEASE:-trixie} visitor=${VISITOR:-root} test=${TEST-make test}
base=build/fresh/base-$release root=build/fresh/$release home=/srv/stereo-depth

if [ ! -e "$base/done" ]; then
  rm -rf "$base" && mkdir -p build/fresh
  debootstrap --variant=minbase --include=ca-certificates,git,make,python3,python3-venv \
    "$release" "$base"
  touch "$base/done"
fi
rm -rf "$root"
cp -a "$base" "$root"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"  # this machine's way into the network,
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"  # and whom it trusts there
git clone -q --no-hardlinks . "$root$home"
if [ "$visitor" != root ]; then
  chroot "$root" useradd --create-home "$visitor"
  chroot "$root" chown -R "$visitor" "$home"
fi

# Mounts and processes of their own: both are gone with the last command, whatever happens.
export root home visitor test
# shellcheck disable=SC2016  # these are the inner shell's variables
unshare --mount --pid --fork --kill-child bash -euc '
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  exec chroot --userspec="$visitor" "$root" /usr/bin/env -i TERM=dumb LANG=C.UTF-8 \
    HOME="/tmp/home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    bash -ec "cd $home; grep PRETTY /etc/os-release; python3 --version
      for command in \"make demo\" \"make demo\" \"$test\"; do
        echo; echo \"\\\$ \$command\"; time \$command
      done"'
