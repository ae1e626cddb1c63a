// Streams packed by gzip or zstd, unpacked by zlib and libzstd: bytes in, bytes out. Nothing here reads files or prints.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rpk_stream rpk_stream;

enum { RPK_GZIP = 1, RPK_ZSTD = 2 };

/// A stream at the beginning of a member; NULL where there is no memory. zstd takes windows up to 2 GiB (--long=31).
rpk_stream *rpk_open(int packing);

void rpk_close(rpk_stream *stream);

/// Unpacks as much as fits. Several members follow each other as one; zeros between and after them are padding.
/// Returns 0, or -1 where the bytes are damaged. `consumed` and `produced` say how far it came.
int rpk_step(rpk_stream *stream, const uint8_t *input, size_t size, size_t *consumed, uint8_t *output, size_t capacity,
             size_t *produced);

/// Whether the stream may end here: between members.
int rpk_is_between(const rpk_stream *stream);

#ifdef __cplusplus
}
#endif
