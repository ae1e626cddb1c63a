// Kernels of Rally: pointers in, numbers out.
//
// No function here allocates, starts a thread, keeps a pointer or checks its arguments: the Swift
// faces do that. Letters as in Tensors/Shape.swift. Buffers are f32, row-major, of any alignment;
// a stride counts floats from one row to the next and is at least the row's width.
//
// Every function computes a row from that row alone, in an order that depends on the row's own
// length and on nothing else: not on its neighbours, its address or the caller's thread. A row's
// result is therefore the same bits in every batch, on one instruction set.
//
// "May alias" says which buffers may be the same memory; others must not overlap.
// NaN in gives NaN out unless said otherwise.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma mark Instruction sets

/// Upper bound of the instruction sets that kernels may use.
enum rk_target_limit { rk_limit_none = 0, rk_limit_avx2 = 1, rk_limit_sse4 = 2 };

/// Name of the instruction set that calls use now, such as "AVX3" or "SSE4". Static string.
const char *rk_target_name(void);

/// The version of Highway, "1.0.3". Static string.
const char *rk_highway_version(void);

/// Forbids instruction sets above `limit`; `rk_limit_none` lifts the bound. x86 only, elsewhere
/// without effect. For tests and diagnosis only, before other threads run kernels.
void rk_limit_targets(enum rk_target_limit limit);

/// Whether AMD made the processor.
bool rk_processor_is_amd(void);

/// Whether `rk_matmul_bf16_pairs` runs here: the processor multiplies pairs of bf16 (AVX512_BF16), and no bound forbids it.
bool rk_multiplies_bf16(void);

/// The processor's hint that the caller waits in a loop.
void rk_spin_hint(void);

#pragma mark Normalisation

/// y = w · x / sqrt(mean(x²) + eps) per row. x, out [N, D]; weight [D]. out may alias x.
/// Zhang & Sennrich 2019.
void rk_rms_norm(const float *x, size_t x_stride, const float *weight, float eps, float *out, size_t out_stride, size_t N,
                 size_t D);

/// y = w · (x − mean) / sqrt(variance + eps) + b per row, biased variance, two passes.
/// x, out [N, D]; weight [D]; bias [D] or NULL. out may alias x. Ba et al. 2016.
void rk_layer_norm(const float *x, size_t x_stride, const float *weight, const float *bias, float eps, float *out,
                   size_t out_stride, size_t N, size_t D);

#pragma mark Positions

/// Rotary embedding in place, rotate-half layout, K even: with c, s of the row's position,
/// x[i] ← x[i]·c[i] − x[i+K/2]·s[i],  x[i+K/2] ← x[i+K/2]·c[i] + x[i]·s[i].
/// x [N, heads·K]; cosines, sines [positions, K/2]; position [N], each within the tables.
/// Su et al. 2021, the layout of GPT-NeoX and Llama.
void rk_rope(float *x, size_t x_stride, const float *cosines, const float *sines, const int32_t *position, size_t N,
             size_t heads, size_t K);

#pragma mark Attention

/// Entries of a page: two vectors of the widest instruction set, a whole number of vectors of the others.
enum { rk_attention_page = 32 };

/// What keys and values are kept as. int8: with a scale for each `rk_cache_group` channels of one head of one entry, the last
/// group of a head being as short as is left: max|x| / 127, rounded to nearest, ties to even, as `rk_quantize_rows` does.
typedef enum rk_cache_type { rk_cache_f32 = 0, rk_cache_bf16 = 1, rk_cache_int8 = 2 } rk_cache_type;
enum { rk_cache_group = 32 };

/// Bytes of a page, a multiple of 64.
size_t rk_cache_page_bytes(rk_cache_type type, size_t G, size_t K);

/// Bytes of one key, or value, [G·K] apart from its page: the elements, then the scales [G, groups] f32 of int8.
size_t rk_cache_entry_bytes(rk_cache_type type, size_t G, size_t K);

/// Floats of scratch that `rk_attention` needs.
size_t rk_attention_scratch(size_t rows, size_t H, size_t G);

/// Softmax attention of a few query rows of one sequence over its paged keys and values:
/// out[h] = Σ_t softmax_t(scale · q[h]·k_t) · v_t over the entries firsts[row] ≤ t < lengths[row].
///
/// firsts, lengths [rows]; firsts NULL for 0 everywhere. q, out [rows, H·K]; query head h reads key/value head h / (H/G); H is a
/// multiple of G. pages: one pointer per `rk_attention_page` entries, each page, aligned to 4 bytes, [G, 2, …] elements of `type`: for
/// every head its keys [K, entries], so that lanes are keys, then its values [entries, K]; int8 with scales [groups, entries] f32 after
/// either. What stands after the last entry is read and has no effect, and so are entries before the first. Only heads of groups
/// first_group ..< first_group + group_count are computed and written. A range without entries gives zeros.
/// scratch: `rk_attention_scratch` floats. out may not alias q. Online softmax (Milakov & Gimelshein 2018) over blocks of two
/// pages, so companions do not change a bit. Elements become f32 before anything else: the bits are those of f32 pages that hold
/// the rounded keys and values.
void rk_attention(rk_cache_type type, const float *q, size_t q_stride, float *out, size_t out_stride, size_t rows,
                  const int32_t *firsts, const int32_t *lengths, const void *const *pages, size_t H, size_t G, size_t K,
                  size_t first_group, size_t group_count, float scale, float *scratch);

/// What keys, values, queries and weights of the softmax are rounded to; sums are f32.
typedef enum { rk_self_attention_f32, rk_self_attention_bf16 } rk_self_attention_type;

/// Whether this processor has it: vectors of 512 bits; for bf16 `rk_multiplies_bf16()`.
bool rk_has_self_attention(rk_self_attention_type type);

/// Floats of scratch that `rk_self_attention` needs for so many entries.
size_t rk_self_attention_scratch(rk_self_attention_type type, size_t entries, size_t K);

/// Attention of rows of one sequence over its own keys and values, for the query heads that share one key/value head:
/// out[h] = Σ_t softmax_t(scale · q[h]·k_t) · v_t over the entries firsts[row] ≤ t < lengths[row], scale > 0.
///
/// q, out [rows, heads·K]; k, v [entries, K], both with one stride; firsts NULL for 0 everywhere. For bf16 q, k and v are rounded,
/// and so are the weights exp(scale · (score − the row's greatest)); products are added in f32 by `vdpbf16ps`. Softmax is f32 and
/// divides by the sum of the rounded weights. Entries that any of up to 12 adjacent rows sees are multiplied by weights of 0 for the
/// others: they change no bit unless they are not finite. A range without entries gives zeros. scratch: `rk_self_attention_scratch`
/// floats for the entries from the first that a row sees, or up to 15 before it, to the last.
void rk_self_attention(rk_self_attention_type type, const float *q, size_t q_stride, const float *k, const float *v,
                       size_t stride, float *out, size_t out_stride, size_t rows, const int32_t *firsts, const int32_t *lengths,
                       size_t heads, size_t K, float scale, float *scratch);

/// Queries that `rk_disentangled` takes together.
enum { rk_disentangled_tile = 16 };

/// Floats of scratch that `rk_disentangled` needs for a row of T tokens whose distances fall into so many buckets.
size_t rk_disentangled_scratch(size_t T, size_t K, size_t buckets);

/// One head of DeBERTa's attention over a whole row, He et al. 2021 (arXiv 2006.03654, 2111.09543):
/// out[i] = Σ_j softmax_j(scale · (q[i]·k[j] + q[i]·C[b] + k[j]·P[b])) · v[j], b = buckets[i − j + T − 1].
///
/// q, k, v [T, K], all with one stride; out [T, K] may alias none of them. C = key_distances and P = query_distances
/// […, K], `distance_stride` floats from row to row; NULL: without that term. buckets [2T − 1], rows of C and P,
/// never falling. scratch: `rk_disentangled_scratch` floats for buckets[2T − 2] − buckets[0] + 1 of them.
/// A sum's order depends on T and K alone.
void rk_disentangled(const float *q, const float *k, const float *v, size_t stride, size_t T, size_t K,
                     const float *key_distances, const float *query_distances, size_t distance_stride, const int32_t *buckets,
                     float scale, float *out, size_t out_stride, float *scratch);

/// Writes key and value [G·K] of one token, rounded, as entry `place` of a page.
void rk_cache_store(rk_cache_type type, void *page, size_t place, const float *key, const float *value, size_t G, size_t K);

/// Copies entry `place` of a page to the same place of another.
void rk_cache_copy(rk_cache_type type, const void *from, void *to, size_t place, size_t G, size_t K);

/// Reads key and value of an entry as they are kept, `rk_cache_entry_bytes` each, and writes them back. Any alignment.
void rk_cache_read(rk_cache_type type, const void *page, size_t place, void *key, void *value, size_t G, size_t K);
void rk_cache_write(rk_cache_type type, void *page, size_t place, const void *key, const void *value, size_t G, size_t K);

#pragma mark Activations

/// Activations have numbers, f < rk_activation_count(), and the names that model files use; activation.cpp lists them.
size_t rk_activation_count(void);
const char *rk_activation_name(size_t f);

/// x ← f(x) for N rows of D.
void rk_activate(size_t f, float *x, size_t x_stride, size_t N, size_t D);

/// out = f(gate) · up. x [N, 2F], a row is gate | up; out [N, F]. out may alias x (same stride).
void rk_activate_gated(size_t f, const float *x, size_t x_stride, float *out, size_t out_stride, size_t N, size_t F);

#pragma mark Rows and vectors

/// x += y, n elements.
void rk_add(float *x, const float *y, size_t n);
/// x *= factor, n elements.
void rk_scale(float *x, float factor, size_t n);
/// h[index[i]] += gain[i] · y[i] for i in 0 ..< N, in that order; gain NULL means 1. h [·, D], y [N, D].
void rk_scatter_add_rows(float *h, size_t h_stride, const int32_t *index, const float *gain, const float *y, size_t y_stride,
                         size_t N, size_t D);
/// out[i] = x[index[i]]. x [·, D], out [N, D].
void rk_gather_rows(const float *x, size_t x_stride, const int32_t *index, float *out, size_t out_stride, size_t N, size_t D);
/// out[index[i]] = x[i], in the order of i. x [N, D], out [·, D].
void rk_scatter_rows(const float *x, size_t x_stride, const int32_t *index, float *out, size_t out_stride, size_t N, size_t D);
/// out = mean over the N ≥ 1 rows of x, summed from row 0 upward. x [N, D], out [D].
void rk_mean_rows(const float *x, size_t x_stride, float *out, size_t N, size_t D);
/// Σ x·w, n elements.
float rk_dot(const float *x, const float *w, size_t n);
/// Index of the first element that is NaN or infinite, or −1.
ptrdiff_t rk_first_not_finite(const float *x, size_t n);

#pragma mark Softmax and logits

/// The largest element, NaN ignored; −infinity for n = 0 or nothing but NaN.
float rk_max(const float *x, size_t n);
/// Index of the largest element, the lowest on ties, NaN ignored; 0 when there is none.
size_t rk_argmax(const float *x, size_t n);
/// Σ exp(x − shift), n elements.
float rk_sum_exp(const float *x, size_t n, float shift);
/// log Σ exp(x), the maximum subtracted first; −infinity for n = 0.
float rk_log_sum_exp(const float *x, size_t n);
/// x ← exp(x − max) / Σ exp(x − max), in place.
void rk_softmax(float *x, size_t n);
/// Σ (p − q) · (log p − log q) with log p = x − x_shift and log q = y − y_shift; x, y [n]. No term is negative.
float rk_jeffreys(const float *x, float x_shift, const float *y, float y_shift, size_t n);

#pragma mark Conversion

/// bfloat16 bits to f32, exact.
void rk_bf16_to_f32(const uint16_t *x, float *out, size_t n);
/// IEEE binary16 bits to f32, exact, subnormals and infinities included.
void rk_f16_to_f32(const uint16_t *x, float *out, size_t n);
/// f32 to bfloat16 bits, round to nearest, ties to even; NaN stays a (quiet) NaN.
void rk_f32_to_bf16(const float *x, uint16_t *out, size_t n);
/// Finite f32 to IEEE binary16 bits, round to nearest, ties to even; what is larger becomes 65504.
void rk_f32_to_f16(const float *x, uint16_t *out, size_t n);

/// The rule of int8 weights, for one row of finite numbers: returns scale = max|x| / 127, or 1 where
/// that is 0, and sets out[i] = x[i] / scale, rounded to nearest, ties to even, in −127 … 127.
/// Every step is one correctly rounded operation: the same bits on every instruction set.
float rk_quantize_row(const float *x, int8_t *out, size_t n);

/// The rule of q4 weights, for one group of `rk_matmul_group` finite numbers, in the words of docs/format.md: the scale, a
/// number of f16. Every step is one correctly rounded operation.
float rk_q4_scale(const float *x);
/// out[i] = x[i] / scale, rounded to nearest, ties to even, in −8 … 7, for one group.
void rk_q4_round(const float *x, float scale, int8_t *out);
/// One group as it is stored: byte i has number i in its low half and number i + 16 in its high half, both with 8 added.
void rk_q4_store(const int8_t *x, uint8_t *out);
/// What a stored group stands for.
void rk_q4_load(const uint8_t *x, float scale, float *out);

#pragma mark Matrix products
//
// y = x · Wᵀ + bias, x [M, K], W [n, K], y [M, n] f32; bias [n], or NULL for none, is added to each sum at its end. W is packed into strips of `rk_matmul_columns` outputs;
// what a last strip lacks is filled up. Every sum runs over k = 0, 1, … K−1 in one register, so an
// element of y is the same bits for every M and for every strip it is asked for with. Packed weights
// are read a few KiB ahead, past their end, too: as a hint to the processor, without effect there.

enum { rk_matmul_columns = 32 };

/// f32: weight [n, K] → out [ceil(n/32), K, 32].
void rk_matmul_pack_f32(const float *weight, size_t n, size_t K, float *out);
void rk_matmul_f32(const float *x, size_t x_stride, const float *packed, const float *bias, float *y, size_t y_stride, size_t M,
                   size_t n, size_t K);

/// bfloat16 bits: weight [n, K] → out [ceil(n/32), K, 16] words, output i of a strip in the low half of
/// word i, output i + 16 in its high half: one load, a shift and a mask make two vectors of f32.
void rk_matmul_pack_bf16(const uint16_t *weight, size_t n, size_t K, uint32_t *out);
/// x and sums are f32; each weight is widened where it is used.
void rk_matmul_bf16(const float *x, size_t x_stride, const uint32_t *packed, const float *bias, float *y, size_t y_stride,
                    size_t M, size_t n, size_t K);

/// bfloat16 bits: weight [n, K] → out [ceil(n/32), ceil(K/2), 32] words of two inputs each, the first in the low half;
/// a missing input counts as 0.
void rk_matmul_pack_bf16_pairs(const uint16_t *weight, size_t n, size_t K, uint32_t *out);
/// x [M, K] is bfloat16, too, rows with an even stride and with a 0 after an odd K; sums are f32. Each step adds two products
/// by `vdpbf16ps`, which rounds to nearest and takes subnormal numbers as zeros. Only where `rk_multiplies_bf16()`.
void rk_matmul_bf16_pairs(const uint16_t *x, size_t x_stride, const uint32_t *packed, const float *bias, float *y,
                          size_t y_stride, size_t M, size_t n, size_t K);

/// int8: weight [n, K] → out [ceil(n/32), ceil(K/4), 32, 4] with 128 added; missing inputs count as 0.
void rk_matmul_pack_int8(const int8_t *weight, size_t n, size_t K, uint8_t *out);
/// The greatest K of int8 products: 255 · 127 · K fits 31 bits.
enum { rk_matmul_int8_inputs = 66311 };
/// Inputs that share a scale.
enum { rk_matmul_group = 32 };
/// What is added to packed weights of a type, which are stored without a sign.
enum { rk_int8_zero = 128, rk_q4_zero = 8 };
/// Scales [n, groups] → out [ceil(n/32), groups, 32]; 0 for the outputs that are missing.
void rk_matmul_pack_scales(const float *scales, size_t n, size_t groups, float *out);
/// Rows of x [N, K], times `factors` [K] unless NULL, to int8. Every `group` inputs, a multiple of 4, or the whole row where
/// it is 0: scale = max|x| / 127, out = x · (127 / max|x|) to nearest, ties to even, and where sums of products with weights start
/// that have `zero` added: at −zero times the sum of the integers; scales, starts [N, groups]. Zeros follow up to a multiple of 4,
/// `out_stride` at least. What is below 2^-100 throughout becomes zeros with scale 0; what holds a NaN or an infinity, zeros with
/// scale NaN.
void rk_quantize_rows(const float *x, size_t x_stride, const float *factors, size_t group, int32_t zero, int8_t *out,
                      size_t out_stride, float *scales, int32_t *starts, size_t N, size_t K);
/// y = Σ over the groups, in order, of ((Σ x·w) · x_scale) · scale, with exact integer sums and one fused multiply-add a
/// group: the same bits on every processor. x, x_scales, starts as `rk_quantize_rows` made them for `rk_int8_zero`; scales as
/// `rk_matmul_pack_scales` left them.
void rk_matmul_int8(const int8_t *x, size_t x_stride, const float *x_scales, const int32_t *starts, size_t group,
                    const uint8_t *packed, const float *scales, const float *bias, float *y, size_t y_stride, size_t M,
                    size_t n, size_t K);

/// Whether the processor adds four products of bytes in one instruction (AVX512_VNNI).
bool rk_has_dot(void);

/// q4: rows [n, K / 2], groups as `rk_q4_store` leaves them, K a multiple of `rk_matmul_group`, and scales [n, K / 32], numbers
/// of f16 → out [ceil(n/32), K / 32, 576]: of each group of a strip eight steps of [16, 4] bytes, output i of the strip in the
/// low half and output i + 16 in the high half, then the 32 scales in f16. Missing outputs are zeros.
void rk_matmul_pack_q4(const uint8_t *rows, const float *scales, size_t n, size_t K, uint8_t *out);
/// As `rk_matmul_int8` with group `rk_matmul_group`, and starts for `rk_q4_zero`.
void rk_matmul_q4(const int8_t *x, size_t x_stride, const float *x_scales, const int32_t *starts, const uint8_t *packed,
                  const float *bias, float *y, size_t y_stride, size_t M, size_t n, size_t K);

#pragma mark Cross products

/// Rows of both sides come in multiples of `rk_cross_rows` and are padded to a multiple of `rk_cross_padding` values,
/// all of them zeros.
enum { rk_cross_rows = 4, rk_cross_padding = 8 };

/// c[i · c_stride + j · c_step] += Σ_k a[i, k] · b[j, k], f64 throughout, in an order that depends on `width` alone.
/// a [a_rows, width], b [b_rows, width], 64-byte aligned, strides and width multiples of the padding.
void rk_cross_products(const double *a, size_t a_rows, size_t a_stride, const double *b, size_t b_rows, size_t b_stride,
                       size_t width, double *c, size_t c_stride, size_t c_step);

/// out[p] = Σ_i c[i · c_stride + permutation[i] · parts + p] for every part p; permutation [h], each below h.
void rk_permuted_traces(const double *c, size_t c_stride, const int32_t *permutation, size_t h, size_t parts, double *out);

#pragma mark Digest

enum { rk_digest_lanes = 16 };

/// Mixes n bytes, of any alignment, into state [rk_digest_lanes]: lane i takes 64-bit word i of every 128
/// bytes, little-endian, with zeros after the last, as lane ← rotate((lane ^ word) · 33, left by 27) · 513.
/// Every step is a bijection of the lane, so one changed word always changes it. [ours]
void rk_digest(const void *bytes, size_t n, uint64_t *state);

#ifdef __cplusplus
}
#endif
