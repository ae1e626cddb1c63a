/* What the programs of the C++ face share. */
#ifndef RALLY_TESTS_CPP_HPP
#define RALLY_TESTS_CPP_HPP

#include "check.h"
#include <exception>
#include <rally.hpp>

/* The code of the rally::Error that `call` throws; RALLY_OK when it throws none. */
template <typename Call>
rally_status code_of(Call &&call) {
  try {
    call();
  } catch (const rally::Error &error) {
    return error.code();
  }
  return RALLY_OK;
}

/* Makes the checks, and says how many failed: what main returns. */
template <typename Checks>
int run_checks(const char *name, Checks &&checks) {
  try {
    checks();
  } catch (const std::exception &error) {
    std::fprintf(stderr, "unexpected: %s\n", error.what());
    checks_failed++;
  }
  std::printf("%s: %d checks, %d failed\n", name, checks_made, checks_failed);
  return checks_failed != 0;
}

#endif
