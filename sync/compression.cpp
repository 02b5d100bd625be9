#include "sync/compression.h"

#include <zstd.h>

#include <array>
#include <new>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

constexpr int kLevel = 9;
constexpr int kWindowLog = 21;  // 2 MiB: what either side has to keep of the past

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
  ~Stream() { ZSTD_freeCCtx(context); }
};

Compressor::Compressor() : stream_(std::make_unique<Stream>()) {
  if (stream_->context == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(stream_->context, ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(stream_->context, ZSTD_c_windowLog, kWindowLog);
}

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
  ~Stream() { ZSTD_freeDCtx(context); }
};

Decompressor::Decompressor() : stream_(std::make_unique<Stream>()) {
  if (stream_->context == nullptr) throw std::bad_alloc();
  ZSTD_DCtx_setParameter(stream_->context, ZSTD_d_windowLogMax, kWindowLog);
}

Decompressor::~Decompressor() = default;

std::string Decompressor::frame(std::string_view packed, std::size_t limit) {
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
