//go:build race

package main

// A test with the race detector runs programs with it.
func init() { buildFlags = append(buildFlags, "-race") }
