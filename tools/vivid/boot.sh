#!/usr/bin/env bash
# Two V4L2 cameras without any hardware: Debian's kernel in qemu, with its vivid driver. The guest
# sees this computer's files, read only, so it runs the very same Python, venv and code.
#
#   tools/vivid/boot.sh                       the trial of our camera source, trial.py
#   tools/vivid/boot.sh COMMAND...            anything else, such as .venv/bin/stereo doctor --cameras
#
# Debian bookworm or later, as root, for apt-get: qemu-system-x86 kmod cpio. Kernel and busybox are
# downloaded, not installed, into VIVID_DIR (build/vivid, 430 MB).
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=$(realpath -m "${VIVID_DIR:-build/vivid}")
here=$PWD/tools/vivid
command=("${@:-.venv/bin/python tools/vivid/trial.py}")
mkdir -p "$dir"

for tool in qemu-system-x86_64 depmod cpio; do
    command -v "$tool" >/dev/null || { echo "missing: $tool (apt-get install --no-install-recommends qemu-system-x86 kmod cpio)"; exit 2; }
done

if ! [ -e "$dir/done" ]; then
    kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
    (cd "$dir" && apt-get download -qq "$kernel" busybox-static)
    for package in "$dir"/*.deb; do dpkg -x "$package" "$dir/files"; done
    rm "$dir"/*.deb
    touch "$dir/done"
fi
version=$(ls "$dir/files/lib/modules")
[ -e "$dir/files/lib/modules/$version/modules.dep.bin" ] || depmod -b "$dir/files" "$version"

# only what finds the root file system; all other modules are loaded from there
small=$dir/initramfs
rm -rf "$small"
mkdir -p "$small"/{bin,lib/modules,proc,sys,dev,root}
cp "$dir/files/bin/busybox" "$small/bin/"
cp "$here/init" "$small/init"
for module in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe -d "$dir/files" -S "$version" --show-depends "$module"
done | sed -n 's/^insmod //p' | awk '!seen[$0]++' | while read -r file; do
    cp "$file" "$small/lib/modules/"
    basename "$file" >> "$small/lib/modules/order"
done
(cd "$small" && find . | cpio -o -H newc --quiet | gzip -1) > "$dir/initramfs.gz"

printf 'MODULES=%q\nPLACE=%q\nCOMMAND=%q\n' "$dir/files" "$PWD" "${command[*]}" > "$dir/order"
exec qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 4096 \
    -kernel "$dir"/files/boot/vmlinuz-* -initrd "$dir/initramfs.gz" \
    -append "console=ttyS0 quiet panic=-1 order=$dir/order" \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -nic none -display none -serial stdio -no-reboot
