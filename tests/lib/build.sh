# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# build.sh - sourced: autoreconf, configure and make in a directory, each only where needed. Quiet unless it fails.

# build_in SOURCE BUILD TARGETS CONFIGURE-OPTION...; TARGETS is one word list. Output of a failed step goes to stderr.
build_in()
{
	local source=$1 build=$2 targets=$3 log
	shift 3

	mkdir -p "$build" || return 1
	log=$build/build.log
	: >"$log"
	if [[ ! -x $source/configure || $source/configure.ac -nt $source/configure ]]; then
		echo "== autoreconf"
		(cd "$source" && autoreconf -fi) >>"$log" 2>&1 || build_failed "$log" || return 1
	fi
	if [[ ! -f $build/Makefile || $source/configure -nt $build/Makefile || ${packages_changed-} ]] ||
		! build_has_options "$build" "$@"; then
		echo "== configure $*"
		(cd "$build" && "$(realpath --relative-to="$build" "$source")/configure" "$@") >>"$log" 2>&1 ||
			build_failed "$log" || return 1
	fi
	echo "== make $targets"
	# shellcheck disable=SC2086 # a list of words
	make -C "$build" -j"$(nproc)" $targets </dev/null >>"$log" 2>&1 || build_failed "$log"
}

# Was the directory configured with these options, among others?
build_has_options()
{
	local build=$1 option configured
	shift

	configured=$("$build/config.status" --config 2>/dev/null) || return 1
	for option; do
		[[ $configured == *"$option"* ]] || return 1
	done
}

build_failed()
{
	tail -n 40 "$1" >&2
	echo "the build failed; the whole output is in $1" >&2
	return 1
}
