// A program in C that links libwaystation_vfs.a and knows SQLite only: argument 1 is a directory of
// its own. Ends with 0 when all went well.
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int waystation_vfs_register(const char* name, const char* parentVfs, int makeDefault);

static void require(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "failed: %s\n", what);
  exit(1);
}

static sqlite3* opened(const char* directory, const char* name, const char* vfs) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  sqlite3* database = NULL;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  require(sqlite3_open_v2(path, &database, flags, vfs) == SQLITE_OK, sqlite3_errmsg(database));
  return database;
}

static void run(sqlite3* database, const char* sql) {
  require(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(database));
}

static void writeKey(const char* directory) {
  char path[1024];
  snprintf(path, sizeof path, "%s/key", directory);
  FILE* file = fopen(path, "w");
  require(file != NULL, "write the key file");
  for (int i = 0; i < 32; ++i) fprintf(file, "%02x", i);
  fputs("\n", file);
  fclose(file);
  setenv("WAYSTATION_KEY_FILE", path, 1);
}

int main(int count, char** words) {
  require(count == 2, "usage: vfs_archive_program DIRECTORY");
  require(waystation_vfs_register("beside", NULL, 0) == SQLITE_AUTH, "no key, no VFS");
  writeKey(words[1]);
  require(waystation_vfs_register("beside", "no such", 0) == SQLITE_NOTFOUND, "an unknown parent");
  require(waystation_vfs_register("beside", "unix-excl", 0) == SQLITE_OK, "over a named parent");
  require(waystation_vfs_register("beside", NULL, 0) == SQLITE_MISUSE, "a name that is taken");
  require(strcmp(sqlite3_vfs_find(NULL)->zName, "unix") == 0, "the default is as it was");
  sqlite3* encrypted = opened(words[1], "encrypted.db", "beside");
  run(encrypted, "CREATE TABLE names(n); INSERT INTO names VALUES ('Nasrin'); VACUUM");
  sqlite3_close(encrypted);
  require(waystation_vfs_register("waystation", NULL, 1) == SQLITE_OK, "as the default");
  encrypted = opened(words[1], "encrypted.db", NULL);
  run(encrypted, "SELECT n FROM names ORDER BY n || 'x'; PRAGMA journal_mode = WAL");
  sqlite3_close(encrypted);
  sqlite3* plain = opened(words[1], "plain.db", "unix");
  run(plain, "CREATE TABLE names(n)");
  sqlite3_close(plain);
  return 0;
}
