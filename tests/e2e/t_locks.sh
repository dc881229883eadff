#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# flock and fcntl locks between processes: see h_locks.c. And a handler ends the wait for one from its very beginning, however slow the domain is.
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_locks
[[ ! ${FC_TEST_XEN:-} ]] || finish

# The domain stops before the call, and goes on after the only signal.
waits='import fcntl, os, signal, subprocess, sys
class Ended(Exception): pass
def end(*_): raise Ended
what, path, stop, go = sys.argv[1:]
held, f = os.open(path, os.O_RDWR | os.O_CREAT), None
pid = os.fork()
if pid == 0:
    getattr(fcntl, what)(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
    os.kill(os.getpid(), signal.SIGSTOP)
os.waitpid(pid, os.WUNTRACED)
signal.signal(signal.SIGALRM, end)
subprocess.Popen(["sh", "-c", stop + "; (sleep 1; " + go + ") &"]).wait()
try:
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    getattr(fcntl, what)(held, fcntl.LOCK_EX)
except Ended:
    print("ended")
os.kill(pid, 9)'

need python3
far_begin
# shellcheck disable=SC2154 # start_domain sets it
cat >"$TESTDIR/shadows" <<END
shadows=\$(pgrep -x farcall-shadow -P \$(pgrep -x farcall-nursery -P $far_pid))
kill \$1 \$shadows \$(for shadow in \$shadows; do pgrep -x farcall-shadow -P \$shadow; done)
END
for what in flock lockf; do
	ended=$(far timeout -k 1 20 python3 -c "$waits" $what "$far/waits" "sh $TESTDIR/shadows -STOP" "sh $TESTDIR/shadows -CONT")
	check "a handler ends $what" test "$ended" = ended
	sh "$TESTDIR/shadows" -CONT
done
far_end
finish
