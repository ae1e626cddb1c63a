#include "bigram.h"

#include <math.h>
#include <string.h>

/* probabilities: [BYTES] softmax of the logits [BYTES]. */
static void softmax(const float *logits, float *probabilities) {
  float greatest = logits[0], sum = 0;
  for (int b = 1; b < BYTES; b++) greatest = fmaxf(greatest, logits[b]);
  for (int b = 0; b < BYTES; b++) sum += probabilities[b] = expf(logits[b] - greatest);
  for (int b = 0; b < BYTES; b++) probabilities[b] /= sum;
}

void bigram_train(bigram *model, const window *batch, size_t count, float rate) {
  /* The gradient of a row needs no more than how often each byte followed: n softmax(logits) - counts. */
  static float followed[BYTES][BYTES];
  float occurred[BYTES] = {0}, probabilities[BYTES];
  memset(followed, 0, sizeof followed);
  for (size_t i = 0; i < count; i++) {
    for (size_t at = 0; at + 1 < WINDOW; at++) {
      const unsigned char byte = batch[i].bytes[at], next = batch[i].bytes[at + 1];
      followed[byte][next]++;
      occurred[byte]++;
    }
  }
  const float mean = 1 / (float)(count * (WINDOW - 1));
  for (int a = 0; a < BYTES; a++) {
    if (occurred[a] == 0) continue;
    softmax(model->logits[a], probabilities);
    for (int b = 0; b < BYTES; b++) {
      const float gradient = (occurred[a] * probabilities[b] - followed[a][b]) * mean;
      model->squares[a][b] += gradient * gradient;
      model->logits[a][b] -= rate * gradient / (sqrtf(model->squares[a][b]) + 1e-8f);
    }
  }
}

double bigram_loss(const bigram *model, const unsigned char *bytes, size_t length) {
  static double cost[BYTES][BYTES];
  for (int a = 0; a < BYTES; a++) {
    float probabilities[BYTES];
    softmax(model->logits[a], probabilities);
    for (int b = 0; b < BYTES; b++) cost[a][b] = -log2((double)probabilities[b] + 1e-12);
  }
  double sum = 0;
  for (size_t at = 0; at + 1 < length; at++) sum += cost[bytes[at]][bytes[at + 1]];
  return sum / (double)(length - 1);
}
