package journal

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// fuzzValue feeds a decoder with any body under a right sum, which is what
// another version of the program or a fault above the sum would store, and
// with raw bytes. A value that decodes must encode to one that decodes to the
// same.
func fuzzValue[T any](f *testing.F, key []byte, decode func(key, val []byte) (T, error), encode func(T) []byte, seeds ...T) {
	version := byte(valueVersion)
	for _, s := range seeds {
		val := encode(s)
		version = val[0]
		f.Add(val[1 : len(val)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := decode(key, body); err == nil && !sealed(key, body) {
			t.Fatal("raw bytes without a sum were accepted")
		}
		v, err := decode(key, (&encoder{b: append([]byte{version}, body...)}).seal(key))
		if err != nil {
			if errors.Is(err, errChecksum) {
				t.Fatal(err)
			}
			return
		}
		val := encode(v)
		again, err := decode(key, val)
		if err != nil {
			t.Fatalf("%+v does not decode: %v", v, err)
		}
		equal(t, "decoded again", again, v)
		if !bytes.Equal(encode(again), val) {
			t.Fatal("encoded differently")
		}
		if _, err := decode(append([]byte("x"), key...), val); !errors.Is(err, errChecksum) {
			t.Fatalf("accepted at another key: %v", err)
		}
	})
}

func sealed(key, val []byte) bool { return !errors.Is(open(key, val, 2).err, errChecksum) }

var when = time.Unix(1, 2).UTC()

func FuzzDecodeEntry(f *testing.F) {
	key := entryKey("www", 7)
	unmarked := func(key, val []byte) (Entry, error) {
		e, err := decodeEntry(key, val)
		e.mark = 0
		return e, err
	}
	fuzzValue(f, key, unmarked, func(e Entry) []byte { return e.encode(key) },
		Entry{Seq: 7, Op: OpChange, Flags: FlagChecksum, Path: "a/b", Time: when}, Entry{Seq: 7, Op: OpRemove, Count: 9})
}

func FuzzDecodeEntryWithHops(f *testing.F) {
	key := entryKey("www", 7)
	unmarked := func(key, val []byte) (Entry, error) {
		e, err := decodeEntry(key, val)
		e.mark = 0
		e.Since("nas") // whatever it holds
		return e, err
	}
	hops := formatHops([]hop{{seq: 3, at: when, name: []string{"a", "b"}}, {seq: 5, at: when, all: true, name: []string{"c"}}})
	fuzzValue(f, key, unmarked, func(e Entry) []byte { return e.encode(key) },
		Entry{Seq: 7, Op: OpChange, Path: "a/b", Time: when, First: 3, FirstTime: when, hops: hops})
}

func FuzzDecodeRecord(f *testing.F) {
	key := indexKey("www", "a/b")
	unmarked := func(key, val []byte) (Record, error) {
		r, err := decodeRecord(key, val)
		r.mark = 0
		return r, err
	}
	fuzzValue(f, key, unmarked, func(r Record) []byte { return r.encode(key) },
		Record{State: file("a", 3, 4).State, ObservedAt: base, LastSeq: 9}, Record{State: dir("a", 3).State, Since: 8, baseline: true},
		Record{State: State{Mtime: -1 << 63, Ctime: 1<<63 - 1, Size: -1}, below: 3}, Record{State: file("a", 3, 4).State, LastSeq: 9, Behind: true})
}

func FuzzDecodeRecordOfAnother(f *testing.F) {
	key := indexKey("www", "a/b")
	r := Record{State: dir("a", 3).State, LastSeq: 9, Since: 8, was: fileID{1, 2}}
	val := r.encode(key)
	f.Add(byte(2), val[1:len(val)-4])
	f.Add(byte(3), val[1:len(val)-4])
	f.Fuzz(func(t *testing.T, version byte, body []byte) {
		r, err := decodeRecord(key, (&encoder{b: append([]byte{version}, body...)}).seal(key))
		if err != nil {
			return
		}
		again, err := decodeRecord(key, r.encode(key))
		if err != nil {
			t.Fatal(err)
		}
		r.mark, again.mark = 0, 0
		equal(t, "decoded again", again, r)
	})
}

func FuzzDecodeRetry(f *testing.F) {
	key := retryKey("www", "nas", "a/b")
	fuzzValue(f, key, decodeRetry, func(r Retry) []byte { return r.encode(key) },
		Retry{Path: "a/b", Seq: 1, Op: OpRemove, Flags: FlagChecksum, Attempts: -1, First: when, Next: when, ErrorID: "E", Error: "e\x00"})
}

func FuzzDecodeRetryWithSince(f *testing.F) {
	key := retryKey("www", "nas", "a/b")
	fuzzValue(f, key, decodeRetry, func(r Retry) []byte { return r.encode(key) },
		Retry{Path: "a/b", Seq: 1, Op: OpRemove, Attempts: 2, First: when, Next: when, ErrorID: "E", Since: when})
}

func FuzzDecodeCursor(f *testing.F) {
	key := remoteKey(kindCursor, "www", "nas")
	fuzzValue(f, key, decodeCursor, func(c cursorRecord) []byte { return c.encode(key) },
		cursorRecord{holdings: holdings{Summed: true}},
		cursorRecord{Cursor{Low: 1 << 63, Done: []Range{{1, 2}, {3, 1 << 63}}}, holdings{true, 3, 1 << 63, 4, 5}})
}

func FuzzDecodeHeader(f *testing.F) {
	key := sourceKey("www")
	fuzzValue(f, key, decodeHeader, func(h header) []byte { return h.encode(key) },
		header{Head: 9, Entries: 2, Sum: 17, Baseline: true, Summed: true, Digest: 1 << 63}, header{HasRoot: true, Summed: true, Root: RootID{Path: "/", Dev: 1, Ino: 2, FSID: 3}})
}

func FuzzDecodeHeaderWithDropped(f *testing.F) {
	key := sourceKey("www")
	fuzzValue(f, key, decodeHeader, func(h header) []byte { return h.encode(key) },
		header{Head: 9, Truncated: 7, Swept: 8, Entries: 1, Sum: 9, Summed: true, Recorded: 5, Dropped: 6, DroppedAt: 1 << 60})
}

func FuzzDecodeFullSync(f *testing.F) {
	key := remoteKey(kindFull, "www", "nas")
	fuzzValue(f, key, decodeFullSync, func(s FullSync) []byte { return s.encode(key) },
		FullSync{Reason: "r", Started: when, Sub: "a", Checksum: true, After: "b", Begun: true, Links: true, Done: 1, Total: 2})
}

func FuzzDecodeFullSyncWithBehind(f *testing.F) {
	key := remoteKey(kindFull, "www", "nas")
	fuzzValue(f, key, decodeFullSync, func(s FullSync) []byte { return s.encode(key) },
		FullSync{Reason: "r", Started: when, Sub: "a", Done: 1, Total: 2, Behind: when})
}

func FuzzDecodeRemoteState(f *testing.F) {
	key := remoteKey(kindState, "www", "nas")
	fuzzValue(f, key, decodeRemoteState, func(s RemoteState) []byte { return s.encode(key) },
		RemoteState{Paused: true, PauseReason: "p", PausedUntil: when, Held: "h", HeldSince: when, Approved: 3, LastSuccess: when, LastFull: when},
		RemoteState{Probe: Probe{At: when, Of: "rsync://h/m", Dirty: true, Findings: []Finding{{ID: "W-OWNERS", Since: when, Detail: "0 instead of 1"}, {ID: "W-X"}}}})
}

func FuzzDecodeRemoteStateWithVerify(f *testing.F) {
	key := remoteKey(kindState, "www", "nas")
	f.Add([]byte("\x00\x01"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeRemoteState(key, (&encoder{b: append([]byte{2}, body...)}).seal(key))
		if err != nil {
			return
		}
		again, err := decodeRemoteState(key, s.encode(key))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "decoded again", again, s)
	})
}

// FuzzPathKey makes sure that keys and paths are in one-to-one relation and
// that key order is the order of a depth-first walk.
func FuzzPathKey(f *testing.F) {
	f.Add("a/b", "a!")
	f.Add("", "a")
	f.Fuzz(func(t *testing.T, p, q string) {
		if checkPath(p) != nil || checkPath(q) != nil {
			return
		}
		kp, kq := indexKey("www", p), indexKey("www", q)
		equal(t, "path", pathOf(kp[5:]), p)
		equal(t, "equal", bytes.Equal(kp, kq), p == q)
		if p != q && within(p, q) && bytes.Compare(kp, kq) > 0 {
			t.Errorf("%q comes before its directory %q", q, p)
		}
		if p != "" && p != q && within(p, q) != (bytes.Compare(kq, kp) > 0 && bytes.Compare(kq, afterTree(kp)) < 0) {
			t.Errorf("%q is wrongly in the range of %q", q, p)
		}
	})
}
