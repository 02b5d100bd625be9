#include "sync/compression.h"

#include <zstd.h>

#include <array>
#include <new>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

constexpr int kLevel = 9;
constexpr int kWindowLog = 21;  // 2 MiB: what either side has to keep of the past
constexpr std::size_t kSmallBytes = 16 * 1024;
constexpr int kSmallLog = 15;  // tables and past of 32 KiB

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

  // Frames are filled before the next begins, so a small first one is most often the only one, and
  // gets tables of its size: clearing those for 2 MiB, 20 MB, takes longer than all the rest of an
  // exchange.
  explicit Stream(std::size_t firstBytes) {
    if (context == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, kWindowLog);
    if (firstBytes < kSmallBytes) {
      ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, kSmallLog);
      ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, kSmallLog);
      ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, kSmallLog);
    }
  }
  ~Stream() { ZSTD_freeCCtx(context); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

Compressor::Compressor() = default;
Compressor::~Compressor() = default;

std::string Compressor::frame(std::string_view plain) {
  if (!stream_) stream_ = std::make_unique<Stream>(plain.size());
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
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, kWindowLog);
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
