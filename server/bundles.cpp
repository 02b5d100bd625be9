#include "server/bundles.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "crypto/failure.h"
#include "server/access/enrolment.h"
#include "server/access/renewal_by_stick.h"
#include "server/access/revocation.h"
#include "storage/directory_sync.h"
#include "sync/reports.h"

namespace waystation::server {
namespace {

constexpr std::uint64_t kMostOfSmallFile = 64 * 1024;

[[noreturn]] void notWritten(const std::filesystem::path& file, int error) {
  throw Failure("bundle.not-written",
                "The file " + file.string() + " could not be written: " + std::strerror(error) +
                    ". Nothing is lost: all of it is still here; try again, on another stick if "
                    "need be.");
}

[[noreturn]] void unreadable(const std::filesystem::path& file, int error) {
  throw Failure("bundle.unreadable",
                "The file " + file.string() + " could not be read: " + std::strerror(error) +
                    ". What was taken of it before is kept, and reading it again goes on from "
                    "there.");
}

// An open file that is closed when nobody reads it any more.
struct OpenFile {
  explicit OpenFile(int opened) : descriptor(opened) {}
  ~OpenFile() { ::close(descriptor); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int descriptor;
};

std::string readExactly(const OpenFile& open, const std::filesystem::path& file, std::uint64_t at,
                        std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count =
        ::pread(open.descriptor, bytes.data() + done, size - done, static_cast<off_t>(at + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) unreadable(file, count < 0 ? errno : EIO);
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

// A stick may have been under way for weeks: a list that is older than the one held says nothing.
void takeFromStick(Node& node, std::string_view list) {
  try {
    access::takeRevocations(node, list);
  } catch (const Failure& failure) {
    if (failure.code() != "revocation.older") throw;
  }
}

std::string besideFor(Node& node, const std::string& to) {
  using sync::FrameType;
  std::string frames;
  if (!node.isHeadquarters() && to == access::hubName(node)) {
    for (const std::string& asked : access::renewalsAsked(node)) {
      frames += sync::encodeFrame(FrameType::kRenewalAsked, asked);
    }
    return frames;
  }
  // A list of headquarters that was set back could take the place of one that it has lost: it goes
  // by the link, where it asks for that first.
  const std::string revoked = node.read([](storage::Store& store) {
    return sync::isHeldBack(store) ? std::string() : access::revocationText(store);
  });
  if (!revoked.empty()) frames += sync::encodeFrame(FrameType::kRevocations, revoked);
  for (const std::string& renewed : access::renewedFor(node, to)) {
    frames += sync::encodeFrame(FrameType::kRenewed, renewed);
  }
  return frames;
}

std::string takeBeside(Node& node, const std::string& from, const sync::Frame& frame) {
  const bool isHub = node.isHeadquarters();
  if (frame.type == sync::FrameType::kRevocations && !isHub) {
    takeFromStick(node, frame.payload);
  } else if (frame.type == sync::FrameType::kRenewed && !isHub) {
    switch (access::takeRenewal(node, frame.payload)) {
      case access::Renewed::kOwn:
        return "This office's certificate is renewed.";
      case access::Renewed::kDoor:
        return "What this office shows while it is locked is renewed.";
      case access::Renewed::kNothing:
        return {};
    }
  } else if (frame.type == sync::FrameType::kRenewalAsked && isHub) {
    access::signRenewal(node, from, frame.payload);
    return from + "'s certificate is signed anew; write a bundle for it, which takes it there.";
  }
  return {};
}

}  // namespace

sync::BundleNode bundleNode(Node& node, std::vector<std::string>* told) {
  sync::BundleNode bundle{node.replica(),
                          node.connections(),
                          node.signingKey(),
                          node.sealingKey(),
                          node.config().name,
                          {},
                          {},
                          {},
                          node.admitted()};
  bundle.beside = [&node](const std::string& to) { return besideFor(node, to); };
  bundle.takeBeside = [&node, told](const std::string& from, const sync::Frame& frame) {
    std::string text;
    try {
      text = takeBeside(node, from, frame);
    } catch (const Failure& failure) {
      // A certificate that can't be had keeps nobody's work from coming in.
      if (frame.type == sync::FrameType::kRevocations) throw;
      text = "A certificate was not renewed: " + std::string(failure.what());
    }
    const bool isNews = told != nullptr && !text.empty() &&
                        std::find(told->begin(), told->end(), text) == told->end();
    if (isNews) told->push_back(text);
  };
  if (node.isHeadquarters()) return bundle;
  access::HubKeys keys = access::hubKeys(node);
  bundle.hub = access::hubName(node);
  bundle.hubKey = std::move(keys.signingKey);
  bundle.hubSealingKey = std::move(keys.sealingKey);
  return bundle;
}

BundleFile::BundleFile(std::filesystem::path file)
    : file_(std::move(file)), part_(file_.string() + ".part") {
  if (std::filesystem::exists(file_)) {
    throw Failure("bundle.file-exists", "There is a file " + file_.string() +
                                            " already. Nothing was written; name another one.");
  }
  // What an earlier try left is of no use.
  descriptor_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor_ < 0) notWritten(file_, errno);
}

BundleFile::~BundleFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(part_.c_str());
}

void BundleFile::write(std::uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) notWritten(file_, errno);
    at += static_cast<std::uint64_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void BundleFile::keep() {
  // A stick that can't sync has lost what it was given: better said now than where it is read.
  if (::fsync(descriptor_) != 0) notWritten(file_, errno);
  if (::rename(part_.c_str(), file_.c_str()) != 0) notWritten(file_, errno);
  ::close(std::exchange(descriptor_, -1));
  const std::filesystem::path folder = file_.parent_path();
  if (const int error = storage::syncEntriesOf(folder.empty() ? "." : folder); error != 0) {
    notWritten(file_, error);
  }
}

sync::BundleSource openBundleFile(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) unreadable(file, errno);
  const auto open = std::make_shared<OpenFile>(descriptor);
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0) unreadable(file, errno);
  if (!S_ISREG(facts.st_mode)) unreadable(file, S_ISDIR(facts.st_mode) ? EISDIR : EINVAL);
  return {static_cast<std::uint64_t>(facts.st_size),
          [open, file](std::uint64_t at, std::size_t size) {
            return readExactly(*open, file, at, size);
          }};
}

std::string readSmallFile(const std::filesystem::path& file) {
  const sync::BundleSource source = openBundleFile(file);
  if (source.size > kMostOfSmallFile) unreadable(file, EFBIG);
  return source.read(0, static_cast<std::size_t>(source.size));
}

}  // namespace waystation::server
