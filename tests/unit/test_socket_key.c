/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_socket_key.c - the hash that keys of sockets are made with: what its authors say it gives (SipHash-2-4, of the bytes 0, 1, 2, ...). */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "storage-domain/exec/execute.h"

static const uint64_t secret[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

Test(socket_key, hash)
{
	cr_assert_eq(fc_hash_words(secret, NULL, 0), 0x726fdb47dd0e0e31);
	cr_assert_eq(fc_hash_words(secret, secret, 1), 0x93f5f5799a932462);
	cr_assert_eq(fc_hash_words(secret, secret, 2), 0x3f2acc7f57c29bdb);
}

Test(socket_key, depends_on_every_bit)
{
	const uint64_t was = fc_hash_words(secret, secret, 2);

	for (unsigned bit = 0; bit < 128; bit++) {
		uint64_t word[2] = { secret[0], secret[1] }, other[2] = { secret[0], secret[1] };

		word[bit / 64] ^= 1ull << bit % 64;
		other[bit / 64] ^= 1ull << bit % 64;
		cr_assert_neq(fc_hash_words(secret, word, 2), was);
		cr_assert_neq(fc_hash_words(other, secret, 2), was);
	}
}
