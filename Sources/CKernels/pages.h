// How pages keep keys and values: for every head its keys [K, kPage], so that lanes are keys, then its values [kPage, K],
// both as elements of one type; after int8 elements their scales [groups, kPage] f32, one for each 32 channels of an entry.
#ifndef RALLY_PAGES_H_
#define RALLY_PAGES_H_

#include <stddef.h>
#include <stdint.h>
#include <type_traits>

#include "include/ckernels.h"

namespace rally {

constexpr size_t kPage = rk_attention_page;
constexpr size_t kScaled = rk_cache_group;

template <class T>
struct Pages {
  static constexpr bool kHasScales = std::is_same<T, int8_t>::value;

  static constexpr size_t Groups(size_t K) { return kHasScales ? (K + kScaled - 1) / kScaled : 0; }
  // Of the keys of a head in a page, or of its values.
  static constexpr size_t HalfBytes(size_t K) { return kPage * (K * sizeof(T) + Groups(K) * sizeof(float)); }
  static constexpr size_t HeadBytes(size_t K) { return 2 * HalfBytes(K); }
  // Of one key, or value, of a head, apart from the page.
  static constexpr size_t EntryBytes(size_t K) { return K * sizeof(T) + Groups(K) * sizeof(float); }
};

}  // namespace rally
#endif
