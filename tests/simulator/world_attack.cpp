#include "tests/simulator/world.h"

namespace waystation::simulator {

// A hostile leaf sends one request; whatever comes of it is looked at when all is healed.
void World::attack(const Event& event) {
  const auto number = static_cast<std::size_t>(event.office);
  if (number >= hostile_.size() || !facts_.contains(event.record)) return;
  if (event.amount < 0 || event.amount >= kAttacks) return;
  HostileLeaf& leaf = *hostile_[number];
  const Facts& facts = facts_.at(event.record);
  Victim victim{facts.id, facts_.at(facts.root).id, nameOf(facts.birthOffice), {}};
  {
    testing::TestNode& node = *boxes_[std::size_t(facts.birthOffice)].node;
    const storage::Connections::Lease writer = node.connections().writer();
    victim.lastDot = sync::Work(node.replica(), *writer).lastDot();
  }
  leaf.reseed(boxes_[0].node->random().draw());
  const std::string request = leaf.request(static_cast<Attack>(event.amount), victim);
  fault("attack: " + simulator::nameOf(static_cast<Attack>(event.amount)));
  std::string answer;
  try {
    testing::TestNode& hub = *boxes_[0].node;
    sync::HubExchange exchange(hub.replica(), hub.connections(), leaf.name());
    exchange.receive(request);
    answer = exchange.answer();
  } catch (const Failure&) {
    fault("(attack refused aloud)");
  } catch (const std::exception& error) {
    violated("an attack ends in an error", error.what());
  }
  trace_.update(request).update(answer);
  leaf.learn(answer);
  if (!answer.empty()) checkFed(kHostileHolder + event.office, leaf.name(), answer);
}

}  // namespace waystation::simulator
