/*
 * The Swift runtime can install handlers for the signals of crashes that start a program, swift-backtrace, which it looks for near
 * the library and in the environment (SWIFT_BACKTRACE). A library leaves its host's signals alone: this stands in for the
 * runtime's function, in the shared library and the command only (Package.swift).
 */
#ifdef RALLY_LINK_LIBRARY
__attribute__((visibility("hidden"))) unsigned _swift_installCrashHandler(void);

unsigned _swift_installCrashHandler(void) { return 0; }
#else
typedef int nothing_here;
#endif
