#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sync/change.h"

namespace waystation::sync {

// One value of a field that no other has replaced, with the write that made it.
struct Sibling {
  Dot dot;
  Context seen;
  std::string value;
  HybridTime time = 0;
  std::string author;

  // Whether this write replaces the write `other` to the same field: it had read it, or it is a
  // later one of the same replica that does not list it as unread.
  bool replaces(const Dot& other) const;
};

// A multi-value register: siblings, ascending by dot.
using Field = std::vector<Sibling>;

// Everything that a reader of these siblings has read: what a save on top of them has `seen`.
Context contextOf(const Field& field);

// Joins one write into a field. Commutative, associative, idempotent. Answers whether it changed.
bool joinSibling(Field& field, Sibling sibling);

// Whether the field holds two different values.
bool inConflict(const Field& field);

// A field named `needs/shelter` is a part of the field `needs`: of a set, one of its elements.
// Parts are no field of their own to people, and never in conflict.
std::string partName(std::string_view field, std::string_view part);
bool isPart(std::string_view name);
// `needs` of `needs/shelter`; of a field, the field.
std::string fieldOfPart(std::string_view name);

// Which sibling a screen shows where no rule of a programme says otherwise: latest hybrid time,
// then highest dot. A pure function of the siblings. The field must not be empty.
const Sibling& latest(const Field& field);

struct Record {
  RecordId id;
  std::map<std::string, Field, std::less<>> fields;

  // From the reserved fields; empty or the record itself where they are missing.
  std::string kind() const;
  RecordId root() const;
  bool isBorn() const { return fields.contains(kKindField); }
  const Field* field(std::string_view name) const;
  // The shown value of a field as JSON text, empty where there is none.
  std::string_view value(std::string_view name) const;
  // Number of fields in conflict, reserved ones and parts left out, or bound to values that have
  // moved since; a deletion that not everybody had read is one more.
  int conflicts() const;
};

// Joins an edit of `change` into its record.
bool joinEdit(Record& record, const Change& change, const Edit& edit);

// The state as a row of the store (docs/spec/sync.md, "Record state"); fields, siblings and dots
// in ascending order, so that equal states are equal bytes.
std::string encodeState(const Record& record);
Record decodeState(const RecordId& id, std::string_view state);

// The record's surviving writes as changes, one for each dot, the birth first, then ascending: a
// pruned log that builds the same state wherever it is joined.
std::vector<Change> prunedChanges(const Record& record);

// A sum modulo 2^128, little endian: digests of sets of records add up (sync.md, section 7).
using StateSum = std::array<std::uint64_t, 2>;
StateSum stateHash(const Record& record, std::string_view encodedState);
void addTo(StateSum& sum, const StateSum& term);
void subtractFrom(StateSum& sum, const StateSum& term);
std::string sumBytes(const StateSum& sum);  // 16 bytes
StateSum sumFromBytes(std::string_view bytes);

// What somebody had read of a record: for each field the context of it.
using ReadContexts = std::map<std::string, Context, std::less<>>;

// Of a reader of all that the record holds now.
ReadContexts contextsOf(const Record& record);
// The API's tag: base64url. Opaque to clients.
std::string encodeContexts(const ReadContexts& read);
std::string encodeTag(const Record& record);
// Throws Failure("case.tag-malformed").
ReadContexts decodeTag(std::string_view tag);

}  // namespace waystation::sync
