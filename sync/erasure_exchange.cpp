// Certificates of erasure between a leaf and its hub.

#include <algorithm>
#include <iterator>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "sync/byte_stream.h"
#include "sync/erasure.h"
#include "sync/file_record.h"

namespace waystation::sync {
namespace {

// In `meta`, at a leaf: headquarters' Ed25519 key, 32 bytes, pinned when it was first heard over
// the authenticated link; and whether the hub asked for all certificates.
constexpr std::size_t kCertificatesBytes = 48 * 1024;
constexpr std::string_view kKeyName = "headquarters.key";
constexpr std::string_view kAskedName = "erasures.asked";

constexpr std::size_t kHashBytes = 16;
constexpr std::size_t kLeastCertificateBytes = 18 + crypto::kSignatureSize;

std::string headquartersKey(storage::Store& store, Replica& replica) {
  return replica.hasHub() ? store.meta(kKeyName).value_or("") : replica.publicKey();
}

// The key that is known here; where none is, this one from now on.
std::string pinnedKey(Work& work, const std::string& heard) {
  std::string key = headquartersKey(work.store(), work.replica());
  if (!key.empty() || heard.size() != crypto::kSigningKeySize) return key;
  work.store().setMeta(kKeyName, heard);
  return heard;
}

ErasureCertificate certificateOf(std::string_view body, std::string_view signature) {
  ByteReader reader(body);
  ErasureCertificate certificate{std::vector<RecordId>(reader.count(kHashBytes)),
                                 std::string(signature)};
  for (RecordId& id : certificate.ids) id = RecordId::fromBytes(reader.raw(kHashBytes));
  reader.expectEnd();
  return certificate;
}

StateSum sumOf(const std::set<std::string>& hashes) {
  StateSum sum{};
  for (const std::string& hash : hashes) addTo(sum, sumFromBytes(hash));
  return sum;
}

bool hasConfirmed(storage::Store& store, const std::string& hash, const std::string& holder) {
  const std::vector<storage::ErasureReceiptRow> rows = store.erasureReceipts();
  return std::any_of(rows.begin(), rows.end(), [&](const storage::ErasureReceiptRow& row) {
    return row.hash == hash && row.holder == holder;
  });
}

// Frames of about the usual size: the list grows for ever.
std::string certificateFrames(CertificatesFrame head, const std::vector<ErasureCertificate>& all) {
  std::string frames;
  std::size_t bytes = 0;
  for (const ErasureCertificate& certificate : all) {
    head.certificates.push_back(certificate);
    bytes += certificate.ids.size() * kHashBytes + kLeastCertificateBytes;
    if (bytes < kCertificatesBytes) continue;
    frames += encodeFrame(FrameType::kCertificates, encodeCertificates(head));
    head.certificates.clear();
    bytes = 0;
  }
  if (frames.empty() || !head.certificates.empty()) {
    frames += encodeFrame(FrameType::kCertificates, encodeCertificates(head));
  }
  return frames;
}

}  // namespace

std::string encodeCertificates(const CertificatesFrame& frame) {
  ByteWriter writer;
  writer.string(frame.headquartersKey);
  writer.byte(frame.wantsAll ? 1 : 0);
  writer.varint(frame.certificates.size());
  for (const ErasureCertificate& certificate : frame.certificates) {
    writer.string(certificate.body());
    writer.raw(certificate.signature);
  }
  return writer.take();
}

CertificatesFrame decodeCertificates(std::string_view payload) {
  ByteReader reader(payload);
  CertificatesFrame frame;
  frame.headquartersKey = reader.string();
  frame.wantsAll = reader.byte() != 0;
  const std::size_t count = reader.count(kLeastCertificateBytes);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view body = reader.string();
    frame.certificates.push_back(certificateOf(body, reader.raw(crypto::kSignatureSize)));
  }
  reader.expectEnd();
  return frame;
}

std::string exportErasures(storage::Store& store, Replica& replica) {
  const std::vector<storage::ErasureRow> rows = store.erasures();
  if (rows.empty()) return {};
  std::string text = crypto::toBase64Url(headquartersKey(store, replica)) + "\n";
  for (const storage::ErasureRow& row : rows) {
    text += crypto::toBase64Url(row.body) + "." + crypto::toBase64Url(row.signature) + "\n";
  }
  return text;
}

bool takeErasureText(Work& work, std::string_view text) {
  const std::string key = crypto::fromBase64Url(text.substr(0, text.find('\n')));
  std::vector<ErasureCertificate> certificates;
  text.remove_prefix(std::min(text.size(), text.find('\n') + 1));
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t dot = line.find('.');
    if (dot == std::string_view::npos) {
      throw Failure("erasure.malformed", "The list of erasures can't be read to its end.");
    }
    certificates.push_back(certificateOf(crypto::fromBase64Url(line.substr(0, dot)),
                                         crypto::fromBase64Url(line.substr(dot + 1))));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return takeCertificates(work, pinnedKey(work, key), certificates);
}

bool HubErasures::take(Replica& replica, storage::Connections& connections,
                       const storage::LeafRow& leaf, const Frame& frame) {
  ByteReader reader(frame.payload);
  if (frame.type == FrameType::kErasuresHeld) {
    held_ = sumFromBytes(reader.raw(kHashBytes));
    return true;
  }
  if (frame.type != FrameType::kCertificates && frame.type != FrameType::kErased) return false;
  const storage::Connections::Lease writer = connections.writer();
  bool isNew = false;
  {
    Work work(replica, *writer);
    if (frame.type == FrameType::kCertificates) {
      const CertificatesFrame said = decodeCertificates(frame.payload);
      const std::string key = headquartersKey(work.store(), replica);
      if (key.empty()) return true;  // whose they are it hears from headquarters, with the same
      isNew = takeCertificates(work, key, said.certificates);
      if (!listed_) listed_.emplace();
      for (const ErasureCertificate& one : said.certificates) listed_->insert(one.hash());
    } else {
      const std::size_t count = reader.count(kHashBytes + 1);
      for (std::size_t i = 0; i < count; ++i) {
        const std::string hash(reader.raw(kHashBytes));
        const auto records = static_cast<std::int64_t>(reader.varint());
        if (!work.store().erasure(hash)) continue;
        if (countsOnce_ && hasConfirmed(work.store(), hash, leaf.name)) continue;
        work.store().addErasureReceipt({hash, leaf.name, replica.clock().nowMs(), records});
      }
    }
    work.commit();
  }
  if (isNew) {
    storage::Store store(*writer);
    store.scrub();
    dropFilesOfGone(replica, store);
    replica.tellErased(store);
  }
  return true;
}

// What the leaf is known to hold: what it has just listed, else what it has confirmed.
std::set<std::string> HubErasures::known(storage::Store& store,
                                         const storage::LeafRow& leaf) const {
  if (listed_) return *listed_;
  std::set<std::string> confirmed;
  for (const storage::ErasureReceiptRow& row : store.erasureReceipts()) {
    if (row.holder == leaf.name) confirmed.insert(row.hash);
  }
  return confirmed;
}

bool HubErasures::isAsConfirmed(storage::Store& store, const storage::LeafRow& leaf) const {
  return areEqual(store) || sumOf(known(store, leaf)) == held_;
}

void HubErasures::assumeConfirmed(storage::Store& store, const storage::LeafRow& leaf,
                                  bool isKnown) {
  held_ = sumOf(known(store, leaf));
  if (!isKnown) addTo(held_, sumFromBytes(std::string(kHashBytes, '\x01')));
}

std::string HubErasures::answer(storage::Store& store, Replica& replica,
                                const storage::LeafRow& leaf, bool& mayFeed) const {
  mayFeed = areEqual(store);
  if (mayFeed || headquartersKey(store, replica).empty()) return {};
  const std::set<std::string> known = this->known(store, leaf);
  // It holds what this hub does not know it to hold: one of the two was restored. Until that is
  // said, nothing is fed that might have been erased.
  mayFeed = sumOf(known) == held_;
  std::vector<ErasureCertificate> certificates;
  for (const storage::ErasureRow& row : store.erasures()) {
    if (mayFeed && known.contains(row.hash)) continue;
    certificates.push_back(certificateOf(row.body, row.signature));
  }
  return certificateFrames({headquartersKey(store, replica), !mayFeed, {}}, certificates);
}

std::string erasureFrames(storage::Store& store, std::vector<std::string>& reported) {
  const std::vector<storage::ErasureRow> rows = store.erasures();
  if (rows.empty()) return {};
  std::string frames = encodeFrame(FrameType::kErasuresHeld, sumBytes(erasureSum(store)));
  if (!store.meta(kAskedName).value_or("").empty()) {
    std::vector<ErasureCertificate> all;
    for (const storage::ErasureRow& row : rows) {
      all.push_back(certificateOf(row.body, row.signature));
    }
    frames += certificateFrames({store.meta(kKeyName).value_or(""), false, {}}, all);
  }
  if (!store.erasureWaiting().empty()) return frames;
  ByteWriter writer;
  for (const storage::ErasureRow& row : rows) {
    if (row.isReported) continue;
    writer.raw(row.hash);
    writer.varint(static_cast<std::uint64_t>(row.destroyed));
    reported.push_back(row.hash);
  }
  if (reported.empty()) return frames;
  ByteWriter count;
  count.varint(reported.size());
  return frames + encodeFrame(FrameType::kErased, count.take() + writer.take());
}

bool takeFromHub(Replica& replica, storage::Connections& connections, std::string_view payload) {
  const CertificatesFrame said = decodeCertificates(payload);
  const storage::Connections::Lease writer = connections.writer();
  bool isNew = false;
  {
    Work work(replica, *writer);
    isNew = takeCertificates(work, pinnedKey(work, said.headquartersKey), said.certificates);
    if (said.wantsAll) work.store().setMeta(kAskedName, "1");
    work.commit();
  }
  if (isNew) {
    storage::Store store(*writer);
    store.scrub();
    dropFilesOfGone(replica, store);
    replica.tellErased(store);
  }
  return isNew || said.wantsAll;
}

bool noteReported(storage::Store& store, const std::vector<std::string>& reported) {
  for (const std::string& hash : reported) store.setReported(hash);
  const bool wasAsked = !store.meta(kAskedName).value_or("").empty();
  if (wasAsked) store.setMeta(kAskedName, "");
  return wasAsked || !reported.empty();
}

}  // namespace waystation::sync
