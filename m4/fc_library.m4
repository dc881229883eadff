# SPDX-License-Identifier: GPL-2.0-or-later
# FC_STATIC(VARIABLE, FUNCTION, [MORE LIBRARIES]) - if FUNCTION can be had from static ones of the libraries in VARIABLE, have it from these: each
# shared one is looked for, mapped and relocated at every start of a program, most of which never call it.
AC_DEFUN([FC_STATIC], [
AC_MSG_CHECKING([for a static library with $2])
fc_static_save=$LIBS
LIBS="-Wl,-Bstatic $[]$1 $3 -Wl,-Bdynamic $LIBS"
AC_LINK_IFELSE([AC_LANG_CALL([], [$2])],
	[$1="-Wl,-Bstatic $[]$1 $3 -Wl,-Bdynamic"
	AC_MSG_RESULT([yes])],
	[AC_MSG_RESULT([no])])
LIBS=$fc_static_save
])

# FC_SONAME(MACRO, LIBRARY, FUNCTION, IF-MISSING) - the name that the shared library is loaded by, as a string.
AC_DEFUN([FC_SONAME], [
AC_MSG_CHECKING([for the name of lib$2])
fc_soname_save=$LIBS
LIBS="-Wl,--no-as-needed -l$2 $LIBS"
fc_soname=
AC_LINK_IFELSE([AC_LANG_CALL([], [$3])],
	[fc_soname=`LC_ALL=C ${OBJDUMP:-objdump} -p conftest$EXEEXT | sed -n 's/^ *NEEDED *\(lib$2\.so@<:@^ @:>@*\)$/\1/p'`])
LIBS=$fc_soname_save
AC_MSG_RESULT([${fc_soname:-none}])
AS_IF([test "$fc_soname"], [AC_DEFINE_UNQUOTED([$1], ["$fc_soname"], [The name that lib$2 is loaded by])], [$4])
])
