# SPDX-License-Identifier: GPL-2.0-or-later
# FC_LIBC: which C libraries programs can be linked with to get the shim, and where their sources are.
AC_DEFUN([FC_LIBC], [
AC_ARG_WITH([libc],
	[AS_HELP_STRING([--with-libc=LIST], [C libraries to build the shim for: glibc, uclibc-ng, musl @<:@glibc@:>@])],
	[], [with_libc=glibc])
AC_ARG_WITH([uclibc-source],
	[AS_HELP_STRING([--with-uclibc-source=PATH], [uClibc-ng, a directory or tarball @<:@Debian's uclibc-source@:>@])],
	[UCLIBC_SOURCE=$withval], [UCLIBC_SOURCE=])
AC_ARG_WITH([musl-source],
	[AS_HELP_STRING([--with-musl-source=PATH], [musl, a directory or tarball @<:@Debian's source package@:>@])],
	[MUSL_SOURCE=$withval], [MUSL_SOURCE=])
AC_SUBST([UCLIBC_SOURCE])
AC_SUBST([MUSL_SOURCE])
fc_libc_targets=
for fc_libc in `echo "$with_libc" | tr , ' '`; do
	AS_CASE([$fc_libc],
		[glibc], [],
		[uclibc-ng|musl], [AS_VAR_APPEND([fc_libc_targets], [" libc-$fc_libc"])],
		[AC_MSG_ERROR([--with-libc=$with_libc: $fc_libc is not glibc, uclibc-ng or musl])])
done
AC_SUBST([LIBC_TARGETS], [$fc_libc_targets])
AS_IF([test -n "$UCLIBC_SOURCE" && test ! -e "$UCLIBC_SOURCE"], [AC_MSG_ERROR([$UCLIBC_SOURCE does not exist])])
AS_IF([test -n "$MUSL_SOURCE" && test ! -e "$MUSL_SOURCE"], [AC_MSG_ERROR([$MUSL_SOURCE does not exist])])
])
