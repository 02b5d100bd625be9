#include "storage/store_schema.h"

namespace waystation::storage {

const std::vector<std::string>& storeMigrations() {
  static const std::vector<std::string> migrations = {R"sql(
CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE records(
  row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, root BLOB NOT NULL,
  conflicts INTEGER NOT NULL, changed_seq INTEGER NOT NULL, upward_seq INTEGER NOT NULL,
  state BLOB NOT NULL);
CREATE INDEX records_by_root ON records(root, id);
CREATE INDEX records_by_kind ON records(kind, changed_seq);
CREATE INDEX records_by_change ON records(changed_seq);
CREATE INDEX records_in_conflict ON records(changed_seq) WHERE conflicts > 0;
CREATE TABLE roots(
  id BLOB PRIMARY KEY, digest BLOB NOT NULL, scope TEXT NOT NULL, custody TEXT NOT NULL,
  records INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX roots_for_all ON roots(id) WHERE scope = '"all"';

CREATE TABLE journal(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, replica INTEGER NOT NULL, counter INTEGER NOT NULL,
  received_ms INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX journal_by_dot ON journal(replica, counter);
CREATE TABLE journal_records(
  record INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(record, seq)) WITHOUT ROWID;

CREATE TABLE incarnations(
  id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, parent_number INTEGER NOT NULL,
  parent_hash BLOB NOT NULL, salt_key BLOB NOT NULL);
CREATE TABLE upward(
  position INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, number INTEGER NOT NULL,
  seq INTEGER NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL, UNIQUE(incarnation, number));
CREATE INDEX upward_by_seq ON upward(seq);

CREATE TABLE leaves(
  leaf INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, public_key BLOB NOT NULL,
  certificate_hash TEXT NOT NULL, incarnation INTEGER NOT NULL, feed_acked INTEGER NOT NULL,
  last_contact_ms INTEGER NOT NULL, revoked INTEGER NOT NULL);
CREATE TABLE chains(
  leaf INTEGER NOT NULL, incarnation INTEGER NOT NULL, number INTEGER NOT NULL,
  hash BLOB NOT NULL, salt_key BLOB NOT NULL, PRIMARY KEY(leaf, incarnation)) WITHOUT ROWID;
CREATE TABLE scopes(
  leaf INTEGER NOT NULL, root BLOB NOT NULL, PRIMARY KEY(leaf, root)) WITHOUT ROWID;
CREATE INDEX scopes_by_root ON scopes(root, leaf);
CREATE TABLE feed(
  entry INTEGER PRIMARY KEY AUTOINCREMENT, leaf INTEGER NOT NULL, number INTEGER,
  type INTEGER NOT NULL, root BLOB NOT NULL, seq INTEGER NOT NULL);
CREATE INDEX feed_by_number ON feed(leaf, number);
CREATE TABLE releasing(
  leaf INTEGER NOT NULL, root BLOB NOT NULL, PRIMARY KEY(leaf, root)) WITHOUT ROWID;
CREATE TABLE names(
  root BLOB NOT NULL, named BLOB NOT NULL, PRIMARY KEY(root, named)) WITHOUT ROWID;
CREATE INDEX names_by_named ON names(named, root);
CREATE TABLE leaving(root BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE receipts(root BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE quarantine(
  id INTEGER PRIMARY KEY, leaf TEXT NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL,
  body BLOB NOT NULL);

CREATE TABLE import_keys(
  kind TEXT NOT NULL, key TEXT NOT NULL, record BLOB NOT NULL, PRIMARY KEY(kind, key))
  WITHOUT ROWID;
CREATE TABLE search_words(record INTEGER PRIMARY KEY, words TEXT NOT NULL);
CREATE VIRTUAL TABLE search USING fts5(
  words, content='search_words', content_rowid='record', prefix='2 3',
  tokenize='unicode61 remove_diacritics 2');
)sql",
                                                      // What a leaf was told to let go of is
                                                      // remembered; a chain outlives its bodies.
                                                      R"sql(
ALTER TABLE releasing ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
ALTER TABLE upward ADD COLUMN digest BLOB NOT NULL DEFAULT x'';
CREATE INDEX chains_by_incarnation ON chains(incarnation);
)sql",
                                                      // Differences found between two nodes.
                                                      R"sql(
CREATE TABLE healings(
  id INTEGER PRIMARY KEY, peer TEXT NOT NULL, found_ms INTEGER NOT NULL, damaged INTEGER NOT NULL,
  received INTEGER NOT NULL, sent INTEGER NOT NULL, refused INTEGER NOT NULL,
  agreed_ms INTEGER NOT NULL);
)sql",
                                                      // Erasures, and what they cover.
                                                      R"sql(
CREATE TABLE erasures(
  hash BLOB PRIMARY KEY, body BLOB NOT NULL, signature BLOB NOT NULL, made_ms INTEGER NOT NULL,
  made_by TEXT NOT NULL, destroyed INTEGER NOT NULL, late INTEGER NOT NULL,
  reported INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE erased(id BLOB PRIMARY KEY, hash BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE erasure_receipts(
  hash BLOB NOT NULL, holder TEXT NOT NULL, at_ms INTEGER NOT NULL, records INTEGER NOT NULL,
  PRIMARY KEY(hash, holder)) WITHOUT ROWID;
CREATE TABLE erasure_waiting(seq INTEGER PRIMARY KEY);
)sql",
                                                      // Nodes form a tree: an office has phones
                                                      // and sub-offices of its own, and carries
                                                      // what they signed.
                                                      R"sql(
ALTER TABLE leaves ADD COLUMN home TEXT NOT NULL DEFAULT '';
ALTER TABLE leaves ADD COLUMN offices TEXT NOT NULL DEFAULT '';
CREATE TABLE devices(
  name TEXT NOT NULL, public_key BLOB NOT NULL, home TEXT NOT NULL, leaf INTEGER NOT NULL,
  PRIMARY KEY(name, public_key)) WITHOUT ROWID;
CREATE TABLE replicas(replica INTEGER PRIMARY KEY, owner TEXT NOT NULL);
INSERT OR IGNORE INTO replicas
  SELECT c.incarnation, l.name FROM chains c JOIN leaves l ON l.leaf = c.leaf;
CREATE TABLE seals(
  seal INTEGER PRIMARY KEY, signer TEXT NOT NULL, signature BLOB NOT NULL, digests BLOB NOT NULL);
CREATE TABLE sealed(
  seq INTEGER PRIMARY KEY, seal INTEGER NOT NULL, position INTEGER NOT NULL, salt BLOB NOT NULL);
CREATE INDEX sealed_by_seal ON sealed(seal);
CREATE TABLE carried(seq INTEGER PRIMARY KEY);
CREATE TRIGGER journal_gone AFTER DELETE ON journal BEGIN
  DELETE FROM sealed WHERE seq = old.seq;
  DELETE FROM carried WHERE seq = old.seq;
END;
CREATE TRIGGER journal_cut AFTER UPDATE OF body ON journal BEGIN
  DELETE FROM sealed WHERE seq = old.seq;
END;
CREATE INDEX feed_enters_waiting ON feed(leaf, root) WHERE number IS NULL AND type = 1;
)sql",
                                                      // Deleted records stay, unseen.
                                                      R"sql(
ALTER TABLE records ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
CREATE INDEX records_hidden ON records(changed_seq) WHERE hidden = 1;
)sql",
                                                      // What was kept aside can wait, and be
                                                      // settled by a person; the leaf is told.
                                                      R"sql(
ALTER TABLE quarantine ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN link_replica INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN link_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN replica INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN counter INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN awaited_replica INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN awaited_counter INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN awaited_record BLOB NOT NULL DEFAULT x'';
ALTER TABLE quarantine ADD COLUMN settled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN settled_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN why TEXT NOT NULL DEFAULT '';
CREATE INDEX quarantine_by_leaf ON quarantine(leaf, id);
CREATE INDEX quarantine_waiting ON quarantine(id) WHERE state = 1;
CREATE TABLE aside(
  replica INTEGER NOT NULL, counter INTEGER NOT NULL, reason TEXT NOT NULL,
  state INTEGER NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY(replica, counter)) WITHOUT ROWID;
)sql",
                                                      // Roots that come back to a leaf before it
                                                      // heard that they had gone.
                                                      R"sql(
CREATE TABLE returning_roots(
  leaf INTEGER NOT NULL, root BLOB NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY(leaf, root))
  WITHOUT ROWID;
)sql",
                                                      // The audit log: nothing in it is changed
                                                      // or removed.
                                                      R"sql(
CREATE TABLE audit(
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, person TEXT NOT NULL, deed TEXT NOT NULL,
  body TEXT NOT NULL, hash BLOB NOT NULL);
CREATE INDEX audit_by_person ON audit(person, seq);
CREATE TABLE audit_records(
  record BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(record, seq)) WITHOUT ROWID;
CREATE INDEX audit_records_by_entry ON audit_records(seq, record);
CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log is only appended to');
END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log is only appended to');
END;
)sql",
                                                      // Feeds have a history too, and what came
                                                      // by one is kept with the hub's seal.
                                                      R"sql(
CREATE TABLE feed_epochs(
  position INTEGER PRIMARY KEY AUTOINCREMENT, leaf INTEGER NOT NULL, epoch INTEGER NOT NULL,
  began INTEGER NOT NULL, UNIQUE(leaf, epoch));
ALTER TABLE seals ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE seals ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
CREATE INDEX seals_of_the_hub ON seals(seal) WHERE signer = '';
ALTER TABLE quarantine ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
)sql",
                                                      // Bundles on a stick: the leaf's key that
                                                      // they are sealed to; those that were read,
                                                      // and those kept until it is their turn.
                                                      R"sql(
ALTER TABLE leaves ADD COLUMN sealing_key BLOB NOT NULL DEFAULT x'';
CREATE TABLE bundles_read(id BLOB PRIMARY KEY, peer TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE bundles_kept(
  id BLOB PRIMARY KEY, peer TEXT NOT NULL, part INTEGER NOT NULL, made_ms INTEGER NOT NULL,
  bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE bundle_pieces(
  id BLOB NOT NULL, piece INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE(id, piece));
)sql",
                                                      // How state and body are packed
                                                      // (storage/row_packer.h). What is there stays
                                                      // as it is until it is written anew.
                                                      R"sql(
ALTER TABLE records ADD COLUMN packing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal ADD COLUMN packing INTEGER NOT NULL DEFAULT 0;
)sql",
                                                      // An entry can be under several seals: of
                                                      // hubs further up, too.
                                                      R"sql(
CREATE TABLE sealed_above(
  seq INTEGER NOT NULL, seal INTEGER NOT NULL, position INTEGER NOT NULL, salt BLOB NOT NULL,
  PRIMARY KEY(seq, seal)) WITHOUT ROWID;
CREATE INDEX sealed_above_by_seal ON sealed_above(seal);
CREATE INDEX seals_by_signature ON seals(signature);
CREATE TRIGGER journal_gone_from_above AFTER DELETE ON journal BEGIN
  DELETE FROM sealed_above WHERE seq = old.seq;
END;
CREATE TRIGGER journal_cut_from_above AFTER UPDATE OF body ON journal BEGIN
  DELETE FROM sealed_above WHERE seq = old.seq;
END;
)sql",
                                                      // The journal entry that a state is packed
                                                      // beside; it stays for as long as it is one.
                                                      R"sql(
ALTER TABLE records ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
CREATE INDEX records_by_base ON records(base) WHERE base <> 0;
CREATE TRIGGER journal_base_kept BEFORE DELETE ON journal
WHEN EXISTS(SELECT 1 FROM records WHERE base = old.seq AND base <> 0) BEGIN
  SELECT raise(ABORT, 'a record is packed beside this entry of the journal');
END;
CREATE TRIGGER journal_base_uncut BEFORE UPDATE OF body ON journal
WHEN EXISTS(SELECT 1 FROM records WHERE base = old.seq AND base <> 0) BEGIN
  SELECT raise(ABORT, 'a record is packed beside this entry of the journal');
END;
)sql",
                                                      // A leaf of the search index fits one page:
                                                      // by itself it would need 4050 bytes, and an
                                                      // overflow page for what the reserve takes.
                                                      R"sql(
INSERT INTO search(search, rank) VALUES('pgsz', 3980);
)sql",
                                                      // How much of a leaf's chain is in a copy of
                                                      // this database.
                                                      R"sql(
ALTER TABLE chains ADD COLUMN copied INTEGER NOT NULL DEFAULT 0;
)sql"};
  return migrations;
}

}  // namespace waystation::storage
