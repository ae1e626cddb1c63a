#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SplitMix64. */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static size_t below(size_t bound, uint64_t *state) { return (size_t)(next_random(state) % bound); }

bool text_read(const char *path, text *whole) {
  errno = 0;
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  size_t length = 0, capacity = 0;
  unsigned char *bytes = NULL;
  for (size_t got = 1; got > 0; length += got) {
    if (capacity - length < 65536) {
      unsigned char *grown = realloc(bytes, capacity += 1 << 20);
      if (!grown) break;
      bytes = grown;
    }
    got = fread(bytes + length, 1, capacity - length, file);
  }
  const bool complete = bytes && feof(file) && length >= 10 * WINDOW;
  fclose(file);
  if (!complete) {
    free(bytes);
    if (!errno) errno = EINVAL; /* too short to train on */
    return false;
  }
  *whole = (text){bytes, length, length / 5 * 4};
  return true;
}

void text_free(text *whole) {
  free(whole->bytes);
  *whole = (text){0};
}

static void random_bytes(window *spoilt, uint64_t *state) {
  for (size_t i = 0; i < WINDOW; i++) spoilt->bytes[i] = (unsigned char)(33 + below(94, state));
}

static void shuffled_bytes(window *spoilt, uint64_t *state) {
  for (size_t i = WINDOW - 1; i > 0; i--) {
    const size_t other = below(i + 1, state);
    const unsigned char byte = spoilt->bytes[i];
    spoilt->bytes[i] = spoilt->bytes[other];
    spoilt->bytes[other] = byte;
  }
}

static void number_table(window *spoilt, uint64_t *state) {
  size_t at = 0;
  for (int column = 0; at < WINDOW; column++) {
    char cell[32];
    const int length = snprintf(cell, sizeof cell, "%u.%02u%c", (unsigned)below(10000, state), (unsigned)below(100, state),
                                column % 5 == 4 ? '\n' : '\t');
    const size_t room = WINDOW - at;
    memcpy(spoilt->bytes + at, cell, (size_t)length < room ? (size_t)length : room);
    at += (size_t)length;
  }
}

void text_draw(const text *whole, double junk_share, uint64_t *state, window *drawn) {
  static void (*const spoil[])(window *, uint64_t *) = {random_bytes, shuffled_bytes, number_table};
  memcpy(drawn->bytes, whole->bytes + below(whole->train_length - WINDOW + 1, state), WINDOW);
  drawn->junk = (double)(next_random(state) >> 11) * 0x1p-53 < junk_share;
  if (drawn->junk) spoil[below(sizeof spoil / sizeof *spoil, state)](drawn, state);
}
