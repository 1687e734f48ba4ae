package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
)

// Where units and their drop-ins are, that of the administrator first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// unit tells what the installed unit lacks for a configuration: by itself it lets
// gorsyncd write nowhere, and give files to nobody. A service of a user is not
// confined.
func unit(c *config.Config, o Options) []Finding {
	targets := localTargets(c)
	if !o.Root || len(targets) == 0 || !installed() {
		return nil
	}
	f := Finding{Level: OK, About: "systemd unit", Text: "has a drop-in for the local targets"}
	text, there := DropIn(targets), dropIns()
	for line := range strings.Lines(text) {
		if !strings.Contains(there, "\n"+line) {
			f.Level = Warn
			f.Text = fmt.Sprintf("as a service gorsyncd may not write to the local targets (%s), or not set owners there", strings.Join(targets, ", "))
			f.Remedy = "systemctl edit gorsyncd, with the following lines, and systemctl restart gorsyncd\n" + text
			break
		}
	}
	return []Finding{f}
}

func installed() bool {
	return slices.ContainsFunc(unitDirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "gorsyncd.service"))
		return err == nil
	})
}

// dropIns are those of the unit, a newline in front of each line.
func dropIns() string {
	text := "\n"
	for _, dir := range unitDirs {
		files, _ := filepath.Glob(filepath.Join(dir, "gorsyncd.service.d", "*.conf")) // a fixed pattern
		for _, file := range files {
			b, _ := os.ReadFile(file) // what cannot be read is taken for missing
			text += string(b) + "\n"
		}
	}
	return text
}

func localTargets(c *config.Config) []string {
	var list []string
	for _, s := range c.Sources {
		for _, r := range s.Remotes {
			if r.Target.Kind == replicate.Local && !slices.Contains(list, r.Target.Path) {
				list = append(list, r.Target.Path)
			}
		}
	}
	return list
}

// DropIn is the drop-in for the unit that lets gorsyncd keep these directories.
func DropIn(targets []string) string {
	var b strings.Builder
	b.WriteString("[Service]\n")
	for _, t := range targets {
		// With "-" a disk that is not mounted does not keep gorsyncd from starting:
		// its remote waits, the others go on.
		b.WriteString("ReadWritePaths=" + quoteUnit("-"+t) + "\n")
	}
	b.WriteString("CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_FSETID\nRestrictSUIDSGID=no\n")
	return b.String()
}

// quoteUnit writes a path such that systemd reads it as one: in quotes, without
// specifiers.
func quoteUnit(path string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(path) {
		switch c := path[i]; {
		case c == '%':
			b.WriteString("%%")
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
