-- The truth of a gallery. Paths and names are bytes, because file names are bytes.
-- `crc` is the CRC-32 of a row's other values: SQLite does not notice a flipped bit.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE root (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);
CREATE TABLE vector (id INTEGER PRIMARY KEY AUTOINCREMENT, embedding BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE photo (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- AUTOINCREMENT: an id is never used again
  root INTEGER NOT NULL REFERENCES root (id),
  path BLOB NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  vector INTEGER NOT NULL REFERENCES vector (id),
  crc INTEGER NOT NULL,
  UNIQUE (root, path)
);
CREATE INDEX photo_vector ON photo (vector);
CREATE INDEX photo_sha256 ON photo (sha256);
CREATE TABLE skipped (
  root INTEGER NOT NULL REFERENCES root (id),
  path BLOB NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (root, path)
) WITHOUT ROWID;
-- A row a transaction. The token tells a change from another gallery's, or a later life's, of the same number.
CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, token BLOB NOT NULL, last_vector INTEGER NOT NULL);
-- Vectors that are gone, with the change that removed them; new ones are those above a change's last_vector.
CREATE TABLE removal (vector INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE INDEX removal_seq ON removal (seq);
-- Vectors of sketches with which the recall of an index is measured.
CREATE TABLE probe (id INTEGER PRIMARY KEY, embedding BLOB NOT NULL);
