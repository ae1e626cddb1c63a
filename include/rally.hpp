/*
 * Rally for C++17: rally.h with owners, views and exceptions. Header-only; link librally.so.0.
 *
 *     rally::Model model("rally-tiny.onnx");
 *     rally::Runner runner(model);
 *     for (int32_t token : runner.generate(model.encode("The sea"), 40).tokens) std::cout << model.decode({token});
 *
 * What rally.h says holds here too: a Model is shared by any threads, a Runner and an Engine have one caller at a time, handles may
 * be closed in any order. Every failure is a rally::Error with the status and the message of the C interface.
 */
#ifndef RALLY_HPP
#define RALLY_HPP

#include <rally/curation.hpp>
#include <rally/engine.hpp>
#include <rally/lineage.hpp>
#include <rally/runner.hpp>

#endif /* RALLY_HPP */
