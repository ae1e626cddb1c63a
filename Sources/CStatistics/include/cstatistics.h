// Special functions of Boost.Math: numbers in, a number out. Nothing here keeps state, throws or reports by other means.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1]; within a few hundred units in the last
/// place. NaN where the arguments are others or the series do not settle. Source: Boost.Math, `ibeta`.
double rs_incomplete_beta(double a, double b, double x);

/// The version of Boost, "1_74". Static string.
const char *rs_boost_version(void);

#ifdef __cplusplus
}
#endif
