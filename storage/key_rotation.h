#pragma once

#include <cstdint>
#include <functional>

#include "storage/database.h"

namespace waystation::storage {

struct RotationProgress {
  std::uint64_t pagesDone = 0;
  std::uint64_t pages = 0;
};

enum class RotationEnd { kFinished, kStopped };

// Gives a store a new random page key, writes everything that is written from now on under it,
// brings every older page under it in place, and then destroys the old key, while other
// connections of the process go on reading and saving (docs/spec/store-format.md, section 11).
// Where an earlier rotation was not finished, that one is, and no new key is made.
//
// `connection`: one that may write and that nobody else uses meanwhile. `goesOn` is called after
// every few pages, at most a fraction of a second apart; false stops, and a later call goes on.
// After a power cut the store opens as it is, under both keys. Throws Failure: "store.busy"
// (another rotation runs), "store.damaged-page" (that page has to be mended first; the rotation
// stays unfinished and no key is lost), "store.full", "store.sqlite".
RotationEnd rotateKey(Database& connection,
                      const std::function<bool(const RotationProgress&)>& goesOn);

// Whether a rotation was begun and not finished: pages may be under two keys. The server should go
// on with it.
bool isRotationUnfinished(const Database& connection);

// The number of the key under which the store writes; 1 before any rotation.
std::uint32_t keyEpoch(const Database& connection);

}  // namespace waystation::storage
