#pragma once

#include <string>
#include <vector>

namespace waystation::commands {

// The whole program: finds the command, runs it here or in the running server, says what failed.
// Answers the exit code: 0 done, 1 failed, 2 called wrongly.
int runProgram(const std::vector<std::string>& words);

}  // namespace waystation::commands
