#include "server/commands/output.h"

#include <unistd.h>

#include <chrono>
#include <iostream>

#include "crypto/failure.h"

namespace waystation::commands {

void Output::tell(const std::string& sentence, const http::Json& object) {
  line(isJson_ ? http::canonicalJson(object) : sentence);
}

void Output::say(const std::string& sentence) {
  if (!isJson_) line(sentence);
}

void Output::throwIfCancelled() {
  if (!isCancelled()) return;
  throw Failure("command.cancelled",
                "Stopped as asked. What was saved until now is kept; the same command started "
                "again goes on from there.");
}

TerminalOutput::TerminalOutput(bool isJson, const std::atomic<bool>& cancelled)
    : Output(isJson), cancelled_(cancelled) {}

TerminalOutput::~TerminalOutput() {
  endProgress();
}

void TerminalOutput::line(const std::string& text) {
  const std::lock_guard guard(mutex_);
  endProgress();
  std::cout << text << std::endl;
}

void TerminalOutput::warn(const std::string& sentence) {
  const std::lock_guard guard(mutex_);
  endProgress();
  std::cerr << sentence << std::endl;
}

void TerminalOutput::progress(std::uint64_t done, std::uint64_t total, std::uint64_t rows) {
  const std::lock_guard guard(mutex_);
  if (!progress_) {
    const auto seconds = [] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
    };
    progress_ =
        std::make_unique<cases::ProgressWriter>(std::cerr, ::isatty(STDERR_FILENO) == 1, seconds);
  }
  progress_->show(done, total, rows);
}

void TerminalOutput::endProgress() {
  if (progress_) progress_->finish();
  progress_.reset();
}

}  // namespace waystation::commands
