// Protobuf's wire format, read with every length checked.
// Source: https://protobuf.dev/programming-guides/encoding/
#pragma once

#include <cstddef>
#include <cstdint>

namespace rox {

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  uint32_t wire_type = 0;
  uint64_t value = 0;             // kVarint
  const uint8_t *data = nullptr;  // kBytes: the payload; kFixed32, kFixed64: the bytes
  size_t size = 0;
  const uint8_t *begin = nullptr;  // of the tag
  const uint8_t *end = nullptr;    // after the payload
};

// Reads the fields of one message that lies in [cursor, end).
struct Reader {
  const uint8_t *cursor;
  const uint8_t *end;

  Reader(const uint8_t *data, size_t size) : cursor(data), end(data + size) {}

  bool at_end() const { return cursor == end; }

  // False when the number is cut off or longer than ten bytes.
  bool varint(uint64_t *value) {
    uint64_t result = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (cursor == end) return false;
      const uint8_t byte = *cursor++;
      result |= static_cast<uint64_t>(byte & 0x7F) << (shift < 63 ? shift : 63);
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }

  // False when the field is cut off, or is a group, which ONNX never uses and which would nest without a length.
  bool next(Field *field) {
    field->begin = cursor;
    uint64_t tag = 0;
    if (!varint(&tag) || tag > UINT32_MAX || (tag >> 3) == 0) return false;
    field->number = static_cast<uint32_t>(tag >> 3);
    field->wire_type = static_cast<uint32_t>(tag & 7);
    field->value = 0;
    field->data = nullptr;
    field->size = 0;
    switch (field->wire_type) {
      case kVarint:
        if (!varint(&field->value)) return false;
        break;
      case kBytes: {
        uint64_t size = 0;
        if (!varint(&size) || !take(size, field)) return false;
        break;
      }
      case kFixed32:
        if (!take(4, field)) return false;
        break;
      case kFixed64:
        if (!take(8, field)) return false;
        break;
      default: return false;
    }
    field->end = cursor;
    return true;
  }

 private:
  bool take(uint64_t size, Field *field) {
    if (size > static_cast<uint64_t>(end - cursor)) return false;
    field->data = cursor;
    field->size = static_cast<size_t>(size);
    cursor += size;
    return true;
  }
};

}  // namespace rox
