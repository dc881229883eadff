# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dom0.sh - the lab's primary domain: what is started there before a script runs, and what scripts use. lab.sh calls dom0_main.
#
# A script finds: xl and xenstored running, $LAB (results, seen from outside too), $FC_SOURCE, $FC_BUILD, and the functions below.

say() { echo "# $*"; }

load()
{
	local m

	for m in "$@"; do
		modprobe -d "$FC_LAB_CACHE/root" -S "$(uname -r)" "$m" || say "cannot load $m"
	done
}

dom0_start()
{
	mount -t devpts devpts /dev/pts 2>/dev/null || { mkdir -p /dev/pts && mount -t devpts devpts /dev/pts; }
	ln -sf /proc/self/fd /dev/fd
	ln -sf /proc/self/fd/0 /dev/stdin
	ln -sf /proc/self/fd/1 /dev/stdout
	ln -sf /proc/self/fd/2 /dev/stderr
	mkdir -p /dev/shm
	mount -t tmpfs tmpfs /dev/shm
	mount -t tmpfs tmpfs /run
	mount -t debugfs debugfs /sys/kernel/debug
	ip link set lo up 2>/dev/null
	load xen-evtchn xen-gntalloc xen-gntdev xen-privcmd xenfs xen-blkback loop ext4
	mount -t xenfs xenfs /proc/xen
	mkdir -p /run/xen /run/xenstored /var/lib/xenstored /var/log/xen/console /var/lib/xen
	mount -t tmpfs tmpfs /var/lib/xenstored
	/usr/sbin/xenstored --pid-file /run/xenstored.pid || /usr/lib/xen-4.17/bin/xenstored
	/usr/lib/xen-4.17/bin/xen-init-dom0 >/dev/null
	/usr/sbin/xenconsoled --log=all --log-dir="$LAB" --pid-file=/run/xenconsoled.pid
}

# Nothing is left of it but its log.
end_domu() # NAME
{
	"$FC_BUILD/farcall" domain detach "$1" >/dev/null 2>&1
	xl destroy "$1" 2>/dev/null
	[[ ! -e /run/disk-$1 ]] || losetup -j "/run/disk-$1" | cut -d: -f1 | xargs -r -n 1 losetup -d
	rm -f "/run/disk-$1" "/run/$1.cfg"
	[[ ! -e $LAB/guest-$1.log ]] || mv "$LAB/guest-$1.log" "$LAB/ended-$1-$(date +%s).log"
}

# start_domu NAME [PREFIX [MIB]]: a storage domain with a fresh ext4 disk of that size (256), which it serves at PREFIX (/far).
# DOMU_OPTIONS: more for its kernel's command line; DOMU_HARDWARE: xl's line for what it has instead of the disk.
start_domu()
{
	local domu=$1 prefix=${2:-/far} size=${3:-256} image=/run/disk-$1 hardware=${DOMU_HARDWARE:-}

	[[ ! -e /run/$domu.cfg ]] || end_domu "$domu"
	if [[ ! -e $image && ! $hardware ]]; then
		truncate -s "${size}M" "$image"
		mkfs.ext4 -q -F -m 0 -E lazy_itable_init=0 "$image" || return
	fi
	[[ $hardware ]] || hardware="disk = [ 'vdev=xvda,access=w,script=$FC_SOURCE/tests/xen/block,target=$(losetup -f --show "$image")' ]"
	cat >"/run/$domu.cfg" <<-EOF
	name = "$domu"
	type = "pv"
	kernel = "$FC_LAB_CACHE/root/vmlinux"
	ramdisk = "$FC_BUILD/domain-image/initramfs.gz"
	extra = "console=hvc0 quiet farcall.prefix=$prefix ${DOMU_OPTIONS:-}"
	memory = 256
	vcpus = 1
	cpus = "1"
	tsc_mode = "native"
	$hardware
	on_crash = "destroy"
	on_reboot = "destroy"
	EOF
	xl create "/run/$domu.cfg" >/dev/null || return
	domu_up "$domu"
}

# Until the domain's console says that it serves.
domu_up()
{
	local end=$((SECONDS + 180))

	until grep -q 'farcall: serving' "$LAB/guest-$1.log" 2>/dev/null; do
		((SECONDS < end)) || { say "$1 does not come up"; tail -n 20 "$LAB/guest-$1.log"; return 1; }
		sleep 0.2
	done
}

dom0_main()
{
	local status script=$1
	shift

	exec >>"$LAB/output" 2>&1
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/xen-4.17/bin HOME=/root LC_ALL=C
	dom0_start
	say "the primary domain is up after $(cut -d' ' -f1 /proc/uptime) s"
	export -f say load end_domu start_domu domu_up
	bash "$script" "$@" </dev/null
	status=$?
	dmesg >"$LAB/dmesg"
	xl dmesg >"$LAB/xl-dmesg" 2>/dev/null
	echo "$status" >"$LAB/status"
	sync
	echo o >/proc/sysrq-trigger
	sleep 10
	poweroff -f
}
