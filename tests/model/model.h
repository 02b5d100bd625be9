#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "sync/deletion.h"
#include "sync/record.h"

namespace waystation::model {

// An exhaustive model of one record at three replicas. Every order is tried in which the replicas
// write, save on an older page, settle, delete, restore, hand over and erase, and in which each
// takes over what another holds; after each step the real records are held against sets of writes,
// which know nothing of contexts: a write is there until somebody writes who had read it, the
// record is hidden while a deletion has read all that is there and nobody has restored it, and
// where it was erased the real door lets nothing of it in any more.
//
// What a replica takes over is the other's record as pruned changes, forwards, backwards and twice.
// Beside it, each single change ever made is delivered late and again to each replica, and at the
// end of each story the changes are joined in every order in which each follows its causes.
//
// States that differ only in the names of replicas, or in writes that no replica shows any more,
// are one.

// What can be done. Replica 0 is headquarters, which alone hands over and erases; an edit by
// somebody who reads several values settles them.
enum class Operation { kWrite, kEdit, kStale, kHandOver, kDelete, kDeleteStale, kRestore, kErase };
inline constexpr std::array<const char*, 8> kOperations = {
    "write", "edit", "stale", "hand-over", "delete", "delete-stale", "restore", "erase"};

using Join = std::function<bool(sync::Record&, const sync::Change&, const sync::Edit&)>;

struct Settings {
  int operations = 4;  // in a story, of all replicas together
  int perReplica = 3;
  std::vector<Operation> kinds = {Operation::kWrite,    Operation::kEdit,   Operation::kStale,
                                  Operation::kHandOver, Operation::kDelete, Operation::kDeleteStale,
                                  Operation::kRestore,  Operation::kErase};
  Join join = sync::joinEdit;
  // Contexts without exceptions, as plain version vectors are.
  bool plainVectors = false;
  std::function<bool(const sync::Record&)> isHidden = sync::isHidden;
  std::size_t problemsKept = 1;
};

struct Result {
  std::uint64_t states = 0;
  std::uint64_t steps = 0;            // operations and deliveries tried from them
  std::uint64_t lateChanges = 0;      // single changes delivered late or again
  std::uint64_t orders = 0;           // orders of changes that one state was found for
  std::vector<std::string> problems;  // with the steps that lead there
};

Result explored(const Settings& settings);

}  // namespace waystation::model
