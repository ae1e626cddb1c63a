#include "Grammar.h"

namespace rox {
namespace {

struct Row {
  Message parent;
  uint32_t number;
  FieldRule rule;
};

using M = Message;
constexpr FieldRule kOneNumber{Kind::kNumber, false, M::kModel};
constexpr FieldRule kOneFloat{Kind::kFloat, false, M::kModel};
constexpr FieldRule kOneText{Kind::kText, false, M::kModel};
constexpr FieldRule kManyTexts{Kind::kText, true, M::kModel};
constexpr FieldRule kManyNumbers{Kind::kNumbers, true, M::kModel};
constexpr FieldRule kManyFloats{Kind::kFloats, true, M::kModel};
constexpr FieldRule kManyDoubles{Kind::kDoubles, true, M::kModel};
constexpr FieldRule one(Message message) { return {Kind::kNested, false, message}; }
constexpr FieldRule many(Message message) { return {Kind::kNested, true, message}; }

constexpr Row kRows[] = {
    {M::kModel, 1, kOneNumber},  // ir_version
    {M::kModel, 2, kOneText},    // producer_name
    {M::kModel, 3, kOneText},    // producer_version
    {M::kModel, 4, kOneText},    // domain
    {M::kModel, 5, kOneNumber},  // model_version
    {M::kModel, 6, kOneText},    // doc_string
    {M::kModel, 7, one(M::kGraph)},
    {M::kModel, 8, many(M::kOpset)},
    {M::kModel, 14, many(M::kPair)},  // metadata_props
    {M::kModel, 20, many(M::kTraining)},
    {M::kModel, 25, many(M::kFunction)},

    {M::kGraph, 1, many(M::kNode)},
    {M::kGraph, 2, kOneText},  // name
    {M::kGraph, 5, many(M::kTensor)},  // initializer
    {M::kGraph, 10, kOneText},         // doc_string
    {M::kGraph, 11, many(M::kValueInfo)},  // input
    {M::kGraph, 12, many(M::kValueInfo)},  // output
    {M::kGraph, 13, many(M::kValueInfo)},  // value_info
    {M::kGraph, 14, many(M::kAnnotation)},
    {M::kGraph, 15, many(M::kSparseTensor)},

    {M::kNode, 1, kManyTexts},  // input
    {M::kNode, 2, kManyTexts},  // output
    {M::kNode, 3, kOneText},    // name
    {M::kNode, 4, kOneText},    // op_type
    {M::kNode, 5, many(M::kAttribute)},
    {M::kNode, 6, kOneText},  // doc_string
    {M::kNode, 7, kOneText},  // domain

    {M::kAttribute, 1, kOneText},   // name
    {M::kAttribute, 2, kOneFloat},  // f
    {M::kAttribute, 3, kOneNumber},  // i
    {M::kAttribute, 4, kOneText},    // s
    {M::kAttribute, 5, one(M::kTensor)},
    {M::kAttribute, 6, one(M::kGraph)},
    {M::kAttribute, 7, kManyFloats},
    {M::kAttribute, 8, kManyNumbers},
    {M::kAttribute, 9, kManyTexts},
    {M::kAttribute, 10, many(M::kTensor)},
    {M::kAttribute, 11, many(M::kGraph)},
    {M::kAttribute, 13, kOneText},  // doc_string
    {M::kAttribute, 14, one(M::kType)},
    {M::kAttribute, 15, many(M::kType)},
    {M::kAttribute, 20, kOneNumber},  // type
    {M::kAttribute, 21, kOneText},    // ref_attr_name
    {M::kAttribute, 22, one(M::kSparseTensor)},
    {M::kAttribute, 23, many(M::kSparseTensor)},

    {M::kTensor, 1, kManyNumbers},  // dims
    {M::kTensor, 2, kOneNumber},    // data_type
    {M::kTensor, 3, one(M::kSegment)},
    {M::kTensor, 4, kManyFloats},    // float_data
    {M::kTensor, 5, kManyNumbers},   // int32_data
    {M::kTensor, 6, kManyTexts},     // string_data
    {M::kTensor, 7, kManyNumbers},   // int64_data
    {M::kTensor, 8, kOneText},       // name
    {M::kTensor, 9, kOneText},       // raw_data
    {M::kTensor, 10, kManyDoubles},  // double_data
    {M::kTensor, 11, kManyNumbers},  // uint64_data
    {M::kTensor, 12, kOneText},      // doc_string
    {M::kTensor, 13, many(M::kPair)},  // external_data
    {M::kTensor, 14, kOneNumber},      // data_location

    {M::kSegment, 1, kOneNumber},
    {M::kSegment, 2, kOneNumber},

    {M::kSparseTensor, 1, one(M::kTensor)},
    {M::kSparseTensor, 2, one(M::kTensor)},
    {M::kSparseTensor, 3, kManyNumbers},

    {M::kValueInfo, 1, kOneText},
    {M::kValueInfo, 2, one(M::kType)},
    {M::kValueInfo, 3, kOneText},

    {M::kType, 1, one(M::kTypeTensor)},
    {M::kType, 4, one(M::kTypeSequence)},
    {M::kType, 5, one(M::kTypeMap)},
    {M::kType, 6, kOneText},  // denotation
    {M::kType, 8, one(M::kTypeSparse)},
    {M::kType, 9, one(M::kTypeOptional)},
    {M::kTypeTensor, 1, kOneNumber},
    {M::kTypeTensor, 2, one(M::kShape)},
    {M::kTypeSequence, 1, one(M::kType)},
    {M::kTypeMap, 1, kOneNumber},
    {M::kTypeMap, 2, one(M::kType)},
    {M::kTypeOptional, 1, one(M::kType)},
    {M::kTypeSparse, 1, kOneNumber},
    {M::kTypeSparse, 2, one(M::kShape)},
    {M::kShape, 1, many(M::kDimension)},
    {M::kDimension, 1, kOneNumber},
    {M::kDimension, 2, kOneText},
    {M::kDimension, 3, kOneText},

    {M::kPair, 1, kOneText},
    {M::kPair, 2, kOneText},

    {M::kOpset, 1, kOneText},
    {M::kOpset, 2, kOneNumber},

    {M::kFunction, 1, kOneText},
    {M::kFunction, 4, kManyTexts},
    {M::kFunction, 5, kManyTexts},
    {M::kFunction, 6, kManyTexts},
    {M::kFunction, 7, many(M::kNode)},
    {M::kFunction, 8, kOneText},
    {M::kFunction, 9, many(M::kOpset)},
    {M::kFunction, 10, kOneText},

    {M::kTraining, 1, one(M::kGraph)},
    {M::kTraining, 2, one(M::kGraph)},
    {M::kTraining, 3, many(M::kPair)},
    {M::kTraining, 4, many(M::kPair)},

    {M::kAnnotation, 1, kOneText},
    {M::kAnnotation, 2, many(M::kPair)},
};

constexpr uint32_t kFieldCount = 32;
constexpr uint32_t kMessageCount = static_cast<uint32_t>(M::kAnnotation) + 1;

struct Table {
  FieldRule rules[kMessageCount][kFieldCount];
  constexpr Table() : rules() {
    for (const Row &row : kRows) rules[static_cast<uint32_t>(row.parent)][row.number] = row.rule;
  }
};
constexpr Table kTable;

}  // namespace

FieldRule rule_for(Message message, uint32_t field_number) {
  if (field_number >= kFieldCount) return {};
  return kTable.rules[static_cast<uint32_t>(message)][field_number];
}

const char *name_of(Message message) {
  constexpr const char *kNames[kMessageCount] = {"ModelProto",
                                                 "GraphProto",
                                                 "NodeProto",
                                                 "AttributeProto",
                                                 "TensorProto",
                                                 "TensorProto.Segment",
                                                 "SparseTensorProto",
                                                 "ValueInfoProto",
                                                 "TypeProto",
                                                 "TypeProto.Tensor",
                                                 "TypeProto.Sequence",
                                                 "TypeProto.Map",
                                                 "TypeProto.Optional",
                                                 "TypeProto.SparseTensor",
                                                 "TensorShapeProto",
                                                 "TensorShapeProto.Dimension",
                                                 "StringStringEntryProto",
                                                 "OperatorSetIdProto",
                                                 "FunctionProto",
                                                 "TrainingInfoProto",
                                                 "TensorAnnotation"};
  return kNames[static_cast<uint32_t>(message)];
}

}  // namespace rox
