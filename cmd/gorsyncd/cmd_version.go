package main

import (
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by the linker: -X main.version=1.0.0. It must stay without an
// initial value for that.
var version string

// versionText falls back on what the toolchain recorded.
func versionText() string {
	if version != "" {
		return version
	}
	if bi, ok := debug.ReadBuildInfo(); ok && bi.Main.Version != "" && bi.Main.Version != "(devel)" {
		return bi.Main.Version
	}
	if rev := buildSetting("vcs.revision"); len(rev) >= 12 {
		return "devel-" + rev[:12]
	}
	return "devel"
}

func buildSetting(key string) string {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range bi.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func (a *app) versionCommand() *cli.Command {
	return &cli.Command{
		Name:     "version",
		Category: "Setup",
		Usage:    "print the version",
		Description: `EXAMPLE
   gorsyncd version --json`,
		Action: func(c *cli.Context) error {
			if err := noArgs(c); err != nil {
				return err
			}
			return a.printVersion()
		},
	}
}

// versionReport is version --json.
type versionReport struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // "" when the build did not record it
	Go       string `json:"go"`
	Platform string `json:"platform"` // linux/amd64
}

func (a *app) printVersion() error {
	v, commit := versionText(), buildSetting("vcs.revision")
	if a.json {
		return a.printJSON(versionReport{v, commit, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
	}
	return a.print("gorsyncd %s (%s, %s/%s)\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
