/* The smallest language model: which byte follows which, as logits that are trained. */
#ifndef TRAINER_BIGRAM_H
#define TRAINER_BIGRAM_H

#include "text.h"

enum { BYTES = 256 };

typedef struct bigram {
  float logits[BYTES][BYTES];  /* [byte, next byte] */
  float squares[BYTES][BYTES]; /* sums of squared gradients, for AdaGrad */
} bigram;

/* One step of AdaGrad on the mean cross entropy of a batch. batch: [count]. */
void bigram_train(bigram *model, const window *batch, size_t count, float rate);

/* Cross entropy of a text in bits per byte. bytes: [length], two at least. */
double bigram_loss(const bigram *model, const unsigned char *bytes, size_t length);

#endif
