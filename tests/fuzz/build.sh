# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# build.sh - sourced: compiles the fuzz targets with clang. The shipped sources are compiled as they are; their system calls go to
# the models (seam.h, seam.syms).
# shellcheck disable=SC2034 # used by who sources this, and by name below

fuzz_targets="request control supervisor front status"
fuzz_flags=(-std=gnu11 -g -O1 -w -pthread -fno-omit-frame-pointer -fno-sanitize-recover=all -D_GNU_SOURCE)

# what each target links: of the product, and of tests/fuzz besides fuzz.c
fuzz_product_request="common/doorbell.c common/queue.c common/spin.c common/wire.c
	storage-domain/budget.c storage-domain/shadow/cred.c storage-domain/exec/access.c storage-domain/exec/copy.c storage-domain/exec/fcntl.c
	storage-domain/exec/ioctl.c storage-domain/exec/map.c storage-domain/exec/merge.c storage-domain/exec/open.c storage-domain/exec/post.c storage-domain/exec/socket.c storage-domain/exec/stream.c storage-domain/exec/execute.c
	storage-domain/crew/interrupt.c storage-domain/crew/signal.c storage-domain/licence.c storage-domain/exec/path.c storage-domain/counters.c storage-domain/roster.c storage-domain/table.c storage-domain/crew/worker.c"
fuzz_own_request="client.c kernel.c kernel_check.c kernel_table.c request.c"
fuzz_link_request=("-Wl,--wrap=fc_execute,--wrap=fc_entry_publish,--wrap=fc_queue_dequeue")

fuzz_product_control="common/control.c common/doorbell.c common/futex.c common/queue.c common/spin.c storage-domain/shadow/areas.c storage-domain/budget.c
	storage-domain/exec/post.c storage-domain/shadow/errand.c storage-domain/shadow/hand.c storage-domain/shadow/heir.c storage-domain/shadow/lease.c storage-domain/shadow/lend.c storage-domain/licence.c storage-domain/log.c storage-domain/shadow/memory_local.c storage-domain/shadow/offspring.c storage-domain/shadow/other.c storage-domain/shadow/pass.c storage-domain/shadow/poster.c storage-domain/shadow/receive.c storage-domain/counters.c storage-domain/roster.c storage-domain/table.c storage-domain/shadow/shadow_main.c
	storage-domain/shadow/transport_local.c"
fuzz_own_control="control.c given.c message.c"
fuzz_link_control=()

fuzz_product_supervisor="common/control.c common/futex.c storage-domain/budget.c storage-domain/supervisor/connection.c storage-domain/supervisor/exports.c
	storage-domain/licence.c storage-domain/log.c
	storage-domain/supervisor/other.c storage-domain/supervisor/pass.c storage-domain/supervisor/page.c storage-domain/supervisor/peer.c storage-domain/supervisor/reserve.c storage-domain/counters.c storage-domain/roster.c storage-domain/supervisor/heirs.c storage-domain/supervisor/session.c
	storage-domain/supervisor/stat.c storage-domain/supervisor/stranger.c storage-domain/supervisor/supervisor.c storage-domain/table.c"
fuzz_own_supervisor="message.c supervisor.c"
fuzz_link_supervisor=()

fuzz_product_front="$fuzz_product_supervisor common/doorbell.c common/queue.c storage-domain/xen/control.c storage-domain/xen/front.c
	storage-domain/xen/check.c"
fuzz_own_front="$fuzz_own_supervisor front.c"
fuzz_link_front=()

fuzz_product_status="storage-domain/supervisor/peer.c"
fuzz_own_status="status.c"
fuzz_link_status=()

# fuzz_build PRODUCT-SOURCE TEST-SOURCE DIRECTORY TARGET: DIRECTORY/TARGET
fuzz_build()
{
	local product=$1 tests=$2 out=$3 target=$4 file object objects=()
	local reads=() renames=("--redefine-syms=$tests/tests/fuzz/seam.syms")
	local -n shipped=fuzz_product_$target own=fuzz_own_$target link=fuzz_link_$target

	mkdir -p "$out/$target.d" || return 1
	if [[ $target == request ]]; then
		reads=(-fsanitize-coverage=trace-loads)
		renames+=("--redefine-syms=$tests/tests/fuzz/reads.syms")
	fi
	[[ $target != status ]] || renames=() # it makes no calls
	for file in $shipped; do
		object=$out/$target.d/${file//\//_}.o
		objects+=("$object")
		clang "${fuzz_flags[@]}" "-I$product" "-I$product/include" "-I$tests" -include tests/fuzz/seam.h \
			-fsanitize=fuzzer-no-link,address "${reads[@]}" -c -o "$object" "$product/$file" &&
			objcopy "${renames[@]}" "$object" || return 1
	done
	for file in fuzz.c $own; do
		object=$out/$target.d/$file.o
		objects+=("$object")
		clang "${fuzz_flags[@]}" "-I$product" "-I$product/include" "-I$tests" -fsanitize=fuzzer-no-link,address -c -o "$object" \
			"$tests/tests/fuzz/$file" || return 1
	done
	clang "${fuzz_flags[@]}" -fsanitize=fuzzer,address "${link[@]}" -o "$out/$target" "${objects[@]}"
}

# one input takes milliseconds at most
fuzz_options=(-timeout=5 -max_len=4096 -rss_limit_mb=1500 -verbosity=1)

# Is there a clang that can link a fuzz target?
fuzz_works()
{
	local dir status

	command -v clang objcopy >/dev/null || return 1
	dir=$(mktemp -d) || return 1
	echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return 0; }' >"$dir/t.c"
	clang -fsanitize=fuzzer,address -o "$dir/t" "$dir/t.c" 2>/dev/null
	status=$?
	rm -rf "$dir"
	return "$status"
}

# fuzz_dictionary TEST-SOURCE TARGET: the option that names its dictionary, if it has one
fuzz_dictionary()
{
	[[ ! -f $1/tests/fuzz/$2.dict ]] || echo "-dict=$1/tests/fuzz/$2.dict"
}
