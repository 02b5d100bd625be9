#include "server/application.h"
#include "server/commands/command.h"
#include "server/node_status.h"
#include "sync/clock.h"

namespace waystation::commands {
namespace {

using http::Json;

constexpr std::int64_t kGigabyte = 1'000'000'000;
constexpr std::int64_t kLittleDisk = 2 * kGigabyte;
constexpr std::int64_t kCertificateSoonDays = 30;
constexpr std::int64_t kClockMs = 60'000;

std::string counted(std::int64_t number, const std::string& one, const std::string& many) {
  return cases::groupedNumber(static_cast<std::uint64_t>(number)) + " " +
         (number == 1 ? one : many);
}

// The last word from headquarters, as a person says it.
std::string linkSentence(const Json& status) {
  const std::string state = status.value("state", "");
  if (state == "hub") return {};
  if (state == "not-enrolled") {
    return "Not enrolled with headquarters: get a token and run `waystation enrol`.";
  }
  std::string last = "Headquarters was never reached since the start";
  if (status.contains("lastContact") && status["lastContact"].is_string()) {
    last = "Last contact with headquarters: " + status["lastContact"].get<std::string>();
  }
  if (state == "connected") return "Connected to headquarters. " + last + ".";
  if (state == "paused")
    return "The link is held; `waystation sync resume` lets it go on. " + last + ".";
  return "No connection to headquarters now. " + last + ". Work goes on; nothing is lost.";
}

// What people look for and do not find may be on its way.
std::string toComeSentence(const Json& status) {
  const auto toCome = status.find("backlogDown");
  if (toCome == status.end()) return {};
  if (toCome->is_null()) {
    return "Headquarters has not said yet whether all its records for this office are here.";
  }
  if (*toCome == 0) return {};
  return counted(toCome->get<std::int64_t>(), "change has", "changes have") +
         " not come from headquarters yet; the records here are not complete.";
}

std::string budgetSentence(const Json& status) {
  if (!status.contains("lineBudget") || !status["lineBudget"].is_object()) return {};
  const auto bytes = status["lineBudget"].at("bytes").get<std::uint64_t>();
  const auto used = status["lineBudget"].at("used").get<std::uint64_t>();
  const std::string period = status["lineBudget"].at("per").get<std::string>();
  const std::string said = "The line carried about " + cases::groupedNumber(used) + " of the " +
                           cases::groupedNumber(bytes) + " bytes that it may carry this " + period;
  return used < bytes ? said + "."
                      : said + ": until the next " + period +
                            " only what is urgent goes, and `waystation sync now`.";
}

std::string agreeSentence(const Json& status) {
  if (!status.contains("agree") || !status["agree"].is_boolean()) return {};
  return status["agree"].get<bool>()
             ? "This office and headquarters hold the same."
             : "This office and headquarters DO NOT hold the same: run `waystation check`.";
}

// Never taken back: somebody has to look into each.
std::string healingSentence(const Json& status) {
  const Json healings = status.value("healings", Json::object());
  const std::int64_t count = healings.value("count", std::int64_t{0});
  if (count == 0) return {};
  const std::int64_t open = healings.value("open", std::int64_t{0});
  const std::string newest = healings.at("newest").at(0).value("found", "");
  return "ALARM: records were not what they must be, " + counted(count, "time", "times") +
         ", last found " + newest + (open == 0 ? "; all was mended." : "; NOT all is mended yet.") +
         " It means a defect, a failing disk or tampering: tell headquarters.";
}

// Of a headquarters that was restored, until all have reported.
std::string reportsSentence(const Json& status) {
  const Json awaited = status.value("awaitsReports", Json::array());
  if (awaited.empty()) return {};
  std::string names;
  for (const Json& name : awaited) names += (names.empty() ? "" : ", ") + name.get<std::string>();
  return "This headquarters was restored from a copy. Not heard from since: " + names + ". " +
         (status.value("decisionsHeldBack", false)
              ? "Until then it hands no case over, erases nothing and takes no revocation back; "
                "`waystation hq go-on` ends that."
              : "It was told not to wait for them.");
}

std::string pageKeySentence(const Json& status) {
  if (!status.contains("pageKeys")) return {};
  const Json& keys = status["pageKeys"];
  if (keys.contains("error")) {
    return "The change of the page key could not go on: " + keys["error"].get<std::string>();
  }
  if (!keys.contains("pages")) {
    return "A change of the page key is not finished: the server goes on with it when it starts.";
  }
  return "The page key is being changed: " +
         cases::groupedNumber(keys["pagesDone"].get<std::uint64_t>()) + " of " +
         cases::groupedNumber(keys["pages"].get<std::uint64_t>()) + " pages.";
}

// What headquarters released to an office so that it opens by itself.
std::string shareSentence(const Json& leaf) {
  const Json& share = leaf.at("share");
  const auto at = [&](const char* name) {
    return share.at(name).is_string() ? share.at(name).get<std::string>() : std::string();
  };
  std::string text = "Share of " + leaf.value("office", "") + "'s key: ";
  if (const std::string flagged = at("flagged"); !flagged.empty()) {
    text += "NOT released, flagged since " + flagged + "; ";
  }
  text += at("released").empty()
              ? "never released yet"
              : "last released " + at("released") + ", " +
                    counted(share.at("releases").get<std::int64_t>(), "time", "times") + " in all";
  if (const std::string refused = at("refused"); !refused.empty()) {
    text += "; last refused " + refused;
  }
  return text + ".";
}

std::string backupFailureSentence(const Json& status) {
  const std::string failure = status.value("backup", Json::object()).value("failure", "");
  return failure.empty() ? failure : "ALARM: no backup is made now. " + failure;
}

std::string backupSentence(const Json& status) {
  const Json backup = status.value("backup", Json::object());
  std::string line = "No backup was made yet.";
  if (backup.contains("lastFile")) {
    line = "Last backup: " + backup["last"].get<std::string>() + ", " +
           backup["lastFile"].get<std::string>() + ".";
  }
  if (backup.contains("dailyTo") && backup["dailyTo"].is_string()) {
    line += " One is made every day in " + backup["dailyTo"].get<std::string>() + ".";
  } else {
    line += " None is made by itself: `waystation backup daily`.";
  }
  if (backup.contains("note")) line += " " + backup["note"].get<std::string>();
  return line;
}

std::vector<std::string> sentencesOf(const Json& status) {
  std::vector<std::string> lines = {status.value("olderCopy", ""), status.value("markFailure", ""),
                                    backupFailureSentence(status), linkSentence(status)};
  const auto number = [&](const char* name) {
    return status.contains(name) && status[name].is_number() ? status[name].get<std::int64_t>() : 0;
  };
  if (status.value("role", "") == "office") {
    lines.push_back(counted(number("backlogUp"), "change waits", "changes wait") + " to go up.");
    lines.push_back(toComeSentence(status));
    lines.push_back(agreeSentence(status));
    lines.push_back(budgetSentence(status));
  }
  lines.push_back(reportsSentence(status));
  lines.push_back(healingSentence(status));
  lines.push_back(pageKeySentence(status));
  lines.push_back(backupSentence(status));
  for (const Json& leaf : status.value("leaves", Json::array())) {
    if (leaf.contains("share")) lines.push_back(shareSentence(leaf));
    lines.push_back(
        "Office " + leaf.value("office", "") + ": " + leaf.value("state", "") + ", " +
        counted(leaf.value("backlogDown", std::int64_t{0}), "entry waits", "entries wait") +
        " to go down.");
  }
  if (const std::int64_t count = number("conflicts"); count != 0) {
    lines.push_back(counted(count, "record has", "records have") +
                    " two values for a person to choose from.");
  }
  if (const std::int64_t count = number("quarantined"); count != 0) {
    lines.push_back(counted(count, "change was", "changes were") +
                    " not let in and wait for headquarters' operator.");
  }
  if (status.contains("certificateDays") && status["certificateDays"].is_number()) {
    const std::int64_t days = number("certificateDays");
    lines.push_back(
        "Certificate good for " + counted(days, "day", "days") +
        (days < kCertificateSoonDays
             ? ": it is renewed by itself at an exchange; if it is not, tell headquarters."
             : "."));
  }
  if (const std::string failure = status.value("certificateFailure", ""); !failure.empty()) {
    lines.push_back("The certificate can't be renewed: " + failure);
  }
  const std::int64_t disk = number("diskFreeBytes");
  lines.push_back("Disk: " + cases::groupedNumber(static_cast<std::uint64_t>(disk / kGigabyte)) +
                  " GB free" + (disk < kLittleDisk ? ": make room soon." : "."));
  if (const std::int64_t offset = number("clockOffsetMs"); std::abs(offset) > kClockMs) {
    lines.push_back("This machine's clock and headquarters' differ by " +
                    cases::durationText(static_cast<double>(std::abs(offset)) / 1000) +
                    ": set it.");
  }
  return lines;
}

int status(CommandContext& context) {
  const bool isUp = context.application != nullptr;
  Json status = isUp ? context.application->status() : server::statusOf(context.node);
  status["up"] = isUp;
  std::string first = "The server is not running.";
  if (isUp) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - programStart()).count();
    status["upSeconds"] = static_cast<std::int64_t>(seconds);
    first = context.node.config().name + " is up, since " + cases::durationText(seconds) + ", at " +
            status.value("url", "") + ".";
  }
  if (context.output.isJson()) {
    context.output.tell("", status);
    return 0;
  }
  context.output.say(first);
  for (const std::string& line : sentencesOf(status)) {
    if (!line.empty()) context.output.say(line);
  }
  return 0;
}

// What can be said without the passphrase.
int statusFromOutside(const Options& options, Output& output) {
  const std::filesystem::path directory = options.text("data");
  const bool isHeld = server::Node::isHeld(directory);
  const std::string name = server::Node::readConfig(directory).name;
  std::error_code ignored;
  const std::uintmax_t disk = std::filesystem::space(directory, ignored).available;
  if (output.isJson()) {
    output.tell("", {{"up", false}, {"name", name}, {"diskFreeBytes", disk}, {"busy", isHeld}});
    return 0;
  }
  output.say(isHeld
                 ? name + " is starting, or another command works with it."
                 : name + " is locked: its server is not running. `waystation serve` starts it.");
  output.say("Disk: " + cases::groupedNumber(disk / kGigabyte) + " GB free.");
  output.say("With --passphrase-file this says more.");
  return 0;
}

}  // namespace

Command statusCommand() {
  Command command;
  command.form = {.words = "status",
                  .summary = "says whether all is well, the most important first",
                  .options = {},
                  .arguments = {},
                  .notes = "Says little when the server does not run and no passphrase is given."};
  command.run = status;
  command.alone = statusFromOutside;
  return command;
}

}  // namespace waystation::commands
