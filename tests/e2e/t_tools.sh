#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ordinary tools through the shim: each does natively and remotely the same, on equal trees at the same path, prints the same,
# and leaves the same; and under strace none of their storage calls on the prefix reaches the client's own kernel.
. "$(dirname "$0")/../lib.sh"
need_farcall
need strace python3 unshare

prefix=$TESTDIR/mnt
mkdir -p "$prefix" "$TESTDIR/n" "$TESTDIR/r" "$TESTDIR/out"
python=$(python3 -c 'import sys; print(sys.executable)') # not a shell script in front of it

make_tree()
{
	rm -rf "${1:?}"/* "$TESTDIR/out"/*
	mkdir -p "$1/src/deep/er"
	seq 1 5000 >"$1/src/numbers"
	head -c 300000 /dev/zero | tr '\0' x >"$1/src/big"
	: >"$1/src/empty"
	echo local >"$TESTDIR/out/local"
	for i in $(seq 1 150); do echo "$i" >"$1/src/deep/er/file$i"; done
	ln -s numbers "$1/src/link"
	ln -s ../../out/local "$1/src/out"
	ln "$1/src/numbers" "$1/src/hard"
	chmod 750 "$1/src/deep"
	chmod 600 "$1/src/deep/er/file7"
	find "$1" -exec touch -h -d 2020-02-02 {} +
}

# both NAME COMMAND...: natively, remotely and under strace
both()
{
	local what=$1 native remote
	shift

	make_tree "$TESTDIR/n"
	natively "$TESTDIR/n" "$prefix" "$@" >"$TESTDIR/native.out" 2>&1 </dev/null
	native=$?
	picture "$TESTDIR/out" >"$TESTDIR/native.local"
	make_tree "$TESTDIR/r"
	remotely "$TESTDIR/r" "$prefix" "$@" >"$TESTDIR/remote.out" 2>&1 </dev/null
	remote=$?
	picture "$TESTDIR/out" >"$TESTDIR/remote.local"
	check "$what: status $remote instead of $native" test $remote = $native
	check "$what: output" diff "$TESTDIR/native.out" "$TESTDIR/remote.out"
	check "$what: tree" same_tree "$TESTDIR/n" "$TESTDIR/r"
	check "$what: local files" diff "$TESTDIR/native.local" "$TESTDIR/remote.local"
	make_tree "$TESTDIR/s"
	timeout 100 strace -f -y -qq -s 256 -o "$TESTDIR/strace" -e 'trace=!futex' \
		"$FARCALL" run --domain "$domain_socket" -- "$@" >"$TESTDIR/strace.out" 2>&1 </dev/null
	remote=$?
	check "$what under strace: status $remote" test $remote = $native
	check "$what under strace: output" diff "$TESTDIR/native.out" "$TESTDIR/strace.out"
	check "$what: calls on the prefix reach the client's kernel" leaks "$TESTDIR/strace" "$prefix"
}

mkdir -p "$TESTDIR/s"
start_domain domain "$TESTDIR/s:$prefix"

both cat cat "$prefix/src/numbers" "$prefix/src/link" "$prefix/src/nothing"
both "cp -a in" cp -a "$prefix/src" "$prefix/copy"
both "cp -a out" cp -a "$prefix/src/deep" "$TESTDIR/out/copy"
both "cp -a back" cp -a "$TESTDIR/out/local" "$prefix/src/deep/local"
both mv mv "$prefix/src/deep" "$prefix/moved"
both "mv out" mv "$prefix/src/deep" "$prefix/src/numbers" "$TESTDIR/out"
both "rm -r" rm -r "$prefix/src/deep" "$prefix/src/link"
both "rm -rf all" rm -rf "$prefix/src"
both "rm nothing" rm "$prefix/src/nothing" "$prefix/src/deep"
both "ls -lR" ls -lR "$prefix"
both "ls -la" ls -la --full-time "$prefix/src/" "$prefix/src/link" "$prefix/src/out"
both find find "$prefix" -type f -size -2 -name 'file1*' -print
both "find -delete" find "$prefix/src/deep" -name '*3' -delete
both "find -exec" find "$prefix/src" -maxdepth 1 -type f -exec wc -c {} +
both "tar c" tar -C "$prefix" --sort=name -cf "$prefix/all.tar" src
both "tar round trip" sh -c "mkdir $prefix/x && tar -C $prefix -cf - src | tar -C $prefix/x -xpf - && ls -lR $prefix/x"
both sha256sum sha256sum "$prefix/src/numbers" "$prefix/src/big" "$prefix/src/empty"
both "wc, head, tail, sort" sh -c "wc $prefix/src/numbers; head -3 $prefix/src/numbers; tail -3 $prefix/src/numbers
	sort -r $prefix/src/numbers -o $prefix/sorted"
both "sed -i" sed -i s/7/seven/g "$prefix/src/numbers"
both "touch, chmod, ln" sh -c "touch -d 2001-01-01 $prefix/src/big; chmod 711 $prefix/src/big; ln $prefix/src/big $prefix/b
	ln -s x $prefix/s; stat -c '%n %h %a %Y %s' $prefix/src/big $prefix/b; readlink $prefix/s; rmdir $prefix/src"
both "grep -r" grep -rl 77 "$prefix/src"
both "du, df" sh -c "du -a --apparent-size $prefix/src/numbers; df --output=target $prefix >/dev/null; echo \$?"

# each `...` becomes the prefix in what the shells run
shells()
{
	local what=$1 text=${2//.../$prefix}

	both "sh: $what" sh -c "$text"
	both "bash: $what" bash -c "$text"
}

shells "pipes" 'cat .../src/numbers | tr 1 2 | sort -n | uniq -c | tail -5; cat .../src/numbers | head -1'
shells "redirections" 'echo one > .../a; echo two >> .../a; cat < .../a; cat <.../a >.../b 2>&1; ls .../nothing 2> .../err
	wc -l < .../err; : > .../a; exec 3> .../three; echo 3 >&3; exec 3>&-; cat .../three; echo x 1>&2 2>.../y'
shells "here-documents" 'cat > .../here <<END
some $HOME text
END
cat .../here; cat <<-END | tee .../tee
	tabs
	END'
shells "background jobs" 'for i in 1 2 3 4; do (echo $i > .../job$i; cat .../job$i > .../copy$i) & done; wait; cat .../copy?'
shells "command substitution" 'x=$(cat .../src/numbers | wc -l); y=$(ls .../src | sort); echo $x $y; z=`cat .../src/deep/er/file9`; echo $z'
shells "cd into the mount" 'cd .../src && pwd && ls && cat numbers | head -2 && cd deep && pwd && cat er/file3 && cd ../.. && pwd &&
	echo rel > rel && mkdir sub && cd sub && echo q > ../q && cd .. && cd .. && pwd && ls -d mnt; /bin/pwd; cd .../src/deep/er; /bin/pwd'
shells "globs and tests" 'cd .../src; echo *; echo deep/er/file1?; test -f numbers && echo file; test -d deep && echo dir; test -L link && echo link
	[ -s empty ] || echo empty; [ -w big ] && echo writable; for f in .../src/*; do test -x $f && echo x $f; done'
shells "loops over lines" 'n=0; while read x; do n=$((n + x)); done < .../src/numbers; echo $n; while read a; do echo "<$a>"; done < .../src/deep/er/file5'
shells "subshells share offsets" '(read a; read b; echo $a $b; cat | head -c 20 >/dev/null) < .../src/numbers; { read x; (read y; echo $y); read z; echo $x $z; } < .../src/numbers
	(echo a; (echo b); echo c; sh -c "echo d") > .../shared; cat .../shared'
shells "errors" 'cat .../src/deep; cd .../nothing; echo $?; rmdir .../src; mkdir .../src; echo > .../no/where; mv .../src/numbers .../src/numbers; exit 7'
both "bash: process substitution, arrays" bash -c "mapfile -t a < $prefix/src/numbers; echo \${#a[@]} \${a[17]}; diff <(cat $prefix/src/numbers) <(seq 1 5000) && echo same
	cat <<< hello > $prefix/string; exec {fd}<> $prefix/rw; echo 12345 >&\$fd; exec {fd}>&-; cat $prefix/rw $prefix/string; coproc cat; echo c >&\${COPROC[1]}; read -r -u \${COPROC[0]} l; echo \$l > $prefix/l"
both "bash: noclobber, pipefail" bash -c "set -C; echo 1 > $prefix/c; echo 2 > $prefix/c; echo 3 >| $prefix/c; cat $prefix/c; set -o pipefail; cat $prefix/no | cat; echo \$?"

cat >"$TESTDIR/tool.py" <<'END'
import os, shutil, subprocess, sys, tempfile, pathlib, mmap
top = sys.argv[1]
os.chdir(top)
print(sorted(os.listdir('.')), os.getcwd())
print(subprocess.run(['cat', 'src/deep/er/file3'], capture_output=True).stdout)
print(subprocess.check_output('sort -rn src/numbers | head -2', shell=True))
with open('out1', 'w') as f:
    subprocess.run(['echo', 'to a remote file'], stdout=f)
    subprocess.run(['sh', '-c', 'echo more; echo err >&2'], stdout=f, stderr=subprocess.STDOUT)
with open('src/numbers') as f:
    print(subprocess.run(['head', '-n', '2'], stdin=f, capture_output=True).stdout)
    f.seek(0)
    print(subprocess.run(['wc', '-l'], stdin=f, cwd='src/deep', capture_output=True).stdout)
p = subprocess.Popen(['tee', 'tee1', top + '/tee2'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True)
print(p.communicate(b'x' * 100000)[0] == b'x' * 100000)
shutil.copytree('src', 'tree', symlinks=True)
for base, dirs, files in os.walk('tree'):
    dirs.sort()
    print(base, len(files))
shutil.rmtree('tree')
with tempfile.NamedTemporaryFile(dir=top) as t:
    t.write(b'temp'); t.flush()
    print(os.path.getsize(t.name))
print([p.name for p in sorted(pathlib.Path(top).glob('src/*'))])
with open('src/big', 'rb') as f, mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as m:
    print(len(m), m[:4])
try:
    open('nowhere/x')
except OSError as e:
    print(e)
os.rename('src/empty', 'renamed'); os.symlink('renamed', 'sym'); os.link('renamed', 'hard2')
print(os.path.realpath('sym') == os.path.join(top, 'renamed'), os.path.samefile('renamed', 'hard2'))
pid = os.fork()
if pid == 0:
    with open('child', 'w') as f: f.write('child')
    os._exit(3)
print(os.waitpid(pid, 0)[1] >> 8, open('child').read())
pid = os.posix_spawn('/bin/sh', ['sh', '-c', 'cat; echo spawned'], os.environ,
    file_actions=[(os.POSIX_SPAWN_OPEN, 0, 'src/deep/er/file9', os.O_RDONLY, 0),
                  (os.POSIX_SPAWN_OPEN, 1, 'spawned', os.O_WRONLY | os.O_CREAT, 0o644)])
print(os.waitpid(pid, 0)[1], open('spawned').read())
END
both python3 "$python" -B "$TESTDIR/tool.py" "$prefix"
finish
