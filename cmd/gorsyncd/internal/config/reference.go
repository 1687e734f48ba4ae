package config

import _ "embed" // reference.yaml

// Reference is a commented configuration that names every key. It is valid.
//
//go:embed reference.yaml
var Reference string
