/* hash.h - content hashes: SHA-256 for identity, XXH3 for damage. */
#ifndef DTRAK_HASH_H
#define DTRAK_HASH_H

#include <stddef.h>
#include <stdint.h>

struct sha256 { uint32_t h[8]; uint64_t len; unsigned char block[64]; size_t fill; };

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t len);
void sha256_end(struct sha256 *s, unsigned char digest[32]);

/* The digest of bytes as 64 lower-case hex digits and a 0. */
void sha256_hex(char hex[65], const void *bytes, size_t len);
void hash_hex(char *hex, const unsigned char *bytes, size_t len);   /* 2 len + 1 chars */

/* XXH3, 64 bits: the checksum of stored blocks. */
uint64_t hash_xxh3(const void *bytes, size_t len);

#endif
