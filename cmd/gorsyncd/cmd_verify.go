package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

func (a *app) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Category:  "Act",
		Usage:     "compare remotes with the source, and tell or repair what differs",
		ArgsUsage: "[NAME...]",
		Description: `Nothing is changed on a remote, and live changes go on meanwhile: what is on its
way is no difference. Each path that differs is a line, with what differs in it:
missing, content, size, time, mode, owner, link_target, hard_link, xattr, device,
in_the_way, and, with delete: all, extra and leftover. Where only what the source
lost is removed, strangers and leftovers are told and may stay. So may, with
attributes: with_content, attributes that changed at the source since.

With --repair what differs is journaled to be sent again, within the limits of
guard.max_delete; wait for it with flush. Exit status 0: equal, 5: differences
were found (also when they are being repaired), 3 or 4: a remote could not be
compared, or paths of it are failing.

EXAMPLE
   gorsyncd verify
   gorsyncd verify www/nas --checksum --repair
   gorsyncd verify '*/nas' --path img/2026 --json --timeout 2h`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "path", Aliases: []string{"p"}, Usage: "only `SUB`, absolute or relative to the source"},
			&cli.BoolFlag{Name: "checksum", Usage: "compare contents, not only sizes and times"},
			&cli.BoolFlag{Name: "repair", Usage: "have what differs sent again"},
			&cli.DurationFlag{Name: "timeout", Aliases: []string{"t"}, Usage: "give up after `TIME` (default: no limit)"},
		},
		Action: withContext(a.verify),
	}
}

func (a *app) verify(ctx context.Context, c *cli.Context) error {
	sub := c.String("path")
	if sub != "" {
		sub = filepath.Clean(sub)
	}
	if c.IsSet("timeout") && c.Duration("timeout") <= 0 {
		return &control.Error{Code: control.CodeUsage, Message: "--timeout must be positive"}
	}
	v := &verifyView{app: a, line: newProgressLine(a)}
	err := client(c).Verify(ctx, control.VerifyRequest{Names: c.Args().Slice(), Sub: names.NewPath(sub),
		Checksum: c.Bool("checksum"), Repair: c.Bool("repair"), Timeout: c.Duration("timeout")}, v.show)
	v.line.clear()
	if err != nil {
		return err
	}
	return v.end()
}

// verifyView shows what a verify tells: lines and results on stdout, progress on
// a line of a terminal that is drawn again.
type verifyView struct {
	app      *app
	line     *progressLine
	pace     estimate
	progress map[string]*replicate.VerifyProgress // of those that are not done
	ended    replicate.VerifyProgress             // the sum of the others
	results  []remoteResult
}

type remoteResult struct {
	remote string
	*control.VerifyResult
}

func (v *verifyView) show(l control.VerifyLine) error {
	if l.Event == control.EventResult && l.Result != nil {
		v.results = append(v.results, remoteResult{l.Remote, l.Result})
		v.ended.Dirs, v.ended.TotalDirs = v.ended.Dirs+l.Result.Dirs, v.ended.TotalDirs+l.Result.Dirs
		v.ended.Paths, v.ended.Differences = v.ended.Paths+l.Result.Paths, v.ended.Differences+l.Result.Differences
		delete(v.progress, l.Remote)
	}
	if v.app.json {
		return v.app.printJSON(l)
	}
	switch l.Event {
	case control.EventProgress:
		v.draw(l)
	case control.EventDifference, control.EventAllowed:
		v.line.clear()
		return v.app.print("%s  %s\n", names.Printable(l.Remote), pathLine(l))
	}
	return nil
}

// pathLine: size,time  a/b.
func pathLine(l control.VerifyLine) string {
	kinds := make([]string, 0, len(l.Kinds))
	for _, k := range l.Kinds {
		kinds = append(kinds, string(k))
	}
	name := l.Path.String()
	if name == "" {
		name = "./"
	}
	s := fmt.Sprintf("%-10s  %s", names.Printable(strings.Join(kinds, ",")), name)
	if l.Below > 0 {
		s += fmt.Sprintf("  (%s in it)", status.Count(l.Below))
	}
	if k := l.Kinds; l.Event == control.EventAllowed && len(k) > 0 && k[0] != replicate.DiffStranger && k[0] != replicate.DiffLeftover {
		s += "  (goes along with its next change)"
	}
	return s
}

func (v *verifyView) draw(l control.VerifyLine) {
	if l.Progress == nil {
		return
	}
	if v.progress == nil {
		v.progress = map[string]*replicate.VerifyProgress{}
	}
	v.progress[l.Remote] = l.Progress
	v.line.show(v.each, v.all)
}

// each: www/nas 7 of 1 200 directories, 340 paths, 0 differ, ~4m left.
func (v *verifyView) each() string {
	parts := []string{}
	for _, name := range slices.Sorted(maps.Keys(v.progress)) {
		parts = append(parts, names.Printable(name)+" "+verifyText(v.progress[name]))
	}
	return strings.Join(parts, "; ") + v.timeLeft()
}

// all is the same of many remotes together.
func (v *verifyView) all() string {
	sum := v.sum()
	return fmt.Sprintf("%d of %d remotes: %s%s", len(v.progress), len(v.progress)+len(v.results), verifyText(&sum), v.timeLeft())
}

func verifyText(p *replicate.VerifyProgress) string {
	return fmt.Sprintf("%s of %s directories, %s paths, %s differ", status.Count(p.Dirs), status.Count(p.TotalDirs),
		status.Count(p.Paths), status.Count(p.Differences))
}

func (v *verifyView) sum() replicate.VerifyProgress {
	sum := v.ended
	for _, p := range v.progress {
		sum.Dirs, sum.TotalDirs = sum.Dirs+p.Dirs, sum.TotalDirs+p.TotalDirs
		sum.Paths, sum.Differences = sum.Paths+p.Paths, sum.Differences+p.Differences
	}
	return sum
}

func (v *verifyView) timeLeft() string {
	sum := v.sum()
	return v.pace.left(v.app.now(), sum.Dirs, sum.TotalDirs)
}

// end prints the summary and judges it: differences first, since they are known
// whatever else is not.
func (v *verifyView) end() error {
	sum := verifySummary{Event: "summary", Kinds: map[replicate.DiffKind]uint64{}}
	var missed []remoteResult
	for _, r := range v.results {
		sum.add(r.VerifyResult)
		if r.Code != "" {
			missed = append(missed, r)
		}
		if !v.app.json && r.Compared {
			if err := v.app.print("%s: %s\n", names.Printable(r.remote), resultLine(r.VerifyResult)); err != nil {
				return err
			}
		}
	}
	if v.app.json {
		if err := v.app.printJSON(sum); err != nil {
			return err
		}
	}
	err := failure(missed)
	if sum.Differences > 0 {
		if err != nil {
			v.app.message("%s", strings.TrimRight(errorText(err), "\n"))
		}
		return silent(control.ExitDifferences)
	}
	if err != nil {
		return err
	}
	return nil
}

// verifySummary is the last line with --json: all remotes together.
type verifySummary struct {
	Event       string                        `json:"event"`
	Remotes     int                           `json:"remotes"`
	NotCompared int                           `json:"not_compared"`
	Directories uint64                        `json:"directories"`
	Paths       uint64                        `json:"paths"`
	Differences uint64                        `json:"differences"`
	Kinds       map[replicate.DiffKind]uint64 `json:"by_kind"`
	Repaired    uint64                        `json:"repaired"`
}

func (s *verifySummary) add(r *control.VerifyResult) {
	s.Remotes++
	if !r.Compared {
		s.NotCompared++
	}
	s.Directories += r.Dirs
	s.Paths += r.Paths
	s.Differences += r.Differences
	s.Repaired += r.Repaired
	for k, n := range r.Kinds {
		s.Kinds[k] += n
	}
}

// resultLine: 3 paths differ (2 size, 1 missing) of 12 345 in 120 directories.
func resultLine(r *control.VerifyResult) string {
	of := fmt.Sprintf("%s %s in %s %s", status.Count(r.Paths), plural(r.Paths, "path", "paths"), status.Count(r.Dirs),
		plural(r.Dirs, "directory", "directories"))
	var s string
	if r.Differences == 0 {
		s = "equal: " + of
	} else {
		kinds := []string{}
		for _, k := range slices.Sorted(maps.Keys(r.Kinds)) {
			kinds = append(kinds, fmt.Sprintf("%s %s", status.Count(r.Kinds[k]), names.Printable(string(k))))
		}
		s = fmt.Sprintf("%s %s (%s) of %s", status.Count(r.Differences), plural(r.Differences, "path differs", "paths differ"), strings.Join(kinds, ", "), of)
	}
	if !r.Checksum {
		s += ", by size and time"
	}
	for _, n := range []struct {
		n    uint64
		what string
	}{{r.Strangers, "only there, and may stay"}, {r.Leftovers, "left over from cut transfers"},
		{r.Attributes, "with other attributes, which go with their next change of content"}, {r.Pending, "not judged: on their way"},
		{r.Failing, "not judged: failing"}} {
		if n.n > 0 {
			s += fmt.Sprintf("; %s %s", status.Count(n.n), n.what)
		}
	}
	if r.Repaired > 0 {
		s += fmt.Sprintf("; %s sent again, gorsyncd flush waits for it", status.Count(r.Repaired))
	}
	return s
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// failure is about the remotes that could not be compared, nil for none. The
// code is that of the worst: one that needs a person.
func failure(missed []remoteResult) *control.Error {
	if len(missed) == 0 {
		return nil
	}
	e := &control.Error{}
	lines := []string{}
	rank := []control.Code{control.CodeBusy, control.CodeNotInSync, control.CodeInternal, control.CodeProblem}
	for _, r := range missed {
		if slices.Index(rank, r.Code) >= slices.Index(rank, e.Code) {
			e.Code, e.Hint = r.Code, r.Hint
		}
		text := r.Message
		if text == "" {
			text = fmt.Sprintf("%s paths are failing", status.Count(r.Failing))
		}
		if !strings.Contains(text, r.remote) {
			text = r.remote + ": " + text
		}
		lines = append(lines, text)
	}
	e.Message = strings.Join(lines, "\n")
	return e
}
