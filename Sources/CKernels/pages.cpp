// Entries go into pages and out again. Rounding is the kernels' own, the same bits on every processor.
#include "pages.h"

#include <string.h>

namespace {

using namespace rally;

// Calls `body` with the type of the elements.
template <class Body>
auto WithType(rk_cache_type type, Body body) {
  switch (type) {
    case rk_cache_bf16: return body(uint16_t());
    case rk_cache_int8: return body(int8_t());
    default: return body(float());
  }
}

// The keys, or the values, of a head in a page.
template <class T, class Byte>
struct Half {
  Byte *start;
  size_t K;
  bool is_transposed;  // keys

  auto Elements() const {
    using Element = typename std::conditional<std::is_const<Byte>::value, const T, T>::type;
    return reinterpret_cast<Element *>(start);
  }
  auto Scales() const {
    using Scale = typename std::conditional<std::is_const<Byte>::value, const float, float>::type;
    return reinterpret_cast<Scale *>(start + kPage * K * sizeof(T));
  }
  size_t Index(size_t place, size_t k) const { return is_transposed ? k * kPage + place : place * K + k; }
};

// Calls `body` with each half of each head, and which head and half it is.
template <class T, class Byte, class Body>
void ForEachHalf(Byte *page, size_t G, size_t K, Body body) {
  for (size_t g = 0; g < G; ++g) {
    for (size_t half = 0; half < 2; ++half, page += Pages<T>::HalfBytes(K)) {
      body(Half<T, Byte>{page, K, half == 0}, g, half);
    }
  }
}

// The nearest elements to n ≤ kScaled floats, and their scale.
float Round(const float *x, size_t n, float *out) {
  memcpy(out, x, n * sizeof(float));
  return 1;
}
float Round(const float *x, size_t n, uint16_t *out) {
  rk_f32_to_bf16(x, out, n);
  return 1;
}
float Round(const float *x, size_t n, int8_t *out) {
  float scale;
  int32_t start;
  rk_quantize_rows(x, n, NULL, 0, 0, out, kScaled, &scale, &start, 1, n);
  return scale;
}

template <class T>
void Store(uint8_t *page, size_t place, const float *key, const float *value, size_t G, size_t K) {
  ForEachHalf<T>(page, G, K, [=](Half<T, uint8_t> half, size_t g, size_t which) {
    const float *x = (which == 0 ? key : value) + g * K;
    for (size_t start = 0; start < K; start += kScaled) {
      const size_t n = K - start < kScaled ? K - start : kScaled;
      T rounded[kScaled];
      const float scale = Round(x + start, n, rounded);
      if (half.is_transposed) {
        for (size_t k = 0; k < n; ++k) half.Elements()[half.Index(place, start + k)] = rounded[k];
      } else {
        memcpy(half.Elements() + half.Index(place, start), rounded, n * sizeof(T));
      }
      if (Pages<T>::kHasScales) half.Scales()[start / kScaled * kPage + place] = scale;
    }
  });
}

template <class T>
void Copy(const uint8_t *from, uint8_t *to, size_t place, size_t G, size_t K) {
  ForEachHalf<T>(from, G, K, [=](Half<T, const uint8_t> source, size_t, size_t) {
    const Half<T, uint8_t> target{to + (source.start - from), K, source.is_transposed};
    if (source.is_transposed) {
      for (size_t k = 0; k < K; ++k) target.Elements()[k * kPage + place] = source.Elements()[k * kPage + place];
    } else {
      memcpy(target.Elements() + place * K, source.Elements() + place * K, K * sizeof(T));
    }
    for (size_t i = 0; i < Pages<T>::Groups(K); ++i) target.Scales()[i * kPage + place] = source.Scales()[i * kPage + place];
  });
}

// Where the elements and the scales of one head of an entry lie among the bytes of its key, or of its value.
template <class T>
struct Place {
  size_t elements, scales;
  Place(size_t G, size_t g, size_t K)
      : elements(g * K * sizeof(T)), scales(G * K * sizeof(T) + g * Pages<T>::Groups(K) * sizeof(float)) {}
};

template <class T>
void Read(const uint8_t *page, size_t place, uint8_t *key, uint8_t *value, size_t G, size_t K) {
  ForEachHalf<T>(page, G, K, [=](Half<T, const uint8_t> half, size_t g, size_t which) {
    uint8_t *bytes = which == 0 ? key : value;
    const Place<T> at(G, g, K);
    for (size_t k = 0; k < K; ++k)
      memcpy(bytes + at.elements + k * sizeof(T), half.Elements() + half.Index(place, k), sizeof(T));
    for (size_t i = 0; i < Pages<T>::Groups(K); ++i) memcpy(bytes + at.scales + i * 4, half.Scales() + i * kPage + place, 4);
  });
}

template <class T>
void Write(uint8_t *page, size_t place, const uint8_t *key, const uint8_t *value, size_t G, size_t K) {
  ForEachHalf<T>(page, G, K, [=](Half<T, uint8_t> half, size_t g, size_t which) {
    const uint8_t *bytes = which == 0 ? key : value;
    const Place<T> at(G, g, K);
    for (size_t k = 0; k < K; ++k)
      memcpy(half.Elements() + half.Index(place, k), bytes + at.elements + k * sizeof(T), sizeof(T));
    for (size_t i = 0; i < Pages<T>::Groups(K); ++i) memcpy(half.Scales() + i * kPage + place, bytes + at.scales + i * 4, 4);
  });
}

}  // namespace

extern "C" size_t rk_cache_page_bytes(rk_cache_type type, size_t G, size_t K) {
  return WithType(type, [=](auto element) { return G * Pages<decltype(element)>::HeadBytes(K); });
}

extern "C" size_t rk_cache_entry_bytes(rk_cache_type type, size_t G, size_t K) {
  return WithType(type, [=](auto element) { return G * Pages<decltype(element)>::EntryBytes(K); });
}

extern "C" void rk_cache_store(rk_cache_type type, void *page, size_t place, const float *key, const float *value, size_t G,
                               size_t K) {
  WithType(type, [=](auto e) { Store<decltype(e)>(static_cast<uint8_t *>(page), place, key, value, G, K); });
}

extern "C" void rk_cache_copy(rk_cache_type type, const void *from, void *to, size_t place, size_t G, size_t K) {
  WithType(type,
           [=](auto e) { Copy<decltype(e)>(static_cast<const uint8_t *>(from), static_cast<uint8_t *>(to), place, G, K); });
}

extern "C" void rk_cache_read(rk_cache_type type, const void *page, size_t place, void *key, void *value, size_t G, size_t K) {
  WithType(type, [=](auto e) {
    Read<decltype(e)>(static_cast<const uint8_t *>(page), place, static_cast<uint8_t *>(key), static_cast<uint8_t *>(value), G,
                      K);
  });
}

extern "C" void rk_cache_write(rk_cache_type type, void *page, size_t place, const void *key, const void *value, size_t G,
                               size_t K) {
  WithType(type, [=](auto e) {
    Write<decltype(e)>(static_cast<uint8_t *>(page), place, static_cast<const uint8_t *>(key),
                       static_cast<const uint8_t *>(value), G, K);
  });
}
