#include "filter.h"

#include <stdlib.h>
#include <string.h>
#include <threads.h>

struct filter {
  filter_options options;
  size_t draw; /* windows drawn for a batch */
  rally_model *model;
  rally_runner *runner;

  /* Of the thread alone. A window has no more tokens than bytes. */
  window *drawn;   /* [draw] */
  int32_t *tokens; /* [draw * WINDOW] */
  size_t *offsets; /* [draw + 1] */
  float *scores;   /* [draw] */
  size_t *kept;    /* [batch] */

  /* One batch is handed over while the next is made. */
  thrd_t thread;
  mtx_t mutex;
  cnd_t changed;
  window *ready; /* [batch] */
  bool running, full, stop;
  rally_error error; /* of the thread; RALLY_OK while all is well */
};

static rally_status rate(filter *f, rally_error *error) {
  rally_tokenizer_options plain; /* what looks like a special token in a text is text */
  rally_tokenizer_options_init(&plain, sizeof plain);
  plain.parse_special = RALLY_OFF;
  f->offsets[0] = 0;
  for (size_t i = 0; i < f->draw; i++) {
    size_t count = 0;
    const rally_status status = rally_encode(f->model, (const char *)f->drawn[i].bytes, WINDOW, &plain,
                                             f->tokens + f->offsets[i], WINDOW, &count, error);
    if (status) return status;
    f->offsets[i + 1] = f->offsets[i] + count;
  }
  return rally_rate(f->runner, f->tokens, f->offsets, f->draw, NULL, f->scores, error);
}

/* Waits until the last batch was taken, then gives this one, or what went wrong with it; false when the thread shall end. */
static bool hand_over(filter *f, const rally_error *found) {
  mtx_lock(&f->mutex);
  while (f->full && !f->stop) cnd_wait(&f->changed, &f->mutex);
  const bool goes_on = !f->stop && !found->code;
  if (goes_on)
    for (size_t i = 0; i < f->options.batch; i++) f->ready[i] = f->drawn[f->kept[i]];
  f->error = *found;
  f->full = true;
  cnd_broadcast(&f->changed);
  mtx_unlock(&f->mutex);
  return goes_on;
}

static int make_batches(void *user) {
  filter *f = user;
  uint64_t random = f->options.seed;
  rally_error error;
  rally_error_init(&error, sizeof error);
  do {
    for (size_t i = 0; i < f->draw; i++) text_draw(f->options.source, f->options.junk_share, &random, &f->drawn[i]);
    if (!rate(f, &error)) rally_select_top(f->scores, f->draw, f->options.batch, f->kept, &error);
  } while (hand_over(f, &error));
  return 0;
}

rally_status filter_next(filter *f, window *batch, rally_error *error) {
  mtx_lock(&f->mutex);
  while (!f->full) cnd_wait(&f->changed, &f->mutex);
  const rally_status status = f->error.code;
  if (status) *error = f->error;
  else {
    memcpy(batch, f->ready, f->options.batch * sizeof *batch);
    f->full = false;
    cnd_broadcast(&f->changed);
  }
  mtx_unlock(&f->mutex);
  return status;
}

static rally_status out_of_memory(rally_error *error) {
  error->code = RALLY_OUT_OF_MEMORY;
  strcpy(error->message, "filter: no memory, or no thread");
  return error->code;
}

/* Takes the memory and starts the thread. */
static rally_status start(filter *f, rally_error *error) {
  f->drawn = calloc(f->draw, sizeof *f->drawn);
  f->tokens = calloc(f->draw * WINDOW, sizeof *f->tokens);
  f->offsets = calloc(f->draw + 1, sizeof *f->offsets);
  f->scores = calloc(f->draw, sizeof *f->scores);
  f->kept = calloc(f->options.batch, sizeof *f->kept);
  f->ready = calloc(f->options.batch, sizeof *f->ready);
  if (!f->drawn || !f->tokens || !f->offsets || !f->scores || !f->kept || !f->ready) return out_of_memory(error);
  if (mtx_init(&f->mutex, mtx_plain) != thrd_success) return out_of_memory(error);
  if (cnd_init(&f->changed) == thrd_success) {
    f->running = thrd_create(&f->thread, make_batches, f) == thrd_success;
    if (f->running) return RALLY_OK;
    cnd_destroy(&f->changed);
  }
  mtx_destroy(&f->mutex);
  return out_of_memory(error);
}

rally_status filter_open(const filter_options *options, filter **opened, rally_error *error) {
  filter *f = calloc(1, sizeof *f);
  if (!f) return out_of_memory(error);
  f->options = *options;
  rally_error_init(&f->error, sizeof f->error);
  rally_status status = rally_draw_count(options->batch, options->discard, &f->draw, error);
  if (!status) status = rally_model_open(options->rater, NULL, &f->model, error);
  if (!status) status = rally_runner_open(f->model, NULL, &f->runner, error);
  if (!status) status = start(f, error);
  if (status) filter_close(f);
  else *opened = f;
  return status;
}

void filter_close(filter *f) {
  if (!f) return;
  if (f->running) {
    mtx_lock(&f->mutex);
    f->stop = true;
    cnd_broadcast(&f->changed);
    mtx_unlock(&f->mutex);
    rally_runner_cancel(f->runner);
    thrd_join(f->thread, NULL);
    cnd_destroy(&f->changed);
    mtx_destroy(&f->mutex);
  }
  rally_runner_close(f->runner);
  rally_model_close(f->model);
  free(f->drawn);
  free(f->tokens);
  free(f->offsets);
  free(f->scores);
  free(f->kept);
  free(f->ready);
  free(f);
}
