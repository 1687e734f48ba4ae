package replicate

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naiveConflict is the table of Locks' comment, word by word.
func naiveConflict(a, b Lock) bool {
	isDir := func(s Scope) bool { return s == ScopeDir || s == ScopeStamp || s == ScopeWithin }
	if x, y := min(a.Scope, b.Scope), max(a.Scope, b.Scope); y == ScopeWithin && (x == ScopeStamp || x == ScopeWithin) {
		return false
	}
	for _, l := range []*Lock{&a, &b} {
		if isDir(l.Scope) {
			l.Scope = ScopeDir
		}
	}
	if a.Scope > b.Scope {
		a, b = b, a
	}
	child := func(p, q string) bool { parent, ok := parentOf(p); return ok && parent == q }
	p, q := a.Path, b.Path
	switch {
	case a.Scope == ScopeTree && b.Scope == ScopeTree:
		return p == q || isBelow(p, q) || isBelow(q, p)
	case a.Scope == ScopeTree && b.Scope == ScopeDir:
		return q == p || isBelow(q, p)
	case a.Scope == ScopeTree && b.Scope == ScopeLevel:
		return p == q || child(p, q) || isBelow(q, p)
	case a.Scope == ScopeDir && b.Scope == ScopeLevel:
		return p == q || child(p, q)
	default: // Dir–Dir, Level–Level
		return p == q
	}
}

func drawLock() *rapid.Generator[Lock] {
	return rapid.Custom(func(t *rapid.T) Lock {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab"}), 0, 4).Draw(t, "parts")
		p := ""
		for _, s := range parts {
			p = join(p, s)
		}
		return Lock{Scope: rapid.SampledFrom([]Scope{ScopeTree, ScopeDir, ScopeLevel, ScopeStamp, ScopeWithin}).Draw(t, "scope"), Path: p}
	})
}

func TestLocksAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Locks
		var held []Lock
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				k := drawLock().Draw(t, "lock")
				l.Add(k)
				held = append(held, k)
			},
			"remove": func(t *rapid.T) {
				if len(held) == 0 {
					return
				}
				i := rapid.IntRange(0, len(held)-1).Draw(t, "i")
				l.Remove(held[i])
				held = slices.Delete(held, i, i+1)
			},
			"": func(t *rapid.T) {
				k := drawLock().Draw(t, "probe")
				want := slices.ContainsFunc(held, func(h Lock) bool { return naiveConflict(h, k) })
				if got := l.Conflicts(k); got != want {
					t.Fatalf("Conflicts(%v) = %v, want %v; held %v", k, got, want, held)
				}
				within := slices.Contains(held, Lock{ScopeWithin, k.Path})
				if l.Within(k.Path) != within {
					t.Fatalf("Within(%q) = %v; held %v", k.Path, !within, held)
				}
				if l.Empty() != (len(held) == 0) {
					t.Fatalf("Empty() = %v with %v", l.Empty(), held)
				}
			},
		})
	})
}

func BenchmarkLocks(b *testing.B) {
	for _, held := range []int{10, 1000, 20000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			var l Locks
			for i := range held {
				l.Add(Lock{ScopeTree, fmt.Sprintf("srv/www/dir%d/sub/file%d", i/100, i)})
			}
			k := Lock{ScopeTree, "srv/www/other/sub/file"}
			for b.Loop() {
				if l.Conflicts(k) {
					b.Fatal("conflict")
				}
				l.Add(k)
				l.Remove(k)
			}
		})
	}
}
