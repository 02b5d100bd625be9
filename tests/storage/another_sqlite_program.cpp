// A program on a machine whose SQLite is not the one that the store was tested with, as far as it
// says of itself. Prints how opening a store at the path given ends.

#include <sqlite3.h>

#include <cstdio>
#include <string>

#include "crypto/failure.h"
#include "storage/database.h"

// In the place of the library's own.
int sqlite3_libversion_number() {
  return 3'041'000;
}

int main(int count, char** words) {
  using namespace waystation;
  if (count != 2) return 2;
  try {
    const storage::Database database(words[1], crypto::Secret::copyOf(std::string(32, 'k')),
                                     storage::OpenMode::kCreate);
    std::puts("opened");
  } catch (const Failure& failure) {
    std::puts(failure.code().c_str());
  }
  return 0;
}
