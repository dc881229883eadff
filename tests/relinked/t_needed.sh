#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Libraries on an export that a program relinked with musl needs at its start: by name, run path, environment, by way of each other and of local links, with
# thread-local storage of their own. What the programs print there they print where the libraries are local.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/relinked/libraries.sh
. "$(dirname "$0")/libraries.sh"
need_farcall
need gcc
library musl

build=musl-dynamic
real=$TESTDIR/real far=$TESTDIR/far near=$TESTDIR/near
mkdir -p "$real/deep" "$near/both"
cd "$TESTDIR" || exit 1
cat >one.c <<'END'
#include <stdio.h>
static __thread int n = 40;
static __thread char large[3000];
__attribute__((constructor)) static void begin(void) { FILE *f = fopen(TEXT, "r"); n += f ? fgetc(f) - '0' : 100; if (f) fclose(f); }
int one(void) { return ++n + large[2999]; }
END
cat >two.c <<'END'
int one(void);
int two(void) { return one() + WHERE; }
END
cat >main.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int two(void);
static __thread int mine = 5;
static void *thread(void *arg) { printf("%s %d %d\n", (char *)arg, two(), ++mine); return 0; }
int main(int argc, char **argv)
{
	char text[8] = "";
	FILE *f = fopen(TEXT, "r+");
	pthread_t t;
	printf("%d %s", two(), f && fgets(text, sizeof text, f) ? text : "nothing\n");
	thread("here"); pthread_create(&t, 0, thread, "there"); pthread_join(t, 0);
	fflush(stdout);
	if (!fork()) { thread("child"); fflush(stdout); execv(argc > 1 ? argv[1] : "/bin/true", argv + 1); _exit(9); }
	wait(0);
	return 7;
}
END
echo 1 >"$real/text"
# made OUT OPTION...
made()
{
	# shellcheck disable=SC2046 # a list of words
	$(compiler $build) -O2 -w -pthread "-DTEXT=\"$far/text\"" -o "$@" || wrong "$1 does not compile"
}
build_library() { made "$1" "$2" -shared -fPIC "${@:3}"; }
build_library "$real/libone.so" "$TESTDIR/one.c"
ln -s "$real" "$far" # to link with
build_library "$real/deep/libtwo.so" "$TESTDIR/two.c" -DWHERE=1000 "-L$far" -lone "-Wl,-rpath,\$ORIGIN/.."
build_library "$near/both/libtwo.so" "$TESTDIR/two.c" -DWHERE=2000 "-L$far" -lone "-Wl,-rpath,$far"
build_library "$real/libtwo.so" "$TESTDIR/two.c" -DWHERE=3000 "$far/libone.so"
printf '#include <unistd.h>\n__attribute__((constructor)) static void begin(void) { write(1, "preloaded\\n", 10); }\n' >pre.c
build_library "$real/pre.so" "$TESTDIR/pre.c"
program() { made "$1" "$TESTDIR/main.c" "${@:2}"; }
program "$near/path" "$far/libtwo.so"
program "$near/run" "-L$far/deep" -ltwo "-Wl,-rpath,$far/deep" "-Wl,-rpath-link,$far"
program "$near/none" "-L$far/deep" -ltwo "-Wl,-rpath-link,$far"
program "$real/origin" "-L$far/deep" -ltwo "-Wl,-rpath,\$ORIGIN/deep" "-Wl,-rpath-link,$far"
program "$near/link" "-L$far/deep" -ltwo "-Wl,-rpath,$near/to" "-Wl,-rpath-link,$far"
ln -s "$far/deep" "$near/to"
rm "$far"

cat >"$TESTDIR/script" <<'END'
near=$1 far=$2
for p in path run link; do echo "$p"; "$near/$p" "$near/path"; echo "status $?"; done
[ "$3" ] || { echo origin; "$far/origin" "$near/run"; echo "status $?"; }
echo environment
LD_LIBRARY_PATH=$far/deep "$near/none"; LD_LIBRARY_PATH=/nowhere:$far "$near/none"; LD_LIBRARY_PATH=$far/deep:$near/both "$near/none"; LD_LIBRARY_PATH=$near/both:$far/deep "$near/none"
(cd "$far" && LD_LIBRARY_PATH=deep "$near/none"; cd deep && LD_LIBRARY_PATH=../nothing:. "$near/none" "$near/path"); LD_LIBRARY_PATH=/nowhere "$near/none" 2>&1 | grep -c 'libtwo.so: No such file'
LD_PRELOAD=$far/pre.so${LD_PRELOAD:+:$LD_PRELOAD} "$near/run"
exec 5<"$far/text"; "$near/path" "$near/run" <&5; exec 5<&-
cp "$far/libone.so" "$far/new" && mv "$far/libone.so" "$far/old" && "$near/run" 2>&1 | grep -c 'libone.so: No such file'; mv "$far/new" "$far/libone.so"; "$near/run"
echo text >"$far/libone.so"; "$near/run" 2>&1 | grep -c 'libone.so: '; rm "$far/libone.so"; mv "$far/old" "$far/libone.so"
END
timeout 60 "$FARCALL" run -v "$real:$far" -- sh "$TESTDIR/script" "$near" "$far" >"$TESTDIR/remote" 2>&1
# nothing handed over: a library is mapped as a copy, and a program's is not beside it (farcall(7))
timeout 60 "$FARCALL" run -v "$real:$far:nomap" -- sh "$TESTDIR/script" "$near" "$far" copies >"$TESTDIR/nomap" 2>&1
FARCALL_CHECK=1 timeout 60 "$FARCALL" run -v "$real:$far" -- "$near/run" >"$TESTDIR/checked" 2>&1
mv "$real" "$far"
timeout 60 sh "$TESTDIR/script" "$near" "$far" >"$TESTDIR/native" 2>&1
timeout 60 sh "$TESTDIR/script" "$near" "$far" copies >"$TESTDIR/copies" 2>&1
check "the programs run" test "$(grep -c 'status 7' "$TESTDIR/native")" = 4
check "remotely" diff "$TESTDIR/native" "$TESTDIR/remote"
check "remotely, where nothing is handed over" diff "$TESTDIR/copies" "$TESTDIR/nomap"
check "no call goes past the hook" test "$(grep -c 'farcall: check' "$TESTDIR/checked")" = 0
# without a domain nothing of it is to be seen
check "an ordinary program" test "$("$near/run" | head -n 1)" = "$(sed -n '/^run$/{n;p}' "$TESTDIR/native")"
finish
