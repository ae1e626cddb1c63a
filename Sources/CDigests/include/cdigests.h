// SHA-256 of whole blocks: bytes and a state in, the state out. Nothing here keeps state or allocates.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Absorbs `count` blocks of 64 bytes into `state` [8]. Uses the processor's own instructions where it has them.
/// Source: FIPS 180-4.
void rd_sha256(uint32_t *state, const uint8_t *blocks, size_t count);

/// The same without them.
void rd_sha256_portable(uint32_t *state, const uint8_t *blocks, size_t count);

#ifdef __cplusplus
}
#endif
