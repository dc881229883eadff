# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# relink.sh - sourced by musl/build.sh and uclibc-ng/build.sh: what building a hooked C library takes that is the same for both. The library's
# source comes from a directory, a tarball or Debian, and is changed in a copy only. What comes out has no path of its own: it can be moved or copied,
# and its compiler wrapper finds it. Only its links to the shim's files must still lead there.

# of a make or a test that has started us; the sources' own makefiles would take them for theirs
unset MAKEFLAGS MFLAGS MAKELEVEL top_srcdir top_builddir srcdir builddir CFLAGS CPPFLAGS LDFLAGS
umask 022

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

relink_usage()
{
	cat <<-END
	usage: build.sh --prefix DIR --shim DIR [--source PATH] [--jobs N] [--stock]
	  --prefix DIR   put the library and its compiler wrapper there; what is there already and made of the same things stays
	  --shim DIR     where farcall.o, farcall-program.o and libfarcall.so are
	  --source PATH  the library's source, a directory or a tarball (default: Debian's source package)
	  --jobs N       compile N files at a time (default: 2)
	  --stock        leave the sites out: the library as it is, to compare with
	END
}

# shellcheck disable=SC2034 # for who sources this
# Sets prefix, shim, source, jobs, mark (the compiler's option that makes the sites) and here (the folder of site.s).
relink_options()
{
	prefix='' shim='' source='' jobs=2 stock=''
	while (($#)); do
		case $1 in
		--help | -h) relink_usage; exit 0 ;;
		--stock) stock=1 ;;
		--prefix | --shim | --source | --jobs)
			(($# > 1)) || die "$1 needs an argument"
			printf -v "${1#--}" %s "$2"
			shift
			;;
		*) die "unknown argument $1 (see --help)" ;;
		esac
		shift
	done
	[[ $prefix && $shim ]] || die "--prefix and --shim are needed (see --help)"
	[[ -z $source || -e $source ]] || die "$source does not exist"
	prefix=$(realpath -m "$prefix") && shim=$(realpath "$shim") || exit 1
	here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
	[[ $prefix$here != *[[:space:]:,]* ]] || die "a path with a space, a colon or a comma will not do"
	mark=-Wa,$here/hook/site.s
	[[ -z $stock ]] || mark=
}

# What the library NAME is made of, but for what Debian's source package is today.
relink_key()
{
	local files=("$here"/{relink.sh,dl_find_object.c,hook/site.s} "$here/$1"/* /usr/include/linux/version.h)

	cat "${files[@]}" | sha256sum
	gcc --version | head -n 1
	echo "source: ${source:-Debian}${stock:+, stock}"
	[[ -z $source ]] || tar -C / --sort=name -cf - "${source#/}" | sha256sum
}

# relink_begin NAME: ends the script if $prefix has the library already, made of the same things. Otherwise sets work, a fresh directory, gone
# when the script ends.
relink_begin()
{
	[[ -z $source ]] || source=$(realpath "$source")
	key=$(relink_key "$1") || exit 1
	if [[ $(cat "$prefix/stamp" 2>/dev/null) == "$key" ]]; then
		relink_link_shim
		exit 0
	fi
	mkdir -p "$prefix"/{bin,etc,include,lib} && rm -f "$prefix/stamp" || exit 1
	work=$(mktemp -d "$prefix.work.XXXXXX") || exit 1
	trap 'rm -rf "$work"' EXIT
}

relink_end()
{
	echo "$key" >"$prefix/stamp" || exit 1
}

# debian_source PACKAGE DIR: the orig tarball of a Debian source package, into DIR. deb-src lines are switched on in a
# configuration of our own.
debian_source()
{
	local apt=$2/apt file

	mkdir -p "$apt"/{lists/partial,cache/archives/partial,sources} || return 1
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ -f $file ]] && sed -n 's/^deb\([[:space:]]\)/deb-src\1/p' "$file" >>"$apt/sources/all.list"
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		[[ -f $file ]] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/sources/${file##*/}"
	done
	apt=(-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/sources" -o Dir::State::lists="$apt/lists"
		-o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)")
	# some other archive in the list may have no sources at all: what counts is whether the package comes
	apt-get "${apt[@]}" update >"$2/apt.log" 2>&1
	(cd "$2" && apt-get "${apt[@]}" --download-only source "$1") >>"$2/apt.log" 2>&1 && return 0
	tail -n 5 "$2/apt.log" >&2
	return 1
}

# relink_unpack PACKAGE PATTERN: the source, in $work/source. PATTERN is the name of the tarball in the source package.
relink_unpack()
{
	local tarball=$source

	mkdir "$work/source" || exit 1
	if [[ -d $source ]]; then
		cp -a "$source/." "$work/source" || exit 1
		return
	fi
	if [[ -z $source ]]; then
		debian_source "$1" "$work" || die "Debian's source of $1 is not to be had; name one with --source"
		for tarball in "$work"/$2; do :; done
	fi
	tar -xf "$tarball" -C "$work/source" --strip-components=1 || die "cannot unpack $tarball"
}

# What the compiler wrapper links: the objects with the shim.
relink_link_shim()
{
	local file

	for file in farcall.o farcall-program.o libfarcall.so; do
		[[ -f $shim/$file ]] || die "$shim/$file does not exist"
		ln -srfn "$shim/$file" "$prefix/lib/$file" || exit 1
	done
}

# The kernel's headers, which neither library has.
relink_link_headers()
{
	local headers

	for headers in linux asm-generic mtd; do
		ln -sfn "/usr/include/$headers" "$prefix/include/$headers"
	done
	ln -sfn "/usr/include/$(gcc -print-multiarch)/asm" "$prefix/include/asm"
}

# relink_check LIBRARY NOTES NATIVE: there are at least NOTES sites, and at most NATIVE system calls are none.
relink_check()
{
	local notes calls

	[[ -z $stock ]] || return 0
	notes=$(readelf -nW "$1" | grep -c '^ *farcall ')
	calls=$(objdump -d --no-show-raw-insn "$1" | grep -cE '[[:space:]]syscall *$')
	echo "$1: $notes sites; $calls system call instructions"
	((notes >= $2)) || die "$1: only $notes sites"
	# one site, musl's cancellable one, holds no system call
	((calls - notes <= $3)) || die "$1: $((calls - notes)) system calls have no note"
}

# at PATH: in a specs file, PATH in the library's directory, which the wrapper names. What the function returns ends the word.
at()
{
	echo "%:getenv(FARCALL_LIBC /$1)"
}

# relink_specs NAME LOADER STARTFILES LIBS [CC1]: a specs file for gcc, and the wrapper that uses it and tells it where the library is.
relink_specs()
{
	local linked

	linked="%{static|static-pie:$(at lib/farcall.o);:$(at lib/farcall-program.o) --push-state --no-as-needed $(at lib/libfarcall.so) --pop-state}"
	[[ -z $stock ]] || linked=
	cat >"$prefix/lib/farcall-$1.specs" <<-END
	%rename cpp_options old_cpp_options

	*cpp_options:
	-nostdinc -isystem $(at include) -isystem include%s %(old_cpp_options)

	*cc1:
	%(cc1_cpu) -nostdinc -isystem $(at include) -isystem include%s ${5-}

	*link_libgcc:
	-L$(at lib) -L .%s

	*libgcc:
	libgcc.a%s

	*startfile:
	$3 %{!shared:$linked}

	*endfile:
	%{static:crtend.o%s;:crtendS.o%s} $(at lib/crtn.o)

	*lib:
	$4

	*link:
	-nostdlib --eh-frame-hdr %{shared:-shared} %{static:-static} %{static-pie:-static -pie --no-dynamic-linker -z text} %{!static:%{!static-pie:%{!shared:-dynamic-linker $(at "lib/$2") -rpath $(at lib)}}} %{rdynamic:-export-dynamic}

	*esp_link:


	*esp_options:


	*esp_cpp_options:


	END
	cat >"$prefix/bin/farcall-$1-gcc" <<-END
	#!/bin/sh
	# gcc for programs relinked with farcall's $1: static with -static, dynamic without.
	FARCALL_LIBC=\$(realpath "\$0") || exit
	export FARCALL_LIBC="\${FARCALL_LIBC%/bin/*}"
	[ "\${1-}" != --help ] || echo "farcall-$1-gcc(1) is gcc for programs relinked with farcall's $1. Its options are gcc's:"
	exec "\${REALGCC:-gcc}" "\$@" -specs "\$FARCALL_LIBC/lib/farcall-$1.specs"
	END
	chmod 755 "$prefix/bin/farcall-$1-gcc"
}
