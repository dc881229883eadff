# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# packages.sh - sourced: what has to be installed on Debian 12, and installing it. Does nothing if nothing is missing.

# shellcheck disable=SC2034 # used by who sources this
packages_build="gcc libc6-dev make autoconf automake pkg-config libzydis-dev libseccomp-dev libxen-dev"
# shellcheck disable=SC2034
packages_try="sysbench"
# shellcheck disable=SC2034
packages_test="libcriterion-dev sysbench strace python3 git procps e2fsprogs util-linux attr acl file"
# shellcheck disable=SC2034
packages_lint="clang-format cppcheck shellcheck mandoc"
# shellcheck disable=SC2034 # what the relinked libraries and programs are built from
packages_relinked="uclibc-source bzip2 xz-utils"
# shellcheck disable=SC2034 # libFuzzer and the address sanitizer
packages_fuzz="clang libclang-rt-14-dev binutils"
# shellcheck disable=SC2034 # what tests/apps runs, and what its programs are compiled with
packages_apps="sqlite3 postgresql-15 mariadb-server redis-server nginx-light curl librocksdb-dev liblmdb-dev lmdb-utils tmux gnupg gpg-agent man-db
	groff-base nodejs openjdk-17-jdk-headless cargo rustc dpkg"

# packages_install PACKAGE...: install those that are missing, as root or through sudo. Says what it does. Sets
# packages_changed if it installed anything: what configure did not find, it may find now.
packages_changed=
packages_install()
{
	local package missing=() as_root=()

	for package; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	if ((EUID)); then
		command -v sudo >/dev/null || {
			echo "missing packages: ${missing[*]}; install them as root with: apt-get install ${missing[*]}" >&2
			return 1
		}
		as_root=(sudo)
	fi
	echo "== installing ${missing[*]}"
	packages_apt "${as_root[@]}" || {
		echo "could not install ${missing[*]}" >&2
		return 1
	}
	packages_changed=1
}

# With what apt knows already, else after an update.
packages_apt()
{
	# RUNLEVEL: the servers among them are not started
	local apt=("$@" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends)

	"${apt[@]}" install "${missing[@]}" </dev/null >/dev/null 2>&1 && return 0
	echo "== apt-get update"
	"${apt[@]}" update </dev/null >/dev/null || return 1
	"${apt[@]}" install "${missing[@]}" </dev/null >/dev/null
}
