/* Windows of a text, a share of them spoilt in known ways. */
#ifndef TRAINER_TEXT_H
#define TRAINER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINDOW = 256 }; /* bytes */

typedef struct window {
  unsigned char bytes[WINDOW];
  bool junk;
} window;

/* The first four fifths of the text are drawn from; the rest is held out. */
typedef struct text {
  unsigned char *bytes;
  size_t length, train_length;
} text;

/* Reads the file at `path`; false, with errno set, where that fails. Free with text_free. */
bool text_read(const char *path, text *whole);
void text_free(text *whole);

/* Draws a window. junk_share: the probability that it is spoilt. state: of the random generator, any number. */
void text_draw(const text *whole, double junk_share, uint64_t *state, window *drawn);

#endif
