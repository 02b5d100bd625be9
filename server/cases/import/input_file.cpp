#include "server/cases/import/input_file.h"

#include <zstd.h>

#include <fstream>
#include <vector>

#include "crypto/failure.h"

namespace waystation::cases {

namespace {

constexpr std::string_view kZstdMagic = "\x28\xB5\x2F\xFD";  // RFC 8878, section 3.1.1
constexpr std::size_t kPiece = 64 * 1024;

struct FreeStream {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

struct InputFile::State {
  std::string name;
  std::ifstream stream;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::vector<char> piece = std::vector<char>(kPiece);
  bool isFirst = true;

  std::unique_ptr<ZSTD_DCtx, FreeStream> zstd;
  std::vector<char> unpacked;
  ZSTD_inBuffer input{nullptr, 0, 0};
  bool frameIsOpen = false;

  std::string_view readPiece();
  std::string_view readUnpacked();
};

InputFile::InputFile(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->name = path.filename().string();
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) {
    state_->total = std::filesystem::file_size(path, error);
    state_->stream.open(path, std::ios::binary);
  }
  if (error || !state_->stream.is_open()) {
    throw Failure("import.unreadable", "The file " + path.string() +
                                           " cannot be opened for reading; check its name and "
                                           "that you may read it.");
  }
}

InputFile::~InputFile() = default;

std::string_view InputFile::State::readPiece() {
  stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
  if (stream.bad()) {
    throw Failure("import.unreadable", "Reading " + name +
                                           " failed on the disk or the stick; "
                                           "copy the file to another place and try again.");
  }
  const auto count = static_cast<std::size_t>(stream.gcount());
  done += count;
  return {piece.data(), count};
}

std::string_view InputFile::State::readUnpacked() {
  for (;;) {
    if (input.pos == input.size) {
      const std::string_view packed = readPiece();
      if (packed.empty()) {
        if (!frameIsOpen) return {};
        throw Failure("import.damaged",
                      "The packed file " + name +
                          " ends too early; what came "
                          "before was read. Copy it again and repeat the import.");
      }
      input = {packed.data(), packed.size(), 0};
    }
    ZSTD_outBuffer output{unpacked.data(), unpacked.size(), 0};
    const std::size_t left = ZSTD_decompressStream(zstd.get(), &output, &input);
    if (ZSTD_isError(left)) {
      throw Failure("import.damaged", "The packed file " + name +
                                          " is damaged; what came before "
                                          "was read. Copy it again and repeat the import.");
    }
    frameIsOpen = left != 0;
    if (output.pos > 0) return {unpacked.data(), output.pos};
  }
}

std::string_view InputFile::read() {
  if (state_->zstd) return state_->readUnpacked();
  const std::string_view piece = state_->readPiece();
  if (!state_->isFirst) return piece;
  state_->isFirst = false;
  if (piece.substr(0, kZstdMagic.size()) != kZstdMagic) return piece;
  state_->zstd.reset(ZSTD_createDCtx());
  if (!state_->zstd) throw std::bad_alloc();
  state_->unpacked.resize(ZSTD_DStreamOutSize());
  state_->input = {piece.data(), piece.size(), 0};
  return state_->readUnpacked();
}

std::uint64_t InputFile::bytesDone() const {
  return state_->done;
}

std::uint64_t InputFile::bytesTotal() const {
  return state_->total;
}

}  // namespace waystation::cases
