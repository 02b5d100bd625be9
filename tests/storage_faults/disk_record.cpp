#include "tests/storage_faults/disk_record.h"

#include <algorithm>
#include <cstring>

namespace waystation::testing {

namespace {

using Kind = DiskOperation::Kind;

constexpr std::size_t kSector = 512;

std::string& contentOf(std::vector<std::string>& files, int number) {
  const auto index = static_cast<std::size_t>(number);
  if (index >= files.size()) files.resize(index + 1);
  return files[index];
}

void writeInto(std::string& content, std::size_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
  std::memcpy(content.data() + offset, bytes.data(), bytes.size());
}

}  // namespace

std::string parentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

PowerCut::PowerCut(const DiskRecord& record) : record_(record) {
  for (const auto& [path, number] : record.startNumbers) {
    settled_.entries[path] = number;
    if (number >= 0) contentOf(settled_.files, number) = record.start.files.at(path);
  }
}

bool PowerCut::advance() {
  if (next_ == record_.operations.size()) return false;
  const DiskOperation& operation = record_.operations[next_++];
  switch (operation.kind) {
    case Kind::kSync:
    case Kind::kSyncDirectory:
      settle(operation);
      break;
    case Kind::kNote:
      break;
    default:
      pending_.push_back(&operation);
  }
  return true;
}

void PowerCut::settle(const DiskOperation& sync) {
  const auto isCovered = [&](const DiskOperation* operation) {
    return sync.kind == Kind::kSync
               ? operation->kind != Kind::kEntries && operation->file == sync.file
               : operation->kind == Kind::kEntries && operation->directory == sync.directory;
  };
  for (const DiskOperation* operation : pending_) {
    if (isCovered(operation)) apply(settled_, *operation);
  }
  std::erase_if(pending_, isCovered);
}

void PowerCut::apply(Disk& disk, const DiskOperation& operation) {
  switch (operation.kind) {
    case Kind::kWrite:
      writeInto(contentOf(disk.files, operation.file), static_cast<std::size_t>(operation.offset),
                operation.bytes);
      break;
    case Kind::kTruncate:
      contentOf(disk.files, operation.file)
          .resize(static_cast<std::size_t>(operation.offset), '\0');
      break;
    case Kind::kEntries:
      for (const auto& [path, file] : operation.entries) {
        if (file == DiskOperation::kNoFile) {
          disk.entries.erase(path);
        } else {
          disk.entries[path] = file;
        }
      }
      break;
    default:
      break;
  }
}

void PowerCut::applyTorn(Disk& disk, const DiskOperation& write, SeededRandom& random,
                         std::uint64_t lossInEight) {
  std::string& content = contentOf(disk.files, write.file);
  for (std::size_t done = 0; done < write.bytes.size();) {
    const std::size_t at = static_cast<std::size_t>(write.offset) + done;
    const std::size_t size = std::min(kSector - at % kSector, write.bytes.size() - done);
    const std::uint64_t draw = random.draw();
    if (draw % 8 >= lossInEight) {
      writeInto(content, at, std::string_view(write.bytes).substr(done, size));
    } else if (draw >> 8 & 1U) {
      std::string spoiled(size, '\0');
      if (draw >> 9 & 1U) random.fill(spoiled.data(), size);
      writeInto(content, at, spoiled);
    }
    done += size;
  }
}

DiskImage PowerCut::image(Fate fate, SeededRandom& random) const {
  Disk disk = settled_;
  const std::uint64_t lossInEight = random.draw() % 7 + 1;
  const std::uint64_t chosen = pending_.empty() ? 0 : random.draw() % pending_.size();
  for (std::size_t i = 0; i < pending_.size() && fate != Fate::kNothing; ++i) {
    const DiskOperation& operation = *pending_[i];
    const bool isWrite = operation.kind == Kind::kWrite;
    const bool isLost = random.draw() % 8 < lossInEight;
    switch (fate) {
      case Fate::kAnySector:
        if (isWrite) {
          applyTorn(disk, operation, random, lossInEight);
        } else if (!isLost) {
          apply(disk, operation);
        }
        break;
      case Fate::kAnyOperation:
        if (!isLost) apply(disk, operation);
        break;
      case Fate::kOneMissing:
        if (i != chosen) apply(disk, operation);
        break;
      case Fate::kTornEnd:
        if (i < chosen) apply(disk, operation);
        if (i == chosen && isWrite) applyTorn(disk, operation, random, lossInEight);
        break;
      default:
        apply(disk, operation);
    }
  }
  return imageOf(disk);
}

DiskImage PowerCut::imageOf(const Disk& disk) {
  DiskImage image;
  for (const auto& [path, file] : disk.entries) {  // a directory comes before what is in it
    const std::string parent = parentOf(path);
    if (!parent.empty() && !image.directories.contains(parent)) continue;
    if (file == DiskOperation::kDirectory) {
      image.directories.insert(path);
    } else {
      const auto index = static_cast<std::size_t>(file);
      image.files[path] = index < disk.files.size() ? disk.files[index] : "";
    }
  }
  return image;
}

}  // namespace waystation::testing
