#pragma once

#include <string>
#include <vector>

#include "server/commands/output.h"
#include "server/node.h"

namespace waystation::commands {

// Something that is not as it must be, and what mends it.
struct Finding {
  std::string what;
  std::string mend;
};

// What a check has found and how much it has read. The first findings are kept, the rest counted.
struct CheckReport {
  static constexpr std::size_t kMostFindings = 100;

  std::vector<Finding> findings;
  std::uint64_t moreFindings = 0;
  std::uint64_t records = 0;
  std::uint64_t roots = 0;
  std::uint64_t changes = 0;
  std::uint64_t links = 0;
  std::uint64_t attachments = 0;
  std::uint64_t auditEntries = 0;

  void add(std::string what, const std::string& mend);
};

// Each reads the whole of what it is about and changes nothing. Throws "command.cancelled".
// Every page and log frame of each database authenticates, and SQLite finds its structures whole.
void checkPages(server::Node& node, Output& output, CheckReport& report);
// Every record decodes and agrees with its row; every root's digest is the sum over its records.
void checkRecords(server::Node& node, Output& output, CheckReport& report);
// Every change decodes, and the chain of what goes up follows from the bodies.
void checkJournal(server::Node& node, Output& output, CheckReport& report);
// Every attachment's parts are what they are named as, and make the whole.
void checkAttachments(server::Node& node, Output& output, CheckReport& report);
// The search index and the import keys say what the records say.
void checkProjections(server::Node& node, Output& output, CheckReport& report);

// The audit log goes on from entry to entry and ends where it ended.
void checkAudit(server::Node& node, Output& output, CheckReport& report);

// What mends damage of the store itself.
extern const char* const kMendStore;

}  // namespace waystation::commands
