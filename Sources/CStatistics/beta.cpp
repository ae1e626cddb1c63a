#include "cstatistics.h"

#include <boost/math/special_functions/beta.hpp>
#include <boost/version.hpp>
#include <limits>

namespace {

namespace policies = boost::math::policies;

// A function that has no value answers NaN. A series that does not settle throws inside, and that is caught below.
using Quiet =
    policies::policy<policies::domain_error<policies::ignore_error>, policies::pole_error<policies::ignore_error>,
                     policies::overflow_error<policies::ignore_error>, policies::underflow_error<policies::ignore_error>,
                     policies::denorm_error<policies::ignore_error>, policies::evaluation_error<policies::throw_on_error>,
                     policies::rounding_error<policies::ignore_error>,
                     policies::indeterminate_result_error<policies::ignore_error>>;

}  // namespace

extern "C" const char *rs_boost_version(void) { return BOOST_LIB_VERSION; }

extern "C" double rs_incomplete_beta(double a, double b, double x) {
  try {
    return boost::math::ibeta(a, b, x, Quiet());
  } catch (...) {
    return std::numeric_limits<double>::quiet_NaN();
  }
}
