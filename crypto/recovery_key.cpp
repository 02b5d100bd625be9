#include "crypto/recovery_key.h"

#include <openssl/crypto.h>

#include <utility>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

constexpr std::string_view kPrivateMark = "wsrk1.";
constexpr std::string_view kPublicMark = "wsrp1.";
constexpr std::size_t kCheckSize = 8;
constexpr std::size_t kIdSize = 16;
constexpr std::string_view kBlanks = " \t\r\n";

[[noreturn]] void throwMalformed(std::string_view mark) {
  const bool wantsPrivate = mark == kPrivateMark;
  throw Failure("key.recovery-key-malformed",
                std::string("This is not a whole recovery key: its ") +
                    (wantsPrivate ? "private part, from the safe, begins with wsrk1."
                                  : "public part, for offices, begins with wsrp1.") +
                    " Nothing was changed; copy the file again.");
}

std::string checkOf(std::string_view text) {
  return std::string(view(sha256(text)).substr(0, kCheckSize));
}

Secret encode(std::string_view mark, std::string_view key) {
  std::string encoded = toBase64Url(key);
  std::string text(mark);
  text.reserve(2 * mark.size() + 2 * encoded.size());  // growing would leave a copy behind
  text += encoded;
  text += "." + toBase64Url(checkOf(text));
  Secret result = Secret::copyOf(text);
  OPENSSL_cleanse(encoded.data(), encoded.size());
  OPENSSL_cleanse(text.data(), text.size());
  return result;
}

Secret decode(std::string_view mark, std::string_view text) {
  const std::size_t end = text.find_last_not_of(kBlanks);
  if (end == std::string_view::npos) throwMalformed(mark);
  text = text.substr(0, end + 1);
  const std::size_t blank = text.find_last_of(kBlanks);
  if (blank != std::string_view::npos) text.remove_prefix(blank + 1);
  const std::size_t dot = text.rfind('.');
  if (!text.starts_with(mark) || dot < mark.size()) throwMalformed(mark);
  std::string key;
  try {
    if (fromBase64Url(text.substr(dot + 1)) != checkOf(text.substr(0, dot))) throwMalformed(mark);
    key = fromBase64Url(text.substr(mark.size(), dot - mark.size()));
  } catch (const Failure&) {
    throwMalformed(mark);
  }
  if (key.size() != kHpkeKeySize) throwMalformed(mark);
  Secret result = Secret::copyOf(key);
  OPENSSL_cleanse(key.data(), key.size());
  return result;
}

}  // namespace

Secret recoveryKeyText(const RecipientKey& key) {
  return encode(kPrivateMark, key.privateKey().view());
}

std::string recoveryPublicKeyText(std::string_view publicKey) {
  return std::string(encode(kPublicMark, publicKey).view());
}

RecipientKey parseRecoveryKey(std::string_view text) {
  return RecipientKey(decode(kPrivateMark, text));
}

std::string parseRecoveryPublicKey(std::string_view text) {
  return std::string(decode(kPublicMark, text).view());
}

std::string recoveryKeyId(std::string_view publicKey) {
  return std::string(view(sha256(publicKey)).substr(0, kIdSize));
}

std::string shownRecoveryKeyId(std::string_view id) {
  const std::string digits = toHex(id);
  std::string shown;
  for (std::size_t i = 0; i < digits.size(); i += 4) {
    shown += (shown.empty() ? "" : "-") + digits.substr(i, 4);
  }
  return shown;
}

}  // namespace waystation::crypto
