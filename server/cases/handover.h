#pragma once

#include <string>

#include "server/cases/programme_pack.h"
#include "server/node.h"

namespace waystation::cases {

// Asks HQ to hand the root's custody to another office: {"root", "to", "why", "consent"?,
// "withheld"?: [ids of roots that do not go along]}. At HQ it happens at once. Answers {"id": of
// the hand-over record, ...}.
Json askHandover(server::Node& node, const std::string& person, const Json& request);

// The office that the case was handed to accepts it, or declines it: then headquarters hands it
// back. Throws "record.not-found", "case.handover-settled", "case.not-in-custody".
Json answerHandover(server::Node& node, const std::string& person, const std::string& uuid,
                    bool accepts);

// HQ: carries out a hand-over that a leaf's change asked for, or refuses it in the same record;
// follows the answer of the receiving office.
void carryOutHandovers(sync::Work& work, const storage::LeafRow& leaf, const sync::Change& change);

// HQ: decides what was asked for while it waited for its offices' reports (sync/reports.h), once it
// waits no longer.
void decideHeldBack(server::Node& node);

}  // namespace waystation::cases
