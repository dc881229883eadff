#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Records the corpus anew: the requests that tests/domain/t_execute makes and the messages that a daemon receives from tests/domain/t_control,
# as inputs of the fuzz targets; merged into tests/fuzz/corpus with what else is in there (or in DIRECTORY, one folder for
# each target, for instance what hours of fuzzing have found). By hand, as root. Environment: FC_SOURCE, FC_BUILD. usage: record.sh [DIRECTORY]
set -u

src=$(cd "${FC_SOURCE:-.}" && pwd)
build=$(cd "${FC_BUILD:-$src/build}" && pwd) || exit 1
tmp=$(mktemp -d) || exit 1
chmod 755 "$tmp" # the daemon in it is also run by other users
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/fuzz/build.sh
. "$src/tests/fuzz/build.sh"
flags=(-std=gnu11 -O1 -w -pthread "-I$src" "-I$src/include" "-I$src/tests/domain")
read -ra libraries <<<"$(make -s --no-print-directory -C "$build" print-list LIST=SECCOMP_LIBS)"
read -ra xen <<<"$(make -s --no-print-directory -C "$build" print-list LIST=XEN_LIBS)"
libraries+=("${xen[@]}")

# merge TARGET FOLDER...: into merged/TARGET. The largest first, which cover most: so fewer are enough
merge()
{
	local target=$1 part
	shift

	rm -rf "$tmp/parts" && mkdir "$tmp/parts" || return
	find "$@" -type f -printf '%s %p\n' | sort -rn | awk -F / '!seen[$NF]++' | cut -d ' ' -f 2- >"$tmp/list" && split -a 1 -n l/6 "$tmp/list" "$tmp/parts/" || return
	for part in "$tmp"/parts/?; do
		[[ -s $part ]] || continue
		mkdir "$part.d" && xargs -a "$part" cp -t "$part.d" &&
			"$tmp/$target" -merge=1 -use_counters=0 "$tmp/merged/$target" "$part.d" >"$tmp/log" 2>&1 || return
	done
}

cd "$src" || exit 1
# the tests' own stand-ins win over the archive's functions
cc "${flags[@]}" -o "$tmp/t_execute" tests/fuzz/record_requests.c tests/domain/t_execute.c tests/domain/play.c \
	"$build/storage-domain/libdomain.a" "$build/common/libcommon.a" -Wl,--wrap=play_call,--wrap=play_submit "${libraries[@]}" || exit 1
cc "${flags[@]}" -o "$tmp/farcall-storaged" tests/fuzz/record_messages.c "$build"/storage-domain/farcall_storaged-main.o \
	"$build/storage-domain/libdomain.a" "$build/common/libcommon.a" -Wl,--wrap=fc_control_recv "${libraries[@]}" || exit 1
"$tmp/t_execute" >"$tmp/requests" || exit 1
"$build/tests/domain/t_control" "$tmp/farcall-storaged" >/dev/null 2>"$tmp/messages" || exit 1
tests/fuzz/record.py "$tmp/requests" "$tmp/messages" "$tmp/raw" || exit 1
for target in $fuzz_targets; do
	fuzz_build "$src" "$src" "$tmp" "$target" || exit 1
	mkdir -p "$tmp/merged/$target" "$tmp/raw/$target" "tests/fuzz/corpus/$target"
	from=("tests/fuzz/corpus/$target" "$tmp/raw/$target")
	[[ -z ${1-} ]] || from+=("$1/$target")
	merge "$target" "${from[@]}" || { tail "$tmp/log"; exit 1; }
	rm -rf "tests/fuzz/corpus/$target"
	cp -r "$tmp/merged/$target" "tests/fuzz/corpus/$target"
	echo "$target: $(find "tests/fuzz/corpus/$target" -type f | wc -l) inputs"
done
