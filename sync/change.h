#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sync/clock.h"
#include "sync/context.h"
#include "sync/ids.h"

namespace waystation::sync {

// Values are canonical JSON texts (UTF-8, no white space, object keys sorted); sync compares them
// byte by byte and never looks inside, but for references (ids.h) and the reserved fields below.

// Reserved fields begin with an underscore. A record's birth is the writing of kKindField.
inline constexpr std::string_view kKindField = "_kind";  // JSON string; written once, at birth
inline constexpr std::string_view kRootField = "_root";  // reference; absent on a root itself
inline constexpr std::string_view kCustodyField =
    "_custody";                                            // JSON string, an office; HQ writes it
inline constexpr std::string_view kScopeField = "_scope";  // "all" or offices; HQ writes it
// Roots that do not follow this one to who gets it, as an array of references; HQ writes it.
inline constexpr std::string_view kWithheldField = "_withheld";
// Followed by a change's dot as a UUID: it was made under an older custody; HQ writes it.
inline constexpr std::string_view kLatePrefix = "_late/";
// What whoever deletes the record had read of it, or false (sync/deletion.h).
inline constexpr std::string_view kDeletedField = "_deleted";

// Largest canonical body of a change, bytes.
inline constexpr std::size_t kMaxChangeBytes = 256 * 1024;

struct Write {
  std::string field;
  Context seen;
  std::string value;

  bool operator==(const Write&) const = default;
};

struct Edit {
  RecordId record;
  std::vector<Write> writes;  // ascending by field, no field twice

  bool operator==(const Edit&) const = default;
};

// What one person saved at one moment. Atomic.
struct Change {
  Dot dot;
  HybridTime time = 0;
  std::string author;       // "amina@NBO": who, at which office
  std::vector<Edit> edits;  // ascending by record, no record twice

  bool operator==(const Change&) const = default;
};

// The canonical body, over which the chain's hash runs (docs/spec/sync.md, "Change").
std::string encodeChange(const Change& change);
// Throws Failure("sync.malformed"), also for a body that is not canonical.
Change decodeChange(std::string_view body);

// Whether the edit is its record's birth.
bool isBirth(const Edit& edit);

// Orders edits and writes as a change must have them.
void sortEdits(Change& change);

// The part of "amina@NBO" behind the last @.
std::string_view officeOf(std::string_view author);

// A JSON string without escapes, made and read; reading answers empty for anything else.
std::string jsonString(std::string_view text);
std::string_view plainText(std::string_view value);

}  // namespace waystation::sync
