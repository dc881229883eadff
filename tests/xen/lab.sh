#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lab.sh - real Xen on any machine: boots Xen and a primary domain under QEMU's software emulation and runs a script there. It owns
# the machine; what happens in the primary domain before the script starts is dom0.sh's.
#
# The primary domain sees this machine's own files (read-only, with a scratch layer on top), so whatever is installed and built here is
# there too. The script's output comes out here, its exit status is the lab's; what it leaves in $LAB (a directory of both sides)
# is in --results afterwards.
set -u -o pipefail

usage()
{
	cat <<-EOF
	Usage: tests/xen/lab.sh [--build DIR] [--results DIR] [--timeout SECONDS] [--xen OPTIONS] [--linux OPTIONS] [--qemu OPTIONS] SCRIPT [ARGUMENT...]
	Runs SCRIPT with bash in the primary domain of a Xen machine that QEMU emulates.

	  --build DIR        the build tree whose farcall, module and domain image are used (default: build)
	  --results DIR      where logs and results go (default: a new directory, removed if all is well)
	  --timeout SECONDS  power off after that long (600)
	  --xen OPTIONS      more for Xen's command line, as gnttab_max_frames=256
	  --linux OPTIONS    more for the primary domain's kernel, as slub_debug=FZP
	  --qemu OPTIONS     more for QEMU's
	  --memory MIB       of the machine (3072), and of the primary domain (half of it)
	  --fetch            only fetch and unpack what the lab boots
	  --help

	The first run fetches Xen and a kernel from Debian into \$FC_LAB_CACHE (default ~/.cache/farcall-lab). One lab runs at a time.
	EOF
}

say() { echo "lab: $*" >&2; }
die() { say "$*"; exit 125; }

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${FC_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/farcall-lab}
build=$source/build results='' timeout=600 xen_options='' linux_options='' qemu_options='' memory=3072 fetch_only=
while (($#)); do
	case $1 in
	--build) build=$(realpath "$2"); shift ;;
	--results) results=$2; shift ;;
	--timeout) timeout=$2; shift ;;
	--xen) xen_options=$2; shift ;;
	--linux) linux_options=$2; shift ;;
	--qemu) qemu_options=$2; shift ;;
	--memory) memory=$2; shift ;;
	--fetch) fetch_only=1 ;;
	--help) usage; exit 0 ;;
	-*) usage >&2; exit 2 ;;
	*) break ;;
	esac
	shift
done
(($#)) || [[ $fetch_only ]] || { usage >&2; exit 2; }

# ---- what is booted ----

packages=(qemu-system-x86 seabios ipxe-qemu busybox-static kmod cpio e2fsprogs xz-utils xen-utils-4.17 xen-utils-common xenstore-utils
	linux-headers-amd64)

need_packages()
{
	local missing=() p

	for p in "${packages[@]}"; do
		dpkg -s "$p" >/dev/null 2>&1 || missing+=("$p")
	done
	((${#missing[@]})) || return 0
	say "installing ${missing[*]}"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$cache/apt.log" 2>&1 ||
		{ tail -n 5 "$cache/apt.log" >&2; die "cannot install them; as root: apt-get install ${missing[*]}"; }
}

# The ELF file in a bzImage, or the emulator spends seconds of each start on unpacking it. Where things are: Documentation/x86/boot.rst.
unpack_kernel() # FROM TO
{
	local setup_sectors offset length

	setup_sectors=$(od -An -v -t u1 -j $((0x1f1)) -N 1 "$1")
	offset=$(od -An -v -t u4 -j $((0x248)) -N 4 "$1")
	length=$(od -An -v -t u4 -j $((0x24c)) -N 4 "$1")
	tail -c +$(((setup_sectors + 1) * 512 + offset + 1)) "$1" | head -c $((length - 4)) | xz -dc >"$2" 2>"$cache/xz.log"
	[[ $(head -c 4 "$2" | tail -c 3) == ELF ]] && return
	say "cannot unpack $1: it will do as it is"
	cp "$1" "$2"
}

# Xen and the kernel that Debian's linux-image-amd64 stands for, unpacked, not installed.
fetch()
{
	local kernel
	[[ -e $cache/root/.complete ]] && return
	say "fetching Xen and a kernel into $cache"
	kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
	rm -rf "$cache/debs" "$cache/root"
	mkdir -p "$cache/debs" "$cache/root"
	(cd "$cache/debs" && apt-get -q download xen-hypervisor-4.17-amd64 "$kernel") >"$cache/apt.log" 2>&1 ||
		{ tail -n 5 "$cache/apt.log" >&2; die "cannot download xen-hypervisor-4.17-amd64 and $kernel"; }
	for deb in "$cache"/debs/*.deb; do
		dpkg -x "$deb" "$cache/root" || die "cannot unpack $deb"
	done
	gunzip -c "$cache"/root/boot/xen-4.17-amd64.gz >"$cache/root/xen.elf"
	depmod -b "$cache/root" "$(ls "$cache/root/lib/modules")"
	touch "$cache/root/.complete"
}

mkdir -p "$cache" || die "cannot make $cache"
exec 9>"$cache/lock"
flock 9
need_packages
fetch
[[ -e $cache/root/vmlinux ]] || unpack_kernel "$cache"/root/boot/vmlinuz-* "$cache/root/vmlinux"
version=$(ls "$cache/root/lib/modules")
kernel=$cache/root/vmlinux
[[ $fetch_only ]] && exit 0

# The modules that NAME... need, in the order they must be loaded.
module_files()
{
	local m

	for m in "$@"; do
		modprobe -d "$cache/root" -S "$version" --show-depends "$m" | awk '$1 == "insmod" { print $2 }'
	done | awk '!seen[$0]++'
}

# ---- the primary domain's first steps: to its root, then to dom0.sh ----

make_initramfs()
{
	local tree=$1/initramfs file

	mkdir -p "$tree"/{bin,modules,proc,sys,dev,host,scratch,root}
	cp /bin/busybox "$tree/bin/"
	ln -s busybox "$tree/bin/sh"
	module_files virtio_pci 9pnet_virtio 9p overlay >"$1/modules"
	while read -r file; do
		cp "$file" "$tree/modules/"
		echo "/modules/${file##*/}"
	done <"$1/modules" >"$tree/modules/order"
	cat >"$tree/init" <<-'EOF'
	#!/bin/busybox sh
	bb=/bin/busybox
	fail() { echo "lab: $*"; $bb poweroff -f; }
	$bb mount -t proc proc /proc
	$bb mount -t sysfs sys /sys
	$bb mount -t devtmpfs dev /dev
	while read -r module; do $bb insmod "$module" || fail "insmod $module"; done </modules/order
	$bb mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host || fail "no files of the host"
	$bb mount -t tmpfs tmpfs /scratch
	$bb mkdir /scratch/upper /scratch/work
	$bb mount -t overlay -o lowerdir=/host,upperdir=/scratch/upper,workdir=/scratch/work root /root || fail "no root"
	lab=$($bb sed 's/.*lab=\([^ ]*\).*/\1/' /proc/cmdline)
	$bb mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none lab /root"$lab" || fail "no results"
	for d in proc sys dev; do $bb mount --move /$d /root/$d; done
	exec $bb switch_root /root /bin/bash "$lab/start" </root/dev/null
	EOF
	chmod 755 "$tree/init"
	(cd "$tree" && find . | cpio -o -H newc --quiet) | gzip -1 >"$1/initramfs.gz"
	rm -rf "$tree"
}

own_results=
if [[ -z $results ]]; then
	results=$(mktemp -d "${TMPDIR:-/tmp}/fc-lab.XXXXXX") || exit 125
	own_results=1
fi
mkdir -p "$results" || exit 125
results=$(realpath "$results")
make_initramfs "$results"
{
	declare -p source build cache version results
	echo "export LAB=\$results FC_SOURCE=\$source FC_BUILD=\$build FC_LAB_CACHE=\$cache"
	echo '. "$source/tests/xen/dom0.sh"'
	printf 'dom0_main'
	printf ' %q' "$(realpath "$1")" "${@:2}"
	echo
} >"$results/start"
: >"$results/output"
rm -f "$results"/{status,dmesg,xl-dmesg,console} "$results"/guest-*.log # of an earlier run

clean_up()
{
	[[ ${qemu:-} ]] && kill -KILL "$qemu" 2>/dev/null
	[[ ${tail:-} ]] && kill "$tail" 2>/dev/null
	wait 2>/dev/null
}
trap clean_up EXIT
trap 'exit 125' INT TERM HUP

began=$SECONDS
say "booting Xen 4.17 and Linux $version"
# -smap: the emulator checks an iret's stack access with the wrong privilege, and the primary domain would die of it
# shellcheck disable=SC2086
qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max,-smap -m "$memory" -smp 2 -nographic -no-reboot -nodefaults \
	-serial "file:$results/console" -kernel "$cache/root/xen.elf" \
	-append "console=com1 com1=115200 dom0_mem=$((memory / 2))M,max:$((memory / 2))M dom0_max_vcpus=1 dom0_vcpus_pin loglvl=warning guest_loglvl=warning $xen_options" \
	-initrd "$kernel console=hvc0 quiet $linux_options lab=$results,$results/initramfs.gz" \
	-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	-virtfs "local,path=$results,mount_tag=lab,security_model=none" \
	$qemu_options >"$results/qemu" 2>&1 9>&- &
qemu=$!
tail -n +1 -s 0.2 -f "$results/output" --pid=$qemu 9>&- &
tail=$!
while kill -0 $qemu 2>/dev/null; do
	if ((SECONDS - began > timeout)); then
		say "nothing after $timeout s: powering off"
		break
	fi
	sleep 0.2
done
kill -KILL $qemu 2>/dev/null
wait $tail
qemu='' tail=''
if [[ ! -e $results/status ]]; then
	tail -n 20 "$results/console" "$results/qemu" >&2
	say "the primary domain did not come to an end; its console is in $results/console"
	exit 124
fi
status=$(<"$results/status")
say "done after $((SECONDS - began)) s, status $status; seconds of CPU, whatever else ran: $(times | tail -n 1)"
[[ $own_results && $status == 0 ]] && rm -rf "$results"
exit "$status"
