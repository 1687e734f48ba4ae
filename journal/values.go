package journal

// header is the record of a source. It is the only value that several kinds
// of commits change, each under Source.writing.
type header struct {
	Head      uint64 // newest seq given out
	Truncated uint64 // no entries at or below it are left
	Swept     uint64 // tombstones at or below it are gone, or pinned; at least Truncated
	Entries   uint64 // number of entries present
	Sum       uint64 // sum of their seqs, modulo 2^64
	Index     uint64 // number of index records, tombstones and shadowed ones included
	Baseline  bool   // no scan was ever complete
	HasRoot   bool
	Root      RootID
	Recorded  int64  // ns since 1970 of the last commit of Record; 0 in headers of version 1
	Summed    bool   // Digest counts; false in headers of version 1
	Digest    uint64 // of entries, index, inode keys and kept tombstones, see mark

	// The newest entry that was truncated, and when it was journaled: what is
	// missing from there on was superseded. In headers before version 3 at most
	// these.
	Dropped   uint64
	DroppedAt int64 // ns since 1970
}

func (h *header) encode(key []byte) []byte {
	e := newEncoder(96)
	dropped := h.Summed && max(h.Truncated, h.Dropped) > 0
	switch {
	case dropped:
		e.version(3) // only then: until there is one an older program can read it
	case h.Summed:
		e.version(2)
	}
	for _, v := range []uint64{h.Head, h.Truncated, h.Swept, h.Entries, h.Sum, h.Index} {
		e.uint(v)
	}
	e.bool(h.Baseline)
	e.bool(h.HasRoot)
	e.string(h.Root.Path)
	e.uint(h.Root.Dev)
	e.uint(h.Root.Ino)
	e.uint(h.Root.FSID)
	e.string(h.Root.Mounts)
	if h.Summed {
		e.uint(h.Digest)
		e.string(h.Root.Mount)
		e.int(h.Recorded)
	}
	if dropped {
		e.uint(h.Dropped)
		e.int(h.DroppedAt)
	}
	return e.seal(key)
}

func decodeHeader(key, val []byte) (header, error) {
	d := open(key, val, 3)
	h := header{
		Head: d.uint(), Truncated: d.uint(), Swept: d.uint(), Entries: d.uint(), Sum: d.uint(), Index: d.uint(),
		Baseline: d.bool(), HasRoot: d.bool(),
		Root: RootID{Path: d.string(), Dev: d.uint(), Ino: d.uint(), FSID: d.uint(), Mounts: d.string()},
	}
	if h.Summed = d.v >= 2; h.Summed {
		h.Digest = d.uint()
		h.Root.Mount = d.string()
		h.Recorded = d.int()
	}
	switch {
	case d.v == 3:
		h.Dropped, h.DroppedAt = d.uint(), d.int()
	case h.Truncated > 0:
		h.Dropped, h.DroppedAt = h.Truncated, h.Recorded
	}
	return h, d.end()
}

func (n *Entry) encode(key []byte) []byte {
	e := newEncoder(len(n.Path) + 32)
	e.byte(byte(n.Op))
	e.byte(byte(n.Flags))
	e.string(n.Path)
	e.time(n.Time)
	e.uint(n.First)
	e.time(n.FirstTime)
	e.uint(n.Count)
	if n.hops != "" {
		e.version(2) // only then: until there is one an older program can read the entry
		e.string(n.hops)
	}
	val := e.seal(key)
	n.mark = mark(key, val)
	return val
}

// decodeEntry takes the seq from the last eight bytes of the key.
func decodeEntry(key, val []byte) (Entry, error) {
	d := open(key, val, 2)
	n := Entry{
		Op: Op(d.byte()), Flags: Flag(d.byte()), Path: d.string(), Time: d.time(),
		First: d.uint(), FirstTime: d.time(), Count: d.uint(), mark: mark(key, val),
	}
	if d.v == 2 {
		n.hops = d.string()
		if _, err := parseHops(n.hops); err != nil {
			d.fail(err)
		}
	}
	if len(key) < 8 {
		d.fail(errShort)
	} else {
		n.Seq = seqOf(key)
	}
	if d.err == nil && n.Op != OpChange && n.Op != OpRemove {
		d.fail(errRange)
	}
	return n, d.end()
}

func (r *Record) encode(key []byte) []byte {
	e := newEncoder(88)
	switch { // only then: until there is one an older program can read the index
	case r.Behind:
		e.version(3)
	case r.was != (fileID{}):
		e.version(2)
	}
	e.byte(byte(r.Type))
	e.bool(r.baseline)
	for _, v := range []uint32{r.Mode, r.UID, r.GID} {
		e.uint(uint64(v))
	}
	// Differences of times are short; their wrap-around is undone on reading.
	e.int(r.Size)
	e.int(r.Mtime)
	e.int(r.Ctime - r.Mtime)
	e.int(r.ObservedAt - r.Ctime)
	for _, v := range []uint64{r.Dev, r.Ino, uint64(r.Nlink), r.Rdev, r.LastSeq, r.Since, r.below} {
		e.uint(v)
	}
	if r.Behind || r.was != (fileID{}) {
		e.uint(r.was.dev)
		e.uint(r.was.ino)
	}
	val := e.seal(key)
	r.mark = mark(key, val)
	return val
}

func decodeRecord(key, val []byte) (Record, error) {
	d := open(key, val, 3)
	var r Record
	r.mark = mark(key, val)
	r.Type = Type(d.byte())
	r.baseline = d.bool()
	r.Mode, r.UID, r.GID = d.uint32(), d.uint32(), d.uint32()
	r.Size = d.int()
	r.Mtime = d.int()
	r.Ctime = d.int() + r.Mtime
	r.ObservedAt = d.int() + r.Ctime
	r.Dev, r.Ino, r.Nlink, r.Rdev = d.uint(), d.uint(), d.uint32(), d.uint()
	r.LastSeq, r.Since, r.below = d.uint(), d.uint(), d.uint()
	if d.v >= 2 {
		r.was = fileID{d.uint(), d.uint()}
		if r.Behind = d.v == 3; !r.Behind && r.was == (fileID{}) {
			d.fail(errRange)
		}
	}
	if d.err == nil && r.Type > BlockDev {
		d.fail(errRange)
	}
	return r, d.end()
}

// cursorRecord is what a remote keeps at its cursor's key.
type cursorRecord struct {
	Cursor
	holdings
}

// holdings sum up what else is kept for a remote.
type holdings struct {
	Summed  bool // the rest counts; false in cursors of version 1
	Retries uint64
	Digest  uint64 // of the retry records, see mark
	Full    uint64 // mark of the full sync, 0 for none
	State   uint64 // mark of the state, 0 for none
}

func (c *cursorRecord) encode(key []byte) []byte {
	e := newEncoder(48 + 10*len(c.Done))
	if c.Summed {
		e.version(2)
	}
	e.uint(c.Low)
	e.uint(uint64(len(c.Done)))
	for _, r := range c.Done {
		e.uint(r.From)
		e.uint(r.To)
	}
	if c.Summed {
		for _, v := range []uint64{c.Retries, c.Digest, c.Full, c.State} {
			e.uint(v)
		}
	}
	return e.seal(key)
}

func decodeCursor(key, val []byte) (cursorRecord, error) {
	d := open(key, val, 2)
	c := cursorRecord{Cursor: Cursor{Low: d.uint()}}
	n := d.uint()
	if n > uint64(len(d.b)) { // each range takes two bytes at least
		d.fail(errShort)
		n = 0
	}
	for range n {
		c.Done = append(c.Done, Range{From: d.uint(), To: d.uint()})
	}
	if c.Summed = d.v == 2; c.Summed {
		c.Retries, c.Digest, c.Full, c.State = d.uint(), d.uint(), d.uint(), d.uint()
	}
	return c, d.end()
}

func (r *Retry) encode(key []byte) []byte {
	e := newEncoder(len(r.Error) + 64)
	e.string(r.Path)
	e.uint(r.Seq)
	e.byte(byte(r.Op))
	e.byte(byte(r.Flags))
	e.int(int64(r.Attempts))
	e.time(r.First)
	e.time(r.Next)
	e.string(r.ErrorID)
	e.string(r.Error)
	if !r.Since.IsZero() {
		e.version(2) // only then: until there is one an older program can read the record
		e.time(r.Since)
	}
	return e.seal(key)
}

func decodeRetry(key, val []byte) (Retry, error) {
	d := open(key, val, 2)
	r := Retry{
		Path: d.string(), Seq: d.uint(), Op: Op(d.byte()), Flags: Flag(d.byte()), Attempts: int(d.int()),
		First: d.time(), Next: d.time(), ErrorID: d.string(), Error: d.string(),
	}
	if d.v == 2 {
		r.Since = d.time()
	}
	if d.err == nil && r.Op != OpChange && r.Op != OpRemove {
		d.fail(errRange)
	}
	return r, d.end()
}

func (f *FullSync) encode(key []byte) []byte {
	e := newEncoder(len(f.Reason) + len(f.Sub) + len(f.After) + 48)
	e.string(f.Reason)
	e.time(f.Started)
	e.string(f.Sub)
	e.bool(f.Checksum)
	e.string(f.After)
	e.bool(f.Begun)
	e.bool(f.Links)
	e.uint(f.Done)
	e.uint(f.Total)
	if !f.Behind.IsZero() {
		e.version(2) // likewise
		e.time(f.Behind)
	}
	return e.seal(key)
}

func decodeFullSync(key, val []byte) (FullSync, error) {
	d := open(key, val, 2)
	f := FullSync{
		Reason: d.string(), Started: d.time(), Sub: d.string(), Checksum: d.bool(), After: d.string(),
		Begun: d.bool(), Links: d.bool(), Done: d.uint(), Total: d.uint(),
	}
	if d.v == 2 {
		f.Behind = d.time()
	}
	return f, d.end()
}

func (s *RemoteState) encode(key []byte) []byte {
	e := newEncoder(len(s.PauseReason) + len(s.Held) + 64)
	e.bool(s.Paused)
	e.string(s.PauseReason)
	e.time(s.PausedUntil)
	e.string(s.Held)
	e.time(s.HeldSince)
	e.uint(s.Approved)
	e.time(s.LastSuccess)
	e.time(s.LastFull)
	e.string(s.Target)
	e.string(s.Filter)
	e.string(s.Place)
	if !s.Probe.empty() || s.Verify != (VerifyState{}) {
		e.version(2) // only then: until there is one an older program can read the state
		s.Probe.encode(e)
		s.Verify.encode(e)
	}
	return e.seal(key)
}

func (p *Probe) empty() bool {
	return p.At.IsZero() && p.Of == "" && !p.Dirty && len(p.Findings) == 0
}

func (p *Probe) encode(e *encoder) {
	e.time(p.At)
	e.string(p.Of)
	e.bool(p.Dirty)
	e.uint(uint64(len(p.Findings)))
	for _, f := range p.Findings {
		e.string(f.ID)
		e.time(f.Since)
		e.string(f.Detail)
	}
}

func decodeRemoteState(key, val []byte) (RemoteState, error) {
	d := open(key, val, 2)
	s := RemoteState{
		Paused: d.bool(), PauseReason: d.string(), PausedUntil: d.time(), Held: d.string(), HeldSince: d.time(),
		Approved: d.uint(), LastSuccess: d.time(), LastFull: d.time(), Target: d.string(), Filter: d.string(), Place: d.string(),
	}
	if d.v == 2 {
		s.Probe = d.probe()
		s.Verify = decodeVerify(&d)
	}
	return s, d.end()
}

func (d *decoder) probe() Probe {
	p := Probe{At: d.time(), Of: d.string(), Dirty: d.bool()}
	n := d.uint()
	if n > uint64(len(d.b)) { // each finding takes three bytes at least
		d.fail(errShort)
		n = 0
	}
	for range n {
		p.Findings = append(p.Findings, Finding{ID: d.string(), Since: d.time(), Detail: d.string()})
	}
	return p
}

func (v *VerifyState) encode(e *encoder) {
	e.time(v.Started)
	e.time(v.Ended)
	e.string(v.Sub)
	e.bool(v.Checksum)
	e.bool(v.Complete)
	for _, n := range []uint64{v.Dirs, v.Paths, v.Found, v.Repaired, v.Diverged} {
		e.uint(n)
	}
	e.bool(v.DivergedSum)
	e.time(v.DivergedAt)
	e.time(v.Scheduled)
}

func decodeVerify(d *decoder) VerifyState {
	return VerifyState{
		Started: d.time(), Ended: d.time(), Sub: d.string(), Checksum: d.bool(), Complete: d.bool(),
		Dirs: d.uint(), Paths: d.uint(), Found: d.uint(), Repaired: d.uint(), Diverged: d.uint(),
		DivergedSum: d.bool(), DivergedAt: d.time(), Scheduled: d.time(),
	}
}

// encodeSeq serves values that are one number.
func encodeSeq(key []byte, seq uint64) []byte {
	e := newEncoder(16)
	e.uint(seq)
	return e.seal(key)
}

func decodeSeq(key, val []byte) (uint64, error) {
	d := open(key, val, 1)
	seq := d.uint()
	return seq, d.end()
}

func encodeFormat(epoch string) []byte {
	e := newEncoder(48)
	e.string(epoch)
	return e.seal(formatKey)
}

func decodeFormat(val []byte) (string, error) {
	d := open(formatKey, val, 1)
	epoch := d.string()
	return epoch, d.end()
}

// rootRecord is the record above all others.
type rootRecord struct {
	Serial uint64 // number of the commit that wrote it
	Digest uint64 // of the headers and cursors, see mark
}

func (r *rootRecord) encode() []byte {
	e := newEncoder(32)
	e.uint(r.Serial)
	e.uint(r.Digest)
	return e.seal(rootKey)
}

func decodeRoot(key, val []byte) (rootRecord, error) {
	d := open(key, val, 1)
	r := rootRecord{Serial: d.uint(), Digest: d.uint()}
	return r, d.end()
}
