/*
 * What the machine can do, one JSON object per line: bytes read per second, and matrix products of oneDNN by format.
 *
 *     ceilings SECONDS_PER_SAMPLE
 *
 * Products are y[M, N] = x[M, K] w[K, N] with K = 960, N = 2560, a feed-forward matrix of the 360M shape; weights are packed
 * beforehand, as an engine would. The best of five samples counts: a ceiling is what was reached once.
 */
#include <dnnl.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { samples = 5, inner = 960, columns = 2560 };

/* Far beyond the last cache: [read_count] f32, 2 GiB. */
static const size_t read_count = (size_t)1 << 29;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void check(dnnl_status_t status, const char *what) {
  if (status == dnnl_success) return;
  fprintf(stderr, "ceilings: oneDNN refused %s: %d\n", what, (int)status);
  exit(1);
}

static void *allocate(size_t byte_count) {
  void *bytes = aligned_alloc(64, (byte_count + 63) / 64 * 64);
  if (!bytes) {
    fprintf(stderr, "ceilings: no memory for %zu bytes\n", byte_count);
    exit(1);
  }
  memset(bytes, 0, byte_count);
  return bytes;
}

static void measure_read(int threads) {
  float *values = allocate(read_count * sizeof *values);
  double best = 0;
  omp_set_num_threads(threads);
  for (int sample = 0; sample < samples; sample++) {
    float sum = 0;
    double start = now();
#pragma omp parallel for simd reduction(+ : sum) schedule(static)
    for (size_t i = 0; i < read_count; i++) sum += values[i];
    double rate = (double)(read_count * sizeof *values) / (now() - start) * 1e-9;
    if (sum == 0 && rate > best) best = rate;
  }
  free(values);
  printf("{\"what\": \"read\", \"threads\": %d, \"gigabytes_per_second\": %.2f}\n", threads, best);
  fflush(stdout);
}

typedef struct format {
  const char *name;
  dnnl_data_type_t input, weight, output;
} format;

static dnnl_memory_t new_memory(const dnnl_memory_desc_t *description, dnnl_engine_t engine) {
  dnnl_memory_t memory;
  void *bytes = allocate(dnnl_memory_desc_get_size(description));
  check(dnnl_memory_create(&memory, description, engine, bytes), "memory");
  return memory;
}

static void free_memory(dnnl_memory_t memory) {
  void *bytes = NULL;
  dnnl_memory_get_data_handle(memory, &bytes);
  dnnl_memory_destroy(memory);
  free(bytes);
}

static double best_rate(dnnl_primitive_t product, dnnl_stream_t stream, const dnnl_exec_arg_t *arguments, double operations,
                        double seconds) {
  double best = 0;
  for (int sample = 0; sample <= samples; sample++) { /* the first warms up */
    long runs = 0;
    double start = now(), passed = 0;
    while (passed < seconds) {
      check(dnnl_primitive_execute(product, stream, 3, arguments), "a product");
      check(dnnl_stream_wait(stream), "waiting");
      runs++;
      passed = now() - start;
    }
    double rate = (double)runs * operations / passed * 1e-9;
    if (sample && rate > best) best = rate;
  }
  return best;
}

static void measure_product(const format *kind, int rows, int threads, double seconds) {
  omp_set_num_threads(threads);
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  check(dnnl_engine_create(&engine, dnnl_cpu, 0), "an engine");
  check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "a stream");

  dnnl_dims_t x_dims = {rows, inner}, w_dims = {inner, columns}, y_dims = {rows, columns};
  dnnl_memory_desc_t x, w, y;
  check(dnnl_memory_desc_init_by_tag(&x, 2, x_dims, kind->input, dnnl_ab), "the input");
  check(dnnl_memory_desc_init_by_tag(&w, 2, w_dims, kind->weight, dnnl_format_tag_any), "the weights");
  check(dnnl_memory_desc_init_by_tag(&y, 2, y_dims, kind->output, dnnl_ab), "the output");
  dnnl_matmul_desc_t description;
  check(dnnl_matmul_desc_init(&description, &x, &w, NULL, &y), "the shapes");
  dnnl_primitive_desc_t chosen;
  check(dnnl_primitive_desc_create(&chosen, &description, NULL, engine, NULL), kind->name);
  dnnl_primitive_t product;
  check(dnnl_primitive_create(&product, chosen), kind->name);

  dnnl_exec_arg_t arguments[3] = {
      {DNNL_ARG_SRC, new_memory(dnnl_primitive_desc_query_md(chosen, dnnl_query_src_md, 0), engine)},
      {DNNL_ARG_WEIGHTS, new_memory(dnnl_primitive_desc_query_md(chosen, dnnl_query_weights_md, 0), engine)},
      {DNNL_ARG_DST, new_memory(dnnl_primitive_desc_query_md(chosen, dnnl_query_dst_md, 0), engine)},
  };
  double rate = best_rate(product, stream, arguments, 2.0 * rows * inner * columns, seconds);
  printf("{\"what\": \"product\", \"format\": \"%s\", \"rows\": %d, \"threads\": %d, \"gigaflops\": %.1f}\n", kind->name, rows,
         threads, rate);
  fflush(stdout);

  for (int i = 0; i < 3; i++) free_memory(arguments[i].memory);
  dnnl_primitive_destroy(product);
  dnnl_primitive_desc_destroy(chosen);
  dnnl_stream_destroy(stream);
  dnnl_engine_destroy(engine);
}

int main(int count, char **arguments) {
  char *end = NULL;
  double seconds = count == 2 ? strtod(arguments[1], &end) : 0;
  if (!(seconds > 0) || *end) {
    fprintf(stderr, "usage: ceilings SECONDS_PER_SAMPLE\n");
    return 2;
  }
  const format formats[] = {
      {"f32", dnnl_f32, dnnl_f32, dnnl_f32},
      {"bf16", dnnl_bf16, dnnl_bf16, dnnl_f32},
      {"int8", dnnl_u8, dnnl_s8, dnnl_s32},
  };
  for (int threads = 1; threads <= 2; threads++) {
    measure_read(threads);
    for (int kind = 0; kind < 3; kind++) {
      measure_product(&formats[kind], 1, threads, seconds);
      measure_product(&formats[kind], 512, threads, seconds);
    }
  }
  return 0;
}
