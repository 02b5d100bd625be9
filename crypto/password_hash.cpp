#include "crypto/password_hash.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "crypto/argon2_derivation.h"
#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

constexpr std::size_t kLeastSaltSize = 16;
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kHashSize = 32;
constexpr std::size_t kMostEncodedSize = 512;
constexpr std::string_view kPrefix = "$argon2id$v=19$m=";

struct Octets {
  std::uint8_t* data = nullptr;
  std::uint32_t size = 0;
};

// libargon2 takes mutable pointers, but writes through them only when told to wipe its input,
// which it isn't.
Octets octetsOf(std::string_view bytes) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw Failure("password.malformed", "The password is too long to be used.");
  }
  if (bytes.empty()) {
    return {};
  }
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(bytes.data())),
          static_cast<std::uint32_t>(bytes.size())};
}

// PHC strings carry RFC 4648's first alphabet, unpadded.
std::string toBase64(std::string_view bytes) {
  std::string text = toBase64Url(bytes);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  return text;
}

std::optional<std::string> fromBase64(std::string_view encoded) {
  std::string text(encoded);
  if (text.find_first_of("-_") != std::string::npos) {
    return std::nullopt;
  }
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  try {
    return fromBase64Url(text);
  } catch (const Failure&) {
    return std::nullopt;
  }
}

struct EncodedPassword {
  Argon2Cost cost;
  std::string salt;
  std::string hash;
};

// Takes `text` apart from its front; every step says whether it found what it wanted.
class PhcReader {
 public:
  explicit PhcReader(std::string_view text) : rest_(text) {}

  bool literal(std::string_view wanted) {
    if (rest_.substr(0, wanted.size()) != wanted) {
      return false;
    }
    rest_.remove_prefix(wanted.size());
    return true;
  }

  // Decimal without leading zeros, so that one cost has one spelling.
  bool number(std::uint32_t& value) {
    const char* const end = rest_.data() + rest_.size();
    const auto [stop, error] = std::from_chars(rest_.data(), end, value);
    if (error != std::errc() || rest_.front() == '0') {
      return false;
    }
    rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
    return true;
  }

  // Up to the next '$' or the end.
  std::string_view field() {
    const std::string_view result = rest_.substr(0, rest_.find('$'));
    rest_.remove_prefix(result.size());
    return result;
  }

  bool atEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<EncodedPassword> decode(std::string_view encoded) {
  if (encoded.size() > kMostEncodedSize) {
    return std::nullopt;
  }
  EncodedPassword result;
  PhcReader reader(encoded);
  if (!reader.literal(kPrefix) || !reader.number(result.cost.memoryKiB) || !reader.literal(",t=") ||
      !reader.number(result.cost.passes) || !reader.literal(",p=") ||
      !reader.number(result.cost.lanes) || !reader.literal("$")) {
    return std::nullopt;
  }
  const std::optional<std::string> salt = fromBase64(reader.field());
  if (!salt || !reader.literal("$")) {
    return std::nullopt;
  }
  const std::optional<std::string> hash = fromBase64(reader.field());
  if (!hash || !reader.atEnd() || salt->size() < kLeastSaltSize || hash->size() != kHashSize ||
      !isWithinLimits(result.cost)) {
    return std::nullopt;
  }
  result.salt = *salt;
  result.hash = *hash;
  return result;
}

}  // namespace

bool isWithinLimits(const Argon2Cost& cost) {
  return cost.passes >= 1 && cost.passes <= kMostArgon2Passes && cost.lanes >= 1 &&
         cost.lanes <= kMostArgon2Lanes &&
         cost.memoryKiB >= kLeastArgon2MemoryKiBPerLane * cost.lanes &&
         cost.memoryKiB <= kMostArgon2MemoryKiB &&
         std::uint64_t{cost.memoryKiB} * cost.passes <= kMostArgon2MemoryTimesPasses;
}

namespace {

// The memory that is filled with what the password is stretched to: out of core dumps, out of swap
// where that much may be locked, and wiped (an attacker who finds it skips the stretching).
int takeMemory(std::uint8_t** memory, std::size_t size) {
  void* const bytes =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) return -1;
  (void)::madvise(bytes, size, MADV_DONTDUMP);
  (void)::mlock(bytes, size);
  *memory = static_cast<std::uint8_t*>(bytes);
  return 0;
}

void giveBackMemory(std::uint8_t* memory, std::size_t size) {
  OPENSSL_cleanse(memory, size);
  ::munmap(memory, size);
}

}  // namespace

Secret argon2idOf(const Argon2Inputs& inputs, const Argon2Cost& cost, std::size_t size) {
  if (inputs.salt.size() < kLeastSaltSize || size < 16 || size > 1024 || !isWithinLimits(cost)) {
    throw Failure("password.malformed-cost",
                  "A password is stretched with at least 16 bytes of salt, to between 16 and 1024 "
                  "bytes, in at most 1 GiB of memory, 64 passes and 16 lanes.");
  }
  Secret result(size);
  const Octets password = octetsOf(inputs.password);
  const Octets salt = octetsOf(inputs.salt);
  const Octets secretKey = octetsOf(inputs.secretKey);
  const Octets associatedData = octetsOf(inputs.associatedData);
  argon2_context context{};
  context.out = reinterpret_cast<std::uint8_t*>(result.data());
  context.outlen = static_cast<std::uint32_t>(result.size());
  context.pwd = password.data;
  context.pwdlen = password.size;
  context.salt = salt.data;
  context.saltlen = salt.size;
  context.secret = secretKey.data;
  context.secretlen = secretKey.size;
  context.ad = associatedData.data;
  context.adlen = associatedData.size;
  context.t_cost = cost.passes;
  context.m_cost = cost.memoryKiB;
  context.lanes = cost.lanes;
  context.threads = cost.lanes;
  context.version = ARGON2_VERSION_13;
  context.flags = ARGON2_DEFAULT_FLAGS;
  context.allocate_cbk = takeMemory;
  context.free_cbk = giveBackMemory;
  const int outcome = argon2_ctx(&context, Argon2_id);
  if (outcome == ARGON2_MEMORY_ALLOCATION_ERROR || outcome == ARGON2_THREAD_FAIL) {
    throw Failure("password.out-of-memory",
                  "There is not enough free memory to check the password now. Nothing was changed; "
                  "try again in a moment.");
  }
  if (outcome != ARGON2_OK) {
    throw Failure("password.malformed", std::string("The password could not be stretched: ") +
                                            argon2_error_message(outcome) + ".");
  }
  return result;
}

Secret argon2id(std::string_view password, std::string_view salt, const Argon2Cost& cost,
                std::size_t size) {
  return argon2idOf({password, salt, {}, {}}, cost, size);
}

std::string hashPassword(Random& random, std::string_view password, const Argon2Cost& cost) {
  const std::string salt = random.bytes(kSaltSize);
  const Secret hash = argon2id(password, salt, cost, kHashSize);
  return std::string(kPrefix) + std::to_string(cost.memoryKiB) +
         ",t=" + std::to_string(cost.passes) + ",p=" + std::to_string(cost.lanes) + "$" +
         toBase64(salt) + "$" + toBase64(hash.view());
}

bool verifyPassword(std::string_view encoded, std::string_view password) {
  const std::optional<EncodedPassword> stored = decode(encoded);
  if (!stored) {
    return false;
  }
  const Secret hash = argon2id(password, stored->salt, stored->cost, stored->hash.size());
  return equalConstantTime(hash.view(), stored->hash);
}

}  // namespace waystation::crypto
