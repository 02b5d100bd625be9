#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace waystation::crypto {

// A source of random bytes. Injected, so that the simulator can replay a run from its seed.
class Random {
 public:
  virtual ~Random() = default;

  // Fills `size` bytes at `out`. Throws Failure("random.unavailable") and leaves nothing half
  // random.
  virtual void fill(void* out, std::size_t size) = 0;

  std::string bytes(std::size_t size);
  std::uint64_t next64();
};

// The operating system's generator through OpenSSL, drawn in pools of 4 KiB; the pool is dropped
// after a fork, so that parent and child never share a byte. Safe to use from several threads.
class SystemRandom final : public Random {
 public:
  void fill(void* out, std::size_t size) override;
};

}  // namespace waystation::crypto
