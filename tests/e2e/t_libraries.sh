#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# libraries on an export that the dynamic linker looks for before the program starts: by name, run path and environment, as natively; and what
# the program and its children see of how that is done
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ -z ${FC_TEST_XEN:-} ]] || skip "on Xen no file is handed over"
command -v gcc >/dev/null || skip "no gcc"

# In a directory of the export, with one for what is local.
cat >"$TESTDIR/script" <<'END'
cd "$1" && l=$2 && mkdir -p "$l" || exit
cat >f.c <<'C'
static __thread int n = 40;
__attribute__((constructor)) static void begin(void) { n++; }
int f(void) { return ++n; }
C
cat >m.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern char **environ;
int f(void);
int main(int argc, char **argv)
{
	char text[8] = "";
	Dl_info i;
	FILE *file = fopen(argc > 1 ? argv[1] : "f.c", "r");

	printf("%d %s %s", f(), dladdr((void *)f, &i) ? i.dli_fname : "?", fgets(text, sizeof(text), file) ? text : "nothing");
	for (char **e = environ; *e; e++)
		if (!strncmp(*e, "LD_AUDIT", 8) || !strncmp(*e, "LD_LIB", 6))
			printf(" %s", *e);
	puts("");
	fflush(stdout);
	return system("echo child ${LD_AUDIT-none}");
}
C
printf '#include <stdio.h>\n__attribute__((constructor)) static void c(void) { puts("preloaded"); }\n' >p.c
printf '#include <link.h>\nunsigned la_version(unsigned v) { return v; }\n' >a.c
mkdir -p d && gcc -shared -fPIC -o libf.so f.c && gcc -shared -fPIC -o d/libp.so p.c && gcc -shared -fPIC -nostdlib -o "$l/a.so" a.c || exit
gcc -o "$l/path" m.c "$PWD/libf.so"; gcc -o "$l/here" m.c ./libf.so
gcc -o "$l/run" m.c -L. -lf -Wl,-rpath,"$PWD",--enable-new-dtags; gcc -o "$l/old" m.c -L. -lf -Wl,-rpath,"$PWD",--disable-new-dtags
gcc -o "$l/none" m.c -L. -lf; gcc -o origin m.c -L. -lf -Wl,-rpath,'$ORIGIN'; gcc -no-pie -o "$l/fixed" m.c "$PWD/libf.so"
for p in path here run old fixed; do echo "$p"; "$l/$p"; echo "rc $?"; done
echo "environment"; LD_LIBRARY_PATH=$PWD "$l/none"; LD_LIBRARY_PATH=/nowhere:. "$l/none"; LD_LIBRARY_PATH= "$l/none"
(cd d; LD_LIBRARY_PATH=/nowhere:.. "$l/none" ../f.c); "$l/none" 2>/dev/null; echo "rc $?"
./origin; (cd /; "$1/origin" "$1/f.c"); exec 5<f.c; "$l/path" /dev/fd/5; exec 5<&-
LD_PRELOAD=$PWD/d/libp.so${LD_PRELOAD:+:$LD_PRELOAD} /bin/echo x; LD_PRELOAD="./d/libp.so $LD_PRELOAD" "$l/path"
echo "audit"; LD_AUDIT=$l/a.so "$l/path"; LD_AUDIT=$l/a.so "$l/run"; LD_AUDIT=$l/a.so /bin/sh -c 'echo "$LD_AUDIT"'
echo "linker"; /lib64/ld-linux-x86-64.so.2 "$l/run"; ldd "$l/run" 2>/dev/null | grep -c "libf.so => $PWD/libf.so"; LD_TRACE_LOADED_OBJECTS=1 ./origin | grep -c "libf.so => $PWD/libf.so"
ldd ./origin 2>/dev/null | grep -c "libf.so => $PWD"; /lib64/ld-linux-x86-64.so.2 "$PWD/origin" f.c; (ldd ./libf.so | grep -c libc.so; ldd ./f.c 2>&1 | grep -c dynamic; /lib64/ld-linux-x86-64.so.2 ./none; echo "rc $?") 2>/dev/null
printf '__thread char big[20000] __attribute__((tls_model("initial-exec"))); int t(void) { return big[19999] + 7; }' >t.c
printf '#include <stdio.h>\n#include <stdlib.h>\nint t(void); int main(void) { char *s = getenv("GLIBC_TUNABLES"); printf("%%d %%s\\n", t(), s ? s : "none"); }' >tm.c
gcc -shared -fPIC -o libt.so t.c && gcc -o "$l/big" tm.c -L. -lt -Wl,-rpath,"$PWD"; "$l/big"; GLIBC_TUNABLES=glibc.malloc.check=1 "$l/big"
rm libf.so; "$l/path" 2>&1 | sed 's/.*path: //'; echo "rc ${PIPESTATUS[0]}"
END
mkdir "$TESTDIR/native"
bash "$TESTDIR/script" "$TESTDIR/native" "$TESTDIR/local" >"$TESTDIR/out.native" 2>&1
rm -rf "$TESTDIR/local"
far_begin
far bash "$TESTDIR/script" "$far" "$TESTDIR/local" >"$TESTDIR/out.far" 2>&1
sed -i "s|$TESTDIR/native|$far|g" "$TESTDIR/out.native"
check "as natively" diff "$TESTDIR/out.native" "$TESTDIR/out.far"
check "something is said" test "$(grep -c '^42 ' "$TESTDIR/out.far")" -gt 12

# what is not found, and is natively: all that farcall(7) says
cat >"$TESTDIR/limits" <<'END'
cd "$1" && l=$2 && mkdir -p "$l" || exit
printf 'int f(void) { return 1; }\n' >f.c
printf 'int f(void); int g(void) { return f(); }\n' >g.c
printf 'int f(void); int main(void) { return f() != 1; }\n' >m.c
printf 'int g(void); int main(void) { return g() != 1; }\n' >n.c
printf '__thread char big[200000] __attribute__((tls_model("initial-exec"))); int f(void) { return big[199999] + 1; }\n' >t.c
gcc -shared -fPIC -o libf.so f.c && gcc -shared -fPIC -o libt.so t.c && gcc -shared -fPIC -o "$l/libg.so" g.c -L. -lf -Wl,-rpath,"$PWD" || exit
mkdir "$l/lib" && ln -s "$PWD/libf.so" "$l/lib/"
gcc -o "$l/library" n.c -L"$l" -lg -Wl,-rpath,"$l" -Wl,--allow-shlib-undefined
gcc -o "$l/linked" m.c -L. -lf -Wl,-rpath,"$l/lib"
gcc -o "$l/tls" m.c -L. -lt -Wl,-rpath,"$PWD"
gcc -o here m.c -L. -lf -Wl,-rpath,"$PWD"; gcc -o origin m.c -L. -lf -Wl,-rpath,'$ORIGIN'
for p in library linked tls; do "$l/$p"; echo "$p $?"; done
for p in here origin; do "./$p"; echo "$p $?"; done
/lib64/ld-linux-x86-64.so.2 --library-path "$PWD" "$PWD/here"; echo "options $?"
/lib64/ld-linux-x86-64.so.2 ./here; echo "linker $?"
printf '%s ' ldd; ldd ./here 2>/dev/null | grep -c libc.so
END
mkdir "$TESTDIR/native2" "$TESTDIR/far/2"
bash "$TESTDIR/limits" "$TESTDIR/native2" "$TESTDIR/local2" >"$TESTDIR/out.native" 2>"$TESTDIR/err"
check "all of it is found natively" test "$(xargs <"$TESTDIR/out.native")" = "library 0 linked 0 tls 0 here 0 origin 0 options 0 linker 0 ldd 1"
far bash "$TESTDIR/limits" "$far/2" "$TESTDIR/local3" >"$TESTDIR/out.far" 2>"$TESTDIR/err"
check "and not remotely" test "$(xargs <"$TESTDIR/out.far")" = "library 127 linked 127 tls 127 here 0 origin 0 options 127 linker 0 ldd 1"
far_end
far_options=:nomap
far_begin
far bash "$TESTDIR/limits" "$far" "$TESTDIR/local4" >"$TESTDIR/out.far" 2>"$TESTDIR/err"
check "where programs are copies" test "$(xargs <"$TESTDIR/out.far")" = "library 127 linked 127 tls 127 here 0 origin 127 options 127 linker 0 ldd 1"
far_end
finish
