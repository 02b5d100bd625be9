#include "server/application.h"
#include "server/commands/command.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kMostBudget = std::int64_t{1} << 50;

// The running server's link, or one of its own for as long as the command runs.
class Link {
 public:
  explicit Link(CommandContext& context) {
    if (context.node.isHeadquarters()) {
      throw Failure("sync.is-headquarters",
                    "This is headquarters: the offices come to it, it calls nobody.");
    }
    if (context.application != nullptr) {
      client_ = context.application->syncClient();
    } else {
      own_ = std::make_unique<http::SyncClient>(context.node);
      client_ = own_.get();
    }
  }
  http::SyncClient* operator->() const { return client_; }

 private:
  std::unique_ptr<http::SyncClient> own_;
  http::SyncClient* client_ = nullptr;
};

int syncNow(CommandContext& context) {
  const Link link(context);
  const http::ExchangeSummary done = link->syncNow([&](const http::ExchangeSummary& soFar) {
    context.output.throwIfCancelled();
    const std::uint64_t changes = soFar.changesUp + soFar.changesDown;
    if (changes != 0) context.output.progress(soFar.up + soFar.down, 0, changes);
  });
  const auto number = [](std::uint64_t n) { return cases::groupedNumber(n); };
  context.output.tell(number(done.changesUp) + " changes went up, " + number(done.changesDown) +
                          " came down, in " + number(static_cast<std::uint64_t>(done.exchanges)) +
                          " exchanges: " + number(done.up) + " bytes up, " + number(done.down) +
                          " bytes down.",
                      {{"changesUp", done.changesUp},
                       {"changesDown", done.changesDown},
                       {"exchanges", done.exchanges},
                       {"roundTrips", done.roundTrips},
                       {"up", done.up},
                       {"down", done.down}});
  return 0;
}

int pause(CommandContext& context) {
  Link(context)->pause();
  context.output.tell("The link is held, also over restarts, until `waystation sync resume`.",
                      {{"paused", true}});
  return 0;
}

int resume(CommandContext& context) {
  Link(context)->resume();
  context.output.tell("The link is released.", {{"paused", false}});
  return 0;
}

int budget(CommandContext& context) {
  const Link link(context);
  const std::optional<std::int64_t> bytes = context.options.number("bytes", 1, kMostBudget);
  if (!bytes && !context.options.has("none")) {
    throw WrongUsage("Say --bytes N and --per day or month, or --none.");
  }
  const std::string period = context.options.has("per") ? context.options.text("per") : "day";
  link->setBudget(static_cast<std::uint64_t>(bytes.value_or(0)), period);
  const std::string told =
      bytes
          ? "The line may carry about " + cases::groupedNumber(static_cast<std::uint64_t>(*bytes)) +
                " bytes a " + period + ". What is urgent goes beyond it, and `waystation sync now`."
          : "The line has no budget.";
  context.output.tell(told, {{"bytes", bytes.value_or(0)}, {"per", period}});
  return 0;
}

Command syncCommand(const std::string& verb, const std::string& summary,
                    int (*run)(CommandContext&)) {
  Command command;
  command.form = {
      .words = "sync " + verb, .summary = summary, .options = {}, .arguments = {}, .notes = {}};
  command.run = run;
  return command;
}

}  // namespace

Command syncNowCommand() {
  return syncCommand("now", "exchanges with headquarters at once, until nothing waits", syncNow);
}
Command syncPauseCommand() {
  return syncCommand("pause", "keeps the line free", pause);
}
Command syncBudgetCommand() {
  Command command = syncCommand("budget", "what a metered line may carry", budget);
  command.form.options = {{.name = "bytes", .value = "N", .help = "in a day or a month (UTC)"},
                          {.name = "per", .value = "day|month", .help = "day if not given"},
                          {.name = "none", .value = "", .help = "no budget"}};
  return command;
}
Command syncResumeCommand() {
  return syncCommand("resume", "lets the link go on", resume);
}

}  // namespace waystation::commands
