/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_config.c - the reader of the shim's configuration, on good and bad files. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libc-shim/config.h"

static struct fc_config config;

/* Load a configuration with this text from a directory of its own. */
static int load(const char *text, size_t size)
{
	char dir[] = "/tmp/farcall-test-XXXXXX", path[64];
	FILE *f;
	int err;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" FC_CONFIG_FILE, dir);
	f = fopen(path, "w");
	cr_assert(f && fwrite(text, 1, size, f) == size && !fclose(f));
	err = fc_config_load(&config, dir);
	if (!err)
		cr_expect_str_eq(config.dir, dir);
	unlink(path);
	rmdir(dir);
	return err;
}

static int load_text(const char *text)
{
	return load(text, strlen(text));
}

#define FIRST FC_CONFIG_FIRST_LINE "\n"

Test(config, good)
{
	cr_assert_eq(load_text(FIRST "domain /run/x/domain.sock\n"
				     "mount 0 rw /data\n"
				     "\n"
				     "domain /run/with space/s\n"
				     "mount 1 ro /a b/c\n"
				     "mount 0 ro /other\n"
				     "sites /var/cache/farcall\n"),
		     0);
	cr_assert_eq(config.ndomains, 2);
	cr_assert_eq(config.nmounts, 3);
	cr_expect_str_eq(config.domain[1].address, "/run/with space/s");
	cr_expect_str_eq(config.mount[0].prefix, "/data");
	cr_expect_eq(config.mount[0].length, 5);
	cr_expect_not(config.mount[0].read_only);
	cr_expect_str_eq(config.mount[1].prefix, "/a b/c");
	cr_expect_eq(config.mount[1].domain, 1);
	cr_expect(config.mount[1].read_only);
	cr_expect_eq(config.mount[2].domain, 0);
	cr_expect_str_eq(config.sites, "/var/cache/farcall");
	cr_expect_eq(load_text(FIRST "sites /s"), 0); /* no newline at the end */
}

Test(config, trust)
{
	cr_assert_eq(load_text(FIRST "domain /a\ndomain /b\ntrust 1\nsites /s\n"), 0);
	cr_expect_not(config.domain[0].trusted);
	cr_expect(config.domain[1].trusted);
	cr_assert_eq(load_text(FIRST "domain /a\ndomain /b\nsites /s\n"), 0);
	cr_expect_not(config.domain[1].trusted, "left over from before");
	cr_expect_eq(load_text(FIRST "trust 0\ndomain /a\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\ntrust 1\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\ntrust\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\ntrust 0 \nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\ntrust 0 1\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\ntrust 00x\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\ntrust -1\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\ntrust 0\ntrust 0\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "xen a\ntrust 0\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\nmount 0rw /x\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "domain /a\nmount 0\nsites /s\n"), -EINVAL);
}

Test(config, cache)
{
	cr_assert_eq(load_text(FIRST "cache 4096\nsites /s\n"), 0);
	cr_expect_eq(config.cache, 4096);
	cr_assert_eq(load_text(FIRST "sites /s\n"), 0);
	cr_expect_eq(config.cache, FC_CONFIG_CACHE, "left over from before");
	cr_assert_eq(load_text(FIRST "cache 0\nsites /s\n"), 0);
	cr_expect_eq(config.cache, 0);
	cr_expect_eq(load_text(FIRST "cache 68719476736\nsites /s\n"), 0);
	cr_expect_eq(load_text(FIRST "cache 68719476737\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "cache 99999999999999999999999\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "cache\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "cache \nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "cache -1\nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "cache 1 \nsites /s\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "cache 1\ncache 1\nsites /s\n"), -EINVAL);
}

Test(config, preload)
{
	char text[FC_PATH_MAX + 100];

	cr_assert_eq(load_text(FIRST "preload /usr/lib/far call/libfarcall.so\nsites /s\n"), 0);
	cr_expect_str_eq(config.preload, "/usr/lib/far call/libfarcall.so");
	cr_assert_eq(load_text(FIRST "sites /s\n"), 0);
	cr_expect_str_eq(config.preload, "", "left over from before");
	cr_expect_eq(load_text(FIRST "sites /s\npreload\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "sites /s\npreload \n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "sites /s\npreload libfarcall.so\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "sites /s\npreload /a\npreload /a\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "sites /s\npreloads /a\n"), -EINVAL);
	cr_expect_eq(load_text(FIRST "preload /a\n"), -EINVAL); /* no sites */
	for (int over = 0; over < 2; over++) {
		snprintf(text, sizeof(text), FIRST "sites /s\npreload /%0*d\n", FC_PATH_MAX - 2 + over, 0);
		cr_expect_eq(load_text(text), over ? -ENAMETOOLONG : 0);
	}
}

Test(config, bad)
{
	static const char *const bad[] = {
		"",
		FIRST,
		FIRST "sites\n",
		FIRST "sites relative\n",
		FIRST "sites /s\nsites /s\n",
		FIRST "sites /s\nnonsense\n",
		FIRST "sites /s\nmount 0 rw /data\n",
		FIRST "sites /s\ndomain /d\nmount 1 rw /data\n",
		FIRST "sites /s\ndomain /d\nmount 0 rx /data\n",
		FIRST "sites /s\ndomain /d\nmount 0 rw /\n",
		FIRST "sites /s\ndomain /d\nmount 0 rw data\n",
		FIRST "sites /s\ndomain /d\nmount -1 rw /data\n",
		FIRST "sites /s\ndomain /d\nmount 99999999999 rw /data\n",
		FIRST "sites /s\ndomain /d\nmount 0 rw\n",
		FIRST "sites /s\ndomain\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(load_text(bad[i]), -EINVAL, "accepted, or another error: %s", bad[i]);
	cr_expect_eq(load_text("farcall-config 2\nsites /s\n"), -EPROTONOSUPPORT);
	cr_expect_eq(load_text("hello\n"), -EPROTONOSUPPORT);
	cr_expect_eq(load(FIRST "sites /s\0x\n", sizeof(FIRST "sites /s\0x\n") - 1), -EINVAL);
}

Test(config, limits)
{
	char text[20000] = FIRST "sites /s\n";
	size_t at = strlen(text);

	memset(text + at, '\n', sizeof(text) - at);
	cr_expect_eq(load(text, sizeof(text)), -EINVAL);
	snprintf(text + at, sizeof(text) - at, "domain /%0*d\n", 107, 0);
	cr_expect_eq(load_text(text), -ENAMETOOLONG);
	snprintf(text + at, sizeof(text) - at, "domain /%0*d\n", 106, 0);
	cr_expect_eq(load_text(text), 0);
	for (int i = 1; i < FC_CONFIG_DOMAINS; i++)
		strcat(text, "domain /d\n");
	cr_expect_eq(load_text(text), 0);
	strcat(text, "domain /d\n");
	cr_expect_eq(load_text(text), -EINVAL);
}

Test(config, missing)
{
	cr_expect_eq(fc_config_load(&config, "/nonexistent"), -ENOENT);
	cr_expect_eq(fc_config_load(&config, "relative"), -EINVAL);
}

/* fc_config_system on a file with this text; what it finds is in `found`, of which it may use `room` bytes. */
static char found[64];

static int system_dir(const char *text, size_t size, size_t room)
{
	char path[] = "/tmp/farcall-test-XXXXXX";
	int fd = mkstemp(path), got;

	cr_assert(fd >= 0 && write(fd, text, size) == (ssize_t)size && !close(fd));
	memset(found, '?', sizeof(found));
	got = fc_config_system(path, found, room);
	for (size_t i = room; i < sizeof(found); i++)
		cr_expect_eq(found[i], '?', "%s: wrote behind the end", text);
	unlink(path);
	return got;
}

static void expect_system(const char *text, const char *want)
{
	int got = system_dir(text, strlen(text), sizeof(found));

	cr_expect_eq(got, (int)strlen(want), "%s: %d", text, got);
	if (*want)
		cr_expect_str_eq(found, want);
}

Test(config, system)
{
	expect_system("/run/farcall-system\n", "/run/farcall-system");
	expect_system("/run/no newline", "/run/no newline");
	expect_system("# comment\n\n#/run/no\n\n/run/yes\n/run/late\n", "/run/yes");
	expect_system("/run/yes\nnonsense\n", "/run/yes");
	expect_system("", "");
	expect_system("\n\n", "");
	expect_system("# /run/no\n#", "");
}

Test(config, system_bad)
{
	static const char *const bad[] = { "relative\n", " /run/x\n", "#\nrelative\n/run/x\n", "\t\n" };
	char text[20000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(system_dir(bad[i], strlen(bad[i]), sizeof(found)), -EINVAL, "accepted: %s", bad[i]);
	cr_expect_eq(system_dir("/a\0b\n", 5, sizeof(found)), -EINVAL);
	cr_expect_eq(system_dir("/run/x\n", 7, 7), 6);
	cr_expect_eq(system_dir("/run/x\n", 7, 6), -ENAMETOOLONG);
	memset(text, '\n', sizeof(text));
	cr_expect_eq(system_dir(text, sizeof(text), sizeof(found)), -EINVAL);
	cr_expect_eq(fc_config_system("/nonexistent", found, sizeof(found)), -ENOENT);
	cr_expect_eq(fc_config_system("/tmp", found, sizeof(found)), -EISDIR);
	cr_expect_eq(fc_config_system("/proc/self/exe", found, sizeof(found)), -ELOOP); /* a link */
}
