// rotation_kills: the page key of a large store is rotated while clients save, and the process is
// killed again and again. Nothing acknowledged may be lost, and all pages end under the new key.

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "storage/key_rotation.h"
#include "storage/verify.h"
#include "tests/support/temporary_directory.h"

namespace waystation::testing {
namespace {

using storage::Database;
using storage::OpenMode;

constexpr std::int64_t kClientStep = 1'000'000'000;
constexpr int kMostClients = 100;
constexpr int kRowBytes = 3900;

struct Settings {
  int megabytes = 16;
  int clients = 20;
  int kills = 5;
};

// What the child that is killed has told its parent, in memory that both share.
struct Shared {
  std::array<std::atomic<std::int64_t>, kMostClients> acknowledged{};
  std::atomic<std::uint64_t> pagesDone{0};
  std::atomic<std::uint64_t> pages{0};
  std::array<char, 500> error{};
};

crypto::Secret key() {
  return crypto::Secret::copyOf(std::string(32, 'k'));
}

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

void fill(const std::filesystem::path& file, int megabytes) {
  Database database(file, key(), OpenMode::kCreate);
  database.execute("CREATE TABLE saves(id INTEGER PRIMARY KEY, content BLOB NOT NULL)");
  const std::int64_t rows = std::int64_t{megabytes} * 1024 * 1024 / kRowBytes;
  for (std::int64_t row = 1; row <= rows;) {
    storage::Transaction transaction(database);
    storage::Statement insert = database.statement("INSERT INTO saves VALUES(-?1, zeroblob(?2))");
    for (int i = 0; i < 1000 && row <= rows; ++i, ++row) {
      insert.bind(1, row).bind(2, std::int64_t{kRowBytes}).run();
      insert.reset();
    }
    transaction.commit();
  }
}

void saveUntil(const std::atomic<bool>& stop, storage::Connections& connections, int client,
               std::atomic<std::int64_t>& acknowledged) {
  while (!stop) {
    const std::int64_t number = acknowledged + 1;
    const storage::Connections::Lease writer = connections.writer();
    storage::Transaction transaction(*writer);
    writer->statement("INSERT OR REPLACE INTO saves VALUES(?, randomblob(700))")
        .bind(1, client * kClientStep + number)
        .run();
    transaction.commit();
    acknowledged = number;
  }
}

// The life of one process: clients save while the rotation goes on to its end.
[[noreturn]] void live(const std::filesystem::path& file, int clients, Shared& shared) {
  const auto give = [&](const std::exception& error) {
    std::snprintf(shared.error.data(), shared.error.size(), "%s", error.what());
    ::_exit(3);
  };
  try {
    storage::Connections connections(file, key(), OpenMode::kReadWrite, 2);
    Database rotating(file, key(), OpenMode::kReadWrite);
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (int client = 1; client <= clients; ++client) {
      threads.emplace_back([&, client] {
        try {
          saveUntil(stop, connections, client,
                    shared.acknowledged[static_cast<std::size_t>(client)]);
        } catch (const std::exception& error) {
          give(error);
        }
      });
    }
    storage::rotateKey(rotating, [&](const storage::RotationProgress& progress) {
      shared.pages = progress.pages;
      shared.pagesDone = progress.pagesDone;
      return true;
    });
    stop = true;
    for (std::thread& thread : threads) thread.join();
  } catch (const std::exception& error) {
    give(error);
  }
  ::_exit(0);
}

// Kills the process once the rotation has come so far; answers whether it was still at work.
bool killAt(double part, const std::filesystem::path& file, int clients, Shared& shared) {
  shared.pagesDone = 0;
  shared.pages = 0;
  const pid_t child = ::fork();
  if (child == 0) live(file, clients, shared);
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(child, &status, WNOHANG)) == 0) {
    const auto pages = static_cast<double>(shared.pages);
    if (pages > 0 && static_cast<double>(shared.pagesDone) >= part * pages) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    ::usleep(1000);
  }
  require(shared.error[0] == '\0', shared.error.data());
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

void checkAll(const std::filesystem::path& file, const Settings& settings, const Shared& shared) {
  Database database(file, key(), OpenMode::kReadWrite);
  require(!storage::isRotationUnfinished(database), "the rotation is not finished");
  require(storage::keyEpoch(database) == 2, "the store does not write under its second key");
  for (int client = 1; client <= settings.clients; ++client) {
    storage::Statement count =
        database.statement("SELECT count(*) FROM saves WHERE id > ?1 AND id <= ?1 + ?2");
    const std::int64_t told = shared.acknowledged[static_cast<std::size_t>(client)];
    count.bind(1, client * kClientStep).bind(2, told).step();
    require(count.integer(0) == told, "acknowledged saves are lost");
  }
  storage::Statement integrity = database.statement("PRAGMA integrity_check");
  integrity.step();
  require(integrity.view(0) == "ok", "SQLite: " + integrity.text(0));
  // The old key is gone: a page that were still under it would not authenticate.
  const std::vector<std::string> damage = storage::verifyPages(file, key());
  require(damage.empty(), damage.empty() ? "" : damage.front());
}

int rotateUnderKills(const Settings& settings) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "node.db";
  fill(file, settings.megabytes);
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "no memory");
  Shared& shared = *new (memory) Shared();
  int killed = 0;
  for (int i = 1; i <= settings.kills; ++i) {
    const double part = static_cast<double>(i) / (settings.kills + 1);
    if (killAt(part, file, settings.clients, shared)) ++killed;
  }
  require(killed == settings.kills, "the rotation was over before the last kill");
  require(!killAt(2, file, settings.clients, shared), "killed where nobody kills");
  checkAll(file, settings, shared);
  std::int64_t saves = 0;
  for (const std::atomic<std::int64_t>& count : shared.acknowledged) saves += count;
  std::printf(
      "%d kills, %d clients, %ju bytes, %jd saves acknowledged, none lost, all pages under "
      "the new key\n",
      killed, settings.clients, static_cast<std::uintmax_t>(std::filesystem::file_size(file)),
      static_cast<std::intmax_t>(saves));
  return 0;
}

}  // namespace
}  // namespace waystation::testing

int main(int count, char** words) {
  namespace testing = waystation::testing;
  testing::Settings settings;
  try {
    for (int i = 1; i + 1 < count; i += 2) {
      const std::string word = words[i];
      int& value = word == "--megabytes" ? settings.megabytes
                   : word == "--clients" ? settings.clients
                   : word == "--kills"   ? settings.kills
                                         : throw std::invalid_argument(word);
      value = std::stoi(words[i + 1]);
    }
    if (count % 2 == 0 || settings.clients >= testing::kMostClients) {
      throw std::invalid_argument("the arguments");
    }
    return testing::rotateUnderKills(settings);
  } catch (const std::logic_error& error) {
    std::fprintf(stderr, "rotation_kills [--megabytes N] [--clients N] [--kills N]: %s\n",
                 error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rotation_kills: %s\n", error.what());
    return 1;
  }
}
