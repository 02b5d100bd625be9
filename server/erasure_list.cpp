#include "server/erasure_list.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "crypto/failure.h"
#include "sync/erasure.h"

namespace waystation::server {
namespace {

std::filesystem::path listFile(const std::filesystem::path& directory) {
  return directory / "erasures";
}

[[noreturn]] void unwritable(const std::filesystem::path& file) {
  throw Failure("erasure.list-unwritable",
                "The erasure is carried out, but " + file.string() +
                    " can't be written. Make room, and start the server again.");
}

void syncDirectory(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
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
  const std::string text = sync::exportErasures(store, replica);
  const std::filesystem::path target = listFile(directory);
  const std::filesystem::path scratch = directory / "erasures.new";
  const int descriptor =
      ::open(scratch.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) unwritable(target);
  const bool isWritten =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(descriptor) == 0;
  ::close(descriptor);
  if (!isWritten || ::rename(scratch.c_str(), target.c_str()) != 0) unwritable(target);
  syncDirectory(directory);
}

}  // namespace waystation::server
