# SPDX-License-Identifier: GPL-2.0-or-later
# FC_XEN - look for what talks to Xen from user space: libxengnttab, libxenevtchn, libxenstore. Sets XEN_CFLAGS and XEN_LIBS, the
# conditional HAVE_XEN and the macro HAVE_XEN. Optional: without them everything but Xen works.
AC_DEFUN([FC_XEN], [
AC_ARG_WITH([xen],
	[AS_HELP_STRING([--with-xen], [storage domains that are Xen virtual machines @<:@if libxen-dev is installed@:>@])],
	[], [with_xen=auto])
have_xen=no
AS_IF([test "$with_xen" != no], [
	PKG_CHECK_MODULES([XEN], [xengnttab xenevtchn xenstore], [have_xen=yes], [
		AS_IF([test "$with_xen" = yes],
			[AC_MSG_ERROR([--with-xen: a library is missing: apt-get install libxen-dev])])])
])
AS_IF([test "$have_xen" = yes], [XEN_CFLAGS="$XEN_CFLAGS -DHAVE_XEN"])
# The domain watches xenstore: the static library makes its thread for that with a stack that is too small (xs_watch gives EINVAL), for only
# the shared one asks the C library how large it must be. The command does not watch.
AS_IF([test "$have_xen" = yes], [
	fc_xenstore=`$PKG_CONFIG --libs xenstore`
	XENSTORE_LIBS=$fc_xenstore
	XEN_LIBS=`$PKG_CONFIG --libs xengnttab xenevtchn`
	AS_IF([$PKG_CONFIG --exists xentoolcore xentoollog], [
		FC_STATIC([XENSTORE_LIBS], [xs_open], [`$PKG_CONFIG --libs xentoolcore`])
		FC_STATIC([XEN_LIBS], [xengnttab_open], [`$PKG_CONFIG --libs xentoolcore xentoollog`])])
	XEN_LIBS="$XEN_LIBS $fc_xenstore"])
AC_SUBST([XENSTORE_LIBS])
AM_CONDITIONAL([HAVE_XEN], [test "$have_xen" = yes])
])
