#pragma once

#include <cstdint>
#include <cstring>

#include "crypto/random.h"

namespace waystation::testing {

// A reproducible stand-in for the system's generator (splitmix64). Never for keys.
class SeededRandom final : public crypto::Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

  // Begins another row of numbers.
  void reseed(std::uint64_t seed) { state_ = seed; }

  std::uint64_t draw() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  void fill(void* out, std::size_t size) override {
    auto* bytes = static_cast<unsigned char*>(out);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(draw());
  }

 private:
  std::uint64_t state_;
};

}  // namespace waystation::testing
