#include "server/erasure_list.h"

#include <fstream>
#include <iterator>

#include "crypto/failure.h"
#include "storage/whole_file.h"
#include "sync/erasure.h"

namespace waystation::server {
namespace {

std::filesystem::path listFile(const std::filesystem::path& directory) {
  return directory / "erasures";
}

}  // namespace

void takeErasureList(const std::filesystem::path& directory, sync::Replica& replica,
                     storage::Connections& connections) {
  std::ifstream file(listFile(directory), std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.empty()) return;
  const storage::Connections::Lease writer = connections.writer();
  bool isNew = false;
  {
    sync::Work work(replica, *writer);
    isNew = sync::takeErasureText(work, text);
    if (isNew) work.commit();
  }
  if (isNew) storage::Store(*writer).scrub();
}

void writeErasureList(const std::filesystem::path& directory, storage::Store& store,
                      sync::Replica& replica) {
  const std::filesystem::path file = listFile(directory);
  if (storage::replaceFile(file, sync::exportErasures(store, replica)) == 0) return;
  throw Failure("erasure.list-unwritable",
                "The erasure is carried out, but " + file.string() +
                    " can't be written. Make room, and start the server again.");
}

}  // namespace waystation::server
