// The nodes of a graph whose weights change their element type.
#pragma once

#include <map>
#include <string>

#include <onnx/onnx_pb.h>

#include "include/connx.h"

namespace rox {

struct TypeChange {
  int32_t from;
  int32_t to;
  int64_t columns;   // of the matrix
  int64_t group;     // of a new INT8 or UINT8 matrix: columns that share a scale; all of them where it is `columns`
  bool is_balanced;  // a new INT8 or UINT8 matrix whose columns have factors
};

// UINT8 is q4: a byte has number i of a group of columns in its low half and number i + group / 2 in its high half.
constexpr bool has_scales(int32_t type) { return type == ROX_INT8 || type == ROX_UINT8; }

// The initializer that holds the scales of an INT8 or UINT8 matrix.
inline std::string scale_name(const std::string &name) { return name + ".scale"; }
// That of the factors of its columns.
inline std::string balance_name(const std::string &name) { return name + ".balance"; }

// Changes the nodes that read the weights named in `changes`, so that the graph computes with the values of the new
// types: FLOAT is read as it is, FLOAT16 and BFLOAT16 through Cast, INT8 through DequantizeLinear, which sees each group of
// columns as a row of its own between two Reshapes, UINT8 between the same two through Mod and BitShift, Concat, Cast, Sub
// and Mul, and both through Mul for the factors of columns. All other nodes and
// the names of all values that are left stay. The initializers themselves are for the caller to change.
// Throws Failure where a node reads a weight in a way that cannot be followed.
void rewire(onnx::ModelProto &model, const std::map<std::string, TypeChange> &changes);

}  // namespace rox
