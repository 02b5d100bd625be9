#include <ctime>

#include "server/application.h"
#include "server/bundles.h"
#include "server/commands/command.h"
#include "sync/clock.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kMostDays = 366;
constexpr std::int64_t kMostMegabytes = 1'000'000;

std::string megabytes(std::uint64_t bytes) {
  return cases::groupedNumber((bytes + 999'999) / 1'000'000) + " MB";
}

// "NBO-to-HQ-20261124T180000Z-1.wsbundle"
std::string fileName(const std::string& from, const std::string& to, std::int64_t ms,
                     std::uint64_t part) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return from + "-to-" + to + "-" + text + "-" + std::to_string(part) + ".wsbundle";
}

class Writing {
 public:
  explicit Writing(CommandContext& context)
      : context_(context),
        target_(context.options.text("target")),
        intoFolder_(std::filesystem::is_directory(target_)),
        isDryRun_(context.options.has("dry-run")) {
    if (const auto days = context.options.number("good-for", 1, kMostDays)) {
      terms_.goodForMs = *days * kDayMs;
    }
    if (const auto most = context.options.number("most-mb", 1, kMostMegabytes)) {
      terms_.mostBytes = static_cast<std::uint64_t>(*most) << 20;
    }
  }

  void writeFor(const std::string& to) {
    sync::BundleSeries series(server::bundleNode(context_.node), to, terms_);
    const std::int64_t now = context_.node.clock().nowMs();
    sync::BundleWritten written;
    std::uint64_t part = 0;
    do {
      const std::string name = fileName(context_.node.config().name, to, now, ++part);
      const std::filesystem::path file = intoFolder_ ? target_ / name : target_;
      written = writeOne(series, file);
      tell(written, to, file);
    } while (written.more && intoFolder_);
    if (written.more) {
      context_.output.warn(
          "Not all of it fits into one file. Name a folder instead to have it "
          "written as several, or write again when this one has been read.");
    }
  }

  bool intoFolder() const { return intoFolder_; }

 private:
  sync::BundleWritten writeOne(sync::BundleSeries& series, const std::filesystem::path& file) {
    const auto cancelled = [&] { context_.output.throwIfCancelled(); };
    std::uint64_t done = 0;
    const auto show = [&](std::string_view bytes) {
      done += bytes.size();
      context_.output.progress(done, 0, 0);
    };
    if (isDryRun_) {
      return series.write([&](std::uint64_t, std::string_view bytes) { show(bytes); }, cancelled);
    }
    server::BundleFile out(file);
    const sync::BundleWritten written = series.write(
        [&](std::uint64_t at, std::string_view bytes) {
          cancelled();
          out.write(at, bytes);
          show(bytes);
        },
        cancelled);
    out.keep();
    return written;
  }

  void tell(const sync::BundleWritten& written, const std::string& to,
            const std::filesystem::path& file) {
    const bool isUp = written.manifest.way == sync::BundleWay::kUp;
    const std::uint64_t count = isUp ? written.changes : written.entries;
    const std::string what = cases::groupedNumber(count) +
                             (isUp ? " changes" : " entries of news") + " for " + to + ", " +
                             megabytes(written.fileBytes) + ", good until " +
                             sync::formatTime(written.manifest.expiresMs);
    context_.output.tell(isDryRun_ ? "Would be written: " + what + ". Nothing was."
                                   : file.string() + " is written: " + what +
                                         ". It can be lost or written again without harm.",
                         {{"file", isDryRun_ ? "" : file.string()},
                          {"to", to},
                          {"part", written.manifest.part},
                          {"changes", written.changes},
                          {"entries", written.entries},
                          {"bytes", written.fileBytes},
                          {"goodUntil", sync::formatTime(written.manifest.expiresMs)},
                          {"more", written.more}});
  }

  CommandContext& context_;
  std::filesystem::path target_;
  bool intoFolder_;
  bool isDryRun_;
  sync::BundleTerms terms_;
};

int write(CommandContext& context) {
  Writing writing(context);
  const std::vector<std::string> names = context.options.list("to");
  if (names.size() > 1 && !writing.intoFolder()) {
    throw WrongUsage("For more than one office name a folder: each gets a file of its own.");
  }
  for (const std::string& name : names) writing.writeFor(name);
  return 0;
}

std::string_view nameOf(sync::BundleRead::State state) {
  switch (state) {
    case sync::BundleRead::State::kApplied:
      return "applied";
    case sync::BundleRead::State::kNothingNew:
      return "nothing-new";
    case sync::BundleRead::State::kReadBefore:
      return "read-before";
    case sync::BundleRead::State::kKeptAside:
      return "kept-aside";
    case sync::BundleRead::State::kVerified:
      return "verified";
  }
  return "";
}

std::string whatCameOf(const sync::BundleRead& read, bool isDryRun) {
  const std::string bundle =
      "The bundle from " + read.manifest.sender + " of " + sync::formatTime(read.manifest.madeMs);
  const auto number = [](std::uint64_t n) { return cases::groupedNumber(n); };
  switch (read.state) {
    case sync::BundleRead::State::kVerified:
      return bundle + " is whole and can be read here. Nothing was changed.";
    case sync::BundleRead::State::kReadBefore:
      return bundle + " was read here already, on " + sync::formatTime(read.readBeforeMs) +
             ". Nothing was changed.";
    case sync::BundleRead::State::kNothingNew:
      return bundle +
             " holds nothing new: a later one, or the link, has brought all of it. "
             "Nothing was changed.";
    case sync::BundleRead::State::kKeptAside:
      if (isDryRun) return bundle + " is whole, but others come before it. Nothing was changed.";
      return bundle + " is kept until its turn: " +
             (read.asksAgain ? "something before it is missing here. Write a bundle for " +
                                   read.manifest.sender + " now, which asks for it."
                             : "read the parts before it, and it is applied by itself.");
    case sync::BundleRead::State::kApplied:
      break;
  }
  std::string text = bundle + " was read: " + number(read.changes) + " changes came in";
  if (read.quarantined != 0) text += ", " + number(read.quarantined) + " are kept aside";
  if (read.rootsLeft != 0) text += ", " + number(read.rootsLeft) + " cases left";
  if (read.keptApplied != 0) {
    text += ", with " + number(read.keptApplied) + " bundles that had waited for it";
  }
  return text + ". Write one for " + read.manifest.sender + " now, so that it knows.";
}

int read(CommandContext& context) {
  std::unique_lock<std::mutex> line;
  if (context.application != nullptr && context.application->syncClient() != nullptr) {
    line = context.application->syncClient()->holdLine();
  }
  const bool isDryRun = context.options.has("dry-run");
  const std::string before = context.node.identity().tls.certificatePem;
  std::vector<std::string> told;
  const sync::BundleRead read = sync::readBundle(
      server::bundleNode(context.node, &told), server::openBundleFile(context.options.text("file")),
      isDryRun, [&](std::uint64_t done, std::uint64_t total) {
        context.output.throwIfCancelled();
        context.output.progress(done, total, 0);
      });
  const bool isCompared = read.agreement != sync::Agreement::kNotCompared;
  context.output.tell(whatCameOf(read, isDryRun),
                      {{"state", nameOf(read.state)},
                       {"from", read.manifest.sender},
                       {"made", sync::formatTime(read.manifest.madeMs)},
                       {"part", read.manifest.part},
                       {"changes", read.changes},
                       {"quarantined", read.quarantined},
                       {"rootsEntered", read.rootsEntered},
                       {"rootsLeft", read.rootsLeft},
                       {"acknowledged", read.acknowledged},
                       {"asksAgain", read.asksAgain},
                       {"keptApplied", read.keptApplied},
                       {"agree", isCompared ? http::Json(read.agreement == sync::Agreement::kAgree)
                                            : http::Json(nullptr)}});
  for (const std::string& text : told) context.output.say(text);
  if (context.application != nullptr && context.node.identity().tls.certificatePem != before) {
    context.application->certificateChanged();
  }
  return 0;
}

}  // namespace

Command bundleWriteCommand() {
  Command command;
  command.form = {
      .words = "bundle write",
      .summary = "writes what another node does not have yet to a file for a stick",
      .options = {{.name = "to",
                   .value = "NAME[,NAME]",
                   .help = "headquarters' name, or at headquarters the offices'",
                   .isRequired = true},
                  {.name = "good-for", .value = "DAYS", .help = "1 to 366; 60"},
                  {.name = "most-mb", .value = "N", .help = "in one file, about; 1024"},
                  {.name = "dry-run", .help = "says how much it would be, and writes nothing"}},
      .arguments = {{.name = "target", .value = "FILE|FOLDER", .isPath = true}},
      .notes =
          "The file is sealed: only who it is for can read it. It may be lost, and written "
          "again at any time; what it holds counts as brought only when a bundle comes back, "
          "or the link, and says so."};
  command.run = write;
  return command;
}

Command bundleReadCommand() {
  Command command;
  command.form = {
      .words = "bundle read",
      .summary = "takes in a bundle from a stick",
      .options = {{.name = "dry-run", .help = "verifies it and changes nothing"}},
      .arguments = {{.name = "file", .value = "FILE", .isPath = true}},
      .notes =
          "All of it is verified before anything is taken in. Twice, late, or in the wrong "
          "order does no harm."};
  command.run = read;
  return command;
}

}  // namespace waystation::commands
