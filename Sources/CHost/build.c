#include "chost.h"

#if defined(__x86_64__)
#define ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define ARCHITECTURE "aarch64"
#endif

const char *rh_build(void) { return "commit " RALLY_COMMIT "\ncompiler " __VERSION__ "\narchitecture " ARCHITECTURE; }
