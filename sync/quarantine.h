#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/admission.h"
#include "sync/hub.h"

namespace waystation::sync {

// What may not come in is kept whole, with its reason, until what it awaits has come or a person
// has decided (docs/spec/sync.md, "Quarantine").

// `proof`: its place under the seal that came with it, if any.
void keepAside(Work& work, const storage::LeafRow& leaf, const Dot& link, const Change& change,
               const Judgement& judgement, const storage::SealedRow& proof = {});

// Lets in, oldest first, what waited for something that is here now. Answers how many came in.
std::size_t letInAwaited(Work& work, const Admitted& admitted);

// A person takes an open one in, whatever the rules about custody and fields say. Throws Failure:
// "quarantine.not-found", "quarantine.settled", and "quarantine.unreleasable" for what would break
// the records themselves.
void releaseAside(Work& work, std::int64_t id, const std::string& person, const std::string& why,
                  const Admitted& admitted);
// A person decides that it never comes in; its office takes it back. Throws as above.
void discardAside(Work& work, std::int64_t id, const std::string& person, const std::string& why);

// What a leaf is told of its own changes: those open, and those discarded; the newest 1,000.
std::vector<storage::AsideRow> asideOf(storage::Store& store, std::string_view leaf);
std::string encodeAside(const std::vector<storage::AsideRow>& rows);
std::vector<storage::AsideRow> decodeAside(std::string_view payload);
// 8 bytes that tell two lists apart, in whatever order they are.
std::string asideMark(std::vector<storage::AsideRow> rows);

}  // namespace waystation::sync
