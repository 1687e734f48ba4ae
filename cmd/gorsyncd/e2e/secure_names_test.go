package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// meantNames mean something to rsync, ssh or a shell wherever a name is not
// taken for data. The ones that create a file would do so as "canary".
var meantNames = append(slices.Clone(testbed.OddNames),
	"--rsh=touch canary", "-e touch canary", "-e sh", "--files-from=canary", "--rsync-path=touch canary;rsync", "-", "--",
	"#x", "; touch canary", "[a]*", "**", "***", "?", "a\\*b", "$(touch canary)", "`touch canary`", "| touch canary", "&& touch canary", ">canary",
	"x\n..", "\n..\n", "...", ".. ", " ..", "..x", ". ", "x\n- *", "- *", "+ *", ". file", ": file", ":include", ":- .rsync-filter", "!", "P *", "R *", "dir-merge x",
	"%s%n%i%%", "%d$x", "\\#012", "\\", "\\\\", "x\\", "'", "\"", "''", "'\"'\"'", "\x01\x7f", "\xc3\x28", "\u202egnp.exe", "\u009b2J", "\x1b]0;title\x07",
	"host:path", "host::module", "rsync:", "@", "~root", "=x", "-n", "--delete", "--exclude=*", "CVS", ".cvsignore", ".rsync-filter", "core", "nul", "a\tb", "\r", " ", "  ",
)

// nasty is a tree with the names as files, as directories and below each other.
func nasty(t *testing.T, src string, names []string) {
	t.Helper()
	for i, name := range names {
		write(t, filepath.Join(src, "files")+"/"+name, fmt.Sprint(i))
		write(t, filepath.Join(src, "dirs")+"/"+name+"/"+names[(i+7)%len(names)], "below")
		if i%3 == 0 {
			write(t, src+"/"+name, "at the top")
		}
	}
}

// TestNamesAreData: on every way to a remote, as they are made, changed, renamed
// and removed, in places whose own names are as odd.
func TestNamesAreData(t *testing.T) {
	t.Parallel()
	base := filepath.Join(t.TempDir(), "it's \"odd\" $(touch canary) `x`")
	cwd := mkdir(t, base, "cwd")
	src := mkdir(t, base, "- source #1; *")
	places := map[string]string{}
	for _, name := range []string{"local", "module", "shell"} {
		places[name] = mkdir(t, base, "-e "+name+" 'dst' ;#[x]", "--delete")
	}
	module := "mod 'u' le"
	d := testbed.RunRsyncd(t, testbed.Module{Name: module, Path: filepath.Dir(places["module"])})
	s := testbed.RunSSHD(t)
	keys := mkdir(t, base, "key's dir")
	identity, known := filepath.Join(keys, "id 'x' %h ;"), filepath.Join(keys, "known \"hosts\" %h")
	run(t, "cp", "-p", s.IdentityFile, identity)
	run(t, "cp", "-p", s.KnownHosts, known)
	r := newRig(t, fmt.Sprintf(`
sources:
  - path: %q
    name: src
    remotes:
      - {name: local, target: %q}
      - {name: module, target: %q}
      - {name: shell, target: %q, ssh: {port: %d, identity_file: %q, known_hosts: %q, options: ["SendEnv=X 'y' z"]}}
defaults: {guard: {max_delete: 0}, retry: {initial: 200ms, max: 1s}}
`, src, places["local"], d.Target(module)+"/--delete", s.Target(places["shell"]), s.Port, identity, known))
	equal := func(when string) {
		t.Helper()
		r.flush(90 * time.Second)
		for name, dst := range places {
			if diff, err := testbed.DiffTrees(src, dst, testbed.Options{}); err != nil || len(diff) > 0 {
				t.Errorf("%s, %s: %v %.2000q", when, name, err, diff)
			}
		}
	}
	nasty(t, src, meantNames[:len(meantNames)/2])
	r.start()
	equal("full sync")
	nasty(t, src, meantNames)
	equal("made")
	for i, name := range meantNames {
		write(t, filepath.Join(src, "files")+"/"+name, "changed "+fmt.Sprint(i))
	}
	r.mustCLI("sync", "src/*", "--checksum")
	equal("changed")
	for i, name := range meantNames {
		if i%2 == 0 {
			must(t, os.Rename(filepath.Join(src, "dirs")+"/"+name, filepath.Join(src, "files")+"/moved"+name))
		} else {
			must(t, os.RemoveAll(filepath.Join(src, "dirs")+"/"+name))
		}
	}
	equal("moved and removed")
	must(t, os.RemoveAll(filepath.Join(src, "files")))
	equal("all removed")
	for _, dir := range []string{cwd, base, src, keys, r.dir, ".", "/", os.Getenv("HOME"), os.TempDir()} {
		if found, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "canary*")); len(found) > 0 {
			t.Errorf("a name was executed or written to: %q", found)
		}
	}
	for name := range places {
		if found, _ := os.ReadDir(filepath.Dir(places[name])); len(found) != 1 {
			t.Errorf("beside the target %s: %v", name, found)
		}
	}
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// TestHostsAreData: what ssh or rsync would take for an option is no target.
func TestHostsAreData(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	for _, target := range []string{
		"-oProxyCommand=touch canary:/x", "--rsh=x::m", "rsync://-x/m", "a@-oProxyCommand=x:/p", "-u@host:/p", "-u@host::m", "host::-m",
		"h;x:/p", "h$(x):/p", "h`x`::m", "h|x:/p", "u'x@h:/p", "h x:/p", "h\n-x:/p", "rsync://h:-1/m", "[-x]:/p", "-rf", "--", "host:", "::m", "u@:/p",
	} {
		_, errOut, code := gorsyncd(t, "init", "--print", "--", src, target)
		if code != 78 && code != 64 {
			t.Errorf("%q: exit %d\n%s", target, code, errOut)
		}
	}
}

// TestHostileNamesOnTerminals: nothing that people look at holds a control
// character, whatever fails.
func TestHostileNamesOnTerminals(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			src, dst := trees(t)
			name := "\x1b[2J\x1b]0;owned\x07\r\nlevel=ERROR msg=forged \u202e\u009b31m\xff\x7f"
			r := newRig(t, oneRemote(src, dst, "defaults: {retry: {initial: 200ms, max: 1s}}\nlog: {format: "+format+"}"))
			r.start()
			r.flush(20 * time.Second)
			write(t, src+"/d/"+name, "v1")
			r.flush(20 * time.Second)
			run(t, "chattr", "+i", dst+"/d/"+name)
			t.Cleanup(func() { run(t, "chattr", "-i", dst+"/d/"+name) })
			write(t, src+"/d/"+name, "v2")
			r.waitState("src/r", "failing", 30*time.Second)
			for _, args := range [][]string{{"status"}, {"status", "--json"}, {"explain", src + "/d/" + name}, {"explain", src + "/d/" + name, "--json"},
				{"journal", "inspect"}, {"journal", "inspect", "--json"}, {"flush", "--timeout", "500ms"}, {"flush", "--json", "--timeout", "500ms"},
				{"sync", "--dry-run", "src/r"}, {"sync", "--dry-run", "--json", "src/r"}, {"explain", "/nowhere/" + name}, {"pause", name}, {name}, {"retry", src + "/" + name},
			} {
				out, errOut, _ := r.cli(args...)
				harmless(t, fmt.Sprintf("%q", args), out+errOut)
			}
			harmless(t, "the log", r.readLog())
			if strings.Contains(r.readLog(), "\nlevel=ERROR") {
				t.Error("a line of the log is forged")
			}
		})
	}
}

func harmless(t *testing.T, what, text string) {
	t.Helper()
	for i, c := range text {
		if c < ' ' && c != '\n' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == '\u202e' || c == '\ufffd' && text[i] != 0xef {
			t.Errorf("%s: %q in %.300q", what, c, text[max(0, i-150):])
			return
		}
	}
}
