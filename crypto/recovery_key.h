#pragma once

#include <string>
#include <string_view>

#include "crypto/hpke.h"
#include "crypto/secret.h"

namespace waystation::crypto {

// Headquarters' recovery key as text, for a safe and for offices (docs/spec/key-slots.md, "The
// recovery key"). Lines for people may stand before it; it is the last word of the text.
//
//   private  "wsrk1." base64url(32 bytes) "." base64url(first 8 bytes of SHA-256(all before the
//   dot)) public   "wsrp1." the same

Secret recoveryKeyText(const RecipientKey& key);
std::string recoveryPublicKeyText(std::string_view publicKey);

// Throw Failure("key.recovery-key-malformed") for a text that is cut, mistyped, or the other half.
RecipientKey parseRecoveryKey(std::string_view text);
std::string parseRecoveryPublicKey(std::string_view text);

// 16 bytes that name a recovery key: in slots, and for people to compare.
std::string recoveryKeyId(std::string_view publicKey);
// The same as "3b1f-80c2-...", eight groups.
std::string shownRecoveryKeyId(std::string_view id);

}  // namespace waystation::crypto
