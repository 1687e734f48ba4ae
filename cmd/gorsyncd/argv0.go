package main

import (
	"path/filepath"
	"strings"
)

// isSersync tells whether the program was called by the name of sersync: its
// users' scripts and crontabs do.
func isSersync(name string) bool {
	name = filepath.Base(name)
	return name == "sersync" || name == "sersync2"
}

const sersyncHelp = `gorsyncd takes the options of sersync:
  -o FILE   configuration (confxml.xml); may be given several times
  -d        run in the background
  -r        accepted: what differs is brought over at every start anyway
  -n N      rsync processes for each remote, at most 64
  -m NAME   only the plugin command, socket, refreshCDN or http, and no rsync
  -h        this help
For everything else: gorsyncd --help
`

// fromSersync turns the command line of sersync into ours, which getopt read as
// "hdro:n:m:". What it cannot mean here is left for the command line to refuse.
func fromSersync(args []string) (ours []string, help bool) {
	ours = []string{"run"}
	var files []string
	workers, plugin := "", ""
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' || strings.HasPrefix(arg, "--") {
			ours = append(ours, arg)
			continue
		}
		for letters := arg[1:]; letters != ""; {
			l := letters[:1]
			letters = letters[1:]
			value := ""
			if strings.Contains("onm", l) {
				if value, letters = letters, ""; value == "" && len(args) > 0 {
					value, args = args[0], args[1:]
				}
			}
			switch l {
			case "h":
				help = true
			case "d":
				ours = append(ours, "--detach")
			case "r":
			case "o":
				files = append(files, value)
			case "n":
				workers = value
			case "m":
				plugin = value
			default:
				ours = append(ours, strings.TrimSpace("-"+l+" "+value))
			}
		}
	}
	if len(files) == 0 {
		files = []string{"confxml.xml"}
	}
	for _, f := range files {
		ours = append(ours, "--"+flagSersync, f)
	}
	if workers != "" {
		ours = append(ours, "--"+flagWorkers, workers)
	}
	if plugin != "" {
		ours = append(ours, "--"+flagPlugin, plugin)
	}
	return ours, help
}
