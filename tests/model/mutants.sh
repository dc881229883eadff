#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Can the interleaving checker fail? Breaks a copy of the shipped sources in one place at a time, by sed, and expects the checker
# to notice. Environment: FC_SOURCE (the source tree, default .), CC. Leaves nothing behind.
set -u

src=$(cd "${FC_SOURCE:-.}" && pwd)
cc=${CC:-cc}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
flags=(-std=gnu11 -O1 -w -fcf-protection=none -fno-stack-protector -DFC_ENTRY_ORDER=1 -DFC_QUEUE_GRACE=1
	'-DFC_ATOMIC_HEADER="tests/model/model_atomic.h"' "-I$src/include")
count=0

build() # OUTPUT ARGUMENTS...
{
	# shellcheck disable=SC2086 # CC may hold options
	$cc "${flags[@]}" -o "$@"
}

# try_mutant DIRECTORY MODEL FILE SED WHAT: one line on stdout, "noticed: ..." if all is well
try_mutant()
{
	local dir=$1 model=$2 file=$3
	local -A from=([model]="$tmp/model_$model.o" [queue]="$tmp/queue.o" [doorbell]="$tmp/doorbell.o")

	mkdir -p "$dir/common" && cp "$src"/common/{queue.c,queue.h,doorbell.c,doorbell.h,atomic.h} "$dir/common" || return
	sed -i -E "$4" "$dir/common/$file"
	if cmp -s "$dir/common/$file" "$src/common/$file"; then
		echo "NOTHING TO BREAK any more (the source has changed: adapt this script): $5"
		return
	fi
	case $file in
	*.c) from[${file%.c}]=$dir/common/$file ;;
	*.h) from[model]=$src/tests/model/model_$model.c ;; # where its inline functions are used
	esac
	if ! build "$dir/model" "-I$dir" "-I$src" "$tmp/explore.o" "$tmp/fifo.o" "${from[@]}"; then
		echo "DOES NOT COMPILE: $5"
		return
	fi
	timeout 60 "$dir/model" >"$dir/out" 2>&1
	if grep -q '^FAILED' "$dir/out"; then
		printf 'noticed: %-65s %s\n' "$5" "$(grep -m1 '^FAILED' "$dir/out")"
	else
		echo "NOT NOTICED: $5"
	fi
}

# mutant MODEL FILE SED WHAT: WHAT says what is broken
mutant()
{
	[ "$(jobs -pr | wc -l)" -lt "$(nproc)" ] || wait -n
	count=$((count + 1))
	try_mutant "$tmp/$count" "$@" >"$tmp/$count.result" &
}

queue() { mutant queue queue.c "$@"; }
bell() { mutant doorbell doorbell.c "$@"; }

for c in tests/model/{explore,fifo,model_queue,model_doorbell}.c common/{queue,doorbell}.c; do
	build "$tmp/$(basename "$c" .c).o" "-I$src" -c "$src/$c" || exit 1
done

queue 's/slot_cycle\(seen\) >= cycle \|\| !slot_vacant\(seen\)/!slot_vacant(seen)/' 'enqueue ignores the cycle'
queue 's/slot_cycle\(seen\) >= cycle \|\| !slot_vacant\(seen\)/slot_cycle(seen) >= cycle/' 'enqueue overwrites an element'
queue 's/if \(!\(seen & SAFE\) && fc_load\(&q->head\) > t\)/if (0)/' 'enqueue ignores the safe bit'
queue 's/fc_cas\(slot, seen, slot_make\(cycle, SAFE, idx\)\)/(fc_store(slot, slot_make(cycle, SAFE, idx)), 1)/' \
	'enqueue stores instead of comparing'
queue '/fc_load\(&q->threshold\) != THRESHOLD/,+1d' 'enqueue does not re-arm the threshold'
queue '/fc_load\(&q->threshold\) != THRESHOLD/,+1s/fc_xchg/fc_store/' 'enqueue re-arms the threshold by a plain store'
queue 's/next = seen & ~SAFE/next = seen/' 'dequeue does not mark an occupied slot unsafe'
queue 's/next = slot_make\(cycle, seen & SAFE, NONE\)/next = seen/' 'dequeue does not advance a vacant slot'
queue 's/next == seen \|\| fc_cas\(slot, seen, next\)/(fc_store(slot, next), 1)/' 'dequeue stores over what an enqueuer put there'
queue 's/fc_fetch_or\(slot, NONE\);//' 'dequeue does not vacate the slot'
queue 's/fc_fetch_or\(slot, NONE\);/fc_store(slot, slot_make(cycle, SAFE, NONE));/' 'dequeue vacates by a store: the unsafe mark is lost'
queue 's/slot_cycle\(seen\) == cycle/!slot_vacant(seen)/' 'dequeue takes an element of another cycle'
queue 's/uint64_t h = fc_faa\(&q->head, 1\);/uint64_t h = fc_load(\&q->head); fc_store(\&q->head, h + 1);/' \
	'dequeuers draw the same position'
queue 's/if \(tail <= h \+ 1\) \{/if (tail <= h + 2) {/' 'dequeue gives up one position too early'
queue 's/if \(fc_faa\(&q->threshold, -1\) <= 0\)/if (fc_faa(\&q->threshold, -1) <= THRESHOLD - 1)/' 'the threshold runs out too early'
queue 's/fc_cas\(&q->tail, tail, head\)/(fc_store(\&q->tail, head), 1)/' 'catching up moves tail back'
queue 's/if \(!any_filled\(q\)\)/if (1)/' 'dequeue does not re-arm for a stopped enqueuer'
queue 's/return fc_load\(&q->threshold\) >= 0 \|\| any_filled\(q\);/return false;/' 'peek does not look behind the head slot'
queue 's/return fc_load\(&q->threshold\) >= 0 \|\| any_filled\(q\);/return true;/' 'peek says true for ever'

bell 's/fc_faa\(&h->bell, 1\);//' 'ring: wakes without changing the word'
bell 's/fc_fence\(\); \/\* credit before.*//' 'worker: no fence between credit and the last look'
bell 's/if \(!fc_queue_peek\(q\)\)//' 'worker: no last look'
bell 's/wait\(b, &h->bell, bell_seen, 0\)/wait(b, \&h->bell, fc_load(\&h->bell), 0)/' 'worker: reads the bell after the last look'
bell 's/fc_xchg\(&e->state, FC_DONE\) != FC_ASLEEP/({ uint32_t o = fc_load(\&e->state); fc_store(\&e->state, FC_DONE); o; }) != FC_ASLEEP/' \
	'complete: loads and stores instead of exchanging'
bell 's/b->ops->wake_peer\(b, &e->state, 1\);//' 'complete: does not wake'
bell '/fc_store\(&e->result, result\);/d; s/b->ops->wake_peer\(b, &e->state, 1\);/&fc_store(\&e->result, result);/' 'complete: result after done'
bell 's/!fc_cas\(&e->state, FC_QUEUED, FC_ASLEEP\)/(fc_store(\&e->state, FC_ASLEEP), 0)/' 'sleep: stores over what the worker answered'
bell 's/fc_fence\(\); \/\* chunks before.*//' 'stream: no fence between chunks and asleep'
bell 's/fc_store\(&mine->asleep, 1\);//' 'stream: does not say that it sleeps'
bell 's/if \(fc_load\(&peer->asleep\)\)/if (0)/' 'stream: does not wake'
bell 's/wait\(b, &peer->chunks, seen, deadline_ns\)/wait(b, \&peer->chunks, fc_load(\&peer->chunks), deadline_ns)/' \
	'stream: sleeps on what it has not looked at'
mutant doorbell doorbell.h 's/return fc_load\(&h->credit\) < in_flight;/return fc_load(\&h->credit) + 1 < in_flight;/' \
	'client: rings one call too late'

wait
cat "$tmp"/*.result
caught=$(cat "$tmp"/*.result | grep -c '^noticed')
echo "mutants: $caught of $count noticed"
[ "$caught" -eq "$count" ]
