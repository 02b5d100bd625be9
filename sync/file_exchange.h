#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/store.h"
#include "sync/file_record.h"
#include "sync/frame.h"
#include "sync/replica.h"

namespace waystation::sync {

// The bytes of files between a leaf and its hub (docs/spec/sync.md, section 19): the last lane of
// an exchange, some chunks at a time, so that what is saved meanwhile waits for no more than these.

// Of a file, which chunks lack, or are asked for.
struct FilePlaces {
  FileName name;
  storage::Places places;

  bool operator==(const FilePlaces&) const = default;
};

// What a leaf asks for: at most so many chunks in the answer.
struct FilesAsked {
  std::size_t mostChunks = 0;
  std::vector<FilePlaces> files;
};

struct FileChunk {
  FileName name;
  std::uint32_t place = 0;
  std::string bytes;
};

std::string encodeOffered(const std::vector<FileName>& names);
std::vector<FileName> decodeOffered(std::string_view payload);
std::string encodeLacking(const std::vector<FilePlaces>& files);
std::vector<FilePlaces> decodeLacking(std::string_view payload);
std::string encodeAsked(const FilesAsked& asked);
FilesAsked decodeAsked(std::string_view payload);
std::string encodeChunk(const FileChunk& chunk);
FileChunk decodeChunk(std::string_view payload);

// The leaf's side of one exchange.
class LeafFiles {
 public:
  // Borrows both.
  LeafFiles(Replica& replica, storage::Connections& records)
      : replica_(&replica), records_(&records) {}

  // At most so many chunks each way in this exchange.
  void allow(std::size_t chunksUp, std::size_t chunksDown);

  // Frames for the end of the request.
  std::string request();
  // A frame of the answer; false where it is none of files.
  bool take(const Frame& frame);
  // The hub is not where it was: it may have lost what it had.
  void forgetHub();
  // After the answer: whether another exchange would bring more.
  bool finish();
  std::size_t moved() const { return moved_; }
  // Whether the request has some, or asks for some.
  bool carriesChunks() const { return sent_ > 0 || asks_; }

 private:
  void heard(const std::vector<FilePlaces>& lacking);
  void store(const FileChunk& chunk);

  Replica* replica_;
  storage::Connections* records_;
  std::size_t chunksUp_ = 2;
  std::size_t chunksDown_ = 2;
  std::vector<FileName> offered_;
  std::vector<FileName> answered_;
  std::size_t sent_ = 0;
  bool asks_ = false;
  std::size_t moved_ = 0;  // chunks that came, or that the hub has said to have got
  bool hubWants_ = false;  // it lacks chunks that are here, fewer than before
};

// The hub's.
class HubFiles {
 public:
  // Borrows both.
  HubFiles(Replica& replica, storage::Connections& records)
      : replica_(&replica), records_(&records) {}

  // A frame of this leaf's request; false where it is none of files.
  bool take(const storage::LeafRow& leaf, const Frame& frame);
  // Frames for the end of the answer.
  std::string answer(storage::Store& store, const storage::LeafRow& leaf);

 private:
  void store(const storage::LeafRow& leaf, const FileChunk& chunk);
  std::string lackingFrame(storage::Store& store, const storage::LeafRow& leaf);
  std::string chunkFrames(storage::Store& store, const storage::LeafRow& leaf);

  Replica* replica_;
  storage::Connections* records_;
  std::vector<FileName> offered_;
  FilesAsked asked_;
  bool isFull_ = false;  // the disk
};

// The hub is asked for it from the next exchange on, until all of it is here.
void askForFile(Replica& replica, const FileName& name, const storage::FileManifest& manifest);

// Whether a root must stay: bytes of its files are here that the hub is not known to have.
bool hasFilesForHub(Replica& replica, storage::Store& store, std::string_view root);

}  // namespace waystation::sync
