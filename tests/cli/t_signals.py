#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""t_signals.py - signals on their way through `farcall run`: to it alone, to its process group, from a terminal; each must
reach the command exactly once. Stopping and continuing too."""
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time

FARCALL = os.environ.get("FARCALL") or os.path.join(os.environ.get("FC_BUILD", "build"), "farcall")
# Counts what it gets; says what it has got, and ends, when it gets SIGUSR2.
COUNTER = """
import signal, sys, time
got = []
for s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(s, lambda n, f: got.append(n))
def end(n, f):
    print("got", *sorted(got), flush=True)
    sys.exit(0)
signal.signal(signal.SIGUSR2, end)
print("ready", flush=True)
while True:
    time.sleep(60)
"""
failures = 0


def wrong(what):
    global failures
    print("FAIL:", what)
    failures += 1


def read_line(fd, seconds=10):
    line = b""
    end = time.monotonic() + seconds
    while not line.endswith(b"\n") and time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                byte = os.read(fd, 1)
            except OSError:
                break
            if not byte:
                break
            line += byte
    return line.decode().strip()


def command(directory):
    return [FARCALL, "run", "-v", directory + ":/data", "--", sys.executable, "-c", COUNTER]


def try_signals(directory, to_group):
    what = "to the group" if to_group else "to farcall alone"
    run = subprocess.Popen(command(directory), stdout=subprocess.PIPE, start_new_session=True)
    out = run.stdout.fileno()
    if read_line(out) != "ready":
        wrong(f"{what}: the command does not start")
        run.kill()
        return
    expected = []
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGTERM):
        (os.killpg if to_group else os.kill)(run.pid, number)
        expected.append(int(number))
        time.sleep(0.2)
    # two at once
    for number in (signal.SIGTERM, signal.SIGUSR1):
        (os.killpg if to_group else os.kill)(run.pid, number)
        expected.append(int(number))
    time.sleep(0.3)
    os.kill(run.pid, signal.SIGUSR2)
    got = read_line(out)
    if got != " ".join(["got"] + [str(n) for n in sorted(expected)]):
        wrong(f"{what}: {got}, expected {sorted(expected)}")
    if run.wait(10):
        wrong(f"{what}: status {run.returncode}")


def daemon_of(parent):
    """Process group, session and terminal of the domain that a farcall has started."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                name, rest = file.read().rsplit(")", 1)
        except OSError:
            continue
        _, ppid, group, session, terminal = rest.split()[:5]
        if int(ppid) == parent and "(farcall-storage" in name:
            return int(group), int(session), int(terminal)
    return None


def try_terminal(directory):
    pid, terminal = pty.fork()
    if not pid:
        os.execv(FARCALL, command(directory))
    if read_line(terminal) != "ready":
        wrong("terminal: the command does not start")
        os.kill(pid, signal.SIGKILL)
        return
    daemon = daemon_of(pid)
    # in the same session, where the scheduler has them share; and nothing of the terminal's
    if not daemon or daemon[0] == os.getpgid(pid) or daemon[1:] != (os.getsid(pid), 0):
        wrong(f"terminal: the domain's group, session and terminal are {daemon}")
    os.write(terminal, b"\x03")  # Ctrl-C
    time.sleep(0.3)
    os.kill(pid, signal.SIGUSR2)
    line = read_line(terminal)
    if line.replace("^C", "") != "got 2":
        wrong(f"terminal: {line}, expected one SIGINT")
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        wrong("terminal: status")
    os.close(terminal)


def try_stop(directory):
    """SIGTSTP stops the command, and farcall with it, so that a shell sees the job stop; SIGCONT continues both."""
    run = subprocess.Popen([FARCALL, "run", "-v", directory + ":/data", "--", "sh", "-c", "echo ready; exec sleep 60"],
                           stdout=subprocess.PIPE, process_group=0)
    if read_line(run.stdout.fileno()) != "ready":
        wrong("stop: the command does not start")
    os.killpg(run.pid, signal.SIGTSTP)
    end = time.monotonic() + 5
    stopped = False
    while not stopped and time.monotonic() < end:
        pid, status = os.waitpid(run.pid, os.WNOHANG | os.WUNTRACED)
        stopped = pid == run.pid and os.WIFSTOPPED(status)
        time.sleep(0.02)
    if not stopped:
        wrong("stop: farcall did not stop with its command")
    os.killpg(run.pid, signal.SIGCONT)
    time.sleep(0.2)
    os.kill(run.pid, signal.SIGTERM)
    try:
        if run.wait(10) != -signal.SIGTERM:
            wrong(f"stop: status {run.returncode} after SIGTERM")
    except subprocess.TimeoutExpired:
        wrong("stop: farcall or its command does not go on")
        os.killpg(run.pid, signal.SIGKILL)


def main():
    if not os.access(FARCALL, os.X_OK):
        print(f"no farcall command at {FARCALL}")
        return 77
    with tempfile.TemporaryDirectory() as directory:
        try_signals(directory, to_group=False)
        try_signals(directory, to_group=True)
        try_terminal(directory)
        try_stop(directory)
    print("t_signals:", f"{failures} failed" if failures else "passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
