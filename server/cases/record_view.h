#pragma once

#include <cstdint>
#include <string>

#include "server/cases/programme_pack.h"
#include "storage/store.h"
#include "sync/record.h"

namespace waystation::cases {

// How a stored record looks to the API, to people and to the search index.

// The sibling that a screen shows, by the field's merge rule in its programme pack (latest where
// the pack knows no rule). A pure function of siblings and pack.
const sync::Sibling& shownSibling(const Programmes& programmes, const std::string& kind,
                                  const std::string& fieldName, const sync::Field& field);

// The fields as shown, reserved and internal ones left out.
Json shownFields(const Programmes& programmes, const sync::Record& record);

// Whether a field is the product's own and not for people: "_custody", "import_key", a part.
bool isInternalField(std::string_view field);

// What names a record in a list: the fields that its kind says.
std::string titleOf(const Programmes& programmes, const std::string& kind, const Json& fields);

// Whether a field's words are looked through by a search.
bool isSearched(const Field& field);

// "amina@NBO" -> "amina".
std::string personOf(std::string_view author);

// Where the record stands: how far of what was written here has gone up.
struct Standing {
  bool isHub = false;                // this node is headquarters
  std::int64_t acknowledgedSeq = 0;  // journal entries up to it are at the hub
  std::int64_t copiedSeq = 0;        // and those up to it in headquarters' copy; 0: none known
};

Json viewRecord(const Programmes& programmes, storage::Store& store, const Standing& standing,
                const storage::RecordRow& row);

// The words that a record is found by: text fields as shown, folded to a plain form.
std::string searchWords(const Programmes& programmes, const sync::Record& record);
// What a person typed as an FTS5 query: every word, as a prefix. Empty when there is none.
std::string searchQuery(std::string_view typed);

}  // namespace waystation::cases
