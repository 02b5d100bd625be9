#pragma once

#include <set>
#include <string>
#include <vector>

#include "sync/admission.h"
#include "sync/messages.h"
#include "sync/seal.h"

namespace waystation::sync {

// What a hub fed and then lost, because it was restored, comes home from its leaves under its own
// seal (docs/spec/sync.md, "A hub that went back"). It was let in once: admission does not ask
// again, and nobody but this hub could have sealed it.

// At the leaf: entries of the journal that came by the hub's feed, with their seals, as frames.
class ReturnedFrames {
 public:
  explicit ReturnedFrames(storage::Store& store) : store_(store), seals_(store) {}  // borrows
  // An entry without the hub's seal adds nothing, nor does one that is in already.
  void add(std::int64_t seq);
  // About what they take before compression.
  std::size_t size() const { return size_; }
  std::string take();

 private:
  void flush();

  storage::Store& store_;
  std::set<std::int64_t> seen_;
  SealsToCarry seals_;
  std::vector<Change> changes_;
  std::size_t held_ = 0;
  std::size_t size_ = 0;
  std::string frames_;
};

// All of these records that came by the hub's feed, up to about so many bytes.
std::string returnedRecords(storage::Store& store, const std::vector<RecordId>& ids,
                            std::size_t most);

// At the hub: what speaks against taking it home now. Only that something comes before it, or that
// another change has taken its name meanwhile.
Judgement judgeReturned(Work& work, const Change& change);
// Takes it home from `leaf`; `proof`: its place under a seal of this node. Answers its entry of the
// journal, 0 where nothing of it was new.
std::int64_t takeHome(Work& work, const storage::LeafRow& leaf, const Change& change,
                      const storage::SealedRow& proof);

// Seals of hubs above this node's own are kept under a name of as many '^' as hubs lie between, and
// travel down and up again with what they are over, so that each hub can be given back its own.
bool isFromAbove(std::string_view signer);
// Keeps with an entry the seals among `proofs` that came with it. They bear the names that they
// have at the sender.
enum class CameFrom { kHub, kLeaf };
void keepSealsFromAbove(storage::Store& store, std::int64_t seq,
                        const std::vector<CarriedSeals::Proof>& proofs, CameFrom from);
// The entry that holds just this body; 0: none.
std::int64_t entryWith(storage::Store& store, const Dot& dot, std::string_view body);
// What came home under this seal of the node's own hub is to be returned to it, too.
void returnToo(storage::Store& store, std::int64_t seal);

}  // namespace waystation::sync
