#include <stdlib.h>
#include <string.h>

/*
 * What the Swift runtime would do to a host, in the shared library and the command: the linker sends its calls here (Package.swift,
 * Packaging/static_archive). The host's signals and its standard streams are its own.
 */
#ifdef RALLY_LINK_LIBRARY

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN unsigned _swift_installCrashHandler(void);
HIDDEN void __wrap__ZN5swift7runtime11environment10initializeEPv(void *nothing);
HIDDEN char *__wrap_getenv(const char *name);
char *__real_getenv(const char *name);

/* Handlers for the signals of crashes, which would start a program, swift-backtrace, that lies near the library. */
unsigned _swift_installCrashHandler(void) { return 0; }

/* Reads SWIFT_* of the environment, and prints what it does not understand there. All of it has defaults. */
void __wrap__ZN5swift7runtime11environment10initializeEPv(void *nothing) { (void)nothing; }

/* SWIFT_BACKTRACE, which a host written in Swift may have, makes the runtime look for that program and complain. */
char *__wrap_getenv(const char *name) { return strncmp(name, "SWIFT_", 6) == 0 ? NULL : __real_getenv(name); }

#else
typedef int nothing_here;
#endif
