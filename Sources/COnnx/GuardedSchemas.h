// The operators whose shape inference may run, each behind a guard.
#pragma once

#include <stdexcept>
#include <string>

#include <onnx/defs/schema.h>

namespace rox {

// The one opset whose inference functions were read; docs/format.md asks for it.
constexpr int kCheckedOpset = 17;

// Leaves shape inference at once. libonnx catches its own InferenceError only, so this passes through.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool is_checked_operator(const std::string &op_type);

// Gives libonnx the guarded schemas, and none for other operators. Made on first use.
const onnx::ISchemaRegistry &guarded_schemas();

}  // namespace rox
