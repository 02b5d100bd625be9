#include "tests/bench/served_office.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <stdexcept>

#include "tests/support/test_node.h"

namespace waystation::bench {
namespace {

constexpr std::string_view kReady = "ready ";

std::filesystem::path programBeside() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "waystation";
}

}  // namespace

ServedOffice::ServedOffice(const std::filesystem::path& directory,
                           const std::filesystem::path& folder, std::string authorityPem)
    : authorityPem_(std::move(authorityPem)) {
  const std::filesystem::path passphrase = folder / "passphrase";
  std::ofstream(passphrase) << waystation::testing::kTestPassphrase << '\n';
  std::filesystem::permissions(passphrase, std::filesystem::perms::owner_read);
  start(directory, passphrase, folder / "log");
}

void ServedOffice::start(const std::filesystem::path& directory,
                         const std::filesystem::path& passphrase,
                         const std::filesystem::path& log) {
  const std::string program = programBeside().string();
  const std::string errors = log.string();
  std::array<std::string, 10> words = {
      program, "serve",     "--data",    directory.string(),  "--port",
      "0",     "--address", "127.0.0.1", "--passphrase-file", passphrase.string()};
  std::array<char*, words.size() + 1> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) throw std::runtime_error("no pipe");
  const auto begin = std::chrono::steady_clock::now();
  process_ = ::fork();
  if (process_ == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::dup2(::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  ::close(pipe[1]);
  output_ = pipe[0];
  std::string said;
  std::array<char, 512> buffer;
  while (said.find('\n') == std::string::npos) {
    const ssize_t count = ::read(output_, buffer.data(), buffer.size());
    if (count <= 0) throw std::runtime_error("the office did not start: " + said);
    said.append(buffer.data(), static_cast<std::size_t>(count));
  }
  readyMs_ =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  if (!said.starts_with(kReady)) throw std::runtime_error("the office said " + said);
  port_ = static_cast<std::uint16_t>(std::stoul(said.substr(said.rfind(':') + 1)));
}

ServedOffice::~ServedOffice() {
  if (process_ > 0) {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  if (output_ >= 0) ::close(output_);
}

http::ClientSettings ServedOffice::settings() const {
  http::ClientSettings settings;
  settings.host = "127.0.0.1";
  settings.port = port_;
  settings.expectedName = "localhost";
  settings.authorityPem = authorityPem_;
  return settings;
}

double ServedOffice::residentMb() const {
  std::ifstream status("/proc/" + std::to_string(process_) + "/status");
  constexpr std::string_view kResident = "VmRSS:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kResident)) return std::stod(line.substr(kResident.size())) / 1024;
  }
  return 0;
}

}  // namespace waystation::bench
