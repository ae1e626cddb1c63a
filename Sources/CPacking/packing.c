#include "cpacking.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct rpk_stream {
  int packing;
  int is_between;
  z_stream gzip;
  ZSTD_DCtx *zstd;
};

rpk_stream *rpk_open(int packing) {
  rpk_stream *stream = calloc(1, sizeof *stream);
  if (!stream) return NULL;
  stream->packing = packing;
  stream->is_between = 1;
  if (packing == RPK_GZIP) {
    if (inflateInit2(&stream->gzip, 15 + 16) == Z_OK) return stream;
  } else if ((stream->zstd = ZSTD_createDCtx())) {
    if (!ZSTD_isError(ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax, 31))) return stream;
    ZSTD_freeDCtx(stream->zstd);
  }
  free(stream);
  return NULL;
}

void rpk_close(rpk_stream *stream) {
  if (!stream) return;
  if (stream->packing == RPK_GZIP) inflateEnd(&stream->gzip);
  else ZSTD_freeDCtx(stream->zstd);
  free(stream);
}

int rpk_is_between(const rpk_stream *stream) { return stream->is_between; }

static int step_gzip(rpk_stream *stream, const uint8_t *input, size_t size, size_t *consumed, uint8_t *output, size_t capacity,
                     size_t *produced) {
  z_stream *gzip = &stream->gzip;
  gzip->next_in = (Bytef *)input;
  gzip->avail_in = size > UINT_MAX ? UINT_MAX : (uInt)size;
  gzip->next_out = output;
  gzip->avail_out = capacity > UINT_MAX ? UINT_MAX : (uInt)capacity;
  int status = inflate(gzip, Z_NO_FLUSH);
  *consumed = (size_t)(gzip->next_in - input);
  *produced = (size_t)(gzip->next_out - output);
  if (status == Z_STREAM_END) {
    stream->is_between = 1;
    return inflateReset(gzip) == Z_OK ? 0 : -1;
  }
  return status == Z_OK || status == Z_BUF_ERROR ? 0 : -1;
}

static int step_zstd(rpk_stream *stream, const uint8_t *input, size_t size, size_t *consumed, uint8_t *output, size_t capacity,
                     size_t *produced) {
  ZSTD_inBuffer in = {input, size, 0};
  ZSTD_outBuffer out = {output, capacity, 0};
  size_t status = ZSTD_decompressStream(stream->zstd, &out, &in);
  *consumed = in.pos;
  *produced = out.pos;
  if (ZSTD_isError(status)) return -1;
  stream->is_between = status == 0;
  return 0;
}

int rpk_step(rpk_stream *stream, const uint8_t *input, size_t size, size_t *consumed, uint8_t *output, size_t capacity,
             size_t *produced) {
  size_t padding = 0;
  if (stream->is_between) {
    while (padding < size && input[padding] == 0) ++padding;
    if (padding == size) {
      *consumed = size;
      *produced = 0;
      return 0;
    }
    stream->is_between = 0;
  }
  int status = (stream->packing == RPK_GZIP ? step_gzip : step_zstd)(stream, input + padding, size - padding, consumed, output,
                                                                     capacity, produced);
  *consumed += padding;
  return status;
}
