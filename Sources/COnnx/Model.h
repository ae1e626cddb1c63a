#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include "Structure.h"

struct rox_model {
  rox::Structure structure;
  onnx::ModelProto proto;  // of `structure.bytes`

  const onnx::GraphProto &graph() const { return proto.graph(); }
};
