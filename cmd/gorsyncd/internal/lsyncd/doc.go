// Package lsyncd reads the configuration of lsyncd, which is a program in Lua, and
// writes ours.
//
// # Usage
//
//	res, err := lsyncd.Import([]draft.File{{Name: "lsyncd.conf.lua", Data: data}})
//
// # Properties
//
//   - The file is run, since loops over hosts and directories are usual in it, with
//     what Lua has for tables, strings and numbers and nothing else: no files, no
//     programs, no environment. It ends after two seconds.
//   - default.rsync, default.rsyncssh and default.direct are understood, in the
//     spelling of lsyncd 2.0 to 2.3, also by way of tables made of them. Functions, which stand for behaviour of the
//     user's own, are Lost with the line they begin at.
//   - Several syncs of one directory become one source with several remotes.
//   - Files that excludeFrom and filterFrom name are read by the caller's Read.
//
// What a configuration means is that of lsyncd 2.2.3 and 2.3.1, read in their
// source and manual; reference: the tables in default.lua and default-rsync.lua.
package lsyncd
