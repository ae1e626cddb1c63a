// Which messages ONNX has and which fields of theirs hold what: onnx.proto of IR version 8, as a table.
#pragma once

#include <cstdint>

namespace rox {

enum class Message : uint8_t {
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSegment,
  kSparseTensor,
  kValueInfo,
  kType,
  kTypeTensor,
  kTypeSequence,
  kTypeMap,
  kTypeOptional,
  kTypeSparse,
  kShape,
  kDimension,
  kPair,
  kOpset,
  kFunction,
  kTraining,
  kAnnotation
};

const char *name_of(Message message);

enum class Kind : uint8_t {
  kUnknown,   // a field of a newer ONNX
  kNumber,    // varint
  kFloat,     // fixed32
  kText,      // bytes or string
  kNested,    // a message
  kNumbers,   // repeated varint, packed or not
  kFloats,    // repeated fixed32, packed or not
  kDoubles    // repeated fixed64, packed or not
};

struct FieldRule {
  Kind kind = Kind::kUnknown;
  bool repeated = false;
  Message message = Message::kModel;  // of kNested
};

FieldRule rule_for(Message message, uint32_t field_number);

}  // namespace rox
