package journal

import (
	"encoding/hex"
	"testing"
	"time"
)

// TestRemoteStateOfEarlierVersions: a journal written before verifies were kept
// is read, and stays readable for the program that wrote it until there is
// one to keep.
func TestRemoteStateOfEarlierVersions(t *testing.T) {
	key := remoteKey(kindState, "www", "nas")
	plain := RemoteState{Paused: true, PauseReason: "disk", HeldSince: when, Approved: 3, Target: "h::m", Place: "1:2 /x"}
	// As it was written then, version and fields, without the sum.
	body, err := hex.DecodeString("010104" + hex.EncodeToString([]byte("disk")) + "00" + "00" + "01" + "84a8d6b907" +
		"03" + "00" + "00" + "04" + hex.EncodeToString([]byte("h::m")) + "00" + "06" + hex.EncodeToString([]byte("1:2 /x")))
	if err != nil {
		t.Fatal(err)
	}
	old := (&encoder{b: body}).seal(key)
	got, err := decodeRemoteState(key, old)
	if err != nil {
		t.Fatalf("an old value: %v", err)
	}
	equal(t, "old state", got, plain)
	equal(t, "written again", hex.EncodeToString(plain.encode(key)), hex.EncodeToString(old))

	full := plain
	full.Verify = VerifyState{Started: when, Ended: when.Add(time.Hour), Sub: "a/b", Checksum: true, Complete: true, Dirs: 4, Paths: 5,
		Found: 6, Repaired: 7, Diverged: 8, DivergedSum: true, DivergedAt: when, Scheduled: when.Add(time.Minute)}
	val := full.encode(key)
	equal(t, "version", val[0], byte(2))
	if got, err = decodeRemoteState(key, val); err != nil {
		t.Fatal(err)
	}
	equal(t, "state", got, full)
	val[0] = 3
	newer := (&encoder{b: val[: len(val)-4 : len(val)-4]}).seal(key)
	if _, err := decodeRemoteState(key, newer); err == nil {
		t.Error("a version nobody knows was read")
	}
}
