// Package docs holds the guides, and the schemas of what the commands print with
// --json.
package docs

import "embed"

// FS has NAME.md, schema/NAME.json and openapi.json.
//
//go:embed *.md schema/*.json openapi.json
var FS embed.FS
