#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Can the fuzzer fail? Breaks a copy of the shipped sources in one place at a time, by sed, and expects the target that runs them to notice
# within FC_FUZZ_SECONDS (100, about what CI gives it). By hand. Environment: FC_SOURCE. Leaves nothing behind.
# usage: mutants.sh [WORD]: only those whose description contains WORD
set -u

src=$(cd "${FC_SOURCE:-.}" && pwd)
seconds=${FC_FUZZ_SECONDS:-100}
only=${1-}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/fuzz/build.sh
. "$src/tests/fuzz/build.sh"
count=0

# try_mutant DIRECTORY TARGET FILE SED WHAT: one line on stdout
try_mutant()
{
	local dir=$1 target=$2 file=$3 began

	mkdir -p "$dir/found" && cp -r "$src/common" "$src/include" "$src/storage-domain" "$dir" || return
	sed -i -E "$4" "$dir/$file"
	if cmp -s "$dir/$file" "$src/$file"; then
		echo "NOTHING TO BREAK any more (the source has changed: adapt this script): $5"
		return
	fi
	if ! fuzz_build "$dir" "$src" "$dir/out" "$target" 2>"$dir/build.log"; then
		echo "DOES NOT COMPILE: $5"
		return
	fi
	began=$SECONDS
	# shellcheck disable=SC2046 # one word or none
	"$dir/out/$target" "${fuzz_options[@]}" $(fuzz_dictionary "$src" "$target") "-artifact_prefix=$dir/" "-max_total_time=$seconds" "$dir/found" \
		"$src/tests/fuzz/corpus/$target" >"$dir/log" 2>&1
	if grep -qE '^fuzz: |ERROR: ' "$dir/log"; then
		printf 'noticed after %3d s: %-55s %s\n' $((SECONDS - began)) "$5" "$(grep -m1 -oE '^fuzz: .*|(Address|Leak)Sanitizer: [a-zA-Z-]*|libFuzzer: .*' "$dir/log")"
	else
		echo "NOT NOTICED: $5"
	fi
	rm -rf "$dir"
}

# mutant TARGET FILE SED WHAT: WHAT says what is broken
mutant()
{
	[[ $4 == *"$only"* ]] || return 0
	while (($(jobs -pr | wc -l) >= 2)); do sleep 0.2; done
	count=$((count + 1))
	try_mutant "$tmp/$count" "$@" | tee "$tmp/$count.result" &
}

# a file of exec/: the request target
request() { mutant request "storage-domain/exec/$1" "$2" "$3"; }
control() { mutant control "$@"; }
supervisor() { mutant supervisor "$@"; }

request execute.h 's/if \(!fc_region_ok\(x->data_length, offset, length\)\)/if (0)/' 'locate: no bound of the data area'
request execute.h 's/if \(!fc_region_ok\(fc_segment_end\(segment\), offset, length\)\)/if (0)/' 'locate: buffers cross segments'
request execute.h 's/\(unsigned\)fd - FC_DOMAIN_FD_FIRST <= FC_DOMAIN_FD_MAX - FC_DOMAIN_FD_FIRST/(unsigned)fd <= FC_DOMAIN_FD_MAX/' \
	"the domain's own descriptors are the client's"
request execute.c 's/count > FC_IOV_MAX \|\| //' 'iovec: any number'
request execute.c 's/x->iov\[i\]\.iov_len = one\.length/x->iov[i].iov_len = shared[i].length/' 'iovec: the length is read twice'
request execute.c 's/^\tend\[-1\] = 0;.*//' 'path: its end is not put there again'
request execute.c 's/fc_exec_at\(x, offset, FC_PATH_MAX\)/fc_exec_at(x, offset, 1)/' 'path: its buffer may be shorter'
request execute.c 's/a\[i\] = \(long\)x->path\[\*paths\];/a[i] = (long)fc_exec_at(x, v, 1);/' 'path: the kernel reads the shared one'
request execute.c 's/fc_exec_fd\(strtoul\(digits, &end, 10\)\) < 0/(strtoul(digits, \&end, 10), 0)/' '/proc/self/fd: any descriptor'
request ioctl.c 's/size = sizeof head \+ head\.fm_extent_count/size = sizeof head + shared->fm_extent_count/' 'fiemap: the count is read twice'
request ioctl.c 's/\*copy = head;/fc_exec_fetch(copy, shared, sizeof head);/' 'fiemap: the head is read twice'
request ioctl.c 's/if \(head\.fm_extent_count > FC_FIEMAP_EXTENTS_MAX\)/if (0)/' 'fiemap: any number of extents'
request ioctl.c '/range\.src_fd = /d' 'FICLONERANGE: any descriptor'
request ioctl.c 's/r = fc_call\(SYS_ioctl, fd, request, copy\);/r = fc_call(SYS_ioctl, fd, request, shared);/' 'ioctl: runs from the shared object'
request fcntl.c 's/r = fc_call\(SYS_fcntl, fd, cmd, &l\);/r = fc_call(SYS_fcntl, fd, cmd, shared);/' 'fcntl: runs from the shared lock'
request open.c 's/inside\.resolve \|= RESOLVE_NO_MAGICLINKS;//' 'open: follows magic links'
request open.c 's/inside\.resolve \|= RESOLVE_NO_XDEV;//' 'open: leaves the export'
request open.c 's/if \(size > FC_PAGE_SIZE\)/if (0)/; s/shared = fc_exec_at\(x, x->e\.arg\[2\], size\)/shared = fc_exec_at(x, x->e.arg[2], sizeof how)/' \
	'openat2: a structure that runs out of the area'
request access.c 's/if \(fc_cred_apply\(&x->cred\)\)/if (0)/' 'access: stays with the real ids'
request stream.c 's/arg\[4\] > FC_STREAM_SLOTS_MAX/arg[4] > 64/' 'stream: more buffers than there is room for'
request stream.c 's/fc_exec_at\(x, at, FC_CHUNK\)/fc_exec_at(x, at, 1)/' 'stream: short buffers'
request path.c "s/target\[0\] == '\/' \? FC_PATH_MAX : sizeof w->text/8 * FC_PATH_MAX/" 'walk: a link longer than its room'
request path.c '0,/^\t\t\t\tfc_call\(SYS_close, fd\);/s///' 'walk: a descriptor stays open'
mutant request storage-domain/crew/worker.c '/if \(fc_load_acquire\(&s->cut_off/,+1d' 'worker: goes on for a session that has been cut off'
mutant request storage-domain/crew/worker.c 's/fc_exec_fetch\(e, shared, sizeof \*e\);/fc_exec_fetch(e, shared, sizeof *e); e->state = shared->state;/' 'entry: its state is read twice'
mutant request common/queue.c 's/unsigned i = position & \(FC_QUEUE_SLOTS - 1\)/uint64_t i = position/; s/unsigned i = position/uint64_t i = position/' 'queue: no mask on the position'
mutant request common/queue.c 's/\(FC_QUEUE_SLOTS - 1\);$/(2 * FC_QUEUE_SLOTS - 1);/' 'queue: a mask too wide'
mutant request common/wire.c 's/^#define INOUT_OBJ_OPT\(T\).*/#define INOUT_OBJ_OPT(T) { FC_KIND_VAL, 0 }/; s/^#define OUT_OBJ\(T\).*/#define OUT_OBJ(T) { FC_KIND_OUT_OBJ, 8 }/' \
	'table: an object is smaller than what the kernel writes'

control storage-domain/shadow/memory_local.c 's/if \(part\[n\]\.size != size\)/if (part[n].size > size)/' 'memory: a memfd that is too short'
control storage-domain/shadow/memory_local.c 's/\(seals & SEALS_WANTED\) != SEALS_WANTED/!(seals \& F_SEAL_GROW)/' 'memory: a memfd that can be shrunk'
control storage-domain/shadow/memory_local.c 's/return brings \? fc_receive_apart\(p, judge\) : /return /' 'memory: descriptors come into the workers'"'"' table'
control storage-domain/shadow/receive.c '/SYS_close, r->packet->fd\[i\]/d' 'receiving: descriptors stay open'
control storage-domain/shadow/areas.c 's/size != length \|\| length \+ size > FC_DATA_MAX/size > FC_DATA_MAX/' 'grow: a segment of any size'
control storage-domain/shadow/areas.c 's/\|\| !fc_segment_boundary\(length\) //' 'shrink: to any length'
control storage-domain/shadow/areas.c 's/if \(p->head\.arg\[0\] != FC_DATA_MIN\)/if (0)/; s/add_segment\(s, p, 1, FC_DATA_MIN\)/add_segment(s, p, 1, p->head.arg[0])/' \
	'areas: a first segment of any size'
control storage-domain/shadow/shadow_main.c 's/if \(n \? !s->memory->complete\(p, n\) : p->nfds \|\| p->head\.size\)/if (0)/' 'message: any number of descriptors'
control storage-domain/shadow/shadow_main.c 's/groups > \(int64_t\)\(sizeof c->group \/ sizeof c->group\[0\]\) \|\| //; s/\|\| p->head\.size != size/\&\& 0/' 'identity: any number of groups'
control common/control.c 's/if \(p->nfds < FC_MSG_FDS\)/if (p->nfds < 64)/' 'descriptors: more than a message has room for'

supervisor storage-domain/supervisor/connection.c 's/cred->caps = p->caps & FC_CAPS_FILES/cred->caps = p->caps/' 'identity: all capabilities'
supervisor storage-domain/supervisor/connection.c 's/\|\| c->waiting != FC_WAIT_NOTHING\)\)/))/' 'connection: two requests at once'
supervisor storage-domain/supervisor/stranger.c 's/return brings \? -EPROTO : /return /' 'stranger: the supervisor takes descriptors'
supervisor storage-domain/supervisor/stranger.c 's/!\(shutdown\(sock, SHUT_RD\) == 0 && drain\(sock\)\)/0/' 'stranger: the supervisor closes a socket with descriptors in it'
supervisor storage-domain/supervisor/connection.c 's/if \(v->privileged\)$/if (1)/; s/if \(!v->privileged && \(fsuid/if (0 \&\& (fsuid/' 'identity: a rootless domain lends others'
supervisor storage-domain/supervisor/connection.c '0,/\tif \(c->waiting == FC_WAIT_CRED\)/s//\tif (0)/' 'connection: is remembered after its end'
supervisor storage-domain/supervisor/session.c 's/fc_packet_drop\(&p\);//' 'link: descriptors stay open'
supervisor storage-domain/supervisor/session.c 's/p->nfds != fds \|\| //' 'link: any number of descriptors'
supervisor storage-domain/supervisor/peer.c 's/length = strcspn\(name, "\\n"\);/length = strcspn(name, "\\n"); memcpy(p->comm, name, length);/' 'status: a name longer than its room'

while (($(jobs -pr | wc -l))); do sleep 0.2; done
caught=$(cat "$tmp"/*.result | grep -c '^noticed')
echo "mutants: $caught of $count noticed"
[ "$caught" -eq "$count" ]
