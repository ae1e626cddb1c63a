#define _GNU_SOURCE
#include <string.h>

#include "chost.h"

/* strerror has the language and the characters of the host's locale. */
const char *rh_system_message(int code) { return strerrordesc_np(code); }
