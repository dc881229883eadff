#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# programs and scripts that are on an export: what they are told of themselves (h_program.c), and that they are busy, as natively
. "$(dirname "$0")/../lib.sh"
need_farcall
need python3
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen a program is run from a copy"
program=$(helper e2e/h_program) || exit 77

# In a directory with the program: prints what can be seen, paths as they are there.
cat >"$TESTDIR/script" <<'END'
cd "$1" || exit
ln -s p link; mkdir d; cp p d/sleep
./p; "$PWD/p" a b; ./link; (cd d; ../p); PATH=$PWD:$PATH p; env -i ./p
(exec -a other ./p); python3 -c 'import os; os.posix_spawn("./p", ["spawned"], os.environ); os.wait()'
printf '#!/bin/sh\n[ $# = 1 ] || cat /proc/$$/comm; echo $0 $#\n' >s; chmod 755 s
./s 1 2; ./p descriptors s
# first lines as the kernel reads them: carriage returns, words, zeros, lengths, chains
python3 - <<'PY'
import os
def run(what, line):
    with open("l", "wb") as f: f.write(line)
    os.chmod("l", 0o755); print(what, flush=True)
    if not os.fork():
        try: os.execve("./l", ["zero", "one"], {})
        except OSError as e: print(e.strerror, flush=True)
        os._exit(0)
    os.wait()
run("cr", b"#!/bin/echo\r\n"); run("cr behind", b"#!/bin/echo x\r\n"); run("words", b"#! \t/bin/echo  a  b \t\n")
run("zero", b"#!/bin/echo  \0\n"); run("bare", b"#!"); run("empty", b"#!\n"); run("blank", b"#! " + b" " * 300 + b"/bin/echo\n")
for n in (254, 255, 256, 257, 300):
    run("path %d" % n, b"#!" + b"/" * (n - 10) + b"bin/echo\n"); run("argument %d" % n, b"#!/bin/echo ".ljust(n, b"a") + b"\n")
for i in range(7):
    with open("c%d" % i, "w") as f: f.write("#!./c%d\n" % (i - 1) if i else "#!/bin/echo\n")
    os.chmod("c%d" % i, 0o755); run("chain %d" % i, b"#!./c%d\n" % i)
    with open("d%d" % i, "w") as f: f.write("#!./d%d\n" % (i - 1) if i else "#!./p\n")
    os.chmod("d%d" % i, 0o755); run("own chain %d" % i, b"#!./d%d\n" % i)
PY
chmod 111 d/sleep; d/sleep; chmod 644 d/sleep; d/sleep; echo "rc $?"
(exec 9>>p; ./p); echo "busy: rc $?"; (exec 9>>s; ./s); echo "busy script: rc $?"
cp /bin/sleep d/long; d/long 5 & sleep 0.3
(echo x >>d/long); echo "running: rc $?"; cp s d/long; echo "rc $?"; kill $!; wait $! 2>/dev/null; cp s d/long && d/long
END
mkdir "$TESTDIR/native"
cp "$program" "$TESTDIR/native/p"
far_begin
cp "$program" "$TESTDIR/far/p"
bash "$TESTDIR/script" "$TESTDIR/native" >"$TESTDIR/out.native" 2>"$TESTDIR/err"
far bash "$TESTDIR/script" "$far" >"$TESTDIR/out.far" 2>>"$TESTDIR/err"
sed -i "s|$TESTDIR/native|$far|g" "$TESTDIR/out.native"
check "as natively" diff "$TESTDIR/out.native" "$TESTDIR/out.far"
check "something is said" test "$(grep -c 'exe /data/' "$TESTDIR/out.far")" -gt 8

far_options=:nomap
far_begin
cp "$program" "$TESTDIR/far/p"
check "a copy, where nothing is handed over" test "$(far "$far/p" x | cut -d' ' -f1-2)" = "$far/p 2:"
# shellcheck disable=SC2016
check "which is written while it runs" far sh -c 'cp "$(command -v sleep)" "$0/long" && { "$0/long" 5 & } && sleep 0.3 && echo x >>"$0/long" && kill $!' "$far"
far_end
finish
