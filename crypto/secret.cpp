#include "crypto/secret.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace waystation::crypto {
namespace {

// Whole pages: locking and unlocking works by the page, so two secrets in one page would unlock
// each other.
std::size_t roundedToPages(std::size_t size) {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (size > std::numeric_limits<std::size_t>::max() - page) {
    throw std::bad_alloc();
  }
  return (size + page - 1) / page * page;
}

char* allocate(std::size_t size) {
  if (size == 0) {
    return nullptr;
  }
  const std::size_t mapped = roundedToPages(size);
  void* const bytes =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) {
    throw std::bad_alloc();
  }
  // Both are best effort: a system that forbids locking must still be able to open its store.
  (void)mlock(bytes, mapped);
  (void)madvise(bytes, mapped, MADV_DONTDUMP);
  return static_cast<char*>(bytes);
}

void wipeAndFree(char* bytes, std::size_t size) noexcept {
  if (bytes == nullptr) {
    return;
  }
  OPENSSL_cleanse(bytes, size);
  munmap(bytes, roundedToPages(size));
}

}  // namespace

Secret::Secret(std::size_t size) : bytes_(allocate(size)), size_(size) {}

Secret Secret::copyOf(std::string_view bytes) {
  Secret result(bytes.size());
  if (!bytes.empty()) {
    std::memcpy(result.bytes_, bytes.data(), bytes.size());
  }
  return result;
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipeAndFree(bytes_, size_);
    bytes_ = std::exchange(other.bytes_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret::~Secret() {
  wipeAndFree(bytes_, size_);
}

}  // namespace waystation::crypto
