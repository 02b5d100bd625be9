#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace waystation::crypto {

// Key material: wiped when it goes, locked out of swap where the system allows it, never printed,
// copied only by name. Move leaves the source empty.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size);  // zeros
  static Secret copyOf(std::string_view bytes);

  Secret(Secret&&) noexcept;
  Secret& operator=(Secret&&) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  Secret clone() const { return copyOf(view()); }
  char* data() noexcept { return bytes_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  // The bytes, for handing to a primitive; never keep or copy them.
  std::string_view view() const noexcept { return {bytes_, size_}; }

 private:
  char* bytes_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace waystation::crypto
