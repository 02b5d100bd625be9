#pragma once

// The store's VFS for programs that know SQLite only (docs/spec/store-format.md, section 10). C
// linkage: this is what libwaystation_vfs.a and waystation_vfs.so show to the outside.
extern "C" {

// Registers the encrypting VFS with SQLite as `name`, over the VFS named `parentVfs` (null: the
// default one). Every database opened through it is encrypted under the key in the file that the
// environment variable WAYSTATION_KEY_FILE names: 64 hexadecimal digits and nothing but white space
// around them. The registration lasts until the process ends; plain VFSs stay as they are.
//
// Returns a code of SQLite's: SQLITE_OK; SQLITE_NOTFOUND, there is no such parent; SQLITE_MISUSE,
// the name is taken; SQLITE_AUTH, there is no key; SQLITE_MISMATCH, this SQLite is of a version
// that was not tested. The reason, in a sentence, goes to SQLite's log.
__attribute__((visibility("default"))) int waystation_vfs_register(const char* name,
                                                                   const char* parentVfs,
                                                                   int makeDefault);
}
