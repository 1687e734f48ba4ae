// Package draft is a configuration in the making, from that of another program:
// the YAML as it will be written, and notes on what works otherwise.
//
// # Usage
//
//	o := draft.Options{Note: note}
//	o.Add([]string{"-avz", "--bwlimit=2M"}) // as the other program gave them to rsync
//	o.Kept()
//	res, err := draft.Write(draft.Document{…}, header, notes)
//	if res.Lost() { … }
//
// # Properties
//
//   - A Note says which line of which file works in another way (Changed), is not
//     needed (Dropped) or was not carried over (Lost). Nothing is guessed.
//   - The YAML is accepted by package config, or a Lost note says what is wrong
//     with it.
//   - Options of rsync that gorsyncd sets itself vanish, those that have a key of
//     the configuration become that key, those under which remotes would stay
//     different are refused, and the rest is handed on.
package draft
