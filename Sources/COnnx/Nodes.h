// Nodes of a graph: what they are, and how new ones are made.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include <onnx/onnx_pb.h>

namespace rox {

// Throws the Failure of a graph that cannot be rewired.
[[noreturn]] void refuse(const std::string &subject, const std::string &expected, const std::string &found);

bool is_standard(const onnx::NodeProto &node, const char *op_type);
// A Cast to f32.
bool is_cast(const onnx::NodeProto &node);
int64_t attribute(const onnx::NodeProto &node, const char *name, int64_t otherwise);
void set_attribute(onnx::NodeProto &node, const char *name, int64_t value);

// Adds nodes to the end of a graph; each is named after the value that it makes.
class NodeMaker {
 public:
  // `values` are the names that are taken; new ones join them.
  NodeMaker(onnx::GraphProto &graph, std::set<std::string> &values) : graph_(graph), values_(values) {}

  onnx::NodeProto *add_node(const char *op_type, const std::string &x, const std::string &y, const std::string &output);
  void add_cast(const std::string &from, const std::string &to, const std::string &name);
  // One number.
  std::string add_constant(const std::string &wanted, int32_t type, int number);
  // Rows of `columns` values.
  const std::string &add_reshape(const std::string &from, const std::string &to, int64_t columns);
  // The wanted name, or with a number where it is taken.
  std::string fresh(const std::string &wanted);

 private:
  onnx::NodeProto *add_value(const char *op_type, const std::string &name);

  onnx::GraphProto &graph_;
  std::set<std::string> &values_;
};

}  // namespace rox
