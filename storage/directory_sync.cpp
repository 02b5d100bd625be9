#include "storage/directory_sync.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace waystation::storage {

int syncEntriesOf(const std::filesystem::path& directory) {
  const int descriptor =
      ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int error = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  return error == EINVAL || error == ENOTSUP ? 0 : error;
}

}  // namespace waystation::storage
