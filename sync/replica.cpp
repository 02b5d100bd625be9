#include "sync/replica.h"

#include "crypto/hash.h"
#include "sync/byte_stream.h"
#include "sync/reissue.h"

namespace waystation::sync {
namespace {

// The node's own past, in `meta`: replica(8) varint(number) string(hash) varint(time)
constexpr std::string_view kHistoryKey = "replica.history";

}  // namespace

std::string chainSalt(std::string_view saltKey, std::uint64_t number) {
  ByteWriter writer;
  writer.fixed64(number);
  const crypto::Sha256Digest mac = crypto::hmacSha256(saltKey, writer.bytes());
  return std::string(crypto::view(mac).substr(0, kSaltSize));
}

std::string linkDigest(std::string_view salt, std::string_view body) {
  return std::string(crypto::view(crypto::Sha256().update(salt).update(body).finish()));
}

std::string nextChainHash(std::string_view previous, std::string_view digest) {
  return std::string(crypto::view(crypto::Sha256().update(previous).update(digest).finish()));
}

Replica::Replica(storage::Database& writer, const Clock& clock, crypto::Random& random,
                 ReplicaSettings settings)
    : clock_(clock), random_(random), settings_(std::move(settings)) {
  storage::Store store(writer);
  state_.incarnation = random_.next64() | 1U;  // never the null identity
  state_.saltKey = random_.bytes(kSaltSize);
  if (const std::optional<std::string> history = store.meta(kHistoryKey)) {
    ByteReader reader(*history);
    state_.head.incarnation = reader.fixed64();
    state_.head.number = reader.varint();
    state_.head.hash = reader.string();
    state_.lastTime = reader.varint();
  }
  finishReissue(*this, store);
}

Work::Work(Replica& replica, storage::Database& writer)
    : replica_(replica), store_(writer), transaction_(writer), state_(replica.state_) {}

Work::~Work() = default;

void Work::commit() {
  ByteWriter history;
  history.fixed64(state_.head.incarnation);
  history.varint(state_.head.number);
  history.string(state_.head.hash);
  history.varint(state_.lastTime);
  store_.setMeta(kHistoryKey, history.bytes());
  transaction_.commit();
  replica_.state_ = state_;
  replica_.urgentSaves_ += urgent_;
  if (scopesMoved_) replica_.scopeSums_.clear();
  if ((forHub_ || forLeaves_) && replica_.settings_.committed) {
    replica_.settings_.committed(forHub_, forLeaves_);
  }
}

StateSum Work::scopeSum(std::int64_t leaf) {
  if (!scopesMoved_) {
    if (const auto at = replica_.scopeSums_.find(leaf); at != replica_.scopeSums_.end()) {
      return at->second;
    }
  }
  StateSum sum{};
  store_.eachScopeDigest(leaf, [&](std::string_view digest) { addTo(sum, sumFromBytes(digest)); });
  if (!scopesMoved_) replica_.scopeSums_[leaf] = sum;
  return sum;
}

// The first link of an incarnation records whose continuation it is; an incarnation that never
// wrote anything is never heard of.
void Work::appendChain(std::int64_t seq, std::string_view body) {
  if (state_.head.incarnation != state_.incarnation) {
    store_.putIncarnation({state_.incarnation, state_.head.incarnation, state_.head.number,
                           state_.head.hash, state_.saltKey});
    state_.head.incarnation = state_.incarnation;
    state_.head.number = 0;
  }
  const std::uint64_t number = state_.head.number + 1;
  const std::string salt = chainSalt(state_.saltKey, number);
  const std::string digest = linkDigest(salt, body);
  const std::string hash = nextChainHash(state_.head.hash, digest);
  store_.appendUpward({state_.incarnation, number, seq, salt, hash, digest});
  state_.head.number = number;
  state_.head.hash = hash;
  forHub_ = true;
}

}  // namespace waystation::sync
