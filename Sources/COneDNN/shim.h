#pragma once
#include <dnnl.h>

// OpenMP's own setting of the calling thread: oneDNN runs serially inside a worker that set one.
int omp_get_max_threads(void);
void omp_set_num_threads(int count);
