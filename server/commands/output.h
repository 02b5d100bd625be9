#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "server/cases/progress_bar.h"
#include "server/http/json.h"

namespace waystation::commands {

// Where a command says what it does: this process's terminal, or the one at the other end of the
// control socket. Any thread may speak.
class Output {
 public:
  explicit Output(bool isJson) : isJson_(isJson) {}
  virtual ~Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // A line of the result: the sentence, or the object where --json was given.
  void tell(const std::string& sentence, const http::Json& object);
  // A line for people only, which --json leaves out.
  void say(const std::string& sentence);
  // A line of the result as it is, to standard output.
  virtual void line(const std::string& text) = 0;
  // A line to standard error.
  virtual void warn(const std::string& sentence) = 0;
  virtual void progress(std::uint64_t done, std::uint64_t total, std::uint64_t rows) = 0;
  // Whether nobody wants the result any more. Long work asks now and then and stops.
  virtual bool isCancelled() = 0;

  bool isJson() const { return isJson_; }
  // Throws Failure("command.cancelled") if it is.
  void throwIfCancelled();

 private:
  bool isJson_;
};

class TerminalOutput : public Output {
 public:
  // `cancelled` is set by a signal; borrowed.
  TerminalOutput(bool isJson, const std::atomic<bool>& cancelled);
  ~TerminalOutput() override;

  void line(const std::string& text) override;
  void warn(const std::string& sentence) override;
  void progress(std::uint64_t done, std::uint64_t total, std::uint64_t rows) override;
  bool isCancelled() override { return cancelled_; }

 private:
  void endProgress();

  const std::atomic<bool>& cancelled_;
  std::mutex mutex_;
  std::unique_ptr<cases::ProgressWriter> progress_;
};

}  // namespace waystation::commands
