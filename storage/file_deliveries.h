#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/chunk_store.h"

namespace waystation::storage {

// Places of chunks in a file, ascending.
using Places = std::vector<std::uint32_t>;

// What a name has of its file.
struct FileDelivery {
  std::string file;  // the manifest's id
  std::uint64_t size = 0;
  std::size_t places = 0;
  std::size_t lacking = 0;  // places whose bytes have not come under this name
  bool isWhole = false;     // nothing lacks, and the whole is proved
  bool isAsked = false;     // the hub is asked for it
  bool isAtHub = false;     // the hub has said to have all of it
};

// An upload that goes on, as the caller describes it.
struct UploadRow {
  std::string id;
  std::string root;
  std::string details;
  std::int64_t begunMs = 0;
};

// What has come of each file under each of its names, and where it has still to go. Equal content
// is kept once in the ChunkStore, but a name may read it only when every byte has come under that
// very name: who knows the hash of a file has not by that a right to its content.
//
// A view over one connection; writing methods want a Transaction around them.
class FileDeliveries {
 public:
  // The rank of what does not travel: an upload that is not finished.
  static constexpr int kStays = -1;

  // Borrows `database`, on which ChunkStore::createTables was called.
  explicit FileDeliveries(Database& database) : db_(database), chunks_(database) {}

  // Names a file whose bytes are to come. Known already: nothing. `rank`: the lower, the sooner it
  // travels. Throws as ChunkStore::putManifest does; a description that nothing has proved gives
  // way to a new one of the same file.
  void expect(const FileManifest& manifest, std::string_view name, int rank);
  std::optional<FileDelivery> find(std::string_view name);
  // A chunk of the file of that name. Throws Failure("file.unknown"), ("file.no-such-chunk").
  FileOutcome take(std::string_view name, std::uint32_t place, std::string_view bytes);
  Places lacking(std::string_view name);
  // Throws Failure("file.unknown"), ("file.incomplete"): also where the bytes came, but under
  // another name.
  std::string read(std::string_view name, std::uint64_t offset, std::size_t size);
  void rename(std::string_view from, std::string_view to, int rank);
  void drop(std::string_view name);

  // Whole files that the hub is not known to have: those of lower rank first, and those that it
  // passed over last.
  std::vector<std::string> forHub(int limit);
  std::int64_t countForHub();
  // Whether a name that begins so has bytes that the hub is not known to have.
  bool isForHub(std::string_view beginning);
  // What the hub lacks, as it said; empty: it has all. Nothing where it has not said.
  void setHubLacks(std::string_view name, const Places& places);
  std::optional<Places> hubLacks(std::string_view name);
  void notePassedOver(std::string_view name);
  // The hub may have lost what it had.
  void forgetHub();

  void ask(std::string_view name);
  // Asked for and not here, those of lower rank first.
  std::vector<std::string> asked(int limit);

  // What an upload brings is named uploadName(), until it is renamed.
  static std::string uploadName(std::string_view upload, char which);
  void putUpload(const UploadRow& row);
  std::optional<UploadRow> upload(std::string_view id);
  std::vector<UploadRow> uploads();
  void removeUpload(std::string_view id);  // and what still bears its name

  // What is not as it must be, a sentence each.
  std::vector<std::string> findDamage();

  ChunkStore& chunks() { return chunks_; }

 private:
  std::vector<std::string> names(const char* sql, int limit);

  Database& db_;
  ChunkStore chunks_;
};

}  // namespace waystation::storage
