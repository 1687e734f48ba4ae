package journal

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestHopsOfManyRemotes: however many remotes have stopped wherever, none seems to be
// behind for less long than it is; with few of them it is told exactly; and an entry
// stays small.
func TestHopsOfManyRemotes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, many := range []int{1, 2, maxHopNames, maxHopNames + 1, 2*maxHopNames + 1, 40, 500} {
		lacks, remotes := make([]uint64, many), make([]progress, many) // 0: nothing
		for i := range remotes {
			remotes[i].name = fmt.Sprintf("r%03d", i)
		}
		at := func(seq uint64) time.Time { return time.Unix(int64(seq*seq), 0).UTC() }
		var last Entry
		for seq := uint64(1); seq < 200; seq++ {
			e := Entry{Seq: seq, First: seq, Time: at(seq), FirstTime: at(seq)}
			if last.Seq > 0 {
				e.replace(last, remotes)
			}
			if n := len(e.hops); n > maxHops*maxHopNames*8 {
				t.Fatalf("%d remotes: %d bytes", many, n)
			}
			if e.hops != "" {
				if _, err := parseHops(e.hops); err != nil {
					t.Fatal(err)
				}
			}
			for i := range remotes {
				if lacks[i] == 0 {
					lacks[i] = seq
				}
				got, when := e.Since(remotes[i].name)
				if got > lacks[i] || many <= maxHopNames && got != lacks[i] || !when.Equal(at(got)) {
					t.Fatalf("%d remotes: %s is behind with %d since %d (%v), want %d", many, remotes[i].name, seq, got, when, lacks[i])
				}
				// The later ones rarely get anything.
				if r.IntN(1+i*2) == 0 {
					lacks[i], remotes[i].cursor.Low = 0, seq
				}
			}
			last = e
		}
	}
}

// TestHopsKeepWhatIsFarApart: what must be taken for one is what is nearly one.
func TestHopsKeepWhatIsFarApart(t *testing.T) {
	var lacks []lack
	for i := range maxHops + 3 {
		seconds := int64(i * 1000)
		if i == 7 || i == 8 || i == 20 {
			seconds -= 999
		}
		lacks = append(lacks, lack{seq: uint64(i + 1), at: time.Unix(seconds, 0), name: []string{fmt.Sprintf("r%03d", i)}})
	}
	got := fewer(lacks)
	if len(got) != maxHops || fmt.Sprint(got[5].name, got[6].name, got[17].name) != "[r006 r007] [r008] [r019 r020]" {
		t.Errorf("%v", got)
	}
}
