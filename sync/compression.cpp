#include "sync/compression.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

constexpr int kMostWindowLog = 21;  // 2 MiB: what either side has to keep of the past

// Measured on records and single edits of cases: for little, the most thorough search; for much,
// one that takes 3 s and 8 MiB for 16 MB of records instead of 9 s and 85 MiB.
constexpr int kLevelOfLittle = 19;
constexpr int kLeastLog = 14;
constexpr int kMostLogOfLittle = 18;
constexpr int kLevelOfMuch = 16;
constexpr int kChainLogOfMuch = 20;
constexpr int kHashLogOfMuch = 18;

void require(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw Failure("sync.malformed",
                  "A sync message is damaged: it does not decompress. Nothing of this part was "
                  "applied.");
  }
}

}  // namespace

struct Compressor::Stream {
  ZSTD_CCtx* context = ZSTD_createCCtx();

  explicit Stream(std::size_t expected) {
    if (context == nullptr) throw std::bad_alloc();
    const int log = std::max(kLeastLog, static_cast<int>(std::bit_width(expected)));
    const bool isLittle = log <= kMostLogOfLittle;
    set(ZSTD_c_compressionLevel, isLittle ? kLevelOfLittle : kLevelOfMuch);
    set(ZSTD_c_windowLog, isLittle ? log : kMostWindowLog);
    set(ZSTD_c_hashLog, isLittle ? log : kHashLogOfMuch);
    set(ZSTD_c_chainLog, isLittle ? log : kChainLogOfMuch);
  }
  void set(ZSTD_cParameter parameter, int value) {
    require(ZSTD_CCtx_setParameter(context, parameter, value));
  }
  ~Stream() { ZSTD_freeCCtx(context); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

Compressor::Compressor(std::size_t expected) : stream_(std::make_unique<Stream>(expected)) {}
Compressor::~Compressor() = default;

std::string Compressor::frame(std::string_view plain) {
  ZSTD_inBuffer input{plain.data(), plain.size(), 0};
  std::string packed;
  std::array<char, 16 * 1024> buffer{};
  std::size_t left = 1;
  while (left != 0) {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    left = ZSTD_compressStream2(stream_->context, &output, &input, ZSTD_e_flush);
    require(left);
    packed.append(buffer.data(), output.pos);
  }
  return packed;
}

struct Decompressor::Stream {
  ZSTD_DCtx* context = ZSTD_createDCtx();

  Stream() {
    if (context == nullptr) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, kMostWindowLog);
  }
  ~Stream() { ZSTD_freeDCtx(context); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

Decompressor::Decompressor() = default;
Decompressor::~Decompressor() = default;

std::string Decompressor::frame(std::string_view packed, std::size_t limit) {
  if (!stream_) stream_ = std::make_unique<Stream>();
  ZSTD_inBuffer input{packed.data(), packed.size(), 0};
  std::string plain;
  std::array<char, 32 * 1024> buffer{};
  while (true) {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    require(ZSTD_decompressStream(stream_->context, &output, &input));
    plain.append(buffer.data(), output.pos);
    if (plain.size() > limit) require(static_cast<std::size_t>(-1));
    const bool drained = output.pos < output.size;
    if (input.pos == input.size && drained) return plain;
  }
}

}  // namespace waystation::sync
