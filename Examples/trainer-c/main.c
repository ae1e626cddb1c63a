/*
 * A training loop without Python: of every B windows of a text, half of them junk, a rater keeps the best N, on a thread alongside
 * the one that trains. The same model on as many windows that nobody looked at, for comparison.
 *
 *     cc -std=c11 -Iinclude Examples/trainer-c/{main,filter,bigram,text}.c .build/release/librally.so.0 \
 *        -Wl,-rpath,$PWD/.build/release -lm -o trainer
 *     ./trainer Examples/models/rally-rater-tiny.onnx Tests/Fixtures/texts/alice.txt
 */
#include "bigram.h"
#include "filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 60, EVERY = 10, BATCH = 8 };

static const double JUNK = 0.5, DISCARD = 0.5;
static const float RATE = 0.3f;

/* A model, and what it was trained on. */
typedef struct run {
  bigram model;
  size_t junk;
} run;

static void learn(run *one, const window *batch) {
  for (size_t i = 0; i < BATCH; i++) one->junk += batch[i].junk;
  bigram_train(&one->model, batch, BATCH, RATE);
}

static void report(int step, const text *whole, const run *filtered, const run *unfiltered) {
  const unsigned char *heldout = whole->bytes + whole->train_length;
  const size_t length = whole->length - whole->train_length;
  printf("%6d %12.3f %12.3f\n", step, bigram_loss(&filtered->model, heldout, length),
         bigram_loss(&unfiltered->model, heldout, length));
}

static rally_status train(filter *best, const text *whole, rally_error *error) {
  static run filtered, unfiltered;
  static window batch[BATCH];
  uint64_t random = 2;
  printf("  step     filtered   unfiltered   bits per byte of text held out\n");
  for (int step = 1; step <= STEPS; step++) {
    const rally_status status = filter_next(best, batch, error);
    if (status) return status;
    learn(&filtered, batch);
    for (size_t i = 0; i < BATCH; i++) text_draw(whole, JUNK, &random, &batch[i]);
    learn(&unfiltered, batch);
    if (step % EVERY == 0) report(step, whole, &filtered, &unfiltered);
  }
  printf("  junk %10.1f %% %10.1f %%\n", 100.0 * (double)filtered.junk / (STEPS * BATCH),
         100.0 * (double)unfiltered.junk / (STEPS * BATCH));
  return RALLY_OK;
}

int main(int argc, char **argv) {
  const char *rater = argc > 1 ? argv[1] : "Examples/models/rally-rater-tiny.onnx";
  const char *path = argc > 2 ? argv[2] : "Tests/Fixtures/texts/alice.txt";
  text whole;
  filter *best = NULL;
  rally_error error;
  rally_error_init(&error, sizeof error);

  if (!text_read(path, &whole)) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 1;
  }
  const filter_options options = {rater, &whole, JUNK, DISCARD, BATCH, 1};
  rally_status status = filter_open(&options, &best, &error);
  if (!status) status = train(best, &whole, &error);
  if (status) fprintf(stderr, "%s: %s\n", rally_status_name(error.code), error.message);
  filter_close(best);
  text_free(&whole);
  return status != RALLY_OK;
}
