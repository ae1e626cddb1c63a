/*
 * Opens a model and prints how long that took and the greatest memory the process ever had, as one JSON object.
 *
 *     open MODEL.onnx f32|bf16|int8|q4
 */
#include <rally.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static rally_dtype parse_dtype(const char *name) {
  if (!strcmp(name, "f32")) return RALLY_DTYPE_F32;
  if (!strcmp(name, "bf16")) return RALLY_DTYPE_BF16;
  if (!strcmp(name, "int8")) return RALLY_DTYPE_INT8;
  if (!strcmp(name, "q4")) return RALLY_DTYPE_Q4;
  return RALLY_DTYPE_AUTO;
}

int main(int count, char **arguments) {
  if (count != 3 || parse_dtype(arguments[2]) == RALLY_DTYPE_AUTO) {
    fprintf(stderr, "usage: open MODEL.onnx f32|bf16|int8|q4\n");
    return 2;
  }
  rally_error error;
  rally_error_init(&error, sizeof error);
  rally_model_options options;
  rally_model_options_init(&options, sizeof options);
  options.dtype = parse_dtype(arguments[2]);
  options.threads = 2;
  rally_model *model = NULL;
  double start = now();
  if (rally_model_open(arguments[1], &options, &model, &error)) {
    fprintf(stderr, "open: %s\n", error.message);
    return 1;
  }
  double seconds = now() - start;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"seconds\": %.4f, \"peak_bytes\": %ld}\n", seconds, usage.ru_maxrss * 1024L);
  rally_model_close(model);
  return 0;
}
