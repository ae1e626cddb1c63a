#include "Nodes.h"

#include "Structure.h"

namespace rox {

[[noreturn]] void refuse(const std::string &subject, const std::string &expected, const std::string &found) {
  fail(ROX_UNSUPPORTED, subject, expected, found);
}

bool is_standard(const onnx::NodeProto &node, const char *op_type) {
  return node.op_type() == op_type && (node.domain().empty() || node.domain() == "ai.onnx");
}

bool is_cast(const onnx::NodeProto &node) {
  return is_standard(node, "Cast") && attribute(node, "to", 0) == onnx::TensorProto::FLOAT;
}

int64_t attribute(const onnx::NodeProto &node, const char *name, int64_t otherwise) {
  for (const auto &attribute : node.attribute()) {
    if (attribute.name() == name) return attribute.i();
  }
  return otherwise;
}

void set_attribute(onnx::NodeProto &node, const char *name, int64_t value) {
  auto *attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

onnx::NodeProto *NodeMaker::add_value(const char *op_type, const std::string &name) {
  auto *node = graph_.add_node();
  node->set_op_type(op_type);
  node->set_name(name);
  node->add_output(name);
  return node;
}

onnx::NodeProto *NodeMaker::add_node(const char *op_type, const std::string &x, const std::string &y,
                                     const std::string &output) {
  auto *node = add_value(op_type, output);
  node->add_input(x);
  node->add_input(y);
  return node;
}

void NodeMaker::add_cast(const std::string &from, const std::string &to, const std::string &name) {
  auto *node = add_value("Cast", to);
  node->set_name(name);
  node->add_input(from);
  set_attribute(*node, "to", onnx::TensorProto::FLOAT);
}

std::string NodeMaker::add_constant(const std::string &wanted, int32_t type, int number) {
  const std::string name = fresh(wanted);
  auto *attribute = add_value("Constant", name)->add_attribute();
  attribute->set_name("value");
  attribute->set_type(onnx::AttributeProto::TENSOR);
  attribute->mutable_t()->set_data_type(type);
  if (type == onnx::TensorProto::FLOAT) {
    attribute->mutable_t()->add_float_data(static_cast<float>(number));
  } else {
    attribute->mutable_t()->add_int32_data(number);
  }
  return name;
}

const std::string &NodeMaker::add_reshape(const std::string &from, const std::string &to, int64_t columns) {
  const std::string shape = fresh(to + "/shape");
  auto *attribute = add_value("Constant", shape)->add_attribute();
  attribute->set_name("value_ints");
  attribute->set_type(onnx::AttributeProto::INTS);
  attribute->add_ints(-1);
  attribute->add_ints(columns);
  return add_node("Reshape", from, shape, to)->output(0);
}

std::string NodeMaker::fresh(const std::string &wanted) {
  std::string name = wanted;
  for (int i = 2; !values_.insert(name).second; ++i) name = wanted + "." + std::to_string(i);
  return name;
}

}  // namespace rox
