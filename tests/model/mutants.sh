#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Can the interleaving checker fail? Breaks a copy of the shipped sources in one place at a time, by sed, and expects the checker
# to notice. Environment: FC_SOURCE (the source tree, default .), CC. Leaves nothing behind.
set -u

src=$(cd "${FC_SOURCE:-.}" && pwd)
cc=${CC:-cc}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
flags=(-std=gnu11 -O1 -w -fcf-protection=none -fno-stack-protector -DFC_PAGE_SIZE=256 -DFC_QUEUE_GRACE=1 -DSHIM_MESSENGERS=1u
	'-D__builtin_ia32_rdtsc()=model_now()' -include "$src/tests/model/model_atomic.h"
	'-DFC_ATOMIC_HEADER="tests/model/model_atomic.h"' "-I$src/include")
count=0

# what each model is built of, and how many entries it has (2 to the power of)
common="common/queue.c common/doorbell.c"
crew="storage-domain/crew/credit.c storage-domain/crew/crew.c"
declare -A sources=(
	[queue]="$common"
	[doorbell]="$common $crew"
	[request]="$common $crew libc-shim/request/request.c libc-shim/request/wait.c"
	[crew]="$common $crew"
	[call]="$common $crew storage-domain/crew/interrupt.c"
	[licence]="$common storage-domain/licence.c"
	[ring]="$common"
) order=([queue]=1 [doorbell]=1 [request]=2 [crew]=1 [call]=2 [licence]=1 [ring]=1)

build() # MODEL OUTPUT ARGUMENTS...
{
	local model=$1
	shift
	# shellcheck disable=SC2086 # CC may hold options
	$cc "${flags[@]}" "-DFC_ENTRY_ORDER=${order[$model]}" -o "$@"
}

# try_mutant DIRECTORY MODEL FILE SED WHAT: one line on stdout, "noticed: ..." if all is well
try_mutant()
{
	local dir=$1 model=$2 file=$3 source status
	local -A from=([model]="$tmp/$model/model.o")

	for source in ${sources[$model]}; do
		from[$source]=$tmp/$model/$(basename "$source").o
	done
	mkdir -p "$dir/${file%/*}" && cp "$src/${file%/*}"/*.[ch] "$dir/${file%/*}" || return
	sed -i -E "$4" "$dir/$file"
	if cmp -s "$dir/$file" "$src/$file"; then
		echo "NOTHING TO BREAK any more (the source has changed: adapt this script): $5"
		return
	fi
	case $file in
	*.c) from[$file]=$dir/$file ;;
	*.h) # where its inline functions are used
		from[model]=$src/tests/model/model_$model.c
		[[ $model != call ]] || from[storage-domain/crew/interrupt.c]=$src/storage-domain/crew/interrupt.c
		;;
	esac
	if ! build "$model" "$dir/model" "-I$dir" "-I$src" "$tmp/$model/explore.o" "$tmp/$model/fifo.o" "${from[@]}"; then
		echo "DOES NOT COMPILE: $5"
		return
	fi
	(ulimit -t 60 && exec "$dir/model") >"$dir/out" 2>&1 # of its own time: whatever else runs
	status=$?
	if grep -q '^FAILED' "$dir/out"; then
		printf 'noticed: %-65s %s\n' "$5" "$(grep -m1 '^FAILED' "$dir/out")"
	elif ((status == 128 + 11)); then
		printf 'noticed: %-65s %s\n' "$5" "it reaches beyond the model's memory"
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

queue() { mutant queue common/queue.c "$@"; }
bell() { mutant doorbell common/doorbell.c "$@"; }
request() { mutant request libc-shim/request/request.c "$@"; }
waiting() { mutant request libc-shim/request/wait.c "$@"; }
crew() { mutant crew storage-domain/crew/crew.c "$@"; }
# within FUNCTION SED: in that function only
within() { echo "/^[a-z].* \\*?$1\\(/,/^}/$2"; }
calls() { mutant call storage-domain/crew/call.h "$@"; }
interrupt() { mutant call storage-domain/crew/interrupt.c "$@"; }
licence() { mutant licence storage-domain/licence.c "$@"; }
ring() { mutant ring common/ring.h "$@"; }

for model in "${!sources[@]}"; do
	mkdir "$tmp/$model"
	build "$model" "$tmp/$model/explore.o" "-I$src" -c "$src/tests/model/explore.c" &&
		build "$model" "$tmp/$model/fifo.o" "-I$src" -c "$src/tests/model/fifo.c" &&
		build "$model" "$tmp/$model/model.o" "-I$src" -c "$src/tests/model/model_$model.c" || exit 1
	for c in ${sources[$model]}; do
		build "$model" "$tmp/$model/$(basename "$c").o" "-I$src" -c "$src/$c" || exit 1
	done
	build "$model" "$tmp/$model/whole" "$tmp/$model"/*.o || exit 1
	"$tmp/$model/whole" >"$tmp/$model/out" 2>&1 || { cat "$tmp/$model/out"; echo "the $model model fails on what is not broken"; exit 1; }
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
bell 's/wait\(b, &h->bell, bell_seen, deadline_ns\)/wait(b, \&h->bell, fc_load(\&h->bell), deadline_ns)/' 'worker: reads the bell after the last look'
bell 's/fc_xchg\(&e->state, FC_DONE\) == FC_ASLEEP/({ uint32_t o = fc_load(\&e->state); fc_store(\&e->state, FC_DONE); o; }) == FC_ASLEEP/' \
	'complete: loads and stores instead of exchanging'
bell 's/b->ops->wake_peer\(b, &e->state, 1\);//' 'complete: does not wake'
bell '/fc_store\(&e->result, result\);/d; s/return (fc_xchg\(&e->state, FC_DONE\) == FC_ASLEEP);/bool s = \1; fc_store(\&e->result, result); return s;/' 'complete: result after done'
bell 's/!fc_cas\(&e->state, FC_QUEUED, FC_ASLEEP\)/(fc_store(\&e->state, FC_ASLEEP), 0)/' 'sleep: stores over what the worker answered'
bell 's/fc_fence\(\); \/\* chunks before.*//' 'stream: no fence between chunks and asleep'
bell 's/fc_store\(&mine->asleep, 1\);//' 'stream: does not say that it sleeps'
bell 's/if \(fc_load\(&peer->asleep\)\)/if (0)/' 'stream: does not wake'
bell 's/wait\(b, &peer->chunks, seen, deadline_ns\)/wait(b, \&peer->chunks, fc_load(\&peer->chunks), deadline_ns)/' \
	'stream: sleeps on what it has not looked at'
mutant doorbell common/doorbell.h 's/return fc_bell_credit\(h\) < in_flight;/return fc_bell_credit(h) + 1 < in_flight;/' \
	'client: rings one call too late'

mutant request storage-domain/crew/credit.c 's/!ready \? 0/!ready ? 1/' 'credit: one call too many is counted on'
request 's/\+\+count > n\)/++count > n + 1)/' 'submit: counts one call too few'
request 's/fc_store\(&q->slot\[r\[i\]\.slot\]\.sent, 1u\);//' 'submit: does not say that it has sent'
request 's/for \(unsigned i = 0; i < n; i\+\+\) \{/for (unsigned i = 0; i < 1; i++) {/' 'submit: only the first of several'
request 's/fc_cas\(&q->area->entry\[i\]\.state, FC_QUEUED, FC_FREE\);/;/' 'reclaim: the call that never came into the queue is lost'
request 's/if \(!is_over\(q, i\)/if (0/' 'take: does not ask whether the domain has let go'
request 's/fc_cas\(&slot->owner, had, owner\)/(fc_store(\&slot->owner, owner), 1)/' 'take: two take over the same slot'
request 's/return fc_cas\(&slot->owner, 0u, owner\);/fc_store(\&slot->owner, owner); return true;/' 'take: two take the same free slot'
request 's/close_opened\(q, i, owner, result & ~\(int64_t\)FC_OPENED_PIPE\);/set_over(q, i); fc_store(\&slot->owner, 0u);/' 'reclaim: what was opened stays open'
request 's/\(!look_for_dead \|\| had == owner \|\| shim_owner_alive\(had\)\)/1/' 'reclaim: the dead keep what they had'
request 's/fc_cas\(&q->slot\[i\]\.owner, owner, SHIM_NOBODY\)/fc_cas(\&q->slot[i].owner, owner, 0u)/' \
	'forget: free at once, whatever the domain does with it'
request 's/fc_store_release\(&slot->owner, 0u\);//' 'finish: does not give the slot back'
request 's/shim_slot_of\(m\)->about = [^;]*;//' 'abandon: nobody knows what the interruption was about'
waiting 's/fc_store\(&shim_slot_of\(r\)->sent, 0u\);//' 'wait: it counts as in flight for ever'
waiting 's/fc_store\(&e->state, FC_FREE\);//' 'wait: the entry is not free again'
waiting 's/int how = fc_entry_sleep\(&q->bell, e, [^;]*;/int how = q->bell.ops->wait(\&q->bell, \&e->state, FC_QUEUED, 0);/' \
	'wait: sleeps without saying so'

crew 's/c->count\.stuck \+= [^;]*;//' 'stuck: is not counted'
crew 's/since && now > since \+ limit/0/' 'a call that nobody announced is never found'
crew 's/fc_fence\(\); \/\* credit before.*//' 'hand over: no fence between the credit and the look at the queue'
crew 's/if \(fc_queue_peek\(&c->area->queue\)\)/if (0)/' 'hand over: does not look at the queue'
crew 's/none_ready = [^;]*;/none_ready = false;/' 'block: the last one hands nothing over'
crew "$(within fc_crew_block 's/publish_credit\(c\);//')" 'block: does not tell the client'
crew "$(within fc_crew_block 's/set_stuck\(c, m, true\);//')" 'block: is still counted on'
crew "$(within fc_crew_unstick 's/publish_credit\(c\);//')" 'unstick: does not tell the client'
crew "$(within fc_crew_unstick 's/set_stuck\(c, m, false\);//')" 'unstick: stays stuck'
crew "$(within fc_crew_sleep 's/set_stuck\(c, m, false\);//')" 'sleep: stays stuck'
crew 's/c->count\.awake--;//' 'sleep: is counted as awake'
crew "$(within fc_crew_sleep 's/publish_credit\(c\);//')" 'sleep: does not tell the client'
crew "$(within fc_crew_sleep 's/hand_over\(c\);/;/')" 'sleep: who leaves hands nothing over'
crew 's/> c->asleep_max/> c->asleep_max + 1/' 'sleep: one too many stays'
crew 's/c->count\.awake\+\+;//' 'wake: is not counted as awake'
crew 's/fc_crew_spare\(c\);/;/' 'wake: the last spare is not replaced'
crew "$(within fc_crew_wake 's/publish_credit\(c\);//')" 'wake: does not tell the client'
crew "$(within fc_crew_leave 's/discharge\(c, m\);//')" 'leave: is not counted off'
crew "$(within fc_crew_set_eager 's/publish_credit\(c\);//')" 'eager: does not tell the client'
crew 's/c->count\.live--;//' 'discharge: is not counted off'
crew 's/fc_crew_discharged\(c\);//' 'discharge: is paid for still'

calls 's/fc_store_release\(&m->call, FC_CALL_NEXT\);//' 'take: does not say that it takes one'
calls 's/fc_store_release\(&run->key, [(]name.*//' 'begin: nobody can interrupt it'
calls 's/fc_store_release\(&m->call, name\);//' 'begin: does not say which call it has'
calls 's/fc_store_release\(&run->key, 0\);//' 'end: can be interrupted still'
calls "$(within fc_call_end 's/fc_store_release\(&m->call, FC_CALL_NONE\);//')" 'end: says that it has the call still'
calls 's/== fc_call_mark\(nonce\);/!= 0;/' 'marked: by whatever mark there is'
calls 's/== fc_call_mark\(nonce\);/== 1;/' 'marked: never'
interrupt 's/fc_store_release\(&run->mark, [^;]*;/;/' 'interrupt: leaves no mark'
interrupt 's/fc_interrupt_disturb\(.*/;/' 'interrupt: sends no signal'
interrupt 's/key >> 32 == nonce && //' 'interrupt: whatever runs there'
interrupt 's/ && fc_crew_has\(.*\);/;/' 'interrupt: does not ask the crew'
interrupt 's/fc_cas\(&c->run\[index\]\.mark, [^;]*;//' 'interrupt: the mark stays'
interrupt 's/result = -ENOENT;/;/' 'interrupt: what never came is over'
interrupt 's/if \(told_to_end\(c, own\)\)/if (0)/' 'interrupt: cannot be interrupted'
interrupt 's/ \|\| fc_load_acquire\(&c->stop\)//' 'interrupt: goes on when all are to stop'

licence 's/fc_load\(&l->owner\) == 0 && fc_cas\(&l->owner, 0u, owner\)/fc_load(\&l->owner) == 0 \&\& (fc_store(\&l->owner, owner), 1)/' 'take: two take the same one'
licence "$(within fc_licence_give 's/return;/continue;/')" 'give: all that the process has'
licence 's/fc_load\(&l->owner\) == owner && fc_cas\(&l->owner, owner, 0u\)/fc_load(\&l->owner) == owner \&\& (fc_store(\&l->owner, 0u), 1)/' 'give: one that another has by now'
licence "$(within fc_licence_reclaim 's/fc_cas\([^;]*;/fc_store(\&of[i].owner, 0u);/')" 'reclaim: those of the living, too'
licence "$(within fc_licence_reclaim 's/fc_cas\([^;]*;/;/')" 'reclaim: the dead keep theirs'
licence 's/l->held = false;//' 'put: gives it back twice'

ring 's/\(void\)fc_xchg\(shared_tail, tail\)/fc_store_release(shared_tail, tail)/' 'publish: looks at the word before others see the write'
ring 's/return fc_load_acquire\(word\) == name/return true/' 'publish: does not look at the word again'
ring 's/fc_store_release\(word, \(uint64_t\)0\);//' 'revoke: says nothing'
ring '/fc_store\(asleep, how\);/{n;d}' 'rest: no fence before the last look'
ring 's/return fc_load_acquire\(tail\) == done/return true/' 'rest: no last look'
ring 's/fc_store\(asleep, how\);//' 'rest: does not say that it sleeps'
wait
cat "$tmp"/*.result
caught=$(cat "$tmp"/*.result | grep -c '^noticed')
echo "mutants: $caught of $count noticed"
[ "$caught" -eq "$count" ]
