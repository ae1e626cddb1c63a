#include "cdigests.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
alignas(16) constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

uint32_t Rotated(uint32_t word, int count) { return word >> count | word << (32 - count); }

uint32_t BigEndian(const uint8_t *bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

void AbsorbBlock(uint32_t *state, const uint8_t *block) {
  uint32_t schedule[64];
  for (int i = 0; i < 16; i++) schedule[i] = BigEndian(block + 4 * i);
  for (int i = 16; i < 64; i++) {
    const uint32_t early = schedule[i - 15], late = schedule[i - 2];
    const uint32_t small = Rotated(early, 7) ^ Rotated(early, 18) ^ early >> 3;
    const uint32_t large = Rotated(late, 17) ^ Rotated(late, 19) ^ late >> 10;
    schedule[i] = schedule[i - 16] + small + schedule[i - 7] + large;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    const uint32_t mixed = Rotated(e, 6) ^ Rotated(e, 11) ^ Rotated(e, 25);
    const uint32_t first = h + mixed + ((e & f) ^ (~e & g)) + kRound[i] + schedule[i];
    const uint32_t turned = Rotated(a, 2) ^ Rotated(a, 13) ^ Rotated(a, 22);
    const uint32_t second = turned + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first;
    d = c, c = b, b = a, a = first + second;
  }
  const uint32_t worked[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) state[i] += worked[i];
}

#if defined(__x86_64__)

bool HasInstructions() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 29 & 1)) return false;
  return __get_cpuid(1, &a, &b, &c, &d) && (c >> 19 & 1) && (c >> 9 & 1);  // SSE4.1, SSSE3
}

// The instructions keep the state as (a, b, e, f) and (c, d, g, h), the first of each in the highest lane, and make four
// rounds and four words of the schedule at a time.
__attribute__((target("sha,sse4.1,ssse3"))) void AbsorbByInstructions(uint32_t *state, const uint8_t *blocks, size_t count) {
  const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i dcba = _mm_loadu_si128(reinterpret_cast<const __m128i *>(state));
  const __m128i hgfe = _mm_loadu_si128(reinterpret_cast<const __m128i *>(state + 4));
  const __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1), efgh = _mm_shuffle_epi32(hgfe, 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
  for (; count > 0; count--, blocks += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i words[4];
    for (int i = 0; i < 4; i++)
      words[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(blocks + 16 * i)), order);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      __m128i &now = words[i % 4];
      const __m128i &next = words[(i + 1) % 4], &third = words[(i + 2) % 4], &last = words[(i + 3) % 4];
      const __m128i sum = _mm_add_epi32(now, _mm_load_si128(reinterpret_cast<const __m128i *>(kRound + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
      if (i < 12) {
        const __m128i begun = _mm_add_epi32(_mm_sha256msg1_epu32(now, next), _mm_alignr_epi8(last, third, 4));
        now = _mm_sha256msg2_epu32(begun, last);
      }
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#endif

}  // namespace

extern "C" void rd_sha256_portable(uint32_t *state, const uint8_t *blocks, size_t count) {
  for (; count > 0; count--, blocks += 64) AbsorbBlock(state, blocks);
}

extern "C" void rd_sha256(uint32_t *state, const uint8_t *blocks, size_t count) {
#if defined(__x86_64__)
  static const bool has = HasInstructions();
  if (has) return AbsorbByInstructions(state, blocks, count);
#endif
  rd_sha256_portable(state, blocks, count);
}
