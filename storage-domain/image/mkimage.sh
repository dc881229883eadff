#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mkimage.sh - a storage domain as a Xen guest: a kernel and an initramfs whose only service is farcall-storaged. The domain's system lives
# in memory; its disk holds nothing but what it serves.
set -eu -o pipefail

usage()
{
	cat <<-EOF
	Usage: mkimage.sh --daemon FILE --kernel FILE --modules DIR --output DIR [--module NAME ...]
	Makes DIR/vmlinuz, DIR/initramfs.gz and DIR/storage-domain.cfg, an xl configuration to start from.

	  --daemon FILE   farcall-storaged, built with Xen
	  --kernel FILE   a Linux kernel that can be a Xen guest
	  --modules DIR   its modules: .../lib/modules/VERSION
	  --module NAME   one more of them (a driver, a file system)
	EOF
}

here=$(cd "$(dirname "$0")" && pwd)
daemon='' kernel='' modules='' output='' extra=()
while (($#)); do
	case $1 in
	--daemon) daemon=$2 ;;
	--kernel) kernel=$2 ;;
	--modules) modules=$2 ;;
	--output) output=$2 ;;
	--module) extra+=("$2") ;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift 2
done
[[ $daemon && $kernel && $modules && $output ]] || { usage >&2; exit 2; }
for f in "$daemon" "$kernel" "$modules/modules.dep"; do
	[[ -e $f ]] || { echo "mkimage.sh: $f is not there" >&2; exit 1; }
done
command -v busybox >/dev/null || { echo "mkimage.sh: no busybox: apt-get install busybox-static" >&2; exit 1; }

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{bin,lib,lib64,modules,proc,sys,dev,run,export,tmp,etc} "$output"
cp "$(command -v busybox)" "$tree/bin/busybox"
for applet in sh mount umount insmod mkdir cat echo sleep switch_root cp reboot poweroff sed cut sync mke2fs; do
	ln -s busybox "$tree/bin/$applet"
done
cp "$daemon" "$tree/bin/farcall-storaged"
ldd "$daemon" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
	mkdir -p "$tree${library%/*}"
	cp -L "$library" "$tree$library"
done

# whom farcall-storaged becomes: a number that no distribution gives out, for a client with the same one is refused
echo 'root:x:0:0:root:/:/bin/sh
farcall:x:65533:65533:farcall-storaged:/:/bin/false' >"$tree/etc/passwd"
echo 'root:x:0:
farcall:x:65533:' >"$tree/etc/group"
chmod 644 "$tree/etc/passwd" "$tree/etc/group"

# the modules in the order in which they must be loaded
version=${modules##*/}
base=${modules%/lib/modules/*}
for m in xen-blkfront xen-pcifront nvme ahci sd_mod xen-evtchn xen-gntdev xen-gntalloc xen-blkback brd crc32c_generic ext4 "${extra[@]}"; do
	modprobe -d "$base/" -S "$version" --show-depends "$m" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' | while read -r file; do
	cp "$file" "$tree/modules/"
	echo "/modules/${file##*/}"
done >"$tree/modules/order"

cp "$here/init" "$tree/init"
chmod 755 "$tree/init"
(cd "$tree" && find . | cpio -o -H newc --quiet) | gzip -6 >"$output/initramfs.gz"
cp "$kernel" "$output/vmlinuz"
sed "s|@DIR@|$(realpath "$output")|" "$here/storage-domain.cfg.in" >"$output/storage-domain.cfg"
