# SPDX-License-Identifier: GPL-2.0-or-later
# fc_build.m4 - how farcall is compiled: sanitizers, warnings and what the shim is compiled with.

# FC_SANITIZERS: --enable-sanitizers=address|thread|undefined|address,undefined. Sets SANITIZER_CFLAGS, for everything but
# the preload object, which runs inside programs that are not instrumented.
AC_DEFUN([FC_SANITIZERS], [
AC_ARG_ENABLE([sanitizers],
	[AS_HELP_STRING([--enable-sanitizers=LIST],
		[instrument daemon, command and tests: address, undefined, address,undefined or thread])],
	[], [enable_sanitizers=no])
AS_CASE([$enable_sanitizers],
	[no], [fc_sanitizers=],
	[yes], [fc_sanitizers=address,undefined],
	[address|thread|undefined|address,undefined|undefined,address], [fc_sanitizers=$enable_sanitizers],
	[AC_MSG_ERROR([--enable-sanitizers takes address, undefined, address,undefined or thread, not $enable_sanitizers])])
SANITIZER_CFLAGS=
AS_IF([test -n "$fc_sanitizers"], [
	SANITIZER_CFLAGS="-fsanitize=$fc_sanitizers -fno-omit-frame-pointer"
	AS_CASE([$fc_sanitizers], [*undefined*], [SANITIZER_CFLAGS="$SANITIZER_CFLAGS -fno-sanitize-recover=undefined"])
	# gcc warns that ThreadSanitizer does not model fences: it may miss races there, the model checker does not
	AS_CASE([$fc_sanitizers], [thread], [SANITIZER_CFLAGS="$SANITIZER_CFLAGS -Wno-tsan"])
	fc_save_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $SANITIZER_CFLAGS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM], [], [AC_MSG_ERROR([the compiler cannot link with $SANITIZER_CFLAGS])])
	CFLAGS=$fc_save_CFLAGS
])
AC_SUBST([SANITIZER_CFLAGS])
AM_CONDITIONAL([SANITIZERS], [test -n "$fc_sanitizers"])
AM_CONDITIONAL([SANITIZE_THREAD], [test "$fc_sanitizers" = thread])
])

# FC_WARNINGS: WARNING_CFLAGS. --enable-werror turns them into errors (the test runner does; a tarball's user need not).
AC_DEFUN([FC_WARNINGS], [
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat warnings as errors])], [], [enable_werror=no])
WARNING_CFLAGS="-Wall -Wextra"
AS_IF([test "$enable_werror" = yes], [WARNING_CFLAGS="$WARNING_CFLAGS -Werror"])
AC_SUBST([WARNING_CFLAGS])
])

# FC_PLAIN_MOVES: PLAIN_MOVES_CFLAGS, for code without vector registers. There gcc copies and clears structs with `rep movs` and `rep stos`, which take longer to
# begin than a system call's worth of moves takes.
AC_DEFUN([FC_PLAIN_MOVES], [
AC_CACHE_CHECK([how to have structs copied by plain moves], [fc_cv_plain_moves], [
	fc_cv_plain_moves=
	fc_save_CFLAGS=$CFLAGS
	fc_moves=unrolled_loop:256:noalign,libcall:-1:noalign
	CFLAGS="$CFLAGS -Werror -mmemcpy-strategy=$fc_moves -mmemset-strategy=$fc_moves"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM],
		[fc_cv_plain_moves="-mmemcpy-strategy=$fc_moves -mmemset-strategy=$fc_moves"])
	CFLAGS=$fc_save_CFLAGS
])
AC_SUBST([PLAIN_MOVES_CFLAGS], [$fc_cv_plain_moves])
])
