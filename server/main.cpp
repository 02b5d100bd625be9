#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "server/commands/program.h"

namespace {

// Keys and people's data are in this process's memory and files: no other user reads either, and
// no core is left behind. A closed connection and a file that may not grow are errors of a call,
// not the end of the process.
void harden() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) {
    std::cerr << "waystation: Core dumps can't be switched off on this system. [internal]\n";
    std::exit(1);
  }
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace

int main(int count, char** values) {
  harden();
  return waystation::commands::runProgram(std::vector<std::string>(values + 1, values + count));
}
