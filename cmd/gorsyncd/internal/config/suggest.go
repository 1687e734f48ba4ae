package config

import (
	"fmt"
	"strings"
)

// elsewhere are words of other programs, and the obvious near misses that no
// edit distance finds.
var elsewhere = map[string]string{
	"source": "path", "local": "path", "localpath": "path", "dir": "path",
	"sync": "sources", "syncs": "sources", "src": "path",
	"url": "target", "host": "target", "dest": "target", "destination": "target", "to": "target",
	"targets": "remotes", "destinations": "remotes",
	"password": "password_file", "passwordfile": "password_file", "passwd": "password_file",
	"excludes": "exclude", "ignore": "exclude", "filters": "filter", "include": "filter",
	"processes": "workers", "threads": "workers", "maxprocesses": "workers",
	"delay": "settle", "port": "ssh.port", "identity": "ssh.identity_file",
	"schedule": "full_sync.schedule", "cron": "full_sync.schedule", "crontab": "full_sync.schedule",
	"args": "rsync.args", "timeout": "rsync.timeout", "compress": "rsync.compress",
	"max_delete": "guard.max_delete",
}

// didYouMean returns ` (did you mean "x"?)`, or "".
func didYouMean(word string, known []string) string {
	if s := closest(word, known); s != "" {
		return fmt.Sprintf(" (did you mean %q?)", s)
	}
	return ""
}

// Closest is the known word that was probably meant, "" when none is close.
func Closest(word string, known []string) string {
	return nearWord(strings.ToLower(word), known)
}

func closest(word string, known []string) string {
	lower := strings.ReplaceAll(strings.ToLower(word), "-", "_")
	if best := nearWord(lower, known); best != "" {
		return best
	}
	if k, ok := elsewhere[lower]; ok {
		head, _, _ := strings.Cut(k, ".")
		for _, have := range known {
			if have == head {
				return k
			}
		}
	}
	return ""
}

func nearWord(lower string, known []string) string {
	best, bestDist := "", 3
	if len(lower) <= 3 {
		bestDist = 2
	}
	for _, k := range known {
		if d := distance(lower, k); d < bestDist && d < len(k) {
			best, bestDist = k, d
		}
	}
	return best
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours count one each. Words longer than any
// key are far from all of them, whatever they hold.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
