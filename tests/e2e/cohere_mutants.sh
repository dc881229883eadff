#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Can t_cohere.sh fail? Breaks a copy of the source and its build in one place at a time, by sed, and expects the test to notice within a minute. And a
# copy that is only slow at one place has to pass it. By hand.
# Environment: FC_SOURCE, FC_BUILD (a directory of the source's that is built), FC_COHERE_SECONDS (60), FC_MUTANTS (where the copies are made and
# stay; default: nowhere).
# usage: cohere_mutants.sh [-n] [WORD]: only those whose description contains WORD; -n: only build them
set -u

src=$(cd "${FC_SOURCE:-.}" && pwd)
build=$(cd "${FC_BUILD:-$src/build}" && pwd)
[[ $build == "$src"/* ]] || { echo "the build is not below the source"; exit 2; }
run=1
[[ ${1-} != -n ]] || { run=; shift; }
only=${1-}
tmp=${FC_MUTANTS-}
if [[ ! $tmp ]]; then
	tmp=$(mktemp -d) || exit 1
	trap 'rm -rf "$tmp"' EXIT
fi
count=0
missed=0

# break_it DIRECTORY FILE SED WHAT: a copy that is built
break_it()
{
	local dir=$1

	[[ ! -e $dir/built ]] || return 0
	rm -rf "$dir"
	mkdir -p "$dir/${build#"$src/"}" || return
	(cd "$src" && tar cf - --exclude=./.git --exclude='./build*' .) | tar xf - -C "$dir" || return
	(cd "$build" && tar cf - --exclude=./test-logs .) | tar xf - -C "$dir/${build#"$src/"}" || return
	sed -i -E "$3" "$dir/$2"
	if cmp -s "$dir/$2" "$src/$2"; then
		echo "NOTHING TO BREAK any more (the source has changed: adapt this script): $4"
		return 1
	fi
	if ! make -C "$dir/${build#"$src/"}" farcall farcall-storaged libfarcall.so tests/e2e/h_cohere >"$dir/make.log" 2>&1; then
		echo "DOES NOT COMPILE: $4"
		return 1
	fi
	touch "$dir/built"
}

# mutant FILE SED WHAT: WHAT says what is broken; one line on stdout
mutant()
{
	try notices "$@"
}

# slow FILE FUNCTION LINE NS WHAT: before LINE (a regular expression) in FUNCTION something else happens for a while
slow()
{
	try bears "$1" "/^[a-z].*\\<$2\\(/,/^}/s/^(\\t+)($3)/\\1fc_call(35, ((const long[2]){ 0, $4 }), 0); \\/* nanosleep *\\/\\n\\1\\2/" "slow: $5"
}

# try notices|bears FILE SED WHAT
try()
{
	local dir began here want=$1
	shift

	count=$((count + 1))
	dir=$tmp/$count
	[[ $3 == *"$only"* ]] || return 0
	break_it "$dir" "$@" || { missed=$((missed + 1)); return; }
	[[ $run ]] || return 0
	began=$SECONDS
	here=$dir/${build#"$src/"}
	FC_COHERE_SECONDS=${FC_COHERE_SECONDS:-60} FC_COHERE_CLIENTS=1 FC_SOURCE=$dir FC_BUILD=$here FARCALL=$here/farcall \
		"$dir/tests/e2e/t_cohere.sh" >"$dir/log" 2>&1
	case $?/$want in
	0/bears) echo "borne: $3" ;;
	0/*) echo "NOT NOTICED: $3"; missed=$((missed + 1)) ;;
	*/bears) echo "NOT BORNE: $3: $(grep -m1 -E '^CANNOT BE|hangs|ended with|^h_cohere' "$dir/log")"; missed=$((missed + 1)) ;;
	*) printf 'noticed after %2d s: %-70s %s\n' $((SECONDS - began)) "$3" "$(grep -m1 -E '^CANNOT BE|hangs|ended with|^h_cohere' "$dir/log")" ;;
	esac
	[[ ${FC_MUTANTS-} ]] || rm -rf "$dir"
}

mutant libc-shim/session/lease.c 's/return holds\(s, word\) && fc_load\(&f->lease\.word\) == word \? \(int64_t\)total : -1;/return (int64_t)total;/' \
	'a mapped read does not look at the word again'
mutant libc-shim/session/post.c 's/return holds && fc_load\(&f->lease\.word\) == p->word \? SHIM_POSTED : SHIM_POST_PENDING;/(void)f, (void)holds; return SHIM_POSTED;/' \
	'who posts does not look at the word again'
mutant storage-domain/shadow/lease.c '/^static void end\(/,/^}/s/if \(posting\)/if (0)/' 'what is posted is not written before a lease is given up'
mutant libc-shim/session/post.c 's/if \(!is_silent\(nr\)\)/if (0 \&\& !is_silent(nr))/' 'local calls do not wait for what is posted'
mutant storage-domain/shadow/lease.c '/^static void end\(/,/^}/{s/^\ttake_back\(s, i\);//;s/^(\tpthread_mutex_lock\(&s->posts\.lock\);)/\ttake_back(s, i);\n\1/}' \
	'the word is taken back only after what is posted has been written'
mutant storage-domain/crew/worker.c 's/if \(w->exec\.e\.flags & FC_REQ_AFTER\)/if (0)/' 'requests do not come after what is posted'
mutant libc-shim/session/lease.c '/^void shim_lease_write_begin/,/^}/s/if \(!\(fc_load/if (1 || !(fc_load/' 'what is written stays in the cache as it was'
slow libc-shim/session/lease.c shim_lease_end 'shim_session_lock' 300000 'a client that gives a delegation back has not told the domain yet'
slow libc-shim/session/lease.c ask 'fc_xchg' 300000 'a client that has a delegation does not know it yet'
slow libc-shim/session/lease.c ask 'if \(r == 0 && has_changed' 3000000 'a client that has a delegation has not looked what else has happened yet'
slow libc-shim/session/lease.c shim_lease_read 'fc_load_fence' 1000 'what has been read has not been found to hold yet'
slow libc-shim/session/post.c publish 'holds = fc_ring_publish' 3000 'what is posted is not in the ring yet'
slow libc-shim/session/post.c publish 'fc_store\(&o->published' 3000 'what is in the ring is not known to be there yet'
slow libc-shim/calls/fill.c ask 'put\(' 100000 'what has been read is not in the cache yet'
slow storage-domain/shadow/lease.c end 'if \(posting' 300000 'who waits for a file, and what is posted is not written yet'
slow storage-domain/shadow/lease.c end 'pthread_mutex_lock' 300000 'who waits for a file, and the lease is not given up yet'
slow storage-domain/shadow/lease.c delegate 'if \(fc_call' 300000 'who has a lease, and there is no word for it yet'
slow storage-domain/shadow/lease.c fc_lease 'fc_shadow_answer' 300000 'who has a word, and has not been told yet'
slow storage-domain/exec/post.c run_batch 'error = write_all' 30000 'what is posted is written slowly'
((!missed))
