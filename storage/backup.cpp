#include "storage/backup.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "crypto/failure.h"

namespace waystation::storage {

namespace {

constexpr std::size_t kMostFile = 1024 * 1024;
constexpr std::size_t kMostName = 32;
constexpr std::uint32_t kPagesBetweenNews = 256;

using PageBody = std::array<char, kPageBodySize>;

bool isName(const std::string& name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789.-";
  return !name.empty() && name.size() <= kMostName && name.front() != '.' &&
         name.find_first_not_of(kAllowed) == std::string::npos;
}

void tell(const PageProgress& progress, std::uint32_t page) {
  if (page % kPagesBetweenNews == 0) progress(page);
}

}  // namespace

BackupReader::BackupReader(ByteSource source, const crypto::Secret& backupKey,
                           const BackupHead& head)
    : input_(std::move(source), backupKey, head) {}

std::uint32_t BackupReader::number() {
  std::array<char, 4> bytes;
  input_.read(bytes.data(), bytes.size());
  return loadBigEndian32(bytes.data());
}

std::string BackupReader::name() {
  char size = 0;
  input_.read(&size, 1);
  std::string name(static_cast<unsigned char>(size), '\0');
  input_.read(name.data(), name.size());
  if (!isName(name)) throwDamagedBackup("it holds a file of no possible name");
  if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
    throwDamagedBackup("it holds " + name + " twice");
  }
  names_.push_back(name);
  return name;
}

BackupSection BackupReader::next() {
  if (isAtEnd_) return {};
  skipPages();
  char type = 0;
  input_.read(&type, 1);
  section_ = {};
  section_.type = static_cast<BackupSection::Type>(type);
  lastPage_ = 0;
  switch (section_.type) {
    case BackupSection::Type::kEnd:
      input_.requireEnd();
      isAtEnd_ = true;
      return section_;
    case BackupSection::Type::kFile: {
      section_.name = name();
      const std::uint32_t size = number();
      if (size > kMostFile) throwDamagedBackup(section_.name + " is too large");
      section_.bytes.resize(size);
      input_.read(section_.bytes.data(), size);
      return section_;
    }
    case BackupSection::Type::kDatabase:
    case BackupSection::Type::kDifference:
      section_.name = name();
      section_.pages = number();
      if (section_.pages == 0) throwDamagedBackup(section_.name + " is empty");
      return section_;
  }
  throwDamagedBackup("it holds something unknown");
}

std::uint32_t BackupReader::readPage(char* body) {
  std::uint32_t page = 0;
  if (section_.type == BackupSection::Type::kDatabase) {
    page = lastPage_ < section_.pages ? lastPage_ + 1 : 0;
  } else if (section_.type == BackupSection::Type::kDifference) {
    page = number();
    if (page != 0 && (page <= lastPage_ || page > section_.pages)) {
      throwDamagedBackup("its pages are out of order");
    }
  }
  if (page == 0) {
    section_.type = BackupSection::Type::kEnd;  // nothing more of this one
    return 0;
  }
  input_.read(body, kPageBodySize);
  return lastPage_ = page;
}

void BackupReader::skipPages() {
  PageBody body;
  while (section_.type != BackupSection::Type::kEnd &&
         section_.type != BackupSection::Type::kFile && readPage(body.data()) != 0) {
  }
}

bool BackupReader::comeTo(const std::string& name) {
  for (;;) {
    const BackupSection section = next();
    if (section.type == BackupSection::Type::kEnd) return false;
    if (section.name == name) return true;
  }
}

void BackupReader::skipToEnd() {
  while (next().type != BackupSection::Type::kEnd) {
  }
}

BackupWriter::BackupWriter(ByteSink sink, const crypto::Secret& backupKey, const BackupHead& head)
    : output_(std::move(sink), backupKey, head) {}

void BackupWriter::begin(BackupSection::Type type, const std::string& name) {
  std::string bytes(1, static_cast<char>(type));
  bytes += static_cast<char>(name.size());
  output_.write(bytes + name);
}

void BackupWriter::number(std::size_t value) {
  std::array<char, 4> bytes;
  storeBigEndian32(bytes.data(), static_cast<std::uint32_t>(value));
  output_.write({bytes.data(), bytes.size()});
}

void BackupWriter::addFile(const std::string& name, std::string_view bytes) {
  if (bytes.size() > kMostFile) {
    throw Failure("backup.failed", "The file " + name + " is too large for a backup.");
  }
  begin(BackupSection::Type::kFile, name);
  number(bytes.size());
  output_.write(bytes);
}

void BackupWriter::addDatabase(const std::string& name, Snapshot& snapshot,
                               const PageProgress& progress) {
  begin(BackupSection::Type::kDatabase, name);
  number(snapshot.pages());
  PageBody body;
  for (std::uint32_t page = 1; page <= snapshot.pages(); ++page) {
    snapshot.read(page, body.data());
    output_.write({body.data(), body.size()});
    tell(progress, page);
  }
}

std::uint32_t BackupWriter::addDifference(const std::string& name, Snapshot& snapshot,
                                          BackupReader& base, const PageProgress& progress) {
  begin(BackupSection::Type::kDifference, name);
  number(snapshot.pages());
  std::uint32_t changed = 0;
  PageBody body;
  PageBody before;
  for (std::uint32_t page = 1; page <= snapshot.pages(); ++page) {
    snapshot.read(page, body.data());
    tell(progress, page);
    if (base.readPage(before.data()) == page && body == before) continue;
    number(page);
    output_.write({body.data(), body.size()});
    ++changed;
  }
  number(0);
  return changed;
}

void BackupWriter::finish() {
  output_.write({"\0", 1});
  output_.finish();
}

void rebuildDatabase(RebuiltDatabase& target, BackupReader& reader, const BackupSection& section,
                     BackupReader* base, const PageProgress& progress) {
  PageBody body;
  PageBody before;
  const bool isDifference = section.type == BackupSection::Type::kDifference;
  if (isDifference && base == nullptr) throwDamagedBackup("it is no difference, and yet holds one");
  std::uint32_t changed = reader.readPage(body.data());
  for (std::uint32_t page = 1; page <= section.pages; ++page) {
    const bool inBase = isDifference && base->readPage(before.data()) == page;
    if (changed != page && !inBase)
      throwDamagedBackup("page " + std::to_string(page) + " is not in it");
    target.append(changed == page ? body.data() : before.data());
    if (changed == page) changed = reader.readPage(body.data());
    tell(progress, page);
  }
  target.finish();
}

}  // namespace waystation::storage
